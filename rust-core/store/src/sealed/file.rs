//! A sealed file: a header, then chunks that are encrypted one by one, so that a large cache is written in a stream, and read in any order by
//! several threads. AES-256-GCM where the processor has instructions for it, otherwise ChaCha20-Poly1305.
//!
//! The header is `whimbrel-file-1`, a byte for the algorithm (1 or 2), the data key's version (4 bytes, little-endian), and 32 random
//! bytes. Each file has a key of its own, derived from the data key, the header, the purpose and the name. Chunks hold 64 KiB and a tag; the
//! last one is shorter or marked. A chunk's nonce is its number and the mark of the last one (Hoang, Reyhanitabar, Rogaway and Vizár,
//! "Online Authenticated-Encryption and its Nonce-Reuse Misuse-Resistance", the construction STREAM).

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;

use ring::aead::LessSafeKey;
use whimbrel_files::NewFile;
use zeroize::Zeroizing;

use super::cipher::{FileCipher, NONCE_BYTES, TAG_BYTES, open_detached, seal_detached};
use super::keyring::DataKey;
use super::{Keyring, SealError};
use crate::StoreError;

const MAGIC: &[u8] = b"whimbrel-file-1";
const CONTEXT: &str = "whimbrel store 2026-11-29 file";
const HEADER_BYTES: usize = MAGIC.len() + 1 + 4 + 32;
pub(super) const CHUNK_BYTES: usize = 64 * 1024;
const AES_256_GCM: u8 = 1;
const CHACHA20_POLY1305: u8 = 2;

/// What can go wrong before it is known which path an error of the system belongs to.
pub(super) enum FileFault {
    Io(io::Error),
    Store(StoreError),
}

impl From<io::Error> for FileFault {
    fn from(error: io::Error) -> FileFault {
        FileFault::Io(error)
    }
}

impl From<StoreError> for FileFault {
    fn from(error: StoreError) -> FileFault {
        FileFault::Store(error)
    }
}

impl From<SealError> for FileFault {
    fn from(error: SealError) -> FileFault {
        FileFault::Store(error.into())
    }
}

/// Where a chunk stands.
#[derive(Clone, Copy)]
struct Chunk {
    number: u32,
    last: bool,
}

/// The key of one file; none if the header names a cipher that this program does not know.
fn file_key(key: &DataKey, header: &[u8; HEADER_BYTES], purpose: &str, name: &str) -> Option<LessSafeKey> {
    let mut material = Zeroizing::new(Vec::with_capacity(256));
    material.extend_from_slice(&*key.files);
    material.extend_from_slice(header);
    for text in [purpose, name] {
        material.extend_from_slice(&(text.len() as u64).to_le_bytes());
        material.extend_from_slice(text.as_bytes());
    }
    let key = Zeroizing::new(blake3::derive_key(CONTEXT, &material));
    let cipher = match header[MAGIC.len()] {
        AES_256_GCM => FileCipher::Aes256Gcm,
        CHACHA20_POLY1305 => FileCipher::ChaCha20Poly1305,
        _ => return None,
    };
    Some(cipher.key(&key))
}

impl Chunk {
    fn nonce(self) -> [u8; NONCE_BYTES] {
        let mut nonce = [0; NONCE_BYTES];
        nonce[..4].copy_from_slice(&self.number.to_le_bytes());
        nonce[4] = u8::from(self.last);
        nonce
    }

    fn advance(&mut self) -> io::Result<()> {
        let too_large = || io::Error::new(io::ErrorKind::FileTooLarge, "a sealed file has too many chunks");
        self.number = self.number.checked_add(1).ok_or_else(too_large)?;
        Ok(())
    }
}

/// Writes a sealed file. It appears with [`SealedWriter::finish`]; without it, nothing is left.
pub struct SealedWriter {
    file: NewFile,
    key: LessSafeKey,
    chunk: Chunk,
    waiting: Zeroizing<Vec<u8>>,
}

impl SealedWriter {
    pub(super) fn begin(
        mut file: NewFile,
        keyring: &Keyring,
        purpose: &str,
        name: &str,
    ) -> Result<SealedWriter, FileFault> {
        let algorithm = match FileCipher::fastest() {
            FileCipher::Aes256Gcm => AES_256_GCM,
            FileCipher::ChaCha20Poly1305 => CHACHA20_POLY1305,
        };
        let key = keyring.newest().ok_or(SealError::KeyLost { version: 1 })?;
        let mut header = [0; HEADER_BYTES];
        header[..MAGIC.len()].copy_from_slice(MAGIC);
        header[MAGIC.len()] = algorithm;
        header[MAGIC.len() + 1..MAGIC.len() + 5].copy_from_slice(&key.version.to_le_bytes());
        getrandom::fill(&mut header[MAGIC.len() + 5..]).map_err(|_| StoreError::Random)?;
        file.write_all(&header)?;
        Ok(SealedWriter {
            file,
            key: file_key(key, &header, purpose, name).expect("the cipher is one of two"),
            chunk: Chunk { number: 0, last: false },
            waiting: Zeroizing::new(Vec::with_capacity(CHUNK_BYTES + TAG_BYTES)),
        })
    }

    fn put_chunk(&mut self) -> io::Result<()> {
        let tag = seal_detached(&self.key, self.chunk.nonce(), b"", &mut self.waiting);
        self.waiting.extend_from_slice(&tag);
        self.file.write_all(&self.waiting)?;
        self.waiting.clear();
        self.chunk.advance()
    }

