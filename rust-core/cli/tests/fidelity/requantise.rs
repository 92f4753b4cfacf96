//! Makes of a GGUF file what `llama-quantize --allow-requantize --pure` makes of it, byte for byte, so that engines can be compared
//! on llama.cpp's files without llama.cpp. The rounding is that of GGML's reference quantisers (`ggml-quants.c`, `quantize_row_*_ref`),
//! not the importer's, which searches for better scales.

use std::io::{self, Write};

use whimbrel_forge::{Gguf, gguf::Tensor};
use whimbrel_kernels::{f16_to_f32, f32_to_f16};

/// Values that share a scale.
const BLOCK: usize = 32;
/// Between tensors in the file, in bytes.
const ALIGNMENT: usize = 32;
const VALUE_U32: u32 = 4;
const VALUE_STRING: u32 = 8;
const VALUE_ARRAY: u32 = 9;

/// The type that matrices get; vectors stay as they are.
#[derive(Clone, Copy)]
pub(crate) enum Target {
    F32,
    Q4_0,
    Q8_0,
}

impl Target {
    /// The number of the tensor type and the number of the file type.
    fn numbers(self) -> (u32, u32) {
        match self {
            Self::F32 => (0, 0),
            Self::Q4_0 => (2, 2),
            Self::Q8_0 => (8, 7),
        }
    }

    fn encode(self, values: &[f32], bytes: &mut Vec<u8>) {
        match self {
            Self::F32 => values.iter().for_each(|value| bytes.extend(value.to_le_bytes())),
            Self::Q4_0 => values.chunks_exact(BLOCK).for_each(|block| encode_q4_0(block, bytes)),
            Self::Q8_0 => values.chunks_exact(BLOCK).for_each(|block| encode_q8_0(block, bytes)),
        }
    }

    fn bytes(self, values: usize) -> usize {
        match self {
            Self::F32 => values * 4,
            Self::Q4_0 => values / BLOCK * 18,
            Self::Q8_0 => values / BLOCK * 34,
        }
    }
}

/// Writes the file that llama-quantize would write.
pub(crate) fn requantise(source: &[u8], target: Target, out: &mut impl Write) -> io::Result<()> {
    let gguf = Gguf::parse(source).expect("the source is a GGUF file");
    let mut tensors: Vec<&Tensor<'_>> = gguf.tensors().iter().collect();
    tensors.sort_by_key(|tensor| place(tensor.name));

    let mut header = header(source, target, tensors.len());
    let mut offset = 0;
    for tensor in &tensors {
        let is_matrix = tensor.dimensions[1] > 1;
        let dimensions = if is_matrix { 2 } else { 1 };
        let (id, bytes) = if is_matrix {
            (target.numbers().0, target.bytes(tensor.values() as usize))
        } else {
            (tensor.ggml_type.id, tensor.bytes.len())
        };
        put_string(&mut header, tensor.name.as_bytes());
        header.extend((dimensions as u32).to_le_bytes());
        for dimension in &tensor.dimensions[..dimensions] {
            header.extend(dimension.to_le_bytes());
        }
        header.extend(id.to_le_bytes());
        header.extend((offset as u64).to_le_bytes());
        offset += bytes.next_multiple_of(ALIGNMENT);
    }
    header.resize(header.len().next_multiple_of(ALIGNMENT), 0);
    out.write_all(&header)?;

    for tensor in tensors {
        let mut bytes = Vec::new();
        if tensor.dimensions[1] > 1 {
            target.encode(&decode(tensor), &mut bytes);
        } else {
            bytes.extend(tensor.bytes);
        }
        bytes.resize(bytes.len().next_multiple_of(ALIGNMENT), 0);
        out.write_all(&bytes)?;
    }
    Ok(())
}

/// llama-quantize sorts tensors by layer, those outside the layers first, then by name.
fn place(name: &str) -> (Option<u32>, &str) {
    let layer = name.strip_prefix("blk.").and_then(|rest| rest.split('.').next());
    (layer.and_then(|number| number.parse().ok()), name)
}

