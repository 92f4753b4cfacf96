//! Marks of what was going on, so that the next process can say where this one ended if it was killed. A mark is 32 bytes at a fixed place in a
//! small file, written over whenever a request enters another stage: no handler of signals, and nothing to allocate when the end comes.

use serde::{Deserialize, Serialize};

/// Bytes of a mark, and of the heartbeat before them.
pub const MARK_BYTES: usize = 32;
/// Requests that have a mark at the same time; further ones have none.
pub const MARKS_MAX: usize = 15;
/// Bytes of the whole file.
pub const MARKS_BYTES: usize = MARK_BYTES * (MARKS_MAX + 1);
/// A request that made no progress for so long before its process ended was stuck.
pub const STUCK_MS_LEAST: u64 = 10_000;

/// The first byte of everything in the file: it changes with the format.
const FORMAT: u8 = 1;
/// The stage of the heartbeat, which belongs to no request.
const HEARTBEAT: u8 = u8::MAX;

/// What a request is doing.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Its text is examined, and it is decided where to ask.
    Decide,
    /// The model's context is made or restored, other answers have their turn, or a short prompt is read.
    Load,
    /// The model reads a long prompt.
    Prefill,
    /// The model writes the answer.
    Decode,
    /// A place elsewhere was asked and has not answered yet.
    Network,
    /// A place elsewhere answers.
    Receive,
    /// The app carries out a tool.
    Tool,
}

impl Stage {
    /// Every stage, in the order of a request.
    pub const ALL: [Stage; 7] = [
        Stage::Decide,
        Stage::Load,
        Stage::Prefill,
        Stage::Decode,
        Stage::Network,
        Stage::Receive,
        Stage::Tool,
    ];

    /// Whether something is noted of it every few seconds if all is well. In the other stages it waits: for a turn, a network, or a person.
    fn makes_progress(self) -> bool {
        matches!(self, Stage::Decide | Stage::Prefill | Stage::Decode)
    }

    /// The name in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Stage::Decide => "decide",
            Stage::Load => "load",
            Stage::Prefill => "prefill",
            Stage::Decode => "decode",
            Stage::Network => "network",
            Stage::Receive => "receive",
            Stage::Tool => "tool",
        }
    }

    /// What was going on, for a sentence: "the app ended while …".
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Stage::Decide => "it was deciding where to ask",
            Stage::Load => "the model was getting ready, or reading a short question",
            Stage::Prefill => "the model was reading a long text",
            Stage::Decode => "the model was writing the answer",
            Stage::Network => "it was waiting for an answer from elsewhere",
            Stage::Receive => "an answer from elsewhere was coming in",
            Stage::Tool => "a tool of the app was running",
        }
    }
}

/// A request that is going on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Mark {
    /// Its stage.
    pub stage: Stage,
    /// When it entered the stage, in milliseconds since 1970.
    pub since_ms: u64,
    /// When it made progress last.
    pub progress_ms: u64,
}

/// A request that was going on when a process ended.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Ended {
    /// Its stage.
    pub stage: Stage,
    /// When it made progress last, in milliseconds since 1970.
    pub progress_ms: u64,
    /// When the process was known to live last.
    pub alive_ms: u64,
    /// Whether it had made no progress for [`STUCK_MS_LEAST`] in a stage in which it should have: the process was probably ended because of that.
    #[serde(rename = "stuck")]
    pub is_stuck: bool,
}

impl Mark {
    /// The bytes of the mark.
    #[must_use]
    pub fn to_bytes(self) -> [u8; MARK_BYTES] {
        bytes(self.stage as u8, [self.since_ms, self.progress_ms])
    }
}

/// The bytes that say that the process lives, for the beginning of the file.
#[must_use]
pub fn heartbeat(alive_ms: u64) -> [u8; MARK_BYTES] {
    bytes(HEARTBEAT, [alive_ms, 0])
}

/// What was going on when the process ended that wrote this file. Marks that were not written whole are left out.
///
/// ```
/// use whimbrel_telemetry::{Mark, Stage, ended, heartbeat};
///
/// let mark = Mark { stage: Stage::Decode, since_ms: 1_000, progress_ms: 3_000 };
/// let file = [heartbeat(60_000), mark.to_bytes()].concat();
/// let ended = ended(&file);
/// assert!(ended[0].stage == Stage::Decode && ended[0].is_stuck);
/// ```
#[must_use]
pub fn ended(file: &[u8]) -> Vec<Ended> {
    let mut slots = file.chunks_exact(MARK_BYTES).take(MARKS_MAX + 1).map(numbers);
    let alive_ms = match slots.next() {
        Some(Some((HEARTBEAT, [alive_ms, _]))) => alive_ms,
        _ => 0,
    };
    let marks = slots.flatten().filter_map(|(stage, [_, progress_ms])| {
        let stage = *Stage::ALL.get(usize::from(stage))?;
        let alive_ms = alive_ms.max(progress_ms);
        Some(Ended {
            stage,
            progress_ms,
            alive_ms,
            is_stuck: stage.makes_progress() && alive_ms - progress_ms >= STUCK_MS_LEAST,
        })
    });
    marks.collect()
}

/// Format, stage, two numbers and a checksum over them.
fn bytes(stage: u8, numbers: [u64; 2]) -> [u8; MARK_BYTES] {
    let mut bytes = [0; MARK_BYTES];
    bytes[..2].copy_from_slice(&[FORMAT, stage]);
    bytes[8..16].copy_from_slice(&numbers[0].to_le_bytes());
    bytes[16..24].copy_from_slice(&numbers[1].to_le_bytes());
    let sum = checksum(&bytes[..24]);
    bytes[24..].copy_from_slice(&sum.to_le_bytes());
    bytes
}

/// Stage and numbers; `None` for what was not written whole.
fn numbers(bytes: &[u8]) -> Option<(u8, [u64; 2])> {
    let number = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
    let is_whole = bytes[0] == FORMAT && number(24) == checksum(&bytes[..24]);
    is_whole.then(|| (bytes[1], [number(8), number(16)]))
}

/// FNV-1a over 64 bits (Fowler, Noll and Vo): it finds a mark of which only a part was written.
fn checksum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |sum, byte| {
        (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stage_comes_back() {
        let mut file = heartbeat(50_000).to_vec();
        for (progress_ms, stage) in (45_000..).step_by(1_000).zip(Stage::ALL) {
            let mark = Mark {
                stage,
                since_ms: 1,
                progress_ms,
            };
            file.extend(mark.to_bytes());
        }
        let found = ended(&file);
        assert_eq!(found.iter().map(|ended| ended.stage).collect::<Vec<_>>(), Stage::ALL);
        assert!(
            found
                .iter()
                .all(|ended| !ended.is_stuck && ended.alive_ms >= ended.progress_ms)
        );
    }

    #[test]
    fn what_was_not_written_whole_is_left_out() {
        let mark = Mark {
            stage: Stage::Prefill,
            since_ms: 10,
            progress_ms: 20,
        };
        let file = [heartbeat(30), mark.to_bytes()].concat();
        assert_eq!(ended(&file).len(), 1);
        assert_eq!(ended(&[0; MARKS_BYTES]), []);
        for cut in 0..file.len() {
            assert_eq!(ended(&file[..cut]), []);
        }
        for at in MARK_BYTES..file.len() {
            let mut damaged = file.clone();
            damaged[at] ^= 1;
            assert_eq!(ended(&damaged), [], "byte {at}");
        }
        // Without a heartbeat nothing is known to have been stuck.
        let mut damaged = file;
        damaged[3] ^= 1;
        assert!(!ended(&damaged)[0].is_stuck);
    }
}
