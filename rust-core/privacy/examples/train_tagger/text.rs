//! Texts made from `templates.txt` and `sentences.txt`, with the places of the names in them.

use std::ops::Range;

use rand_pcg::Pcg64;
use rand_pcg::rand_core::{Rng, SeedableRng};
use whimbrel_privacy::training::{self, Candidate};

const TEMPLATES: &str = include_str!("templates.txt");
const SENTENCES: &str = include_str!("sentences.txt");
const THINGS: &str = include_str!("things.txt");
const GIVEN: [&str; 3] = [
    include_str!("../../data/first_names.txt"),
    include_str!("../../data/more_first_names.txt"),
    include_str!("../../data/first_names_world.txt"),
];
const FAMILY: [&str; 3] = [
    include_str!("../../data/surnames.txt"),
    include_str!("../../data/more_surnames.txt"),
    include_str!("../../data/surnames_world.txt"),
];
const ENGLISH: &str = include_str!("../../data/common_words.txt");
const FOREIGN: &str = include_str!("../../data/foreign_words.txt");

/// The first random number follows from it.
const SEED: u64 = 13;

/// Which templates, names and words a text is made of.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) enum Part {
    Training,
    HeldOut,
}

impl Part {
    /// The part that a template or a word belongs to: one in five is held out.
    fn of(text: &str) -> Part {
        match blake3::hash(text.as_bytes()).as_bytes()[0] % 5 {
            0 => Part::HeldOut,
            _ => Part::Training,
        }
    }
}

/// How the letters of a text are written.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Case {
    AsTyped,
    Lower,
    Upper,
}

/// A text with the places of the names and of the words that the lexicon is made to forget.
pub(crate) struct Text {
    pub(crate) text: String,
    pub(crate) case: Case,
    /// It is one of `sentences.txt`.
    pub(crate) is_sentence: bool,
    pub(crate) names: Vec<Range<usize>>,
    hidden: Vec<Range<usize>>,
}

impl Text {
    /// The words that the tagger is asked about, and whether each is a name.
    pub(crate) fn candidates(&self) -> impl Iterator<Item = (Candidate, bool)> {
        let found = training::candidates(&self.text, |range| self.is_hidden(range));
        found.into_iter().map(|candidate| {
            let is_name = is_inside(&candidate.range, &self.names);
            (candidate, is_name)
        })
    }

    /// Appends a part of a template.
    fn push(&mut self, piece: &str) {
        let piece = piece.replace("\\n", "\n");
        match self.case {
            Case::AsTyped => self.text.push_str(&piece),
            Case::Lower => self.text.push_str(&piece.to_lowercase()),
            Case::Upper => self.text.push_str(&piece.to_uppercase()),
        }
    }

    /// Whether the lexicon is made to forget what is at this place.
    pub(crate) fn is_hidden(&self, range: &Range<usize>) -> bool {
        is_inside(range, &self.hidden)
    }
}

fn is_inside(range: &Range<usize>, places: &[Range<usize>]) -> bool {
    let mut places = places.iter();
    places.any(|place| place.start <= range.start && range.end <= place.end)
}

/// A language and a template.
type Template = (&'static str, &'static str);

/// Texts without end, the same ones in every run.
pub(crate) struct Texts {
    random: Pcg64,
    templates: Vec<Template>,
    sentences: Vec<Template>,
    given: Vec<&'static str>,
    family: Vec<&'static str>,
    things: Vec<&'static str>,
    english: Vec<&'static str>,
    foreign: Vec<&'static str>,
}

fn templates(text: &'static str, part: Part) -> Vec<Template> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let templates = lines.filter_map(|line| line.split_once('|'));
    templates.filter(|(_, template)| Part::of(template) == part).collect()
}

