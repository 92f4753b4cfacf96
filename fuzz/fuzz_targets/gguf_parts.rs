//! Two parts of a split GGUF file: what joins has the tensors of both, and can be planned like any file. The first four bytes say where the first part ends.

#![no_main]

use libfuzzer_sys::fuzz_target;
use whimbrel_forge::gguf::PartName;
use whimbrel_forge::{Gguf, Quantization, summarize};

fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data)
        && let Some(name) = PartName::parse(text)
    {
        assert_eq!(name.of(name.number()), text);
        assert!((1..=name.count()).all(|number| PartName::parse(&name.of(number)).is_some()));
    }
    let Some((length, files)) = data.split_first_chunk() else { return };
    let end = (u32::from_le_bytes(*length) as usize).min(files.len());
    let (Ok(first), Ok(second)) = (Gguf::parse(&files[..end]), Gguf::parse(&files[end..])) else {
        return;
    };
    let tensors = first.tensors().len() + second.tensors().len();
    let Ok(joined) = Gguf::join(vec![first, second]) else { return };
    assert_eq!(joined.tensors().len(), tensors);
    for tensor in joined.tensors() {
        assert_eq!(joined.tensor(tensor.name).map(|found| found.bytes.as_ptr()), Some(tensor.bytes.as_ptr()));
    }
    let _ = summarize(&joined, Quantization::Keep);
});
