//! The cache of a session: keys and values of all attention layers in one map, the columns of its convolutions, saving a prefix of them as
//! bytes, and sharing a prefix between the sessions of a model.

pub(crate) mod columns;
mod layout;
mod marks;
mod restoring;
mod shared;
mod windows;

use std::ops::Range;
use std::sync::Arc;

use memmap2::MmapMut;
use whimbrel_kernels::{AttentionShape, KV_BLOCK, KvPrecision, Window};

use self::columns::Columns;
pub(crate) use self::columns::ConvolutionLayer;
pub use self::layout::kept_tokens;
pub(crate) use self::layout::{AttentionLayer, Layout};
pub(crate) use self::marks::Mark;
pub(crate) use self::shared::SharedPrefix;
use self::shared::{memory_file, private_map, write_at};
use self::windows::WindowBlocks;
use crate::EngineError;

/// What a session keeps of the tokens that it has run: keys and values for all positions of the context (the system gives memory only to
/// pages that were written), or for the last ones in layers with a window, and the last columns in convolutions. A text can be cut at any
/// length if there are only layers of the first kind, and otherwise where [`KvCache::holds`] says.
pub(crate) struct KvCache {
    map: MmapMut,
    layers: Vec<CachedLayer>,
    /// Of the layers with a window, if there are any.
    windows: Option<WindowBlocks>,
    pub(crate) columns: Columns,
    layout: Layout,
    /// Keeps the memory that `map` reads where it was not written.
    shared: Option<Arc<SharedPrefix>>,
}

struct CachedLayer {
    layer: AttentionLayer,
    shape: AttentionShape,
    /// Offset of the layer's keys in the map, in halves; its values follow.
    start: usize,
}

impl CachedLayer {
    /// Where in the map the blocks at some places lie, in bytes: head after head, keys before values, and in each the places in order.
    fn ranges(&self, places: &[Range<usize>]) -> impl Iterator<Item = Range<usize>> {
        let shape = self.shape;
        (0..2 * shape.kv_heads).flat_map(move |head| {
            let start = self.start + head * shape.head_halves();
            let at = move |place: usize| 2 * (start + place * shape.block_halves());
            places.iter().map(move |places| at(places.start)..at(places.end))
        })
    }
}

/// What an attention layer finds in the cache.
pub(crate) struct LayerCache<'a> {
    pub(crate) shape: AttentionShape,
    pub(crate) window: Option<Window<'a>>,
    pub(crate) keys: &'a mut [u16],
    pub(crate) values: &'a mut [u16],
}

impl KvCache {
    /// Positions that lie together; a context has whole blocks of them.
    pub(crate) const BLOCK: usize = KV_BLOCK;

    pub(crate) fn new(layout: &Layout, context_length: u32) -> Result<KvCache, EngineError> {
        let context = context_length as usize;
        let bytes = layout.kv_bytes(context);
        let memory = |source| EngineError::Memory {
            what: format!("a context of {context_length} tokens"),
            context_length,
            bytes,
            source,
        };
        let length = usize::try_from(bytes)
            .map_err(|_| memory(std::io::Error::from(std::io::ErrorKind::OutOfMemory)))?
            .max(1);
        let map = MmapMut::map_anon(length).map_err(memory)?;
        let mut start = 0;
        let cached = layout.attention.iter().map(|layer| {
            let blocks = layout.capacity(layer.window.is_some(), context);
            let shape = layer.shape(layout.precision, blocks * KvCache::BLOCK);
            let cached = CachedLayer {
                layer: *layer,
                shape,
                start,
            };
            start += 2 * shape.cache_halves();
            cached
        });
        let windows = layout.window().map(|window| {
            let blocks = context.div_ceil(KvCache::BLOCK);
            WindowBlocks::new(window, blocks, layout.capacity(true, context))
        });
        Ok(KvCache {
            map,
            layers: cached.collect(),
            windows,
            columns: Columns::new(&layout.convolutions, context),
            layout: layout.clone(),
            shared: None,
        })
    }

    /// Whether the text can be cut at this length, at most that of the text, to go on from there.
    pub(crate) fn holds(&self, length: usize) -> bool {
        self.windows.as_ref().is_none_or(|windows| windows.holds(length)) && self.columns.holds(length)
    }

    /// Makes room for the tokens of a run. Layers do that one after the other for the same run.
    ///
    /// `None` if the run has more rows than layers with a window have room for, or does not begin at a length that is held.
    pub(crate) fn prepare(&mut self, position: usize, rows: usize) -> Option<()> {
        self.columns.prepare(position, rows)?;
        match &mut self.windows {
            Some(windows) => windows.prepare(position, rows),
            None => Some(()),
        }
    }

    /// Keeps what is needed to go on from a length, as far as there is room for it.
    pub(crate) fn mark(&mut self, mark: Mark, length: usize) {
        if let Some(windows) = &mut self.windows {
            windows.mark(mark, length);
        }
        self.columns.mark(mark, length);
    }

    /// Marks the length of a text that has grown by many tokens without a mark.
    pub(crate) fn mark_in_passing(&mut self, length: usize) {
        if self.columns.is_passing(length) {
            self.mark(Mark::Passing, length);
        }
    }

    /// Forgets everything behind a length that is held.
    pub(crate) fn truncate(&mut self, length: usize) {
        if let Some(windows) = &mut self.windows {
            windows.truncate(length);
        }
        self.columns.truncate(length);
    }

