//! A chat with one session: a history of messages in, an answer out, with a policy for the context's limit. The caller keeps the history;
//! the chat keeps only the KV cache, and the text whose tokens it contains.

mod history;

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use self::history::{History, smallest_that_fits, system_messages, with_question};
use crate::choosing::Choosing;
use crate::template::{Prompt, RenderOptions};
use crate::{
    CancelFlag, ChatTemplate, EngineError, FinishReason, Generation, GenerationOptions, Message, Model, PrefixError,
    PrefixSource, Role, SavedPrefix, Session, Statistics, Step, ThinkingSplitter, ToolUse,
};

/// What happens when the history no longer fits the context.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ContextPolicy {
    /// The question is refused with [`EngineError::ContextFull`].
    Refuse,
    /// The oldest exchanges are left out of the prompt, never the system message. [`Statistics::dropped_messages`] is the number of
    /// messages left out.
    #[default]
    DropOldest,
}

/// How a chat uses its context.
#[derive(Clone, Debug)]
pub struct ChatOptions {
    /// Size of the context in tokens; at most the model's own.
    pub context_length: u32,
    /// See [`ContextPolicy`].
    pub context_policy: ContextPolicy,
    /// The time for templates that print the date, the same for the whole conversation, so that its beginning stays the same: see
    /// [`RenderOptions::now`].
    pub now: Option<i64>,
    /// How many of the first messages other conversations begin with too, examples for instance: their keys and values are shared. The system
    /// message always is.
    pub shared_messages: u32,
}

impl Default for ChatOptions {
    fn default() -> Self {
        ChatOptions {
            context_length: 2048,
            context_policy: ContextPolicy::default(),
            now: None,
            shared_messages: 0,
        }
    }
}

/// The largest part of the context that is kept free for an answer before older messages are left out, as a divisor.
const ANSWER_SHARE: u32 = 4;

/// The shortest beginning of a conversation, in tokens, that is worth sharing with other conversations.
const SHARED_TOKENS_MIN: usize = 128;

/// What is saved besides tokens, keys and values.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Note {
    messages: Vec<Message>,
    known: Option<(String, Vec<u32>)>,
}

/// Answers the last message of a history. Each question is passed with its whole history, which may differ from the previous one; tokens at
/// the start that agree with it are not run again.
///
/// ```
/// # use std::path::Path;
/// # use whimbrel_engine::{EngineError, Model, OpenOptions, Statistics, Step};
/// use whimbrel_engine::{CancelFlag, Chat, ChatOptions, GenerationOptions, Message, Role};
///
/// # fn finish(chat: &mut Chat) -> Result<(String, Statistics), EngineError> {
/// #     let mut answer = String::new();
/// #     loop {
/// #         match chat.step()? {
/// #             Step::Prefilled { .. } | Step::Thinking(_) | Step::Call(_) => {}
/// #             Step::Text(text) => answer += &text,
/// #             Step::Finished { text, statistics } => return Ok((answer + &text, statistics)),
/// #         }
/// #     }
/// # }
/// # fn main() -> Result<(), EngineError> {
/// # let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared-models/tiny");
/// # let model = Model::open(Path::new(folder), &OpenOptions::default())?;
/// let message = |role, content: &str| Message {
///     role,
///     content: content.into(),
/// };
/// let options = GenerationOptions {
///     max_tokens: 8,
///     ..GenerationOptions::default()
/// };
/// let mut chat = Chat::new(&model, ChatOptions::default())?;
/// let mut history = vec![
///     message(Role::System, "Answer briefly."),
///     message(Role::User, "Which bird crosses oceans?"),
/// ];
/// chat.ask(&history, options.clone(), CancelFlag::default())?;
/// // `finish` calls `step` until the answer has ended.
/// let (answer, _) = finish(&mut chat)?;
///
/// // The caller keeps the history. The part that agrees with the last one need not be run again.
/// history.push(message(Role::Assistant, &answer));
/// history.push(message(Role::User, "And then?"));
/// chat.ask(&history, options, CancelFlag::default())?;
/// let (_, statistics) = finish(&mut chat)?;
/// assert!(statistics.reused_tokens > 20);
/// assert_eq!(statistics.dropped_messages, 0);
/// # Ok(())
/// # }
/// ```
pub struct Chat {
    session: Session,
    options: ChatOptions,
    answer: Option<Answer>,
    /// The rendered text whose tokens are known, and those tokens: prompt and answer of the last turn.
    known: Option<(String, Vec<u32>)>,
    /// Exchanges left out of the last prompt, which is where the search for the next one begins.
    dropped_exchanges: usize,
    /// Tokens at the beginning that other conversations may begin with too, until they are shared.
    to_share: Option<usize>,
    /// Those that were shared.
    shared_tokens: Option<u32>,
}

