//! A text split into words and numbers, on which the detectors work.

use crate::lexicon::{self, Meaning};
use crate::normal::is_unspaced;
use crate::placeholder_form::{self, Form};

/// The longest word that is looked for inside a run of letters without blanks.
const UNSPACED_WORD_CHARACTERS_MAX: usize = 8;

/// A maximal run of letters and digits, which ends where a script without blanks between words begins or ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Token {
    pub(crate) start: u32,
    pub(crate) end: u32,
    /// What the lexicon knows about it.
    pub(crate) meaning: Meaning,
    pub(crate) shape: Shape,
}

/// What a token is made of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Shape {
    /// ASCII digits only.
    Digits,
    /// Letters and digits.
    Mixed,
    /// Letters, the first one in lower case or of a script without case.
    Lower,
    /// Letters, the first one a capital, others in lower case or none.
    Capitalised,
    /// At least two letters, all capitals.
    Upper,
}

/// A text with its tokens.
pub(crate) struct View<'t> {
    pub(crate) text: &'t str,
    pub(crate) tokens: Vec<Token>,
    /// At least two words are German for sure.
    pub(crate) is_german: bool,
}

impl<'t> View<'t> {
    pub(crate) fn new(text: &'t str) -> View<'t> {
        let mut tokens = Vec::with_capacity(text.len() / 5);
        let mut at = 0;
        while at < text.len() {
            let (end, characters) = read_word(text, at);
            if end == at {
                at += text[at..].chars().next().map_or(1, char::len_utf8);
                continue;
            }
            let meaning = match characters {
                // The words of our own placeholders say nothing about what stands beside them.
                _ if is_placeholder(text, at) => 0,
                Characters { digits: 1.., .. } => 0,
                Characters { unspaced: true, .. } => meanings_inside(&text[at..end]),
                _ => lexicon::meaning(&text[at..end]),
            };
            tokens.push(Token {
                start: at as u32,
                end: end as u32,
                meaning,
                shape: characters.shape(),
            });
            at = end;
        }
        let german = tokens
            .iter()
            .filter(|token| token.meaning & lexicon::GERMAN != 0)
            .take(2)
            .count();
        View {
            text,
            tokens,
            is_german: german == 2,
        }
    }

    /// A token's text; nothing behind the last one.
    pub(crate) fn word(&self, index: usize) -> &'t str {
        let token = self.tokens.get(index);
        token.map_or("", |token| &self.text[token.start as usize..token.end as usize])
    }

    /// What stands between a token and the next one; for the last token, the rest of the text.
    pub(crate) fn gap(&self, index: usize) -> &'t str {
        let end = self
            .tokens
            .get(index + 1)
            .map_or(self.text.len(), |token| token.start as usize);
        &self.text[self.tokens[index].end as usize..end]
    }

    /// What stands between a token and the one before it; for the first token, the beginning of the text.
    pub(crate) fn gap_before(&self, index: usize) -> &'t str {
        let start = index
            .checked_sub(1)
            .map_or(0, |before| self.tokens[before].end as usize);
        &self.text[start..self.tokens[index].start as usize]
    }

    pub(crate) fn start(&self, index: usize) -> usize {
        self.tokens[index].start as usize
    }

    pub(crate) fn end(&self, index: usize) -> usize {
        self.tokens[index].end as usize
    }

    pub(crate) fn is(&self, index: usize, meaning: Meaning) -> bool {
        self.tokens.get(index).is_some_and(|token| token.meaning & meaning != 0)
    }

    /// All meanings of the `count` words before `index`, no farther back than an empty line. Numbers between them do not count, but
    /// at most as many are passed over.
    pub(crate) fn meanings_before(&self, index: usize, count: usize) -> Meaning {
        let (mut meanings, mut words) = (0, 0);
        for before in (index.saturating_sub(2 * count)..index).rev() {
            if words == count || self.gap(before).contains("\n\n") {
                break;
            }
            meanings |= self.tokens[before].meaning;
            words += usize::from(self.tokens[before].shape != Shape::Digits);
        }
        meanings
    }

    /// All meanings of the `count` tokens behind `index`, no farther than the line's end.
    pub(crate) fn meanings_behind(&self, index: usize, count: usize) -> Meaning {
        let mut meanings = 0;
        for behind in index + 1..(index + 1 + count).min(self.tokens.len()) {
            if self.gap_before(behind).contains('\n') {
                break;
            }
            meanings |= self.tokens[behind].meaning;
        }
        meanings
    }
}

