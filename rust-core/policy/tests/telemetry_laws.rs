//! Random schedules of sending: consent that comes and goes, policies that change, receivers that fail, processes that die at any point and
//! clocks that jump. Nothing is sent before consent or after its withdrawal, no day takes more than its budget, and nothing is lost silently.
//! The judge here shares no code with the crate. `WHIMBREL_RUNS` sets how many schedules are run.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};

use rand_pcg::Pcg64;
use rand_pcg::rand_core::Rng;
use whimbrel_policy::telemetry::{
    Batch, ClosedReceipt, Command, Consent, Event, Failure, Reply, SPANS_PER_SEND_MAX, SPANS_WAITING_MAX, Sender,
    SenderRecord, Signals, TelemetryRules,
};
use whimbrel_policy::{Format, Network, Policy, PolicySet};

const MINUTE_MS: u64 = 60_000;
const HOUR_MS: u64 = 60 * MINUTE_MS;
const DAY_MS: u64 = 24 * HOUR_MS;
const NOW_MS: u64 = 20_000 * DAY_MS + 6 * HOUR_MS;
const EVENTS: u32 = 100;
const BYTES_A_DAY: u64 = 50_000;
const CONNECTIONS_A_DAY: u64 = 4;

/// Sizes as they could be on the wire: a connection with the request's headers, the sums, and the span of one receipt.
const OVERHEAD_BYTES: u64 = 1_500;
const SUMS_BYTES: u64 = 3_000;
const SPAN_BYTES: u64 = 120;

fn rules(host: &str, user: &str) -> TelemetryRules {
    let head = "version = 1\nname = \"test\"\n";
    let app =
        format!("{head}[telemetry]\nurl = \"https://{host}.example\"\nservice = \"app\"\ntrust = \"organisation\"");
    let user = format!("{head}role = \"user\"\n[telemetry]\n{user}");
    let parse = |text: &str| Policy::parse(text, Format::Toml).unwrap();
    PolicySet::new(parse(&app), Some(parse(&user)))
        .unwrap()
        .telemetry()
        .unwrap()
}

/// One receipt of the ledger.
#[derive(Clone, Copy)]
struct Closed {
    at_ms: u64,
    /// Whether it may be sent under the consent in force: it was closed under it, and no policy has switched traces off since.
    is_ours: bool,
    is_dropped: bool,
    is_received: bool,
}

/// One connection, as the network counts it.
#[derive(Clone, Copy)]
struct Sent {
    /// The day that the clock showed.
    day: u64,
    bytes: u64,
    /// Since when the clock has been behind that day.
    behind_since_ms: Option<u64>,
}

/// What happens around a sender, and a judge of what it does.
struct World {
    random: Pcg64,
    sender: Sender,
    stored: String,
    now_ms: u64,
    ledger: BTreeMap<u64, Closed>,
    newest: u64,
    network: Option<Network>,
    rules: Option<TelemetryRules>,
    /// With the newest entry when it was given.
    consent: Option<(Consent, u64)>,
    /// What the attempt in progress will send.
    on_its_way: Option<(Batch, u64)>,
    is_receiver_well: bool,
    is_mortal: bool,
    wake_ms: Option<u64>,
    /// Without those of a day that the clock has been behind for a day.
    sent: Vec<Sent>,
    /// Bytes and connections of each day that the clock showed.
    days: BTreeMap<u64, (u64, u64)>,
    /// How often the clock came to a later day.
    days_begun: u64,
    was_set_back: bool,
    cursor: u64,
    seen: BTreeMap<&'static str, u64>,
}

