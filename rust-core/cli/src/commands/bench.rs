//! `whimbrel bench`: how quickly a model reads and writes on this machine, measured on the session that answers come from.

use std::io::{self, Write};
use std::sync::Arc;
use std::time::Instant;

use serde::Serialize;
use whimbrel_engine::{
    CancelFlag, EngineError, Generation, GenerationOptions, Model, OpenOptions, Sampler, Sampling, SamplingOptions,
    SavedPrefix, Session, Step,
};

use crate::arguments::model::{MemoryArguments, ModelArguments, ThreadArguments};
use crate::arguments::number::whole;
use crate::error::CliError;
use crate::machine::system;
use crate::terminal::interrupt;
use crate::terminal::output::{Facts, OutputArguments, bytes, table};
use crate::terminal::progress::Progress;
use crate::terminal::words::counted;

/// Distance between two token ids of the made-up prompt; prime, so that it wanders through the whole vocabulary.
const PROMPT_STRIDE: u64 = 7919;
/// Tokens run at a time to reach the depth; not measured.
const FILL_CHUNK: usize = 128;
/// Tokens whose time is taken apart.
const PROFILED_TOKENS: usize = 15;

/// The flags of `bench`.
#[derive(clap::Args, Debug)]
pub(crate) struct Arguments {
    #[command(flatten)]
    model: ModelArguments,
    /// Tokens of the prompt in each measurement
    #[arg(long, value_name = "N", default_value_t = 128, allow_negative_numbers = true, value_parser = whole::<u32>(1..=u32::MAX.into()))]
    prompt_tokens: u32,
    /// Tokens of the answer in each measurement
    #[arg(long, value_name = "N", default_value_t = 64, allow_negative_numbers = true, value_parser = whole::<u32>(1..=u32::MAX.into()))]
    decode_tokens: u32,
    /// Tokens in the KV cache when the answer starts [default: those of the prompt]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = whole::<u32>(0..=u32::MAX.into()))]
    context_depth: Option<u32>,
    #[command(flatten)]
    threads: ThreadArguments,
    #[command(flatten)]
    memory: MemoryArguments,
    /// Number of measurements of each kind
    #[arg(long, value_name = "R", default_value_t = 5, allow_negative_numbers = true, value_parser = whole::<u32>(1..=1000))]
    repetitions: u32,
    #[command(flatten)]
    output: OutputArguments,
}

#[derive(Serialize)]
struct Measured {
    model: String,
    variant: String,
    cpu: String,
    kernels: &'static str,
    threads: u32,
    prompt_tokens: u32,
    decode_tokens: u32,
    context_depth: u32,
    repetitions: u32,
    load_ms: f64,
    prefill_tokens_per_second: Rate,
    decode_tokens_per_second: Rate,
    /// Share of a decoded token's time outside of the operators, the median of some tokens.
    graph_overhead: f64,
    /// Milliseconds to begin with the prompt's saved keys and values, checks included, when they are in memory.
    prefix_restore_ms: f64,
    peak_rss_bytes: Option<u64>,
    anonymous_rss_bytes: Option<u64>,
}

/// Tokens a second over the repetitions.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
struct Rate {
    median: f64,
    min: f64,
    max: f64,
}

impl Rate {
    /// `seconds` of each repetition, at least one.
    fn new(tokens: u32, seconds: &[f64]) -> Rate {
        let mut rates: Vec<f64> = seconds.iter().map(|seconds| f64::from(tokens) / seconds).collect();
        rates.sort_by(f64::total_cmp);
        let middle = rates.len() / 2;
        let median = if rates.len() % 2 == 1 {
            rates[middle]
        } else {
            (rates[middle - 1] + rates[middle]) / 2.0
        };
        Rate {
            median,
            min: rates[0],
            max: rates[rates.len() - 1],
        }
    }

    fn human(&self) -> String {
        format!("{:.1} tokens/s (from {:.1} to {:.1})", self.median, self.min, self.max)
    }
}

