//! A whole answer of `run` or `task`: what is printed, and what is said about it.

use std::io::{self, Write};

use serde::Serialize;
use whimbrel_client::record::Outcome;
use whimbrel_client::{CallReport, Report};

use super::figures::Figures;
use super::{AnswerSource, Completion, report};
use crate::error::exit;
use crate::terminal::output::{Facts, OutputArguments, watched};
use crate::terminal::screen::Screen;
use crate::terminal::style;

/// What is printed: with a policy where it was answered, without one how quickly.
#[derive(Serialize)]
#[serde(untagged)]
pub(crate) enum Answered<'a> {
    UnderPolicy {
        /// Empty when there is no answer.
        text: &'a str,
        /// Null when the model did not think.
        thinking: Option<&'a str>,
        route: &'a Report,
    },
    ByModel {
        model: &'a str,
        variant: &'a str,
        text: &'a str,
        thinking: Option<&'a str>,
        /// The tools that were called.
        #[serde(skip_serializing_if = "<[_]>::is_empty")]
        calls: &'a [CallReport],
        #[serde(flatten)]
        figures: Figures,
        context_length: u32,
        threads: u32,
        load_ms: f64,
    },
}

impl<'a> Answered<'a> {
    pub(crate) fn new(source: &'a AnswerSource, completion: &'a Completion, context_length: u32) -> Answered<'a> {
        let Completion { text, thinking, report } = completion;
        let thinking = Some(thinking.as_str()).filter(|thinking| !thinking.is_empty());
        match (source.assistant(), source.model_info()) {
            (None, Some(info)) => Answered::ByModel {
                model: &info.manifest.name,
                variant: &info.variant,
                text,
                thinking,
                calls: &report.calls,
                figures: report.into(),
                context_length,
                threads: info.threads,
                load_ms: info.load_ms,
            },
            _ => Answered::UnderPolicy {
                text,
                thinking,
                route: report,
            },
        }
    }
}

impl Facts for Answered<'_> {
    /// The text itself was shown as it came.
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        let (Answered::UnderPolicy { text, .. } | Answered::ByModel { text, .. }) = self;
        let has_no_line = matches!(self, Answered::UnderPolicy { text: "", .. });
        match has_no_line || text.ends_with('\n') {
            true => Ok(()),
            false => writeln!(out),
        }
    }
}

/// Where the answer is shown as it comes.
pub(crate) fn screen(source: &AnswerSource, output: OutputArguments) -> Screen {
    match output.json {
        true => Screen::Silent,
        false => Screen::new(source.assistant().is_some()),
    }
}

/// Says on standard error how it went, and returns the exit status: that there is no answer is a fact, and still a failure.
pub(crate) fn conclude(report: &Report, with_figures: bool, output: OutputArguments) -> u8 {
    let lines = report::lines(report);
    if let Some(error) = report::not_answered(report) {
        let error = error.report();
        style::error(&error.line());
        lines.iter().skip(1).for_each(|line| style::note(line));
        return error.status;
    }
    let is_under_policy = report.receipt.is_some();
    if is_under_policy {
        lines.iter().for_each(|line| style::note(line));
    }
    let is_watched = !is_under_policy && !output.json && watched();
    if with_figures || is_watched {
        style::note(&report::figures(report));
    }
    match report.outcome {
        Outcome::Cancelled => exit::INTERRUPTED,
        _ => exit::SUCCESS,
    }
}
