//! Sending what requests took to the app's developer, as a state machine: whether the user's consent covers it, when something is sent, how
//! much, and what a failure means. Whoever carries out its commands has the ledger, the clock and the network, and decides nothing.
//!
//! The queue is the ledger: a cursor, the sequence number of an entry, says up to where the spans of receipts were sent or dropped. Sums are
//! cumulative since the consent. If the record cannot be written, the executor drops the commands and the machine, and opens it again from what
//! is stored: what was not written has not happened.

mod consent;
mod message;
mod record;
mod reports;
mod waits;

pub use self::consent::{Consent, Signals, TelemetryRules};
pub use self::message::{Batch, Command, Event, Failure, Reply, Why};
use self::record::Given;
pub use self::record::{SENDER_VERSION, SenderRecord, SenderRecordError, SentToday};
pub use self::waits::backoff_ms;
use self::waits::mixed;
use serde::Serialize;

use crate::Network;
use crate::spending::days::{DAY_MS, Reserved};

/// Bytes that may be sent in a day if the policy does not say.
pub const BYTES_A_DAY_DEFAULT: u64 = 50_000;
/// Connections in a day if the policy does not say.
pub const CONNECTIONS_A_DAY_DEFAULT: u32 = 4;
/// The maximum number of receipts whose spans are sent at a time.
pub const SPANS_PER_SEND_MAX: u32 = 200;
/// The maximum number of receipts that wait for their spans to be sent. The oldest ones beyond it are dropped.
pub const SPANS_WAITING_MAX: u64 = 5_000;
/// How old a receipt may be whose spans are sent, in milliseconds: 30 days.
pub const SPAN_AGE_MS_MAX: u64 = 30 * DAY_MS;
/// With fewer bytes left in the day nothing is sent.
pub const BYTES_LEAST: u64 = 2_000;
/// The shortest wait after a failure, in milliseconds: 15 minutes. It doubles with each.
pub const BACKOFF_MS_BASE: u64 = 900_000;
/// The longest wait after a failure, in milliseconds, also if the receiver asks for more: a day.
pub const BACKOFF_MS_MAX: u64 = DAY_MS;
/// How long a signal pauses that the receiver has refused, in milliseconds: a day.
pub const REFUSED_MS: u64 = DAY_MS;
/// The shortest time between two connections, in milliseconds, however often the app goes to the background: 15 minutes.
pub const FLUSH_INTERVAL_MS: u64 = 900_000;
/// How long an attempt may last, in milliseconds.
pub const ATTEMPT_MS_MAX: u64 = 30_000;
/// An attempt that may last for less than this is not begun, in milliseconds.
pub const ATTEMPT_MS_LEAST: u64 = 2_000;
/// When the budget is used up, sending goes on within so many milliseconds after midnight, not on all devices at once.
const SPREAD_MS: u64 = 1_800_000;

/// A closed receipt in the ledger.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ClosedReceipt {
    /// The sequence number of the entry that closes it.
    pub sequence: u64,
    /// When it was closed, in milliseconds since 1970.
    pub closed_ms: u64,
}

/// The statuses with which the receiver has refused the signals that pause.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub struct RefusedSignals {
    /// Of the sums.
    pub metrics: Option<u16>,
    /// Of the spans.
    pub traces: Option<u16>,
}

#[derive(Clone, Copy, Debug)]
struct Attempt {
    number: u64,
    signals: Signals,
    /// The newest entry when it was begun.
    newest: u64,
    bytes_max: u64,
    /// What is set aside for it; `None` while it is made ready.
    reserved: Option<Reserved<SentToday>>,
    /// Whether it is to be stopped. What comes of it counts only in the budget.
    is_stopped: bool,
}

