//! Every time limit, in virtual time: it ends the request when it should, with its own name, and the connection goes with it.
#![allow(clippy::unwrap_used)]

mod common;

use std::time::Duration;

use common::*;
use tokio::net::TcpListener;
use tokio::time::Instant;
use whimbrel_network::{Circuit, Delivery, Endpoint, EndpointSettings, Failure, TimeLimit, Timeouts};

const LIMITS: Timeouts = Timeouts {
    connect_ms: 2_000,
    first_byte_ms: 7_000,
    idle_ms: 3_000,
    total_ms: 30_000,
};

fn timed_out(limit: TimeLimit) -> Failure {
    Failure::TimedOut { limit }
}

/// The script makes the request end by this limit, after so many virtual milliseconds.
async fn check(script: Vec<Step>, expected_text: &str, limit: TimeLimit, after_ms: u64, delivery: Delivery) {
    let server = Server::plain(script).await;
    let mut settings = server.settings();
    settings.timeouts = LIMITS;
    let endpoint = Endpoint::new(settings).unwrap();
    let begun = Instant::now();
    let (text, end) = ask_once(&endpoint).await;
    let took = begun.elapsed();
    failed(&end, timed_out(limit), delivery);
    assert_eq!(text, expected_text);
    let expected = Duration::from_millis(after_ms);
    assert!(
        took >= expected && took <= expected + Duration::from_millis(100),
        "{limit:?}: {took:?}"
    );
    assert_eq!(server.requests(), 1);
}

#[tokio::test(start_paused = true)]
async fn waiting_for_the_answer() {
    let stream = |events: &str| Step::Send([&stream_head()[..], events.as_bytes()].concat());
    check(vec![Step::Stall], "", TimeLimit::FirstByte, 7_000, Delivery::Unknown).await;
    let half = Step::Send(b"HTTP/1.1 200 OK\r\ncontent-ty".to_vec());
    check(
        vec![half, Step::Stall],
        "",
        TimeLimit::FirstByte,
        7_000,
        Delivery::Unknown,
    )
    .await;
    // A head is not yet a byte of the answer.
    check(
        vec![stream(""), Step::Stall],
        "",
        TimeLimit::FirstByte,
        7_000,
        Delivery::Answered,
    )
    .await;
    check(
        vec![stream(&delta("a")), Step::Stall],
        "a",
        TimeLimit::Idle,
        3_000,
        Delivery::Answered,
    )
    .await;
    check(
        vec![stream("data: {"), Step::Stall],
        "",
        TimeLimit::Idle,
        3_000,
        Delivery::Answered,
    )
    .await;
    let whole = head(
        "200 OK",
        &[("content-type", "application/json"), ("content-length", "9")],
    );
    check(
        vec![Step::Send(whole), Step::Stall],
        "",
        TimeLimit::FirstByte,
        7_000,
        Delivery::Answered,
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn bytes_without_an_end() {
    let drip = |bytes: &str| vec![Step::Send(stream_head()), Step::EverySecond(bytes.into())];
    let total = TimeLimit::Total;
    check(drip(": still here\n\n"), "", total, 30_000, Delivery::Answered).await;
    check(drip("x"), "", total, 30_000, Delivery::Answered).await;
    check(drip(&delta("a")), &"a".repeat(30), total, 30_000, Delivery::Answered).await;
    // A head that comes letter by letter is waited for as long as any.
    let script = vec![
        Step::Send(b"HTTP/1.1 200 OK\r\nx: ".to_vec()),
        Step::EverySecond(b"y".to_vec()),
    ];
    check(script, "", TimeLimit::FirstByte, 7_000, Delivery::Unknown).await;
    // So is a refusal's body, and then the status is what counts.
    let server = Server::plain(vec![
        Step::Send(head("500 Error", &[])),
        Step::EverySecond(b"y".to_vec()),
    ])
    .await;
    let begun = Instant::now();
    let (_, end) = ask_once(&server.endpoint()).await;
    assert!(matches!(end.unwrap_err().failure, Failure::Refused { status: 500, .. }));
    assert!(begun.elapsed() <= Duration::from_millis(5_100));
}

#[tokio::test(start_paused = true)]
async fn a_handshake_that_never_comes() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let holder = tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((tcp, _)) = listener.accept().await {
            held.push(tcp);
        }
    });
    let mut settings = EndpointSettings::new(ID, &url, "small");
    settings.timeouts = LIMITS;
    let begun = Instant::now();
    let (_, end) = ask_once(&Endpoint::new(settings).unwrap()).await;
    failed(&end, timed_out(TimeLimit::Connect), Delivery::NotSent);
    let error = end.unwrap_err();
    assert_eq!((error.traffic.attempts, error.traffic.bytes_out), (1, 0));
    let took = begun.elapsed();
    assert!(
        took >= Duration::from_secs(2) && took < Duration::from_millis(2_100),
        "{took:?}"
    );
    holder.abort();
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_does_not_read() {
    let many = delta("a").repeat(10_000);
    let server = Server::plain(vec![Step::Send(chunked(&many, 1000)), Step::Stall]).await;
    let mut settings = server.settings();
    settings.timeouts = LIMITS;
    let endpoint = Endpoint::new(settings).unwrap();
    let client = client();
    let answer = ask(&client, &endpoint).unwrap();
    server.client_gone().await;
    let (text, end) = read(answer).await;
    // What was read before the limit is given; the endpoint is not blamed.
    assert!((1..10_000).contains(&text.len()), "{}", text.len());
    failed(&end, timed_out(TimeLimit::Total), Delivery::Answered);
    let health = client.health(ID).unwrap();
    assert_eq!((health.circuit, health.failures_in_a_row), (Circuit::Closed, 0));
}
