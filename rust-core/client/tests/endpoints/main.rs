//! Endpoints that answer badly, oddly or not at all, in every form of plan: alone, with this device next, and with another endpoint next.
#![allow(clippy::unwrap_used)]

mod answers;
mod forms;
#[path = "../support/mod.rs"]
mod support;
mod tools;

use support::{Fixture, Heard, Reply, Server, ask_options, read};
use whimbrel_client::record::{AttemptEnd, Code, Outcome, Place};
use whimbrel_client::store::Filter;
use whimbrel_client::{AskOptions, GenerationOptions, SamplingOptions, block_on};
use whimbrel_testing::{DONE, finish, response};

/// What an answer of the endpoint comes to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Expected {
    /// It is the answer.
    Answers(&'static str),
    /// Nothing was shown.
    Fails(Code),
    /// This was shown, and is void as soon as another place answers.
    Breaks(&'static str, Code),
}

use Expected::{Answers, Breaks, Fails};

pub(crate) const STREAM: &[(&str, &str)] = &[("content-type", "text/event-stream")];
pub(crate) const JSON: &[(&str, &str)] = &[("content-type", "application/json")];

/// Three tasks for the three forms of plan.
pub(crate) fn policy(first: &Server, second: &Server) -> String {
    let endpoint = |id: &str, server: &Server| {
        format!(
            "[[endpoints]]\nid = \"{id}\"\nbase_url = \"{}\"\nmodel = \"m\"\ntrust = \"organisation\"\ncost_per_1k_tokens = 0\n\
             class_max = \"personal\"\n",
            server.url
        )
    };
    format!(
        "version = 1\nname = \"test\"\notherwise = [\"remote:first\"]\n[tasks.device]\notherwise = [\"remote:first\", \"on_device\"]\n\
         [tasks.second]\notherwise = [\"remote:first\", \"remote:second\"]\n{}{}",
        endpoint("first", first),
        endpoint("second", second)
    )
}

pub(crate) fn ask(fixture: &Fixture, task: &str) -> Heard {
    let options = AskOptions {
        task: task.to_owned(),
        // Several tests ask twice.
        fresh: true,
        ..ask_options()
    };
    read(&fixture.conversation().ask("Where do waders winter?", options).unwrap())
}

/// Bytes for the length of the tests.
pub(crate) fn raw(bytes: Vec<u8>) -> Reply {
    Reply::Raw(Box::leak(bytes.into_boxed_slice()))
}

/// A stream of these events with its length.
pub(crate) fn stream(events: &[&str]) -> Reply {
    raw(response("200 OK", STREAM, &events.concat()))
}

pub(crate) fn whole(body: &str) -> Reply {
    raw(response("200 OK", JSON, body))
}

pub(crate) fn refusal(status: &str, body: &str) -> Reply {
    raw(response(status, JSON, body))
}

/// A chunk with this delta.
pub(crate) fn said(delta: &str) -> String {
    format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{delta}}}]}}\n\n")
}

pub(crate) fn words(text: &str) -> String {
    said(&format!("{{\"content\":\"{text}\"}}"))
}

/// The reply comes to the same in every form of plan, and the receipts agree.
pub(crate) fn check(what: &str, reply: Reply, expected: Expected) {
    let (first, second) = (Server::start(&[reply]), Server::start(&[Reply::Whole]));
    let fixture = Fixture::new(&policy(&first, &second));
    for task in ["alone", "device", "second"] {
        let heard = ask(&fixture, task);
        let report = &heard.report;
        let what = format!("{what}, {task}: {report:?}");
        let code = report.attempts[0].code;
        let (shown, failed) = match expected {
            Answers(text) => {
                assert_eq!(
                    (report.outcome, code, heard.text.as_str()),
                    (Outcome::Answered, None, text),
                    "{what}"
                );
                assert_eq!((report.attempts.len(), heard.restarts), (1, 0), "{what}");
                continue;
            }
            Fails(code) => ("", code),
            Breaks(text, code) => (text, code),
        };
        assert_eq!(code, Some(failed), "{what}");
        match (task, &report.place) {
            ("alone", _) => {
                assert_eq!((report.outcome, report.code), (Outcome::Failed, Some(failed)), "{what}");
                assert_eq!(
                    (heard.text.as_str(), report.is_partial),
                    (shown, !shown.is_empty()),
                    "{what}"
                );
            }
            ("device", Some(Place::OnDevice { .. })) | ("second", Some(Place::Remote { .. })) => {
                assert_eq!(
                    (report.outcome, report.attempts.len()),
                    (Outcome::Answered, 2),
                    "{what}"
                );
                assert_eq!(heard.restarts, u32::from(!shown.is_empty()), "{what}");
                let is_second = heard.text == "An answer from the server.";
                assert_eq!(is_second, task == "second", "{what}");
            }
            _ => panic!("{what}"),
        }
    }
    let receipts = block_on(fixture.assistant.receipts(Filter::default(), 10)).unwrap();
    assert_eq!((receipts.len(), first.requests()), (3, 3), "{what}");
    for receipt in receipts {
        let attempts = &receipt.closing.as_ref().unwrap().attempts;
        match expected {
            Answers(_) => assert_eq!(attempts[0].ended, AttemptEnd::Answered, "{what}"),
            Fails(code) | Breaks(_, code) => assert_eq!(attempts[0].code(), Some(code), "{what}"),
        }
    }
    assert!(block_on(fixture.assistant.verify_ledger()).unwrap().is_intact());
}

