//! Metadata values, borrowed from the file. Numbers are parsed with the value, arrays when they are iterated.

use super::cursor::Cursor;
use super::{ARRAY_ELEMENTS_MAX, ARRAY_NESTING_MAX, GgufError, STRING_BYTES_MAX};

/// The type of a metadata value or array element (GGUF specification, `gguf_metadata_value_type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueType {
    /// 8-bit unsigned integer.
    U8,
    /// 8-bit signed integer.
    I8,
    /// 16-bit unsigned integer.
    U16,
    /// 16-bit signed integer.
    I16,
    /// 32-bit unsigned integer.
    U32,
    /// 32-bit signed integer.
    I32,
    /// 32-bit float.
    F32,
    /// One byte, 0 or 1.
    Bool,
    /// A length and bytes.
    String,
    /// An element type, a count and the elements.
    Array,
    /// 64-bit unsigned integer.
    U64,
    /// 64-bit signed integer.
    I64,
    /// 64-bit float.
    F64,
}

impl ValueType {
    /// In the order of their numbers in the file.
    const ALL: [ValueType; 13] = [
        Self::U8,
        Self::I8,
        Self::U16,
        Self::I16,
        Self::U32,
        Self::I32,
        Self::F32,
        Self::Bool,
        Self::String,
        Self::Array,
        Self::U64,
        Self::I64,
        Self::F64,
    ];

    pub(crate) fn id(self) -> u32 {
        Self::ALL
            .iter()
            .position(|each| *each == self)
            .expect("every type is listed") as u32
    }

    /// The name used in messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::U8 => "u8",
            Self::I8 => "i8",
            Self::U16 => "u16",
            Self::I16 => "i16",
            Self::U32 => "u32",
            Self::I32 => "i32",
            Self::F32 => "f32",
            Self::Bool => "bool",
            Self::String => "string",
            Self::Array => "array",
            Self::U64 => "u64",
            Self::I64 => "i64",
            Self::F64 => "f64",
        }
    }

    /// Bytes of one value; `None` for strings and arrays.
    fn bytes(self) -> Option<u64> {
        match self {
            Self::U8 | Self::I8 | Self::Bool => Some(1),
            Self::U16 | Self::I16 => Some(2),
            Self::U32 | Self::I32 | Self::F32 => Some(4),
            Self::U64 | Self::I64 | Self::F64 => Some(8),
            Self::String | Self::Array => None,
        }
    }

    fn parse(cursor: &mut Cursor<'_>) -> Result<ValueType, GgufError> {
        let id = cursor.u32()?;
        ValueType::ALL
            .get(id as usize)
            .copied()
            .ok_or_else(|| cursor.invalid(format!("unknown value type {id}")))
    }
}

/// One metadata value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// An integer of any width, with the type it has in the file.
    Integer(i128, ValueType),
    /// A 32-bit float.
    F32(f32),
    /// A 64-bit float.
    F64(f64),
    /// A boolean.
    Bool(bool),
    /// Text, usually but not always UTF-8.
    String(&'a [u8]),
    /// A list.
    Array(Array<'a>),
}

/// An array of values of one type, which is known to be inside the file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Array<'a> {
    element_type: ValueType,
    count: u64,
    bytes: &'a [u8],
}

impl<'a> Array<'a> {
    /// The type of the elements.
    #[must_use]
    pub fn element_type(&self) -> ValueType {
        self.element_type
    }

    /// Number of elements.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The elements of an array of strings; empty for other arrays.
    pub fn strings(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let mut cursor = Cursor::new(self.bytes);
        let count = if self.element_type == ValueType::String {
            self.count
        } else {
            0
        };
        (0..count).map(move |_| {
            cursor
                .string(STRING_BYTES_MAX)
                .expect("the elements were walked when parsed")
        })
    }

