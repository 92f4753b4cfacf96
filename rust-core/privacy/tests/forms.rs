//! A value is found in whatever form it is written: other digits, wide letters, something invisible in it, escapes, markup, cut by a
//! line break, and inside words that have no blanks.

#![allow(clippy::unwrap_used)]

use whimbrel_privacy::{FindingKind, Scanner, ScannerOptions, redact};

/// Values with what stands before and behind them.
const VALUES: &[(FindingKind, &str, &str)] = &[
    (FindingKind::Email, "Answer to ", "tomas.brandt@klinik-sued.example"),
    (FindingKind::Phone, "Please call ", "+44 20 7946 0123"),
    (FindingKind::PaymentCard, "It was paid by card ", "5555 5555 5555 4444"),
    (FindingKind::Iban, "The rent goes to ", "GB82 WEST 1234 5698 7654 32"),
    (FindingKind::NationalId, "Her SSN is ", "219-09-9994"),
    (FindingKind::IpAddress, "Log in to ", "198.51.100.42"),
    (FindingKind::DateOfBirth, "She was born on ", "23.11.1978"),
    (FindingKind::ApiKey, "Use the key ", "glpat-Xk3v9Qx2m8Zw7tB5c1Dn"),
    (FindingKind::PersonName, "Yesterday I met ", "Elisabeth Thompson"),
    (
        FindingKind::StreetAddress,
        "They live at ",
        "27 Orchard Road, Leeds LS6 2AB",
    ),
];

fn scanner(words: &[&str]) -> Scanner {
    Scanner::new(ScannerOptions {
        user_words: words.iter().map(|word| (*word).to_owned()).collect(),
        ..ScannerOptions::default()
    })
    .unwrap()
}

/// Whether every letter and digit of `value` in `text` is in a finding. `value` may end in what is passed over.
fn is_found(scanner: &Scanner, text: &str, value: &str) -> bool {
    let start = text.find(value).unwrap();
    let findings = scanner.scan(text).unwrap();
    value
        .char_indices()
        .filter(|(_, character)| character.is_alphanumeric())
        .all(|(at, _)| {
            findings
                .iter()
                .any(|finding| (finding.start as usize..finding.end as usize).contains(&(start + at)))
        })
}

/// Every value in the form that `form` gives it, but the kinds in `but`, is found whole, and comes back after redaction.
fn check(name: &str, but: &[FindingKind], form: impl Fn(&str) -> String) {
    let scanner = scanner(&[]);
    for (kind, before, value) in VALUES.iter().filter(|(kind, ..)| !but.contains(kind)) {
        let value = form(value);
        let text = format!("{before}{value}, if you please.");
        assert!(is_found(&scanner, &text, &value), "{name}: {kind:?} in {text:?}");
        let redacted = redact(&text, &scanner).unwrap();
        assert!(!redacted.text.contains(&value), "{name}: {:?}", redacted.text);
    }
}

fn each(value: &str, form: impl Fn(char) -> String) -> String {
    value.chars().map(form).collect()
}

/// In the middle of the value, but inside a word or a number.
fn in_the_middle(value: &str, what: &str) -> String {
    let characters: Vec<char> = value.chars().collect();
    let is_inside = |at: &usize| characters[*at - 1].is_alphanumeric() && characters[*at].is_alphanumeric();
    let at = (characters.len() / 2..characters.len()).find(is_inside).unwrap();
    characters[..at]
        .iter()
        .chain(what.chars().collect::<Vec<_>>().iter())
        .chain(&characters[at..])
        .collect()
}

#[test]
fn values_with_something_invisible_in_them() {
    for hidden in [
        "\u{200b}",
        "\u{200c}",
        "\u{200d}",
        "\u{2060}",
        "\u{feff}",
        "\u{ad}",
        "\u{200e}",
        "\u{200f}",
        "\u{202e}",
        "\u{2067}",
        "\u{fe0f}",
        "\u{e0061}",
        "\u{e0100}",
        "\0",
        "\u{7f}",
        "\u{61c}",
        "\u{34f}",
        "\u{180e}",
        "\u{338}",
    ] {
        check(&format!("{hidden:?}"), &[], |value| in_the_middle(value, hidden));
    }
    check("between all", &[], |value| {
        each(value, |character| format!("{character}\u{2060}"))
    });
}

