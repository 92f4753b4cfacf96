// scripts/bindings-values.py writes this from bindings/ffi/src/assistant.rs: change that, then run  make bindings.
package org.whimbrel

/**
 * Something that was recognised as personal or secret in a text.
 *
 * @property kind its kind: `email`, `phone`, `person_name` and so on. The special categories `health`, `religion`,
 *   `sexuality`, `politics`, `trade_union`, `ethnicity` and `crime` are not replaced.
 * @property start the index of its first character (Unicode scalar value).
 * @property end the index of the character after its last one.
 * @property confidence the confidence, from 0 to 1.
 */
public data class Finding(
    public val kind: String,
    public val start: Int,
    public val end: Int,
    public val confidence: Float,
)

/**
 * A text in which the findings have been replaced.
 *
 * @property text the text with placeholders.
 * @property findings the findings in the original text, in order.
 */
public data class RedactedText(
    public val text: String,
    public val findings: List<Finding>,
)
