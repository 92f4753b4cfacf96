//! Answers that must have a form, from endpoints that are told of it and do with it what they like.

use serde_json::{Value, json};
use whimbrel_client::policy::Need;
use whimbrel_client::record::{Code, Outcome, Place};
use whimbrel_client::{AskOptions, Form, GenerationOptions};
use whimbrel_testing::{DONE, finish};

use super::support::{Fixture, Heard, Reply, Server, read};
use super::{said, stream};

const SCHEMA: &str = r#"{
    "type": "object",
    "properties": {"bird": {"enum": ["whimbrel", "curlew"]}, "legs": {"type": "integer", "minimum": 0, "maximum": 9}},
    "required": ["bird", "legs"],
    "additionalProperties": false
}"#;
const IN_FORM: &str = r#"{"bird": "curlew", "legs": 2}"#;

/// The endpoint alone, with this device behind it, and with redacted text.
fn policy(server: &Server, more: &str) -> String {
    format!(
        "version = 1\nname = \"test\"\notherwise = [\"remote:cloud\"]\n[tasks.device]\notherwise = [\"remote:cloud\", \"on_device\"]\n\
         [tasks.redacted]\notherwise = [\"redact_then_remote:cloud\"]\n\
         [[endpoints]]\nid = \"cloud\"\nbase_url = \"{}\"\nmodel = \"m\"\ntrust = \"organisation\"\ncost_per_1k_tokens = 0\n{more}",
        server.url
    )
}

fn fixture(server: &Server, more: &str) -> Fixture {
    Fixture::new(&policy(server, more))
}

const HOLDS_FORMS: &str = "supports = [\"json\"]\nclass_max = \"public\"\nclass_max_redacted = \"sensitive\"\n";

fn ask(fixture: &Fixture, task: &str, question: &str, form: Form) -> Heard {
    let options = AskOptions {
        task: task.to_owned(),
        fresh: true,
        generation: GenerationOptions {
            max_tokens: 40,
            form: Some(form),
            ..GenerationOptions::default()
        },
        ..AskOptions::default()
    };
    read(&fixture.conversation().ask(question, options).unwrap())
}

fn schema() -> Form {
    Form::JsonSchema(SCHEMA.to_owned())
}

fn choice(choices: &[&str]) -> Form {
    Form::Choice(choices.iter().map(|choice| (*choice).to_owned()).collect())
}

/// A stream that says this text in two pieces.
fn says(text: &str) -> Reply {
    let middle = (0..=text.len() / 2)
        .rev()
        .find(|index| text.is_char_boundary(*index))
        .unwrap();
    let (first, second) = text.split_at(middle);
    let piece = |text: &str| said(&json!({"content": text}).to_string());
    stream(&[&piece(first), &piece(second), &finish("stop"), DONE])
}

#[test]
fn an_endpoint_is_told_the_form_and_its_answer_is_checked() {
    let reordered = "{\"legs\":2,\n\"bird\":\"curlew\"}";
    let schema_object: Value = serde_json::from_str(SCHEMA).unwrap();
    let choice_object = json!({
        "type": "object",
        "properties": {"choice": {"enum": ["whimbrel", "curlew"]}},
        "required": ["choice"],
        "additionalProperties": false,
    });
    for (reply, form, answer, sent) in [
        (IN_FORM, schema(), IN_FORM, &schema_object),
        (reordered, schema(), IN_FORM, &schema_object),
        (
            r#"{"choice": "curlew"}"#,
            choice(&["whimbrel", "curlew"]),
            "curlew",
            &choice_object,
        ),
    ] {
        let server = Server::start(&[says(reply)]);
        let heard = ask(&fixture(&server, HOLDS_FORMS), "chat", "Which bird is it?", form);
        assert_eq!(
            (heard.report.outcome, &*heard.text),
            (Outcome::Answered, answer),
            "{:?}",
            heard.report
        );
        let body: Value = serde_json::from_str(&server.take_received().remove(0).body).unwrap();
        assert_eq!(body["messages"].as_array().unwrap().len(), 2, "{body}");
        // A choice comes in an object, which takes tokens of its own.
        let tokens = if answer == "curlew" { 72 } else { 40 };
        assert_eq!(body["max_tokens"], tokens);
        let expected =
            json!({"type": "json_schema", "json_schema": {"name": "answer", "strict": true, "schema": sent}});
        // As text: the order of the properties counts.
        assert_eq!(body["response_format"].to_string(), expected.to_string());
    }
}

