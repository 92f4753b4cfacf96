//! Line breaks in JSON that is examined as text. Pure.

/// The JSON with line breaks and tabs as themselves inside its strings. As an escape such as `\n`, a break touches the word behind it: the scanner
/// would find "nerika@post.example", and redaction would leave half an escape, which JSON does not allow. Use it for the text of
/// [`Speaker::Call`](crate::Speaker::Call) and [`Speaker::Tools`](crate::Speaker::Tools). `json` is valid JSON.
///
/// ```
/// use whimbrel_privacy::with_plain_breaks;
///
/// assert_eq!(with_plain_breaks(r#"{"text":"Dear\nErika, C:\\new"}"#), "{\"text\":\"Dear\nErika, C:\\\\new\"}");
/// ```
#[must_use]
pub fn with_plain_breaks(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    let mut characters = json.chars();
    while let Some(character) = characters.next() {
        // In valid JSON, a backslash stands only inside strings.
        if character != '\\' {
            text.push(character);
            continue;
        }
        match characters.next() {
            Some('n') => text.push('\n'),
            Some('r') => text.push('\r'),
            Some('t') => text.push('\t'),
            escaped => text.extend(std::iter::once('\\').chain(escaped)),
        }
    }
    text
}
