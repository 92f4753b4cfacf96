//! Names of people: runs of capitalised words, judged by the lexicon and by what stands beside them.

use super::number::is_blank;
use super::view::{Shape, View};
use crate::lexicon::{
    AMBIGUOUS, COMMON, FIRST, FUNCTION, LAST, MONTH, NAME_CUE, NO_NAME, ORGANISATION, PARTICLE, PERSON_VERB, STATE,
    STREET_END, TITLE, meaning,
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

/// Words that begin the names of places.
const PLACE_BEGINNINGS: &[&str] = &[
    "north", "south", "east", "west", "new", "port", "lake", "saint", "sainte", "st", "mount", "mt", "fort", "san",
    "santa", "los", "las", "bad", "sankt", "sint", "upper", "lower", "great", "little", "old", "puerto", "villa",
    "nova", "santo", "sao", "el", "la", "le",
];
/// Behind these, or behind a word for "name", stands a name.
const NAMING: &[&str] = &[
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
    "nimi",
    "namn",
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
    "attendees",
    "passenger",
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
    "user",
    "signed",
    "author",
];
/// "…", **says** somebody.
const SAYING: &[&str] = &[
    "says",
    "said",
    "asked",
    "replied",
    "wrote",
    "added",
    "explained",
    "starring",
    "featuring",
    "sagt",
    "sagte",
    "dit",
    "dijo",
    "disse",
];
/// Somebody **shouted** at somebody.
const ADDRESSING: &[&str] = &[
    "shouted",
    "said",
    "spoke",
    "spoken",
    "speak",
    "talk",
    "talked",
    "talking",
    "wrote",
    "replied",
    "smiled",
    "laughed",
    "waved",
    "married",
    "engaged",
    "listened",
    "apologised",
    "apologized",
];
/// "Somebody, **can** you …".
const APPEALS: &[&str] = &[
    "can", "could", "would", "will", "please", "do", "are", "have", "did", "what", "when", "where", "how", "thanks",
    "thank", "i", "we", "you",
];
/// "My **friend** …".
const RELATIONS: &[&str] = &[
    "kid",
    "child",
    "son",
    "daughter",
    "husband",
    "wife",
    "brother",
    "sister",
    "mother",
    "father",
    "mom",
    "mum",
    "dad",
    "cousin",
    "friend",
    "colleague",
    "coworker",
    "boss",
    "manager",
    "girlfriend",
    "boyfriend",
    "roommate",
    "neighbour",
    "neighbor",
    "partner",
    "grandmother",
    "grandfather",
    "grandma",
    "grandpa",
    "nephew",
    "niece",
];
/// Things have these before them, people do not.
const ARTICLES: &[&str] = &[
    "the", "a", "an", "der", "die", "das", "ein", "eine", "le", "la", "les", "un", "une", "el", "los", "las", "il",
    "lo", "het", "een", "den", "det", "ett", "en",
];
/// "My name **is** …" in several languages.
const COPULAS: &[&str] = &[
    "is", "s", "am", "m", "im", "as", "ist", "est", "bin", "es", "jest", "är", "on", "soy", "sono", "suis", "ben",
    "under",
];
/// "**I** am …", "**this** is …".
const SPEAKERS: &[&str] = &[
    "i", "this", "ich", "here", "it", "hier", "ik", "je", "yo", "c", "jag", "under", "io", "im", "maybe",
];

/// What supports a name from outside.
#[derive(Clone, Copy, Eq, Ord, PartialEq, PartialOrd)]
enum Cue {
    None,
    /// "friend", "with", "by".
    Weak,
    /// "this is", "ask", "call me".
    Speech,
    /// A greeting, "my name is".
    Strong,
    /// "Mrs".
    Title,
}

/// Reads a name that begins with token `first`, and says with which token to go on.
pub(super) fn at(view: &View, first: usize, found: &mut Vec<Finding>) -> usize {
    let token = view.tokens[first];
    if !matches!(token.shape, Shape::Capitalised | Shape::Upper) {
        small_letters(view, first, found);
        return first + 1;
    }
    if is_no_name(view, first) {
        // "Mr Darling"
        if token.meaning & COMMON != 0
            && token.meaning & (FUNCTION | TITLE | ORGANISATION) == 0
            && cue(view, first) == Cue::Title
        {
            super::push(found, FindingKind::PersonName, view.start(first)..view.end(first), 0.7);
        }
        return first + 1;
    }
    let last = run_end(view, first);
    judge(view, first, last, found);
    last + 1
}

/// A word that no name holds. A given name that is a place too ("Florence") is still one.
fn is_no_name(view: &View, index: usize) -> bool {
    let meaning = view.tokens[index].meaning;
    let listed = meaning & (FIRST | LAST) != 0;
    let given = meaning & FIRST != 0 && meaning & AMBIGUOUS == 0;
    let initial = view.word(index).chars().count() == 1;
    let before_surname = meaning & FIRST != 0
        && is_last_behind(view, index)
        && (!starts_sentence(view, index) || cue(view, index) >= Cue::Speech);
    let never = meaning & (FUNCTION | TITLE | ORGANISATION) != 0 && !initial && !given && !before_surname;
    // A word that means anything else is a name only where a list says so.
    never || meaning & !(PARTICLE | STATE | PERSON_VERB) != 0 && !listed && !initial
}

fn is_last_behind(view: &View, index: usize) -> bool {
    index + 1 < view.tokens.len() && view.gap(index) == " " && is_capital(view, index + 1) && is_last(view, index + 1)
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
        let blank = gap.chars().count() == 1 && gap.chars().all(is_blank);
        if !(blank || matches!(gap, "-" | "'" | "’") || initial && matches!(gap, ". " | ".")) {
            break;
        }
        if view.tokens[index].shape == Shape::Lower && view.is(index, PARTICLE) && blank {
            index += 1;
            continue;
        }
        // "Anna's" ends before the s; a capital behind an apostrophe ("O'Brien") goes on.
        let shouted = view.tokens[first].shape == Shape::Upper && view.word(first).chars().count() > 3;
        let other = shouted && view.tokens[index].shape != Shape::Upper && !view.is(index, FIRST | LAST);
        // Behind a sure given name an ordinary word with a capital is a family name: "Henri Bonnet".
        let given = view.is(index - 1, FIRST) && !view.is(index - 1, AMBIGUOUS | NO_NAME | MONTH) && index - 1 == first;
        let surname = given
            && !view.is(first, LAST)
            && !behind_article(view, first)
            && blank
            && view.tokens[index].meaning & !LAST == COMMON
            && view.tokens[index].shape == Shape::Capitalised;
        if !is_capital(view, index) || is_no_name(view, index) && !surname || other {
            break;
        }
        last = index;
        index += 1;
    }
    last
}

