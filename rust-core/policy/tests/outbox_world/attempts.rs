//! What becomes of an attempt, and other things that chance decides.

use whimbrel_policy::outbox::{AttemptResult, Constraints, Decided, Event, Failure, IdempotencyKey};
use whimbrel_record::Code;

use super::{DAY_MS, Died, HOUR_MS, Running, STUCK, World};

impl World {
    pub(super) fn key(&mut self) -> IdempotencyKey {
        let number = u128::from(self.random.number()) << 64 | u128::from(self.random.number());
        IdempotencyKey(number.to_be_bytes())
    }

    pub(super) fn constraints(&mut self) -> Constraints {
        Constraints {
            network: self.random.chance(40),
            unmetered: self.random.chance(10),
            charging: self.random.chance(10),
        }
    }

    pub(super) fn begin(&mut self) -> Result<(), Died> {
        let Some(running) = self.running.last_mut() else {
            return Ok(());
        };
        let deadline_ms = self.random.below(HOUR_MS);
        let left_ms = (running.since_ms + running.lasts_ms).saturating_sub(self.true_ms);
        if deadline_ms + 30_000 > left_ms && left_ms > 0 {
            running.lasts_ms = self.true_ms - running.since_ms + deadline_ms + 30_000;
        }
        let event = Event::Began {
            id: running.id,
            lease: running.lease,
            decided: Decided::Redacted,
            deadline_ms,
        };
        self.step(event)
    }

    pub(super) fn finish(&mut self) -> Result<(), Died> {
        if self.running.is_empty() {
            return Ok(());
        }
        let at = self.random.below(self.running.len() as u64) as usize;
        let Running {
            id,
            lease,
            conversation,
            key,
            is_stopped,
            ..
        } = self.running.remove(at);
        let result = match self.random.below(20) {
            _ if is_stopped && self.random.chance(50) => AttemptResult::Stopped,
            _ if conversation == STUCK => self.permanent(),
            _ if self.death_percent == 0 => AttemptResult::Answered,
            0..=8 => AttemptResult::Answered,
            9 => self.permanent(),
            10 => AttemptResult::Deferred {
                needs: self.constraints(),
            },
            // It hangs.
            11 => return Ok(()),
            _ => AttemptResult::Failed(self.passing()),
        };
        self.answering = Some(key);
        self.step(Event::Ended { id, lease, result })
    }

    fn permanent(&mut self) -> AttemptResult {
        let code = *self
            .random
            .pick(&[Code::Unauthorised, Code::ContextFull, Code::KeyMissing, Code::Refused]);
        match self.random.chance(20) {
            true => AttemptResult::Denied,
            false => AttemptResult::Failed(Failure::free(code)),
        }
    }

    fn passing(&mut self) -> Failure {
        let (code, status) = *self.random.pick(&[
            (Code::Server, Some(520)),
            (Code::Refused, Some(425)),
            (Code::RateLimited, Some(429)),
            (Code::Unreachable, None),
            (Code::TimedOut, None),
            (Code::Lost, None),
        ]);
        Failure {
            code,
            status,
            retry_after_ms: self.random.chance(20).then(|| self.random.below(DAY_MS)),
            is_free: self.random.chance(70),
        }
    }
}
