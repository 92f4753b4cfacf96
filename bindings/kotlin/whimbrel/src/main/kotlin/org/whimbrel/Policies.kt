// scripts/bindings-values.py writes this from bindings/ffi/src/policy.rs: change that, then run  make bindings.
package org.whimbrel

import kotlin.time.Duration
import kotlin.time.Duration.Companion.milliseconds

/** A policy that is included in the core. */
public enum class Preset {
    /** Nothing ever leaves the device. */
    PRIVATE,

    /** Answers on the device whenever possible, and elsewhere only if it is not. */
    ON_DEVICE_FIRST,

    /** Wherever the answers were best so far, as long as nothing in the text is recognised as private. */
    BALANCED,

    /** The endpoints first, with what is recognised as private replaced. */
    QUALITY_FIRST,
}

/** A policy document. */
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
     * A preset, with the app's endpoints.
     *
     * @property preset the preset.
     * @property endpoints `[[endpoints]]` tables in TOML, or an empty text. Line numbers in errors count from the
     *   beginning of the preset's own text.
     */
    public data class OfPreset(
        public val preset: Preset,
        public val endpoints: String = "",
    ) : PolicyDocument
}

/**
 * Public keys, at least one of which must be in a server's certificate chain.
 *
 * @property sha256 the SHA-256 hashes of the certificates' public key information, each as 64 hexadecimal digits; at
 *   least two.
 * @property expiresUnixSeconds the pins expire at this time, in seconds since 1970, so that an app that is never
 *   updated does not lock itself out.
 * @property isReportOnly whether to accept and log connections that the pins would refuse.
 */
public data class Pins(
    public val sha256: List<String>,
    public val expiresUnixSeconds: Long,
    public val isReportOnly: Boolean = false,
)

/**
 * Timeouts of a request to an endpoint.
 *
 * @property connect until the connection is established.
 * @property firstByte from then until the first byte of the answer.
 * @property idle between two parts of the answer.
 * @property total for the whole request.
 */
public data class Timeouts(
    public val connect: Duration = 10000.milliseconds,
    public val firstByte: Duration = 60000.milliseconds,
    public val idle: Duration = 30000.milliseconds,
    public val total: Duration = 300000.milliseconds,
)

/** The request field in which an endpoint expects the token limit. */
public enum class TokenLimitField {
    /** `max_tokens`, which nearly every server supports. */
    MAX_TOKENS,

    /** `max_completion_tokens`, which newer OpenAI models require. */
    MAX_COMPLETION_TOKENS,
}

/**
 * Connection settings of an endpoint that are not part of the policy.
 *
 * @property authoritiesPem additional certificate authorities to trust, in PEM.
 * @property pins pinned public keys.
 * @property timeouts timeouts.
 * @property keyHeader the name of the header that carries the key by itself, such as `api-key`. Without it, the key is
 *   sent as a bearer token.
 * @property tokenLimitField the field for the token limit. The default is `MAX_TOKENS`.
 */
public data class EndpointExtras(
    public val authoritiesPem: String = "",
    public val pins: Pins? = null,
    public val timeouts: Timeouts? = null,
    public val keyHeader: String? = null,
    public val tokenLimitField: TokenLimitField = TokenLimitField.MAX_TOKENS,
)

/** Whether the assistant learns from feedback and uses what it learned. */
public enum class LearningMode {
    /** Learns from feedback, and now and then tries places whose quality is uncertain. */
    ON,

    /** Learns nothing more, but uses what was learned. */
    FROZEN,

    /** Neither learns nor uses what was learned, but keeps it. */
    OFF,
}

/** Feedback on an answer. */
public sealed interface Signal {
    /** The user liked it. */
    public data object ThumbsUp : Signal

    /** The user did not like it. */
    public data object ThumbsDown : Signal

    /** The user asked for another answer. */
    public data object Regenerated : Signal

    /** The user stopped the answer. */
    public data object Aborted : Signal

    /**
     * The user kept the answer, possibly with changes.
     *
     * @property editedPermille how much was changed, in thousandths of the answer's length; 0 if it was kept as it was.
     */
    public data class Kept(
        public val editedPermille: Int,
    ) : Signal

    /** The answer did not have the requested format. */
    public data object SchemaFailed : Signal

    /** The user accepted the offer to ask elsewhere. `Conversation.escalate` records this automatically. */
    public data object EscalationAccepted : Signal
}