impl World {
    fn new(seed: u64) -> World {
        let (sender, _) = Sender::open(SenderRecord::default(), None, 0, seed, NOW_MS);
        World {
            random: Pcg64::new(u128::from(seed), 5),
            stored: sender.record().encode(),
            sender,
            now_ms: NOW_MS,
            ledger: BTreeMap::new(),
            newest: 0,
            network: None,
            rules: None,
            consent: None,
            on_its_way: None,
            is_receiver_well: false,
            is_mortal: true,
            wake_ms: None,
            sent: Vec::new(),
            days: BTreeMap::new(),
            days_begun: 1,
            was_set_back: false,
            cursor: 0,
            seen: BTreeMap::new(),
        }
    }

    fn below(&mut self, end: u64) -> u64 {
        self.random.next_u64() % end
    }

    fn count(&mut self, what: &'static str) {
        *self.seen.entry(what).or_default() += 1;
    }

    /// What may be sent, by the judge's own reading.
    fn covered(&self) -> Signals {
        let (Some((consent, _)), Some(rules)) = (&self.consent, &self.rules) else {
            return Signals::NONE;
        };
        let is_for_them = consent.to == rules.url && consent.service == rules.service;
        Signals {
            metrics: is_for_them && consent.metrics && rules.metrics,
            traces: is_for_them && consent.traces && rules.traces,
        }
    }

    fn set_clock(&mut self, now_ms: u64) {
        self.days_begun += u64::from(now_ms / DAY_MS > self.now_ms / DAY_MS);
        self.was_set_back |= now_ms < self.now_ms;
        self.now_ms = now_ms;
    }

    /// What the clock shows when the sender looks at it. A clock that has run for a day is believed.
    fn look(&mut self) {
        let now_ms = self.now_ms;
        self.sent.retain_mut(|sent| {
            let is_behind = now_ms / DAY_MS < sent.day;
            let since_ms = sent
                .behind_since_ms
                .filter(|since_ms| *since_ms <= now_ms)
                .unwrap_or(now_ms);
            sent.behind_since_ms = is_behind.then_some(since_ms);
            !is_behind || now_ms - since_ms < DAY_MS
        });
    }

    /// The next process reads what is stored.
    fn restart(&mut self) {
        self.look();
        let record = SenderRecord::decode(&self.stored).unwrap();
        let random = self.random.next_u64();
        self.on_its_way = None;
        let (sender, commands) = Sender::open(record, self.rules.clone(), self.newest, random, self.now_ms);
        self.sender = sender;
        self.stored = self.sender.record().encode();
        self.carry_out(commands);
        self.step(Event::Conditions { network: self.network });
    }

    /// Tells the sender, and stores its record. Returns whether it came to that; what the judge knows of the event counts only then.
    fn told(&mut self, event: Event, then: impl FnOnce(&mut World)) -> bool {
        let before = self.sent.clone();
        self.look();
        let commands = self.sender.step(self.now_ms, event);
        if self.is_mortal && self.below(60) == 0 {
            self.sent = before;
            self.count("killed before it was stored");
            self.restart();
            return false;
        }
        self.stored = self.sender.record().encode();
        then(self);
        self.check_cursor();
        if self.is_mortal && self.below(60) == 0 {
            self.count("killed after it was stored");
            self.restart();
        } else {
            self.carry_out(commands);
        }
        true
    }

    fn step(&mut self, event: Event) {
        self.told(event, |_| {});
    }

    fn carry_out(&mut self, commands: Vec<Command>) {
        self.wake_ms = None;
        for command in commands {
            match command {
                Command::Send(batch) => self.prepare(batch),
                Command::Go { attempt } => self.transmit(attempt),
                Command::Stop { attempt } => {
                    self.count("stopped");
                    self.finish(attempt, 0);
                }
                Command::WakeAt { at_ms } => {
                    let longest_ms = DAY_MS + HOUR_MS;
                    assert!((self.now_ms..=self.now_ms + longest_ms).contains(&at_ms));
                    self.wake_ms = Some(at_ms);
                }
                Command::Nothing { because } => self.count(because.name()),
            }
        }
    }

