//! The pre-tokenizers of byte-level vocabularies, by the names that files have for them: those of llama.cpp, `src/llama-vocab.cpp`.

use whimbrel_engine::PreTokenizer;

use crate::ForgeError;

/// A value of `tokenizer.ggml.pre` and what it stands for.
pub(super) struct Rule {
    names: &'static [&'static str],
    pub(super) pre_tokenizer: PreTokenizer,
    /// Whether a word that is a token is taken whole.
    pub(super) ignore_merges: bool,
    /// Whether text starts with `bos` when the file does not say.
    pub(super) add_bos: bool,
}

const fn rule(names: &'static [&'static str], pre_tokenizer: PreTokenizer) -> Rule {
    Rule {
        names,
        pre_tokenizer,
        ignore_merges: false,
        add_bos: false,
    }
}

const fn whole_words(names: &'static [&'static str], pre_tokenizer: PreTokenizer, add_bos: bool) -> Rule {
    Rule {
        names,
        pre_tokenizer,
        ignore_merges: true,
        add_bos,
    }
}

static RULES: [Rule; 16] = [
    rule(&["default", ""], PreTokenizer::Default),
    rule(
        &[
            "gpt-2",
            "phi-2",
            "gigachat",
            "a.x-4.0",
            "mellum",
            "mpt",
            "olmo",
            "jais",
            "trillion",
            "granite-docling",
            "exaone4",
        ],
        PreTokenizer::Gpt2,
    ),
    whole_words(
        &[
            "llama-bpe",
            "llama3",
            "llama-v3",
            "falcon3",
            "falcon-h1",
            "pixtral",
            "midm-2.0",
            "lfm2",
        ],
        PreTokenizer::LlamaBpe,
        true,
    ),
    rule(&["smaug-bpe", "dbrx", "chatglm-bpe"], PreTokenizer::LlamaBpe),
    whole_words(&["glm4", "glm5"], PreTokenizer::LlamaBpe, false),
    rule(
        &[
            "smollm",
            "refact",
            "starcoder",
            "command-r",
            "codeshell",
            "exaone",
            "minerva-7b",
            "mellum2",
        ],
        PreTokenizer::Smollm,
    ),
    rule(
        &[
            "qwen2",
            "deepseek-r1-qwen",
            "kormo",
            "megrez",
            "stablelm2",
            "hunyuan",
            "solar-open",
            "grok-2",
        ],
        PreTokenizer::Qwen2,
    ),
    rule(&["qwen35"], PreTokenizer::Qwen35),
    rule(
        &["gpt-4o", "llama4", "kanana2", "talkie", "minimax-m2"],
        PreTokenizer::Gpt4o,
    ),
    whole_words(&["tekken"], PreTokenizer::Tekken, true),
    rule(&["falcon"], PreTokenizer::Falcon),
    rule(&["deepseek-coder"], PreTokenizer::DeepseekCoder),
    rule(&["deepseek-llm"], PreTokenizer::DeepseekLlm),
    rule(
        &["deepseek-v3", "hunyuan-dense", "joyai-llm", "hy_v4"],
        PreTokenizer::Deepseek3,
    ),
    // Written by no converter of llama.cpp's, but by others.
    rule(&["granite"], PreTokenizer::Smollm),
    rule(&["smollm3"], PreTokenizer::LlamaBpe),
];

/// The rule of this name; a file that names none has the default.
pub(super) fn of(name: Option<&str>) -> Result<&'static Rule, ForgeError> {
    let name = name.unwrap_or_default();
    RULES
        .iter()
        .find(|rule| rule.names.contains(&name))
        .ok_or_else(|| ForgeError::Unsupported {
            what: "pre-tokenizer",
            found: name.to_owned(),
            supported: RULES
                .iter()
                .flat_map(|rule| rule.names)
                .filter(|name| !name.is_empty())
                .copied()
                .collect::<Vec<_>>()
                .join(", "),
        })
}
