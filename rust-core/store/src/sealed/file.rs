//! A sealed file: a header, then chunks that are encrypted one by one, so that a large cache is written and read in a stream. AES-256-GCM
//! where the processor has instructions for it, otherwise XChaCha20-Poly1305.
//!
//! The header is `whimbrel-file-1`, a byte for the algorithm (1 or 2), the data key's version (4 bytes, little-endian), and 32 random
//! bytes. Each file has a key of its own, derived from the data key, the header, the purpose and the name. Chunks hold 64 KiB and a tag; the
//! last one is shorter or marked. A chunk's nonce is its number and the mark of the last one (Hoang, Reyhanitabar, Rogaway and Vizár,
//! "Online Authenticated-Encryption and its Nonce-Reuse Misuse-Resistance", the construction STREAM).

use std::io::{self, Read, Write};

use aes_gcm::{Aes256Gcm, KeyInit};
use chacha20poly1305::XChaCha20Poly1305;
use chacha20poly1305::aead::AeadInOut;
use whimbrel_files::NewFile;
use zeroize::Zeroizing;

use super::keyring::DataKey;
use super::{Keyring, SealError};
use crate::StoreError;

const MAGIC: &[u8] = b"whimbrel-file-1";
const CONTEXT: &str = "whimbrel store 2026-11-29 file";
const HEADER_BYTES: usize = MAGIC.len() + 1 + 4 + 32;
const CHUNK_BYTES: usize = 64 * 1024;
const TAG_BYTES: usize = 16;
const AES_256_GCM: u8 = 1;
const XCHACHA20_POLY1305: u8 = 2;

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

/// The cipher of one file.
enum Cipher {
    Aes(Box<Aes256Gcm>),
    XChaCha(XChaCha20Poly1305),
}

/// Where a chunk stands.
#[derive(Clone, Copy)]
struct Chunk {
    number: u32,
    last: bool,
}

fn has_aes_instructions() -> bool {
    #[cfg(any(target_arch = "x86_64", target_arch = "x86"))]
    return std::arch::is_x86_feature_detected!("aes") && std::arch::is_x86_feature_detected!("pclmulqdq");
    #[cfg(target_arch = "aarch64")]
    return std::arch::is_aarch64_feature_detected!("aes") && std::arch::is_aarch64_feature_detected!("pmull");
    #[cfg(not(any(target_arch = "x86_64", target_arch = "x86", target_arch = "aarch64")))]
    return false;
}

impl Cipher {
    fn new(key: &DataKey, header: &[u8; HEADER_BYTES], purpose: &str, name: &str) -> Option<Cipher> {
        let mut material = Zeroizing::new(Vec::with_capacity(256));
        material.extend_from_slice(&*key.files);
        material.extend_from_slice(header);
        for text in [purpose, name] {
            material.extend_from_slice(&(text.len() as u64).to_le_bytes());
            material.extend_from_slice(text.as_bytes());
        }
        let key = Zeroizing::new(blake3::derive_key(CONTEXT, &material));
        match header[MAGIC.len()] {
            AES_256_GCM => Some(Cipher::Aes(Box::new(Aes256Gcm::new((&*key).into())))),
            XCHACHA20_POLY1305 => Some(Cipher::XChaCha(XChaCha20Poly1305::new((&*key).into()))),
            _ => None,
        }
    }

    /// Encrypts a chunk where it stands, and puts the tag behind it.
    fn seal(&self, chunk: Chunk, bytes: &mut Vec<u8>) {
        let fits = "a chunk is 64 KiB";
        match self {
            Cipher::Aes(cipher) => {
                let nonce = chunk.nonce::<12>().into();
                cipher.encrypt_in_place(&nonce, b"", bytes).expect(fits);
            }
            Cipher::XChaCha(cipher) => {
                let nonce = chunk.nonce::<24>().into();
                cipher.encrypt_in_place(&nonce, b"", bytes).expect(fits);
            }
        }
    }

    /// Decrypts a chunk with its tag where it stands.
    fn open(&self, chunk: Chunk, bytes: &mut Vec<u8>) -> Result<(), chacha20poly1305::aead::Error> {
        match self {
            Cipher::Aes(cipher) => cipher.decrypt_in_place(&chunk.nonce::<12>().into(), b"", bytes),
            Cipher::XChaCha(cipher) => cipher.decrypt_in_place(&chunk.nonce::<24>().into(), b"", bytes),
        }
    }
}

