//! Random tiny models of every supported architecture as GGUF files, for tests and benchmarks. The same options give the same bytes on every machine. They have a
//! real tokenizer and a ChatML template, and their output consists of words from one page of text: each token's head points at the tokens
//! that follow it there, and the random layers add noise.

mod tokenizer;
mod writer;

use std::path::Path;

use rand_pcg::Pcg64Mcg;
use rand_pcg::rand_core::{Rng, SeedableRng};
use whimbrel_engine::Manifest;
use whimbrel_kernels::TensorType;

use crate::{ForgeError, ImportOptions, Quantization, import};
use tokenizer::Tokenizer;
pub use tokenizer::{ANSWER, THOUGHT};
use writer::Writer;

/// The chat template of the files.
const CHAT_TEMPLATE: &str = "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + \
    '<|im_end|>' + '\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";
/// The chat template of models that think: as Qwen 3's, without what earlier answers thought.
const THINKING_TEMPLATE: &str = "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + \
    message['content'].split('</think>')[-1].lstrip('\n') + '<|im_end|>' + '\n' }}{% endfor %}\
    {% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}\
    {% if enable_thinking is defined and enable_thinking is false %}{{ '<think>\n\n</think>' }}{% endif %}{% endif %}";
/// How strongly the head points at the tokens that follow in the text.
const HEAD_STRENGTH: f32 = 1.0;
/// Tokens that a short convolution sees.
const TAPS: usize = 3;
/// How strongly the head of a model that thinks points at what it says next.
const SPEECH_STRENGTH: f32 = 4.0;
/// How strongly a layer changes the residual stream, whose values are about 1.
const LAYER_STRENGTH: f32 = 0.5;

/// The architecture of a synthetic model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Family {
    /// Llama: nothing but what they share.
    #[default]
    Llama,
    /// Qwen 2: biases.
    Qwen2,
    /// Qwen 3: norms of heads.
    Qwen3,
    /// Granite, dense: factors.
    Granite,
    /// MiniCPM, dense: factors.
    MiniCpm,
    /// SmolLM3: every fourth layer without rotation.
    SmolLm3,
    /// Gemma 3: norms behind the blocks, windows in five of six layers.
    Gemma3,
    /// LFM2: attention in every third layer, short convolutions in the others.
    Lfm2,
}

impl Family {
    /// Every architecture.
    pub const ALL: [Self; 8] = [
        Self::Llama,
        Self::Qwen2,
        Self::Qwen3,
        Self::Granite,
        Self::MiniCpm,
        Self::SmolLm3,
        Self::Gemma3,
        Self::Lfm2,
    ];

    /// The value of `general.architecture`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Llama => "llama",
            Self::Qwen2 => "qwen2",
            Self::Qwen3 => "qwen3",
            Self::Granite => "granite",
            Self::MiniCpm => "minicpm",
            Self::SmolLm3 => "smollm3",
            Self::Gemma3 => "gemma3",
            Self::Lfm2 => "lfm2",
        }
    }
}

/// The options of a synthetic model.
#[derive(Clone, Debug, PartialEq)]
pub struct Synthetic {
    /// The architecture.
    pub family: Family,
    /// Transformer layers.
    pub layers: u32,
    /// Width of the residual stream. A multiple of 32 if the tensor type is quantised, like the other widths.
    pub width: u32,
    /// Width inside the feed-forward block.
    pub feed_forward: u32,
    /// Query heads.
    pub heads: u32,
    /// Key and value heads; a divisor of `heads`.
    pub kv_heads: u32,
    /// Width of one head; even.
    pub head_dim: u32,
    /// Number of tokens, at least 259. There will be fewer if the text has no more pairs to merge.
    pub vocabulary: u32,
    /// Whether the tokenizer is sentencepiece's, with scores, and not byte-level BPE.
    pub sentencepiece: bool,
    /// Whether the model thinks before it answers: to whatever it is asked, it thinks [`THOUGHT`] and answers [`ANSWER`]. Its head is not
    /// tied, and its tokenizer byte-level.
    pub thinks: bool,
    /// Whether the embedding is also the head.
    pub tied: bool,
    /// Whether the file has Llama 3's `rope_freqs.weight`.
    pub rope_factors: bool,
    /// Linear scaling of positions.
    pub rope_linear: Option<f32>,
    /// Whether Granite's files say that queries and keys are not rotated.
    pub unrotated: bool,
    /// How many tokens layers with a window see, in the architectures that can have such layers.
    pub window: Option<u32>,
    /// The soft cap of Gemma's logits.
    pub logits_cap: Option<f32>,
    /// The type of the matrices.
    pub tensor_type: TensorType,
    /// `context_length` of the file.
    pub context_length: u32,
    /// The seed of the random numbers.
    pub seed: u64,
}

