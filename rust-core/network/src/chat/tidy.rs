//! Repairs invalid JSON that some programs write: `NaN` and `Infinity`, and control characters inside strings. Pure.

/// Words that Python writes for floats without a value.
const NOT_NUMBERS: [&str; 3] = ["NaN", "-Infinity", "Infinity"];

/// The text as JSON; `None` when there is nothing of this kind in it.
pub(super) fn tidy(json: &str) -> Option<String> {
    let mut tidied = String::with_capacity(json.len());
    let (mut is_in_string, mut is_escaped, mut has_changed) = (false, false, false);
    let mut rest = json;
    while let Some(character) = rest.chars().next() {
        let word = NOT_NUMBERS
            .iter()
            .find(|word| !is_in_string && rest.starts_with(**word));
        if let Some(word) = word {
            tidied.push_str("null");
            has_changed = true;
            rest = &rest[word.len()..];
            continue;
        }
        match character {
            control if is_in_string && control < ' ' => {
                tidied.push_str(&format!("\\u{:04x}", u32::from(control)));
                has_changed = true;
            }
            character => tidied.push(character),
        }
        is_in_string ^= character == '"' && !is_escaped;
        is_escaped = is_in_string && character == '\\' && !is_escaped;
        rest = &rest[character.len_utf8()..];
    }
    has_changed.then_some(tidied)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_no_json_changes() {
        let check = |json: &str, expected: Option<&str>| {
            let tidied = tidy(json);
            assert_eq!(tidied.as_deref(), expected, "{json}");
            if let Some(tidied) = tidied {
                assert!(serde_json::from_str::<serde_json::Value>(&tidied).is_ok(), "{tidied}");
            }
        };
        check(
            r#"{"a":NaN,"b":[-Infinity,Infinity],"c":"NaN"}"#,
            Some(r#"{"a":null,"b":[null,null],"c":"NaN"}"#),
        );
        check("{\"a\":\"x\ty\"}\n", Some("{\"a\":\"x\\u0009y\"}\n"));
        check(
            "{\"a\":\"\\\"NaN\\\\\",\"b\":NaN}",
            Some("{\"a\":\"\\\"NaN\\\\\",\"b\":null}"),
        );
        for json in [
            "",
            "{}",
            "\t{\"a\":\t1}\n",
            r#"{"a":"\"NaN"}"#,
            "{\"ä\":\"世界\"}",
            "{\"a\":",
        ] {
            check(json, None);
        }
    }
}