#[test]
fn an_answer_outside_the_form_is_shown_to_nobody() {
    let nested = format!("{{\"bird\": {}", "[".repeat(10_000));
    let cut = [
        said(&json!({"content": "{\"bird\": \"cur"}).to_string()),
        finish("length"),
        DONE.to_owned(),
    ]
    .concat();
    let call =
        said("{\"tool_calls\":[{\"index\":0,\"id\":\"1\",\"function\":{\"name\":\"pay\",\"arguments\":\"{}\"}}]}");
    let calls = [call, finish("tool_calls"), DONE.to_owned()].concat();
    for (reply, code) in [
        (says("It is a curlew."), Code::NotInForm),
        (says(r#"{"bird": "gull", "legs": 2}"#), Code::NotInForm),
        (says(r#"{"bird": "curlew", "legs": 2, "more": 1}"#), Code::NotInForm),
        (says(&format!("```json\n{IN_FORM}\n```")), Code::NotInForm),
        (says(&format!("{IN_FORM}{IN_FORM}")), Code::NotInForm),
        (says(&nested), Code::NotInForm),
        (stream(&[&cut]), Code::NotInForm),
        (stream(&[&calls]), Code::ToolCalls),
        (Reply::Empty, Code::EmptyAnswer),
        (Reply::DiesMidway, Code::Truncated),
    ] {
        let server = Server::start(&[reply]);
        let fixture = fixture(&server, HOLDS_FORMS);
        let heard = ask(&fixture, "chat", "Which bird is it?", schema());
        let report = &heard.report;
        assert_eq!(
            (report.outcome, report.code),
            (Outcome::Failed, Some(code)),
            "{reply:?}"
        );
        assert_eq!((&*heard.text, report.is_partial), ("", false), "{reply:?}");
        // Another place then answers in the form.
        let heard = ask(&fixture, "device", "Which bird is it?", schema());
        let report = &heard.report;
        assert_eq!((report.attempts[0].code, heard.restarts), (Some(code), 0), "{report:?}");
        assert!(matches!(report.place, Some(Place::OnDevice { .. })), "{report:?}");
        assert!(schema().accepts(&heard.text).unwrap(), "{}", heard.text);
    }
}

#[test]
fn a_place_that_cannot_hold_a_form_is_no_candidate() {
    let server = Server::start(&[says(IN_FORM)]);
    let check = |more: &str, form: Form, missing: Need| {
        let fixture = fixture(&server, more);
        let heard = ask(&fixture, "chat", "Which bird is it?", form.clone());
        assert_eq!(heard.report.outcome, Outcome::Failed, "{:?}", heard.report);
        let why = format!("{:?}", heard.report.refused);
        assert!(why.contains(&format!("{missing:?}")), "{why}");
        let heard = ask(&fixture, "device", "Which bird is it?", form.clone());
        assert!(form.accepts(&heard.text).unwrap(), "{}", heard.text);
        assert_eq!(server.requests(), 0);
    };
    check("", schema(), Need::Json);
    check("", choice(&["yes", "no"]), Need::Json);
    check(HOLDS_FORMS, Form::Regex("[ab]".to_owned()), Need::AnyForm);
    check(HOLDS_FORMS, Form::Grammar("start: \"a\"".to_owned()), Need::AnyForm);
    // Something private could hide behind the escapes of JSON.
    check(HOLDS_FORMS, choice(&["the \"blue\" house"]), Need::AnyForm);
}

#[test]
fn what_is_private_in_a_form_stays_private() {
    let people = || choice(&["anna.muster@example.org", "otto@example.net"]);
    let question = "Who should get the letter?";
    // As it is, it may not leave: what is found in the form counts like what is found in the question.
    let server = Server::start(&[says(r#"{"choice": "⟨EMAIL_2⟩"}"#)]);
    let fixture = fixture(&server, HOLDS_FORMS);
    let heard = ask(&fixture, "device", question, people());
    assert!(
        matches!(heard.report.place, Some(Place::OnDevice { .. })),
        "{:?}",
        heard.report
    );
    let why = format!("{:?}", heard.report.refused);
    assert!(why.contains("class: Personal"), "{why}");
    assert_eq!(server.requests(), 0);
    // Redacted, it may, and the values come back.
    let heard = ask(&fixture, "redacted", question, people());
    assert_eq!(
        (heard.report.outcome, &*heard.text),
        (Outcome::Answered, "otto@example.net")
    );
    let body = server.take_received().remove(0).body;
    assert!(body.contains("⟨EMAIL_1⟩") && !body.contains("example"), "{body}");
}

#[test]
fn a_value_that_is_put_back_is_escaped() {
    let server = Server::start(&[says(r#"{"who": "⟨WORD_1⟩"}"#)]);
    let fixture = Fixture::with_words(&policy(&server, HOLDS_FORMS), vec!["the \"blue\" house".to_owned()]);
    let schema = json!({"properties": {"who": {"type": "string"}}, "required": ["who"]});
    let form = Form::JsonSchema(schema.to_string());
    let heard = ask(&fixture, "redacted", "Who lives in the \"blue\" house?", form);
    assert_eq!(
        (heard.report.outcome, &*heard.text),
        (Outcome::Answered, r#"{"who": "the \"blue\" house"}"#),
        "{:?}",
        heard.report
    );
    assert!(!server.take_received().remove(0).body.contains("blue"));
}
