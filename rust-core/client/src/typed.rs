//! Answers as values of a type: the form that holds an answer to the type, what of the value is there while it is written, and the value.

mod partial;
#[cfg(feature = "schemars")]
mod schema;

use std::marker::PhantomData;

use serde::de::DeserializeOwned;
use serde_json::Value;
use whimbrel_record::Outcome;

pub use self::partial::{PARTIAL_NESTING_MAX, PartialJson};
#[cfg(feature = "schemars")]
pub use self::schema::form_of;
use crate::{Answer, ClientError, EVENTS_WAITING_MAX, Event, Report};

/// Why an answer did not become a value. No message contains text of a user or a model.
#[derive(Debug, thiserror::Error)]
pub enum TypedError {
    /// The client's own failure.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// There is no whole answer: it was denied or deferred, it failed (`not_in_form` if it ended too early), or it was cancelled.
    #[error("there is no whole answer: {}", end(.0))]
    NoAnswer(Box<Report>),
    /// The answer has its form, but the type refuses it: the type asks for more than a schema can say. The text is in the conversation.
    #[error("the type refuses the answer, line {line}, column {column}")]
    Refused {
        /// The line in the answer, from 1.
        line: u64,
        /// The character in the line, from 1; 0 if the error is not about one place.
        column: u64,
    },
}

fn end(report: &Report) -> String {
    match report.code {
        Some(code) => format!("{}, {}", report.outcome.name(), code.name()),
        None => report.outcome.name().to_owned(),
    }
}

/// A value while it is written.
#[derive(Clone, PartialEq, Eq)]
pub struct Snapshot<T> {
    /// What is there so far, as JSON. It only grows, until another place answers from the beginning.
    pub json: String,
    /// The same as a value; `None` while something is missing that the type requires. That may happen again later, when an optional part has
    /// begun.
    pub value: Option<T>,
    /// Whether this is the whole value.
    pub is_complete: bool,
}

/// An answer that becomes a value of a type. It is cancelled when it is dropped.
pub struct TypedAnswer<T> {
    answer: Answer,
    partial: PartialJson,
    report: Option<Box<Report>>,
    value: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> TypedAnswer<T> {
    /// An answer to a request whose form holds it to the type. Nothing of it may have been read.
    #[must_use]
    pub fn new(answer: Answer) -> TypedAnswer<T> {
        TypedAnswer {
            answer,
            partial: PartialJson::new(),
            report: None,
            value: PhantomData,
        }
    }

    /// Waits until there is more of the value. What waits is taken together, so a slow reader gets fewer snapshots. `None` comes behind the one that is complete.
    ///
    /// # Errors
    /// [`TypedError`]; the answer has ended then.
    pub async fn next(&mut self) -> Result<Option<Snapshot<T>>, TypedError> {
        if self.report.is_some() {
            return Ok(None);
        }
        loop {
            let mut has_changed = false;
            for event in self.events().await? {
                match event {
                    Event::Text(piece) => has_changed |= self.partial.push(&piece),
                    Event::Restarted => {
                        self.partial = PartialJson::new();
                        has_changed = false;
                    }
                    Event::Finished(report) => self.report = Some(report),
                    Event::Started { .. } | Event::Reading { .. } | Event::Thinking(_) | Event::Call(_) => {}
                }
            }
            if self.report.is_some() {
                let json = self.answer.text_so_far();
                return Ok(Some(Snapshot {
                    value: Some(self.whole(&json)?),
                    json,
                    is_complete: true,
                }));
            }
            if has_changed && let Some(json) = self.partial.json() {
                return Ok(Some(Snapshot {
                    value: serde_json::from_str(&json).ok(),
                    json,
                    is_complete: false,
                }));
            }
        }
    }

    /// Waits for the whole value.
    ///
    /// # Errors
    /// [`TypedError`].
    pub async fn value(mut self) -> Result<T, TypedError> {
        while self.report.is_none() {
            for event in self.events().await? {
                if let Event::Finished(report) = event {
                    self.report = Some(report);
                }
            }
        }
        self.whole(&self.answer.text_so_far())
    }

    /// How the request went, once the answer has ended.
    #[must_use]
    pub fn report(&self) -> Option<&Report> {
        self.report.as_deref()
    }

    /// Stops the answer, which then ends as [`TypedError::NoAnswer`]. May be called again, and after the end.
    pub fn cancel(&self) {
        self.answer.cancel();
    }

    async fn events(&self) -> Result<Vec<Event>, ClientError> {
        let events = self.answer.next(EVENTS_WAITING_MAX as u32).await?;
        // Only a reader of the answer itself can have taken its last event.
        if events.is_empty() {
            Err(ClientError::Stopped)
        } else {
            Ok(events)
        }
    }

    fn whole(&self, text: &str) -> Result<T, TypedError> {
        match &self.report {
            Some(report) if report.outcome != Outcome::Answered => Err(TypedError::NoAnswer(report.clone())),
            _ => serde_json::from_str(text).map_err(|error| TypedError::Refused {
                line: error.line() as u64,
                column: error.column() as u64,
            }),
        }
    }
}

/// The fields of a JSON schema of an object, or of a list of objects, each with its description in brackets: what a prompt has to say, because a
/// model does not read its form. Empty for any other schema.
///
/// ```
/// use whimbrel_client::schema_fields;
///
/// let schema = r#"{"properties": {"day": {"type": "string", "description": "a weekday"}, "time": {"type": "string"}}}"#;
/// assert_eq!(schema_fields(schema), "day (a weekday), time");
/// ```
#[must_use]
pub fn schema_fields(schema: &str) -> String {
    let root: Value = serde_json::from_str(schema).unwrap_or_default();
    let mut object = resolved(&root, &root);
    if let Some(items) = object.get("items") {
        object = resolved(&root, items);
    }
    let Some(properties) = object["properties"].as_object() else {
        return String::new();
    };
    let field = |(name, schema): (&String, &Value)| match description(&root, schema) {
        Some(description) => format!("{name} ({description})"),
        None => name.clone(),
    };
    properties.iter().map(field).collect::<Vec<_>>().join(", ")
}

/// The description of a property, or else that of its type.
fn description<'a>(root: &'a Value, schema: &'a Value) -> Option<&'a str> {
    let of = |schema: &'a Value| schema["description"].as_str();
    of(schema).or_else(|| of(resolved(root, schema)))
}

/// What a reference within the schema stands for, one step far. Anything else stands for itself.
fn resolved<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    let reference = schema["$ref"]
        .as_str()
        .and_then(|reference| reference.strip_prefix('#'));
    reference.and_then(|pointer| root.pointer(pointer)).unwrap_or(schema)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::{mpsc, watch};
    use whimbrel_policy::DeviceView;

