//! Finds out on the device when a model's variant has become slower or answers worse than it did: what is watched of each variant, and what is told
//! about it. The charts are in `pace` and `share`; which receipts count is decided here.

mod pace;
mod share;

use serde::{Deserialize, Serialize};
use whimbrel_record::{Attempt, AttemptEnd, Closing, Code, FinishReason, Label, Outcome, Place, Thermal};

use crate::Measure;
use pace::{Pace, Shift};
use share::{Rise, Share, likelihood_ratio};

/// Variants that a meter watches at most. The one that was used least recently is forgotten for another.
pub const WATCHES_MAX: u32 = 8;
/// Requests from which a baseline is learned at least. Before that, nothing is found.
const SETTLED_COUNT: u32 = 100;
/// A baseline is learned from about this many of the latest requests, so that it follows what changes slowly.
const COUNT_MAX: u32 = 512;
/// A regression is over when the variant is less than this much slower than before it, as a logarithm, …
const SLOWER_LEAST: f64 = 0.05;
/// … or when the share of bad answers is less than this much above what it was, …
const WORSE_LEAST: f64 = 0.04;
/// … or when it is `exp(BACK_HEIGHT)` times as likely that the share is what it was before as that it is what it was since.
const BACK_HEIGHT: f64 = 7.0;
/// The time for a token of a prompt is averaged over about this many of the latest requests.
const PREFILL_COUNT_MAX: u32 = 32;

/// Which variant of which model is watched.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(deny_unknown_fields)]
pub struct WatchKey {
    /// The model's name.
    pub model: Label,
    /// Its variant.
    pub variant: Label,
    /// The first eight digits of the bundle's hash.
    pub bundle: Label,
}

/// What a variant has become worse at.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RegressionKind {
    /// Its tokens take longer.
    Slower,
    /// More of its answers fail or repeat themselves.
    Worse,
    /// Users reject more of the answers about which they say something.
    Rejected,
}

/// A variant has become slower or worse.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Regression {
    /// The model.
    pub model: Label,
    /// Its variant.
    pub variant: Label,
    /// The first eight digits of the bundle's hash.
    pub bundle: Label,
    /// What has become worse.
    pub kind: RegressionKind,
    /// When it became so, estimated, in milliseconds since 1970.
    pub since_ms: u64,
    /// When that was found.
    pub found_ms: u64,
    /// What it was before: the typical time for a token of an answer in microseconds, or the share of bad or rejected answers, 0 to 1.
    pub before: f64,
    /// What it is now, in the same unit.
    pub after: f64,
}

/// What to expect of a variant now.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ExpectedSpeed {
    /// When it was measured last, in milliseconds since 1970.
    pub measured_ms: u64,
    /// Tokens of a prompt in a second; `None` if no prompt was measured.
    pub prefill_tokens_per_s: Option<f64>,
    /// Tokens of an answer in a second.
    pub decode_tokens_per_s: f64,
}

/// Watches one variant of a model. Its size is fixed, about 250 bytes, whatever it has taken.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Watch {
    /// When the time for a token was measured last.
    #[serde(skip_serializing_if = "is_default")]
    measured_ms: u64,
    #[serde(skip_serializing_if = "is_default")]
    decode: Pace,
    #[serde(skip_serializing_if = "is_default")]
    prefill: Average,
    #[serde(skip_serializing_if = "is_default")]
    answers: Share,
    #[serde(skip_serializing_if = "is_default")]
    feedback: Share,
    #[serde(skip_serializing_if = "Option::is_none")]
    slower: Option<Standing>,
    #[serde(skip_serializing_if = "Option::is_none")]
    worse: Option<Standing>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rejected: Option<Standing>,
}

/// A regression that stands.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
struct Standing {
    since_ms: u64,
    found_ms: u64,
    before: Millionths,
    /// How much likelier a return to `before` is, as a logarithm: a CUSUM chart. For shares only.
    back: Millionths,
}

/// The mean of the latest logarithms.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
struct Average {
    count: u32,
    mean: Millionths,
}

/// A number in millionths. The state consists of whole numbers, so that it is the same after it was stored and read.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(transparent)]
struct Millionths(i32);

impl Watch {
    /// A watch that has seen nothing.
    #[must_use]
    pub fn new() -> Watch {
        Watch::default()
    }

    /// Takes what a finished request says about the variant. `attempt` is the attempt of the request that was made with it, `closed_ms` the time
    /// of the request's end in milliseconds since 1970.
    pub fn take(&mut self, closed_ms: u64, closing: &Closing, attempt: &Attempt) {
        let gave_answer = answered(closing, attempt);
        // What a hot device takes says nothing about the variant: the system throttles the processor.
        let is_throttled = closing.measured.thermal >= Some(Thermal::Serious);
        if gave_answer && !is_throttled {
            if let Some(time_us) = Measure::PrefillToken.of(closing) {
                self.prefill.take(time_us);
            }
            if let Some(time_us) = Measure::DecodeToken.of(closing) {
                self.measured_ms = closed_ms;
                let shift = self.decode.take(closed_ms, time_us);
                self.judge_pace(closed_ms, shift);
            }
        }
        if let Some(is_bad) = is_bad(closing, attempt) {
            let rise = self.answers.take(closed_ms, is_bad);
            judge_share(&mut self.answers, &mut self.worse, closed_ms, is_bad, rise);
        }
    }

    /// Takes a user's feedback on an answer of the variant: whether it rejects the answer.
    pub fn take_feedback(&mut self, time_ms: u64, rejects: bool) {
        let rise = self.feedback.take(time_ms, rejects);
        judge_share(&mut self.feedback, &mut self.rejected, time_ms, rejects, rise);
    }

