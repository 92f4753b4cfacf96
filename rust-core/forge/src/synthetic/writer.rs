//! Writes GGUF version 3 files, the reverse of [`crate::gguf`], for synthetic files.

use std::collections::BTreeMap;

use whimbrel_kernels::TensorType;

use crate::ggml::{self, GgmlType};
use crate::gguf::ValueType;

/// The alignment of tensors, in bytes; the format's default.
const ALIGNMENT: usize = 32;

/// A file that grows key by key and tensor by tensor.
#[derive(Default)]
pub(super) struct Writer {
    key_count: u64,
    keys: Vec<u8>,
    tensor_count: u64,
    tensors: Vec<u8>,
    data: Vec<u8>,
    /// Texts that are written in place of those that [`Writer::text`] is given.
    pub(super) texts: BTreeMap<String, String>,
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

    /// Adds `rows × columns` values, stored as `tensor_type`; one row makes a vector.
    ///
    /// # Panics
    /// When the columns do not fill whole blocks or a value cannot be stored: the caller makes both.
    pub(super) fn tensor(&mut self, name: &str, tensor_type: TensorType, columns: usize, values: &[f32]) {
        let rows = values.len() / columns;
        let dimensions: &[usize] = if rows == 1 { &[columns] } else { &[columns, rows] };
        self.tensor_count += 1;
        string(&mut self.tensors, name.as_bytes());
        self.tensors.extend((dimensions.len() as u32).to_le_bytes());
        for dimension in dimensions {
            self.tensors.extend((*dimension as u64).to_le_bytes());
        }
        self.tensors.extend(GgmlType::of(tensor_type).id.to_le_bytes());
        self.tensors.extend((self.data.len() as u64).to_le_bytes());
        let row_bytes = tensor_type.row_bytes(columns).expect("the columns fill whole blocks");
        let start = self.data.len();
        self.data.resize(start + rows * row_bytes, 0);
        for (values, blocks) in values
            .chunks_exact(columns)
            .zip(self.data[start..].chunks_exact_mut(row_bytes))
        {
            assert!(ggml::encode(tensor_type, values, blocks), "the values can be stored");
        }
        self.data.resize(self.data.len().next_multiple_of(ALIGNMENT), 0);
    }

    pub(super) fn finish(self) -> Vec<u8> {
        let mut file = b"GGUF".to_vec();
        file.extend(3u32.to_le_bytes());
        file.extend(self.tensor_count.to_le_bytes());
        file.extend(self.key_count.to_le_bytes());
        file.extend(self.keys);
        file.extend(self.tensors);
        file.resize(file.len().next_multiple_of(ALIGNMENT), 0);
        file.extend(self.data);
        file
    }
}

fn string(out: &mut Vec<u8>, text: &[u8]) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text);
}
