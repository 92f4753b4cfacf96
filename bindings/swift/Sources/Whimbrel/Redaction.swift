// scripts/bindings-values.py writes this from bindings/ffi/src/assistant.rs: change that, then run  make bindings.

/// Something that was recognised as personal or secret in a text.
public struct Finding: Sendable, Equatable {
    /// Its kind: `email`, `phone`, `person_name` and so on. The special categories `health`, `religion`, `sexuality`,
    /// `politics`, `trade_union`, `ethnicity` and `crime` are not replaced.
    public var kind: String
    /// The index of its first character (Unicode scalar value).
    public var start: Int
    /// The index of the character after its last one.
    public var end: Int
    /// The confidence, from 0 to 1.
    public var confidence: Float

    /// Takes every value; those with a default can be left out.
    public init(
        kind: String,
        start: Int,
        end: Int,
        confidence: Float
    ) {
        self.kind = kind
        self.start = start
        self.end = end
        self.confidence = confidence
    }
}

/// A text in which the findings have been replaced.
public struct RedactedText: Sendable, Equatable {
    /// The text with placeholders.
    public var text: String
    /// The findings in the original text, in order.
    public var findings: [Finding]

    /// Takes every value; those with a default can be left out.
    public init(
        text: String,
        findings: [Finding]
    ) {
        self.text = text
        self.findings = findings
    }
}
