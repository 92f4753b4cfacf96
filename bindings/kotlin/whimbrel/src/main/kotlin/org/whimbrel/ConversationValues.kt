// scripts/bindings-values.py writes this from bindings/ffi/src/conversations.rs: change that, then run  make bindings.
package org.whimbrel

/**
 * A conversation as a list shows it.
 *
 * @property id its id, 32 hexadecimal digits, which stays the same on all devices.
 * @property number its number on this device: later ones have higher numbers. The next page of the list goes on by it.
 * @property title its title.
 * @property createdMs when it was made, in milliseconds since 1970.
 * @property updatedMs when a message was last added or replaced, in milliseconds since 1970.
 * @property isPinned whether it stands before the others.
 * @property messages how many messages it has.
 * @property bytes what its messages take on the disk, in bytes.
 */
public data class ConversationSummary(
    public val id: String,
    public val number: Long,
    public val title: String,
    public val createdMs: Long,
    public val updatedMs: Long,
    public val isPinned: Boolean,
    public val messages: Int,
    public val bytes: Long,
)

/** Whether a message is whole. */
public enum class MessageState {
    /** It is whole. */
    COMPLETE,

    /** It is an answer that is being written. */
    IN_PROGRESS,

    /** It is an answer that ended early: it was cancelled, it failed, or its process ended. */
    INTERRUPTED,

    /** Its content could not be read any more and was given up by `repair`. */
    LOST,
}

/**
 * A message as it is kept.
 *
 * @property role the author.
 * @property content the text.
 * @property timeMs when it was written, in milliseconds since 1970.
 * @property receipt the number of its request's receipt in the ledger.
 * @property state whether it is whole.
 */
public data class KeptMessage(
    public val role: Role,
    public val content: String,
    public val timeMs: Long,
    public val receipt: Long?,
    public val state: MessageState,
)

/**
 * A conversation with everything that was said in it.
 *
 * @property summary what a list shows of it.
 * @property messages its messages, without the system message.
 */
public data class KeptConversation(
    public val summary: ConversationSummary,
    public val messages: List<KeptMessage>,
)

/**
 * A text that was found.
 *
 * @property conversation the id of the conversation.
 * @property message the position of the message in it, from 0. Absent if the text was found in the title.
 * @property timeMs when the message was written, or the conversation last changed, in milliseconds since 1970.
 * @property text the whole title or message.
 * @property start the index of the first character of the match (Unicode scalar value).
 * @property end the index of the character after its last one.
 */
public data class SearchHit(
    public val conversation: String,
    public val message: Int?,
    public val timeMs: Long,
    public val text: String,
    public val start: Int,
    public val end: Int,
)

/**
 * Selects old conversations to delete: those that match either value, unless they are pinned.
 *
 * @property updatedBeforeMs conversations whose last message is older than this time, in milliseconds since 1970.
 * @property conversationsMax the number of newest conversations to keep. Pinned ones are not counted.
 */
public data class Retention(
    public val updatedBeforeMs: Long? = null,
    public val conversationsMax: Int? = null,
)

/**
 * What an import of conversations did.
 *
 * @property added the ids of the conversations that were added.
 * @property present how many were there already, and were left as they are.
 */
public data class ImportedConversations(
    public val added: List<String>,
    public val present: Int,
)

/**
 * What a repair gave up.
 *
 * @property titles titles that are empty now.
 * @property attributes conversations of which it is no longer known how private they are. They are treated like
 *   imported ones.
 * @property messages messages that have no content now, and the state `Lost`.
 * @property questions queued questions that were removed.
 * @property answers cached answers that were removed.
 */
public data class Repaired(
    public val titles: Long,
    public val attributes: Long,
    public val messages: Long,
    public val questions: Long,
    public val answers: Long,
)

/**
 * What a recovery found.
 *
 * @property aside the new path of the damaged database. It still has everything that can be read of it, encrypted as
 *   before.
 * @property kept what the new database has from it.
 * @property lost what is lost, as far as something tells of it.
 * @property logPagesLost pages of the database's log that cannot be used. If there are any, the newest changes may be
 *   missing.
 */
public data class Recovered(
    public val aside: String?,
    public val kept: RecoveredRows,
    public val lost: RecoveredRows,
    public val logPagesLost: Long,
)

/**
 * Numbers of what is kept in a store.
 *
 * @property conversations conversations.
 * @property messages messages.
 * @property questions queued questions.
 * @property answers remembered answers.
 * @property entries entries of the ledger.
 * @property feedback signs of feedback.
 */
public data class RecoveredRows(
    public val conversations: Long,
    public val messages: Long,
    public val questions: Long,
    public val answers: Long,
    public val entries: Long,
    public val feedback: Long,
)

/**
 * How a change of the data key went.
 *
 * @property rows values that have the new key.
 * @property unreadable values that were damaged before, and are as unreadable as before. `repair` gives them up.
 */
public data class KeyRotation(
    public val rows: Long,
    public val unreadable: Long,
)
