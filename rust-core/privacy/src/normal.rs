//! The normal form in which texts are scanned: a value is found in any notation as if it were plain. Each change remembers its
//! part of the original, so that a finding covers whole characters and whole escapes of the original. `fold` normalises single
//! characters, `escape` decodes escapes and markup, `script` handles scripts, and `wrapped` joins values that a line break or a
//! tab splits in two.

use std::borrow::Cow;
use std::ops::Range;

mod escape;
pub(crate) mod excerpt;
mod fold;
mod script;
pub(crate) mod wrapped;

use escape::Escape;
use fold::Fold;
pub(crate) use script::is_unspaced;

/// A text in its normal form, with the way back to the original.
pub(crate) struct Normal<'t> {
    text: Cow<'t, str>,
    /// Where the two differ, in order. Between two changes they are the same, at a distance.
    changes: Vec<Change>,
}

/// A part of the normal form and the part of the original that it stands for. Either may be empty.
#[derive(Clone, Copy, Debug)]
struct Change {
    normal_start: u32,
    normal_end: u32,
    start: u32,
    end: u32,
}

impl<'t> Normal<'t> {
    /// Reads `text` once from its beginning to its end, each step looking a bounded way ahead. Text in ASCII without escapes is its
    /// own normal form and is not copied.
    pub(crate) fn of(text: &'t str) -> Normal<'t> {
        if is_plain(text.as_bytes()) {
            return Normal {
                text: Cow::Borrowed(text),
                changes: Vec::new(),
            };
        }
        let mut reader = Reader::new(text);
        reader.read();
        reader.edit.finish()
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Whether it differs from the original.
    pub(crate) fn is_changed(&self) -> bool {
        !self.changes.is_empty()
    }

    /// The part of the original that a part of the normal form stands for. Of what was dropped, only what lies inside belongs to it.
    pub(crate) fn original(&self, range: Range<usize>) -> Range<usize> {
        let (start, end) = (range.start as u32, range.end as u32);
        let before_start = self.changes.partition_point(|change| change.normal_start <= start);
        let original_start = match before_start.checked_sub(1).map(|at| self.changes[at]) {
            None => start,
            Some(change) if change.normal_end > start => change.start,
            Some(change) => change.end + (start - change.normal_end),
        };
        let before_end = self.changes.partition_point(|change| change.normal_start < end);
        let original_end = match before_end.checked_sub(1).map(|at| self.changes[at]) {
            None => end,
            Some(change) if change.normal_end >= end => change.end,
            Some(change) => change.end + (end - change.normal_end),
        };
        original_start as usize..original_end as usize
    }

    /// The parts of the original that were changed, in order.
    pub(crate) fn changed(&self) -> impl Iterator<Item = Range<usize>> {
        self.changes
            .iter()
            .map(|change| change.start as usize..change.end as usize)
    }

    /// Whether a change lies in a part of the normal form or right beside it.
    fn touches_change(&self, range: &Range<usize>) -> bool {
        let first = self
            .changes
            .partition_point(|change| (change.normal_end as usize) < range.start);
        let change = self.changes.get(first);
        change.is_some_and(|change| change.normal_start as usize <= range.end)
    }

    /// How many changes lie in a part of the normal form.
    fn changes_in(&self, range: &Range<usize>) -> usize {
        let until = |at: usize| {
            self.changes
                .partition_point(|change| (change.normal_start as usize) < at)
        };
        until(range.end).saturating_sub(until(range.start))
    }
}

/// The bytes that mean themselves wherever they stand, but for a plus in a query.
const PLAIN: [bool; 256] = {
    let mut plain = [false; 256];
    let mut byte = 0;
    while byte < 0x7f {
        plain[byte] = matches!(byte as u8, b'\t' | b'\n' | b'\r' | b' '..=b'~')
            && !matches!(byte as u8, b'&' | b'%' | b'\\' | b'<' | b'*' | b'?');
        byte += 1;
    }
    plain
};

/// Whether a text is its own normal form for sure.
fn is_plain(bytes: &[u8]) -> bool {
    let mut previous = 0;
    bytes.iter().all(|&byte| {
        let plain = match byte {
            b'*' => previous != b'*',
            b'?' => true,
            _ => PLAIN[usize::from(byte)] && (previous != b'?' || !byte.is_ascii_alphanumeric()),
        };
        previous = byte;
        plain
    })
}

/// Writes a changed copy of a text, lazily: nothing is copied before the first change.
struct Edit<'t> {
    text: &'t str,
    written: String,
    /// How much of `text` is in `written`.
    copied: usize,
    changes: Vec<Change>,
}

impl<'t> Edit<'t> {
    fn new(text: &'t str) -> Edit<'t> {
        Edit {
            text,
            written: String::new(),
            copied: 0,
            changes: Vec::new(),
        }
    }

    /// Puts `normal` in the place of a part of the original, which begins at or behind the end of the last change.
    fn replace(&mut self, original: Range<usize>, normal: &str) {
        self.written.push_str(&self.text[self.copied..original.start]);
        let normal_start = self.written.len() as u32;
        self.written.push_str(normal);
        self.copied = original.end;
        self.changes.push(Change {
            normal_start,
            normal_end: self.written.len() as u32,
            start: original.start as u32,
            end: original.end as u32,
        });
    }

    /// Puts `last` in the place of the last written character, `before`, which now stands for the original up to `end` too.
    fn extend(&mut self, before: char, last: char, start: usize, end: usize) {
        let joined = self
            .changes
            .last_mut()
            .filter(|change| change.end as usize == start && change.normal_end > change.normal_start);
        match joined {
            Some(change) => {
                self.written.truncate(self.written.len() - before.len_utf8());
                self.written.push(last);
                (change.normal_end, change.end) = (self.written.len() as u32, end as u32);
                self.copied = end;
            }
            None => self.replace(start - before.len_utf8()..end, last.encode_utf8(&mut [0; 4])),
        }
    }

    /// One more character for the last change.
    fn append(&mut self, character: char) {
        self.written.push(character);
        if let Some(change) = self.changes.last_mut() {
            change.normal_end = self.written.len() as u32;
        }
    }

    fn finish(mut self) -> Normal<'t> {
        let text = if self.changes.is_empty() {
            Cow::Borrowed(self.text)
        } else {
            self.written.push_str(&self.text[self.copied..]);
            Cow::Owned(self.written)
        };
        Normal {
            text,
            changes: self.changes,
        }
    }
}

/// The state of the one pass.
struct Reader<'t> {
    edit: Edit<'t>,
    /// The last character of the normal form that a combining mark may join, which ends where the reader is; none behind a gap.
    last: Option<char>,
    /// The last character of the normal form.
    previous: char,
    /// Behind the word that was last asked whether it mixes scripts, and the answer.
    mixed: (usize, bool),
    /// A plus stands for a blank.
    in_query: bool,
}