impl Facts for Measured {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        let size = |value: Option<u64>| value.map_or("unknown".to_owned(), bytes);
        let peak = size(self.peak_rss_bytes);
        table(
            out,
            &[
                ("model", format!("{}, {}", self.model, self.variant)),
                (
                    "processor",
                    format!(
                        "{}, {} kernels, {}",
                        self.cpu,
                        self.kernels,
                        counted(self.threads, "thread")
                    ),
                ),
                ("load", format!("{:.0} ms", self.load_ms)),
                (
                    "prefill",
                    format!(
                        "{}, {} tokens",
                        self.prefill_tokens_per_second.human(),
                        self.prompt_tokens
                    ),
                ),
                (
                    "decode",
                    format!(
                        "{}, {} tokens after {}",
                        self.decode_tokens_per_second.human(),
                        self.decode_tokens,
                        self.context_depth
                    ),
                ),
                (
                    "graph",
                    format!("{:.2} % of a decoded token", 100.0 * self.graph_overhead),
                ),
                (
                    "restore",
                    format!("{:.1} ms, {} tokens", self.prefix_restore_ms, self.prompt_tokens),
                ),
                (
                    "memory",
                    format!(
                        "{peak} at most, {} of it not mapped from files",
                        size(self.anonymous_rss_bytes)
                    ),
                ),
            ],
        )
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), CliError> {
    interrupt::install(false);
    let options = OpenOptions {
        huge_pages: arguments.memory.huge_pages,
        ..arguments.model.open_options(arguments.threads.threads)
    };
    let model = Model::open(&arguments.model.folder()?, &options)?;
    let depth = arguments.context_depth.unwrap_or(arguments.prompt_tokens);
    let mut bench = Bench::new(&model, arguments.prompt_tokens, arguments.decode_tokens, depth)?;
    let (prefill, decode) = bench.measure(arguments.repetitions)?;
    let memory = system::process_memory();
    let graph_overhead = bench.graph_overhead()?;
    let prefix_restore_ms = 1e3 * bench.restore()?;
    let manifest = model.manifest();
    arguments.output.print(&Measured {
        model: manifest.name.clone(),
        variant: arguments
            .model
            .variant
            .clone()
            .unwrap_or_else(|| manifest.variants[0].name.clone()),
        cpu: system::cpu_name(),
        kernels: whimbrel_engine::cpu_report().kernels,
        threads: model.threads(),
        prompt_tokens: arguments.prompt_tokens,
        decode_tokens: arguments.decode_tokens,
        context_depth: depth,
        repetitions: arguments.repetitions,
        load_ms: model.load_ms(),
        prefill_tokens_per_second: Rate::new(arguments.prompt_tokens, &prefill),
        decode_tokens_per_second: Rate::new(arguments.decode_tokens, &decode),
        graph_overhead,
        prefix_restore_ms,
        peak_rss_bytes: memory.peak_rss,
        anonymous_rss_bytes: memory.anonymous_rss,
    })
}

/// One session, measured again and again.
struct Bench {
    session: Session,
    sampler: Sampler,
    cancel: CancelFlag,
    prompt_tokens: u32,
    decode_tokens: u32,
    depth: u32,
}

impl Bench {
    fn new(model: &Arc<Model>, prompt_tokens: u32, decode_tokens: u32, depth: u32) -> Result<Bench, CliError> {
        let needed = (u64::from(prompt_tokens) + 1).max(u64::from(depth) + u64::from(decode_tokens));
        let limit = model.manifest().context_length;
        let context = u32::try_from(needed).ok().filter(|needed| *needed <= limit);
        let context = context.ok_or(EngineError::ContextFull {
            needed,
            limit: limit.into(),
        })?;
        Ok(Bench {
            session: Session::new(model, context)?,
            sampler: Sampler::new(&Sampling::default()),
            cancel: CancelFlag::default(),
            prompt_tokens,
            decode_tokens,
            depth,
        })
    }

