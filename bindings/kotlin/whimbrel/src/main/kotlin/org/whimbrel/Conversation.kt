package org.whimbrel

import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.filterIsInstance
import kotlinx.coroutines.flow.flow
import kotlinx.coroutines.flow.flowOn
import kotlinx.coroutines.flow.map
import org.whimbrel.ffi.Answer
import java.util.concurrent.ConcurrentHashMap
import org.whimbrel.ffi.Conversation as CoreConversation

/** A conversation with a model. It answers one question at a time. */
public class Conversation internal constructor(
    private val core: CoreConversation,
) : AutoCloseable {
    private val turns: MutableSet<Turn> = ConcurrentHashMap.newKeySet()

    /**
     * Asks a question. Each collection of the flow asks it anew. Cancelling the collection cancels the answer; what was
     * said until then becomes part of the conversation. A slow collector loses nothing: the answer waits for it.
     *
     * The flow fails with [WhimbrelException.Busy] while an earlier answer is in the making, with
     * [WhimbrelException.ContextFull] when the question does not fit, and otherwise as the documentation of
     * [WhimbrelException] says. The conversation is then as it was.
     */
    public fun ask(
        question: String,
        options: GenerationOptions = GenerationOptions(),
    ): Flow<AnswerEvent> = answerFlow(turns) { PulledAnswer(core.ask(question, options.toCore())) }

    /**
     * Stops the answer in the making. Unlike a cancelled flow, its flow still brings what was said until then, and ends
     * with [AnswerEvent.Finished] and [FinishReason.CANCELLED]. Returns at once; does nothing while nothing is
     * answered.
     */
    public fun stop(): Unit = turns.forEach { it.stop() }

    /** The messages so far, the system message first. Waits for a cancelled answer to end. */
    public suspend fun messages(): List<Message> = translated { core.messages().map { it.toPublic() } }

    /** Replaces all messages, the system message included: an earlier conversation goes on. */
    public suspend fun setMessages(messages: List<Message>): Unit =
        translated { core.setMessages(messages.map { it.toCore() }) }

    /** Forgets everything but the system message. */
    public suspend fun reset(): Unit = translated { core.reset() }

    /**
     * Writes the conversation to the file [path], with what the model made of it, so that [restore] goes on without reading
     * its text again. The file holds what was said and is readable by its owner only.
     */
    public suspend fun save(path: String): Unit = translated { core.save(path) }

    /**
     * Goes on with a conversation that [save] wrote with the same model; this one is forgotten. Fails with
     * [WhimbrelException.InvalidOption] when the file cannot be used; this conversation is then as it was.
     */
    public suspend fun restore(path: String): Unit = translated { core.restore(path) }

    /** Cancels the answer in the making and gives the memory back. Returns at once; safe to call again. */
    override fun close(): Unit = core.release()
}

/** Only the text of an answer, piece by piece. */
public fun Flow<AnswerEvent>.text(): Flow<String> = filterIsInstance<AnswerEvent.Text>().map { it.text }

/** Events that are taken over the boundary in one call: a call costs about the same for one as for many. */
private const val EVENTS_A_CALL: UInt = 64u

/** An answer of the core, whatever its events are. */
internal interface Pulled<Event> : AutoCloseable {
    suspend fun next(max: UInt): List<Event>

    fun cancel()
}

internal class PulledAnswer(
    private val core: Answer,
) : Pulled<AnswerEvent> {
    override suspend fun next(max: UInt): List<AnswerEvent> = core.next(max).map { it.toPublic() }

    override fun cancel(): Unit = core.cancel()

    override fun close(): Unit = core.close()
}

/** One collection of an answer. It may be stopped before the core has begun to answer. */
internal class Turn {
    private var answer: Pulled<*>? = null
    private var isStopped = false

    @Synchronized
    fun begin(begun: Pulled<*>) {
        answer = begun
        if (isStopped) begun.cancel()
    }

    @Synchronized
    fun stop() {
        isStopped = true
        answer?.cancel()
    }

    @Synchronized
    fun end() {
        answer?.cancel()
        answer?.close()
        answer = null
    }
}

internal fun <Event> answerFlow(
    turns: MutableSet<Turn> = mutableSetOf(),
    begin: suspend () -> Pulled<Event>,
): Flow<Event> =
    flow {
        val turn = Turn()
        turns += turn
        try {
            val answer = translated { begin() }
            turn.begin(answer)
            do {
                val events = translated { answer.next(EVENTS_A_CALL) }
                events.forEach { emit(it) }
            } while (events.isNotEmpty())
        } finally {
            turns -= turn
            turn.end()
        }
    }.flowOn(Dispatchers.Default) // a collector without a dispatcher would run on the core's own thread
