import WhimbrelCore

/// An open model. It is closed when it, its conversations and their answers are gone, or by `close`.
public final class LanguageModel: Sendable {
    let core: WhimbrelCore.Model

    /// What is known of the model, also after it was closed.
    public let info: ModelInfo

    init(_ core: WhimbrelCore.Model) {
        self.core = core
        info = ModelInfo(core.info())
    }

    /// Starts a conversation and reserves the memory for its context.
    public func conversation(
        _ options: ConversationOptions = ConversationOptions()
    ) async throws(WhimbrelError) -> Conversation {
        let options = try options.toCore()
        return Conversation(try await translated { try await core.conversation(options: options) })
    }

    /// Goes on from a text without any conversation around it, in a context of its own of `contextLength` tokens. As
    /// with `Conversation.ask`, reading the stream starts the answer and leaving it early cancels the answer.
    public func complete(
        _ prompt: String,
        options: GenerationOptions = GenerationOptions(),
        contextLength: Int = defaultContextLength
    ) -> AsyncThrowingStream<AnswerEvent, any Error> {
        answerStream { [core] in
            try await core.complete(
                prompt: prompt,
                contextLength: unsigned(contextLength, "contextLength"),
                options: options.toCore()
            )
        }
    }

    /// Cancels the model's answers and closes it with its conversations. Returns at once; safe to call again.
    public func close() { core.release() }
}
