//! Variants that become slower or worse are found, and those that do not are left alone: simulations from a seed. `WHIMBREL_RUNS` is the number of
//! runs of each case; with `--nocapture` the tests print what they measured.
#![allow(clippy::unwrap_used)]

mod support;

use rand_pcg::Pcg64;
use support::{Closed, DAY_MS, answered, attempt, chance, normal, runs, uniform};
use whimbrel_record::{AttemptEnd, Closing, Code, FinishReason, Label, Outcome, Place, Thermal};
use whimbrel_telemetry::{Meter, Overview, Regression, RegressionKind, Watch, WatchKey};

const BEGINS_MS: u64 = 1_790_000_000_000;
/// The typical time for a token.
const TOKEN_US: f64 = 40_000.0;
const QUIET_REQUESTS: u64 = 1_000;
const FOUND_WITHIN: u64 = 200;

/// How the times are scattered. The logarithms of all have the standard deviation that is asked for, apart from the outliers.
#[derive(Clone, Copy, Debug)]
enum Noise {
    Normal,
    /// Student's t with three degrees of freedom.
    Heavy,
    /// Normal, and 5 % take three times as long.
    Outliers,
}

const NOISES: [Noise; 3] = [Noise::Normal, Noise::Heavy, Noise::Outliers];
const SIGMAS: [f64; 4] = [0.05, 0.1, 0.2, 0.3];

impl Noise {
    fn draw(self, random: &mut Pcg64, sigma: f64) -> f64 {
        match self {
            Noise::Normal => sigma * normal(random),
            Noise::Heavy => {
                let squares: f64 = (0..3).map(|_| normal(random).powi(2)).sum();
                // The variance of t with three degrees of freedom is 3.
                sigma * normal(random) / (squares / 3.0).sqrt() / 3f64.sqrt()
            }
            Noise::Outliers => {
                let outlier = if chance(random, 0.05) { 3f64.ln() } else { 0.0 };
                sigma * normal(random) + outlier
            }
        }
    }
}

/// One variant's simulated life.
struct Life {
    watch: Watch,
    key: WatchKey,
    closed: Closed,
    requests: u64,
    a_day: u64,
    /// Of what comes and goes, 0 to 1.
    phase: f64,
}

impl Life {
    fn new(a_day: u64) -> Life {
        let closed = answered();
        Life {
            watch: Watch::new(),
            key: WatchKey::of(&closed.closing.attempts[0].place).unwrap(),
            closed,
            requests: 0,
            a_day,
            phase: 0.0,
        }
    }

    fn now_ms(&self) -> u64 {
        BEGINS_MS + self.requests * DAY_MS / self.a_day
    }

    /// A request whose tokens took `exp(log)` times as long as is typical. Whether something is reported after it.
    fn answer(&mut self, log: f64) -> bool {
        self.closed.set_token_us(TOKEN_US * log.exp());
        self.take()
    }

    fn take(&mut self) -> bool {
        let (closing, now_ms) = (&self.closed.closing, self.now_ms());
        self.watch.take(now_ms, closing, &closing.attempts[0]);
        self.requests += 1;
        !self.found().is_empty()
    }

    fn found(&self) -> Vec<Regression> {
        self.watch.regressions(&self.key)
    }
}

/// What became of many runs.
#[derive(Debug, Default)]
struct Tally {
    /// Reported although nothing had changed.
    false_alarms: u64,
    /// After how many requests each change was found.
    delays: Vec<u64>,
    missed: u64,
}

impl Tally {
    fn found(&self) -> f64 {
        self.delays.len() as f64 / (self.delays.len() as u64 + self.missed).max(1) as f64
    }

    fn print(&mut self, case: &str) {
        self.delays.sort_unstable();
        let median = self.delays.get(self.delays.len() / 2).copied().unwrap_or_default();
        let (alarms, found) = (self.false_alarms, 100.0 * self.found());
        println!("{case:<40} found {found:5.1} %  median delay {median:3}  false alarms {alarms}");
    }
}

