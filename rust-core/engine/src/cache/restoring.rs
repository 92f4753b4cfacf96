//! Filling a cache from a saved prefix: the source is read in pieces by all threads, straight to where the keys and values belong.

use std::io;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use whimbrel_kernels::ThreadPool;

use super::{KvCache, Mark};
use crate::session::prefix::PrefixSource;

/// The most bytes that a thread reads at a time, about: so many that a source which decrypts need not begin often.
const PIECE_BYTES_MAX: u64 = 1 << 20;
/// Into how many pieces a small prefix is cut for each thread.
const PIECES_A_THREAD: u64 = 4;

/// Bytes of the source that one thread reads, and where they go, in the source's order.
struct Piece<'m> {
    offset: u64,
    parts: Vec<&'m mut [u8]>,
}

impl KvCache {
    /// Takes over what [`KvCache::save`] gave for as many tokens, from a cache over the same layers. The bytes are read from a place in the
    /// source on. Everything else is forgotten.
    ///
    /// # Errors
    /// The source's; the cache is then empty.
    pub(crate) fn restore(
        &mut self,
        tokens: usize,
        (source, start): (&dyn PrefixSource, u64),
        pool: &ThreadPool,
    ) -> io::Result<()> {
        self.truncate(0);
        if let Some(windows) = &mut self.windows {
            windows.place(tokens);
        }
        let mut columns = vec![0; 4 * self.layout.state()];
        let mut offset = start;
        let mut targets = Vec::new();
        for range in self.saved_ranges(tokens) {
            let length = range.len() as u64;
            targets.push((offset, range));
            offset += length;
        }
        let mut parts = split(&mut self.map, targets);
        parts.push((offset, &mut columns));
        let each = (source.bytes() - start) / (PIECES_A_THREAD * pool.threads() as u64);
        let chunk = u64::from(source.chunk_bytes().max(1));
        let piece_bytes = each.clamp(1, PIECE_BYTES_MAX).next_multiple_of(chunk);
        if let Err(error) = read(source, pieces(parts, piece_bytes), pool) {
            self.truncate(0);
            return Err(error);
        }
        let (columns, _) = columns.as_chunks::<4>();
        let columns: Vec<f32> = columns.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        self.columns.load(tokens, &columns);
        self.mark(Mark::Fork, tokens);
        Ok(())
    }

    /// Where in the map the blocks lie that are needed to go on from a length, in the order in which they are saved.
    fn saved_ranges(&self, tokens: usize) -> Vec<Range<usize>> {
        let layers = self.layers.iter().flat_map(|cached| {
            let places = self.places(&cached.layer, self.layout.blocks(&cached.layer, tokens));
            cached.ranges(&places).collect::<Vec<_>>()
        });
        layers.collect()
    }
}

/// The parts of the map at these ranges, which do not overlap, with their places in the source and in its order.
fn split(map: &mut [u8], mut targets: Vec<(u64, Range<usize>)>) -> Vec<(u64, &mut [u8])> {
    targets.sort_unstable_by_key(|(_, range)| range.start);
    let (mut rest, mut end) = (map, 0);
    let mut parts = Vec::with_capacity(targets.len() + 1);
    for (offset, range) in targets {
        let (_, behind) = rest.split_at_mut(range.start - end);
        let (part, behind) = behind.split_at_mut(range.len());
        parts.push((offset, part));
        (rest, end) = (behind, range.end);
    }
    parts.sort_unstable_by_key(|(offset, _)| *offset);
    parts
}

/// Cuts parts that follow one another in the source wherever so many bytes of it end.
fn pieces(parts: Vec<(u64, &mut [u8])>, piece_bytes: u64) -> Vec<Piece<'_>> {
    let mut pieces: Vec<Piece<'_>> = Vec::new();
    for (mut offset, mut part) in parts {
        while !part.is_empty() {
            if offset.is_multiple_of(piece_bytes) || pieces.is_empty() {
                pieces.push(Piece {
                    offset,
                    parts: Vec::new(),
                });
            }
            let room = piece_bytes - offset % piece_bytes;
            let (now, later) = part.split_at_mut(part.len().min(usize::try_from(room).unwrap_or(usize::MAX)));
            offset += now.len() as u64;
            pieces.last_mut().expect("one was begun").parts.push(now);
            part = later;
        }
    }
    pieces
}

/// Reads the pieces, and stops at the first error.
fn read(source: &dyn PrefixSource, pieces: Vec<Piece<'_>>, pool: &ThreadPool) -> io::Result<()> {
    let failed = Mutex::new(None);
    let note = |error| {
        let mut failed = failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.get_or_insert(error);
    };
    let has_failed = || failed.lock().unwrap_or_else(PoisonError::into_inner).is_some();
    // Each piece is taken by one task.
    let pieces: Vec<_> = pieces.into_iter().map(Mutex::new).collect();
    pool.run(pieces.len(), &|task| {
        if has_failed() {
            return;
        }
        let mut piece = pieces[task].lock().unwrap_or_else(PoisonError::into_inner);
        let Piece { offset, parts } = &mut *piece;
        if let Err(error) = source.read(*offset, parts) {
            note(error);
        }
    });
    failed
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner)
        .map_or(Ok(()), Err)
}
