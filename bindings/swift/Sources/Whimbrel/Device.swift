// scripts/bindings-values.py writes this from bindings/ffi/src/device.rs: change that, then run  make bindings.

/// How hot the device is, in the four levels of iOS. Android's seven levels map onto them: none and light are
/// `.nominal`, moderate is `.fair`, severe is `.serious`, and the rest are `.critical`.
public enum Thermal: Sendable, Hashable, CaseIterable {
    /// No restrictions.
    case nominal
    /// Warm: defer work that can wait.
    case fair
    /// Hot: the system throttles the processor.
    case serious
    /// Too hot: the system stops what it can.
    case critical
}

/// The network that a request would use.
public enum Network: Sendable, Hashable, CaseIterable {
    /// No network.
    case offline
    /// Data costs money or is limited.
    case metered
    /// Data is free.
    case unmetered
    /// Metered, on a foreign network.
    case roaming
}

/// Hardware other than the processor that runs models.
public enum Accelerator: Sendable, Hashable, CaseIterable {
    /// A graphics processor.
    case gpu
    /// A neural processor.
    case npu
    /// A signal processor.
    case dsp
}

/// The values of a `DeviceUpdate`, for listing those that are no longer known.
public enum DeviceFact: Sendable, Hashable, CaseIterable {
    /// `batteryPercent`
    case batteryPercent
    /// `charging`
    case charging
    /// `batteryMilliwatts`
    case batteryMilliwatts
    /// `powerSave`
    case powerSave
    /// `thermal`
    case thermal
    /// `memoryTotalBytes`
    case memoryTotalBytes
    /// `memoryAvailableBytes`
    case memoryAvailableBytes
    /// `memoryProcessBytes`
    case memoryProcessBytes
    /// `storageFreeBytes`
    case storageFreeBytes
    /// `network`
    case network
    /// `roundTrip`
    case roundTripMs
    /// `lossPercent`
    case lossPercent
    /// `performanceCores`
    case performanceCores
    /// `accelerators`
    case accelerators
    /// `foreground`
    case foreground
}

/// The current state of the device, with as many values as the app knows. Most readings expire after two minutes, so
/// send them again with each question. The totals (memory, cores, accelerators) do not expire.
public struct DeviceUpdate: Sendable, Equatable {
    /// Battery charge in percent, 0 to 100; a larger value counts as unknown.
    public var batteryPercent: Int?
    /// Whether the battery is charging.
    public var charging: Bool?
    /// The power that the battery gives now, for the whole device, in milliwatts: current times voltage.
    public var batteryMilliwatts: Int?
    /// Whether power saving is on.
    public var powerSave: Bool?
    /// How hot the device is.
    public var thermal: Thermal?
    /// Total memory of the device in bytes.
    public var memoryTotalBytes: Int?
    /// Memory that is available without evicting other apps, in bytes.
    public var memoryAvailableBytes: Int?
    /// Memory that the system still allows this process, in bytes.
    public var memoryProcessBytes: Int?
    /// Free storage in bytes.
    public var storageFreeBytes: Int?
    /// The kind of network.
    public var network: Network?
    /// Measured round-trip time.
    public var roundTrip: Duration?
    /// Measured rate of lost packets or failed requests in percent, 0 to 100; a larger value counts as unknown.
    public var lossPercent: Int?
    /// Number of performance cores.
    public var performanceCores: Int?
    /// Hardware other than the processor that runs models.
    public var accelerators: [Accelerator]?
    /// Whether the app is in the foreground.
    public var foreground: Bool?
    /// Values that are no longer known. If a value is also given, it is ignored.
    public var unknown: [DeviceFact]

    /// Takes every value; those with a default can be left out.
    public init(
        batteryPercent: Int? = nil,
        charging: Bool? = nil,
        batteryMilliwatts: Int? = nil,
        powerSave: Bool? = nil,
        thermal: Thermal? = nil,
        memoryTotalBytes: Int? = nil,
        memoryAvailableBytes: Int? = nil,
        memoryProcessBytes: Int? = nil,
        storageFreeBytes: Int? = nil,
        network: Network? = nil,
        roundTrip: Duration? = nil,
        lossPercent: Int? = nil,
        performanceCores: Int? = nil,
        accelerators: [Accelerator]? = nil,
        foreground: Bool? = nil,
        unknown: [DeviceFact] = []
    ) {
        self.batteryPercent = batteryPercent
        self.charging = charging
        self.batteryMilliwatts = batteryMilliwatts
        self.powerSave = powerSave
        self.thermal = thermal
        self.memoryTotalBytes = memoryTotalBytes
        self.memoryAvailableBytes = memoryAvailableBytes
        self.memoryProcessBytes = memoryProcessBytes
        self.storageFreeBytes = storageFreeBytes
        self.network = network
        self.roundTrip = roundTrip
        self.lossPercent = lossPercent
        self.performanceCores = performanceCores
        self.accelerators = accelerators
        self.foreground = foreground
        self.unknown = unknown
    }
}
