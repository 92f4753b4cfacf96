//! JSON with positions: serde_json parses the scalars, and this module finds their positions. serde_json itself does not report the
//! position of a value, and silently keeps the last of two equal keys.

use super::error::PolicyErrorReason as Reason;
use super::node::{Fault, Field, Node, Value, too_deep};
use crate::limits::{DOCUMENT_DEPTH_MAX, TABLE_FIELDS_MAX};

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
            if fields.len() as u64 == TABLE_FIELDS_MAX {
                let (max, unit) = (TABLE_FIELDS_MAX, "fields".to_owned());
                return Err(Fault::new(key_offset, "", Reason::TooLong { max, unit }));
            }
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
                    return Err(self.fault("a string has no closing quote"));
                }
            }
        }
        self.offset += 1;
        let source = self.text.get(start..self.offset).unwrap_or_default();
        serde_json::from_str(source).map_err(|_| {
            self.offset = start;
            self.fault("a string contains an invalid character or escape")
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

#[cfg(test)]
mod tests {
    use rand_pcg::Pcg64;
    use rand_pcg::rand_core::Rng;

    use super::*;

    /// The same as serde_json's own value.
    fn plain(node: &Node) -> serde_json::Value {
        match &node.value {
            Value::Null => serde_json::Value::Null,
            Value::Boolean(boolean) => (*boolean).into(),
            Value::Integer(integer) => (*integer).into(),
            Value::Float(float) => (*float).into(),
            Value::Text(text) => text.as_str().into(),
            Value::Date => unreachable!("JSON has no dates"),
            Value::List(entries) => entries.iter().map(plain).collect(),
            Value::Table(fields) => {
                let fields = fields.iter().map(|field| (field.key.clone(), plain(&field.node)));
                serde_json::Value::Object(fields.collect())
            }
        }
    }

    #[test]
    fn it_reads_what_serde_json_reads() {
        const PARTS: [&str; 24] = [
            "{",
            "}",
            "[",
            "]",
            ",",
            ":",
            "\"a\"",
            "\"b\"",
            "\"\\u00e9\\n\"",
            "\"ü\"",
            "\"",
            "\\",
            "1",
            "-2.5e3",
            "01",
            "true",
            "false",
            "null",
            "nul",
            " ",
            "\n",
            "\t",
            "{\"c\":",
            "é",
        ];
        let mut generator = Pcg64::new(8, 259);
        let mut accepted = 0;
        for _ in 0..200_000 {
            let mut text = String::new();
            for _ in 0..1 + generator.next_u32() % 7 {
                text.push_str(PARTS[generator.next_u32() as usize % PARTS.len()]);
            }
            let theirs: Result<serde_json::Value, _> = serde_json::from_str(&text);
            match (read(&text), theirs) {
                (Ok(ours), Ok(theirs)) => {
                    assert_eq!(plain(&ours), theirs, "{text}");
                    accepted += 1;
                }
                (Err(fault), Ok(_)) => assert_eq!(fault.reason, Reason::DuplicateKey, "{text}"),
                (Ok(_), Err(error)) => panic!("{text}: {error}"),
                (Err(_), Err(_)) => {}
            }
        }
        assert!(accepted > 5000, "{accepted}");
    }
}
