//! How a model is opened, how a conversation is kept, how a question is asked and how its answer is made. Every option can be left out.

use whimbrel_client as client;
use whimbrel_client::{policy, privacy};

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
    /// What the keys and values of a conversation's context are kept in; without it `Half`.
    #[uniffi(default = None)]
    pub kv_precision: Option<KvPrecision>,
}

/// What keys and values are kept in.
#[derive(Clone, Copy, Debug, uniffi::Enum)]
pub enum KvPrecision {
    /// 16 bits a value.
    Half,
    /// 8 bits a value: about half the memory, and slightly other answers.
    Int8,
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
    /// The system message; without it the model's own is used, and an empty text leaves it to the model's template.
    #[uniffi(default = None)]
    pub system: Option<String>,
    /// What happens when the context is full; without it `DropOldest`.
    #[uniffi(default = None)]
    pub context_policy: Option<ContextPolicy>,
}

/// How an answer is made. Where no value is given for how tokens are chosen, the model's own is used: its card says how it was made to be used.
#[derive(Clone, Debug, uniffi::Record)]
pub struct GenerationOptions {
    /// Tokens after which the answer ends.
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
    /// Whether tokens may be guessed from the text so far and checked several at a time. It changes the speed, never the answer.
    #[uniffi(default = true)]
    pub speculation: bool,
    /// Whether an answer that says the same over and over is ended. The report's `finish` is `Repetition` then.
    #[uniffi(default = true)]
    pub repetition_guard: bool,
}

/// How a question is asked.
#[derive(Clone, Debug, uniffi::Record)]
pub struct AskOptions {
    /// The app's name for what it is doing, which rules and learning look at.
    #[uniffi(default = "chat")]
    pub task: String,
    /// What the app knows about the text; without it `Public`. What is found in the text can only raise it.
    #[uniffi(default = None)]
    pub privacy_class: Option<PrivacyClass>,
    /// Time for the whole answer in milliseconds; without it the policy says.
    #[uniffi(default = None)]
    pub deadline_ms: Option<u64>,
    /// What the answer needs beyond text.
    #[uniffi(default = [])]
    pub needs: Vec<Need>,
    /// How the answer is made.
    #[uniffi(default)]
    pub generation: GenerationOptions,
}

/// How private a text is, from the least to the most.
#[derive(Clone, Copy, Debug, uniffi::Enum)]
pub enum PrivacyClass {
    /// Nothing was recognised as personal.
    Public,
    /// About a person, ordinary: a name, an address, a telephone number.
    Personal,
    /// Harmful in wrong hands: national ids, cards and accounts, dates of birth, health, religion and the other special categories, or
    /// whatever the app calls so.
    Sensitive,
    /// Opens something: passwords, keys, or whatever the app calls so.
    Secret,
}

/// What an answer needs beyond text.
#[derive(Clone, Copy, Debug, uniffi::Enum)]
pub enum Need {
    /// Calls of tools.
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
            repetition_guard: from.repetition_guard,
            confidence: false,
        }
    }
}

impl From<AskOptions> for client::AskOptions {
    fn from(from: AskOptions) -> Self {
        client::AskOptions {
            task: from.task,
            class: from.privacy_class.map(Into::into).unwrap_or_default(),
            deadline_ms: from.deadline_ms,
            needs: from.needs.into_iter().map(Into::into).collect(),
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