fn behind_article(view: &View, first: usize) -> bool {
    first > 0 && view.gap_before(first) == " " && ARTICLES.contains(&fold(view.word(first - 1)).as_str())
}

fn starts_sentence(view: &View, index: usize) -> bool {
    index == 0
        || view
            .gap_before(index)
            .contains(['.', '!', '?', '\n', ':', '•', '"', '“', '*', '>', '|', '#'])
}

/// Whether a family name, by the list or by its ending.
fn is_last(view: &View, index: usize) -> bool {
    let meaning = view.tokens[index].meaning;
    meaning & LAST != 0 && meaning & (AMBIGUOUS | COMMON) == 0 || meaning == 0 && has_surname_ending(view.word(index))
}

/// No word that is known for anything but as a name.
fn is_unknown(view: &View, index: usize) -> bool {
    let meaning = view.tokens[index].meaning;
    meaning & !(FIRST | LAST | PARTICLE | STATE) == 0
        && view.tokens[index].shape == Shape::Capitalised
        && (meaning != 0 || !is_camel_case(view.word(index)))
}

/// "GitHub", but not "McDonald" or "DeWitt".
fn is_camel_case(word: &str) -> bool {
    let inner = word
        .char_indices()
        .skip(1)
        .find(|(_, character)| character.is_uppercase());
    inner.is_some_and(|(at, _)| {
        !matches!(
            &word[..at],
            "Mc" | "Mac" | "De" | "Di" | "La" | "Le" | "Van" | "Fitz" | "Del" | "O"
        )
    })
}

