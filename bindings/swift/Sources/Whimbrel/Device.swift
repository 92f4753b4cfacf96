// scripts/bindings-values.py writes this from bindings/ffi/src/device.rs: change that, then run  make bindings.

/// How hot the device is, in the four steps of iOS. Android's seven map onto them: none and light are `.nominal`,
/// moderate is `.fair`, severe is `.serious`, the rest is `.critical`.
public enum Thermal: Sendable, Hashable, CaseIterable {
    /// No limits.
    case nominal
    /// Warm; work that can wait should.
    case fair
    /// Hot; the system slows the processor down.
    case serious
    /// Too hot; the system stops what it can.
    case critical
}

/// The network that a request would use.
public enum Network: Sendable, Hashable, CaseIterable {
    /// There is none.
    case offline
    /// Bytes cost money or are few.
    case metered
    /// Bytes are free.
    case unmetered
    /// Metered, in a foreign network.
    case roaming
}

/// Hardware beside the processor that runs models.
public enum Accelerator: Sendable, Hashable, CaseIterable {
    /// A graphics processor.
    case gpu
    /// A neural processor.
    case npu
    /// A signal processor.
    case dsp
}

/// The values of a `DeviceUpdate`, to name those that are no longer known.
public enum DeviceFact: Sendable, Hashable, CaseIterable {
    /// `batteryPercent`
    case batteryPercent
    /// `charging`
    case charging
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

/// What the app knows about the device now: as many values as it has. Most readings count for two minutes, so they are
/// best sent again with each question; the totals (memory, cores, accelerators) stay.
public struct DeviceUpdate: Sendable, Equatable {
    /// Charge of the battery in percent, 0 to 100; more counts as unknown.
    public var batteryPercent: Int?
    /// Whether it is being charged.
    public var charging: Bool?
    /// Whether the user or the system asked for saving power.
    public var powerSave: Bool?
    /// How hot the device is.
    public var thermal: Thermal?
    /// Memory of the device in bytes.
    public var memoryTotalBytes: Int?
    /// Memory that can be had without pushing others out, in bytes.
    public var memoryAvailableBytes: Int?
    /// What the system still gives to this process, in bytes.
    public var memoryProcessBytes: Int?
    /// Free storage in bytes.
    public var storageFreeBytes: Int?
    /// The network.
    public var network: Network?
    /// Measured time of a round trip.
    public var roundTrip: Duration?
    /// Measured loss of packets or failed requests in percent, 0 to 100; more counts as unknown.
    public var lossPercent: Int?
    /// Processor cores that are made for speed.
    public var performanceCores: Int?
    /// Hardware beside the processor that runs models.
    public var accelerators: [Accelerator]?
    /// Whether the app is in the foreground.
    public var foreground: Bool?
    /// What is no longer known. A value that is given besides is not taken.
    public var unknown: [DeviceFact]

    /// Takes every value; those with a default can be left out.
    public init(
        batteryPercent: Int? = nil,
        charging: Bool? = nil,
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
