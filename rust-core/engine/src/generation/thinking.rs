//! Separates what a model thinks from what it answers, in text that arrives in pieces.

use super::stop::overlap;
use crate::ThinkingMarks;

/// A piece of text by what it is. Thoughts come before the answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// What was thought.
    pub thinking: String,
    /// What is part of the answer.
    pub text: String,
}

impl Said {
    /// A piece of a thought.
    #[must_use]
    pub fn thought(thinking: String) -> Said {
        let text = String::new();
        Said { thinking, text }
    }

    /// A piece of the answer.
    #[must_use]
    pub fn answer(text: String) -> Said {
        let thinking = String::new();
        Said { thinking, text }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing of the answer has come, and no block of thoughts is open.
    Before,
    /// In a block of thoughts; whether it has words yet.
    Thinking { has_words: bool },
    /// In the answer, where a mark is text.
    Answer,
}

/// Separates thoughts from the answer. Blocks of thoughts stand before the answer; whatever follows its first word is the answer, marks
/// included. The result does not depend on how the text is split. Whitespace around a block belongs to neither.
///
/// ```
/// use whimbrel_engine::{ThinkingMarks, ThinkingSplitter};
///
/// let marks = ThinkingMarks { open: "<think>".into(), close: "</think>".into() };
/// let mut splitter = ThinkingSplitter::new(marks, false);
/// let mut push = |piece: &str| { let said = splitter.push(piece); (said.thinking, said.text) };
/// assert_eq!(push("<thi"), ("".into(), "".into()), "it may become a mark");
/// assert_eq!(push("nk>\nA bird?"), ("A bird?".into(), "".into()));
/// assert_eq!(push("\n</think>\n\nYes, <think>"), ("".into(), "Yes, <think>".into()));
/// ```
#[derive(Clone, Debug)]
pub struct ThinkingSplitter {
    marks: ThinkingMarks,
    state: State,
    /// Text that cannot be told apart yet.
    held: String,
    has_thought: bool,
}

impl ThinkingSplitter {
    /// `is_open` says that the text begins inside a block of thoughts, which the prompt opened.
    #[must_use]
    pub fn new(marks: ThinkingMarks, is_open: bool) -> ThinkingSplitter {
        ThinkingSplitter {
            marks,
            state: match is_open {
                true => State::Thinking { has_words: false },
                false => State::Before,
            },
            held: String::new(),
            has_thought: is_open,
        }
    }

    /// Whether there was a block of thoughts, even an empty one: the text is then not all that the model said.
    #[must_use]
    pub fn has_thought(&self) -> bool {
        self.has_thought
    }

    /// Whether a block of thoughts is open.
    pub(crate) fn is_thinking(&self) -> bool {
        matches!(self.state, State::Thinking { .. })
    }

    /// Whatever comes next is the answer, marks and blanks included, unless a block of thoughts is open.
    pub(crate) fn expect_answer(&mut self) {
        if self.state == State::Before {
            self.held.clear();
            self.state = State::Answer;
        }
    }

    /// Takes the next piece and returns what can be told apart.
    pub fn push(&mut self, piece: &str) -> Said {
        self.held.push_str(piece);
        let mut said = Said::default();
        while self.advance(&mut said) {}
        said
    }

    /// The end of the text: what was held back. The beginning of a mark at the end of thoughts is left out.
    pub fn finish(&mut self) -> Said {
        let held = std::mem::take(&mut self.held);
        match self.state {
            State::Thinking { has_words } => {
                let thought = held[..held.len() - overlap(&held, &self.marks.close)].trim_end();
                Said::thought(if has_words { thought } else { thought.trim_start() }.to_owned())
            }
            State::Before if self.has_thought => Said::answer(held.trim_start().to_owned()),
            State::Before | State::Answer => Said::answer(held),
        }
    }

    /// Takes what it can of the held text. Whether there may be more to take.
    fn advance(&mut self, said: &mut Said) -> bool {
        match self.state {
            State::Before => self.look_for_block(said),
            State::Thinking { has_words } => self.think(has_words, said),
            State::Answer => {
                said.text += &std::mem::take(&mut self.held);
                false
            }
        }
    }

