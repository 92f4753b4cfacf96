//! The roles of the words in `data/address_words.txt`.

use std::sync::LazyLock;

use crate::lexicon::table::{Roles, WordTable, words_of};

/// Begins a street's name, and is other words too: a house number must stand right behind the name.
pub(super) const WEAK_STREET_BEGINNING: Roles = 1;
/// Begins a street's name behind a house number, and is hardly ever another word there.
pub(super) const SURE_STREET_BEGINNING: Roles = 1 << 1;
/// Stands between a house number and the street's name: "12 **bis**, rue …".
pub(super) const NUMBER_ADDITION: Roles = 1 << 2;
/// Ends a street's name, and is hardly ever another word behind a number, so that small letters will do.
pub(super) const PLAIN_STREET_END: Roles = 1 << 3;
/// Begins the name of a post box.
pub(super) const POST_BOX: Roles = 1 << 4;
/// Means nothing but a post box.
pub(super) const SURE_POST_BOX: Roles = 1 << 5;
/// Means nothing but a post box when it is in capitals.
pub(super) const POST_BOX_IN_CAPITALS: Roles = 1 << 6;
/// Behind the first word of a post box's name: "P.O. **Box**".
pub(super) const POST_BOX_END: Roles = 1 << 7;
/// Between the words of a post box's name: "Apartado **de** Correos".
pub(super) const POST_BOX_JOINING: Roles = 1 << 8;
/// "**P**.O. Box".
pub(super) const POST_INITIAL: Roles = 1 << 9;
/// "P.**O**. Box".
pub(super) const OFFICE_INITIAL: Roles = 1 << 10;
/// "**PSC** 1234, Box 12".
pub(super) const MILITARY_UNIT: Roles = 1 << 11;
/// "PSC 1234, **Box** 12".
pub(super) const MILITARY_BOX: Roles = 1 << 12;

// Those below are read as written.

/// Stands inside a street's name in lower case, besides the particles of names: "dell".
pub(super) const STREET_JOINING: Roles = 1 << 13;
/// Begins a street's name that ends with its house number: "**Am** Markt 5".
pub(super) const STREET_PREPOSITION: Roles = 1 << 14;
/// Behind a street's name: "5th Ave **N**".
pub(super) const DIRECTION: Roles = 1 << 15;
/// A town's place in an address of the armed forces of the United States.
pub(super) const MILITARY_TOWN: Roles = 1 << 16;
/// Stands inside a town's name in lower case, besides the particles of names: "upon".
pub(super) const TOWN_JOINING: Roles = 1 << 17;
/// Ends a street's name of one word; see [`street_ending`].
const STREET_ENDING: Roles = 1 << 18;
/// A street's ending that other words have too.
pub(super) const WEAK_STREET_ENDING: Roles = 1 << 19;
/// Makes a number an ordinal one; see [`is_ordinal`].
const ORDINAL_ENDING: Roles = 1 << 20;
/// Between a street's name and its house number: "Calle Mayor **nº** 5".
pub(super) const NUMBER_SIGN: Roles = 1 << 21;

const TEXT: &str = include_str!("../../../data/address_words.txt");
const ROLES: &[(&str, Roles)] = &[
    ("weak_street_beginning", WEAK_STREET_BEGINNING),
    ("sure_street_beginning", SURE_STREET_BEGINNING),
    ("number_addition", NUMBER_ADDITION),
    ("plain_street_end", PLAIN_STREET_END),
    ("post_box", POST_BOX),
    ("sure_post_box", SURE_POST_BOX),
    ("post_box_in_capitals", POST_BOX_IN_CAPITALS),
    ("post_box_end", POST_BOX_END),
    ("post_box_joining", POST_BOX_JOINING),
    ("post_initial", POST_INITIAL),
    ("office_initial", OFFICE_INITIAL),
    ("military_unit", MILITARY_UNIT),
    ("military_box", MILITARY_BOX),
    ("street_joining", STREET_JOINING),
    ("street_preposition", STREET_PREPOSITION),
    ("direction", DIRECTION),
    ("military_town", MILITARY_TOWN),
    ("town_joining", TOWN_JOINING),
    ("street_ending", STREET_ENDING),
    ("weak_street_ending", WEAK_STREET_ENDING),
    ("ordinal_ending", ORDINAL_ENDING),
    ("number_sign", NUMBER_SIGN),
];

static TABLE: LazyLock<WordTable> = LazyLock::new(|| WordTable::of(TEXT, ROLES));
static STREET_ENDINGS: LazyLock<Vec<&str>> = LazyLock::new(|| words_of(TEXT, "street_ending"));
static ORDINAL_ENDINGS: LazyLock<Vec<&str>> = LazyLock::new(|| words_of(TEXT, "ordinal_ending"));

/// What `word` does, whatever its case and its accents.
pub(super) fn roles(word: &str) -> Roles {
    TABLE.roles(word)
}

/// What `word` does in just these letters.
pub(super) fn roles_as_written(word: &str) -> Roles {
    TABLE.roles_as_written(word)
}

/// The ending that makes `word`, which is in lower case, a street's name. No ending ends with another one.
pub(super) fn street_ending(word: &str) -> Option<&'static str> {
    STREET_ENDINGS.iter().copied().find(|ending| word.ends_with(ending))
}

/// "5th"
pub(super) fn is_ordinal(word: &str) -> bool {
    let word = word.to_ascii_lowercase();
    ORDINAL_ENDINGS.iter().any(|ending| {
        word.strip_suffix(ending)
            .is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_of_the_file_is_found() {
        let as_written = ROLES
            .iter()
            .map(|(_, role)| role)
            .filter(|role| **role >= STREET_JOINING)
            .sum();
        crate::lexicon::table::test::check(TEXT, &TABLE, ROLES, as_written);
    }

    #[test]
    fn no_street_ending_ends_with_another_one() {
        for one in &*STREET_ENDINGS {
            assert_eq!(street_ending(one), Some(*one));
        }
    }
}