#[test]
fn refusals_have_reasons_that_a_person_can_act_on() {
    for (status, body, code) in [
        ("400 No", "{}", Code::Refused),
        (
            "400 No",
            "{\"error\":{\"code\":\"context_length_exceeded\"}}",
            Code::ContextFull,
        ),
        (
            "400 No",
            "{\"object\":\"error\",\"message\":\"The context window has 512 tokens\"}",
            Code::ContextFull,
        ),
        (
            "400 No",
            "{\"error\":{\"code\":\"unsupported_parameter\",\"param\":\"seed\"}}",
            Code::UnsupportedOption,
        ),
        (
            "400 No",
            "{\"error\":{\"code\":\"content_filter\"}}",
            Code::ContentFilter,
        ),
        ("401 No", "{}", Code::KeyMissing),
        ("402 No", "", Code::Payment),
        ("403 No", "{}", Code::Unauthorised),
        ("404 No", "<html>", Code::NotFound),
        (
            "404 No",
            "{\"error\":{\"type\":\"invalid_request_error\"}}",
            Code::NotFound,
        ),
        ("413 No", "{}", Code::RequestTooLarge),
        ("429 No", "{\"error\":{\"code\":\"insufficient_quota\"}}", Code::Payment),
        ("500 No", "{}", Code::Server),
        ("307 No", "", Code::Redirected),
    ] {
        check(&format!("{status} {body}"), refusal(status, body), Fails(code));
    }
}

#[test]
fn keys_that_cannot_be_used_are_told_apart() {
    let server = Server::start(&[Reply::Status(401)]);
    let fixture = Fixture::new(&policy(&server, &server));
    let code = || ask(&fixture, "alone").report.code;
    assert_eq!(code(), Some(Code::KeyMissing));
    block_on(fixture.assistant.set_key("first", Some("sk-of-nobody".to_owned()))).unwrap();
    assert_eq!((code(), server.requests()), (Some(Code::Unauthorised), 2));
    // Bytes that are no text, as another program may have left them.
    let name = whimbrel_client::key_name("first");
    let bytes = whimbrel_client::store::SecretBytes::new(vec![0xff, 0xfe]);
    whimbrel_client::store::KeyVault::put(&*fixture.vault, &name, &bytes).unwrap();
    assert_eq!((code(), server.requests()), (Some(Code::KeyUnreadable), 2));
}

