//! The device state that the app reports. A value that is left out keeps its last reading; a value that is no longer known
//! is listed in `unknown`.

use whimbrel_client::policy;
use whimbrel_client::policy::Reported;

/// How hot the device is, in the four levels of iOS. Android's seven levels map onto them: none and light are `Nominal`,
/// moderate is `Fair`, severe is `Serious`, and the rest are `Critical`.
#[derive(Clone, Copy, Debug, uniffi::Enum)]
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

/// The network that a request would use.
#[derive(Clone, Copy, Debug, uniffi::Enum)]
pub enum Network {
    /// No network.
    Offline,
    /// Data costs money or is limited.
    Metered,
    /// Data is free.
    Unmetered,
    /// Metered, on a foreign network.
    Roaming,
}

/// Hardware other than the processor that runs models.
#[derive(Clone, Copy, Debug, uniffi::Enum)]
pub enum Accelerator {
    /// A graphics processor.
    Gpu,
    /// A neural processor.
    Npu,
    /// A signal processor.
    Dsp,
}

/// The values of a `DeviceUpdate`, for listing those that are no longer known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum DeviceFact {
    /// `battery_percent`
    BatteryPercent,
    /// `charging`
    Charging,
    /// `battery_milliwatts`
    BatteryMilliwatts,
    /// `power_save`
    PowerSave,
    /// `thermal`
    Thermal,
    /// `memory_total_bytes`
    MemoryTotalBytes,
    /// `memory_available_bytes`
    MemoryAvailableBytes,
    /// `memory_process_bytes`
    MemoryProcessBytes,
    /// `storage_free_bytes`
    StorageFreeBytes,
    /// `network`
    Network,
    /// `round_trip_ms`
    RoundTripMs,
    /// `loss_percent`
    LossPercent,
    /// `performance_cores`
    PerformanceCores,
    /// `accelerators`
    Accelerators,
    /// `foreground`
    Foreground,
}

/// The current state of the device, with as many values as the app knows. Most readings expire after two minutes, so send
/// them again with each question. The totals (memory, cores, accelerators) do not expire.
#[derive(Clone, Debug, Default, uniffi::Record)]
pub struct DeviceUpdate {
    /// Battery charge in percent, 0 to 100; a larger value counts as unknown.
    #[uniffi(default = None)]
    pub battery_percent: Option<u8>,
    /// Whether the battery is charging.
    #[uniffi(default = None)]
    pub charging: Option<bool>,
    /// The power that the battery gives now, for the whole device, in milliwatts: current times voltage.
    #[uniffi(default = None)]
    pub battery_milliwatts: Option<u32>,
    /// Whether power saving is on.
    #[uniffi(default = None)]
    pub power_save: Option<bool>,
    /// How hot the device is.
    #[uniffi(default = None)]
    pub thermal: Option<Thermal>,
    /// Total memory of the device in bytes.
    #[uniffi(default = None)]
    pub memory_total_bytes: Option<u64>,
    /// Memory that is available without evicting other apps, in bytes.
    #[uniffi(default = None)]
    pub memory_available_bytes: Option<u64>,
    /// Memory that the system still allows this process, in bytes.
    #[uniffi(default = None)]
    pub memory_process_bytes: Option<u64>,
    /// Free storage in bytes.
    #[uniffi(default = None)]
    pub storage_free_bytes: Option<u64>,
    /// The kind of network.
    #[uniffi(default = None)]
    pub network: Option<Network>,
    /// Measured round-trip time in milliseconds.
    #[uniffi(default = None)]
    pub round_trip_ms: Option<u32>,
    /// Measured rate of lost packets or failed requests in percent, 0 to 100; a larger value counts as unknown.
    #[uniffi(default = None)]
    pub loss_percent: Option<u8>,
    /// Number of performance cores.
    #[uniffi(default = None)]
    pub performance_cores: Option<u32>,
    /// Hardware other than the processor that runs models.
    #[uniffi(default = None)]
    pub accelerators: Option<Vec<Accelerator>>,
    /// Whether the app is in the foreground.
    #[uniffi(default = None)]
    pub foreground: Option<bool>,
    /// Values that are no longer known. If a value is also given, it is ignored.
    #[uniffi(default = [])]
    pub unknown: Vec<DeviceFact>,
}

