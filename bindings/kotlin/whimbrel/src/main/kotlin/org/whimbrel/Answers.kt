package org.whimbrel

import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.filterIsInstance
import kotlinx.coroutines.flow.flow
import kotlinx.coroutines.flow.flowOn
import kotlinx.coroutines.flow.map
import org.whimbrel.ffi.Answer

/**
 * Only the text of an answer, piece by piece. Under a policy an answer may restart at another place
 * ([Event.Restarted]); use [textSoFar] to display such an answer.
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
                is Event.Started, is Event.Reading, is Event.Thinking, is Event.Finished -> Unit
            }
        }
    }

/** Maximum number of events per call into the core. A call costs about the same for one event as for many. */
private const val EVENTS_A_CALL: UInt = 64u

/** A flow that starts an answer with each collection, and cancels it if the collection ends early. */
internal fun answerFlow(begin: () -> Answer): Flow<Event> =
    flow {
        val answer = translated(begin)
        try {
            do {
                val events = translated { answer.next(EVENTS_A_CALL) }
                events.forEach { emit(it.toPublic()) }
            } while (events.isNotEmpty())
        } finally {
            answer.cancel()
            answer.close()
        }
    }.flowOn(Dispatchers.Default) // a collector without a dispatcher would run on the core's own thread
