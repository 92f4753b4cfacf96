//! The flags of `run` and `chat` that say how an answer is made.

use whimbrel_client::{GenerationOptions, ModelInfo, SamplingOptions};

use super::number::{decimal, whole};

/// Tokens of an answer unless told otherwise, and of one that a model may think about before.
const TOKENS_DEFAULT: u32 = 512;
const TOKENS_THINKING: u32 = 2048;
/// The values of `--thinking`; `default` leaves it to the model.
pub(crate) const THINKING: [&str; 3] = ["on", "off", "default"];

/// Tokens of context unless told otherwise, if the model was made for as many.
const CONTEXT_DEFAULT: u32 = 2048;

/// How an answer is made.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct GenerationArguments {
    /// End the answer after this many tokens, thoughts included [default: 512, or 2048 if the model may think]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = whole::<u32>(1..=u32::MAX.into()))]
    max_tokens: Option<u32>,
    /// Size of the context in tokens, for prompt and answer together [default: 2048, or the model's own if less]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = whole::<u32>(1..=u32::MAX.into()))]
    context: Option<u32>,
    /// 0 to 100: 0 always takes the most likely token, higher values give more varied answers [default: the model's own, or 0]
    #[arg(long, value_name = "T", allow_negative_numbers = true, value_parser = decimal(0.0..=100.0))]
    temperature: Option<f32>,
    /// Consider only the K most likely tokens; 0 for all [default: the model's own, or 0]
    #[arg(long, value_name = "K", allow_negative_numbers = true, value_parser = whole::<u32>(0..=u32::MAX.into()))]
    top_k: Option<u32>,
    /// Consider only the most likely tokens that together have this probability, 0 to 1; 1 for all [default: the model's own, or 1]
    #[arg(long, value_name = "P", allow_negative_numbers = true, value_parser = decimal(0.0..=1.0))]
    top_p: Option<f32>,
    /// Consider only tokens at least this likely relative to the most likely one, 0 to 1; 0 for all [default: the model's own, or 0]
    #[arg(long, value_name = "P", allow_negative_numbers = true, value_parser = decimal(0.0..=1.0))]
    min_p: Option<f32>,
    /// Make tokens that already appeared less likely, 0.01 to 100; 1 changes nothing [default: the model's own, or 1]
    #[arg(long, value_name = "R", allow_negative_numbers = true, value_parser = decimal(0.01..=100.0))]
    repetition_penalty: Option<f32>,
    /// How many of the last tokens the penalty covers [default: the model's own, or 64]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = whole::<u32>(0..=u32::MAX.into()))]
    repetition_window: Option<u32>,
    /// The same seed gives the same answer [default: the model's own, or 0]
    #[arg(long, value_name = "S", allow_negative_numbers = true, value_parser = whole::<u64>(0..=u64::MAX))]
    seed: Option<u64>,
    /// End the answer before this text; can be repeated
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    stop: Vec<String>,
    /// Whether a model that thinks before it answers does so [default: the model's own choice]
    #[arg(long, value_name = "WHETHER", value_parser = THINKING)]
    thinking: Option<String>,
    /// Decode one token at a time; guessing several at once changes only the speed, never the answer
    #[arg(long)]
    no_speculation: bool,
    /// Do not stop an answer that keeps repeating itself
    #[arg(long)]
    no_repetition_guard: bool,
}

impl GenerationArguments {
    /// The options for this model, if there is one on this device; what was not given is the model's choice.
    pub(crate) fn options(&self, info: Option<&ModelInfo>) -> GenerationOptions {
        let thinking = self.thinking.as_deref().and_then(thinking);
        let may_think = info.is_some_and(|info| info.can_think) && thinking != Some(false);
        let tokens_default = if may_think { TOKENS_THINKING } else { TOKENS_DEFAULT };
        let sampling = SamplingOptions {
            temperature: self.temperature,
            top_k: self.top_k,
            top_p: self.top_p,
            min_p: self.min_p,
            repetition_penalty: self.repetition_penalty,
            repetition_window: self.repetition_window,
            seed: self.seed,
        };
        GenerationOptions {
            max_tokens: self.max_tokens.unwrap_or(tokens_default),
            sampling,
            stop: self.stop.clone(),
            thinking,
            speculation: !self.no_speculation,
            repetition_guard: !self.no_repetition_guard,
            confidence: false,
            form: None,
            calibration: None,
            tools: None,
        }
    }

    /// Tokens of context for this model, if there is one on this device.
    pub(crate) fn context_length(&self, info: Option<&ModelInfo>) -> u32 {
        let most = info.map_or(u32::MAX, |info| info.manifest.context_length);
        self.context.unwrap_or(CONTEXT_DEFAULT.min(most))
    }
}

/// What a value of `--thinking` says; nothing for `default`.
pub(crate) fn thinking(value: &str) -> Option<bool> {
    match value {
        "on" => Some(true),
        "off" => Some(false),
        _ => None,
    }
}