impl From<DeviceUpdate> for policy::DeviceUpdate {
    fn from(from: DeviceUpdate) -> Self {
        let unknown = from.unknown;
        let is_unknown = |fact| unknown.contains(&fact);
        policy::DeviceUpdate {
            battery_percent: reported(from.battery_percent, is_unknown(DeviceFact::BatteryPercent)),
            charging: reported(from.charging, is_unknown(DeviceFact::Charging)),
            battery_milliwatts: reported(from.battery_milliwatts, is_unknown(DeviceFact::BatteryMilliwatts)),
            power_save: reported(from.power_save, is_unknown(DeviceFact::PowerSave)),
            thermal: reported(from.thermal.map(Into::into), is_unknown(DeviceFact::Thermal)),
            memory_total_bytes: reported(from.memory_total_bytes, is_unknown(DeviceFact::MemoryTotalBytes)),
            memory_available_bytes: reported(
                from.memory_available_bytes,
                is_unknown(DeviceFact::MemoryAvailableBytes),
            ),
            memory_process_bytes: reported(from.memory_process_bytes, is_unknown(DeviceFact::MemoryProcessBytes)),
            storage_free_bytes: reported(from.storage_free_bytes, is_unknown(DeviceFact::StorageFreeBytes)),
            network: reported(from.network.map(Into::into), is_unknown(DeviceFact::Network)),
            round_trip_ms: reported(from.round_trip_ms, is_unknown(DeviceFact::RoundTripMs)),
            loss_percent: reported(from.loss_percent, is_unknown(DeviceFact::LossPercent)),
            performance_cores: reported(from.performance_cores, is_unknown(DeviceFact::PerformanceCores)),
            accelerators: reported(
                from.accelerators
                    .map(|accelerators| accelerators.into_iter().map(Into::into).collect()),
                is_unknown(DeviceFact::Accelerators),
            ),
            foreground: reported(from.foreground, is_unknown(DeviceFact::Foreground)),
        }
    }
}

fn reported<T>(value: Option<T>, is_unknown: bool) -> Reported<T> {
    match value {
        _ if is_unknown => Reported::Unknown,
        Some(value) => Reported::Is(value),
        None => Reported::Unchanged,
    }
}

impl From<Thermal> for policy::Thermal {
    fn from(from: Thermal) -> Self {
        match from {
            Thermal::Nominal => policy::Thermal::Nominal,
            Thermal::Fair => policy::Thermal::Fair,
            Thermal::Serious => policy::Thermal::Serious,
            Thermal::Critical => policy::Thermal::Critical,
        }
    }
}

impl From<Network> for policy::Network {
    fn from(from: Network) -> Self {
        match from {
            Network::Offline => policy::Network::None,
            Network::Metered => policy::Network::Metered,
            Network::Unmetered => policy::Network::Unmetered,
            Network::Roaming => policy::Network::Roaming,
        }
    }
}

impl From<Accelerator> for policy::Accelerator {
    fn from(from: Accelerator) -> Self {
        match from {
            Accelerator::Gpu => policy::Accelerator::Gpu,
            Accelerator::Npu => policy::Accelerator::Npu,
            Accelerator::Dsp => policy::Accelerator::Dsp,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every value reaches its own place: given, left out, and named as unknown.
    #[test]
    fn translates_every_value() {
        let full = DeviceUpdate {
            battery_percent: Some(1),
            charging: Some(true),
            battery_milliwatts: Some(9),
            power_save: Some(false),
            thermal: Some(Thermal::Serious),
            memory_total_bytes: Some(2),
            memory_available_bytes: Some(3),
            memory_process_bytes: Some(4),
            storage_free_bytes: Some(5),
            network: Some(Network::Roaming),
            round_trip_ms: Some(6),
            loss_percent: Some(7),
            performance_cores: Some(8),
            accelerators: Some(vec![Accelerator::Npu]),
            foreground: Some(true),
            unknown: Vec::new(),
        };
        check(
            full.clone(),
            r#"{"battery_percent":1,"charging":true,"battery_milliwatts":9,"power_save":false,"thermal":"serious","memory_total_bytes":2,"memory_available_bytes":3,"memory_process_bytes":4,"storage_free_bytes":5,"network":"roaming","round_trip_ms":6,"loss_percent":7,"performance_cores":8,"accelerators":["npu"],"foreground":true}"#,
        );
        check(DeviceUpdate::default(), "{}");
        check(
            DeviceUpdate {
                unknown: vec![DeviceFact::Network, DeviceFact::BatteryPercent],
                battery_percent: Some(50),
                ..DeviceUpdate::default()
            },
            r#"{"battery_percent":null,"network":null}"#,
        );
    }

    fn check(update: DeviceUpdate, expected: &str) {
        let update = policy::DeviceUpdate::from(update);
        assert_eq!(crate::json(&update), expected);
    }
}
