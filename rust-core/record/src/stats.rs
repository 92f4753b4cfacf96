//! Totals of receipts, by day and overall, and a summary sentence for people.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::{Deserialize, Serialize};
use whimbrel_privacy::{FindingKind, PrivacyClass, Release};

use crate::{Attempt, Closing, Host, Intent, Label, Outcome, PlaceKind};

/// Maximum number of different tools whose calls are counted by name.
pub const COUNTED_TOOLS_MAX: u32 = 256;
/// The name under which the calls of all further tools are counted together.
pub const OTHER_TOOLS: &str = "@others";

/// Numbers of answers by place.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Answers {
    /// From Whimbrel's own engine.
    pub on_device: u64,
    /// From the operating system's model.
    pub system_model: u64,
    /// From another device of the user.
    pub own_device: u64,
    /// From a machine of the organisation.
    pub organisation: u64,
    /// From a public cloud.
    pub public_cloud: u64,
    /// Given again: no place was asked.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub given_again: u64,
}

/// Totals of a number of receipts. Their JSON is part of a sealed checkpoint: a field that is added later must be left out while it is 0.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Stats {
    /// The number of receipts.
    pub receipts: u64,
    /// Requests that were answered. An answer that calls tools is one, too.
    pub answers: Answers,
    /// Requests that the user or the app cancelled.
    pub cancelled: u64,
    /// Requests without an answer.
    pub failed: u64,
    /// Requests that the policy denied.
    pub denied: u64,
    /// Requests that were deferred.
    pub deferred: u64,
    /// Requests whose process ended before they did.
    pub interrupted: u64,
    /// Requests that have not ended yet.
    pub unfinished: u64,
    /// Bytes of payload that left the device.
    pub bytes_out: u64,
    /// Bytes that may have left in addition, in requests that were interrupted or have not ended yet.
    pub bytes_out_uncertain: u64,
    /// Bytes of payload that were received.
    pub bytes_in: u64,
    /// How many values of each kind were replaced in text that left. A value that every question of a conversation takes along counts once.
    pub redacted: BTreeMap<FindingKind, u64>,
    /// How many requests sent text that was not public as it is, or with words of a special category, which are not replaced.
    pub personal_as_is: u64,
    /// Prompt tokens.
    pub tokens_in: u64,
    /// Answer tokens.
    pub tokens_out: u64,
    /// The sum of the energy estimates in millijoules.
    pub millijoules: u64,
    /// How often answers called each tool, by the tool's name: at most [`COUNTED_TOOLS_MAX`] names, and [`OTHER_TOOLS`] for the rest.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub calls: BTreeMap<Label, u64>,
    /// Reports of telemetry, however they ended. They do not come from the user, and count nowhere else but in the bytes.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub reports: u64,
}

/// The totals of the receipts of one day.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct DayStats {
    /// When the day began, in milliseconds since 1970 UTC.
    pub begins_ms: u64,
    /// The totals.
    pub stats: Stats,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

fn count_answer(answers: &mut Answers, closing: &Closing) {
    if closing.answered_before.is_some() {
        answers.given_again += 1;
        return;
    }
    match closing.place_kind() {
        None | Some(PlaceKind::OnDevice) => answers.on_device += 1,
        Some(PlaceKind::SystemModel) => answers.system_model += 1,
        Some(PlaceKind::OwnDevice) => answers.own_device += 1,
        Some(PlaceKind::Organisation) => answers.organisation += 1,
        Some(PlaceKind::PublicCloud) => answers.public_cloud += 1,
    }
}

