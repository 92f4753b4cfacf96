//! Whether a model thinks before it answers, and how that is marked. Nothing is known by name: the template is tried with small
//! conversations, and shows its marks in what it makes of them.

use serde::Serialize;
use serde_json::{Value as Json, json};

use super::{ChatTemplate, Message, PROBE_OPTIONS, QUESTION_PROBE, RenderOptions, Role, probe};
use crate::EngineError;

/// What was thought and what was answered, in a conversation that no template contains.
const THOUGHT_PROBE: &str = "thought-probe-7f3a";
const ANSWER_PROBE: &str = "answer-probe-7f3a";
/// The longest mark, in bytes.
const MARK_BYTES_MAX: usize = 128;
/// The most closing tags of a template that are tried.
const TAGS_TRIED_MAX: usize = 32;

/// The texts that enclose a model's thoughts, without the whitespace around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThinkingMarks {
    /// Opens a block of thoughts, for instance `<think>`.
    pub open: String,
    /// Closes it.
    pub close: String,
}

/// The marks of most models, for text from one whose template is not known.
impl Default for ThinkingMarks {
    fn default() -> ThinkingMarks {
        ThinkingMarks {
            open: "<think>".to_owned(),
            close: "</think>".to_owned(),
        }
    }
}

/// How a prompt leaves the answer to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beginning {
    /// The model decides whether it thinks.
    Free,
    /// Inside a block of thoughts.
    Open,
    /// Behind a block of thoughts, an empty one.
    Closed,
}

impl ThinkingMarks {
    fn new(open: &str, close: &str) -> Option<ThinkingMarks> {
        let (open, close) = (open.trim(), close.trim());
        let fits = |mark: &str| (1..=MARK_BYTES_MAX).contains(&mark.len());
        (fits(open) && fits(close) && open != close).then(|| ThinkingMarks {
            open: open.to_owned(),
            close: close.to_owned(),
        })
    }

    /// The marks of the closing tag `</name>`.
    fn of_tag(close: &str) -> Option<ThinkingMarks> {
        let name = close.strip_prefix("</")?;
        ThinkingMarks::new(&format!("<{name}"), close)
    }

    /// The text with `sentinel` in every mark, so that a template finds none.
    pub(super) fn hide(&self, text: String, sentinel: char) -> String {
        [&self.open, &self.close].into_iter().fold(text, |text, mark| {
            let (first, rest) = mark.split_at(mark.chars().next().map_or(0, char::len_utf8));
            match text.contains(mark) {
                true => text.replace(mark, &format!("{first}{sentinel}{rest}")),
                false => text,
            }
        })
    }

    /// How the end of a prompt, `tail`, leaves the answer to begin.
    fn beginning(&self, tail: &str) -> Beginning {
        match (tail.rfind(&self.open), tail.rfind(&self.close)) {
            (None, None) => Beginning::Free,
            (open, close) if open > close => Beginning::Open,
            _ => Beginning::Closed,
        }
    }
}

impl ChatTemplate {
    /// The marks around the model's thoughts; `None` for a model that does not think.
    #[must_use]
    pub fn thinking(&self) -> Option<&ThinkingMarks> {
        self.thinking.as_ref()
    }

    /// Tries it.
    pub(super) fn find_marks(&self) -> Option<ThinkingMarks> {
        self.try_out().ok()?;
        self.marks_around_thoughts()
            .or_else(|| self.marks_of_the_block_behind_a_question())
            .or_else(|| self.marks_of_an_empty_block())
            .or_else(|| self.marks_of_what_is_left_out())
    }

    /// How the template leaves the answer to a conversation that starts with these messages to begin. Only a system message counts.
    pub(super) fn beginning(
        &self,
        marks: &ThinkingMarks,
        messages: &[Message],
        options: &RenderOptions<'_>,
    ) -> Result<Beginning, EngineError> {
        let system = messages.iter().take_while(|message| message.role == Role::System);
        let alone: Vec<Message> = system.cloned().chain([probe(Role::User, QUESTION_PROBE)]).collect();
        let text = self.render(&alone, options)?;
        Ok(marks.beginning(behind_question(&text).unwrap_or_default()))
    }

    /// Many templates write a thought that comes as a field or a part of a message.
    fn marks_around_thoughts(&self) -> Option<ThinkingMarks> {
        let fields = json!({
            "role": "assistant",
            "content": ANSWER_PROBE,
            "reasoning_content": THOUGHT_PROBE,
            "reasoning": THOUGHT_PROBE,
            "thinking": THOUGHT_PROBE,
        });
        let parts = json!({
            "role": "assistant",
            "content": [{"type": "thinking", "thinking": THOUGHT_PROBE}, {"type": "text", "text": ANSWER_PROBE}],
        });
        [fields, parts].iter().find_map(|answer| self.marks_around(answer))
    }

