//! The values that cross the boundary, and their translation from and to the client's.

use whimbrel_client as client;

/// How a model is opened.
#[derive(Clone, Debug, uniffi::Record)]
pub struct OpenOptions {
    /// Threads that compute; 0 takes the number of performance cores.
    #[uniffi(default = 0)]
    pub threads: u32,
    /// Whether the hashes of all files are checked. Otherwise only those of files that were not checked before, or changed since.
    #[uniffi(default = false)]
    pub always_verify: bool,
    /// The name of the quantisation to open; without it the bundle's first.
    #[uniffi(default = None)]
    pub variant: Option<String>,
    /// A folder in which it is remembered which files were checked, for bundles in a folder that cannot be written.
    #[uniffi(default = None)]
    pub state_folder: Option<String>,
    /// Whether the weights are copied into memory of huge pages: quicker answers, a slower start, and memory that the system
    /// cannot take back.
    #[uniffi(default = false)]
    pub huge_pages: bool,
    /// What the keys and values of a conversation's context are kept in.
    pub kv_precision: KvPrecision,
}

/// What keys and values are kept in.
#[derive(Clone, Copy, Debug, uniffi::Enum)]
pub enum KvPrecision {
    /// 16 bits a value.
    Half,
    /// 8 bits a value: about half the memory, and slightly other answers.
    Int8,
}

/// What is known of an open model.
#[derive(Clone, Debug, uniffi::Record)]
pub struct ModelInfo {
    /// The model's name, for people.
    pub name: String,
    /// The bundle's version.
    pub version: String,
    /// The licence of the weights as an SPDX expression, or `unknown`.
    pub licence: String,
    /// The longest context that the model was made for, in tokens.
    pub context_length: u32,
    /// Layers of the network.
    pub layers: u32,
    /// Threads that compute.
    pub threads: u32,
    /// Milliseconds that opening took, verification included.
    pub load_ms: f64,
    /// Whether conversations are possible; otherwise only raw completions are.
    pub has_chat_template: bool,
}

/// What happens when a conversation no longer fits its context.
#[derive(Clone, Copy, Debug, uniffi::Enum)]
pub enum ContextPolicy {
    /// The question is refused with the error `ContextFull`.
    Refuse,
    /// The oldest exchanges are left out, never the system message. The statistics say how many messages.
    DropOldest,
}

/// How a conversation is kept.
#[derive(Clone, Debug, uniffi::Record)]
pub struct ConversationOptions {
    /// Tokens of context, at most the model's own.
    #[uniffi(default = 2048)]
    pub context_length: u32,
    /// The system message; without it a plain one is used, and an empty text leaves it to the model.
    #[uniffi(default = None)]
    pub system: Option<String>,
    /// What happens when the context is full.
    pub context_policy: ContextPolicy,
}

/// How an answer is made.
#[derive(Clone, Debug, uniffi::Record)]
pub struct GenerationOptions {
    /// Tokens after which the answer ends.
    #[uniffi(default = 512)]
    pub max_tokens: u32,
    /// 0 always takes the most likely token; higher values spread the choice.
    #[uniffi(default = 0.0)]
    pub temperature: f32,
    /// Only this many of the most likely tokens are considered; 0 means all.
    #[uniffi(default = 0)]
    pub top_k: u32,
    /// Only the most likely tokens that together reach this probability are considered; 1 means all.
    #[uniffi(default = 1.0)]
    pub top_p: f32,
    /// Only tokens at least this fraction as likely as the most likely one are considered; 0 means all.
    #[uniffi(default = 0.0)]
    pub min_p: f32,
    /// Makes tokens that were used before less likely; 1 changes nothing.
    #[uniffi(default = 1.0)]
    pub repetition_penalty: f32,
    /// How many tokens back `repetition_penalty` looks.
    #[uniffi(default = 64)]
    pub repetition_window: u32,
    /// The same seed gives the same answer.
    #[uniffi(default = 0)]
    pub seed: u64,
    /// Texts that end the answer; they are not part of it.
    #[uniffi(default = [])]
    pub stop: Vec<String>,
    /// Whether tokens may be guessed from the text so far and checked several at a time. It changes the speed, never the answer.
    #[uniffi(default = true)]
    pub speculation: bool,
}

/// Who says a message.
#[derive(Clone, Copy, Debug, uniffi::Enum)]
pub enum Role {
    /// What the app tells the model beforehand.
    System,
    /// The person.
    User,
    /// The model.
    Assistant,
}

/// One message of a conversation.
#[derive(Clone, Debug, uniffi::Record)]
pub struct Message {
    /// Who says it.
    pub role: Role,
    /// The text.
    pub content: String,
}

/// Why an answer ended.
#[derive(Clone, Copy, Debug, uniffi::Enum)]
pub enum FinishReason {
    /// The model ended its turn, or a stop text appeared.
    Stop,
    /// The limit on tokens or the end of the context was reached.
    Length,
    /// The answer was cancelled.
    Cancelled,
}

/// Counts and rates of one answer.
#[derive(Clone, Debug, uniffi::Record)]
pub struct Statistics {
    /// Why it ended.
    pub finish_reason: FinishReason,
    /// Tokens of the whole prompt, template and history included.
    pub prompt_tokens: u32,
    /// How many of them were still known from before and not computed again.
    pub reused_tokens: u32,
    /// Tokens of the answer.
    pub completion_tokens: u32,
    /// Tokens that were guessed and checked.
    pub drafted_tokens: u32,
    /// How many of them were right.
    pub accepted_tokens: u32,
    /// Oldest messages left out because the context was full.
    pub dropped_messages: u32,
    /// From the start of the answer to its first token; 0 when there was none.
    pub time_to_first_token_ms: f64,
    /// From the start of the answer to its end.
    pub total_ms: f64,
    /// Prompt tokens a second of computing.
    pub prefill_tokens_per_second: f64,
    /// Answer tokens a second of computing.
    pub decode_tokens_per_second: f64,
}

