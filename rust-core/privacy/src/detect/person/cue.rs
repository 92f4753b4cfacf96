//! Words before a name that announce it.

use super::super::number::is_blank;
use super::super::view::View;
use super::is_capital;
use super::words::{
    ACCENTED_COPULA, ADDRESSED_BY, ADDRESSING, ASKING, CALLED_ONE, CALLING, COPULA, INTRODUCING, INTRODUCTION, JOINING,
    NAMED, NAMING, RELATION, SAYING, roles, roles_as_written,
};
use crate::lexicon::table::Roles;
use crate::lexicon::{NAME_CUE, TITLE};

/// What supports a name from outside.
#[derive(Clone, Copy, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Cue {
    None,
    /// "friend", "with", "by".
    Weak,
    /// "this is", "ask", "call me".
    Speech,
    /// A greeting, "client:".
    Strong,
    /// "My name is", "name:".
    Named,
    /// "Mrs".
    Title,
}

/// What supports a name that begins with token `first`.
pub(super) fn cue(view: &View, first: usize) -> Cue {
    if view.text[..view.start(first)].ends_with('@') {
        return Cue::Strong;
    }
    let Some(before) = first.checked_sub(1) else {
        return Cue::None;
    };
    let gap = view.gap(before);
    let near = gap.len() <= 8
        && gap.chars().filter(|character| !is_blank(*character)).count() <= 2
        && !gap.contains(['!', '?', ';', ')', '}', ']']);
    if !near {
        return Cue::None;
    }
    if is_title(view, before) {
        return Cue::Title;
    }
    if gap.contains('.') {
        return Cue::None;
    }
    let word = roles(view.word(before));
    let before_word = view.word(before);
    let accented = || !before_word.is_ascii() && roles_as_written(before_word) & ACCENTED_COPULA != 0;
    let copula = word & COPULA != 0 || accented();
    if copula && before > 0 && !gap.contains('\n') {
        return behind_copula(view, before, word);
    }
    if gap == " " {
        if word & SAYING != 0 {
            return Cue::Speech;
        }
        let earlier = if word & (ADDRESSED_BY | CALLED_ONE) != 0 && before > 0 {
            roles(view.word(before - 1))
        } else {
            0
        };
        if word & ADDRESSED_BY != 0 && earlier & ADDRESSING != 0 {
            return Cue::Speech;
        }
        if word & CALLED_ONE != 0 && before > 0 {
            return if earlier & CALLING != 0 { Cue::Speech } else { Cue::None };
        }
    }
    by_itself(view, before, word)
}

/// "Mrs Smith", "Dr. Smith".
fn is_title(view: &View, before: usize) -> bool {
    view.is(before, TITLE)
        && matches!(view.gap(before), " " | ". " | "." | "\u{a0}")
        && (is_capital(view, before) || view.word(before).chars().count() > 2)
}

/// "My name is", "this is": the word at `before` is the copula.
fn behind_copula(view: &View, before: usize, word: Roles) -> Cue {
    let joined = |index: usize| {
        view.gap(index)
            .chars()
            .all(|sign| is_blank(sign) || matches!(sign, '\'' | '’' | ':'))
    };
    let near = (before.saturating_sub(3)..before).rev();
    let naming = near
        .take_while(|&index| joined(index))
        .filter(|&index| view.is(index, NAME_CUE));
    let naming = naming
        .map(|index| roles(view.word(index)))
        .fold(0, |all, one| all | one);
    if naming & NAMED != 0 {
        return Cue::Named;
    }
    if naming & NAMING != 0 {
        return Cue::Strong;
    }
    if word & INTRODUCTION != 0 || roles(view.word(before - 1)) & INTRODUCING != 0 {
        Cue::Speech
    } else {
        Cue::None
    }
}

/// A word that needs no other one before it.
fn by_itself(view: &View, before: usize, word: Roles) -> Cue {
    // "{name}", "db_name"
    if view.text[..view.start(before)].ends_with(['_', '{', '$']) {
        return Cue::None;
    }
    let gap = view.gap(before);
    if view.is(before, NAME_CUE) {
        return if word & ASKING != 0 && (gap == " " || gap.starts_with(':')) || word & RELATION != 0 && gap == " " {
            Cue::Speech
        } else if word & NAMED != 0 {
            Cue::Named
        } else if word & NAMING != 0 {
            Cue::Strong
        } else {
            Cue::Weak
        };
    }
    if word & NAMED != 0 && gap.contains(':') {
        Cue::Named
    } else if word & NAMING != 0 && gap.contains(':') {
        Cue::Strong
    } else if word & JOINING != 0 {
        Cue::Weak
    } else {
        Cue::None
    }
}
