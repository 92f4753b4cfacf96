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
    /// The placeholder that replaces it in the redacted text; findings next to each other may share one. Absent for a
    /// special category.
    public var placeholder: String?

    /// Takes every value; those with a default can be left out.
    public init(
        kind: String,
        start: Int,
        end: Int,
        confidence: Float,
        placeholder: String?
    ) {
        self.kind = kind
        self.start = start
        self.end = end
        self.confidence = confidence
        self.placeholder = placeholder
    }
}

/// Something that may be personal but is too unsure to be replaced. It raises the privacy class of the text.
public struct Guess: Sendable, Equatable {
    /// What it may be, in the words of `Finding.kind`.
    public var kind: String
    /// The index of its first character (Unicode scalar value).
    public var start: Int
    /// The index of the character after its last one.
    public var end: Int

    /// Takes every value; those with a default can be left out.
    public init(
        kind: String,
        start: Int,
        end: Int
    ) {
        self.kind = kind
        self.start = start
        self.end = end
    }
}

/// A text in which the findings have been replaced.
public struct RedactedText: Sendable, Equatable {
    /// The text with placeholders.
    public var text: String
    /// The findings in the original text, in order.
    public var findings: [Finding]
    /// The guesses in the original text, in order.
    public var guesses: [Guess]

    /// Takes every value; those with a default can be left out.
    public init(
        text: String,
        findings: [Finding],
        guesses: [Guess]
    ) {
        self.text = text
        self.findings = findings
        self.guesses = guesses
    }
}