/// See the module.
///
/// ```
/// use whimbrel_policy::telemetry::*;
/// use whimbrel_policy::{Network, PolicySet, Preset};
///
/// let section = "[telemetry]\nurl = \"https://a.example\"\nservice = \"my-app\"\ntrust = \"organisation\"";
/// let rules = PolicySet::new(Preset::Private.policy(section)?, None)?.telemetry();
/// let now_ms = 1_795_420_800_000;
/// let (mut sender, commands) = Sender::open(SenderRecord::default(), rules, 70, 7, now_ms);
/// assert_eq!(commands, [Command::Nothing { because: Why::NoConsent }]);
///
/// sender.step(now_ms, Event::Conditions { network: Some(Network::Unmetered) });
/// let (to, service) = ("https://a.example".to_owned(), "my-app".to_owned());
/// let consent = Consent { to, service, metrics: true, traces: true, given_ms: now_ms };
/// sender.step(now_ms, Event::Consented { consent, begin_after: 70 });
/// let asked = Event::Asked { newest: 74, within_ms: None };
/// let [Command::Send(batch)] = sender.step(now_ms, asked)[..] else { panic!("it is sent") };
/// assert_eq!((batch.spans_after, batch.spans_max, batch.bytes_max), (70, 200, 50_000));
///
/// let attempt = batch.attempt;
/// assert_eq!(sender.step(now_ms, Event::Sending { attempt, bytes: 900 }), [Command::Go { attempt }]);
/// let accepted = Some(Reply::Accepted { rejected: 0, through: 74 });
/// let commands = sender.step(now_ms, Event::Ended { attempt, bytes: 850, metrics: accepted, traces: accepted });
/// assert_eq!(commands, [Command::WakeAt { at_ms: now_ms + 6 * 3_600_000 }]);
/// assert_eq!((sender.spans_after(), sender.today(now_ms).bytes), (Some(74), 850));
/// # Ok::<(), whimbrel_policy::PolicyError>(())
/// ```
#[derive(Debug)]
pub struct Sender {
    record: SenderRecord,
    rules: Option<TelemetryRules>,
    network: Option<Network>,
    attempt: Option<Attempt>,
    random: u64,
}

impl Sender {
    /// Resumes from what is stored. An attempt that was in progress then is lost with its process: what was set aside for it is used, and it
    /// counts as a failure. `rules` is what [`PolicySet::telemetry`](crate::PolicySet::telemetry) gives, `newest` the ledger's last entry.
    /// `random` is a random number that is new in each process; it spreads the attempts of several devices.
    #[must_use]
    pub fn open(
        record: SenderRecord,
        rules: Option<TelemetryRules>,
        newest: u64,
        random: u64,
        now_ms: u64,
    ) -> (Sender, Vec<Command>) {
        let mut sender = Sender {
            record,
            rules: None,
            network: None,
            attempt: None,
            random,
        };
        sender.record.look(now_ms);
        if std::mem::take(&mut sender.record.is_sending) {
            sender.fail(None, now_ms);
        }
        let mut commands = sender.change_rules(rules, newest, now_ms);
        commands.extend(sender.outlook(now_ms));
        (sender, commands)
    }

    /// Processes an event.
    pub fn step(&mut self, now_ms: u64, event: Event) -> Vec<Command> {
        self.record.look(now_ms);
        let mut commands = match event {
            Event::Asked { newest, within_ms } => return self.ask(newest, within_ms, now_ms),
            Event::Sending { attempt, bytes } => return self.go(attempt, bytes, now_ms),
            Event::Consented { consent, begin_after } => self.consent_to(consent, begin_after, now_ms),
            Event::Withdrawn => {
                self.record.given = None;
                self.stop()
            }
            Event::RulesChanged { rules, newest } => self.change_rules(rules, newest, now_ms),
            Event::CollectorChanged => {
                if let Some(given) = &mut self.record.given {
                    (given.metrics_refused, given.traces_refused) = (None, None);
                }
                Vec::new()
            }
            Event::Conditions { network } => {
                self.network = network;
                Vec::new()
            }
            Event::Skipped { attempt, through } => {
                self.skipped(attempt, through, now_ms);
                Vec::new()
            }
            Event::Ended {
                attempt,
                bytes,
                metrics,
                traces,
            } => {
                self.ended(attempt, bytes, (metrics, traces), now_ms);
                Vec::new()
            }
        };
        commands.extend(self.outlook(now_ms));
        commands
    }

