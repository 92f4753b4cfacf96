//! The download of one file, as a state machine: which address is asked and from which byte, what an answer is worth, when to wait, when to
//! try another address, and when to give up. Whoever carries out its commands has the socket, the file and the clock, and decides nothing.
//!
//! Fetched bytes are kept. After an interruption at most a chunk is fetched again ([`OVERLAP_BYTES`] in the same run), and compared with what is
//! there, so that a server with another file is noticed even where it does not say so.

mod answer;
mod location;
mod pace;
mod problem;

use serde::{Deserialize, Serialize};

pub use self::answer::{Answer, ContentRange, FileKind, Validator};
pub use self::location::{LOCATION_BYTES_MAX, Location, LocationError};
use self::pace::Pace;
pub use self::pace::{SLOW_BYTES, SLOW_MS};
pub use self::problem::{DownloadFailure, Problem};
use crate::{Limits, Network};

/// Kept bytes are known to be intact in pieces of this many; see [`Kept`].
pub const CHUNK_BYTES: u64 = 1 << 20;
/// How much of what is kept is fetched again to compare it. Less than half a chunk, so that a resumption never costs more than a chunk.
pub const OVERLAP_BYTES: u64 = 64 << 10;
/// The largest file.
pub const FILE_BYTES_MAX: u64 = 256 << 30;
/// Attempts at one address that bring less than a chunk together.
pub const ATTEMPTS_MAX: u32 = 5;
/// Redirects that are followed in a row.
pub const REDIRECTS_MAX: usize = 10;
/// How often a download starts again because the file on the server has changed.
pub const RESTARTS_MAX: u32 = 1;
/// The wait after the first failed attempt, in milliseconds. It doubles with each.
pub const BACKOFF_MS_BASE: u64 = 1_000;
/// The longest wait of our own, in milliseconds.
pub const BACKOFF_MS_MAX: u64 = 30_000;
/// The longest wait that a server may ask for, in milliseconds. An address that asks for more is given up.
pub const RETRY_AFTER_MS_MAX: u64 = 120_000;
/// Space that stays free on the disk, in bytes.
const SPACE_LEFT_BYTES: u64 = 64 << 20;

/// What is to be fetched.
#[derive(Clone, Debug)]
pub struct Order {
    /// The addresses of the same file, the preferred one first. At least one.
    pub locations: Vec<Location>,
    /// Whether a checksum says in the end that it is the right file.
    pub has_checksum: bool,
    /// How many times its size the file needs on the disk beside the download itself: 1 if a bundle is made of it.
    pub copies: u64,
    /// The network, as far as it is known.
    pub network: Option<Network>,
    /// What may be fetched where bytes cost money.
    pub metered: MeteredRule,
    /// Any number; spreads the retries of several devices.
    pub seed: u32,
}

/// What may be fetched on a network where bytes cost money.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum MeteredRule {
    /// Nothing.
    Refuse,
    /// A file for which at most this many bytes are still to come.
    UpTo(u64),
    /// Anything.
    Allow,
}

impl MeteredRule {
    /// What a policy's limits allow: up to what they leave of the day ([`Limits::metered_bytes_a_day`]), and anything without that limit.
    #[must_use]
    pub fn of(limits: &Limits) -> MeteredRule {
        limits.metered_bytes_a_day.map_or(MeteredRule::Allow, MeteredRule::UpTo)
    }
}

/// What the kept bytes belong to. It is stored beside them.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Begun {
    /// Where they came from, before redirects.
    pub location: String,
    /// Which state of the file they are of, if the server said so.
    pub validator: Option<Validator>,
    /// Size of the file, if the server said so.
    pub bytes_total: Option<u64>,
}