/// Runs that are quiet for `at` requests and then changed.
fn tally(stream: u64, at: u64, request: impl Fn(&mut Life, &mut Pcg64, bool) -> bool) -> Tally {
    let mut tally = Tally::default();
    for run in 0..runs() {
        let mut random = Pcg64::new(u128::from(run), u128::from(stream));
        let mut life = Life::new(40);
        let mut delay = |count: u64, is_changed| (1..=count).find(|_| request(&mut life, &mut random, is_changed));
        if delay(at, false).is_some() {
            tally.false_alarms += 1;
        } else if let Some(delay) = delay(FOUND_WITHIN, true) {
            tally.delays.push(delay);
        } else {
            tally.missed += 1;
        }
    }
    tally
}

/// Runs in which nothing changes.
fn quiet(stream: u64, a_day: u64, request: impl Fn(&mut Life, &mut Pcg64) -> bool) -> Tally {
    let mut tally = Tally::default();
    for run in 0..runs() {
        let mut random = Pcg64::new(u128::from(run), u128::from(stream));
        let mut life = Life::new(a_day);
        life.phase = uniform(&mut random);
        match (0..QUIET_REQUESTS).any(|_| request(&mut life, &mut random)) {
            true => tally.false_alarms += 1,
            false => tally.missed += 1,
        }
    }
    tally
}

/// Checks that fewer than 1 % of the runs gave a false alarm, and that changes were found in `found_percent_min` of the others. Of fewer than
/// 1,000 runs, two may give false alarms and a twelfth more may be missed.
fn check(case: &str, mut tally: Tally, found_percent_min: u64) {
    tally.print(case);
    let runs = tally.false_alarms + tally.missed + tally.delays.len() as u64;
    let is_short = runs < 1_000;
    let alarms_max = if is_short { 2 } else { (runs - 1) / 100 };
    assert!(
        tally.false_alarms <= alarms_max,
        "{case}: {} of {runs} false alarms",
        tally.false_alarms
    );
    let missed_max = runs * (100 - found_percent_min) / 100 + if is_short { runs / 12 } else { 0 };
    assert!(tally.missed <= missed_max, "{case}: {} of {runs} missed", tally.missed);
}

#[test]
fn a_slower_variant_is_found() {
    // How many of 100 changes by 15 % are found, for each standard deviation. With the largest, the difference of the means of the 300 requests before
    // and the 200 after varies so much that no method finds all without false alarms; outliers make it larger still.
    for (noise, found_percent_min) in [
        (Noise::Normal, [99, 99, 99, 86]),
        (Noise::Heavy, [99, 99, 99, 97]),
        (Noise::Outliers, [99, 99, 96, 73]),
    ] {
        for (sigma, found_percent_min) in SIGMAS.into_iter().zip(found_percent_min) {
            for (factor, found_percent_min) in [(1.15, found_percent_min), (1.5, 99)] {
                let log = f64::ln(factor);
                let found = tally(1, 300, |life, random, is_slower| {
                    life.answer(noise.draw(random, sigma) + if is_slower { log } else { 0.0 })
                });
                check(
                    &format!("{factor} x slower, {noise:?} {sigma}"),
                    found,
                    found_percent_min,
                );
            }
        }
    }
}

#[test]
fn a_quiet_variant_is_left_alone() {
    for noise in NOISES {
        for sigma in SIGMAS {
            let quiet = quiet(2, 40, |life, random| life.answer(noise.draw(random, sigma)));
            check(&format!("quiet, {noise:?} {sigma}"), quiet, 0);
        }
    }
    for share in [0.0, 0.01, 0.05, 0.1, 0.2] {
        let quiet = quiet(4, 40, |life, random| {
            life.closed.set_bad(chance(random, share));
            life.take()
        });
        check(&format!("quiet, {share} bad"), quiet, 0);
    }
}

