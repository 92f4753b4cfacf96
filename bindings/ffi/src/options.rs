//! Options for opening a model, holding a conversation, asking a question and generating an answer. Every option can be left
//! out.

use whimbrel_client as client;
use whimbrel_client::{policy, privacy};

use crate::{Message, ToolOptions};

/// Options for opening a model.
#[derive(Clone, Debug, uniffi::Record)]
pub struct OpenOptions {
    /// Number of threads that compute; 0 uses the number of performance cores.
    #[uniffi(default = 0)]
    pub threads: u32,
    /// Whether to check the hashes of all files. Otherwise, only files that are new or have changed since the last check are
    /// checked.
    #[uniffi(default = false)]
    pub always_verify: bool,
    /// The name of the quantisation to open. The default is the bundle's first one.
    #[uniffi(default = None)]
    pub variant: Option<String>,
    /// A folder for the record of verified files, if the bundle's own folder is read-only.
    #[uniffi(default = None)]
    pub state_folder: Option<String>,
    /// Whether to copy the weights into memory with huge pages. Answers become faster, but the start is slower, and the
    /// system cannot reclaim the memory.
    #[uniffi(default = false)]
    pub huge_pages: bool,
    /// The precision of the keys and values in a conversation's context. The default is `Half`.
    #[uniffi(default = None)]
    pub kv_precision: Option<KvPrecision>,
}

/// The precision of keys and values.
#[derive(Clone, Copy, Debug, uniffi::Enum)]
pub enum KvPrecision {
    /// 16 bits per value.
    Half,
    /// 8 bits per value: about half the memory, and slightly different answers.
    Int8,
}

/// What happens when a conversation no longer fits its context.
#[derive(Clone, Copy, Debug, uniffi::Enum)]
pub enum ContextPolicy {
    /// The question is refused with the error `ContextFull`.
    Refuse,
    /// The oldest exchanges are left out, never the system message. The statistics say how many messages were left out.
    DropOldest,
}

/// Options for a conversation.
#[derive(Clone, Debug, uniffi::Record)]
pub struct ConversationOptions {
    /// Size of the context in tokens, at most the model's own.
    #[uniffi(default = 2048)]
    pub context_length: u32,
    /// The system message; without it the model's own is used, and an empty text leaves it to the model's template.
    #[uniffi(default = None)]
    pub system: Option<String>,
    /// What happens when the context is full. The default is `DropOldest`.
    #[uniffi(default = None)]
    pub context_policy: Option<ContextPolicy>,
    /// What was said before the conversation begins, without system messages. A message without recipients is treated like the text of an
    /// imported document: under a policy, it does not leave the device.
    #[uniffi(default = [])]
    pub initial_messages: Vec<Message>,
}

/// How an answer is made. Where no value is given for how tokens are chosen, the model's own is used: its card says how it was made to be used.
#[derive(Clone, Debug, uniffi::Record)]
pub struct GenerationOptions {
    /// Maximum length of the answer in tokens, together with what the model thinks before it.
    #[uniffi(default = 512)]
    pub max_tokens: u32,
    /// 0 always takes the most likely token; higher values spread the choice.
    #[uniffi(default = None)]
    pub temperature: Option<f32>,
    /// Only this many of the most likely tokens are considered; 0 means all.
    #[uniffi(default = None)]
    pub top_k: Option<u32>,
    /// Only the most likely tokens that together reach this probability are considered; 1 means all.
    #[uniffi(default = None)]
    pub top_p: Option<f32>,
    /// Only tokens at least this fraction as likely as the most likely one are considered; 0 means all.
    #[uniffi(default = None)]
    pub min_p: Option<f32>,
    /// Makes tokens that were used before less likely; 1 changes nothing.
    #[uniffi(default = None)]
    pub repetition_penalty: Option<f32>,
    /// How many tokens back `repetition_penalty` looks.
    #[uniffi(default = None)]
    pub repetition_window: Option<u32>,
    /// The same seed gives the same answer.
    #[uniffi(default = None)]
    pub seed: Option<u64>,
    /// Texts that end the answer; they are not part of it.
    #[uniffi(default = [])]
    pub stop: Vec<String>,
    /// Whether a model that thinks before it answers does so; without a value it is the model's choice. Where the model cannot think, switching
    /// it on is refused with the error `InvalidOption`. A model that always thinks is only asked not to. Endpoints and the system's model
    /// ignore this, and the report lists it as not supported.
    #[uniffi(default = None)]
    pub thinking: Option<bool>,
    /// Whether to use speculative decoding: tokens are guessed from the text so far and checked several at a time. It
    /// changes the speed, never the answer.
    #[uniffi(default = true)]
    pub speculation: bool,
    /// Whether an answer that says the same over and over is ended. The report's `finish` is `Repetition` then.
    #[uniffi(default = true)]
    pub repetition_guard: bool,
    /// The form that the answer must have: the model then chooses only among the tokens that the form allows. An answer that ends before it has
    /// its form is a failure with the code `not_in_form`. A model on this device holds any form; under a policy, an endpoint that supports JSON
    /// holds choices and JSON schemas.
    #[uniffi(default = None)]
    pub form: Option<Form>,
}

