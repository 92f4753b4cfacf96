//! What the short convolutions of a session keep: the last few columns of their inputs. The columns of the latest tokens lie in a ring, so
//! that a text can be cut a few tokens before its end; those at marked lengths are copied.

use std::collections::BTreeMap;

use super::marks::{Mark, Marks};

/// Tokens whose columns lie in the ring: the taps of a convolution, the tokens of a run of guesses, and some more.
const RING: usize = 32;
/// The most taps of a convolution.
pub(crate) const TAPS_MAX: usize = 8;
/// Tokens between two lengths that are marked in passing.
const PASSING_TOKENS: usize = 256;
/// Marked lengths beside those in passing.
const MARKS: usize = 16;

/// One short convolution of a graph.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ConvolutionLayer {
    pub(crate) layer: u32,
    pub(crate) channels: usize,
    /// Columns that a token sees, its own included.
    pub(crate) taps: usize,
}

impl ConvolutionLayer {
    /// Values of the columns before a token that it sees.
    pub(super) fn state(&self) -> usize {
        (self.taps - 1) * self.channels
    }
}

/// How many lengths can be marked in a context.
fn marks_max(context_length: usize) -> usize {
    context_length / PASSING_TOKENS + MARKS
}

/// Bytes that the convolutions of a session keep at most.
pub(super) fn bytes(layers: &[ConvolutionLayer], context_length: usize) -> u64 {
    let values = |layer: &ConvolutionLayer| RING * layer.channels + (1 + marks_max(context_length)) * layer.state();
    layers.iter().map(|layer| 4 * values(layer) as u64).sum()
}

/// See the module.
pub(crate) struct Columns {
    layers: Vec<ConvolutionLayer>,
    /// For each layer `RING` columns; that of a position is at the position modulo `RING`.
    rings: Vec<Vec<f32>>,
    /// The positions whose columns the rings hold, at the beginning of a text with the zeros before it.
    first: usize,
    end: usize,
    /// The columns before the first token of the latest run, layer after layer. A run that fails has written over them in some rings.
    before: Vec<f32>,
    /// The position of that token.
    position: Option<usize>,
    marks: Marks,
    marks_max: usize,
    marked: BTreeMap<usize, Vec<f32>>,
}

impl Columns {
    pub(super) fn new(layers: &[ConvolutionLayer], context_length: usize) -> Columns {
        Columns {
            layers: layers.to_vec(),
            rings: layers.iter().map(|layer| vec![0.0; RING * layer.channels]).collect(),
            first: 0,
            end: 0,
            before: Vec::new(),
            position: None,
            marks: Marks::default(),
            marks_max: marks_max(context_length),
            marked: BTreeMap::new(),
        }
    }

    /// The most columns before a token that it sees.
    fn reach(&self) -> usize {
        self.layers.iter().map(|layer| layer.taps - 1).max().unwrap_or(0)
    }

    fn is_in_rings(&self, length: usize) -> bool {
        (self.first..=self.end).contains(&length) && (self.first == 0 || length - self.first >= self.reach())
    }

    /// Whether the text can go on from this length.
    pub(super) fn holds(&self, length: usize) -> bool {
        self.layers.is_empty()
            || length == 0
            || self.is_in_rings(length)
            || self.position == Some(length)
            || self.marked.contains_key(&length)
    }

    /// The columns before a length that is held, layer after layer.
    pub(super) fn at(&self, length: usize) -> Vec<f32> {
        if self.position == Some(length) {
            return self.before.clone();
        }
        if let Some(marked) = self.marked.get(&length).filter(|_| !self.is_in_rings(length)) {
            return marked.clone();
        }
        let mut columns = Vec::new();
        self.read_rings(length, &mut columns);
        columns
    }

    /// The columns before a length that are in the rings.
    fn read_rings(&self, length: usize, columns: &mut Vec<f32>) {
        columns.clear();
        for (layer, ring) in self.layers.iter().zip(&self.rings) {
            for back in (1..layer.taps).rev() {
                match length.checked_sub(back) {
                    Some(position) => {
                        columns.extend_from_slice(&ring[position % RING * layer.channels..][..layer.channels]);
                    }
                    // Before the text there is nothing.
                    None => columns.resize(columns.len() + layer.channels, 0.0),
                }
            }
        }
    }

    /// Goes on from a length with these columns before it.
    pub(super) fn load(&mut self, length: usize, mut columns: &[f32]) {
        for (layer, ring) in self.layers.iter().zip(&mut self.rings) {
            for back in (1..layer.taps).rev() {
                let (column, rest) = columns.split_at(layer.channels);
                columns = rest;
                if let Some(position) = length.checked_sub(back) {
                    ring[position % RING * layer.channels..][..layer.channels].copy_from_slice(column);
                }
            }
        }
        (self.first, self.end) = (length.saturating_sub(self.reach()), length);
        self.position = None;
    }

    /// Notes that a run of some rows begins. The columns before it can be read, and are kept if the run fails.
    ///
    /// `None` if they are not there.
    pub(super) fn prepare(&mut self, position: usize, rows: usize) -> Option<()> {
        if self.layers.is_empty() {
            return Some(());
        }
        if self.position == Some(position) {
            // A run that began here failed: what lies before it may be written over, and what it was to write is not there.
            self.first = self.first.min(position);
        } else {
            if !self.is_in_rings(position) {
                return None;
            }
            let mut before = std::mem::take(&mut self.before);
            self.read_rings(position, &mut before);
            self.before = before;
            self.position = Some(position);
        }
        self.end = position + rows;
        self.first = self.first.max(self.end.saturating_sub(RING));
        Some(())
    }

