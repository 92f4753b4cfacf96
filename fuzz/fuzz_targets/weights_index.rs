//! The table of a weight file: the first eight bytes are the file's size, the rest is the table.

#![no_main]

use libfuzzer_sys::fuzz_target;
use whimbrel_engine::WeightsIndex;

fuzz_target!(|bytes: &[u8]| {
    let Some((file_bytes, text)) = bytes.split_first_chunk::<8>() else {
        return;
    };
    let file_bytes = u64::from_le_bytes(*file_bytes);
    let Ok(index) = WeightsIndex::parse(text, file_bytes) else {
        return;
    };
    let mut end = 0;
    for tensor in &index.tensors {
        assert!(tensor.offset >= end && tensor.offset % 64 == 0);
        let (rows, columns) = (tensor.rows as usize, tensor.columns as usize);
        let bytes = tensor
            .tensor_type
            .packed_bytes(rows, columns)
            .expect("a shape that was accepted");
        end = tensor.offset + bytes as u64;
    }
    assert!(end <= file_bytes);
});