fn has_surname_ending(word: &str) -> bool {
    if word.len() < 5 {
        return false;
    }
    let folded = fold(word);
    SURNAME_ENDINGS
        .iter()
        .any(|ending| folded.len() >= ending.len() + 3 && folded.ends_with(ending))
}

fn fold(word: &str) -> String {
    word.chars().flat_map(crate::letters::folded).collect()
}

fn cue(view: &View, first: usize) -> Cue {
    if view.text[..view.start(first)].ends_with('@') {
        return Cue::Strong;
    }
    let Some(before) = first.checked_sub(1) else {
        return Cue::None;
    };
    let gap = view.gap(before);
    let near = gap.len() <= 8
        && gap.chars().filter(|character| !is_blank(*character)).count() <= 2
        && !gap.contains(['!', '?', ';', ')']);
    if !near {
        return Cue::None;
    }
    let word = fold(view.word(before));
    let word = word.as_str();
    if view.is(before, TITLE)
        && matches!(gap, " " | ". " | "." | "\u{a0}")
        && (is_capital(view, before) || word.len() > 2)
    {
        return Cue::Title;
    }
    if COPULAS.contains(&word) && before > 0 {
        let naming = |index: usize| view.is(index, NAME_CUE) && NAMING.contains(&fold(view.word(index)).as_str());
        if (before.saturating_sub(3)..before).any(naming) {
            return Cue::Strong;
        }
        let speaks = SPEAKERS.contains(&fold(view.word(before - 1)).as_str()) || word == "im";
        return if speaks { Cue::Speech } else { Cue::None };
    }
    if SAYING.contains(&word) && gap == " " {
        return Cue::Speech;
    }
    let addressed = matches!(word, "at" | "to" | "with") && before > 0 && gap == " ";
    if addressed && ADDRESSING.contains(&fold(view.word(before - 1)).as_str()) {
        return Cue::Speech;
    }
    if matches!(word, "me" | "him" | "her") && before > 0 && gap == " " {
        let calls = matches!(
            fold(view.word(before - 1)).as_str(),
            "call" | "calls" | "called" | "name" | "named" | "calling"
        );
        return if calls { Cue::Speech } else { Cue::None };
    }
    if view.is(before, NAME_CUE) {
        return match word {
            "ask" | "asked" | "tell" | "told" | "by" | "meet" | "met" if gap == " " || gap.starts_with(':') => {
                Cue::Speech
            }
            "best" | "with" | "thanks" | "thank" | "kind" => Cue::Weak,
            _ if RELATIONS.contains(&word) && gap == " " => Cue::Speech,
            _ if NAMING.contains(&word) => Cue::Strong,
            _ => Cue::Weak,
        };
    }
    let joins = matches!(
        word,
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
            | "call"
            | "than"
            | "und"
            | "et"
    );
    if NAMING.contains(&word) && gap.contains(':') {
        return Cue::Strong;
    }
    if joins && !gap.contains('.') {
        Cue::Weak
    } else {
        Cue::None
    }
}

