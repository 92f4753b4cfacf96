//! Writes markup that is well-formed by its making: whatever is written is escaped, and elements end in the order in which they can. There is
//! no way to write text that is not escaped but [`Markup::style`].

use std::fmt::Write;

/// Attributes, each with its value.
pub(super) type Attributes<'a> = &'a [(&'static str, &'a str)];

/// See the module.
#[derive(Debug)]
pub(super) struct Markup {
    text: String,
}

impl Markup {
    pub(super) fn document() -> Markup {
        Markup {
            text: "<!DOCTYPE html>\n".to_owned(),
        }
    }

    pub(super) fn into_text(self) -> String {
        self.text
    }

    /// An element with what is written into it.
    pub(super) fn element(&mut self, tag: &'static str, attributes: Attributes<'_>, content: impl FnOnce(&mut Markup)) {
        self.start(tag, attributes);
        self.text.push('>');
        content(self);
        write!(self.text, "</{tag}>").expect("a string takes all");
        // Lines, so that a person can read the source.
        if matches!(
            tag,
            "p" | "h1" | "h2" | "h3" | "tr" | "svg" | "table" | "section" | "figure" | "title" | "details" | "li"
        ) {
            self.text.push('\n');
        }
    }

    /// An element with text.
    pub(super) fn leaf(&mut self, tag: &'static str, attributes: Attributes<'_>, text: &str) {
        self.element(tag, attributes, |markup| markup.text(text));
    }

    /// An element without content.
    pub(super) fn empty(&mut self, tag: &'static str, attributes: Attributes<'_>) {
        self.start(tag, attributes);
        self.text.push_str("/>");
    }

    /// Text, as it is to be read.
    pub(super) fn text(&mut self, text: &str) {
        escape(&mut self.text, text);
    }

    /// The style sheet: part of the program, and without what would have to be escaped.
    pub(super) fn style(&mut self, sheet: &'static str) {
        debug_assert!(!sheet.contains(['<', '&']), "a style sheet is not escaped");
        write!(self.text, "<style>\n{sheet}</style>\n").expect("a string takes all");
    }

    fn start(&mut self, tag: &'static str, attributes: Attributes<'_>) {
        write!(self.text, "<{tag}").expect("a string takes all");
        for (name, value) in attributes {
            write!(self.text, " {name}=\"").expect("a string takes all");
            escape(&mut self.text, value);
            self.text.push('"');
        }
    }
}

/// Characters that mean something in markup, and those that no document may contain.
fn escape(into: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            '&' => into.push_str("&amp;"),
            '<' => into.push_str("&lt;"),
            '>' => into.push_str("&gt;"),
            '"' => into.push_str("&quot;"),
            '\'' => into.push_str("&#39;"),
            '\u{fffe}' | '\u{ffff}' => into.push('\u{fffd}'),
            // Among them are those that turn the direction of what follows.
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => into.push('\u{fffd}'),
            _ if character.is_control() => into.push('\u{fffd}'),
            _ => into.push(character),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_can_end_an_element_or_a_value() {
        let check = |text: &str, expected: &str| {
            let mut markup = Markup { text: String::new() };
            markup.leaf("b", &[("class", text)], text);
            markup.empty("br", &[("title", text)]);
            let whole = format!("<b class=\"{expected}\">{expected}</b><br title=\"{expected}\"/>");
            assert_eq!(markup.into_text(), whole);
        };
        check("qwen3-0.6b", "qwen3-0.6b");
        check(
            "</b><script>alert(1)</script>",
            "&lt;/b&gt;&lt;script&gt;alert(1)&lt;/script&gt;",
        );
        check("\" onload=\"x", "&quot; onload=&quot;x");
        check("' & &amp;", "&#39; &amp; &amp;amp;");
        check("a\u{0}b\u{202e}c\nd", "a\u{fffd}b\u{fffd}c\u{fffd}d");
        check("2\u{202f}000 µs", "2\u{202f}000 µs");
    }
}
