package org.whimbrel.app

import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Job
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.flow.asStateFlow
import kotlinx.coroutines.flow.update
import kotlinx.coroutines.launch
import org.whimbrel.Event
import org.whimbrel.Message
import org.whimbrel.QueuedQuestion
import org.whimbrel.Report
import org.whimbrel.Role

/** Something that the user should know and can act on. [question] is what could not be asked. */
data class Notice(
    val problem: Problem,
    val question: String? = null,
)

/**
 * What the screen shows of the conversation.
 *
 * @property id the conversation's; `null` before its first question.
 * @property messages what was said, then the questions that wait.
 * @property isOpening the conversation is being read.
 * @property isAnswering an answer is in the making.
 * @property reading how much of a long question was read, from 0 to 1; `null` when there is nothing to say.
 * @property isThinking the model thinks before it answers. What it thinks is not shown.
 */
data class ConversationState(
    val id: String? = null,
    val messages: List<ChatMessage> = emptyList(),
    val isOpening: Boolean = false,
    val isAnswering: Boolean = false,
    val reading: Float? = null,
    val isThinking: Boolean = false,
    val notice: Notice? = null,
)

/**
 * The conversation on the screen: asks, takes in the answer piece by piece, and shows what waits. The package keeps
 * all of it. Its functions are called on one thread, that of [scope].
 *
 * @param kept opens what is kept on this phone, where that has not happened yet.
 * @param device says what a question that waits lacks.
 * @param now the time, in milliseconds since 1970.
 * @param onQueued is told of a question that waits from now on, or that may go on.
 */
