//! A conversation over one session: messages in, answers out, the context's limit handled by a policy.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::template::{Prompt, RenderOptions};
use crate::{
    CancelFlag, EngineError, Generation, GenerationOptions, Message, Model, PrefixError, Role, SavedPrefix, Session,
    Statistics, Step,
};

/// What happens when the conversation no longer fits the context.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ContextPolicy {
    /// The question is refused with [`EngineError::ContextFull`].
    Refuse,
    /// The oldest exchanges are left out, never the system message; the result says how many messages.
    #[default]
    DropOldest,
}

/// The system message of conversations that are given none. Templates bring their own, but small models answer better to
/// this plain one.
pub const SYSTEM_DEFAULT: &str = "Give clear and correct answers.";

/// How a conversation is kept.
#[derive(Clone, Debug)]
pub struct ChatOptions {
    /// Tokens of context; at most the model's own.
    pub context_length: u32,
    /// The system message: `None` takes [`SYSTEM_DEFAULT`], an empty text leaves it to the model's template.
    pub system: Option<String>,
    /// See [`ContextPolicy`].
    pub context_policy: ContextPolicy,
}

impl Default for ChatOptions {
    fn default() -> Self {
        ChatOptions {
            context_length: 2048,
            system: None,
            context_policy: ContextPolicy::default(),
        }
    }
}

/// The largest part of the context that is kept free for an answer before older messages are dropped, as a divisor.
const ANSWER_SHARE: u32 = 4;

/// The shortest beginning of a conversation, in tokens, that is worth sharing with other conversations.
const SHARED_TOKENS_MIN: usize = 128;

/// What is saved of a conversation besides tokens, keys and values.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Note {
    messages: Vec<Message>,
    known: Option<(String, Vec<u32>)>,
}

/// A conversation. Messages that were dropped for want of room are gone from it.
pub struct Chat {
    session: Session,
    options: ChatOptions,
    messages: Vec<Message>,
    answer: Option<Answer>,
    /// The rendered text whose tokens are known, and those tokens: prompt and answer of the last turn.
    known: Option<(String, Vec<u32>)>,
    /// Tokens at the beginning that other conversations may begin with too, until they are shared.
    to_share: Option<usize>,
}

/// An answer in the making.
struct Answer {
    generation: Generation,
    question: Message,
    prompt: Prompt,
    text: String,
    dropped: u32,
}

impl Chat {
    /// Starts a conversation.
    ///
    /// # Errors
    /// As [`Session::new`]; [`EngineError::Template`] when the model has no chat template.
    pub fn new(model: &Arc<Model>, options: ChatOptions) -> Result<Chat, EngineError> {
        if model.chat_template().is_none() {
            return Err(EngineError::Template {
                reason: "the model has none, so it cannot hold a conversation".into(),
            });
        }
        let session = Session::new(model, options.context_length)?;
        let mut chat = Chat {
            session,
            options,
            messages: Vec::new(),
            answer: None,
            known: None,
            to_share: None,
        };
        chat.reset();
        Ok(chat)
    }

    /// The messages so far, the system message first.
    #[must_use]
    pub fn messages(&self) -> &[Message] {
        &self.messages
    }

    /// Tokens in the KV cache and tokens that fit.
    #[must_use]
    pub fn context_use(&self) -> (u32, u32) {
        (self.session.tokens().len() as u32, self.session.context_length())
    }

    /// Replaces the messages: an earlier conversation is continued. The cache is kept as far as it agrees. An answer in
    /// the making is given up.
    pub fn set_messages(&mut self, messages: Vec<Message>) {
        self.answer = None;
        self.messages = messages;
    }

    /// Forgets everything but the system message.
    pub fn reset(&mut self) {
        let system = self.options.system.as_deref().unwrap_or(SYSTEM_DEFAULT);
        let message = Message {
            role: Role::System,
            content: system.to_owned(),
        };
        self.set_messages(if system.is_empty() { Vec::new() } else { vec![message] });
    }