    use super::*;
    use crate::block_on;

    /// What waits for the reader of an answer is one snapshot, and another place begins anew.
    #[test]
    fn what_waits_is_one_snapshot() {
        let (events, waiting) = mpsc::channel(EVENTS_WAITING_MAX);
        let (cancel, _cancelled) = watch::channel(false);
        let mut answer = TypedAnswer::<Vec<u8>>::new(Answer::new(waiting, cancel, Arc::default()));
        let text = |piece: &str| Event::Text(piece.to_owned());
        let end = Event::Finished(Box::new(Report::new(Outcome::Answered, DeviceView::default())));
        for (batch, json, value, is_complete) in [
            (
                vec![text("[1, "), text("2"), text(", 3")],
                "[1, 2]",
                Some(vec![1, 2]),
                false,
            ),
            (
                vec![text(", 4"), Event::Restarted, text("[700, 8,")],
                "[700, 8]",
                None,
                false,
            ),
            (vec![Event::Restarted, text("[")], "[]", Some(vec![]), false),
            (vec![text("7]"), end], "[7]", Some(vec![7]), true),
        ] {
            for event in batch {
                events.try_send(Ok(event)).expect("there is room");
            }
            let snapshot = block_on(answer.next()).expect("no failure").expect("not the end");
            assert_eq!(
                (snapshot.json.as_str(), snapshot.value, snapshot.is_complete),
                (json, value, is_complete)
            );
        }
        assert!(block_on(answer.next()).expect("no failure").is_none());
    }

    #[test]
    fn fields_are_listed_with_their_descriptions() {
        for (schema, expected) in [
            (
                r#"{"properties": {"a": {"description": "first"}, "b": {}}}"#,
                "a (first), b",
            ),
            (
                r##"{"$ref": "#/$defs/P", "$defs": {"P": {"properties": {"a": {"$ref": "#/$defs/Q"}}}, "Q": {"description": "a Q"}}}"##,
                "a (a Q)",
            ),
            (
                r#"{"type": "array", "items": {"properties": {"a": {}, "b": {}}}}"#,
                "a, b",
            ),
            (r##"{"$ref": "#"}"##, ""),
            (r#"{"type": "integer"}"#, ""),
            ("true", ""),
            ("[", ""),
        ] {
            assert_eq!(schema_fields(schema), expected, "{schema}");
        }
    }
}
