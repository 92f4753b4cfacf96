//! Parses server-sent events from a byte stream that arrives in pieces of any size. Pure; the meaning of an event is interpreted elsewhere.
//! The format is that of section 9.2 of the HTML Living Standard, with one additional field.

use thiserror::Error;

/// Maximum length of a line, and of the data of one event, in bytes.
pub const EVENT_BYTES_MAX: u32 = 256 * 1024;

const BYTE_ORDER_MARK: &[u8] = &[0xef, 0xbb, 0xbf];

/// One event.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct SseEvent {
    /// The event's name; empty if the stream gave none.
    pub name: String,
    /// The values of its data lines, joined by line feeds.
    pub data: String,
}

/// Why a stream is not a valid event stream. The parser stays in this state.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum SseError {
    /// A line or an event's data is longer than [`EVENT_BYTES_MAX`].
    #[error("an event is longer than {EVENT_BYTES_MAX} bytes")]
    TooLong,
    /// A line is not UTF-8.
    #[error("an event is not UTF-8")]
    NotUtf8,
}

/// Parses events from bytes. The result does not depend on how the bytes were split.
///
/// ```
/// use whimbrel_network::SseParser;
///
/// let mut parser = SseParser::new();
/// let mut events = Vec::new();
/// parser.push(b": ping\n\nevent: note\ndata: on", &mut events)?;
/// assert!(events.is_empty());
/// parser.push(b"e\r\ndata: two\r\n\r\n", &mut events)?;
/// assert_eq!((events[0].name.as_str(), events[0].data.as_str()), ("note", "one\ntwo"));
/// # Ok::<(), whimbrel_network::SseError>(())
/// ```
#[derive(Debug, Default)]
pub struct SseParser {
    /// The line that has not ended yet.
    line: Vec<u8>,
    /// The event that has not ended yet; `data` with a line feed after each line.
    event: SseEvent,
    /// The byte before was a carriage return, so a line feed now belongs to it.
    after_return: bool,
    /// A first line was seen, so a byte order mark is no longer one.
    begun: bool,
    failed: Option<SseError>,
}

impl SseParser {
    /// A parser at the beginning of a stream.
    #[must_use]
    pub fn new() -> SseParser {
        SseParser::default()
    }

