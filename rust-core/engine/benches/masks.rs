//! What forms cost: `cargo bench -p whimbrel-engine --bench masks`. All schemas of the part of MaskBench that lies beside the repository, or of the one that
//! `WHIMBREL_MASKBENCH` names (`scripts/maskbench-data.py` draws a fixed one of 1,500), with
//! SmolLM2's vocabulary and with vocabularies of 152,000 and 262,000 tokens that are made from it. `make test-data` prepares SmolLM2.
//!
//! Further `tokenizer.bin` files can be named. A mask is timed where the model has a choice, in the thread's processor time. Tokens that are forced need none; deciding that they are is part of the time.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

#[path = "../tests/support/maskbench.rs"]
mod maskbench;
#[path = "../tests/support/mod.rs"]
mod support;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use whimbrel_engine::{Constraint, TokenKind, Tokenizer, TokenizerParts, Vocabulary};

use self::maskbench::{Case, Verdict, cases, verdict};

/// Microseconds that a mask of SmolLM2 may take: half of them, and all but one in a hundred.
const P50_US_MAX: f64 = 50.0;
const P99_US_MAX: f64 = 350.0;

fn main() {
    let Some(cases) = cases() else {
        println!("skipped: ../shared/maskbench is not there");
        return;
    };
    let small = TokenizerParts::from_bytes(&std::fs::read(support::smollm2().join("tokenizer.bin")).unwrap()).unwrap();
    let made = [small.tokens.len(), 152_000, 262_000].map(|tokens| enlarged(small.clone(), tokens).to_bytes().unwrap());
    // Further files to measure.
    let files = std::env::args().skip(1).filter(|argument| !argument.starts_with("--"));
    let files = files.map(|file| std::fs::read(file).unwrap());
    let mut failures = 0;
    for bytes in made.into_iter().chain(files) {
        let tokenizer = Arc::new(Tokenizer::from_bytes(&bytes).unwrap());
        let (started, before) = (now(), resident_bytes());
        let tokens = tokenizer.vocabulary_len();
        let vocabulary = Arc::new(Vocabulary::new(tokenizer).unwrap());
        println!(
            "{tokens} tokens: prepared in {:.0} ms, {:.1} MB",
            since(started).as_secs_f64() * 1e3,
            (resident_bytes() - before) / 1e6
        );
        let is_small = tokens as usize == small.tokens.len();
        failures += measure(&vocabulary, &cases, is_small);
    }
    assert_eq!(failures, 0, "a bar was missed");
}

/// Prints the figures of all schemas, and returns how many bars were missed. The bars for times are those of `is_small` vocabularies.
fn measure(vocabulary: &Arc<Vocabulary>, cases: &[Case], is_small: bool) -> u32 {
    let verdicts: Vec<Verdict> = cases.iter().map(|case| verdict(vocabulary, case)).collect();
    let count = |wanted| verdicts.iter().filter(|verdict| **verdict == wanted).count();
    let wrong = count(Verdict::InvalidAccepted);
    println!(
        "  {} schemas: {} pass, {} refused, {} with a valid instance refused, {wrong} with an invalid one accepted",
        cases.len(),
        count(Verdict::Pass),
        count(Verdict::Refused),
        count(Verdict::ValidRefused),
    );
    for (case, _) in cases
        .iter()
        .zip(&verdicts)
        .filter(|(_, verdict)| **verdict == Verdict::InvalidAccepted)
    {
        println!("    invalid accepted: {}", case.name);
    }
    let (mut compiling, mut first, mut masks, mut forced) = (Vec::new(), Vec::new(), Vec::new(), 0);
    for case in cases {
        let started = now();
        let Ok(mut constraint) = Constraint::new(vocabulary, &case.form) else {
            continue;
        };
        compiling.push(since(started));
        for (index, (text, _)) in case.instances.iter().filter(|(_, is_valid)| *is_valid).enumerate() {
            if index > 0 {
                constraint = Constraint::new(vocabulary, &case.form).unwrap();
            }
            forced += walk(vocabulary, &mut constraint, text, &mut first, &mut masks);
        }
    }
    let p50 = print_times("masks", &mut masks, 0.5);
    let p99 = print_times("", &mut masks, 0.99);
    print_times("first masks", &mut first, 0.5);
    print_times("compiling", &mut compiling, 0.5);
    println!("  {forced} further tokens were forced");
    let is_slow = is_small && (p50 > P50_US_MAX || p99 > P99_US_MAX);
    u32::from(wrong > 0) + u32::from(is_slow)
}

/// Goes along a valid instance, and returns how many of its tokens were forced.
fn walk(
    vocabulary: &Vocabulary,
    constraint: &mut Constraint,
    text: &str,
    first: &mut Vec<Duration>,
    masks: &mut Vec<Duration>,
) -> usize {
    let (mut forced, mut is_first) = (0, true);
    for token in vocabulary.tokenizer().encode(text, false) {
        let started = now();
        if constraint.is_complete() {
            break;
        }
        if constraint.forced().is_empty() {
            let Ok(_) = constraint.mask() else { break };
            let times = if is_first { &mut *first } else { &mut *masks };
            times.push(since(started));
            is_first = false;
        } else {
            forced += 1;
        }
        if constraint.take(&[token]).is_err() {
            break;
        }
    }
    forced
}

/// Prints a share of the times, sorted, with their mean, and returns it in microseconds.
fn print_times(name: &str, times: &mut [Duration], share: f64) -> f64 {
    times.sort_unstable();
    let us = |time: Duration| time.as_secs_f64() * 1e6;
    let found = us(times[(times.len() as f64 * share) as usize]);
    let mean = us(times.iter().sum::<Duration>()) / times.len() as f64;
    let longest = us(times[times.len() - 1]);
    println!(
        "  {name:12} {} times, p{:.0} {found:.0} us, mean {mean:.0} us, longest {longest:.0} us",
        times.len(),
        share * 100.0
    );
    found
}

/// A vocabulary of so many tokens: those that there are, and words made of two of them.
fn enlarged(mut parts: TokenizerParts, tokens: usize) -> TokenizerParts {
    let is_word = |token: &&Vec<u8>| {
        let letters = token.strip_prefix(b" ").unwrap_or(token);
        !letters.is_empty() && letters.iter().all(u8::is_ascii_alphabetic)
    };
    let words: Vec<Vec<u8>> = parts.tokens.iter().filter(is_word).cloned().collect();
    let (starts, ends): (Vec<_>, Vec<_>) = words.iter().partition(|word| word[0] == b' ');
    let mut known: HashSet<Vec<u8>> = parts.tokens.iter().cloned().collect();
    for index in 0.. {
        if parts.tokens.len() >= tokens {
            break;
        }
        let pair = [&starts[index % starts.len()][..], &ends[index * 7919 % ends.len()][..]].concat();
        if known.insert(pair.clone()) {
            parts.tokens.push(pair);
            parts.kinds.push(TokenKind::Normal);
        }
    }
    parts
}

/// Processor time of this thread: what others do on the machine does not count.
fn now() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

fn since(started: Duration) -> Duration {
    now() - started
}

fn resident_bytes() -> f64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let resident = pages.split(' ').nth(1).and_then(|pages| pages.parse::<f64>().ok());
    resident.unwrap_or(0.0) * 4096.0
}
