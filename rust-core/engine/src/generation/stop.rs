//! Finds stop strings in text that arrives in pieces.

use crate::EngineError;

/// The most stop strings of one generation.
pub(crate) const STOP_STRINGS_MAX: u32 = 16;
/// The longest stop string, in bytes.
pub(crate) const STOP_STRING_BYTES_MAX: u32 = 256;

/// Looks for stop strings in text that arrives in pieces. The result does not depend on how the text is split.
///
/// ```
/// use whimbrel_engine::StopMatcher;
///
/// # fn main() -> Result<(), whimbrel_engine::EngineError> {
/// let mut matcher = StopMatcher::new(&["END".into()])?;
/// assert_eq!(matcher.push("all is well E"), "all is well ", "it may go on with ND");
/// assert_eq!(matcher.push("N"), "");
/// assert_eq!(matcher.push("D, and more"), "");
/// assert!(matcher.is_stopped());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct StopMatcher {
    stops: Vec<String>,
    /// Text that may be the start of a stop string.
    held: String,
    stopped: bool,
}

impl StopMatcher {
    /// Prepares the stop strings. The list may be empty.
    ///
    /// # Errors
    /// [`EngineError::Option`] for more than 16 strings, an empty one, or one of more than 256 bytes.
    pub fn new(stops: &[String]) -> Result<Self, EngineError> {
        if stops.len() > STOP_STRINGS_MAX as usize {
            return Err(EngineError::Option {
                option: "stop",
                expected: format!("at most {STOP_STRINGS_MAX} strings"),
                found: stops.len().to_string(),
            });
        }
        let allowed = 1..=STOP_STRING_BYTES_MAX as usize;
        if let Some(stop) = stops.iter().find(|stop| !allowed.contains(&stop.len())) {
            return Err(EngineError::Option {
                option: "stop",
                expected: format!("strings of 1 to {STOP_STRING_BYTES_MAX} bytes"),
                found: format!("one of {} bytes", stop.len()),
            });
        }
        Ok(Self {
            stops: stops.to_vec(),
            held: String::new(),
            stopped: false,
        })
    }

    /// Takes the next piece of text and returns the text that can be shown now. If several stop strings occur, the one that is complete
    /// first counts, and of those that end at the same position the longest. After a stop string the result is always empty.
    pub fn push(&mut self, text: &str) -> String {
        if self.stopped {
            return String::new();
        }
        self.held.push_str(text);
        let places = self
            .stops
            .iter()
            .filter_map(|stop| Some((self.held.find(stop.as_str())?, stop.len())));
        let first = places.min_by_key(|&(start, length)| (start + length, start));
        if let Some((start, _)) = first {
            self.stopped = true;
            self.held.truncate(start);
            return std::mem::take(&mut self.held);
        }
        let overlaps = self.stops.iter().map(|stop| overlap(&self.held, stop));
        let rest = self.held.split_off(self.held.len() - overlaps.max().unwrap_or(0));
        std::mem::replace(&mut self.held, rest)
    }

    /// Whether a stop string has occurred.
    pub fn is_stopped(&self) -> bool {
        self.stopped
    }

    /// The end of the text: returns the text that was held back, unless a stop string occurred.
    pub fn finish(&mut self) -> String {
        std::mem::take(&mut self.held)
    }
}

/// How many bytes at the end of a text are the start of a mark, though not the whole.
pub(super) fn overlap(text: &str, mark: &str) -> usize {
    let starts = (1..mark.len()).rev();
    let longest = starts.map(|length| &mark.as_bytes()[..length]);
    let mut agreeing = longest.filter(|start| text.as_bytes().ends_with(start));
    agreeing.next().map_or(0, <[u8]>::len)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn check_stop(stops: &[&str], text: &str, shown: &str, stopped: bool) {
        let stops: Vec<String> = stops.iter().map(|&stop| stop.into()).collect();
        let characters: Vec<char> = text.chars().collect();
        for size in 1..=characters.len().max(1) {
            let mut matcher = StopMatcher::new(&stops).unwrap();
            let mut found: String = characters
                .chunks(size)
                .map(|piece| matcher.push(&piece.iter().collect::<String>()))
                .collect();
            found += &matcher.finish();
            assert_eq!(found, shown, "{stops:?} in pieces of {size}");
            assert_eq!(matcher.is_stopped(), stopped);
            assert_eq!(matcher.push("more"), if stopped { "" } else { "more" });
        }
    }

    #[test]
    fn text_ends_before_a_stop_string() {
        check_stop(&[], "abc", "abc", false);
        check_stop(&["END"], "abENDcd", "ab", true);
        check_stop(&["END"], "abENcd", "abENcd", false);
        check_stop(&["END"], "abEN", "abEN", false);
        check_stop(&["END"], "ENEND", "EN", true);
        check_stop(&["END"], "END", "", true);
        check_stop(&["aab"], "aaab", "a", true);
        check_stop(&["\n\n"], "a\nb\n\nc", "a\nb", true);
        check_stop(&["é!"], "caé é!", "caé ", true);
        check_stop(&["日本"], "日日本", "日", true);
    }

    #[test]
    fn the_stop_string_that_is_complete_first_counts() {
        check_stop(&["abcd", "bc"], "xabcd", "xa", true);
        check_stop(&["bc", "abc"], "xabcd", "x", true);
        check_stop(&["abcd", "xyz"], "abcxyz", "abc", true);
    }

    #[test]
    fn text_is_shown_as_soon_as_no_stop_string_can_begin_in_it() {
        let mut matcher = StopMatcher::new(&["</s>".into()]).unwrap();
        let shown: Vec<String> = ["ab<", "/", "x", "<<", "/s>"]
            .iter()
            .map(|piece| matcher.push(piece))
            .collect();
        assert_eq!(shown, ["ab", "", "</x", "<", ""]);
    }

    #[test]
    fn limits_of_stop_strings() {
        let accepted = |stops: &[String]| StopMatcher::new(stops).is_ok();
        assert!(accepted(&vec!["x".into(); 16]));
        assert!(!accepted(&vec!["x".into(); 17]));
        assert!(accepted(&["x".repeat(256)]));
        assert!(!accepted(&["x".repeat(257)]));
        assert!(!accepted(&[String::new()]));
    }
}
