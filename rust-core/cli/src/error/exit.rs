//! Exit statuses; part of the interface, see `docs/command-line.md`.

pub(crate) const SUCCESS: u8 = 0;
pub(crate) const INTERNAL: u8 = 1;
pub(crate) const USAGE: u8 = 2;
pub(crate) const MODEL_MISSING: u8 = 3;
pub(crate) const BUNDLE_DAMAGED: u8 = 4;
pub(crate) const INPUT: u8 = 5;
pub(crate) const CONTEXT_FULL: u8 = 6;
pub(crate) const IO: u8 = 7;
pub(crate) const FETCH: u8 = 8;
pub(crate) const LEDGER: u8 = 9;
pub(crate) const NOT_ANSWERED: u8 = 10;
pub(crate) const TOOLS: u8 = 11;
pub(crate) const INTERRUPTED: u8 = 130;
pub(crate) const OUTPUT_CLOSED: u8 = 141;
