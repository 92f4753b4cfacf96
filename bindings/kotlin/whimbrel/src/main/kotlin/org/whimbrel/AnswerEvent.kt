package org.whimbrel

import kotlin.time.Duration

/** What an answer brings: progress, then text, then the figures. */
public sealed interface AnswerEvent {
    /** A part of the prompt was read: [done] of [total] tokens. A short one is read in one go, without this event. */
    public data class Prefilled(
        public val done: Int,
        public val total: Int,
    ) : AnswerEvent

    /** The next piece of text, never empty and never half a character. */
    public data class Text(
        public val text: String,
    ) : AnswerEvent

    /** The answer is complete; nothing follows. */
    public data class Finished(
        public val statistics: Statistics,
    ) : AnswerEvent
}

/** Why an answer ended. */
public enum class FinishReason {
    /** The model ended its turn, or a stop text appeared. */
    STOP,

    /** The limit on tokens or the end of the context was reached. */
    LENGTH,

    /** The answer was stopped, or what it belongs to was closed. */
    CANCELLED,
}

/**
 * Counts and rates of one answer.
 *
 * @property finishReason why it ended.
 * @property promptTokens tokens of the whole prompt, template and history included.
 * @property reusedTokens how many of them were still known from before and not computed again.
 * @property completionTokens tokens of the answer.
 * @property draftedTokens tokens that were guessed and checked.
 * @property acceptedTokens how many of them were right.
 * @property droppedMessages oldest messages left out because the context was full.
 * @property timeToFirstToken from the start of the answer to its first token; zero when there was none.
 * @property total from the start of the answer to its end.
 * @property prefillTokensPerSecond prompt tokens a second of computing.
 * @property decodeTokensPerSecond answer tokens a second of computing.
 */
public data class Statistics(
    public val finishReason: FinishReason,
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