impl Stats {
    /// Adds one receipt, which has no closing while it is open.
    pub fn count(&mut self, intent: &Intent, closing: Option<&Closing>) {
        self.receipts += 1;
        let Some(closing) = closing else {
            self.unfinished += 1;
            self.bytes_out_uncertain += intent.bytes_out_max();
            return;
        };
        match closing.outcome {
            outcome if intent.is_report() => {
                self.reports += 1;
                if outcome == Outcome::Interrupted {
                    self.bytes_out_uncertain += intent.bytes_out_max();
                }
            }
            Outcome::Answered => count_answer(&mut self.answers, closing),
            Outcome::Cancelled => self.cancelled += 1,
            Outcome::Failed => self.failed += 1,
            Outcome::Denied => self.denied += 1,
            Outcome::Deferred => self.deferred += 1,
            Outcome::Interrupted => {
                self.interrupted += 1;
                self.bytes_out_uncertain += intent.bytes_out_max();
            }
        }
        for attempt in &closing.attempts {
            self.bytes_out = self.bytes_out.saturating_add(attempt.bytes_out);
            self.bytes_in = self.bytes_in.saturating_add(attempt.bytes_in);
        }
        for (kind, times) in &closing.redacted {
            let repeated = closing.repeated.get(kind).copied().unwrap_or(0);
            let first = u64::from(times.saturating_sub(repeated));
            if first > 0 {
                *self.redacted.entry(*kind).or_default() += first;
            }
        }
        // Special categories are not replaced; where nothing was, what made the text private left as it is.
        let has_unreplaced =
            closing.redacted.is_empty() || intent.findings.keys().any(|kind| kind.is_special_category());
        let as_is =
            |attempt: &Attempt| attempt.bytes_out > 0 && (has_unreplaced || attempt.sent != Some(Release::Redacted));
        if intent.class > PrivacyClass::Public && closing.attempts.iter().any(as_is) {
            self.personal_as_is += 1;
        }
        self.tokens_in = self.tokens_in.saturating_add(closing.tokens.input);
        self.tokens_out = self.tokens_out.saturating_add(closing.tokens.output);
        let millijoules = closing.energy.as_ref().map_or(0, |energy| energy.millijoules);
        self.millijoules = self.millijoules.saturating_add(millijoules);
        for (tool, times) in &closing.calls {
            self.count_calls(tool, u64::from(*times));
        }
    }

    /// Adds the totals of other receipts.
    pub fn add(&mut self, other: &Stats) {
        self.receipts += other.receipts;
        self.answers.on_device += other.answers.on_device;
        self.answers.system_model += other.answers.system_model;
        self.answers.own_device += other.answers.own_device;
        self.answers.organisation += other.answers.organisation;
        self.answers.public_cloud += other.answers.public_cloud;
        self.answers.given_again += other.answers.given_again;
        self.cancelled += other.cancelled;
        self.failed += other.failed;
        self.denied += other.denied;
        self.deferred += other.deferred;
        self.interrupted += other.interrupted;
        self.unfinished += other.unfinished;
        self.bytes_out = self.bytes_out.saturating_add(other.bytes_out);
        self.bytes_out_uncertain = self.bytes_out_uncertain.saturating_add(other.bytes_out_uncertain);
        self.bytes_in = self.bytes_in.saturating_add(other.bytes_in);
        for (kind, times) in &other.redacted {
            *self.redacted.entry(*kind).or_default() += times;
        }
        self.personal_as_is += other.personal_as_is;
        self.tokens_in = self.tokens_in.saturating_add(other.tokens_in);
        self.tokens_out = self.tokens_out.saturating_add(other.tokens_out);
        self.millijoules = self.millijoules.saturating_add(other.millijoules);
        for (tool, times) in &other.calls {
            self.count_calls(tool, *times);
        }
        self.reports += other.reports;
    }

    /// The totals are sealed as a whole, so they must not grow with every name that somebody thinks of.
    fn count_calls(&mut self, tool: &Label, times: u64) {
        let is_counted = self.calls.contains_key(tool) || self.calls.len() < COUNTED_TOOLS_MAX as usize;
        let name = match is_counted {
            true => tool.clone(),
            false => Label::squeezed(OTHER_TOOLS),
        };
        let count = self.calls.entry(name).or_default();
        *count = count.saturating_add(times);
    }

    /// A one-sentence summary in English.
    ///
    /// ```
    /// use whimbrel_privacy::PrivacyClass;
    /// use whimbrel_record::{Closing, Host, Intent, Label, Outcome, Stats};
    ///
    /// let mut stats = Stats::default();
    /// let intent = Intent::new(Label::new("request-1")?, Label::new("chat")?, PrivacyClass::Public);
    /// stats.count(&intent, Some(&Closing::new(Outcome::Answered)));
    /// assert_eq!(stats.summary(Host::Phone), "1 answer on this phone, nothing sent");
    /// # Ok::<(), whimbrel_record::LabelError>(())
    /// ```
    #[must_use]
    pub fn summary(&self, host: Host) -> String {
        if self.receipts == 0 {
            return "no requests".to_owned();
        }
        let mut parts = self.answer_parts(host);
        let ends = [
            (self.cancelled, "stopped"),
            (self.failed, "failed"),
            (self.denied, "refused by the policy"),
            (self.deferred, "deferred"),
            (self.interrupted, "interrupted"),
            (self.unfinished, "not finished"),
            (self.reports, "sent for telemetry"),
        ];
        parts.extend(
            ends.iter()
                .filter(|(times, _)| *times > 0)
                .map(|(times, words)| format!("{times} {words}")),
        );
        parts.extend(self.calls_part());
        parts.extend(self.sent_parts());
        parts.join(", ")
    }

