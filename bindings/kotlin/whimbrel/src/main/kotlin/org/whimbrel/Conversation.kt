package org.whimbrel

import kotlinx.coroutines.flow.Flow
import org.whimbrel.ffi.Conversation as CoreConversation

/**
 * A conversation, which answers one question at a time. It is the same whether the rules of an [Assistant] decide where each question is
 * answered, or one [LanguageModel] answers alone.
 */
public class Conversation internal constructor(
    private val core: CoreConversation,
) : AutoCloseable {
    /** A number that grows with every change of the messages. */
    public val revision: Long
        get() = core.revision().toLong()

    /**
     * Asks a question. Each collection of the flow asks it again. Cancelling the collection cancels the answer; what was said until then
     * becomes part of the conversation. A slow collector loses nothing: the answer waits for it.
     *
     * The last event says where the question was answered, and whether at all: a request that the rules denied or put off, or that failed
     * everywhere, is no error. A question that every place failed to answer stays in the conversation; the same text asked again takes
     * its place. The flow fails with [WhimbrelException.Busy] while another answer is being collected (after a cancelled answer
     * the question waits for its end instead), with [WhimbrelException.ContextFull] when the question does not fit the only model, and with
     * [WhimbrelException.Ledger] when no receipt can be written. The conversation is then as it was.
     */
    public fun ask(
        question: String,
        options: AskOptions = AskOptions(),
    ): Flow<Event> = answerFlow { core.ask(question, options.toCore()) }

    /**
     * Asks the last question again. If it was answered, that counts as a sign that the answer was not liked. The new answer takes the place
     * of the old one; when there is no new answer, the old one stays. The flow fails with [WhimbrelException.NothingToRepeat] when nothing
     * was asked.
     */
    public fun regenerate(generation: GenerationOptions = GenerationOptions()): Flow<Event> =
        answerFlow { core.regenerate(generation.toCore()) }

    /** Asks the last question elsewhere, as far as the rules allow it now: see [Report.canEscalate]. */
    public fun escalate(): Flow<Event> = answerFlow { core.escalate() }

    /**
     * Stops the answer in progress. Unlike a cancelled flow, its flow still ends with [Event.Finished]. Returns at once; does nothing while
     * nothing is answered.
     */
    public fun stop(): Unit = core.stop()

    /**
     * What would be decided about a question now. Nothing is asked, and no receipt is written.
     *
     * @throws WhimbrelException.NoPolicy in a conversation with one model alone.
     */
    public suspend fun explain(
        question: String,
        options: AskOptions = AskOptions(),
    ): Explanation = awaited { core.explain(question, options.toCore()).toPublic() }

    /** The messages so far, without the system message. Keep them as they are, and [setMessages] goes on from them. */
    public fun messages(): List<Message> = core.messages().map { it.toPublic() }

    /**
     * Waits until a cancelled answer has ended: what is kept of it is then among the [messages]. Fails with [WhimbrelException.Busy] while an
     * answer goes on that nobody cancelled.
     */
    public suspend fun settled(): Unit = awaited { core.settled() }

    /** Replaces the messages: an earlier conversation goes on. Messages that [messages] gave are as private as they were. */
    public fun setMessages(messages: List<Message>): Unit =
        translated { core.setMessages(messages.map { it.toCore() }) }

    /** Forgets the messages, but not the system message. */
    public fun reset(): Unit = translated { core.reset() }

    /** The system message that is sent along, if there is one. */
    public fun system(): String? = core.system()

    /**
     * Sends along another system message from the next question on. Null takes the usual one, an empty text leaves it to the model. The messages
     * stay, and how they are treated.
     */
    public fun setSystem(system: String?): Unit = translated { core.setSystem(system) }

    /**
     * Says how private the messages so far are, where the app knows more than can be found in them. It holds for every further question until
     * [reset].
     */
    public fun raiseClass(privacyClass: PrivacyClass): Unit = core.raiseClass(privacyClass.toCore())

    /**
     * Writes the conversation to the file [path], with what the model of this device made of it, so that [restore] goes on without reading its
     * text again. The file holds what was said and is readable by its owner only.
     */
    public suspend fun save(path: String): Unit = awaited { core.save(path) }

    /**
     * Goes on with a conversation that [save] wrote with the same model; this one is forgotten. Fails with [WhimbrelException.InvalidOption]
     * when the file cannot be used; this conversation is then as it was.
     */
    public suspend fun restore(path: String): Unit = awaited { core.restore(path) }

    /**
     * Writes what the model made of the first [tokens] tokens of the conversation to a file, without the messages. Another conversation that
     * begins with the same text can take it over with [restorePrefix].
     */
    public suspend fun savePrefix(
        path: String,
        tokens: Int,
    ): Unit = awaited { core.savePrefix(path, tokens.atLeastZero("tokens")) }

    /** Takes over what [savePrefix] wrote with the same model. The messages stay as they are. */
    public suspend fun restorePrefix(path: String): Unit = awaited { core.restorePrefix(path) }

    /** Cancels the answer in progress and gives the memory back. Returns at once; safe to call again. */
    override fun close(): Unit = core.release()
}
