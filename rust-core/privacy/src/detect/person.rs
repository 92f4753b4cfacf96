//! Names of people: runs of capitalised words, judged by the lexicon and by what stands beside them.

use super::number::is_blank;
use super::view::{Shape, View};
use crate::lexicon::{
    AMBIGUOUS, FIRST, FUNCTION, LAST, MONTH, NAME_CUE, NO_NAME, ORGANISATION, PARTICLE, PERSON_VERB, TITLE, meaning,
};
use crate::{Finding, FindingKind};

/// The most words in a name.
const NAME_WORDS_MAX: usize = 6;

/// Endings that mark family names where the list does not know them.
const SURNAME_ENDINGS: &[&str] = &[
    "ski", "ska", "sky", "wicz", "ovic", "evic", "ez", "son", "sen", "sson", "mann", "stein", "berg", "burg", "elli",
    "etti", "ini", "ucci", "escu", "poulos", "idis", "akis", "yan", "shvili", "dze", "enko", "chuk", "ova", "eva",
    "ullah", "nen", "strom", "qvist", "dottir", "oglu", "aux", "eau", "sdottir", "meier", "mayer", "bauer", "huber",
    "inho", "czyk", "iak", "ak", "ek", "stra", "sma", "veld", "huis", "gaard", "lund", "feld", "thal", "bach", "hoff",
    "quist", "man",
];

/// What supports a name from outside.
#[derive(Clone, Copy, Eq, Ord, PartialEq, PartialOrd)]
enum Cue {
    None,
    /// "friend", "with", "by".
    Weak,
    /// A title, a greeting, "my name is".
    Strong,
}

/// Reads a name that begins with token `first`, and says with which token to go on.
pub(super) fn at(view: &View, first: usize, found: &mut Vec<Finding>) -> usize {
    let token = view.tokens[first];
    if !matches!(token.shape, Shape::Capitalised | Shape::Upper) {
        small_letters(view, first, found);
        return first + 1;
    }
    if is_no_name(view, first) {
        return first + 1;
    }
    let last = run_end(view, first);
    judge(view, first, last, found);
    last + 1
}

/// A word that no name holds. A given name that is a place too ("Florence") is still one.
fn is_no_name(view: &View, index: usize) -> bool {
    let token = view.tokens[index];
    let never = FUNCTION | TITLE | ORGANISATION;
    let place = token.meaning & (NO_NAME | MONTH) != 0 && token.meaning & (FIRST | LAST) == 0;
    let initial = view.word(index).chars().count() == 1;
    let given = token.meaning & FIRST != 0 && token.meaning & AMBIGUOUS == 0;
    token.meaning & never != 0 && !initial && !given || place
}

fn is_capital(view: &View, index: usize) -> bool {
    matches!(view.tokens[index].shape, Shape::Capitalised | Shape::Upper)
}

/// The last token of the run of name words that begins with `first`.
fn run_end(view: &View, first: usize) -> usize {
    let mut last = first;
    let mut index = first + 1;
    while index < view.tokens.len() && index - first < NAME_WORDS_MAX {
        let gap = view.gap_before(index);
        let initial = view.word(index - 1).chars().count() == 1;
        let joined = matches!(gap, "-" | "'" | "’")
            || gap.chars().count() == 1 && gap.chars().all(is_blank)
            || initial && matches!(gap, ". " | ".");
        if !joined {
            break;
        }
        if view.tokens[index].shape == Shape::Lower && view.is(index, PARTICLE) && gap.chars().all(is_blank) {
            index += 1;
            continue;
        }
        // "Anna's" ends before the s; a capital behind an apostrophe ("O'Brien") goes on.
        if !is_capital(view, index)
            || is_no_name(view, index)
            || view.tokens[index].shape != view.tokens[first].shape
                && view.tokens[first].shape == Shape::Upper
                && view.word(first).chars().count() > 3
                && !view.is(index, FIRST | LAST)
        {
            break;
        }
        last = index;
        index += 1;
    }
    last
}

fn starts_sentence(view: &View, index: usize) -> bool {
    index == 0
        || view
            .gap_before(index)
            .contains(['.', '!', '?', '\n', ':', '•', '"', '“', '*', '>', '|', '#'])
}

/// Whether a family name, by the list or by its ending.
fn is_last(view: &View, index: usize) -> bool {
    let token = view.tokens[index];
    token.meaning & LAST != 0 && token.meaning & AMBIGUOUS == 0
        || token.meaning == 0 && has_surname_ending(view.word(index))
}

fn has_surname_ending(word: &str) -> bool {
    if word.len() < 5 {
        return false;
    }
    let folded: String = word.chars().flat_map(crate::letters::folded).collect();
    SURNAME_ENDINGS
        .iter()
        .any(|ending| folded.len() >= ending.len() + 3 && folded.ends_with(ending))
}

