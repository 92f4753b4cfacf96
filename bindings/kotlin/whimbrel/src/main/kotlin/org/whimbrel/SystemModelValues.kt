// scripts/bindings-values.py writes this from bindings/ffi/src/system_model.rs: change that, then run  make bindings.
package org.whimbrel

import kotlin.time.Duration

/** Whether the system's model can be asked now. */
public enum class Availability {
    /** Yes. */
    AVAILABLE,

    /** Another app uses it, or its quota is used up for now. */
    BUSY,

    /** The system is still fetching it. */
    DOWNLOADING,

    /** This device has none, or the user switched it off. */
    UNAVAILABLE,
}

/**
 * What a system model can do now.
 *
 * @property model its name, in receipts and rules: `gemini-nano`.
 * @property availability whether it can be asked now.
 * @property supports what it can do beyond text.
 * @property contextTokens prompt and answer tokens that fit.
 * @property timeToFirstToken expected time to the first token.
 * @property tokensPerSecond expected tokens a second.
 */
public data class SystemCapabilities(
    public val model: String,
    public val availability: Availability,
    public val supports: List<Need> = emptyList(),
    public val contextTokens: Int? = null,
    public val timeToFirstToken: Duration? = null,
    public val tokensPerSecond: Float? = null,
)

/** Why a system model gives no answer. */
public enum class SystemFailure {
    /** It is in use by another app. */
    BUSY,

    /** Its quota is used up for now. */
    QUOTA_EXCEEDED,

    /** It declined to answer this. */
    DECLINED,

    /** It got no memory. */
    OUT_OF_MEMORY,

    /** It is not there, or not yet. */
    UNAVAILABLE,

    /** Anything else. */
    FAILED,
}
