//! Replaces findings in texts with placeholders, until no finding is left.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ops::Range;

use serde::Serialize;

use crate::distinct::{self, ValueId};
use crate::normal::Normal;
use crate::occurrences::Comparable;
use crate::scanner::Scanned;
use crate::{ClearError, Finding, FindingKind, Placeholders, ScanError, Scanner, in_characters, placeholder_form};
use known::Known;
use reach::Reach;

mod known;
mod reach;

/// A part of a text that is replaced as one.
#[derive(Clone, Debug)]
struct Span {
    range: Range<usize>,
    kind: FindingKind,
    reason: Reason,
}

/// Why a part of a text is replaced, the strongest reason first.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Reason {
    /// It was found, and is looked for elsewhere.
    Found,
    /// It is what is left of something, or stands around it.
    Beside,
    /// It looks like a placeholder.
    Literal,
}

/// Texts with placeholders, and how many different values of each kind they stand for.
pub(crate) struct Redaction {
    pub(crate) texts: Vec<String>,
    pub(crate) counts: BTreeMap<FindingKind, u32>,
    /// Of these, how many an earlier text of the conversation was sent with.
    pub(crate) repeated: BTreeMap<FindingKind, u32>,
}

/// A text with one placeholder, and where both are.
struct Replaced {
    original: Range<usize>,
    written: Range<usize>,
}

/// Replaces the findings in `texts`, every other occurrence of what was found in any of them or earlier in the conversation, and
/// whatever looks like a placeholder. The result, reidentified, is the original again.
///
/// It always ends: [`Reach`] says how.
pub(crate) fn redact_all(
    texts: &[&str],
    findings: &[&[Finding]],
    scanner: &Scanner,
    placeholders: &mut Placeholders,
) -> Result<Redaction, ClearError> {
    let first = texts.iter().zip(findings);
    let mut spans: Vec<Vec<Span>> = first.map(|(text, found)| first_spans(text, found)).collect();
    let normals: Vec<Normal> = texts.iter().map(|text| Normal::of(text)).collect();
    let comparables: Vec<Comparable> = normals.iter().map(Comparable::of).collect();
    // Where placeholders were when a text was last looked at.
    let mut seen: Vec<HashSet<Range<usize>>> = vec![HashSet::new(); texts.len()];
    let mut reach = Reach::first();
    let mut known = Known::new(texts, &spans, placeholders);
    let mut knows_more = true;
    loop {
        let mut more = Vec::with_capacity(texts.len());
        let mut redacted = Vec::with_capacity(texts.len());
        for (index, spans) in spans.iter_mut().enumerate() {
            if knows_more {
                spans.extend(known.find(texts[index], &comparables[index]));
            }
            join(spans);
            let (written, replaced) = replace(texts[index], spans, placeholders)?;
            let fresh = |one: &&Replaced| !seen[index].contains(&one.original);
            let fresh = replaced.iter().filter(fresh).map(|one| one.written.clone());
            let found = scanner.find_near(&written, fresh);
            more.push(remaining(&written, &replaced, found, &known));
            redacted.push(written);
            seen[index] = replaced.into_iter().map(|one| one.original).collect();
        }
        let found_count = found(&spans);
        let same = |(redacted, text): (&String, &&str)| placeholders.reidentify(redacted) == **text;
        let settled = more.iter().all(Vec::is_empty);
        if settled && redacted.iter().zip(texts).all(same) {
            let (all, repeated) = values(texts, &spans, placeholders);
            return Ok(Redaction {
                texts: redacted,
                counts: distinct::counts(&all),
                repeated: distinct::counts(&repeated),
            });
        }
        reach = reach.next(settled).ok_or(ClearError::Unsettled)?;
        for ((text, spans), more) in texts.iter().zip(&mut spans).zip(more) {
            spans.extend(reach.widened(text, more));
        }
        knows_more = found(&spans) > found_count;
        if knows_more {
            known = Known::new(texts, &spans, placeholders);
        }
    }
}

/// How many values are looked for elsewhere.
fn found(spans: &[Vec<Span>]) -> usize {
    let spans = spans.iter().flatten();
    spans.filter(|span| span.reason == Reason::Found).count()
}