    /// Begins an answer to a question; [`Chat::step`] makes it. An answer in the making is given up.
    ///
    /// # Errors
    /// [`EngineError::ContextFull`], [`EngineError::Template`], [`EngineError::Option`]: the messages are then as they were.
    pub fn ask(&mut self, text: &str, options: GenerationOptions, cancel: CancelFlag) -> Result<(), EngineError> {
        self.answer = None;
        let question = Message {
            role: Role::User,
            content: text.to_owned(),
        };
        let mut messages = self.messages.clone();
        messages.push(question.clone());
        let limit = self.session.context_length();
        let reserve = match self.options.context_policy {
            ContextPolicy::Refuse => 1,
            ContextPolicy::DropOldest => options.max_tokens.min(limit / ANSWER_SHARE).max(1),
        };
        let mut dropped = 0;
        let prompt = loop {
            let prompt = self.render(&messages)?;
            if prompt.ids.len() as u64 + u64::from(reserve) <= u64::from(limit) {
                break prompt;
            }
            let oldest = match self.options.context_policy {
                ContextPolicy::Refuse => 0..0,
                ContextPolicy::DropOldest => oldest_exchange(&messages),
            };
            if oldest.is_empty() {
                // Nothing is left to drop: a shorter answer is better than none, and the generation refuses what cannot be.
                break prompt;
            }
            dropped += oldest.len() as u32;
            messages.drain(oldest);
        };
        let ids = prompt.ids.clone();
        self.session.adopt_shared(&ids);
        self.to_share = self.beginning(&messages, &ids);
        let generation = Generation::new(&mut self.session, ids, options, cancel)?;
        messages.pop();
        self.messages = messages;
        self.answer = Some(Answer {
            generation,
            question,
            prompt,
            text: String::new(),
            dropped,
        });
        Ok(())
    }

    /// Runs one step of the answer. When it is finished (also when cancelled, if there was any text) question and answer are
    /// part of the conversation; otherwise neither is.
    ///
    /// # Errors
    /// [`EngineError::Run`]; [`EngineError::Option`] when no answer is being made.
    pub fn step(&mut self) -> Result<Step, EngineError> {
        let Some(answer) = &mut self.answer else {
            let expected = "called between a question and the end of its answer".into();
            return Err(EngineError::Option {
                option: "step",
                expected,
                found: "no question".into(),
            });
        };
        let step = answer.generation.step(&mut self.session);
        if let Some(length) = self.to_share.take_if(|length| self.session.tokens().len() >= *length) {
            self.session.share(length);
        }
        match step {
            Ok(Step::Text(text)) => {
                answer.text += &text;
                Ok(Step::Text(text))
            }
            Ok(Step::Finished { text, statistics }) => {
                answer.text += &text;
                let statistics = Statistics {
                    dropped_messages: answer.dropped,
                    ..statistics
                };
                self.keep_answer();
                Ok(Step::Finished { text, statistics })
            }
            Err(error) => {
                self.answer = None;
                Err(error)
            }
            prefilled => prefilled,
        }
    }

    /// The conversation as bytes: its messages, and its tokens with their keys and values. They hold what was said. An answer in
    /// the making is not part of them.
    ///
    /// # Errors
    /// [`EngineError::Option`] when the messages are too long to be saved.
    pub fn save(&self) -> Result<Vec<u8>, EngineError> {
        let note = Note {
            messages: self.messages.clone(),
            known: self.known.clone(),
        };
        let note = serde_json::to_vec(&note).expect("a note has only string keys");
        self.session.save_prefix(u32::MAX, &note)
    }