/// What a context holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ContextUse {
    /// Tokens in the KV cache.
    pub tokens: u32,
    /// Size of the context in tokens.
    pub tokens_max: u32,
    /// Bytes of keys and values of these tokens.
    pub bytes: u64,
    /// How many of the tokens come from the beginning that is shared with other conversations, if that is worth saving by itself.
    pub shared_tokens: Option<u32>,
}

/// The tools that a prompt tells the model of.
fn offered(options: &GenerationOptions) -> Option<&ToolUse> {
    options.tools.as_ref().filter(|tools| !tools.tools.is_empty())
}

/// How an answer is made.
enum Making {
    Generation(Box<Generation>),
    Choosing(Box<Choosing>),
}

impl Making {
    fn step(&mut self, session: &mut Session) -> Result<Step, EngineError> {
        match self {
            Making::Generation(generation) => generation.step(session),
            Making::Choosing(choosing) => choosing.step(session),
        }
    }

    fn answer(&self) -> &[u32] {
        match self {
            Making::Generation(generation) => generation.answer(),
            Making::Choosing(choosing) => choosing.answer(),
        }
    }

    /// Whether its tokens are more than its text.
    fn is_more_than_text(&self) -> bool {
        matches!(self, Making::Generation(generation) if generation.has_thought() || generation.has_called())
    }
}

/// An answer in the making.
struct Answer {
    making: Making,
    prompt: Prompt,
    text: String,
    /// Whether somebody has heard something of it, a thought for instance.
    has_begun: bool,
    /// How many tokens of the prompt stand before what was called, if something was.
    before_calls: Option<usize>,
    dropped_messages: u32,
}

impl Chat {
    /// Reserves the memory for a context.
    ///
    /// # Errors
    /// As [`Session::new`]; [`EngineError::Template`] if the model has no chat template.
    pub fn new(model: &Arc<Model>, options: ChatOptions) -> Result<Chat, EngineError> {
        if model.chat_template().is_none() {
            return Err(EngineError::Template {
                reason: "the model has none, so it cannot hold a conversation".into(),
            });
        }
        Ok(Chat {
            session: Session::new(model, options.context_length)?,
            options,
            answer: None,
            known: None,
            dropped_exchanges: 0,
            to_share: None,
            shared_tokens: None,
        })
    }

    /// What the context holds now.
    #[must_use]
    pub fn context(&self) -> ContextUse {
        let tokens = self.session.tokens().len();
        ContextUse {
            tokens: tokens as u32,
            tokens_max: self.session.context_length(),
            bytes: self.session.model().layout().saved_bytes(tokens),
            shared_tokens: self.shared_tokens,
        }
    }