    fn prepare(&mut self, batch: Batch) {
        let (covered, begin) = (self.covered(), self.consent.as_ref().map(|(_, begin)| *begin));
        assert!(!batch.signals.is_none(), "it sends something");
        assert_eq!(
            batch.signals.and(covered),
            batch.signals,
            "only what the consent covers"
        );
        assert!(batch.spans_after.min(batch.sums_after) >= begin.unwrap());
        assert!(batch.spans_max <= SPANS_PER_SEND_MAX && batch.bytes_max <= BYTES_A_DAY);
        let sums = if batch.signals.metrics { SUMS_BYTES } else { 0 };
        let attempt = batch.attempt;
        let room = batch.bytes_max.saturating_sub(OVERHEAD_BYTES + sums);
        if batch.bytes_max < OVERHEAD_BYTES + sums {
            let through = batch.spans_after;
            return self.step(Event::Skipped { attempt, through });
        }
        let spans: Vec<_> = self.ledger.range(batch.spans_after + 1..).collect();
        let spans = spans
            .into_iter()
            .take((room / SPAN_BYTES).min(u64::from(batch.spans_max)) as usize);
        let (count, through) = match batch.signals.traces {
            true => (
                spans.clone().count() as u64,
                spans.clone().next_back().map_or(batch.spans_after, |(at, _)| *at),
            ),
            false => (0, batch.spans_after),
        };
        let bytes = OVERHEAD_BYTES + sums + count * SPAN_BYTES;
        // What the user does in the meantime may end it.
        if self.is_mortal && self.below(4) == 0 {
            self.interfere();
        }
        self.on_its_way = Some((batch, through));
        self.step(Event::Sending { attempt, bytes });
    }

    fn transmit(&mut self, attempt: u64) {
        let (batch, _) = self.on_its_way.unwrap();
        assert_eq!(batch.attempt, attempt);
        assert_eq!(
            batch.signals.and(self.covered()),
            batch.signals,
            "nothing after a withdrawal"
        );
        self.count("connections");
        // The bytes leave the device.
        let day = self.now_ms / DAY_MS;
        self.days.entry(day).or_default().1 += 1;
        self.sent.push(Sent {
            day,
            bytes: 0,
            behind_since_ms: None,
        });
        if self.is_mortal && self.below(6) == 0 {
            self.count("killed while it was sent");
            self.leave(batch);
            return self.restart();
        }
        if self.is_mortal && self.below(8) == 0 {
            self.interfere();
            if self.on_its_way.is_none() {
                return;
            }
        }
        let bytes = self.leave(batch);
        self.finish(attempt, bytes);
    }

    /// Everything of the attempt leaves the device.
    fn leave(&mut self, batch: Batch) -> u64 {
        let (_, through) = self.on_its_way.unwrap();
        let sums = if batch.signals.metrics { SUMS_BYTES } else { 0 };
        let spans = match through > batch.spans_after {
            true => self.ledger.range(batch.spans_after + 1..=through).count() as u64,
            false => 0,
        };
        let bytes = OVERHEAD_BYTES + sums + spans * SPAN_BYTES;
        let day = self.now_ms / DAY_MS;
        self.days.entry(day).or_default().0 += bytes;
        self.sent.last_mut().unwrap().bytes += bytes;
        // What a clock that is or was ahead has used counts today as well.
        let today: Vec<_> = self.sent.iter().filter(|sent| sent.day >= day).collect();
        assert!(today.len() as u64 <= CONNECTIONS_A_DAY);
        assert!(today.iter().map(|sent| sent.bytes).sum::<u64>() <= BYTES_A_DAY);
        bytes
    }

