internal import WhimbrelCore

/// An open model. It is closed when it, its conversations and their answers are gone, or by `close`.
public final class LanguageModel: Sendable {
    let core: WhimbrelCore.Model

    /// What is known of the model, also after it was closed.
    public let info: ModelInfo

    init(_ core: WhimbrelCore.Model) {
        self.core = core
        info = core.info().toPublic()
    }

    /// Starts a conversation with this model alone, without rules and without receipts. The memory for its context is
    /// reserved with the first question.
    public func conversation(_ options: ConversationOptions = ConversationOptions()) throws -> Conversation {
        Conversation(try translated { try core.conversation(options: options.toCore()) })
    }

    /// Goes on from a text without any conversation around it, in a context of its own of `contextLength` tokens. As
    /// with `Conversation.ask`, reading the stream starts the answer and leaving it early cancels the answer.
    public func complete(
        _ prompt: String,
        options: GenerationOptions = GenerationOptions(),
        contextLength: Int = 2048
    ) -> AsyncThrowingStream<Event, any Error> {
        answerStream { [core] in
            try core.complete(
                prompt: prompt,
                contextLength: coreNumber(contextLength, "contextLength"),
                options: options.toCore()
            )
        }
    }

    /// Cancels the model's answers and closes it with its conversations. Returns at once; safe to call again.
    public func close() { core.release() }
}