/// The values that are replaced, and those among them that an earlier text was sent with.
fn values(texts: &[&str], spans: &[Vec<Span>], placeholders: &Placeholders) -> (BTreeSet<ValueId>, BTreeSet<ValueId>) {
    let (mut all, mut repeated) = (BTreeSet::new(), BTreeSet::new());
    for (text, spans) in texts.iter().zip(spans) {
        for span in spans.iter().filter(|span| span.reason != Reason::Literal) {
            let value = &text[span.range.clone()];
            let id = ValueId::of(span.kind, value);
            if placeholders.was_sent(value) {
                repeated.insert(id);
            }
            all.insert(id);
        }
    }
    (all, repeated)
}

fn first_spans(text: &str, findings: &[Finding]) -> Vec<Span> {
    let replaced = findings.iter().filter(|finding| !finding.kind.is_special_category());
    let found = replaced.map(|finding| Span {
        range: finding.range(),
        kind: finding.kind,
        reason: Reason::Found,
    });
    let literal = placeholder_form::all(text).into_iter().map(|(range, kind, _)| Span {
        range,
        kind,
        reason: Reason::Literal,
    });
    found.chain(literal).collect()
}

/// Joins spans that overlap; the first one's kind stays, a finding's before that of what is beside one, and a literal's last.
fn join(spans: &mut Vec<Span>) {
    spans.sort_by_key(|span| (span.range.start, std::cmp::Reverse(span.range.end), span.reason));
    let mut joined: Vec<Span> = Vec::with_capacity(spans.len());
    for span in spans.drain(..) {
        match joined.last_mut().filter(|last| span.range.start < last.range.end) {
            Some(last) => {
                last.range.end = last.range.end.max(span.range.end);
                if span.reason < last.reason {
                    (last.kind, last.reason) = (span.kind, span.reason);
                }
            }
            None => joined.push(span),
        }
    }
    *spans = joined;
}

fn replace(text: &str, spans: &[Span], placeholders: &mut Placeholders) -> Result<(String, Vec<Replaced>), ClearError> {
    let mut redacted = String::with_capacity(text.len());
    let mut replaced = Vec::with_capacity(spans.len());
    let mut at = 0;
    for span in spans {
        redacted.push_str(&text[at..span.range.start]);
        let start = redacted.len();
        let is_secret = span.reason == Reason::Found;
        redacted.push_str(&placeholders.place(span.kind, &text[span.range.clone()], !is_secret)?);
        replaced.push(Replaced {
            original: span.range.clone(),
            written: start..redacted.len(),
        });
        at = span.range.end;
    }
    redacted.push_str(&text[at..]);
    Ok((redacted, replaced))
}

/// What a second look finds in the redacted text outside our placeholders, `found` near the new ones and what is known anywhere, as
/// spans of the original. A placeholder may have cut a
/// word in two, and what is left of it may be something that was found elsewhere.
fn remaining(redacted: &str, replaced: &[Replaced], found: Vec<Finding>, known: &Known) -> Vec<Span> {
    let mut spans = Vec::new();
    if replaced.is_empty() {
        return spans;
    }
    let normal = Normal::of(redacted);
    let again = known.find(redacted, &Comparable::of(&normal)).into_iter();
    let again = again.map(|span| (span.range, span.kind));
    for (range, kind) in found
        .into_iter()
        .map(|finding| (finding.range(), finding.kind))
        .chain(again)
    {
        outside(range.clone(), redacted, replaced, |part, is_whole| {
            let reason = if is_whole { Reason::Found } else { Reason::Beside };
            spans.push(Span {
                range: part,
                kind,
                reason,
            });
        });
    }
    for (range, kind, _) in placeholder_form::all(redacted) {
        if replaced
            .binary_search_by_key(&range.start, |one| one.written.start)
            .is_ok_and(|at| replaced[at].written == range)
        {
            continue;
        }
        outside(range, redacted, replaced, |part, _| {
            spans.push(Span {
                range: part,
                kind,
                reason: Reason::Literal,
            });
        });
    }
    spans
}

/// Calls `take` with the parts of `range` outside placeholders that hold a letter or a digit, as ranges of the original, and with
/// whether the part is the whole range.
fn outside(range: Range<usize>, redacted: &str, replaced: &[Replaced], mut take: impl FnMut(Range<usize>, bool)) {
    let mut next = replaced.partition_point(|one| one.written.end <= range.start);
    let mut at = range.start;
    while at < range.end {
        let end = replaced
            .get(next)
            .map_or(range.end, |one| one.written.start.min(range.end));
        if at < end && redacted[at..end].chars().any(char::is_alphanumeric) {
            // Between two placeholders the redacted and the original text are the same, at a distance.
            let (written, original) = match next.checked_sub(1) {
                Some(before) => (replaced[before].written.end, replaced[before].original.end),
                None => (0, 0),
            };
            take(at - written + original..end - written + original, (at..end) == range);
        }
        at = replaced.get(next).map_or(range.end, |one| one.written.end).max(end);
        next += 1;
    }
}

