//! A saved prefix: tokens with their keys and values as bytes, from which a session can continue without running the tokens.
//!
//! The bytes (version 1, little-endian, nothing after the end):
//!
//! | bytes | content |
//! |---|---|
//! | 8 | the letters `WHIMKV` and two zero bytes |
//! | 4 × 6 | version, kind of the keys and values (0: half precision, 1: 8 bits with a scale per position; both in blocks of positions), positions per block, tokens, bytes of the note, layers |
//! | 32 | the model: BLAKE3 over the manifest's hash and the variant's name |
//! | 8 | bytes of keys, values and columns |
//! | 4 per token | token ids |
//! | | the note: any data that the writer wants to store |
//! | | keys and values: for each attention layer and each of its key/value heads, first the keys, then the values, in whole blocks; in a layer with a window only the blocks that the next token sees |
//! | | columns: for each convolution those before the next token that it sees, as 32-bit floats |
//! | 32 | BLAKE3 of everything before |

use whimbrel_kernels::KvPrecision;

use crate::cache::{KvCache, Layout};
use crate::{EngineError, Model, PrefixError};

/// The format version.
pub const PREFIX_VERSION: u32 = 1;
/// Maximum length of a saved prefix's note in bytes.
pub const PREFIX_NOTE_BYTES_MAX: u32 = 32 << 20;

const MAGIC: [u8; 8] = *b"WHIMKV\0\0";
const HASH_BYTES: usize = 32;
const HEADER_BYTES: usize = MAGIC.len() + 6 * 4 + HASH_BYTES + 8;

/// A saved prefix that was parsed and checked. Only the ids are copied.
///
/// ```
/// # use std::path::Path;
/// # use whimbrel_engine::{Model, OpenOptions};
/// use whimbrel_engine::{CancelFlag, PrefixError, SavedPrefix, Session};
///
/// # fn main() -> Result<(), whimbrel_engine::EngineError> {
/// # let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared-models/tiny");
/// # let model = Model::open(Path::new(folder), &OpenOptions::default())?;
/// let mut first = Session::new(&model, 64)?;
/// first.prefill(&[20, 21, 22], &CancelFlag::default())?;
/// let mut bytes = first.save_prefix(2, b"a note")?;
///
/// let saved = SavedPrefix::parse(&bytes, &model)?;
/// assert_eq!(saved.note(), b"a note");
/// let mut second = Session::new(&model, 64)?;
/// second.restore_prefix(&saved)?;
/// assert_eq!(second.tokens(), [20, 21]);
///
/// bytes[100] ^= 1;
/// assert_eq!(SavedPrefix::parse(&bytes, &model).unwrap_err(), PrefixError::Checksum);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct SavedPrefix<'b> {
    ids: Vec<u32>,
    note: &'b [u8],
    values: &'b [u8],
}

impl<'b> SavedPrefix<'b> {
    /// Parses and checks what [`crate::Session::save_prefix`] wrote. Accepts any bytes.
    ///
    /// # Errors
    /// [`PrefixError`], except [`PrefixError::TooLong`].
    pub fn parse(bytes: &'b [u8], model: &Model) -> Result<SavedPrefix<'b>, PrefixError> {
        SavedPrefix::parse_with(bytes, model, true)
    }

    /// As [`SavedPrefix::parse`], for bytes that are known to be as they were written: their checksum is not computed again.
    ///
    /// # Errors
    /// As [`SavedPrefix::parse`], except [`PrefixError::Checksum`].
    pub fn parse_unchanged(bytes: &'b [u8], model: &Model) -> Result<SavedPrefix<'b>, PrefixError> {
        SavedPrefix::parse_with(bytes, model, false)
    }

    fn parse_with(bytes: &'b [u8], model: &Model, may_be_changed: bool) -> Result<SavedPrefix<'b>, PrefixError> {
        let layout = model.layout();
        let parsed = parse(bytes, &model_hash(model), layout, may_be_changed)?;
        let expected = layout.saved_bytes(parsed.ids.len());
        if parsed.values.len() as u64 != expected {
            return Err(PrefixError::Content {
                reason: "the keys and values do not match the tokens",
            });
        }
        let vocabulary = model.tokenizer().vocabulary_len();
        if parsed.ids.iter().any(|id| *id >= vocabulary) {
            return Err(PrefixError::Content {
                reason: "a token is not in the vocabulary",
            });
        }
        Ok(parsed)
    }

    /// The tokens.
    #[must_use]
    pub fn tokens(&self) -> &[u32] {
        &self.ids
    }

    /// The writer's note.
    #[must_use]
    pub fn note(&self) -> &'b [u8] {
        self.note
    }

    pub(crate) fn values(&self) -> &'b [u8] {
        self.values
    }
}

/// What a saved context is bound to beyond its form: the bundle, the variant, the kernels that computed it and the precision of its keys and
/// values.
pub(crate) fn binding(model: &Model) -> [u8; HASH_BYTES] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&model_hash(model));
    hasher.update(whimbrel_kernels::Level::best().name().as_bytes());
    hasher.update(&kind(model.layout().precision).to_le_bytes());
    *hasher.finalize().as_bytes()
}

