//! Writes `graph.nnef`: the NNEF text of a network in the operators of the engine's extension. An architecture calls one method per
//! operator and chooses the names.

use std::fmt::Write as _;

use whimbrel_engine::GRAPH_BYTES_MAX;
use whimbrel_kernels::Activation;

use crate::ForgeError;

/// The longest graph name, in bytes.
const NAME_BYTES_MAX: usize = 64;

/// A graph text that grows line by line.
pub(crate) struct Graph {
    text: String,
}

/// The arguments of the attention operator.
pub(crate) struct Attention {
    pub(crate) layer: u32,
    pub(crate) heads: u32,
    pub(crate) kv_heads: u32,
    pub(crate) head_dim: u32,
    pub(crate) scale: f32,
    /// The weights that hold the rotary frequencies, if queries and keys are rotated.
    pub(crate) frequencies: Option<&'static str>,
    /// How many tokens one sees, if not all.
    pub(crate) window: Option<u32>,
}

/// The weights of queries, keys and values.
pub(crate) struct Qkv {
    pub(crate) weights: [String; 3],
    pub(crate) biases: Option<[String; 3]>,
}

impl Graph {
    /// Opens the graph and reads the token ids into `ids`.
    pub(crate) fn new(name: &str) -> Graph {
        let mut graph = Graph { text: String::new() };
        graph.text.push_str("version 1.0;\n");
        for extension in [
            "tract_registry tract_core",
            "tract_registry whimbrel",
            "tract_symbol T",
            "tract_assert T>=1",
        ] {
            graph.push(format_args!("extension {extension};\n"));
        }
        graph.push(format_args!("\ngraph {}(ids) -> (logits) {{\n", identifier(name)));
        graph.line(format_args!(
            "ids = tract_core_external(shape = [T], datum_type = \"i64\");"
        ));
        graph
    }

    /// A blank line and a comment: the lines up to the next one belong together.
    pub(crate) fn section(&mut self, title: &str) {
        self.push(format_args!("\n  # {title}\n"));
    }

    pub(crate) fn embedding(&mut self, output: &str, ids: &str, weights: &str, scale: f32) {
        let scale = factor(scale);
        self.line(format_args!(
            "{output} = whimbrel_embedding({ids}, weights = \"{weights}\"{scale});"
        ));
    }

    pub(crate) fn rms_norm(&mut self, output: &str, input: &str, weights: &str, epsilon: f32) {
        let epsilon = scalar(epsilon);
        self.line(format_args!(
            "{output} = whimbrel_rms_norm({input}, weights = \"{weights}\", epsilon = {epsilon});"
        ));
    }

    /// A norm, added to `residual`.
    pub(crate) fn rms_norm_onto(&mut self, output: &str, input: &str, weights: &str, epsilon: f32, residual: &str) {
        let epsilon = scalar(epsilon);
        self.line(format_args!(
            "{output} = whimbrel_rms_norm({input}, weights = \"{weights}\", epsilon = {epsilon}, residual = {residual});"
        ));
    }

    /// A norm of every head, all with the same weights.
    pub(crate) fn head_norm(&mut self, output: &str, input: &str, weights: &str, epsilon: f32, heads: u32) {
        let epsilon = scalar(epsilon);
        self.line(format_args!(
            "{output} = whimbrel_rms_norm({input}, weights = \"{weights}\", epsilon = {epsilon}, heads = {heads});"
        ));
    }

    pub(crate) fn qkv(&mut self, outputs: [&str; 3], input: &str, qkv: &Qkv) {
        let ([q, k, v], [q_weights, k_weights, v_weights]) = (outputs, &qkv.weights);
        let biases = match &qkv.biases {
            Some([q, k, v]) => format!(", q_bias = \"{q}\", k_bias = \"{k}\", v_bias = \"{v}\""),
            None => String::new(),
        };
        self.line(format_args!(
            "({q}, {k}, {v}) = whimbrel_qkv({input}, q = \"{q_weights}\", k = \"{k_weights}\", v = \"{v_weights}\"{biases});"
        ));
    }

    pub(crate) fn attention(&mut self, output: &str, inputs: [&str; 3], attention: &Attention) {
        let [q, k, v] = inputs;
        let Attention {
            layer,
            heads,
            kv_heads,
            head_dim,
            scale,
            frequencies,
            window,
        } = attention;
        let scale = scalar(*scale);
        let frequencies = frequencies.map_or_else(String::new, |name| format!(", frequencies = \"{name}\""));
        let window = window.map_or_else(String::new, |window| format!(", window = {window}"));
        self.line(format_args!(
            "{output} = whimbrel_attention({q}, {k}, {v}, layer = {layer}, heads = {heads}, kv_heads = {kv_heads}, \
             head_dim = {head_dim}, scale = {scale}{frequencies}{window});"
        ));
    }

