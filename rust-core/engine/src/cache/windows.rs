//! Which blocks of positions the layers with a window have in their caches, and at which places. All such layers of a session have the same
//! blocks. A block that no token sees any more stays until its place is needed, so that a text can be cut a few hundred tokens before its
//! end; blocks that a marked length needs stay longer.

use std::ops::Range;

use whimbrel_kernels::KV_BLOCK;

use super::marks::{Mark, Marks};
use crate::PREFILL_CHUNK;

/// In the table of places: the block is not in the cache.
const ABSENT: u32 = u32::MAX;

/// How many blocks a cache for a window of so many positions has room for: those that a run sees and writes, and as many again as a
/// marked length needs.
pub(super) fn blocks_of(window: usize) -> usize {
    let run = blocks_around(window - 1 + PREFILL_CHUNK);
    run + blocks_around(window)
}

/// The most blocks that so many positions lie in.
fn blocks_around(positions: usize) -> usize {
    (positions + KV_BLOCK - 1).div_ceil(KV_BLOCK)
}

/// The blocks that the tokens from a length of the text on need.
pub(super) fn blocks_before(window: usize, length: usize) -> Range<usize> {
    (length + 1).saturating_sub(window) / KV_BLOCK..length.div_ceil(KV_BLOCK)
}

/// See the module.
#[derive(Debug)]
pub(super) struct WindowBlocks {
    /// The longest window of a layer.
    window: usize,
    /// The place of each block of the context.
    places: Vec<u32>,
    free: Vec<u32>,
    marks: Marks,
}

impl WindowBlocks {
    /// For a context of `blocks` blocks and caches of `capacity` blocks.
    pub(super) fn new(window: usize, blocks: usize, capacity: usize) -> WindowBlocks {
        WindowBlocks {
            window,
            places: vec![ABSENT; blocks],
            free: (0..capacity as u32).rev().collect(),
            marks: Marks::default(),
        }
    }

    pub(super) fn places(&self) -> &[u32] {
        &self.places
    }

    /// The blocks that are in the cache, with their places.
    pub(super) fn present(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        let places = self.places.iter().enumerate();
        places
            .filter(|(_, place)| **place != ABSENT)
            .map(|(block, place)| (block, *place as usize))
    }

    /// Whether the text can go on from this length.
    pub(super) fn holds(&self, length: usize) -> bool {
        let blocks = self.places.get(blocks_before(self.window, length));
        blocks.is_some_and(|places| !places.contains(&ABSENT))
    }

    /// Gives every block that a run needs a place. What stood there before is lost.
    ///
    /// `None` if the run is too long for the cache or the context, or what it sees is not there.
    pub(super) fn prepare(&mut self, position: usize, rows: usize) -> Option<()> {
        let needed = blocks_before(self.window, position).start..(position + rows).div_ceil(KV_BLOCK);
        if needed.end > self.places.len() || !self.holds(position) {
            return None;
        }
        for block in needed.clone() {
            if self.places[block] == ABSENT {
                self.places[block] = self.free.pop().or_else(|| self.evict(&needed))?;
            }
        }
        Some(())
    }

    /// Takes a place from a block that is not needed: the oldest one without a mark, or else of the mark that is given up first.
    fn evict(&mut self, needed: &Range<usize>) -> Option<u32> {
        loop {
            let mut present = self.present();
            let found = present.find(|(block, _)| !needed.contains(block) && !self.is_marked(*block));
            drop(present);
            if let Some((block, place)) = found {
                self.places[block] = ABSENT;
                return Some(place as u32);
            }
            self.marks.take_least()?;
        }
    }

    fn is_marked(&self, block: usize) -> bool {
        let mut lengths = self.marks.lengths();
        lengths.any(|length| blocks_before(self.window, length).contains(&block))
    }

    /// Keeps what is needed to go on from a length, if it is there.
    pub(super) fn mark(&mut self, mark: Mark, length: usize) {
        // What lies a few hundred tokens back is there without a mark, and marks further back leave no room.
        if mark > Mark::Passing && self.holds(length) {
            self.marks.add(mark, length);
        }
    }

