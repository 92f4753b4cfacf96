//! JSON with places: serde_json reads the scalars, and what is here finds where they are. serde_json itself does not tell where a value
//! stood, and silently takes the last of two equal keys.

use super::error::PolicyErrorReason as Reason;
use super::node::{Fault, Field, Node, Value, too_deep};
use crate::limits::DOCUMENT_DEPTH_MAX;

/// Reads one JSON value with nothing but blanks around it.
pub(crate) fn read(text: &str) -> Result<Node, Fault> {
    let mut reader = Reader { text, offset: 0 };
    let node = reader.value(1)?;
    reader.blanks();
    match reader.peek() {
        None => Ok(node),
        Some(_) => Err(reader.fault("expected the end of the document")),
    }
}

struct Reader<'a> {
    text: &'a str,
    offset: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.offset).copied()
    }

    fn fault(&self, message: &str) -> Fault {
        let message = message.to_owned();
        Fault::new(self.offset, "", Reason::Syntax { message })
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.offset += 1;
        }
    }

    /// Steps over `byte` if it is next.
    fn take(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        self.offset += usize::from(is_next);
        is_next
    }

    fn value(&mut self, depth: u32) -> Result<Node, Fault> {
        self.blanks();
        let offset = self.offset;
        if depth > DOCUMENT_DEPTH_MAX {
            return Err(too_deep(offset));
        }
        let value = match self.peek() {
            Some(b'{') => Value::Table(self.fields(depth)?),
            Some(b'[') => Value::List(self.entries(depth)?),
            Some(b'"') => Value::Text(self.string()?),
            Some(_) => self.word()?,
            None => return Err(self.fault("the document ends where a value is expected")),
        };
        Ok(Node { offset, value })
    }

    fn fields(&mut self, depth: u32) -> Result<Vec<Field>, Fault> {
        self.offset += 1;
        let mut fields: Vec<Field> = Vec::new();
        self.blanks();
        if self.take(b'}') {
            return Ok(fields);
        }
        loop {
            self.blanks();
            let key_offset = self.offset;
            if self.peek() != Some(b'"') {
                return Err(self.fault("expected a key in quotes"));
            }
            let key = self.string()?;
            if fields.iter().any(|field| field.key == key) {
                return Err(Fault::new(key_offset, &key, Reason::DuplicateKey));
            }
            self.blanks();
            if !self.take(b':') {
                return Err(self.fault("expected a colon"));
            }
            let node = self.value(depth + 1)?;
            fields.push(Field { key, key_offset, node });
            self.blanks();
            if self.take(b'}') {
                return Ok(fields);
            }
            if !self.take(b',') {
                return Err(self.fault("expected a comma or }"));
            }
        }
    }

    fn entries(&mut self, depth: u32) -> Result<Vec<Node>, Fault> {
        self.offset += 1;
        let mut entries = Vec::new();
        self.blanks();
        if self.take(b']') {
            return Ok(entries);
        }
        loop {
            entries.push(self.value(depth + 1)?);
            self.blanks();
            if self.take(b']') {
                return Ok(entries);
            }
            if !self.take(b',') {
                return Err(self.fault("expected a comma or ]"));
            }
        }
    }

    fn string(&mut self) -> Result<String, Fault> {
        let start = self.offset;
        self.offset += 1;
        loop {
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => self.offset += 2,
                Some(_) => self.offset += 1,
                None => {
                    self.offset = start;
                    return Err(self.fault("a text without its closing quote"));
                }
            }
        }
        self.offset += 1;
        let source = self.text.get(start..self.offset).unwrap_or_default();
        serde_json::from_str(source).map_err(|_| {
            self.offset = start;
            self.fault("a text with an invalid character or escape")
        })
    }

    /// A number, `true`, `false` or `null`.
    fn word(&mut self) -> Result<Value, Fault> {
        let start = self.offset;
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
        while self.peek().is_some_and(is_part) {
            self.offset += 1;
        }
        let value = serde_json::from_str(&self.text[start..self.offset]).map_err(|_| {
            self.offset = start;
            self.fault("expected a value")
        })?;
        Ok(match value {
            serde_json::Value::Null => Value::Null,
            serde_json::Value::Bool(boolean) => Value::Boolean(boolean),
            serde_json::Value::Number(number) => match number.as_i64() {
                Some(integer) => Value::Integer(integer),
                None => Value::Float(number.as_f64().unwrap_or(f64::NAN)),
            },
            _ => return Err(self.fault("expected a value")),
        })
    }
}
