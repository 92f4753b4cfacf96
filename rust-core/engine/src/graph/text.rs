//! The text of a graph, `graph.nnef`: its limits, and the part of NNEF that it may use.
//!
//! tract's NNEF parser takes time exponential in nesting and recurses over long expressions, so the text is limited before it is parsed,
//! and only plain calls of our operators are accepted.

use tract_nnef::ast::{Document, LValue, RValue};
use tract_nnef::internal::*;

use crate::EngineError;

/// Maximum length of a graph text in bytes.
pub const GRAPH_BYTES_MAX: usize = 1 << 20;
/// Maximum nesting of brackets: the parser's time doubles with each level.
pub const GRAPH_NESTING_MAX: usize = 3;
/// Maximum length of a statement in bytes: the parser recurses over its parts.
pub const GRAPH_STATEMENT_BYTES_MAX: usize = 1 << 10;
/// Maximum number of statements in a graph.
pub const GRAPH_STATEMENTS_MAX: usize = 16_384;

/// Extensions that a graph may declare, word for word.
const EXTENSIONS: [(&str, &str); 4] = [
    ("tract_registry", "tract_core"),
    ("tract_registry", "whimbrel"),
    ("tract_symbol", "T"),
    ("tract_assert", "T>=1"),
];
/// How a graph declares its input; every other call is of an operator of ours.
const INPUT: &str = "tract_core_external";
const OPERATOR_PREFIX: &str = "whimbrel_";

/// Checks a graph text as far as possible without weights: its limits, its syntax, and that it contains only calls of our operators.
///
/// ```
/// use whimbrel_engine::check_graph_text;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared-models/tiny/q4_1/graph.nnef");
/// let text = std::fs::read_to_string(file)?;
/// check_graph_text(&text)?;
/// let error = check_graph_text(&text.replace("whimbrel_qkv", "softmax")).unwrap_err();
/// assert_eq!(error.to_string(), "graph.nnef: operator softmax is not one of this engine's");
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`EngineError::Graph`] says what is wrong, with the line where it can.
pub fn check_graph_text(text: &str) -> Result<(), EngineError> {
    parse(text).map(|_| ())
}

pub(crate) fn parse(text: &str) -> Result<Document, EngineError> {
    check_caps(text)?;
    let doc = tract_nnef::ast::parse::parse_document(text).map_err(|error| bad(innermost(&error)))?;
    check_document(&doc)?;
    Ok(doc)
}

/// Length, nesting, length of statements and the characters of plain calls, comments and quoted texts aside: whatever the
/// parser would recurse over is refused before it is parsed.
fn check_caps(text: &str) -> Result<(), EngineError> {
    if text.len() > GRAPH_BYTES_MAX {
        return Err(bad(format!("{} bytes, the limit is {GRAPH_BYTES_MAX}", text.len())));
    }
    let (mut nesting, mut statement, mut statements) = (0usize, 0usize, 0usize);
    for (number, line) in text.lines().enumerate() {
        let at = |reason: String| bad(format!("line {}: {reason}", number + 1));
        let mut quote = None;
        let mut bytes = line.bytes().peekable();
        while let Some(byte) = bytes.next() {
            statement += 1;
            if statement > GRAPH_STATEMENT_BYTES_MAX {
                return Err(at(format!(
                    "a statement is longer than {GRAPH_STATEMENT_BYTES_MAX} bytes"
                )));
            }
            match (byte, quote) {
                (b'#', None) => {
                    statement -= 1;
                    break;
                }
                (b'"' | b'\'', None) => quote = Some(byte),
                (_, Some(open)) if byte == open => quote = None,
                (_, Some(_)) => (),
                (b'(' | b'[' | b'{', None) => nesting += 1,
                (b')' | b']' | b'}', None) => nesting = nesting.saturating_sub(1),
                (b';', None) => (statement, statements) = (0, statements + 1),
                // A sign belongs to a number, or is an arrow's.
                (b'-', None) if bytes.peek().is_some_and(|next| next.is_ascii_digit() || *next == b'>') => (),
                (b'=' | b'>' | b',' | b'.' | b'_', None) => (),
                _ if byte.is_ascii_alphanumeric() || byte.is_ascii_whitespace() => (),
                _ => {
                    return Err(at(format!(
                        "{:?} has no place in a graph of plain calls",
                        char::from(byte)
                    )));
                }
            }
            if nesting > GRAPH_NESTING_MAX {
                return Err(at(format!("brackets nest deeper than {GRAPH_NESTING_MAX}")));
            }
        }
    }
    if statements > GRAPH_STATEMENTS_MAX {
        return Err(bad(format!(
            "{statements} statements, the limit is {GRAPH_STATEMENTS_MAX}"
        )));
    }
    Ok(())
}

/// Only the extensions above, no fragments, and only calls whose arguments are names, literals or lists of those.
fn check_document(doc: &Document) -> Result<(), EngineError> {
    if let Some((name, value)) = doc
        .extension
        .iter()
        .find(|(name, value)| !EXTENSIONS.contains(&(name.0.as_str(), value.trim())))
    {
        return Err(bad(format!("extension {} {value:?} is not known", name.0)));
    }
    if !doc.fragments.is_empty() {
        return Err(bad("fragments are not supported"));
    }
    for assignment in &doc.graph_def.body {
        let RValue::Invocation(call) = &assignment.right else {
            return Err(bad(format!(
                "{} is not the result of a call",
                name_of(&assignment.left)
            )));
        };
        let name = call.id.0.as_str();
        if name != INPUT && !name.starts_with(OPERATOR_PREFIX) {
            return Err(bad(format!("operator {name} is not one of this engine's")));
        }
        if let Some(argument) = call.arguments.iter().find(|argument| !is_plain(&argument.rvalue)) {
            let argument = argument.id.as_ref().map_or("an argument", |id| id.0.as_str());
            return Err(bad(format!(
                "{name}: {argument} is neither a name nor a literal nor a list of those"
            )));
        }
    }
    Ok(())
}

fn is_plain(value: &RValue) -> bool {
    let atom = |value: &RValue| matches!(value, RValue::Identifier(_) | RValue::Literal(_));
    match value {
        RValue::Array(values) => values.iter().all(atom),
        other => atom(other),
    }
}

fn name_of(left: &LValue) -> String {
    match left {
        LValue::Identifier(name) => name.0.clone(),
        LValue::Array(names) | LValue::Tuple(names) => names.iter().map(name_of).collect::<Vec<_>>().join(", "),
    }
}

/// The error of a graph that cannot be used.
pub(super) fn bad(reason: impl Into<String>) -> EngineError {
    EngineError::Graph { reason: reason.into() }
}

/// tract wraps its reasons in layers of context; the last one says what happened, the first ones where.
pub(super) fn innermost(error: &TractError) -> String {
    format!("{error:#}")
}
