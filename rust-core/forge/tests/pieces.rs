//! Models with a sentencepiece vocabulary, and vocabularies with gaps.
#![allow(clippy::unwrap_used)]

mod support;

use support::{Desk, small};
use whimbrel_engine::{Algorithm, Model, OpenOptions, PreTokenizer, TokenKind, Tokenizer, verify};
use whimbrel_forge::synthetic::Synthetic;
use whimbrel_forge::{Gguf, Vocabulary};

fn sentencepiece() -> Synthetic {
    Synthetic {
        sentencepiece: true,
        ..small()
    }
}

fn tokenizer(file: &[u8]) -> Tokenizer {
    let vocabulary = Vocabulary::read(&Gguf::parse(file).unwrap()).unwrap();
    Tokenizer::from_bytes(&vocabulary.parts.to_bytes().unwrap()).unwrap()
}

#[test]
fn a_model_with_pieces_is_imported_and_opens() {
    let desk = Desk::new(&sentencepiece().to_gguf());
    let manifest = desk.import().unwrap();
    verify(&desk.output()).unwrap();
    assert_eq!(manifest.tokenizer.kind, "sentencepiece");
    let options = OpenOptions {
        threads: 1,
        ..OpenOptions::default()
    };
    let model = Model::open(&desk.output(), &options).unwrap();
    let ids = model.tokenizer().encode("the bird", false);
    let decoded: Vec<u8> = ids
        .iter()
        .flat_map(|&id| model.tokenizer().decode_bytes(id))
        .copied()
        .collect();
    assert_eq!(decoded, b" the bird");
}

/// The synthetic pieces are the merges of the byte-level vocabulary, so that both cut a text in the same way.
#[test]
fn pieces_cut_as_merges_do() {
    let pieces = tokenizer(&sentencepiece().to_vocabulary_gguf());
    let bytes = tokenizer(&small().to_vocabulary_gguf());
    for text in ["the bird crosses the ocean", "42 \u{1f426} <|im_end|>", "a\n b"] {
        let expected = bytes.encode(&format!(" {text}"), false);
        assert_eq!(pieces.encode(text, false), expected, "{text}");
    }
    let whole = pieces.encode("<|im_start|>user", true);
    assert_eq!(whole[0], pieces.bos().unwrap());
}

#[test]
fn whitespace_behind_phi_3s_special_tokens_is_left_out() {
    let file = sentencepiece().to_gguf_with(&[("general.name", "Phi-3.5 mini")], &[]);
    let phi = tokenizer(&file);
    assert_eq!(phi.encode("<|im_end|>\nthe", true), phi.encode("<|im_end|>the", true));
    assert_ne!(
        phi.encode("<|endoftext|>\nthe", true),
        phi.encode("<|endoftext|>the", true)
    );
    let other = tokenizer(&sentencepiece().to_gguf());
    assert_ne!(
        other.encode("<|im_end|>\nthe", true),
        other.encode("<|im_end|>the", true)
    );
}

/// A vocabulary with the text of one token changed to another one of the same length.
fn renamed(synthetic: &Synthetic, from: &str, to: &str) -> Vec<u8> {
    let stored = |text: &str| [&(text.len() as u64).to_le_bytes(), text.as_bytes()].concat();
    let (from, to) = (stored(from), stored(to));
    let mut file = synthetic.to_vocabulary_gguf();
    let position = file.windows(from.len()).position(|window| window == from).unwrap();
    file.splice(position..position + from.len(), to);
    file
}

#[test]
fn an_empty_token_has_its_number_for_a_text() {
    // The first token is <|endoftext|>, which ends answers and is found in texts only by its name.
    for synthetic in [small(), sentencepiece()] {
        let file = renamed(&synthetic, "<|endoftext|>", "");
        let vocabulary = Vocabulary::read(&Gguf::parse(&file).unwrap()).unwrap();
        assert_eq!(vocabulary.parts.tokens[0], b"[EMPTY_0]");
        assert_eq!(vocabulary.parts.kinds[0], TokenKind::Control);
        vocabulary.parts.to_bytes().unwrap();
    }
}

#[test]
fn a_file_without_a_rule_has_the_default() {
    for name in ["", "default"] {
        let file = small().to_gguf_with(&[("tokenizer.ggml.pre", name)], &[]);
        assert_eq!(tokenizer(&file).pre_tokenizer(), PreTokenizer::Default);
    }
    let file = renamed(&small(), "tokenizer.ggml.pre", "tokenizer.ggml.prf");
    assert_eq!(tokenizer(&file).pre_tokenizer(), PreTokenizer::Default);
}

#[test]
fn scores_and_the_space_are_the_files() {
    let vocabulary = |file: &[u8]| Vocabulary::read(&Gguf::parse(file).unwrap());
    let file = sentencepiece().to_vocabulary_gguf();
    let parts = vocabulary(&file).unwrap().parts;
    let Algorithm::Scores {
        scores,
        add_space_prefix,
        strip_after,
    } = parts.algorithm
    else {
        panic!("{:?}", parts.algorithm);
    };
    assert!(add_space_prefix);
    assert!(strip_after.is_empty());
    assert_eq!((scores.len(), scores[9]), (parts.tokens.len(), -9.0));
    // Files without scores have nothing but zeros.
    let file = renamed(&sentencepiece(), "tokenizer.ggml.scores", "tokenizer.ggml.scorez");
    let parts = vocabulary(&file).unwrap().parts;
    assert!(matches!(parts.algorithm, Algorithm::Scores { scores, .. } if scores.iter().all(|score| *score == 0.0)));
}
