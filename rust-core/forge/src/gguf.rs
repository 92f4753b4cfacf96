//! A bounds-checked reader of GGUF files, versions 2 and 3 (`docs/gguf.md` of the ggml repository). It borrows everything from the file's
//! bytes and knows nothing about models, only keys, values, tensors and the positions of their bytes.

mod cursor;
mod error;
mod map;
mod model_file;
mod split;
mod value;

use std::collections::{HashMap, HashSet};

use cursor::{Cursor, Within};
pub use error::GgufError;
pub use map::MappedFile;
pub(crate) use model_file::alone;
pub use model_file::{ModelFile, parts_beside};
pub(crate) use split::Split;
pub use split::{PARTS_MAX, PartName, SplitError};
pub use value::{Array, Value, ValueType};

use crate::ggml::GgmlType;

/// Maximum number of metadata keys.
pub const KEYS_MAX: u64 = 16_384;
/// Maximum number of tensors.
pub const TENSORS_MAX: u64 = 65_536;
/// Maximum length of the name of a key or tensor in bytes.
pub const NAME_BYTES_MAX: u64 = 1_024;
/// Maximum length of a text value in bytes. A chat template has a few thousand.
pub const STRING_BYTES_MAX: u64 = 16 << 20;
/// Maximum length of an array. A present-day vocabulary has about 260,000 tokens and 520,000 merges.
pub const ARRAY_ELEMENTS_MAX: u64 = 8 << 20;
/// Maximum nesting of arrays.
pub const ARRAY_NESTING_MAX: u64 = 4;
/// Maximum number of dimensions of a tensor.
pub const DIMENSIONS_MAX: u32 = 4;
/// Maximum `general.alignment` in bytes.
pub const ALIGNMENT_MAX: u64 = 1 << 16;
/// The alignment of tensors when the file does not say, in bytes.
const ALIGNMENT_DEFAULT: u64 = 32;

/// A parsed file: the keys in order, and the tensors.
pub struct Gguf<'a> {
    version: u32,
    keys: Vec<(&'a str, Value<'a>)>,
    key_index: HashMap<&'a str, usize>,
    tensors: Vec<Tensor<'a>>,
    tensor_index: HashMap<&'a str, usize>,
}

/// A tensor and its bytes.
#[derive(Clone, Copy, Debug)]
pub struct Tensor<'a> {
    /// Its name.
    pub name: &'a str,
    /// The type of its values.
    pub ggml_type: &'static GgmlType,
    /// Sizes, with the fastest-varying dimension (columns) first; 1 beyond the file's own dimensions.
    pub dimensions: [u64; DIMENSIONS_MAX as usize],
    /// Its values, row by row.
    pub bytes: &'a [u8],
}

impl Tensor<'_> {
    /// Number of values.
    #[must_use]
    pub fn values(&self) -> u64 {
        // Cannot overflow: the product was checked against the file's length when the tensor was parsed.
        self.dimensions.iter().product()
    }
}

/// A tensor as the file declares it, before its bytes are looked up.
struct Declaration<'a> {
    name: &'a str,
    ggml_type: &'static GgmlType,
    dimensions: [u64; DIMENSIONS_MAX as usize],
    offset: u64,
    bytes: u64,
    declared_at: u64,
}