    /// The attempt ends as the receiver likes, or without a reply if nothing has left.
    fn finish(&mut self, attempt: u64, bytes: u64) {
        let Some((batch, through)) = self.on_its_way.take() else {
            return;
        };
        assert_eq!(batch.attempt, attempt);
        let newest = self.newest;
        let metrics = (batch.signals.metrics && bytes > 0).then(|| self.reply(newest));
        let traces = (batch.signals.traces && bytes > 0).then(|| self.reply(through));
        let ended = Event::Ended {
            attempt,
            bytes,
            metrics,
            traces,
        };
        if let Some(Reply::Accepted { .. }) = traces
            && through > batch.spans_after
        {
            for (_, closed) in self.ledger.range_mut(batch.spans_after + 1..=through) {
                assert!(closed.is_ours, "it was closed under another consent");
                closed.is_received = true;
            }
        }
        self.step(ended);
    }

    fn reply(&mut self, through: u64) -> Reply {
        let rejected = 0;
        if self.is_receiver_well || self.below(3) > 0 {
            return Reply::Accepted { rejected, through };
        }
        let hours = self.below(40);
        Reply::Failed(match self.below(4) {
            0 => Failure::Retryable { after_ms: None },
            1 => Failure::Retryable {
                after_ms: Some(hours * HOUR_MS),
            },
            2 => Failure::Permanent { code: 413 },
            _ => Failure::Permanent { code: 403 },
        })
    }

    /// The cursor only goes forward, and only over what was received or dropped.
    fn check_cursor(&mut self) {
        let Some(cursor) = self.sender.spans_after() else {
            return;
        };
        assert!(cursor >= self.cursor && cursor <= self.newest);
        if cursor > self.cursor {
            for (sequence, closed) in self.ledger.range(self.cursor + 1..=cursor) {
                let is_done = closed.is_received || closed.is_dropped || !closed.is_ours;
                assert!(is_done, "{sequence} is lost");
            }
        }
        self.cursor = cursor;
    }

    fn drop_oldest(&mut self) {
        let waiting = self.ledger.range(self.cursor + 1..).rev();
        let waiting = waiting.map(|(sequence, closed)| ClosedReceipt {
            sequence: *sequence,
            closed_ms: closed.at_ms,
        });
        let (before, from) = (self.sender.dropped(), self.cursor);
        let dropped = self.sender.drop_oldest(self.now_ms, waiting);
        if dropped > 0 {
            let through = self.sender.spans_after().unwrap();
            let range = self.ledger.range_mut(from + 1..=through);
            assert_eq!(
                range.map(|(_, closed)| closed.is_dropped = true).count() as u64,
                dropped
            );
            *self.seen.entry("dropped").or_default() += dropped;
        }
        assert_eq!(self.sender.dropped(), before + dropped);
        self.stored = self.sender.record().encode();
        self.check_cursor();
    }

    fn ask(&mut self, within_ms: Option<u64>) {
        self.drop_oldest();
        let newest = self.newest;
        self.step(Event::Asked { newest, within_ms });
    }

    /// Receipts are closed. Other entries of the ledger are between them.
    fn close(&mut self, count: u64) {
        for _ in 0..count {
            self.newest += 1 + self.below(3);
            let closed = Closed {
                at_ms: self.now_ms,
                is_ours: self.covered().traces,
                is_dropped: false,
                is_received: false,
            };
            self.ledger.insert(self.newest, closed);
        }
    }

    fn forfeit(&mut self) {
        self.ledger.values_mut().for_each(|closed| closed.is_ours = false);
    }

    fn agree(&mut self, host: &str, agreed: Signals) {
        let consent = Consent {
            to: format!("https://{host}.example"),
            service: "app".to_owned(),
            metrics: agreed.metrics,
            traces: agreed.traces,
            given_ms: 0,
        };
        let begin_after = self.newest;
        let event = Event::Consented {
            consent: consent.clone(),
            begin_after,
        };
        self.told(event, |world| {
            if world.consent.as_ref().is_none_or(|(before, _)| *before != consent) {
                world.consent = Some((consent, begin_after));
                world.cursor = begin_after;
                world.forfeit();
            }
        });
    }