/// What an earlier run left.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Kept {
    /// The file that they belong to; `None` without any bytes.
    pub begun: Option<Begun>,
    /// Bytes in the file.
    pub bytes: u64,
    /// How many of them are intact for sure, because their hashes were noted. The others were written last, and may not have reached the disk.
    pub bytes_intact: u64,
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A server answered.
    Answered(Answer),
    /// What the file is, by its first bytes.
    Recognised(FileKind),
    /// So many further bytes were written. Bytes that were compared with kept ones do not count.
    Received {
        /// Bytes.
        bytes: u64,
    },
    /// The body departs from the kept bytes.
    Differs {
        /// The first byte that is different.
        at: u64,
    },
    /// The body ended properly.
    Ended,
    /// The connection failed.
    Failed {
        /// What went wrong, for people.
        reason: String,
        /// Whether it may be over in a moment.
        is_passing: bool,
    },
    /// The free space on the disk, if the system says so.
    Space {
        /// Bytes.
        bytes_free: Option<u64>,
    },
    /// Whether the complete file has the right checksum.
    Checked {
        /// Whether it has.
        is_right: bool,
    },
    /// The time of [`Command::WakeAt`] has come. It may arrive early or late.
    Timer,
    /// Nobody wants the file any more.
    Cancelled,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Ask for the file from a byte on, and report the answer. Bytes that are kept already are to be compared.
    Ask {
        /// The address.
        location: Location,
        /// The first byte that is wanted. For 0 the whole file is asked for.
        from: u64,
        /// Send as `If-Range`.
        if_range: Option<Validator>,
    },
    /// Look how much space is free.
    MeasureSpace,
    /// Store this beside the kept bytes.
    Note(Begun),
    /// Read the body of the last answer, and report what comes.
    Read,
    /// Close the last answer.
    Stop,
    /// Keep only so many bytes. With 0 forget what they belonged to, too.
    CutTo {
        /// Bytes.
        bytes: u64,
    },
    /// Send [`Event::Timer`] at this time.
    WakeAt {
        /// On the clock of [`Download::step`].
        at_ms: u64,
    },
    /// Compare the complete file with its checksum.
    Check,
    /// The download has ended.
    Finish(Result<(), DownloadFailure>),
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    /// A server was asked.
    Asking,
    /// An answer is good, if there is space for it.
    Measuring,
    /// The body is being read.
    Reading,
    /// Until this time.
    Waiting(u64),
    /// The checksum is being computed.
    Checking,
    Over,
}

/// See the module.
///
/// ```
/// use whimbrel_policy::download::{Answer, Command, Download, Event, FileKind, Kept, MeteredRule, Order};
///
/// let order = Order {
///     locations: vec!["https://models.example/small.gguf".parse()?],
///     has_checksum: false,
///     copies: 1,
///     network: None,
///     metered: MeteredRule::Refuse,
///     seed: 7,
/// };
/// let (mut download, commands) = Download::start(order, Kept::default(), 0);
/// assert!(matches!(&commands[..], [Command::CutTo { bytes: 0 }, Command::Ask { from: 0, .. }]));
///
/// let answer = Answer { status: 200, content_length: Some(1_000), ..Answer::default() };
/// assert!(matches!(&download.step(1, Event::Answered(answer))[..], [Command::Note(_), Command::MeasureSpace]));
/// assert_eq!(download.step(2, Event::Space { bytes_free: Some(1 << 30) }), [Command::Read]);
/// assert_eq!(download.step(3, Event::Recognised(FileKind::Gguf)), []);
/// assert_eq!(download.step(4, Event::Received { bytes: 1_000 }), []);
/// assert_eq!(download.step(5, Event::Ended), [Command::Finish(Ok(()))]);
/// # Ok::<(), whimbrel_policy::download::LocationError>(())
/// ```
#[derive(Debug)]
pub struct Download {
    order: Order,
    state: State,
    begun: Option<Begun>,
    /// Bytes in the file.
    kept: u64,
    /// How many of them are surely what was received.
    sure: u64,
    /// The address in use, by its place in the order.
    source: usize,
    /// Why each address is not used any more.
    problems: Vec<Option<Problem>>,
    /// The addresses since the last one of the order, each a redirect of the one before.
    hops: Vec<Location>,
    /// The first byte that was asked for.
    from: u64,
    /// Failed attempts since a chunk came.
    attempts: u32,
    /// Kept bytes when the attempts were counted from 0.
    counted_from: u64,
    restarts: u32,
    pace: Pace,
}

impl Download {
    /// Begins or resumes a download, and returns the first commands. An order without an address fails at once.
    #[must_use]
    pub fn start(order: Order, kept: Kept, now_ms: u64) -> (Download, Vec<Command>) {
        // What came from elsewhere is another order's.
        let is_ours = |begun: &Begun| {
            let fits = begun.bytes_total.is_none_or(|total| kept.bytes <= total);
            fits && order
                .locations
                .iter()
                .any(|location| location.as_str() == begun.location)
        };
        let kept = match kept.begun.as_ref().is_some_and(is_ours) {
            true => kept,
            false => Kept::default(),
        };
        let mut download = Download {
            state: State::Asking,
            sure: kept.bytes_intact.min(kept.bytes),
            kept: kept.bytes,
            begun: kept.begun,
            source: 0,
            problems: vec![None; order.locations.len()],
            hops: Vec::new(),
            from: 0,
            attempts: 0,
            counted_from: kept.bytes,
            restarts: 0,
            pace: Pace::new(now_ms),
            order,
        };
        let mut commands = Vec::new();
        if download.begun.is_none() {
            commands.push(Command::CutTo { bytes: 0 });
        }
        commands.extend(download.first());
        (download, commands)
    }