impl<'a> Gguf<'a> {
    /// Parses a whole file. A file without tensors (a vocabulary) is valid.
    ///
    /// # Errors
    /// [`GgufError`] with the key or tensor and the byte offset.
    pub fn parse(bytes: &'a [u8]) -> Result<Gguf<'a>, GgufError> {
        let mut cursor = Cursor::new(bytes);
        let (mut gguf, tensor_count, key_count) = Gguf::parse_counts(&mut cursor)?;
        gguf.parse_keys(&mut cursor, key_count)?;
        let alignment = gguf.alignment()?;
        let declarations = parse_declarations(&mut cursor, tensor_count, alignment)?;
        gguf.find_tensors(bytes, cursor.offset(), alignment, declarations)?;
        Ok(gguf)
    }

    /// The text of a key in the first bytes of a file, as far as they are whole.
    pub(crate) fn text_at_beginning(bytes: &'a [u8], key: &str) -> Option<&'a str> {
        let mut cursor = Cursor::new(bytes);
        let (mut gguf, _, key_count) = Gguf::parse_counts(&mut cursor).ok()?;
        // It ends where the bytes end: the keys before it are there.
        let _ = gguf.parse_keys(&mut cursor, key_count);
        gguf.text(key).ok()?
    }

    /// What stands before the keys: a file without any, and how many tensors and keys it declares.
    fn parse_counts(cursor: &mut Cursor<'a>) -> Result<(Gguf<'a>, u64, u64), GgufError> {
        if cursor.take(4).map_err(|_| GgufError::Magic)? != b"GGUF" {
            return Err(GgufError::Magic);
        }
        let version = cursor.u32()?;
        if !matches!(version, 2 | 3) {
            return Err(GgufError::Version { found: version });
        }
        let tensor_count = cursor.count("tensors", TENSORS_MAX)?;
        let key_count = cursor.count("keys", KEYS_MAX)?;
        let gguf = Gguf {
            version,
            keys: Vec::new(),
            key_index: HashMap::new(),
            tensors: Vec::new(),
            tensor_index: HashMap::new(),
        };
        Ok((gguf, tensor_count, key_count))
    }

    fn parse_keys(&mut self, cursor: &mut Cursor<'a>, count: u64) -> Result<(), GgufError> {
        for index in 0..count {
            cursor.within = Within::Key(index);
            let key = cursor.name(NAME_BYTES_MAX)?;
            cursor.within = Within::Value(key);
            if self.key_index.contains_key(key) {
                return Err(cursor.invalid("a key that appears twice"));
            }
            let value = Value::parse(cursor)?;
            self.key_index.insert(key, self.keys.len());
            self.keys.push((key, value));
        }
        Ok(())
    }

    fn alignment(&self) -> Result<u64, GgufError> {
        let key = "general.alignment";
        let Some(alignment) = self.u64(key)? else {
            return Ok(ALIGNMENT_DEFAULT);
        };
        if !alignment.is_power_of_two() || !(8..=ALIGNMENT_MAX).contains(&alignment) {
            return Err(GgufError::Invalid {
                within: format!("key {key:?}"),
                reason: format!("{alignment} is not a power of two from 8 to {ALIGNMENT_MAX}"),
                offset: 0,
            });
        }
        Ok(alignment)
    }

    /// Looks up the bytes of each declared tensor: inside the file, and no byte in two tensors.
    fn find_tensors(
        &mut self,
        bytes: &'a [u8],
        header_end: u64,
        alignment: u64,
        declarations: Vec<Declaration<'a>>,
    ) -> Result<(), GgufError> {
        let data_start = header_end.next_multiple_of(alignment);
        let data = bytes.get(data_start as usize..).unwrap_or_default();
        for declaration in &declarations {
            let end = declaration.offset.checked_add(declaration.bytes);
            if end.is_none_or(|end| end > data.len() as u64) {
                return Err(GgufError::Truncated {
                    within: Within::Tensor(declaration.name).to_string(),
                    offset: data_start.saturating_add(declaration.offset),
                    needed: declaration.bytes,
                    left: (data.len() as u64).saturating_sub(declaration.offset),
                });
            }
            self.tensor_index.insert(declaration.name, self.tensors.len());
            self.tensors.push(Tensor {
                name: declaration.name,
                ggml_type: declaration.ggml_type,
                dimensions: declaration.dimensions,
                bytes: &data[declaration.offset as usize..][..declaration.bytes as usize],
            });
        }
        let mut by_offset: Vec<&Declaration<'_>> = declarations.iter().collect();
        by_offset.sort_by_key(|declaration| declaration.offset);
        match by_offset
            .windows(2)
            .find(|pair| pair[0].offset + pair[0].bytes > pair[1].offset)
        {
            Some(pair) => Err(GgufError::Invalid {
                within: Within::Tensor(pair[1].name).to_string(),
                reason: format!("its bytes overlap those of tensor {:?}, declared", pair[0].name),
                offset: pair[1].declared_at,
            }),
            None => Ok(()),
        }
    }

    /// The file's version, 2 or 3.
    #[must_use]
    pub fn version(&self) -> u32 {
        self.version
    }

    /// Every key with its value, in the file's order.
    #[must_use]
    pub fn keys(&self) -> &[(&'a str, Value<'a>)] {
        &self.keys
    }

    /// Every tensor, in the file's order.
    #[must_use]
    pub fn tensors(&self) -> &[Tensor<'a>] {
        &self.tensors
    }

    /// The value of a key.
    #[must_use]
    pub fn value(&self, key: &str) -> Option<Value<'a>> {
        self.key_index.get(key).map(|index| self.keys[*index].1)
    }

    /// The tensor with this name.
    #[must_use]
    pub fn tensor(&self, name: &str) -> Option<Tensor<'a>> {
        self.tensor_index.get(name).map(|index| self.tensors[*index])
    }