    fn change_rules(&mut self, rules: Option<TelemetryRules>) {
        let newest = self.newest;
        // The documents are on the disk, whatever becomes of the process.
        self.rules = rules.clone();
        if !self.covered().traces {
            self.forfeit();
        }
        self.step(Event::RulesChanged { rules, newest });
    }

    /// What the user and the app may do at any time.
    fn interfere(&mut self) {
        let host = ["a", "a", "b"][self.below(3) as usize];
        match self.below(4) {
            0 => {
                self.count("withdrawn");
                self.told(Event::Withdrawn, |world| {
                    world.consent = None;
                    world.cursor = 0;
                    world.forfeit();
                });
            }
            1 => {
                let user = ["", "", "traces = false", "metrics = false"][self.below(4) as usize];
                self.change_rules(Some(rules(host, user)));
            }
            2 if self.below(3) == 0 => self.change_rules(None),
            _ => {
                let agreed = Signals {
                    metrics: self.below(4) > 0,
                    traces: self.below(4) > 0,
                };
                self.agree(host, agreed);
            }
        }
    }

    fn happens(&mut self, jumps: Jumps) {
        let pass_ms = self.below(5 * HOUR_MS);
        self.set_clock(self.now_ms + pass_ms);
        match self.below(24) {
            0..=7 => self.ask(None),
            8..=12 => {
                let within_ms = Some(self.below(20_000));
                self.ask(within_ms);
            }
            13..=16 => {
                let count = self.below(300);
                self.close(count);
            }
            17 | 18 => {
                let networks = [None, Some(Network::None), Some(Network::Metered)];
                self.network = *networks
                    .get(self.below(9) as usize)
                    .unwrap_or(&Some(Network::Unmetered));
                self.step(Event::Conditions { network: self.network });
            }
            19 => self.interfere(),
            20 | 21 if self.consent.is_none() || self.covered().is_none() => {
                self.change_rules(Some(rules("a", "")));
                let (metrics, traces) = (true, true);
                self.agree("a", Signals { metrics, traces });
            }
            22 => self.restart(),
            _ => match jumps {
                Jumps::None => {}
                Jumps::Forward => {
                    let days = self.below(4);
                    self.set_clock(self.now_ms + days * DAY_MS);
                }
                Jumps::Any => {
                    let days = self.below(9);
                    self.set_clock((self.now_ms + days * DAY_MS).saturating_sub(4 * DAY_MS));
                }
            },
        }
        self.check_budget();
    }

    fn check_budget(&self) {
        let sum = self
            .days
            .values()
            .fold((0, 0), |sum, day| (sum.0 + day.0, sum.1 + day.1));
        // A budget is renewed only when the clock comes to a later day.
        assert!(sum.0 <= self.days_begun * BYTES_A_DAY && sum.1 <= self.days_begun * CONNECTIONS_A_DAY);
        if !self.was_set_back {
            for (bytes, connections) in self.days.values() {
                assert!(*bytes <= BYTES_A_DAY && *connections <= CONNECTIONS_A_DAY);
            }
        }
    }

    /// With a receiver that works, everything is sent in the end.
    fn drain(&mut self) {
        self.is_mortal = false;
        self.is_receiver_well = true;
        self.change_rules(Some(rules("a", "")));
        let (metrics, traces) = (true, true);
        self.agree("a", Signals { metrics, traces });
        self.close(30);
        self.network = Some(Network::Unmetered);
        self.step(Event::Conditions { network: self.network });
        let (begin, newest) = (self.cursor, self.newest);
        let waiting = self.ledger.range(begin + 1..).count() as u64;
        let mut asked = 0;
        while self.sender.spans_after() < Some(newest) {
            asked += 1;
            assert!(asked < 200 && self.days_begun < 10_000, "{waiting} wait for ever");
            self.set_clock(self.wake_ms.unwrap().max(self.now_ms + 1));
            self.ask(None);
            self.check_budget();
        }
    }
}

