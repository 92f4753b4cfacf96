//! Numbers that a word names, national numbers of many countries, wallets, and tables of numbers.

#![allow(clippy::unwrap_used)]

use whimbrel_privacy::{FindingKind, Scanner, ScannerOptions};

fn scanner() -> Scanner {
    Scanner::new(ScannerOptions::default()).unwrap()
}

/// `text` holds one finding of this kind, which is `value`.
fn check(kind: FindingKind, text: &str, value: &str) {
    let findings = scanner().scan(text).unwrap();
    let found: Vec<_> = findings
        .iter()
        .map(|finding| (finding.kind, finding.of(text)))
        .collect();
    assert!(found.contains(&(kind, value)), "{text:?}: {found:?}");
}

/// Nothing with a digit is found in `text`.
fn none(text: &str) {
    let findings = scanner().scan(text).unwrap();
    let found: Vec<_> = findings
        .iter()
        .map(|finding| (finding.kind, finding.of(text)))
        .filter(|(_, value)| value.bytes().any(|byte| byte.is_ascii_digit()))
        .collect();
    assert_eq!(found, [], "{text:?}");
}

#[test]
fn passports_and_driving_licences() {
    for (text, value) in [
        ("Her passport number is K8L2M4N61.", "K8L2M4N61"),
        ("Passport No: 604418837", "604418837"),
        ("604418837 is my passport number", "604418837"),
        ("Reisepassnummer: K8L2M4N61", "K8L2M4N61"),
        ("pasaporte: QRS604418", "QRS604418"),
        ("numéro de passeport 17KL60441", "17KL60441"),
        ("паспорт 46 04 418837", "46 04 418837"),
        ("护照号码：E60441883", "E60441883"),
        ("여권번호 M60441883", "M60441883"),
        ("driver's license S604-4188-3720", "S604-4188-3720"),
        ("Führerscheinnummer K072LLM2I55", "K072LLM2I55"),
        ("rijbewijsnummer 6044188372", "6044188372"),
    ] {
        check(FindingKind::NationalId, text, value);
    }
    for text in [
        "The passport office opens at 9:30.",
        "My passport expires on 12.03.2030.",
        "driver version 535.129.03",
        "passport 2024 renewal",
        "a driving licence costs 45 pounds",
    ] {
        none(text);
    }
}

#[test]
fn accounts_devices_records_plates_and_homes() {
    use FindingKind::{BankAccount, DeviceId, LicensePlate, Location, MedicalRecord};
    for (kind, text, value) in [
        (BankAccount, "routing number 026009593", "026009593"),
        (BankAccount, "sort code 40-11-60", "40-11-60"),
        (BankAccount, "BSB 082-902", "082-902"),
        (BankAccount, "Kontonummer 7654321", "7654321"),
        (BankAccount, "CLABE 012180004401234567", "012180004401234567"),
        (BankAccount, "口座番号：7654321", "7654321"),
        (
            BankAccount,
            "pay 1234-1234-16 1234567890 today",
            "1234-1234-16 1234567890",
        ),
        (BankAccount, "na účet 19-2000145399/0800", "19-2000145399/0800"),
        (DeviceId, "IMEI: 35-209900-176148-1", "35-209900-176148-1"),
        (MedicalRecord, "MRN: 00604418", "00604418"),
        (MedicalRecord, "medical record number 6044188", "6044188"),
        (LicensePlate, "License plate: KLM-6044", "KLM-6044"),
        (LicensePlate, "Kennzeichen: K-LM 6044", "K-LM 6044"),
        (LicensePlate, "her number plate is LM60 KLM", "LM60 KLM"),
        (LicensePlate, "plaka 34 KLM 604", "34 KLM 604"),
        (Location, "I live at 47.37174, 8.54226 now", "47.37174, 8.54226"),
    ] {
        check(kind, text, value);
    }
    for text in [
        "The summit is at 47.37174, 8.54226.",
        "License plate readers cost 12000 dollars.",
        "a plate of 12 cookies",
        "The account has 3 users.",
        "account created 2024-01-05",
        "The routing table has 1024 entries.",
        "medical record from 2019",
        "the inn has 12345 rooms",
        "The house costs 450.000",
        "part no. LX-0111-ABA, serial GH604418",
    ] {
        none(text);
    }
}

#[test]
fn national_numbers_of_more_countries() {
    for value in [
        "10000000146",
        "20-12345678-6",
        "12.345.678-5",
        "800.197.268-4",
        "39001010077",
        "710319/2745",
        "110101-11111",
        "8001015009087",
        "1-1017-00230-70-8",
        "1800101221144",
        "0101006500006",
        "741213-6670511",
        "35202-1234567-1",
        "770305-02-1234",
        "11010519491231002X",
        "HEGG560427MVZRRL04",
        "ABCPE1234F",
        "27ABCPE1234F1Z5",
        "MORGA657054SM9IJ",
        "1EG4-TE5-MK73",
        "A123456789Z",
    ] {
        check(FindingKind::NationalId, &format!("it says {value} there"), value);
    }
    for text in [
        "it says 10000000147 there",
        "it says 20-12345678-5 there",
        "it says 12.345.678-4 there",
        "it says 8001015009088 there",
        "it says HEGG560427MVZRRL05 there",
        "it says 710319/2746 there",
        "Upgrade from 17.12.28 to 4.26.7-rc7.",
    ] {
        none(text);
    }
    // A word is enough for numbers whose check is weak or unknown.
    for (text, value) in [
        ("ИНН 7707083893", "7707083893"),
        ("My BVN is 22260441883", "22260441883"),
        ("Her national identity number is B260441883700E.", "B260441883700E"),
        ("SSN 536.90.4399", "536.90.4399"),
        ("身份证号 6044188372", "6044188372"),
    ] {
        check(FindingKind::NationalId, text, value);
    }
}