impl Default for Synthetic {
    /// Two layers of width 64, untied, in 32-bit floats.
    fn default() -> Self {
        Synthetic {
            family: Family::Llama,
            layers: 2,
            width: 64,
            feed_forward: 128,
            heads: 4,
            kv_heads: 2,
            head_dim: 16,
            vocabulary: 512,
            sentencepiece: false,
            thinks: false,
            tied: false,
            rope_factors: false,
            rope_linear: None,
            unrotated: false,
            window: None,
            logits_cap: None,
            tensor_type: TensorType::F32,
            context_length: 2_048,
            seed: 1,
        }
    }
}

impl Synthetic {
    /// The model of the test bundle in `shared-models/tiny`, before it is quantised.
    #[must_use]
    pub fn tiny() -> Synthetic {
        Synthetic {
            layers: 3,
            width: 128,
            feed_forward: 256,
            heads: 4,
            kv_heads: 2,
            head_dim: 32,
            vocabulary: 768,
            context_length: 4_096,
            ..Synthetic::default()
        }
    }

    /// The file's bytes.
    ///
    /// # Panics
    /// If the options contradict each other, as documented for each of them.
    #[must_use]
    pub fn to_gguf(&self) -> Vec<u8> {
        assert!(
            self.vocabulary >= tokenizer::TOKENS_MIN,
            "a vocabulary has at least the bytes"
        );
        assert!(
            self.heads.is_multiple_of(self.kv_heads) && self.head_dim.is_multiple_of(2),
            "heads fit together"
        );
        let tokenizer = self.tokenizer();
        let mut writer = Writer::default();
        self.write_keys(&mut writer, &tokenizer);
        self.write_tensors(&mut writer, &tokenizer);
        writer.finish()
    }

    fn tokenizer(&self) -> Tokenizer {
        assert!(
            !(self.thinks && (self.tied || self.sentencepiece)),
            "a model that thinks has a head of its own"
        );
        tokenizer::learn(self.vocabulary, self.thinks)
    }

    /// As [`Synthetic::to_gguf`], with other texts behind some keys, and further keys.
    #[must_use]
    pub fn to_gguf_with(&self, texts: &[(&str, &str)], numbers: &[(&str, u32)]) -> Vec<u8> {
        let tokenizer = self.tokenizer();
        let mut writer = Writer::default();
        writer.texts = texts
            .iter()
            .map(|(key, text)| ((*key).to_owned(), (*text).to_owned()))
            .collect();
        self.write_keys(&mut writer, &tokenizer);
        while let Some((key, text)) = writer.texts.pop_first() {
            writer.text(&key, &text);
        }
        for (key, number) in numbers {
            writer.u32(key, *number);
        }
        self.write_tensors(&mut writer, &tokenizer);
        writer.finish()
    }

    /// As [`Synthetic::to_gguf`], in so many files, at most one for each tensor. They belong beside each other, called
    /// `NAME-00001-of-00003.gguf` and so on.
    ///
    /// # Panics
    /// If there are more files than tensors.
    #[must_use]
    pub fn to_gguf_parts(&self, count: u16) -> Vec<Vec<u8>> {
        let tokenizer = self.tokenizer();
        let mut writer = Writer::default();
        self.write_keys(&mut writer, &tokenizer);
        self.write_tensors(&mut writer, &tokenizer);
        writer.finish_in_parts(count)
    }

    /// As [`Synthetic::to_gguf`], without tensors.
    #[must_use]
    pub fn to_vocabulary_gguf(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        self.write_keys(&mut writer, &self.tokenizer());
        writer.finish()
    }

