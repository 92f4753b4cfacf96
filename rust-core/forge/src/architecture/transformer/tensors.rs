//! The tensors of a network, each with the shape that the keys ask for.

use std::collections::BTreeSet;

use super::super::{NetworkTensor, Role, RowOrder, Values};
use super::keys::{FREQUENCIES, Keys, Layer, WINDOW_FREQUENCIES};
use super::{Family, Pairs};
use crate::gguf::Tensor;
use crate::{ForgeError, Gguf};

/// The parts of what goes into a convolution, in the order of their rows in the file.
pub(super) const CONVOLUTION_PARTS: [&str; 3] = ["b", "c", "x"];

/// Collects the tensors of the network, each with the shape that the keys ask for.
pub(super) struct TensorList<'g, 'a> {
    gguf: &'g Gguf<'a>,
    pub(super) tensors: Vec<NetworkTensor<'a>>,
    /// Values of all tensors of the file that are in the list.
    pub(super) parameters: u64,
    /// Rows of the embedding.
    pub(super) vocabulary: u32,
    /// The names that the file has for them.
    used: BTreeSet<String>,
}

impl<'g, 'a> TensorList<'g, 'a> {
    /// Every tensor of a network, in the order in which a token meets it.
    pub(super) fn of_network(family: &Family, gguf: &'g Gguf<'a>, keys: &Keys) -> Result<Self, ForgeError> {
        let mut list = TensorList {
            gguf,
            tensors: Vec::new(),
            parameters: 0,
            vocabulary: 0,
            used: BTreeSet::new(),
        };
        list.add_network(family, keys)?;
        list.refuse_unused(family)?;
        Ok(list)
    }