/// How sure it is that the run is a name.
fn judge(view: &View, first: usize, last: usize, found: &mut Vec<Finding>) {
    let cue = cue(view, first);
    let words: Vec<usize> = (first..=last)
        .filter(|&index| view.tokens[index].shape != Shape::Lower)
        .collect();
    let behind = &view.text[view.end(last)..];
    let verb = behind.starts_with("'s ")
        || behind.starts_with("’s ")
        || last + 1 < view.tokens.len()
            && view.gap(last) == " "
            && view.is(last + 1, PERSON_VERB)
            && view.tokens[last + 1].shape == Shape::Lower;
    let given = |index: usize| view.is(index, FIRST) && !view.is(index, AMBIGUOUS);
    let start = words.iter().copied().find(|&index| given(index));
    let (from, confidence) = match (words.len(), start) {
        (1, _) => (first, single(view, first, cue, verb)),
        (_, Some(start)) => with_given(view, &words, start, cue, verb),
        (_, None) => (first, without_given(view, &words, cue, verb)),
    };
    let organisation = last + 1 < view.tokens.len()
        && matches!(view.gap(last), " " | ", " | " & " | "-")
        && is_capital(view, last + 1)
        && view.is(last + 1, ORGANISATION | STREET_END)
        && !view.is(last + 1, FIRST);
    let place = PLACE_BEGINNINGS.contains(&fold(view.word(from)).as_str())
        || words.len() > 1 && view.is(last, STREET_END) && !view.is(last, LAST);
    // "the Moon", "the Princess Royal"; "the Maria Smith who …" is a person all the same.
    let article = cue < Cue::Speech && behind_article(view, first);
    let confidence =
        if article && (words.len() == 1 || start.is_none() && !words.iter().all(|&index| is_unknown(view, index))) {
            confidence - 0.3
        } else {
            confidence
        };
    let supported = if cue >= Cue::Strong && confidence > 0.4 {
        confidence.max(0.8)
    } else {
        confidence
    };
    let confidence = if organisation || place && cue < Cue::Strong {
        supported - 0.45
    } else {
        supported
    };
    if confidence > 0.0 && view.word(from).chars().any(char::is_alphabetic) {
        super::push(
            found,
            FindingKind::PersonName,
            view.start(from)..view.end(last),
            confidence,
        );
    }
}

/// Several words, one of which is a given name for sure: where the name begins, and how sure it is.
fn with_given(view: &View, words: &[usize], start: usize, cue: Cue, verb: bool) -> (usize, f32) {
    let first = words[0];
    // The given name first, or an unknown one before it.
    let joined = is_unknown(view, first)
        || view.is(first, FIRST)
        || view.is(first, LAST) && !starts_sentence(view, first)
        || cue >= Cue::Strong;
    let from = if joined { first } else { start };
    let confidence = match words.iter().copied().find(|&index| index > start) {
        Some(second)
            if view.is(second, LAST | FIRST) || is_unknown(view, second) || view.word(second).chars().count() == 1 =>
        {
            0.92
        }
        Some(second) if view.is(second, NO_NAME | MONTH) => 0.5,
        Some(_) => 0.75,
        None if from < start => 0.7,
        None => single(view, start, Cue::None, verb),
    };
    (from, confidence)
}

/// Several words, none of which is a given name for sure.
fn without_given(view: &View, words: &[usize], cue: Cue, verb: bool) -> f32 {
    let first = words[0];
    let maybe_given = view.is(first, FIRST);
    let initial = |index: usize| view.word(index).chars().count() == 1;
    let unknown = words
        .iter()
        .filter(|&&index| is_unknown(view, index) || is_last(view, index))
        .count();
    let initials = words.iter().filter(|&&index| initial(index)).count();
    let known_last = words[1..].iter().any(|&index| is_last(view, index));
    let maybe_last = words[1..].iter().any(|&index| view.is(index, LAST));
    match cue {
        _ if unknown == 0 && !maybe_given && cue < Cue::Title => 0.2,
        Cue::Strong | Cue::Title => 0.85,
        _ if maybe_given && known_last => 0.75,
        // German writes every noun with a capital.
        Cue::None if view.is_german && unknown + initials == words.len() && !known_last => 0.4,
        _ if unknown + initials == words.len() && unknown > 0 => 0.62,
        _ if maybe_given && unknown > 0 => 0.6,
        _ if is_unknown(view, first) && maybe_last => 0.6,
        Cue::Speech | Cue::Weak if maybe_given && maybe_last => 0.6,
        _ if maybe_given && maybe_last && (verb || !starts_sentence(view, first)) => 0.55,
        _ if maybe_given && maybe_last && is_alone(view, words) => 0.55,
        Cue::Speech => 0.5,
        _ => 0.3,
    }
}

