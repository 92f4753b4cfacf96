//! Streams that are not quite OpenAI's, answers that are none, and answers whose connection does not end: what is read, how it ends, and when.
#![allow(clippy::unwrap_used)]

mod common;

use std::time::Duration;

use common::*;
use tokio::time::Instant;
use whimbrel_network::{
    ChatOptions, Circuit, Delivery, Endpoint, Failure, FinishReason, LAST_WORD_MS_MAX, PASSED_OVER_EVENTS_MAX,
    ServerCode, Timeouts,
};

const JSON: &[(&str, &str)] = &[("content-type", "application/json")];

/// A chunk with this delta and this reason, both in JSON.
fn said(delta: &str, reason: &str) -> String {
    format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{delta},\"finish_reason\":{reason}}}]}}\n\n")
}

fn words(text: &str) -> String {
    said(&format!("{{\"content\":\"{text}\"}}"), "null")
}

/// A stream that stays open behind these events.
fn open(events: &str) -> Vec<Step> {
    vec![
        Step::Send([&stream_head()[..], events.as_bytes()].concat()),
        Step::Stall,
    ]
}

/// Events between two pieces of text, which come all the same; so many were passed over.
async fn passes(events: &str, passed_over: u32) {
    let stream = [&words("Two "), events, &words("birds."), &stop(), DONE].concat();
    let server = Server::plain(vec![Step::Send(chunked(&stream, 1000))]).await;
    let (text, end) = ask_once(&server.endpoint()).await;
    let finished = end.unwrap_or_else(|error| panic!("{error:?} by {events}"));
    assert_eq!(
        (text.as_str(), finished.finish_reason),
        ("Two birds.", FinishReason::Stop),
        "{events}"
    );
    assert_eq!(finished.passed_over, passed_over, "{events}");
}

#[tokio::test]
async fn what_cannot_carry_text_is_passed_over() {
    for event in [
        "data: {\"type\":\"heartbeat\",\"at\":17}\n\n",
        "data: {\"object\":\"chat.completion.chunk\",\"created\":1,\"id\":\"r\"}\n\n",
        "data: {\"choices\":null,\"usage\":null}\n\n",
        "data: null\n\n",
        "data: 0\n\n",
        "data: ok\n\n",
        "data:\n\n",
        "event: heartbeat\ndata: {\"n\":1}\n\n",
        "event: ping\ndata:\n\n",
        "data: : still working\n\n",
        "data: [WAIT]\n\n",
    ] {
        passes(event, 1).await;
    }
    for event in [
        ": waiting\n\n",
        "id: 4\n\n",
        "retry: 100\n\n",
        "\n\n\n",
        "event: note\n\n",
    ] {
        passes(event, 0).await;
    }
    passes(&"event: ping\ndata: {}\n\n".repeat(50), 50).await;
}

#[tokio::test]
async fn there_is_a_limit_to_passing_over() {
    let pings = "data: {}\n\n".repeat(PASSED_OVER_EVENTS_MAX as usize + 1);
    let server = Server::plain(vec![Step::Send(chunked(&[&words("a"), &pings[..]].concat(), 65_536))]).await;
    let (text, end) = ask_once(&server.endpoint()).await;
    assert_eq!(text, "a");
    let what = "events without an answer";
    failed(&end, Failure::Malformed { what }, Delivery::Answered);
}

/// The chunks say this text, and the answer is whole.
async fn reads(chunks: &str, expected: &str) {
    let server = Server::plain(vec![Step::Send(chunked(&[chunks, &stop(), DONE].concat(), 1000))]).await;
    let (text, end) = ask_once(&server.endpoint()).await;
    let finished = end.unwrap_or_else(|error| panic!("{error:?} by {chunks}"));
    assert_eq!(
        (text.as_str(), finished.finish_reason),
        (expected, FinishReason::Stop),
        "{chunks}"
    );
}

