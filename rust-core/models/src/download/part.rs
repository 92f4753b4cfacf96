//! A file that is being fetched, and what is known of it: beside `NAME` the file `NAME.json`, whose first line says what the bytes belong to, and
//! whose further lines are the BLAKE3 hashes of its chunks, as they became complete, and of what is behind them where a run ended in order.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use whimbrel_files::{Existing, Readers};
use whimbrel_policy::download::{Begun, CHUNK_BYTES, FILE_BYTES_MAX, Kept};

/// The version of the note; any other is as good as none.
const VERSION: u32 = 1;
/// The longest first line, in bytes.
const HEADER_BYTES_MAX: usize = 64 << 10;
/// A hash in hexadecimal and the end of its line.
const LINE_BYTES: usize = 65;
/// The longest note that is read, in bytes.
const NOTE_BYTES_MAX: u64 = HEADER_BYTES_MAX as u64 + FILE_BYTES_MAX / CHUNK_BYTES * LINE_BYTES as u64;

/// What the first line of a note says.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PartHeader {
    version: u32,
    /// Of the complete file, if it was known.
    sha256: Option<String>,
    begun: Begun,
}

impl PartHeader {
    /// Reads a note: its first line, and the hashes of the chunks up to the first line that is not one. `None` if it is not a note of this version.
    #[must_use]
    pub fn parse(note: &[u8]) -> Option<(PartHeader, Vec<String>)> {
        let end = note.iter().take(HEADER_BYTES_MAX).position(|byte| *byte == b'\n')?;
        let header: PartHeader = serde_json::from_slice(&note[..end]).ok()?;
        let is_hash = |line: &&[u8]| {
            let (hash, end) = line.split_at(line.len() - 1);
            line.len() == LINE_BYTES && end == b"\n" && hash.iter().all(u8::is_ascii_hexdigit)
        };
        let lines = note[end + 1..].chunks(LINE_BYTES).take_while(is_hash);
        let hashes = lines.map(|line| String::from_utf8_lossy(&line[..LINE_BYTES - 1]).into_owned());
        (header.version == VERSION).then(|| (header, hashes.collect()))
    }
}

/// See the module.
#[derive(Debug)]
pub struct Part {
    file: File,
    bytes: u64,
    note: PathBuf,
    sha256: Option<String>,
    begun: Option<Begun>,
    /// Of the complete chunks.
    hashes: Vec<String>,
    /// Of the chunk that is not complete.
    hasher: blake3::Hasher,
    /// How many bytes were intact when the file was opened.
    intact: u64,
}

impl Part {
    /// Opens what an earlier run left at `path`, and compares its chunks with their hashes; otherwise begins an empty file. Bytes that
    /// were fetched for another checksum are of no use.
    ///
    /// # Errors
    /// The system's.
    pub fn open(path: &Path, sha256: Option<String>) -> io::Result<Part> {
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(false).open(path)?;
        let mut name = path.as_os_str().to_owned();
        name.push(".json");
        let mut part = Part {
            bytes: file.metadata()?.len(),
            file,
            note: name.into(),
            begun: None,
            hashes: Vec::new(),
            hasher: blake3::Hasher::new(),
            intact: 0,
            sha256,
        };
        let known = part.read_note()?;
        match known.filter(|(header, _)| header.sha256 == part.sha256) {
            Some((header, hashes)) => {
                part.begun = Some(header.begun);
                part.hashes = hashes;
                part.compare()?;
            }
            None => part.cut_to(0)?,
        }
        Ok(part)
    }

    fn read_note(&self) -> io::Result<Option<(PartHeader, Vec<String>)>> {
        let file = match File::open(&self.note) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut note = Vec::new();
        file.take(NOTE_BYTES_MAX).read_to_end(&mut note)?;
        Ok(PartHeader::parse(&note))
    }

    /// Keeps what has its hashes, and behind it less than a chunk.
    fn compare(&mut self) -> io::Result<()> {
        let mut chunk = vec![0; CHUNK_BYTES as usize];
        let mut is_whole = true;
        for hash in &self.hashes {
            let read = self.read_at(self.intact, &mut chunk)?;
            // Only the last hash may be of less than a chunk.
            is_whole = read > 0
                && self.intact.is_multiple_of(CHUNK_BYTES)
                && blake3::hash(&chunk[..read]).to_hex().as_str() == hash;
            if !is_whole {
                break;
            }
            self.intact += read as u64;
        }
        let tail = if is_whole { CHUNK_BYTES - 1 } else { 0 };
        self.cut_to(self.bytes.min(self.intact + tail))
    }

