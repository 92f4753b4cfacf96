//! `whimbrel perplexity`: how well a model predicts a text, with the windows and the arithmetic of llama.cpp's `llama-perplexity`
//! (`tools/perplexity/perplexity.cpp`), so that figures compare.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use whimbrel_engine::{CancelFlag, EngineError, Model, Session};

use crate::arguments::model::{ModelArguments, ThreadArguments};
use crate::arguments::number::whole;
use crate::error::CliError;
use crate::terminal::output::{Facts, OutputArguments};
use crate::terminal::progress::Progress;
use crate::terminal::words::counted;
use crate::terminal::{input, interrupt};

/// The flags of `perplexity`.
#[derive(clap::Args, Debug)]
pub(crate) struct Arguments {
    #[command(flatten)]
    model: ModelArguments,
    /// The text
    #[arg(long, short, value_name = "FILE")]
    file: PathBuf,
    /// Tokens per window; the second half of each window is predicted
    #[arg(long, value_name = "N", default_value_t = 512, allow_negative_numbers = true, value_parser = whole::<u32>(4..=u32::MAX.into()))]
    context: u32,
    /// Measure only the first N windows [default: all]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = whole::<u32>(1..=u32::MAX.into()))]
    chunks: Option<u32>,
    #[command(flatten)]
    threads: ThreadArguments,
    #[command(flatten)]
    output: OutputArguments,
}

#[derive(Serialize)]
struct Measured {
    model: String,
    variant: String,
    perplexity: f64,
    /// Of the perplexity.
    standard_error: f64,
    /// Mean negative log-likelihood of a token, in nats.
    nll: f64,
    tokens: u64,
    scored_tokens: u64,
    chunks: u64,
    context_length: u32,
    threads: u32,
}

impl Facts for Measured {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(
            out,
            "perplexity {:.4} +/- {:.5} ({} of {} tokens, {} predicted)",
            self.perplexity,
            self.standard_error,
            counted(self.chunks, "window"),
            self.context_length,
            counted(self.scored_tokens, "token")
        )
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), CliError> {
    let text = input::file(&arguments.file)?;
    interrupt::install(false);
    let options = arguments.model.open_options(arguments.threads.threads);
    let model = Model::open(&arguments.model.folder()?, &options)?;
    let ids = tokens(&model, &text);
    let context = arguments.context;
    let needed = 2 * u64::from(context);
    if (ids.len() as u64) < needed {
        return Err(CliError::TextTooShort {
            found: ids.len() as u64,
            needed,
            context,
        });
    }
    let mut session = Session::new(&model, context)?;
    let windows: Vec<&[u32]> = ids.chunks_exact(context as usize).collect();
    let windows = &windows[..windows
        .len()
        .min(arguments.chunks.map_or(usize::MAX, |chunks| chunks as usize))];
    let sums = measure(&mut session, windows, &arguments.file)?;

    let count = sums.count as f64;
    let nll = sums.nll / count;
    let variance = (sums.nll_squared / count - nll * nll).max(0.0);
    let perplexity = nll.exp();
    let manifest = model.manifest();
    arguments.output.print(&Measured {
        model: manifest.name.clone(),
        variant: arguments
            .model
            .variant
            .clone()
            .unwrap_or_else(|| manifest.variants[0].name.clone()),
        perplexity,
        standard_error: (variance / (count - 1.0)).sqrt() * perplexity,
        nll,
        tokens: ids.len() as u64,
        scored_tokens: sums.count,
        chunks: windows.len() as u64,
        context_length: context,
        threads: model.threads(),
    })
}

/// The tokens as `llama-perplexity` makes them: one line break at the end is dropped, the text of a control token is text, and the
/// beginning-of-sequence token comes first where the tokenizer says so.
fn tokens(model: &Model, text: &str) -> Vec<u32> {
    let text = text.strip_suffix('\n').unwrap_or(text);
    let tokenizer = model.tokenizer();
    let mut ids: Vec<u32> = tokenizer.bos().filter(|_| tokenizer.add_bos()).into_iter().collect();
    ids.extend(tokenizer.encode(text, false));
    ids
}

#[derive(Default)]
struct Sums {
    nll: f64,
    nll_squared: f64,
    count: u64,
}

/// Every window starts from nothing, its first token replaced by the beginning-of-sequence token where the tokenizer has one;
/// the tokens after its middle are predicted from all before them.
fn measure(session: &mut Session, windows: &[&[u32]], file: &Path) -> Result<Sums, CliError> {
    let model = session.model().clone();
    let tokenizer = model.tokenizer();
    let bos = tokenizer.bos().filter(|_| tokenizer.add_bos());
    let cancel = CancelFlag::default();
    let stopped = cancel.clone();
    let _guard = interrupt::on_raise(move || stopped.cancel());
    let progress = Progress::steps(&format!("measuring on {}", file.display()), windows.len() as u64);
    let mut sums = Sums::default();
    for (done, window) in windows.iter().enumerate() {
        let first = window.len() / 2;
        // The last token is only predicted, never run.
        let mut run = window[..window.len() - 1].to_vec();
        if let Some(bos) = bos {
            run[0] = bos;
        }
        session.truncate(0);
        session.logits_each(&run, first, &cancel, &mut |index, logits| {
            let nll = -log_softmax(logits, window[index + 1]);
            sums.nll += nll;
            sums.nll_squared += nll * nll;
            sums.count += 1;
        })?;
        if !sums.nll.is_finite() {
            return Err(EngineError::Run {
                reason: "the logits are not finite".to_owned(),
            }
            .into());
        }
        progress.set(done as u64 + 1);
    }
    Ok(sums)
}

/// The logarithm of the probability of a token, summed in f64 as llama.cpp does.
fn log_softmax(logits: &[f32], token: u32) -> f64 {
    let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits.iter().map(|logit| f64::from((logit - max).exp())).sum();
    f64::from(logits[token as usize] - max) - sum.ln()
}

#[cfg(test)]
mod tests {
    use super::log_softmax;

    #[test]
    fn probabilities_add_up_to_one() {
        let logits = [1.0, -2.5, 30.0, 29.0, 0.0];
        let total: f64 = (0..logits.len() as u32)
            .map(|token| log_softmax(&logits, token).exp())
            .sum();
        assert!((total - 1.0).abs() < 1e-6, "{total}");
        assert!((log_softmax(&[0.0; 4], 2) + 4.0_f64.ln()).abs() < 1e-12);
        assert!((log_softmax(&[-1e30, 0.0], 0) + 1e30).abs() < 1e24);
    }
}
