//! Token kinds.

/// The kind of a token. The numbers are those of GGUF's `tokenizer.ggml.token_type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum TokenKind {
    /// Text, found by merging.
    Normal = 1,
    /// Represents text that the vocabulary cannot express; never the result of encoding text.
    Unknown = 2,
    /// Structure of the conversation: recognised only if special tokens are requested.
    Control = 3,
    /// A text that is always one token.
    UserDefined = 4,
    /// Never the result of encoding.
    Unused = 5,
    /// A single byte; treated as [`TokenKind::Normal`].
    Byte = 6,
}

impl TokenKind {
    const ALL: [Self; 6] = [
        Self::Normal,
        Self::Unknown,
        Self::Control,
        Self::UserDefined,
        Self::Unused,
        Self::Byte,
    ];

    /// The kind with this number in GGUF.
    pub fn from_number(number: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|&kind| kind as u32 == number)
    }

    /// Whether the token's text is looked for in the text before it is cut into words.
    pub(super) fn is_special(self) -> bool {
        self.is_control() || self == Self::UserDefined
    }

    /// Whether the token is structure and not text.
    pub(super) fn is_control(self) -> bool {
        matches!(self, Self::Unknown | Self::Control)
    }
}
