package org.whimbrel

import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.flow
import kotlinx.coroutines.flow.flowOn
import org.whimbrel.ffi.Conversations as CoreConversations

/**
 * Conversations that are kept on this device, encrypted: see [Assistant.conversations] and [WhimbrelClient.conversations].
 * No function blocks its caller. Every call fails with [WhimbrelException.Closed] after the assistant or the store was
 * closed, with [WhimbrelException.Sealed] if the vault lost its keys or a value was changed, with
 * [WhimbrelException.NotFound] for a conversation that does not exist, and with [WhimbrelException.Ledger] if the store
 * cannot be read or written.
 */
public class Conversations internal constructor(
    private val core: CoreConversations,
) : AutoCloseable {
    /**
     * Emits once at the start, and then whenever titles, messages, or which conversations there are may have changed.
     * Several changes may count as one. Call [list] at each. Ends when the store is closed.
     */
    public val changes: Flow<Unit> =
        flow {
            val changes = translated { core.changes() }
            changes.use { while (translated { it.next() }) emit(Unit) }
        }.flowOn(Dispatchers.Default) // a collector without a dispatcher would run on the core's own thread

    /** What is kept only to save time. */
    public val caches: Caches = Caches { core.caches() }

    /** The same conversations; [model] alone answers in those that are opened from now on. */
    public fun answeredBy(model: LanguageModel): Conversations =
        translated { Conversations(core.answeredBy(model.core)) }

    /**
     * Makes a conversation. An empty [title] is replaced by the beginning of the first question. If the policy says
     * `queue`, a question that cannot be answered now waits in the [Outbox]: see [Report.queued].
     *
     * @throws WhimbrelException.NoModel if neither a policy nor a model decides: see [answeredBy].
     */
    public suspend fun create(
        title: String = "",
        options: ConversationOptions = ConversationOptions(),
    ): Conversation = awaited { Conversation(core.create(title, options.toCore())) }

    /**
     * Opens a conversation. One that is open already is the same one, and its options stay as they are. A system message
     * in the options replaces the conversation's; initial messages are ignored.
     */
    public suspend fun open(
        id: String,
        options: ConversationOptions = ConversationOptions(),
    ): Conversation = awaited { Conversation(core.open(id, options.toCore())) }

    /**
     * A page of the list, at most 1,000: pinned conversations first, then those with the newest messages. The next page
     * begins [after] the last one of this one.
     */
    public suspend fun list(
        after: ConversationSummary? = null,
        max: Int = CONVERSATIONS_A_PAGE,
    ): List<ConversationSummary> = awaited { core.list(after?.toCore(), max.atLeastZero("max")).map { it.toPublic() } }

    /** The id of the newest conversation with exactly this title, or `null`. */
    public suspend fun findTitle(title: String): String? = awaited { core.findTitle(title) }

    /** A conversation with its messages. It is not opened. */
    public suspend fun show(id: String): KeptConversation = awaited { core.show(id).toPublic() }

    /** Changes the title. */
    public suspend fun rename(
        id: String,
        title: String,
    ): Unit = awaited { core.rename(id, title) }

    /** Puts a conversation before the others, or back among them. */
    public suspend fun pin(
        id: String,
        isPinned: Boolean = true,
    ): Unit = awaited { core.pin(id, isPinned) }

    /** Deletes a conversation with its queued questions. Nothing of it stays in a file. If it is open, it is closed. */
    public suspend fun delete(id: String): Unit = awaited { core.delete(id) }

    /** Deletes old conversations, and returns the ids of those that are gone. */
    public suspend fun retain(retention: Retention): List<String> = awaited { core.retain(retention.toCore()) }

    /** Finds a text in all titles and messages, regardless of case: the newest hits, at most [max]. */
    public suspend fun search(
        text: String,
        max: Int = HITS_OF_A_SEARCH,
    ): List<SearchHit> = awaited { core.search(text, max.atLeastZero("max")).map { it.toPublic() } }

    /**
     * Writes conversations as one JSON document to the new file [path], which only its owner can read: those with these
     * [ids], or all of them. The document is not encrypted.
     */
    public suspend fun export(
        path: String,
        ids: List<String>? = null,
    ): Unit = awaited { core.exportDocument(path, ids) }

    /**
     * Adds the conversations of a document that [export] wrote, all of them or none. Those that are here already are
     * left as they are.
     *
     * @throws WhimbrelException.Document if the document cannot be read.
     */
    public suspend fun import(path: String): ImportedConversations = awaited { core.importDocument(path).toPublic() }

    /**
     * Gives up single values that were damaged; everything around them can be used again. It reads the whole store, so
     * it is meant for one in which a call failed with [WhimbrelException.Sealed] and the problem `value_changed`.
     */
    public suspend fun repair(): Repaired = awaited { core.repair().toPublic() }

    /**
     * Encrypts everything that is kept with a new data key, and removes the old one from the vault. Everything can be
     * used meanwhile. If this is cancelled, or the process ends, the next call goes on where it was.
     */
    public suspend fun rotateKey(): KeyRotation = awaited { core.rotateKey().toPublic() }

    /** Whether [rotateKey] has begun and is not finished. */
    public suspend fun isRotatingKey(): Boolean = awaited { core.isRotatingKey() }

    /**
     * Closes the open conversations and a store that a [WhimbrelClient] opened. Returns at once, and may be called
     * again. An assistant's store is closed with the assistant.
     */
    override fun close(): Unit = core.release()

    /** Like [close], and waits until answers have ended and the store may be opened again. Safe to call again. */
    public suspend fun shutdown(): Unit = awaited { core.shutdown() }

    public companion object {
        /** The default page size of [list]. */
        public const val CONVERSATIONS_A_PAGE: Int = 100

        /** The default number of hits of [search]. */
        public const val HITS_OF_A_SEARCH: Int = 100
    }
}
