//! What has become worse, in sentences for people.

use crate::words::{count, duration, model};
use crate::{EndingView, Overview, PageOptions, Regression, RegressionKind};

impl Overview {
    /// What a person may want to know because it is not as it was: models that have become slower or worse, and processes that were ended in the
    /// middle of a request. Empty if all is well.
    #[must_use]
    pub fn changes(&self, options: &PageOptions) -> Vec<String> {
        let regressions = self.regressions.iter().map(|regression| regressed(regression, options));
        regressions.chain(self.endings.iter().map(ended)).collect()
    }
}

fn regressed(regression: &Regression, options: &PageOptions) -> String {
    let model = model(Some(&regression.model), Some(&regression.variant));
    let since = options.date(regression.since_ms);
    let percent = |share: f64| format!("{:.0} %", share * 100.0);
    let Regression { before, after, .. } = *regression;
    match regression.kind {
        RegressionKind::Slower => format!(
            "{model} has been slower since {since}: {} for each token of an answer, {} before.",
            duration(after),
            duration(before)
        ),
        RegressionKind::Worse => format!(
            "{model} has failed more often since {since}: {} of its answers, {} before.",
            percent(after),
            percent(before)
        ),
        RegressionKind::Rejected => format!(
            "Answers of {model} have been rejected more often since {since}: {} of those that somebody judged, {} before.",
            percent(after),
            percent(before)
        ),
    }
}

fn ended(ending: &EndingView) -> String {
    let times = match ending.times {
        1 => "Once".to_owned(),
        2 => "Twice".to_owned(),
        times => format!("{} times", count(times)),
    };
    let stuck = match ending.stuck {
        0 => String::new(),
        stuck if stuck == ending.times => ", and nothing had gone on for some time".to_owned(),
        stuck => format!(", {} of them after nothing had gone on for some time", count(stuck)),
    };
    format!("{times} the app was ended while {}{stuck}.", ending.stage.words())
}
