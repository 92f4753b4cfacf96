//! The ledger as lines of JSON that anyone can check with BLAKE3 alone, and the check itself. `docs/ledger.md` describes the lines.

use std::io::{BufRead, Read, Write};

use serde::{Deserialize, Serialize};

use crate::chain::{Entry, Head, SealKeys, Walk, hash_from_text};
use crate::{BODY_BYTES_MAX, Checkpoint, LedgerReport, Problem, RecordError};

/// The version of the export format.
pub const EXPORT_FORMAT: u32 = 1;
/// How long a line may be: a body whose every byte needs an escape, and room for the rest.
const LINE_BYTES_MAX: u64 = BODY_BYTES_MAX as u64 * 6 + 4096;

/// The first line.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct FirstLine {
    whimbrel_ledger: u32,
    exported_ms: u64,
    /// Stands for what was pruned before the first entry.
    checkpoint: Option<Checkpoint>,
    checkpoint_seal: Option<String>,
}

/// One entry, a line of an export. The chain hash is over its fields; see [`Entry`] and `docs/ledger.md`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ExportedEntry {
    /// Its number, from 1.
    pub sequence: u64,
    /// Its kind.
    pub kind: String,
    /// The receipt's number; 0 for an entry that belongs to no receipt.
    pub receipt: u64,
    /// When it was written, in milliseconds since 1970 UTC.
    pub time_ms: u64,
    /// The outcome of a closing.
    pub outcome: String,
    /// The place of a closing's answer.
    pub place: String,
    /// Version of the body.
    pub format: u64,
    /// The canonical JSON of the entry's content, as a string, so that no JSON tool changes its bytes.
    pub body: String,
    /// The chain hash in hexadecimal digits.
    pub hash: String,
}

/// The last line: the sealed end.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct LastLine {
    last_sequence: u64,
    receipts: u64,
    hash: String,
    key_id: String,
    seal: String,
}

/// The result of checking an export.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ExportReport {
    /// When it was exported, according to the export itself, in milliseconds since 1970.
    pub exported_ms: u64,
    /// Whether its seals were checked, which requires keys. They may or may not be the keys that made the seals.
    pub seals_checked: bool,
    /// The report about the chain.
    pub report: LedgerReport,
    /// The first line that does not have this format, from 1. Nothing after it was read.
    pub bad_line: Option<u64>,
}

impl ExportReport {
    /// Whether no problem was found. If the seals were not checked, this only means that the lines agree with each other.
    #[must_use]
    pub fn is_intact(&self) -> bool {
        self.bad_line.is_none() && self.report.is_intact()
    }
}

/// Writes an export line by line: first its beginning, then every entry in order, then its sealed end.
pub struct ExportWriter<'a> {
    to: &'a mut dyn Write,
    keys: &'a SealKeys,
}

impl<'a> ExportWriter<'a> {
    /// Starts an export of everything after `checkpoint`. `exported_ms` is the time, in milliseconds since 1970.
    ///
    /// # Errors
    /// [`RecordError::Export`] if writing to `to` fails.
    pub fn begin(
        to: &'a mut dyn Write,
        keys: &'a SealKeys,
        exported_ms: u64,
        checkpoint: Option<Checkpoint>,
    ) -> Result<ExportWriter<'a>, RecordError> {
        let first = FirstLine {
            whimbrel_ledger: EXPORT_FORMAT,
            exported_ms,
            checkpoint_seal: checkpoint
                .as_ref()
                .map(|checkpoint| keys.seal_checkpoint(checkpoint).to_hex().to_string()),
            checkpoint,
        };
        write_line(to, &first)?;
        Ok(ExportWriter { to, keys })
    }

    /// Writes the next entry.
    ///
    /// # Errors
    /// As [`ExportWriter::begin`].
    pub fn entry(&mut self, entry: &ExportedEntry) -> Result<(), RecordError> {
        write_line(self.to, entry)
    }

    /// Writes the sealed end.
    ///
    /// # Errors
    /// As [`ExportWriter::begin`].
    pub fn end(self, head: &Head) -> Result<(), RecordError> {
        let last = LastLine {
            last_sequence: head.sequence,
            receipts: head.receipts,
            hash: head.hash.to_hex().to_string(),
            key_id: hex(&self.keys.id()),
            seal: self.keys.seal_head(head).to_hex().to_string(),
        };
        write_line(self.to, &last)?;
        self.to.flush().map_err(|source| RecordError::Export { source })
    }
}

