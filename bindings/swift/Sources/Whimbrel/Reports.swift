// scripts/bindings-values.py writes this from bindings/ffi/src/report.rs: change that, then run  make bindings.

/// How a request went. The report contains no text of the user.
public struct Report: Sendable, Equatable {
    /// The receipt's number in the ledger. Absent without a policy.
    public var receipt: Int?
    /// Whether the receipt records how the request ended. It is false if, for example, the disk was full; the ledger
    /// then closes the receipt as interrupted when it is next opened.
    public var isRecorded: Bool
    /// Whether question and answer are on the disk. Absent for a conversation that is not kept.
    public var isKept: Bool?
    /// The number of the queued question, if it waits in the outbox. It is on the disk then.
    public var queued: Int?
    /// Present if an answer that was remembered was given again: no place was asked.
    public var answeredBefore: AnsweredBefore?
    /// The tools that were called, in order.
    public var calls: [CallReport]
    /// How the request ended.
    public var outcome: Outcome
    /// Why there is no answer, as one of the codes in `docs/ledger.md`: `deadline`, `unavailable`, `content_filter` and
    /// so on.
    public var code: String?
    /// Whether part of an answer was shown and remains, although the request was not answered.
    public var isPartial: Bool
    /// Why the answer is complete.
    public var finish: FinishReason?
    /// Where the answer came from, or which place was tried last.
    public var place: Place?
    /// In which form the text left the device, if it did.
    public var release: Release?
    /// Why it ran there, in words.
    public var reasons: [String]
    /// The ids of the rules that affected the decision.
    public var rules: [String]
    /// The names of the places that were tried, in order.
    public var attempts: [String]
    /// Places that were listed but not tried.
    public var refused: [Refused]
    /// Bytes that left the device.
    public var bytesOut: Int
    /// Bytes that were received.
    public var bytesIn: Int
    /// Findings that were replaced in text that left.
    public var redacted: Int
    /// Prompt tokens.
    public var tokensIn: Int
    /// Answer tokens.
    public var tokensOut: Int
    /// Bytes of the model's thinking in the last attempt, which is not part of the answer.
    public var thinkingBytes: Int
    /// Time from the request to the first text that was not discarded.
    public var timeToFirstToken: Duration?
    /// Time from the request to its end.
    public var total: Duration
    /// Estimated energy used on this device in millijoules, if there is an estimate.
    public var millijoules: Int?
    /// Statistics of Whimbrel's own engine, if it made the answer.
    public var statistics: Statistics?
    /// The names of options that were given but that the place ignored.
    public var unsupported: [String]
    /// Whether the answer looks weak and the question may be asked again elsewhere with `escalate`.
    public var canEscalate: Bool
    /// A one-line summary for people: where it ran and why.
    public var summary: String
    /// The complete report in JSON, with each attempt and the device's state at the decision.
    public var json: String

    /// Takes every value; those with a default can be left out.
    public init(
        receipt: Int?,
        isRecorded: Bool,
        isKept: Bool?,
        queued: Int?,
        answeredBefore: AnsweredBefore?,
        calls: [CallReport],
        outcome: Outcome,
        code: String?,
        isPartial: Bool,
        finish: FinishReason?,
        place: Place?,
        release: Release?,
        reasons: [String],
        rules: [String],
        attempts: [String],
        refused: [Refused],
        bytesOut: Int,
        bytesIn: Int,
        redacted: Int,
        tokensIn: Int,
        tokensOut: Int,
        thinkingBytes: Int,
        timeToFirstToken: Duration?,
        total: Duration,
        millijoules: Int?,
        statistics: Statistics?,
        unsupported: [String],
        canEscalate: Bool,
        summary: String,
        json: String
    ) {
        self.receipt = receipt
        self.isRecorded = isRecorded
        self.isKept = isKept
        self.queued = queued
        self.answeredBefore = answeredBefore
        self.calls = calls
        self.outcome = outcome
        self.code = code
        self.isPartial = isPartial
        self.finish = finish
        self.place = place
        self.release = release
        self.reasons = reasons
        self.rules = rules
        self.attempts = attempts
        self.refused = refused
        self.bytesOut = bytesOut
        self.bytesIn = bytesIn
        self.redacted = redacted
        self.tokensIn = tokensIn
        self.tokensOut = tokensOut
        self.thinkingBytes = thinkingBytes
        self.timeToFirstToken = timeToFirstToken
        self.total = total
        self.millijoules = millijoules
        self.statistics = statistics
        self.unsupported = unsupported
        self.canEscalate = canEscalate
        self.summary = summary
        self.json = json
    }
}

/// How a request ended. None of these outcomes is an error.
public enum Outcome: Sendable, Hashable, CaseIterable {
    /// With an answer.
    case answered
    /// The user or the app cancelled it.
    case cancelled
    /// No place gave an answer. The code says why: `deadline` if the deadline passed, `unavailable` if no allowed place
    /// can answer now.
    case failed
    /// The policy denies it.
    case denied
    /// It was deferred.
    case deferred
    /// The process ended before the request did. This occurs only in receipts.
    case interrupted
}

