//! What texts become, and that every part of the normal form leads back to whole characters of the original.

use rand_pcg::Pcg64;
use rand_pcg::rand_core::{Rng, SeedableRng};

use super::*;

fn check(text: &str, expected: &str) {
    assert_eq!(Normal::of(text).text(), expected, "{text:?}");
}

#[test]
fn letters_digits_and_signs_have_one_form() {
    check("A\u{308}nderung cafe\u{301}", "Änderung café");
    check("Nguye\u{302}\u{303}n", "Nguyễn");
    check("\u{110e}\u{1161}\u{11b7}", "참");
    check("プロシ\u{3099}ェクト", "プロジェクト");
    check("ﾌﾟﾛｼﾞｪｸﾄ", "プロジェクト");
    check("ＢＬＵＥ＠ｂｉｒｄ．example", "BLUE@bird.example");
    check("٤٩ ४९ ๔๙ ４９ 𝟒𝟗 ④⑨", "49 49 49 49 49 49");
    check("𝐀𝓷𝔫𝖆 ﬁn Ⅳ", "Anna fin IV");
    check("536\u{2011}90\u{2010}4399", "536-90-4399");
    check("a\u{a0}b\u{2009}c\u{3000}d", "a b c d");
    check("1\u{336}2", "12");
    check("Маriа and Москва", "Maria and Москва");
    check("देवनागरी עִברִית العربية", "देवनागरी עִברִית العربية");
}

#[test]
fn what_cannot_be_seen_is_nothing() {
    for hidden in [
        '\u{200b}',
        '\u{200d}',
        '\u{ad}',
        '\u{feff}',
        '\u{200f}',
        '\u{202e}',
        '\u{2066}',
        '\u{2060}',
        '\u{fe0f}',
        '\u{e0041}',
        '\0',
        '\u{7f}',
        '\u{34f}',
    ] {
        check(&format!("45{hidden}39 {hidden}1488"), "4539 1488");
    }
}

#[test]
fn escapes_and_light_markup_are_read() {
    check(
        "a&#64;b&#x2e;example &amp; M&uuml;ller&nbsp;5",
        "a@b.example & Müller 5",
    );
    check("a%40b.example 100%", "a@b.example 100%");
    check("\\u0061\\u0040b \\x61", "a@b a");
    check("&#x1d7d2;%ef%bc%99", "49");
    check("ma**ria** <b>ma</b>ria<br>x ****", "maria maria\nx ****");
    check(
        "https://a.example/f?q=12+Main+Street&r=1 1+1",
        "https://a.example/f?q=12 Main Street&r=1 1+1",
    );
}

#[test]
fn words_without_blanks_stand_apart_from_numbers() {
    check("密码abc是1です", "密码 abc 是 1 です");
    check("漢字かな", "漢字かな");
}

#[test]
fn plain_text_is_not_copied() {
    for text in ["Is a@b.example valid? 1 + 1 = 2 * 1", "Größe, 東京, Москва", "", "a?b"] {
        let normal = Normal::of(text);
        assert!(
            !normal.is_changed() && matches!(normal.text, Cow::Borrowed(_)),
            "{text}"
        );
    }
}

#[test]
fn a_part_leads_back_to_whole_characters() {
    let check = |text: &str, part: &str, expected: &str| {
        let normal = Normal::of(text);
        let start = normal.text().find(part).unwrap();
        assert_eq!(&text[normal.original(start..start + part.len())], expected, "{text:?}");
    };
    check("x ４９ y", "49", "４９");
    check("x 4\u{200b}9\u{200b} y", "49", "4\u{200b}9");
    check("x a&#64;b y", "a@b", "a&#64;b");
    check("x a&#64;b y", "@", "&#64;");
    check("x Ⅳ y", "V", "Ⅳ");
    check("xcafe\u{301}y", "é", "e\u{301}");
    check("密码abc", "abc", "abc");
    check("密码abc", "密码 abc", "密码abc");
}

/// Random texts of pieces that change: parts in order lead back to parts in order, which are cut between characters, and the whole
/// leads back to the whole but for what is dropped at its ends.
#[test]
fn every_part_of_every_text_leads_back() {
    const PIECES: &[&str] = &[
        "a",
        "1",
        " ",
        "\n",
        "é",
        "e\u{301}",
        "\u{301}",
        "\u{336}",
        "\u{200b}",
        "４",
        "Ⅳ",
        "ﬃ",
        "&#64;",
        "&amp;",
        "%c3%a9",
        "%41",
        "%",
        "&",
        "\\u0041",
        "\\ud83d\\ude00",
        "\\",
        "**",
        "*",
        "<b>",
        "</b>",
        "<",
        "密",
        "か",
        "\u{3099}",
        "ｶ",
        "ﾞ",
        "\u{1112}",
        "\u{1161}",
        "\u{11ab}",
        "한",
        "ก",
        "\u{e49}",
        "٤",
        "\u{64b}",
        "а",
        "o",
        "?q=",
        "+",
        "𝟒",
        "\0",
        "👩\u{200d}👧",
        "\u{fdfa}",
        "क",
        "\u{93c}",
        "\u{9be}",
    ];
    let mut random = Pcg64::seed_from_u64(13);
    let mut below = |limit: usize| (random.next_u64() % limit as u64) as usize;
    for _ in 0..20_000 {
        let text: String = (0..below(12)).map(|_| PIECES[below(PIECES.len())]).collect();
        let normal = Normal::of(&text);
        let places: Vec<usize> = normal.text().char_indices().map(|(at, _)| at).collect();
        let mut before = 0..0;
        for (index, &start) in places.iter().enumerate() {
            let end = places.get(index + 1).copied().unwrap_or(normal.text().len());
            let part = normal.original(start..end);
            assert!(
                text.get(part.clone()).is_some(),
                "{text:?}: {part:?} of {:?}",
                normal.text()
            );
            assert!(
                part.start >= before.start && part.end >= before.end,
                "{text:?}: {part:?} behind {before:?}"
            );
            let so_far = normal.original(0..end);
            assert!(so_far.start <= part.start && so_far.end == part.end, "{text:?}");
            before = part;
        }
    }
}
