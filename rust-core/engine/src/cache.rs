//! The KV cache of a session: keys and values of all attention layers in one map, saving a prefix of it as bytes, and sharing a prefix
//! between the sessions of a model.

use std::ops::Range;
use std::sync::Arc;

use memmap2::MmapMut;
use whimbrel_kernels::{AttentionShape, KV_BLOCK, KvPrecision};

use crate::EngineError;

/// Keys and values of every attention layer, for all positions of the context: the system gives memory only to pages that
/// were written.
pub(crate) struct KvCache {
    map: MmapMut,
    layers: Vec<CachedLayer>,
    /// Keeps the memory that `map` reads where it was not written.
    shared: Option<Arc<SharedPrefix>>,
}

struct CachedLayer {
    layer: u32,
    shape: AttentionShape,
    /// Offset of the layer's keys in the map, in halves; its values follow.
    start: usize,
}

impl CachedLayer {
    /// Where in the map some blocks lie, in bytes: head after head, keys before values.
    fn ranges(&self, blocks: Range<usize>) -> impl Iterator<Item = Range<usize>> + use<> {
        let (start, shape) = (self.start, self.shape);
        (0..2 * shape.kv_heads).map(move |head| {
            let start = start + head * shape.head_halves();
            2 * (start + blocks.start * shape.block_halves())..2 * (start + blocks.end * shape.block_halves())
        })
    }
}

/// One attention layer of a graph.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AttentionLayer {
    pub(crate) layer: u32,
    pub(crate) heads: usize,
    pub(crate) kv_heads: usize,
    pub(crate) head_dim: usize,
}

impl AttentionLayer {
    /// The layer with a cache for so many positions, whole blocks of them.
    pub(crate) fn shape(&self, precision: KvPrecision, capacity: usize) -> AttentionShape {
        AttentionShape {
            heads: self.heads,
            kv_heads: self.kv_heads,
            head_dim: self.head_dim,
            capacity,
            precision,
        }
    }

    /// Bytes of keys and values of a block of positions.
    pub(crate) fn block_bytes(&self, precision: KvPrecision) -> u64 {
        4 * self.shape(precision, KV_BLOCK).cache_halves() as u64
    }
}

/// Tokens whose keys and values several sessions read in the same memory. A session that writes there gets a copy of the page.
pub(crate) struct SharedPrefix {
    ids: Vec<u32>,
    context_length: u32,
    file: std::fs::File,
}

impl SharedPrefix {
    pub(crate) fn ids(&self) -> &[u32] {
        &self.ids
    }

    /// Whether a session of this context may begin with the prefix, to run these tokens.
    pub(crate) fn serves(&self, context_length: u32, ids: &[u32]) -> bool {
        self.context_length == context_length && ids.starts_with(&self.ids)
    }
}

impl KvCache {
    /// Positions that lie together; a context has whole blocks of them.
    pub(crate) const BLOCK: usize = KV_BLOCK;

    pub(crate) fn new(
        layers: &[AttentionLayer],
        precision: KvPrecision,
        context_length: u32,
    ) -> Result<KvCache, EngineError> {
        let capacity = (context_length as usize).next_multiple_of(KvCache::BLOCK);
        let bytes = KvCache::saved_bytes(layers, precision, capacity);
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
        let layers = layers
            .iter()
            .map(|layer| {
                let shape = layer.shape(precision, capacity);
                let cached = CachedLayer {
                    layer: layer.layer,
                    shape,
                    start,
                };
                start += 2 * shape.cache_halves();
                cached
            })
            .collect();
        Ok(KvCache {
            map,
            layers,
            shared: None,
        })
    }

    /// Shape, keys and values of a layer.
    pub(crate) fn layer(&mut self, layer: u32) -> Option<(AttentionShape, &mut [u16], &mut [u16])> {
        let cached = self.layers.iter().find(|cached| cached.layer == layer)?;
        let (shape, length) = (cached.shape, cached.shape.cache_halves());
        // SAFETY: every bit pattern is a u16.
        let (_, halves, _) = unsafe { self.map.align_to_mut::<u16>() };
        let (keys, rest) = halves[cached.start..].split_at_mut(length);
        Some((shape, keys, &mut rest[..length]))
    }

