//! How an attempt that ends changes the record.

use super::message::{Failure, Reply};
use super::record::{Given, Refusal, SentToday};
use super::waits::{Passed, Wait, backoff_ms, mixed};
use super::{Attempt, BACKOFF_MS_MAX, REFUSED_MS, SPANS_PER_SEND_MAX, Sender};

/// "Content Too Large" (RFC 9110, section 15.5.14).
const TOO_LARGE: u16 = 413;
/// By so many receipts a batch that was halved grows again with each attempt that goes well.
const SPANS_REGAINED: u32 = 20;

impl Sender {
    pub(super) fn skipped(&mut self, number: u64, through: u64, now_ms: u64) {
        let is_this = |attempt: &Attempt| attempt.number == number && attempt.reserved.is_none();
        let Some(attempt) = self.attempt.filter(is_this) else {
            return;
        };
        self.attempt = None;
        if let Some(given) = &mut self.record.given {
            given.take(attempt, through);
        }
        // Otherwise the same would be made ready again and again.
        self.record.since_connection = Some(Passed::none(now_ms));
    }

    pub(super) fn ended(&mut self, number: u64, bytes: u64, replies: (Option<Reply>, Option<Reply>), now_ms: u64) {
        let Some(attempt) = self.attempt.filter(|attempt| attempt.number == number) else {
            return;
        };
        let Some(reserved) = attempt.reserved else { return };
        self.attempt = None;
        self.record.is_sending = false;
        self.record.days.settle([reserved], SentToday { bytes, connections: 1 });
        let Some(given) = self.record.given.as_mut().filter(|_| !attempt.is_stopped) else {
            return;
        };
        let (metrics, traces) = replies;
        let retry = [
            metrics.and_then(|reply| given.metrics_ended(attempt, reply, now_ms)),
            traces.and_then(|reply| given.traces_ended(attempt, reply, now_ms)),
        ];
        match retry.into_iter().flatten().max() {
            Some(after_ms) => self.fail(after_ms, now_ms),
            None if metrics.is_some() || traces.is_some() => {
                given.failures = 0;
                given.backoff = None;
            }
            None => {}
        }
    }

    /// Waits after a failure that time may help against, for at least as long as the receiver asks for.
    pub(super) fn fail(&mut self, after_ms: Option<u64>, now_ms: u64) {
        let random = mixed(self.random, self.record.attempts);
        let Some(given) = &mut self.record.given else { return };
        given.failures = given.failures.saturating_add(1);
        let asked_ms = after_ms.unwrap_or(0).min(BACKOFF_MS_MAX);
        given.backoff = Some(Wait::new(backoff_ms(given.failures, random).max(asked_ms), now_ms));
    }
}

impl Given {
    /// Returns how long to wait if it is to be sent again soon; the inner `None` if the receiver has not said.
    fn metrics_ended(&mut self, attempt: Attempt, reply: Reply, now_ms: u64) -> Option<Option<u64>> {
        match reply {
            Reply::Accepted { rejected, through } => {
                self.metrics_refused = None;
                self.rejected = self.rejected.saturating_add(rejected);
                self.sums_through = self.sums_through.max(through.min(attempt.newest));
                None
            }
            Reply::Failed(Failure::Retryable { after_ms }) => Some(after_ms),
            Reply::Failed(Failure::Permanent { code }) => {
                self.metrics_refused = Some(refusal(code, now_ms));
                None
            }
        }
    }

    fn traces_ended(&mut self, attempt: Attempt, reply: Reply, now_ms: u64) -> Option<Option<u64>> {
        match reply {
            Reply::Accepted { rejected, through } => {
                self.traces_refused = None;
                self.rejected = self.rejected.saturating_add(rejected);
                self.take(attempt, through);
                self.spans_max = (self.spans_max + SPANS_REGAINED).min(SPANS_PER_SEND_MAX);
                None
            }
            Reply::Failed(Failure::Retryable { after_ms }) => Some(after_ms),
            Reply::Failed(Failure::Permanent { code: TOO_LARGE }) if self.spans_max > 1 => {
                self.spans_max /= 2;
                Some(None)
            }
            Reply::Failed(Failure::Permanent { code }) => {
                self.traces_refused = Some(refusal(code, now_ms));
                None
            }
        }
    }

    /// Moves the cursor. It never goes back, and never beyond what there was when the attempt began.
    fn take(&mut self, attempt: Attempt, through: u64) {
        if attempt.signals.traces {
            self.spans_after = self.spans_after.max(through.min(attempt.newest));
        }
    }
}

fn refusal(code: u16, now_ms: u64) -> Refusal {
    Refusal {
        code,
        wait: Wait::new(REFUSED_MS, now_ms),
    }
}
