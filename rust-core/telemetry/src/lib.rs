//! What requests took: counts and histograms of their times, tokens, memory and energy, made from receipts, and what is told about them to the
//! person who uses the device, to the router, and, with consent, to the app's developer. The crate is pure: it uses no files, no network and no
//! clock.
//!
//! The ledger is the journal: a [`Meter`] is what the receipts up to some entry add up to. It can be thrown away and made again as far as the
//! receipts are still there, and nothing is counted twice or forgotten when a process is killed. `docs/telemetry.md` describes what is measured.

mod day;
mod histogram;
mod measure;
mod meter;
mod overview;
mod series;

pub use day::{DAYS_MAX, Day};
pub use histogram::{BUCKETS_MAX, Histogram};
pub use measure::{Measure, Unit};
pub use meter::{Meter, MeterError};
pub use overview::{DayView, EnergyView, HistogramView, Overview, SeriesView};
pub use series::{OTHER, Outcomes, SERIES_MAX, Series, SeriesKey};
