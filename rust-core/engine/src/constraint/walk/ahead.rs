//! The look-ahead: for a state of a form's lexer, how many plain characters may follow whatever they are, and after how many no character may.
//!
//! It searches the lexer's states breadth-first, one character per level, within limits. The results are kept, because a lexer's states never change.
//! A search may make transitions that the walk would not make, and these use the lexer's limited fuel: [`Work`] keeps it small.

use llguidance::derivre::StateID;
use llguidance::earley::ParserRecognizer;

use super::step::{Step, step, units};
use super::words::{CHARACTERS_MAX, KINDS, Kind};
use super::work::Work;

/// The most units of one search.
const SEARCH_UNITS_MAX: u32 = 64;
/// How much work derivre may do to tell whether a state allows all plain text. It uses no fuel.
const CONTAINMENT_BUDGET: u64 = 1_000;
/// States with a higher number are not searched, so that most of the lexer's limit of states is left for the walk.
const STATES_MAX: usize = 10_000;
/// Stands for no upper bound.
const OPEN: u8 = u8::MAX;

/// What is known about the plain text that may follow in a state, in characters.
#[derive(Clone, Copy)]
pub(super) struct Bound {
    /// All text up to this length may follow.
    pub(super) least: u8,
    /// No longer text may follow.
    most: u8,
    /// A search would find nothing more.
    is_final: bool,
}

const UNKNOWN: Bound = Bound {
    least: 0,
    most: OPEN,
    is_final: false,
};

/// All plain text up to the length of the longest word may follow.
const ALL: Bound = Bound {
    least: CHARACTERS_MAX,
    most: OPEN,
    is_final: true,
};

impl Bound {
    /// Whether the length of a text alone decides.
    pub(super) fn is_exact(self) -> bool {
        self.least == self.most
    }
}

/// How much work a bound is worth.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Effort {
    /// None: only what is already known.
    Known,
    /// A search within the walk.
    Below,
    /// A search before the walk, for all words.
    Root,
}

/// What is known about a form's lexer.
#[derive(Default)]
pub(super) struct Ahead {
    tables: [Table; KINDS],
    work: Work,
}

/// What is known about characters of one kind, by the numbers of states.
#[derive(Default)]
struct Table {
    steps: Vec<Step>,
    bounds: Vec<Bound>,
    /// The last search that met the state.
    met: Vec<u32>,
    search: u32,
}

impl Ahead {
    /// One that never searches.
    pub(super) fn off() -> Ahead {
        Ahead {
            work: Work::off(),
            ..Ahead::default()
        }
    }

    /// Whether there are no searches.
    pub(super) fn is_off(&self) -> bool {
        self.work.is_off()
    }

    /// Whether any word may come next.
    pub(super) fn allows_all(&mut self, parser: &mut ParserRecognizer<'_>) -> bool {
        let state = parser.lexer_state();
        self.bound(parser, state, Kind::Any, Effort::Root).least >= CHARACTERS_MAX
    }

    /// Starts a mask with new limits.
    pub(super) fn begin_mask(&mut self, parser: &mut ParserRecognizer<'_>) {
        self.work.begin_mask(parser.stats_mut().lexer_cost);
    }

    /// The bounds of text of a kind that follows in a state.
    pub(super) fn bound(
        &mut self,
        parser: &mut ParserRecognizer<'_>,
        state: StateID,
        kind: Kind,
        effort: Effort,
    ) -> Bound {
        if state.is_dead() || state.has_lowest_match() {
            return UNKNOWN;
        }
        let index = state.as_usize();
        let known = self.table(kind, index).bounds[index];
        if known.is_final || effort == Effort::Known {
            return known;
        }
        // What holds for any text holds for text of a kind.
        let any = self.table(Kind::Any, index).bounds[index];
        if any.least >= CHARACTERS_MAX || self.allows_plain_text(parser, state) {
            self.table(Kind::Any, index).bounds[index] = ALL;
            self.table(kind, index).bounds[index] = ALL;
            return ALL;
        }
        // If several lexemes are possible, such as the names of properties, a search here meets too many states. It finds more further inside.
        let is_root = effort == Effort::Root;
        let is_many = || parser.lexer().possible_lexemes(state).iter().nth(1).is_some();
        if self.work.is_off() || self.work.left() == 0 || index > STATES_MAX || is_root && is_many() {
            return known;
        }
        let share = if is_root {
            self.work.left() / 2
        } else {
            self.work.left()
        };
        self.search(parser, state, kind, share.min(SEARCH_UNITS_MAX))
    }

