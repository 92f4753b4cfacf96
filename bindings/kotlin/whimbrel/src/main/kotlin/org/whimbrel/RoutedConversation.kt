package org.whimbrel

import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.flow
import java.util.concurrent.ConcurrentHashMap
import kotlin.time.Duration
import org.whimbrel.ffi.RoutedAnswer as CoreRoutedAnswer
import org.whimbrel.ffi.RoutedConversation as CoreRoutedConversation

/**
 * How an assistant is asked.
 *
 * @property task the app's name for what it is doing, which rules and learning look at.
 * @property privacyClass what the app knows about the text; what is found in it can only raise it.
 * @property deadline time for the whole answer; without it the policy says.
 * @property needs what the answer needs beyond text.
 * @property generation how the answer is made.
 */
public data class AskOptions(
    public val task: String = "chat",
    public val privacyClass: PrivacyClass = PrivacyClass.PUBLIC,
    public val deadline: Duration? = null,
    public val needs: List<Need> = emptyList(),
    public val generation: GenerationOptions = GenerationOptions(),
)

/** A conversation with an [Assistant], which may be answered in several places. It answers one question at a time. */
public class RoutedConversation internal constructor(
    private val core: CoreRoutedConversation,
) : AutoCloseable {
    private val turns: MutableSet<Turn> = ConcurrentHashMap.newKeySet()

    /**
     * Asks a question. Each collection of the flow asks it anew. Cancelling the collection cancels the answer. Where it is answered,
     * and whether at all, the last event says: a request that was denied, put off or failed everywhere is no error.
     *
     * The flow fails with [WhimbrelException.Busy] while an earlier answer is in the making, and with
     * [WhimbrelException.Ledger] when no receipt can be written: nothing was asked then.
     */
    public fun ask(
        question: String,
        options: AskOptions = AskOptions(),
    ): Flow<AssistantEvent> = answerFlow(turns) { PulledRoutedAnswer(core.ask(question, options.toCore())) }

    /**
     * Takes the last answer back and asks its question again, when the flow is collected. That counts as a sign that the answer was
     * not liked. The flow fails with [WhimbrelException.NothingToRepeat] when there is none.
     */
    public fun regenerate(generation: GenerationOptions = GenerationOptions()): Flow<AssistantEvent> =
        answerFlow(turns) { PulledRoutedAnswer(core.regenerate(generation.toCore())) }

    /** Takes the last answer back and asks its question elsewhere, as far as the rules allow it now: see [Report.canEscalate]. */
    public fun escalate(): Flow<AssistantEvent> = answerFlow(turns) { PulledRoutedAnswer(core.escalate()) }

    /** What would be decided about a question now. Nothing is asked, and no receipt is written. */
    public suspend fun explain(
        question: String,
        options: AskOptions = AskOptions(),
    ): Explanation = translated { core.explain(question, options.toCore()).toPublic() }

    /**
     * Stops the answer in the making. Unlike a cancelled flow, its flow still ends with [AssistantEvent.Finished]. Returns at once;
     * does nothing while nothing is answered.
     */
    public fun stop(): Unit = turns.forEach { it.stop() }

    /** The messages so far, without the system message. */
    public fun messages(): List<Message> = translated { core.messages().map { it.toPublic() } }

    /** Replaces the messages: an earlier conversation goes on. */
    public fun setMessages(messages: List<Message>): Unit =
        translated { core.setMessages(messages.map { it.toCore() }) }

    /** Cancels the answer in the making and closes the conversation. Returns at once; safe to call again. */
    override fun close(): Unit = core.release()
}

/** All of the text so far, again after each piece; it begins anew when another place answers from the beginning. */
public fun Flow<AssistantEvent>.textSoFar(): Flow<String> =
    flow {
        val text = StringBuilder()
        collect { event ->
            when (event) {
                is AssistantEvent.Text -> emit(text.append(event.text).toString())
                is AssistantEvent.Restarted -> emit(text.clear().toString())
                is AssistantEvent.Trying, is AssistantEvent.Finished -> Unit
            }
        }
    }

private class PulledRoutedAnswer(
    private val core: CoreRoutedAnswer,
) : Pulled<AssistantEvent> {
    override suspend fun next(max: UInt): List<AssistantEvent> = core.next(max).map { it.toPublic() }

    override fun cancel(): Unit = core.cancel()

    override fun close(): Unit = core.close()
}