/// Whether the word at byte `at` is in a placeholder as we write it.
fn is_placeholder(text: &str, at: usize) -> bool {
    let inside = text[..at].strip_suffix(placeholder_form::OPENING[0]);
    inside.is_some_and(|before| {
        matches!(
            placeholder_form::read(&text[before.len()..], true),
            Form::Placeholder { .. }
        )
    })
}

/// What the words mean that a run of letters without blanks holds: of a name only what the whole run means.
fn meanings_inside(run: &str) -> Meaning {
    let mut meanings = lexicon::meaning(run);
    let ends = |from: usize| {
        run[from..]
            .char_indices()
            .map(move |(at, last)| from + at + last.len_utf8())
    };
    for (start, _) in run.char_indices() {
        for end in ends(start).take(UNSPACED_WORD_CHARACTERS_MAX) {
            meanings |= lexicon::meaning(&run[start..end]) & !(lexicon::FIRST | lexicon::LAST);
        }
    }
    meanings
}

/// What stands between a word and what it says in a script without blanks: "は", "是", "는".
const JOINING: [&str; 14] = [
    "は",
    "が",
    "を",
    "も",
    "是",
    "为",
    "為",
    "은",
    "는",
    "이",
    "가",
    "를",
    "을",
    "คือ",
];

/// Whether a run of letters without blanks ends in a word that means this, or in one and what joins it to what it says.
pub(crate) fn ends_in(run: &str, meaning: Meaning) -> bool {
    if !run.ends_with(is_unspaced) {
        return false;
    }
    let joined = JOINING.iter().find_map(|joining| run.strip_suffix(joining));
    [Some(run), joined].into_iter().flatten().any(|run| {
        let starts = run.char_indices().rev().take(UNSPACED_WORD_CHARACTERS_MAX);
        starts
            .into_iter()
            .any(|(start, _)| lexicon::meaning(&run[start..]) & meaning != 0)
    })
}

/// How many characters of each sort a word has.
#[derive(Default)]
struct Characters {
    digits: u32,
    upper: u32,
    lower: u32,
    first_upper: bool,
    /// They are of a script without blanks.
    unspaced: bool,
}

impl Characters {
    fn shape(&self) -> Shape {
        match (self.digits, self.upper, self.lower) {
            (_, 0, 0) => Shape::Digits,
            (1.., _, _) => Shape::Mixed,
            (0, 2.., 0) => Shape::Upper,
            _ if self.first_upper => Shape::Capitalised,
            _ => Shape::Lower,
        }
    }
}

/// The end of the word that begins at `start`, and its characters; `start` itself where no word begins.
fn read_word(text: &str, start: usize) -> (usize, Characters) {
    let bytes = text.as_bytes();
    let mut read = Characters::default();
    let mut at = start;
    while at < bytes.len() {
        match bytes[at] {
            byte if read.unspaced && byte.is_ascii_alphanumeric() => break,
            b'0'..=b'9' => read.digits += 1,
            b'a'..=b'z' => read.lower += 1,
            b'A'..=b'Z' => {
                read.first_upper |= at == start;
                read.upper += 1;
            }
            0..0x80 => break,
            _ => {
                let character = text[at..].chars().next().expect("the text goes on");
                // A combining accent belongs to the letter before it.
                // Where letters of a script without blanks touch others or digits, a word ends. Some of its signs are no letters.
                let unspaced = is_unspaced(character);
                let inside = unspaced || ('\u{300}'..='\u{36f}').contains(&character);
                if !(character.is_alphanumeric() || at > start && inside) {
                    break;
                }
                if at > start && unspaced != read.unspaced {
                    break;
                }
                read.unspaced = unspaced;
                if character.is_uppercase() {
                    read.first_upper |= at == start;
                    read.upper += 1;
                } else {
                    read.lower += 1;
                }
                at += character.len_utf8() - 1;
            }
        }
        at += 1;
    }
    (at, read)
}
