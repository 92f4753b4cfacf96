// scripts/bindings-values.py writes this from bindings/ffi/src/policy.rs: change that, then run  make bindings.

/// A policy that is included in the core.
public enum Preset: Sendable, Hashable, CaseIterable {
    /// Nothing ever leaves the device.
    case `private`
    /// Answers on the device whenever possible, and elsewhere only if it is not.
    case onDeviceFirst
    /// Wherever the answers were best so far, as long as nothing in the text is recognised as private.
    case balanced
    /// The endpoints first, with what is recognised as private replaced.
    case qualityFirst
}

/// A policy document.
public enum PolicyDocument: Sendable, Equatable {
    /// As TOML.
    case toml(text: String)
    /// As JSON.
    case json(text: String)
    /// A preset, with the app's endpoints.
    case preset(preset: Preset, endpoints: String = "")
}

/// Public keys, at least one of which must be in a server's certificate chain.
public struct Pins: Sendable, Equatable {
    /// The SHA-256 hashes of the certificates' public key information, each as 64 hexadecimal digits; at least two.
    public var sha256: [String]
    /// The pins expire at this time, in seconds since 1970, so that an app that is never updated does not lock itself
    /// out.
    public var expiresUnixSeconds: Int
    /// Whether to accept and log connections that the pins would refuse.
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

/// Timeouts of a request to an endpoint.
public struct Timeouts: Sendable, Equatable {
    /// Until the connection is established.
    public var connect: Duration
    /// From then until the first byte of the answer.
    public var firstByte: Duration
    /// Between two parts of the answer.
    public var idle: Duration
    /// For the whole request.
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

/// The request field in which an endpoint expects the token limit.
public enum TokenLimitField: Sendable, Hashable, CaseIterable {
    /// `max_tokens`, which nearly every server supports.
    case maxTokens
    /// `max_completion_tokens`, which newer OpenAI models require.
    case maxCompletionTokens
}

/// Connection settings of an endpoint that are not part of the policy.
public struct EndpointExtras: Sendable, Equatable {
    /// Additional certificate authorities to trust, in PEM.
    public var authoritiesPem: String
    /// Pinned public keys.
    public var pins: Pins?
    /// Timeouts.
    public var timeouts: Timeouts?
    /// The name of the header that carries the key by itself, such as `api-key`. Without it, the key is sent as a
    /// bearer token.
    public var keyHeader: String?
    /// The field for the token limit. The default is `.maxTokens`.
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

/// Whether the assistant learns from feedback and uses what it learned.
public enum LearningMode: Sendable, Hashable, CaseIterable {
    /// Learns from feedback, and now and then tries places whose quality is uncertain.
    case on
    /// Learns nothing more, but uses what was learned.
    case frozen
    /// Neither learns nor uses what was learned, but keeps it.
    case off
}

/// Feedback on an answer.
public enum Signal: Sendable, Equatable {
    /// The user liked it.
    case thumbsUp
    /// The user did not like it.
    case thumbsDown
    /// The user asked for another answer.
    case regenerated
    /// The user stopped the answer.
    case aborted
    /// The user kept the answer, possibly with changes.
    case kept(editedPermille: Int)
    /// The answer did not have the requested format.
    case schemaFailed
    /// The user accepted the offer to ask elsewhere. `Conversation.escalate` records this automatically.
    case escalationAccepted
}
