// scripts/bindings-values.py writes this from bindings/ffi/src/report.rs: change that, then run  make bindings.
package org.whimbrel

import kotlin.time.Duration

/**
 * How a request went. It says what a person would ask for, and holds no text of theirs.
 *
 * @property receipt the receipt's number in the ledger; nothing where no rules decide.
 * @property isRecorded whether the receipt says how it ended; not when the disk was full. The next opening of the
 *   ledger then closes it as interrupted.
 * @property outcome how it ended.
 * @property code why there is no answer, as a word that `docs/ledger.md` lists: `deadline`, `unavailable`,
 *   `content_filter` and so on.
 * @property isPartial whether a part of an answer was shown and stays, though the outcome is not an answer.
 * @property finish why the answer is complete.
 * @property place where the answer came from, or what was tried last.
 * @property release in which form the text left the device, if it did.
 * @property reasons why it ran there, in words.
 * @property rules the ids of the rules that had a say.
 * @property attempts the names of what was tried, in order.
 * @property refused what was listed and not tried.
 * @property bytesOut bytes that left the device.
 * @property bytesIn bytes that came back.
 * @property redacted findings that were replaced in text that left.
 * @property tokensIn tokens that were read for the answer.
 * @property tokensOut tokens of the answer.
 * @property thinkingBytes bytes of what the model thought in the last attempt, which are no part of the answer.
 * @property timeToFirstToken from the request to the first text that stayed.
 * @property total from the request to its end.
 * @property millijoules thousandths of a joule that it took on this device, if there is an estimate.
 * @property statistics the engine's figures, when Whimbrel's own engine answered.
 * @property unsupported the names of options that were given and that the place could not honour.
 * @property canEscalate whether the answer looks weak and may be asked for elsewhere: see `escalate`.
 * @property summary one line for a person: where it ran and why.
 * @property json all of it, with each attempt and the device as it was seen, in JSON.
 */
public data class Report(
    public val receipt: Long?,
    public val isRecorded: Boolean,
    public val outcome: Outcome,
    public val code: String?,
    public val isPartial: Boolean,
    public val finish: FinishReason?,
    public val place: Place?,
    public val release: Release?,
    public val reasons: List<String>,
    public val rules: List<String>,
    public val attempts: List<String>,
    public val refused: List<Refused>,
    public val bytesOut: Long,
    public val bytesIn: Long,
    public val redacted: Int,
    public val tokensIn: Long,
    public val tokensOut: Long,
    public val thinkingBytes: Long,
    public val timeToFirstToken: Duration?,
    public val total: Duration,
    public val millijoules: Long?,
    public val statistics: Statistics?,
    public val unsupported: List<String>,
    public val canEscalate: Boolean,
    public val summary: String,
    public val json: String,
)

/** How a request ended. None of these is an error. */
public enum class Outcome {
    /** With an answer. */
    ANSWERED,

    /** The user or the app stopped it. */
    CANCELLED,

    /**
     * Nothing gave an answer. The code says why: `deadline` when its time was up, `unavailable` when nothing that the
     * rules allow can answer now.
     */
    FAILED,

    /** The rules deny it. */
    DENIED,

    /** It was put off to a better time. */
    DEFERRED,

    /** The process ended before the request did. Only in receipts. */
    INTERRUPTED,
}

/** Why an answer is complete. */
public enum class FinishReason {
    /** The model ended it, or a stop text appeared. */
    STOP,

    /** It reached its limit of tokens, or the end of the context. */
    LENGTH,

    /** It said the same over and over and was ended. */
    REPETITION,

    /** A filter at the place withheld the rest. */
    CONTENT_FILTER,

    /** The model called a tool. */
    TOOL_CALLS,

    /** The user or the app stopped it. */
    CANCELLED,

    /** The place did not say. */
    UNSTATED,
}

/** Where a request ran, or was to run. */
public sealed interface Place {
    /**
     * A model of Whimbrel's own engine.
     *
     * @property model the model's name.
     * @property variant which quantisation of it.
     * @property hash the hash that the bundle's manifest states.
     */
    public data class OnDevice(
        public val model: String,
        public val variant: String,
        public val hash: String,
    ) : Place

    /**
     * The system's model, which the app reaches.
     *
     * @property adapter its name.
     */
    public data class SystemModel(
        public val adapter: String,
    ) : Place

    /**
     * An endpoint of the policy.
     *
     * @property endpoint the endpoint's id.
     * @property trust whose machine it is.
     * @property model the model that was asked for.
     */
    public data class Remote(
        public val endpoint: String,
        public val trust: TrustClass,
        public val model: String,
    ) : Place
}

/** Kinds of places, to choose receipts by. */
public enum class PlaceKind {
    /** Whimbrel's own engine. */
    ON_DEVICE,

    /** The system's model. */
    SYSTEM_MODEL,

    /** Another device of the same person. */
    OWN_DEVICE,

    /** A machine of the organisation. */
    ORGANISATION,

    /** A public cloud. */
    PUBLIC_CLOUD,
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
public enum class Release {
    /** As it is. */
    AS_IS,

    /** With every finding replaced by a placeholder. */
    REDACTED,
}

/**
 * Something that was listed and not tried.
 *
 * @property name its name: `remote:` and the endpoint's id, for example.
 * @property reason why, in words.
 */
public data class Refused(
    public val name: String,
    public val reason: String,
)

/**
 * Counts and rates of an answer of Whimbrel's own engine.
 *
 * @property promptTokens tokens of the whole prompt, template and history included.
 * @property reusedTokens how many of them were still known from before and not computed again.
 * @property completionTokens tokens of the answer.
 * @property draftedTokens tokens that were guessed and checked.
 * @property acceptedTokens how many of them were right.
 * @property droppedMessages oldest messages left out because the context was full.
 * @property timeToFirstToken from the start of the answer to its first token; 0 when there was none.
 * @property total from the start of the answer to its end.
 * @property prefillTokensPerSecond prompt tokens a second of computing.
 * @property decodeTokensPerSecond answer tokens a second of computing.
 */
public data class Statistics(
    public val promptTokens: Int,
    public val reusedTokens: Int,
    public val completionTokens: Int,
    public val draftedTokens: Int,
    public val acceptedTokens: Int,
    public val droppedMessages: Int,
    public val timeToFirstToken: Duration,
    public val total: Duration,
    public val prefillTokensPerSecond: Double,
    public val decodeTokensPerSecond: Double,
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
 * @property json all of it in JSON.
 */
public data class Explanation(
    public val decision: Decision,
    public val candidates: List<String>,
    public val refused: List<Refused>,
    public val rules: List<String>,
    public val text: String,
    public val json: String,
)