    /// The value of a key as UTF-8 text.
    ///
    /// # Errors
    /// [`GgufError::Type`] if the value has another type, here and in the following methods.
    pub fn text(&self, key: &str) -> Result<Option<&'a str>, GgufError> {
        self.convert(key, "a string of UTF-8", |value| match value {
            Value::String(bytes) => std::str::from_utf8(bytes).ok(),
            _ => None,
        })
    }

    /// The value of a key as a non-negative integer, of any width in the file.
    ///
    /// # Errors
    /// [`GgufError::Type`].
    pub fn u64(&self, key: &str) -> Result<Option<u64>, GgufError> {
        self.convert(key, "an integer from 0 to 2^64 - 1", |value| match value {
            Value::Integer(integer, _) => u64::try_from(integer).ok(),
            _ => None,
        })
    }

    /// Like [`Gguf::u64`], up to 2³² − 1.
    ///
    /// # Errors
    /// [`GgufError::Type`].
    pub fn u32(&self, key: &str) -> Result<Option<u32>, GgufError> {
        self.convert(key, "an integer from 0 to 2^32 - 1", |value| match value {
            Value::Integer(integer, _) => u32::try_from(integer).ok(),
            _ => None,
        })
    }

    /// The value of a key as a finite 32-bit float.
    ///
    /// # Errors
    /// [`GgufError::Type`].
    pub fn f32(&self, key: &str) -> Result<Option<f32>, GgufError> {
        self.convert(key, "a finite number", |value| {
            let number = match value {
                Value::F32(number) => number,
                Value::F64(number) => number as f32,
                _ => return None,
            };
            number.is_finite().then_some(number)
        })
    }

    /// The value of a key as a boolean.
    ///
    /// # Errors
    /// [`GgufError::Type`].
    pub fn flag(&self, key: &str) -> Result<Option<bool>, GgufError> {
        self.convert(key, "a bool", |value| {
            if let Value::Bool(flag) = value {
                Some(flag)
            } else {
                None
            }
        })
    }

    /// The value of a key as an array of strings.
    ///
    /// # Errors
    /// [`GgufError::Type`].
    pub fn strings(&self, key: &str) -> Result<Option<Array<'a>>, GgufError> {
        self.convert(key, "an array of strings", |value| match value {
            Value::Array(array) if array.element_type() == ValueType::String => Some(array),
            _ => None,
        })
    }

    /// The value of a key as an array of 32-bit integers.
    ///
    /// # Errors
    /// [`GgufError::Type`].
    pub fn integers(&self, key: &str) -> Result<Option<Array<'a>>, GgufError> {
        self.convert(key, "an array of 32-bit integers", |value| match value {
            Value::Array(array) if matches!(array.element_type(), ValueType::I32 | ValueType::U32) => Some(array),
            _ => None,
        })
    }

    /// The value of a key as an array of booleans.
    ///
    /// # Errors
    /// [`GgufError::Type`].
    pub fn flags(&self, key: &str) -> Result<Option<Array<'a>>, GgufError> {
        self.convert(key, "an array of bools", |value| match value {
            Value::Array(array) if array.element_type() == ValueType::Bool => Some(array),
            _ => None,
        })
    }

    /// The value of a key as an array of numbers of 32 bits, floats or integers.
    ///
    /// # Errors
    /// [`GgufError::Type`].
    pub fn floats(&self, key: &str) -> Result<Option<Array<'a>>, GgufError> {
        self.convert(key, "an array of 32-bit numbers", |value| match value {
            Value::Array(array) if matches!(array.element_type(), ValueType::F32 | ValueType::I32) => Some(array),
            _ => None,
        })
    }

    fn convert<T>(
        &self,
        key: &str,
        expected: &'static str,
        convert: impl FnOnce(Value<'a>) -> Option<T>,
    ) -> Result<Option<T>, GgufError> {
        let Some(value) = self.value(key) else { return Ok(None) };
        let found = value.value_type().name();
        convert(value).map(Some).ok_or_else(|| GgufError::Type {
            key: key.to_owned(),
            expected,
            found,
        })
    }
}