    /// Goes on with a conversation that [`Chat::save`] saved with the same model; this one is forgotten.
    ///
    /// # Errors
    /// [`EngineError::Prefix`]; this conversation is then as it was.
    pub fn restore(&mut self, bytes: &[u8]) -> Result<(), EngineError> {
        let saved = SavedPrefix::parse(bytes, self.session.model())?;
        let note: Option<Note> = serde_json::from_slice(saved.note()).ok();
        let vocabulary = self.session.model().tokenizer().vocabulary_len();
        let is_valid = |note: &Note| match &note.known {
            Some((_, ids)) => ids.iter().all(|id| *id < vocabulary),
            None => true,
        };
        let note = note.filter(is_valid).ok_or(PrefixError::Content {
            reason: "it does not hold a conversation",
        })?;
        self.session.restore_prefix(&saved)?;
        self.answer = None;
        self.messages = note.messages;
        self.known = note.known;
        Ok(())
    }

    /// The first `length` tokens in the cache with their keys and values as bytes, without the messages.
    ///
    /// # Errors
    /// None at present.
    pub fn save_prefix(&self, length: u32) -> Result<Vec<u8>, EngineError> {
        self.session.save_prefix(length, &[])
    }

    /// Fills the cache with tokens that [`Chat::save_prefix`] or [`Chat::save`] saved with the same model. The conversation stays what
    /// it is; a prompt that begins with some of these tokens need not run them.
    ///
    /// # Errors
    /// [`EngineError::Prefix`]; the cache is then as it was.
    pub fn restore_prefix(&mut self, bytes: &[u8]) -> Result<(), EngineError> {
        let saved = SavedPrefix::parse(bytes, self.session.model())?;
        self.answer = None;
        self.session.restore_prefix(&saved)
    }

    /// How many tokens of the prompt `ids` come from the system message alone, if that is worth sharing.
    fn beginning(&self, messages: &[Message], ids: &[u32]) -> Option<usize> {
        let system = messages.iter().position(|message| message.role != Role::System)?;
        let model = self.session.model();
        let template = model.chat_template()?;
        let alone = template
            .render_tokens(model.tokenizer(), &messages[..system], &RenderOptions::default())
            .ok()?;
        let common = alone.ids.iter().zip(ids).take_while(|(a, b)| a == b).count();
        (common >= SHARED_TOKENS_MIN).then_some(common)
    }

    fn keep_answer(&mut self) {
        let Some(answer) = self.answer.take() else { return };
        if answer.text.is_empty() {
            return;
        }
        let Prompt {
            mut ids,
            marked,
            sentinel,
            ..
        } = answer.prompt;
        ids.extend_from_slice(answer.generation.answer());
        let protected = self.session.model().tokenizer().protect(&answer.text, sentinel);
        self.known = Some((marked + &protected, ids));
        self.messages.push(answer.question);
        self.messages.push(Message {
            role: Role::Assistant,
            content: answer.text,
        });
    }

    /// The prompt for these messages. Where it begins with text whose tokens are known, those tokens are taken: an answer
    /// keeps the tokens the model chose, so its keys and values can be used again.
    fn render(&self, messages: &[Message]) -> Result<Prompt, EngineError> {
        let model = self.session.model();
        let template = model.chat_template().expect("checked when the conversation was made");
        let options = RenderOptions {
            add_generation_prompt: true,
            ..RenderOptions::default()
        };
        let mut prompt = template.render_tokens(model.tokenizer(), messages, &options)?;
        if let Some((text, ids)) = &self.known
            && let Some(rest) = prompt.marked.strip_prefix(text.as_str())
        {
            let mut continued = ids.clone();
            continued.extend(model.tokenizer().encode_marked(rest, prompt.sentinel));
            prompt.ids = continued;
        }
        Ok(prompt)
    }
}

/// The oldest messages that can go: from the first one that is not the system's to the next question, never the last one.
fn oldest_exchange(messages: &[Message]) -> std::ops::Range<usize> {
    let start = messages
        .iter()
        .position(|message| message.role != Role::System)
        .unwrap_or(messages.len());
    let later = messages
        .iter()
        .skip(start + 1)
        .position(|message| message.role == Role::User);
    match later {
        Some(later) => start..start + 1 + later,
        None => start..start,
    }
}
