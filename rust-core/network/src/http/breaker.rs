//! A circuit breaker: after several consecutive failures, an endpoint is not contacted for a while and then tried with a single request. A
//! state machine without a clock; times are an argument, in milliseconds on any monotonic clock.

use serde::{Deserialize, Serialize};

/// Number of consecutive failures that opens the circuit.
pub const FAILURES_MAX: u32 = 3;
/// How long the circuit stays open the first time. Each failed probe doubles it.
pub const OPEN_MS_BASE: u64 = 10_000;
/// The longest time that a circuit stays open, whatever the server asks for.
pub const OPEN_MS_MAX: u64 = 300_000;

/// Which requests are let through.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Circuit {
    /// All of them.
    Closed,
    /// None.
    Open,
    /// One at a time, to test whether the endpoint works again.
    HalfOpen,
}

/// The result of a request, for the breaker.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// The endpoint works, even if it refused this request because of the request itself.
    Works,
    /// The endpoint does not work, or asked not to be contacted for a while.
    Fails {
        /// How long it asked not to be contacted, in milliseconds, if it did.
        leave_alone_ms: Option<u64>,
    },
    /// The request was abandoned before anything was learned about the endpoint.
    Unknown,
}

/// A request that was let through. Return it with the result of the request in every case.
#[derive(Debug, Eq, PartialEq)]
#[must_use = "a probe that is not handed back keeps the circuit half open"]
pub struct Admission {
    probe: bool,
}

/// The breaker of one endpoint.
///
/// ```
/// use whimbrel_network::{Breaker, Circuit, FAILURES_MAX, OPEN_MS_BASE, Verdict};
///
/// let mut breaker = Breaker::new();
/// for _ in 0..FAILURES_MAX {
///     let admission = breaker.admit(0).unwrap();
///     breaker.record(&admission, Verdict::Fails { leave_alone_ms: None }, 0);
/// }
/// assert_eq!(breaker.circuit(0), Circuit::Open);
/// assert_eq!(breaker.remaining_ms(0), OPEN_MS_BASE);
/// assert!(breaker.admit(0).is_none());
///
/// // Later one request is let through, and it shows that the endpoint works again.
/// let probe = breaker.admit(OPEN_MS_BASE).unwrap();
/// breaker.record(&probe, Verdict::Works, OPEN_MS_BASE);
/// assert_eq!(breaker.circuit(OPEN_MS_BASE), Circuit::Closed);
/// ```
#[derive(Debug, Default)]
pub struct Breaker {
    failures: u32,
    /// Since when the circuit is not closed: how often it was opened in a row.
    openings: u32,
    open_until_ms: Option<u64>,
    probing: bool,
}

impl Breaker {
    /// A closed circuit.
    #[must_use]
    pub fn new() -> Breaker {
        Breaker::default()
    }

    /// The state at `now_ms`.
    #[must_use]
    pub fn circuit(&self, now_ms: u64) -> Circuit {
        match self.open_until_ms {
            None => Circuit::Closed,
            Some(until) if now_ms < until => Circuit::Open,
            Some(_) => Circuit::HalfOpen,
        }
    }

    /// Consecutive failures so far.
    #[must_use]
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// How long no request is let through, in milliseconds: 0 unless the circuit is open.
    #[must_use]
    pub fn remaining_ms(&self, now_ms: u64) -> u64 {
        self.open_until_ms.map_or(0, |until| until.saturating_sub(now_ms))
    }

    /// Lets a request through, or returns `None`.
    pub fn admit(&mut self, now_ms: u64) -> Option<Admission> {
        match self.circuit(now_ms) {
            Circuit::Closed => Some(Admission { probe: false }),
            Circuit::HalfOpen if !self.probing => {
                self.probing = true;
                Some(Admission { probe: true })
            }
            Circuit::HalfOpen | Circuit::Open => None,
        }
    }

    /// Records the result of an admitted request.
    pub fn record(&mut self, admission: &Admission, verdict: Verdict, now_ms: u64) {
        if admission.probe {
            self.probing = false;
        }
        match verdict {
            Verdict::Unknown => {}
            // An answer to a request that was let through before the circuit opened does not close it before its time.
            Verdict::Works if self.remaining_ms(now_ms) > 0 && !admission.probe => {}
            Verdict::Works => {
                self.failures = 0;
                self.openings = 0;
                self.open_until_ms = None;
            }
            Verdict::Fails { leave_alone_ms } => {
                self.failures = self.failures.saturating_add(1);
                let opens = admission.probe || (self.open_until_ms.is_none() && self.failures >= FAILURES_MAX);
                if opens {
                    let wait = OPEN_MS_BASE << self.openings.min(16);
                    self.openings = self.openings.saturating_add(1);
                    self.open_for(wait, now_ms);
                }
                if let Some(asked) = leave_alone_ms {
                    self.open_for(asked, now_ms);
                }
            }
        }
    }

