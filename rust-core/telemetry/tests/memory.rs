//! A full meter takes no more memory than it may: everything that it can have, with the longest names, counted byte by byte.
#![allow(clippy::unwrap_used)]

mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicI64, Ordering};

use rand_pcg::Pcg64;
use support::{DAY_MS, answered, below, label, on_device};
use whimbrel_record::{Code, DeviceClass, Energy, LABEL_BYTES_MAX, Outcome, Place, Thermal, TrustClass};
use whimbrel_telemetry::{BUCKETS_MAX, DAYS_MAX, Measure, Meter, SERIES_MAX, WATCHES_MAX, Watch};

/// Counts the bytes in use.
struct Counting;

static IN_USE: AtomicI64 = AtomicI64::new(0);

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        IN_USE.fetch_add(layout.size() as i64, Ordering::Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(layout.size() as i64, Ordering::Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const METER_BYTES_MAX: i64 = 64 * 1024;
const STORED_BYTES_MAX: usize = 128 * 1024;
const WATCH_BYTES_MAX: usize = 288;

/// A name of the greatest length.
fn long(number: u64) -> String {
    format!("{number:0width$}", width = LABEL_BYTES_MAX as usize)
}

/// Each kind of place that is not Whimbrel's own engine.
fn elsewhere(at: u64, name: &str) -> Place {
    match TrustClass::ALL.get(at as usize - 1) {
        Some(trust) => Place::Remote {
            endpoint: label(name),
            trust: *trust,
            model: label(name),
        },
        None => Place::SystemModel { adapter: label(name) },
    }
}

/// Fills every bucket of every histogram of `SERIES_MAX` series and `DAYS_MAX` days, every watch and every code.
fn fill(meter: &mut Meter) {
    let mut random = Pcg64::new(1, 1);
    let mut sequence = 0;
    for round in 0..400 {
        for kind in 0..u64::from(SERIES_MAX) {
            let others = u64::from(SERIES_MAX) - 6;
            sequence += 1;
            let mut closed = answered();
            closed.intent.task = label(&long(kind));
            let closing = &mut closed.closing;
            let model = kind % u64::from(WATCHES_MAX);
            closing.attempts[0].place = match kind.checked_sub(others) {
                None | Some(0) => on_device(&long(model), &long(model), &long(model)),
                Some(at) => elsewhere(at, &long(kind)),
            };
            if kind + 1 == u64::from(SERIES_MAX) {
                closing.attempts.clear();
            }
            if round % 5 == 4 {
                closing.outcome = Outcome::Failed;
                closing.error = Some(Code::ALL[sequence as usize % Code::ALL.len()].into());
            }
            closing.energy = Some(Energy {
                millijoules: below(&mut random, 1 << 20),
                method: label(&long(kind)),
            });
            let mut time_us = || 20 << below(&mut random, 24);
            closing.latency.total_ms = time_us() / 1_000;
            closing.latency.first_token_ms = Some(time_us() / 1_000);
            let measured = &mut closing.measured;
            measured.examine_us = time_us();
            measured.decide_us = time_us();
            measured.load_us = time_us();
            measured.prefill_us = time_us();
            measured.decode_us = time_us();
            measured.network_us = time_us();
            measured.cpu_us = time_us();
            (measured.prefill_tokens, measured.decode_tokens) = (1, 1);
            measured.battery_percent = Some(50);
            measured.thermal = Some(Thermal::Fair);
            measured.device = Some(DeviceClass::Large);
            closing.tokens.input = 1 << below(&mut random, 18);
            closing.tokens.output = 1 << below(&mut random, 18);
            let at_ms = 1_790_000_000_000 + round % u64::from(DAYS_MAX) * DAY_MS;
            meter.count(sequence, at_ms, 0, &closed.intent, closing);
        }
    }
}

#[test]
fn a_full_meter_is_small() {
    let begin = IN_USE.load(Ordering::Relaxed);
    let mut meter = Meter::new(0, 0);
    fill(&mut meter);
    let bytes = IN_USE.load(Ordering::Relaxed) - begin + size_of::<Meter>() as i64;

    assert_eq!(meter.series().len(), SERIES_MAX as usize);
    assert_eq!(meter.days().len(), DAYS_MAX as usize);
    assert_eq!(meter.codes().len(), Code::ALL.len());
    let histograms = meter
        .series()
        .values()
        .map(|series| series.histogram(Measure::DecodeToken));
    let buckets: usize = histograms
        .map(|histogram| {
            histogram
                .counts(Measure::DecodeToken)
                .iter()
                .filter(|count| **count > 0)
                .count()
        })
        .sum();
    assert!(buckets > (SERIES_MAX * (BUCKETS_MAX - 1)) as usize, "{buckets}");
    assert!(bytes <= METER_BYTES_MAX, "{bytes} bytes in memory");

    let stored = meter.to_bytes();
    let length = stored.len();
    println!(
        "{bytes} bytes in memory, {length} stored, {} a watch",
        size_of::<Watch>()
    );
    assert!(length <= STORED_BYTES_MAX, "{length} bytes stored");
    drop((meter, stored.clone()));
    let begin = IN_USE.load(Ordering::Relaxed);
    let meter = Meter::from_bytes(&stored).unwrap();
    let bytes = IN_USE.load(Ordering::Relaxed) - begin + size_of::<Meter>() as i64;
    assert!(
        bytes <= METER_BYTES_MAX,
        "{bytes} bytes in memory after reading {}",
        meter.through()
    );
    assert!(
        size_of::<Watch>() <= WATCH_BYTES_MAX,
        "{} bytes a watch",
        size_of::<Watch>()
    );
}