#[test]
fn a_worse_variant_is_found() {
    for (before, after, found_percent_min) in [(0.0, 0.15, 99), (0.01, 0.16, 99), (0.05, 0.2, 96), (0.1, 0.25, 80)] {
        let found = tally(3, 300, |life, random, is_worse| {
            life.closed
                .set_bad(chance(random, if is_worse { after } else { before }));
            life.take()
        });
        check(&format!("{before} bad, then {after}"), found, found_percent_min);
    }
}

#[test]
fn warm_and_cool_hours_are_no_regression() {
    for a_day in [15, 40, 100] {
        for sigma in [0.05, 0.1, 0.2] {
            let quiet = quiet(5, a_day, |life, random| {
                let day = life.requests as f64 / life.a_day as f64;
                let heat = 1.1f64.ln() * (std::f64::consts::TAU * (day + life.phase)).sin();
                life.answer(heat + sigma * normal(random))
            });
            check(&format!("heat of 10 %, {a_day} requests a day, {sigma}"), quiet, 0);
        }
    }
}

#[test]
fn a_burst_of_other_work_is_no_regression() {
    for (long, every, a_day) in [(20, 200, 400), (40, 400, 400)] {
        let quiet = quiet(6, a_day, |life, random| {
            let is_busy = (life.requests + (life.phase * every as f64) as u64) % every < long;
            life.answer(0.1 * normal(random) + if is_busy { 1.6f64.ln() } else { 0.0 })
        });
        check(&format!("bursts of {long} in {every}"), quiet, 0);
    }
}

#[test]
fn a_regression_stands_until_it_is_over() {
    let mut random = Pcg64::new(7, 7);
    let mut life = Life::new(40);
    let mut answers = |life: &mut Life, log: f64, count: u64| {
        for _ in 0..count {
            life.answer(log + 0.1 * normal(&mut random));
        }
        life.found()
    };
    let is_about =
        |value: f64, expected: f64| assert!((value / expected - 1.0).abs() < 0.05, "{value}, not {expected}");
    let speed = |life: &Life| life.watch.speed().unwrap();
    assert_eq!(answers(&mut life, 0.0, 300), []);
    is_about(speed(&life).decode_tokens_per_s, 25.0);
    is_about(speed(&life).prefill_tokens_per_s.unwrap(), 500.0);

    let changed_ms = life.now_ms();
    let found = answers(&mut life, 1.3f64.ln(), 200);
    let [slower] = &found[..] else {
        panic!("{found:?}");
    };
    assert_eq!(slower.kind, RegressionKind::Slower);
    assert_eq!((slower.model.as_str(), slower.variant.as_str()), ("smollm2", "q4_1"));
    assert_eq!(slower.bundle.as_str(), "01234567");
    is_about(slower.before, TOKEN_US);
    is_about(slower.after, 1.3 * TOKEN_US);
    assert!(
        slower.since_ms.abs_diff(changed_ms) < DAY_MS / 4,
        "{slower:?} for {changed_ms}"
    );
    assert!(slower.found_ms > slower.since_ms && slower.found_ms < life.now_ms());
    // Not the mean of both.
    is_about(speed(&life).decode_tokens_per_s, 25.0 / 1.3);

    // It grows, and is still compared with what was before.
    let found = answers(&mut life, 1.7f64.ln(), 200);
    is_about(found[0].before, TOKEN_US);
    is_about(found[0].after, 1.7 * TOKEN_US);
    assert_eq!((found.len(), found[0].since_ms), (1, slower.since_ms));

    assert_eq!(answers(&mut life, 0.0, 300), []);
    is_about(speed(&life).decode_tokens_per_s, 25.0);
}