fn parse_declarations<'a>(
    cursor: &mut Cursor<'a>,
    count: u64,
    alignment: u64,
) -> Result<Vec<Declaration<'a>>, GgufError> {
    let mut declarations = Vec::new();
    let mut names = HashSet::new();
    for index in 0..count {
        cursor.within = Within::TensorName(index);
        let declared_at = cursor.offset();
        let name = cursor.name(NAME_BYTES_MAX)?;
        cursor.within = Within::Tensor(name);
        if !names.insert(name) {
            return Err(cursor.invalid("a name that appears twice"));
        }
        declarations.push(parse_declaration(cursor, name, declared_at, alignment)?);
    }
    Ok(declarations)
}

fn parse_declaration<'a>(
    cursor: &mut Cursor<'a>,
    name: &'a str,
    declared_at: u64,
    alignment: u64,
) -> Result<Declaration<'a>, GgufError> {
    let rank = cursor.u32()?;
    if rank == 0 || rank > DIMENSIONS_MAX {
        return Err(cursor.invalid(format!("{rank} dimensions, not 1 to {DIMENSIONS_MAX}")));
    }
    let mut dimensions = [1; DIMENSIONS_MAX as usize];
    for dimension in &mut dimensions[..rank as usize] {
        *dimension = cursor.u64()?;
        if *dimension == 0 {
            return Err(cursor.invalid("a dimension of 0"));
        }
    }
    let type_id = cursor.u32()?;
    let ggml_type = GgmlType::by_id(type_id).ok_or_else(|| cursor.invalid(format!("unknown tensor type {type_id}")))?;
    let bytes = tensor_bytes(ggml_type, &dimensions).ok_or_else(|| {
        cursor.invalid(format!(
            "dimensions {dimensions:?} do not make whole {} blocks",
            ggml_type.name
        ))
    })?;
    let offset = cursor.u64()?;
    if !offset.is_multiple_of(alignment) {
        return Err(cursor.invalid(format!("data offset {offset} is not a multiple of {alignment}")));
    }
    Ok(Declaration {
        name,
        ggml_type,
        dimensions,
        offset,
        bytes,
        declared_at,
    })
}

/// `None` when a row does not fill whole blocks or the size overflows.
fn tensor_bytes(ggml_type: &GgmlType, dimensions: &[u64]) -> Option<u64> {
    dimensions[0].is_multiple_of(ggml_type.block_values).then_some(())?;
    let values = dimensions
        .iter()
        .try_fold(1u64, |product, dimension| product.checked_mul(*dimension))?;
    (values / ggml_type.block_values).checked_mul(ggml_type.block_bytes)
}