#[test]
fn values_in_other_letters_and_digits() {
    let digits = |zero: u32| {
        move |character: char| match character.to_digit(10) {
            Some(digit) => char::from_u32(zero + digit).unwrap().to_string(),
            None => character.to_string(),
        }
    };
    for zero in [0x660, 0x6f0, 0x966, 0x9e6, 0xe50, 0xff10, 0x1d7ce, 0x1d7f6, 0x1e950] {
        check(&format!("digits from {zero:x}"), &[], |value| each(value, digits(zero)));
    }
    let wide = |character: char| match character {
        '!'..='~' => char::from_u32(character as u32 + 0xfee0).unwrap().to_string(),
        _ => character.to_string(),
    };
    check("wide", &[], |value| each(value, wide));
    check("Cyrillic letters", &[], |value| {
        value.replace('e', "е").replace('a', "а").replace('o', "о")
    });
    check("hyphens", &[], |value| value.replace('-', "\u{2011}"));
    check("blanks", &[], |value| value.replace(' ', "\u{2007}"));
}

#[test]
fn values_in_escapes_and_markup() {
    check("decimal references", &[], |value| {
        each(value, |character| format!("&#{};", character as u32))
    });
    check("hexadecimal references", &[], |value| {
        each(value, |character| format!("&#x{:x};", character as u32))
    });
    check("percent encoding", &[], |value| {
        value.replace(' ', "%20").replace('@', "%40").replace('+', "%2B")
    });
    check("JSON escapes", &[], |value| {
        each(value, |character| format!("\\u{:04x}", character as u32))
    });
    check("bold", &[], |value| in_the_middle(value, "**"));
    check("tags", &[], |value| in_the_middle(value, "<i></i>"));
    check("named blanks", &[], |value| value.replace(' ', "&nbsp;"));
}

#[test]
fn values_in_a_query() {
    let scanner = scanner(&[]);
    for (kind, _, value) in VALUES {
        let value = value
            .replace('+', "%2B")
            .replace(' ', "+")
            .replace('@', "%40")
            .replace(',', "%2C");
        let birth = if *kind == FindingKind::DateOfBirth {
            "birthday"
        } else {
            "q"
        };
        let text = format!("see https://a.example/find?n=1&{birth}={value}&x=1 again");
        assert!(is_found(&scanner, &text, &value), "{text}");
    }
}

#[test]
fn values_cut_in_two() {
    // What no check digit, cue or sign proves is left alone where it may be two columns of a table.
    let unproven = [FindingKind::PersonName, FindingKind::StreetAddress];
    for cut in ["\n", "\r\n", "\t", "\n> ", "\r\n> > "] {
        check(&format!("{cut:?}"), &unproven, |value| in_the_middle(value, cut));
    }
    for cut in ["\n", "  ", "\n> "] {
        check(&format!("{cut:?} for blanks"), &[], |value| value.replace(' ', cut));
    }
}

#[test]
fn columns_of_a_table_are_no_values() {
    let scanner = scanner(&[]);
    for table in [
        "4539\t1488\t0343\t6467\n4111\t1111\t1111\t1111\n",
        "north  5555  5555  5555  4444\n",
        "2024-01-02\t17\n2024-01-03\t18\n",
        "219\t09\t9994\n",
        "0.5  198.51\n0.7  100.42\n",
        "Anna\tThe best\nEmma\tA good one\n",
    ] {
        let found = scanner.scan(table).unwrap();
        let across = found
            .iter()
            .filter(|finding| finding.of(table).contains(['\t', '\n']) && finding.kind != FindingKind::PaymentCard);
        assert_eq!(across.count(), 0, "{table:?}: {found:?}");
    }
}

