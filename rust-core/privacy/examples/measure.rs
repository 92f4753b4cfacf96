//! Measures the scanner on texts of your own: how much of what must be hidden it covers, kind by kind, and how often it cries wolf.
//!
//! `cargo run --release -p whimbrel-privacy --example measure -- FILE [SHOW]` reads a line of JSON a text: `source`, `kind`, `text`, and for a
//! text with something to hide `spans` (ranges of characters) and `frac` (which share of their letters and digits must be covered). A text
//! without `spans` has nothing to hide: every finding in it is a false alarm. `SHOW` prints what fails in the groups whose names contain it.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs::File;
use std::io::{BufRead, BufReader};

use serde_json::Value;
use whimbrel_privacy::{Finding, Scanner, ScannerOptions, in_characters};

#[derive(Default)]
struct Group {
    values: u32,
    found: u32,
    words: u64,
    alarms: u64,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().ok_or("name a file of texts")?;
    let show = arguments.next();
    let scanner = Scanner::new(ScannerOptions::default())?;
    let mut groups: BTreeMap<(String, String), Group> = BTreeMap::new();
    for line in BufReader::new(File::open(path)?).lines() {
        let line: Value = serde_json::from_str(&line?)?;
        let name = |field: &str| line[field].as_str().unwrap_or("").to_owned();
        let (source, kind, text) = (name("source"), name("kind"), name("text"));
        let is_shown = show
            .as_ref()
            .is_some_and(|show| format!("{source}: {kind}").contains(show));
        let findings = scanner.scan(&text)?;
        let group = groups.entry((source, kind)).or_default();
        match line["spans"].as_array() {
            Some(spans) => {
                let is_found = is_covered(&text, &findings, spans, line["frac"].as_f64().unwrap_or(1.0));
                group.values += 1;
                group.found += u32::from(is_found);
                if is_shown && !is_found {
                    println!("missed: {text:?}");
                }
            }
            None => {
                group.words += text.split_whitespace().count() as u64;
                group.alarms += findings.len() as u64;
                for finding in findings.iter().filter(|_| is_shown) {
                    println!("alarm: {} {:?} in {text:?}", finding.kind.name(), finding.of(&text));
                }
            }
        }
    }
    for ((source, kind), group) in groups {
        let Group {
            values,
            found,
            words,
            alarms,
        } = group;
        if values > 0 {
            let recall = f64::from(found) / f64::from(values);
            println!("{recall:.3}  {found:5} of {values:5}  {source}: {kind}");
        }
        if words > 0 {
            let rate = alarms as f64 / words as f64 * 1e4;
            println!("{rate:7.1} alarms per 10,000 words ({alarms} in {words})  {source}: {kind}");
        }
    }
    Ok(())
}

/// Whether findings cover enough letters and digits of what must be hidden.
fn is_covered(text: &str, findings: &[Finding], spans: &[Value], share: f64) -> bool {
    let places = in_characters(text, findings);
    let is_found = |at: u32| places.iter().any(|place| (place.start..place.end).contains(&at));
    let (mut all, mut covered) = (0_u32, 0_u32);
    for (at, character) in (0..).zip(text.chars()) {
        let is_inside = |span: &Value| {
            let edge = |index: usize| span[index].as_u64().unwrap_or(0);
            (edge(0)..edge(1)).contains(&u64::from(at))
        };
        if character.is_alphanumeric() && spans.iter().any(is_inside) {
            all += 1;
            covered += u32::from(is_found(at));
        }
    }
    f64::from(covered) >= share * f64::from(all)
}