    fn answer_parts(&self, host: Host) -> Vec<String> {
        let answers = &self.answers;
        let places = [
            (answers.on_device, format!("on {}", host.words())),
            (
                answers.system_model,
                format!("from the system's model on {}", host.words()),
            ),
            (answers.own_device, "on your other devices".to_owned()),
            (answers.organisation, "on your organisation's machines".to_owned()),
            (answers.public_cloud, "in the cloud".to_owned()),
            (answers.given_again, "given again".to_owned()),
        ];
        let mut parts: Vec<String> = Vec::new();
        for (times, place) in places.iter().filter(|(times, _)| *times > 0) {
            let noun = match (parts.is_empty(), *times) {
                (true, 1) => " answer",
                (true, _) => " answers",
                (false, _) => "",
            };
            parts.push(format!("{times}{noun} {place}"));
        }
        if parts.is_empty() {
            parts.push("no answers".to_owned());
        }
        parts
    }

    fn calls_part(&self) -> Option<String> {
        match self
            .calls
            .values()
            .fold(0, |sum: u64, times| sum.saturating_add(*times))
        {
            0 => None,
            1 => Some("1 tool call".to_owned()),
            times => Some(format!("{times} tool calls")),
        }
    }

    fn sent_parts(&self) -> Vec<String> {
        let mut parts = Vec::new();
        match self.bytes_out {
            0 => parts.push("nothing sent".to_owned()),
            bytes => parts.push(format!("{} sent", size(bytes))),
        }
        if self.bytes_out_uncertain > 0 {
            parts.push(format!(
                "up to {} more may have been sent",
                size(self.bytes_out_uncertain)
            ));
        }
        if self.bytes_out == 0 {
            return parts;
        }
        let replaced: u64 = self.redacted.values().sum();
        let mut personal = String::new();
        match self.personal_as_is {
            0 if replaced > 0 => personal.push_str("no personal data recognised in the rest"),
            0 => personal.push_str("no personal data recognised in it"),
            1 => personal.push_str("personal text sent unchanged once"),
            times => write!(personal, "personal text sent unchanged {times} times").expect("a string takes all"),
        }
        match replaced {
            0 => {}
            1 => personal.push_str(" (1 detail was replaced first)"),
            times => write!(personal, " ({times} details were replaced first)").expect("a string takes all"),
        }
        parts.push(personal);
        parts
    }
}

