//! The special categories: what the word lists find of sentences that were written before the lists, in six languages, and that what is
//! found raises the class and is not replaced. The sentences are in `tests/special`, the figures in `docs/privacy.md`.

#![allow(clippy::unwrap_used)]

use std::fmt::Write;
use std::path::Path;

use whimbrel_privacy::{
    Draft, DraftMessage, FindingKind, Permit, Placeholders, PrivacyClass, Release, Scanner, ScannerOptions, Speaker,
    redact,
};

const LANGUAGES: [(&str, &str, &str); 6] = [
    ("German", "de", include_str!("special/de.txt")),
    ("English", "en", include_str!("special/en.txt")),
    ("Spanish", "es", include_str!("special/es.txt")),
    ("French", "fr", include_str!("special/fr.txt")),
    ("Italian", "it", include_str!("special/it.txt")),
    ("Portuguese", "pt", include_str!("special/pt.txt")),
];

/// Sentences that say it without the plain word, in all six languages together.
const HARDER: [(&str, &str); 2] = [
    ("read while the lists were written", include_str!("special/later.txt")),
    ("held out", include_str!("special/last.txt")),
];

fn scanner() -> Scanner {
    Scanner::new(ScannerOptions::default()).unwrap()
}

fn found(text: &str) -> Vec<(FindingKind, &str)> {
    let findings = scanner().scan(text).unwrap();
    let special = findings.iter().filter(|finding| finding.kind.is_special_category());
    special.map(|finding| (finding.kind, finding.of(text))).collect()
}

/// What one half of a language's sentences comes to.
#[derive(Default)]
struct Half {
    sentences: u32,
    found: u32,
    ordinary: u32,
    alarms: u32,
}

/// The half that was read while the lists were written, and the one that was held out: every second sentence of a category.
fn halves(sentences: &str) -> [Half; 2] {
    let mut halves = [Half::default(), Half::default()];
    let (mut category, mut number) = ("", 0);
    for line in sentences.lines().filter(|line| !line.starts_with('#')) {
        let (wanted, text) = line.split_once(": ").unwrap();
        number = if wanted == category { number + 1 } else { 0 };
        category = wanted;
        let half = &mut halves[number % 2];
        let terms = found(text);
        let kinds: Vec<&str> = terms.iter().map(|(kind, _)| kind.name()).collect();
        let is_read = number % 2 == 0;
        if wanted == "ordinary" {
            half.ordinary += 1;
            half.alarms += u32::from(!kinds.is_empty());
            if is_read && !kinds.is_empty() {
                println!("false alarm: {terms:?} {text}");
            }
        } else {
            half.sentences += 1;
            half.found += u32::from(kinds.contains(&wanted));
            if is_read && !kinds.contains(&wanted) {
                println!("missed: {kinds:?} {line}");
            }
        }
    }
    halves
}

#[test]
fn the_stated_figures_hold() {
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/privacy.md");
    let guide = std::fs::read_to_string(guide).unwrap();
    let mut rows = String::new();
    for (name, code, sentences) in LANGUAGES {
        let [read, held_out] = halves(sentences);
        assert!(
            read.sentences + held_out.sentences >= 40 && read.ordinary + held_out.ordinary >= 60,
            "{code}"
        );
        let of = |one: u32, all: u32| format!("{one} of {all}");
        let row = format!(
            "| {name} | {} | {} | {} | {} |",
            of(read.found, read.sentences),
            of(held_out.found, held_out.sentences),
            of(read.alarms, read.ordinary),
            of(held_out.alarms, held_out.ordinary)
        );
        writeln!(rows, "{row}").unwrap();
    }
    for (name, sentences) in HARDER {
        let [one, other] = halves(sentences);
        let (found, all) = (one.found + other.found, one.sentences + other.sentences);
        writeln!(rows, "| {name} | {found} of {all} |").unwrap();
    }
    println!("{rows}");
    for row in rows.lines() {
        assert!(guide.contains(row), "docs/privacy.md does not say {row}");
    }
}

#[test]
fn what_is_plainly_about_a_person_raises_the_class() {
    let check = |text: &str, kind| {
        let message = scanner().examine_message(Speaker::User, text).unwrap();
        assert_eq!(message.counts().get(&kind), Some(&1), "{text}: {:?}", message.counts());
        assert_eq!(message.class(), PrivacyClass::Sensitive, "{text}");
    };
    check("my HIV test results, and tell priya", FindingKind::Health);
    check("I go to the mosque on Friday.", FindingKind::Religion);
    check("I am gay.", FindingKind::Sexuality);
    check("I voted for her.", FindingKind::Politics);
    check("I am a trade union member.", FindingKind::TradeUnion);
    check("She is an asylum seeker.", FindingKind::Ethnicity);
    check("He was convicted of theft.", FindingKind::Crime);
}