fn words(lists: &[&'static str], part: Part) -> Vec<&'static str> {
    let words = lists
        .iter()
        .flat_map(|list| list.lines())
        .filter(|line| !line.starts_with('#'))
        .flat_map(str::split_whitespace);
    words
        .filter(|word| word.chars().count() > 2 && Part::of(word) == part)
        .collect()
}

impl Texts {
    pub(crate) fn new(part: Part) -> Texts {
        Texts {
            random: Pcg64::seed_from_u64(SEED),
            templates: templates(TEMPLATES, part),
            sentences: templates(SENTENCES, part),
            given: words(&GIVEN, part),
            family: words(&FAMILY, part),
            things: words(&[THINGS], part),
            english: words(&[ENGLISH], part),
            foreign: words(&[FOREIGN], part),
        }
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.random.next_u64() % limit as u64) as usize
    }

    fn one<T: Copy>(&mut self, of: fn(&Texts) -> &[T]) -> T {
        let index = self.below(of(self).len());
        of(self)[index]
    }

    /// The next text. Half of the texts are sentences as they were written, without names.
    pub(crate) fn next(&mut self) -> Text {
        let is_sentence = self.below(2) == 0;
        let (language, template) = match is_sentence {
            true => self.one(|texts| &texts.sentences),
            false => self.one(|texts| &texts.templates),
        };
        let case = match self.below(10) {
            0..5 => Case::Lower,
            5..9 => Case::AsTyped,
            _ => Case::Upper,
        };
        let mut text = Text {
            text: String::new(),
            case,
            is_sentence,
            names: Vec::new(),
            hidden: Vec::new(),
        };
        let mut rest = template;
        while let Some((before, behind)) = rest.split_once('{') {
            let (slot, behind) = behind.split_once('}').expect("every slot is closed");
            text.push(before);
            let start = text.text.len();
            text.text.push_str(&self.filled(slot, language, case));
            let range = start..text.text.len();
            let is_name = matches!(slot, "n" | "f" | "l");
            // What a list holds is hidden often, so that words that no list holds are learned.
            if self.below(if is_name { 2 } else { 4 }) == 0 {
                text.hidden.push(range.clone());
            }
            if is_name {
                text.names.push(range);
            }
            rest = behind;
        }
        text.push(rest);
        text
    }

    /// What stands in a slot of a template.
    fn filled(&mut self, slot: &str, language: &str, case: Case) -> String {
        let words = match slot {
            "n" => {
                let given = 1 + usize::from(self.below(8) == 0);
                let given = (0..given).map(|_| self.one(|texts| &texts.given).to_owned());
                let mut words: Vec<String> = given.collect();
                words.push(self.one(|texts| &texts.family).to_owned());
                words
            }
            "f" => vec![self.one(|texts| &texts.given).to_owned()],
            "l" => vec![self.one(|texts| &texts.family).to_owned()],
            "t" => vec![self.one(|texts| &texts.things).to_owned()],
            "x" => {
                let (one, two) = (self.word(language), self.word(language));
                vec![
                    one.chars()
                        .take(4)
                        .chain(two.chars().skip(two.chars().count() / 2))
                        .collect(),
                ]
            }
            _ => vec![self.word(language).to_owned()],
        };
        // Names have capitals, things mostly, words seldom, but nouns in German.
        let has_capital = match slot {
            "n" | "f" | "l" => true,
            "t" => self.below(4) > 0,
            _ => self.below(if language == "de" { 2 } else { 5 }) == 0,
        };
        let written = words.iter().map(|word| match case {
            Case::Upper => word.to_uppercase(),
            Case::AsTyped if has_capital => capitalised(word),
            Case::AsTyped | Case::Lower => word.clone(),
        });
        written.collect::<Vec<_>>().join(" ")
    }

    /// An ordinary word: of English texts mostly an English one, of others one of any language.
    fn word(&mut self, language: &str) -> &'static str {
        let english = language == "en" && self.below(8) > 0;
        if english {
            self.one(|texts| &texts.english)
        } else {
            self.one(|texts| &texts.foreign)
        }
    }
}

fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    first.chain(letters).collect()
}
