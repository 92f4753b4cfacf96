//! Answers as values of a type, on the tiny model.
#![allow(clippy::unwrap_used)]

#[path = "support/mod.rs"]
mod support;

use schemars::JsonSchema;
use serde::Deserialize;
use support::open_tiny;
use whimbrel_client::record::Outcome;
use whimbrel_client::{
    AskOptions, Conversation, ConversationOptions, Form, GenerationOptions, Model, TextTask, TypedAnswer, TypedError,
    block_on, form_of, schema_fields,
};

/// What a customer wrote about.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Product {
    Phone,
    Laptop,
    Other,
}

#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq)]
struct Ticket {
    product: Product,
    urgent: bool,
    /// what is wrong
    #[schemars(length(max = 60))]
    summary: String,
    #[schemars(length(max = 3), inner(length(max = 8)))]
    tags: Vec<String>,
    #[schemars(range(min = 0, max = 999))]
    floor: Option<i32>,
}

/// A type that asks for more than its schema says.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(try_from = "Digits")]
struct Never;

#[derive(Deserialize, JsonSchema)]
struct Digits {
    #[schemars(range(min = 0, max = 9))]
    digit: u8,
}

impl TryFrom<Digits> for Never {
    type Error = String;

    fn try_from(digits: Digits) -> Result<Never, String> {
        Err(format!("the secret {}", digits.digit))
    }
}

#[derive(Debug, Deserialize, JsonSchema)]
struct Story {
    #[schemars(length(min = 5000))]
    #[allow(dead_code, reason = "it is never whole")]
    text: String,
}

fn converse(model: &Model) -> Conversation {
    let options = ConversationOptions {
        context_length: 768,
        ..ConversationOptions::default()
    };
    model.conversation(options).unwrap()
}

fn tokens(max_tokens: u32) -> AskOptions {
    AskOptions {
        generation: GenerationOptions {
            max_tokens,
            // Guessed tokens come several to an event.
            speculation: false,
            repetition_guard: false,
            ..GenerationOptions::default()
        },
        ..AskOptions::default()
    }
}

#[test]
fn snapshots_grow_to_the_value() {
    let (_client, model) = open_tiny();
    let conversation = converse(&model);
    let mut answer = conversation
        .respond::<Ticket>("My screen is broken.", tokens(256))
        .unwrap();
    let mut snapshots = Vec::new();
    while let Some(snapshot) = block_on(answer.next()).unwrap() {
        snapshots.push(snapshot);
    }
    let last = snapshots.pop().unwrap();
    // How many there are depends on how fast this reader is.
    assert!(last.is_complete && snapshots.iter().all(|snapshot| !snapshot.is_complete));
    let lengths: Vec<_> = snapshots.iter().map(|snapshot| snapshot.json.len()).collect();
    assert!(lengths.is_sorted_by(|before, now| before < now), "{lengths:?}");
    let value = last.value.unwrap();
    assert_eq!(serde_json::from_str::<Ticket>(&last.json).unwrap(), value);
    assert_eq!(conversation.messages().last().unwrap().content, last.json);
    assert_eq!(answer.report().unwrap().outcome, Outcome::Answered);
    assert!(block_on(answer.next()).unwrap().is_none());

    // The same question gives the same value without looking on.
    let again = converse(&model)
        .respond::<Ticket>("My screen is broken.", tokens(256))
        .unwrap();
    assert_eq!(block_on(again.value()).unwrap(), value);
}

#[test]
fn what_is_no_whole_answer_is_no_value() {
    let (_client, model) = open_tiny();
    let conversation = converse(&model);
    let cut = conversation
        .respond::<Ticket>("My screen is broken.", tokens(3))
        .unwrap();
    let TypedError::NoAnswer(report) = block_on(cut.value()).unwrap_err() else {
        panic!("it has its form")
    };
    let code = report.code.map(|code| code.name());
    assert_eq!((report.outcome, code), (Outcome::Failed, Some("not_in_form")));

    let mut stopped = conversation.respond::<Story>("Go on.", tokens(600)).unwrap();
    let first = block_on(stopped.next()).unwrap().unwrap();
    assert!(!first.is_complete);
    stopped.cancel();
    let error = loop {
        match block_on(stopped.next()) {
            Ok(snapshot) => assert!(!snapshot.unwrap().is_complete),
            Err(error) => break error,
        }
    };
    assert_eq!(error.to_string(), "there is no whole answer: cancelled");
    assert_eq!(stopped.report().unwrap().outcome, Outcome::Cancelled);
}