/// Nothing else is on the line or in the sentence.
fn is_alone(view: &View, words: &[usize]) -> bool {
    let (first, last) = (words[0], words[words.len() - 1]);
    let behind = view.text[view.end(last)..].chars().next();
    starts_sentence(view, first) && behind.is_none_or(|character| matches!(character, '\n' | '\r' | '.'))
}

/// One word by itself.
fn single(view: &View, index: usize, cue: Cue, verb: bool) -> f32 {
    let token = view.tokens[index];
    let letters = view.word(index).chars().count();
    if letters < 2 || token.shape == Shape::Upper && (cue < Cue::Strong || letters < 3) {
        return 0.0;
    }
    let ambiguous = token.meaning & AMBIGUOUS != 0;
    let place = token.meaning & (NO_NAME | MONTH) != 0;
    let unknown = is_unknown(view, index) || is_last(view, index);
    // "is" and "has" stand behind everything; people alone say and write.
    let says = verb
        && view
            .tokens
            .get(index + 1)
            .is_some_and(|next| next.meaning & FUNCTION == 0 && next.meaning & PERSON_VERB != 0);
    match (token.meaning & FIRST != 0, cue) {
        _ if place && cue < Cue::Strong => 0.2,
        (true, Cue::Strong | Cue::Title) => 0.9,
        (true, _) if !ambiguous => 0.7,
        (true, Cue::Speech) => 0.6,
        (true, Cue::Weak) => 0.45,
        (true, Cue::None) if says => 0.55,
        (_, Cue::Title) => 0.85,
        (_, Cue::Strong) if unknown || token.meaning & LAST != 0 => 0.75,
        (_, Cue::Speech) if unknown => 0.6,
        _ if unknown && (says || is_appealed_to(view, index) || stands_with_names(view, index)) => 0.55,
        (true, _) if stands_with_names(view, index) => 0.55,
        _ => 0.2,
    }
}

/// "Somebody, can you …" at the beginning of a sentence.
fn is_appealed_to(view: &View, index: usize) -> bool {
    let behind = index + 1;
    let appeal = behind < view.tokens.len()
        && view.gap(index) == ", "
        && view.tokens[behind].shape != Shape::Upper
        && APPEALS.contains(&fold(view.word(behind)).as_str());
    appeal && starts_sentence(view, index)
}

/// A comma or an "and" away from a given name: "Anna, Oluwaseyi and Ben".
fn stands_with_names(view: &View, index: usize) -> bool {
    let given = |index: usize| {
        is_capital(view, index) && view.is(index, FIRST) && !view.is(index, AMBIGUOUS | NO_NAME | MONTH | COMMON)
    };
    let and = |index: usize| {
        matches!(
            view.word(index),
            "and" | "und" | "et" | "y" | "e" | "en" | "och" | "i" | "or"
        )
    };
    let before = match index {
        0 => false,
        _ if view.gap_before(index) == ", " => given(index - 1),
        1 => false,
        _ => {
            view.gap_before(index) == " "
                && and(index - 1)
                && matches!(view.gap_before(index - 1), " " | ", ")
                && given(index - 2)
        }
    };
    let count = view.tokens.len();
    let behind = match view.gap(index) {
        ", " => index + 1 < count && given(index + 1),
        " " => index + 2 < count && and(index + 1) && view.gap(index + 1) == " " && given(index + 2),
        _ => false,
    };
    before || behind
}

/// "my name is john smith", as people write in chats.
fn small_letters(view: &View, first: usize, found: &mut Vec<Finding>) {
    let token = view.tokens[first];
    if token.shape != Shape::Lower || token.meaning & FIRST == 0 || token.meaning & (FUNCTION | AMBIGUOUS) != 0 {
        return;
    }
    let said = cue(view, first) >= Cue::Strong;
    let next_is_last = first + 1 < view.tokens.len()
        && view.gap(first) == " "
        && view.is(first + 1, LAST)
        && !view.is(first + 1, FUNCTION)
        && (said || !view.is(first + 1, AMBIGUOUS | COMMON));
    if said || next_is_last {
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