    fn write_keys(&self, writer: &mut Writer, tokenizer: &Tokenizer) {
        let key = |key: &str| format!("{}.{key}", self.family.name());
        writer.text("general.architecture", self.family.name());
        writer.text("general.name", "Whimbrel Tiny");
        writer.text("general.license", "apache-2.0");
        writer.u32(&key("block_count"), self.layers);
        writer.u32(&key("context_length"), self.context_length);
        writer.u32(&key("embedding_length"), self.width);
        writer.u32(&key("feed_forward_length"), self.feed_forward);
        writer.u32(&key("attention.head_count"), self.heads);
        if self.family == Family::Lfm2 {
            let kv_heads = (0..self.layers).map(|layer| {
                if self.is_convolution(layer) {
                    0
                } else {
                    self.kv_heads as i32
                }
            });
            writer.integers(&key("attention.head_count_kv"), &kv_heads.collect::<Vec<_>>());
            writer.u32(&key("shortconv.l_cache"), TAPS as u32);
        } else {
            writer.u32(&key("attention.head_count_kv"), self.kv_heads);
        }
        writer.u32(&key("attention.key_length"), self.head_dim);
        writer.u32(&key("attention.value_length"), self.head_dim);
        writer.f32(&key("attention.layer_norm_rms_epsilon"), 1e-5);
        writer.u32(&key("rope.dimension_count"), self.head_dim);
        let is_gemma = self.family == Family::Gemma3;
        writer.f32(&key("rope.freq_base"), if is_gemma { 1e6 } else { 1e4 });
        if let Some(window) = self.window {
            writer.u32(&key("attention.sliding_window"), window);
        }
        if let Some(cap) = self.logits_cap {
            writer.f32(&key("final_logit_softcapping"), cap);
        }
        if let Some(factor) = self.rope_linear {
            writer.text(&key("rope.scaling.type"), "linear");
            writer.f32(&key("rope.scaling.factor"), factor);
        }
        if matches!(self.family, Family::Granite | Family::MiniCpm) {
            writer.f32(&key("embedding_scale"), 1.5);
            writer.f32(&key("residual_scale"), 0.6);
            writer.f32(&key("logit_scale"), 1.25);
        }
        if self.unrotated {
            writer.flag(&key("rope.scaling.finetuned"), false);
        }
        if self.family == Family::Granite {
            writer.f32(&key("attention.scale"), 2.0 / (self.head_dim as f32).sqrt());
        }
        writer.u32(&key("vocab_size"), tokenizer.tokens.len() as u32);
        if self.sentencepiece {
            let pieces = tokenizer.pieces();
            writer.text("tokenizer.ggml.model", "llama");
            writer.text("tokenizer.ggml.pre", "default");
            writer.texts("tokenizer.ggml.tokens", &pieces.tokens);
            writer.floats("tokenizer.ggml.scores", &pieces.scores);
            writer.integers("tokenizer.ggml.token_type", &pieces.kinds);
        } else {
            writer.text("tokenizer.ggml.model", "gpt2");
            writer.text("tokenizer.ggml.pre", "smollm");
            writer.texts("tokenizer.ggml.tokens", &tokenizer.tokens);
            writer.integers("tokenizer.ggml.token_type", &tokenizer.kinds);
            writer.texts("tokenizer.ggml.merges", &tokenizer.merges);
        }
        writer.u32("tokenizer.ggml.bos_token_id", tokenizer::IM_START);
        writer.u32("tokenizer.ggml.eos_token_id", tokenizer::IM_END);
        writer.flag("tokenizer.ggml.add_bos_token", false);
        let template = if self.thinks { THINKING_TEMPLATE } else { CHAT_TEMPLATE };
        writer.text("tokenizer.chat_template", template);
    }

