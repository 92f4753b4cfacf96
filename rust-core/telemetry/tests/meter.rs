//! The meter's laws: what it adds up does not depend on where it was stored and read again, equals a plain recount, and stays within its limits.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeMap;

use rand_pcg::Pcg64;
use support::{Closed, DAY_MS, answered, attempt, below, chance, label, on_device};
use whimbrel_record::{
    AttemptEnd, Code, DeviceClass, Energy, FinishReason, Outcome, Place, PlaceKind, ReceiptId, Thermal, TrustClass,
};
use whimbrel_telemetry::{
    DAYS_MAX, Ended, Histogram, Measure, Meter, MeterError, OTHER, SERIES_MAX, SeriesKey, Stage, WATCHES_MAX,
};

const BEGINS_MS: u64 = 1_790_000_000_000;

/// A receipt in the ledger.
#[derive(Clone, Debug)]
struct Entry {
    sequence: u64,
    closed_ms: u64,
    utc_offset_s: i32,
    closed: Closed,
}

fn count(meter: &mut Meter, entry: &Entry) {
    let Closed { intent, closing } = &entry.closed;
    meter.count(entry.sequence, entry.closed_ms, entry.utc_offset_s, intent, closing);
}

fn folded(entries: &[Entry]) -> Meter {
    let mut meter = Meter::new(BEGINS_MS, 0);
    entries.iter().for_each(|entry| count(&mut meter, entry));
    meter
}

fn reread(meter: &Meter) -> Meter {
    Meter::from_bytes(&meter.to_bytes()).unwrap()
}

/// Any figure, often an extreme one.
fn figure(random: &mut Pcg64) -> u64 {
    match below(random, 20) {
        0 => 0,
        1 => u64::MAX,
        2 => u64::MAX / 2,
        _ => 1 << below(random, 40),
    }
}

fn usual_figure(random: &mut Pcg64) -> u64 {
    below(random, 3_000_000)
}

fn place(random: &mut Pcg64) -> Place {
    let name = |random: &mut Pcg64, names: u64| format!("name-{}", below(random, names));
    match below(random, 4) {
        0 | 1 => on_device(
            &name(random, 12),
            &name(random, 2),
            &format!("{:016x}", below(random, 3)),
        ),
        2 => Place::SystemModel {
            adapter: label(&name(random, 2)),
        },
        _ => Place::Remote {
            endpoint: label(&name(random, 3)),
            trust: TrustClass::ALL[below(random, 3) as usize],
            model: label(&name(random, 3)),
        },
    }
}

/// A receipt of any kind, whose figures are made by `figure`.
fn any(random: &mut Pcg64, figure: fn(&mut Pcg64) -> u64) -> Closed {
    let mut closed = answered();
    closed.intent.task = label(["chat", "classify", "extract"][below(random, 3) as usize]);
    let closing = &mut closed.closing;
    closing.outcome = if chance(random, 0.6) {
        Outcome::Answered
    } else {
        Outcome::ALL[below(random, 6) as usize]
    };
    closing.attempts.clear();
    for _ in 0..below(random, 4) {
        let mut tried = attempt(place(random), AttemptEnd::ALL[below(random, 5) as usize]);
        if tried.ended == AttemptEnd::Failed {
            tried.error = Some(Code::ALL[below(random, Code::ALL.len() as u64) as usize].into());
        }
        (tried.bytes_out, tried.bytes_in) = (figure(random), figure(random));
        closing.attempts.push(tried);
    }
    if closing.outcome == Outcome::Answered
        && let Some(last) = closing.attempts.last_mut()
    {
        (last.ended, last.error) = (AttemptEnd::Answered, None);
    }
    if closing.outcome == Outcome::Failed {
        closing.error = Some(Code::ALL[below(random, Code::ALL.len() as u64) as usize].into());
    }
    closing.finish = Some(FinishReason::ALL[below(random, 7) as usize]);
    closing.answered_before = chance(random, 0.1).then_some(ReceiptId(1));
    closing.latency.total_ms = figure(random);
    closing.latency.first_token_ms = chance(random, 0.8).then(|| figure(random));
    closing.tokens.input = figure(random);
    closing.tokens.output = figure(random);
    closing.energy = chance(random, 0.5).then(|| Energy {
        millijoules: figure(random),
        method: label(&format!("method-{}", below(random, 10))),
    });
    let measured = &mut closing.measured;
    for part in [
        &mut measured.examine_us,
        &mut measured.decide_us,
        &mut measured.load_us,
        &mut measured.prefill_us,
        &mut measured.decode_us,
        &mut measured.network_us,
        &mut measured.prefill_tokens,
        &mut measured.decode_tokens,
        &mut measured.cpu_us,
        &mut measured.memory_bytes,
    ] {
        *part = figure(random);
    }
    measured.battery_percent = chance(random, 0.7).then(|| below(random, 256) as u8);
    measured.thermal = chance(random, 0.7).then(|| Thermal::ALL[below(random, 4) as usize]);
    measured.device = chance(random, 0.9).then(|| DeviceClass::ALL[below(random, 3) as usize]);
    closed
}

