//! `whimbrel run`: one prompt, one answer, through the client that the phones use.

use std::path::PathBuf;

use clap_complete::engine::ArgValueCompleter;
use whimbrel_client::{
    Answer, ClientError, ContextPolicy, Conversation, ConversationOptions, EngineError, GenerationOptions, PrefixError,
    block_on, message,
};

use crate::answer::figures::Figures;
use crate::answer::outcome::{self, Answered};
use crate::answer::{self, AnswerSource, ServedTools};
use crate::arguments::conversations::ConversationArguments;
use crate::arguments::form::FormArguments;
use crate::arguments::generation::GenerationArguments;
use crate::arguments::model::{MemoryArguments, ModelArguments, ThreadArguments, is_model};
use crate::arguments::policy::{PolicyArguments, TaskNameArguments};
use crate::arguments::tools::ToolArguments;
use crate::error::CliError;
use crate::models::completion;
use crate::terminal::output::OutputArguments;
use crate::terminal::{input, interrupt, style};

/// Prompt tokens that had to be run before the file of `--prefix-cache` is written anew.
const PREFIX_SLACK: u32 = 64;

/// The flags of `run`.
#[derive(clap::Args, Debug)]
pub(crate) struct Arguments {
    /// The model and then the prompt, or one of them: `run MODEL "TEXT"`, `run "TEXT"`
    #[arg(value_name = "MODEL|TEXT", add = ArgValueCompleter::new(completion::installed))]
    first: Option<String>,
    /// The prompt, after the model
    #[arg(value_name = "TEXT", conflicts_with_all = ["prompt", "prompt_file"])]
    second: Option<String>,
    #[command(flatten)]
    model: ModelArguments,
    /// The prompt; - reads standard input, which is also read when something is piped in
    #[arg(
        long,
        short,
        value_name = "TEXT",
        conflicts_with = "prompt_file",
        allow_hyphen_values = true
    )]
    prompt: Option<String>,
    /// A file with the prompt
    #[arg(long, value_name = "FILE")]
    prompt_file: Option<PathBuf>,
    /// The system message [default: a short one; "" uses the one in the model's template]
    #[arg(long, value_name = "TEXT", conflicts_with = "raw", allow_hyphen_values = true)]
    system: Option<String>,
    /// Continue the prompt as it is, without a chat template; special tokens in it count as tokens
    #[arg(long, conflicts_with_all = ["policy", "conversation", "thinking", "mcp"])]
    raw: bool,
    /// Save the processed prompt in this file, and reuse it next time for the part that the prompts share
    #[arg(long, value_name = "FILE", conflicts_with_all = ["raw", "policy"])]
    prefix_cache: Option<PathBuf>,
    #[command(flatten)]
    policy: PolicyArguments,
    #[command(flatten)]
    task: TaskNameArguments,
    #[command(flatten)]
    kept: ConversationArguments,
    #[command(flatten)]
    generation: GenerationArguments,
    #[command(flatten)]
    form: FormArguments,
    #[command(flatten)]
    tools: ToolArguments,
    #[command(flatten)]
    threads: ThreadArguments,
    #[command(flatten)]
    memory: MemoryArguments,
    /// Print counts and rates on standard error [default: when it is a terminal]
    #[arg(long)]
    stats: bool,
    #[command(flatten)]
    output: OutputArguments,
}

/// Returns the exit status: a stopped answer is shown, and is still not the whole answer.
pub(crate) fn run(arguments: &Arguments) -> Result<u8, CliError> {
    let (model, text) = arguments.words();
    let prompt = prompt(arguments, text)?;
    let form = arguments.form.form()?;
    let model = arguments.model.with(model)?;
    interrupt::install(false);
    let tools = ServedTools::start(&arguments.tools)?;
    let mut source = AnswerSource::open(
        &model,
        &arguments.policy,
        &arguments.task.task,
        arguments.threads,
        arguments.memory,
    )?;
    if let Some(tools) = &tools {
        source.offer(tools.options(&arguments.tools));
    }
    let context_length = arguments.generation.context_length(source.model_info());
    let generation = GenerationOptions {
        form,
        ..arguments.generation.options(source.model_info())
    };
    let (answer, conversation) = begin(arguments, &source, &prompt, context_length, generation)?;
    let completion = answer::receive(answer, &mut outcome::screen(&source, arguments.output), tools.as_ref())?;
    if let (Some(path), Some(conversation)) = (&arguments.prefix_cache, &conversation) {
        let figures = Figures::from(&completion.report);
        if figures.read_tokens() > PREFIX_SLACK {
            block_on(conversation.save_prefix(path, figures.prompt_tokens))?;
        }
    }
    let answered = Answered::new(&source, &completion, context_length);
    arguments.output.print(&answered)?;
    if let Some(conversation) = &conversation {
        source.end_with(conversation);
    }
    if let Some(tools) = tools {
        tools.stop();
    }
    Ok(outcome::conclude(&completion.report, arguments.stats, arguments.output))
}

impl Arguments {
    /// The model and the prompt among the words without a flag. A single word is the model where it is the name of one, or where the prompt comes
    /// from elsewhere.
    fn words(&self) -> (Option<&String>, Option<&String>) {
        let Some(first) = &self.first else {
            return (None, None);
        };
        let has_prompt = self.prompt.is_some() || self.prompt_file.is_some();
        match &self.second {
            Some(second) => (Some(first), Some(second)),
            None if has_prompt || self.model.model.is_none() && is_model(first) => (Some(first), None),
            None => (None, Some(first)),
        }
    }
}

/// `text` is the prompt among the words without a flag.
fn prompt(arguments: &Arguments, text: Option<&String>) -> Result<String, CliError> {
    let text = match (text.or(arguments.prompt.as_ref()), &arguments.prompt_file) {
        (Some(text), _) if text != "-" => return Ok(text.clone()),
        (None, Some(path)) => input::file(path)?,
        (None, None) if !input::is_piped() => {
            return Err(CliError::usage(
                "a prompt is missing",
                "whimbrel run \"What is light?\", --prompt-file FILE, or pipe it in",
            ));
        }
        _ => input::standard_input()?,
    };
    Ok(input::without_last_line_break(text))
}

/// Begins the answer, in a conversation unless the prompt is raw.
fn begin(
    arguments: &Arguments,
    source: &AnswerSource,
    prompt: &str,
    context_length: u32,
    generation: GenerationOptions,
) -> Result<(Answer, Option<Conversation>), CliError> {
    if let (true, Some(model)) = (arguments.raw, source.model()) {
        return Ok((model.complete(prompt, context_length, generation)?, None));
    }
    let options = ConversationOptions {
        context_length,
        system: arguments.system.clone(),
        context_policy: ContextPolicy::Refuse,
        ..ConversationOptions::default()
    };
    let hint = "add --raw to continue the prompt without a chat template";
    let conversation = source.conversation(options, arguments.kept.conversation.as_deref(), hint)?;
    source.send_queued(&conversation)?;
    if let Some(path) = arguments.prefix_cache.as_ref().filter(|path| path.exists())
        && let Err(error) = block_on(conversation.restore_prefix(path))
    {
        // Not ours to write over.
        if matches!(error, ClientError::Engine(EngineError::Prefix(PrefixError::NotAPrefix))) {
            return Err(error.into());
        }
        // It is only a shortcut: the answer is the same without it.
        style::note(&format!("[{} is not used: {}]", path.display(), message(&error)));
    }
    source.update_device();
    let answer = conversation.ask(prompt, source.ask_options(&generation))?;
    Ok((answer, Some(conversation)))
}
