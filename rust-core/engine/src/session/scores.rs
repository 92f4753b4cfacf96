//! The scores of a run for the next token: its logits, with the largest of each group of them.

use whimbrel_kernels::PANEL_ROWS;

/// Logits whose largest is noted.
pub(crate) const SCORE_GROUP: usize = PANEL_ROWS;

/// The logits after one token, one per vocabulary entry, with the largest of each group of them.
#[derive(Debug)]
pub struct Scores<'a> {
    pub(crate) logits: &'a mut [f32],
    /// The largest of each [`SCORE_GROUP`] logits; negative infinity where none is a number.
    pub(crate) maxima: &'a mut [f32],
}
