package org.whimbrel.app

import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Job
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.flow.asStateFlow
import kotlinx.coroutines.flow.update
import kotlinx.coroutines.launch
import org.whimbrel.ConversationSummary
import org.whimbrel.SearchHit

/**
 * A row of the list.
 *
 * @property id the conversation's.
 * @property key tells rows apart: one conversation may have several hits.
 * @property text the beginning of the last message, or what surrounds a hit.
 * @property hit where the hit is in [text].
 * @property isPinned stands before the others; not known of a hit.
 */
data class ConversationRow(
    val id: String,
    val key: String,
    val title: String,
    val text: String,
    val timeMs: Long,
    val hit: IntRange? = null,
    val isPinned: Boolean = false,
)

/**
 * What the list shows.
 *
 * @property query what is looked for; when it is blank, all conversations are shown.
 * @property rows `null` while they are being read.
 * @property nowMs the time at which they were read.
 */
data class ConversationListState(
    val query: String = "",
    val rows: List<ConversationRow>? = null,
    val nowMs: Long = 0,
    val problem: Problem? = null,
) {
    val isSearch: Boolean
        get() = query.isNotBlank()
}

/** The list of conversations, and the search in them. Its functions are called on one thread, that of [scope]. */
class ConversationListModel(
    private val scope: CoroutineScope,
    private val kept: suspend () -> Kept,
    private val now: () -> Long,
) {
    private val mutable = MutableStateFlow(ConversationListState())

    /** What is to be shown. While it is read, later wishes wait, and the last of them is next. */
    private val wanted = MutableStateFlow(Wanted())
    private var reading: Job? = null
    private var read = emptyList<ConversationSummary>()
    private var isWhole = false

    /** The beginning of each conversation's last message, with the time at which that was written. */
    private val beginnings = mutableMapOf<String, Pair<Long, String>>()

    val state: StateFlow<ConversationListState> = mutable.asStateFlow()

    /** Reads the list, and reads it again whenever something changes. */
    fun open() {
        if (reading?.isActive == true) return
        reading =
            scope.launch {
                launch { attempt { kept().conversations.changes.collect { wanted.update { it.next() } } } }
                wanted.collect { attempt { look(it) } }
            }
    }

    /** Stops reading. The next [open] begins without a search. */
    fun close() {
        reading?.cancel()
        read = emptyList()
        wanted.value = Wanted()
        mutable.value = ConversationListState()
    }

    fun find(query: String) {
        val cut = query.take(QUERY_CHARACTERS_MAX)
        mutable.update { it.copy(query = cut) }
        wanted.update { it.copy(query = cut.trim(), max = PAGE) }
    }

    /** The end of what was read is on the screen. */
    fun more() {
        if (state.value.isSearch || isWhole) return
        wanted.update { it.copy(max = read.size + PAGE) }
    }

    fun rename(
        id: String,
        title: String,
    ) = change { rename(id, title.trim()) }

    fun pin(
        id: String,
        isPinned: Boolean,
    ) = change { pin(id, isPinned) }

    fun delete(
        id: String,
        onDeleted: () -> Unit,
    ) = change {
        delete(id)
        onDeleted()
    }

    /** What it changes, the list hears of by itself. */
    private fun change(change: suspend KeptConversations.() -> Unit) {
        scope.launch { attempt { kept().conversations.change() } }
    }

    private suspend fun look(wanted: Wanted) {
        val rows = if (wanted.query.isEmpty()) list(wanted.max) else hits(wanted.query)
        mutable.update { it.copy(rows = rows, nowMs = now(), problem = null) }
    }

    private suspend fun list(max: Int): List<ConversationRow> {
        read = emptyList()
        isWhole = false
        while (read.size < max && !isWhole) {
            val page = kept().conversations.list(read.lastOrNull(), PAGE)
            read = read + page
            isWhole = page.size < PAGE
        }
        val asked = firstQueued()
        return read.mapNotNull { conversation ->
            val question = asked[conversation.id]
            // Nobody said anything in it, and nothing waits: the first question failed.
            if (conversation.isEmpty && question == null) return@mapNotNull null
            val title = conversation.title.ifEmpty { question.orEmpty() }
            val text = if (conversation.messages == 0) question.orEmpty().beginning() else beginning(conversation)
            conversation.run { ConversationRow(id, id, title, text, updatedMs, isPinned = isPinned) }
        }
    }

    private val ConversationSummary.isEmpty get() = messages == 0 && title.isEmpty()

    /** The first question that waits, of each conversation; none where every conversation has messages. */
    private suspend fun firstQueued(): Map<String, String> {
        if (read.all { it.messages > 0 }) return emptyMap()
        return kept()
            .outbox
            .list()
            .asReversed()
            .associate { it.conversation to it.text }
    }

    private suspend fun beginning(conversation: ConversationSummary): String {
        beginnings[conversation.id]?.let { (timeMs, text) -> if (timeMs == conversation.updatedMs) return text }
        val text =
            kept()
                .conversations
                .lastMessage(conversation.id)
                .orEmpty()
                .beginning()
        beginnings[conversation.id] = conversation.updatedMs to text
        return text
    }

    private suspend fun hits(query: String): List<ConversationRow> {
        val hits = kept().conversations.search(query, HITS_MAX)
        val titles = titles(hits.mapTo(mutableSetOf()) { it.conversation })
        return hits.mapIndexed { index, hit ->
            val (text, range) = hit.around()
            val title = titles[hit.conversation].orEmpty()
            ConversationRow(hit.conversation, "${hit.conversation}-$index", title, text, hit.timeMs, range)
        }
    }

    private suspend fun titles(ids: Set<String>): Map<String, String> {
        val found = mutableMapOf<String, String>()
        var last: ConversationSummary? = null
        while (found.size < ids.size) {
            val page = kept().conversations.list(last, PAGE)
            last = page.lastOrNull() ?: break
            page.filter { it.id in ids }.associateTo(found) { it.id to it.title }
        }
        return found
    }

    private suspend fun attempt(work: suspend () -> Unit) =
        try {
            work()
        } catch (error: CancellationException) {
            throw error
        } catch (error: Exception) {
            mutable.update { it.copy(problem = error.toProblem()) }
        }

    /** What is to be read; the [revision] counts changes of what is kept. */
    private data class Wanted(
        val query: String = "",
        val max: Int = PAGE,
        val revision: Int = 0,
    ) {
        fun next() = copy(revision = revision + 1)
    }

    companion object {
        /** Characters of what is looked for. */
        const val QUERY_CHARACTERS_MAX: Int = 200

        /** Hits that are shown. */
        const val HITS_MAX: Int = 50

        /** Conversations that are read at a time. */
        const val PAGE: Int = 50
    }
}

