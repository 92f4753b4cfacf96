//! Writes GGUF version 3 files, the reverse of [`crate::gguf`], for synthetic files.

use std::collections::BTreeMap;

use whimbrel_kernels::TensorType;

use crate::ggml::{self, GgmlType};
use crate::gguf::ValueType;
use crate::quantize::fitting;

/// The alignment of tensors, in bytes; the format's default.
const ALIGNMENT: usize = 32;

/// A file that grows key by key and tensor by tensor.
#[derive(Default)]
pub(super) struct Writer {
    key_count: u64,
    keys: Vec<u8>,
    tensors: Vec<Tensor>,
    /// Texts that are written in place of those that [`Writer::text`] is given.
    pub(super) texts: BTreeMap<String, String>,
}

/// A tensor of the file.
struct Tensor {
    /// Name, dimensions and type, as the file declares them before the offset.
    declaration: Vec<u8>,
    blocks: Vec<u8>,
}

impl Writer {
    fn key(&mut self, key: &str, value_type: ValueType) {
        self.key_count += 1;
        string(&mut self.keys, key.as_bytes());
        self.keys.extend(value_type.id().to_le_bytes());
    }

    pub(super) fn u32(&mut self, key: &str, value: u32) {
        self.key(key, ValueType::U32);
        self.keys.extend(value.to_le_bytes());
    }

    pub(super) fn f32(&mut self, key: &str, value: f32) {
        self.key(key, ValueType::F32);
        self.keys.extend(value.to_le_bytes());
    }

    pub(super) fn flag(&mut self, key: &str, value: bool) {
        self.key(key, ValueType::Bool);
        self.keys.push(value.into());
    }

    pub(super) fn text(&mut self, key: &str, value: &str) {
        let other = self.texts.remove(key);
        self.key(key, ValueType::String);
        string(&mut self.keys, other.as_deref().unwrap_or(value).as_bytes());
    }

    pub(super) fn texts(&mut self, key: &str, values: &[String]) {
        self.array(key, ValueType::String, values.len());
        for value in values {
            string(&mut self.keys, value.as_bytes());
        }
    }

    pub(super) fn integers(&mut self, key: &str, values: &[i32]) {
        self.array(key, ValueType::I32, values.len());
        for value in values {
            self.keys.extend(value.to_le_bytes());
        }
    }

    pub(super) fn floats(&mut self, key: &str, values: &[f32]) {
        self.array(key, ValueType::F32, values.len());
        for value in values {
            self.keys.extend(value.to_le_bytes());
        }
    }

    fn array(&mut self, key: &str, element_type: ValueType, count: usize) {
        self.key(key, ValueType::Array);
        self.keys.extend(element_type.id().to_le_bytes());
        self.keys.extend((count as u64).to_le_bytes());
    }

    /// Adds `rows × columns` values, stored as `tensor_type`, or as [`fitting`] says where the columns do not fill its blocks; one row makes
    /// a vector.
    ///
    /// # Panics
    /// When a value cannot be stored: the caller makes them.
    pub(super) fn tensor(&mut self, name: &str, tensor_type: TensorType, columns: usize, values: &[f32]) {
        let tensor_type = fitting(tensor_type, columns as u32);
        let rows = values.len() / columns;
        let dimensions: &[usize] = if rows == 1 { &[columns] } else { &[columns, rows] };
        let mut declaration = Vec::new();
        string(&mut declaration, name.as_bytes());
        declaration.extend((dimensions.len() as u32).to_le_bytes());
        for dimension in dimensions {
            declaration.extend((*dimension as u64).to_le_bytes());
        }
        declaration.extend(GgmlType::of(tensor_type).id.to_le_bytes());
        let row_bytes = tensor_type.row_bytes(columns).expect("the columns fill whole blocks");
        let mut blocks = vec![0; rows * row_bytes];
        for (values, blocks) in values.chunks_exact(columns).zip(blocks.chunks_exact_mut(row_bytes)) {
            assert!(ggml::encode(tensor_type, values, blocks), "the values can be stored");
        }
        self.tensors.push(Tensor { declaration, blocks });
    }

    pub(super) fn finish(self) -> Vec<u8> {
        file(self.key_count, &self.keys, &self.tensors)
    }

    /// The model in so many files, with nearly as many tensors in each.
    ///
    /// # Panics
    /// When there are more files than tensors.
    pub(super) fn finish_in_parts(mut self, count: u16) -> Vec<Vec<u8>> {
        assert!(
            (1..=self.tensors.len()).contains(&usize::from(count)),
            "every part has a tensor"
        );
        let tensors = std::mem::take(&mut self.tensors);
        let first_of = |number: u16| usize::from(number) * tensors.len() / usize::from(count);
        let mut files = Vec::new();
        for number in 0..count {
            // Only the first part has the model's keys.
            let mut part = if number == 0 {
                std::mem::take(&mut self)
            } else {
                Writer::default()
            };
            part.u32("split.no", number.into());
            part.u32("split.count", count.into());
            part.u32("split.tensors.count", tensors.len() as u32);
            let own = &tensors[first_of(number)..first_of(number + 1)];
            files.push(file(part.key_count, &part.keys, own));
        }
        files
    }
}

fn file(key_count: u64, keys: &[u8], tensors: &[Tensor]) -> Vec<u8> {
    let mut file = b"GGUF".to_vec();
    file.extend(3u32.to_le_bytes());
    file.extend((tensors.len() as u64).to_le_bytes());
    file.extend(key_count.to_le_bytes());
    file.extend(keys);
    let mut offset = 0;
    for tensor in tensors {
        file.extend(&tensor.declaration);
        file.extend((offset as u64).to_le_bytes());
        offset = (offset + tensor.blocks.len()).next_multiple_of(ALIGNMENT);
    }
    for tensor in tensors {
        file.resize(file.len().next_multiple_of(ALIGNMENT), 0);
        file.extend(&tensor.blocks);
    }
    file.resize(file.len().next_multiple_of(ALIGNMENT), 0);
    file
}

fn string(out: &mut Vec<u8>, text: &[u8]) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text);
}