    fn first(&mut self) -> Vec<Command> {
        if self.is_metered() && self.order.metered == MeteredRule::Refuse {
            return self.fail(DownloadFailure::Metered { bytes: self.left() });
        }
        if self.order.locations.is_empty() {
            return self.fail(DownloadFailure::Sources(Vec::new()));
        }
        match self.left() {
            // All came, and then the last run was killed.
            Some(0) if self.sure == self.kept => self.complete(),
            _ => self.ask(),
        }
    }

    /// Bytes that are kept.
    #[must_use]
    pub fn bytes_kept(&self) -> u64 {
        self.kept
    }

    /// Size of the file, once a server has said so.
    #[must_use]
    pub fn bytes_total(&self) -> Option<u64> {
        self.begun.as_ref()?.bytes_total
    }

    /// Whether bytes count. A policy's limits count them on a network that nobody knows, too.
    fn is_metered(&self) -> bool {
        match self.order.network {
            Some(network) => network.is_metered(),
            None => matches!(self.order.metered, MeteredRule::UpTo(_)),
        }
    }

    fn left(&self) -> Option<u64> {
        self.bytes_total()?.checked_sub(self.kept)
    }

    /// Processes an event that happened at `now_ms`, on any monotonic clock in milliseconds.
    pub fn step(&mut self, now_ms: u64, event: Event) -> Vec<Command> {
        match (self.state, event) {
            (State::Over, _) => Vec::new(),
            (_, Event::Cancelled) => self.fail(DownloadFailure::Cancelled),
            (State::Asking, Event::Answered(answer)) => self.judge(now_ms, answer),
            (State::Measuring, Event::Space { bytes_free }) => self.measure(now_ms, bytes_free),
            (State::Reading, Event::Recognised(kind)) => match kind {
                FileKind::Gguf => Vec::new(),
                FileKind::Page => self.reject(Problem::Page),
                FileKind::Other => self.reject(Problem::NotGguf),
            },
            (State::Reading, Event::Received { bytes }) => self.receive(now_ms, bytes),
            (State::Reading, Event::Differs { at }) => self.differs(at),
            (State::Reading, Event::Ended) => match self.left() {
                Some(0) => self.complete(),
                None if self.bytes_total().is_none() && self.kept > 0 => self.complete(),
                _ => self.retry(now_ms, Problem::Truncated, None),
            },
            (State::Asking | State::Reading, Event::Failed { reason, is_passing }) => {
                let problem = Problem::Network { reason };
                match is_passing {
                    true => self.retry(now_ms, problem, None),
                    false => self.reject(problem),
                }
            }
            (State::Waiting(until_ms), Event::Timer) if now_ms >= until_ms => self.ask(),
            (State::Waiting(at_ms), Event::Timer) => vec![Command::WakeAt { at_ms }],
            (State::Checking, Event::Checked { is_right }) => match is_right {
                true => self.finish(),
                false => {
                    let mut commands = self.forget();
                    commands.extend(self.fail(DownloadFailure::Checksum));
                    commands
                }
            },
            // What comes late, or at the wrong time.
            _ => Vec::new(),
        }
    }

    /// Asks the address in use for what is missing.
    fn ask(&mut self) -> Vec<Command> {
        self.hops = vec![self.order.locations[self.source].clone()];
        // A tail that was written last is compared, if it is long enough to tell files apart; otherwise what is before it.
        self.from = match self.kept - self.sure >= OVERLAP_BYTES {
            true => self.sure,
            false => self.sure.saturating_sub(OVERLAP_BYTES),
        };
        self.follow()
    }

    fn follow(&mut self) -> Vec<Command> {
        self.state = State::Asking;
        let Some(location) = self.hops.last().cloned() else {
            return Vec::new();
        };
        let if_range = self.begun.as_ref().and_then(|begun| begun.validator.clone());
        vec![Command::Ask {
            location,
            from: self.from,
            if_range: if_range.filter(|_| self.from > 0 && self.is_own_source()),
        }]
    }

    /// Whether the kept bytes came from the address in use.
    fn is_own_source(&self) -> bool {
        let own = self.begun.as_ref().map(|begun| begun.location.as_str());
        own == Some(self.order.locations[self.source].as_str())
    }