    /// Whether any plain text of a word's length may follow.
    fn allows_plain_text(&mut self, parser: &mut ParserRecognizer<'_>, state: StateID) -> bool {
        if !parser.lexer_mut().subsume_possible(state) || !self.work.may_ask() {
            return false;
        }
        let answer = parser.lexer_mut().check_subsume(state, 0, CONTAINMENT_BUDGET, None);
        answer.unwrap_or(false)
    }

    /// Searches the states that follow, level by level.
    fn search(&mut self, parser: &mut ParserRecognizer<'_>, state: StateID, kind: Kind, units: u32) -> Bound {
        let first = state.as_u32();
        let end = self.work.spent() + units;
        let table = self.table(kind, state.as_usize());
        table.search += 1;
        table.meet(first);
        let (mut front, mut all, mut returns) = (vec![first], vec![first], false);
        let mut found = ALL;
        for characters in 0..CHARACTERS_MAX {
            let level = match self.level(parser, &front, kind, end) {
                Ok(level) => level,
                Err(is_final) => {
                    found = Bound {
                        least: characters,
                        most: OPEN,
                        is_final,
                    };
                    break;
                }
            };
            if level.dies {
                // Other texts of this length may continue, from this level or from a state that an earlier level already had.
                let is_open = !level.next.is_empty() || returns;
                found = Bound {
                    least: characters,
                    most: if is_open { OPEN } else { characters },
                    is_final: true,
                };
                break;
            }
            let table = self.table(kind, 0);
            let count = level.next.len();
            front = level.next.into_iter().filter(|state| table.meet(*state)).collect();
            returns |= front.len() < count;
            if front.is_empty() {
                // The search has closed: in all of these states, text may continue without end.
                all.iter().for_each(|state| table.bounds[*state as usize] = ALL);
                return ALL;
            }
            all.extend_from_slice(&front);
        }
        self.table(kind, state.as_usize()).bounds[state.as_usize()] = found;
        found
    }

    /// What one more character does in all states of a level. The error means that this is unknown, and says whether that is final.
    fn level(&mut self, parser: &mut ParserRecognizer<'_>, front: &[u32], kind: Kind, end: u32) -> Result<Level, bool> {
        let mut level = Level::default();
        for &state in front {
            let is_unknown = matches!(self.table(kind, state as usize).steps[state as usize], Step::Unknown);
            if is_unknown && self.work.spent() >= end {
                return Err(false);
            }
            if is_unknown {
                self.work.spend(units(kind));
                let step = step(parser, StateID::new(state), kind);
                self.table(kind, state as usize).steps[state as usize] = step;
            }
            match &self.table(kind, state as usize).steps[state as usize] {
                Step::Unknown | Step::Mixed => return Err(true),
                Step::Dead => level.dies = true,
                Step::Next(next) => level.next.extend_from_slice(next),
            }
        }
        level.next.sort_unstable();
        level.next.dedup();
        Ok(level)
    }

    /// The table of a kind, with space for a state.
    fn table(&mut self, kind: Kind, state: usize) -> &mut Table {
        let table = &mut self.tables[kind as usize];
        table.reserve(state);
        table
    }
}

/// What one more character does in all states of a level.
#[derive(Default)]
struct Level {
    dies: bool,
    next: Vec<u32>,
}

impl Table {
    fn reserve(&mut self, state: usize) {
        if state >= self.steps.len() {
            let count = state + 64;
            self.steps.resize(count, Step::Unknown);
            self.bounds.resize(count, UNKNOWN);
            self.met.resize(count, 0);
        }
    }

    /// Whether the current search meets a state for the first time.
    fn meet(&mut self, state: u32) -> bool {
        self.reserve(state as usize);
        std::mem::replace(&mut self.met[state as usize], self.search) != self.search
    }
}
