//! The state of the device: each value with the time of its reading, or unknown. Nothing is measured here. The app or the command line
//! reports readings, and [`DeviceState::view`] says which of them are still valid at a given time.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
pub use whimbrel_record::Thermal;

use crate::limits::READING_AGE_MS_MAX;

/// The network that a request would use.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Network {
    /// No network.
    None,
    /// Data costs money or is limited.
    Metered,
    /// Data is free.
    Unmetered,
    /// Metered, on a foreign network.
    Roaming,
}

impl Network {
    /// Every state.
    pub const ALL: [Network; 4] = [Network::None, Network::Metered, Network::Unmetered, Network::Roaming];

    /// The name in policies and JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Network::None => "none",
            Network::Metered => "metered",
            Network::Unmetered => "unmetered",
            Network::Roaming => "roaming",
        }
    }

    /// Whether bytes on it count towards `metered_bytes_a_day`.
    #[must_use]
    pub fn is_metered(self) -> bool {
        matches!(self, Network::Metered | Network::Roaming)
    }
}

/// Hardware other than the processor that runs models.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Accelerator {
    /// A graphics processor.
    Gpu,
    /// A neural processor.
    Npu,
    /// A signal processor.
    Dsp,
}

impl Accelerator {
    /// Every kind.
    pub const ALL: [Accelerator; 3] = [Accelerator::Gpu, Accelerator::Npu, Accelerator::Dsp];

    /// The name in policies and JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Accelerator::Gpu => "gpu",
            Accelerator::Npu => "npu",
            Accelerator::Dsp => "dsp",
        }
    }
}

/// A value with the time of its reading, or unknown. In JSON `{"value": 80, "at_ms": 12000}` or `"unknown"`.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum Reading<T> {
    /// A reading.
    Known {
        /// The value.
        value: T,
        /// The time of the reading, as Unix time in milliseconds.
        at_ms: u64,
    },
    /// The value was not reported, or the platform does not provide it.
    #[default]
    Unknown,
}

impl<T> Reading<T> {
    /// The value at `now_ms`, unless it is unknown or more than [`READING_AGE_MS_MAX`] away in either direction. A reading from the future
    /// means that the clock was set.
    #[must_use]
    pub fn fresh(&self, now_ms: u64) -> Option<&T> {
        match self {
            Reading::Known { value, at_ms } if now_ms.abs_diff(*at_ms) <= READING_AGE_MS_MAX => Some(value),
            _ => None,
        }
    }

    /// The value, whatever its age.
    #[must_use]
    pub fn value(&self) -> Option<&T> {
        match self {
            Reading::Known { value, .. } => Some(value),
            Reading::Unknown => None,
        }
    }
}

#[derive(Deserialize, Serialize)]
#[serde(untagged, deny_unknown_fields)]
enum ReadingRecord<T> {
    Known { value: T, at_ms: u64 },
    Unknown(UnknownWord),
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum UnknownWord {
    Unknown,
}

impl<T: Serialize> Serialize for Reading<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Reading::Known { value, at_ms } => ReadingRecord::Known { value, at_ms: *at_ms },
            Reading::Unknown => ReadingRecord::Unknown(UnknownWord::Unknown),
        }
        .serialize(serializer)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Reading<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match ReadingRecord::deserialize(deserializer)? {
            ReadingRecord::Known { value, at_ms } => Reading::Known { value, at_ms },
            ReadingRecord::Unknown(UnknownWord::Unknown) => Reading::Unknown,
        })
    }
}

/// One value of a [`DeviceUpdate`].
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum Reported<T> {
    /// No new reading: the state keeps its value. In JSON the field is absent.
    #[default]
    Unchanged,
    /// No longer known. In JSON `null`.
    Unknown,
    /// A new reading. In JSON the value itself.
    Is(T),
}

impl<T> Reported<T> {
    fn is_unchanged(&self) -> bool {
        matches!(self, Reported::Unchanged)
    }
}

impl<T: Serialize> Serialize for Reported<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Reported::Is(value) => serializer.serialize_some(value),
            Reported::Unchanged | Reported::Unknown => serializer.serialize_none(),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Reported<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::<T>::deserialize(deserializer)?.map_or(Reported::Unknown, Reported::Is))
    }
}

impl<T> From<T> for Reported<T> {
    fn from(value: T) -> Self {
        Reported::Is(value)
    }
}

/// `None` means that the platform does not tell.
impl<T> From<Option<T>> for Reported<T> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Reported::Unknown, Reported::Is)
    }
}