/// Receipts over months. The clock is set forwards and backwards now and then.
fn ledger(random: &mut Pcg64, receipts: u64, figure: fn(&mut Pcg64) -> u64) -> Vec<Entry> {
    let (mut sequence, mut now_ms) = (0, BEGINS_MS);
    let mut next = || {
        sequence += 1 + below(random, 3);
        now_ms += below(random, DAY_MS / 4);
        if chance(random, 0.02) {
            now_ms = BEGINS_MS + below(random, 200 * DAY_MS);
        }
        Entry {
            sequence,
            closed_ms: now_ms,
            utc_offset_s: (below(random, 27) as i32 - 12) * 3_600,
            closed: any(random, figure),
        }
    };
    (0..receipts).map(|_| next()).collect()
}

#[test]
fn it_may_be_stored_anywhere_and_told_anything_twice() {
    for seed in 0..8 {
        let mut random = Pcg64::new(seed, 1);
        let figure = if seed % 2 == 0 { figure } else { usual_figure };
        let entries = ledger(&mut random, 300, figure);
        let at_once = folded(&entries);
        let mut meter = Meter::new(BEGINS_MS, 0);
        for (at, entry) in entries.iter().enumerate() {
            count(&mut meter, entry);
            if chance(&mut random, 0.1) {
                meter = reread(&meter);
                let again = below(&mut random, at as u64 + 1) as usize;
                entries[again..=at].iter().for_each(|entry| count(&mut meter, entry));
            }
        }
        assert_eq!(meter, at_once, "seed {seed}");
        assert_eq!(reread(&meter), at_once, "seed {seed}");
    }
}

