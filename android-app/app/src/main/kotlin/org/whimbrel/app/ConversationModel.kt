package org.whimbrel.app

import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.CoroutineDispatcher
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Job
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.flow.asStateFlow
import kotlinx.coroutines.flow.conflate
import kotlinx.coroutines.flow.distinctUntilChangedBy
import kotlinx.coroutines.flow.update
import kotlinx.coroutines.launch
import kotlinx.coroutines.withContext
import org.whimbrel.Event
import org.whimbrel.Message
import org.whimbrel.Report
import java.io.IOException
import kotlin.time.Duration.Companion.milliseconds

/** Something that the user should know and can act on. [question] is what could not be asked. */
data class Notice(
    val problem: Problem,
    val question: String? = null,
)

/**
 * What the screen shows of the conversation.
 *
 * @property isAnswering an answer is in the making.
 * @property reading how much of a long question was read, from 0 to 1; `null` when there is nothing to say.
 * @property isThinking the model thinks before it answers. What it thinks is not shown.
 */
data class ConversationState(
    val messages: List<ChatMessage> = emptyList(),
    val isAnswering: Boolean = false,
    val reading: Float? = null,
    val isThinking: Boolean = false,
    val notice: Notice? = null,
)

/**
 * The conversation: asks, takes in the answer piece by piece, keeps all of it in the [store]. Its functions are called
 * on one thread, that of [scope].
 */
class ConversationModel(
    private val scope: CoroutineScope,
    private val store: ConversationStore,
    private val io: CoroutineDispatcher,
) {
    private val mutable = MutableStateFlow(ConversationState())
    private val restored = CompletableDeferred<Unit>()
    private var chat: ChatSession? = null
    private var answer: Job? = null

    val state: StateFlow<ConversationState> = mutable.asStateFlow()

    private val keeper: Job =
        scope.launch {
            restore()
            keep()
        }

    /** What the model should know of the conversation so far. Waits until it was read from the file. */
    suspend fun history(): List<Message> {
        restored.await()
        return state.value.messages.toHistory(HISTORY_CHARACTERS_MAX)
    }

    /** The model is ready, or no longer: then [chat] is `null`. */
    fun attach(chat: ChatSession?) {
        this.chat = chat
    }

    /** Asks [question]. Returns whether it was taken: not without a model, while answering, or when it is blank. */
    fun send(question: String): Boolean {
        val chat = chat ?: return false
        if (state.value.isAnswering || question.isBlank()) return false
        val id =
            (
                state.value.messages
                    .lastOrNull()
                    ?.id ?: 0
            ) + 1
        val added = listOf(ChatMessage.Question(id, question.trim()), ChatMessage.Answer(id + 1, ""))
        mutable.update { state ->
            ConversationState((state.messages + added).takeLast(ConversationStore.MESSAGES_MAX), isAnswering = true)
        }
        answer = scope.launch { listen(chat, question.trim()) }
        return true
    }

    /** Ends the answer in the making; what was said so far stays. */
    fun stop() {
        chat?.stop()
    }

    /** Forgets the conversation. */
    fun startOver() {
        val chat = chat
        val before = answer
        answer =
            scope.launch {
                before?.cancelAndJoin()
                mutable.value = ConversationState()
                chat?.reset()
            }
    }

    fun dismissNotice() = mutable.update { it.copy(notice = null) }

    /** Writes what was not written yet. The last call. */
    fun close() {
        keeper.cancel()
        if (restored.isCompleted) write()
    }

    private suspend fun listen(
        chat: ChatSession,
        question: String,
    ) = try {
        chat.ask(question).collect { event ->
            if (event is Event.Finished) finish(chat, question, event.report) else take(event)
        }
    } catch (error: CancellationException) {
        throw error
    } catch (error: Exception) {
        refuse(question, error.toProblem())
    }

    private fun take(event: Event) =
        mutable.update { state ->
            when (event) {
                is Event.Reading -> {
                    state.copy(reading = event.done.toFloat() / event.total)
                }

                is Event.Text -> {
                    state.copy(
                        messages = state.messages.withAnswer { it.copy(text = it.text + event.text) },
                        reading = null,
                        isThinking = false,
                    )
                }

                is Event.Thinking -> {
                    state.copy(reading = null, isThinking = true)
                }

                is Event.Started -> {
                    state.copy(isThinking = false)
                }

                Event.Restarted -> {
                    state.copy(messages = state.messages.withAnswer { it.copy(text = "") })
                }

                is Event.Finished -> {
                    state
                }
            }
        }

    private fun finish(
        chat: ChatSession,
        question: String,
        report: Report,
    ) {
        val ending = report.toEnding() ?: return refuse(question, report.toProblem())
        mutable.update { state ->
            val ended =
                state.messages.withAnswer {
                    it.copy(ending = ending, figures = report.toFigures(), provenance = report.toProvenance())
                }
            val messages = ended.withPrivacy(chat.messages())
            state.copy(messages = messages, isAnswering = false, reading = null, isThinking = false)
        }
    }

    /** The last exchange with what the core knows of it, if the core kept it. */
    private fun List<ChatMessage>.withPrivacy(known: List<Message>): List<ChatMessage> {
        val (question, answer) = takeLast(2)
        val (asked, answered) = known.takeLast(2).takeIf { it.size == 2 } ?: return this
        if (question !is ChatMessage.Question || answer !is ChatMessage.Answer) return this
        if (asked.content != question.text || answered.content != answer.text) return this
        return dropLast(2) + question.copy(privacy = asked.toPrivacy()) + answer.copy(privacy = answered.toPrivacy())
    }

    private fun List<ChatMessage>.withAnswer(change: (ChatMessage.Answer) -> ChatMessage.Answer) =
        dropLast(1) + change(last() as ChatMessage.Answer)

    /** The question goes back to where it was typed. The core keeps one that no place answered; the same text takes its place. */
    private fun refuse(
        question: String,
        problem: Problem,
    ) = mutable.update { ConversationState(it.messages.dropLast(2), notice = Notice(problem, question)) }

    private suspend fun restore() {
        val notice =
            try {
                val messages = withContext(io) { store.read() }
                mutable.update { it.copy(messages = messages) }
                null
            } catch (error: ConversationStore.Unreadable) {
                Notice(Problem.ConversationUnreadable)
            }
        if (notice != null) mutable.update { it.copy(notice = notice) }
        restored.complete(Unit)
    }

    /** Writes after every change, but not more often than needed while an answer streams. */
    private suspend fun keep() =
        withContext(io) {
            state.distinctUntilChangedBy { it.messages }.conflate().collect {
                write()
                delay(WRITE_PAUSE)
            }
        }

    private fun write() =
        try {
            store.write { state.value.messages }
        } catch (error: IOException) {
            // A full disk must not end the conversation; the next change tries again.
            System.err.println("the conversation was not written: ${error.javaClass.simpleName}")
        }

    private companion object {
        /** Far more than any context holds, far less than the core takes. */
        const val HISTORY_CHARACTERS_MAX = 1 shl 18

        val WRITE_PAUSE = 250.milliseconds
    }
}