#[tokio::test]
async fn what_can_be_read_is_read() {
    reads(
        &said("{\"content\":[{\"type\":\"text\",\"text\":\"Waders\"}]}", "null"),
        "Waders",
    )
    .await;
    reads(
        &said("{\"content\":[{\"text\":\"Wad\"},{\"text\":\"ers\"}]}", "null"),
        "Waders",
    )
    .await;
    reads(
        &said("{\"content\":{\"type\":\"text\",\"text\":\"Waders\"}}", "null"),
        "Waders",
    )
    .await;
    reads(&said("{\"content\":[\"Waders\"]}", "\"\""), "Waders").await;
    reads(
        "data: {\"error\":{},\"choices\":[{\"delta\":{\"content\":\"Waders\"}}]}\n\n",
        "Waders",
    )
    .await;
    reads(
        "data: {\"error\":\"\",\"choices\":[{\"delta\":{\"content\":\"Waders\"}}]}\n\n",
        "Waders",
    )
    .await;
    reads(
        "data: {\"choices\":[{\"index\":\"0\",\"delta\":{\"content\":\"Waders\"}}]}\n\n",
        "Waders",
    )
    .await;
    reads(
        "data: {\"choices\":[{\"index\":0.0,\"delta\":{\"content\":\"Waders\"}}]}\n\n",
        "Waders",
    )
    .await;
    reads(
        "data:   {\"choices\":[{\"delta\":{\"content\":\"Waders\"}}]}  \n\n",
        "Waders",
    )
    .await;
    reads(
        "data: data: {\"choices\":[{\"delta\":{\"content\":\"Waders\"}}]}\n\n",
        "Waders",
    )
    .await;
    // Two events without the empty line between them, and one over three lines.
    reads(&[words("Wad").trim_end(), "\n", &words("ers")].concat(), "Waders").await;
    reads(
        "data: {\"choices\":[{\"delta\":\ndata: {\"content\":\"Waders\"}\ndata: }]}\n\n",
        "Waders",
    )
    .await;
    // Characters in two halves: joined, with a ping between them, and never joined.
    let halves = |between: &str| [&words("\\ud83e"), between, &words("\\udd86!")].concat();
    reads(&halves(""), "🦆!").await;
    reads(&halves("data: {}\n\n"), "🦆!").await;
    reads(&halves(&words("x")), "\u{fffd}x\u{fffd}!").await;
    reads(&[words("x"), words("\\ud83e")].concat(), "x\u{fffd}").await;
}

#[tokio::test]
async fn last_words_however_they_are_written() {
    for done in [
        "data:[DONE]\n\n",
        "data:  [DONE]  \n\n",
        "data: [done]\n\n",
        "data: \"[DONE]\"\n\n",
        "data: data: [DONE]\n\n",
        "event: done\ndata: [DONE]\n\n",
    ] {
        let server = Server::plain(open(&[&words("a"), done].concat())).await;
        let (text, end) = ask_once(&server.endpoint()).await;
        assert_eq!(
            (text.as_str(), end.unwrap().finish_reason),
            ("a", FinishReason::Unstated),
            "{done}"
        );
    }
}

