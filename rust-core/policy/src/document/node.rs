//! A document as a tree in which every value has a position, from TOML or JSON. This module does not know the meaning of the values.

use toml::de::{DeTable, DeValue};

use super::error::{PolicyError, PolicyErrorReason as Reason};
use super::json;
use crate::limits::{DOCUMENT_BYTES_MAX, DOCUMENT_DEPTH_MAX};

/// The format of a document.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Format {
    /// TOML 1.0.
    Toml,
    /// JSON, RFC 8259.
    Json,
}

/// A value and the offset of its first byte.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Node {
    pub(crate) offset: usize,
    pub(crate) value: Value,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Null,
    Boolean(bool),
    Integer(i64),
    Float(f64),
    Text(String),
    Date,
    List(Vec<Node>),
    Table(Vec<Field>),
}

/// One key of a table, in the order of the document.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Field {
    pub(crate) key: String,
    pub(crate) key_offset: usize,
    pub(crate) node: Node,
}

impl Value {
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Value::Null => "null",
            Value::Boolean(_) => "true or false",
            Value::Integer(_) => "a whole number",
            Value::Float(_) => "a fraction",
            Value::Text(_) => "a text",
            Value::Date => "a date",
            Value::List(_) => "a list",
            Value::Table(_) => "a table",
        }
    }
}

/// What is wrong at a byte of the document.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) offset: usize,
    pub(crate) path: String,
    pub(crate) reason: Reason,
}

impl Fault {
    pub(crate) fn new(offset: usize, path: &str, reason: Reason) -> Self {
        let path = path.to_owned();
        Self { offset, path, reason }
    }

    /// The error with line and column, both from 1, the column in characters.
    pub(crate) fn locate(self, text: &str) -> PolicyError {
        let mut offset = self.offset.min(text.len());
        while !text.is_char_boundary(offset) {
            offset -= 1;
        }
        let (line, column) = line_and_column(text, offset);
        PolicyError {
            line,
            column,
            path: self.path,
            reason: self.reason,
        }
    }
}

/// Line and column of a byte that begins a character.
pub(crate) fn line_and_column(text: &str, offset: usize) -> (u32, u32) {
    let before = &text[..offset];
    let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
    let column = before.chars().rev().take_while(|character| *character != '\n').count() + 1;
    // A document is shorter than 2^32 bytes.
    (line as u32, column as u32)
}

/// Reads a document of at most [`DOCUMENT_BYTES_MAX`].
pub(crate) fn read(text: &str, format: Format) -> Result<Node, Fault> {
    if text.len() as u64 > DOCUMENT_BYTES_MAX {
        let unit = "bytes".to_owned();
        let max = DOCUMENT_BYTES_MAX;
        return Err(Fault::new(0, "", Reason::TooLong { max, unit }));
    }
    match format {
        Format::Json => json::read(text),
        Format::Toml => read_toml(text),
    }
}

fn read_toml(text: &str) -> Result<Node, Fault> {
    let table = DeTable::parse(text).map_err(|error| {
        let offset = error.span().map_or(0, |span| span.start);
        let message = error.message().to_owned();
        Fault::new(offset, "", Reason::Syntax { message })
    })?;
    let fields = toml_fields(table.into_inner(), 1)?;
    Ok(Node {
        offset: 0,
        value: Value::Table(fields),
    })
}

fn toml_fields(table: DeTable<'_>, depth: u32) -> Result<Vec<Field>, Fault> {
    let mut fields = Vec::with_capacity(table.len());
    for (key, value) in table {
        let (key_offset, value_offset) = (key.span().start, value.span().start);
        fields.push(Field {
            key: key.into_inner().into_owned(),
            key_offset,
            node: Node {
                offset: value_offset,
                value: toml_value(value.into_inner(), value_offset, depth + 1)?,
            },
        });
    }
    fields.sort_by_key(|field| field.key_offset);
    Ok(fields)
}

fn toml_value(value: DeValue<'_>, offset: usize, depth: u32) -> Result<Value, Fault> {
    if depth > DOCUMENT_DEPTH_MAX {
        return Err(too_deep(offset));
    }
    Ok(match value {
        DeValue::String(text) => Value::Text(text.into_owned()),
        DeValue::Boolean(boolean) => Value::Boolean(boolean),
        DeValue::Datetime(_) => Value::Date,
        DeValue::Integer(integer) => match i64::from_str_radix(integer.as_str(), integer.radix()) {
            Ok(integer) => Value::Integer(integer),
            // A whole number that is out of every range.
            Err(_) => Value::Float(f64::INFINITY),
        },
        DeValue::Float(float) => Value::Float(float.as_str().parse().unwrap_or(f64::NAN)),
        DeValue::Array(list) => {
            let mut nodes = Vec::with_capacity(list.len());
            for entry in list {
                let offset = entry.span().start;
                let value = toml_value(entry.into_inner(), offset, depth + 1)?;
                nodes.push(Node { offset, value });
            }
            Value::List(nodes)
        }
        DeValue::Table(table) => Value::Table(toml_fields(table, depth)?),
    })
}

pub(crate) fn too_deep(offset: usize) -> Fault {
    let reason = Reason::TooLong {
        max: u64::from(DOCUMENT_DEPTH_MAX),
        unit: "nested lists and tables".to_owned(),
    };
    Fault::new(offset, "", reason)
}