/// Checks an export. With the keys of the device that made it, the seals of both ends are checked too. Without them, whoever made the file
/// could have rewritten the whole chain.
///
/// ```
/// use whimbrel_record::chain::{Head, SealKeys};
/// use whimbrel_record::{ExportWriter, verify_export};
///
/// // A ledger without entries.
/// let keys = SealKeys::derive(&[7; 32]);
/// let mut export = Vec::new();
/// ExportWriter::begin(&mut export, &keys, 1_795_420_800_000, None)?.end(&Head::EMPTY)?;
///
/// let report = verify_export(&mut &export[..], Some(&keys))?;
/// assert!(report.is_intact() && report.seals_checked);
/// # Ok::<(), whimbrel_record::RecordError>(())
/// ```
///
/// # Errors
/// [`RecordError::Export`] if reading `from` fails. Problems with the export itself are in the report.
pub fn verify_export(from: &mut dyn BufRead, keys: Option<&SealKeys>) -> Result<ExportReport, RecordError> {
    let mut lines = Lines { from, number: 0 };
    let Some(first) = lines
        .next::<FirstLine>()?
        .filter(|first| first.whimbrel_ledger == EXPORT_FORMAT)
    else {
        return Ok(ExportReport {
            exported_ms: 0,
            seals_checked: false,
            report: Walk::new(0, None).finish(),
            bad_line: Some(1),
        });
    };
    let mut walk = Walk::behind(first.checkpoint.as_ref());
    let (end, mut bad_line) = read_entries(&mut lines, &mut walk)?;
    let head = end.as_ref().and_then(|line| {
        Some(Head {
            sequence: line.last_sequence,
            receipts: line.receipts,
            hash: hash_from_text(&line.hash)?,
        })
    });
    if end.is_some() && head.is_none() {
        bad_line = Some(lines.number);
    }
    walk.end(head);
    let mut report = walk.finish();
    let mut seals_checked = false;
    if let (Some(keys), Some(line), Some(head)) = (keys, &end, &head) {
        seals_checked = true;
        check_seals(&mut report, keys, line, head, &first);
    }
    report.checkpoint = first.checkpoint;
    Ok(ExportReport {
        exported_ms: first.exported_ms,
        seals_checked,
        report,
        bad_line,
    })
}

/// Reads the lines up to the last one, and says which is not of this format.
fn read_entries(lines: &mut Lines<'_>, walk: &mut Walk) -> Result<(Option<LastLine>, Option<u64>), RecordError> {
    loop {
        match lines.next::<Line>()? {
            Some(Line::Entry(line)) => take(walk, &line),
            Some(Line::Last(line)) => {
                // Anything behind the last line does not belong to the export.
                let more = lines.is_more()?.then_some(lines.number + 1);
                return Ok((Some(line), more));
            }
            None => return Ok((None, Some(lines.number))),
        }
    }
}

fn check_seals(report: &mut LedgerReport, keys: &SealKeys, line: &LastLine, head: &Head, first: &FirstLine) {
    let own = line.key_id == hex(&keys.id());
    let sealed = line.seal == keys.seal_head(head).to_hex().as_str();
    match (own, sealed) {
        (true, true) => {}
        (false, false) => report.add(Problem::ForeignSeal),
        _ => report.add(Problem::HeadChanged),
    }
    let expected = first
        .checkpoint
        .as_ref()
        .map(|checkpoint| keys.seal_checkpoint(checkpoint).to_hex().to_string());
    if own && expected != first.checkpoint_seal {
        report.add(Problem::CheckpointChanged);
    }
}

/// A line behind the first one.
#[derive(Deserialize)]
#[serde(untagged)]
enum Line {
    Entry(Box<ExportedEntry>),
    Last(LastLine),
}

/// Reads line after line, each with a limit.
struct Lines<'a> {
    from: &'a mut dyn BufRead,
    number: u64,
}

impl Lines<'_> {
    /// The next line; none when there is none, when it is too long, or when it is not of this form.
    fn next<T: serde::de::DeserializeOwned>(&mut self) -> Result<Option<T>, RecordError> {
        self.number += 1;
        let mut line = Vec::new();
        let read = self.from.take(LINE_BYTES_MAX).read_until(b'\n', &mut line);
        read.map_err(|source| RecordError::Export { source })?;
        Ok(line
            .strip_suffix(b"\n")
            .and_then(|line| serde_json::from_slice(line).ok()))
    }

    fn is_more(&mut self) -> Result<bool, RecordError> {
        let rest = self.from.fill_buf().map_err(|source| RecordError::Export { source })?;
        Ok(!rest.is_empty())
    }
}

fn take(walk: &mut Walk, line: &ExportedEntry) {
    let entry = Entry {
        sequence: line.sequence,
        kind: line.kind.as_bytes(),
        receipt: line.receipt,
        time_ms: line.time_ms,
        outcome: line.outcome.as_bytes(),
        place: line.place.as_bytes(),
        format: line.format,
        body: line.body.as_bytes(),
    };
    let sequence = i64::try_from(line.sequence).unwrap_or(-1);
    walk.take(
        sequence,
        Some(entry).filter(Entry::is_plain),
        hash_from_text(&line.hash),
    );
}

fn write_line(to: &mut dyn Write, line: &impl Serialize) -> Result<(), RecordError> {
    let mut text = serde_json::to_string(line).expect("a record of numbers and strings is JSON");
    text.push('\n');
    to.write_all(text.as_bytes())
        .map_err(|source| RecordError::Export { source })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