    /// What the cache has of a layer.
    pub(crate) fn layer(&mut self, layer: u32) -> Option<LayerCache<'_>> {
        let cached = self.layers.iter().find(|cached| cached.layer.layer == layer)?;
        let (shape, length) = (cached.shape, cached.shape.cache_halves());
        let window = match (cached.layer.window, &self.windows) {
            (Some(length), Some(windows)) => Some(Window {
                length,
                places: windows.places(),
            }),
            _ => None,
        };
        // SAFETY: every bit pattern is a u16.
        let (_, halves, _) = unsafe { self.map.align_to_mut::<u16>() };
        let (keys, rest) = halves[cached.start..].split_at_mut(length);
        Some(LayerCache {
            shape,
            window,
            keys,
            values: &mut rest[..length],
        })
    }

    /// Appends the blocks and columns that are needed to go on from `tokens` tokens, a length that is held, and zeros for what the last
    /// block holds of others: a prefix that is saved says nothing of what came after it.
    pub(crate) fn save(&self, tokens: usize, bytes: &mut Vec<u8>) {
        let kept = tokens % KvCache::BLOCK;
        for cached in &self.layers {
            let AttentionShape {
                kv_heads, precision, ..
            } = cached.shape;
            let places = self.places(&cached.layer, self.layout.blocks(&cached.layer, tokens));
            let each = places.len();
            for head in 0..2 * kv_heads {
                for range in cached.ranges(&places).skip(head * each).take(each) {
                    bytes.extend_from_slice(&self.map[range]);
                }
                if kept == 0 {
                    continue;
                }
                let start = bytes.len() - 2 * cached.shape.block_halves();
                let (scales, value_bytes) = match precision {
                    KvPrecision::Half => (0, 2),
                    KvPrecision::Int8 => (2 * KvCache::BLOCK, 1),
                };
                let (scales, block) = bytes[start..].split_at_mut(scales);
                scales.iter_mut().skip(2 * kept).for_each(|byte| *byte = 0);
                if head < kv_heads {
                    // Keys lie column by column.
                    let columns = block.chunks_exact_mut(value_bytes * KvCache::BLOCK);
                    columns.for_each(|column| column[value_bytes * kept..].fill(0));
                } else {
                    block[value_bytes * kept * cached.shape.head_dim..].fill(0);
                }
            }
        }
        let columns = self.columns.at(tokens);
        bytes.extend(columns.iter().flat_map(|value| value.to_le_bytes()));
    }

    /// Where in the cache of a layer some blocks lie, those that are there: the places of several blocks where they lie together.
    fn places(&self, layer: &AttentionLayer, blocks: Range<usize>) -> Vec<Range<usize>> {
        match self.windows.as_ref().filter(|_| layer.window.is_some()) {
            Some(windows) => {
                let present = windows.present().filter(|(block, _)| blocks.contains(block));
                present.map(|(_, place)| place..place + 1).collect()
            }
            None if blocks.is_empty() => Vec::new(),
            None => vec![blocks],
        }
    }

    /// Puts what is needed to go on from the first tokens, which are `ids` and a length that is held, where other sessions can read it too,
    /// and reads it there itself. `used` tokens are in the cache.
    ///
    /// # Errors
    /// The system's reason, or that it cannot share memory; the cache is then as it was.
    pub(crate) fn share(
        &mut self,
        ids: &[u32],
        used: usize,
        context_length: u32,
    ) -> std::io::Result<Arc<SharedPrefix>> {
        let shared = Arc::new(SharedPrefix {
            ids: ids.to_vec(),
            context_length,
            file: memory_file(self.map.len() as u64)?,
            places: self
                .windows
                .as_ref()
                .map_or_else(Vec::new, |windows| windows.places_at(ids.len())),
            columns: self.columns.at(ids.len()),
        });
        let mut own = Vec::new();
        for cached in &self.layers {
            let blocks = self.layout.blocks(&cached.layer, ids.len());
            for range in cached.ranges(&self.places(&cached.layer, blocks.clone())) {
                write_at(&shared.file, &self.map[range.clone()], range.start as u64)?;
            }
            for others in [
                0..blocks.start,
                blocks.end..used.div_ceil(KvCache::BLOCK).max(blocks.end),
            ] {
                own.extend(cached.ranges(&self.places(&cached.layer, others)));
            }
        }
        let mut map = private_map(&shared.file)?;
        for range in own {
            map[range.clone()].copy_from_slice(&self.map[range]);
        }
        self.map = map;
        self.shared = Some(shared.clone());
        Ok(shared)
    }

    /// Begins with a prefix that another session shared; everything else is forgotten.
    ///
    /// # Errors
    /// The system's reason; the cache is then as it was.
    pub(crate) fn adopt(&mut self, shared: Arc<SharedPrefix>) -> std::io::Result<()> {
        self.map = private_map(&shared.file)?;
        self.truncate(0);
        if let Some(windows) = &mut self.windows {
            windows.adopt(&shared.places);
        }
        self.columns.load(shared.ids.len(), &shared.columns);
        self.mark(Mark::Fork, shared.ids.len());
        self.shared = Some(shared);
        Ok(())
    }

    /// Whether some of the cache is memory that other sessions may read.
    pub(crate) fn is_shared(&self) -> bool {
        self.shared.is_some()
    }
}