    /// What there is.
    #[must_use]
    pub fn kept(&self) -> Kept {
        Kept {
            begun: self.begun.clone(),
            bytes: self.bytes,
            bytes_intact: self.intact,
        }
    }

    /// Bytes in the file.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Begins the note.
    ///
    /// # Errors
    /// The system's, here and in the following methods.
    pub fn note(&mut self, begun: Begun) -> io::Result<()> {
        self.begun = Some(begun);
        self.write_note()
    }

    fn write_note(&self) -> io::Result<()> {
        let Some(begun) = self.begun.clone() else {
            return match fs::remove_file(&self.note) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            };
        };
        let header = PartHeader {
            version: VERSION,
            sha256: self.sha256.clone(),
            begun,
        };
        let mut text = serde_json::to_string(&header)? + "\n";
        for hash in &self.hashes {
            text += hash;
            text += "\n";
        }
        whimbrel_files::write(&self.note, Existing::Replace, Readers::Anyone, text.as_bytes())
    }

    /// Writes bytes behind those that are there, and notes the hash of each chunk that they complete.
    pub fn append(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let room = CHUNK_BYTES - self.bytes % CHUNK_BYTES;
            let (now, later) = bytes.split_at(bytes.len().min(room as usize));
            self.file.write_all_at(now, self.bytes)?;
            self.hasher.update(now);
            self.bytes += now.len() as u64;
            if self.bytes.is_multiple_of(CHUNK_BYTES) {
                let hash = self.note_hash()?;
                self.hasher.reset();
                self.hashes.push(hash);
            }
            bytes = later;
        }
        Ok(())
    }

    /// Where these bytes first differ from those at `position`, counted from there.
    pub fn first_difference(&self, position: u64, bytes: &[u8]) -> io::Result<Option<u64>> {
        let mut own = vec![0; bytes.len()];
        let read = self.read_at(position, &mut own)?;
        let at = own[..read].iter().zip(bytes).position(|(own, other)| own != other);
        let at = at.or((read < bytes.len()).then_some(read));
        Ok(at.map(|at| at as u64))
    }

    /// The first bytes, as many as there are.
    pub fn beginning(&self, count: usize) -> io::Result<Vec<u8>> {
        let mut first = vec![0; count];
        let read = self.read_at(0, &mut first)?;
        first.truncate(read);
        Ok(first)
    }

    /// Fills a buffer with the bytes from `position` on, and returns how many there were.
    pub fn read_at(&self, position: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.file.read_at(&mut buffer[filled..], position + filled as u64) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    /// Keeps so many bytes. With 0 what they belonged to is forgotten, too.
    pub fn cut_to(&mut self, bytes: u64) -> io::Result<()> {
        self.file.set_len(bytes)?;
        self.bytes = bytes;
        let chunks = bytes / CHUNK_BYTES;
        self.hashes.truncate(chunks as usize);
        self.intact = self.intact.min(bytes);
        if bytes == 0 {
            self.begun = None;
        }
        let mut tail = vec![0; (bytes % CHUNK_BYTES) as usize];
        let read = self.read_at(chunks * CHUNK_BYTES, &mut tail)?;
        self.hasher.reset();
        self.hasher.update(&tail[..read]);
        self.write_note()
    }

    /// Brings everything to the disk, and notes the hash of what is behind the last complete chunk. Nothing may be written after that.
    pub fn finish(&mut self) -> io::Result<()> {
        self.file.sync_all()?;
        if self.begun.is_none() || self.bytes.is_multiple_of(CHUNK_BYTES) {
            return Ok(());
        }
        self.note_hash().map(drop)
    }

    /// Notes the hash of the last chunk.
    fn note_hash(&self) -> io::Result<String> {
        let hash = self.hasher.finalize().to_hex().to_string();
        let mut note = OpenOptions::new().append(true).open(&self.note)?;
        note.write_all(format!("{hash}\n").as_bytes())?;
        Ok(hash)
    }
}