    fn marks_around(&self, answer: &Json) -> Option<ThinkingMarks> {
        let question = json!({"role": "user", "content": QUESTION_PROBE});
        let text = self.tried(&[&question, answer], false, Some(true))?;
        let (before, behind) = text.split_once(THOUGHT_PROBE)?;
        if before.ends_with(['\'', '"']) {
            // The message was printed as data.
            return None;
        }
        let (close, _) = behind.split_once(ANSWER_PROBE)?;
        let prompt = self.tried(&[&question], true, Some(true))?;
        let open = match before.strip_prefix(prompt.as_str()) {
            Some(open) if !open.trim().is_empty() => open,
            // The prompt opens the block already: the mark is the last thing in it that looks like one.
            _ => &before[before.rfind(['<', '['])?..],
        };
        ThinkingMarks::new(open, close)
    }

    /// With thinking switched off, some templates write an empty block behind the question.
    fn marks_of_the_block_behind_a_question(&self) -> Option<ThinkingMarks> {
        let question = json!({"role": "user", "content": QUESTION_PROBE});
        let [on, off] = [true, false].map(|thinking| self.tried(&[&question], true, Some(thinking)));
        let block = behind_question(off.as_deref()?)?.strip_prefix(behind_question(on.as_deref()?)?)?;
        let (open, close) = block.split_at(block.rfind(['<', '['])?);
        ThinkingMarks::new(open, close)
    }

    /// Some templates write an empty block only with thinking off, or explain it by one only with thinking on.
    fn marks_of_an_empty_block(&self) -> Option<ThinkingMarks> {
        let question = json!({"role": "user", "content": QUESTION_PROBE});
        let texts: Vec<String> = [Some(false), Some(true), None]
            .into_iter()
            .filter_map(|thinking| self.tried(&[&question], true, thinking))
            .collect();
        let blocks: Vec<Vec<&str>> = texts.iter().map(|text| empty_blocks(text)).collect();
        let is_switched = |tag: &&&str| !blocks.iter().all(|blocks| blocks.contains(*tag));
        let tag = blocks.iter().flatten().find(is_switched)?;
        ThinkingMarks::of_tag(tag)
    }

    /// Of earlier answers, some templates leave out everything before the end of the thoughts.
    fn marks_of_what_is_left_out(&self) -> Option<ThinkingMarks> {
        let mut tags: Vec<&str> = closing_tags(&self.source).map(|(_, tag)| tag).collect();
        tags.sort_unstable();
        tags.dedup();
        let is_left_out = |tag: &&&str| {
            let question = probe(Role::User, QUESTION_PROBE);
            let answer = probe(Role::Assistant, &format!("{THOUGHT_PROBE}{tag}{ANSWER_PROBE}"));
            let text = self.tried(&[&question, &answer, &question], true, None);
            text.is_some_and(|text| text.contains(ANSWER_PROBE) && !text.contains(THOUGHT_PROBE))
        };
        let tag = tags.iter().take(TAGS_TRIED_MAX).find(is_left_out)?;
        ThinkingMarks::of_tag(tag)
    }

    fn tried(
        &self,
        messages: &[&impl Serialize],
        add_generation_prompt: bool,
        thinking: Option<bool>,
    ) -> Option<String> {
        let options = RenderOptions {
            add_generation_prompt,
            thinking,
            ..PROBE_OPTIONS
        };
        self.fill(messages, &options).ok()
    }
}

/// The end of a prompt, behind its question.
fn behind_question(prompt: &str) -> Option<&str> {
    prompt.rsplit_once(QUESTION_PROBE).map(|(_, end)| end)
}

/// The closing tags of the blocks in a text that hold only whitespace.
fn empty_blocks(text: &str) -> Vec<&str> {
    let is_empty = |(at, tag): &(usize, &str)| text[..*at].trim_end().ends_with(&format!("<{}", &tag[2..]));
    closing_tags(text).filter(is_empty).map(|(_, tag)| tag).collect()
}

/// Every `</name>` in a text, and where it is.
fn closing_tags(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.match_indices("</").filter_map(|(at, _)| {
        let rest = &text[at..];
        let name =
            rest[2..].find(|character: char| !(character.is_ascii_alphanumeric() || "_:|-".contains(character)))?;
        (name > 0 && rest[2 + name..].starts_with('>')).then(|| (at, &rest[..name + 3]))
    })
}
