//! The roles of the words in `data/name_words.txt`, next to and in names.

use std::sync::LazyLock;

use crate::lexicon::table::{Roles, WordTable, words_of};

/// Begins the name of a place.
pub(super) const PLACE_BEGINNING: Roles = 1;
/// A name stands behind it, or behind it and a copula.
pub(super) const NAMING: Roles = 1 << 1;
/// "…", **says** somebody.
pub(super) const SAYING: Roles = 1 << 2;
/// Somebody **shouted** at somebody.
pub(super) const ADDRESSING: Roles = 1 << 3;
/// Somebody shouted **at** somebody.
pub(super) const ADDRESSED_BY: Roles = 1 << 4;
/// "Somebody, **can** you …".
pub(super) const APPEAL: Roles = 1 << 5;
/// "My **friend** …".
pub(super) const RELATION: Roles = 1 << 6;
/// Things have these before them, people do not.
pub(super) const ARTICLE: Roles = 1 << 7;
/// "My name **is** …".
pub(super) const COPULA: Roles = 1 << 8;
/// "**I** am …", "**this** is …".
pub(super) const INTRODUCING: Roles = 1 << 9;
/// "**Im** …": both in one word.
pub(super) const INTRODUCTION: Roles = 1 << 10;
/// "They **call** me …".
pub(super) const CALLING: Roles = 1 << 11;
/// "They call **me** …".
pub(super) const CALLED_ONE: Roles = 1 << 12;
/// "**Ask** …", "**by** …".
pub(super) const ASKING: Roles = 1 << 13;
/// Stands before people and things alike: "**from** …".
pub(super) const JOINING: Roles = 1 << 14;
/// Joins the last two names of a list.
pub(super) const AND: Roles = 1 << 15;
/// A name and nothing else stands behind it, or behind it and a colon or a copula: "my **name** is", "ich **heiße**".
pub(super) const NAMED: Roles = 1 << 16;
/// Ends a family name that no list holds; see [`has_surname_ending`].
const SURNAME_ENDING: Roles = 1 << 17;
/// "Meu nome **é** …", as written.
pub(super) const ACCENTED_COPULA: Roles = 1 << 18;

const TEXT: &str = include_str!("../../../data/name_words.txt");
const ROLES: &[(&str, Roles)] = &[
    ("place_beginning", PLACE_BEGINNING),
    ("naming", NAMING),
    ("saying", SAYING),
    ("addressing", ADDRESSING),
    ("addressed_by", ADDRESSED_BY),
    ("appeal", APPEAL),
    ("relation", RELATION),
    ("article", ARTICLE),
    ("copula", COPULA),
    ("introducing", INTRODUCING),
    ("introduction", INTRODUCTION),
    ("calling", CALLING),
    ("called_one", CALLED_ONE),
    ("asking", ASKING),
    ("joining", JOINING),
    ("and", AND),
    ("named", NAMED),
    ("surname_ending", SURNAME_ENDING),
    ("accented_copula", ACCENTED_COPULA),
];

static TABLE: LazyLock<WordTable> = LazyLock::new(|| WordTable::of(TEXT, ROLES));
static SURNAME_ENDINGS: LazyLock<Vec<&str>> = LazyLock::new(|| words_of(TEXT, "surname_ending"));

/// What `word` does, whatever its case and its accents.
pub(super) fn roles(word: &str) -> Roles {
    TABLE.roles(word)
}

/// What `word` does, where it must be in small letters without accents.
pub(super) fn roles_as_written(word: &str) -> Roles {
    TABLE.roles_as_written(word)
}

/// Whether `word` ends as family names do.
pub(super) fn has_surname_ending(word: &str) -> bool {
    if word.len() < 5 {
        return false;
    }
    let folded: String = word.chars().flat_map(crate::letters::folded).collect();
    SURNAME_ENDINGS
        .iter()
        .any(|ending| folded.len() >= ending.len() + 3 && folded.ends_with(ending))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_of_the_file_is_found() {
        crate::lexicon::table::test::check(TEXT, &TABLE, ROLES, ACCENTED_COPULA);
    }
}