/// Bytes in the unit that people read.
///
/// ```
/// assert_eq!(whimbrel_record::size(1), "1 byte");
/// assert_eq!(whimbrel_record::size(3_140), "3.1 kB");
/// assert_eq!(whimbrel_record::size(12_300_000), "12 MB");
/// ```
#[must_use]
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    if bytes == 1 {
        return "1 byte".to_owned();
    }
    if bytes < 1000 {
        return format!("{bytes} bytes");
    }
    let mut amount = bytes as f64;
    let mut unit = "bytes";
    for next in UNITS {
        // What would be rounded to 1000 belongs to the next unit.
        if amount < 999.5 {
            break;
        }
        amount /= 1000.0;
        unit = next;
    }
    // What would be rounded to 10.0 has no digit behind the point.
    let digits = usize::from(amount < 9.95);
    format!("{amount:.digits$} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AttemptEnd, Label, Place};

    #[test]
    fn sizes_read_like_sizes() {
        let check = |bytes, expected| assert_eq!(size(bytes), expected, "{bytes}");
        check(1, "1 byte");
        check(999, "999 bytes");
        check(1000, "1.0 kB");
        check(3100, "3.1 kB");
        check(9949, "9.9 kB");
        check(9950, "10 kB");
        check(999_499, "999 kB");
        check(999_500, "1.0 MB");
        check(1_500_000_000_000, "1.5 TB");
        check(u64::MAX, "18446744 TB");
    }

    #[test]
    fn values_that_are_sent_again_count_once() {
        let mut closing = Closing::new(Outcome::Answered);
        let mut stats = Stats::default();
        let intent = Intent::new(Label::squeezed("r"), Label::squeezed("chat"), PrivacyClass::Personal);
        closing.redacted.insert(FindingKind::Email, 2);
        stats.count(&intent, Some(&closing));
        closing.redacted.insert(FindingKind::Phone, 1);
        closing.repeated.insert(FindingKind::Email, 2);
        stats.count(&intent, Some(&closing));
        let expected = [(FindingKind::Email, 2), (FindingKind::Phone, 1)];
        assert_eq!(stats.redacted.into_iter().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn calls_count_by_name_up_to_a_limit() {
        let intent = Intent::new(Label::squeezed("r"), Label::squeezed("chat"), PrivacyClass::Public);
        let calling = |tool: &str, times| {
            let mut closing = Closing::new(Outcome::Answered);
            closing.calls.insert(Label::squeezed(tool), times);
            closing
        };
        let mut stats = Stats::default();
        assert!(!serde_json::to_string(&stats).unwrap().contains("calls"));
        stats.count(&intent, Some(&calling("weather", 2)));
        stats.count(&intent, Some(&calling("weather", 1)));
        stats.count(&intent, Some(&calling("send_mail", 1)));
        let count = |stats: &Stats, tool: &str| stats.calls.get(&Label::squeezed(tool)).copied();
        assert_eq!(
            (count(&stats, "weather"), count(&stats, "send_mail")),
            (Some(3), Some(1))
        );
        let read: Stats = serde_json::from_str(&serde_json::to_string(&stats).unwrap()).unwrap();
        assert_eq!(read, stats);

        let mut many = Stats::default();
        for number in 0..COUNTED_TOOLS_MAX + 10 {
            many.count(&intent, Some(&calling(&format!("tool-{number}"), 1)));
        }
        assert_eq!(many.calls.len(), COUNTED_TOOLS_MAX as usize + 1);
        assert_eq!(count(&many, OTHER_TOOLS), Some(10));
        many.add(&stats);
        many.add(&many.clone());
        assert_eq!(many.calls.len(), COUNTED_TOOLS_MAX as usize + 1);
        assert_eq!(count(&many, OTHER_TOOLS), Some(28));
        assert_eq!(count(&many, "tool-0"), Some(2));
    }

    #[test]
    fn words_that_are_not_replaced_leave_as_they_are() {
        let check = |kind: FindingKind, replaced: u32, expected| {
            let mut intent = Intent::new(Label::squeezed("r"), Label::squeezed("chat"), PrivacyClass::Sensitive);
            intent.findings.insert(kind, 1);
            let mut closing = Closing::new(Outcome::Answered);
            closing.redacted.extend((replaced > 0).then_some((kind, replaced)));
            closing.attempts.push(Attempt {
                place: Place::SystemModel {
                    adapter: Label::squeezed("nano"),
                },
                sent: Some(Release::Redacted),
                ended: AttemptEnd::Answered,
                error: None,
                rules: Vec::new(),
                milliseconds: 5,
                bytes_out: 10,
                bytes_in: 10,
            });
            let mut stats = Stats::default();
            stats.count(&intent, Some(&closing));
            assert_eq!(stats.personal_as_is, expected, "{}", kind.name());
        };
        check(FindingKind::Email, 1, 0);
        check(FindingKind::Health, 0, 1);
        // The class came from a guess or from the app.
        check(FindingKind::Email, 0, 1);
    }

    #[test]
    fn a_summary_is_a_sentence() {
        let check = |stats: Stats, expected: &str| assert_eq!(stats.summary(Host::Phone), expected);
        check(Stats::default(), "no requests");
        let mut stats = Stats {
            receipts: 13,
            bytes_out: 3100,
            ..Stats::default()
        };
        stats.answers.on_device = 12;
        stats.answers.public_cloud = 1;
        check(
            stats.clone(),
            "12 answers on this phone, 1 in the cloud, 3.1 kB sent, no personal data recognised in it",
        );
        stats.redacted.insert(FindingKind::Email, 2);
        check(
            stats.clone(),
            "12 answers on this phone, 1 in the cloud, 3.1 kB sent, no personal data recognised in the rest \
             (2 details were replaced first)",
        );
        stats.personal_as_is = 1;
        stats.redacted.clear();
        stats.denied = 2;
        stats.interrupted = 1;
        stats.bytes_out_uncertain = 500;
        check(
            stats,
            "12 answers on this phone, 1 in the cloud, 2 refused by the policy, 1 interrupted, 3.1 kB sent, \
             up to 500 bytes more may have been sent, personal text sent unchanged once",
        );
        let denied = Stats {
            receipts: 1,
            denied: 1,
            ..Stats::default()
        };
        check(denied, "no answers, 1 refused by the policy, nothing sent");
        let mut called = Stats {
            receipts: 2,
            ..Stats::default()
        };
        called.answers.on_device = 2;
        called.calls.insert(Label::squeezed("weather"), 1);
        check(called.clone(), "2 answers on this phone, 1 tool call, nothing sent");
        called.calls.insert(Label::squeezed("calendar"), 2);
        check(called, "2 answers on this phone, 3 tool calls, nothing sent");
    }
}
