// scripts/bindings-values.py writes this from bindings/ffi/src/system_model.rs: change that, then run  make bindings.

/// Whether the system's model can be asked now.
public enum Availability: Sendable, Hashable, CaseIterable {
    /// Yes.
    case available
    /// Another app uses it, or its quota is used up for now.
    case busy
    /// The system is still fetching it.
    case downloading
    /// This device has none, or the user switched it off.
    case unavailable
}

/// What a system model can do now.
public struct SystemCapabilities: Sendable, Equatable {
    /// Its name, in receipts and rules: `gemini-nano`.
    public var model: String
    /// Whether it can be asked now.
    public var availability: Availability
    /// What it can do beyond text.
    public var supports: [Need]
    /// Prompt and answer tokens that fit.
    public var contextTokens: Int?
    /// Expected time to the first token.
    public var timeToFirstToken: Duration?
    /// Expected tokens a second.
    public var tokensPerSecond: Float?

    /// Takes every value; those with a default can be left out.
    public init(
        model: String,
        availability: Availability,
        supports: [Need] = [],
        contextTokens: Int? = nil,
        timeToFirstToken: Duration? = nil,
        tokensPerSecond: Float? = nil
    ) {
        self.model = model
        self.availability = availability
        self.supports = supports
        self.contextTokens = contextTokens
        self.timeToFirstToken = timeToFirstToken
        self.tokensPerSecond = tokensPerSecond
    }
}

/// Why a system model gives no answer.
public enum SystemFailure: Sendable, Hashable, CaseIterable {
    /// It is in use by another app.
    case busy
    /// Its quota is used up for now.
    case quotaExceeded
    /// It declined to answer this.
    case declined
    /// It got no memory.
    case outOfMemory
    /// It is not there, or not yet.
    case unavailable
    /// Anything else.
    case failed
}
