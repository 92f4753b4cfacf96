//! What a request took, in parts: times, processor, memory, and the state of the device at its end. Figures only: nothing here can hold text.

use serde::{Deserialize, Serialize};

/// How hot the device is, in the four levels of iOS. Android's seven levels map onto them: none and light are `nominal`, moderate is
/// `fair`, severe is `serious`, and the rest are `critical`.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Thermal {
    /// No restrictions.
    Nominal,
    /// Warm: defer work that can wait.
    Fair,
    /// Hot: the system throttles the processor.
    Serious,
    /// Too hot: the system stops what it can.
    Critical,
}

impl Thermal {
    /// Every level, coolest first.
    pub const ALL: [Thermal; 4] = [Thermal::Nominal, Thermal::Fair, Thermal::Serious, Thermal::Critical];

    /// The name in policies and JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Thermal::Nominal => "nominal",
            Thermal::Fair => "fair",
            Thermal::Serious => "serious",
            Thermal::Critical => "critical",
        }
    }
}

/// How much a device can do, in classes that are too wide to tell one device from another.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceClass {
    /// Less than 4 GB of memory.
    Small,
    /// 4 to 8 GB.
    Medium,
    /// 8 GB and more.
    Large,
}

impl DeviceClass {
    /// Every class, smallest first.
    pub const ALL: [DeviceClass; 3] = [DeviceClass::Small, DeviceClass::Medium, DeviceClass::Large];

    /// The class of a device with this much memory. Systems report a little less than what is sold, so the bounds are 3.5 and 7 GiB.
    ///
    /// ```
    /// use whimbrel_record::DeviceClass;
    ///
    /// // Sold as 8 GB.
    /// assert_eq!(DeviceClass::of(7_650_000_000), DeviceClass::Large);
    /// ```
    #[must_use]
    pub fn of(memory_total_bytes: u64) -> DeviceClass {
        match memory_total_bytes >> 29 {
            0..7 => DeviceClass::Small,
            7..14 => DeviceClass::Medium,
            _ => DeviceClass::Large,
        }
    }

    /// The name in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            DeviceClass::Small => "small",
            DeviceClass::Medium => "medium",
            DeviceClass::Large => "large",
        }
    }
}

/// See the module. Values that were not measured are 0 or absent; times are in microseconds.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Measured {
    /// Looking for private data in the text, and replacing it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub examine_us: u64,
    /// Deciding where to ask.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub decide_us: u64,
    /// On this device, until the model begins with the prompt: making or restoring its context, and waiting for other answers.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub load_us: u64,
    /// On this device: computing on the prompt.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub prefill_us: u64,
    /// On this device: computing on the answer, behind its first token.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub decode_us: u64,
    /// Elsewhere: from asking the place to the first piece of its answer.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub network_us: u64,
    /// Tokens of the prompt that were computed, not reused.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub prefill_tokens: u64,
    /// Tokens of the answer that `decode_us` was spent on.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub decode_tokens: u64,
    /// Processor time of the whole process while the request ran, on all cores.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub cpu_us: u64,
    /// The most memory that the process had until the request's end, in bytes.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub memory_bytes: u64,
    /// The battery's charge at the end, if it was not being charged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub battery_percent: Option<u8>,
    /// How hot the device was at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thermal: Option<Thermal>,
    /// The class of the device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<DeviceClass>,
}

impl Measured {
    /// Whether nothing was measured.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Measured::default()
    }
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_measured_takes_no_room() {
        assert_eq!(serde_json::to_string(&Measured::default()).unwrap(), "{}");
        assert!(Measured::default().is_empty());
        let measured = Measured {
            decide_us: 12,
            thermal: Some(Thermal::Fair),
            device: Some(DeviceClass::Medium),
            ..Measured::default()
        };
        let text = serde_json::to_string(&measured).unwrap();
        assert_eq!(text, r#"{"decide_us":12,"thermal":"fair","device":"medium"}"#);
        assert_eq!(serde_json::from_str::<Measured>(&text).unwrap(), measured);
    }

    #[test]
    fn classes_are_by_what_is_sold() {
        let gib = |gib: f64| DeviceClass::of((gib * (1u64 << 30) as f64) as u64);
        for (memory, class) in [
            (1.8, DeviceClass::Small),
            (3.4, DeviceClass::Small),
            (3.7, DeviceClass::Medium),
            (5.6, DeviceClass::Medium),
            (7.1, DeviceClass::Large),
            (23.0, DeviceClass::Large),
        ] {
            assert_eq!(gib(memory), class, "{memory} GiB");
        }
    }
}
