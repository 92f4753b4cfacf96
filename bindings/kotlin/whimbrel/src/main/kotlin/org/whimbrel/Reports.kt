// scripts/bindings-values.py writes this from bindings/ffi/src/report.rs: change that, then run  make bindings.
package org.whimbrel

import kotlin.time.Duration

/**
 * How a request went. The report contains no text of the user.
 *
 * @property receipt the receipt's number in the ledger. Absent without a policy.
 * @property isRecorded whether the receipt records how the request ended. It is false if, for example, the disk was
 *   full; the ledger then closes the receipt as interrupted when it is next opened.
 * @property isKept whether question and answer are on the disk. Absent for a conversation that is not kept.
 * @property queued the number of the queued question, if it waits in the outbox. It is on the disk then.
 * @property answeredBefore present if an answer that was remembered was given again: no place was asked.
 * @property calls the tools that were called, in order.
 * @property outcome how the request ended.
 * @property code why there is no answer, as one of the codes in `docs/ledger.md`: `deadline`, `unavailable`,
 *   `content_filter` and so on.
 * @property isPartial whether part of an answer was shown and remains, although the request was not answered.
 * @property finish why the answer is complete.
 * @property place where the answer came from, or which place was tried last.
 * @property release in which form the text left the device, if it did.
 * @property reasons why it ran there, in words.
 * @property rules the ids of the rules that affected the decision.
 * @property attempts the names of the places that were tried, in order.
 * @property refused places that were listed but not tried.
 * @property bytesOut bytes that left the device.
 * @property bytesIn bytes that were received.
 * @property redacted findings that were replaced in text that left.
 * @property tokensIn prompt tokens.
 * @property tokensOut answer tokens.
 * @property thinkingBytes bytes of the model's thinking in the last attempt, which is not part of the answer.
 * @property timeToFirstToken time from the request to the first text that was not discarded.
 * @property total time from the request to its end.
 * @property millijoules estimated energy used on this device in millijoules, if there is an estimate.
 * @property statistics statistics of Whimbrel's own engine, if it made the answer.
 * @property unsupported the names of options that were given but that the place ignored.
 * @property canEscalate whether the answer looks weak and the question may be asked again elsewhere with `escalate`.
 * @property summary a one-line summary for people: where it ran and why.
 * @property json the complete report in JSON, with each attempt and the device's state at the decision.
 */
public data class Report(
    public val receipt: Long?,
    public val isRecorded: Boolean,
    public val isKept: Boolean?,
    public val queued: Long?,
    public val answeredBefore: AnsweredBefore?,
    public val calls: List<CallReport>,
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

/** How a request ended. None of these outcomes is an error. */
public enum class Outcome {
    /** With an answer. */
    ANSWERED,

    /** The user or the app cancelled it. */
    CANCELLED,

    /**
     * No place gave an answer. The code says why: `deadline` if the deadline passed, `unavailable` if no allowed place
     * can answer now.
     */
    FAILED,

    /** The policy denies it. */
    DENIED,

    /** It was deferred. */
    DEFERRED,

    /** The process ended before the request did. This occurs only in receipts. */
    INTERRUPTED,
}

/** Why an answer is complete. */
public enum class FinishReason {
    /** The model ended it, or a stop string occurred. */
    STOP,

    /** It reached its token limit, or the end of the context. */
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

/** A place where a request ran, or could run. */
public sealed interface Place {
    /**
     * A model of Whimbrel's own engine.
     *
     * @property model the model's name.
     * @property variant the quantisation.
     * @property hash the hash in the bundle's manifest.
     */
    public data class OnDevice(
        public val model: String,
        public val variant: String,
        public val hash: String,
    ) : Place

    /**
     * The system's model, which the app provides.
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
     * @property trust who operates the endpoint.
     * @property model the requested model.
     */
    public data class Remote(
        public val endpoint: String,
        public val trust: TrustClass,
        public val model: String,
    ) : Place
}

/** Kinds of places, for selecting receipts. */
public enum class PlaceKind {
    /** Whimbrel's own engine. */
    ON_DEVICE,

    /** The system's model. */
    SYSTEM_MODEL,

    /** Another device of the user. */
    OWN_DEVICE,

    /** A machine of the organisation. */
    ORGANISATION,

    /** A public cloud. */
    PUBLIC_CLOUD,
}

/** Who operates an endpoint. */
public enum class TrustClass {
    /** Another device of the user, nearby. */
    OWN_DEVICE,

    /** The user's organisation. */
    ORGANISATION,

    /** Anyone else. */
    PUBLIC_CLOUD,
}

/** In which form a text leaves the device. */
public enum class Release {
    /** As it is. */
    AS_IS,

    /** With every finding replaced with a placeholder. */
    REDACTED,
}

/**
 * A place that was listed but not tried.
 *
 * @property name its name, such as `remote:` followed by the endpoint's id.
 * @property reason why, in words.
 */
public data class Refused(
    public val name: String,
    public val reason: String,
)

/**
 * Token counts and rates of an answer from Whimbrel's own engine.
 *
 * @property promptTokens tokens of the whole prompt, template and history included.
 * @property reusedTokens prompt tokens that were taken from the cache and not computed again.
 * @property completionTokens tokens of the answer.
 * @property draftedTokens tokens that were guessed and checked in speculative decoding.
 * @property acceptedTokens guessed tokens that were right.
 * @property forcedTokens tokens that the form of the answer left no choice about; they were not decoded one by one.
 * @property droppedMessages oldest messages that were left out because the context was full.
 * @property timeToFirstToken time from the start of the answer to its first token; 0 if there was none.
 * @property total time from the start of the answer to its end.
 * @property prefillTokensPerSecond prompt tokens per second of computing time.
 * @property decodeTokensPerSecond answer tokens per second of computing time.
 */
public data class Statistics(
    public val promptTokens: Int,
    public val reusedTokens: Int,
    public val completionTokens: Int,
    public val draftedTokens: Int,
    public val acceptedTokens: Int,
    public val forcedTokens: Int,
    public val droppedMessages: Int,
    public val timeToFirstToken: Duration,
    public val total: Duration,
    public val prefillTokensPerSecond: Double,
    public val decodeTokensPerSecond: Double,
)

/** What would be decided about a question. */
public enum class Decision {
    /** At least one place may be tried. */
    RUN,

    /** No place can be tried now, but the request may wait. */
    DEFER,

    /** The policy denies every place that it lists. */
    DENIED,

    /** Some places are allowed, but none can answer now. */
    UNAVAILABLE,
}

/**
 * Where an answer that was given again comes from.
 *
 * @property receipt the receipt of the request that it answered first. The ledger may have it no longer.
 * @property age how long ago that was.
 */
public data class AnsweredBefore(
    public val receipt: Long,
    public val age: Duration,
)

/**
 * A decision and how it was made.
 *
 * @property decision the decision.
 * @property candidates the names of the places that would be tried, in order.
 * @property refused places that were listed but would not be tried.
 * @property rules the ids of the rules that affect the decision.
 * @property text the complete explanation for people.
 * @property json the complete explanation in JSON.
 */
public data class Explanation(
    public val decision: Decision,
    public val candidates: List<String>,
    public val refused: List<Refused>,
    public val rules: List<String>,
    public val text: String,
    public val json: String,
)
