import WhimbrelCore

/// A conversation with a model. It answers one question at a time.
public final class Conversation: Sendable {
    private let core: WhimbrelCore.Conversation

    init(_ core: WhimbrelCore.Conversation) { self.core = core }

    /// Asks a question, as soon as the stream is read. Cancelling the task that reads it ends the stream without a
    /// `finished`; this, and letting go of the stream, cancels the answer. What was said until then becomes part of the
    /// conversation. A slow reader loses nothing: the answer waits for it.
    ///
    /// The stream fails with a `WhimbrelError`: `busy` while an earlier answer is in the making, `contextFull` when the
    /// question does not fit. The conversation is then as it was.
    public func ask(
        _ question: String,
        options: GenerationOptions = GenerationOptions()
    ) -> AsyncThrowingStream<AnswerEvent, any Error> {
        answerStream { [core] in try await core.ask(question: question, options: options.toCore()) }
    }

    /// The messages so far, the system message first. Waits for a cancelled answer to end.
    public func messages() async throws(WhimbrelError) -> [Message] {
        try await translated { try await core.messages() }.map(Message.init)
    }

    /// Replaces all messages, the system message included: an earlier conversation goes on.
    public func setMessages(_ messages: [Message]) async throws(WhimbrelError) {
        let messages = messages.map { $0.toCore() }
        try await translated { try await core.setMessages(messages: messages) }
    }

    /// Forgets everything but the system message.
    public func reset() async throws(WhimbrelError) {
        try await translated { try await core.reset() }
    }

    /// Writes the conversation to a file, with what the model made of it, so that `restore` goes on without reading its text
    /// again. The file holds what was said and is readable by its owner only.
    public func save(to path: String) async throws(WhimbrelError) {
        try await translated { try await core.save(path: path) }
    }

    /// Goes on with a conversation that `save` wrote with the same model; this one is forgotten. Fails with `invalidOption`
    /// when the file cannot be used; this conversation is then as it was.
    public func restore(from path: String) async throws(WhimbrelError) {
        try await translated { try await core.restore(path: path) }
    }

    /// Cancels the answer in the making and gives the memory of the context back. Returns at once; safe to call again.
    public func close() { core.release() }
}
