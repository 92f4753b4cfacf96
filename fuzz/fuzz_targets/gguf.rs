//! A GGUF file: parsing it, walking every value, reading the vocabulary, and planning an import of every kind.

#![no_main]

use libfuzzer_sys::fuzz_target;
use whimbrel_forge::gguf::Value;
use whimbrel_forge::{Gguf, Quantization, Vocabulary, summarize};

fuzz_target!(|bytes: &[u8]| {
    let Ok(gguf) = Gguf::parse(bytes) else { return };
    for (_, value) in gguf.keys() {
        if let Value::Array(array) = value {
            let elements = array.strings().count() + array.integers().count();
            assert!(array.floats().count() as u64 <= array.count());
            assert!(elements as u64 <= array.count());
        }
    }
    for tensor in gguf.tensors() {
        let bytes = tensor.values() / tensor.ggml_type.block_values * tensor.ggml_type.block_bytes;
        assert_eq!(bytes, tensor.bytes.len() as u64);
    }
    if let Ok(vocabulary) = Vocabulary::read(&gguf) {
        let _ = vocabulary.parts.to_bytes();
    }
    for quantization in Quantization::ALL {
        let _ = summarize(&gguf, quantization);
    }
});
