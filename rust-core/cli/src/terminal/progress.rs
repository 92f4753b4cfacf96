//! Progress on standard error: a bar for people, one line when nobody watches.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::terminal::output;

/// How long between two redraws of a spinner.
const TICK: Duration = Duration::from_millis(100);

/// A piece of work in progress. Disappears when dropped.
pub(crate) struct Progress(ProgressBar);

impl Progress {
    /// Work measured in bytes.
    pub(crate) fn bytes(title: &str, total: u64) -> Progress {
        Progress::new(
            title,
            total,
            "{msg} {wide_bar} {decimal_bytes}/{decimal_total_bytes} {eta}",
        )
    }

    /// Bytes that come from elsewhere, with their speed. `done` of them came earlier; the total may be unknown.
    pub(crate) fn transfer(title: &str, done: u64, total: Option<u64>) -> Progress {
        let bar = match total {
            Some(total) => Progress::new(
                title,
                total,
                "{msg} {wide_bar} {decimal_bytes}/{decimal_total_bytes} {decimal_bytes_per_sec} {eta}",
            ),
            None => Progress::new(title, done, "{msg} {decimal_bytes} {decimal_bytes_per_sec}"),
        };
        bar.0.set_position(done);
        bar.0.reset_eta();
        bar
    }

    /// Work measured in steps.
    pub(crate) fn steps(title: &str, total: u64) -> Progress {
        Progress::new(title, total, "{msg} {wide_bar} {pos}/{len} {eta}")
    }

    fn new(title: &str, total: u64, template: &str) -> Progress {
        if !output::watched() {
            eprintln!("{title}");
            return Progress(ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::hidden()));
        }
        let style = ProgressStyle::with_template(template).expect("the templates above are valid");
        let bar = ProgressBar::new(total).with_style(style).with_message(title.to_owned());
        bar.enable_steady_tick(TICK);
        Progress(bar)
    }

    /// Sets how much is done.
    pub(crate) fn set(&self, done: u64) {
        self.0.set_position(done);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
