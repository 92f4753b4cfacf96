//! How good the compiled-in weights are on held-out texts: the rules alone, and the rules with the tagger.

use std::collections::BTreeMap;
use std::ops::Range;

use whimbrel_privacy::{Finding, FindingKind, GUESS_CONFIDENCE_MIN, ScannerOptions, training};

use crate::text::{Case, Text, Texts};

#[derive(Default)]
struct Figures {
    count: u32,
    by_rules: u32,
    found: u32,
    raised: u32,
}

impl Figures {
    fn add(&mut self, by_rules: bool, found: bool, raised: bool) {
        self.count += 1;
        self.by_rules += u32::from(by_rules);
        self.found += u32::from(found);
        self.raised += u32::from(raised);
    }
}

/// Prints a row for names of each sort, and for texts without names.
pub(crate) fn print(mut texts: Texts, count: u32) {
    let sure = ScannerOptions::default().confidence_min;
    let mut names: BTreeMap<(Case, &str, &str), Figures> = BTreeMap::new();
    let mut without: BTreeMap<(Case, &str), Figures> = BTreeMap::new();
    for _ in 0..count {
        let text = texts.next();
        let (rules, all) = training::found(&text.text, |range| text.is_hidden(range));
        for name in &text.names {
            let found = |findings, least| is_covered(name, findings, least);
            let row = names.entry(sort(&text, name)).or_default();
            row.add(
                found(&rules, sure),
                found(&all, sure),
                found(&all, GUESS_CONFIDENCE_MIN),
            );
        }
        if text.names.is_empty() {
            let any = |findings: &[Finding], least| people(findings, least).next().is_some();
            let kind = if text.is_sentence {
                "sentences"
            } else {
                "made of words like names"
            };
            let row = without.entry((text.case, kind)).or_default();
            row.add(any(&rules, sure), any(&all, sure), any(&all, GUESS_CONFIDENCE_MIN));
        }
    }
    println!("share by the rules, found with the tagger, found or guessed");
    for ((case, words, listed), row) in &names {
        print_row(&format!("names, {case:?}, {words}, {listed}"), row);
    }
    for ((case, kind), row) in &without {
        print_row(&format!("texts without names, {case:?}, {kind}"), row);
    }
}

fn print_row(title: &str, row: &Figures) {
    let share = |part: u32| f64::from(part) / f64::from(row.count);
    let (by_rules, found, raised) = (share(row.by_rules), share(row.found), share(row.raised));
    println!("{by_rules:.4} {found:.4} {raised:.4}  {:6} {title}", row.count);
}

fn sort<'t>(text: &Text, name: &Range<usize>) -> (Case, &'t str, &'t str) {
    let several = text.text[name.clone()].contains(' ');
    let words = if several { "several words" } else { "one word" };
    let listed = if text.is_hidden(name) { "in no list" } else { "listed" };
    (text.case, words, listed)
}

fn people(findings: &[Finding], least: f32) -> impl Iterator<Item = &Finding> {
    let people = findings
        .iter()
        .filter(|finding| finding.kind == FindingKind::PersonName);
    people.filter(move |finding| finding.confidence >= least)
}

fn is_covered(name: &Range<usize>, findings: &[Finding], least: f32) -> bool {
    people(findings, least).any(|finding| finding.start as usize <= name.start && name.end <= finding.end as usize)
}