#[test]
fn wallets() {
    for (text, value) in [
        (
            "to 1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2 please",
            "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2",
        ),
        (
            "to bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4 please",
            "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
        ),
        (
            "to 0x52908400098527886E0F7030069857D2E4169EE7 please",
            "0x52908400098527886E0F7030069857D2E4169EE7",
        ),
    ] {
        check(FindingKind::CryptoWallet, text, value);
    }
    for text in [
        "to 1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN3 please",
        "to bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5 please",
        "mask 0xffffffffffffffffffffffffffffffffffffffff",
    ] {
        let found = scanner().scan(text).unwrap();
        assert!(
            found.iter().all(|finding| finding.kind != FindingKind::CryptoWallet),
            "{text:?}"
        );
    }
}

#[test]
fn dates_of_birth_in_many_forms() {
    for (text, value) in [
        ("DOB: 04061976", "04061976"),
        ("DOB 19760604", "19760604"),
        ("DOB 04JUN1976", "04JUN1976"),
        ("geb. 04.06.76", "04.06.76"),
        ("born 4-Jun-1976", "4-Jun-1976"),
        ("born 4.VI.1976", "4.VI.1976"),
        ("née le 4 juin 76", "4 juin 76"),
        ("született 1976. június 4.", "1976. június 4"),
        ("родилась 4 июня 1976 г.", "4 июня 1976"),
        ("narozen 4. června 1976", "4. června 1976"),
        ("doğum tarihi: 4 Haziran 1976", "4 Haziran 1976"),
        ("生年月日：1976年6月4日", "1976年6月4日"),
        ("생년월일: 1976년 6월 4일", "1976년 6월 4일"),
    ] {
        check(FindingKind::DateOfBirth, text, value);
    }
    none("born in room 99999999");
}

#[test]
fn addresses_of_machines_in_short_forms() {
    for value in ["2001::", "1::1", "10.4.0.0/16", "2001:db8::/32", "::/0"] {
        check(FindingKind::IpAddress, &format!("use {value} there"), value);
    }
    for text in [
        "list[1::2]",
        "rows[10::20]",
        "Firefox/1.9.0.20",
        "(X11; rv:1.9.0.20)",
        "std::1",
    ] {
        none(text);
    }
}

#[test]
fn numbers_in_rows_are_a_table() {
    let mut state = 60_441_u64;
    let mut next = |most: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) % most
    };
    let mut table = |columns: usize, cell: &mut dyn FnMut(u64) -> String, separator: &str| {
        let rows: Vec<String> = (0..40)
            .map(|_| {
                (0..columns)
                    .map(|_| cell(next(100_000)))
                    .collect::<Vec<_>>()
                    .join(separator)
            })
            .collect();
        rows.join("\n")
    };
    let texts = [
        table(10, &mut |value| (value % 1000).to_string(), " "),
        table(8, &mut |value| format!("{:>7}", value), ""),
        table(6, &mut |value| format!("0.{:04}", value % 10_000), " "),
        table(6, &mut |value| value.to_string(), "\t"),
        table(16, &mut |value| format!("{:02x}", value % 256), " "),
    ];
    for text in texts {
        let findings = scanner().scan(&text).unwrap();
        let words = text.split_whitespace().count();
        let alarms = findings.len() * 10_000 / words;
        assert!(alarms < 50, "{alarms} alarms per 10,000 words in {:?}", &text[..80]);
    }
    // A word in the header says what a column holds.
    check(FindingKind::Phone, "Phone\n0612 345 678 12", "0612 345 678 12");
}

/// Whatever stands where a number or a secret would, and wherever a text ends, scanning ends too.
#[test]
fn texts_may_begin_and_end_anywhere() {
    let pieces = [
        "passport no. ",
        "driver's license: ",
        "sort code ",
        "IMEI ",
        "MRN #",
        "plaka ",
        "I live at ",
        "47.3717",
        ", ",
        "-8.5423° W",
        "DOB: ",
        "04061976",
        "05SEP1986",
        "4.VI.1976",
        "12 34 56 78",
        "0.1234 ",
        "19-2000145399/0800",
        "20-12345678-6",
        "AAAA000101",
        "A-",
        "é",
        "日",
        "密码",
        "パスワード：",
        "生年月日：1986年",
        "护照",
        "password",
        "=",
        ": ",
        "\"",
        "'",
        "\\",
        "\\n",
        "<password>",
        "</",
        "--token ",
        "curl -u ",
        "a:b",
        "mysql -p",
        "IDENTIFIED BY '",
        "ghp_",
        "hooks.slack.com/services/",
        "MTIz.abcdef.",
        "81234567:A",
        "Q~",
        "1Q~",
        ".atlasv1.",
        "bc1q",
        "0x",
        "1::",
        "::/0",
        "10.0.0.0/",
        "value",
        "name=\"token\">",
        "Basic ",
        "string = ",
        "!= password",
        "\n",
        "  ",
        "+",
        "(",
        "⟨",
    ];
    let scanner = scanner();
    let mut state = 7_u64;
    let mut next = |most: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % most
    };
    for _ in 0..30_000 {
        let text: String = (0..1 + next(9)).map(|_| pieces[next(pieces.len())]).collect();
        let findings = scanner.scan(&text).unwrap();
        assert!(findings.iter().all(|finding| !finding.of(&text).is_empty()), "{text:?}");
    }
}