impl Chunk {
    fn nonce<const BYTES: usize>(self) -> [u8; BYTES] {
        let mut nonce = [0; BYTES];
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
    cipher: Cipher,
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
        let algorithm = if has_aes_instructions() {
            AES_256_GCM
        } else {
            XCHACHA20_POLY1305
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
            cipher: Cipher::new(key, &header, purpose, name).expect("the algorithm is one of two"),
            chunk: Chunk { number: 0, last: false },
            waiting: Zeroizing::new(Vec::with_capacity(CHUNK_BYTES + TAG_BYTES)),
        })
    }

    fn put_chunk(&mut self) -> io::Result<()> {
        self.cipher.seal(self.chunk, &mut self.waiting);
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

/// Reads a sealed file. What it gives is what was written, but only the end of the file shows that nothing is missing: use nothing of it
/// before [`Read::read`] has returned 0. A file that was changed gives an error of the kind [`io::ErrorKind::InvalidData`], which holds a
/// [`SealError`].
pub struct SealedReader<R> {
    source: R,
    cipher: Cipher,
    chunk: Chunk,
    name: String,
    /// The chunk that is being given out, and how much of it was.
    opened: Zeroizing<Vec<u8>>,
    given: usize,
    /// The first byte of the next chunk.
    ahead: Option<u8>,
    failed: bool,
}

impl<R: Read> SealedReader<R> {
    pub(super) fn begin(
        mut source: R,
        keyring: &Keyring,
        purpose: &str,
        name: &str,
    ) -> Result<SealedReader<R>, FileFault> {
        let changed = || SealError::File { name: name.to_owned() };
        let mut header = [0; HEADER_BYTES];
        match source.read_exact(&mut header) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Err(changed().into()),
            result => result?,
        }
        let version = header
            .strip_prefix(MAGIC)
            .and_then(|rest| rest[1..].first_chunk::<4>())
            .map(|version| u32::from_le_bytes(*version))
            .ok_or_else(changed)?;
        let key = keyring.key(version)?;
        let cipher = Cipher::new(key, &header, purpose, name).ok_or_else(changed)?;
        Ok(SealedReader {
            source,
            cipher,
            chunk: Chunk { number: 0, last: false },
            name: name.to_owned(),
            opened: Zeroizing::new(Vec::with_capacity(CHUNK_BYTES + TAG_BYTES)),
            given: 0,
            ahead: None,
            failed: false,
        })
    }

    fn take_chunk(&mut self) -> io::Result<()> {
        self.given = 0;
        self.opened.clear();
        self.opened.extend(self.ahead.take());
        let whole = CHUNK_BYTES + TAG_BYTES;
        let wanted = (whole - self.opened.len()) as u64;
        (&mut self.source).take(wanted).read_to_end(&mut self.opened)?;
        // The last chunk is the one that nothing follows.
        let mut ahead = Vec::with_capacity(1);
        if self.opened.len() == whole {
            (&mut self.source).take(1).read_to_end(&mut ahead)?;
        }
        self.ahead = ahead.pop();
        self.chunk.last = self.ahead.is_none();
        if self.cipher.open(self.chunk, &mut self.opened).is_err() {
            // What was decrypted of a changed chunk is worth nothing.
            self.opened.clear();
            (self.failed, self.chunk.last) = (true, true);
            return self.check();
        }
        self.chunk.advance()
    }

    fn check(&self) -> io::Result<()> {
        if !self.failed {
            return Ok(());
        }
        let name = self.name.clone();
        Err(io::Error::new(io::ErrorKind::InvalidData, SealError::File { name }))
    }
}

impl<R: Read> Read for SealedReader<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.check()?;
        while self.given == self.opened.len() && !self.chunk.last {
            self.take_chunk()?;
        }
        let left = &self.opened[self.given..];
        let taken = left.len().min(bytes.len());
        bytes[..taken].copy_from_slice(&left[..taken]);
        self.given += taken;
        Ok(taken)
    }
}
