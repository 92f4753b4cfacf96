//! The keys that describe a network, checked against each other.

use whimbrel_kernels::{AttentionShape, HEAD_DIM_MAX, KV_BLOCK, KvPrecision};

use super::super::{LAYERS_MAX, WIDTH_MAX};
use super::{Family, FamilyKeys, Rotation, Scales, Windows};
use crate::{ForgeError, Gguf};

/// The frequencies of most layers.
pub(super) const FREQUENCIES: &str = "rope_frequencies";
/// Those of the layers with a window, where they differ.
pub(super) const WINDOW_FREQUENCIES: &str = "rope_frequencies_window";
/// The most taps of a convolution.
const TAPS_MAX: u32 = 8;

/// The keys that describe a network of this family, checked against each other.
pub(super) struct Keys {
    pub(super) layers: Vec<Layer>,
    pub(super) width: u32,
    pub(super) feed_forward: u32,
    pub(super) heads: u32,
    pub(super) head_dim: u32,
    pub(super) rotated: u32,
    /// Columns that a convolution sees, if there are convolutions.
    pub(super) taps: u32,
    pub(super) context_length: u32,
    pub(super) epsilon: f32,
    pub(super) attention_scale: f32,
    frequency_base: f32,
    /// Linear position scaling: every frequency is divided by it.
    position_scale: f32,
    pub(super) window_frequency_base: Option<f32>,
    pub(super) scales: Scales,
}

/// What differs between layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layer {
    /// 0 in a layer that is a convolution.
    pub(super) kv_heads: u32,
    /// How many tokens it sees, if not all.
    pub(super) window: Option<u32>,
    /// The frequencies by which it turns queries and keys, if it does.
    pub(super) frequencies: Option<&'static str>,
}

impl Keys {
    pub(super) fn read(family: &Family, gguf: &Gguf<'_>) -> Result<Keys, ForgeError> {
        let file = FamilyKeys {
            gguf,
            family: family.name,
        };
        let width = file.required_count("embedding_length", WIDTH_MAX)?;
        let heads = file.required_count("attention.head_count", WIDTH_MAX)?;
        let head_dim = match file.count("attention.key_length", WIDTH_MAX)? {
            Some(head_dim) => head_dim,
            None if width.is_multiple_of(heads) => width / heads,
            None => {
                let reason = format!("{heads} heads do not divide the width {width}");
                return Err(ForgeError::key(&file.key("attention.head_count"), reason));
            }
        };
        let windows = (family.windows)(&file)?;
        let taps = match family.convolutions {
            true => file.required_count("shortconv.l_cache", TAPS_MAX)?,
            false => 0,
        };
        let keys = Keys {
            layers: layers(family, &file, heads, windows.as_ref())?,
            width,
            feed_forward: file.required_count("feed_forward_length", WIDTH_MAX)?,
            heads,
            head_dim,
            taps,
            rotated: file.count("rope.dimension_count", WIDTH_MAX)?.unwrap_or(head_dim),
            context_length: file.required_count("context_length", u32::MAX)?,
            epsilon: file.required_positive("attention.layer_norm_rms_epsilon")?,
            attention_scale: (family.attention_scale)(&file, head_dim)?,
            frequency_base: file.positive("rope.freq_base")?.unwrap_or(10_000.0),
            position_scale: file.position_scale()?,
            window_frequency_base: windows.and_then(|windows| windows.frequency_base),
            scales: (family.scales)(&file)?,
        };
        keys.check(&file)?;
        Ok(keys)
    }