/// Everything before the tensors: the source's keys, the two that llama-quantize sets at the end.
fn header(source: &[u8], target: Target, tensors: usize) -> Vec<u8> {
    let set = [
        ("general.quantization_version", 2),
        ("general.file_type", target.numbers().1),
    ];
    let mut walker = Walker { bytes: source, at: 16 };
    let count = walker.u64();
    let mut kept: Vec<u8> = Vec::new();
    let mut kept_count = 0;
    for _ in 0..count {
        let start = walker.at;
        let name = walker.string();
        let value_type = walker.u32();
        walker.skip(value_type);
        if set.iter().all(|(key, _)| key.as_bytes() != name) {
            kept.extend(&source[start..walker.at]);
            kept_count += 1;
        }
    }
    let mut header = b"GGUF".to_vec();
    header.extend(3_u32.to_le_bytes());
    header.extend((tensors as u64).to_le_bytes());
    header.extend((kept_count + set.len() as u64).to_le_bytes());
    header.extend(kept);
    for (key, value) in set {
        put_string(&mut header, key.as_bytes());
        header.extend(VALUE_U32.to_le_bytes());
        header.extend(value.to_le_bytes());
    }
    header
}

fn put_string(out: &mut Vec<u8>, text: &[u8]) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text);
}

/// Walks over keys to find where each begins and ends; their values stay bytes.
struct Walker<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Walker<'a> {
    fn take(&mut self, count: usize) -> &'a [u8] {
        self.at += count;
        &self.bytes[self.at - count..self.at]
    }

    fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.take(4).try_into().unwrap())
    }

    fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.take(8).try_into().unwrap())
    }

    fn string(&mut self) -> &'a [u8] {
        let length = self.u64() as usize;
        self.take(length)
    }

    fn skip(&mut self, value_type: u32) {
        match value_type {
            0 | 1 | 7 => self.at += 1,
            2 | 3 => self.at += 2,
            4..=6 => self.at += 4,
            10..=12 => self.at += 8,
            VALUE_STRING => _ = self.string(),
            VALUE_ARRAY => {
                let element = self.u32();
                let count = self.u64();
                (0..count).for_each(|_| self.skip(element));
            }
            other => panic!("value type {other}"),
        }
    }
}

fn half(bytes: &[u8]) -> f32 {
    f16_to_f32(u16::from_le_bytes([bytes[0], bytes[1]]))
}

/// The values of a matrix, for the types that the shipped file has.
fn decode(tensor: &Tensor<'_>) -> Vec<f32> {
    let mut values = Vec::with_capacity(tensor.values() as usize);
    match tensor.ggml_type.name {
        "F32" => values.extend(
            tensor
                .bytes
                .chunks_exact(4)
                .map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap())),
        ),
        "Q4_1" => {
            for block in tensor.bytes.chunks_exact(20) {
                let (scale, minimum) = (half(block), half(&block[2..]));
                let value = |code: u8| f32::from(code) * scale + minimum;
                values.extend(block[4..].iter().map(|byte| value(byte & 15)));
                values.extend(block[4..].iter().map(|byte| value(byte >> 4)));
            }
        }
        "Q8_0" => {
            for block in tensor.bytes.chunks_exact(34) {
                let scale = half(block);
                values.extend(block[2..].iter().map(|byte| f32::from(*byte as i8) * scale));
            }
        }
        other => panic!("{} is {other}", tensor.name),
    }
    values
}

/// The value farthest from zero becomes code 0, which stands for −8.
fn encode_q4_0(values: &[f32], bytes: &mut Vec<u8>) {
    let farthest = |far: f32, value: &f32| if value.abs() > far.abs() { *value } else { far };
    let scale = values.iter().fold(0.0, farthest) / -8.0;
    let inverse = if scale == 0.0 { 0.0 } else { 1.0 / scale };
    let code = |value: f32| ((value * inverse + 8.5) as i8).min(15) as u8;
    bytes.extend(f32_to_f16(scale).to_le_bytes());
    bytes.extend((0..BLOCK / 2).map(|index| code(values[index]) | code(values[index + BLOCK / 2]) << 4));
}

fn encode_q8_0(values: &[f32], bytes: &mut Vec<u8>) {
    let scale = values.iter().fold(0.0_f32, |far, value| far.max(value.abs())) / 127.0;
    let inverse = if scale == 0.0 { 0.0 } else { 1.0 / scale };
    bytes.extend(f32_to_f16(scale).to_le_bytes());
    bytes.extend(values.iter().map(|value| (value * inverse).round() as i8 as u8));
}
