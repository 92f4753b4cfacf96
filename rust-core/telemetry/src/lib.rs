//! What requests took: counts and histograms of their times, tokens, memory and energy, made from receipts, and what is told about them to the
//! person who uses the device, to the router, and, with consent, to the app's developer. The crate is pure: it uses no files, no network and no
//! clock.
//!
//! The ledger is the journal: a [`Meter`] is what the receipts up to some entry add up to. It can be thrown away and made again as far as the
//! receipts are still there, and nothing is counted twice or forgotten when a process is killed. `docs/telemetry.md` describes what is measured.

mod changes;
mod day;
mod energy;
pub mod export;
mod histogram;
mod mark;
mod measure;
mod meter;
mod overview;
mod page;
mod regression;
mod report;
mod series;
mod spark;
mod summary;
mod timeline;
pub mod words;

pub use day::{DAYS_MAX, Day};
pub use energy::{ENERGY_METHODS, Spent};
pub use histogram::{BUCKETS_MAX, Histogram};
pub use mark::{Ended, MARK_BYTES, MARKS_BYTES, MARKS_MAX, Mark, STUCK_MS_LEAST, Stage, ended, heartbeat};
pub use measure::{Measure, Unit};
pub use meter::{Endings, Meter, MeterError};
pub use overview::{DayView, EndingView, EnergyView, HistogramView, Overview, SeriesView};
pub use regression::{ExpectedSpeed, Regression, RegressionKind, WATCHES_MAX, Watch, WatchKey};
pub use series::{OTHER, Outcomes, SERIES_MAX, Series, SeriesKey};
pub use spark::{bar, sparkline};
pub use summary::PageOptions;
