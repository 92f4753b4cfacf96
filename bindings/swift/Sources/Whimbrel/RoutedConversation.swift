import WhimbrelCore

/// How an assistant is asked.
public struct AskOptions: Sendable, Equatable {
    /// The app's name for what it is doing, which rules and learning look at.
    public var task: String
    /// What the app knows about the text; what is found in it can only raise it.
    public var privacyClass: PrivacyClass
    /// Milliseconds for the whole answer; without it the policy says.
    public var deadlineMs: UInt64?
    /// What the answer needs beyond text.
    public var needs: [Need]
    /// How the answer is made.
    public var generation: GenerationOptions

    public init(
        task: String = "chat",
        privacyClass: PrivacyClass = .public,
        deadlineMs: UInt64? = nil,
        needs: [Need] = [],
        generation: GenerationOptions = GenerationOptions()
    ) {
        self.task = task
        self.privacyClass = privacyClass
        self.deadlineMs = deadlineMs
        self.needs = needs
        self.generation = generation
    }

    func toCore() throws(WhimbrelError) -> WhimbrelCore.AskOptions {
        WhimbrelCore.AskOptions(
            task: task,
            privacyClass: privacyClass,
            deadlineMs: deadlineMs,
            needs: needs,
            generation: try generation.toCore()
        )
    }
}

/// A conversation with an assistant, which may be answered in several places. It answers one question at a time.
public final class RoutedConversation: Sendable {
    private let core: WhimbrelCore.RoutedConversation

    init(_ core: WhimbrelCore.RoutedConversation) { self.core = core }

    /// Asks a question, as soon as the stream is read. Cancelling the task that reads it, or letting go of the stream, cancels
    /// the answer. Where it is answered, and whether at all, the last event says: a request that was denied, put off or failed
    /// everywhere is no error.
    ///
    /// The stream fails with `busy` while an earlier answer is in the making, and with `ledger` when no receipt can be
    /// written: nothing was asked then.
    public func ask(
        _ question: String,
        options: AskOptions = AskOptions()
    ) -> AsyncThrowingStream<AssistantEvent, any Error> {
        answerStream { [core] in try core.ask(question: question, options: options.toCore()) }
    }

    /// Takes the last answer back and asks its question again, when the stream is read. That counts as a sign that the answer
    /// was not liked. The stream fails with `nothingToRepeat` when there is none.
    public func regenerate(
        _ generation: GenerationOptions = GenerationOptions()
    ) -> AsyncThrowingStream<AssistantEvent, any Error> {
        answerStream { [core] in try core.regenerate(generation: generation.toCore()) }
    }

    /// Takes the last answer back and asks its question elsewhere, as far as the rules allow it now: see
    /// `Report.canEscalate`.
    public func escalate() -> AsyncThrowingStream<AssistantEvent, any Error> {
        answerStream { [core] in try core.escalate() }
    }

    /// What would be decided about a question now. Nothing is asked, and no receipt is written.
    public func explain(
        _ question: String,
        options: AskOptions = AskOptions()
    ) async throws(WhimbrelError) -> Explanation {
        let options = try options.toCore()
        return try await translated { try await core.explain(question: question, options: options) }
    }

    /// The messages so far, without the system message.
    public func messages() throws(WhimbrelError) -> [Message] {
        try translated { try core.messages() }.map(Message.init)
    }

    /// Replaces the messages: an earlier conversation goes on.
    public func setMessages(_ messages: [Message]) throws(WhimbrelError) {
        try translated { try core.setMessages(messages: messages.map { $0.toCore() }) }
    }

    /// Cancels the answer in the making and closes the conversation. Returns at once; safe to call again.
    public func close() { core.release() }
}
