//! How much more to replace if a redacted text still contains something that must be hidden.

use super::{Reason, Span};

/// Rounds of each reach but the last.
const ROUNDS: u32 = 2;

/// How far a replacement goes beyond what is still found, and for how many more rounds.
///
/// A replacement may make the scanner see something new beside it: in a row of numbers, each one that is replaced leaves others that
/// now stand alone. So the reach grows. It ends, since after [`ROUNDS`] rounds of each reach everything is replaced: each text is
/// one placeholder then, outside which nothing can be found, and which gives back exactly the text.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Reach {
    as_far_as: AsFarAs,
    rounds: u32,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum AsFarAs {
    /// Exactly what is found.
    Found,
    /// The part of the line around it without letters: a row of numbers.
    Numbers,
    Line,
    Text,
    /// Every text, whether something is found in it or not.
    AllTexts,
}

impl Reach {
    pub(super) fn first() -> Reach {
        Reach {
            as_far_as: AsFarAs::Found,
            rounds: ROUNDS,
        }
    }

    /// The reach of the next round; none when everything is replaced already. `settled` says that nothing is found any more.
    pub(super) fn next(self, settled: bool) -> Option<Reach> {
        if self.rounds > 0 && !settled {
            return Some(Reach {
                rounds: self.rounds - 1,
                ..self
            });
        }
        let as_far_as = match self.as_far_as {
            AsFarAs::AllTexts => return None,
            _ if settled => AsFarAs::AllTexts,
            AsFarAs::Found => AsFarAs::Numbers,
            AsFarAs::Numbers => AsFarAs::Line,
            AsFarAs::Line => AsFarAs::Text,
            AsFarAs::Text => AsFarAs::AllTexts,
        };
        let rounds = match as_far_as {
            AsFarAs::Numbers | AsFarAs::Line => ROUNDS - 1,
            _ => 0,
        };
        Some(Reach { as_far_as, rounds })
    }

    /// What is replaced in `text` besides what was before, for what is still found in it.
    pub(super) fn widened(self, text: &str, mut found: Vec<Span>) -> Vec<Span> {
        let is_end: fn(char) -> bool = match self.as_far_as {
            AsFarAs::Found => return found,
            AsFarAs::Numbers => |character| character.is_alphabetic() || character == '\n',
            AsFarAs::Line => |character| character == '\n',
            AsFarAs::Text | AsFarAs::AllTexts => |_| false,
        };
        if self.as_far_as == AsFarAs::AllTexts && !text.is_empty() {
            found.truncate(1);
            return vec![Span {
                range: 0..text.len(),
                kind: found.first().map_or(crate::FindingKind::ApiKey, |span| span.kind),
                reason: Reason::Beside,
            }];
        }
        found.sort_by_key(|span| span.range.start);
        let mut widened: Vec<Span> = Vec::with_capacity(found.len());
        for span in found {
            // Each character is passed at most twice: once on the way back and once on the way on.
            let done = widened.last().map_or(0, |last| last.range.end);
            if span.range.end <= done {
                continue;
            }
            let from = span.range.start.max(done);
            let start = done
                + text[done..from]
                    .rfind(is_end)
                    .map_or(0, |at| at + width(text, done + at));
            let end = text[span.range.end..]
                .find(is_end)
                .map_or(text.len(), |at| span.range.end + at);
            widened.push(Span {
                range: start..end,
                kind: span.kind,
                reason: Reason::Beside,
            });
        }
        widened
    }
}

fn width(text: &str, at: usize) -> usize {
    text[at..].chars().next().map_or(0, char::len_utf8)
}
