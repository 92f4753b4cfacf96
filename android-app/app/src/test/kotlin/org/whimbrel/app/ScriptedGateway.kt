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
import org.whimbrel.Report
import org.whimbrel.Role
import org.whimbrel.Statistics
import java.io.File
import kotlin.time.Duration
import kotlin.time.Duration.Companion.seconds

/**
 * A model that says what a test tells it to, when the test does: for pictures that are always the same, and for moments
 * in the middle of an answer. It stops as the real one does. What is kept is in [shelf], which outlives it.
 */
class ScriptedGateway(
    private val shelf: ScriptedShelf = ScriptedShelf(),
    private val opening: suspend () -> Unit = {},
) : ModelGateway,
    Kept {
    private val events = Channel<Event>(Channel.UNLIMITED)
    private var stopped = CompletableDeferred<Unit>()

    override val conversations = ScriptedConversations(shelf, ::ScriptedSession)
    override val outbox = ScriptedQueue(shelf)

    val questions = mutableListOf<String>()
    var isClosed = false
        private set

    /** The folders of models that were opened, in order. */
    val opened = mutableListOf<File>()

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

    /** No answer now: the question waits. */
    fun queue() = events.trySend(Event.Finished(report(null, null).copy(outcome = Outcome.DEFERRED, queued = 0)))

    override suspend fun openModel(folder: File): OpenModel {
        opening()
        opened += folder
        return OpenModel("Sample answers", "Not a model: these answers were written beforehand.")
    }

    override suspend fun needModel(folder: File) {
        if (opened.isEmpty()) openModel(folder)
    }

    override suspend fun closeModel() = Unit

    override suspend fun kept(): Kept = this

    override suspend fun origin(receipt: Long): Origin? = shelf.origins[receipt]

    override fun close() {
        isClosed = true
    }

    private inner class ScriptedSession(
        private val conversation: ScriptedConversation,
    ) : ChatSession {
        override val id = conversation.summary.id

        override fun messages(): List<Message> = conversation.messages.toList()

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
                    if (event is Event.Text) {
                        text += event.text
                        conversation.draft = listOf(said(Role.USER, question), said(Role.ASSISTANT, text, true))
                    }
                    emit(if (event is Event.Finished) end(question, text, event.report) else event)
                } while (event !is Event.Finished)
            }

        /** What the core does at the end: it keeps question and answer, or the question waits. */
        private fun end(
            question: String,
            text: String,
            report: Report,
        ): Event.Finished {
            conversation.draft = emptyList()
            if (report.queued != null) {
                return Event.Finished(report.copy(queued = shelf.enqueue(conversation.summary.id, question).id))
            }
            val isWhole = report.outcome == Outcome.ANSWERED
            if (text.isNotEmpty()) {
                conversation.add(said(Role.USER, question), said(Role.ASSISTANT, text, !isWhole, report.receipt))
            }
            shelf.change()
            return Event.Finished(report)
        }

        private fun said(
            role: Role,
            text: String,
            isInterrupted: Boolean = false,
            receipt: Long? = null,
        ) = Message(role, text, receipt = receipt, isInterrupted = isInterrupted)

        override fun stop() {
            stopped.complete(Unit)
        }

        override suspend fun leave() {
            shelf.left += id
        }
    }

    private fun report(
        finish: FinishReason?,
        statistics: Statistics?,
    ) = Report(
        receipt = ++shelf.receipts,
        isRecorded = true,
        isKept = true,
        queued = null,
        answeredBefore = null,
        calls = emptyList(),
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
        forcedTokens = 0,
    )
}
