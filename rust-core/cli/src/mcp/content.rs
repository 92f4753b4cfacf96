//! What tools answer, as text for a model.

use rmcp::model::{CallToolResult, ContentBlock, ResourceContents};
use serde_json::Value;

use super::RESULT_BYTES_MAX;

/// Stands for content of a later version of the protocol.
const UNKNOWN: &str = "[content of an unknown kind]";

/// The text of a result, at most [`RESULT_BYTES_MAX`].
pub(super) fn text(result: CallToolResult) -> String {
    let items: Vec<String> = result.content.iter().map(item).collect();
    let has_text = result.content.iter().any(is_text);
    let text = match result.structured_content {
        Some(value) if !has_text && value != Value::Null => {
            let mut items = items;
            items.insert(0, value.to_string());
            items.join("\n")
        }
        _ => items.join("\n"),
    };
    shortened(&text)
}

/// The text, or its beginning with a note about its length.
pub(super) fn shortened(text: &str) -> String {
    if text.len() as u64 <= RESULT_BYTES_MAX {
        return text.to_owned();
    }
    let note = format!("\n[cut: the result has {} bytes]", text.len());
    cut(text, RESULT_BYTES_MAX, &note)
}

/// The text if it has at most `bytes_max` bytes, else its beginning and `end`, together at most that long.
pub(super) fn cut(text: &str, bytes_max: u64, end: &str) -> String {
    let bytes_max = usize::try_from(bytes_max).unwrap_or(usize::MAX);
    if text.len() <= bytes_max {
        return text.to_owned();
    }
    let length = text.floor_char_boundary(bytes_max.saturating_sub(end.len()));
    format!("{}{end}", &text[..length])
}

fn is_text(block: &ContentBlock) -> bool {
    matches!(block, ContentBlock::Text(_) | ContentBlock::Resource(_))
}

fn item(block: &ContentBlock) -> String {
    match block {
        ContentBlock::Text(text) => text.text.clone(),
        ContentBlock::Image(image) => named("image", &[&image.mime_type], Some(decoded_bytes(&image.data))),
        ContentBlock::Audio(audio) => named("audio", &[&audio.mime_type], Some(decoded_bytes(&audio.data))),
        ContentBlock::Resource(embedded) => match &embedded.resource {
            // Servers answer with files in this form, so its text is wanted.
            ResourceContents::TextResourceContents {
                uri, mime_type, text, ..
            } => {
                let kind = mime_type.as_deref().unwrap_or_default();
                format!("{}\n{text}", named("resource", &[uri, kind], None))
            }
            ResourceContents::BlobResourceContents {
                uri, mime_type, blob, ..
            } => {
                let kind = mime_type.as_deref().unwrap_or_default();
                named("resource", &[uri, kind], Some(decoded_bytes(blob)))
            }
            _ => UNKNOWN.to_owned(),
        },
        ContentBlock::ResourceLink(link) => {
            let kind = link.mime_type.as_deref().unwrap_or_default();
            named("link", &[&link.uri, kind], None)
        }
        _ => UNKNOWN.to_owned(),
    }
}

/// `[image, image/png, 1234 bytes]`
fn named(kind: &str, about: &[&str], bytes: Option<u64>) -> String {
    let bytes = bytes.map(|bytes| format!("{bytes} bytes"));
    let about = about.iter().copied().filter(|about| !about.is_empty());
    let parts: Vec<&str> = std::iter::once(kind).chain(about).chain(bytes.as_deref()).collect();
    format!("[{}]", parts.join(", "))
}

/// How many bytes a text in base64 stands for.
fn decoded_bytes(base64: &str) -> u64 {
    base64.trim_end_matches('=').len() as u64 * 3 / 4
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(result: serde_json::Value, expected: &str) {
        let result = serde_json::from_value(result).expect("a result");
        assert_eq!(text(result), expected);
    }

    #[test]
    fn results_become_text() {
        check(
            json!({"content": [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]}),
            "one\ntwo",
        );
        check(json!({"content": []}), "");
        check(
            json!({"content": [
                {"type": "image", "data": "aGVsbG8=", "mimeType": "image/png"},
                {"type": "audio", "data": "aGVsbG8h", "mimeType": "audio/wav"},
            ]}),
            "[image, image/png, 5 bytes]\n[audio, audio/wav, 6 bytes]",
        );
        check(
            json!({"content": [
                {"type": "resource", "resource": {"uri": "file:///a", "mimeType": "text/plain", "text": "A"}},
                {"type": "resource", "resource": {"uri": "file:///b", "blob": "aGVsbG8="}},
                {"type": "resource_link", "uri": "file:///c", "name": "c"},
            ]}),
            "[resource, file:///a, text/plain]\nA\n[resource, file:///b, 5 bytes]\n[link, file:///c]",
        );
        check(
            json!({"content": [], "structuredContent": {"degrees": 21}}),
            r#"{"degrees":21}"#,
        );
        check(
            json!({"content": [{"type": "text", "text": "21"}], "structuredContent": {"degrees": 21}}),
            "21",
        );
    }

    #[test]
    fn a_long_result_is_cut_at_a_character() {
        let long = "é".repeat(40_000);
        let short = shortened(&long);
        assert!(short.len() as u64 <= RESULT_BYTES_MAX && short.len() as u64 >= RESULT_BYTES_MAX - 2);
        assert!(short.ends_with("é\n[cut: the result has 80000 bytes]"));
        assert_eq!(cut("aéb", 2, ""), "a");
        assert_eq!(cut("abc", 3, "…"), "abc");
    }
}
