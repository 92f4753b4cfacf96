//! Answers that come as they should, however they are cut up, and what the request looked like on the wire.
#![allow(clippy::unwrap_used)]

mod common;

use common::*;
use whimbrel_network::{
    ChatEvent, ChatOptions, Delivery, ENDPOINTS_MAX, Endpoint, Failure, FinishReason, KeyHeader, Secret, ServerCode,
    TokenLimitField, Traffic, Usage,
};

/// The script gives the good text, over a connection of its own.
async fn check(script: Vec<Step>) {
    let server = Server::plain(script.clone()).await;
    let (text, end) = ask_once(&server.endpoint()).await;
    let finished = end.unwrap_or_else(|error| panic!("{error:?} by {script:?}"));
    assert_eq!((text.as_str(), finished.finish_reason), (TEXT, FinishReason::Stop));
    assert_eq!(server.requests(), 1);
}

#[tokio::test]
async fn cut_anywhere() {
    let whole = chunked(&good_events(), 1000);
    check(vec![Step::Send(whole.clone())]).await;
    check(vec![Step::EachByte(whole.clone())]).await;
    for size in [1, 2, 3, 7] {
        check(vec![Step::Send(chunked(&good_events(), size))]).await;
    }
    // Two packets, split inside of each part of the response once.
    for split in (0..whole.len()).step_by(13) {
        let (first, second) = whole.split_at(split);
        check(vec![Step::EachByte(first.to_vec()), Step::Send(second.to_vec())]).await;
    }
}

#[tokio::test]
async fn every_shape_of_an_end() {
    let close = |events: &str| {
        vec![
            Step::Send([&stream_head()[..], events.as_bytes()].concat()),
            Step::Close,
        ]
    };
    let events = good_events();
    check(close(&events)).await;
    check(close(&events.replace('\n', "\r\n"))).await;
    check(close(&format!("\u{feff}{events}"))).await;
    check(close(events.strip_suffix(DONE).unwrap())).await;
    // After the model's last word the way in which the connection ends does not matter.
    let reset = |events: &str| {
        vec![
            Step::Send([&stream_head()[..], events.as_bytes()].concat()),
            Step::Reset,
        ]
    };
    check(reset(&events)).await;
    let stall = |events: &str| {
        vec![
            Step::Send([&stream_head()[..], events.as_bytes()].concat()),
            Step::Stall,
        ]
    };
    check(stall(&events)).await;
    let lengths = response(
        "200 OK",
        &[("content-type", "text/event-stream; charset=utf-8")],
        &events,
    );
    check(vec![Step::Send(lengths)]).await;
}

#[tokio::test]
async fn how_an_answer_ended_is_told_apart() {
    let check = async |events: &[&str], finish_reason, text_bytes| {
        let script = vec![Step::Send(chunked(&events.concat(), 1000))];
        let server = Server::plain(script).await;
        let (text, end) = ask_once(&server.endpoint()).await;
        let finished = end.unwrap();
        assert_eq!(
            (finished.finish_reason, finished.text_bytes),
            (finish_reason, text_bytes)
        );
        assert_eq!(text.len() as u64, text_bytes);
        assert_eq!(finished.first_text_ms.is_some(), text_bytes > 0);
    };
    let text = delta("Grüße");
    for (word, reason) in [
        ("stop", FinishReason::Stop),
        ("length", FinishReason::Length),
        ("content_filter", FinishReason::ContentFilter),
        ("tool_calls", FinishReason::ToolCalls),
        ("function_call", FinishReason::ToolCalls),
        ("eos", FinishReason::Other),
    ] {
        let end = stop().replace("stop", word);
        check(&[&text, &end, DONE], reason, 7).await;
        check(&[&delta(""), &end], reason, 0).await;
    }
    check(&[&text, DONE], FinishReason::Unstated, 7).await;
    check(&[DONE], FinishReason::Unstated, 0).await;
}

/// The replies that other crates' suites are written with.
#[tokio::test]
async fn whole_replies_end_as_they_say() {
    let check = async |reply, expected_text: &str, expected: Result<FinishReason, Failure>| {
        let server = Server::start(&[reply]);
        let (text, end) = ask_once(&server.endpoint()).await;
        let end = end
            .map(|finished| finished.finish_reason)
            .map_err(|error| error.failure);
        assert_eq!((text.as_str(), end), (expected_text, expected), "{reply:?}");
        assert_eq!(server.requests(), 1);
    };
    let whole = "An answer from the server.";
    check(Reply::Whole, whole, Ok(FinishReason::Stop)).await;
    check(Reply::Ends("length"), whole, Ok(FinishReason::Length)).await;
    check(Reply::Empty, "", Ok(FinishReason::Stop)).await;
    check(Reply::Echo, "What is this?", Ok(FinishReason::Stop)).await;
    check(Reply::DiesMidway, "An answer ", Err(Failure::Truncated)).await;
    let refused = Failure::Refused {
        status: 500,
        code: ServerCode::Unstated,
        retry_after_ms: None,
    };
    check(Reply::Status(500), "", Err(refused)).await;
    check(Reply::Garbage, "", Err(Failure::ContentType)).await;
    check(Reply::Raw(b"hello\r\n\r\n"), "", Err(Failure::Protocol)).await;
}