#[test]
fn values_inside_words_without_blanks() {
    let scanner = scanner(&[]);
    for (before, behind) in [
        ("連絡先は", "です。"),
        ("我的联系电话是", "，谢谢"),
        ("전화번호는 ", "입니다"),
        ("เบอร์ของฉันคือ", "ครับ"),
    ] {
        for (kind, _, value) in &VALUES[..6] {
            let text = format!("{before}{value}{behind}");
            let findings = scanner.scan(&text).unwrap();
            let found: Vec<&str> = findings.iter().map(|finding| finding.of(&text)).collect();
            assert!(
                found == [*value] || *kind == FindingKind::NationalId && is_found(&scanner, &text, value),
                "{text}: {found:?}"
            );
        }
    }
    for (text, secret) in [
        ("パスワードはTk83xq2Zです", "Tk83xq2Z"),
        ("密码：wo7dao9x", "wo7dao9x"),
        ("รหัสผ่านคือTk83xq2Zนะ", "Tk83xq2Z"),
    ] {
        assert!(is_found(&scanner, text, secret), "{text}");
    }
    assert_eq!(scanner.scan("密码错误Error404，请重试").unwrap(), []);
}

#[test]
fn dates_of_birth_and_passwords_in_decomposed_letters() {
    let scanner = scanner(&[]);
    for (text, value) in [
        ("ne\u{301}e le 12 fe\u{301}vrier 1984", "12 fe\u{301}vrier 1984"),
        ("geboren am 3. Ma\u{308}rz 1991", "3. Ma\u{308}rz 1991"),
        ("contrasen\u{303}a: tiburon77", "tiburon77"),
    ] {
        assert!(is_found(&scanner, text, value), "{text}");
    }
}

#[test]
fn values_inside_what_looks_like_a_placeholder() {
    let scanner = scanner(&[]);
    for (kind, _, value) in VALUES.iter().filter(|(kind, ..)| *kind != FindingKind::DateOfBirth) {
        for text in [
            format!("⟨{value}⟩"),
            format!("[PERSON_1 {value}]"),
            format!("⟨{}_1 {value}⟩", kind.placeholder().unwrap()),
        ] {
            assert!(is_found(&scanner, &text, value), "{text}");
        }
    }
    let redacted = redact("[PERSON_tomas@klinik.example]", &scanner).unwrap();
    assert!(
        !redacted.text.contains("tomas") && !redacted.text.contains("klinik"),
        "{}",
        redacted.text
    );
}

#[test]
fn supplied_words_in_every_form() {
    let check = |word: &str, texts: &[&str]| {
        let scanner = scanner(&[word]);
        for text in texts {
            let found = scanner.scan(text).unwrap();
            assert!(
                found.iter().any(|finding| finding.kind == FindingKind::UserWord),
                "{word} in {text}"
            );
        }
    };
    check(
        "Änderung",
        &["die A\u{308}nderung", "ÄNDERUNG", "Änderungen", "Namensänderung"],
    );
    check(
        "Eisvogel",
        &[
            "der Eisvogels Plan",
            "Eisvogelprojekt",
            "Eis\u{ad}vogel",
            "Eisvogel&shy;",
            "ＥＩＳＶＯＧＥＬ",
            "&#69;isvogel",
        ],
    );
    check("カワセミ", &["社内のカワセミ計画", "カワセミ", "ｶﾜｾﾐ計画"]);
    check("翠鸟", &["关于翠鸟项目的问题"]);
    check("물총새", &["물총새는 비밀", "그 물총새를"]);
    check("กระเต็น", &["โครงการกระเต็นลับ"]);
    check("رفراف", &["والرفراف", "بالرفراف جاء", "للرفراف", "رَفْرَاف"]);
    check("שלדג", &["השלדג", "ושלדג", "בשלדגים"]);
    let scanner = scanner(&["Plan", "star"]);
    for text in ["a planet", "plane", "start", "explanation"] {
        assert_eq!(scanner.scan(text).unwrap(), [], "{text}");
    }
}