    /// Parses the next bytes and appends the completed events to `events`. As the standard requires, an event without a final empty line is
    /// never emitted.
    ///
    /// # Errors
    /// [`SseError`]; the events before the error have been appended.
    pub fn push(&mut self, bytes: &[u8], events: &mut Vec<SseEvent>) -> Result<(), SseError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let result = self.lines(bytes, events);
        self.failed = result.err();
        result
    }

    fn lines(&mut self, mut bytes: &[u8], events: &mut Vec<SseEvent>) -> Result<(), SseError> {
        while let Some(&first) = bytes.first() {
            if std::mem::take(&mut self.after_return) && first == b'\n' {
                bytes = &bytes[1..];
                continue;
            }
            let end = bytes.iter().position(|byte| matches!(byte, b'\r' | b'\n'));
            let part = &bytes[..end.unwrap_or(bytes.len())];
            if self.line.len() + part.len() > EVENT_BYTES_MAX as usize {
                return Err(SseError::TooLong);
            }
            self.line.extend_from_slice(part);
            let Some(end) = end else {
                return Ok(());
            };
            self.after_return = bytes[end] == b'\r';
            bytes = &bytes[end + 1..];
            self.end_line(events)?;
        }
        Ok(())
    }

    fn end_line(&mut self, events: &mut Vec<SseEvent>) -> Result<(), SseError> {
        let line = std::mem::take(&mut self.line);
        let mut text = line.as_slice();
        if !std::mem::replace(&mut self.begun, true) {
            text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
        }
        let text = std::str::from_utf8(text).map_err(|_| SseError::NotUtf8)?;
        if text.is_empty() {
            self.end_event(events);
            return Ok(());
        }
        let (field, value) = text.split_once(':').unwrap_or((text, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            // The field `error` is llama.cpp's: an error where an event should be.
            "data" | "error" => {
                if field == "error" {
                    field.clone_into(&mut self.event.name);
                }
                if self.event.data.len() + value.len() > EVENT_BYTES_MAX as usize {
                    return Err(SseError::TooLong);
                }
                self.event.data.push_str(value);
                self.event.data.push('\n');
            }
            "event" => value.clone_into(&mut self.event.name),
            // A comment has an empty field; ids and waiting times serve reconnecting, which a paid request must not do.
            _ => {}
        }
        Ok(())
    }

    fn end_event(&mut self, events: &mut Vec<SseEvent>) {
        let mut event = std::mem::take(&mut self.event);
        // Without a data line there is no event, only a name or a comment.
        if event.data.pop().is_some() {
            events.push(event);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHAT: &str = "data: {\"delta\":\"Grüße, 世界 🐦\"}\n\ndata: {\"delta\":\"b\"}\n\ndata: [DONE]\n\n";
    const CRLF: &str = "\u{feff}: ping\r\nevent: note\r\ndata: one\r\ndata:two\r\ndata\r\n\r\ndata:  ä\r\n\r\n";
    const MIXED: &str = "data: a\r\rdata: b\n\r\ndata: c\r\n\nid: 7\nretry: 10\n\nother\n\ndata: open";
    const BROKEN: &[u8] = b"data: a\n\ndata: \xc3\x28\n\ndata: b\n\n";

    type Parsed = (Vec<SseEvent>, Result<(), SseError>);

    fn parse<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Parsed {
        let mut parser = SseParser::new();
        let mut events = Vec::new();
        for part in parts {
            if let Err(error) = parser.push(part, &mut events) {
                return (events, Err(error));
            }
        }
        (events, Ok(()))
    }

    fn event(name: &str, data: &str) -> SseEvent {
        SseEvent {
            name: name.to_owned(),
            data: data.to_owned(),
        }
    }

    /// The stream gives these events whole, byte by byte, and at every two splits.
    fn check(stream: &[u8], expected: &[SseEvent], result: Result<(), SseError>) {
        let expected = (expected.to_vec(), result);
        assert_eq!(parse([stream]), expected, "whole");
        assert_eq!(parse(stream.chunks(1)), expected, "byte by byte");
        for first in 0..=stream.len() {
            for second in first..=stream.len() {
                let parts = [&stream[..first], &stream[first..second], &stream[second..]];
                assert_eq!(parse(parts), expected, "split at {first} and {second}");
            }
        }
    }

    #[test]
    fn any_split_gives_the_same_events() {
        let chat = [
            event("", "{\"delta\":\"Grüße, 世界 🐦\"}"),
            event("", "{\"delta\":\"b\"}"),
            event("", "[DONE]"),
        ];
        check(CHAT.as_bytes(), &chat, Ok(()));
        check(CRLF.as_bytes(), &[event("note", "one\ntwo\n"), event("", " ä")], Ok(()));
        let mixed = [event("", "a"), event("", "b"), event("", "c")];
        check(MIXED.as_bytes(), &mixed, Ok(()));
        check(BROKEN, &[event("", "a")], Err(SseError::NotUtf8));
    }

    #[test]
    fn edges() {
        check(b"", &[], Ok(()));
        check(b"\n\n\r\n\r", &[], Ok(()));
        check(b"data\n\n", &[event("", "")], Ok(()));
        check(b"data:\ndata:\n\n", &[event("", "\n")], Ok(()));
        check(b"event: x\n\ndata: y\n\n", &[event("", "y")], Ok(()));
        check(b" data: x\n\nDATA: x\n\n", &[], Ok(()));
        check(
            b"error: x\n\ndata: y\n\n",
            &[event("error", "x"), event("", "y")],
            Ok(()),
        );
        check(b"error: x\ndata: y\n\n", &[event("error", "x\ny")], Ok(()));
        check(b"data: a: b\n\n", &[event("", "a: b")], Ok(()));
        // A byte order mark counts at the beginning only.
        check("data: a\n\n\u{feff}data: b\n\n".as_bytes(), &[event("", "a")], Ok(()));
        check(b"\xef\xbb", &[], Ok(()));
    }

    #[test]
    fn limits_hold_at_the_edge_and_break_one_past() {
        let most = EVENT_BYTES_MAX as usize;
        let lines = |first: usize, second: usize| {
            format!("data:{}\ndata:{}\n\n", "x".repeat(first), "y".repeat(second)).into_bytes()
        };
        // One line holds five bytes of field name; the data of two lines count with one line feed between them.
        let (events, result) = parse([&lines(most - 5, 4)[..]]);
        assert_eq!((events.len(), result), (1, Ok(())));
        assert_eq!(events[0].data.len(), most);
        for stream in [lines(most - 5, 5), lines(most - 4, 0)] {
            for part in [1, 4096, stream.len()] {
                assert_eq!(parse(stream.chunks(part)), (Vec::new(), Err(SseError::TooLong)));
            }
        }
        // A line that never ends is not collected for ever.
        let endless = vec![b':'; most + 1];
        assert_eq!(parse([&endless[..most]]).1, Ok(()));
        assert_eq!(parse([&endless[..]]).1, Err(SseError::TooLong));
    }

    #[test]
    fn a_failed_parser_stays_failed() {
        let mut parser = SseParser::new();
        let mut events = Vec::new();
        assert_eq!(parser.push(BROKEN, &mut events), Err(SseError::NotUtf8));
        assert_eq!(parser.push(b"data: b\n\n", &mut events), Err(SseError::NotUtf8));
        assert_eq!(events.len(), 1);
    }
}