    /// Blocks further requests for this time, as the server asked, while the current request continues.
    pub fn leave_alone(&mut self, wait_ms: u64, now_ms: u64) {
        self.open_for(wait_ms, now_ms);
    }

    fn open_for(&mut self, wait_ms: u64, now_ms: u64) {
        if wait_ms == 0 {
            return;
        }
        let until = now_ms.saturating_add(wait_ms.min(OPEN_MS_MAX));
        self.open_until_ms = Some(self.open_until_ms.unwrap_or(0).max(until));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAILS: Verdict = Verdict::Fails { leave_alone_ms: None };

    /// Runs one request at `now_ms` to its end, if it is let through.
    fn request(breaker: &mut Breaker, now_ms: u64, verdict: Verdict) -> bool {
        let Some(admission) = breaker.admit(now_ms) else {
            return false;
        };
        breaker.record(&admission, verdict, now_ms);
        true
    }

    #[track_caller]
    fn check(breaker: &Breaker, now_ms: u64, circuit: Circuit, remaining_ms: u64) {
        assert_eq!(
            (breaker.circuit(now_ms), breaker.remaining_ms(now_ms)),
            (circuit, remaining_ms)
        );
    }

    #[test]
    fn opens_after_failures_in_a_row_only() {
        let mut breaker = Breaker::new();
        for _ in 0..10 {
            for _ in 1..FAILURES_MAX {
                assert!(request(&mut breaker, 5, FAILS));
            }
            assert!(request(&mut breaker, 5, Verdict::Works));
        }
        for _ in 1..FAILURES_MAX {
            assert!(request(&mut breaker, 5, FAILS));
            assert!(request(&mut breaker, 5, Verdict::Unknown));
            check(&breaker, 5, Circuit::Closed, 0);
        }
        assert!(request(&mut breaker, 5, FAILS));
        check(&breaker, 5, Circuit::Open, OPEN_MS_BASE);
        assert!(!request(&mut breaker, 4 + OPEN_MS_BASE, Verdict::Works));
        check(&breaker, 5 + OPEN_MS_BASE, Circuit::HalfOpen, 0);
    }

    fn opened() -> Breaker {
        let mut breaker = Breaker::new();
        for _ in 0..FAILURES_MAX {
            assert!(request(&mut breaker, 0, FAILS));
        }
        breaker
    }

    #[test]
    fn half_open_lets_one_probe_through() {
        let mut breaker = opened();
        let probe = breaker.admit(OPEN_MS_BASE).unwrap();
        assert_eq!(breaker.admit(OPEN_MS_BASE), None);
        breaker.record(&probe, Verdict::Unknown, OPEN_MS_BASE);
        assert!(request(&mut breaker, OPEN_MS_BASE, Verdict::Works));
        check(&breaker, OPEN_MS_BASE, Circuit::Closed, 0);
        assert_eq!(breaker.failures(), 0);
    }

    #[test]
    fn failed_probes_wait_longer_up_to_a_limit() {
        let mut breaker = opened();
        let mut now = 0;
        let mut expected = OPEN_MS_BASE;
        for _ in 0..40 {
            check(&breaker, now, Circuit::Open, expected);
            now += expected;
            assert!(request(&mut breaker, now, FAILS));
            expected = (expected * 2).min(OPEN_MS_MAX);
        }
        assert_eq!(expected, OPEN_MS_MAX);
    }

    #[test]
    fn late_answers_of_earlier_requests_change_nothing() {
        let mut breaker = Breaker::new();
        let early: Vec<_> = (0..FAILURES_MAX + 2).map(|_| breaker.admit(0).unwrap()).collect();
        for admission in &early {
            breaker.record(admission, FAILS, 100);
        }
        check(&breaker, 100, Circuit::Open, OPEN_MS_BASE);
        breaker.record(&early[0], Verdict::Works, 200);
        check(&breaker, 200, Circuit::Open, OPEN_MS_BASE - 100);
    }

    #[test]
    fn a_server_may_ask_to_be_left_alone() {
        let mut breaker = Breaker::new();
        let fails = |asked| Verdict::Fails {
            leave_alone_ms: Some(asked),
        };
        assert!(request(&mut breaker, 0, fails(40_000)));
        check(&breaker, 0, Circuit::Open, 40_000);
        assert!(request(&mut breaker, 40_000, fails(u64::MAX)));
        check(&breaker, 40_000, Circuit::Open, OPEN_MS_MAX);
        // While the request that heard it waits, and then is answered.
        let mut breaker = Breaker::new();
        let waiting = breaker.admit(0).unwrap();
        breaker.leave_alone(20_000, 100);
        check(&breaker, 100, Circuit::Open, 20_000);
        breaker.record(&waiting, Verdict::Works, 20_100);
        check(&breaker, 20_100, Circuit::Closed, 0);
        breaker.leave_alone(0, 20_200);
        check(&breaker, 20_200, Circuit::Closed, 0);
    }
}
