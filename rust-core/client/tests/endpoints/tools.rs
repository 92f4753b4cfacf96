//! Tools at endpoints that call what they like: a call reaches a function of the app only if that function was offered and takes the arguments, and
//! what functions give goes only where all of it may go.

use serde_json::{Value, json};
use whimbrel_client::policy::ToolPermission;
use whimbrel_client::privacy::PrivacyClass;
use whimbrel_client::record::{Code, Outcome, Place};
use whimbrel_client::store::Filter;
use whimbrel_client::{
    AskOptions, CallEnd, ClientError, Conversation, ConversationOptions, Event, GenerationOptions, PendingCall, Tool,
    ToolChoice, ToolOptions, ToolResult, block_on,
};
use whimbrel_testing::{DONE, Random, finish};

use super::support::{Fixture, Heard, Reply, Server, read, read_with};
use super::{said, stream};

const PLACE: &str = r#"{"type": "object", "properties": {"place": {"type": "string", "maxLength": 60}}, "required": ["place"], "additionalProperties": false}"#;
const SUPPORTS: &str = "supports = [\"tools\"]\nclass_max = \"public\"\nclass_max_redacted = \"sensitive\"\n";

fn policy(server: &Server, more: &str) -> String {
    format!(
        "version = 1\nname = \"test\"\notherwise = [\"remote:cloud\"]\n[tasks.device]\notherwise = [\"remote:cloud\", \"on_device\"]\n\
         [tasks.redacted]\notherwise = [\"redact_then_remote:cloud\"]\n\
         [[endpoints]]\nid = \"cloud\"\nbase_url = \"{}\"\nmodel = \"m\"\ntrust = \"organisation\"\ncost_per_1k_tokens = 0\n{SUPPORTS}{more}",
        server.url
    )
}

fn tool(name: &str) -> Tool {
    Tool {
        name: name.into(),
        description: "The weather at a place.\nNow.".into(),
        parameters: PLACE.into(),
        permission: ToolPermission::Always,
        result_class: PrivacyClass::Public,
    }
}

fn tools() -> ToolOptions {
    ToolOptions {
        tools: vec![tool("weather"), tool("call_mother")],
        ..ToolOptions::default()
    }
}

fn options(task: &str, tools: ToolOptions) -> AskOptions {
    AskOptions {
        task: task.to_owned(),
        tools,
        generation: GenerationOptions {
            max_tokens: 60,
            ..GenerationOptions::default()
        },
        ..AskOptions::default()
    }
}

/// A stream that calls this tool.
fn calls(name: &str, arguments: &str) -> Reply {
    let function = json!({"name": name, "arguments": arguments});
    let delta = json!({"tool_calls": [{"index": 0, "id": "a", "type": "function", "function": function}]});
    stream(&[&said(&delta.to_string()), &finish("tool_calls"), DONE])
}

fn says(text: &str) -> Reply {
    stream(&[&said(&json!({"content": text}).to_string()), &finish("stop"), DONE])
}

/// Asks, carries out every call with `give`, and returns what was called too.
fn ask_in(
    conversation: &Conversation,
    question: &str,
    options: AskOptions,
    give: impl Fn(&PendingCall) -> Option<ToolResult>,
) -> (Heard, Vec<PendingCall>) {
    let mut called = Vec::new();
    let answer = conversation.ask(question, options).unwrap();
    let heard = read_with(&answer, |call| {
        called.push(call.clone());
        give(call)
    });
    (heard, called)
}

fn done(text: &str) -> impl Fn(&PendingCall) -> Option<ToolResult> {
    move |_| Some(ToolResult::Done(text.to_owned()))
}

fn bodies(server: &Server) -> Vec<Value> {
    let received = server.take_received();
    received
        .iter()
        .map(|request| serde_json::from_str(&request.body).unwrap())
        .collect()
}