#[tokio::test]
async fn a_server_that_does_not_stream() {
    let body = format!(
        r#"{{"id":"x","object":"chat.completion","model":"m-1","choices":[{{"index":0,"message":{{"role":"assistant",
            "content":"{TEXT}"}},"finish_reason":"stop"}}],"usage":{{"prompt_tokens":5,"completion_tokens":3}}}}"#
    );
    let whole = response("200 OK", &[("content-type", "application/json")], &body);
    check(vec![Step::Send(whole.clone())]).await;
    check(vec![Step::EachByte(whole)]).await;
}

#[tokio::test]
async fn events_figures_and_traffic() {
    let script = good();
    let Step::Send(sent) = &script[0] else { unreachable!() };
    let server = Server::plain(script.clone()).await;
    let client = client();
    let mut answer = ask(&client, &server.endpoint()).unwrap();
    let mut events = Vec::new();
    while let Some(event) = answer.next().await {
        events.push(event.unwrap());
    }
    let request = server.received()[0].clone();
    let bytes_out = (request.head.len() + request.body.len()) as u64;
    // The body without its chunks' frames.
    let head_bytes = sent.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
    let bytes_in = (head_bytes + good_events().len()) as u64;
    assert_eq!(
        events[0],
        ChatEvent::Started {
            traffic: Traffic {
                attempts: 1,
                bytes_out,
                bytes_in: head_bytes as u64
            },
            http2: false,
        }
    );
    let texts = ["Grüße, ", "世界 🐦", "!"].map(|text| ChatEvent::Text(text.to_owned()));
    assert_eq!(events[1..4], texts);
    let ChatEvent::Finished(finished) = &events[4] else {
        panic!("{events:?}");
    };
    assert_eq!(events.len(), 5);
    assert_eq!(
        finished.usage,
        Some(Usage {
            prompt_tokens: 5,
            completion_tokens: 3
        })
    );
    assert_eq!(finished.model.as_deref(), Some("m-1"));
    assert_eq!(finished.text_bytes, TEXT.len() as u64);
    assert_eq!(
        finished.traffic,
        Traffic {
            attempts: 1,
            bytes_out,
            bytes_in
        }
    );
    assert!(finished.first_text_ms.unwrap() <= finished.total_ms);
    assert_eq!(
        (answer.traffic(), answer.delivery()),
        (finished.traffic, Delivery::Answered)
    );
    assert!(client.health(ID).unwrap().first_byte_ms.is_some());
    assert_eq!(client.health("other"), None);
}

#[tokio::test]
async fn the_request_on_the_wire() {
    let server = Server::plain(good()).await;
    let mut settings = server.settings();
    settings.headers = vec![("X-Team".to_owned(), "birds".to_owned())];
    settings.key_header = KeyHeader::Named("api-key".to_owned());
    settings.token_limit_field = TokenLimitField::MaxCompletionTokens;
    let options = ChatOptions {
        max_tokens: Some(16),
        temperature: Some(0.5),
        top_p: Some(1.0),
        stop: vec!["\n\n".to_owned()],
        seed: Some(-7),
        ..ChatOptions::new("request-1")
    };
    let key = Secret::new("sk-test".to_owned()).unwrap();
    let endpoint = Endpoint::new(settings).unwrap();
    let answer = client()
        .chat(&endpoint, cleared_for(ID, "a \"b\"\n"), &options, Some(&key))
        .unwrap();
    read(answer).await.1.unwrap();
    let request = server.received()[0].clone();
    let body = r#"{"model":"small","messages":[{"role":"user","content":"a \"b\"\n"}],"stream":true,"stream_options":{"include_usage":true},"max_completion_tokens":16,"temperature":0.5,"top_p":1.0,"stop":["\n\n"],"seed":-7}"#;
    assert_eq!(request.body, body);
    let mut lines: Vec<&str> = request.head.trim_end().split("\r\n").collect();
    assert_eq!(lines.remove(0), "POST /v1/chat/completions HTTP/1.1");
    lines.sort_unstable();
    let host = format!("host: {}", server.address);
    let length = format!("content-length: {}", body.len());
    let agent = concat!("user-agent: whimbrel/", env!("CARGO_PKG_VERSION"));
    let mut expected = vec![
        "accept: text/event-stream, application/json",
        "accept-encoding: identity",
        "api-key: sk-test",
        "content-type: application/json",
        "idempotency-key: request-1",
        "x-team: birds",
        agent,
        &host,
        &length,
    ];
    expected.sort_unstable();
    assert_eq!(lines, expected);

    let answer = client()
        .chat(
            &server.endpoint(),
            cleared_for(ID, "a"),
            &ChatOptions::new("r"),
            Some(&key),
        )
        .unwrap();
    read(answer).await.1.unwrap();
    let request = server.received()[1].clone();
    assert_eq!(request.header("authorization"), Some("Bearer sk-test"));
}