    /// Begins an answer to the last of `messages`; [`Chat::step`] makes it. `messages` are the whole history: the system message
    /// first, if there is one, and the question last. Without a system message the one of the model's card is used
    /// ([`crate::ModelCard::system`]); an empty one leaves it to the chat template. An answer in progress is given up.
    ///
    /// # Errors
    /// [`EngineError::ContextFull`], [`EngineError::Template`], [`EngineError::NoThinking`], [`EngineError::Option`], the last also if the
    /// last message is not the user's.
    pub fn ask(
        &mut self,
        messages: &[Message],
        options: GenerationOptions,
        cancel: CancelFlag,
    ) -> Result<(), EngineError> {
        self.answer = None;
        let last = messages.last().map(|message| message.role);
        if last != Some(Role::User) {
            return Err(EngineError::Option {
                option: "messages",
                expected: "a question as the last one".into(),
                found: last.map_or("no message".into(), |role| format!("{role:?}")),
            });
        }
        let given = messages.len();
        let messages = &*self.with_system(messages);
        let shared = self.shared(given, messages);
        let history = History::new(messages);
        let (dropped, prompt) = self.fit(&history, &options)?;
        let ids = prompt.ids.clone();
        let before_calls = self.before_calls(&history.without(dropped), &options, &ids)?;
        self.session.adopt_shared(&ids);
        self.to_share = self.beginning(shared, &ids, &options);
        let choosing = match &options.calibration {
            Some(question) if !prompt.is_thinking && options.stop.is_empty() => {
                let empty = self.render(&with_question(history.without(dropped), question), &options)?;
                Choosing::new(&mut self.session, [empty.ids, ids.clone()], &options, cancel.clone())?
            }
            _ => None,
        };
        let making = match choosing {
            Some(choosing) => Making::Choosing(Box::new(choosing)),
            None => {
                let mut generation = Generation::new(&mut self.session, ids, options, cancel)?;
                if let Some(marks) = self.template().thinking() {
                    generation = generation.with_thinking(ThinkingSplitter::new(marks.clone(), prompt.is_thinking));
                }
                Making::Generation(Box::new(generation))
            }
        };
        if let Some(length) = self.to_share {
            self.session.mark_fork_at(length);
        }
        self.dropped_exchanges = dropped;
        self.answer = Some(Answer {
            making,
            prompt,
            text: String::new(),
            has_begun: false,
            before_calls,
            dropped_messages: history.messages_in(dropped) as u32,
        });
        Ok(())
    }

    fn template(&self) -> &ChatTemplate {
        let template = self.session.model().chat_template();
        template.expect("checked when the chat was made")
    }

