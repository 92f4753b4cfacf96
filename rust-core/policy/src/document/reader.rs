//! Reads typed fields from a tree. Every field is requested by name; fields that were not requested are unknown fields.

use super::error::PolicyErrorReason as Reason;
use super::node::{Fault, Field, Node, Value};
use crate::limits::{ID_BYTES_MAX, LIST_ENTRIES_MAX, TEXT_BYTES_MAX};

/// A value with the path that leads to it.
#[derive(Clone, Debug)]
pub(crate) struct Item<'a> {
    pub(crate) node: &'a Node,
    /// Where an error about the value points to: its key, where it has one.
    pub(crate) offset: usize,
    pub(crate) path: String,
}

impl<'a> Item<'a> {
    pub(crate) fn root(node: &'a Node) -> Self {
        Self {
            node,
            offset: node.offset,
            path: String::new(),
        }
    }

    pub(crate) fn fault(&self, reason: Reason) -> Fault {
        Fault::new(self.offset, &self.path, reason)
    }

    pub(crate) fn wrong_type(&self, expected: &str) -> Fault {
        self.fault(Reason::WrongType {
            expected: expected.to_owned(),
            found: self.node.value.type_name().to_owned(),
        })
    }

    pub(crate) fn table(&self) -> Result<Table<'a>, Fault> {
        match &self.node.value {
            Value::Table(fields) => Ok(Table {
                item: self.clone(),
                fields,
                asked: Vec::new(),
            }),
            _ => Err(self.wrong_type("a table")),
        }
    }

    /// A list of 1 to `max` entries.
    pub(crate) fn list(&self, max: u64) -> Result<Vec<Item<'a>>, Fault> {
        let Value::List(nodes) = &self.node.value else {
            return Err(self.wrong_type("a list"));
        };
        if nodes.is_empty() {
            return Err(self.fault(Reason::Empty));
        }
        if nodes.len() as u64 > max {
            let unit = "entries".to_owned();
            return Err(self.fault(Reason::TooLong { max, unit }));
        }
        let item = |(index, node): (usize, &'a Node)| Item {
            node,
            offset: node.offset,
            path: format!("{}[{index}]", self.path),
        };
        Ok(nodes.iter().enumerate().map(item).collect())
    }

    /// A list of at most [`LIST_ENTRIES_MAX`] different entries.
    pub(crate) fn set<T: PartialEq>(&self, read: impl Fn(&Item<'a>) -> Result<T, Fault>) -> Result<Vec<T>, Fault> {
        let mut values = Vec::new();
        for item in self.list(LIST_ENTRIES_MAX)? {
            let value = read(&item)?;
            if values.contains(&value) {
                let what = "this entry".to_owned();
                return Err(item.fault(Reason::Duplicate { what }));
            }
            values.push(value);
        }
        Ok(values)
    }

    pub(crate) fn text(&self, bytes_max: u64) -> Result<&'a str, Fault> {
        let Value::Text(text) = &self.node.value else {
            return Err(self.wrong_type("a text"));
        };
        if text.is_empty() {
            return Err(self.fault(Reason::Empty));
        }
        if text.len() as u64 > bytes_max {
            let (max, unit) = (bytes_max, "bytes".to_owned());
            return Err(self.fault(Reason::TooLong { max, unit }));
        }
        Ok(text)
    }

    pub(crate) fn sentence(&self) -> Result<String, Fault> {
        self.text(TEXT_BYTES_MAX).map(str::to_owned)
    }

    pub(crate) fn id(&self) -> Result<&'a str, Fault> {
        let id = self.text(ID_BYTES_MAX)?;
        if is_id(id) {
            Ok(id)
        } else {
            Err(self.fault(Reason::InvalidId))
        }
    }

    pub(crate) fn boolean(&self) -> Result<bool, Fault> {
        match self.node.value {
            Value::Boolean(boolean) => Ok(boolean),
            _ => Err(self.wrong_type("true or false")),
        }
    }

    /// A whole number from `min` to `max`.
    pub(crate) fn number(&self, min: u64, max: u64) -> Result<u64, Fault> {
        let number = match self.node.value {
            Value::Integer(integer) => u64::try_from(integer).ok(),
            Value::Float(float) if float.is_infinite() || float >= 9e18 => None,
            _ => return Err(self.wrong_type("a whole number")),
        };
        number.filter(|number| (min..=max).contains(number)).ok_or_else(|| {
            self.fault(Reason::OutOfRange {
                min: min.to_string(),
                max: max.to_string(),
            })
        })
    }

    /// A number from 0 to `max`, in millionths.
    pub(crate) fn millionths(&self, max: f64) -> Result<u64, Fault> {
        let number = match self.node.value {
            Value::Integer(integer) => integer as f64,
            Value::Float(float) => float,
            _ => return Err(self.wrong_type("a number")),
        };
        if !(0.0..=max).contains(&number) {
            return Err(self.fault(Reason::OutOfRange {
                min: "0".to_owned(),
                max: max.to_string(),
            }));
        }
        // In range, so that the product is far below 2^53.
        Ok((number * 1e6).round() as u64)
    }

    /// One of the values, by its name.
    pub(crate) fn word<T: Copy>(&self, values: &[T], name: impl Fn(T) -> &'static str) -> Result<T, Fault> {
        let Value::Text(text) = &self.node.value else {
            return Err(self.wrong_type("a text"));
        };
        let found = values.iter().copied().find(|value| name(*value) == text);
        found.ok_or_else(|| {
            let names: Vec<_> = values.iter().map(|value| name(*value)).collect();
            let expected = format!("expected one of {}", names.join(", "));
            self.fault(Reason::UnknownWord { expected })
        })
    }
}

/// Letters, digits, `-`, `_` and `.`, of which the first is a letter or a digit.
pub(crate) fn is_id(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    text.bytes().all(is_part) && text.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric())
}

/// A table whose fields are asked for one by one; [`Table::finish`] refuses what nobody asked for.
#[derive(Debug)]
pub(crate) struct Table<'a> {
    pub(crate) item: Item<'a>,
    fields: &'a [Field],
    asked: Vec<&'static str>,
}

impl<'a> Table<'a> {
    fn item_of(&self, field: &'a Field) -> Item<'a> {
        let path = match self.item.path.as_str() {
            "" => field.key.clone(),
            path => format!("{path}.{}", field.key),
        };
        Item {
            node: &field.node,
            offset: field.key_offset,
            path,
        }
    }

    pub(crate) fn optional(&mut self, name: &'static str) -> Option<Item<'a>> {
        self.asked.push(name);
        let field = self.fields.iter().find(|field| field.key == name)?;
        Some(self.item_of(field))
    }

    pub(crate) fn required(&mut self, name: &'static str) -> Result<Item<'a>, Fault> {
        self.optional(name).ok_or_else(|| {
            let field = name.to_owned();
            self.item.fault(Reason::MissingField { field })
        })
    }

    /// Every field, for tables whose keys are names.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&'a str, Item<'a>)> + '_ {
        self.fields
            .iter()
            .map(|field| (field.key.as_str(), self.item_of(field)))
    }

    pub(crate) fn finish(&self) -> Result<(), Fault> {
        let unknown = |field: &&Field| !self.asked.contains(&field.key.as_str());
        match self.fields.iter().find(unknown) {
            None => Ok(()),
            Some(field) => {
                let expected = format!("the fields here are {}", self.asked.join(", "));
                Err(self.item_of(field).fault(Reason::UnknownField { expected }))
            }
        }
    }
}