    fn judge(&mut self, now_ms: u64, answer: Answer) -> Vec<Command> {
        match answer.status {
            200 => self.judge_whole(answer),
            206 => self.judge_part(answer),
            301 | 302 | 303 | 307 | 308 => self.redirect(answer.location.as_deref()),
            416 if self.from > 0 => self.restart(),
            status @ (408 | 425 | 429 | 500..) => {
                self.retry(now_ms, Problem::Refused { status }, answer.retry_after_ms)
            }
            status => self.reject(Problem::Refused { status }),
        }
    }

    fn redirect(&mut self, target: Option<&str>) -> Vec<Command> {
        let Some((target, here)) = target.zip(self.hops.last()) else {
            return self.reject(Problem::Protocol);
        };
        let location = match here.redirected(target) {
            Ok(location) => location,
            Err(error) => return self.reject(Problem::Redirect { error }),
        };
        if self.hops.contains(&location) {
            return self.reject(Problem::RedirectLoop);
        }
        if self.hops.len() > REDIRECTS_MAX {
            return self.reject(Problem::TooManyRedirects);
        }
        self.hops.push(location);
        let mut commands = vec![Command::Stop];
        commands.extend(self.follow());
        commands
    }

    /// The whole file, asked for or not.
    fn judge_whole(&mut self, answer: Answer) -> Vec<Command> {
        if self.from == 0 {
            // With a tail that is not sure, or nothing.
            return self.accept(answer.content_length, answer);
        }
        let before = self.begun.as_ref().and_then(|begun| begun.validator.clone());
        if !self.is_own_source() || answer.validator == before {
            return self.reject(Problem::NoRanges);
        }
        // It is another file now, which is what `If-Range` asked for.
        if self.restarts >= RESTARTS_MAX {
            return self.reject(Problem::Changed);
        }
        self.restarts += 1;
        self.from = 0;
        let mut commands = self.forget();
        commands.extend(self.accept(answer.content_length, answer));
        commands
    }

    fn judge_part(&mut self, answer: Answer) -> Vec<Command> {
        let range = answer.content_range.as_deref().and_then(ContentRange::parse);
        let Some(ContentRange::Part { first, last, total }) = range else {
            return self.reject(Problem::Range);
        };
        let is_to_the_end = total.is_none_or(|total| last + 1 == total);
        let length = last - first + 1;
        let is_consistent = answer.content_length.is_none_or(|stated| stated == length);
        if self.from == 0 || first != self.from || !is_to_the_end || !is_consistent {
            return self.reject(Problem::Range);
        }
        let before = self.begun.as_ref().and_then(|begun| begun.validator.as_ref());
        let is_other = matches!((before, &answer.validator), (Some(before), Some(now)) if before != now);
        if is_other && self.is_own_source() {
            return self.restart();
        }
        self.accept(total, answer)
    }

    /// Accepts an answer whose body begins where it was asked to.
    fn accept(&mut self, total: Option<u64>, answer: Answer) -> Vec<Command> {
        if answer.is_encoded {
            return self.reject(Problem::Encoded);
        }
        if answer.is_page {
            return self.reject(Problem::Page);
        }
        if total.is_some_and(|total| total > FILE_BYTES_MAX) {
            return self.reject(Problem::TooLarge);
        }
        let mut commands = Vec::new();
        if self.from == 0 {
            let begun = Begun {
                location: self.order.locations[self.source].as_str().to_owned(),
                validator: answer.validator,
                bytes_total: total,
            };
            if self.begun.as_ref() != Some(&begun) {
                if self.kept > 0 {
                    commands.extend(self.forget());
                }
                self.begun = Some(begun.clone());
                commands.push(Command::Note(begun));
            }
        } else if total.is_some() && self.bytes_total().is_some() && total != self.bytes_total() {
            return self.restart();
        }
        self.state = State::Measuring;
        commands.push(Command::MeasureSpace);
        commands
    }

    fn measure(&mut self, now_ms: u64, bytes_free: Option<u64>) -> Vec<Command> {
        let left = self.left();
        if let (MeteredRule::UpTo(most), true) = (self.order.metered, self.is_metered())
            && left.is_none_or(|left| left > most)
        {
            return self.fail(DownloadFailure::Metered { bytes: left });
        }
        let beside = self.bytes_total().unwrap_or(0).saturating_mul(self.order.copies);
        let bytes_needed = left
            .unwrap_or(0)
            .saturating_add(beside)
            .saturating_add(SPACE_LEFT_BYTES);
        if let Some(bytes_free) = bytes_free.filter(|free| *free < bytes_needed) {
            return self.fail(DownloadFailure::Space {
                bytes_needed,
                bytes_free,
            });
        }
        self.state = State::Reading;
        self.pace = Pace::new(now_ms);
        vec![Command::Read]
    }