#[tokio::test]
async fn nothing_is_sent_to_another_endpoint() {
    let server = Server::plain(good()).await;
    let check = |endpoint: &Endpoint, payload, options: &ChatOptions, failure| {
        let error = client().chat(endpoint, payload, options, None).unwrap_err();
        assert_eq!((error.failure, error.delivery), (failure, Delivery::NotSent));
        assert_eq!(error.traffic, Traffic::default());
    };
    let endpoint = server.endpoint();
    check(&endpoint, cleared_for("other", "a"), &options(), Failure::OtherEndpoint);
    let wrong = ChatOptions::new("a b");
    check(
        &endpoint,
        cleared_for(ID, "a"),
        &wrong,
        Failure::Option { option: "request_id" },
    );

    let mut settings = server.settings();
    let body = r#"{"model":"small","messages":[{"role":"user","content":"a"}],"stream":true,"stream_options":{"include_usage":true}}"#;
    settings.request_bytes_max = body.len() as u32;
    let endpoint = Endpoint::new(settings).unwrap();
    let too_large = Failure::RequestTooLarge {
        bytes: body.len() as u64 + 1,
        bytes_max: body.len() as u64,
    };
    check(&endpoint, cleared_for(ID, "ab"), &options(), too_large);
    assert_eq!(server.connections(), 0);
    let fits = client()
        .chat(&endpoint, cleared_for(ID, "a"), &options(), None)
        .unwrap();
    assert_eq!(read(fits).await.0, TEXT);
}

#[tokio::test]
async fn one_connection_serves_many_requests() {
    for tls in [false, true] {
        let authority = Authority::new("Test Root");
        let acceptor = authority.leaf(&["127.0.0.1"], |_| {}).acceptor(&[], &[b"http/1.1"]);
        let server = Server::scripted(vec![good()], tls.then_some(acceptor)).await;
        let mut settings = server.settings();
        if tls {
            settings.authorities_pem = authority.pem();
        }
        let endpoint = Endpoint::new(settings).unwrap();
        let client = client();
        for _ in 0..20 {
            let (text, end) = read(ask(&client, &endpoint).unwrap()).await;
            end.unwrap();
            assert_eq!(text, TEXT);
        }
        assert_eq!((server.requests(), server.connections()), (20, 1), "tls: {tls}");
    }
}

#[tokio::test]
async fn another_network_means_other_connections() {
    let server = Server::plain(good()).await;
    let (client, endpoint) = (client(), server.endpoint());
    for connections in 1..=3 {
        for _ in 0..2 {
            assert_eq!(read(ask(&client, &endpoint).unwrap()).await.0, TEXT);
        }
        assert_eq!(server.connections(), connections);
        client.network_changed();
    }
    assert!(client.health(ID).unwrap().first_byte_ms.is_some());
}

#[tokio::test]
async fn endpoints_beyond_the_limit_take_the_place_of_the_oldest() {
    let server = Server::plain(good()).await;
    let client = client();
    let id = |number: u32| format!("cloud-{number}");
    for number in 0..=ENDPOINTS_MAX {
        assert_eq!(client.health(&id(0)).is_some(), number > 0, "{number}");
        let mut settings = server.settings();
        settings.id = id(number);
        let endpoint = Endpoint::new(settings).unwrap();
        assert_eq!(read(ask(&client, &endpoint).unwrap()).await.0, TEXT);
    }
    assert_eq!(client.health(&id(0)), None);
    assert!(client.health(&id(1)).is_some());
}

#[test]
fn what_crosses_threads() {
    fn crosses<T: Send + Sync + 'static>() {}
    crosses::<whimbrel_network::ChatClient>();
    crosses::<whimbrel_network::Answer>();
    crosses::<whimbrel_network::Canceller>();
    crosses::<Endpoint>();
    crosses::<Secret>();
}
