package org.whimbrel

import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.Job
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.filterIsInstance
import kotlinx.coroutines.flow.flow
import kotlinx.coroutines.flow.flowOn
import kotlinx.coroutines.flow.map
import kotlinx.coroutines.flow.produceIn
import kotlinx.coroutines.launch
import org.whimbrel.ffi.Answer

/**
 * Only the text of an answer, piece by piece. Under a policy an answer may restart at another place
 * ([Event.Restarted]), and with tools after a call; use [textSoFar] to display such an answer.
 */
public fun Flow<Event>.text(): Flow<String> = filterIsInstance<Event.Text>().map { it.text }

/** The whole text so far, after each piece. It becomes empty when another place answers from the beginning. */
public fun Flow<Event>.textSoFar(): Flow<String> =
    flow {
        val text = StringBuilder()
        collect { event ->
            when (event) {
                is Event.Text -> emit(text.append(event.text).toString())
                Event.Restarted -> emit(text.clear().toString())
                is Event.Started, is Event.Reading, is Event.Thinking, is Event.Call, is Event.Finished -> Unit
            }
        }
    }

/** Maximum number of events per call into the core. A call costs about the same for one event as for many. */
private const val EVENTS_A_CALL: UInt = 64u

/** An answer of the core that is being read. It can be given results from any thread, also after its end. */
internal class AnswerInProgress(
    private val core: Answer,
) {
    private var isClosed = false

    /** The next events; none at the end. */
    suspend fun next(): List<Event> = translated { core.next(EVENTS_A_CALL) }.map { it.toPublic() }

    @Synchronized
    fun giveResult(
        call: Int,
        result: ToolResult,
    ) {
        if (isClosed) throw WhimbrelException.UnknownCall(call, null)
        translated { core.giveResult(call.atLeastZero("call"), result.toCore()) }
    }

    /** Cancels the answer if it has not ended. */
    @Synchronized
    fun close() {
        isClosed = true
        core.cancel()
        core.close()
    }
}

/**
 * A flow that starts an answer with each collection, and cancels it if the collection ends early. [tools] carry out its
 * calls.
 */
internal fun answerFlow(
    tools: Tools?,
    begin: () -> AnswerInProgress,
): Flow<Event> {
    if (tools == null) return eventFlow(begin)
    return flow {
        val begun = CompletableDeferred<AnswerInProgress>()
        coroutineScope {
            val events = eventFlow { begin().also(begun::complete) }.produceIn(this)
            var running: Job? = null
            for (event in events) {
                val before = running
                // An answer that goes on waits no more for the function.
                before?.cancel()
                emit(event)
                val call = (event as? Event.Call)?.call ?: continue
                running =
                    launch {
                        before?.join()
                        begun.await().giveResultIfAwaited(call.id, tools.resultOf(call))
                    }
            }
        }
    }
}

internal fun answerFlow(begin: () -> Answer): Flow<Event> = answerFlow(null) { AnswerInProgress(begin()) }

private fun eventFlow(begin: () -> AnswerInProgress): Flow<Event> =
    flow {
        val answer = translated(begin)
        try {
            do {
                val events = answer.next()
                events.forEach { emit(it) }
            } while (events.isNotEmpty())
        } finally {
            answer.close()
        }
    }.flowOn(Dispatchers.Default) // a collector without a dispatcher would run on the core's own thread

/** Gives a result, unless the answer went on without it. The model is told of one that is too long. */
private fun AnswerInProgress.giveResultIfAwaited(
    call: Int,
    result: ToolResult,
) {
    try {
        giveResult(call, result)
    } catch (_: WhimbrelException.UnknownCall) {
        return
    } catch (_: WhimbrelException.LimitExceeded) {
        giveResultIfAwaited(call, ToolResult.Failed("the function gave too much"))
    }
}