#[tokio::test]
async fn how_an_answer_that_is_none_ends() {
    let check = async |events: &str, expected_text: &str, expected: Result<FinishReason, Failure>| {
        let server = Server::plain(vec![Step::Send(chunked(events, 1000))]).await;
        let (text, end) = ask_once(&server.endpoint()).await;
        let end = end.map(|end| end.finish_reason).map_err(|error| error.failure);
        assert_eq!((text.as_str(), end), (expected_text, expected), "{events}");
    };
    let ends = async |delta: &str, reason: &str, expected| {
        check(
            &[&said(delta, "null"), &said("{}", reason), DONE].concat(),
            "",
            Ok(expected),
        )
        .await;
    };
    ends("{\"reasoning\":\"well\"}", "\"stop\"", FinishReason::Stop).await;
    ends("{\"refusal\":\"Not that\"}", "\"stop\"", FinishReason::Refusal).await;
    ends("{\"refusal\":\"Not that\"}", "null", FinishReason::Refusal).await;
    ends(
        "{\"content\":[{\"type\":\"refusal\",\"refusal\":\"No\"}]}",
        "\"length\"",
        FinishReason::Refusal,
    )
    .await;
    ends(
        "{\"tool_calls\":[{\"function\":{\"name\":\"go\"}}]}",
        "\"stop\"",
        FinishReason::ToolCalls,
    )
    .await;
    ends("{\"function_call\":{\"name\":\"go\"}}", "null", FinishReason::ToolCalls).await;
    ends("{}", "\"SAFETY\"", FinishReason::ContentFilter).await;
    ends("{}", "\"server_error\"", FinishReason::Error).await;
    ends("{}", "\"abort\"", FinishReason::Error).await;
    let second = "data: {\"choices\":[{\"index\":\"1\",\"delta\":{\"content\":\"b\"},\"finish_reason\":\"stop\"}]}\n\n";
    check(&[second, DONE].concat(), "", Ok(FinishReason::Unstated)).await;
    // What stands for no reason is none, in a stream that then ends.
    for reason in ["\"\"", "\"null\"", "\"None\"", "0", "{}"] {
        check(&said("{\"content\":\"a\"}", reason), "a", Err(Failure::Truncated)).await;
    }
    let reported = |code| Err(Failure::Reported { code });
    for error in [
        "data: {\"error\":{\"code\":503}}\n\n",
        "data: {\"error\":{\"code\":503}}\ndata: [DONE]\n\n",
        "error: {\"code\":503}\n\n",
        "error: {\"code\":503}\ndata: [DONE]\n\n",
        "data: {\"object\":\"error\",\"message\":\"x\",\"code\":503}\n\n",
        "data: {\"choices\":[{\"delta\":{},\"error\":{\"code\":\"503\"},\"finish_reason\":\"error\"}]}\n\n",
        "event: error\ndata: {\"code\":503}\n\n",
    ] {
        check(
            &[&words("a"), error, DONE].concat(),
            "a",
            reported(ServerCode::Overloaded),
        )
        .await;
        check(
            &[&words("a"), &stop(), error, DONE].concat(),
            "a",
            reported(ServerCode::Overloaded),
        )
        .await;
    }
}