#[test]
fn sums_are_those_of_a_recount() {
    let mut random = Pcg64::new(1, 2);
    let entries = ledger(&mut random, 200, usual_figure);
    let meter = folded(&entries);
    let closings = || entries.iter().map(|entry| &entry.closed.closing);
    let overview = meter.overview();

    assert_eq!(overview.outcomes.requests(), 200);
    let given_again =
        closings().filter(|closing| closing.outcome == Outcome::Answered && closing.answered_before.is_some());
    assert_eq!(overview.outcomes.given_again, given_again.count() as u64);
    let failed = closings().filter(|closing| closing.outcome == Outcome::Failed).count() as u64;
    assert_eq!(overview.outcomes.failed, failed);
    assert_eq!(meter.codes().values().sum::<u64>(), failed);
    let millijoules: u64 = closings()
        .filter_map(|closing| closing.energy.as_ref())
        .map(|energy| energy.millijoules)
        .sum();
    let days = meter.days().len();
    assert!(days < DAYS_MAX as usize, "{days}");
    assert_eq!(meter.days().iter().map(|day| day.millijoules).sum::<u64>(), millijoules);
    let bytes: u64 = closings()
        .flat_map(|closing| &closing.attempts)
        .map(|attempt| attempt.bytes_out)
        .sum();
    assert_eq!(
        overview.series.iter().map(|series| series.bytes_out).sum::<u64>(),
        bytes
    );

    for measure in Measure::ALL {
        let values: Vec<u64> = closings().filter_map(|closing| measure.of(closing)).collect();
        let mut all = Histogram::default();
        meter
            .series()
            .values()
            .for_each(|series| all.merge(series.histogram(measure)));
        assert_eq!(all.count(), values.len() as u64, "{measure:?}");
        assert_eq!(all.sum(), values.iter().sum::<u64>(), "{measure:?}");
        assert_eq!(all.min(), values.iter().copied().min().unwrap_or(0), "{measure:?}");
        assert_eq!(all.max(), values.iter().copied().max().unwrap_or(0), "{measure:?}");
        let mut naive = vec![0; measure.bounds().len() + 1];
        for value in &values {
            let over = measure.bounds().iter().filter(|bound| *bound < value).count();
            naive[over] += 1;
        }
        assert_eq!(all.counts(measure), naive, "{measure:?}");
    }

    let mut by_key = BTreeMap::<SeriesKey, u64>::new();
    for entry in &entries {
        *by_key
            .entry(SeriesKey::of(&entry.closed.intent, &entry.closed.closing))
            .or_default() += 1;
    }
    let (others, named): (Vec<_>, Vec<_>) = meter.series().iter().partition(|(key, _)| key.is_other());
    for (key, series) in &named {
        assert_eq!(series.outcomes.requests(), by_key[*key], "{key:?}");
    }
    // The rest is counted by the kind of place.
    assert_eq!(named.len(), SERIES_MAX as usize - 6);
    assert!(others.len() > 1 && others.iter().all(|(key, _)| key.task.as_str() == OTHER));
    for (other, series) in others {
        let is_rest = |key: &&SeriesKey| key.place == other.place && !named.iter().any(|(named, _)| named == key);
        let requests = by_key.keys().filter(is_rest).map(|key| by_key[key]).sum::<u64>();
        assert_eq!(series.outcomes.requests(), requests, "{other:?}");
    }
}

#[test]
fn extreme_figures_do_not_overflow() {
    let mut random = Pcg64::new(1, 3);
    let mut entries = ledger(&mut random, 400, |_| u64::MAX);
    for (at, entry) in entries.iter_mut().enumerate() {
        entry.closed_ms = [0, u64::MAX, 1 << 63, BEGINS_MS][at % 4];
        entry.utc_offset_s = [0, i32::MAX, i32::MIN][at % 3];
        if let Some(energy) = &mut entry.closed.closing.energy {
            energy.method = label("one");
        }
    }
    let meter = folded(&entries);
    assert_eq!(reread(&meter), meter);
    assert_eq!(meter.energy()[&label("one")], u64::MAX);
    let _ = meter.overview();
}

#[test]
fn quantiles_are_between_the_buckets_of_their_neighbours() {
    for seed in 0..200 {
        let mut random = Pcg64::new(seed, 4);
        let measure = Measure::ALL[below(&mut random, 12) as usize];
        let mut values: Vec<u64> = (0..1 + below(&mut random, 50)).map(|_| figure(&mut random)).collect();
        let mut histogram = Histogram::default();
        values.iter().for_each(|value| histogram.add(measure, *value));
        values.sort_unstable();
        let mut last = 0.0;
        for part in 0..=64u32 {
            let quantile = histogram.quantile(measure, f64::from(part) / 64.0).unwrap();
            let rank = (values.len() - 1) * part as usize;
            let (below, above) = (values[rank / 64], values[rank.div_ceil(64)]);
            let bucket = |value| measure.bounds().partition_point(|bound| *bound < value);
            let low = bucket(below).checked_sub(1).map_or(0, |at| measure.bounds()[at]);
            let high = measure.bounds().get(bucket(above)).copied().unwrap_or(u64::MAX);
            let case = format!("seed {seed}, {measure:?}, {part}/64: {quantile} between {below} and {above}");
            assert!((low as f64..=high as f64).contains(&quantile), "{case}");
            assert!(
                (values[0] as f64..=*values.last().unwrap() as f64).contains(&quantile),
                "{case}"
            );
            assert!(quantile >= last, "{case}");
            last = quantile;
        }
    }
}