fn cue(view: &View, first: usize) -> Cue {
    let Some(before) = first.checked_sub(1) else {
        return Cue::None;
    };
    let gap = view.gap(before);
    let near = gap.chars().count() <= 3 && !gap.contains(['!', '?', ';', ')']);
    if !near {
        return Cue::None;
    }
    let word = view.word(before).to_ascii_lowercase();
    if view.is(before, TITLE)
        && matches!(gap, " " | ". " | "." | "\u{a0}")
        && (is_capital(view, before) || word.len() > 3)
    {
        return Cue::Strong;
    }
    if matches!(
        word.as_str(),
        "is" | "s"
            | "am"
            | "m"
            | "as"
            | "ist"
            | "est"
            | "bin"
            | "es"
            | "jest"
            | "är"
            | "on"
            | "soy"
            | "sono"
            | "suis"
            | "ben"
    ) && before > 0
    {
        let named = view.meanings_before(before, 3) & NAME_CUE != 0
            && [
                "name", "names", "nombre", "nom", "nome", "naam", "nickname", "surname", "imie", "nazwisko", "namn",
                "nimi", "nimeni",
            ]
            .iter()
            .any(|cue| (before.saturating_sub(3)..before).any(|index| fold(view.word(index)) == *cue));
        if named {
            return Cue::Strong;
        }
        let speaks = matches!(
            fold(view.word(before - 1)).as_str(),
            "i" | "this" | "ich" | "here" | "it" | "hier" | "ik" | "je" | "yo" | "c" | "that" | "jag" | "under" | "io"
        );
        return if speaks { Cue::Weak } else { Cue::None };
    }
    if view.is(before, NAME_CUE) {
        let strong = [
            "name",
            "names",
            "named",
            "called",
            "dear",
            "hi",
            "hello",
            "hey",
            "llamo",
            "heisse",
            "appelle",
            "chiamo",
            "namens",
            "heet",
            "heter",
            "nickname",
            "surname",
            "nom",
            "nombre",
            "nome",
            "naam",
            "nazwisko",
            "imie",
            "nazywam",
            "liebe",
            "lieber",
            "cher",
            "chere",
            "querida",
            "querido",
            "cara",
            "caro",
            "hola",
            "ciao",
            "hallo",
            "bonjour",
            "hej",
            "attn",
            "imieniu",
            "regards",
            "sincerely",
            "cheers",
            "patient",
            "holder",
            "cardholder",
            "beneficiary",
            "applicant",
            "employee",
            "tenant",
            "attendee",
            "nimeni",
            "prenom",
            "cognome",
            "apellido",
            "estimado",
            "estimada",
            "geehrte",
            "geehrter",
            "beste",
            "geachte",
            "gruss",
            "grusse",
            "client",
            "recipient",
            "sender",
            "greetings",
            "yours",
            "cordialement",
            "saludos",
            "saluti",
            "groeten",
        ];
        let folded = fold(&word);
        let strong = strong.contains(&folded.as_str()) && (gap != ", " || folded != "name");
        return if strong { Cue::Strong } else { Cue::Weak };
    }
    let weak = matches!(
        word.as_str(),
        "from"
            | "to"
            | "and"
            | "with"
            | "by"
            | "for"
            | "mit"
            | "von"
            | "con"
            | "avec"
            | "de"
            | "met"
            | "och"
            | "cc"
            | "ask"
            | "call"
            | "tell"
            | "than"
    );
    if weak && !gap.contains('.') {
        Cue::Weak
    } else {
        Cue::None
    }
}

fn fold(word: &str) -> String {
    word.chars().flat_map(crate::letters::folded).collect()
}