    fn write_tensors(&self, writer: &mut Writer, tokenizer: &Tokenizer) {
        let mut random = Random(Pcg64Mcg::seed_from_u64(self.seed));
        let width = self.width as usize;
        let embedding = random.values(tokenizer.tokens.len() * width, 1.0);
        let head = if self.tied {
            None
        } else {
            Some(head(&embedding, width, tokenizer, &mut random))
        };
        // Gemma's network multiplies by √width.
        let is_gemma = self.family == Family::Gemma3;
        let scale = if is_gemma { 1.0 / (width as f32).sqrt() } else { 1.0 };
        let embedding: Vec<f32> = embedding.into_iter().map(|value| scale * value).collect();
        writer.tensor("token_embd.weight", self.tensor_type, width, &embedding);
        if self.rope_factors {
            let pairs = self.head_dim as usize / 2;
            // Llama 3 leaves the fast pairs alone and slows the slow ones down.
            let factors: Vec<f32> = (0..pairs)
                .map(|pair| if 2 * pair < pairs { 1.0 } else { 8.0 })
                .collect();
            writer.tensor("rope_freqs.weight", TensorType::F32, pairs, &factors);
        }
        for layer in 0..self.layers {
            self.write_layer(writer, layer, &mut random);
        }
        let output_norm = match self.family {
            Family::Lfm2 => "token_embd_norm.weight",
            _ => "output_norm.weight",
        };
        writer.tensor(output_norm, TensorType::F32, width, &random.norm(width));
        if let Some(head) = head {
            writer.tensor("output.weight", self.tensor_type, width, &head);
        }
    }

    /// Whether a layer is a short convolution.
    fn is_convolution(&self, layer: u32) -> bool {
        self.family == Family::Lfm2 && layer % 3 != 2
    }

    fn write_layer(&self, writer: &mut Writer, layer: u32, random: &mut Random) {
        let (width, feed_forward) = (self.width as usize, self.feed_forward as usize);
        let mut layer = LayerWriter {
            writer,
            random,
            layer,
            tensor_type: self.tensor_type,
        };
        layer.norm("attn_norm", width, 1.0);
        if self.is_convolution(layer.layer) {
            layer.matrix("shortconv.in_proj", 3 * width, width, 1.0);
            layer.floats("shortconv.conv", width, TAPS, 1.0);
            layer.matrix("shortconv.out_proj", width, width, LAYER_STRENGTH);
        } else {
            self.write_attention(&mut layer);
        }
        let has_norms_after = self.family == Family::Gemma3;
        if has_norms_after {
            layer.norm("post_attention_norm", width, LAYER_STRENGTH);
        }
        layer.norm("ffn_norm", width, 1.0);
        layer.matrix("ffn_gate", feed_forward, width, 1.0);
        layer.matrix("ffn_up", feed_forward, width, 1.0);
        layer.matrix("ffn_down", width, feed_forward, 2.0 * LAYER_STRENGTH);
        if has_norms_after {
            layer.norm("post_ffw_norm", width, LAYER_STRENGTH);
        }
    }

    fn write_attention(&self, layer: &mut LayerWriter<'_>) {
        let (width, head_dim) = (self.width as usize, self.head_dim as usize);
        let (queries, keys) = (self.heads as usize * head_dim, self.kv_heads as usize * head_dim);
        layer.matrix("attn_q", queries, width, 3.0);
        layer.matrix("attn_k", keys, width, 1.0);
        layer.matrix("attn_v", keys, width, 1.0);
        if self.family == Family::Qwen2 {
            for (name, values) in [("attn_q", queries), ("attn_k", keys), ("attn_v", keys)] {
                let bias = layer.random.values(values, 2.0);
                layer.write(&format!("{name}.bias"), TensorType::F32, values, &bias);
            }
        }
        if matches!(self.family, Family::Qwen3 | Family::Gemma3 | Family::Lfm2) {
            layer.norm("attn_q_norm", head_dim, 1.5);
            layer.norm("attn_k_norm", head_dim, 1.5);
        }
        layer.matrix("attn_output", width, queries, LAYER_STRENGTH);
    }
}

/// Writes the tensors of one layer.
struct LayerWriter<'w> {
    writer: &'w mut Writer,
    random: &'w mut Random,
    layer: u32,
    tensor_type: TensorType,
}

