//! Ready tasks: their documents, what they ask, and that what examples cost is paid once.
#![allow(clippy::unwrap_used)]

#[path = "support/mod.rs"]
mod support;

use support::tiny;
use whimbrel_client::{ClientError, Form, Role, TASK_BYTES_MAX, TaskNeeds, TextTask};
use whimbrel_engine::{Constraint, Model, OpenOptions};

/// A document with these fields in place of its own.
fn document(changes: &[(&str, serde_json::Value)]) -> String {
    let mut document = serde_json::json!({
        "version": 1,
        "name": "mood",
        "description": "Says how somebody feels.",
        "languages": ["en"],
        "system": "You say how people feel.",
        "prompt": "Text: {text}\nMood:",
        "examples": [{"text": "I won!", "answer": "happy"}],
        "form": {"choice": ["happy", "sad"]},
        "max_tokens": 4,
        "text_bytes_max": 100,
    });
    for (field, value) in changes {
        document[*field] = value.clone();
    }
    document.to_string()
}

fn refused(json: &str) -> (String, String) {
    match TextTask::read(json) {
        Err(ClientError::TaskDocument { place, reason }) => (place, reason),
        other => panic!("{other:?}"),
    }
}

#[test]
fn examples_come_before_the_text() {
    let request = TextTask::read(&document(&[]))
        .unwrap()
        .request(" I lost {text}. ")
        .unwrap();
    let said: Vec<_> = request
        .messages
        .iter()
        .map(|said| (said.role, said.content.as_str()))
        .collect();
    assert_eq!(
        said,
        [
            (Role::System, "You say how people feel."),
            (Role::User, "Text: I won!\nMood:"),
            (Role::Assistant, "happy"),
            (Role::User, "Text: I lost {text}.\nMood:"),
        ]
    );
    assert_eq!((request.options.task.as_str(), request.shared_messages), ("mood", 3));
    let form = Form::Choice(vec!["happy".into(), "sad".into()]);
    assert_eq!(request.options.generation.form, Some(form));
    assert_eq!(request.options.generation.thinking, Some(false));
    assert_eq!(request.options.generation.calibration, None);
}

#[test]
fn what_a_task_needs_has_to_be_given() {
    let category = TextTask::built_in("category").unwrap();
    assert_eq!(category.needs(), TaskNeeds::Choices);
    let error = category.request("Hello").unwrap_err().to_string();
    assert!(error.contains("form must be choices"), "{error}");
    let error = category
        .clone()
        .with_form(Form::Regex("a".into()))
        .unwrap_err()
        .to_string();
    assert!(error.contains("form must be choices"), "{error}");
    assert!(
        category.clone().with_form(Form::Choice(Vec::new())).is_err(),
        "no choice"
    );
    let given = category.with_form(Form::Choice(vec!["a".into(), "b".into()])).unwrap();
    assert_eq!(given.needs(), TaskNeeds::Nothing);
    let request = given.request("Hello").unwrap();
    assert_eq!(
        request.messages.last().unwrap().content,
        "Categories: a, b\nText: Hello\nCategory:"
    );
    let calibration = request.options.generation.calibration.unwrap();
    assert_eq!(calibration, "Categories: a, b\nText: \nCategory:");

    let schema = r#"{"type": "object", "properties": {"day": {"type": "string", "description": "a weekday"}, "time": {"type": "string"}}}"#;
    let fill = TextTask::built_in("fill").unwrap();
    assert_eq!(fill.needs(), TaskNeeds::Schema);
    let request = fill
        .with_form(Form::JsonSchema(schema.into()))
        .unwrap()
        .request("Hello")
        .unwrap();
    let question = &request.messages.last().unwrap().content;
    assert_eq!(question, "Text: Hello\nFill in: day (a weekday), time");

    let own = TextTask::built_in("tone")
        .unwrap()
        .with_form(Form::Choice(vec!["a".into()]));
    assert!(own.unwrap_err().to_string().contains("the task has its own"));
}

#[test]
fn texts_have_a_limit() {
    let task = TextTask::read(&document(&[])).unwrap();
    assert!(task.request(&"a".repeat(100)).is_ok());
    let Err(ClientError::Limit { what, limit, found }) = task.request(&"a".repeat(101)) else {
        panic!("not refused")
    };
    assert_eq!((what, limit, found), ("bytes of text", 100, 101));
}

#[test]
fn what_is_wrong_in_a_document_is_named() {
    use serde_json::json;
    assert!(matches!(
        TextTask::read(&" ".repeat(TASK_BYTES_MAX as usize + 1)),
        Err(ClientError::Limit { .. })
    ));
    let (place, reason) = refused("{\n  \"version\": 1,\n  \"nmae\": \"x\"}");
    assert_eq!(
        (place.as_str(), reason.contains("nmae")),
        ("line 3, column 8", true),
        "{reason}"
    );
    let example = |form| json!([{"text": "a", "answer": "b", "form": form}]);
    let given = json!({"given": "choice"});
    for (place, changes) in [
        ("version", vec![("version", json!(2))]),
        ("name", vec![("name", json!("two words"))]),
        ("name", vec![("name", json!(""))]),
        ("system", vec![("system", json!(" "))]),
        ("description", vec![("description", json!(""))]),
        ("prompt", vec![("prompt", json!("no place"))]),
        ("prompt", vec![("prompt", json!("{text} {text}"))]),
        ("prompt", vec![("prompt", json!("{text} {form}"))]),
        ("prompt", vec![("form", given.clone()), ("examples", json!([]))]),
        ("max_tokens", vec![("max_tokens", json!(0))]),
        ("text_bytes_max", vec![("text_bytes_max", json!(1 << 20))]),
        ("sampling", vec![("sampling", json!({"temperature": -1}))]),
        ("form", vec![("form", json!({"json_schema": {"not": {}}}))]),
        ("form", vec![("form", json!({"choice": []}))]),
        (
            "calibrated",
            vec![("calibrated", json!(true)), ("form", json!({"regex": "a"}))],
        ),
        (
            "examples",
            vec![("examples", json!(vec![json!({"text": "a", "answer": "b"}); 17]))],
        ),
        (
            "examples[0].form",
            vec![("examples", example(json!({"choice": ["a"]})))],
        ),
        (
            "examples[0].form",
            vec![
                ("form", given.clone()),
                ("prompt", json!("{text} {form}")),
                ("examples", example(json!({"regex": "a"}))),
            ],
        ),
        (
            "examples[0].text",
            vec![("examples", json!([{"text": " ", "answer": "b"}]))],
        ),
    ] {
        let changes: Vec<(&str, serde_json::Value)> = changes;
        assert_eq!(refused(&document(&changes)).0, place, "{changes:?}");
    }
}

/// The examples of the product's own tasks are what the tasks promise.
#[test]
fn examples_have_the_form_that_they_teach() {
    let options = OpenOptions {
        threads: 1,
        ..OpenOptions::default()
    };
    let vocabulary = Model::open(&tiny(), &options).unwrap().vocabulary().unwrap();
    let mut names = Vec::new();
    for task in TextTask::all() {
        names.push(task.name());
        for (answer, form) in task.examples() {
            let Some(form) = form else { continue };
            let constraint = Constraint::new(&vocabulary, form).unwrap();
            assert!(constraint.accepts(answer), "{}: {answer}", task.name());
        }
    }
    assert_eq!(
        names,
        [
            "title", "points", "replies", "tone", "category", "tidy", "fill", "shorten"
        ]
    );
}
