package org.whimbrel.app

import kotlinx.coroutines.flow.Flow
import org.whimbrel.ConversationSummary
import org.whimbrel.Event
import org.whimbrel.Message
import org.whimbrel.OutboxRun
import org.whimbrel.QueuedQuestion
import org.whimbrel.SearchHit

// What the app asks of the package about conversations that are kept on this phone and questions that wait in them.
// The values are the package's own; its classes stay behind these interfaces, so that tests and pictures need no core.

/** The conversations that are kept on this phone, and the questions that wait in them. */
interface Kept {
    val conversations: KeptConversations
    val outbox: QuestionQueue

    /** What the receipt with this number says of an answer; `null` where there is no such receipt any more. */
    suspend fun origin(receipt: Long): Origin?
}

/** As [org.whimbrel.Conversations]. */
interface KeptConversations {
    /** Says when a list has to be read again. */
    val changes: Flow<Unit>

    suspend fun list(
        after: ConversationSummary?,
        max: Int,
    ): List<ConversationSummary>

    suspend fun search(
        text: String,
        max: Int,
    ): List<SearchHit>

    /** The last message of a conversation, if it has any. */
    suspend fun lastMessage(id: String): String?

    /** Makes a conversation, whose title becomes the beginning of its first question. */
    suspend fun create(): ChatSession

    suspend fun open(id: String): ChatSession

    suspend fun rename(
        id: String,
        title: String,
    )

    suspend fun pin(
        id: String,
        isPinned: Boolean,
    )

    suspend fun delete(id: String)
}

/** An open conversation. */
interface ChatSession {
    val id: String

    /** What was said so far. */
    fun messages(): List<Message>

    /** Asks [question]; as [org.whimbrel.Conversation.ask]. */
    fun ask(question: String): Flow<Event>

    /** Stops the answer in progress, which then ends with its report. */
    fun stop()

    /** Waits for the end of an answer that was cancelled, and gives the memory back. */
    suspend fun leave()
}

/** As [org.whimbrel.Outbox]. What the user does with a question fails while that is being answered. */
interface QuestionQueue {
    /** Says when something is new about a question, with the id of its conversation; `null` if that is not known. */
    val news: Flow<String?>

    suspend fun list(): List<QueuedQuestion>

    /** Sends what is due, for as long as the app is open. */
    suspend fun start()

    /** Sends what is due, and waits until nothing more can be sent now or the time for it is over. */
    suspend fun runDue(): OutboxRun

    suspend fun confirm(id: Long)

    suspend fun retry(id: Long)

    suspend fun cancel(id: Long)

    suspend fun edit(
        id: Long,
        text: String,
    )
}

/** Where an answer came from and how it ended, as far as its receipt says. */
data class Origin(
    val provenance: Provenance?,
    val ending: Ending?,
)