impl<'t> Reader<'t> {
    fn new(text: &'t str) -> Reader<'t> {
        Reader {
            edit: Edit::new(text),
            last: None,
            previous: ' ',
            mixed: (0, false),
            in_query: false,
        }
    }

    fn read(&mut self) {
        let text = self.edit.text;
        let mut at = 0;
        while at < text.len() {
            let plain = self.plain_run(at);
            if plain > 0 {
                at += plain;
                continue;
            }
            let Some(character) = text[at..].chars().next() else {
                break;
            };
            let end = at + character.len_utf8();
            if !character.is_ascii() {
                let alike = script::latin_alike(character).filter(|_| self.is_mixed(at));
                match alike {
                    Some(latin) => self.put(latin, at..end, false),
                    None => self.put(character, at..end, true),
                }
                at = end;
                continue;
            }
            at = match escape::read(text, at, self.in_query) {
                Escape::None => {
                    self.follow_query(text, at, character);
                    self.put(character, at..end, true);
                    end
                }
                Escape::Character(character, end) => {
                    self.put(character, at..end, false);
                    end
                }
                Escape::Nothing(end) => {
                    self.drop(at..end);
                    end
                }
            };
        }
    }

    /// Passes over ASCII that stands for itself, from byte `at`, and says how many bytes that is.
    fn plain_run(&mut self, at: usize) -> usize {
        let rest = &self.edit.text.as_bytes()[at..];
        let is_plain = |byte: &&u8| PLAIN[usize::from(**byte)];
        let run = rest.iter().take_while(is_plain).count();
        if run == 0 || self.in_query {
            return 0;
        }
        self.part(char::from(rest[0]), at);
        self.previous = char::from(rest[run - 1]);
        self.last = (!self.previous.is_whitespace()).then_some(self.previous);
        run
    }

    /// Whether the reader is in a URL's query, where a form writes blanks as plus signs.
    fn follow_query(&mut self, text: &str, at: usize, character: char) {
        match character {
            '?' => self.in_query |= escape::is_query(&text.as_bytes()[at + 1..]),
            _ if character.is_ascii_whitespace() || "\"'<>`".contains(character) => self.in_query = false,
            _ => {}
        }
    }

    /// Writes one character, which stands for `original`; `as_is` says that it stands there itself.
    fn put(&mut self, character: char, original: Range<usize>, as_is: bool) {
        let Range { start, end } = original;
        match fold::fold(character) {
            Fold::Same => self.write(character, start..end, as_is),
            Fold::To(other) => self.write(other, start..end, false),
            Fold::Nothing => self.drop(start..end),
            Fold::Mark => match self.last {
                Some(before) => self.join(before, character, start..end, as_is),
                None => self.write(character, start..end, as_is),
            },
            Fold::Compatible => {
                let mut first = true;
                fold::compatible(character, |part| {
                    match self.last {
                        Some(before) if first && fold::fold(part) == Fold::Mark => {
                            self.join(before, part, start..end, false);
                        }
                        _ if first => self.write(part, start..end, false),
                        _ => self.append(part, end),
                    }
                    first = false;
                });
            }
        }
    }

    fn write(&mut self, character: char, original: Range<usize>, as_is: bool) {
        self.part(character, original.start);
        if !as_is {
            self.edit.replace(original, character.encode_utf8(&mut [0; 4]));
        }
        self.previous = character;
        self.last = (!character.is_whitespace()).then_some(character);
    }

    /// Puts a blank, which nothing of the original stands for, where `character` touches another script: "密码abc".
    fn part(&mut self, character: char, at: usize) {
        let touches = |one: char, other: char| one.is_ascii_alphanumeric() && is_unspaced(other);
        if touches(self.previous, character) || touches(character, self.previous) {
            self.edit.replace(at..at, " ");
        }
    }

    fn drop(&mut self, original: Range<usize>) {
        self.edit.replace(original, "");
        self.last = None;
    }

    /// One more character for the last change, which ends at byte `end` of the original.
    fn append(&mut self, character: char, end: usize) {
        match self.last.and_then(|last| fold::composed(last, character)) {
            Some(whole) => {
                self.edit.extend(self.previous, whole, end, end);
                (self.previous, self.last) = (whole, Some(whole));
            }
            None => {
                self.edit.append(character);
                (self.previous, self.last) = (character, Some(character));
            }
        }
    }

    /// Joins a mark to the character before it. An accent that makes no letter with it is dropped.
    fn join(&mut self, before: char, mark: char, original: Range<usize>, as_is: bool) {
        let Range { start, end } = original;
        let whole = match fold::composed(before, mark) {
            Some(whole) => whole,
            None if fold::is_accent(mark) => before,
            None => return self.write(mark, start..end, as_is),
        };
        self.edit.extend(before, whole, start, end);
        (self.previous, self.last) = (whole, Some(whole));
    }

    /// Whether the word around byte `at` has ASCII letters and, beside them, only letters that look like them.
    fn is_mixed(&mut self, at: usize) -> bool {
        if at >= self.mixed.0 {
            let (length, mixed) = script::mixes(&self.edit.text[at..], self.previous.is_ascii_alphabetic());
            self.mixed = (at + length.max(1), mixed);
        }
        self.mixed.1
    }
}

#[cfg(test)]
mod tests;
