//! The keys of a file that begin with the name of its family, read one by one.

use super::super::{LAYERS_MAX, WIDTH_MAX, required};
use crate::gguf::Value;
use crate::{ForgeError, Gguf};

const SCALING_TYPES: &str = "none, linear";
/// The longest window of a layer, in tokens; what sees more sees everything.
const WINDOW_MAX: u32 = 1 << 20;

/// The keys of a file that begin with the name of its family.
pub(in super::super) struct FamilyKeys<'g, 'a> {
    pub(super) gguf: &'g Gguf<'a>,
    pub(super) family: &'static str,
}

impl<'a> FamilyKeys<'_, 'a> {
    /// The whole name of a key.
    pub(in super::super) fn key(&self, key: &str) -> String {
        format!("{}.{key}", self.family)
    }

    /// A number from 1 to `limit`.
    pub(super) fn count(&self, key: &str, limit: u32) -> Result<Option<u32>, ForgeError> {
        let key = self.key(key);
        match self.gguf.u32(&key)? {
            Some(value) if value == 0 || value > limit => {
                Err(ForgeError::key(&key, format!("{value} is not from 1 to {limit}")))
            }
            value => Ok(value),
        }
    }

    pub(in super::super) fn required_count(&self, key: &str, limit: u32) -> Result<u32, ForgeError> {
        required(self.count(key, limit)?, &self.key(key))
    }

    pub(in super::super) fn positive(&self, key: &str) -> Result<Option<f32>, ForgeError> {
        let key = self.key(key);
        match self.gguf.f32(&key)? {
            Some(value) if value <= 0.0 => Err(ForgeError::key(&key, "it must be greater than 0")),
            value => Ok(value),
        }
    }

    pub(in super::super) fn required_positive(&self, key: &str) -> Result<f32, ForgeError> {
        required(self.positive(key)?, &self.key(key))
    }

    /// A factor; 0 means none, in llama.cpp and here.
    pub(in super::super) fn factor(&self, key: &str) -> Result<Option<f32>, ForgeError> {
        let key = self.key(key);
        match self.gguf.f32(&key)? {
            Some(factor) if factor < 0.0 => Err(ForgeError::key(&key, "it must not be negative")),
            factor => Ok(factor.filter(|factor| *factor != 0.0)),
        }
    }

    pub(in super::super) fn flag(&self, key: &str) -> Result<Option<bool>, ForgeError> {
        Ok(self.gguf.flag(&self.key(key))?)
    }

    /// Fails if a key is there that changes the network in a way that is not supported.
    pub(in super::super) fn refuse(&self, key: &str, reason: &str) -> Result<(), ForgeError> {
        let key = self.key(key);
        match self.gguf.value(&key) {
            Some(_) => Err(ForgeError::key(&key, reason)),
            None => Ok(()),
        }
    }

    /// For [`super::Family::attention_scale`] of most families.
    pub(in super::super) fn attention_scale(&self, head_dim: u32) -> Result<f32, ForgeError> {
        let scale = self.gguf.f32(&self.key("attention.scale"))?;
        let scale = scale.filter(|scale| *scale != 0.0);
        Ok(scale.unwrap_or(1.0 / (head_dim as f32).sqrt()))
    }

    /// As llama.cpp reads it: the type defaults to linear, the factor to none.
    pub(super) fn position_scale(&self) -> Result<f32, ForgeError> {
        let attention_factor = self.key("rope.scaling.attn_factor");
        if self.gguf.f32(&attention_factor)?.is_some_and(|factor| factor != 1.0) {
            return Err(ForgeError::key(
                &attention_factor,
                "a factor other than 1 is not supported",
            ));
        }
        let scaling: Option<&'a str> = self.gguf.text(&self.key("rope.scaling.type"))?;
        match scaling.unwrap_or("linear") {
            "none" => Ok(1.0),
            "linear" => {
                let is_there = self.gguf.value(&self.key("rope.scaling.factor")).is_some();
                let key = if is_there {
                    "rope.scaling.factor"
                } else {
                    "rope.scale_linear"
                };
                Ok(self.factor(key)?.unwrap_or(1.0))
            }
            other => Err(ForgeError::Unsupported {
                what: "rope scaling type",
                found: other.to_owned(),
                supported: SCALING_TYPES.to_owned(),
            }),
        }
    }

    /// How many tokens a layer with a window sees; 0 means that none has one.
    pub(in super::super) fn window(&self) -> Result<Option<u32>, ForgeError> {
        let key = self.key("attention.sliding_window");
        match self.gguf.u32(&key)? {
            Some(length) if length > WINDOW_MAX => {
                Err(ForgeError::key(&key, format!("{length} is not up to {WINDOW_MAX}")))
            }
            length => Ok(length.filter(|length| *length > 0)),
        }
    }

    /// Which layers have a window: a list, or the number of layers of which the last has none (0: all have one), which is `interval` unless
    /// the file says otherwise.
    pub(in super::super) fn window_layers(&self, interval: u32) -> Result<Vec<bool>, ForgeError> {
        let layers = self.required_count("block_count", LAYERS_MAX)?;
        let key = self.key("attention.sliding_window_pattern");
        if let Some(Value::Array(_)) = self.gguf.value(&key) {
            let flags: Vec<bool> = self
                .gguf
                .flags(&key)?
                .into_iter()
                .flat_map(|array| array.flags())
                .collect();
            return match flags.len() == layers as usize {
                true => Ok(flags),
                false => Err(ForgeError::key(
                    &key,
                    format!("{} entries for {layers} layers", flags.len()),
                )),
            };
        }
        let interval = self.gguf.u32(&key)?.unwrap_or(interval);
        let has_window = |layer: u32| interval == 0 || layer % interval < interval - 1;
        Ok((0..layers).map(has_window).collect())
    }

    /// Key and value heads of each layer: one number for all, or a list.
    pub(super) fn kv_heads(&self, layers: u32, heads: u32) -> Result<Vec<u32>, ForgeError> {
        let key = self.key("attention.head_count_kv");
        let Some(Value::Array(_)) = self.gguf.value(&key) else {
            let all = self.count("attention.head_count_kv", WIDTH_MAX)?.unwrap_or(heads);
            return Ok(vec![all; layers as usize]);
        };
        let list = self.gguf.integers(&key)?.into_iter().flat_map(|array| array.integers());
        let list: Vec<i128> = list.collect();
        if list.len() != layers as usize {
            return Err(ForgeError::key(
                &key,
                format!("{} entries for {layers} layers", list.len()),
            ));
        }
        let number = |entry: i128| u32::try_from(entry).ok().filter(|entry| *entry <= WIDTH_MAX);
        let numbers: Option<Vec<u32>> = list.into_iter().map(number).collect();
        numbers.ok_or_else(|| ForgeError::key(&key, format!("an entry is not from 0 to {WIDTH_MAX}")))
    }
}