    /// The regressions of the variant named `key` that are not over, at most one of each kind.
    #[must_use]
    pub fn regressions(&self, key: &WatchKey) -> Vec<Regression> {
        let exp = |log: Millionths| log.get().exp();
        let slower = self.slower.map(|standing| {
            let after = exp(self.decode.centre());
            (RegressionKind::Slower, standing, exp(standing.before), after)
        });
        let share = |kind, standing: Option<Standing>, share: &Share| {
            let after = share.get();
            standing.map(|standing| (kind, standing, standing.before.get(), after))
        };
        let worse = share(RegressionKind::Worse, self.worse, &self.answers);
        let rejected = share(RegressionKind::Rejected, self.rejected, &self.feedback);
        let all = [slower, worse, rejected].into_iter().flatten();
        all.map(|(kind, standing, before, after)| Regression {
            model: key.model.clone(),
            variant: key.variant.clone(),
            bundle: key.bundle.clone(),
            kind,
            since_ms: standing.since_ms,
            found_ms: standing.found_ms,
            before,
            after,
        })
        .collect()
    }

    /// How fast the variant is since its last change; `None` before its first answer.
    #[must_use]
    pub fn speed(&self) -> Option<ExpectedSpeed> {
        let per_s = |time_us: f64| 1e6 / time_us;
        Some(ExpectedSpeed {
            measured_ms: self.measured_ms,
            prefill_tokens_per_s: self.prefill.typical().map(per_s),
            decode_tokens_per_s: per_s(self.decode.typical()?),
        })
    }

    fn judge_pace(&mut self, now_ms: u64, shift: Option<Shift>) {
        if let Some(shift) = shift.filter(|shift| shift.is_slower) {
            rise(&mut self.slower, now_ms, shift.since_ms, shift.before);
        }
        self.slower = self.slower.filter(|standing| {
            !self.decode.is_settled() || self.decode.centre().get() >= standing.before.get() + SLOWER_LEAST
        });
    }
}

impl WatchKey {
    /// The variant at a place; `None` if the place is not Whimbrel's engine on this device.
    #[must_use]
    pub fn of(place: &Place) -> Option<WatchKey> {
        let Place::OnDevice { model, variant, hash } = place else {
            return None;
        };
        Some(WatchKey {
            model: model.clone(),
            variant: variant.clone(),
            bundle: bundle(hash),
        })
    }
}

/// The first eight digits of a bundle's hash.
pub(crate) fn bundle(hash: &Label) -> Label {
    Label::squeezed(hash.as_str().get(..8).unwrap_or(hash.as_str()))
}

/// Whether the request's answer is that of the attempt.
fn answered(closing: &Closing, attempt: &Attempt) -> bool {
    closing.outcome == Outcome::Answered
        && closing.answered_before.is_none()
        && attempt.ended == AttemptEnd::Answered
        && closing.attempts.last() == Some(attempt)
}

/// Whether a variant's answer was bad; `None` if the attempt does not say. An answer that reached the app's limit of tokens is not bad, as apps ask
/// for short answers; neither is what failed for the device, the app or the question, such as too little memory.
fn is_bad(closing: &Closing, attempt: &Attempt) -> Option<bool> {
    match attempt.ended {
        AttemptEnd::Answered => answered(closing, attempt).then_some(closing.finish == Some(FinishReason::Repetition)),
        AttemptEnd::TimedOut => Some(true),
        AttemptEnd::Failed => attempt.code().is_some_and(is_of_the_model).then_some(true),
        AttemptEnd::Cancelled | AttemptEnd::Skipped => None,
    }
}

fn is_of_the_model(code: Code) -> bool {
    matches!(
        code,
        Code::BadCall
            | Code::CutOff
            | Code::DidNotStop
            | Code::EmptyAnswer
            | Code::Ended
            | Code::Engine
            | Code::Malformed
            | Code::NoFirstToken
            | Code::NotInForm
            | Code::Panicked
            | Code::TimedOut
            | Code::ToolCalls
            | Code::Truncated
    )
}

/// Notes a rise. If a regression stands, it has grown.
fn rise(standing: &mut Option<Standing>, found_ms: u64, since_ms: u64, before: Millionths) {
    let (since_ms, before) = standing.map_or((since_ms, before), |grown| (grown.since_ms, grown.before));
    *standing = Some(Standing {
        since_ms,
        found_ms,
        before,
        back: Millionths::default(),
    });
}

fn judge_share(share: &mut Share, standing: &mut Option<Standing>, now_ms: u64, is_bad: bool, risen: Option<Rise>) {
    if let Some(risen) = risen {
        rise(standing, now_ms, risen.since_ms, risen.before);
        return;
    }
    let Some(stands) = standing else {
        return;
    };
    let (before, after) = (stands.before.get(), share.get());
    let back = stands.back.get() + likelihood_ratio(is_bad, after, before);
    stands.back = Millionths::of(back.max(0.0));
    if back >= BACK_HEIGHT {
        share.fall_to(before);
        *standing = None;
    } else if share.is_settled() && after < before + WORSE_LEAST {
        *standing = None;
    }
}

impl Average {
    fn take(&mut self, time_us: u64) {
        let off = (time_us.max(1) as f64).ln() - self.mean.get();
        self.count = self.count.saturating_add(1).min(PREFILL_COUNT_MAX);
        self.mean.add(off / f64::from(self.count));
    }

    fn typical(&self) -> Option<f64> {
        (self.count > 0).then(|| self.mean.get().exp())
    }
}

impl Millionths {
    fn of(number: f64) -> Millionths {
        Millionths((number * 1e6).round() as i32)
    }

    fn get(self) -> f64 {
        f64::from(self.0) / 1e6
    }

    fn add(&mut self, more: f64) {
        *self = Millionths::of(self.get() + more);
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
