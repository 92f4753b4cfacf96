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

use std::io;

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

/// Where the bytes of a saved prefix are read from: any part of them at any time, by several threads at once.
pub trait PrefixSource: Send + Sync {
    /// How many bytes there are.
    fn bytes(&self) -> u64;

    /// Reads that begin and end at multiples of so many bytes cost least.
    fn chunk_bytes(&self) -> u32;

    /// Reads the bytes from `offset` on into `parts`, one after the other, as many as they have room for.
    ///
    /// # Errors
    /// Any reason why they cannot be read. `parts` may then hold any bytes.
    fn read(&self, offset: u64, parts: &mut [&mut [u8]]) -> io::Result<()>;
}

impl PrefixSource for [u8] {
    fn bytes(&self) -> u64 {
        self.len() as u64
    }

    fn chunk_bytes(&self) -> u32 {
        1 << 16
    }

    fn read(&self, offset: u64, parts: &mut [&mut [u8]]) -> io::Result<()> {
        let start = usize::try_from(offset).ok();
        let mut rest = start
            .and_then(|start| self.get(start..))
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        for part in parts {
            let (now, later) = rest.split_at_checked(part.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
            part.copy_from_slice(now);
            rest = later;
        }
        Ok(())
    }
}

impl<S: PrefixSource + ?Sized> PrefixSource for &S {
    fn bytes(&self) -> u64 {
        (**self).bytes()
    }

    fn chunk_bytes(&self) -> u32 {
        (**self).chunk_bytes()
    }

    fn read(&self, offset: u64, parts: &mut [&mut [u8]]) -> io::Result<()> {
        (**self).read(offset, parts)
    }
}

/// A saved prefix whose header, ids and note were read and checked. Its keys and values are read when a session starts from it.
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
/// drop(saved);
/// bytes[100] ^= 1;
/// assert_eq!(SavedPrefix::parse(&bytes, &model).unwrap_err(), PrefixError::Checksum);
/// # Ok(())
/// # }
/// ```
pub struct SavedPrefix<'s> {
    ids: Vec<u32>,
    note: Vec<u8>,
    source: Box<dyn PrefixSource + 's>,
    /// Where in the source its keys, values and columns begin.
    values_start: u64,
}

impl std::fmt::Debug for SavedPrefix<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "SavedPrefix({} tokens)", self.ids.len())
    }
}

impl<'s> SavedPrefix<'s> {
    /// Parses and checks what [`crate::Session::save_prefix`] wrote. Accepts any bytes.
    ///
    /// # Errors
    /// [`PrefixError`], except [`PrefixError::TooLong`].
    pub fn parse(bytes: &'s [u8], model: &Model) -> Result<SavedPrefix<'s>, PrefixError> {
        let header = Header::parse(bytes, bytes.len() as u64, model)?;
        let (content, hash) = bytes.split_at(bytes.len() - HASH_BYTES);
        if blake3::hash(content).as_bytes() != hash {
            return Err(PrefixError::Checksum);
        }
        header.check(model.layout())?;
        let front = &bytes[HEADER_BYTES..][..header.front_bytes()];
        header.finish(front, model, Box::new(bytes))
    }

    /// Reads and checks the beginning of what [`crate::Session::save_prefix`] wrote, where the source itself notices changed bytes: their
    /// checksum is not computed.
    ///
    /// # Errors
    /// [`EngineError::Prefix`] as [`SavedPrefix::parse`], except [`PrefixError::Checksum`]; [`EngineError::PrefixRead`].
    pub fn open(source: &'s dyn PrefixSource, model: &Model) -> Result<SavedPrefix<'s>, EngineError> {
        let read = |offset: usize, length: u64| {
            let mut bytes = vec![0; length as usize];
            let read = source.read(offset as u64, &mut [&mut bytes]);
            read.map(|()| bytes)
                .map_err(|source| EngineError::PrefixRead { source })
        };
        let total = source.bytes();
        let header = Header::parse(&read(0, total.min(HEADER_BYTES as u64))?, total, model)?;
        header.check(model.layout())?;
        let front = read(HEADER_BYTES, header.front_bytes() as u64)?;
        Ok(header.finish(&front, model, Box::new(source))?)
    }

    /// The tokens.
    #[must_use]
    pub fn tokens(&self) -> &[u32] {
        &self.ids
    }

    /// The writer's note.
    #[must_use]
    pub fn note(&self) -> &[u8] {
        &self.note
    }

    /// The source, and where in it the keys, values and columns begin.
    pub(crate) fn values(&self) -> (&dyn PrefixSource, u64) {
        (&*self.source, self.values_start)
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

/// The lengths that a header names. Their sum is that of all bytes.
struct Header {
    tokens: usize,
    note_bytes: usize,
    values_bytes: u64,
}

impl Header {
    /// Takes the header at the beginning of `bytes` apart, for a prefix of `total` bytes. Lengths are compared before anything else is read or
    /// allocated.
    fn parse(bytes: &[u8], total: u64, model: &Model) -> Result<Header, PrefixError> {
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
        let Some((values, _)) = rest.split_first_chunk::<8>() else {
            return Err(PrefixError::NotAPrefix);
        };
        let (tokens, note, values) = (u64::from(number(3)), u64::from(number(4)), u64::from_le_bytes(*values));
        let expected = (4 * tokens + note + (HEADER_BYTES + HASH_BYTES) as u64).saturating_add(values);
        if expected != total {
            return Err(PrefixError::Length { expected, found: total });
        }
        if *written_for != model_hash(model) {
            return Err(PrefixError::OtherModel);
        }
        let layout = model.layout();
        let is_of_kind = number(1) == kind(layout.precision) && number(2) as usize == KvCache::BLOCK;
        if !is_of_kind || number(5) as usize != layout.layers() {
            return Err(PrefixError::OtherKind);
        }
        Ok(Header {
            tokens: tokens as usize,
            note_bytes: note as usize,
            values_bytes: values,
        })
    }

    /// Compares the lengths with what they may be.
    fn check(&self, layout: &Layout) -> Result<(), PrefixError> {
        let reason = if self.note_bytes > PREFIX_NOTE_BYTES_MAX as usize {
            "the note is too long"
        } else if self.values_bytes != layout.saved_bytes(self.tokens) {
            "the keys and values do not match the tokens"
        } else {
            return Ok(());
        };
        Err(PrefixError::Content { reason })
    }

    /// Bytes of ids and note, which follow the header.
    fn front_bytes(&self) -> usize {
        4 * self.tokens + self.note_bytes
    }

    fn finish<'s>(
        &self,
        front: &[u8],
        model: &Model,
        source: Box<dyn PrefixSource + 's>,
    ) -> Result<SavedPrefix<'s>, PrefixError> {
        let (ids, note) = front.split_at(4 * self.tokens);
        let (ids, _) = ids.as_chunks::<4>();
        let ids: Vec<u32> = ids.iter().map(|id| u32::from_le_bytes(*id)).collect();
        let vocabulary = model.tokenizer().vocabulary_len();
        if ids.iter().any(|id| *id >= vocabulary) {
            return Err(PrefixError::Content {
                reason: "a token is not in the vocabulary",
            });
        }
        Ok(SavedPrefix {
            ids,
            note: note.to_vec(),
            source,
            values_start: (HEADER_BYTES + front.len()) as u64,
        })
    }
}
