// scripts/bindings-values.py writes this from bindings/ffi/src/report.rs: change that, then run  make bindings.

/// How a request went. It says what a person would ask for, and holds no text of theirs.
public struct Report: Sendable, Equatable {
    /// The receipt's number in the ledger; nothing where no rules decide.
    public var receipt: Int?
    /// Whether the receipt says how it ended; not when the disk was full. The next opening of the ledger then closes it
    /// as interrupted.
    public var isRecorded: Bool
    /// How it ended.
    public var outcome: Outcome
    /// Why there is no answer, as a word that `docs/ledger.md` lists: `deadline`, `unavailable`, `content_filter` and
    /// so on.
    public var code: String?
    /// Whether a part of an answer was shown and stays, though the outcome is not an answer.
    public var isPartial: Bool
    /// Why the answer is complete.
    public var finish: FinishReason?
    /// Where the answer came from, or what was tried last.
    public var place: Place?
    /// In which form the text left the device, if it did.
    public var release: Release?
    /// Why it ran there, in words.
    public var reasons: [String]
    /// The ids of the rules that had a say.
    public var rules: [String]
    /// The names of what was tried, in order.
    public var attempts: [String]
    /// What was listed and not tried.
    public var refused: [Refused]
    /// Bytes that left the device.
    public var bytesOut: Int
    /// Bytes that came back.
    public var bytesIn: Int
    /// Findings that were replaced in text that left.
    public var redacted: Int
    /// Tokens that were read for the answer.
    public var tokensIn: Int
    /// Tokens of the answer.
    public var tokensOut: Int
    /// Bytes of what the model thought in the last attempt, which are no part of the answer.
    public var thinkingBytes: Int
    /// From the request to the first text that stayed.
    public var timeToFirstToken: Duration?
    /// From the request to its end.
    public var total: Duration
    /// Thousandths of a joule that it took on this device, if there is an estimate.
    public var millijoules: Int?
    /// The engine's figures, when Whimbrel's own engine answered.
    public var statistics: Statistics?
    /// The names of options that were given and that the place could not honour.
    public var unsupported: [String]
    /// Whether the answer looks weak and may be asked for elsewhere: see `escalate`.
    public var canEscalate: Bool
    /// One line for a person: where it ran and why.
    public var summary: String
    /// All of it, with each attempt and the device as it was seen, in JSON.
    public var json: String

    /// Takes every value; those with a default can be left out.
    public init(
        receipt: Int?,
        isRecorded: Bool,
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

/// How a request ended. None of these is an error.
public enum Outcome: Sendable, Hashable, CaseIterable {
    /// With an answer.
    case answered
    /// The user or the app stopped it.
    case cancelled
    /// Nothing gave an answer. The code says why: `deadline` when its time was up, `unavailable` when nothing that the
    /// rules allow can answer now.
    case failed
    /// The rules deny it.
    case denied
    /// It was put off to a better time.
    case deferred
    /// The process ended before the request did. Only in receipts.
    case interrupted
}

/// Why an answer is complete.
public enum FinishReason: Sendable, Hashable, CaseIterable {
    /// The model ended it, or a stop text appeared.
    case stop
    /// It reached its limit of tokens, or the end of the context.
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

/// Where a request ran, or was to run.
public enum Place: Sendable, Equatable {
    /// A model of Whimbrel's own engine.
    case onDevice(model: String, variant: String, hash: String)
    /// The system's model, which the app reaches.
    case systemModel(adapter: String)
    /// An endpoint of the policy.
    case remote(endpoint: String, trust: TrustClass, model: String)
}

/// Kinds of places, to choose receipts by.
public enum PlaceKind: Sendable, Hashable, CaseIterable {
    /// Whimbrel's own engine.
    case onDevice
    /// The system's model.
    case systemModel
    /// Another device of the same person.
    case ownDevice
    /// A machine of the organisation.
    case organisation
    /// A public cloud.
    case publicCloud
}

/// Whose machine an endpoint is.
public enum TrustClass: Sendable, Hashable, CaseIterable {
    /// Another device of the same person, nearby.
    case ownDevice
    /// A machine of the person's organisation.
    case organisation
    /// Anybody else's.
    case publicCloud
}

/// In which form a text leaves the device.
public enum Release: Sendable, Hashable, CaseIterable {
    /// As it is.
    case asIs
    /// With every finding replaced by a placeholder.
    case redacted
}

/// Something that was listed and not tried.
public struct Refused: Sendable, Equatable {
    /// Its name: `remote:` and the endpoint's id, for example.
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

/// Counts and rates of an answer of Whimbrel's own engine.
public struct Statistics: Sendable, Equatable {
    /// Tokens of the whole prompt, template and history included.
    public var promptTokens: Int
    /// How many of them were still known from before and not computed again.
    public var reusedTokens: Int
    /// Tokens of the answer.
    public var completionTokens: Int
    /// Tokens that were guessed and checked.
    public var draftedTokens: Int
    /// How many of them were right.
    public var acceptedTokens: Int
    /// Oldest messages left out because the context was full.
    public var droppedMessages: Int
    /// From the start of the answer to its first token; 0 when there was none.
    public var timeToFirstToken: Duration
    /// From the start of the answer to its end.
    public var total: Duration
    /// Prompt tokens a second of computing.
    public var prefillTokensPerSecond: Double
    /// Answer tokens a second of computing.
    public var decodeTokensPerSecond: Double

    /// Takes every value; those with a default can be left out.
    public init(
        promptTokens: Int,
        reusedTokens: Int,
        completionTokens: Int,
        draftedTokens: Int,
        acceptedTokens: Int,
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
        self.droppedMessages = droppedMessages
        self.timeToFirstToken = timeToFirstToken
        self.total = total
        self.prefillTokensPerSecond = prefillTokensPerSecond
        self.decodeTokensPerSecond = decodeTokensPerSecond
    }
}

/// What would be decided about a question.
public enum Decision: Sendable, Hashable, CaseIterable {
    /// Something may be tried.
    case run
    /// Nothing can be tried now, and the request may wait.
    case `defer`
    /// The rules deny everything that was listed.
    case denied
    /// Something is allowed, but nothing can answer now.
    case unavailable
}

/// A decision with everything that led to it.
public struct Explanation: Sendable, Equatable {
    /// The decision.
    public var decision: Decision
    /// The names of what would be tried, in order.
    public var candidates: [String]
    /// What was listed and would not be tried.
    public var refused: [Refused]
    /// The ids of the rules that have a say.
    public var rules: [String]
    /// All of it for a person.
    public var text: String
    /// All of it in JSON.
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
