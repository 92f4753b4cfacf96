package org.whimbrel.app

import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.channels.Channel
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.flow
import kotlinx.coroutines.selects.select
import org.whimbrel.Event
import org.whimbrel.FinishReason
import org.whimbrel.Message
import org.whimbrel.Outcome
import org.whimbrel.Place
import org.whimbrel.PrivacyClass
import org.whimbrel.Report
import org.whimbrel.Role
import org.whimbrel.Statistics
import java.io.File
import kotlin.time.Duration
import kotlin.time.Duration.Companion.seconds

/**
 * A model that says what a test tells it to, when the test does: for pictures that are always the same, and for moments
 * in the middle of an answer. It stops as the real one does.
 */
class ScriptedGateway(
    private val opening: suspend () -> Unit = {},
) : ModelGateway {
    private val events = Channel<Event>(Channel.UNLIMITED)
    private var stopped = CompletableDeferred<Unit>()
    private var receipts = 0L

    val questions = mutableListOf<String>()
    var history: List<Message> = emptyList()
        private set
    var isClosed = false
        private set
    var resets = 0
        private set

    fun say(text: String) = events.trySend(Event.Text(text))

    fun think(text: String) = events.trySend(Event.Thinking(text))

    fun read(
        done: Int,
        total: Int,
    ) = events.trySend(Event.Reading(done, total))

    fun finish(
        reason: FinishReason = FinishReason.STOP,
        tokens: Int = 42,
        total: Duration = 1.9.seconds,
        rate: Double = 24.3,
        dropped: Int = 0,
    ) = events.trySend(Event.Finished(report(reason, statistics(tokens, total, rate, dropped))))

    /** Ends the answer without one. */
    fun fail(
        code: String,
        isPartial: Boolean = false,
    ) = events.trySend(
        Event.Finished(
            report(null, null).copy(outcome = Outcome.FAILED, code = code, isPartial = isPartial),
        ),
    )

    override suspend fun openModel(folder: File): OpenModel {
        opening()
        return OpenModel("Sample answers", "Not a model: these answers were written beforehand.")
    }

    override fun closeModel() = Unit

    override fun conversation(history: List<Message>): ChatSession {
        this.history = history
        return ScriptedSession(history)
    }

    override fun close() {
        isClosed = true
    }

    private inner class ScriptedSession(
        history: List<Message>,
    ) : ChatSession {
        private val messages = history.toMutableList()

        override fun ask(question: String): Flow<Event> =
            flow {
                questions += question
                stopped = CompletableDeferred()
                var text = ""
                do {
                    val event =
                        select {
                            stopped.onAwait {
                                Event.Finished(
                                    report(FinishReason.CANCELLED, statistics(7, 0.4.seconds, 17.5, 0)),
                                )
                            }
                            events.onReceive { it }
                        }
                    if (event is Event.Text) text += event.text
                    if (event is Event.Finished && text.isNotEmpty()) {
                        messages += Message(Role.USER, question, PrivacyClass.PERSONAL, listOf("own"))
                        messages += Message(Role.ASSISTANT, text, PrivacyClass.PUBLIC, listOf("any"))
                    }
                    emit(event)
                } while (event !is Event.Finished)
            }

        override fun stop() {
            stopped.complete(Unit)
        }

        override fun messages(): List<Message> = messages.toList()

        override fun reset() {
            messages.clear()
            resets++
        }
    }

    private fun report(
        finish: FinishReason?,
        statistics: Statistics?,
    ) = Report(
        receipt = ++receipts,
        isRecorded = true,
        outcome = if (finish == FinishReason.CANCELLED) Outcome.CANCELLED else Outcome.ANSWERED,
        code = null,
        isPartial = false,
        finish = finish,
        place = Place.OnDevice("SmolLM2 135M Instruct", "q4_1", "0".repeat(64)),
        release = null,
        reasons = emptyList(),
        rules = emptyList(),
        attempts = emptyList(),
        refused = emptyList(),
        bytesOut = 0,
        bytesIn = 0,
        redacted = 0,
        tokensIn = 20,
        tokensOut = statistics?.completionTokens?.toLong() ?: 0,
        thinkingBytes = 0,
        timeToFirstToken = null,
        total = statistics?.total ?: Duration.ZERO,
        millijoules = null,
        statistics = statistics,
        unsupported = emptyList(),
        canEscalate = false,
        summary = "SmolLM2 135M Instruct on this device: nothing may leave it.",
        json = "{}",
    )

    private fun statistics(
        tokens: Int,
        total: Duration,
        rate: Double,
        dropped: Int,
    ) = Statistics(
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
