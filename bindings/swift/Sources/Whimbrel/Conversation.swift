internal import WhimbrelCore

/// A conversation, which answers one question at a time. It is the same whether the rules of an `Assistant` decide
/// where each question is answered, or one `LanguageModel` answers alone.
public final class Conversation: Sendable {
    private let core: WhimbrelCore.Conversation

    init(_ core: WhimbrelCore.Conversation) { self.core = core }

    /// A number that grows with every change of the messages.
    public var revision: Int { Int(clamping: core.revision()) }

    /// The system message that is sent along, if there is one.
    public var system: String? { core.system() }

    /// Asks a question, as soon as the stream is read. Cancelling the task that reads it ends the stream without a
    /// `finished`; this, and letting go of the stream, cancels the answer. What was said until then becomes part of the
    /// conversation. A slow reader loses nothing: the answer waits for it.
    ///
    /// The last event says where the question was answered, and whether at all: a request that the rules denied or put
    /// off, or that failed everywhere, is no error. A question that every place failed to answer stays in the
    /// conversation; the same text asked again takes its place. The stream fails with a `WhimbrelError`: `busy` while another
    /// answer is being read (after a cancelled answer the question waits for its end instead), `contextFull` when the
    /// question does not fit the only model, and `ledger` when no receipt can be written. The conversation is then as
    /// it was.
    public func ask(_ question: String, options: AskOptions = AskOptions()) -> AsyncThrowingStream<Event, any Error> {
        answerStream { [core] in try core.ask(question: question, options: options.toCore()) }
    }

    /// Asks the last question again, when the stream is read. If it was answered, that counts as a sign that the answer
    /// was not liked. The new answer takes the place of the old one; when there is no new answer, the old one stays.
    /// The stream fails with `nothingToRepeat` when nothing was asked.
    public func regenerate(
        _ generation: GenerationOptions = GenerationOptions()
    ) -> AsyncThrowingStream<Event, any Error> {
        answerStream { [core] in try core.regenerate(generation: generation.toCore()) }
    }

    /// Asks the last question elsewhere, as far as the rules allow it now: see `Report.canEscalate`.
    public func escalate() -> AsyncThrowingStream<Event, any Error> {
        answerStream { [core] in try core.escalate() }
    }

    /// Stops the answer in progress. Unlike a cancelled stream, its stream still ends with `finished`. Returns at once;
    /// does nothing while nothing is answered.
    public func stop() { core.stop() }

    /// What would be decided about a question now. Nothing is asked, and no receipt is written. Fails with `noPolicy`
    /// in a conversation with one model alone.
    public func explain(_ question: String, options: AskOptions = AskOptions()) async throws -> Explanation {
        let options = try options.toCore()
        return try await translated { try await core.explain(question: question, options: options) }.toPublic()
    }

    /// The messages so far, without the system message. Keep them as they are, and `setMessages` goes on from them.
    public func messages() -> [Message] { core.messages().map { $0.toPublic() } }

    /// Waits until a cancelled answer has ended: what is kept of it is then among the `messages`. Fails with `busy` while
    /// an answer goes on that nobody cancelled.
    public func settled() async throws { try await translated { try await core.settled() } }

    /// Replaces the messages: an earlier conversation goes on. Messages that `messages` gave are as private as they
    /// were.
    public func setMessages(_ messages: [Message]) throws {
        try translated { try core.setMessages(messages: messages.map { $0.toCore() }) }
    }

    /// Sends along another system message from the next question on: `nil` takes the usual one, an empty text leaves it to
    /// the model. The messages stay, and how they are treated.
    public func setSystem(_ system: String?) throws { try translated { try core.setSystem(system: system) } }

    /// Forgets the messages, but not the system message.
    public func reset() throws { try translated { try core.reset() } }

    /// Says how private the messages so far are, where the app knows more than can be found in them. It holds for every
    /// further question until `reset`.
    public func raiseClass(_ privacyClass: PrivacyClass) { core.raiseClass(privacyClass: privacyClass.toCore()) }

    /// Writes the conversation to a file, with what the model of this device made of it, so that `restore` goes on
    /// without reading its text again. The file holds what was said and is readable by its owner only.
    public func save(to path: String) async throws {
        try await translated { try await core.save(path: path) }
    }

    /// Goes on with a conversation that `save` wrote with the same model; this one is forgotten. Fails with
    /// `invalidOption` when the file cannot be used; this conversation is then as it was.
    public func restore(from path: String) async throws {
        try await translated { try await core.restore(path: path) }
    }

    /// Writes what the model made of the first `tokens` tokens of the conversation to a file, without the messages.
    /// Another conversation that begins with the same text can take it over with `restorePrefix`.
    public func savePrefix(to path: String, tokens: Int) async throws {
        let tokens: UInt32 = try coreNumber(tokens, "tokens")
        try await translated { try await core.savePrefix(path: path, tokens: tokens) }
    }

    /// Takes over what `savePrefix` wrote with the same model. The messages stay as they are.
    public func restorePrefix(from path: String) async throws {
        try await translated { try await core.restorePrefix(path: path) }
    }

    /// Cancels the answer in progress and gives the memory back. Returns at once; safe to call again.
    public func close() { core.release() }
}
