package org.whimbrel

import kotlinx.coroutines.flow.Flow
import org.whimbrel.ffi.Model

private const val DEFAULT_CONTEXT_LENGTH = 2048

/** An open model. */
public class LanguageModel internal constructor(
    internal val core: Model,
) : AutoCloseable {
    /** The model's properties. Also available after [close]. */
    public val info: ModelInfo = core.info().toPublic()

    /**
     * Starts a conversation with this model alone, without a policy or receipts. The memory for its context is reserved
     * at the first question.
     *
     * @throws WhimbrelException if an option is out of range or the model is closed.
     */
    public fun conversation(options: ConversationOptions = ConversationOptions()): Conversation =
        translated { Conversation(core.conversation(options.toCore())) }

    /**
     * Does a [task] with a [text], without a policy or receipts. As with [Conversation.ask], each collection asks.
     */
    public fun task(
        task: TextTask,
        text: String,
        options: TaskOptions = TaskOptions(),
    ): Flow<Event> = answerFlow { core.task(task.core, text, options.toCore()) }

    /**
     * Continues a text without a conversation, in a context of its own of [contextLength] tokens. As with
     * [Conversation.ask], collecting the flow starts the answer, and leaving it early cancels the answer.
     */
    public fun complete(
        prompt: String,
        options: GenerationOptions = GenerationOptions(),
        contextLength: Int = DEFAULT_CONTEXT_LENGTH,
    ): Flow<Event> = answerFlow { core.complete(prompt, contextLength.atLeastZero("contextLength"), options.toCore()) }

    /**
     * Cancels the model's answers, and closes the model and its conversations. Returns at once, and may be called
     * again.
     */
    override fun close(): Unit = core.release()
}
