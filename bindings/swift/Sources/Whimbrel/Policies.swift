// scripts/bindings-values.py writes this from bindings/ffi/src/policy.rs: change that, then run  make bindings.

/// A policy that comes with the core.
public enum Preset: Sendable, Hashable, CaseIterable {
    /// Nothing ever leaves the device.
    case `private`
    /// On the device whenever it can be done there, and elsewhere only when it cannot.
    case onDeviceFirst
    /// Wherever the answers were best so far, as long as nothing in the text is recognised as private.
    case balanced
    /// The endpoints first, with what is recognised as private replaced.
    case qualityFirst
}

/// A document with rules.
public enum PolicyDocument: Sendable, Equatable {
    /// As TOML.
    case toml(text: String)
    /// As JSON.
    case json(text: String)
    /// One that comes with the core, with the app's endpoints.
    case preset(preset: Preset, endpoints: String = "")
}

/// Public keys of which one must be in a server's chain of certificates.
public struct Pins: Sendable, Equatable {
    /// SHA-256 of a certificate's public key information, each as 64 hexadecimal digits; at least two.
    public var sha256: [String]
    /// From this second after 1970 on the pins are no longer looked at: an app that nobody updates must not lock itself
    /// out.
    public var expiresUnixSeconds: Int
    /// Only log what would be refused, and let it through.
    public var isReportOnly: Bool

    /// Takes every value; those with a default can be left out.
    public init(
        sha256: [String],
        expiresUnixSeconds: Int,
        isReportOnly: Bool = false
    ) {
        self.sha256 = sha256
        self.expiresUnixSeconds = expiresUnixSeconds
        self.isReportOnly = isReportOnly
    }
}

/// Time limits of one request to an endpoint.
public struct Timeouts: Sendable, Equatable {
    /// Until a connection stands.
    public var connect: Duration
    /// From then until the first byte of the answer.
    public var firstByte: Duration
    /// Between two parts of the answer.
    public var idle: Duration
    /// All of it.
    public var total: Duration

    /// Takes every value; those with a default can be left out.
    public init(
        connect: Duration = .milliseconds(10000),
        firstByte: Duration = .milliseconds(60000),
        idle: Duration = .milliseconds(30000),
        total: Duration = .milliseconds(300000)
    ) {
        self.connect = connect
        self.firstByte = firstByte
        self.idle = idle
        self.total = total
    }
}

/// Where an endpoint wants the limit of tokens.
public enum TokenLimitField: Sendable, Hashable, CaseIterable {
    /// `max_tokens`, which nearly every server knows.
    case maxTokens
    /// `max_completion_tokens`, which newer models of OpenAI ask for.
    case maxCompletionTokens
}

/// What the app knows about an endpoint besides what stands in the policy.
public struct EndpointExtras: Sendable, Equatable {
    /// Certificate authorities to trust as well, in PEM.
    public var authoritiesPem: String
    /// Public keys to insist on.
    public var pins: Pins?
    /// Time limits.
    public var timeouts: Timeouts?
    /// The header that takes the key alone, such as `api-key`; without it the key goes as a bearer token.
    public var keyHeader: String?
    /// Where the limit of tokens goes.
    public var tokenLimitField: TokenLimitField

    /// Takes every value; those with a default can be left out.
    public init(
        authoritiesPem: String = "",
        pins: Pins? = nil,
        timeouts: Timeouts? = nil,
        keyHeader: String? = nil,
        tokenLimitField: TokenLimitField = .maxTokens
    ) {
        self.authoritiesPem = authoritiesPem
        self.pins = pins
        self.timeouts = timeouts
        self.keyHeader = keyHeader
        self.tokenLimitField = tokenLimitField
    }
}

/// Whether feedback is learned from and used.
public enum LearningMode: Sendable, Hashable, CaseIterable {
    /// It is learned from, and what is uncertain is tried now and then.
    case on
    /// Nothing more is learned; what was learned is used.
    case frozen
    /// Nothing is learned or used. What was learned is kept.
    case off
}

/// A sign of how good an answer was.
public enum Signal: Sendable, Equatable {
    /// The user liked it.
    case thumbsUp
    /// The user did not like it.
    case thumbsDown
    /// The user asked for another one.
    case regenerated
    /// The user stopped it.
    case aborted
    /// The user kept it, perhaps with changes.
    case kept(editedPermille: Int)
    /// It did not have the form that was asked for.
    case schemaFailed
    /// The user took up the offer to ask elsewhere. `Conversation.escalate` says so by itself.
    case escalationAccepted
}