#[test]
fn a_call_is_carried_out_and_its_result_answers_the_question() {
    let server = Server::start(&[calls("weather", "{\"place\":\"Lyon\"}"), says("It is 18 degrees.")]);
    let fixture = Fixture::new(&policy(&server, ""));
    let conversation = fixture.conversation();
    let (heard, called) = ask_in(
        &conversation,
        "Is it warm in Lyon?",
        options("chat", tools()),
        done("18 degrees"),
    );
    assert_eq!(
        (&*heard.text, heard.report.outcome),
        ("It is 18 degrees.", Outcome::Answered),
        "{:?}",
        heard.report
    );
    let [call] = called.as_slice() else {
        panic!("{called:?}")
    };
    assert_eq!(
        (&*call.name, &*call.arguments, call.must_confirm),
        ("weather", r#"{"place": "Lyon"}"#, false)
    );
    let [made] = heard.report.calls.as_slice() else {
        panic!()
    };
    assert_eq!((&*made.name, made.end), ("weather", CallEnd::Done));
    // What the endpoint was told.
    let bodies = bodies(&server);
    let [first, second] = bodies.as_slice() else {
        panic!("{bodies:?}")
    };
    assert_eq!(first["tools"], second["tools"]);
    assert_eq!(first["tools"][0]["function"]["name"], "weather");
    assert_eq!(
        first["tools"][0]["function"]["parameters"],
        serde_json::from_str::<Value>(PLACE).unwrap()
    );
    let messages = second["messages"].as_array().unwrap();
    let [.., question, call, result] = messages.as_slice() else {
        panic!()
    };
    assert_eq!(question["content"], "Is it warm in Lyon?");
    assert_eq!(
        call["tool_calls"][0]["function"],
        json!({"name": "weather", "arguments": "{\"place\":\"Lyon\"}"})
    );
    assert_eq!(
        (&result["role"], &result["content"]),
        (&json!("tool"), &json!("18 degrees"))
    );
    // The conversation has the question and its answer, and the ledger two receipts, with the tool's name and nothing else of the call.
    let said: Vec<String> = conversation
        .messages()
        .into_iter()
        .map(|message| message.content)
        .collect();
    assert_eq!(said, ["Is it warm in Lyon?", "It is 18 degrees."]);
    let receipts = block_on(fixture.assistant.receipts(Filter::default(), 10)).unwrap();
    assert_eq!(receipts.len(), 2);
    let text = serde_json::to_string(&receipts).unwrap();
    assert!(text.contains(r#""calls":{"weather":1}"#), "{text}");
    assert!(!text.contains("Lyon") && !text.contains("degrees"), "{text}");
}

#[test]
fn a_call_that_cannot_be_made_is_made_by_nobody() {
    let nested = format!("{{\"place\": {}", "[".repeat(10_000));
    let replies = [
        calls("pay", "{\"place\": \"Lyon\"}"),
        calls("Weather", "{\"place\": \"Lyon\"}"),
        calls("weather", "{}"),
        calls("weather", "{\"place\": 7}"),
        calls("weather", "{\"place\": \"Lyon\", \"more\": 1}"),
        calls("weather", "[\"Lyon\"]"),
        calls("weather", "\"Lyon\""),
        calls("weather", "Lyon"),
        calls("weather", "{\"place\": \"Lyon\""),
        calls("weather", "{\"place\": \"Lyon\"} {\"place\": \"Lyon\"}"),
        calls("weather", &nested),
        calls(&"x".repeat(100), "{}"),
    ];
    for reply in replies {
        let server = Server::start(&[reply]);
        let fixture = Fixture::new(&policy(&server, ""));
        let (heard, called) = ask_in(
            &fixture.conversation(),
            "Is it warm?",
            options("chat", tools()),
            done("no"),
        );
        let report = &heard.report;
        assert_eq!(
            (report.outcome, report.code),
            (Outcome::Failed, Some(Code::BadCall)),
            "{reply:?}"
        );
        assert_eq!((&*heard.text, called.len(), report.calls.len()), ("", 0, 0));
        // Another place then answers; it calls only what was offered.
        let (heard, called) = ask_in(
            &fixture.conversation(),
            "Is it warm?",
            options("device", tools()),
            done("no"),
        );
        assert_eq!(
            heard.report.attempts[0].code,
            Some(Code::BadCall)
                .filter(|_| called.is_empty())
                .or(heard.report.attempts[0].code)
        );
        assert!(
            called
                .iter()
                .all(|call| serde_json::from_str::<Value>(&call.arguments).unwrap()["place"].is_string())
        );
    }
}

#[test]
fn five_hundred_malformed_calls_reach_no_function() {
    let mut random = Random::new(17);
    let good = br#"{"place": "Lyon"}"#;
    let mut replies = Vec::new();
    while replies.len() < 500 {
        let mut bytes = good.to_vec();
        for _ in 0..=random.below(3) {
            let at = random.below(bytes.len().max(1) as u64) as usize;
            match random.below(4) {
                0 if at < bytes.len() => drop(bytes.remove(at)),
                1 => bytes.insert(at, b" {}[]\":,\\1a"[random.below(11) as usize]),
                2 if at < bytes.len() => bytes[at] = b"{}[]\":,x"[random.below(8) as usize],
                _ => bytes.truncate(at.max(1)),
            }
        }
        let text = String::from_utf8(bytes).unwrap();
        let value: Option<Value> = serde_json::from_str(&text).ok();
        let is_good = value.is_some_and(|value| {
            let keys = value.as_object().map(|keys| keys.keys().cloned().collect::<Vec<_>>());
            keys.is_some_and(|keys| keys == ["place"]) && value["place"].is_string()
        });
        if !is_good {
            replies.push(calls("weather", &text));
        }
    }
    let server = Server::start(&replies);
    let fixture = Fixture::new(&policy(&server, ""));
    for _ in 0..replies.len() {
        let (heard, called) = ask_in(
            &fixture.conversation(),
            "Is it warm?",
            options("chat", tools()),
            done("no"),
        );
        assert_eq!(
            (heard.report.code, called.len()),
            (Some(Code::BadCall), 0),
            "{:?}",
            heard.report
        );
    }
    assert_eq!(server.requests(), 500);
}

#[test]
fn a_policy_and_a_person_may_refuse_a_call() {
    let rules = "[[tools]]\nid = \"no-mother\"\nwhen = { tool = [\"call_mother\"] }\nuse = \"never\"\n\
                 [[tools]]\nid = \"ask\"\nwhen = { class = { min = \"personal\" } }\nuse = \"confirm\"\n";
    let check = |reply: Reply, question: &str, result: ToolResult, end: CallEnd, told: &str, asked: Option<bool>| {
        let server = Server::start(&[reply, says("So be it.")]);
        let fixture =
            Fixture::new(&policy(&server, rules).replace("class_max = \"public\"", "class_max = \"personal\""));
        let give = |_: &PendingCall| Some(result.clone());
        let (heard, called) = ask_in(&fixture.conversation(), question, options("chat", tools()), give);
        assert_eq!(
            (&*heard.text, heard.report.calls[0].end),
            ("So be it.", end),
            "{:?}",
            heard.report
        );
        assert_eq!(called.first().map(|call| call.must_confirm), asked);
        let second = bodies(&server).remove(1);
        let last = second["messages"].as_array().unwrap().last().unwrap()["content"].clone();
        assert!(last.as_str().unwrap().starts_with(told), "{last}");
    };
    let weather = || calls("weather", "{\"place\": \"Lyon\"}");
    let mother = calls("call_mother", "{\"place\": \"Lyon\"}");
    let never = "error: this function must not";
    check(
        mother,
        "Call her.",
        ToolResult::Done("called".into()),
        CallEnd::NotAllowed,
        never,
        None,
    );
    check(
        weather(),
        "Is it warm?",
        ToolResult::Done("18".into()),
        CallEnd::Done,
        "18",
        Some(false),
    );
    let personal = "Is it warm at otto@example.net's?";
    check(
        weather(),
        personal,
        ToolResult::Done("18".into()),
        CallEnd::Done,
        "18",
        Some(true),
    );
    check(
        weather(),
        personal,
        ToolResult::Refused,
        CallEnd::Refused,
        "error: the user did not allow",
        Some(true),
    );
    check(
        weather(),
        "Is it warm?",
        ToolResult::Failed("no net".into()),
        CallEnd::Failed,
        "error: no net",
        Some(false),
    );
}

#[test]
fn what_a_tool_gives_goes_only_where_it_may_go() {
    let private = "Anna lives at Gartenweg 5, her mail is anna.muster@example.org";
    let declared = ToolOptions {
        tools: vec![Tool {
            result_class: PrivacyClass::Secret,
            ..tool("weather")
        }],
        ..ToolOptions::default()
    };
    for (tools, result) in [(tools(), private), (declared, "nothing special")] {
        let server = Server::start(&[calls("weather", "{\"place\": \"Lyon\"}"), says("never")]);
        let fixture = Fixture::new(&policy(&server, ""));
        let conversation = fixture.assistant.conversation(ConversationOptions {
            context_length: 2048,
            ..super::support::options()
        });
        let choice_free = options("device", tools);
        let (heard, _) = ask_in(&conversation, "Where is she?", choice_free, done(result));
        // The round after the call ran here.
        assert!(
            matches!(heard.report.place, Some(Place::OnDevice { .. })),
            "{:?}",
            heard.report
        );
        assert_eq!(heard.report.outcome, Outcome::Answered, "{:?}", heard.report);
        assert_eq!(server.requests(), 1);
        // And so do the questions after it, though nothing of the result stands in the conversation.
        let heard = read(
            &conversation
                .ask("And the weather?", options("device", ToolOptions::default()))
                .unwrap(),
        );
        assert!(
            matches!(heard.report.place, Some(Place::OnDevice { .. })),
            "{:?}",
            heard.report
        );
        assert_eq!(server.requests(), 1);
        let messages = conversation.messages();
        assert!(messages.iter().all(|message| message.recipients.is_some()));
    }
}

#[test]
fn redacted_values_come_back_before_a_function_runs() {
    let server = Server::start(&[
        calls("weather", "{\"place\": \"the home of ⟨EMAIL_1⟩\"}"),
        calls("weather", "{\"place\": \"near ⟨EMAIL_2⟩\"}"),
        says("Ask ⟨EMAIL_2⟩."),
    ]);
    let fixture = Fixture::new(&policy(&server, ""));
    let question = "Is it warm at otto@example.net's?";
    let (heard, called) = ask_in(
        &fixture.conversation(),
        question,
        options("redacted", tools()),
        done("ask anna.muster@example.org"),
    );
    let arguments: Vec<&str> = called.iter().map(|call| &*call.arguments).collect();
    let expected = [
        r#"{"place": "the home of otto@example.net"}"#,
        r#"{"place": "near anna.muster@example.org"}"#,
    ];
    assert_eq!(arguments, expected, "{:?}", heard.report);
    assert_eq!(heard.text, "Ask anna.muster@example.org.");
    for body in bodies(&server) {
        assert!(!body.to_string().contains("example"), "{body}");
    }
}

#[test]
fn an_answer_takes_no_more_calls_than_it_may() {
    let server = Server::start(&[calls("weather", "{\"place\": \"Lyon\"}")]);
    let fixture = Fixture::new(&policy(&server, ""));
    let limited = ToolOptions {
        calls_max: 3,
        choice: ToolChoice::Required,
        ..tools()
    };
    let (heard, called) = ask_in(
        &fixture.conversation(),
        "Is it warm?",
        options("chat", limited),
        done("18"),
    );
    assert_eq!(called.len(), 3);
    // The endpoint calls on although it must not.
    assert_eq!(
        (heard.report.outcome, heard.report.calls.len()),
        (Outcome::Failed, 3),
        "{:?}",
        heard.report
    );
    let choices: Vec<Value> = bodies(&server).iter().map(|body| body["tool_choice"].clone()).collect();
    assert_eq!(choices, [json!("required"), Value::Null, Value::Null, json!("none")]);
}

#[test]
fn a_call_that_is_not_answered_ends() {
    let server = Server::start(&[calls("weather", "{\"place\": \"Lyon\"}"), says("I do not know.")]);
    let fixture = Fixture::new(&policy(&server, ""));
    let hasty = ToolOptions {
        result_ms_max: 30,
        ..tools()
    };
    let conversation = fixture.conversation();
    let (heard, _) = ask_in(&conversation, "Is it warm?", options("chat", hasty), |_| None);
    assert_eq!(
        (&*heard.text, heard.report.calls[0].end),
        ("I do not know.", CallEnd::TimedOut)
    );
    // Cancelled while the function runs.
    let server = Server::start(&[calls("weather", "{\"place\": \"Lyon\"}"), says("never")]);
    let fixture = Fixture::new(&policy(&server, ""));
    let conversation = fixture.conversation();
    let answer = conversation.ask("Is it warm?", options("chat", tools())).unwrap();
    let (mut report, mut waited) = (None, None);
    while report.is_none() {
        for event in block_on(answer.next(8)).unwrap() {
            match event {
                Event::Call(call) => {
                    let long = ToolResult::Done("x".repeat(70_000));
                    assert!(matches!(
                        answer.give_result(call.id, long),
                        Err(ClientError::Limit { .. })
                    ));
                    waited = Some(call.id);
                    answer.cancel();
                }
                Event::Finished(finished) => report = Some(finished),
                _ => {}
            }
        }
    }
    assert_eq!(report.unwrap().outcome, Outcome::Cancelled);
    assert_eq!(server.requests(), 1);
    let late = answer.give_result(waited.unwrap(), ToolResult::Done("18".into()));
    assert!(matches!(late, Err(ClientError::UnknownCall { .. })), "{late:?}");
}

#[test]
fn a_model_of_this_device_calls_what_it_is_offered() {
    let (_client, model) = super::support::open_tiny();
    let options_of_conversation = ConversationOptions {
        context_length: 2048,
        ..super::support::options()
    };
    let conversation = model.conversation(options_of_conversation).unwrap();
    let required = ToolOptions {
        choice: ToolChoice::Required,
        calls_max: 1,
        ..tools()
    };
    let mut called = Vec::new();
    for _ in 0..8 {
        let options = AskOptions {
            generation: GenerationOptions {
                max_tokens: 120,
                ..GenerationOptions::default()
            },
            ..options("chat", required.clone())
        };
        let answer = conversation.ask("Is it warm?", options).unwrap();
        let heard = read_with(&answer, |call| {
            called.push(call.clone());
            Some(ToolResult::Done("18 degrees".into()))
        });
        assert_eq!(
            heard.report.calls.len(),
            heard
                .report
                .calls
                .iter()
                .filter(|call| call.end == CallEnd::Done)
                .count()
        );
    }
    for call in &called {
        assert!(["weather", "call_mother"].contains(&&*call.name));
        assert!(serde_json::from_str::<Value>(&call.arguments).unwrap()["place"].is_string());
    }
}