#[test]
fn damaged_bytes_give_an_error_or_a_meter_within_its_limits() {
    let mut random = Pcg64::new(1, 5);
    let bytes = folded(&ledger(&mut random, 30, usual_figure)).to_bytes();
    let entries = ledger(&mut random, 30, figure);
    let check = |damaged: &[u8]| {
        let Ok(mut meter) = Meter::from_bytes(damaged) else {
            return false;
        };
        for entry in &entries {
            let entry = Entry {
                sequence: meter.through().saturating_add(1),
                ..entry.clone()
            };
            count(&mut meter, &entry);
        }
        let overview = meter.overview();
        assert!(overview.series.len() <= SERIES_MAX as usize && overview.days.len() <= DAYS_MAX as usize);
        assert!(overview.regressions.len() <= 3 * WATCHES_MAX as usize);
        assert_eq!(reread(&meter), meter);
        true
    };
    let few = folded(&ledger(&mut random, 8, usual_figure)).to_bytes();
    for length in 0..few.len() {
        assert!(Meter::from_bytes(&few[..length]).is_err(), "{length}");
    }
    let mut still_read = 0;
    for _ in 0..1_000 {
        let mut damaged = bytes.clone();
        for _ in 0..=below(&mut random, 3) {
            let at = below(&mut random, bytes.len() as u64) as usize;
            // Half of them become digits, with which most of it stays readable.
            damaged[at] = if chance(&mut random, 0.5) {
                b'0' + below(&mut random, 10) as u8
            } else {
                damaged[at] ^ (1 << below(&mut random, 8))
            };
        }
        still_read += u32::from(check(&damaged));
    }
    assert!(still_read > 20, "{still_read}");
}

#[test]
fn what_is_not_a_meter_is_refused() {
    let check = |text: &str, is_newer: bool| {
        let error = Meter::from_bytes(text.as_bytes()).unwrap_err();
        assert_eq!(
            matches!(error, MeterError::Newer { found: 2 }),
            is_newer,
            "{text}: {error}"
        );
    };
    check("", false);
    check("null", false);
    check("{\"format\":0}", false);
    check("{\"format\":1}", false);
    check("{\"format\":2,\"later\":true}", true);
    let text = String::from_utf8(Meter::new(0, 0).to_bytes()).unwrap();
    check(&text.replace("\"format\":1", "\"format\":0"), false);
    check(&text.replace("\"battery\"", "\"unknown\":1,\"battery\""), false);
}

#[test]
fn a_clock_may_be_set() {
    // Days after the beginning, how many days there are then, and in which of them the request is counted.
    let mut meter = Meter::new(BEGINS_MS, 0);
    let closed = answered();
    let mut sequence = 0;
    let mut check = |day: i64, days: usize, at: usize| {
        sequence += 1;
        let before = meter.days().to_vec();
        let closed_ms = BEGINS_MS.saturating_add_signed(day * DAY_MS as i64);
        let (intent, closing) = (&closed.intent, &closed.closing);
        meter.count(sequence, closed_ms, 0, intent, closing);
        assert_eq!(meter.days().len(), days, "day {day}");
        let grown = before.iter().find(|one| one.begins_ms == meter.days()[at].begins_ms);
        let requests = grown.map_or(0, |day| day.outcomes.requests());
        assert_eq!(meter.days()[at].outcomes.requests(), requests + 1, "day {day}");
        assert!(meter.days().is_sorted_by_key(|day| day.begins_ms));
        assert_eq!(meter.through_ms(), closed_ms);
    };
    check(0, 1, 0);
    check(3, 2, 1);
    check(1, 3, 1);
    check(-2, 4, 0);
    let most = DAYS_MAX as usize;
    for day in 4..DAYS_MAX as usize {
        check(day as i64, day + 1, day);
    }
    check(100, most, most - 1);
    // Too old to be kept.
    check(-20, most, 0);
}

