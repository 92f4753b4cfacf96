// scripts/bindings-values.py writes this from bindings/ffi/src/policy.rs: change that, then run  make bindings.
package org.whimbrel

import kotlin.time.Duration
import kotlin.time.Duration.Companion.milliseconds

/** A policy that comes with the core. */
public enum class Preset {
    /** Nothing ever leaves the device. */
    PRIVATE,

    /** On the device whenever it can be done there, and elsewhere only when it cannot. */
    ON_DEVICE_FIRST,

    /** Wherever the answers were best so far, as long as nothing in the text is recognised as private. */
    BALANCED,

    /** The endpoints first, with what is recognised as private replaced. */
    QUALITY_FIRST,
}

/** A document with rules. */
public sealed interface PolicyDocument {
    /**
     * As TOML.
     *
     * @property text the document.
     */
    public data class Toml(
        public val text: String,
    ) : PolicyDocument

    /**
     * As JSON.
     *
     * @property text the document.
     */
    public data class Json(
        public val text: String,
    ) : PolicyDocument

    /**
     * One that comes with the core, with the app's endpoints.
     *
     * @property preset which.
     * @property endpoints `[[endpoints]]` tables in TOML, perhaps none. Errors count lines from the beginning of the
     *   preset's own text.
     */
    public data class OfPreset(
        public val preset: Preset,
        public val endpoints: String = "",
    ) : PolicyDocument
}

/**
 * Public keys of which one must be in a server's chain of certificates.
 *
 * @property sha256 sHA-256 of a certificate's public key information, each as 64 hexadecimal digits; at least two.
 * @property expiresUnixSeconds from this second after 1970 on the pins are no longer looked at: an app that nobody
 *   updates must not lock itself out.
 * @property isReportOnly only log what would be refused, and let it through.
 */
public data class Pins(
    public val sha256: List<String>,
    public val expiresUnixSeconds: Long,
    public val isReportOnly: Boolean = false,
)

/**
 * Time limits of one request to an endpoint.
 *
 * @property connect until a connection stands.
 * @property firstByte from then until the first byte of the answer.
 * @property idle between two parts of the answer.
 * @property total all of it.
 */
public data class Timeouts(
    public val connect: Duration = 10000.milliseconds,
    public val firstByte: Duration = 60000.milliseconds,
    public val idle: Duration = 30000.milliseconds,
    public val total: Duration = 300000.milliseconds,
)

/** Where an endpoint wants the limit of tokens. */
public enum class TokenLimitField {
    /** `max_tokens`, which nearly every server knows. */
    MAX_TOKENS,

    /** `max_completion_tokens`, which newer models of OpenAI ask for. */
    MAX_COMPLETION_TOKENS,
}

/**
 * What the app knows about an endpoint besides what stands in the policy.
 *
 * @property authoritiesPem certificate authorities to trust as well, in PEM.
 * @property pins public keys to insist on.
 * @property timeouts time limits.
 * @property keyHeader the header that takes the key alone, such as `api-key`; without it the key goes as a bearer
 *   token.
 * @property tokenLimitField where the limit of tokens goes.
 */
public data class EndpointExtras(
    public val authoritiesPem: String = "",
    public val pins: Pins? = null,
    public val timeouts: Timeouts? = null,
    public val keyHeader: String? = null,
    public val tokenLimitField: TokenLimitField = TokenLimitField.MAX_TOKENS,
)

/** Whether feedback is learned from and used. */
public enum class LearningMode {
    /** It is learned from, and what is uncertain is tried now and then. */
    ON,

    /** Nothing more is learned; what was learned is used. */
    FROZEN,

    /** Nothing is learned or used. What was learned is kept. */
    OFF,
}

/** A sign of how good an answer was. */
public sealed interface Signal {
    /** The user liked it. */
    public data object ThumbsUp : Signal

    /** The user did not like it. */
    public data object ThumbsDown : Signal

    /** The user asked for another one. */
    public data object Regenerated : Signal

    /** The user stopped it. */
    public data object Aborted : Signal

    /**
     * The user kept it, perhaps with changes.
     *
     * @property editedPermille how much was changed, in thousandths of the answer's length: 0 when it was kept as it
     *   was.
     */
    public data class Kept(
        public val editedPermille: Int,
    ) : Signal

    /** It did not have the form that was asked for. */
    public data object SchemaFailed : Signal

    /** The user took up the offer to ask elsewhere. `Conversation.escalate` says so by itself. */
    public data object EscalationAccepted : Signal
}
