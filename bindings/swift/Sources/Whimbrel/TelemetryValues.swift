// scripts/bindings-values.py writes this from bindings/ffi/src/telemetry.rs: change that, then run  make bindings.

/// What a user can agree to.
public struct TelemetrySignals: Sendable, Equatable {
    /// Sums and histograms of what requests took.
    public var metrics: Bool
    /// How single requests went: times and places, never text.
    public var traces: Bool

    /// Takes every value; those with a default can be left out.
    public init(
        metrics: Bool,
        traces: Bool
    ) {
        self.metrics = metrics
        self.traces = traces
    }
}

/// Where the app's policy lets telemetry go. Show it to the user before asking for consent.
public struct TelemetryTarget: Sendable, Equatable {
    /// The address of the collector.
    public var url: String
    /// The name under which the app reports.
    public var service: String
    /// Who operates the collector.
    public var trust: TrustClass
    /// What the policies let the app ask for.
    public var signals: TelemetrySignals
    /// How many bytes may leave in a day at most.
    public var bytesADay: Int
    /// How many connections may be made in a day at most.
    public var connectionsADay: Int
    /// Whether a metered network may be used.
    public var isMeteredAllowed: Bool

    /// Takes every value; those with a default can be left out.
    public init(
        url: String,
        service: String,
        trust: TrustClass,
        signals: TelemetrySignals,
        bytesADay: Int,
        connectionsADay: Int,
        isMeteredAllowed: Bool
    ) {
        self.url = url
        self.service = service
        self.trust = trust
        self.signals = signals
        self.bytesADay = bytesADay
        self.connectionsADay = connectionsADay
        self.isMeteredAllowed = isMeteredAllowed
    }
}

/// What the user has agreed to.
public struct TelemetryConsent: Sendable, Equatable {
    /// The address for which the consent was given. For another one it does not count.
    public var url: String
    /// The name of the app's service for which it was given.
    public var service: String
    /// What may be sent.
    public var signals: TelemetrySignals
    /// When it was given, in milliseconds since 1970.
    public var givenMs: Int

    /// Takes every value; those with a default can be left out.
    public init(
        url: String,
        service: String,
        signals: TelemetrySignals,
        givenMs: Int
    ) {
        self.url = url
        self.service = service
        self.signals = signals
        self.givenMs = givenMs
    }
}

/// How telemetry stands.
public struct TelemetryStatus: Sendable, Equatable {
    /// Where telemetry may go. Absent if the app's policy has no section for it.
    public var target: TelemetryTarget?
    /// What the user has agreed to. Absent if to nothing.
    public var consent: TelemetryConsent?
    /// What may be sent now: what the policies and the consent have in common.
    public var signals: TelemetrySignals
    /// Bytes that left today.
    public var bytesToday: Int
    /// Connections that were made today.
    public var connectionsToday: Int
    /// Requests about which something waits to be sent.
    public var waiting: Int
    /// Requests about which nothing will be sent, because they are too old or too many.
    public var dropped: Int
    /// Items that the collector has left out.
    public var rejected: Int
    /// All of it in JSON.
    public var json: String

    /// Takes every value; those with a default can be left out.
    public init(
        target: TelemetryTarget?,
        consent: TelemetryConsent?,
        signals: TelemetrySignals,
        bytesToday: Int,
        connectionsToday: Int,
        waiting: Int,
        dropped: Int,
        rejected: Int,
        json: String
    ) {
        self.target = target
        self.consent = consent
        self.signals = signals
        self.bytesToday = bytesToday
        self.connectionsToday = connectionsToday
        self.waiting = waiting
        self.dropped = dropped
        self.rejected = rejected
        self.json = json
    }
}

/// What a run has sent.
public struct TelemetryRun: Sendable, Equatable {
    /// Bytes that left the device.
    public var bytesOut: Int
    /// Whether the collector took sums.
    public var metrics: Bool
    /// About how many requests the collector took something.
    public var requests: Int
    /// Items that the collector has left out.
    public var rejected: Int
    /// Why nothing was sent, as a code: `not_configured`, `no_consent`, `nothing_new`, `refused`, `no_network`,
    /// `metered`, `backoff`, `budget_connections`, `budget_bytes`, `interval`, `deadline`. Absent if something was sent
    /// or tried.
    public var because: String?
    /// When it is time for the next run, in milliseconds since 1970.
    public var nextMs: Int?

    /// Takes every value; those with a default can be left out.
    public init(
        bytesOut: Int,
        metrics: Bool,
        requests: Int,
        rejected: Int,
        because: String?,
        nextMs: Int?
    ) {
        self.bytesOut = bytesOut
        self.metrics = metrics
        self.requests = requests
        self.rejected = rejected
        self.because = because
        self.nextMs = nextMs
    }
}
