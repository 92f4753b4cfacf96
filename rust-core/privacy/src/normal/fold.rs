//! Normalises single characters: digits of any script become ASCII digits, wide and decorated letters become plain ones, all
//! blanks and hyphens become the plain ones, and invisible characters are dropped. The blocks are those of the Unicode Standard.

use unicode_normalization::char::{compose, decompose_compatible, is_combining_mark};

/// What a character becomes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Fold {
    Same,
    To(char),
    Nothing,
    /// It belongs to the character before it.
    Mark,
    /// What [`compatible`] says.
    Compatible,
}

/// The zeros of the decimal digits outside ASCII (general category Nd); the nine digits behind each follow it.
const ZEROS: &[u32] = &[
    0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6, 0xd66, 0xde6, 0xe50, 0xed0, 0xf20,
    0x1040, 0x1090, 0x17e0, 0x1810, 0x1946, 0x19d0, 0x1a80, 0x1a90, 0x1b50, 0x1bb0, 0x1c40, 0x1c50, 0xa620, 0xa8d0,
    0xa900, 0xa9d0, 0xa9f0, 0xaa50, 0xabf0, 0xff10, 0x104a0, 0x10d30, 0x11066, 0x110f0, 0x11136, 0x111d0, 0x112f0,
    0x11450, 0x114d0, 0x11650, 0x116c0, 0x11730, 0x118e0, 0x11950, 0x11c50, 0x11d50, 0x11da0, 0x11f50, 0x16a60,
    0x16ac0, 0x16b50, 0x1d7ce, 0x1d7d8, 0x1d7e2, 0x1d7ec, 0x1d7f6, 0x1e140, 0x1e2f0, 0x1e4f0, 0x1e950, 0x1fbf0,
];

pub(super) fn fold(character: char) -> Fold {
    match character {
        '\t' | '\n' | '\r' | ' '..='~' => Fold::Same,
        '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}' => Fold::To('\n'),
        _ if is_invisible(character) => Fold::Nothing,
        // The rest of Latin, Greek and Cyrillic has nothing to fold.
        '\u{a1}'..='\u{2ff}' | '\u{370}'..='\u{482}' | '\u{48a}'..='\u{58f}' => Fold::Same,
        '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}' => Fold::To(' '),
        '\u{2010}'..='\u{2012}' | '\u{2212}' | '\u{fe58}' | '\u{fe63}' => Fold::To('-'),
        '\u{66b}' => Fold::To('.'),
        '\u{66c}' => Fold::To(','),
        '\u{300}'..='\u{36f}'
        | '\u{1161}'..='\u{11c2}'
        | '\u{1ab0}'..='\u{1aff}'
        | '\u{1dc0}'..='\u{1dff}'
        | '\u{20d0}'..='\u{20ff}'
        | '\u{3099}'
        | '\u{309a}'
        | '\u{fe20}'..='\u{fe2f}' => Fold::Mark,
        // Frequent letters that are neither digits nor marks nor decorated.
        '\u{3041}'..='\u{3098}' | '\u{309d}'..='\u{30ff}' | '\u{4e00}'..='\u{9fff}' | '\u{ac00}'..='\u{d7a3}' => {
            Fold::Same
        }
        _ => rare(character),
    }
}

fn rare(character: char) -> Fold {
    let code = character as u32;
    let before = ZEROS.partition_point(|zero| *zero <= code);
    if let Some(value) = before
        .checked_sub(1)
        .map(|at| code - ZEROS[at])
        .filter(|value| *value < 10)
    {
        return Fold::To(char::from(b'0' + value as u8));
    }
    match character {
        '\u{2070}'..='\u{209c}'
        | '\u{2100}'..='\u{214f}'
        | '\u{2150}'..='\u{218b}'
        | '\u{2460}'..='\u{24ff}'
        | '\u{fb00}'..='\u{fdff}'
        | '\u{fe70}'..='\u{fefc}'
        | '\u{ff01}'..='\u{ffef}'
        | '\u{1d400}'..='\u{1d7ff}'
        | '\u{1f100}'..='\u{1f1e5}' => Fold::Compatible,
        // Signs of Indic and other scripts: only some make another letter with the one before.
        _ if is_combining_mark(character) && is_second_half(character) => Fold::Mark,
        _ => Fold::Same,
    }
}

/// Marks that one letter of Unicode may contain (the second halves of its canonical compositions beyond Latin).
fn is_second_half(mark: char) -> bool {
    matches!(
        mark,
        '\u{653}'
            ..='\u{655}'
                | '\u{93c}'
                | '\u{9be}'
                | '\u{9d7}'
                | '\u{b3e}'
                | '\u{b56}'
                | '\u{b57}'
                | '\u{bbe}'
                | '\u{bd7}'
                | '\u{c56}'
                | '\u{cc2}'
                | '\u{cd5}'
                | '\u{cd6}'
                | '\u{d3e}'
                | '\u{d57}'
                | '\u{dca}'
                | '\u{dcf}'
                | '\u{ddf}'
                | '\u{102e}'
    )
}

/// What no reader sees: fillers, joiners, marks of direction, selectors of variants, tags and controls.
fn is_invisible(character: char) -> bool {
    matches!(character,
        '\0'..='\u{8}' | '\u{e}'..='\u{1f}' | '\u{7f}'..='\u{84}' | '\u{86}'..='\u{9f}' | '\u{ad}' | '\u{34f}' | '\u{61c}'
        | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
        | '\u{fff0}'..='\u{fffb}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// The characters that mean the same as `character` (its compatibility decomposition, UAX #15).
pub(super) fn compatible(character: char, mut take: impl FnMut(char)) {
    decompose_compatible(character, |part| match fold(part) {
        Fold::Nothing => {}
        Fold::To(other) => take(other),
        Fold::Same | Fold::Mark | Fold::Compatible => take(part),
    });
}

/// An accent, stroke or ring that is laid over any letter, and not a letter of its own.
pub(super) fn is_accent(mark: char) -> bool {
    matches!(mark,
        '\u{300}'..='\u{36f}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}' | '\u{20d0}'..='\u{20ff}' | '\u{fe20}'..='\u{fe2f}')
}

/// The letter that a letter and a mark make (canonical composition, UAX #15).
pub(super) fn composed(before: char, mark: char) -> Option<char> {
    compose(before, mark)
}
