internal import WhimbrelCore

/// The telemetry of an `Assistant`: tells the app's developer what requests took, never what they said. Nothing is sent before
/// `allow`, and nothing after `withdraw`.
public final class Telemetry: Sendable {
    private let core: WhimbrelCore.Telemetry

    init(_ core: WhimbrelCore.Telemetry) {
        self.core = core
    }

    /// How it stands.
    public func status() async throws -> TelemetryStatus {
        try await translated { try await core.status() }.toPublic()
    }

    /// The user agrees that this is sent to where the app's policy says. Only what happens from now on is sent. Fails with
    /// `noTelemetry` if the policy has no section `telemetry`.
    public func allow(_ signals: TelemetrySignals) async throws {
        let signals = signals.toCore()
        try await translated { try await core.allow(signals: signals) }
    }

    /// The user withdraws the consent. Afterwards nothing is sent any more, and what waited is forgotten.
    public func withdraw() async throws {
        try await translated { try await core.withdraw() }
    }

    /// Connection settings of the collector that are not part of the policy.
    public func setCollector(_ extras: EndpointExtras) throws {
        let extras = try extras.toCore()
        try translated { try core.setCollector(extras: extras) }
    }

    /// Keeps the collector's key in the vault; `nil` forgets it.
    public func setKey(_ key: String?) async throws {
        try await translated { try await core.setKey(key: key) }
    }

    /// Names of models and tasks that may be sent as they are. All others are sent as `other`. They are not kept: an app gives them when
    /// it has opened its assistant, before anything runs.
    public func setNames(models: Set<String> = [], tasks: Set<String> = []) {
        core.setNames(models: Array(models), tasks: Array(tasks))
    }

    /// Sends what is due. While the assistant lives this happens by itself. Call it when the system gives the app time in the
    /// background, and with `within` when the app goes to the background: for so long it may still run.
    @discardableResult
    public func run(within: Duration? = nil) async throws -> TelemetryRun {
        let within: UInt64? = try within.map { try coreMilliseconds($0, "within") }
        return try await translated { try await core.run(withinMs: within) }.toPublic()
    }
}
