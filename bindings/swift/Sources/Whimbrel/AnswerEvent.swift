import WhimbrelCore

/// What an answer brings: progress, then text, then the figures.
public enum AnswerEvent: Sendable, Equatable {
    /// A part of the prompt was read: `done` of `total` tokens. A short prompt is read in one go, without this event.
    case prefilled(done: Int, total: Int)
    /// The next piece of text, never empty and never half a character.
    case text(String)
    /// The answer is complete; nothing follows.
    case finished(Statistics)
}

/// Why an answer ended.
public enum FinishReason: Sendable, Equatable {
    /// The model ended its turn, or a stop text appeared.
    case stop
    /// The limit on tokens or the end of the context was reached.
    case length
    /// The answer was cancelled, by closing what it belongs to.
    case cancelled
}

/// Counts and rates of one answer.
public struct Statistics: Sendable, Equatable {
    /// Why it ended.
    public let finishReason: FinishReason
    /// Tokens of the whole prompt, template and history included.
    public let promptTokens: Int
    /// How many of them were still known from before and not computed again.
    public let reusedTokens: Int
    /// Tokens of the answer.
    public let completionTokens: Int
    /// Tokens that were guessed and checked.
    public let draftedTokens: Int
    /// How many of them were right.
    public let acceptedTokens: Int
    /// Oldest messages left out because the context was full.
    public let droppedMessages: Int
    /// From the start of the answer to its first token; zero when there was none.
    public let timeToFirstToken: Duration
    /// From the start of the answer to its end.
    public let total: Duration
    /// Prompt tokens a second of computing.
    public let prefillTokensPerSecond: Double
    /// Answer tokens a second of computing.
    public let decodeTokensPerSecond: Double
}

extension AnswerEvent {
    init(_ core: WhimbrelCore.AnswerEvent) {
        switch core {
        case .prefilled(let done, let total): self = .prefilled(done: Int(done), total: Int(total))
        case .text(let text): self = .text(text)
        case .finished(let statistics): self = .finished(Statistics(statistics))
        }
    }
}

extension FinishReason {
    init(_ core: WhimbrelCore.FinishReason) {
        switch core {
        case .stop: self = .stop
        case .length: self = .length
        case .cancelled: self = .cancelled
        }
    }
}

extension Statistics {
    init(_ core: WhimbrelCore.Statistics) {
        finishReason = FinishReason(core.finishReason)
        promptTokens = Int(core.promptTokens)
        reusedTokens = Int(core.reusedTokens)
        completionTokens = Int(core.completionTokens)
        draftedTokens = Int(core.draftedTokens)
        acceptedTokens = Int(core.acceptedTokens)
        droppedMessages = Int(core.droppedMessages)
        timeToFirstToken = .milliseconds(core.timeToFirstTokenMs)
        total = .milliseconds(core.totalMs)
        prefillTokensPerSecond = core.prefillTokensPerSecond
        decodeTokensPerSecond = core.decodeTokensPerSecond
    }
}