    /// The name of the weights that give the logits.
    pub(super) fn head(&self) -> &'static str {
        if self.is_tied() { "token_embd" } else { "output" }
    }

    fn is_tied(&self) -> bool {
        self.gguf.tensor("output.weight").is_none()
    }

    /// Takes `NAME.weight` of the file, checks its shape and adds it under `NAME`.
    fn add(&mut self, name: String, rows: u32, columns: u32, role: Role, order: RowOrder) -> Result<(), ForgeError> {
        let tensor = self.take(&format!("{name}.weight"), rows, columns)?;
        self.parameters += tensor.values();
        self.push(name, rows, columns, role, Values::Stored(tensor, order));
        Ok(())
    }

    /// Takes `NAME.weight`, `rows` rows for each of some parts, and adds each as a matrix `NAME.PART`.
    fn add_parts(&mut self, name: &str, parts: [&str; 3], rows: u32, columns: u32) -> Result<(), ForgeError> {
        let tensor = self.take(&format!("{name}.weight"), parts.len() as u32 * rows, columns)?;
        self.parameters += tensor.values();
        for (index, part) in (0..).zip(parts) {
            let values = Values::Stored(tensor, RowOrder::From(index * rows));
            self.push(format!("{name}.{part}"), rows, columns, Role::Matrix, values);
        }
        Ok(())
    }

    /// Takes `NAME.weight` and adds its floats under `NAME`, its columns as rows.
    fn add_transposed(&mut self, name: String, rows: u32, columns: u32) -> Result<(), ForgeError> {
        let tensor = self.take(&format!("{name}.weight"), rows, columns)?;
        self.parameters += tensor.values();
        let values = floats(&tensor)?;
        let column = |column: usize| values.iter().skip(column).step_by(columns as usize).copied();
        let transposed = (0..columns as usize).flat_map(column).collect();
        self.push(name, columns, rows, Role::Vector, Values::Computed(transposed));
        Ok(())
    }

    /// Takes `NAME.bias` of the file, so many values, and adds it under that name.
    fn add_bias(&mut self, name: String, values: u32) -> Result<(), ForgeError> {
        let tensor = self.take(&name, 1, values)?;
        self.parameters += tensor.values();
        self.push(name, 1, values, Role::Vector, Values::Stored(tensor, RowOrder::Same));
        Ok(())
    }

    fn push(&mut self, name: String, rows: u32, columns: u32, role: Role, values: Values<'a>) {
        self.tensors.push(NetworkTensor {
            name,
            rows,
            columns,
            role,
            values,
        });
    }

    fn take(&mut self, name: &str, rows: u32, columns: u32) -> Result<Tensor<'a>, ForgeError> {
        let tensor = self
            .gguf
            .tensor(name)
            .ok_or_else(|| ForgeError::tensor(name, "it is missing"))?;
        if tensor.dimensions != [u64::from(columns), u64::from(rows), 1, 1] {
            let reason = format!(
                "its dimensions are {:?}, the keys ask for [{columns}, {rows}]",
                tensor.dimensions
            );
            return Err(ForgeError::tensor(name, reason));
        }
        self.used.insert(name.to_owned());
        Ok(tensor)
    }

    /// A tensor that no operator uses would change the answers silently: biases, experts, adapters.
    fn refuse_unused(&self, family: &Family) -> Result<(), ForgeError> {
        let tensors = self.gguf.tensors();
        let Some(unused) = tensors.iter().find(|tensor| !self.used.contains(tensor.name)) else {
            return Ok(());
        };
        let biases = if family.biases { "other biases" } else { "biases" };
        Err(ForgeError::Unsupported {
            what: "tensor",
            found: unused.name.to_owned(),
            supported: format!(
                "the weights of the {} architecture without {biases}, experts or adapters",
                family.name
            ),
        })
    }

    fn add_network(&mut self, family: &Family, keys: &Keys) -> Result<(), ForgeError> {
        let (embedding, width) = ("token_embd.weight", keys.width);
        let found = self.gguf.tensor(embedding);
        let found = found.ok_or_else(|| ForgeError::tensor(embedding, "it is missing"))?;
        let vocabulary = u32::try_from(found.dimensions[1]).ok();
        let vocabulary = vocabulary.filter(|rows| i32::try_from(*rows).is_ok());
        self.vocabulary = vocabulary.ok_or_else(|| ForgeError::tensor(embedding, "it has too many rows"))?;
        let tied = self.is_tied();
        let role = if tied { Role::EmbeddingAndHead } else { Role::Embedding };
        self.add("token_embd".to_owned(), self.vocabulary, width, role, RowOrder::Same)?;
        if keys.uses(FREQUENCIES) {
            let frequencies = self.frequencies(family, keys)?;
            self.push(FREQUENCIES.to_owned(), 1, keys.rotated / 2, Role::Vector, frequencies);
        }
        if keys.uses(WINDOW_FREQUENCIES) {
            let frequencies = Values::Computed(keys.window_frequencies());
            self.push(
                WINDOW_FREQUENCIES.to_owned(),
                1,
                keys.rotated / 2,
                Role::Vector,
                frequencies,
            );
        }
        for (number, layer) in keys.layers.iter().enumerate() {
            self.add_layer(family, keys, number, layer)?;
        }
        self.add(family.output_norm.to_owned(), 1, width, Role::Vector, RowOrder::Same)?;
        if !tied {
            self.add("output".to_owned(), self.vocabulary, width, Role::Head, RowOrder::Same)?;
        }
        Ok(())
    }

    fn add_layer(&mut self, family: &Family, keys: &Keys, number: usize, layer: &Layer) -> Result<(), ForgeError> {
        let (width, feed_forward) = (keys.width, keys.feed_forward);
        let name = |name: &str| format!("blk.{number}.{name}");
        self.add_vector(name("attn_norm"), width)?;
        if layer.kv_heads > 0 {
            self.add_attention(family, keys, layer.kv_heads, &name)?;
        } else {
            self.add_parts(&name("shortconv.in_proj"), CONVOLUTION_PARTS, width, width)?;
            self.add_transposed(name("shortconv.conv"), width, keys.taps)?;
            self.add_matrix(name("shortconv.out_proj"), width, width)?;
        }
        if family.norms_after {
            self.add_vector(name("post_attention_norm"), width)?;
        }
        self.add_vector(name("ffn_norm"), width)?;
        self.add_matrix(name("ffn_gate"), feed_forward, width)?;
        self.add_matrix(name("ffn_up"), feed_forward, width)?;
        self.add_matrix(name("ffn_down"), width, feed_forward)?;
        if family.norms_after {
            self.add_vector(name("post_ffw_norm"), width)?;
        }
        Ok(())
    }

    fn add_attention(
        &mut self,
        family: &Family,
        keys: &Keys,
        kv_heads: u32,
        name: &impl Fn(&str) -> String,
    ) -> Result<(), ForgeError> {
        let &Keys { width, head_dim, .. } = keys;
        let (queries, values) = (keys.heads * head_dim, kv_heads * head_dim);
        let pairs = match family.pairs {
            Pairs::Adjacent => RowOrder::SplitPairs {
                head: head_dim,
                rotated: keys.rotated,
            },
            Pairs::Halves => RowOrder::Same,
        };
        self.add(name("attn_q"), queries, width, Role::Matrix, pairs)?;
        self.add(name("attn_k"), values, width, Role::Matrix, pairs)?;
        self.add_matrix(name("attn_v"), values, width)?;
        if family.biases {
            for (bias, values) in [("attn_q", queries), ("attn_k", values), ("attn_v", values)] {
                self.add_bias(name(&format!("{bias}.bias")), values)?;
            }
        }
        if family.head_norms {
            self.add_vector(name("attn_q_norm"), head_dim)?;
            self.add_vector(name("attn_k_norm"), head_dim)?;
        }
        self.add_matrix(name("attn_output"), width, queries)
    }

    fn add_vector(&mut self, name: String, values: u32) -> Result<(), ForgeError> {
        self.add(name, 1, values, Role::Vector, RowOrder::Same)
    }

    fn add_matrix(&mut self, name: String, rows: u32, columns: u32) -> Result<(), ForgeError> {
        self.add(name, rows, columns, Role::Matrix, RowOrder::Same)
    }

    fn frequencies(&mut self, family: &Family, keys: &Keys) -> Result<Values<'a>, ForgeError> {
        let name = "rope_freqs.weight";
        if !family.frequency_factors || self.gguf.tensor(name).is_none() {
            return Ok(Values::Computed(keys.frequencies(None)));
        }
        let factors = floats(&self.take(name, 1, keys.rotated / 2)?)?;
        if !factors.iter().all(|factor| factor.is_finite() && *factor > 0.0) {
            return Err(ForgeError::tensor(name, "a factor is not a number greater than 0"));
        }
        Ok(Values::Computed(keys.frequencies(Some(factors))))
    }
}

/// All values of a tensor whose size was checked.
fn floats(tensor: &Tensor<'_>) -> Result<Vec<f32>, ForgeError> {
    let codec = crate::plan::codec(tensor)?;
    let mut values = vec![0.0; tensor.values() as usize];
    (codec.decode)(tensor.bytes, &mut values);
    Ok(values)
}
