//! The beginning of a JSON text as JSON: what an app can show of a value while it is written.

/// How deep objects and arrays may be nested. Values that are deeper are not followed: readers of JSON have limits too.
pub const PARTIAL_NESTING_MAX: u32 = 100;

/// Reads a JSON text piece by piece, and says what is there so far as JSON of its own.
///
/// Open strings, arrays and objects are closed. What may still change its meaning is left out: a key without its value, half a literal, half an
/// escape, and a number, which may have more digits, until something follows it. Nothing disappears again: strings, arrays and objects
/// only get longer. Reading takes time in the length of the text, however small the pieces are.
///
/// From the first character on that cannot be JSON (RFC 8259), nothing changes any more.
///
/// ```
/// use whimbrel_client::PartialJson;
///
/// let mut partial = PartialJson::new();
/// assert_eq!(partial.json(), None);
/// partial.push(r#"{"name": "Ada", "age": 3"#);
/// assert_eq!(partial.json().as_deref(), Some(r#"{"name": "Ada"}"#));
/// partial.push(r#"6, "like"#);
/// assert_eq!(partial.json().as_deref(), Some(r#"{"name": "Ada", "age": 36}"#));
/// ```
#[derive(Default)]
pub struct PartialJson {
    /// What was read and may be part of the value.
    text: String,
    /// How much of the text is the value so far, but for what has to be closed behind it; 0 if there is nothing yet.
    valid_bytes: usize,
    /// What is open there.
    open: Vec<Bracket>,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Bracket {
    Object,
    Array,
}

impl Bracket {
    fn closing(self) -> char {
        match self {
            Bracket::Object => '}',
            Bracket::Array => ']',
        }
    }
}

/// What the next character belongs to.
#[derive(Clone, Copy, Default)]
enum State {
    /// The beginning of a value.
    #[default]
    Value,
    /// The same right behind `[`, where the array may end too.
    FirstItem,
    /// The quote that begins a key.
    Key,
    /// The same right behind `{`, where the object may end too.
    FirstKey,
    /// A string.
    Text { is_key: bool, at: Text },
    /// The colon behind a key.
    Colon,
    /// A number.
    Number(Number),
    /// The rest of `true`, `false` or `null`.
    Literal(&'static str),
    /// A comma, or the end of an object or an array.
    Separator,
    /// Blanks behind the whole value.
    End,
    /// The text is not JSON.
    Broken,
}

/// Where in a string.
#[derive(Clone, Copy)]
enum Text {
    /// Between characters.
    Plain,
    /// Behind a backslash.
    Escape,
    /// Within the four digits of `\u`, of which so many are missing. `high` is the first half of a surrogate pair, if there was one.
    Unit { missing: u8, unit: u16, high: bool },
    /// Behind the first half of a surrogate pair: the backslash of the second.
    LowEscape,
    /// Behind that backslash.
    LowUnit,
}

/// Where in a number.
#[derive(Clone, Copy)]
enum Number {
    Minus,
    Zero,
    Whole,
    Point,
    Fraction,
    Exponent,
    ExponentSign,
    ExponentDigits,
}

impl Number {
    /// The next place, or `None` if the number cannot go on so.
    fn next(self, character: char) -> Option<Number> {
        match (self, character) {
            (Number::Minus, '0') => Some(Number::Zero),
            (Number::Minus | Number::Whole, '0'..='9') => Some(Number::Whole),
            (Number::Zero | Number::Whole, '.') => Some(Number::Point),
            (Number::Point | Number::Fraction, '0'..='9') => Some(Number::Fraction),
            (Number::Zero | Number::Whole | Number::Fraction, 'e' | 'E') => Some(Number::Exponent),
            (Number::Exponent, '+' | '-') => Some(Number::ExponentSign),
            (Number::Exponent | Number::ExponentSign | Number::ExponentDigits, '0'..='9') => {
                Some(Number::ExponentDigits)
            }
            _ => None,
        }
    }

    fn may_end(self) -> bool {
        matches!(
            self,
            Number::Zero | Number::Whole | Number::Fraction | Number::ExponentDigits
        )
    }
}

impl PartialJson {
    /// Nothing so far.
    #[must_use]
    pub fn new() -> PartialJson {
        PartialJson::default()
    }

    /// Reads on. Returns whether [`PartialJson::json`] has changed.
    pub fn push(&mut self, piece: &str) -> bool {
        let before = self.json_bytes();
        for character in piece.chars() {
            if matches!(self.state, State::Broken) {
                break;
            }
            self.read(character);
        }
        // What has come to an end was closed before too, and everything else makes it longer.
        self.json_bytes() != before
    }

