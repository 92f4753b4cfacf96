//! A receipt for people: as a line of a list, and as a whole.

use std::io::{self, Write};

use serde::Serialize;
use whimbrel_client::privacy::Release;
use whimbrel_client::record::{Closing, Measured, Place, Receipt};

use crate::machine::time;
use crate::models::names::spelled;
use crate::terminal::output::{Facts, bytes, table};

/// One receipt.
#[derive(Serialize)]
#[serde(transparent)]
pub(crate) struct ShownReceipt(pub(crate) Receipt);

/// Number, time, end, place and bytes.
pub(super) fn line(receipt: &Receipt) -> String {
    let outcome = receipt.outcome.map_or("not finished", |outcome| outcome.name());
    let place = receipt.place.as_ref().map_or_else(|| "nowhere".to_owned(), place);
    format!(
        "{:>5}  {}  {outcome:<12}  {place}, {} sent",
        receipt.id,
        time::date_and_time(receipt.opened_ms),
        bytes(receipt.bytes_out)
    )
}

fn place(place: &Place) -> String {
    match place {
        Place::OnDevice { model, variant, .. } => format!("on this device, {} {variant}", spelled(&model.to_string())),
        Place::SystemModel { adapter } => format!("the system's model {adapter}"),
        Place::Remote { endpoint, model, .. } => format!("{endpoint}, {model}"),
    }
}

fn sent(sent: Option<Release>) -> &'static str {
    match sent {
        None => "",
        Some(Release::AsIs) => ", as it was",
        Some(Release::Redacted) => ", redacted",
    }
}

/// `email 2, phone 1`
fn counts<K: Serialize>(counts: impl IntoIterator<Item = (K, u32)>) -> String {
    let shown = counts.into_iter().map(|(kind, times)| {
        let kind = serde_json::to_value(kind).unwrap_or_default();
        format!("{} {times}", kind.as_str().unwrap_or_default())
    });
    let shown: Vec<_> = shown.collect();
    if shown.is_empty() {
        "none".to_owned()
    } else {
        shown.join(", ")
    }
}

impl Facts for ShownReceipt {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        let receipt = &self.0;
        let intent = &receipt.intent;
        let class = serde_json::to_value(intent.class).unwrap_or_default();
        let rules: Vec<_> = intent.rules.iter().map(ToString::to_string).collect();
        let mut rows = vec![
            ("receipt", line(receipt).trim_start().to_owned()),
            ("request", format!("{}, task {}", intent.request, intent.task)),
            (
                "text",
                format!(
                    "{}; found: {}",
                    class.as_str().unwrap_or_default(),
                    counts(intent.findings.clone())
                ),
            ),
            (
                "rules",
                if rules.is_empty() {
                    "none".to_owned()
                } else {
                    rules.join(", ")
                },
            ),
        ];
        for planned in &intent.planned {
            rows.push(("planned", format!("{}{}", place(&planned.place), sent(planned.sent))));
        }
        if let Some(closing) = &receipt.closing {
            rows.extend(closing_rows(closing));
        }
        for feedback in &receipt.feedback {
            let signal = serde_json::to_value(feedback.signal).unwrap_or_default();
            rows.push(("feedback", signal["kind"].as_str().unwrap_or_default().to_owned()));
        }
        for (sequence, hash) in receipt.sequences.iter().zip(&receipt.hashes) {
            rows.push(("entry", format!("{sequence} {hash}")));
        }
        table(out, &rows)
    }
}

/// What happened, attempt by attempt, and what it came to.
fn closing_rows(closing: &Closing) -> Vec<(&'static str, String)> {
    let mut rows = Vec::new();
    for attempt in &closing.attempts {
        let error = attempt.error.as_ref();
        let error = error.map_or_else(String::new, |error| format!(" ({error})"));
        rows.push((
            "tried",
            format!(
                "{}{}: {}{error} after {} ms, {} out, {} in",
                place(&attempt.place),
                sent(attempt.sent),
                attempt.ended.name(),
                attempt.milliseconds,
                bytes(attempt.bytes_out),
                bytes(attempt.bytes_in)
            ),
        ));
    }
    if let Some(finish) = closing.finish {
        let finish = serde_json::to_value(finish).unwrap_or_default();
        rows.push(("finish", finish.as_str().unwrap_or_default().to_owned()));
    }
    if !closing.calls.is_empty() {
        rows.push(("tools", counts(closing.calls.clone())));
    }
    rows.push(("replaced", counts(closing.redacted.clone())));
    if !closing.repeated.is_empty() {
        rows.push(("sent before", counts(closing.repeated.clone())));
    }
    let tokens = &closing.tokens;
    rows.push(("tokens", format!("{} read, {} written", tokens.input, tokens.output)));
    rows.push((
        "time",
        format!("{} ms{}", closing.latency.total_ms, parts(&closing.measured)),
    ));
    if let Some(energy) = &closing.energy {
        rows.push(("energy", format!("{:.1} J ({})", energy.joules(), energy.method)));
    }
    rows
}

/// What the time was spent on, as far as it was measured: ` (deciding 0.1 ms, prompt 30.2 ms)`.
fn parts(measured: &Measured) -> String {
    let parts = [
        ("examining", measured.examine_us),
        ("deciding", measured.decide_us),
        ("loading", measured.load_us),
        ("prompt", measured.prefill_us),
        ("answer", measured.decode_us),
        ("network", measured.network_us),
    ];
    let parts = parts.iter().filter(|(_, time_us)| *time_us > 0);
    let parts: Vec<String> = parts
        .map(|(name, time_us)| format!("{name} {:.1} ms", *time_us as f64 / 1e3))
        .collect();
    match parts.is_empty() {
        true => String::new(),
        false => format!(" ({})", parts.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use whimbrel_client::record::{Label, Outcome};

    #[test]
    fn only_what_was_measured_is_shown() {
        assert_eq!(parts(&Measured::default()), "");
        let measured = Measured {
            decide_us: 120,
            prefill_us: 30_249,
            ..Measured::default()
        };
        assert_eq!(parts(&measured), " (deciding 0.1 ms, prompt 30.2 ms)");
    }

    #[test]
    fn calls_are_shown_by_name() {
        let mut closing = Closing::new(Outcome::Answered);
        let tools = |closing: &Closing| closing_rows(closing).into_iter().find(|(name, _)| *name == "tools");
        assert_eq!(tools(&closing), None);
        for (tool, times) in [("weather", 2), ("mail", 1)] {
            closing.calls.insert(Label::squeezed(tool), times);
        }
        assert_eq!(tools(&closing), Some(("tools", "mail 1, weather 2".to_owned())));
    }
}
