// scripts/bindings-values.py writes this from bindings/ffi/src/conversation.rs: change that, then run  make bindings.
package org.whimbrel

/** The author of a message. */
public enum class Role {
    /** The app, with instructions for the model. */
    SYSTEM,

    /** The user. */
    USER,

    /** The model. */
    ASSISTANT,
}

/**
 * One message of a conversation. To resume an earlier conversation, pass back the messages that `messages()` returned.
 *
 * @property role the author.
 * @property content the text.
 * @property privacyClass how private the message is. A message without this value is treated like the most private
 *   message that its conversation has ever held.
 * @property recipients who may read the message, apart from the model on this device. Store this value and pass it back
 *   unchanged; its content may change between versions. A message without it may be read only by those who may read
 *   every message that its conversation has ever held.
 * @property receipt the number of the receipt of the request that it is the question or the answer of.
 * @property isInterrupted whether it is an answer that ended early: it was cancelled, or its process ended.
 */
public data class Message(
    public val role: Role,
    public val content: String,
    public val privacyClass: PrivacyClass? = null,
    public val recipients: List<String>? = null,
    public val receipt: Long? = null,
    public val isInterrupted: Boolean = false,
)

/** What an answer brings, in this order. All but the last may come again. */
public sealed interface Event {
    /**
     * A place was asked.
     *
     * @property place the place.
     * @property release in which form the text leaves the device. Absent if the text stays.
     */
    public data class Started(
        public val place: Place,
        public val release: Release?,
    ) : Event

    /**
     * Part of the prompt was read. A short prompt is read in one step, without this event.
     *
     * @property done prompt tokens read so far.
     * @property total prompt tokens in total.
     */
    public data class Reading(
        public val done: Int,
        public val total: Int,
    ) : Event

    /**
     * The next piece of what the model thinks before it answers, never empty. It is not part of the answer or of the
     * conversation. Discard what was thought so far when another place starts.
     *
     * @property text the piece.
     */
    public data class Thinking(
        public val text: String,
    ) : Event

    /**
     * The next piece of text, never empty and never half a character.
     *
     * @property text the piece.
     */
    public data class Text(
        public val text: String,
    ) : Event

    /** Discard the text so far: another place answers from the beginning. */
    public data object Restarted : Event

    /**
     * The model calls a tool of the app, and the answer waits for its result: see `give_result`.
     *
     * @property call the call.
     */
    public data class Call(
        public val call: PendingCall,
    ) : Event

    /**
     * The answer has ended. This is the last event.
     *
     * @property report how the request went.
     */
    public data class Finished(
        public val report: Report,
    ) : Event
}
