//! Interprets the events of a stream, and limits how many events without text it may contain. Pure.

use crate::chat::completion::{Piece, PieceReader};
use crate::chat::server_error::read_error;
use crate::chat::sse::SseEvent;
use crate::{Failure, ServerCode};

/// Maximum number of events in one answer that cannot contain text and are skipped.
pub const PASSED_OVER_EVENTS_MAX: u32 = 10_000;
/// Maximum bytes of such events.
pub const PASSED_OVER_BYTES_MAX: u32 = 1024 * 1024;

/// Reads the events of one answer.
#[derive(Debug, Default)]
pub(crate) struct EventReader {
    pieces: PieceReader,
    passed_over: u32,
    passed_over_bytes: u64,
}

impl EventReader {
    /// Appends the pieces that an event says. Returns whether it was the stream's last word; what follows is not looked at.
    ///
    /// # Errors
    /// Those of [`PieceReader::read`]; [`Failure::Malformed`] when too much was passed over.
    pub(crate) fn take(&mut self, event: &SseEvent, pieces: &mut Vec<Piece>) -> Result<bool, Failure> {
        if event.name.trim().eq_ignore_ascii_case("error") && !event.data.trim().is_empty() {
            // It may be one object over several lines, or one in front of another event.
            let parts = std::iter::once(event.data.as_str()).chain(event.data.lines());
            let mut codes = parts.map(|part| read_error(part.as_bytes()));
            let code = codes.find(|code| *code != ServerCode::Unstated);
            return Err(Failure::Reported {
                code: code.unwrap_or(ServerCode::Unstated),
            });
        }
        if !event.data.contains('\n') {
            return self.take_data(&event.data, pieces);
        }
        // One object over several lines, or several events without the empty line between them.
        let mut attempt = self.pieces.clone();
        match attempt.read(&event.data) {
            Ok(Some(piece)) => {
                self.pieces = attempt;
                pieces.push(piece);
                return Ok(false);
            }
            Ok(None) if event.data.contains('{') => return self.pass_over(&event.data).map(|()| false),
            Err(failure @ Failure::Reported { .. }) => return Err(failure),
            Ok(None) | Err(_) => {}
        }
        for line in event.data.lines() {
            if self.take_data(line, pieces)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn take_data(&mut self, data: &str, pieces: &mut Vec<Piece>) -> Result<bool, Failure> {
        let data = bare(data);
        if is_last_word(data) {
            return Ok(true);
        }
        // A comment that slipped behind the field's name.
        let is_comment = data.starts_with(':');
        let piece = match is_comment {
            true => None,
            false => self.pieces.read(data)?,
        };
        match piece {
            Some(piece) => pieces.push(piece),
            None => self.pass_over(data)?,
        }
        Ok(false)
    }

    fn pass_over(&mut self, data: &str) -> Result<(), Failure> {
        self.passed_over += 1;
        self.passed_over_bytes += data.len() as u64;
        match self.passed_over > PASSED_OVER_EVENTS_MAX || self.passed_over_bytes > u64::from(PASSED_OVER_BYTES_MAX) {
            true => Err(Failure::Malformed {
                what: "events without an answer",
            }),
            false => Ok(()),
        }
    }

    /// The reader of pieces, for an answer that is no stream and for its end.
    pub(crate) fn pieces(&mut self) -> &mut PieceReader {
        &mut self.pieces
    }

    /// How many events were passed over so far.
    pub(crate) fn passed_over(&self) -> u32 {
        self.passed_over
    }
}

/// Data without what some gateways put around it: blanks, a mark of byte order, the field's own name again.
fn bare(data: &str) -> &str {
    let mut data = data.trim_matches(is_around);
    while let Some(rest) = data.strip_prefix("data:") {
        data = rest.trim_matches(is_around);
    }
    data
}

fn is_around(character: char) -> bool {
    character.is_whitespace() || character == '\u{feff}'
}

/// `[DONE]`, however it is written.
fn is_last_word(data: &str) -> bool {
    let word = data.trim_matches('"');
    let inner = word.strip_prefix('[').and_then(|word| word.strip_suffix(']'));
    inner.is_some_and(|inner| inner.trim().eq_ignore_ascii_case("done"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(name: &str, data: &str) -> SseEvent {
        SseEvent {
            name: name.to_owned(),
            data: data.to_owned(),
        }
    }

    fn hello(text: &str) -> String {
        format!(r#"{{"choices":[{{"delta":{{"content":"{text}"}}}}]}}"#)
    }

    /// The event says this text, is or is not the last word, and so much was passed over.
    #[track_caller]
    fn check(name: &str, data: &str, expected: Result<(&str, bool, u32), Failure>) {
        let (mut reader, mut pieces) = (EventReader::default(), Vec::new());
        let result = reader.take(&event(name, data), &mut pieces).map(|is_last| {
            let text: String = pieces.iter().filter_map(|piece| piece.text.clone()).collect();
            (text, is_last, reader.passed_over())
        });
        let expected = expected.map(|(text, is_last, passed)| (text.to_owned(), is_last, passed));
        assert_eq!(result, expected, "{name}: {data:?}");
    }

    #[test]
    fn last_words() {
        for word in [
            "[DONE]",
            " [DONE] ",
            "[done]",
            "[ DONE ]",
            "\"[DONE]\"",
            "data: [DONE]",
            "\t[DONE]\r",
        ] {
            check("", word, Ok(("", true, 0)));
        }
        for other in ["DONE", "[DONE", "[]", "[DONE] x"] {
            check("", other, Ok(("", false, 1)));
        }
    }

    #[test]
    fn what_is_around_a_piece() {
        let a = hello("a");
        check("", &a, Ok(("a", false, 0)));
        check("message", &format!("  {a} "), Ok(("a", false, 0)));
        check("", &format!("data: {a}"), Ok(("a", false, 0)));
        check("", &format!("\u{feff}{a}"), Ok(("a", false, 0)));
        check("", &a.replace(',', ",\n"), Ok(("a", false, 0)));
        check("", &format!("{a}\n{}\n[DONE]", hello("b")), Ok(("ab", true, 0)));
        check("", &format!(": gateway\n{a}"), Ok(("a", false, 1)));
        check("", &format!(": {a}"), Ok(("", false, 1)));
        check("ping", "{}", Ok(("", false, 1)));
        check("ping", "", Ok(("", false, 1)));
        check("", "keep-alive", Ok(("", false, 1)));
        check("", "{\"choices\":[", Err(Failure::Malformed { what: "JSON" }));
        check("", &format!("{a}\n{{"), Err(Failure::Malformed { what: "JSON" }));
    }

    #[test]
    fn errors_in_place_of_an_event() {
        let reported = |code| Err(Failure::Reported { code });
        check("error", "sorry", reported(ServerCode::Unstated));
        check("Error", "[DONE]", reported(ServerCode::Unstated));
        check("error", r#"{"code":503}"#, reported(ServerCode::Overloaded));
        check("error", "{\"code\":503}\n[DONE]", reported(ServerCode::Overloaded));
        check(
            "",
            "{\"error\":{\"code\":\"server_error\"}}\n[DONE]",
            reported(ServerCode::ServerError),
        );
        check("error", " ", Ok(("", false, 1)));
    }

    #[test]
    fn too_much_that_says_nothing() {
        let too_much = Err(Failure::Malformed {
            what: "events without an answer",
        });
        let (mut reader, mut pieces) = (EventReader::default(), Vec::new());
        for _ in 0..PASSED_OVER_EVENTS_MAX {
            assert_eq!(reader.take(&event("", "ping"), &mut pieces), Ok(false));
        }
        assert_eq!(reader.take(&event("", &hello("a")), &mut pieces), Ok(false));
        assert_eq!(reader.take(&event("", "ping"), &mut pieces), too_much);
        let half = event("", &"x".repeat(PASSED_OVER_BYTES_MAX as usize / 2));
        let mut reader = EventReader::default();
        assert_eq!(reader.take(&half, &mut pieces), Ok(false));
        assert_eq!(reader.take(&half, &mut pieces), Ok(false));
        assert_eq!(reader.take(&half, &mut pieces), too_much);
    }
}
