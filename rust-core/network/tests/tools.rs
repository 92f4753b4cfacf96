//! Tools, calls and results in the request on the wire, and the calls of an answer.
#![allow(clippy::unwrap_used)]

mod common;

use common::*;
use serde_json::{Value, json};
use whimbrel_network::{
    CALL_ARGUMENTS_BYTES_MAX, CALLS_MAX, CallProblem, ChatCall, ChatError, ChatEvent, ChatOptions, Delivery, Failure,
    FinishReason, Finished,
};
use whimbrel_privacy::{
    Cleared, Draft, DraftMessage, Permit, Placeholders, PrivacyClass, Release, Scanner, ScannerOptions, Speaker,
    with_plain_breaks,
};

const TOOLS: &str = r#"[{"name":"tide","description":"High tide at a port","parameters":{"type":"object","properties":{"port":{"type":"string"}}}}]"#;
const HULL: &str = r#"{"port":"Hull"}"#;
const CALL_HULL: &str = r#"{"name":"tide","arguments":{"port":"Hull"}}"#;
const CALL_KIEL: &str = r#"{"name":"tide","arguments":{"port":"Kiel"}}"#;

fn cleared(messages: &[(Speaker, &str)], release: Release, placeholders: &mut Placeholders) -> Cleared {
    let messages = messages.iter().map(|(speaker, text)| DraftMessage {
        speaker: *speaker,
        text: (*text).to_owned(),
    });
    let draft = Draft {
        messages: messages.collect(),
        class: PrivacyClass::Public,
    };
    let examined = Scanner::new(ScannerOptions::default()).unwrap().examine(draft).unwrap();
    let permit = Permit::issue(ID, release, examined.facts());
    examined.clear(&permit, placeholders).unwrap()
}

/// What the server gets.
async fn sent(messages: &[(Speaker, &str)], release: Release, options: &ChatOptions) -> Result<String, Failure> {
    let server = Server::plain(good()).await;
    let payload = cleared(messages, release, &mut Placeholders::new());
    match client().chat(&server.endpoint(), payload, options, None) {
        Ok(answer) => {
            read(answer).await.1.unwrap();
            Ok(server.received()[0].body.clone())
        }
        Err(error) => {
            assert_eq!(error.delivery, Delivery::NotSent);
            Err(error.failure)
        }
    }
}

/// The body has these messages and, behind the other fields, `rest`.
async fn check_sent(messages: &[(Speaker, &str)], options: &ChatOptions, said: &str, rest: &str) {
    let body = sent(messages, Release::AsIs, options).await.unwrap();
    let expected = format!(
        r#"{{"model":"small","messages":[{said}],"stream":true,"stream_options":{{"include_usage":true}}{rest}}}"#
    );
    assert_eq!(body, expected);
}

const ASKED: &str = r#"{"role":"user","content":"When?"}"#;

