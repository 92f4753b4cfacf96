//! Takes what was found out of texts and puts placeholders in its place, until nothing of it is left.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::Serialize;

use crate::occurrences::Occurrences;
use crate::{ClearError, Finding, FindingKind, Placeholders, ScanError, Scanner, in_characters, placeholder_form};

/// A replacement may make the scanner see something new beside it. After this many rounds the text is given up.
const ROUNDS_MAX: u32 = 8;

/// A part of a text that is replaced as one.
#[derive(Clone, Debug)]
struct Span {
    range: Range<usize>,
    kind: FindingKind,
    /// It is no finding but looks like a placeholder.
    literal: bool,
}

/// Texts with placeholders, and how many stand for each kind of finding.
pub(crate) struct Redaction {
    pub(crate) texts: Vec<String>,
    pub(crate) counts: BTreeMap<FindingKind, u32>,
}

/// A text with one placeholder, and where both are.
struct Replaced {
    original: Range<usize>,
    written: Range<usize>,
}

/// Replaces the findings in `texts`, every other occurrence of what was found in any of them or earlier in the conversation, and
/// whatever looks like a placeholder. The result, reidentified, is the original again.
pub(crate) fn redact_all(
    texts: &[&str],
    findings: &[&[Finding]],
    scanner: &Scanner,
    placeholders: &mut Placeholders,
) -> Result<Redaction, ClearError> {
    let mut spans: Vec<Vec<Span>> = texts
        .iter()
        .zip(findings)
        .map(|(text, found)| first_spans(text, found))
        .collect();
    for _ in 0..ROUNDS_MAX {
        let known = Known::new(texts, &spans, placeholders);
        for (text, spans) in texts.iter().zip(&mut spans) {
            spans.extend(known.find(text));
        }
        let mut redaction = Redaction {
            texts: Vec::with_capacity(texts.len()),
            counts: BTreeMap::new(),
        };
        let mut settled = true;
        for (text, spans) in texts.iter().zip(&mut spans) {
            join(spans);
            let (redacted, replaced) = replace(text, spans, placeholders)?;
            let more = remaining(&redacted, &replaced, scanner, &known);
            settled &= more.is_empty();
            spans.extend(more);
            redaction.texts.push(redacted);
        }
        if settled {
            for span in spans.iter().flatten().filter(|span| !span.literal) {
                *redaction.counts.entry(span.kind).or_insert(0) += 1;
            }
            let same = |(redacted, text): (&String, &&str)| placeholders.reidentify(redacted) == **text;
            return if redaction.texts.iter().zip(texts).all(same) {
                Ok(redaction)
            } else {
                Err(ClearError::Unsettled)
            };
        }
    }
    Err(ClearError::Unsettled)
}

fn first_spans(text: &str, findings: &[Finding]) -> Vec<Span> {
    let found = findings.iter().map(|finding| Span {
        range: finding.range(),
        kind: finding.kind,
        literal: false,
    });
    let literal = placeholder_form::all(text).into_iter().map(|(range, kind, _)| Span {
        range,
        kind,
        literal: true,
    });
    found.chain(literal).collect()
}

/// What was found in this draft or earlier in the conversation.
struct Known {
    values: Occurrences,
    parts_of_names: Occurrences,
}

impl Known {
    fn new(texts: &[&str], spans: &[Vec<Span>], placeholders: &Placeholders) -> Known {
        let mut values: Vec<(&str, FindingKind)> = placeholders.values().collect();
        for (text, spans) in texts.iter().zip(spans) {
            let found = spans.iter().filter(|span| !span.literal);
            values.extend(found.map(|span| (&text[span.range.clone()], span.kind)));
        }
        values.sort_unstable();
        values.dedup_by_key(|(value, _)| *value);
        let names = values.iter().filter(|(_, kind)| *kind == FindingKind::PersonName);
        let parts = names.flat_map(|(name, kind)| crate::detect::name_parts(name).map(move |part| (part, *kind)));
        Known {
            parts_of_names: Occurrences::whole_words(parts),
            values: Occurrences::anywhere(values.iter().copied()),
        }
    }

    /// Where it occurs again: in other case or spacing, names also by their parts.
    fn find(&self, text: &str) -> Vec<Span> {
        let parts = self.parts_of_names.find(text).into_iter();
        let parts = parts.filter(|(range, _)| crate::detect::is_name_part(text, range.clone()));
        let span = |(range, kind)| Span {
            range,
            kind,
            literal: false,
        };
        self.values.find(text).into_iter().chain(parts).map(span).collect()
    }
}

