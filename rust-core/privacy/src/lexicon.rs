//! The meaning of words for the detectors: names, titles, and the words that occur next to numbers and dates. The words are in
//! the files of `data`; `data/README.md` says where the names come from.

use std::sync::LazyLock;

pub(crate) mod phrases;
pub(crate) mod table;

use table::{Roles, WordTable, lines};

/// A set of the meanings below.
pub(crate) type Meaning = Roles;

/// A given name.
pub(crate) const FIRST: Meaning = 1;
/// A family name.
pub(crate) const LAST: Meaning = 1 << 1;
/// A name that is an ordinary word too.
pub(crate) const AMBIGUOUS: Meaning = 1 << 2;
/// A day, a place, a language, an institution: never (a part of) a person's name by itself.
pub(crate) const NO_NAME: Meaning = 1 << 3;
/// Stands before a name: "Mrs", "Herr".
pub(crate) const TITLE: Meaning = 1 << 4;
/// Stands inside a name in lower case: "van", "de".
pub(crate) const PARTICLE: Meaning = 1 << 5;
/// A name follows: "named", "Dear", "heiße".
pub(crate) const NAME_CUE: Meaning = 1 << 6;
/// A birthday is near.
pub(crate) const BIRTH: Meaning = 1 << 7;
/// A password follows.
pub(crate) const PASSWORD: Meaning = 1 << 8;
/// A key or token follows.
pub(crate) const KEY: Meaning = 1 << 9;
/// A telephone number is near.
pub(crate) const PHONE: Meaning = 1 << 10;
/// A national id is near.
pub(crate) const ID: Meaning = 1 << 11;
/// A payment card is near.
pub(crate) const CARD: Meaning = 1 << 12;
/// Ends a street's name in English: "Street", "Ave".
pub(crate) const STREET_END: Meaning = 1 << 13;
/// Begins a street's name in a Romance or Slavic language, or German: "rue", "Calle", "ul".
pub(crate) const STREET_BEGIN: Meaning = 1 << 14;
/// Something inside a house: "Apt", "Suite".
pub(crate) const UNIT: Meaning = 1 << 15;
/// An address is near.
pub(crate) const ADDRESS: Meaning = 1 << 16;
/// A month, in one of several languages; which one says [`month`].
pub(crate) const MONTH: Meaning = 1 << 17;
/// Joins a number that is no personal one: "order", "invoice", "version".
pub(crate) const OTHER_NUMBER: Meaning = 1 << 18;
/// A state of the United States, abbreviated.
pub(crate) const STATE: Meaning = 1 << 19;
/// A verb that people do, behind their name: "said", "writes".
pub(crate) const PERSON_VERB: Meaning = 1 << 20;
/// A word that begins sentences or headings and is no name, whatever stands beside it.
pub(crate) const FUNCTION: Meaning = 1 << 21;
/// Marks an organisation: "Inc", "GmbH", "University".
pub(crate) const ORGANISATION: Meaning = 1 << 22;
/// An ordinary English word.
pub(crate) const COMMON: Meaning = 1 << 23;
/// "My number", which may be a telephone's.
pub(crate) const NUMBER: Meaning = 1 << 24;
/// A frequent word of German alone.
pub(crate) const GERMAN: Meaning = 1 << 25;
/// An ordinary word of another language than English, and no English one.
pub(crate) const FOREIGN: Meaning = 1 << 26;
/// A given name that is an ordinary word of some language, but far more often the name.
pub(crate) const FREQUENT_NAME: Meaning = 1 << 27;
/// Says, alone or beside another word, which number follows. What it says is in `detect::said`.
pub(crate) const NUMBER_CUE: Meaning = 1 << 28;

const WORDS: &str = include_str!("../data/words.txt");
/// The words of [`NUMBER_CUE`], with their roles.
pub(crate) const NUMBER_WORDS: &str = include_str!("../data/number_words.txt");
const MONTHS: &str = include_str!("../data/months.txt");

/// The roles in [`WORDS`].
const MEANINGS: &[(&str, Meaning)] = &[
    ("no_name", NO_NAME),
    ("title", TITLE),
    ("particle", PARTICLE),
    ("name_cue", NAME_CUE),
    ("birth", BIRTH),
    ("password", PASSWORD),
    ("key", KEY),
    ("phone", PHONE),
    ("id", ID),
    ("card", CARD),
    ("street_end", STREET_END),
    ("street_begin", STREET_BEGIN),
    ("unit", UNIT),
    ("address", ADDRESS),
    ("other_number", OTHER_NUMBER),
    ("state", STATE),
    ("person_verb", PERSON_VERB),
    ("function", FUNCTION),
    ("organisation", ORGANISATION),
    ("number", NUMBER),
    ("frequent", GERMAN),
    ("frequent_name", FREQUENT_NAME),
];

/// The roles in [`MONTHS`]: a month is a bit, January the lowest.
const MONTH_NUMBERS: &[(&str, Roles)] = &[
    ("1", 1),
    ("2", 1 << 1),
    ("3", 1 << 2),
    ("4", 1 << 3),
    ("5", 1 << 4),
    ("6", 1 << 5),
    ("7", 1 << 6),
    ("8", 1 << 7),
    ("9", 1 << 8),
    ("10", 1 << 9),
    ("11", 1 << 10),
    ("12", 1 << 11),
];

static LEXICON: LazyLock<WordTable> = LazyLock::new(|| {
    let mut table = WordTable::with_capacity(104_000);
    for (words, meaning) in [
        (include_str!("../data/first_names.txt"), FIRST),
        (include_str!("../data/more_first_names.txt"), FIRST),
        (include_str!("../data/surnames.txt"), LAST),
        (include_str!("../data/more_surnames.txt"), LAST),
        (include_str!("../data/surnames_world.txt"), LAST),
        (include_str!("../data/ambiguous_words.txt"), AMBIGUOUS),
        (include_str!("../data/common_words.txt"), COMMON),
        (include_str!("../data/foreign_words.txt"), FOREIGN),
    ] {
        table.add(words.split_whitespace(), meaning);
    }
    table.add_lines(WORDS, MEANINGS);
    for line in lines(MONTHS) {
        table.add(line.words, MONTH);
    }
    for line in lines(NUMBER_WORDS) {
        table.add(line.words, NUMBER_CUE);
    }
    table
});

static MONTH_TABLE: LazyLock<WordTable> = LazyLock::new(|| WordTable::of(MONTHS, MONTH_NUMBERS));

/// What `word` means; nothing when it is not known.
pub(crate) fn meaning(word: &str) -> Meaning {
    LEXICON.roles(word)
}

/// The number of a month's name, from 1.
pub(crate) fn month(word: &str) -> Option<u32> {
    let months = MONTH_TABLE.roles(word);
    (months != 0).then(|| months.trailing_zeros() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_of_the_files_is_found() {
        table::test::check(WORDS, &LEXICON, MEANINGS, 0);
        table::test::check(MONTHS, &MONTH_TABLE, MONTH_NUMBERS, 0);
    }
}