/// The script's answer is whole after so many virtual milliseconds at most.
async fn ends_in_time(script: Vec<Step>, most_ms: u64, finish_reason: FinishReason) {
    let server = Server::plain(script.clone()).await;
    let begun = Instant::now();
    let (text, end) = ask_once(&server.endpoint()).await;
    assert_eq!(
        (text.as_str(), end.unwrap().finish_reason),
        ("All of it.", finish_reason)
    );
    assert!(
        begun.elapsed() <= Duration::from_millis(most_ms),
        "{:?} by {script:?}",
        begun.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn an_answer_ends_where_it_ended() {
    let all = words("All of it.");
    let usage = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":3}}\n\n";
    let last_word_ms = LAST_WORD_MS_MAX + 50;
    let stopped = [&all[..], &stop()].concat();
    ends_in_time(open(&stopped), last_word_ms, FinishReason::Stop).await;
    ends_in_time(open(&[&stopped, usage].concat()), 50, FinishReason::Stop).await;
    ends_in_time(open(&[&stopped, DONE].concat()), 50, FinishReason::Stop).await;
    ends_in_time(open(&[&all, DONE].concat()), 50, FinishReason::Unstated).await;
    let pings = |events: &str, ping: &[u8]| {
        vec![
            Step::Send([&stream_head()[..], events.as_bytes()].concat()),
            Step::EverySecond(ping.to_vec()),
        ]
    };
    ends_in_time(pings(&stopped, b": ping\n\n"), last_word_ms, FinishReason::Stop).await;
    ends_in_time(pings(&stopped, b"data: {}\n\n"), last_word_ms, FinishReason::Stop).await;
    ends_in_time(
        pings(&stopped, b"event: ping\ndata: x\n\n"),
        last_word_ms,
        FinishReason::Stop,
    )
    .await;
    // A body that does not end, and one that says its length.
    let body = "{\"choices\":[{\"message\":{\"content\":\"All of it.\"},\"finish_reason\":\"stop\"}]}";
    let endless = Step::Send([&head("200 OK", JSON)[..], body.as_bytes()].concat());
    ends_in_time(vec![endless.clone(), Step::Stall], last_word_ms, FinishReason::Stop).await;
    ends_in_time(vec![endless.clone(), Step::Reset], 50, FinishReason::Stop).await;
    let blanks = Step::EverySecond(b" \n".to_vec());
    ends_in_time(vec![endless, blanks], last_word_ms, FinishReason::Stop).await;
    ends_in_time(
        vec![Step::Send(response("200 OK", JSON, body)), Step::Stall],
        50,
        FinishReason::Stop,
    )
    .await;
    // The request's own time is over while a count of tokens is waited for.
    let server = Server::plain(open(&stopped)).await;
    let mut settings = server.settings();
    settings.timeouts.total_ms = 300;
    let (text, end) = ask_once(&Endpoint::new(settings).unwrap()).await;
    assert_eq!(
        (text.as_str(), end.unwrap().finish_reason),
        ("All of it.", FinishReason::Stop)
    );
}

/// What came while nothing ran counts, although every limit has passed since.
#[tokio::test]
async fn a_whole_answer_in_the_socket_counts() {
    for (reply, whole) in [
        (Reply::Whole, true),
        (Reply::Ends("length"), true),
        (Reply::Stalls, false),
    ] {
        let server = Server::start(&[reply]);
        let mut settings = server.settings();
        settings.timeouts = Timeouts {
            first_byte_ms: 200,
            idle_ms: 200,
            total_ms: 300,
            ..Timeouts::default()
        };
        let mut answer = ask(&client(), &Endpoint::new(settings).unwrap()).unwrap();
        let waiting = tokio::time::timeout(Duration::from_secs(10), async {
            while server.requests() == 0 {
                tokio::task::yield_now().await;
            }
        });
        waiting.await.unwrap();
        // Frozen: this is the one thread that the client has.
        std::thread::sleep(Duration::from_millis(700));
        let mut last = None;
        while let Some(event) = answer.next().await {
            last = Some(event);
        }
        match (whole, last.unwrap()) {
            (true, end) => assert!(matches!(end, Ok(whimbrel_network::ChatEvent::Finished(_))), "{end:?}"),
            (false, end) => {
                let failure = end.unwrap_err().failure;
                assert!(matches!(failure, Failure::TimedOut { .. }), "{failure:?}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn who_has_somewhere_else_to_go_does_not_wait() {
    let busy = |seconds: &str| vec![Step::Send(response("429 Busy", &[("retry-after", seconds)], "{}"))];
    let server = Server::scripted(vec![busy("12"), good(), busy("45"), good()], None).await;
    let client = client();
    let endpoint = server.endpoint();
    let ask = |wait_ms_max| {
        let options = ChatOptions {
            wait_ms_max,
            ..options()
        };
        client.chat(&endpoint, cleared_for(ID, "What is this?"), &options, None)
    };
    let begun = Instant::now();
    let (_, end) = read(ask(Some(3_000)).unwrap()).await;
    let refused = |seconds: u64| Failure::Refused {
        status: 429,
        code: ServerCode::RateLimited,
        retry_after_ms: Some(seconds * 1_000),
    };
    failed(&end, refused(12), Delivery::Refused);
    assert!(begun.elapsed() < Duration::from_millis(100));
    // It rests until its time, and is not asked.
    let rest = client.health(ID).unwrap().open_for_ms;
    assert!((11_900..=12_000).contains(&rest), "{rest}");
    assert!(ask(Some(3_000)).is_err());
    assert_eq!(server.requests(), 1);
    tokio::time::advance(Duration::from_secs(12)).await;
    assert_eq!(read(ask(None).unwrap()).await.0, TEXT);
    // Who has nowhere else to go waits longer than usual, and the others are told meanwhile.
    let mut waiting = ask(Some(60_000)).unwrap();
    assert!(
        tokio::time::timeout(Duration::from_secs(20), waiting.next())
            .await
            .is_err()
    );
    assert_eq!(client.health(ID).unwrap().circuit, Circuit::Open);
    assert_eq!(read(waiting).await.0, TEXT);
    assert_eq!(server.requests(), 4);
}