/// How sure it is that the run is a name.
fn judge(view: &View, first: usize, last: usize, found: &mut Vec<Finding>) {
    let cue = cue(view, first);
    let sentence = starts_sentence(view, first);
    let words: Vec<usize> = (first..=last)
        .filter(|&index| view.tokens[index].shape != Shape::Lower)
        .collect();
    let verb = last + 1 < view.tokens.len()
        && view.gap(last) == " "
        && view.is(last + 1, PERSON_VERB)
        && view.tokens[last + 1].shape == Shape::Lower
        || view.text[view.end(last)..].starts_with("'s ")
        || view.text[view.end(last)..].starts_with("’s ");
    let organisation = last + 1 < view.tokens.len()
        && matches!(view.gap(last), " " | ", " | " & ")
        && is_capital(view, last + 1)
        && view.is(last + 1, ORGANISATION);
    let given = |index: usize| view.is(index, FIRST) && !view.is(index, AMBIGUOUS);
    let maybe_given = |index: usize| view.is(index, FIRST);
    let maybe_last = |index: usize| view.is(index, LAST) || is_last(view, index);
    let start = words.iter().copied().find(|&index| given(index));
    let (from, confidence) = match (words.len(), start) {
        (1, _) => (first, single(view, first, cue, verb, sentence)),
        // The given name first, or in the middle of a sentence an unknown one before it.
        (_, Some(start)) => {
            let from = if start == first
                || !sentence && start <= first + 2
                || maybe_last(first)
                || maybe_given(first)
                || cue == Cue::Strong
            {
                first
            } else {
                start
            };
            let second = words.iter().copied().find(|&index| index > start);
            let base = match second {
                Some(second) if maybe_last(second) || given(second) || view.word(second).chars().count() == 1 => 0.92,
                Some(second) if view.is(second, NO_NAME | MONTH) => 0.5,
                Some(_) => 0.75,
                None if from < start => 0.7,
                None => single(view, start, Cue::None, verb, false),
            };
            (from, base)
        }
        (_, None) => {
            let known = words.iter().any(|&index| is_last(view, index));
            let pair = maybe_given(first) && words[1..].iter().any(|&index| maybe_last(index));
            let confidence = match cue {
                Cue::Strong => 0.85,
                _ if pair && known => 0.7,
                Cue::Weak if known => 0.65,
                _ if verb && (known || pair) => 0.6,
                Cue::Weak if pair || verb => 0.55,
                _ if known && !sentence && words.iter().all(|&index| view.tokens[index].meaning & NO_NAME == 0) => 0.52,
                Cue::Weak => 0.45,
                _ if known => 0.45,
                _ => 0.3,
            };
            (first, confidence)
        }
    };
    let confidence = if cue == Cue::Strong {
        confidence.max(0.8)
    } else {
        confidence
    };
    let confidence = if organisation { confidence - 0.45 } else { confidence };
    if confidence > 0.0 && view.word(from).chars().any(char::is_alphabetic) {
        super::push(
            found,
            FindingKind::PersonName,
            view.start(from)..view.end(last),
            confidence,
        );
    }
}

/// One word by itself.
fn single(view: &View, index: usize, cue: Cue, verb: bool, sentence: bool) -> f32 {
    let token = view.tokens[index];
    let letters = view.word(index).chars().count();
    if letters < 2 || token.shape == Shape::Upper && (cue != Cue::Strong || letters < 3) {
        return 0.0;
    }
    let ambiguous = token.meaning & AMBIGUOUS != 0;
    let place = token.meaning & (NO_NAME | MONTH) != 0;
    match (token.meaning & FIRST != 0, cue) {
        _ if place && cue != Cue::Strong => 0.2,
        (true, Cue::Strong) => 0.9,
        (true, _) if !ambiguous => {
            if sentence && !verb {
                0.6
            } else {
                0.7
            }
        }
        (true, Cue::Weak) => 0.45,
        (true, Cue::None) => {
            if verb && !sentence {
                0.5
            } else {
                0.2
            }
        }
        (false, Cue::Strong) => {
            if token.meaning & LAST != 0 {
                0.85
            } else {
                0.7
            }
        }
        (false, Cue::Weak) if is_last(view, index) && verb => 0.5,
        (false, _) if is_last(view, index) && verb && token.meaning & LAST != 0 => 0.5,
        (false, _) => 0.2,
    }
}

/// "my name is john smith", as people write in chats.
fn small_letters(view: &View, first: usize, found: &mut Vec<Finding>) {
    let token = view.tokens[first];
    if token.shape != Shape::Lower || token.meaning & FIRST == 0 || token.meaning & (FUNCTION | AMBIGUOUS) != 0 {
        return;
    }
    let next_is_last = first + 1 < view.tokens.len()
        && view.gap(first) == " "
        && view.is(first + 1, LAST)
        && !view.is(first + 1, FUNCTION | AMBIGUOUS);
    if cue(view, first) == Cue::Strong || next_is_last {
        let last = first + usize::from(next_is_last);
        super::push(
            found,
            FindingKind::PersonName,
            view.start(first)..view.end(last),
            if next_is_last { 0.75 } else { 0.6 },
        );
    }
}

/// The parts of a found name that give it away by themselves.
pub(crate) fn parts(name: &str) -> impl Iterator<Item = &str> {
    let parts = name.split(|character: char| !character.is_alphanumeric() && character != '\u{301}');
    parts.filter(|part| part.chars().count() >= 3 && meaning(part) & (PARTICLE | TITLE | FUNCTION) == 0)
}

/// Whether `word`, which is a part of a found name, is meant as a name where it stands: ordinary words count with a capital only.
pub(crate) fn is_part(text: &str, range: std::ops::Range<usize>) -> bool {
    let word = &text[range];
    meaning(word) & (AMBIGUOUS | NO_NAME | MONTH) == 0 || word.chars().next().is_some_and(char::is_uppercase)
}