    /// Bytes of the blocks that hold so many tokens.
    pub(crate) fn saved_bytes(layers: &[AttentionLayer], precision: KvPrecision, tokens: usize) -> u64 {
        let block: u64 = layers.iter().map(|layer| layer.block_bytes(precision)).sum();
        block * tokens.div_ceil(KvCache::BLOCK) as u64
    }

    /// Appends the blocks that hold the first `tokens` tokens, and zeros for what the last block holds of others: a prefix that
    /// is saved says nothing of what came after it.
    pub(crate) fn save(&self, tokens: usize, bytes: &mut Vec<u8>) {
        let kept = tokens % KvCache::BLOCK;
        for cached in &self.layers {
            let AttentionShape {
                kv_heads, precision, ..
            } = cached.shape;
            let ranges = cached.ranges(0..tokens.div_ceil(KvCache::BLOCK));
            for (head, range) in ranges.enumerate() {
                bytes.extend_from_slice(&self.map[range]);
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
    }

    /// Takes over what [`KvCache::save`] gave for as many tokens, from a cache over the same layers.
    pub(crate) fn restore(&mut self, tokens: usize, mut bytes: &[u8]) {
        let ranges: Vec<_> = self.ranges(0..tokens.div_ceil(KvCache::BLOCK)).collect();
        for range in ranges {
            let (part, rest) = bytes.split_at(range.len());
            self.map[range].copy_from_slice(part);
            bytes = rest;
        }
    }

    /// Where in the map some blocks lie, layer after layer.
    fn ranges(&self, blocks: Range<usize>) -> impl Iterator<Item = Range<usize>> {
        self.layers.iter().flat_map(move |cached| cached.ranges(blocks.clone()))
    }

    /// Puts the keys and values of the first tokens, which are `ids`, where other sessions can read them too, and reads them
    /// there itself. `used` tokens are in the cache.
    ///
    /// # Errors
    /// The system's reason, or that it cannot share memory; the cache is then as it was.
    pub(crate) fn share(
        &mut self,
        ids: &[u32],
        used: usize,
        context_length: u32,
    ) -> std::io::Result<Arc<SharedPrefix>> {
        let file = memory_file(self.map.len() as u64)?;
        let shared = Arc::new(SharedPrefix {
            ids: ids.to_vec(),
            context_length,
            file,
        });
        let end = ids.len().div_ceil(KvCache::BLOCK);
        for range in self.ranges(0..end) {
            write_at(&shared.file, &self.map[range.clone()], range.start as u64)?;
        }
        let mut map = private_map(&shared.file)?;
        for range in self.ranges(end..used.div_ceil(KvCache::BLOCK).max(end)) {
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
        self.shared = Some(shared);
        Ok(())
    }

    /// Whether some of the cache is memory that other sessions may read.
    pub(crate) fn is_shared(&self) -> bool {
        self.shared.is_some()
    }
}

/// Memory with a file's handle but without a name, of which only written pages take room.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn memory_file(bytes: u64) -> std::io::Result<std::fs::File> {
    let handle = rustix::fs::memfd_create("whimbrel-prefix", rustix::fs::MemfdFlags::CLOEXEC)?;
    let file = std::fs::File::from(handle);
    file.set_len(bytes)?;
    Ok(file)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn memory_file(_bytes: u64) -> std::io::Result<std::fs::File> {
    Err(std::io::ErrorKind::Unsupported.into())
}

#[cfg(unix)]
fn write_at(file: &std::fs::File, bytes: &[u8], offset: u64) -> std::io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, offset)
}

#[cfg(not(unix))]
fn write_at(_file: &std::fs::File, _bytes: &[u8], _offset: u64) -> std::io::Result<()> {
    Err(std::io::ErrorKind::Unsupported.into())
}

/// The whole file; what is written to the map is seen by nobody else.
fn private_map(file: &std::fs::File) -> std::io::Result<MmapMut> {
    // SAFETY: the file has no name and is written only while it is made, before anybody maps it.
    unsafe { memmap2::MmapOptions::new().map_copy(file) }
}
