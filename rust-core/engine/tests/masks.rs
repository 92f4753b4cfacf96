//! The tokens that a form allows, from the look-ahead and from every token by itself: they must be the same.
#![allow(clippy::unwrap_used)]

mod support;

use std::path::Path;
use std::sync::Arc;

use support::{smollm2, tiny};
use whimbrel_engine::{Constraint, Form, Tokenizer, Vocabulary};

/// Schemas in which plain text goes on freely, up to a length, by a pattern, or not at all.
const SCHEMAS: [&str; 17] = [
    "{}",
    r#"{"type": "string"}"#,
    r#"{"type": "string", "maxLength": 3}"#,
    r#"{"type": "string", "minLength": 5, "maxLength": 12}"#,
    r#"{"type": "string", "maxLength": 45}"#,
    r#"{"type": "string", "pattern": "^[A-Za-z]{1,10}$"}"#,
    r#"{"type": "string", "pattern": "^[a-z]+( [a-z]+){0,3}$"}"#,
    r#"{"type": "string", "pattern": "[0-9a-f]{8}"}"#,
    // Some texts end where others of the same length continue.
    r#"{"type": "string", "pattern": "^([ -M]|[N-~][ -~]{5})$"}"#,
    r#"{"type": "string", "pattern": "^.{0,9}é.{2,4}$"}"#,
    r#"{"type": "string", "pattern": "^[^a-z]*$", "maxLength": 20}"#,
    r#"{"type": "string", "pattern": "^(?:\\S+\\s+){0,49}\\S+$", "minLength": 1, "maxLength": 500}"#,
    r#"{"type": "string", "format": "email"}"#,
    r#"{"type": "object", "properties": {"name": {"type": "string", "maxLength": 8}, "names": {"enum": ["one", "other"]}, "no": {"type": "number"}}}"#,
    r#"{"type": "object", "additionalProperties": {"type": "string", "maxLength": 6}, "minProperties": 2}"#,
    r#"{"type": "array", "items": {"anyOf": [{"enum": ["one two", "one three"]}, {"type": "integer"}]}, "minItems": 3}"#,
    r#"{"type": "object", "patternProperties": {"^[a-z]{2,5}$": {"type": "string", "pattern": "^\\w{0,30}$"}}, "additionalProperties": false}"#,
];

fn forms() -> Vec<Form> {
    let schemas = SCHEMAS.iter().map(|&schema| Form::JsonSchema(schema.to_owned()));
    let others = [
        Form::Regex("(?s:.*)".to_owned()),
        Form::Regex("[a-z ]{0,40}!".to_owned()),
        Form::Regex("[^\"]{3,33}\"x*".to_owned()),
        Form::Choice(
            ["yes", "no", "yesterday", "caf\u{e9} au lait"]
                .map(str::to_owned)
                .to_vec(),
        ),
        // Text may continue after the end of a lexeme where the lexeme itself may not.
        Form::Grammar("start: FIRST OTHER\nFIRST: /[ !#-\\[\\]-~]{3}\"?/\nOTHER: /[ !#-\\[\\]-~]{1,9}/".to_owned()),
        Form::Grammar("start: \"say \" TEXT\nTEXT: /(?s:.+)/ & ~/(?s:.*end.*)/".to_owned()),
    ];
    schemas.chain(others).collect()
}

/// A random number (xorshift; Marsaglia 2003).
fn next(seed: &mut u64) -> u64 {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    *seed
}

/// Goes along random answers, and returns how many masks were the same.
fn check(folder: &Path, walks: u32, tokens: u32) -> u32 {
    let tokenizer = Arc::new(Tokenizer::from_bytes(&std::fs::read(folder.join("tokenizer.bin")).unwrap()).unwrap());
    let prepared = Arc::new(Vocabulary::new(tokenizer.clone()).unwrap());
    let plain = Arc::new(Vocabulary::token_by_token(tokenizer.clone()).unwrap());
    let (mut seed, mut same) = (88_172_645_463_325_252, 0);
    for form in forms() {
        for _ in 0..walks {
            let mut constraint = Constraint::new(&prepared, &form).unwrap();
            let mut expected = Constraint::new(&plain, &form).unwrap();
            let mut answer = Vec::new();
            for _ in 0..tokens {
                assert_eq!(constraint.is_complete(), expected.is_complete(), "{form:?} {answer:?}");
                if constraint.is_complete() {
                    break;
                }
                let forced = constraint.forced();
                assert_eq!(forced, expected.forced(), "{form:?} {answer:?}");
                let taken = match forced.is_empty() {
                    false => forced,
                    true => {
                        let (mask, expected) = (constraint.mask().unwrap(), expected.mask().unwrap());
                        assert_eq!(mask.to_list(), expected.to_list(), "{form:?} {answer:?}");
                        same += 1;
                        let allowed = mask.to_list();
                        // Often one of the first tokens, which are single bytes, so that texts end too.
                        let among = if next(&mut seed).is_multiple_of(2) {
                            allowed.len()
                        } else {
                            allowed.len().min(40)
                        };
                        vec![allowed[(next(&mut seed) >> 8) as usize % among]]
                    }
                };
                if tokenizer.end_of_turn().contains(&taken[0]) {
                    break;
                }
                constraint.take(&taken).unwrap();
                expected.take(&taken).unwrap();
                answer.extend(taken);
            }
        }
    }
    same
}

#[test]
fn masks_of_a_small_vocabulary_are_those_of_every_token() {
    let same = check(&tiny(), 12, 60);
    assert!(same > 1_000, "{same}");
}

#[test]
fn masks_of_a_large_vocabulary_are_those_of_every_token() {
    let same = check(&smollm2(), 2, 30);
    assert!(same > 200, "{same}");
}
