package org.whimbrel

import kotlin.time.Duration

/** What an answer of an [Assistant] brings, in this order, though beginnings, texts and restarts may come again. */
public sealed interface AssistantEvent {
    /** [place] was asked; [sent] says in which form the text leaves the device, and is `null` when it stays. */
    public data class Trying(
        public val place: Place,
        public val sent: Sent?,
    ) : AssistantEvent

    /** The next piece of text, never empty. */
    public data class Text(
        public val text: String,
    ) : AssistantEvent

    /** The text so far is void: another place answers from the beginning. */
    public data object Restarted : AssistantEvent

    /** It is over; nothing follows. */
    public data class Finished(
        public val report: Report,
    ) : AssistantEvent
}

/** Where a request ran, or was to run. */
public sealed interface Place {
    /** A model of Whimbrel's own engine, by name, quantisation and the hash that its manifest states. */
    public data class OnDevice(
        public val model: String,
        public val variant: String,
        public val hash: String,
    ) : Place

    /** The system's model, which the app reaches. */
    public data class SystemModel(
        public val adapter: String,
    ) : Place

    /** An endpoint of the policy, whose machine it is, and the model that was asked for. */
    public data class Remote(
        public val endpoint: String,
        public val trust: TrustClass,
        public val model: String,
    ) : Place
}

/** Whose machine an endpoint is. */
public enum class TrustClass {
    /** Another device of the same person, nearby. */
    OWN_DEVICE,

    /** A machine of the person's organisation. */
    ORGANISATION,

    /** Anybody else's. */
    PUBLIC_CLOUD,
}

/** In which form a text leaves the device. */
public enum class Sent {
    /** As it is. */
    AS_IS,

    /** With every finding replaced by a placeholder. */
    REDACTED,
}

/** How private a text is, from the least to the most. */
public enum class PrivacyClass {
    /** Nothing about a person. */
    PUBLIC,

    /** About a person, ordinary: a name, an address, a telephone number. */
    PERSONAL,

    /** Harmful in wrong hands: national ids, cards and accounts, dates of birth, or whatever the app calls so. */
    SENSITIVE,

    /** Opens something: passwords, keys, or whatever the app calls so. */
    SECRET,
}

/** What an answer needs beyond text. */
public enum class Need {
    /** Calls of tools. */
    TOOLS,

    /** An answer that follows a JSON schema. */
    JSON,
}

/** How a request ended. None of these is an error. */
public enum class Outcome {
    /** With an answer. */
    ANSWERED,

    /** The user or the app stopped it. */
    CANCELLED,

    /** Nothing that was tried gave an answer. */
    FAILED,

    /** The deadline passed. Receipts call this failed. */
    DEADLINE_PASSED,

    /** Nothing that the rules allow could answer; nothing was tried. Receipts call this failed. */
    UNAVAILABLE,

    /** The rules deny it. */
    DENIED,

    /** It was put off to a better time. */
    DEFERRED,

    /** The process ended before the request did. Only in receipts. */
    INTERRUPTED,
}

/** Something that was listed and not tried, and why, in words. */
public data class Refused(
    public val name: String,
    public val reason: String,
)

/**
 * How a request went. It says what a person would ask for, and holds no text of theirs.
 *
 * @property receipt the receipt's number in the ledger.
 * @property outcome how it ended.
 * @property isPartial whether a part of an answer was shown and stays, though the outcome is not an answer.
 * @property place where the answer came from, or what was tried last.
 * @property sent in which form the text left the device, if it did.
 * @property reasons why it ran there, in words.
 * @property rules the ids of the rules that had a say.
 * @property tried the names of what was tried, in order.
 * @property refused what was listed and not tried.
 * @property bytesOut bytes that left the device.
 * @property bytesIn bytes that came back.
 * @property redacted findings that were replaced in text that left.
 * @property tokensIn tokens that were read for the answer.
 * @property tokensOut tokens of the answer.
 * @property timeToFirstToken from the request to the first text that stayed.
 * @property total from the request to its end.
 * @property millijoules thousandths of a joule that it took on this device, if there is an estimate.
 * @property canEscalate whether the answer looks weak and may be asked for elsewhere: [RoutedConversation.escalate].
 * @property summary one line for a person: where it ran and why.
 * @property json all of it, with each attempt and the device as it was seen.
 */
public data class Report(
    public val receipt: Long,
    public val outcome: Outcome,
    public val isPartial: Boolean,
    public val place: Place?,
    public val sent: Sent?,
    public val reasons: List<String>,
    public val rules: List<String>,
    public val tried: List<String>,
    public val refused: List<Refused>,
    public val bytesOut: Long,
    public val bytesIn: Long,
    public val redacted: Int,
    public val tokensIn: Long,
    public val tokensOut: Long,
    public val timeToFirstToken: Duration?,
    public val total: Duration,
    public val millijoules: Long?,
    public val canEscalate: Boolean,
    public val summary: String,
    public val json: String,
)

/** What would be decided about a question. */
public enum class Decision {
    /** Something may be tried. */
    RUN,

    /** Nothing can be tried now, and the request may wait. */
    DEFER,

    /** The rules deny everything that was listed. */
    DENIED,

    /** Something is allowed, but nothing can answer now. */
    UNAVAILABLE,
}

/**
 * A decision with everything that led to it.
 *
 * @property decision the decision.
 * @property candidates the names of what would be tried, in order.
 * @property refused what was listed and would not be tried.
 * @property rules the ids of the rules that have a say.
 * @property text all of it for a person.
 * @property json all of it.
 */
public data class Explanation(
    public val decision: Decision,
    public val candidates: List<String>,
    public val refused: List<Refused>,
    public val rules: List<String>,
    public val text: String,
    public val json: String,
)

/**
 * Something personal or secret in a text.
 *
 * @property kind `email`, `phone`, `person_name` and so on.
 * @property start the index of its first character, counted in Unicode code points.
 * @property end the index behind its last character.
 * @property confidence how sure this is, from 0 to 1.
 */
public data class Finding(
    public val kind: String,
    public val start: Int,
    public val end: Int,
    public val confidence: Float,
)

/** A text with placeholders, and what was found in the original, in its order. */
public data class RedactedText(
    public val text: String,
    public val findings: List<Finding>,
)
