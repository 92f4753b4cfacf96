internal import WhimbrelCore

/// An open model. It is closed by `close`, or when it, its conversations and their answers are no longer referenced.
public final class LanguageModel: Sendable {
    let core: WhimbrelCore.Model

    /// The model's properties. Also available after `close`.
    public let info: ModelInfo

    init(_ core: WhimbrelCore.Model) {
        self.core = core
        info = core.info().toPublic()
    }

    /// Starts a conversation with this model alone, without a policy or receipts. The memory for its context is
    /// reserved at the first question.
    public func conversation(_ options: ConversationOptions = ConversationOptions()) throws -> Conversation {
        Conversation(try translated { try core.conversation(options: options.toCore()) })
    }

    /// Does a task with a text, without a policy or receipts. As with `Conversation.ask`, reading the stream asks.
    public func task(
        _ task: TextTask,
        _ text: String,
        options: TaskOptions = TaskOptions()
    ) -> AsyncThrowingStream<Event, any Error> {
        answerStream { [core] in try core.task(task: task.core, text: text, options: options.toCore()) }
    }

    /// Continues a text without a conversation, in a context of its own of `contextLength` tokens. As with
    /// `Conversation.ask`, reading the stream starts the answer, and leaving it early cancels the answer.
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

    /// Cancels the model's answers, and closes the model and its conversations. Returns at once, and may be called
    /// again.
    public func close() { core.release() }
}