/// Why an answer is complete.
public enum FinishReason: Sendable, Hashable, CaseIterable {
    /// The model ended it, or a stop string occurred.
    case stop
    /// It reached its token limit, or the end of the context.
    case length
    /// It said the same over and over and was ended.
    case repetition
    /// A filter at the place withheld the rest.
    case contentFilter
    /// The model called a tool.
    case toolCalls
    /// The user or the app stopped it.
    case cancelled
    /// The place did not say.
    case unstated
}

/// A place where a request ran, or could run.
public enum Place: Sendable, Equatable {
    /// A model of Whimbrel's own engine.
    case onDevice(model: String, variant: String, hash: String)
    /// The system's model, which the app provides.
    case systemModel(adapter: String)
    /// An endpoint of the policy.
    case remote(endpoint: String, trust: TrustClass, model: String)
}

/// Kinds of places, for selecting receipts.
public enum PlaceKind: Sendable, Hashable, CaseIterable {
    /// Whimbrel's own engine.
    case onDevice
    /// The system's model.
    case systemModel
    /// Another device of the user.
    case ownDevice
    /// A machine of the organisation.
    case organisation
    /// A public cloud.
    case publicCloud
}

/// Who operates an endpoint.
public enum TrustClass: Sendable, Hashable, CaseIterable {
    /// Another device of the user, nearby.
    case ownDevice
    /// The user's organisation.
    case organisation
    /// Anyone else.
    case publicCloud
}

/// In which form a text leaves the device.
public enum Release: Sendable, Hashable, CaseIterable {
    /// As it is.
    case asIs
    /// With every finding replaced with a placeholder.
    case redacted
}

/// A place that was listed but not tried.
public struct Refused: Sendable, Equatable {
    /// Its name, such as `remote:` followed by the endpoint's id.
    public var name: String
    /// Why, in words.
    public var reason: String

    /// Takes every value; those with a default can be left out.
    public init(
        name: String,
        reason: String
    ) {
        self.name = name
        self.reason = reason
    }
}

/// Token counts and rates of an answer from Whimbrel's own engine.
public struct Statistics: Sendable, Equatable {
    /// Tokens of the whole prompt, template and history included.
    public var promptTokens: Int
    /// Prompt tokens that were taken from the cache and not computed again.
    public var reusedTokens: Int
    /// Tokens of the answer.
    public var completionTokens: Int
    /// Tokens that were guessed and checked in speculative decoding.
    public var draftedTokens: Int
    /// Guessed tokens that were right.
    public var acceptedTokens: Int
    /// Tokens that the form of the answer left no choice about; they were not decoded one by one.
    public var forcedTokens: Int
    /// Oldest messages that were left out because the context was full.
    public var droppedMessages: Int
    /// Time from the start of the answer to its first token; 0 if there was none.
    public var timeToFirstToken: Duration
    /// Time from the start of the answer to its end.
    public var total: Duration
    /// Prompt tokens per second of computing time.
    public var prefillTokensPerSecond: Double
    /// Answer tokens per second of computing time.
    public var decodeTokensPerSecond: Double

    /// Takes every value; those with a default can be left out.
    public init(
        promptTokens: Int,
        reusedTokens: Int,
        completionTokens: Int,
        draftedTokens: Int,
        acceptedTokens: Int,
        forcedTokens: Int,
        droppedMessages: Int,
        timeToFirstToken: Duration,
        total: Duration,
        prefillTokensPerSecond: Double,
        decodeTokensPerSecond: Double
    ) {
        self.promptTokens = promptTokens
        self.reusedTokens = reusedTokens
        self.completionTokens = completionTokens
        self.draftedTokens = draftedTokens
        self.acceptedTokens = acceptedTokens
        self.forcedTokens = forcedTokens
        self.droppedMessages = droppedMessages
        self.timeToFirstToken = timeToFirstToken
        self.total = total
        self.prefillTokensPerSecond = prefillTokensPerSecond
        self.decodeTokensPerSecond = decodeTokensPerSecond
    }
}

/// What would be decided about a question.
public enum Decision: Sendable, Hashable, CaseIterable {
    /// At least one place may be tried.
    case run
    /// No place can be tried now, but the request may wait.
    case `defer`
    /// The policy denies every place that it lists.
    case denied
    /// Some places are allowed, but none can answer now.
    case unavailable
}

/// Where an answer that was given again comes from.
public struct AnsweredBefore: Sendable, Equatable {
    /// The receipt of the request that it answered first. The ledger may have it no longer.
    public var receipt: Int
    /// How long ago that was.
    public var age: Duration

    /// Takes every value; those with a default can be left out.
    public init(
        receipt: Int,
        age: Duration
    ) {
        self.receipt = receipt
        self.age = age
    }
}

/// A decision and how it was made.
public struct Explanation: Sendable, Equatable {
    /// The decision.
    public var decision: Decision
    /// The names of the places that would be tried, in order.
    public var candidates: [String]
    /// Places that were listed but would not be tried.
    public var refused: [Refused]
    /// The ids of the rules that affect the decision.
    public var rules: [String]
    /// The complete explanation for people.
    public var text: String
    /// The complete explanation in JSON.
    public var json: String

    /// Takes every value; those with a default can be left out.
    public init(
        decision: Decision,
        candidates: [String],
        refused: [Refused],
        rules: [String],
        text: String,
        json: String
    ) {
        self.decision = decision
        self.candidates = candidates
        self.refused = refused
        self.rules = rules
        self.text = text
        self.json = json
    }
}