    /// The value so far, as JSON; `None` while there is nothing.
    #[must_use]
    pub fn json(&self) -> Option<String> {
        if self.valid_bytes == 0 {
            return None;
        }
        let mut json = String::with_capacity(self.json_bytes());
        json.push_str(&self.text[..self.valid_bytes]);
        if self.is_in_value_text() {
            json.push('"');
        }
        json.extend(self.open.iter().rev().map(|bracket| bracket.closing()));
        Some(json)
    }

    /// The length of [`PartialJson::json`].
    fn json_bytes(&self) -> usize {
        self.valid_bytes + usize::from(self.is_in_value_text()) + self.open.len()
    }

    /// Whether the value so far ends within a string.
    fn is_in_value_text(&self) -> bool {
        matches!(self.state, State::Text { is_key: false, .. })
    }

    fn read(&mut self, character: char) {
        let is_blank = matches!(character, ' ' | '\t' | '\n' | '\r');
        let before = self.text.len();
        self.text.push(character);
        let next = match self.state {
            State::Text { is_key, at } => self.read_text(is_key, at, character),
            State::Number(at) => match at.next(character) {
                Some(at) => Some(State::Number(at)),
                None if at.may_end() => {
                    self.state = self.behind_value();
                    let next = self.read_outside(character, is_blank);
                    // Only what may follow a number ends it.
                    if next.is_some() {
                        self.valid_bytes = self.valid_bytes.max(before);
                    }
                    next
                }
                None => None,
            },
            State::Literal(rest) => match rest.strip_prefix(character) {
                Some("") => Some(self.end_value()),
                Some(rest) => Some(State::Literal(rest)),
                None => None,
            },
            _ => self.read_outside(character, is_blank),
        };
        self.state = next.unwrap_or_else(|| self.broken());
    }

    /// Reads a character between values. `None` if it cannot stand there.
    fn read_outside(&mut self, character: char, is_blank: bool) -> Option<State> {
        match (self.state, character) {
            (state, _) if is_blank => Some(state),
            (State::FirstItem, ']') | (State::FirstKey, '}') => Some(self.close()),
            (State::Value | State::FirstItem, _) => self.begin_value(character),
            (State::Key | State::FirstKey, '"') => Some(text(true)),
            (State::Colon, ':') => Some(State::Value),
            (State::Separator, ',') => match self.open.last()? {
                Bracket::Object => Some(State::Key),
                Bracket::Array => Some(State::Value),
            },
            (State::Separator, _) if self.open.last()?.closing() == character => Some(self.close()),
            _ => None,
        }
    }

    fn begin_value(&mut self, character: char) -> Option<State> {
        let state = match character {
            '"' => {
                self.valid_bytes = self.text.len();
                text(false)
            }
            '{' => self.begin(Bracket::Object, State::FirstKey)?,
            '[' => self.begin(Bracket::Array, State::FirstItem)?,
            '-' => State::Number(Number::Minus),
            '0' => State::Number(Number::Zero),
            '1'..='9' => State::Number(Number::Whole),
            't' => State::Literal("rue"),
            'f' => State::Literal("alse"),
            'n' => State::Literal("ull"),
            _ => return None,
        };
        Some(state)
    }

    fn begin(&mut self, bracket: Bracket, inside: State) -> Option<State> {
        if self.open.len() >= PARTIAL_NESTING_MAX as usize {
            return None;
        }
        self.open.push(bracket);
        self.valid_bytes = self.text.len();
        Some(inside)
    }

    fn close(&mut self) -> State {
        self.open.pop();
        self.end_value()
    }

    fn end_value(&mut self) -> State {
        self.valid_bytes = self.text.len();
        self.behind_value()
    }

    fn behind_value(&self) -> State {
        if self.open.is_empty() {
            State::End
        } else {
            State::Separator
        }
    }

    fn read_text(&mut self, is_key: bool, at: Text, character: char) -> Option<State> {
        let next = match (at, character) {
            (Text::Plain, '"') if is_key => return Some(State::Colon),
            (Text::Plain, '"') => return Some(self.end_value()),
            (Text::Plain, '\\') => Text::Escape,
            (Text::Plain, '\0'..='\u{1f}') => return None,
            (Text::Plain, _) | (Text::Escape, '"' | '\\' | '/' | 'b' | 'f' | 'n' | 'r' | 't') => Text::Plain,
            (Text::Escape, 'u') => unit(false),
            (Text::Unit { missing, unit, high }, digit) => {
                let unit = (unit << 4) | digit.to_digit(16)? as u16;
                after_digit(missing - 1, unit, high)?
            }
            (Text::LowEscape, '\\') => Text::LowUnit,
            (Text::LowUnit, 'u') => unit(true),
            (Text::Escape | Text::LowEscape | Text::LowUnit, _) => return None,
        };
        if matches!(next, Text::Plain) && !is_key {
            self.valid_bytes = self.text.len();
        }
        Some(State::Text { is_key, at: next })
    }

