package org.whimbrel.app

import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.MutableSharedFlow
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.map
import org.whimbrel.ConversationSummary
import org.whimbrel.Message
import org.whimbrel.OutboxRun
import org.whimbrel.PrivacyClass
import org.whimbrel.QueueNeeds
import org.whimbrel.QueuePriority
import org.whimbrel.QueueState
import org.whimbrel.QueuedQuestion
import org.whimbrel.Role
import org.whimbrel.SearchHit

/** What a phone keeps, without a disk: it outlives the gateway, as the real store outlives the process. */
class ScriptedShelf {
    val conversations = mutableListOf<ScriptedConversation>()
    val queue = mutableListOf<QueuedQuestion>()
    val origins = mutableMapOf<Long, Origin>()
    val changes = MutableStateFlow(0)
    val news = MutableSharedFlow<String?>(extraBufferCapacity = 64)

    /** The conversations whose memory was given back. */
    val left = mutableListOf<String>()

    /** What the user did with questions that waited, in order. */
    val done = mutableListOf<String>()
    var receipts = 0L
    var nowMs = 0L
    var needs = QueueNeeds(network = true, unmetered = false, charging = false)

    /** What the next run of the outbox says. */
    var run = OutboxRun(answered = 0, left = 0, nextMs = null, nextNeeds = QueueNeeds(false, false, false))

    /** Adds a conversation that is there already. */
    fun keep(
        title: String,
        messages: List<Message>,
        updatedMs: Long = nowMs,
        isPinned: Boolean = false,
    ): ScriptedConversation {
        val number = conversations.size + 1L
        val id = number.toString().padStart(32, '0')
        val summary = ConversationSummary(id, number, title, updatedMs, updatedMs, isPinned, messages.size, 0)
        return ScriptedConversation(this, summary, messages).also {
            conversations += it
            change()
        }
    }

    fun change() = changes.value++

    fun get(id: String) = conversations.single { it.summary.id == id }

    fun enqueue(
        conversation: String,
        text: String,
        state: QueueState = QueueState.Waiting,
    ): QueuedQuestion {
        val question =
            QueuedQuestion(
                id = (queue.maxOfOrNull { it.id } ?: 0) + 1,
                conversation = conversation,
                text = text,
                task = "chat",
                privacyClass = PrivacyClass.PUBLIC,
                createdMs = nowMs,
                priority = QueuePriority.NORMAL,
                attempts = 0,
                retryIn = null,
                needs = needs,
                state = state,
            )
        queue += question
        tell(conversation)
        return question
    }

    /** Changes a question that waits. */
    fun alter(
        id: Long,
        change: (QueuedQuestion) -> QueuedQuestion,
    ) {
        val place = queue.indexOfFirst { it.id == id }
        queue[place] = change(queue[place])
        tell(queue[place].conversation)
    }

    /** What the core does when the answer to a question that waited comes. */
    fun answer(
        id: Long,
        text: String,
        receipt: Long? = null,
    ) {
        val question = queue.single { it.id == id }
        get(question.conversation).add(
            Message(Role.USER, question.text),
            Message(Role.ASSISTANT, text, receipt = receipt),
        )
        remove(id)
    }

    fun remove(id: Long) {
        val question = queue.single { it.id == id }
        queue -= question
        tell(question.conversation)
    }

    private fun tell(conversation: String) {
        news.tryEmit(conversation)
        change()
    }
}

class ScriptedConversation(
    private val shelf: ScriptedShelf,
    var summary: ConversationSummary,
    messages: List<Message>,
) {
    val messages = messages.toMutableList()

    /** What is on the disk of an answer in the making. */
    var draft = emptyList<Message>()

    fun add(vararg added: Message) {
        messages += added
        val title = summary.title.ifEmpty { added.first().content }
        summary = summary.copy(title = title, updatedMs = shelf.nowMs, messages = messages.size)
        shelf.change()
    }

    /** The process has ended: an answer in the making is interrupted. */
    fun interrupt() {
        if (draft.isNotEmpty()) add(*draft.toTypedArray())
        draft = emptyList()
    }
}

class ScriptedConversations(
    private val shelf: ScriptedShelf,
    private val open: (ScriptedConversation) -> ChatSession,
) : KeptConversations {
    override val changes: Flow<Unit> = shelf.changes.map {}

    /** Makes every call fail. */
    var failure: Exception? = null

    override suspend fun list(
        after: ConversationSummary?,
        max: Int,
    ): List<ConversationSummary> {
        failure?.let { throw it }
        val sorted =
            shelf.conversations
                .map { it.summary }
                .sortedWith(compareBy({ !it.isPinned }, { -it.updatedMs }))
        return sorted.drop(after?.let { last -> sorted.indexOfFirst { it.id == last.id } + 1 } ?: 0).take(max)
    }

    override suspend fun search(
        text: String,
        max: Int,
    ): List<SearchHit> {
        val hits = mutableListOf<SearchHit>()
        for (conversation in shelf.conversations) {
            val id = conversation.summary.id
            val texts =
                listOf(null to conversation.summary.title) +
                    conversation.messages.mapIndexed { at, said -> at to said.content }
            for ((message, whole) in texts) {
                val place = whole.indexOf(text, ignoreCase = true)
                if (place < 0) continue
                val start = whole.codePointCount(0, place)
                val end = whole.codePointCount(0, place + text.length)
                hits += SearchHit(id, message, conversation.summary.updatedMs, whole, start, end)
            }
        }
        return hits.take(max)
    }

    override suspend fun lastMessage(id: String): String? =
        shelf
            .get(id)
            .messages
            .lastOrNull()
            ?.content

    override suspend fun create(): ChatSession = open(shelf.keep("", emptyList()))

    override suspend fun open(id: String): ChatSession {
        failure?.let { throw it }
        return open(shelf.get(id))
    }

    override suspend fun rename(
        id: String,
        title: String,
    ) = alter(id) { it.copy(title = title) }

    override suspend fun pin(
        id: String,
        isPinned: Boolean,
    ) = alter(id) { it.copy(isPinned = isPinned) }

    private fun alter(
        id: String,
        change: (ConversationSummary) -> ConversationSummary,
    ) {
        shelf.get(id).run { summary = change(summary) }
        shelf.change()
    }

    override suspend fun delete(id: String) {
        shelf.conversations.removeAll { it.summary.id == id }
        shelf.queue.removeAll { it.conversation == id }
        shelf.change()
    }
}

class ScriptedQueue(
    private val shelf: ScriptedShelf,
) : QuestionQueue {
    override val news: Flow<String?> = shelf.news

    override suspend fun list(): List<QueuedQuestion> = shelf.queue.toList()

    override suspend fun start() {
        shelf.done += "start"
    }

    override suspend fun runDue(): OutboxRun {
        shelf.done += "run"
        return shelf.run
    }

    override suspend fun confirm(id: Long) {
        shelf.done += "confirm $id"
        shelf.alter(id) { it.copy(state = QueueState.Waiting) }
    }

    override suspend fun retry(id: Long) {
        shelf.done += "retry $id"
        shelf.alter(id) { it.copy(state = QueueState.Waiting, retryIn = null) }
    }

    override suspend fun cancel(id: Long) {
        shelf.done += "cancel $id"
        shelf.remove(id)
    }

    override suspend fun edit(
        id: Long,
        text: String,
    ) {
        shelf.done += "edit $id"
        shelf.alter(id) { it.copy(text = text, state = QueueState.Waiting, retryIn = null) }
    }
}