/// Declares the state, the update and the view from one list of fields, so that none can be forgotten in one of them.
macro_rules! device_fields {
    ($($(#[doc = $doc:literal])+ $name:ident: $type:ty, $age:ident;)+) => {
        /// Everything that is known about the device.
        #[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct DeviceState {
            $($(#[doc = $doc])+ pub $name: Reading<$type>,)+
        }

        /// A report of what changed. The app may send it as often as it likes, with as many values as it has.
        #[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct DeviceUpdate {
            $(
                $(#[doc = $doc])+
                #[serde(skip_serializing_if = "Reported::is_unchanged")]
                pub $name: Reported<$type>,
            )+
        }

        /// The valid readings at one moment. Expired readings are absent, like unknown ones.
        #[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
        pub struct DeviceView {
            $($(#[doc = $doc])+ pub $name: Option<$type>,)+
        }

        impl DeviceState {
            /// Applies an update that was reported at `at_ms`. Percentages above 100 count as unknown.
            pub fn apply(&mut self, update: &DeviceUpdate, at_ms: u64) {
                $(match &update.$name {
                    Reported::Unchanged => {}
                    Reported::Unknown => self.$name = Reading::Unknown,
                    Reported::Is(value) => self.$name = Reading::Known { value: value.clone(), at_ms },
                })+
                for percent in [&mut self.battery_percent, &mut self.loss_percent] {
                    if percent.value().is_some_and(|percent| *percent > 100) {
                        *percent = Reading::Unknown;
                    }
                }
            }

            /// The readings that are valid at `now_ms`.
            #[must_use]
            pub fn view(&self, now_ms: u64) -> DeviceView {
                DeviceView {
                    $($name: device_fields!(@read $age, self.$name, now_ms).cloned(),)+
                }
            }
        }
    };
    (@read ages, $reading:expr, $now_ms:expr) => { $reading.fresh($now_ms) };
    (@read stays, $reading:expr, $now_ms:expr) => { $reading.value() };
}

device_fields! {
    /// Charge of the battery in percent, 0 to 100.
    battery_percent: u8, ages;
    /// Whether it is being charged.
    charging: bool, ages;
    /// What the battery gives now, for the whole device, in milliwatts: current times voltage.
    battery_milliwatts: u32, ages;
    /// Whether the user or the system asked for saving power.
    power_save: bool, ages;
    /// How hot the device is.
    thermal: Thermal, ages;
    /// Memory of the device in bytes.
    memory_total_bytes: u64, stays;
    /// Memory that can be had without pushing others out, in bytes.
    memory_available_bytes: u64, ages;
    /// What the system still gives to this process, in bytes.
    memory_process_bytes: u64, ages;
    /// Free storage in bytes.
    storage_free_bytes: u64, ages;
    /// The network.
    network: Network, ages;
    /// Measured time of a round trip in milliseconds.
    round_trip_ms: u32, ages;
    /// Measured loss of packets or failed requests in percent, 0 to 100.
    loss_percent: u8, ages;
    /// Processor cores that are made for speed.
    performance_cores: u32, stays;
    /// Hardware beside the processor that runs models.
    accelerators: Vec<Accelerator>, stays;
    /// Whether the app is in the foreground.
    foreground: bool, ages;
}

impl DeviceState {
    /// A device for which only this update was reported, at `at_ms`. Everything else is unknown.
    ///
    /// ```
    /// use whimbrel_policy::{DeviceState, DeviceUpdate, Network};
    ///
    /// let update = DeviceUpdate {
    ///     network: Network::Metered.into(),
    ///     ..DeviceUpdate::default()
    /// };
    /// let device = DeviceState::reported(&update, 1_000);
    /// assert_eq!(device.view(2_000).network, Some(Network::Metered));
    /// // What was read long ago counts as unknown.
    /// assert_eq!(device.view(1_000_000).network, None);
    /// ```
    #[must_use]
    pub fn reported(update: &DeviceUpdate, at_ms: u64) -> Self {
        let mut state = Self::default();
        state.apply(update, at_ms);
        state
    }
}

impl DeviceView {
    /// Whether bytes over the network count towards the limit. Bytes over an unknown network do.
    #[must_use]
    pub fn is_metered(&self) -> bool {
        self.network.is_none_or(Network::is_metered)
    }

    /// Memory that a model may use, in bytes: the smaller of available memory and the process's limit, as far as they are known.
    #[must_use]
    pub fn memory_usable_bytes(&self) -> Option<u64> {
        match (self.memory_available_bytes, self.memory_process_bytes) {
            (Some(available), Some(process)) => Some(available.min(process)),
            (available, process) => available.or(process),
        }
    }
}