    fn look_for_block(&mut self, said: &mut Said) -> bool {
        let begun = self.held.trim_start();
        if let Some(rest) = begun.strip_prefix(&self.marks.open) {
            self.held = rest.to_owned();
            self.state = State::Thinking { has_words: false };
            self.has_thought = true;
            return true;
        }
        if self.marks.open.starts_with(begun) {
            return false;
        }
        let answer = if self.has_thought { begun } else { &self.held };
        said.text += answer;
        self.held.clear();
        self.state = State::Answer;
        false
    }

    fn think(&mut self, has_words: bool, said: &mut Said) -> bool {
        let close = self.held.find(&self.marks.close);
        let end = close.unwrap_or(self.held.len() - overlap(&self.held, &self.marks.close));
        let thought = self.held[..end].trim_end();
        let length = thought.len();
        said.thinking += if has_words { thought } else { thought.trim_start() };
        match close {
            Some(close) => {
                self.held.drain(..close + self.marks.close.len());
                self.state = State::Before;
            }
            None => {
                self.held.drain(..length);
                self.state = State::Thinking {
                    has_words: has_words || length > 0,
                };
            }
        }
        close.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// However a text is cut, what is said is the same.
    fn check(is_open: bool, text: &str, thinking: &str, answer: &str) {
        let characters: Vec<char> = text.chars().collect();
        for size in 1..=characters.len().max(1) {
            let marks = ThinkingMarks {
                open: "<think>".into(),
                close: "</think>".into(),
            };
            let mut splitter = ThinkingSplitter::new(marks, is_open);
            let mut all = Said::default();
            let mut take = |said: Said| {
                assert!(
                    said.thinking.is_empty() || all.text.is_empty(),
                    "a thought behind the answer"
                );
                all.thinking += &said.thinking;
                all.text += &said.text;
            };
            for piece in characters.chunks(size) {
                take(splitter.push(&piece.iter().collect::<String>()));
            }
            take(splitter.finish());
            assert_eq!(
                (all.thinking.as_str(), all.text.as_str()),
                (thinking, answer),
                "{text:?} in pieces of {size}"
            );
            assert_eq!(splitter.finish(), Said::default());
        }
    }

    #[test]
    fn blocks_before_the_answer_are_thoughts() {
        check(
            false,
            "<think>\nA  b\n\nc?\n</think>\n\nAn answer.\n",
            "A  b\n\nc?",
            "An answer.\n",
        );
        check(false, "\n <think>a</think>b", "a", "b");
        check(false, "<think>a</think>", "a", "");
        check(false, "<think>é日</think>é日", "é日", "é日");
        check(true, "\na\n</think>\n\nb", "a", "b");
        check(true, "</think>b", "", "b");
        check(false, "<think>a</think>\n<think>b</think>c", "ab", "c");
    }

    #[test]
    fn an_empty_block_is_no_thought() {
        check(false, "<think>\n\n</think>\n\n  b", "", "b");
        check(true, "\n\n</think>\n\nb", "", "b");
    }

    #[test]
    fn marks_within_the_answer_are_text() {
        check(
            false,
            "The tag </think> closes <think>.",
            "",
            "The tag </think> closes <think>.",
        );
        check(false, "</think> is a tag", "", "</think> is a tag");
        check(false, "<think>a</think>b <think>c</think>", "a", "b <think>c</think>");
        check(false, "<thinking>a", "", "<thinking>a");
        check(false, "<b>a</b>", "", "<b>a</b>");
    }

    #[test]
    fn an_answer_without_thoughts_keeps_every_character() {
        check(false, "", "", "");
        check(false, " \n a ", "", " \n a ");
        check(false, "  ", "", "  ");
        check(false, "<thi", "", "<thi");
        check(false, "\n<think", "", "\n<think");
    }

    #[test]
    fn thoughts_may_be_cut_off() {
        check(false, "<think>a < b", "a < b", "");
        check(false, "<think>a\n</thi", "a", "");
        check(false, "<think>", "", "");
        check(false, "<think>\n", "", "");
        check(true, "a </ b", "a </ b", "");
        check(true, "", "", "");
        check(false, "<think>a</think>\n<th", "a", "<th");
    }
}
