// scripts/bindings-values.py writes this from bindings/ffi/src/system_model.rs: change that, then run  make bindings.

/// Whether the system's model is available now.
public enum Availability: Sendable, Hashable, CaseIterable {
    /// Yes.
    case available
    /// Another app is using it, or its quota is used up for now.
    case busy
    /// The system is still downloading it.
    case downloading
    /// This device has no system model, or the user switched it off.
    case unavailable
}

/// The current capabilities of a system model.
public struct SystemCapabilities: Sendable, Equatable {
    /// Its name in receipts and rules, such as `gemini-nano`.
    public var model: String
    /// Whether it is available now.
    public var availability: Availability
    /// The features it supports beyond text.
    public var supports: [Need]
    /// Size of its context in tokens, prompt and answer together.
    public var contextTokens: Int?
    /// Expected time to the first token.
    public var timeToFirstToken: Duration?
    /// Expected tokens per second.
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

/// Why a system model gave no answer.
public enum SystemFailure: Sendable, Hashable, CaseIterable {
    /// Another app is using it.
    case busy
    /// Its quota is used up for now.
    case quotaExceeded
    /// It declined to answer.
    case declined
    /// It ran out of memory.
    case outOfMemory
    /// It is not available, or not yet.
    case unavailable
    /// Any other reason.
    case failed
}
