//! What the characters of a kind do in one state of a lexer, found by trying each of them.

use llguidance::derivre::StateID;
use llguidance::earley::ParserRecognizer;

use super::words::Kind;

/// What the characters of a kind do in a state.
#[derive(Clone)]
pub(super) enum Step {
    Unknown,
    /// It depends on the character.
    Mixed,
    /// None of them may follow, and the lexeme cannot end here.
    Dead,
    /// Each of them leads to one of these states, inside the same lexeme.
    Next(Box<[u32]>),
}

/// The units of a state, by the number of bytes to try.
pub(super) fn units(kind: Kind) -> u32 {
    match kind {
        Kind::LowerCase | Kind::Letters => 1,
        Kind::Ascii => 2,
        Kind::BeyondAscii | Kind::Any => 8,
    }
}

/// The ASCII characters of a kind. Characters that patterns often tell apart come first.
fn ascii(kind: Kind) -> &'static [u8] {
    const PLAIN: &[u8] =
        b"ea0A- _zZ9!/bcdfghijklmnopqrstuvwxyBCDEFGHIJKLMNOPQRSTUVWXY12345678#$%&'()*+,.:;<=>?@[]^`{|}~";
    const LETTERS: &[u8] = b"etaAoinsrhldcumfpgwybvkxjqzBCDEFGHIJKLMNOPQRSTUVWXYZ";
    const LOWER_CASE: &[u8] = b"etaoinsrhldcumfpgwybvkxjqz";
    match kind {
        Kind::LowerCase => LOWER_CASE,
        Kind::Letters => LETTERS,
        Kind::BeyondAscii => b"",
        Kind::Ascii | Kind::Any => PLAIN,
    }
}

/// Tries all characters of a kind in a state, until two of them differ.
pub(super) fn step(parser: &mut ParserRecognizer<'_>, state: StateID, kind: Kind) -> Step {
    let mut trial = Trial {
        ends: !parser.lexer_mut().try_lexeme_end(state).is_error(),
        ..Trial::default()
    };
    let is_common = trial.try_all(parser, state, ascii(kind).iter().map(|byte| (*byte, Tail::None)))
        && match kind {
            Kind::BeyondAscii | Kind::Any => trial.try_beyond_ascii(parser, state),
            Kind::LowerCase | Kind::Letters | Kind::Ascii => true,
        };
    match (is_common, trial.dies) {
        (false, _) => Step::Mixed,
        (true, true) => Step::Dead,
        (true, false) => Step::Next(trial.next.into()),
    }
}

/// The characters tried so far in a state.
#[derive(Default)]
struct Trial {
    /// A lexeme may end in the state.
    ends: bool,
    /// Some character may not follow.
    dies: bool,
    /// The states behind whole characters.
    next: Vec<u32>,
    /// The states inside characters, with the bytes that remain.
    within: Vec<(u32, Tail)>,
}

/// The remaining bytes of a UTF-8 character (Unicode 17.0, table 3-7).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tail {
    None,
    One,
    Two,
    Three,
    BehindE0,
    BehindEd,
    BehindF0,
    BehindF4,
}

impl Tail {
    /// The bytes that follow the first byte of a character beyond ASCII.
    fn behind(lead: u8) -> Tail {
        match lead {
            0xC2..=0xDF => Tail::One,
            0xE0 => Tail::BehindE0,
            0xED => Tail::BehindEd,
            0xE1..=0xEF => Tail::Two,
            0xF0 => Tail::BehindF0,
            0xF4 => Tail::BehindF4,
            _ => Tail::Three,
        }
    }

    /// The bytes that may come next, and what remains after them.
    fn next(self) -> (std::ops::RangeInclusive<u8>, Tail) {
        match self {
            Tail::None | Tail::One => (0x80..=0xBF, Tail::None),
            Tail::Two => (0x80..=0xBF, Tail::One),
            Tail::Three => (0x80..=0xBF, Tail::Two),
            Tail::BehindE0 => (0xA0..=0xBF, Tail::One),
            Tail::BehindEd => (0x80..=0x9F, Tail::One),
            Tail::BehindF0 => (0x90..=0xBF, Tail::Two),
            Tail::BehindF4 => (0x80..=0x8F, Tail::Two),
        }
    }
}

impl Trial {
    /// Tries bytes in a state. Returns false when it is clear that characters differ.
    fn try_all(
        &mut self,
        parser: &mut ParserRecognizer<'_>,
        state: StateID,
        bytes: impl IntoIterator<Item = (u8, Tail)>,
    ) -> bool {
        bytes.into_iter().all(|(byte, tail)| {
            let next = parser.lexer_mut().transition_start_state(state, Some(byte), &None);
            let at = next.as_u32();
            match tail {
                _ if next.is_dead() => self.dies = true,
                // The lexeme ends here; what follows is the parser's to decide.
                _ if next.has_lowest_match() => return false,
                Tail::None if !self.next.contains(&at) => self.next.push(at),
                Tail::None => {}
                tail if !self.within.contains(&(at, tail)) => self.within.push((at, tail)),
                _ => {}
            }
            let goes_on = self.ends || !self.next.is_empty() || !self.within.is_empty();
            !(self.dies && goes_on)
        })
    }

    /// The same for all characters beyond ASCII.
    fn try_beyond_ascii(&mut self, parser: &mut ParserRecognizer<'_>, state: StateID) -> bool {
        let leads = (0xC2..=0xF4).map(|lead| (lead, Tail::behind(lead)));
        if !self.try_all(parser, state, leads) {
            return false;
        }
        let mut index = 0;
        while let Some(&(state, tail)) = self.within.get(index) {
            let (bytes, tail) = tail.next();
            if !self.try_all(parser, StateID::new(state), bytes.map(|byte| (byte, tail))) {
                return false;
            }
            index += 1;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All first bytes, with what comes behind them, are those of characters.
    #[test]
    fn every_plain_character_is_tried() {
        let mut plain = ascii(Kind::Ascii).to_vec();
        plain.sort_unstable();
        let expected: Vec<u8> = (b' '..=b'~').filter(|byte| !b"\"\\".contains(byte)).collect();
        assert_eq!(plain, expected);
        let mut letters = ascii(Kind::Letters).to_vec();
        letters.sort_unstable();
        assert_eq!(letters, (b'A'..=b'Z').chain(b'a'..=b'z').collect::<Vec<u8>>());
        let mut texts: Vec<(Vec<u8>, Tail)> = (0xC2..=0xF4).map(|lead| (vec![lead], Tail::behind(lead))).collect();
        let mut count = 0;
        while let Some((text, tail)) = texts.pop() {
            if tail == Tail::None {
                assert!(std::str::from_utf8(&text).is_ok(), "{text:?}");
                count += 1;
                continue;
            }
            let (bytes, tail) = tail.next();
            texts.extend(bytes.map(|byte| ([&text[..], &[byte]].concat(), tail)));
        }
        assert_eq!(count, ('\u{80}'..=char::MAX).count());
    }
}