    /// The elements of an array of 32-bit floats or 32-bit integers, as floats; empty for other arrays.
    pub fn floats(&self) -> impl Iterator<Item = f32> + use<'a> {
        let element_type = self.element_type;
        let mut cursor = Cursor::new(self.bytes);
        let count = match element_type {
            ValueType::F32 | ValueType::I32 => self.count,
            _ => 0,
        };
        (0..count).map(move |_| {
            let bits = cursor.u32().expect("the elements were walked when parsed");
            match element_type {
                ValueType::F32 => f32::from_bits(bits),
                _ => bits as i32 as f32,
            }
        })
    }

    /// The elements of an array of booleans; empty for other arrays.
    pub fn flags(&self) -> impl Iterator<Item = bool> + use<'a> {
        let is_flags = self.element_type == ValueType::Bool;
        let bytes = if is_flags { self.bytes } else { &[] };
        bytes.iter().map(|byte| *byte != 0)
    }

    /// The elements of an array of integers of any width; empty for other arrays.
    pub fn integers(&self) -> impl Iterator<Item = i128> + use<'a> {
        let element_type = self.element_type;
        let mut cursor = Cursor::new(self.bytes);
        let is_integer = element_type.bytes().is_some()
            && !matches!(element_type, ValueType::F32 | ValueType::F64 | ValueType::Bool);
        let count = if is_integer { self.count } else { 0 };
        (0..count).map(move |_| integer(&mut cursor, element_type).expect("the elements were walked when parsed"))
    }
}

impl<'a> Value<'a> {
    /// The type of the value in the file.
    #[must_use]
    pub fn value_type(&self) -> ValueType {
        match self {
            Value::Integer(_, value_type) => *value_type,
            Value::F32(_) => ValueType::F32,
            Value::F64(_) => ValueType::F64,
            Value::Bool(_) => ValueType::Bool,
            Value::String(_) => ValueType::String,
            Value::Array(_) => ValueType::Array,
        }
    }

    pub(super) fn parse(cursor: &mut Cursor<'a>) -> Result<Value<'a>, GgufError> {
        let value_type = ValueType::parse(cursor)?;
        Ok(match value_type {
            ValueType::F32 => Value::F32(f32::from_bits(cursor.u32()?)),
            ValueType::F64 => Value::F64(f64::from_bits(cursor.u64()?)),
            ValueType::Bool => match cursor.u8()? {
                0 => Value::Bool(false),
                1 => Value::Bool(true),
                other => return Err(cursor.invalid(format!("{other} as a bool"))),
            },
            ValueType::String => Value::String(cursor.string(STRING_BYTES_MAX)?),
            ValueType::Array => Value::Array(parse_array(cursor, 1)?),
            _ => Value::Integer(integer(cursor, value_type)?, value_type),
        })
    }
}

fn integer(cursor: &mut Cursor<'_>, value_type: ValueType) -> Result<i128, GgufError> {
    Ok(match value_type {
        ValueType::U8 => i128::from(cursor.u8()?),
        ValueType::I8 => i128::from(cursor.u8()? as i8),
        ValueType::U16 => i128::from(cursor.u16()?),
        ValueType::I16 => i128::from(cursor.u16()? as i16),
        ValueType::U32 => i128::from(cursor.u32()?),
        ValueType::I32 => i128::from(cursor.u32()? as i32),
        ValueType::I64 => i128::from(cursor.u64()? as i64),
        _ => i128::from(cursor.u64()?),
    })
}

/// Walks an array without keeping its elements, so that an unchecked count never sizes anything.
fn parse_array<'a>(cursor: &mut Cursor<'a>, depth: u64) -> Result<Array<'a>, GgufError> {
    if depth > ARRAY_NESTING_MAX {
        return Err(cursor.invalid(format!("arrays nested more than {ARRAY_NESTING_MAX} deep")));
    }
    let element_type = ValueType::parse(cursor)?;
    let count = cursor.count("array elements", ARRAY_ELEMENTS_MAX)?;
    let start = cursor.offset();
    match element_type {
        ValueType::String => {
            for _ in 0..count {
                cursor.string(STRING_BYTES_MAX)?;
            }
        }
        ValueType::Array => {
            for _ in 0..count {
                parse_array(cursor, depth + 1)?;
            }
        }
        _ => {
            let bytes = element_type
                .bytes()
                .expect("only strings and arrays have no fixed size");
            cursor.take(count * bytes)?;
        }
    }
    Ok(Array {
        element_type,
        count,
        bytes: cursor.since(start),
    })
}