#[tokio::test]
async fn tools_on_the_wire() {
    let tools = r#","tools":[{"type":"function","function":{"name":"tide","description":"High tide at a port","parameters":{"type":"object","properties":{"port":{"type":"string"}}}}}]"#;
    let offered = [(Speaker::User, "When?"), (Speaker::Tools, TOOLS)];
    check_sent(&offered, &options(), ASKED, tools).await;
    let may_not = ChatOptions {
        may_call: false,
        ..options()
    };
    check_sent(&offered, &may_not, ASKED, &format!(r#"{tools},"tool_choice":"none""#)).await;
    check_sent(&offered[..1], &may_not, ASKED, "").await;
    check_sent(&[(Speaker::Tools, "[]"), offered[0]], &may_not, ASKED, "").await;
    let bare = [
        (Speaker::User, "When?"),
        (Speaker::Tools, r#"[{"name":"now","parameters":{}}]"#),
    ];
    let now = r#","tools":[{"type":"function","function":{"name":"now","parameters":{}}}]"#;
    check_sent(&bare, &options(), ASKED, now).await;
    // Beside a form.
    let form = [offered[0], offered[1], (Speaker::Form, r#"{"type":"string"}"#)];
    let schema = r#","response_format":{"type":"json_schema","json_schema":{"name":"answer","strict":false,"schema":{"type":"string"}}}"#;
    check_sent(&form, &options(), ASKED, &format!("{tools}{schema}")).await;
}

#[tokio::test]
async fn what_is_no_list_of_tools_is_not_sent() {
    let tide = r#"{"name":"tide","parameters":{}}"#;
    let failure = Err(Failure::Option { option: "tools" });
    for tools in [
        "",
        "{}",
        "[1]",
        r#"[{"name":"tide"}]"#,
        r#"[{"name":"tide","parameters":[]}]"#,
        r#"[{"name":"","parameters":{}}]"#,
        r#"[{"name":"high tide","parameters":{}}]"#,
        r#"[{"name":"tide","description":1,"parameters":{}}]"#,
        &format!("[{tide},{tide}]"),
    ] {
        let messages = [(Speaker::User, "When?"), (Speaker::Tools, tools)];
        assert_eq!(sent(&messages, Release::AsIs, &options()).await, failure, "{tools}");
    }
    let twice = [
        (Speaker::User, "When?"),
        (Speaker::Tools, TOOLS),
        (Speaker::Tools, TOOLS),
    ];
    assert_eq!(sent(&twice, Release::AsIs, &options()).await, failure);
    for call in [
        "",
        "tide",
        r#"{"name":"tide"}"#,
        r#"{"name":"a b","arguments":{}}"#,
        r#"{"name":"tide","arguments":"{}"}"#,
    ] {
        let messages = [(Speaker::Call, call), (Speaker::Tool, "06:12")];
        assert_eq!(sent(&messages, Release::AsIs, &options()).await, failure, "{call}");
    }
    let no_message = Err(Failure::NoMessage);
    assert_eq!(
        sent(&[(Speaker::Tools, TOOLS)], Release::AsIs, &options()).await,
        no_message
    );
}

#[tokio::test]
async fn calls_and_results_on_the_wire() {
    let call = |id: &str, port: &str| {
        format!(
            r#"{{"id":"{id}","type":"function","function":{{"name":"tide","arguments":"{{\"port\":\"{port}\"}}"}}}}"#
        )
    };
    let called = |content: &str, calls: &[String]| {
        format!(
            r#"{{"role":"assistant","content":{content},"tool_calls":[{}]}}"#,
            calls.join(",")
        )
    };
    let result = |id: &str, text: &str| format!(r#"{{"role":"tool","tool_call_id":"{id}","content":"{text}"}}"#);
    let user = |text: &str| format!(r#"{{"role":"user","content":"{text}"}}"#);
    let said = |text: &str| format!(r#"{{"role":"assistant","content":"{text}"}}"#);
    let (hull, kiel) = ((Speaker::Call, CALL_HULL), (Speaker::Call, CALL_KIEL));
    let results = [(Speaker::Tool, "06:12"), (Speaker::Tool, "11:40")];
    let asked = (Speaker::User, "When?");
    let check = async |messages: &[(Speaker, &str)], expected: &[String]| {
        check_sent(messages, &options(), &expected.join(","), "").await;
    };
    // One after the other, then an answer, a question and a call with words in front of it.
    let rounds = [
        asked,
        hull,
        results[0],
        kiel,
        results[1],
        (Speaker::Assistant, "At noon."),
        asked,
        (Speaker::Assistant, "I will look."),
        hull,
        results[0],
    ];
    check(
        &rounds,
        &[
            user("When?"),
            called("null", &[call("call00001", "Hull")]),
            result("call00001", "06:12"),
            called("null", &[call("call00002", "Kiel")]),
            result("call00002", "11:40"),
            said("At noon."),
            user("When?"),
            called("\"I will look.\"", &[call("call00003", "Hull")]),
            result("call00003", "06:12"),
        ],
    )
    .await;
    let both = called("null", &[call("call00001", "Hull"), call("call00002", "Kiel")]);
    let together = [asked, hull, kiel, results[0], results[1]];
    check(
        &together,
        &[
            user("When?"),
            both,
            result("call00001", "06:12"),
            result("call00002", "11:40"),
        ],
    )
    .await;
    // Calls without results are left out, and results without calls are the user's.
    let one = called("null", &[call("call00001", "Hull")]);
    check(
        &[asked, hull, kiel, results[0]],
        &[user("When?"), one.clone(), result("call00001", "06:12")],
    )
    .await;
    check(
        &[asked, hull, results[0], results[1]],
        &[user("When?"), one, result("call00001", "06:12"), user("11:40")],
    )
    .await;
    check(&[asked, hull, (Speaker::User, "Well?")], &[user("When?\\n\\nWell?")]).await;
    check(
        &[asked, (Speaker::Assistant, "Hm."), hull],
        &[user("When?"), said("Hm.")],
    )
    .await;
    check(&[asked, results[0]], &[user("When?"), user("06:12")]).await;
    check(
        &[(Speaker::Assistant, ""), hull, results[0]],
        &[
            called("null", &[call("call00001", "Hull")]),
            result("call00001", "06:12"),
        ],
    )
    .await;
    check(
        &[hull, (Speaker::Tool, "")],
        &[called("null", &[call("call00001", "Hull")]), result("call00001", "")],
    )
    .await;
}

#[tokio::test]
async fn redaction_in_calls_results_and_tools() {
    let mail = "erika.muster@post.example";
    let tools = format!(
        r#"[{{"name":"send","description":"Writes as:\n{mail}","parameters":{{"type":"object","properties":{{"to":{{"enum":["{mail}","b@c.example"]}}}}}}}}]"#
    );
    let call =
        format!(r#"{{"name":"send","arguments":{{"to":"{mail}","text":"Grüße\nan {mail},\n{mail}, \"bald\""}}}}"#);
    let (tools, call) = (with_plain_breaks(&tools), with_plain_breaks(&call));
    let result = format!("Sent to {mail}.");
    let messages = [
        (Speaker::User, mail),
        (Speaker::Call, call.as_str()),
        (Speaker::Tool, result.as_str()),
        (Speaker::Tools, tools.as_str()),
    ];
    let body = sent(&messages, Release::Redacted, &options()).await.unwrap();
    let body: Value = serde_json::from_str(&body).unwrap();
    let function = &body["messages"][1]["tool_calls"][0]["function"];
    assert_eq!(function["name"], "send");
    let arguments: Value = serde_json::from_str(function["arguments"].as_str().unwrap()).unwrap();
    assert_eq!(
        arguments,
        json!({"to": "⟨EMAIL_1⟩", "text": "Grüße\nan ⟨EMAIL_1⟩,\n⟨EMAIL_1⟩, \"bald\""})
    );
    assert_eq!(body["messages"][2]["content"], "Sent to ⟨EMAIL_1⟩.");
    let offered = &body["tools"][0]["function"];
    assert_eq!(
        (&offered["name"], &offered["description"]),
        (&json!("send"), &json!("Writes as:\n⟨EMAIL_1⟩"))
    );
    assert_eq!(
        offered["parameters"]["properties"]["to"]["enum"],
        json!(["⟨EMAIL_1⟩", "⟨EMAIL_2⟩"])
    );
    // The values come back where an answer names them.
    let mut placeholders = Placeholders::new();
    let payload = cleared(&messages, Release::Redacted, &mut placeholders);
    assert_eq!(payload.messages()[1].speaker, Speaker::Call);
    assert_eq!(placeholders.reidentify(&payload.messages()[1].text), call);
    assert_eq!(placeholders.reidentify(&payload.messages()[3].text), tools);
}

#[tokio::test]
async fn what_redaction_breaks_is_not_sent() {
    let failure = Err(Failure::Option { option: "tools" });
    let check = async |messages: &[(Speaker, &str)]| {
        assert!(sent(messages, Release::AsIs, &options()).await.is_ok());
        assert_eq!(sent(messages, Release::Redacted, &options()).await, failure);
    };
    // A break that touches a word.
    let broken = r#"{"name":"send","arguments":{"to":"Dear\nerika.muster@post.example"}}"#;
    check(&[(Speaker::User, "Go"), (Speaker::Call, broken), (Speaker::Tool, "Done")]).await;
    // A number that is no text, and a name that is somebody's.
    let card = r#"{"name":"pay","arguments":{"card":4111111111111111}}"#;
    check(&[(Speaker::User, "Pay"), (Speaker::Call, card), (Speaker::Tool, "Done")]).await;
    let named = r#"[{"name":"4111111111111111","description":"Pays","parameters":{}}]"#;
    check(&[(Speaker::User, "Pay"), (Speaker::Tools, named)]).await;
    let called = r#"{"name":"4111111111111111","arguments":{}}"#;
    check(&[(Speaker::User, "Pay"), (Speaker::Call, called), (Speaker::Tool, "Done")]).await;
}

/// The text, the calls and the end of an answer to a question with these messages beside it.
async fn answer(
    server: &Server,
    beside: &[(Speaker, &str)],
    options: &ChatOptions,
) -> (String, Vec<ChatCall>, Result<Finished, ChatError>) {
    let messages = [&[(Speaker::User, "When?")], beside].concat();
    let payload = cleared(&messages, Release::AsIs, &mut Placeholders::new());
    let client = client();
    let mut answer = client.chat(&server.endpoint(), payload, options, None).unwrap();
    let (mut text, mut calls) = (String::new(), Vec::new());
    let end = loop {
        match answer.next().await.unwrap() {
            Ok(ChatEvent::Started { .. } | ChatEvent::Thinking(_)) => assert!(calls.is_empty()),
            Ok(ChatEvent::Text(piece)) => {
                assert!(calls.is_empty());
                text.push_str(&piece);
            }
            Ok(ChatEvent::Call(call)) => calls.push(call),
            Ok(ChatEvent::Finished(finished)) => break Ok(finished),
            Err(error) => break Err(error),
        }
    };
    assert_eq!(answer.next().await, None);
    (text, calls, end)
}

/// How an answer ended, and the names and arguments of its calls.
type Called<'a> = (FinishReason, &'a [(&'a str, &'a str)]);

/// An answer to a request with tools: its text, the names and arguments of its calls, and how it ended.
async fn check_answer(script: Vec<Step>, expected_text: &str, expected: Result<Called<'_>, Failure>) {
    let server = Server::plain(script.clone()).await;
    let (text, calls, end) = answer(&server, &[(Speaker::Tools, TOOLS)], &options()).await;
    let end = end.map(|end| end.finish_reason).map_err(|error| error.failure);
    let calls: Vec<_> = calls
        .iter()
        .map(|call| (call.name.as_str(), call.arguments.as_str()))
        .collect();
    let (expected_end, expected_calls) = match expected {
        Ok((reason, calls)) => (Ok(reason), calls),
        Err(failure) => (Err(failure), &[][..]),
    };
    assert_eq!(
        (text.as_str(), calls.as_slice(), end),
        (expected_text, expected_calls, expected_end),
        "{script:?}"
    );
}

fn stream(events: &[String]) -> Vec<Step> {
    vec![Step::Send(chunked(&events.concat(), 1000))]
}

fn chunk(delta: &Value) -> String {
    format!("data: {}\n\n", json!({"choices": [{"index": 0, "delta": delta}]}))
}

fn calls(calls: Value) -> String {
    chunk(&json!({"tool_calls": calls}))
}

fn hull() -> Value {
    json!({"index": 0, "id": "a", "type": "function", "function": {"name": "tide", "arguments": HULL}})
}

const CALLED: Result<Called<'_>, Failure> = Ok((FinishReason::ToolCalls, &[("tide", HULL)]));

#[tokio::test]
async fn calls_in_a_stream() {
    let done = || DONE.to_owned();
    for reason in ["tool_calls", "function_call", "stop", "length", "eos"] {
        check_answer(stream(&[calls(json!([hull()])), finish(reason), done()]), "", CALLED).await;
    }
    check_answer(stream(&[calls(json!([hull()])), done()]), "", CALLED).await;
    let old = json!({"function_call": {"name": "tide", "arguments": HULL}});
    check_answer(stream(&[chunk(&old), finish("function_call")]), "", CALLED).await;
    // Beside text and thoughts, before and behind.
    let thought = chunk(&json!({"reasoning_content": "The port is Hull."}));
    let events = [
        thought,
        delta("I will "),
        calls(json!([hull()])),
        delta("look."),
        finish("tool_calls"),
        done(),
    ];
    check_answer(stream(&events), "I will look.", CALLED).await;
    // Two, interleaved, the second one first.
    let piece = |index: u32, arguments: &str| json!({"index": index, "function": {"arguments": arguments}});
    let events = [
        calls(json!([{"index": 4_000_000_000_u32, "id": "b", "function": {"name": "now"}}])),
        calls(json!([{"index": 0, "id": "a", "function": {"name": "tide", "arguments": &HULL[..5]}}])),
        calls(json!([piece(4_000_000_000, "{\"zone\":"), piece(0, &HULL[5..])])),
        calls(json!([piece(4_000_000_000, "1}")])),
        finish("tool_calls"),
    ];
    let both: &[_] = &[("tide", HULL), ("now", "{\"zone\":1}")];
    check_answer(stream(&events), "", Ok((FinishReason::ToolCalls, both))).await;
    // A character in two halves.
    let bird = |arguments: &str| {
        format!(
            "data: {{\"choices\":[{{\"delta\":{{\"tool_calls\":[{{\"index\":0,\"function\":{{\"name\":\"tide\",\"arguments\":\"{arguments}\"}}}}]}}}}]}}\n\n"
        )
    };
    let events = [
        bird("{\\\"a\\\":\\\"\\ud83e"),
        bird("\\udd86\\\"}"),
        finish("tool_calls"),
    ];
    check_answer(
        stream(&events),
        "",
        Ok((FinishReason::ToolCalls, &[("tide", "{\"a\":\"🦆\"}")])),
    )
    .await;
    let events = [bird("{\\\"a\\\":\\\"\\ud83e"), finish("stop")];
    check_answer(
        stream(&events),
        "",
        Ok((FinishReason::ToolCalls, &[("tide", "{\"a\":\"")])),
    )
    .await;
}

#[tokio::test]
async fn a_stream_cut_at_every_byte() {
    let body = [
        calls(json!([{"index": 0, "id": "a", "type": "function", "function": {"name": "tide", "arguments": ""}}])),
        calls(json!([{"index": 0, "function": {"arguments": "{\"port\""}}])),
        calls(json!([{"index": 0, "function": {"arguments": ":\"Hull\"}"}}])),
        finish("tool_calls"),
        DONE.to_owned(),
    ]
    .concat();
    check_answer(vec![Step::EachByte(chunked(&body, 1000))], "", CALLED).await;
    check_answer(vec![Step::EachByte(chunked(&body, 1))], "", CALLED).await;
    // The arguments in pieces of one byte.
    let mut events = vec![calls(json!([{"index": 0, "id": "a", "function": {"name": "tide"}}]))];
    events.extend(
        HULL.chars()
            .map(|piece| calls(json!([{"index": 0, "function": {"arguments": piece.to_string()}}]))),
    );
    events.push(finish("tool_calls"));
    check_answer(stream(&events), "", CALLED).await;
}

#[tokio::test]
async fn calls_in_a_whole_answer() {
    let whole = |message: Value, reason: Value| {
        let body = json!({"choices": [{"index": 0, "message": message, "finish_reason": reason}]}).to_string();
        vec![Step::Send(response(
            "200 OK",
            &[("content-type", "application/json")],
            &body,
        ))]
    };
    for reason in [json!("tool_calls"), json!("stop"), Value::Null] {
        let message = json!({"role": "assistant", "content": null, "tool_calls": [hull()]});
        check_answer(whole(message, reason), "", CALLED).await;
    }
    let with_text = json!({"content": "I will look.", "tool_calls": [hull()]});
    check_answer(whole(with_text, json!("tool_calls")), "I will look.", CALLED).await;
    let old = json!({"content": "", "function_call": {"name": "tide", "arguments": {"port": "Hull"}}});
    check_answer(whole(old, json!("function_call")), "", CALLED).await;
    let none = json!({"content": "06:12", "tool_calls": []});
    check_answer(whole(none, json!("stop")), "06:12", Ok((FinishReason::Stop, &[]))).await;
    let empty = json!({"content": null, "tool_calls": []});
    check_answer(
        whole(empty, json!("tool_calls")),
        "",
        Ok((FinishReason::ToolCalls, &[])),
    )
    .await;
}

#[tokio::test]
async fn answers_whose_calls_are_not_given() {
    let cut_off = json!({"index": 0, "function": {"name": "tide", "arguments": "{\"port\":\"Hu"}});
    for (call, word, reason) in [
        (cut_off.clone(), "length", FinishReason::Length),
        (hull(), "content_filter", FinishReason::ContentFilter),
        (hull(), "malformed_function_call", FinishReason::Error),
    ] {
        check_answer(stream(&[calls(json!([call])), finish(word)]), "", Ok((reason, &[]))).await;
    }
    let refused = chunk(&json!({"refusal": "Not that"}));
    let events = [calls(json!([hull()])), refused, finish("stop")];
    check_answer(stream(&events), "", Ok((FinishReason::Refusal, &[]))).await;
    // An answer that ends too early has none, and an error in it ends them too.
    check_answer(stream(&[calls(json!([hull()]))]), "", Err(Failure::Truncated)).await;
    // What the model wrote is the caller's to check.
    let events = [calls(json!([cut_off])), finish("stop")];
    check_answer(
        stream(&events),
        "",
        Ok((FinishReason::ToolCalls, &[("tide", "{\"port\":\"Hu")])),
    )
    .await;
    // Calls that the request does not allow.
    let may_not = ChatOptions {
        may_call: false,
        ..options()
    };
    for (beside, options) in [
        (&[][..], options()),
        (&[(Speaker::Tools, "[]")], options()),
        (&[(Speaker::Tools, TOOLS)], may_not),
    ] {
        for call in [hull(), cut_off.clone(), json!("tide")] {
            let server = Server::plain(stream(&[delta("Hm."), calls(json!([call])), finish("length")])).await;
            let (text, calls, end) = answer(&server, beside, &options).await;
            let reason = end.unwrap().finish_reason;
            assert_eq!((text.as_str(), calls, reason), ("Hm.", vec![], FinishReason::ToolCalls));
        }
    }
}

#[tokio::test]
async fn hostile_calls() {
    let bad = |problem| Err(Failure::BadCall { problem });
    let named = |name: &str| calls(json!([{"index": 0, "function": {"name": name, "arguments": HULL}}]));
    for name in ["a b", "⟨NAME_1⟩", &"x".repeat(65)] {
        let events = [delta("Hm."), named(name), finish("tool_calls")];
        check_answer(stream(&events), "Hm.", bad(CallProblem::Name)).await;
    }
    check_answer(
        stream(&[calls(json!([{"id": "a"}])), finish("stop")]),
        "",
        bad(CallProblem::Name),
    )
    .await;
    let many: Vec<String> = (0..=CALLS_MAX)
        .map(|at| calls(json!([{"index": at * 250_000_000, "function": {"name": "now"}}])))
        .collect();
    check_answer(stream(&many), "", bad(CallProblem::TooMany)).await;
    // Arguments that never end: the server is not heard to its end.
    let more = calls(json!([{"index": 0, "function": {"arguments": "y".repeat(1000)}}]));
    let mut endless = vec![Step::Send([&stream_head()[..], named("tide").as_bytes()].concat())];
    let pieces = CALL_ARGUMENTS_BYTES_MAX as usize / 1000 + 1;
    endless.push(Step::Send(more.repeat(pieces).into_bytes()));
    endless.push(Step::Stall);
    check_answer(endless, "", bad(CallProblem::ArgumentsTooLong)).await;
    // Broken on the way.
    let json = Err(Failure::Malformed { what: "JSON" });
    check_answer(
        stream(&["data: {\"choices\":[{\"delta\":{\"tool_calls\":[{]}}]}\n\n".to_owned()]),
        "",
        json,
    )
    .await;
    let mut not_utf8 = [&stream_head()[..], named("tide").as_bytes()].concat();
    let at = not_utf8.windows(4).position(|four| four == b"tide").unwrap();
    not_utf8[at] = 0xff;
    let utf8 = Err(Failure::Malformed { what: "UTF-8" });
    check_answer(vec![Step::Send(not_utf8), Step::Stall], "", utf8).await;
}

/// An unusable call is the model's fault: the endpoint stays in use.
#[tokio::test]
async fn an_unusable_call_does_not_open_the_circuit() {
    let server = Server::plain(stream(&[calls(json!([{"function": {"name": "a b"}}]))])).await;
    let client = client();
    for _ in 0..5 {
        let messages = [(Speaker::User, "When?"), (Speaker::Tools, TOOLS)];
        let payload = cleared(&messages, Release::AsIs, &mut Placeholders::new());
        let answer = client.chat(&server.endpoint(), payload, &options(), None).unwrap();
        let problem = CallProblem::Name;
        failed(&read(answer).await.1, Failure::BadCall { problem }, Delivery::Answered);
    }
    assert_eq!(client.health(ID).unwrap().failures_in_a_row, 0);
}