class ConversationModel(
    private val scope: CoroutineScope,
    private val kept: suspend () -> Kept,
    private val device: DeviceState,
    private val now: () -> Long,
    private val onQueued: (QueuedQuestion) -> Unit = {},
) {
    private val mutable = MutableStateFlow(ConversationState(isOpening = true))
    private var session: ChatSession? = null

    /** What is known about answers beside their text, by their receipts. */
    private val details = mutableMapOf<Long, Details>()

    /** What was said before the answer in the making, and what waits. */
    private var said = emptyList<ChatMessage>()
    private var waiting = emptyList<QueuedQuestion>()
    private var live = emptyList<ChatMessage>()

    private var work: Job? = null
    private var news: Job? = null

    val state: StateFlow<ConversationState> = mutable.asStateFlow()

    /**
     * Shows the conversation [id], a new one where that is empty, or the one with the newest message where it is
     * `null`. Follows from now on what becomes of questions that wait.
     */
    fun start(id: String?) {
        begin { (id ?: newest())?.takeIf { it.isNotEmpty() }?.let { open(it) } }
        news?.cancel()
        news = scope.launch { follow() }
    }

    /** Leaves this conversation for another one. An answer in the making is stopped; what was said of it stays. */
    fun show(id: String) {
        if (id != state.value.id) begin { open(id) }
    }

    /** Leaves this conversation for a new one, which is kept from its first question on. */
    fun startNew() = begin {}

    /** The conversation was deleted. */
    fun forget(id: String) {
        if (id != state.value.id) return
        session = null
        startNew()
    }

    /** Asks [question]. Returns whether it was taken: not while answering or opening, or when it is blank. */
    fun send(question: String): Boolean {
        if (state.value.isAnswering || state.value.isOpening || question.isBlank()) return false
        val text = question.trim()
        live = listOf(ChatMessage.Question(said.size.toLong(), text), ChatMessage.Answer(said.size + 1L, ""))
        mutable.update { it.copy(isAnswering = true, notice = null) }
        render()
        work = scope.launch { listen(text) }
        return true
    }

    /** Ends the answer in the making; what was said so far stays. */
    fun stop() {
        session?.stop()
    }

    fun dismissNotice() = mutable.update { it.copy(notice = null) }

    /** Does what the user wants done with the question [number] that waits. If that fails, [text] is not lost. */
    fun change(
        number: Long,
        text: String? = null,
        change: suspend QuestionQueue.() -> Unit,
    ) {
        scope.launch {
            attempt(text) {
                kept().outbox.change()
                readQueue()
                waiting.firstOrNull { it.id == number }?.let(onQueued)
            }
        }
    }

    private fun begin(open: suspend () -> Unit) {
        val before = work
        mutable.value = ConversationState(isOpening = true)
        work =
            scope.launch {
                before?.cancelAndJoin()
                leave()
                attempt { open() }
                mutable.update { it.copy(isOpening = false) }
                attempt { learn() }
            }
    }

    private suspend fun leave() {
        val left = session
        session = null
        said = emptyList()
        live = emptyList()
        // A question that is being answered in it must not lose its conversation.
        val isWaiting = waiting.isNotEmpty()
        waiting = emptyList()
        if (left == null || isWaiting) return
        val isEmpty = left.messages().isEmpty()
        left.leave()
        if (isEmpty) attempt { kept().conversations.delete(left.id) }
    }

    private suspend fun newest(): String? =
        kept()
            .conversations
            .list(after = null, NEWEST_AMONG)
            .maxByOrNull { it.updatedMs }
            ?.id

    private suspend fun open(id: String) {
        session = kept().conversations.open(id)
        mutable.update { it.copy(id = id) }
        read()
        readQueue()
    }

    private suspend fun follow() =
        coroutineScope {
            launch { device.changes().collect { if (waiting.isNotEmpty()) render() } }
            attempt {
                val outbox = kept().outbox
                outbox.start()
                outbox.news.collect { conversation ->
                    if (session != null && (conversation == null || conversation == state.value.id)) catchUp()
                }
            }
        }

    private suspend fun catchUp() {
        readQueue()
        if (state.value.isAnswering) return
        read()
        learn()
    }

    private suspend fun listen(question: String) =
        try {
            val open = session ?: kept().conversations.create()
            session = open
            mutable.update { it.copy(id = open.id) }
            open.ask(question).collect { event ->
                if (event is Event.Finished) finish(question, event.report) else take(event)
            }
        } catch (error: CancellationException) {
            throw error
        } catch (error: Exception) {
            refuse(question, error.toProblem())
        }

    private fun take(event: Event) {
        when (event) {
            is Event.Reading -> {
                mutable.update { it.copy(reading = event.done.toFloat() / event.total) }
            }

            is Event.Text -> {
                mutable.update { it.copy(reading = null, isThinking = false) }
                withAnswer { it.copy(text = it.text + event.text) }
            }

            is Event.Thinking -> {
                mutable.update { it.copy(reading = null, isThinking = true) }
            }

            is Event.Started -> {
                mutable.update { it.copy(isThinking = false) }
            }

            Event.Restarted -> {
                withAnswer { it.copy(text = "") }
            }

            // The app offers no tools, and the end is taken elsewhere.
            is Event.Call, is Event.Finished -> {}
        }
    }

    private fun withAnswer(change: (ChatMessage.Answer) -> ChatMessage.Answer) {
        val (question, answer) = live
        live = listOf(question, change(answer as ChatMessage.Answer))
        render()
    }

    private suspend fun finish(
        question: String,
        report: Report,
    ) {
        if (report.queued != null) return queue(report)
        val ending = report.toEnding() ?: return refuse(question, report.toProblem())
        val known = Details(ending, report.toFigures(), report.toProvenance())
        report.receipt?.let { details[it] = known }
        end(null)
    }

    private suspend fun queue(report: Report) {
        readQueue()
        end(null)
        waiting.firstOrNull { it.id == report.queued }?.let(onQueued)
    }

    /** The question goes back to where it was typed. One that no place answered also stays in the conversation. */
    private fun refuse(
        question: String,
        problem: Problem,
    ) = end(Notice(problem, question))

    private fun end(notice: Notice?) {
        live = emptyList()
        mutable.update { it.copy(isAnswering = false, reading = null, isThinking = false, notice = notice) }
        read()
    }

    /** Reads what the package has of the conversation. */
    private fun read() {
        val messages = session?.messages().orEmpty()
        said = messages.mapIndexed { index, message -> message.toChat(index.toLong()) }
        render()
    }

    private fun Message.toChat(id: Long): ChatMessage {
        if (role == Role.USER) return ChatMessage.Question(id, content)
        val known = details[receipt]
        val ending = known?.ending ?: if (isInterrupted) Ending.INTERRUPTED else Ending.COMPLETE
        return ChatMessage.Answer(id, content, ending, known?.figures, known?.provenance)
    }

    private suspend fun readQueue() {
        val id = state.value.id ?: return
        val questions = kept().outbox.list().filter { it.conversation == id }
        // The user may have left it meanwhile.
        if (state.value.id != id) return
        waiting = questions
        render()
    }

    /** Looks up where answers came from that were made before. */
    private suspend fun learn() {
        val unknown =
            session
                ?.messages()
                .orEmpty()
                .mapNotNull { it.receipt }
                .filterNot { it in details }
        if (unknown.isEmpty()) return
        for (receipt in unknown.distinct().takeLast(ORIGINS_MAX)) {
            val origin = kept().origin(receipt) ?: continue
            details[receipt] = Details(origin.ending, null, origin.provenance)
        }
        read()
    }

    private fun render() {
        val queued =
            waiting.mapIndexed { place, question ->
                val wait = question.wait(isFirst = place == 0, now(), device.read())
                ChatMessage.Waiting(question.text, question.id, wait)
            }
        mutable.update { it.copy(messages = said + live + queued) }
    }

    private suspend fun attempt(
        question: String? = null,
        work: suspend () -> Unit,
    ) = try {
        work()
    } catch (error: CancellationException) {
        throw error
    } catch (error: Exception) {
        mutable.update { it.copy(notice = Notice(error.toProblem(), question)) }
    }

    private class Details(
        val ending: Ending?,
        val figures: Figures?,
        val provenance: Provenance?,
    )

    private companion object {
        /** The newest conversation is among the first of the list, unless as many are pinned. */
        const val NEWEST_AMONG = 100

        /** How many of the newest answers tell where they were made. */
        const val ORIGINS_MAX = 500
    }
}