#[test]
fn the_battery_counts_while_it_is_not_charged() {
    const MINUTE_MS: u64 = 60_000;
    // Minutes since the beginning and the charge, if it is not charged; then what was lost in percent, and in how many minutes.
    type Looks<'a> = &'a [(u64, Option<u8>)];
    let check = |looks: Looks, percent: u32, minutes: u64| {
        let mut meter = Meter::new(BEGINS_MS, 0);
        for (sequence, (minute, charge)) in (1..).zip(looks) {
            let mut closed = answered();
            closed.closing.measured.battery_percent = *charge;
            let at_ms = BEGINS_MS + minute * MINUTE_MS;
            meter.count(sequence, at_ms, 0, &closed.intent, &closed.closing);
        }
        let lost: u32 = meter.days().iter().map(|day| day.battery_percent_lost).sum();
        let ms: u64 = meter.days().iter().map(|day| day.battery_ms).sum();
        assert_eq!((lost, ms), (percent, minutes * MINUTE_MS), "{looks:?}");
    };
    check(&[(0, Some(80))], 0, 0);
    check(&[(0, Some(80)), (30, Some(78)), (60, Some(78))], 2, 60);
    // Charged in between, seen and not seen.
    check(&[(0, Some(80)), (30, None), (60, Some(78)), (70, Some(77))], 1, 10);
    check(&[(0, Some(60)), (30, Some(90)), (60, Some(89))], 1, 30);
    // Not looked at for more than six hours.
    check(&[(0, Some(80)), (360, Some(70)), (721, Some(50))], 10, 360);
    // The clock was set back.
    check(&[(60, Some(80)), (30, Some(70)), (40, Some(69))], 1, 10);
}

#[test]
fn the_watches_used_least_recently_are_forgotten() {
    let mut meter = Meter::new(BEGINS_MS, 0);
    let models: Vec<_> = (0..=WATCHES_MAX)
        .map(|number| label(&format!("model-{number:02}")))
        .collect();
    let mut sequence = 0;
    let mut ask = |model| {
        sequence += 1;
        let mut closed = answered();
        closed.closing.attempts[0].place = on_device(model, "q4_1", "0123456789abcdef");
        meter.count(sequence, BEGINS_MS, 0, &closed.intent, &closed.closing);
        let speed = |model| meter.speed_of(model, &label("q4_1"), &label("01234567"));
        models.iter().filter(|model| speed(model).is_some()).count()
    };
    for (at, model) in models[..WATCHES_MAX as usize].iter().enumerate() {
        assert_eq!(ask(model.as_str()), at + 1);
    }
    ask("model-00");
    assert_eq!(ask(models[WATCHES_MAX as usize].as_str()), WATCHES_MAX as usize);
    let is_watched = |model: &str| {
        meter
            .speed_of(&label(model), &label("q4_1"), &label("01234567"))
            .is_some()
    };
    assert_eq!(
        ["model-00", "model-01", "model-02"].map(is_watched),
        [true, false, true]
    );
}

#[test]
fn the_forms_are_these() {
    let mut meter = Meter::new(BEGINS_MS, 40);
    let mut closed = answered();
    let closing = &mut closed.closing;
    closing.latency.total_ms = 1_480;
    closing.latency.first_token_ms = Some(210);
    (closing.tokens.input, closing.tokens.output) = (100, 33);
    closing.energy = Some(Energy {
        millijoules: 2_500,
        method: label("power_model"),
    });
    closing.measured.battery_percent = Some(71);
    closing.measured.thermal = Some(Thermal::Fair);
    closing.measured.device = Some(DeviceClass::Medium);
    meter.count(42, BEGINS_MS, 3_600, &closed.intent, closing);
    closed.set_bad(true);
    closed.closing.measured.battery_percent = Some(70);
    meter.count(44, BEGINS_MS + DAY_MS / 24, 3_600, &closed.intent, &closed.closing);
    assert_eq!(meter.series().keys().next().unwrap().place, Some(PlaceKind::OnDevice));
    let ended = Ended {
        stage: Stage::Decode,
        progress_ms: 5_000,
        alive_ms: 60_000,
        is_stuck: true,
    };
    meter.count_endings(&[ended]);
    let stored = String::from_utf8(meter.to_bytes()).unwrap();
    assert_eq!(stored, include_str!("forms/meter.json").trim_end());
    let overview = serde_json::to_string_pretty(&meter.overview()).unwrap();
    assert_eq!(overview, include_str!("forms/overview.json").trim_end());
}