    /// The convolution of a layer and the columns before the run.
    pub(crate) fn before(&self, layer: u32) -> Option<(ConvolutionLayer, &[f32])> {
        let index = self.layers.iter().position(|other| other.layer == layer)?;
        let start: usize = self.layers[..index].iter().map(ConvolutionLayer::state).sum();
        let layer = self.layers[index];
        Some((layer, self.before.get(start..start + layer.state())?))
    }

    /// Keeps the columns of the tokens from `position` on, the last ones of as many as there are.
    pub(crate) fn keep(&mut self, layer: u32, position: usize, columns: &[f32]) {
        let Some(index) = self.layers.iter().position(|other| other.layer == layer) else {
            return;
        };
        let channels = self.layers[index].channels;
        let rows = columns.len() / channels;
        for (row, column) in columns
            .chunks_exact(channels)
            .enumerate()
            .skip(rows.saturating_sub(RING))
        {
            self.rings[index][(position + row) % RING * channels..][..channels].copy_from_slice(column);
        }
    }

    /// Keeps what is needed to go on from a length, if it is there.
    pub(super) fn mark(&mut self, mark: Mark, length: usize) {
        if self.layers.is_empty() || length == 0 || !self.holds(length) {
            return;
        }
        let columns = self.at(length);
        self.marked.insert(length, columns);
        self.marks.add(mark, length);
        if self.marked.len() > self.marks_max
            && let Some(least) = self.marks.take_least()
        {
            self.marked.remove(&least);
        }
    }

    /// Whether a text of this length is to be marked in passing.
    pub(super) fn is_passing(&self, length: usize) -> bool {
        !self.layers.is_empty() && length >= self.marks.last(Mark::Passing) + PASSING_TOKENS
    }

    /// Forgets everything behind a length that is held.
    pub(super) fn truncate(&mut self, length: usize) {
        if self.layers.is_empty() {
            return;
        }
        if self.is_in_rings(length) && self.position != Some(length) {
            self.end = length;
        } else if length == 0 {
            (self.first, self.end) = (0, 0);
        } else {
            let columns = self.at(length);
            self.load(length, &columns);
        }
        self.position = self.position.filter(|position| *position < length);
        self.marks.truncate(length);
        self.marked.retain(|marked, _| *marked <= length);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAYERS: [ConvolutionLayer; 2] = [
        ConvolutionLayer {
            layer: 0,
            channels: 1,
            taps: 3,
        },
        ConvolutionLayer {
            layer: 2,
            channels: 2,
            taps: 2,
        },
    ];

    /// The column of a position is its number plus one.
    fn run(columns: &mut Columns, position: usize, rows: usize) {
        columns.prepare(position, rows).expect("the columns are there");
        for layer in LAYERS {
            let numbers = (position..position + rows).flat_map(|number| vec![(number + 1) as f32; layer.channels]);
            columns.keep(layer.layer, position, &numbers.collect::<Vec<_>>());
        }
    }

    /// What `at` gives for a text of this length.
    fn expected(length: usize) -> Vec<f32> {
        let number = |back: usize| (length + 1).saturating_sub(back) as f32;
        vec![number(2), number(1), number(1), number(1)]
    }

    fn check(columns: &Columns, lengths: impl IntoIterator<Item = usize>, are_held: bool) {
        for length in lengths {
            assert_eq!(columns.holds(length), are_held, "{length}");
            if are_held {
                assert_eq!(columns.at(length), expected(length), "{length}");
            }
        }
    }

    #[test]
    fn the_last_tokens_can_be_taken_back() {
        let mut columns = Columns::new(&LAYERS, 1_024);
        run(&mut columns, 0, 1);
        check(&columns, 0..2, true);
        run(&mut columns, 1, 130);
        check(&columns, 101..132, true);
        check(&columns, 2..101, false);
        check(&columns, [0, 1], true);
        columns.truncate(120);
        check(&columns, 101..121, true);
        check(&columns, 121..140, false);
        run(&mut columns, 120, 9);
        columns.truncate(121);
        check(&columns, 104..122, true);
    }

    #[test]
    fn a_run_that_failed_changes_nothing() {
        let mut columns = Columns::new(&LAYERS, 1_024);
        run(&mut columns, 0, 50);
        columns.prepare(50, 100).expect("the columns are there");
        columns.keep(0, 50, &[-1.0; 100]);
        columns.truncate(50);
        check(&columns, [50], true);
        columns.prepare(50, 100).expect("the columns are there");
        assert_eq!(
            columns.before(0).map(|(_, before)| before.to_vec()),
            Some(vec![49.0, 50.0])
        );
        run(&mut columns, 50, 3);
        check(&columns, [52, 53], true);
    }

    #[test]
    fn marked_lengths_stay() {
        let mut columns = Columns::new(&LAYERS, 1_024);
        run(&mut columns, 0, 100);
        columns.mark(Mark::Fork, 99);
        columns.mark(Mark::Turn, 20);
        assert!(!columns.is_passing(255) && columns.is_passing(256));
        for position in 100..700 {
            run(&mut columns, position, 1);
            if position > 680 {
                columns.mark(Mark::Turn, position);
            }
        }
        check(&columns, [99, 690], true);
        check(&columns, [20, 98, 100, 600], false);
        columns.truncate(99);
        check(&columns, [99], true);
        run(&mut columns, 99, 9);
        columns.truncate(100);
        check(&columns, [99, 100], true);
    }
}
