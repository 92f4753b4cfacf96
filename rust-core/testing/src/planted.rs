//! Secrets to plant in a text, and the search for them afterwards. They are made here and not by the scanner, so that a test which uses
//! them is an independent judge of it.

use crate::Random;

const ALPHANUMERIC: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// A word that looks like a person's or a project's name.
pub fn name(random: &mut Random) -> String {
    let first = random.characters("BCDFGKLMNRSTVZ", 1);
    let count = 6 + random.below(5);
    first + &random.characters("aeioulnrst", count)
}

/// An e-mail address below `example`.
pub fn email(random: &mut Random) -> String {
    let separator = random.characters("._-+", 1);
    let host = random.characters("bcdfghklmnprst", 9);
    let person = name(random).to_lowercase();
    format!("{person}{separator}{}@{host}.example", random.digits(4))
}

/// Sixteen digits that end in their check digit (ISO/IEC 7812-1, annex B).
///
/// ```
/// use whimbrel_testing::{Random, planted};
///
/// let card = planted::card(&mut Random::new(1));
/// let digits = card.bytes().rev().map(|digit| u32::from(digit - b'0'));
/// let doubled = digits.enumerate().map(|(place, digit)| if place % 2 == 1 { digit / 5 + 2 * digit % 10 } else { digit });
/// assert_eq!((card.len(), doubled.sum::<u32>() % 10), (16, 0));
/// ```
pub fn card(random: &mut Random) -> String {
    let begun = format!("4{}", random.digits(14));
    let doubled = begun.bytes().rev().enumerate().map(|(place, digit)| {
        let value = u32::from(digit - b'0') * if place % 2 == 0 { 2 } else { 1 };
        value / 10 + value % 10
    });
    format!("{begun}{}", (10 - doubled.sum::<u32>() % 10) % 10)
}

/// A card's number as people write it: in one piece, or in groups of four with blanks or hyphens between.
pub fn written_card(random: &mut Random) -> String {
    let whole = card(random);
    let separator = *random.pick(&["", " ", "-"]);
    [&whole[..4], &whole[4..8], &whole[8..12], &whole[12..]].join(separator)
}

/// A German account number with its check digits (ISO 13616-1).
///
/// ```
/// use whimbrel_testing::{Random, planted};
///
/// let iban = planted::iban(&mut Random::new(1));
/// // D and E stand for 13 and 14, and the first four characters go to the end.
/// let number = format!("{}1314{}", &iban[4..], &iban[2..4]);
/// let rest = number.bytes().fold(0, |rest, digit| (rest * 10 + u32::from(digit - b'0')) % 97);
/// assert_eq!((iban.len(), rest), (22, 1));
/// ```
pub fn iban(random: &mut Random) -> String {
    let account = random.digits(18);
    // The check digits are 00 while they are computed.
    let rest = format!("{account}131400")
        .bytes()
        .fold(0u32, |rest, digit| (rest * 10 + u32::from(digit - b'0')) % 97);
    format!("DE{:02}{account}", 98 - rest)
}

/// An access token as GitHub writes them. It ends in two digits: a token without any digit, one in 560, is not known to the scanner.
pub fn github_token(random: &mut Random) -> String {
    format!("ghp_{}{}", random.characters(ALPHANUMERIC, 34), random.digits(2))
}