/// How a precision is written.
fn kind(precision: KvPrecision) -> u32 {
    match precision {
        KvPrecision::Half => 0,
        KvPrecision::Int8 => 1,
    }
}

/// What binds a prefix to its model.
fn model_hash(model: &Model) -> [u8; HASH_BYTES] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(model.manifest().blake3.as_bytes());
    hasher.update(model.variant().name.as_bytes());
    *hasher.finalize().as_bytes()
}

/// Tokens, note and values as bytes.
pub(crate) fn write(
    model: &Model,
    ids: &[u32],
    note: &[u8],
    write_values: impl FnOnce(&mut Vec<u8>),
) -> Result<Vec<u8>, EngineError> {
    if note.len() > PREFIX_NOTE_BYTES_MAX as usize {
        return Err(EngineError::Option {
            option: "note",
            expected: format!("at most {PREFIX_NOTE_BYTES_MAX} bytes"),
            found: note.len().to_string(),
        });
    }
    let layout = model.layout();
    let values = layout.saved_bytes(ids.len());
    let mut bytes = Vec::with_capacity(HEADER_BYTES + 4 * ids.len() + note.len() + values as usize + HASH_BYTES);
    bytes.extend(MAGIC);
    for number in [
        PREFIX_VERSION,
        kind(layout.precision),
        KvCache::BLOCK as u32,
        ids.len() as u32,
        note.len() as u32,
        layout.layers() as u32,
    ] {
        bytes.extend(number.to_le_bytes());
    }
    bytes.extend(model_hash(model));
    bytes.extend(values.to_le_bytes());
    for id in ids {
        bytes.extend(id.to_le_bytes());
    }
    bytes.extend(note);
    write_values(&mut bytes);
    let hash = blake3::hash(&bytes);
    bytes.extend(hash.as_bytes());
    Ok(bytes)
}

/// Takes the bytes apart. Lengths are compared before anything is read or allocated, the checksum before anything is believed.
fn parse<'b>(
    bytes: &'b [u8],
    model: &[u8; HASH_BYTES],
    layout: &Layout,
    may_be_changed: bool,
) -> Result<SavedPrefix<'b>, PrefixError> {
    let rest = bytes.strip_prefix(&MAGIC).ok_or(PrefixError::NotAPrefix)?;
    let Some((numbers, rest)) = rest.split_first_chunk::<24>() else {
        return Err(PrefixError::NotAPrefix);
    };
    let number = |index: usize| {
        let (numbers, _) = numbers.as_chunks::<4>();
        u32::from_le_bytes(numbers[index])
    };
    if number(0) != PREFIX_VERSION {
        return Err(PrefixError::Version {
            found: number(0),
            supported: PREFIX_VERSION,
        });
    }
    let Some((written_for, rest)) = rest.split_first_chunk::<HASH_BYTES>() else {
        return Err(PrefixError::NotAPrefix);
    };
    let Some((values, rest)) = rest.split_first_chunk::<8>() else {
        return Err(PrefixError::NotAPrefix);
    };
    let (tokens, note, values) = (u64::from(number(3)), u64::from(number(4)), u64::from_le_bytes(*values));
    let expected = (4 * tokens + note + (HEADER_BYTES + HASH_BYTES) as u64).saturating_add(values);
    if expected != bytes.len() as u64 {
        return Err(PrefixError::Length {
            expected,
            found: bytes.len() as u64,
        });
    }
    if written_for != model {
        return Err(PrefixError::OtherModel);
    }
    let is_of_kind = number(1) == kind(layout.precision) && number(2) as usize == KvCache::BLOCK;
    if !is_of_kind || number(5) as usize != layout.layers() {
        return Err(PrefixError::OtherKind);
    }
    let (content, hash) = bytes.split_at(bytes.len() - HASH_BYTES);
    if may_be_changed && blake3::hash(content).as_bytes() != hash {
        return Err(PrefixError::Checksum);
    }
    if note > u64::from(PREFIX_NOTE_BYTES_MAX) {
        return Err(PrefixError::Content {
            reason: "the note is too long",
        });
    }
    // All three fit, since their sum is the length of the bytes.
    let (ids, rest) = rest.split_at(4 * tokens as usize);
    let (note, rest) = rest.split_at(note as usize);
    let (ids, _) = ids.as_chunks::<4>();
    Ok(SavedPrefix {
        ids: ids.iter().map(|id| u32::from_le_bytes(*id)).collect(),
        note,
        values: &rest[..values as usize],
    })
}
