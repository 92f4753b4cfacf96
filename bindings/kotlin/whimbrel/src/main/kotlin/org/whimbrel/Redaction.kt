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
 * @property placeholder the placeholder that replaces it in the redacted text; findings next to each other may share
 *   one. Absent for a special category.
 */
public data class Finding(
    public val kind: String,
    public val start: Int,
    public val end: Int,
    public val confidence: Float,
    public val placeholder: String?,
)

/**
 * Something that may be personal but is too unsure to be replaced. It raises the privacy class of the text.
 *
 * @property kind what it may be, in the words of `Finding.kind`.
 * @property start the index of its first character (Unicode scalar value).
 * @property end the index of the character after its last one.
 */
public data class Guess(
    public val kind: String,
    public val start: Int,
    public val end: Int,
)

/**
 * A text in which the findings have been replaced.
 *
 * @property text the text with placeholders.
 * @property findings the findings in the original text, in order.
 * @property guesses the guesses in the original text, in order.
 */
public data class RedactedText(
    public val text: String,
    public val findings: List<Finding>,
    public val guesses: List<Guess>,
)