    /// A gated short convolution, from its three inputs.
    pub(crate) fn short_convolution(&mut self, output: &str, inputs: [&str; 3], weights: &str, layer: u32) {
        let [b, c, x] = inputs;
        self.line(format_args!(
            "{output} = whimbrel_short_convolution({b}, {c}, {x}, weights = \"{weights}\", layer = {layer});"
        ));
    }

    /// A matrix product.
    pub(crate) fn linear(&mut self, output: &str, input: &str, weights: &str) {
        self.line(format_args!(
            "{output} = whimbrel_linear({input}, weights = \"{weights}\");"
        ));
    }

    /// A matrix product, times a factor, added to `residual`.
    pub(crate) fn linear_onto(&mut self, output: &str, input: &str, weights: &str, residual: &str, scale: f32) {
        let scale = factor(scale);
        self.line(format_args!(
            "{output} = whimbrel_linear({input}, weights = \"{weights}\", residual = {residual}{scale});"
        ));
    }

    /// The gated feed-forward product: activation(gate × input) · (up × input).
    pub(crate) fn gate_up(&mut self, output: &str, input: &str, gate: &str, up: &str, activation: Activation) {
        let activation = match activation {
            Activation::Silu => "",
            Activation::Gelu => ", activation = \"gelu\"",
        };
        self.line(format_args!(
            "{output} = whimbrel_gate_up({input}, gate = \"{gate}\", up = \"{up}\"{activation});"
        ));
    }

    /// The logits after the last token, times a factor, capped softly unless `cap` is 0; closes the graph and returns its text.
    ///
    /// # Errors
    /// [`ForgeError::Key`] when the text is longer than the engine reads.
    pub(crate) fn head(mut self, input: &str, weights: &str, scale: f32, cap: f32) -> Result<Graph, ForgeError> {
        let scale = factor(scale);
        let cap = if cap == 0.0 {
            String::new()
        } else {
            format!(", cap = {}", scalar(cap))
        };
        self.line(format_args!(
            "logits = whimbrel_linear({input}, weights = \"{weights}\", last = true{scale}{cap});"
        ));
        self.text.push_str("}\n");
        if self.text.len() > GRAPH_BYTES_MAX {
            let reason = format!(
                "the graph has {} bytes, the engine reads {GRAPH_BYTES_MAX}",
                self.text.len()
            );
            return Err(ForgeError::key("block_count", reason));
        }
        Ok(self)
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        self.push(format_args!("  {line}\n"));
    }

    fn push(&mut self, text: std::fmt::Arguments<'_>) {
        self.text.write_fmt(text).expect("writing to a string does not fail");
    }
}

/// A number that reads back as the same 32-bit float: Rust prints the shortest decimal for which that holds.
fn scalar(value: f32) -> String {
    let text = value.to_string();
    if text.contains('.') { text } else { text + ".0" }
}

/// The argument `scale`, which a call without a factor does not have.
fn factor(scale: f32) -> String {
    if scale == 1.0 {
        return String::new();
    }
    format!(", scale = {}", scalar(scale))
}

/// A name as an NNEF identifier: lower-case letters, digits and underscores, a letter first.
pub(crate) fn identifier(name: &str) -> String {
    let mut identifier = String::new();
    for character in name.chars() {
        let character = character.to_ascii_lowercase();
        if character.is_ascii_alphanumeric() {
            identifier.push(character);
        } else if !identifier.is_empty() && !identifier.ends_with('_') {
            identifier.push('_');
        }
        if identifier.len() == NAME_BYTES_MAX {
            break;
        }
    }
    let identifier = identifier.trim_end_matches('_');
    if identifier.starts_with(|first: char| first.is_ascii_lowercase()) {
        identifier.to_owned()
    } else {
        format!("model_{identifier}").trim_end_matches('_').to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::{identifier, scalar};

    #[test]
    fn names_become_identifiers() {
        let cases = [
            ("SmolLM2-135M-Instruct", "smollm2_135m_instruct"),
            ("  Llama 3.2  1B ", "llama_3_2_1b"),
            ("7B", "model_7b"),
            ("日本語", "model"),
            ("a;b} \"c\"\n#", "a_b_c"),
        ];
        for (name, expected) in cases {
            assert_eq!(identifier(name), expected, "{name:?}");
        }
        assert!(identifier(&"x".repeat(1000)).len() <= 64);
    }

    #[test]
    fn scalars_read_back_as_the_same_float() {
        for value in [1e-5, 1e-6, 0.125, 1.0, 0.088_388_35, f32::MIN_POSITIVE, 1.0e20] {
            let text = scalar(value);
            assert_eq!(text.parse::<f32>().map(f32::to_bits), Ok(value.to_bits()), "{text}");
            assert!(text.contains('.'), "{text} must not be read as an integer");
        }
    }
}