#[test]
fn terms_are_found_however_they_are_written() {
    let check = |text: &str, expected: &[&str]| {
        let terms: Vec<&str> = found(text).into_iter().map(|(_, term)| term).collect();
        assert_eq!(terms, expected, "{text}");
    };
    check("H.I.V.", &["H.I.V"]);
    check("Ｈ\u{ad}ＩＶ", &["Ｈ\u{ad}ＩＶ"]);
    check("abor\u{200b}tion", &["abor\u{200b}tion"]);
    check("TRADE-UNION MEMBER", &["TRADE-UNION MEMBER"]);
    check("trade\n  union members", &["trade\n  union member"]);
    check("d&#105;abetes", &["d&#105;abete"]);
    check("%61bortion", &["%61bortion"]);
    check("Fehlgeburten", &["Fehlgeburt"]);
    check("Mitglied der ＡｆＤ", &["Mitglied der ＡｆＤ"]);
    check("cáncer de mama", &["cáncer de"]);
    check("ca\u{301}ncer de mama", &["ca\u{301}ncer de"]);
    check("CÁNCER DE MAMA", &["CÁNCER DE"]);
    check("g\u{430}y", &["g\u{430}y"]);
    // A word is not cut from others.
    check("the rapist, megaybyte, reunion member", &[]);
}

#[test]
fn words_with_other_meanings_need_a_person_near() {
    let check = |text: &str, is_found| assert_eq!(!found(text).is_empty(), is_found, "{text}");
    check("I have a depression.", true);
    check("The Great Depression began in 1929.", false);
    check("Meine Depression kommt wieder.", true);
    check("Die Depression kam von Westen.", false);
    // Everyday words that hold a term, or are one in another language.
    for text in [
        "Ich glaube, mein Rezept für Kuchen ist wunderbar. Herzliche Grüße",
        "Mi receta: podemos usar aceite de oliva virgen.",
        "La capitale della mia Italia è Roma.",
        "Je vous prie d'agréer mes salutations; mon vol pour Paris est annulé.",
        "Ele está presente e foi presidente do meu clube.",
        "Hey Jude is my favourite song, and my party starts at eight.",
        "I converted the file to a database-agnostic form.",
        "Sie sucht eine Wohnung, und wir stimmen zu.",
        "Disabilita le mie notifiche.",
        "Meu gato preto ficou preso no trânsito.",
    ] {
        check(text, false);
    }
    check(
        "black coffee, Church Street, the union of sets, a positive answer, a birthday party",
        false,
    );
}

#[test]
fn special_categories_are_not_replaced() {
    let text = "Dear Dr Maria Keller, my HIV test was on Monday. Reach me at a@b.example.";
    let draft = Draft {
        messages: vec![DraftMessage {
            speaker: Speaker::User,
            text: text.to_owned(),
        }],
        class: PrivacyClass::Public,
    };
    let examined = scanner().examine(draft).unwrap();
    assert_eq!(examined.facts().findings[&FindingKind::Health], 1);
    let permit = Permit::issue("cloud", Release::Redacted, examined.facts());
    let cleared = examined.clear(&permit, &mut Placeholders::new()).unwrap();
    let sent = &cleared.messages()[0].text;
    assert!(sent.contains("my HIV test") && !sent.contains("Keller"), "{sent}");
    assert!(!cleared.redactions().contains_key(&FindingKind::Health));
    let shown = redact(text, &scanner()).unwrap();
    let placeholder = |kind| {
        shown
            .findings
            .iter()
            .find(|one| one.kind == kind)
            .unwrap()
            .placeholder
            .clone()
    };
    assert_eq!(placeholder(FindingKind::Health), None);
    assert_eq!(placeholder(FindingKind::Email).as_deref(), Some("⟨EMAIL_1⟩"));
}

#[test]
fn a_word_inside_what_is_replaced_gives_no_category_away() {
    assert_eq!(found("Write to hiv.help@clinic.example, please."), []);
    assert_eq!(found("Dear Mr Gay Talese,"), []);
}

#[test]
fn stored_placeholders_of_a_kind_that_is_not_replaced_are_refused() {
    let stored = r#"{"placeholders":[{"kind":"health","number":1,"value":"HIV"}]}"#;
    let error = serde_json::from_str::<Placeholders>(stored).unwrap_err().to_string();
    assert!(error.contains("a kind that is not replaced"), "{error}");
}

/// A rule about either of two categories has to see both, also where the words of one lie within those of the other.
#[test]
fn categories_that_share_words_are_both_counted() {
    let scanner = Scanner::new(ScannerOptions::default()).unwrap();
    for (text, kinds) in [
        (
            "She is of Jewish descent.",
            [FindingKind::Ethnicity, FindingKind::Religion],
        ),
        (
            "Mi hijo está afiliado al sindicato.",
            [FindingKind::Politics, FindingKind::TradeUnion],
        ),
    ] {
        let message = scanner.examine_message(Speaker::User, text).unwrap();
        for kind in kinds {
            assert!(
                message.counts().contains_key(&kind),
                "{kind:?} in {text}: {:?}",
                message.counts()
            );
        }
        let findings = message.findings();
        assert!(findings.windows(2).all(|pair| pair[0].end <= pair[1].start));
    }
}

/// One that is not sure enough to be a finding still raises the class.
#[test]
fn an_unsure_category_is_a_guess() {
    let options = ScannerOptions {
        confidence_min: 0.95,
        ..ScannerOptions::default()
    };
    let scanner = Scanner::new(options).unwrap();
    let message = scanner.examine_message(Speaker::User, "my HIV test results").unwrap();
    assert_eq!(message.findings(), []);
    assert_eq!(message.class(), PrivacyClass::Sensitive);
}
