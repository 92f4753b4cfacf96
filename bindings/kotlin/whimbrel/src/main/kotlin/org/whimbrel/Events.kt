// scripts/bindings-values.py writes this from bindings/ffi/src/conversation.rs: change that, then run  make bindings.
package org.whimbrel

/** Who says a message. */
public enum class Role {
    /** What the app tells the model beforehand. */
    SYSTEM,

    /** The person. */
    USER,

    /** The model. */
    ASSISTANT,
}

/**
 * One message of a conversation. To go on with an earlier conversation, hand back what `messages()` gave.
 *
 * @property role who says it.
 * @property content the text.
 * @property privacyClass how private it is. A message without it is treated as the most private message that its
 *   conversation ever held.
 * @property recipients who besides this device's model may read it. Apps keep this value and hand it back; what is in
 *   it may change between versions. A message without it may be read only by those who might read every message that
 *   its conversation ever held.
 */
public data class Message(
    public val role: Role,
    public val content: String,
    public val privacyClass: PrivacyClass? = null,
    public val recipients: List<String>? = null,
)

/** What an answer brings, in this order. All but the last may come again. */
public sealed interface Event {
    /**
     * A place was asked.
     *
     * @property place which.
     * @property release in which form the text leaves the device; nothing when it stays.
     */
    public data class Started(
        public val place: Place,
        public val release: Release?,
    ) : Event

    /**
     * The model read a part of the prompt. A short prompt is read in one go, without this event.
     *
     * @property done prompt tokens read so far.
     * @property total prompt tokens in all.
     */
    public data class Reading(
        public val done: Int,
        public val total: Int,
    ) : Event

    /**
     * The model thinks before it answers. What it thinks is no part of the answer and is not given.
     *
     * @property bytes bytes of its thoughts so far.
     */
    public data class Thinking(
        public val bytes: Long,
    ) : Event

    /**
     * The next piece of text, never empty and never half a character.
     *
     * @property text the piece.
     */
    public data class Text(
        public val text: String,
    ) : Event

    /** The text so far is void: another place answers from the beginning. */
    public data object Restarted : Event

    /**
     * The answer is over; nothing follows.
     *
     * @property report how it went.
     */
    public data class Finished(
        public val report: Report,
    ) : Event
}