    /// The messages with the system message that they are read with.
    fn with_system<'a>(&self, messages: &'a [Message]) -> Cow<'a, [Message]> {
        let own = &self.session.model().card().system;
        match (messages.split_first(), own) {
            (Some((first, rest)), _) if first.role == Role::System && first.content.is_empty() => rest.into(),
            (Some((first, _)), Some(own)) if first.role != Role::System => {
                let system = Message {
                    role: Role::System,
                    content: own.clone(),
                };
                [&[system], messages].concat().into()
            }
            _ => messages.into(),
        }
    }

    /// The prompt for a history, and how many of its oldest exchanges it does without: as few as leave room for an answer. If
    /// none are left to drop, the prompt may be too long: a shorter answer is better than none, and [`Generation::new`] refuses a
    /// prompt that leaves no room at all.
    fn fit(&self, history: &History<'_>, options: &GenerationOptions) -> Result<(usize, Prompt), EngineError> {
        let limit = self.session.context_length();
        let (most, reserve) = match self.options.context_policy {
            ContextPolicy::Refuse => (0, 1),
            ContextPolicy::DropOldest => (history.exchanges(), options.max_tokens.min(limit / ANSWER_SHARE).max(1)),
        };
        let mut kept = None;
        let dropped = smallest_that_fits(most, self.dropped_exchanges, |dropped| {
            let prompt = self.render(&history.without(dropped), options)?;
            let fits = prompt.ids.len() as u64 + u64::from(reserve) <= u64::from(limit);
            if fits || dropped == most {
                kept = Some(prompt);
            }
            Ok::<_, EngineError>(fits)
        })?;
        let prompt = kept.expect("the search ends with a number that it has asked for");
        Ok((dropped, prompt))
    }

    /// Runs one step of the answer. To continue the conversation, append the answer's text to the history with the next question, and ask
    /// again.
    ///
    /// # Errors
    /// [`EngineError::Run`]; [`EngineError::Option`] if no answer is in progress.
    pub fn step(&mut self) -> Result<Step, EngineError> {
        let Some(answer) = &mut self.answer else {
            let expected = "called between a question and the end of its answer".into();
            return Err(EngineError::Option {
                option: "step",
                expected,
                found: "no question".into(),
            });
        };
        // Sharing takes as long as several tokens, so the first word does not wait for it.
        let mut may_share = answer.has_begun;
        let step = answer.making.step(&mut self.session);
        match &step {
            Ok(Step::Prefilled { .. } | Step::Call(_)) => {}
            Ok(Step::Text(text) | Step::Thinking(text)) => answer.has_begun |= !text.is_empty(),
            Ok(Step::Finished { .. }) | Err(_) => may_share = true,
        }
        if may_share && let Some(length) = self.to_share.take_if(|length| self.session.tokens().len() >= *length) {
            self.session.share(length);
            self.shared_tokens = Some(length as u32);
        }
        match step {
            Ok(Step::Text(text)) => {
                answer.text += &text;
                Ok(Step::Text(text))
            }
            Ok(Step::Finished { text, statistics }) => {
                answer.text += &text;
                let statistics = Statistics {
                    dropped_messages: answer.dropped_messages,
                    ..statistics
                };
                match statistics.finish_reason {
                    // What was called is needed for the next round.
                    FinishReason::ToolCall => self.answer = None,
                    _ => self.remember_answer(),
                }
                Ok(Step::Finished { text, statistics })
            }
            Err(error) => {
                self.answer = None;
                Err(error)
            }
            step => step,
        }
    }

    /// A conversation as bytes: its messages, and the tokens in the cache with their keys and values. The bytes contain what was said. An
    /// answer in progress is not included.
    ///
    /// # Errors
    /// [`EngineError::Option`] if the messages are too long to be saved.
    pub fn save(&self, messages: &[Message]) -> Result<Vec<u8>, EngineError> {
        let note = Note {
            messages: messages.to_vec(),
            known: self.known.clone(),
        };
        let note = serde_json::to_vec(&note).expect("a note has only string keys");
        self.session.save_prefix(u32::MAX, &note)
    }

    /// Fills the cache from bytes that [`Chat::save`] made with the same model, and returns the conversation's messages. An answer in
    /// progress is abandoned.
    ///
    /// # Errors
    /// [`EngineError::Prefix`]; nothing is then changed.
    pub fn restore(&mut self, bytes: &[u8]) -> Result<Vec<Message>, EngineError> {
        let saved = SavedPrefix::parse(bytes, self.session.model())?;
        self.fill(&saved)
    }

    /// The first `length` tokens in the cache with their keys and values as bytes, without the messages.
    ///
    /// # Errors
    /// None at present.
    pub fn save_prefix(&self, length: u32) -> Result<Vec<u8>, EngineError> {
        self.session.save_prefix(length, &[])
    }

    /// Fills the cache with tokens that [`Chat::save_prefix`] or [`Chat::save`] saved with the same model. A prompt that starts with some
    /// of these tokens need not run them.
    ///
    /// # Errors
    /// [`EngineError::Prefix`]; the cache is then unchanged.
    pub fn restore_prefix(&mut self, bytes: &[u8]) -> Result<(), EngineError> {
        let saved = SavedPrefix::parse(bytes, self.session.model())?;
        self.answer = None;
        self.session.restore_prefix(&saved)
    }

    /// The first `tokens_max` tokens in the cache with their keys and values as bytes, for [`Chat::import`]. The bytes contain what was said.
    ///
    /// # Errors
    /// [`EngineError::Option`] if the text is too long.
    pub fn export(&self, tokens_max: u32) -> Result<Vec<u8>, EngineError> {
        let is_whole = tokens_max as usize >= self.session.tokens().len();
        let note = Note {
            messages: Vec::new(),
            known: self.known.clone().filter(|_| is_whole),
        };
        let note = serde_json::to_vec(&note).expect("a note has only string keys");
        self.session.save_prefix(tokens_max, &note)
    }

    /// Fills the cache from bytes that [`Chat::export`] made with the same model. That they are unchanged is not checked again: a caller must
    /// know it, by a seal for example. An answer in progress is abandoned.
    ///
    /// # Errors
    /// [`EngineError::Prefix`]; nothing is then changed.
    pub fn import(&mut self, bytes: &[u8]) -> Result<(), EngineError> {
        self.import_from(&bytes)
    }

    /// As [`Chat::import`], from where such bytes are kept. The source must notice bytes that were changed. It is read by all threads of the
    /// model.
    ///
    /// # Errors
    /// [`EngineError::Prefix`]; nothing is then changed. [`EngineError::PrefixRead`]; the cache may then be empty, and holds nothing of what
    /// was read.
    pub fn import_from(&mut self, source: &dyn PrefixSource) -> Result<(), EngineError> {
        let saved = SavedPrefix::open(source, self.session.model())?;
        self.fill(&saved).map(drop)
    }

    /// Fills the cache, and returns the messages of the note.
    fn fill(&mut self, saved: &SavedPrefix<'_>) -> Result<Vec<Message>, EngineError> {
        let note: Option<Note> = serde_json::from_slice(saved.note()).ok();
        let vocabulary = self.session.model().tokenizer().vocabulary_len();
        let is_valid = |note: &Note| match &note.known {
            Some((_, ids)) => ids.iter().all(|id| *id < vocabulary),
            None => true,
        };
        let note = note.filter(is_valid).ok_or(PrefixError::Content {
            reason: "it does not hold a conversation",
        })?;
        let restored = self.session.restore_prefix(saved);
        if matches!(restored, Err(EngineError::Prefix(_))) {
            return restored.map(|()| Vec::new());
        }
        self.answer = None;
        restored?;
        self.known = note.known;
        Ok(note.messages)
    }

    /// A hash of the tokens of the beginning that is shared with other conversations. `None` if it is not worth saving by itself.
    #[must_use]
    pub fn beginning_hash(&self, messages: &[Message], options: &GenerationOptions) -> Option<[u8; 32]> {
        let read = self.with_system(messages);
        let ids = self.beginning_ids(self.shared(messages.len(), &read), options)?;
        let mut hasher = blake3::Hasher::new();
        for id in ids {
            hasher.update(&id.to_le_bytes());
        }
        Some(*hasher.finalize().as_bytes())
    }

    /// With which of the messages other conversations may begin too: at least the system message, never the question. `read` is what
    /// [`Chat::with_system`] made of `given` messages.
    fn shared<'a>(&self, given: usize, read: &'a [Message]) -> &'a [Message] {
        let shared = (self.options.shared_messages as usize).min(given.saturating_sub(1));
        // Only what stands in front of the first message differs.
        let shared = (shared + read.len()).saturating_sub(given);
        &read[..shared.max(system_messages(read))]
    }

    /// How many tokens of the prompt `ids` come from the beginning that is shared, if that is worth it.
    fn beginning(&self, beginning: &[Message], ids: &[u32], options: &GenerationOptions) -> Option<usize> {
        let alone = self.beginning_ids(beginning, options)?;
        let common = alone.iter().zip(ids).take_while(|(a, b)| a == b).count();
        (common >= SHARED_TOKENS_MIN).then_some(common)
    }

    /// The tokens of the beginning alone, if there are enough of them to be worth sharing.
    fn beginning_ids(&self, beginning: &[Message], options: &GenerationOptions) -> Option<Vec<u32>> {
        let template = self.template();
        // Elsewhere a system message alone becomes part of the question.
        if !template.takes_system() && system_messages(beginning) == beginning.len() {
            return None;
        }
        // The tools stand there too, what was called does not.
        let tools = offered(options).map(|tools| ToolUse {
            steps: Vec::new(),
            ..tools.clone()
        });
        let options = RenderOptions {
            now: self.options.now,
            tool_use: tools.as_ref(),
            thinking: options.thinking,
            ..RenderOptions::default()
        };
        let tokenizer = self.session.model().tokenizer();
        let alone = template.render_tokens(tokenizer, beginning, &options).ok()?;
        Some(alone.ids).filter(|ids| ids.len() >= SHARED_TOKENS_MIN)
    }

    /// How many tokens of a prompt stand before what was called. Later prompts do without it, so nothing of it is kept.
    fn before_calls(
        &self,
        messages: &[Message],
        options: &GenerationOptions,
        ids: &[u32],
    ) -> Result<Option<usize>, EngineError> {
        let Some(tools) = offered(options).filter(|tools| !tools.steps.is_empty()) else {
            return Ok(None);
        };
        let without = GenerationOptions {
            tools: Some(ToolUse {
                steps: Vec::new(),
                ..tools.clone()
            }),
            ..options.clone()
        };
        let alone = self.render(messages, &without)?.ids;
        Ok(Some(alone.iter().zip(ids).take_while(|(a, b)| a == b).count()))
    }

    /// The answer is over: from now on the tokens of its text are known. Those of thoughts and calls are not part of it: the next prompt does without
    /// them, and reads the answer again.
    fn remember_answer(&mut self) {
        let Some(answer) = self.answer.take() else { return };
        if let Some(length) = answer.before_calls {
            self.session.truncate(length as u32);
            return;
        }
        if answer.text.is_empty() || answer.making.is_more_than_text() {
            return;
        }
        let Prompt {
            mut ids,
            marked,
            sentinel,
            ..
        } = answer.prompt;
        ids.extend_from_slice(answer.making.answer());
        let protected = self.protect(&answer.text, sentinel);
        self.known = Some((marked + &protected, ids));
    }

    /// The prompt for these messages. Where it begins with text whose tokens are known, those tokens are taken: an answer
    /// keeps the tokens the model chose, so its keys and values can be used again.
    fn render(&self, messages: &[Message], options: &GenerationOptions) -> Result<Prompt, EngineError> {
        let tokenizer = self.session.model().tokenizer();
        let options = RenderOptions {
            add_generation_prompt: true,
            now: self.options.now,
            tool_use: offered(options),
            thinking: options.thinking,
            ..RenderOptions::default()
        };
        let mut prompt = self.template().render_tokens(tokenizer, messages, &options)?;
        if let Some((text, ids)) = &self.known
            && let Some(rest) = prompt.marked.strip_prefix(text.as_str())
            && self.ends_with_an_answer(text, messages, prompt.sentinel)
        {
            let mut continued = ids.clone();
            continued.extend(tokenizer.encode_marked_rest(rest, prompt.sentinel));
            prompt.ids = continued;
        }
        Ok(prompt)
    }

    /// Whether `text` ends where one of the assistant's messages does. It does not if the caller has lengthened the last answer,
    /// and the tokens of the longer text may then be others.
    fn ends_with_an_answer(&self, text: &str, messages: &[Message], sentinel: char) -> bool {
        let is_answer = |message: &&Message| message.role == Role::Assistant && !message.content.is_empty();
        let mut answers = messages.iter().rev().filter(is_answer);
        answers.any(|answer| text.ends_with(&self.protect(&answer.content, sentinel)))
    }

    /// An answer's text as it stands in a rendered conversation.
    fn protect(&self, content: &str, sentinel: char) -> String {
        let tokenizer = self.session.model().tokenizer();
        self.template().protect(tokenizer, content, sentinel)
    }
}