    fn receive(&mut self, now_ms: u64, bytes: u64) -> Vec<Command> {
        self.kept = self.kept.saturating_add(bytes);
        // What was compared before is what the server has, too.
        self.sure = self.kept;
        let bytes_max = self.bytes_total().unwrap_or(FILE_BYTES_MAX);
        if self.kept > bytes_max {
            self.sure = bytes_max;
            self.kept = bytes_max;
            let mut commands = vec![Command::CutTo { bytes: bytes_max }];
            commands.extend(self.reject(Problem::Range));
            return commands;
        }
        if self.kept.saturating_sub(self.counted_from) >= CHUNK_BYTES {
            self.attempts = 0;
            self.counted_from = self.kept;
        }
        match self.pace.is_too_slow(now_ms, bytes) {
            true => self.retry(now_ms, Problem::Slow, None),
            false => Vec::new(),
        }
    }

    fn differs(&mut self, at: u64) -> Vec<Command> {
        if at >= self.sure && self.kept > self.sure {
            // It may be our own tail that did not reach the disk.
            self.kept = self.sure;
            let mut commands = vec![Command::Stop, Command::CutTo { bytes: self.sure }];
            if self.sure == 0 {
                self.begun = None;
            }
            commands.extend(self.ask());
            return commands;
        }
        match self.is_own_source() {
            true => self.restart(),
            false => self.reject(Problem::OtherFile),
        }
    }

    /// The file on the server is another one now.
    fn restart(&mut self) -> Vec<Command> {
        if !self.is_own_source() {
            return self.reject(Problem::OtherFile);
        }
        if self.restarts >= RESTARTS_MAX {
            return self.reject(Problem::Changed);
        }
        self.restarts += 1;
        let mut commands = vec![Command::Stop];
        commands.extend(self.forget());
        commands.extend(self.ask());
        commands
    }

    fn forget(&mut self) -> Vec<Command> {
        self.begun = None;
        self.kept = 0;
        self.sure = 0;
        self.counted_from = 0;
        vec![Command::CutTo { bytes: 0 }]
    }

    /// Tries the same address again after a while, a few times.
    fn retry(&mut self, now_ms: u64, problem: Problem, retry_after_ms: Option<u64>) -> Vec<Command> {
        self.attempts += 1;
        let asked = retry_after_ms.unwrap_or(0);
        if self.attempts >= ATTEMPTS_MAX || asked > RETRY_AFTER_MS_MAX {
            return self.reject(problem);
        }
        let at_ms = now_ms.saturating_add(asked.max(backoff_ms(self.attempts, self.order.seed)));
        self.state = State::Waiting(at_ms);
        vec![Command::Stop, Command::WakeAt { at_ms }]
    }

    /// Gives the address up and tries the next.
    fn reject(&mut self, problem: Problem) -> Vec<Command> {
        let is_of_no_use = problem.says_nothing_is_right() && self.is_own_source();
        self.problems[self.source] = Some(problem);
        let mut commands = vec![Command::Stop];
        if is_of_no_use {
            commands.extend(self.forget());
        }
        let Some(next) = self.problems.iter().position(Option::is_none) else {
            let locations = self.order.locations.iter().cloned();
            let problems = std::mem::take(&mut self.problems).into_iter().flatten();
            commands.extend(self.fail(DownloadFailure::Sources(locations.zip(problems).collect())));
            return commands;
        };
        self.source = next;
        self.attempts = 0;
        self.counted_from = self.kept;
        commands.extend(self.ask());
        commands
    }

    fn complete(&mut self) -> Vec<Command> {
        if self.order.has_checksum {
            self.state = State::Checking;
            return vec![Command::Check];
        }
        self.finish()
    }

    fn finish(&mut self) -> Vec<Command> {
        self.state = State::Over;
        vec![Command::Finish(Ok(()))]
    }

    fn fail(&mut self, failure: DownloadFailure) -> Vec<Command> {
        self.state = State::Over;
        vec![Command::Stop, Command::Finish(Err(failure))]
    }
}

/// The wait after failed attempt `attempt` (1 is the first): between half of the backoff and all of it, by `seed`.
fn backoff_ms(attempt: u32, seed: u32) -> u64 {
    let whole = (BACKOFF_MS_BASE << attempt.saturating_sub(1).min(16)).min(BACKOFF_MS_MAX);
    let spread = u64::from(seed.wrapping_mul(attempt.wrapping_mul(0x9e37_79b9)));
    whole / 2 + spread * (whole - whole / 2) / u64::from(u32::MAX)
}
