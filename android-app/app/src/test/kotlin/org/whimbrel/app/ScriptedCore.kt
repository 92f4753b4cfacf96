package org.whimbrel.app

import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.channels.Channel
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.flow
import kotlinx.coroutines.selects.select
import org.whimbrel.AnswerEvent
import org.whimbrel.FinishReason
import org.whimbrel.Message
import org.whimbrel.Statistics
import java.io.File
import kotlin.time.Duration
import kotlin.time.Duration.Companion.seconds

/**
 * A core that says what a test tells it to, when the test does: for pictures that are always the same, and for moments
 * in the middle of an answer. It stops as the real one does.
 */
class ScriptedCore(
    private val opening: suspend () -> Unit = {},
) : Core {
    private val events = Channel<AnswerEvent>(Channel.UNLIMITED)
    private var stopped = CompletableDeferred<Unit>()

    val questions = mutableListOf<String>()
    var history: List<Message> = emptyList()
        private set
    var isClosed = false
        private set
    var resets = 0
        private set

    fun say(text: String) = events.trySend(AnswerEvent.Text(text))

    fun read(
        done: Int,
        total: Int,
    ) = events.trySend(AnswerEvent.Prefilled(done, total))

    fun finish(
        reason: FinishReason = FinishReason.STOP,
        tokens: Int = 42,
        total: Duration = 1.9.seconds,
        rate: Double = 24.3,
        dropped: Int = 0,
    ) = events.trySend(AnswerEvent.Finished(statistics(reason, tokens, total, rate, dropped)))

    override suspend fun open(folder: File): OpenModel {
        opening()
        return object : OpenModel {
            override val name = "SmolLM2 135M Instruct"

            override suspend fun talk(history: List<Message>): Talk {
                this@ScriptedCore.history = history
                return Talking()
            }

            override fun close() = Unit
        }
    }

    override fun close() {
        isClosed = true
    }

    private inner class Talking : Talk {
        override fun ask(question: String): Flow<AnswerEvent> =
            flow {
                questions += question
                stopped = CompletableDeferred()
                do {
                    val event =
                        select {
                            stopped.onAwait {
                                AnswerEvent.Finished(
                                    statistics(FinishReason.CANCELLED, 7, 0.4.seconds, 17.5, 0),
                                )
                            }
                            events.onReceive { it }
                        }
                    emit(event)
                } while (event !is AnswerEvent.Finished)
            }

        override fun stop() {
            stopped.complete(Unit)
        }

        override suspend fun reset() {
            resets++
        }
    }

    private fun statistics(
        reason: FinishReason,
        tokens: Int,
        total: Duration,
        rate: Double,
        dropped: Int,
    ) = Statistics(
        finishReason = reason,
        promptTokens = 20,
        reusedTokens = 0,
        completionTokens = tokens,
        droppedMessages = dropped,
        timeToFirstToken = total / 10,
        total = total,
        prefillTokensPerSecond = 100.0,
        decodeTokensPerSecond = rate,
        draftedTokens = 0,
        acceptedTokens = 0,
    )
}