    /// Forgets everything behind a length.
    pub(super) fn truncate(&mut self, length: usize) {
        self.marks.truncate(length);
        for place in &mut self.places[length.div_ceil(KV_BLOCK)..] {
            if *place != ABSENT {
                self.free.push(*place);
                *place = ABSENT;
            }
        }
    }

    /// Gives the blocks that are needed to go on from a length a place in an empty cache.
    pub(super) fn place(&mut self, length: usize) {
        for block in blocks_before(self.window, length) {
            self.places[block] = self.free.pop().expect("the cache has room for a window");
        }
    }

    /// Takes over the blocks of another cache, at the same places, into an empty one.
    pub(super) fn adopt(&mut self, places: &[u32]) {
        self.free.retain(|place| !places.contains(place));
        self.places = places.to_vec();
    }

    /// The table of places with only the blocks that are needed to go on from a length.
    pub(super) fn places_at(&self, length: usize) -> Vec<u32> {
        let needed = blocks_before(self.window, length);
        let places = self.places.iter().enumerate();
        places
            .map(|(block, place)| if needed.contains(&block) { *place } else { ABSENT })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A window of two blocks: 6 blocks for the run, 3 for a mark.
    fn windows() -> WindowBlocks {
        assert_eq!(blocks_of(128), 8);
        WindowBlocks::new(128, 40, blocks_of(128))
    }

    fn run(windows: &mut WindowBlocks, lengths: Range<usize>) {
        for position in lengths {
            windows.prepare(position, 1).expect("one row fits");
        }
    }

    fn held(windows: &WindowBlocks, lengths: Range<usize>) -> Option<Range<usize>> {
        let mut held = lengths.filter(|length| windows.holds(*length));
        let first = held.next()?;
        Some(first..held.next_back().unwrap_or(first) + 1)
    }

    #[test]
    fn the_last_few_hundred_tokens_can_be_taken_back() {
        let mut windows = windows();
        run(&mut windows, 0..1_000);
        // Blocks 8 to 15 are there.
        assert_eq!(held(&windows, 1..1_001), Some(8 * 64 + 127..1_001));
        assert!(windows.holds(0), "the beginning needs nothing");
        windows.truncate(700);
        run(&mut windows, 700..1_100);
        assert_eq!(held(&windows, 1..1_101), Some(10 * 64 + 127..1_101));
    }

    #[test]
    fn a_mark_keeps_its_blocks_until_room_is_needed() {
        let mut windows = windows();
        run(&mut windows, 0..100);
        windows.mark(Mark::Fork, 100);
        run(&mut windows, 100..2_000);
        assert!(windows.holds(100) && windows.holds(2_000) && !windows.holds(101 + 64));
        // The longest run takes all but the room of one mark.
        windows.prepare(2_000, PREFILL_CHUNK).expect("a chunk fits");
        assert!(windows.holds(100) && windows.holds(2_000));
        windows.mark(Mark::Turn, 2_000);
        run(&mut windows, 2_000..2_500);
        assert!(windows.holds(2_000), "the latest turn is kept");
        windows.truncate(2_000);
        assert!(windows.holds(2_000));
        windows.truncate(99);
        assert_eq!(windows.marks.lengths().count(), 0);
    }

    #[test]
    fn a_run_that_is_too_long_is_refused() {
        let mut windows = windows();
        assert_eq!(windows.prepare(0, 8 * 64), Some(()));
        assert_eq!(windows.prepare(0, 8 * 64 + 1), None);
        assert_eq!(windows.prepare(40 * 64, 1), None);
    }

    #[test]
    fn another_cache_is_taken_over() {
        let mut windows = windows();
        run(&mut windows, 0..700);
        let places = windows.places_at(650);
        let mut other = self::windows();
        run(&mut other, 0..900);
        other.truncate(0);
        other.adopt(&places);
        other.mark(Mark::Fork, 650);
        assert_eq!(held(&other, 1..901), Some(639..705));
        run(&mut other, 650..2_000);
        assert!(other.holds(650), "its end is marked");
        let mut all: Vec<usize> = other.present().map(|(_, place)| place).collect();
        all.sort_unstable();
        assert_eq!(all, (0..8).collect::<Vec<_>>(), "no place is taken twice");
    }
}