    fn check(&self, file: &FamilyKeys<'_, '_>) -> Result<(), ForgeError> {
        let &Keys {
            heads,
            head_dim,
            rotated,
            ..
        } = self;
        let refuse = |key: &str, reason: String| Err(ForgeError::key(&file.key(key), reason));
        let of_attention = self
            .layers
            .iter()
            .map(|layer| layer.kv_heads)
            .filter(|kv_heads| *kv_heads > 0);
        if let Some(kv_heads) = of_attention.clone().find(|kv_heads| !heads.is_multiple_of(*kv_heads)) {
            return refuse(
                "attention.head_count_kv",
                format!("{kv_heads} does not divide {heads} heads"),
            );
        }
        if u64::from(heads) * u64::from(head_dim) > u64::from(WIDTH_MAX) {
            return refuse(
                "attention.key_length",
                format!("{heads} heads of {head_dim} exceed {WIDTH_MAX}"),
            );
        }
        let shape = AttentionShape {
            heads: heads as usize,
            kv_heads: heads as usize,
            head_dim: head_dim as usize,
            capacity: KV_BLOCK,
            precision: KvPrecision::default(),
        };
        if !shape.is_supported() {
            let reason = format!("heads of width {head_dim}: a multiple of 8 up to {HEAD_DIM_MAX} is supported");
            return refuse("attention.key_length", reason);
        }
        let number = |key: &str| file.gguf.u32(&file.key(key));
        if number("attention.value_length")?.is_some_and(|length| length != head_dim) {
            return refuse(
                "attention.value_length",
                format!("it must equal the key length {head_dim}"),
            );
        }
        if !rotated.is_multiple_of(2) || rotated > head_dim {
            let reason = format!("{rotated} is not an even number up to the head's width {head_dim}");
            return refuse("rope.dimension_count", reason);
        }
        if number("expert_count")?.is_some_and(|experts| experts > 0) {
            return refuse("expert_count", "mixtures of experts are not supported".to_owned());
        }
        Ok(())
    }

    /// The most key and value heads of a layer.
    pub(super) fn kv_heads(&self) -> u32 {
        self.layers.iter().map(|layer| layer.kv_heads).max().unwrap_or(0)
    }

    /// Whether a layer turns queries and keys by these frequencies.
    pub(super) fn uses(&self, frequencies: &str) -> bool {
        self.layers.iter().any(|layer| layer.frequencies == Some(frequencies))
    }

    /// The angle of each rotary pair per position. `factors` are Llama 3's: each divides one frequency.
    pub(super) fn frequencies(&self, factors: Option<Vec<f32>>) -> Vec<f32> {
        self.frequencies_of(self.frequency_base, self.position_scale, factors)
    }

    /// The same in the layers with a window.
    pub(super) fn window_frequencies(&self) -> Vec<f32> {
        self.frequencies_of(self.window_frequency_base.unwrap_or(self.frequency_base), 1.0, None)
    }

    fn frequencies_of(&self, base: f32, scale: f32, factors: Option<Vec<f32>>) -> Vec<f32> {
        let factors = factors.unwrap_or_else(|| vec![1.0; self.rotated as usize / 2]);
        let (base, scale) = (f64::from(base), f64::from(scale));
        let frequency = |(pair, factor): (usize, &f32)| {
            let exponent = -2.0 * pair as f64 / f64::from(self.rotated);
            (base.powf(exponent) / f64::from(*factor) / scale) as f32
        };
        factors.iter().enumerate().map(frequency).collect()
    }
}

fn layers(
    family: &Family,
    file: &FamilyKeys<'_, '_>,
    heads: u32,
    windows: Option<&Windows>,
) -> Result<Vec<Layer>, ForgeError> {
    let count = file.required_count("block_count", LAYERS_MAX)?;
    let kv_heads = file.kv_heads(count, heads)?;
    if kv_heads.contains(&0) && !family.convolutions {
        return Err(ForgeError::key(
            &file.key("attention.head_count_kv"),
            "a layer without attention is not supported",
        ));
    }
    let rotation: Rotation = (family.rotation)(file)?;
    let layer = |(number, kv_heads): (u32, u32)| {
        let windows = windows.filter(|windows| windows.layers[number as usize]);
        let frequencies = match windows.and_then(|windows| windows.frequency_base) {
            Some(_) => WINDOW_FREQUENCIES,
            None => FREQUENCIES,
        };
        Layer {
            kv_heads,
            window: windows.map(|windows| windows.length),
            frequencies: Some(frequencies).filter(|_| kv_heads > 0 && rotation.has(number)),
        }
    };
    Ok((0..count).zip(kv_heads).map(layer).collect())
}