    /// Drops the oldest receipts that wait, so that at most [`SPANS_WAITING_MAX`] do and none is older than [`SPAN_AGE_MS_MAX`]. To be called
    /// before [`Event::Asked`]. `newest_first` are the receipts behind [`Sender::spans_after`] that the ledger has, in falling order of their
    /// sequence numbers. Returns how many were dropped; they are counted in [`Sender::dropped`]. Does nothing while an attempt is in progress,
    /// or if traces may not be sent.
    pub fn drop_oldest(&mut self, now_ms: u64, newest_first: impl IntoIterator<Item = ClosedReceipt>) -> u64 {
        if self.attempt.is_some_and(|attempt| attempt.reserved.is_some()) {
            return 0;
        }
        // What is made ready begins at the cursor as it was.
        self.attempt = None;
        let Some(given) = self.record.given.as_mut().filter(|given| given.covered.traces) else {
            return 0;
        };
        let (mut kept, mut dropped) = (0, 0);
        let begin = given.spans_after;
        for receipt in newest_first.into_iter().take_while(|receipt| receipt.sequence > begin) {
            let is_young = now_ms.saturating_sub(receipt.closed_ms) <= SPAN_AGE_MS_MAX;
            if dropped == 0 && is_young && kept < SPANS_WAITING_MAX {
                kept += 1;
            } else {
                given.spans_after = given.spans_after.max(receipt.sequence);
                dropped += 1;
            }
        }
        given.dropped = given.dropped.saturating_add(dropped);
        dropped
    }

    /// What is to be stored after each call of [`Sender::open`], [`Sender::step`] and [`Sender::drop_oldest`].
    #[must_use]
    pub fn record(&self) -> &SenderRecord {
        &self.record
    }

    /// The rules that it was told last.
    #[must_use]
    pub fn rules(&self) -> Option<&TelemetryRules> {
        self.rules.as_ref()
    }

    /// The consent, whatever it covers.
    #[must_use]
    pub fn consent(&self) -> Option<&Consent> {
        self.record.consent()
    }

    /// What may be sent now, by the consent and the rules.
    #[must_use]
    pub fn signals(&self) -> Signals {
        self.given().map_or(Signals::NONE, |given| given.covered)
    }

    /// The entry that was the last when the requests began whose spans may be sent; `None` without consent.
    #[must_use]
    pub fn spans_begin(&self) -> Option<u64> {
        self.given().map(|given| given.spans_begin)
    }

    /// The entry up to which spans were sent or dropped; `None` without consent.
    #[must_use]
    pub fn spans_after(&self) -> Option<u64> {
        self.given().map(|given| given.spans_after)
    }