impl LayerWriter<'_> {
    fn write(&mut self, name: &str, tensor_type: TensorType, columns: usize, values: &[f32]) {
        let name = format!("blk.{}.{name}", self.layer);
        self.writer.tensor(&name, tensor_type, columns, values);
    }

    /// Weights of a norm, near `size`.
    fn norm(&mut self, name: &str, columns: usize, size: f32) {
        let weights = self.random.norm(columns).into_iter().map(|weight| size * weight);
        let weights: Vec<f32> = weights.collect();
        self.write(&format!("{name}.weight"), TensorType::F32, columns, &weights);
    }

    fn matrix(&mut self, name: &str, rows: usize, columns: usize, gain: f32) {
        let values = self.random.values(rows * columns, gain / (columns as f32).sqrt());
        self.write(&format!("{name}.weight"), self.tensor_type, columns, &values);
    }

    fn floats(&mut self, name: &str, rows: usize, columns: usize, deviation: f32) {
        let values = self.random.values(rows * columns, deviation);
        self.write(&format!("{name}.weight"), TensorType::F32, columns, &values);
    }
}

/// Makes the test bundle of `shared-models/tiny`: [`Synthetic::tiny`] in Q4_1, embedding and head in Q8_0.
///
/// # Errors
/// As [`import`].
pub fn import_tiny(output: &Path, replace: bool) -> Result<Manifest, ForgeError> {
    let folder = tempfile::tempdir().map_err(|error| ForgeError::write(output, error))?;
    let source = folder.path().join("tiny.gguf");
    std::fs::write(&source, Synthetic::tiny().to_gguf()).map_err(|error| ForgeError::write(&source, error))?;
    let options = ImportOptions {
        source,
        output: output.to_owned(),
        quantization: Quantization::Q4_1,
        licence: Some("Apache-2.0 OR MIT".to_owned()),
        origin: Some("cargo run -p whimbrel-forge --example tiny".to_owned()),
        replace,
        ..ImportOptions::default()
    };
    import(&options, &mut |_| ())
}

/// Row `j` is the sum of the embeddings of all tokens that `j` follows in the text, with a little noise: so a token's own
/// embedding, which the residual stream still carries at its end, gives its successors the largest logits. What a model that thinks says is
/// stronger than all of them.
fn head(embedding: &[f32], width: usize, tokenizer: &Tokenizer, random: &mut Random) -> Vec<f32> {
    let mut head = random.values(embedding.len(), 0.05);
    let mut pairs: Vec<(u32, u32)> = tokenizer.text.windows(2).map(|pair| (pair[0], pair[1])).collect();
    pairs.sort_unstable();
    pairs.dedup();
    let mut predecessors = vec![0u32; tokenizer.tokens.len()];
    for (_, after) in &pairs {
        predecessors[*after as usize] += 1;
    }
    for (before, after) in pairs {
        let scale = HEAD_STRENGTH / (width as f32 * predecessors[after as usize] as f32).sqrt();
        let before = &embedding[before as usize * width..][..width];
        for (value, before) in head[after as usize * width..][..width].iter_mut().zip(before) {
            *value += scale * before;
        }
    }
    for pair in tokenizer.speech.windows(2) {
        let [before, after] = [pair[0], pair[1]].map(|id| id as usize * width);
        let scale = SPEECH_STRENGTH / (width as f32).sqrt();
        for at in 0..width {
            head[after + at] += scale * embedding[before + at];
        }
    }
    head
}

/// Random numbers by PCG (M. E. O'Neill, `pcg64_fast`), turned into floats by additions and multiplications only, so that they
/// are the same everywhere.
struct Random(Pcg64Mcg);

impl Random {
    /// Nearly normal values of the given standard deviation: sums of four uniform ones.
    fn values(&mut self, count: usize, deviation: f32) -> Vec<f32> {
        // A uniform value from -1/2 to 1/2 has the variance 1/12, the sum of four a third.
        let scale = deviation * 3.0f32.sqrt();
        let uniform = |bits: u16| (f32::from(bits) + 0.5) / 65_536.0 - 0.5;
        let value = |bits: u64| {
            let parts = [bits, bits >> 16, bits >> 32, bits >> 48].map(|bits| uniform(bits as u16));
            scale * (parts[0] + parts[1] + parts[2] + parts[3])
        };
        (0..count).map(|_| value(self.0.next_u64())).collect()
    }

    /// Weights of a norm: near 1.
    fn norm(&mut self, count: usize) -> Vec<f32> {
        self.values(count, 0.1).into_iter().map(|value| 1.0 + value).collect()
    }
}
