//! Text that comes in pieces, broken between words so that no line is wider than the terminal. Code between lines of ``` stays as it is.

use console::measure_text_width;

/// Where the current line stands.
pub(crate) struct Wrap {
    /// Columns of the terminal.
    width: usize,
    /// Columns of the current line that are used, without the word that is still coming.
    column: usize,
    /// Blanks after the last word, not shown yet: they vanish where a line is broken.
    blanks: String,
    /// The word that is still coming.
    word: String,
    /// What the current line begins with, up to three characters.
    line_start: String,
    /// Whether the text is between two lines of ```.
    is_code: bool,
}

impl Wrap {
    /// A text that begins at the start of a line.
    pub(super) fn new(width: u16) -> Wrap {
        Wrap {
            width: usize::from(width.max(1)),
            column: 0,
            blanks: String::new(),
            word: String::new(),
            line_start: String::new(),
            is_code: false,
        }
    }

    /// Takes the next piece and returns what can be shown of the text so far. The last word waits for its end.
    pub(super) fn push(&mut self, piece: &str) -> String {
        let mut shown = String::new();
        for character in piece.chars() {
            match character {
                '\n' => self.end_line(&mut shown),
                ' ' => {
                    self.end_word(&mut shown);
                    self.blanks.push(' ');
                }
                _ => {
                    // Scripts that are written without blanks may be broken before every wide character.
                    if measure_text_width(character.encode_utf8(&mut [0; 4])) > 1 {
                        self.end_word(&mut shown);
                    }
                    self.word.push(character);
                }
            }
            if character != '\n' && self.line_start.len() < 3 {
                self.line_start.push(character);
            }
        }
        shown
    }

    /// Another text begins, at the start of a line.
    pub(super) fn restart(&mut self) {
        *self = Wrap::new(u16::try_from(self.width).unwrap_or(u16::MAX));
    }

    /// What is left at the end of the text.
    pub(super) fn end(&mut self) -> String {
        let mut shown = String::new();
        self.end_word(&mut shown);
        shown.push_str(&std::mem::take(&mut self.blanks));
        shown
    }

    fn end_line(&mut self, shown: &mut String) {
        self.end_word(shown);
        shown.push_str(&std::mem::take(&mut self.blanks));
        shown.push('\n');
        self.column = 0;
        if std::mem::take(&mut self.line_start) == "```" {
            self.is_code = !self.is_code;
        }
    }

    fn end_word(&mut self, shown: &mut String) {
        if self.word.is_empty() {
            return;
        }
        let word = std::mem::take(&mut self.word);
        let blanks = std::mem::take(&mut self.blanks);
        let columns = measure_text_width(&word);
        if !self.is_code && self.column > 0 && self.column + blanks.len() + columns > self.width {
            shown.push('\n');
            self.column = 0;
        } else {
            self.column += blanks.len();
            shown.push_str(&blanks);
        }
        self.column += columns;
        shown.push_str(&word);
    }
}

#[cfg(test)]
mod tests {
    use super::Wrap;

    /// The same however the text is cut into pieces.
    fn check(width: u16, text: &str, expected: &str) {
        for size in [1, 2, 3, text.chars().count().max(1)] {
            let mut wrap = Wrap::new(width);
            let characters: Vec<char> = text.chars().collect();
            let mut shown: String = characters
                .chunks(size)
                .map(|piece| wrap.push(&piece.iter().collect::<String>()))
                .collect();
            shown.push_str(&wrap.end());
            assert_eq!(shown, expected, "{text:?} in pieces of {size}");
        }
    }

    #[test]
    fn lines_are_broken_between_words() {
        check(10, "one two three four", "one two\nthree four");
        check(10, "one two  three", "one two\nthree");
        check(10, "0123456789 a", "0123456789\na");
        check(10, "a\n\nb c\n", "a\n\nb c\n");
        check(10, "  indented by two", "  indented\nby two");
        check(5, "unbreakable word", "unbreakable\nword");
        check(1, "a b", "a\nb");
        check(10, "", "");
    }

    #[test]
    fn wide_characters_take_two_columns() {
        check(6, "東京タワー", "東京タ\nワー");
        check(6, "a 東京タ", "a 東京\nタ");
    }

    #[test]
    fn code_stays_as_it_is() {
        check(
            8,
            "say it\n```sh\necho one two three\n```\nsay it again",
            "say it\n```sh\necho one two three\n```\nsay it\nagain",
        );
    }
}
