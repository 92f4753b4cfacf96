//! A tokenizer file: what is accepted encodes any text without a panic, in both modes, and tokens turn back into bytes.

#![no_main]

use libfuzzer_sys::fuzz_target;
use whimbrel_engine::{Tokenizer, TokenizerParts};

const TEXTS: [&str; 4] = [
    "The bird's 12 eggs\n\n are here…",
    "<|im_start|>user\nHello<|im_end|>",
    "  \t\r\n 日本語 ٣٤ é́",
    "",
];

fuzz_target!(|bytes: &[u8]| {
    let Ok(tokenizer) = Tokenizer::from_bytes(bytes) else {
        return;
    };
    for text in TEXTS {
        for parse_special in [false, true] {
            for id in tokenizer.encode(text, parse_special) {
                assert!(id < tokenizer.vocabulary_len());
                let _ = tokenizer.decode_bytes(id);
            }
        }
    }
    let parts = TokenizerParts::from_bytes(bytes).expect("accepted just now");
    let _ = parts.to_bytes();
});