#[test]
fn options_that_an_endpoint_cannot_take_are_said() {
    let server = Server::start(&[Reply::Whole]);
    let fixture = Fixture::new(&policy(&server, &server));
    let check = |sampling: SamplingOptions, max_tokens, expected: &[&str], sent: &[&str], not_sent: &[&str]| {
        let options = AskOptions {
            generation: GenerationOptions {
                max_tokens,
                sampling,
                ..GenerationOptions::default()
            },
            ..AskOptions::default()
        };
        let heard = read(&fixture.conversation().ask("Hello", options).unwrap());
        assert_eq!(heard.report.outcome, Outcome::Answered, "{:?}", heard.report);
        assert_eq!(heard.report.unsupported, expected);
        let body = server.take_received().remove(0).body;
        assert!(sent.iter().all(|part| body.contains(part)), "{body}");
        assert!(!not_sent.iter().any(|part| body.contains(part)), "{body}");
    };
    let sampling = |temperature, top_p, seed| SamplingOptions {
        temperature: Some(temperature),
        top_p: Some(top_p),
        seed: Some(seed),
        ..SamplingOptions::default()
    };
    check(
        sampling(0.5, 0.9, 7),
        5,
        &[],
        &["\"temperature\":0.5", "\"top_p\":0.9", "\"seed\":7"],
        &[],
    );
    check(
        sampling(7.5, 1.0, 7),
        5,
        &["temperature"],
        &["\"seed\":7"],
        &["temperature", "top_p"],
    );
    check(
        sampling(0.0, 1.0, u64::MAX),
        5,
        &["seed"],
        &["\"temperature\":0.0"],
        &["top_p", "seed"],
    );
    // What the app leaves open is the endpoint's choice.
    check(
        SamplingOptions::default(),
        5,
        &[],
        &[],
        &["temperature", "top_p", "seed"],
    );
    check(sampling(2.0, 1.0, 7), 0, &["max_tokens"], &["\"max_tokens\":1,"], &[]);
}

#[test]
fn a_question_without_an_answer_can_be_asked_again() {
    let server = Server::start(&[
        Reply::Empty,
        Reply::Ends("content_filter"),
        Reply::DiesMidway,
        Reply::Whole,
    ]);
    let fixture = Fixture::new(&policy(&server, &server));
    let conversation = fixture.conversation();
    let mut heard = read(&conversation.ask("Where do waders winter?", ask_options()).unwrap());
    while heard.report.outcome == Outcome::Failed {
        assert_eq!(conversation.messages().len(), 1);
        heard = read(&conversation.regenerate(ask_options().generation).unwrap());
    }
    assert_eq!((heard.report.outcome, server.requests()), (Outcome::Answered, 4));
    let said: Vec<_> = conversation
        .messages()
        .into_iter()
        .map(|message| message.content)
        .collect();
    assert_eq!(said, ["Where do waders winter?", "An answer from the server."]);
}

#[test]
fn thoughts_are_an_event_and_no_text() {
    let thoughts = [said("{\"reasoning\":\"Where\"}"), said("{\"reasoning\":\" to?\"}")].concat();
    let server = Server::start(&[stream(&[&thoughts, &words("Africa."), &finish("stop"), DONE])]);
    let fixture = Fixture::new(&policy(&server, &server));
    let heard = ask(&fixture, "alone");
    let expected = ("Africa.", "Where to?", 9);
    assert_eq!((&*heard.text, &*heard.thinking, heard.report.thinking_bytes), expected);
    // Some servers leave the thoughts in the text.
    let marked = [
        words("<thi"),
        words("nk>\\nWhere"),
        words(" to?</think>"),
        words("\\n\\nAfrica."),
    ]
    .concat();
    let server = Server::start(&[stream(&[&marked, &finish("stop"), DONE])]);
    let fixture = Fixture::new(&policy(&server, &server));
    let heard = ask(&fixture, "alone");
    assert_eq!((&*heard.text, &*heard.thinking, heard.report.thinking_bytes), expected);
}

#[test]
fn a_busy_endpoint_is_left_alone_and_the_next_place_answers() {
    for status in ["429 Busy", "503 Busy"] {
        let busy = raw(response(status, &[("retry-after", "25")], "{}"));
        let (first, second) = (Server::start(&[busy]), Server::start(&[Reply::Whole]));
        let fixture = Fixture::new(&policy(&first, &second));
        let heard = ask(&fixture, "second");
        assert_eq!(heard.report.outcome, Outcome::Answered);
        assert!(heard.report.total_ms < 20_000, "{:?}", heard.report);
        // The next questions do not ask it.
        for task in ["second", "device"] {
            let heard = ask(&fixture, task);
            assert_eq!(
                (heard.report.outcome, heard.report.attempts.len()),
                (Outcome::Answered, 1),
                "{task}"
            );
        }
        assert_eq!(first.requests(), 1);
    }
    // With nowhere else to go it is waited for.
    let busy = raw(response("429 Busy", &[("retry-after", "1")], "{}"));
    let server = Server::start(&[busy, Reply::Whole]);
    let fixture = Fixture::new(&policy(&server, &server));
    assert_eq!(ask(&fixture, "alone").report.outcome, Outcome::Answered);
    assert_eq!(server.requests(), 2);
}