#[test]
fn bad_answers_and_rejected_ones_are_told_apart_and_may_be_over() {
    let mut random = Pcg64::new(8, 8);
    let mut life = Life::new(40);
    let mut kinds = |life: &mut Life, bad: f64, rejected: f64| {
        for _ in 0..300 {
            life.closed.set_bad(chance(&mut random, bad));
            life.take();
            life.watch.take_feedback(life.now_ms(), chance(&mut random, rejected));
        }
        let found = life.found();
        found
            .into_iter()
            .map(|one| (one.kind, one.before < 0.1, (0.2..0.5).contains(&one.after)))
            .collect::<Vec<_>>()
    };
    assert_eq!(kinds(&mut life, 0.02, 0.05), []);
    assert_eq!(kinds(&mut life, 0.3, 0.05), [(RegressionKind::Worse, true, true)]);
    assert_eq!(kinds(&mut life, 0.02, 0.3), [(RegressionKind::Rejected, true, true)]);
    assert_eq!(kinds(&mut life, 0.02, 0.05), []);
}

#[test]
fn only_what_says_something_of_the_variant_counts() {
    // After 300 good answers, 100 others: whether they are a regression.
    type Change<'a> = &'a dyn Fn(&mut Closing);
    let check = |change: Change, expected: &[RegressionKind]| {
        let mut life = Life::new(40);
        for _ in 0..300 {
            life.take();
        }
        change(&mut life.closed.closing);
        for _ in 0..100 {
            life.take();
        }
        let kinds: Vec<_> = life.found().iter().map(|one| one.kind).collect();
        assert_eq!(kinds, expected, "{:?}", life.closed.closing);
    };
    let failed = |code: Code, expected| {
        let change = |closing: &mut Closing| {
            closing.outcome = Outcome::Failed;
            closing.attempts[0].ended = AttemptEnd::Failed;
            closing.attempts[0].error = Some(code.into());
        };
        check(&change, expected);
    };
    failed(Code::NotInForm, &[RegressionKind::Worse]);
    failed(Code::CutOff, &[RegressionKind::Worse]);
    failed(Code::OutOfMemory, &[]);
    failed(Code::Busy, &[]);
    failed(Code::ContextFull, &[]);
    check(
        &|closing| closing.finish = Some(FinishReason::Repetition),
        &[RegressionKind::Worse],
    );
    check(&|closing| closing.finish = Some(FinishReason::Length), &[]);
    check(&|closing| closing.measured.decode_us *= 2, &[RegressionKind::Slower]);
    let throttled = |closing: &mut Closing| {
        closing.measured.decode_us *= 2;
        closing.measured.thermal = Some(Thermal::Serious);
    };
    check(&throttled, &[]);
    let cancelled = |closing: &mut Closing| {
        closing.outcome = Outcome::Cancelled;
        closing.attempts[0].ended = AttemptEnd::Cancelled;
        closing.measured.decode_us *= 2;
    };
    check(&cancelled, &[]);
}

#[test]
fn a_meter_tells_also_of_failures_that_another_place_made_up_for() {
    let (mut meter, mut closed) = (Meter::new(BEGINS_MS, 0), answered());
    let system = Place::SystemModel {
        adapter: Label::new("system").unwrap(),
    };
    for sequence in 1..=400 {
        if sequence == 301 {
            closed.set_bad(true);
            closed.closing.outcome = Outcome::Answered;
            closed.closing.error = None;
            closed
                .closing
                .attempts
                .push(attempt(system.clone(), AttemptEnd::Answered));
        }
        let closed_ms = BEGINS_MS + sequence * DAY_MS / 40;
        meter.count(sequence, closed_ms, 0, &closed.intent, &closed.closing);
    }
    let overview: Overview = meter.overview();
    let [worse] = &overview.regressions[..] else {
        panic!("{:?}", overview.regressions);
    };
    let text = serde_json::to_string(worse).unwrap();
    let expected = r#"{"model":"smollm2","variant":"q4_1","bundle":"01234567","kind":"worse","since_ms":1790650160000,"found_ms":1790660960000,"before":0.0,"after":1.0}"#;
    assert_eq!(text, expected);
    assert_eq!(overview.regressions, meter.regressions());
}