    /// Stays at what is valid.
    fn broken(&mut self) -> State {
        self.text.truncate(self.valid_bytes);
        // `json` tells by the state that a string is open, and this state is about to go.
        if self.is_in_value_text() {
            self.text.push('"');
            self.valid_bytes = self.text.len();
        }
        State::Broken
    }
}

/// The beginning of a string.
fn text(is_key: bool) -> State {
    State::Text {
        is_key,
        at: Text::Plain,
    }
}

/// The beginning of the digits of `\u`.
fn unit(high: bool) -> Text {
    Text::Unit {
        missing: 4,
        unit: 0,
        high,
    }
}

/// Where a digit of `\u` leads. `None` if the halves of a surrogate pair do not belong together.
fn after_digit(missing: u8, unit: u16, high: bool) -> Option<Text> {
    let is_high = (0xd800..0xdc00).contains(&unit);
    let is_low = (0xdc00..0xe000).contains(&unit);
    match missing {
        0 if high != is_low => None,
        0 if is_high => Some(Text::LowEscape),
        0 => Some(Text::Plain),
        _ => Some(Text::Unit { missing, unit, high }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value, json};
    use whimbrel_testing::Random;

    use super::*;

    /// What is there after a text.
    fn after(text: &str) -> Option<String> {
        let mut partial = PartialJson::new();
        partial.push(text);
        partial.json()
    }

    #[test]
    fn what_is_open_is_closed_and_what_may_change_is_left_out() {
        for (text, expected) in [
            ("", ""),
            (" ", ""),
            ("{", "{}"),
            (r#"{"a"#, "{}"),
            (r#"{"a": "#, "{}"),
            (r#"{"a": ""#, r#"{"a": ""}"#),
            (r#"{"a": "b", "#, r#"{"a": "b"}"#),
            (r#"{"a": 1"#, "{}"),
            (r#"{"a": 1,"#, r#"{"a": 1}"#),
            (r#"{"a": 1.5e"#, "{}"),
            (r#"{"a": [1, 2"#, r#"{"a": [1]}"#),
            (r#"{"a": [1, {"b": [tr"#, r#"{"a": [1, {"b": []}]}"#),
            (r#"{"a": [true"#, r#"{"a": [true]}"#),
            (r#"{"a": nul"#, "{}"),
            (r#""ab\"#, r#""ab""#),
            (r#""ab\u00"#, r#""ab""#),
            (r#""ab\u00e9"#, r#""ab\u00e9""#),
            (r#""ab\ud83d"#, r#""ab""#),
            (r#""ab\ud83d\ude"#, r#""ab""#),
            (r#""ab\ud83d\ude00"#, r#""ab\ud83d\ude00""#),
            ("12", ""),
            ("12 ", "12"),
            ("false", "false"),
            (" [ ] ", " [ ]"),
        ] {
            assert_eq!(after(text).unwrap_or_default(), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_json_changes_nothing_any_more() {
        for (text, expected) in [
            ("Sure! {", ""),
            ("[1, 2}]", "[1]"),
            ("[1, 2 }]", "[1, 2]"),
            ("[01]", "[]"),
            ("[1 2]", "[1]"),
            ("[-]", "[]"),
            ("[tru]", "[]"),
            (r#"{"a": "b" "c": 1}"#, r#"{"a": "b"}"#),
            (r#"{1: 2}"#, "{}"),
            (r#"{"a": "b\x", "c": 1}"#, r#"{"a": "b"}"#),
            ("[\"a\nb\", 1]", r#"["a"]"#),
            (r#"["a\ud83dx", 1]"#, r#"["a"]"#),
            (r#"["a\ude00", 1]"#, r#"["a"]"#),
            (r#"["a\ud83d\u0041", 1]"#, r#"["a"]"#),
            (r#"{"a\x": 1}"#, "{}"),
            ("{} {}", "{}"),
            ("[1,]", "[1]"),
        ] {
            assert_eq!(after(text).unwrap_or_default(), expected, "{text}");
        }
        let deep = "[".repeat(PARTIAL_NESTING_MAX as usize + 10);
        let json = after(&deep).expect("brackets are there");
        assert_eq!(json.len(), 2 * PARTIAL_NESTING_MAX as usize);
    }

    /// Every beginning of a text gives JSON that only grows, up to the value of the text.
    #[test]
    fn beginnings_are_json_and_grow_to_the_value() {
        let mut random = Random::new(1);
        for _ in 0..300 {
            let value = any_value(&mut random, 4);
            // Behind a number something has to follow.
            let text = format!("{} ", written(&value, &mut random));
            let mut partial = PartialJson::new();
            let mut before: Option<Value> = None;
            let mut buffer = [0; 4];
            for character in text.chars() {
                let was = partial.json();
                let has_changed = partial.push(character.encode_utf8(&mut buffer));
                let json = partial.json();
                assert_eq!(has_changed, json != was, "{text}");
                let Some(json) = json else { continue };
                let now: Value = serde_json::from_str(&json).expect(&json);
                if let Some(before) = &before {
                    assert!(grows(before, &now), "{before} does not grow to {now}");
                }
                before = Some(now);
            }
            assert_eq!(before, Some(value), "{text}");
        }
    }

    #[test]
    fn pieces_do_not_matter() {
        let mut random = Random::new(2);
        for _ in 0..300 {
            let text = hostile(&mut random);
            let mut partial = PartialJson::new();
            let mut rest = text.as_str();
            while !rest.is_empty() {
                let mut end = 1 + random.below(rest.len() as u64) as usize;
                while !rest.is_char_boundary(end) {
                    end += 1;
                }
                let (piece, behind) = rest.split_at(end);
                partial.push(piece);
                rest = behind;
            }
            assert_eq!(partial.json(), after(&text), "{text}");
        }
    }

    #[test]
    fn whatever_comes_there_is_json_or_nothing() {
        let mut random = Random::new(3);
        let mut found = 0;
        for _ in 0..20_000 {
            let text = hostile(&mut random);
            let Some(json) = after(&text) else { continue };
            found += 1;
            // Without its values, because a number may be too large for them.
            let read: Result<serde::de::IgnoredAny, _> = serde_json::from_str(&json);
            assert!(read.is_ok(), "{text:?} gives {json:?}");
        }
        assert!(found > 1000, "only {found} texts began like JSON");
    }

    /// Whether one value is the beginning of another.
    fn grows(before: &Value, now: &Value) -> bool {
        match (before, now) {
            (Value::String(before), Value::String(now)) => now.starts_with(before.as_str()),
            (Value::Array(before), Value::Array(now)) => {
                before.len() <= now.len() && before.iter().zip(now).all(|(before, now)| grows(before, now))
            }
            (Value::Object(before), Value::Object(now)) => {
                let has_grown = |(key, before): (&String, &Value)| now.get(key).is_some_and(|now| grows(before, now));
                before.iter().all(has_grown)
            }
            _ => before == now,
        }
    }

    const CHARACTERS: &str = "ab é€😀\"\\/\n\t\u{7f}\u{2028}";

    fn any_value(random: &mut Random, depth: u64) -> Value {
        let count = random.below(4);
        match random.below(if depth == 0 { 6 } else { 8 }) {
            0 => Value::Null,
            1 => Value::Bool(random.chance(50)),
            2 => json!(random.number() as i64),
            3 => json!(random.below(100) as f64 / 8.0 - 5.0),
            4 | 5 => Value::String(random.characters(CHARACTERS, count)),
            6 => (0..count).map(|_| any_value(random, depth - 1)).collect(),
            _ => {
                let mut fields = Map::new();
                for _ in 0..count {
                    let key = random.characters(CHARACTERS, 3);
                    fields.insert(key, any_value(random, depth - 1));
                }
                Value::Object(fields)
            }
        }
    }

    /// A value in one of the ways in which it can be written.
    fn written(value: &Value, random: &mut Random) -> String {
        let text = match random.chance(50) {
            true => serde_json::to_string_pretty(value),
            false => serde_json::to_string(value),
        }
        .expect("values are JSON");
        if random.chance(50) {
            return text;
        }
        // Everything outside ASCII as escapes.
        let mut escaped = String::new();
        for character in text.chars() {
            match character.is_ascii() {
                true => escaped.push(character),
                false => {
                    let units = character.encode_utf16(&mut [0; 2]).to_vec();
                    escaped.extend(units.iter().map(|unit| format!("\\u{unit:04x}")));
                }
            }
        }
        escaped
    }

    /// What looks like JSON at times, and at times is.
    fn hostile(random: &mut Random) -> String {
        let parts = [
            "{", "}", "[", "]", ",", ":", "\"", "\"a\":", "\"b\"", "\\", "\\u", "\\ud83d", "\\ude00", "0", "12", "-",
            ".", "e", "true", "false", "null", "tr", " ", "\n", "é", "😀", "\u{0}", "x",
        ];
        let count = random.below(16);
        let begin = *random.pick(&["{", "[", "\"", "{\"a\":", "[[", ""]);
        (0..count).fold(begin.to_owned(), |text, _| text + *random.pick(&parts))
    }
}
