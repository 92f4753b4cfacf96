package org.whimbrel

import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.emitAll
import kotlinx.coroutines.flow.flow
import org.whimbrel.ffi.Answer
import org.whimbrel.ffi.Conversation as CoreConversation

/**
 * A conversation, which answers one question at a time. It works the same way whether the policy of an [Assistant]
 * decides where each question is answered, or one [LanguageModel] answers alone.
 */
public class Conversation internal constructor(
    private val core: CoreConversation,
) : AutoCloseable {
    /** Its id among the conversations that are kept, or `null` if it is not kept. */
    public val id: String? = core.id()

    @Volatile private var lastAnswer: AnswerInProgress? = null

    @Volatile private var lastTools: Tools? = null

    /** A number that grows each time the messages change. */
    public val revision: Long
        get() = core.revision().toLong()

    /**
     * Asks a question. Each collection of the flow asks it again. Cancelling the collection cancels the answer; the
     * text so far becomes part of the conversation. A slow collector loses nothing: the answer waits for it.
     *
     * The last event says where the question was answered, and whether at all: a request that the rules denied or deferred, or that failed
     * everywhere, is not an error. A question that every place failed to answer stays in the conversation; the same text asked again takes
     * its place. The flow fails with [WhimbrelException.Busy] while another answer is being collected (after a cancelled answer
     * the question waits for its end instead), with [WhimbrelException.ContextFull] when the question does not fit the only model, and with
     * [WhimbrelException.Ledger] when no receipt can be written. The conversation is then as it was.
     *
     * [tools] are functions that the model may call before it answers. They run while the flow is collected, also when the
     * question is asked again. [AskOptions.tools] then has only the limits; with tools of its own, and without [tools], each
     * [Event.Call] waits for [giveResult]. The flow fails with [WhimbrelException.InvalidOption] for tools that cannot be
     * offered, and with [WhimbrelException.ToolsCannotWait] while questions of the conversation wait in the outbox.
     */
    public fun ask(
        question: String,
        options: AskOptions = AskOptions(),
        tools: Tools? = null,
    ): Flow<Event> =
        answerFlow(tools) {
            begun(core.ask(question, options.with(tools).toCore())).also { lastTools = tools }
        }

    /**
     * Asks the last question again. If it had been answered, this counts as a sign that the user did not like the
     * answer. The new answer replaces the old one; if there is no new answer, the old one stays. The flow fails with
     * [WhimbrelException.NothingToRepeat] if no question was asked.
     */
    public fun regenerate(generation: GenerationOptions = GenerationOptions()): Flow<Event> =
        again { core.regenerate(generation.toCore()) }

    /** Asks the last question again at another place, if the policy allows one now: see [Report.canEscalate]. */
    public fun escalate(): Flow<Event> = again { core.escalate() }

    /**
     * Gives what came of a call ([PendingCall.id]) of the answer in progress, which then goes on. It is for calls that no
     * [Tools] carry out. A function that a person must confirm must not run before that.
     *
     * @throws WhimbrelException.UnknownCall if the call waits no more.
     * @throws WhimbrelException.LimitExceeded for a result of more than 64 KiB; the call still waits.
     */
    public fun giveResult(
        call: Int,
        result: ToolResult,
    ) {
        val answer = lastAnswer ?: throw WhimbrelException.UnknownCall(call, null)
        answer.giveResult(call, result)
    }

    /**
     * Stops the answer in progress. Unlike a cancelled flow, its flow still ends with [Event.Finished]. Returns at
     * once; has no effect if no answer is in progress.
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

    /**
     * The messages so far, without the system message. Store them unchanged to resume the conversation with
     * [setMessages].
     */
    public fun messages(): List<Message> = core.messages().map { it.toPublic() }

    /**
     * Waits until a cancelled answer has ended. [messages] then contains the part of it that was kept. Fails with
     * [WhimbrelException.Busy] while an answer is in progress that was not cancelled.
     */
    public suspend fun settled(): Unit = awaited { core.settled() }

    /**
     * Replaces the messages, to resume an earlier conversation. Messages from [messages] keep their privacy class and
     * recipients.
     */
    public fun setMessages(messages: List<Message>): Unit =
        translated { core.setMessages(messages.map { it.toCore() }) }

    /** Deletes the messages, but not the system message. */
    public fun reset(): Unit = translated { core.reset() }

    /** The system message, if there is one. */
    public fun system(): String? = core.system()

    /**
     * Replaces the system message from the next question on. Pass `null` for the default one, or an empty text to let
     * the model's template decide. The messages stay, with their privacy class and recipients.
     */
    public fun setSystem(system: String?): Unit = translated { core.setSystem(system) }

    /**
     * Raises the privacy class of the messages so far, if the app knows more than can be found in them. It applies to
     * every further question until [reset].
     */
    public fun raiseClass(privacyClass: PrivacyClass): Unit = core.raiseClass(privacyClass.toCore())

    /**
     * Saves the conversation and its KV cache to the file [path], so that [restore] can resume it without prefilling
     * its text again. The file contains what was said and is readable by its owner only.
     */
    public suspend fun save(path: String): Unit = awaited { core.save(path) }

    /**
     * Resumes a conversation that [save] wrote with the same model, and discards the current one. Fails with
     * [WhimbrelException.InvalidOption] if the file cannot be used; the current conversation is then unchanged.
     */
    public suspend fun restore(path: String): Unit = awaited { core.restore(path) }

    /**
     * Saves the KV cache of the first [tokens] tokens of the conversation to a file, without the messages. Another
     * conversation that starts with the same text can load it with [restorePrefix].
     */
    public suspend fun savePrefix(
        path: String,
        tokens: Int,
    ): Unit = awaited { core.savePrefix(path, tokens.atLeastZero("tokens")) }

    /** Takes over what [savePrefix] wrote with the same model. The messages stay as they are. */
    public suspend fun restorePrefix(path: String): Unit = awaited { core.restorePrefix(path) }

    /** Cancels the answer in progress and releases the memory. Returns at once, and may be called again. */
    override fun close(): Unit = core.release()

    /** Asks the last question again, with the tools that it had. */
    private fun again(begin: () -> Answer): Flow<Event> = flow { emitAll(answerFlow(lastTools) { begun(begin()) }) }

    private fun begun(answer: Answer) = AnswerInProgress(answer).also { lastAnswer = it }
}