#[test]
fn a_value_that_the_type_refuses_is_an_error_without_its_text() {
    let (_client, model) = open_tiny();
    let conversation = converse(&model);
    let answer = conversation.respond::<Never>("Hello", tokens(32)).unwrap();
    let error = block_on(answer.value()).unwrap_err();
    assert!(matches!(error, TypedError::Refused { .. }), "{error:?}");
    let message = format!("{error} {error:?}");
    assert!(!message.contains("secret"), "{message}");
    let said = conversation.messages();
    assert!(said.last().unwrap().content.starts_with("{\"digit\": "));
}

#[test]
fn a_type_without_a_form_is_refused_before_anything_is_asked() {
    #[derive(Debug, Deserialize, JsonSchema)]
    #[schemars(extend("not" = {"type": "null"}))]
    struct Unheld {
        #[allow(dead_code, reason = "the type is there for its schema")]
        name: String,
    }
    let (_client, model) = open_tiny();
    let conversation = converse(&model);
    let refused = |error: whimbrel_client::ClientError| error.to_string();
    let error = conversation
        .respond::<Unheld>("Hello", tokens(8))
        .map(drop)
        .map_err(refused);
    assert!(
        error
            .as_ref()
            .is_err_and(|error| error.contains("not cannot be enforced")),
        "{error:?}"
    );
    let mut two = tokens(8);
    two.generation.form = Some(Form::Regex("a".into()));
    let error = conversation.respond::<Ticket>("Hello", two).map(drop).map_err(refused);
    assert!(
        error.as_ref().is_err_and(|error| error.contains("form must be absent")),
        "{error:?}"
    );
    assert!(conversation.messages().is_empty());
}

#[test]
fn a_prompt_can_name_the_fields() {
    let Form::JsonSchema(schema) = form_of::<Vec<Ticket>>().unwrap() else {
        panic!("types have schemas")
    };
    let fields = "product (What a customer wrote about.), urgent, summary (what is wrong), tags, floor";
    assert_eq!(schema_fields(&schema), fields);
}

#[derive(Debug, Deserialize, JsonSchema, PartialEq)]
struct Person {
    #[schemars(length(max = 40))]
    name: String,
    #[schemars(range(min = 0, max = 120))]
    age: u8,
    /// where the person lives
    #[schemars(length(max = 40))]
    town: String,
}

/// The examples of docs/typed-values.md.
#[test]
fn a_person_is_read_from_a_text() -> Result<(), TypedError> {
    let (_client, model) = open_tiny();
    let conversation = converse(&model);
    let text = "Ada is 36 and lives in London.";
    let mut shown = Vec::new();
    let mut show = |value: Option<&Person>, json: &str| shown.push((value.is_some(), json.to_owned()));
    let person = block_on(conversation.respond::<Person>(text, AskOptions::default())?.value())?;
    let mut answer = conversation.respond::<Person>(text, AskOptions::default())?;
    while let Some(snapshot) = block_on(answer.next())? {
        show(snapshot.value.as_ref(), &snapshot.json);
    }
    assert!(person.age <= 120 && person.name.chars().count() <= 40);
    let (has_value, json) = shown.last().unwrap();
    assert!(*has_value && serde_json::from_str::<Person>(json).is_ok(), "{json}");

    let fill = TextTask::built_in("fill")
        .expect("it comes with the product")
        .with_form(form_of::<Person>()?)?;
    let filled = block_on(TypedAnswer::<Person>::new(model.answer(fill.request(text)?)?).value())?;
    assert!(filled.age <= 120);
    Ok(())
}

/// The page shows the code that the tests run.
#[test]
fn the_examples_of_the_page_are_those_of_the_tests() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let page = std::fs::read_to_string(root.join("docs/typed-values.md")).unwrap();
    for (language, tests) in [
        (
            "kotlin",
            "bindings/kotlin/whimbrel/src/test/kotlin/org/whimbrel/TypedTest.kt",
        ),
        ("swift", "bindings/swift/Tests/WhimbrelTests/TypedTests.swift"),
        ("rust", "rust-core/client/tests/typed.rs"),
    ] {
        // Lines are broken differently here and there.
        let squeezed = |text: &str| text.split_whitespace().collect::<String>();
        let source = squeezed(&std::fs::read_to_string(root.join(tests)).unwrap());
        let fence = format!("```{language}\n");
        let blocks: Vec<_> = page.split(&fence).skip(1).collect();
        assert!(blocks.len() >= 3, "{language}");
        for block in blocks {
            let example = block.split("```").next().unwrap();
            for line in example.lines().map(squeezed) {
                assert!(source.contains(&line), "{tests} does not have: {line}");
            }
        }
    }
}