/// What an answer brings, in this order.
#[derive(Clone, Debug, uniffi::Enum)]
pub enum AnswerEvent {
    /// A part of the prompt was read by the model. A short prompt is read in one go, without this event.
    Prefilled {
        /// Prompt tokens read so far.
        done: u32,
        /// Prompt tokens in all.
        total: u32,
    },
    /// The next piece of text, never empty and never half a character.
    Text {
        /// The piece.
        text: String,
    },
    /// The answer is complete; nothing follows.
    Finished {
        /// Counts and rates.
        statistics: Statistics,
    },
}

impl From<OpenOptions> for client::OpenOptions {
    fn from(from: OpenOptions) -> Self {
        client::OpenOptions {
            threads: from.threads,
            verify: if from.always_verify {
                client::Verify::Always
            } else {
                client::Verify::Remembered
            },
            state_folder: from.state_folder.map(Into::into),
            variant: from.variant,
            huge_pages: from.huge_pages,
            kv_precision: match from.kv_precision {
                KvPrecision::Half => client::KvPrecision::Half,
                KvPrecision::Int8 => client::KvPrecision::Int8,
            },
            reference: false,
        }
    }
}

impl From<&client::ModelInfo> for ModelInfo {
    fn from(from: &client::ModelInfo) -> Self {
        ModelInfo {
            name: from.manifest.name.clone(),
            version: from.manifest.version.clone(),
            licence: from.manifest.licence.spdx.clone(),
            context_length: from.manifest.context_length,
            layers: from.layers,
            threads: from.threads,
            load_ms: from.load_ms,
            has_chat_template: from.has_chat_template,
        }
    }
}

impl From<ContextPolicy> for client::ContextPolicy {
    fn from(from: ContextPolicy) -> Self {
        match from {
            ContextPolicy::Refuse => client::ContextPolicy::Refuse,
            ContextPolicy::DropOldest => client::ContextPolicy::DropOldest,
        }
    }
}

impl From<ConversationOptions> for client::ConversationOptions {
    fn from(from: ConversationOptions) -> Self {
        client::ConversationOptions {
            context_length: from.context_length,
            system: from.system,
            context_policy: from.context_policy.into(),
        }
    }
}

impl From<GenerationOptions> for client::GenerationOptions {
    fn from(from: GenerationOptions) -> Self {
        client::GenerationOptions {
            max_tokens: from.max_tokens,
            sampling: client::SamplingOptions {
                temperature: from.temperature,
                top_k: from.top_k,
                top_p: from.top_p,
                min_p: from.min_p,
                repetition_penalty: from.repetition_penalty,
                repetition_window: from.repetition_window,
                seed: from.seed,
            },
            stop: from.stop,
            speculation: from.speculation,
            confidence: false,
        }
    }
}

impl From<Role> for client::Role {
    fn from(from: Role) -> Self {
        match from {
            Role::System => client::Role::System,
            Role::User => client::Role::User,
            Role::Assistant => client::Role::Assistant,
        }
    }
}

impl From<client::Role> for Role {
    fn from(from: client::Role) -> Self {
        match from {
            client::Role::System => Role::System,
            client::Role::User => Role::User,
            client::Role::Assistant => Role::Assistant,
        }
    }
}

pub(crate) fn messages_in(messages: Vec<Message>) -> Vec<client::Message> {
    messages
        .into_iter()
        .map(|from| client::Message {
            role: from.role.into(),
            content: from.content,
        })
        .collect()
}

pub(crate) fn messages_out(messages: Vec<client::Message>) -> Vec<Message> {
    messages
        .into_iter()
        .map(|from| Message {
            role: from.role.into(),
            content: from.content,
        })
        .collect()
}

impl From<client::Statistics> for Statistics {
    fn from(from: client::Statistics) -> Self {
        Statistics {
            finish_reason: match from.finish_reason {
                client::FinishReason::Stop => FinishReason::Stop,
                client::FinishReason::Length => FinishReason::Length,
                client::FinishReason::Cancelled => FinishReason::Cancelled,
            },
            prompt_tokens: from.prompt_tokens,
            reused_tokens: from.reused_tokens,
            completion_tokens: from.completion_tokens,
            drafted_tokens: from.drafted_tokens,
            accepted_tokens: from.accepted_tokens,
            dropped_messages: from.dropped_messages,
            time_to_first_token_ms: from.time_to_first_token_ms,
            total_ms: from.total_ms,
            prefill_tokens_per_second: from.prefill_tokens_per_second,
            decode_tokens_per_second: from.decode_tokens_per_second,
        }
    }
}

pub(crate) fn events_out(events: Vec<client::AnswerEvent>) -> Vec<AnswerEvent> {
    events
        .into_iter()
        .map(|from| match from {
            client::AnswerEvent::Prefilled { done, total } => AnswerEvent::Prefilled { done, total },
            client::AnswerEvent::Text(text) => AnswerEvent::Text { text },
            client::AnswerEvent::Finished(statistics) => AnswerEvent::Finished {
                statistics: statistics.into(),
            },
        })
        .collect()
}
