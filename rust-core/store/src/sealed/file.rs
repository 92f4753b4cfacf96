//! A sealed file: a header, then chunks that are encrypted one by one, so that a large cache is written in a stream and read by several
//! threads. AES-256-GCM where the processor has instructions for it, otherwise ChaCha20-Poly1305.
//!
//! The header is `whimbrel-file-1`, a byte for the algorithm (1 or 2), the data key's version (4 bytes, little-endian), and 32 random
//! bytes. Each file has a key of its own, derived from the data key, the header, the purpose and the name. Chunks hold 64 KiB and a tag; the
//! last one is shorter or marked. A chunk's nonce is its number and the mark of the last one (Hoang, Reyhanitabar, Rogaway and Vizár,
//! "Online Authenticated-Encryption and its Nonce-Reuse Misuse-Resistance", the construction STREAM).

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::thread;

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
const CHUNK_BYTES: usize = 64 * 1024;
/// The most threads that open one file, and how many chunks make another one worth while.
const THREADS_MAX: usize = 4;
const CHUNKS_A_THREAD_MIN: usize = 16;
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

/// A sealed file that is read.
pub(super) struct SealedReader {
    file: File,
    key: LessSafeKey,
    name: String,
}

impl SealedReader {
    pub(super) fn begin(
        mut file: File,
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
        let name = name.to_owned();
        Ok(SealedReader { file, key, name })
    }

    /// Everything, from a file of so many bytes. Each chunk is decrypted where it stays, in a large file by several threads.
    pub(super) fn read_whole(self, file_bytes: u64) -> Result<Vec<u8>, FileFault> {
        let body = usize::try_from(file_bytes).unwrap_or(0).saturating_sub(HEADER_BYTES);
        let chunks = body.div_ceil(CHUNK_BYTES + TAG_BYTES);
        // Only an empty file has an empty chunk: anything else was cut within a tag.
        let plain_bytes = body.checked_sub(chunks * TAG_BYTES).ok_or_else(|| self.changed())?;
        if chunks != plain_bytes.div_ceil(CHUNK_BYTES).max(1) || u32::try_from(chunks).is_err() {
            return Err(self.changed().into());
        }
        let mut plain = vec![0; plain_bytes];
        let (this, each) = (&self, chunks.div_ceil(threads(chunks)));
        thread::scope(|scope| {
            let (first, rest) = plain.split_at_mut(plain_bytes.min(each * CHUNK_BYTES));
            let parts = (1..).zip(rest.chunks_mut(each * CHUNK_BYTES));
            let others: Vec<_> = parts
                .map(|(part, plain)| scope.spawn(move || this.open_chunks(part * each, chunks, plain)))
                .collect();
            let first = self.open_chunks(0, chunks, first);
            let others = others.into_iter();
            let others = others.map(|other| other.join().expect("decrypting does not panic"));
            others.fold(first, Result::and)
        })?;
        match self.file.read_at(&mut [0], file_bytes)? {
            0 => Ok(plain),
            // It has grown meanwhile.
            _ => Err(self.changed().into()),
        }
    }

    /// Opens the chunks from a number on that `plain` has room for, of `chunks` in the file.
    fn open_chunks(&self, mut number: usize, chunks: usize, plain: &mut [u8]) -> Result<(), FileFault> {
        let mut rest = plain;
        loop {
            let (chunk, behind) = rest.split_at_mut(rest.len().min(CHUNK_BYTES));
            let start = (HEADER_BYTES + number * (CHUNK_BYTES + TAG_BYTES)) as u64;
            let mut tag = [0; TAG_BYTES];
            self.read_at(chunk, start)?;
            self.read_at(&mut tag, start + chunk.len() as u64)?;
            let place = Chunk {
                number: number as u32,
                last: number + 1 == chunks,
            };
            open_detached(&self.key, place.nonce(), tag, chunk).map_err(|_| self.changed())?;
            if behind.is_empty() {
                return Ok(());
            }
            (rest, number) = (behind, number + 1);
        }
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> Result<(), FileFault> {
        match self.file.read_exact_at(bytes, offset) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(self.changed().into()),
            read => Ok(read?),
        }
    }

    fn changed(&self) -> SealError {
        SealError::File {
            name: self.name.clone(),
        }
    }
}

/// How many threads open so many chunks.
fn threads(chunks: usize) -> usize {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    cores.min(THREADS_MAX).min(chunks / CHUNKS_A_THREAD_MIN).max(1)
}