/// A text with its findings replaced, for display to a person.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Redacted {
    /// The text with placeholders.
    pub text: String,
    /// The findings in the original text, in order.
    pub findings: Vec<RedactedFinding>,
    /// What may be personal in the original but was too unsure to be replaced, in its order; see [`crate::ExaminedMessage::guesses`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub guesses: Vec<Guess>,
}

/// A guess in the original text of a [`Redacted`].
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Guess {
    /// What it may be.
    #[serde(rename = "type")]
    pub kind: FindingKind,
    /// The index of its first character.
    pub start: u32,
    /// The index after its last character.
    pub end: u32,
}

/// A finding in the original text of a [`Redacted`].
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RedactedFinding {
    /// Its kind.
    #[serde(rename = "type")]
    pub kind: FindingKind,
    /// The index of its first character.
    pub start: u32,
    /// The index after its last character.
    pub end: u32,
    /// The confidence, from 0 to 1.
    pub confidence: f32,
    /// Its placeholder in the redacted text. A finding beside another may share one with it. None for a special category, whose
    /// words stay where they are.
    pub placeholder: Option<String>,
}

/// Redacts a single text with its own placeholders. Text that leaves the device goes through [`crate::Examined::clear`] instead.
///
/// ```
/// use whimbrel_privacy::{Scanner, ScannerOptions, redact};
///
/// let scanner = Scanner::new(ScannerOptions::default())?;
/// let redacted = redact("Call +49 30 1234567 or write to a@b.example.", &scanner)?;
/// assert_eq!(redacted.text, "Call ⟨PHONE_1⟩ or write to ⟨EMAIL_1⟩.");
/// assert_eq!(redacted.findings[1].placeholder.as_deref(), Some("⟨EMAIL_1⟩"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// The text is too long, has too many findings, or its redaction does not finish.
pub fn redact(text: &str, scanner: &Scanner) -> Result<Redacted, RedactError> {
    let Scanned { findings, guesses, .. } = scanner.scan_for_guesses(text)?;
    let characters = in_characters(text, &findings);
    let mut placeholders = Placeholders::new();
    let mut redaction = redact_all(&[text], &[&findings], scanner, &mut placeholders)?;
    let redacted = redaction.texts.pop().expect("one text was given");
    let ends = placeholder_ends(&redacted, &placeholders);
    let shown = findings.iter().zip(characters).map(|(finding, span)| {
        // The first one that ends behind the finding's beginning: every finding that is replaced is in one.
        let at = ends.partition_point(|(end, _)| *end <= finding.range().start);
        let placeholder = ends.get(at).filter(|_| !finding.kind.is_special_category());
        RedactedFinding {
            kind: finding.kind,
            start: span.start,
            end: span.end,
            confidence: finding.confidence,
            placeholder: placeholder.map(|(_, placeholder)| (*placeholder).to_owned()),
        }
    });
    let places = in_characters(text, &guesses);
    let guesses = guesses.iter().zip(places).map(|(guess, span)| Guess {
        kind: guess.kind,
        start: span.start,
        end: span.end,
    });
    Ok(Redacted {
        findings: shown.collect(),
        guesses: guesses.collect(),
        text: redacted,
    })
}

/// The placeholders of a redacted text in order, each with the byte of the original behind what it stands for.
fn placeholder_ends<'t>(redacted: &'t str, placeholders: &Placeholders) -> Vec<(usize, &'t str)> {
    let (mut written, mut original) = (0, 0);
    let mut ends = Vec::new();
    for (range, _, _) in placeholder_form::all(redacted) {
        let placeholder = &redacted[range.clone()];
        original += range.start - written + placeholders.reidentify(placeholder).len();
        written = range.end;
        ends.push((original, placeholder));
    }
    ends
}

/// Why a text was not redacted.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum RedactError {
    /// It could not be scanned.
    #[error(transparent)]
    Scan(#[from] ScanError),
    /// It could not be cleared.
    #[error(transparent)]
    Clear(#[from] ClearError),
}