#[derive(Clone, Copy)]
enum Jumps {
    None,
    Forward,
    Any,
}

fn run(seed: u64, seen: &mut BTreeMap<&'static str, u64>) {
    let mut world = World::new(seed);
    let jumps = [Jumps::None, Jumps::Forward, Jumps::Any][(seed % 3) as usize];
    for _ in 0..EVENTS {
        world.happens(jumps);
    }
    world.drain();
    for (what, count) in world.seen {
        *seen.entry(what).or_default() += count;
    }
}

#[test]
fn ten_thousand_schedules() {
    let runs = std::env::var("WHIMBREL_RUNS").ok().and_then(|runs| runs.parse().ok());
    let runs: u64 = runs.unwrap_or(10_000);
    let mut seen = BTreeMap::new();
    for seed in 0..runs {
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run(seed, &mut seen)));
        if let Err(reason) = result {
            eprintln!("the schedule of seed {seed} breaks a law");
            std::panic::resume_unwind(reason);
        }
    }
    let rare = [
        "connections",
        "withdrawn",
        "dropped",
        "stopped",
        "killed before it was stored",
        "killed while it was sent",
        "refused",
        "backoff",
        "budget_connections",
        "interval",
        "metered",
        "no_consent",
        "not_configured",
    ];
    for what in rare.into_iter().filter(|_| runs >= 1_000) {
        assert!(
            seen.get(what).copied().unwrap_or(0) > runs / 20,
            "{what} is too rare: {seen:?}"
        );
    }
}

/// A world without faults, in which the user has agreed.
fn calm(seed: u64) -> World {
    let mut world = World::new(seed);
    world.is_mortal = false;
    world.is_receiver_well = true;
    world.change_rules(Some(rules("a", "")));
    let (metrics, traces) = (true, true);
    world.agree("a", Signals { metrics, traces });
    world
}

#[test]
fn two_hundred_requests_a_day_take_four_connections_and_fifty_kilobytes() {
    for seed in 0..20 {
        let mut world = calm(seed);
        world.network = Some(Network::Unmetered);
        world.step(Event::Conditions { network: world.network });
        for _ in 0..14 * 200 {
            world.set_clock(world.now_ms + DAY_MS / 200);
            world.close(1);
            // In some of these worlds, the app goes to the background now and then.
            if seed % 2 == 1 && world.below(20) == 0 {
                world.ask(Some(5_000));
            }
            if world.wake_ms.is_none_or(|wake_ms| wake_ms <= world.now_ms) {
                world.ask(None);
            }
            let unsent = world
                .ledger
                .range(world.cursor..)
                .map(|(_, closed)| closed)
                .find(|closed| !closed.is_received);
            assert!(unsent.is_none_or(|closed| world.now_ms - closed.at_ms <= DAY_MS));
        }
        world.check_budget();
        assert_eq!(world.sender.dropped(), 0);
    }
}

#[test]
fn a_backlog_of_thirty_days_is_sent_at_a_bounded_rate() {
    let mut world = calm(1);
    for _ in 0..30 * 200 {
        world.set_clock(world.now_ms + DAY_MS / 200);
        world.close(1);
    }
    world.network = Some(Network::Unmetered);
    world.step(Event::Conditions { network: world.network });
    let mut days = BTreeSet::new();
    while world.sender.spans_after() < Some(world.newest) {
        world.set_clock(world.wake_ms.unwrap().max(world.now_ms + 1));
        world.ask(None);
        days.insert(world.now_ms / DAY_MS);
    }
    world.check_budget();
    assert!((12..25).contains(&days.len()), "{days:?}");
    assert_eq!(world.sender.dropped(), 6_000 - SPANS_WAITING_MAX);
    let received = world.ledger.values().filter(|closed| closed.is_received).count() as u64;
    assert_eq!(received, SPANS_WAITING_MAX);
}
