//! Tokens of real vocabularies, read from GGUF, against llama.cpp's: its own test vectors, and golden ids of `llama-tokenize` for SmolLM2 and
//! for Gemma's pieces (`scripts/golden/tokenizer.sh`).
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use serde_json::Value;
use whimbrel_engine::{Algorithm, PreTokenizer, Tokenizer, TokenizerParts};
use whimbrel_forge::{Gguf, MappedFile, Vocabulary};

const SMOLLM2: &str = "SmolLM2-135M-Instruct.Q4_1.gguf";

/// A file that `make test-data` prepares.
fn test_data(name: &str) -> PathBuf {
    let folder = std::env::var_os("WHIMBREL_TEST_DATA")
        .map(PathBuf::from)
        .unwrap_or_else(|| {
            let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
            let cache =
                cache.unwrap_or_else(|| Path::new(&std::env::var_os("HOME").expect("a home folder")).join(".cache"));
            cache.join("whimbrel/test-data")
        });
    let path = folder.join(name);
    assert!(path.exists(), "{} is missing: run `make test-data`", path.display());
    path
}

fn vocabulary(name: &str) -> Vocabulary {
    let file = MappedFile::open(&test_data(name)).unwrap();
    Vocabulary::read(&Gguf::parse(file.bytes()).unwrap()).unwrap()
}

/// The tokenizer as an engine gets it: through its file.
fn tokenizer(vocabulary: &Vocabulary) -> Tokenizer {
    let bytes = vocabulary.parts.to_bytes().unwrap();
    assert_eq!(TokenizerParts::from_bytes(&bytes).unwrap(), vocabulary.parts);
    Tokenizer::from_bytes(&bytes).unwrap()
}

fn golden(name: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../engine/tests/golden")
        .join(name);
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn ids(value: &Value) -> Vec<u32> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|id| id.as_u64().unwrap() as u32)
        .collect()
}

/// llama.cpp's vocabularies that have vectors, the rule of each, and its number of tokens.
const VOCABULARIES: [(&str, PreTokenizer, u32); 14] = [
    ("command-r", PreTokenizer::Smollm, 256_000),
    ("deepseek-coder", PreTokenizer::DeepseekCoder, 32_256),
    ("deepseek-llm", PreTokenizer::DeepseekLlm, 102_400),
    ("falcon", PreTokenizer::Falcon, 65_024),
    ("gemma-4", PreTokenizer::Lines, 262_144),
    ("gpt-2", PreTokenizer::Gpt2, 50_257),
    ("llama-bpe", PreTokenizer::LlamaBpe, 128_256),
    ("llama-spm", PreTokenizer::Whole, 32_000),
    ("mpt", PreTokenizer::Gpt2, 50_432),
    ("phi-3", PreTokenizer::Whole, 32_064),
    ("qwen2", PreTokenizer::Qwen2, 151_936),
    ("qwen35", PreTokenizer::Qwen35, 151_936),
    ("refact", PreTokenizer::Smollm, 49_216),
    ("starcoder", PreTokenizer::Smollm, 49_152),
];

/// The vectors are strings, each followed by a line `__ggml_vocab_test__`, and one line of ids for each.
fn check_vectors(name: &str, rule: PreTokenizer, vocabulary_len: u32) {
    let name = format!("llama.cpp-vocab/ggml-vocab-{name}.gguf");
    let tokenizer = tokenizer(&vocabulary(&name));
    assert_eq!(tokenizer.pre_tokenizer(), rule);
    assert_eq!(tokenizer.vocabulary_len(), vocabulary_len);
    let inputs = std::fs::read_to_string(test_data(&format!("{name}.inp"))).unwrap();
    let outputs = std::fs::read_to_string(test_data(&format!("{name}.out"))).unwrap();
    let mut inputs: Vec<&str> = inputs.split("\n__ggml_vocab_test__\n").collect();
    // Behind the last string the line may be missing.
    inputs.pop_if(|last| last.is_empty());
    let outputs: Vec<Vec<u32>> = outputs
        .lines()
        .map(|line| line.split_whitespace().map(|id| id.parse().unwrap()).collect())
        .collect();
    assert!(inputs.len() > 40, "{} strings", inputs.len());
    assert_eq!(inputs.len(), outputs.len());
    // Sentencepiece puts a space before a text.
    let space = if rule == PreTokenizer::Whole { " " } else { "" };
    for (input, output) in inputs.iter().zip(outputs) {
        assert_eq!(tokenizer.encode(input, false), output, "{name}: {input:?}");
        let decoded: Vec<u8> = output
            .iter()
            .flat_map(|&id| tokenizer.decode_bytes(id))
            .copied()
            .collect();
        let space = if input.is_empty() { "" } else { space };
        assert_eq!(decoded, format!("{space}{input}").as_bytes());
    }
}

#[test]
fn vocabularies_give_llama_cpps_tokens() {
    for (name, rule, vocabulary_len) in VOCABULARIES {
        check_vectors(name, rule, vocabulary_len);
        println!("{name}: equal");
    }
}

#[test]
fn smollm2_gives_llama_cpps_tokens() {
    check_golden(&tokenizer(&vocabulary(SMOLLM2)), "smollm2_tokens.jsonl");
}

/// The tokens of Gemma's vocabulary with scores instead of merges, as `scripts/golden/gemma_pieces.py` writes them.
#[test]
fn gemmas_pieces_give_llama_cpps_tokens() {
    let mut vocabulary = vocabulary("llama.cpp-vocab/ggml-vocab-gemma-4.gguf");
    let parts = &mut vocabulary.parts;
    parts.algorithm = Algorithm::Scores {
        scores: (0..parts.tokens.len()).map(|id| -(id as f32)).collect(),
        add_space_prefix: false,
        strip_after: Vec::new(),
    };
    parts.pre_tokenizer = PreTokenizer::Whole;
    parts.merges.clear();
    check_golden(&tokenizer(&vocabulary), "gemma_tokens.jsonl");
}

fn check_golden(tokenizer: &Tokenizer, name: &str) {
    let cases = golden(name);
    assert!(cases.len() >= 1000, "{} strings", cases.len());
    for case in &cases {
        let text = case["text"].as_str().unwrap();
        let found = tokenizer.encode(text, case["parse_special"].as_bool().unwrap());
        assert_eq!(found, ids(&case["ids"]), "{text:?}");
    }
}

#[test]
fn smollm2_has_the_chat_template_of_the_goldens() {
    let vocabulary = vocabulary(SMOLLM2);
    let header = &golden("smollm2_chats.jsonl")[0];
    assert_eq!(vocabulary.chat_template.as_deref(), header["template"].as_str());
    let tokenizer = tokenizer(&vocabulary);
    let text = |id: Option<u32>| String::from_utf8(tokenizer.decode_bytes(id.unwrap()).to_vec()).unwrap();
    assert_eq!(header["bos_token"], text(tokenizer.bos()));
    assert_eq!(header["eos_token"], text(tokenizer.eos()));
}