/// The form that an answer must have. One that cannot be used is refused with the error `InvalidOption`, which says what in it and where.
#[derive(Clone, Debug, uniffi::Enum)]
pub enum Form {
    /// One of several texts.
    Choice {
        /// The texts, as they are.
        choices: Vec<String>,
    },
    /// JSON that is valid by a JSON Schema (draft 4 to 2020-12), on one line. Properties come in the order in which the schema names them.
    /// A keyword that cannot be enforced is refused by name.
    JsonSchema {
        /// The schema, as JSON.
        schema: String,
    },
    /// A text that a regular expression matches as a whole, in the syntax of Rust's `regex`, without anchors and lookaround.
    Regex {
        /// The expression.
        expression: String,
    },
    /// A text of a grammar, in llguidance's variant of Lark.
    Grammar {
        /// The grammar, whose rule `start` is the whole text.
        text: String,
    },
}

/// Options for asking a question.
#[derive(Clone, Debug, uniffi::Record)]
pub struct AskOptions {
    /// The app's name for the kind of work, used by rules and learning.
    #[uniffi(default = "chat")]
    pub task: String,
    /// The privacy class of the text as far as the app knows it. The default is `Public`. Findings in the text can only
    /// raise it.
    #[uniffi(default = None)]
    pub privacy_class: Option<PrivacyClass>,
    /// The deadline for the whole answer in milliseconds, with tools for each of its rounds. The default is the policy's.
    #[uniffi(default = None)]
    pub deadline_ms: Option<u64>,
    /// For how long an answer is of use if the question has to wait in the outbox, in milliseconds. The default is for ever.
    #[uniffi(default = None)]
    pub expires_in_ms: Option<u64>,
    /// What the answer needs beyond text.
    #[uniffi(default = [])]
    pub needs: Vec<Need>,
    /// Whether it is asked again even if the answer to exactly this question is remembered.
    #[uniffi(default = false)]
    pub fresh: bool,
    /// The tools that the model may call before it answers. A question with tools is never queued, and its answer not remembered.
    #[uniffi(default)]
    pub tools: ToolOptions,
    /// Options for generating the answer.
    #[uniffi(default)]
    pub generation: GenerationOptions,
}

/// How private a text is, from the least to the most.
#[derive(Clone, Copy, Debug, uniffi::Enum)]
pub enum PrivacyClass {
    /// Nothing was recognised as personal.
    Public,
    /// Ordinary personal data: a name, an address, a telephone number.
    Personal,
    /// Harmful in wrong hands: national ids, cards and accounts, dates of birth, health, religion and the other special categories, or
    /// whatever the app calls so.
    Sensitive,
    /// Gives access to something: passwords, keys, or whatever the app declares secret.
    Secret,
}

/// What an answer needs beyond text.
#[derive(Clone, Copy, Debug, uniffi::Enum)]
pub enum Need {
    /// Tool calls.
    Tools,
    /// An answer that follows a JSON schema.
    Json,
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
                None => client::KvPrecision::default(),
                Some(KvPrecision::Half) => client::KvPrecision::Half,
                Some(KvPrecision::Int8) => client::KvPrecision::Int8,
            },
            reference: false,
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
            context_policy: from.context_policy.map(Into::into).unwrap_or_default(),
            initial_messages: from.initial_messages.into_iter().map(Into::into).collect(),
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
            thinking: from.thinking,
            speculation: from.speculation,
            repetition_guard: from.repetition_guard,
            confidence: false,
            form: from.form.map(Into::into),
            calibration: None,
            tools: None,
        }
    }
}

impl From<Form> for client::Form {
    fn from(from: Form) -> Self {
        match from {
            Form::Choice { choices } => client::Form::Choice(choices),
            Form::JsonSchema { schema } => client::Form::JsonSchema(schema),
            Form::Regex { expression } => client::Form::Regex(expression),
            Form::Grammar { text } => client::Form::Grammar(text),
        }
    }
}

impl From<AskOptions> for client::AskOptions {
    fn from(from: AskOptions) -> Self {
        client::AskOptions {
            task: from.task,
            class: from.privacy_class.map(Into::into).unwrap_or_default(),
            deadline_ms: from.deadline_ms,
            expires_in_ms: from.expires_in_ms,
            needs: from.needs.into_iter().map(Into::into).collect(),
            fresh: from.fresh,
            tools: from.tools.into(),
            generation: from.generation.into(),
        }
    }
}

impl From<PrivacyClass> for privacy::PrivacyClass {
    fn from(from: PrivacyClass) -> Self {
        match from {
            PrivacyClass::Public => privacy::PrivacyClass::Public,
            PrivacyClass::Personal => privacy::PrivacyClass::Personal,
            PrivacyClass::Sensitive => privacy::PrivacyClass::Sensitive,
            PrivacyClass::Secret => privacy::PrivacyClass::Secret,
        }
    }
}

impl From<privacy::PrivacyClass> for PrivacyClass {
    fn from(from: privacy::PrivacyClass) -> Self {
        match from {
            privacy::PrivacyClass::Public => PrivacyClass::Public,
            privacy::PrivacyClass::Personal => PrivacyClass::Personal,
            privacy::PrivacyClass::Sensitive => PrivacyClass::Sensitive,
            privacy::PrivacyClass::Secret => PrivacyClass::Secret,
        }
    }
}

impl From<Need> for policy::Need {
    fn from(from: Need) -> Self {
        match from {
            Need::Tools => policy::Need::Tools,
            Need::Json => policy::Need::Json,
        }
    }
}
