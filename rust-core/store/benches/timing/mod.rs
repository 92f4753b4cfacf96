//! What the benchmarks measure with.

use std::time::Instant;

/// Prints median, 99th percentile and the longest of `seconds`.
pub(crate) fn report(name: &str, mut seconds: Vec<f64>) {
    seconds.sort_by(f64::total_cmp);
    let at = |share: f64| seconds[((seconds.len() - 1) as f64 * share) as usize] * 1e3;
    println!(
        "{name:<58} {:>9.3} ms median, {:>9.3} ms p99, {:>9.3} ms longest",
        at(0.5),
        at(0.99),
        at(1.0)
    );
}

/// The result of a call, and how long it took.
pub(crate) fn timed<T>(call: impl FnOnce() -> T) -> (T, f64) {
    let start = Instant::now();
    let result = call();
    (result, start.elapsed().as_secs_f64())
}

/// Makes a call some times, and prints how long it took and how much of that this thread was running.
pub(crate) fn repeated(name: &str, times: usize, mut call: impl FnMut()) {
    let before = processor_seconds();
    let seconds = (0..times).map(|_| timed(&mut call).1).collect();
    let processor = processor_seconds().zip(before).map(|(after, before)| after - before);
    report(name, seconds);
    if let Some(seconds) = processor {
        println!(
            "{:<58} {:>9.3} ms of processor time each",
            "",
            seconds * 1e3 / times as f64
        );
    }
}

/// How long this thread has been running, apart from waiting for the disk and for other programs; known on Linux only.
fn processor_seconds() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let nanoseconds: u64 = text.split(' ').next()?.parse().ok()?;
    Some(nanoseconds as f64 / 1e9)
}