/// An API key in one of three forms: OpenAI's, GitHub's or Amazon's.
pub fn key(random: &mut Random) -> String {
    match random.below(3) {
        0 => format!("sk-proj-{}", random.characters(ALPHANUMERIC, 40)),
        1 => github_token(random),
        _ => format!("AKIA{}", random.characters("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 16)),
    }
}

/// The zeros of other scripts' digits, their nine followers behind each: full-width, Arabic, Persian, Devanagari, Bengali, Thai, Khmer, mathematical.
const ZEROS: &[u32] = &[0xff10, 0x0660, 0x06f0, 0x0966, 0x09e6, 0x0e50, 0x17e0, 0x1d7ce];
/// Characters that nobody sees: joiners, hyphens, marks of order and direction, selectors, NUL.
const UNSEEN: &[&str] = &[
    "\u{200b}", "\u{200c}", "\u{200d}", "\u{2060}", "\u{feff}", "\u{ad}", "\u{200e}", "\u{200f}", "\u{fe0f}", "\0",
];

/// The same value as somebody else might write it, or as another program might code it: with digits of another script, in full width, with a
/// character that nobody sees in its middle, with a character as HTML, JSON or an address in the net codes it, or as it is.
///
/// ```
/// use whimbrel_testing::{Random, planted};
///
/// let mut random = Random::new(1);
/// let forms: Vec<String> = (0..400).map(|_| planted::in_another_form(&mut random, "a@b1")).collect();
/// let seen = ["a@b1", "a@b\u{661}", "\u{ff41}\u{ff20}\u{ff42}\u{ff11}", "a@\u{200b}b1", "a@&#98;1", "a@\\u00621", "a@%621"];
/// assert!(seen.iter().all(|form| forms.contains(&(*form).to_owned())), "{forms:?}");
/// ```
pub fn in_another_form(random: &mut Random, value: &str) -> String {
    let middle = value
        .char_indices()
        .nth(value.chars().count() / 2)
        .map_or(0, |(at, _)| at);
    let (before, after) = value.split_at(middle);
    let mut rest = after.chars();
    let coded = rest.next().map_or(0, u32::from);
    let rest = rest.as_str();
    let each = |other: &dyn Fn(char) -> Option<u32>| -> String {
        let other = |character| other(character).and_then(char::from_u32).unwrap_or(character);
        value.chars().map(other).collect()
    };
    match random.below(12) {
        0 | 1 => {
            let zero = *random.pick(ZEROS);
            each(&|character| character.to_digit(10).map(|digit| zero + digit))
        }
        2 => each(&|character| character.is_ascii_graphic().then(|| u32::from(character) + 0xfee0)),
        3 | 4 => format!("{before}{}{after}", random.pick(UNSEEN)),
        5 => format!("{before}&#{coded};{rest}"),
        6 => format!("{before}&#x{coded:x};{rest}"),
        7 => format!("{before}\\u{coded:04x}{rest}"),
        8 => {
            let bytes = &after.as_bytes()[..after.len() - rest.len()];
            let coded: String = bytes.iter().map(|byte| format!("%{byte:02X}")).collect();
            format!("{before}{coded}{rest}")
        }
        _ => value.to_owned(),
    }
}

/// A number with what people put between its groups of four: blanks, tabs, line breaks and hyphens of many kinds, or nothing.
///
/// ```
/// use whimbrel_testing::{Random, planted};
///
/// let mut random = Random::new(1);
/// let forms: Vec<String> = (0..100).map(|_| planted::in_groups(&mut random, "411111")).collect();
/// assert!(["411111", "4111 11", "4111\u{2011}11"].iter().all(|form| forms.contains(&(*form).to_owned())));
/// ```
pub fn in_groups(random: &mut Random, value: &str) -> String {
    let between = random.pick(&["", "", " ", "-", "\u{a0}", "\u{2011}", "\u{2009}", "\t", "\n", "  "]);
    let groups: Vec<String> = value
        .chars()
        .collect::<Vec<_>>()
        .chunks(4)
        .map(|group| group.iter().collect())
        .collect();
    groups.join(between)
}

/// A text with these secrets in it, each in a frame of its own: prose, quotes, brackets, JSON, other scripts.
pub fn text(random: &mut Random, secrets: &[&str]) -> String {
    const FRAMES: &[(&str, &str)] = &[
        ("Please write to ", " before Friday."),
        ("(", ")"),
        ("The note says \"", "\", nothing else."),
        ("Grüße von ", "!"),
        ("{\"value\": \"", "\", \"next\": null}"),
        ("first line\n", "\nthird line"),
        ("", ""),
        ("über ", ", 世界 🐦"),
    ];
    let mut text = String::new();
    for secret in secrets {
        let (before, after) = random.pick(FRAMES);
        text.push_str(&format!("{before}{secret}{after} "));
    }
    text
}

/// The secrets that a trace in lower case holds, whatever their own case.
///
/// ```
/// use whimbrel_testing::planted;
///
/// let secrets = ["Zugvogel".to_owned(), "Regenpfeifer".to_owned()];
/// assert_eq!(planted::found("about zugvogel", &secrets), ["Zugvogel"]);
/// ```
#[must_use]
pub fn found<'s>(trace: &str, secrets: &'s [String]) -> Vec<&'s str> {
    let holds = |secret: &&String| trace.contains(&secret.to_lowercase());
    secrets.iter().filter(holds).map(String::as_str).collect()
}