    /// Writes the rest, and puts the file to its place in one step. It then survives a crash.
    ///
    /// # Errors
    /// The system's; the earlier file with this name is then unchanged.
    pub fn finish(mut self) -> io::Result<()> {
        self.chunk.last = true;
        self.put_chunk()?;
        self.file.commit()
    }
}

impl Write for SealedWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A full chunk waits until more comes: the last one is marked.
        if self.waiting.len() == CHUNK_BYTES {
            self.put_chunk()?;
        }
        let taken = bytes.len().min(CHUNK_BYTES - self.waiting.len());
        self.waiting.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A sealed file that is read. Its length and its last chunk were checked, so that nothing can be missing at its end.
pub(super) struct SealedReader {
    file: File,
    key: LessSafeKey,
    name: String,
    chunks: u32,
    plain_bytes: u64,
}

impl SealedReader {
    pub(super) fn begin(
        mut file: File,
        file_bytes: u64,
        keyring: &Keyring,
        purpose: &str,
        name: &str,
    ) -> Result<SealedReader, FileFault> {
        let changed = || SealError::File { name: name.to_owned() };
        let mut header = [0; HEADER_BYTES];
        match file.read_exact(&mut header) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Err(changed().into()),
            result => result?,
        }
        let version = header
            .strip_prefix(MAGIC)
            .and_then(|rest| rest[1..].first_chunk::<4>())
            .map(|version| u32::from_le_bytes(*version))
            .ok_or_else(changed)?;
        let key = keyring.key(version)?;
        let key = file_key(key, &header, purpose, name).ok_or_else(changed)?;
        let (chunks, plain_bytes) = lengths(file_bytes).ok_or_else(changed)?;
        let reader = SealedReader {
            file,
            key,
            name: name.to_owned(),
            chunks,
            plain_bytes,
        };
        reader.check_end(file_bytes)?;
        Ok(reader)
    }

    /// How many bytes are in it.
    pub(super) fn plain_bytes(&self) -> u64 {
        self.plain_bytes
    }

    fn check_end(&self, file_bytes: u64) -> Result<(), FileFault> {
        self.open_chunk(self.chunks - 1, &mut Scratch::default())?;
        match self.file.read_at(&mut [0], file_bytes)? {
            0 => Ok(()),
            // It has grown meanwhile.
            _ => Err(self.changed().into()),
        }
    }

    /// Reads the bytes from `offset` on into `parts`, one after the other.
    pub(super) fn read_at(&self, offset: u64, parts: &mut [&mut [u8]]) -> Result<(), FileFault> {
        let wanted: u64 = parts.iter().map(|part| part.len() as u64).sum();
        if offset.checked_add(wanted).is_none_or(|end| end > self.plain_bytes) {
            let past = "a part of a sealed file that it does not have";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, past).into());
        }
        let mut scratch = Scratch::default();
        // What is open of the chunk that the next byte lies in, from that byte on.
        let mut open: &[u8] = &[];
        let mut number = (offset / CHUNK_BYTES as u64) as u32;
        let mut skipped = (offset % CHUNK_BYTES as u64) as usize;
        for part in parts {
            let mut rest: &mut [u8] = part;
            while !rest.is_empty() {
                if open.is_empty() {
                    open = &self.open_chunk(number, &mut scratch)?[skipped..];
                    (number, skipped) = (number + 1, 0);
                }
                let (now, later) = rest.split_at_mut(rest.len().min(open.len()));
                let (taken, behind) = open.split_at(now.len());
                now.copy_from_slice(taken);
                (rest, open) = (later, behind);
            }
        }
        Ok(())
    }

    /// Reads a chunk of the file and opens it in `scratch`.
    fn open_chunk<'s>(&self, number: u32, scratch: &'s mut Scratch) -> Result<&'s [u8], FileFault> {
        let last = number + 1 == self.chunks;
        let start = u64::from(number) * CHUNK_BYTES as u64;
        let length = (self.plain_bytes - start).min(CHUNK_BYTES as u64) as usize;
        let place = HEADER_BYTES as u64 + u64::from(number) * (CHUNK_BYTES + TAG_BYTES) as u64;
        let sealed = &mut scratch.0[..length + TAG_BYTES];
        match self.file.read_exact_at(sealed, place) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Err(self.changed().into()),
            read => read?,
        }
        let (chunk, tag) = sealed.split_at_mut(length);
        let tag = <[u8; TAG_BYTES]>::try_from(&*tag).expect("a tag was split off");
        open_detached(&self.key, Chunk { number, last }.nonce(), tag, chunk).map_err(|_| self.changed())?;
        Ok(chunk)
    }

    fn changed(&self) -> SealError {
        SealError::File {
            name: self.name.clone(),
        }
    }
}

/// Room for a chunk and its tag. It holds plain text, and is cleared.
struct Scratch(Zeroizing<Vec<u8>>);

impl Default for Scratch {
    fn default() -> Scratch {
        Scratch(Zeroizing::new(vec![0; CHUNK_BYTES + TAG_BYTES]))
    }
}

/// How many chunks a file of so many bytes has, and how many bytes are in them. `None` if no sealed file has this length.
fn lengths(file_bytes: u64) -> Option<(u32, u64)> {
    let body = file_bytes.checked_sub(HEADER_BYTES as u64)?;
    let chunks = body.div_ceil((CHUNK_BYTES + TAG_BYTES) as u64);
    // Only an empty file has an empty chunk: anything else was cut within a tag.
    let plain_bytes = body.checked_sub(chunks * TAG_BYTES as u64)?;
    let is_whole = chunks == plain_bytes.div_ceil(CHUNK_BYTES as u64).max(1);
    u32::try_from(chunks)
        .ok()
        .filter(|_| is_whole)
        .map(|chunks| (chunks, plain_bytes))
}