/// Joins spans that overlap; the first one's kind stays, a finding's before a literal's.
fn join(spans: &mut Vec<Span>) {
    spans.sort_by_key(|span| (span.range.start, std::cmp::Reverse(span.range.end), span.literal));
    let mut joined: Vec<Span> = Vec::with_capacity(spans.len());
    for span in spans.drain(..) {
        match joined.last_mut().filter(|last| span.range.start < last.range.end) {
            Some(last) => {
                last.range.end = last.range.end.max(span.range.end);
                if last.literal && !span.literal {
                    (last.kind, last.literal) = (span.kind, false);
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
        redacted.push_str(&placeholders.place(span.kind, &text[span.range.clone()], span.literal)?);
        replaced.push(Replaced {
            original: span.range.clone(),
            written: start..redacted.len(),
        });
        at = span.range.end;
    }
    redacted.push_str(&text[at..]);
    Ok((redacted, replaced))
}

/// What a second look finds in the redacted text outside our placeholders, as spans of the original. A placeholder may have cut a
/// word in two, and what is left of it may be something that was found elsewhere.
fn remaining(redacted: &str, replaced: &[Replaced], scanner: &Scanner, known: &Known) -> Vec<Span> {
    let mut spans = Vec::new();
    if replaced.is_empty() {
        return spans;
    }
    let found = scanner
        .find(redacted)
        .into_iter()
        .map(|finding| (finding.range(), finding.kind));
    let again = known.find(redacted).into_iter().map(|span| (span.range, span.kind));
    for (range, kind) in found.chain(again) {
        outside(range, redacted, replaced, |range| {
            spans.push(Span {
                range,
                kind,
                literal: false,
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
        outside(range, redacted, replaced, |range| {
            spans.push(Span {
                range,
                kind,
                literal: true,
            });
        });
    }
    spans
}

/// Calls `take` with the parts of `range` outside placeholders that hold a letter or a digit, as ranges of the original.
fn outside(range: Range<usize>, redacted: &str, replaced: &[Replaced], mut take: impl FnMut(Range<usize>)) {
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
            take(at - written + original..end - written + original);
        }
        at = replaced.get(next).map_or(range.end, |one| one.written.end).max(end);
        next += 1;
    }
}

/// A text with its findings replaced, for a person to look at.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Redacted {
    /// The text with placeholders.
    pub text: String,
    /// What was found in the original, in its order.
    pub findings: Vec<RedactedFinding>,
}

/// A finding in the original text of a [`Redacted`].
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RedactedFinding {
    /// What it is.
    #[serde(rename = "type")]
    pub kind: FindingKind,
    /// The index of its first character.
    pub start: u32,
    /// The index behind its last character.
    pub end: u32,
    /// How sure this is, from 0 to 1.
    pub confidence: f32,
    /// What stands in its place in the redacted text. A finding beside another may share one with it.
    pub placeholder: String,
}

/// Redacts one text by itself, with placeholders of its own. What leaves the device goes through [`crate::Examined::clear`] instead.
///
/// ```
/// use whimbrel_privacy::{Scanner, ScannerOptions, redact};
///
/// let scanner = Scanner::new(ScannerOptions::default())?;
/// let redacted = redact("Call +49 30 1234567 or write to a@b.example.", &scanner)?;
/// assert_eq!(redacted.text, "Call ⟨PHONE_1⟩ or write to ⟨EMAIL_1⟩.");
/// assert_eq!(redacted.findings[1].placeholder, "⟨EMAIL_1⟩");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// When the text is too long, has too many findings, or does not settle.
pub fn redact(text: &str, scanner: &Scanner) -> Result<Redacted, RedactError> {
    let findings = scanner.scan(text)?;
    let characters = in_characters(text, &findings);
    let mut placeholders = Placeholders::new();
    let mut redaction = redact_all(&[text], &[&findings], scanner, &mut placeholders)?;
    let redacted = redaction.texts.pop().expect("one text was given");
    let ends = placeholder_ends(&redacted, &placeholders);
    let shown = findings.iter().zip(characters).map(|(finding, span)| {
        // The first one that ends behind the finding's beginning: every finding is in one.
        let at = ends.partition_point(|(end, _)| *end <= finding.range().start);
        RedactedFinding {
            kind: finding.kind,
            start: span.start,
            end: span.end,
            confidence: finding.confidence,
            placeholder: ends.get(at).map_or("", |(_, placeholder)| placeholder).to_owned(),
        }
    });
    Ok(Redacted {
        findings: shown.collect(),
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
    /// It was not scanned.
    #[error(transparent)]
    Scan(#[from] ScanError),
    /// It was not cleared.
    #[error(transparent)]
    Clear(#[from] ClearError),
}
