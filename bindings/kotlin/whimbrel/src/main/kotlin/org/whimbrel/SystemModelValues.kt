// scripts/bindings-values.py writes this from bindings/ffi/src/system_model.rs: change that, then run  make bindings.
package org.whimbrel

import kotlin.time.Duration

/** Whether the system's model is available now. */
public enum class Availability {
    /** Yes. */
    AVAILABLE,

    /** Another app is using it, or its quota is used up for now. */
    BUSY,

    /** The system is still downloading it. */
    DOWNLOADING,

    /** This device has no system model, or the user switched it off. */
    UNAVAILABLE,
}

/**
 * The current capabilities of a system model.
 *
 * @property model its name in receipts and rules, such as `gemini-nano`.
 * @property availability whether it is available now.
 * @property supports the features it supports beyond text.
 * @property contextTokens size of its context in tokens, prompt and answer together.
 * @property timeToFirstToken expected time to the first token.
 * @property tokensPerSecond expected tokens per second.
 */
public data class SystemCapabilities(
    public val model: String,
    public val availability: Availability,
    public val supports: List<Need> = emptyList(),
    public val contextTokens: Int? = null,
    public val timeToFirstToken: Duration? = null,
    public val tokensPerSecond: Float? = null,
)

/** Why a system model gave no answer. */
public enum class SystemFailure {
    /** Another app is using it. */
    BUSY,

    /** Its quota is used up for now. */
    QUOTA_EXCEEDED,

    /** It declined to answer. */
    DECLINED,

    /** It ran out of memory. */
    OUT_OF_MEMORY,

    /** It is not available, or not yet. */
    UNAVAILABLE,

    /** Any other reason. */
    FAILED,
}