/** Characters of a title and of a text in a row. */
private const val BEGINNING = 90

/** Characters of a word that is left out as a whole. */
private const val WORD = 15

/** Characters that a row shows before a hit. */
private const val BEFORE_HIT = 30

/** In one line, and not more than a row has room for. */
internal fun String.beginning(): String {
    val line = oneLine().trim()
    if (line.length <= BEGINNING) return line
    // Between words, where there is a blank near by.
    val blank = line.lastIndexOf(' ', BEGINNING)
    val end = if (blank >= BEGINNING - WORD) blank else whole(line, BEGINNING)
    return line.take(end).trimEnd() + "…"
}

/** What surrounds a hit, and where the hit is in it. */
internal fun SearchHit.around(): Pair<String, IntRange> {
    // The package counts characters, not halves of surrogate pairs.
    val start = text.offsetByCodePoints(0, start)
    val end = text.offsetByCodePoints(0, end)
    val from = whole(text, maxOf(0, start - BEFORE_HIT))
    val lead = if (from == 0) "" else "…"
    val before = lead + text.substring(from, start).oneLine().trimStart()
    val hit = text.substring(start, end).oneLine()
    val after = text.substring(end).oneLine()
    val room = whole(after, maxOf(0, BEGINNING - before.length - hit.length))
    val tail = if (room < after.length) after.take(room).trimEnd() + "…" else after.trimEnd()
    return before + hit + tail to (before.length until before.length + hit.length)
}

private fun String.oneLine(): String = replace(Regex("\\s+"), " ")

/** The same place, or the one before it if that is in the middle of a character. */
private fun whole(
    text: String,
    place: Int,
): Int = if (place in 1 until text.length && text[place].isLowSurrogate()) place - 1 else minOf(place, text.length)