    /// How many receipts' spans were dropped under this consent.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.given().map_or(0, |given| given.dropped)
    }

    /// How many items the receiver has left out under this consent.
    #[must_use]
    pub fn rejected(&self) -> u64 {
        self.given().map_or(0, |given| given.rejected)
    }

    /// Which signals pause because the receiver has refused them, and with which status.
    #[must_use]
    pub fn refused(&self, now_ms: u64) -> RefusedSignals {
        let Some(given) = self.given() else {
            return RefusedSignals::default();
        };
        let open = given.open(now_ms);
        let code =
            |is_open: bool, refusal: Option<record::Refusal>| refusal.filter(|_| !is_open).map(|refusal| refusal.code);
        RefusedSignals {
            metrics: code(open.metrics, given.metrics_refused),
            traces: code(open.traces, given.traces_refused),
        }
    }

    /// Today's bytes and connections, reservations included.
    #[must_use]
    pub fn today(&self, now_ms: u64) -> SentToday {
        self.record.days.today(now_ms)
    }

    fn given(&self) -> Option<&Given> {
        self.record.given.as_ref()
    }

    fn consent_to(&mut self, consent: Consent, begin_after: u64, now_ms: u64) -> Vec<Command> {
        if self.given().is_some_and(|given| given.consent.is_same(&consent)) {
            return Vec::new();
        }
        self.record.given = Some(Given::new(consent, self.rules.as_ref(), begin_after, now_ms));
        self.stop()
    }

    fn change_rules(&mut self, rules: Option<TelemetryRules>, newest: u64, now_ms: u64) -> Vec<Command> {
        self.rules = rules;
        if let Some(given) = &mut self.record.given {
            given.apply(self.rules.as_ref(), newest, now_ms);
        }
        let covered = self.signals();
        let is_allowed = |attempt: Attempt| attempt.signals.and(covered) == attempt.signals;
        if self.attempt.is_none_or(is_allowed) {
            Vec::new()
        } else {
            self.stop()
        }
    }

    /// Whatever is on its way is no longer covered.
    fn stop(&mut self) -> Vec<Command> {
        self.record.is_sending = false;
        match &mut self.attempt {
            Some(attempt) if attempt.is_stopped => Vec::new(),
            Some(attempt) if attempt.reserved.is_some() => {
                attempt.is_stopped = true;
                let attempt = attempt.number;
                vec![Command::Stop { attempt }]
            }
            _ => {
                self.attempt = None;
                Vec::new()
            }
        }
    }

    fn ask(&mut self, newest: u64, within_ms: Option<u64>, now_ms: u64) -> Vec<Command> {
        let obstacle = self.obstacle().or_else(|| self.obstacle_now(newest, within_ms, now_ms));
        if let Some(because) = obstacle {
            return self.nothing(because, newest, now_ms);
        }
        let (Some(given), Some(rules)) = (&self.record.given, &self.rules) else {
            return Vec::new();
        };
        self.record.attempts += 1;
        let batch = Batch {
            attempt: self.record.attempts,
            signals: given.wanted(newest).and(given.open(now_ms)),
            spans_after: given.spans_after,
            spans_begin: given.spans_begin,
            spans_max: given.spans_max,
            sums_after: given.sums_after,
            sums_since_ms: given.sums_since_ms,
            bytes_max: rules.bytes_a_day.saturating_sub(self.today(now_ms).bytes),
            within_ms: within_ms.map_or(ATTEMPT_MS_MAX, |within_ms| within_ms.min(ATTEMPT_MS_MAX)),
        };
        self.attempt = Some(Attempt {
            number: batch.attempt,
            signals: batch.signals,
            newest,
            bytes_max: batch.bytes_max,
            reserved: None,
            is_stopped: false,
        });
        vec![Command::Send(batch)]
    }

    fn go(&mut self, number: u64, bytes: u64, now_ms: u64) -> Vec<Command> {
        let is_this = |attempt: &Attempt| attempt.number == number && attempt.reserved.is_none();
        let Some(mut attempt) = self.attempt.filter(is_this) else {
            let because = self.obstacle().unwrap_or(Why::InProgress);
            return vec![Command::Nothing { because }];
        };
        let of_day = self
            .rules
            .as_ref()
            .map_or((0, 0), |rules| (rules.bytes_a_day, rules.connections_a_day));
        let fits = |with: SentToday| with.bytes <= of_day.0 && with.connections <= of_day.1;
        let most = SentToday { bytes, connections: 1 };
        let obstacle = self.obstacle().or_else(|| self.obstacle_of_network());
        if obstacle.is_none() && bytes <= attempt.bytes_max {
            attempt.reserved = self.record.days.reserve(most, fits, now_ms);
        }
        if attempt.reserved.is_none() {
            self.attempt = None;
            let because = obstacle
                .or_else(|| self.obstacle_of_budget(now_ms))
                .unwrap_or(Why::BudgetBytes);
            return self.nothing(because, attempt.newest, now_ms);
        }
        self.attempt = Some(attempt);
        self.record.is_sending = true;
        self.record.since_connection = Some(waits::Passed::none(now_ms));
        vec![Command::Go { attempt: number }]
    }

    /// What neither time nor another network helps against.
    fn obstacle(&self) -> Option<Why> {
        if self.rules.as_ref().is_none_or(|rules| rules.signals().is_none()) {
            Some(Why::NotConfigured)
        } else if self.signals().is_none() {
            Some(Why::NoConsent)
        } else if self.attempt.is_some_and(|attempt| attempt.reserved.is_some()) {
            Some(Why::InProgress)
        } else {
            None
        }
    }

    fn obstacle_now(&self, newest: u64, within_ms: Option<u64>, now_ms: u64) -> Option<Why> {
        let given = self.given()?;
        let wanted = given.wanted(newest);
        if wanted.is_none() {
            return Some(Why::NothingNew);
        }
        if wanted.and(given.open(now_ms)).is_none() {
            return Some(Why::Refused);
        }
        let obstacle = self.obstacle_of_network();
        if obstacle.is_some() {
            return obstacle;
        }
        if given.backoff_left_ms(now_ms) > 0 {
            return Some(Why::Backoff);
        }
        let obstacle = self.obstacle_of_budget(now_ms);
        if obstacle.is_some() {
            return obstacle;
        }
        let interval_ms = match within_ms {
            Some(_) => FLUSH_INTERVAL_MS.min(self.interval_ms()),
            None => self.interval_ms(),
        };
        if self.left_of_ms(interval_ms, now_ms) > 0 {
            return Some(Why::Interval);
        }
        within_ms
            .filter(|within_ms| *within_ms < ATTEMPT_MS_LEAST)
            .map(|_| Why::Deadline)
    }

    fn obstacle_of_network(&self) -> Option<Why> {
        let allows_metered = self.rules.as_ref().is_some_and(|rules| rules.metered);
        match self.network {
            Some(Network::None) => Some(Why::NoNetwork),
            Some(Network::Unmetered) => None,
            _ if allows_metered => None,
            Some(Network::Metered | Network::Roaming) | None => Some(Why::Metered),
        }
    }

    fn obstacle_of_budget(&self, now_ms: u64) -> Option<Why> {
        let (rules, today) = (self.rules.as_ref()?, self.today(now_ms));
        if today.connections >= rules.connections_a_day {
            Some(Why::BudgetConnections)
        } else if today.bytes.saturating_add(BYTES_LEAST) > rules.bytes_a_day {
            Some(Why::BudgetBytes)
        } else {
            None
        }
    }

    /// The connections of a day, spread over the day.
    fn interval_ms(&self) -> u64 {
        let connections = self.rules.as_ref().map_or(1, |rules| rules.connections_a_day);
        DAY_MS / u64::from(connections.max(1))
    }

    /// What is left of a time since the last connection.
    fn left_of_ms(&self, interval_ms: u64, now_ms: u64) -> u64 {
        let passed = self.record.since_connection.map(|passed| passed.ms(now_ms));
        passed.map_or(0, |passed| interval_ms.saturating_sub(passed))
    }

    fn nothing(&self, because: Why, newest: u64, now_ms: u64) -> Vec<Command> {
        let mut commands = vec![Command::Nothing { because }];
        let at_least = |at_ms: u64, wait_ms: u64| at_ms.max(now_ms.saturating_add(wait_ms));
        let wanted = self.given().map(|given| given.wanted(newest));
        let at_ms = self.next_ms(wanted.unwrap_or_default(), now_ms);
        commands.extend(
            match because {
                Why::NotConfigured | Why::NoConsent | Why::InProgress | Why::NoNetwork | Why::Metered => None,
                Why::NothingNew => Some(at_least(at_ms, self.interval_ms())),
                Why::Deadline => Some(at_least(at_ms, FLUSH_INTERVAL_MS)),
                // What was made ready does not fit into what is left of the day.
                Why::BudgetBytes => Some(at_least(at_ms, self.midnight_left_ms(now_ms))),
                Why::Refused | Why::Backoff | Why::BudgetConnections | Why::Interval => Some(at_least(at_ms, 1)),
            }
            .map(|at_ms| Command::WakeAt { at_ms }),
        );
        commands
    }

    /// What follows from the state, as far as it is known without [`Event::Asked`].
    fn outlook(&self, now_ms: u64) -> Vec<Command> {
        match self.obstacle().or_else(|| self.obstacle_of_network()) {
            Some(because) => vec![Command::Nothing { because }],
            None => {
                let at_ms = self.next_ms(self.signals(), now_ms);
                vec![Command::WakeAt { at_ms }]
            }
        }
    }

    /// The earliest time at which one of these signals may be sent in a regular run.
    fn next_ms(&self, signals: Signals, now_ms: u64) -> u64 {
        let of_given = self.given().map_or(0, |given| {
            let refused_ms = given.refused_left_ms(signals, now_ms);
            given.backoff_left_ms(now_ms).max(refused_ms)
        });
        let of_budget = self
            .obstacle_of_budget(now_ms)
            .map_or(0, |_| self.midnight_left_ms(now_ms));
        let interval_ms = self.left_of_ms(self.interval_ms(), now_ms);
        now_ms.saturating_add(of_given.max(of_budget).max(interval_ms))
    }

    /// Until the next day has begun on this device.
    fn midnight_left_ms(&self, now_ms: u64) -> u64 {
        DAY_MS - now_ms % DAY_MS + mixed(self.random, self.record.attempts) % SPREAD_MS
    }
}
