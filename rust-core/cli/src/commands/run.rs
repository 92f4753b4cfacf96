//! `whimbrel run`: one prompt, one answer, through the client that the phones use.

mod routed;

use std::io::{self, Write};
use std::path::PathBuf;

use serde::Serialize;
use whimbrel_client::{
    Answer, Client, ClientError, ContextPolicy, Conversation, ConversationOptions, EngineError, ModelHandle,
    OpenOptions, PrefixError, SamplingOptions, block_on,
};

use crate::error::{CliError, exit};
use crate::model_argument::{MemoryArguments, ModelArguments, ThreadArguments};
use crate::output::{self, Facts, OutputArguments};
use crate::routed::PolicyArguments;
use crate::sampling_arguments::GenerationArguments;
use crate::statistics::Figures;
use crate::{input, interrupt, stream};

/// Prompt tokens that had to be run before the file of `--prefix-cache` is written anew.
const PREFIX_SLACK: u32 = 64;

/// The flags of `run`.
#[derive(clap::Args, Debug)]
#[command(mut_arg("model", |model| model.required(false).required_unless_present("policy")))]
pub(crate) struct Arguments {
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
    /// The system message [default: a plain one; "" leaves it to the model's template]
    #[arg(long, value_name = "TEXT", conflicts_with = "raw")]
    system: Option<String>,
    /// Go on from the prompt as it is: no chat template, special tokens in it are tokens
    #[arg(long, conflicts_with = "policy")]
    raw: bool,
    /// Keep what the model made of the prompt in this file, and begin with it next time as far as the prompts agree
    #[arg(long, value_name = "FILE", conflicts_with_all = ["raw", "policy"])]
    prefix_cache: Option<PathBuf>,
    #[command(flatten)]
    policy: PolicyArguments,
    #[command(flatten)]
    generation: GenerationArguments,
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

#[derive(Serialize)]
struct Ran {
    model: String,
    variant: String,
    text: String,
    #[serde(flatten)]
    figures: Figures,
    context_length: u32,
    threads: u32,
    load_ms: f64,
}

impl Facts for Ran {
    /// The text itself was shown as it came.
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        if self.text.ends_with('\n') {
            Ok(())
        } else {
            writeln!(out)
        }
    }
}

/// Returns the exit status: a stopped answer is shown, and is still not the whole answer.
pub(crate) fn run(arguments: &Arguments) -> Result<u8, CliError> {
    if let Some(policy) = &arguments.policy.policy {
        return routed::run(arguments, policy);
    }
    let prompt = prompt(arguments)?;
    let folder = arguments.model.folder()?;
    interrupt::install(false);
    let client = Client::new()?;
    let options = OpenOptions {
        huge_pages: arguments.memory.huge_pages,
        ..arguments.model.open_options(arguments.threads.threads)
    };
    let model = block_on(client.open_model(folder, options))?;
    let context_length = arguments.generation.context_length(Some(model.info()));
    let (answer, conversation) = begin(arguments, &model, &prompt, context_length)?;
    let json = arguments.output.json;
    let received = stream::receive(answer, |text| {
        if json {
            Ok(())
        } else {
            output::write_all(text.as_bytes())
        }
    })?;

    let figures = Figures::from(&received.statistics);
    if let (Some(path), Some(conversation)) = (&arguments.prefix_cache, &conversation)
        && received.statistics.prompt_tokens - received.statistics.reused_tokens > PREFIX_SLACK
    {
        block_on(conversation.save_prefix(path, received.statistics.prompt_tokens))?;
    }
    let info = model.info();
    arguments.output.print(&Ran {
        model: info.manifest.name.clone(),
        variant: arguments
            .model
            .variant
            .clone()
            .unwrap_or_else(|| info.manifest.variants[0].name.clone()),
        text: received.text,
        figures,
        context_length,
        threads: info.threads,
        load_ms: info.load_ms,
    })?;
    if arguments.stats || (!json && output::watched()) {
        eprintln!("{}", figures.line());
    }
    Ok(if figures.finish_reason == "cancelled" {
        exit::INTERRUPTED
    } else {
        exit::SUCCESS
    })
}

fn prompt(arguments: &Arguments) -> Result<String, CliError> {
    let text = match (&arguments.prompt, &arguments.prompt_file) {
        (Some(text), _) if text != "-" => return Ok(text.clone()),
        (None, Some(path)) => input::file(path)?,
        (None, None) if !input::is_piped() => {
            return Err(CliError::usage(
                "a prompt is missing",
                "--prompt TEXT, --prompt-file FILE, or pipe it in",
            ));
        }
        _ => input::standard_input()?,
    };
    Ok(input::without_last_line_break(text))
}

/// Begins the answer, in a conversation unless the prompt is raw.
fn begin(
    arguments: &Arguments,
    model: &ModelHandle,
    prompt: &str,
    context_length: u32,
) -> Result<(Answer, Option<Conversation>), CliError> {
    let options = arguments.generation.options(SamplingOptions {
        temperature: 0.0,
        ..SamplingOptions::default()
    });
    if arguments.raw {
        return Ok((block_on(model.complete(prompt, context_length, options))?, None));
    }
    if !model.info().has_chat_template {
        return Err(CliError::usage(
            "the model has no chat template",
            "add --raw to go on from the prompt as it is",
        ));
    }
    let conversation = ConversationOptions {
        context_length,
        system: arguments.system.clone(),
        context_policy: ContextPolicy::Refuse,
    };
    let conversation = block_on(model.conversation(conversation))?;
    if let Some(path) = arguments.prefix_cache.as_ref().filter(|path| path.exists())
        && let Err(error) = block_on(conversation.restore_prefix(path))
    {
        // Not ours to write over.
        if matches!(error, ClientError::Engine(EngineError::Prefix(PrefixError::NotAPrefix))) {
            return Err(error.into());
        }
        // It is only a shortcut: the answer is the same without it.
        eprintln!("{} is not used: {error}", path.display());
    }
    let answer = block_on(conversation.ask(prompt, options))?;
    Ok((answer, Some(conversation)))
}