    /// Seconds of each prefill and each decode.
    fn measure(&mut self, repetitions: u32) -> Result<(Vec<f64>, Vec<f64>), CliError> {
        let cancel = self.cancel.clone();
        let _guard = interrupt::on_raise(move || cancel.cancel());
        // The first round only warms up: it touches every page and every buffer.
        let progress = Progress::steps("measuring", u64::from(repetitions) + 1);
        let (mut prefill, mut decode) = (Vec::new(), Vec::new());
        for round in 0..=repetitions {
            let seconds = (self.prefill()?, self.decode()?);
            if round > 0 {
                prefill.push(seconds.0);
                decode.push(seconds.1);
            }
            progress.set(u64::from(round) + 1);
        }
        Ok((prefill, decode))
    }

    /// Reads the prompt from nothing to the choice of the first token, as an answer does.
    fn prefill(&mut self) -> Result<f64, CliError> {
        let prompt = self.ids(0, self.prompt_tokens);
        let options = GenerationOptions {
            max_tokens: 1,
            sampling: SamplingOptions::greedy(),
            ..GenerationOptions::default()
        };
        self.session.truncate(0);
        let start = Instant::now();
        let mut generation = Generation::new(&mut self.session, prompt, options, self.cancel.clone())?;
        while let Step::Prefilled { .. } = generation.step(&mut self.session)? {}
        let seconds = start.elapsed().as_secs_f64();
        interrupt::check()?;
        Ok(seconds)
    }

    /// Writes tokens, each chosen as `run` chooses it, from the wanted depth on. What would end an answer does not end this.
    fn decode(&mut self) -> Result<f64, CliError> {
        self.session.truncate(self.depth.min(self.prompt_tokens));
        for chunk in self
            .ids(self.session.tokens().len() as u32, self.depth)
            .chunks(FILL_CHUNK)
        {
            self.session.prefill(chunk, &self.cancel)?;
        }
        let mut id = self.ids(0, 1)[0];
        let start = Instant::now();
        for _ in 0..self.decode_tokens {
            for scores in self.session.scores_after(&[id], 1, &self.cancel)? {
                id = self.sampler.choose(scores, &[], &[]);
            }
        }
        Ok(start.elapsed().as_secs_f64())
    }

    /// The share of time that is spent between operators, at the wanted depth.
    fn graph_overhead(&mut self) -> Result<f64, CliError> {
        let id = self.ids(0, 1)[0];
        let mut shares = Vec::new();
        for _ in 0..PROFILED_TOKENS {
            self.session.truncate(self.depth);
            let profile = self.session.profile(id, &self.cancel)?;
            shares.push(1.0 - profile.operators.as_secs_f64() / profile.total.as_secs_f64());
        }
        shares.sort_by(f64::total_cmp);
        Ok(shares[shares.len() / 2])
    }

    /// Seconds to check and take over the saved prompt.
    fn restore(&mut self) -> Result<f64, CliError> {
        self.session.truncate(self.prompt_tokens);
        let missing = self.ids(self.session.tokens().len() as u32, self.prompt_tokens);
        for chunk in missing.chunks(FILL_CHUNK) {
            self.session.prefill(chunk, &self.cancel)?;
        }
        let saved = self.session.save_prefix(self.prompt_tokens, &[])?;
        let model = self.session.model().clone();
        let start = Instant::now();
        let saved = SavedPrefix::parse(&saved, &model).map_err(EngineError::from)?;
        self.session.restore_prefix(&saved)?;
        Ok(start.elapsed().as_secs_f64())
    }

    /// The made-up prompt from one position to another: always the same, anywhere in the vocabulary.
    fn ids(&self, from: u32, to: u32) -> Vec<u32> {
        let vocabulary = u64::from(self.session.model().tokenizer().vocabulary_len());
        (from..to)
            .map(|position| ((u64::from(position) + 1) * PROMPT_STRIDE % vocabulary) as u32)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Rate;

    #[test]
    fn rates_of_repetitions() {
        for (seconds, median) in [(&[2.0][..], 5.0), (&[2.0, 1.0], 7.5), (&[1.0, 4.0, 2.0], 5.0)] {
            assert_eq!(Rate::new(10, seconds).median, median);
        }
        assert_eq!(
            Rate::new(10, &[1.0, 4.0, 2.0]),
            Rate {
                median: 5.0,
                min: 2.5,
                max: 10.0
            }
        );
    }
}
