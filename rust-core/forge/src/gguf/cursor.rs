//! Reads untrusted bytes from front to back, and checks that bytes exist before it reads them.

use super::GgufError;

/// The part of the file that is being read, for messages.
#[derive(Clone, Copy, Debug)]
pub(super) enum Within<'a> {
    Header,
    Key(u64),
    Value(&'a str),
    TensorName(u64),
    Tensor(&'a str),
}

impl std::fmt::Display for Within<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Within::Header => formatter.write_str("header"),
            Within::Key(index) => write!(formatter, "key number {index}"),
            Within::Value(key) => write!(formatter, "key {key:?}"),
            Within::TensorName(index) => write!(formatter, "tensor number {index}"),
            Within::Tensor(name) => write!(formatter, "tensor {name:?}"),
        }
    }
}

/// A position in the file.
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    position: usize,
    pub(super) within: Within<'a>,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Cursor {
            bytes,
            position: 0,
            within: Within::Header,
        }
    }

    pub(super) fn offset(&self) -> u64 {
        self.position as u64
    }

    /// What was read since `start`.
    pub(super) fn since(&self, start: u64) -> &'a [u8] {
        &self.bytes[start as usize..self.position]
    }

    pub(super) fn take(&mut self, length: u64) -> Result<&'a [u8], GgufError> {
        let rest = &self.bytes[self.position..];
        if length > rest.len() as u64 {
            return Err(GgufError::Truncated {
                within: self.within.to_string(),
                offset: self.offset(),
                needed: length,
                left: rest.len() as u64,
            });
        }
        self.position += length as usize;
        Ok(&rest[..length as usize])
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], GgufError> {
        let bytes = self.take(N as u64)?;
        Ok(bytes.try_into().expect("take returns as many bytes as asked for"))
    }

    pub(super) fn u8(&mut self) -> Result<u8, GgufError> {
        Ok(self.array::<1>()?[0])
    }

    pub(super) fn u16(&mut self) -> Result<u16, GgufError> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    pub(super) fn u32(&mut self) -> Result<u32, GgufError> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub(super) fn u64(&mut self) -> Result<u64, GgufError> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// A count or length that must not exceed `limit`.
    pub(super) fn count(&mut self, what: &'static str, limit: u64) -> Result<u64, GgufError> {
        let offset = self.offset();
        let found = self.u64()?;
        if found > limit {
            return Err(GgufError::Limit {
                within: self.within.to_string(),
                what,
                found,
                limit,
                offset,
            });
        }
        Ok(found)
    }

    /// A length and as many bytes.
    pub(super) fn string(&mut self, limit: u64) -> Result<&'a [u8], GgufError> {
        let length = self.count("bytes of text", limit)?;
        self.take(length)
    }

    /// As [`Cursor::string`], for names: they must be UTF-8.
    pub(super) fn name(&mut self, limit: u64) -> Result<&'a str, GgufError> {
        let bytes = self.string(limit)?;
        std::str::from_utf8(bytes).map_err(|_| self.invalid("a name that is not UTF-8"))
    }

    pub(super) fn invalid(&self, reason: impl Into<String>) -> GgufError {
        GgufError::Invalid {
            within: self.within.to_string(),
            reason: reason.into(),
            offset: self.offset(),
        }
    }
}
