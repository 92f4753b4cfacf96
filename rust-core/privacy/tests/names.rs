//! Names and addresses in every case, in many languages and scripts, and texts that look like them and are none. All values are made up.

#![allow(clippy::unwrap_used)]

use whimbrel_privacy::{FindingKind, PrivacyClass, Scanner, ScannerOptions, Speaker, redact};

fn found(text: &str, kind: FindingKind) -> Vec<String> {
    let scanner = Scanner::new(ScannerOptions::default()).unwrap();
    let findings = scanner.scan(text).unwrap();
    let of_kind = findings.iter().filter(|finding| finding.kind == kind);
    of_kind.map(|finding| finding.of(text).to_owned()).collect()
}

fn check_names(cases: &[(&str, &[&str])]) {
    let wrong = cases
        .iter()
        .filter(|(text, names)| found(text, FindingKind::PersonName) != *names);
    let wrong: Vec<_> = wrong
        .map(|(text, _)| (*text, found(text, FindingKind::PersonName)))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn check_addresses(cases: &[(&str, &str)]) {
    let wrong = cases
        .iter()
        .filter(|(text, address)| found(text, FindingKind::StreetAddress) != [*address]);
    let wrong: Vec<_> = wrong
        .map(|(text, _)| (*text, found(text, FindingKind::StreetAddress)))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn names_in_small_letters_are_found_by_lists() {
    check_names(&[
        ("did helen walters call back", &["helen walters"]),
        ("can someone tell giulia moretti about friday", &["giulia moretti"]),
        ("we should ask rajesh kulkarni first", &["rajesh kulkarni"]),
        ("hi, my name is tobias and i cannot log in", &["tobias"]),
        ("is marleen van der horst in today", &["marleen van der horst"]),
        ("the grant was approved in may", &[]),
        ("a will is a document", &[]),
        ("mark the spot where the rose grew", &[]),
        ("per favore, dal campo che vuoi", &[]),
    ]);
}

#[test]
fn names_in_capitals_are_found() {
    check_names(&[
        ("the parcel for HELEN WALTERS came back", &["HELEN WALTERS"]),
        ("ask BEATRIZ DA FONSECA about it", &["BEATRIZ DA FONSECA"]),
        ("the HTTP REST interface", &[]),
        ("READ THE MANUAL FIRST", &[]),
    ]);
}

#[test]
fn ordinary_words_are_names_behind_the_strongest_cues() {
    check_names(&[
        ("My name is Summer Field.", &["Summer Field"]),
        ("Name: Grace Rivers", &["Grace Rivers"]),
        ("Please see Dr. Summer at nine.", &["Summer"]),
        ("Ich heiße Frank Sommer.", &["Frank Sommer"]),
        ("Nazywam się Róża Wilk.", &["Róża Wilk"]),
        ("Meu nome é Rosa Campos.", &["Rosa Campos"]),
        ("Меня зовут Вера Белова.", &["Вера Белова"]),
        ("Summer will be hot.", &[]),
        ("Name: Required", &[]),
        ("{name} Please enter a number.", &[]),
    ]);
}

#[test]
fn names_are_found_across_separators_and_markup() {
    check_names(&[
        ("Walters, Helen", &["Walters", "Helen"]),
        ("Helen;Walters;1200", &["Helen", "Walters"]),
        ("Helen\tWalters", &["Helen\tWalters"]),
        ("<b>Helen</b> Walters agreed.", &["Helen</b> Walters"]),
        ("**Helen** *Walters*", &["Helen", "Walters"]),
    ]);
}

#[test]
fn names_in_scripts_without_capitals_are_found_beside_a_cue() {
    check_names(&[
        ("اسمي سامر حداد وأعمل هنا", &["سامر حداد"]),
        ("السيدة ليلى منصور في الخارج", &["ليلى منصور"]),
        ("קוראים לי נועה ברק", &["נועה ברק"]),
        ("آقای بهرام رستمی تماس گرفت", &["بهرام رستمی"]),
        ("मेरा नाम कविता जोशी है।", &["कविता जोशी"]),
        ("আমার নাম সুমন দত্ত।", &["সুমন দত্ত"]),
        ("என் பெயர் கமலா ராஜன்.", &["கமலா ராஜன்"]),
        ("ผมชื่อ สมศักดิ์ ทองดี ครับ", &["สมศักดิ์ ทองดี"]),
        ("მე მქვია ნინო ბერიძე.", &["ნინო ბერიძე"]),
        ("제 이름은 박지훈입니다.", &["박지훈"]),
        ("최은영 씨에게 물어보세요", &["최은영"]),
        ("我叫陈建国，住在这里。", &["陈建国"]),
        ("请转告赵敏女士。", &["赵敏"]),
        ("今天早上林志强在家", &["林志强"]),
        ("氏名：高橋健太", &["高橋健太"]),
        ("小林直美様、こんにちは。", &["小林直美"]),
        ("Please call 高橋健太 today.", &["高橋健太"]),
        ("My name is سامر حداد.", &["سامر حداد"]),
        ("고객님, 안녕하세요", &[]),
        ("大家都很高兴，时间不多。", &[]),
        ("お客様へのお知らせ", &[]),
    ]);
}

#[test]
fn capitals_at_the_beginning_of_sentences_are_no_names() {
    check_names(&[
        (
            "Wählen Sie zuerst ein Verzeichnis. Danach wird das Programm gestartet.",
            &[],
        ),
        (
            "Der Abschnitt erklärt die Technik der Verschlüsselung und den Aufbau der Datei.",
            &[],
        ),
        ("Veuillez saisir votre mot de passe. Merci de patienter.", &[]),
        ("Inserisci un valore valido. Mancano alcuni dati.", &[]),
        ("Ange ett giltigt datum. Denna sida är tom.", &[]),
        ("Ole hyvä ja anna uusi salasana.", &[]),
        ("Add two Roma tomatoes and some Dijon mustard.", &[]),
        ("Walters, Castro and Mahoney opened an office.", &[]),
        ("They camped near Lake Robert.", &[]),
        ("Gestern hat Katharina Vogel angerufen.", &["Katharina Vogel"]),
        ("Nobody has heard from Kowalczyk since then.", &["Kowalczyk"]),
    ]);
}

#[test]
fn addresses_are_found_in_every_case_and_form() {
    check_addresses(&[
        ("Calle Mayor nº 5", "Calle Mayor nº 5"),
        ("vivo en calle mayor 5", "calle mayor 5"),
        ("Via Garibaldi n. 12", "Via Garibaldi n. 12"),
        (
            "Calzada del Valle 310 Interior 4, San Pedro, NL 66220",
            "Calzada del Valle 310 Interior 4, San Pedro, NL 66220",
        ),
        (
            "Rua das Palmeiras, 81, Boa Vista, 50050-100 Recife / PE",
            "Rua das Palmeiras, 81, Boa Vista, 50050-100 Recife / PE",
        ),
        ("meet me at lindenstraße 7", "lindenstraße 7"),
        (
            "it is at 12 oak hill, bristol, bs1 4dj now",
            "12 oak hill, bristol, bs1 4dj",
        ),
        ("al. Jerozolimskie 44", "al. Jerozolimskie 44"),
    ]);
    for text in ["Mac OS X 10_12", "we saw 5 people at the park", "take via 5 steps"] {
        assert!(found(text, FindingKind::StreetAddress).is_empty(), "{text}");
    }
}

#[test]
fn a_name_that_is_a_word_recurs_with_a_capital_only() {
    let scanner = Scanner::new(ScannerOptions::default()).unwrap();
    let redacted = redact("My name is Mark. Mark the date, and mark it twice.", &scanner).unwrap();
    assert_eq!(
        redacted.text,
        "My name is ⟨PERSON_1⟩. ⟨PERSON_1⟩ the date, and mark it twice."
    );
    let redacted = redact("My name is Helen. Ask helen.", &scanner).unwrap();
    assert!(!redacted.text.contains("helen"), "{}", redacted.text);
}

#[test]
fn no_script_breaks_the_scanner() {
    let scanner = Scanner::new(ScannerOptions::default()).unwrap();
    let pieces = [
        "王", "先生", "さん", "씨", " ", "اسمي", "と", "<b", ">", "\u{94d}", "김", "А", "A", "nº", "5", ",", "name",
    ];
    for a in pieces {
        for b in pieces {
            for c in pieces {
                let text = format!("{a}{b}{c}{a}{c}");
                let findings = scanner.scan(&text).unwrap();
                assert!(findings.iter().all(|finding| !finding.of(&text).is_empty()), "{text}");
            }
        }
    }
}

#[test]
fn names_in_small_letters_that_no_list_holds_are_found_by_the_tagger() {
    check_names(&[
        ("i talked to zelha yorulmaz yesterday", &["zelha yorulmaz"]),
        ("the flat belongs to reinhart klingelhöfer", &["reinhart klingelhöfer"]),
        ("i talked to the landlord yesterday", &[]),
        ("we need to deploy the helm chart before friday", &[]),
        ("book a table near the alhambra in granada", &[]),
    ]);
}

#[test]
fn what_may_be_a_name_raises_the_class_and_is_not_replaced() {
    let scanner = Scanner::new(ScannerOptions::default()).unwrap();
    for (text, guess) in [
        ("i talked to yorulmaz yesterday and it was fine", Some("yorulmaz")),
        ("can you ask ravindranath about the rent", Some("ravindranath")),
        ("Did Benhaddou sign the lease?", Some("Benhaddou")),
        ("we need to deploy the helm chart before friday", None),
        ("Did the tenant sign the lease?", None),
    ] {
        let message = scanner.examine_message(Speaker::User, text).unwrap();
        let guesses: Vec<_> = message.guesses().iter().map(|guess| guess.of(text)).collect();
        assert_eq!(guesses, Vec::from_iter(guess), "{text}");
        let class = if guess.is_some() {
            PrivacyClass::Personal
        } else {
            PrivacyClass::Public
        };
        assert_eq!((message.class(), message.findings().len()), (class, 0), "{text}");
        let redacted = redact(text, &scanner).unwrap();
        assert_eq!((redacted.text.as_str(), redacted.guesses.len()), (text, guesses.len()));
    }
    // Who replaces less sure findings has them replaced.
    let careful = Scanner::new(ScannerOptions {
        confidence_min: 0.4,
        ..ScannerOptions::default()
    });
    let redacted = redact("can you ask ravindranath about the rent", &careful.unwrap()).unwrap();
    assert_eq!(redacted.text, "can you ask ⟨PERSON_1⟩ about the rent");
}
