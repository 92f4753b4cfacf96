//! The pages of a damaged database, read without SQLite: those of the file, and over them those of the log up to its last whole commit. The
//! format is that of <https://www.sqlite.org/fileformat2.html>.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::StoreError;
use crate::database::{beside, io_failed};

/// The size of all pages that this program writes.
pub(super) const PAGE_BYTES: usize = 4096;
/// What a database begins with.
const MAGIC: &[u8] = b"SQLite format 3\0";
const LOG_HEADER_BYTES: u64 = 32;
const FRAME_HEADER_BYTES: usize = 24;
const FRAME_BYTES: u64 = (FRAME_HEADER_BYTES + PAGE_BYTES) as u64;

/// One page.
pub(super) type Page = [u8; PAGE_BYTES];

/// A damaged database.
pub(super) struct Pages {
    file: File,
    log: Option<File>,
    /// Where the log has a page, by its number.
    logged: HashMap<u32, u64>,
    count: u32,
    /// Pages in the log behind a damaged place.
    pub(super) log_pages_lost: u64,
}

impl Pages {
    /// Opens the database at `path` and reads its log.
    pub(super) fn open(path: &Path) -> Result<Pages, StoreError> {
        let file = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(StoreError::Absent { path: path.to_owned() });
            }
            opened => opened.map_err(|error| io_failed(path, error))?,
        };
        let log = File::open(beside(path, "-wal")).ok();
        let log_bytes = log.as_ref().and_then(|log| log.metadata().ok());
        let bytes = file.metadata().map_err(|error| io_failed(path, error))?.len();
        let mut pages = Pages {
            file,
            log,
            logged: HashMap::new(),
            count: u32::try_from(bytes.div_ceil(PAGE_BYTES as u64)).unwrap_or(u32::MAX),
            log_pages_lost: 0,
        };
        pages.read_log(log_bytes.map_or(0, |log| log.len()));
        Ok(pages)
    }

    /// The number of pages. The first has number 1.
    pub(super) fn count(&self) -> u32 {
        self.count
    }

    /// Reads one page. What cannot be read is zeros.
    pub(super) fn read(&self, number: u32) -> Page {
        let mut page = [0; PAGE_BYTES];
        match (&self.log, self.logged.get(&number)) {
            (Some(log), Some(at)) => read_at(log, &mut page, *at),
            _ => read_at(&self.file, &mut page, (u64::from(number) - 1) * PAGE_BYTES as u64),
        }
        page
    }

    /// The owner of the database and the version of its tables, unless the first page is damaged or there are no tables yet.
    pub(super) fn header(&self) -> Option<(u32, u32)> {
        let first = self.read(1);
        // A leaf without cells.
        let is_empty = first[100..105] == [13, 0, 0, 0, 0];
        let is_whole = first.starts_with(MAGIC) && !is_empty;
        is_whole.then(|| (number_at(&first, 68), number_at(&first, 60)))
    }

    /// Finds the pages of the log that belong to whole commits.
    fn read_log(&mut self, bytes: u64) {
        let Some(log) = self.log.take() else {
            return;
        };
        let frames = bytes.saturating_sub(LOG_HEADER_BYTES) / FRAME_BYTES;
        let mut header = [0; LOG_HEADER_BYTES as usize];
        read_at(&log, &mut header, 0);
        let Some(mut sum) = Checksum::of_header(&header) else {
            self.log_pages_lost = frames;
            return;
        };
        let (mut is_whole, mut pending) = (true, Vec::new());
        let mut frame = [0; FRAME_BYTES as usize];
        for index in 0..frames {
            let at = LOG_HEADER_BYTES + index * FRAME_BYTES;
            frame.fill(0);
            read_at(&log, &mut frame, at);
            // Frames of an earlier round of the log have other salts.
            if frame[8..16] != header[16..24] {
                is_whole = false;
                continue;
            }
            is_whole &= sum.follows(&frame);
            if !is_whole {
                self.log_pages_lost += 1;
                continue;
            }
            pending.push((number_at(&frame, 0), at + FRAME_HEADER_BYTES as u64));
            let count_after = number_at(&frame, 4);
            if count_after > 0 {
                self.logged.extend(pending.drain(..));
                self.count = count_after;
            }
        }
        self.log = Some(log);
    }
}

/// The checksum of a log, which goes on from frame to frame.
struct Checksum {
    is_big_endian: bool,
    sums: (u32, u32),
}

impl Checksum {
    /// None for a header that is not one.
    fn of_header(header: &[u8; LOG_HEADER_BYTES as usize]) -> Option<Checksum> {
        let magic = number_at(header, 0);
        let mut sum = Checksum {
            is_big_endian: magic & 1 == 1,
            sums: (0, 0),
        };
        sum.add(&header[..24]);
        let is_whole = magic & !1 == 0x377f_0682
            && number_at(header, 8) as usize == PAGE_BYTES
            && sum.sums == (number_at(header, 24), number_at(header, 28));
        is_whole.then_some(sum)
    }

    fn follows(&mut self, frame: &[u8]) -> bool {
        self.add(&frame[..8]);
        self.add(&frame[FRAME_HEADER_BYTES..]);
        self.sums == (number_at(frame, 16), number_at(frame, 20))
    }

    fn add(&mut self, bytes: &[u8]) {
        let (mut one, mut two) = self.sums;
        for pair in bytes.chunks_exact(8) {
            let word = |at: usize| match self.is_big_endian {
                true => number_at(pair, at),
                false => number_at(pair, at).swap_bytes(),
            };
            one = one.wrapping_add(word(0)).wrapping_add(two);
            two = two.wrapping_add(word(4)).wrapping_add(one);
        }
        self.sums = (one, two);
    }
}

/// A number of 4 bytes, the highest first.
pub(super) fn number_at(bytes: &[u8], at: usize) -> u32 {
    let number = bytes.get(at..).and_then(|rest| rest.first_chunk());
    u32::from_be_bytes(number.copied().unwrap_or_default())
}

/// Reads as much as can be read.
fn read_at(file: &File, mut bytes: &mut [u8], mut at: u64) {
    while !bytes.is_empty() {
        match file.read_at(bytes, at) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Ok(0) | Err(_) => return,
            Ok(read) => {
                bytes = &mut bytes[read..];
                at += read as u64;
            }
        }
    }
}
