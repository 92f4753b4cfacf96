//! What is sent again, and above all what is not: the server counts. In virtual time.
#![allow(clippy::unwrap_used)]

mod common;

use std::time::{Duration, SystemTime};

use common::*;
use tokio::net::TcpListener;
use tokio::time::Instant;
use whimbrel_network::{
    ATTEMPTS_MAX, Circuit, Delivery, Endpoint, EndpointSettings, FAILURES_MAX, Failure, OPEN_MS_BASE,
    RETRY_AFTER_MS_MAX, ServerCode,
};

fn refusal(status: &str, fields: &[(&str, &str)]) -> Vec<Step> {
    vec![Step::Send(response(status, fields, ""))]
}

const BUSY: &str = "429 Too Many Requests";

/// The scripts lead to the good text after so many requests, and a wait within these virtual milliseconds.
async fn check(scripts: Vec<Vec<Step>>, requests: usize, least_ms: u64, most_ms: u64) {
    let server = Server::scripted(scripts, None).await;
    let begun = Instant::now();
    let (text, end) = ask_once(&server.endpoint()).await;
    let finished = end.unwrap();
    assert_eq!(text, TEXT);
    assert_eq!(
        (server.requests(), finished.traffic.attempts as usize),
        (requests, requests)
    );
    let took = begun.elapsed().as_millis() as u64;
    assert!((least_ms..=most_ms).contains(&took), "{took}");
    let seen = server.received();
    let sent: usize = seen.iter().map(|request| request.head.len() + request.body.len()).sum();
    assert_eq!(finished.traffic.bytes_out, sent as u64);
    for request in seen.iter() {
        assert_eq!(request.header("idempotency-key"), Some("request-1"));
        assert_eq!((&request.head, &request.body), (&seen[0].head, &seen[0].body));
    }
}

#[tokio::test(start_paused = true)]
async fn a_busy_server_is_asked_again() {
    check(vec![refusal(BUSY, &[]), good()], 2, 250, 600).await;
    check(
        vec![refusal("503 Service Unavailable", &[]), refusal(BUSY, &[]), good()],
        3,
        750,
        1_600,
    )
    .await;
    check(vec![refusal(BUSY, &[("retry-after", "4")]), good()], 2, 4_000, 4_100).await;
    let date = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(20));
    check(
        vec![refusal(BUSY, &[("retry-after", &date)]), good()],
        2,
        10_000,
        20_100,
    )
    .await;
    check(vec![refusal(BUSY, &[("retry-after", "soon")]), good()], 2, 250, 600).await;
}

/// The script is answered with this refusal after so many requests.
async fn check_refused(script: Vec<Step>, status: u16, code: ServerCode, retry_after_ms: Option<u64>, requests: usize) {
    let server = Server::plain(script).await;
    let mut settings = server.settings();
    settings.timeouts.total_ms = 20_000;
    let (_, end) = ask_once(&Endpoint::new(settings).unwrap()).await;
    let failure = Failure::Refused {
        status,
        code,
        retry_after_ms,
    };
    failed(&end, failure, Delivery::Refused);
    assert_eq!(
        (server.requests(), end.unwrap_err().traffic.attempts as usize),
        (requests, requests)
    );
}

#[tokio::test(start_paused = true)]
async fn asking_again_has_an_end() {
    let limited = ServerCode::RateLimited;
    let most = ATTEMPTS_MAX as usize;
    check_refused(refusal(BUSY, &[]), 429, limited, None, most).await;
    check_refused(refusal("503 Busy", &[]), 503, ServerCode::Overloaded, None, most).await;
    // Too long a wait, by the limit and by the deadline.
    let past = (RETRY_AFTER_MS_MAX / 1_000 + 1).to_string();
    check_refused(refusal(BUSY, &[("retry-after", &past)]), 429, limited, Some(31_000), 1).await;
    check_refused(refusal(BUSY, &[("retry-after", "20")]), 429, limited, Some(20_000), 1).await;
    for status in [400, 401, 404, 408, 409, 500, 502, 504] {
        let server = Server::plain(refusal(&format!("{status} No"), &[("retry-after", "1")])).await;
        assert!(ask_once(&server.endpoint()).await.1.is_err());
        assert_eq!(server.requests(), 1, "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_may_have_arrived_is_not_sent_again() {
    let begun_events = Step::Send([&stream_head()[..], delta("a").as_bytes()].concat());
    for script in [
        vec![Step::Close],
        vec![Step::Reset],
        vec![Step::Stall],
        vec![Step::Send(b"HTTP/1.1 ".to_vec()), Step::Reset],
        vec![Step::Send(stream_head()), Step::Close],
        vec![begun_events.clone(), Step::Reset],
        vec![begun_events, Step::Stall],
        vec![Step::Send(b"garbage\r\n\r\n".to_vec()), Step::Stall],
    ] {
        let server = Server::scripted(vec![script.clone(), good()], None).await;
        let (_, end) = ask_once(&server.endpoint()).await;
        assert_eq!(end.unwrap_err().traffic.attempts, 1, "{script:?}");
        assert_eq!(server.requests(), 1, "{script:?}");
    }
    // The same on a connection that has served before, where HTTP libraries like to try again by themselves.
    for end in [Step::Close, Step::Reset] {
        let server = Server::scripted(vec![good(), vec![end], good()], None).await;
        let client = client();
        let endpoint = server.endpoint();
        assert_eq!(read(ask(&client, &endpoint).unwrap()).await.0, TEXT);
        let (_, result) = read(ask(&client, &endpoint).unwrap()).await;
        failed(&result, Failure::Lost, Delivery::Unknown);
        assert_eq!((server.requests(), server.connections()), (2, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_went_while_idle_is_replaced() {
    let whole = good_events();
    let fields = [("content-type", "text/event-stream")];
    let closing = vec![Step::Send(response("200 OK", &fields, &whole)), Step::Close];
    let server = Server::plain(closing).await;
    let client = client();
    for _ in 0..5 {
        let (text, end) = read(ask(&client, &server.endpoint()).unwrap()).await;
        assert_eq!(text, TEXT);
        assert_eq!(end.unwrap().traffic.attempts, 1);
        // The server's farewell has to arrive, or the next request meets a dying connection, which is the case above.
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!((server.requests(), server.connections()), (5, 5));
}

#[tokio::test(start_paused = true)]
async fn nobody_there() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let endpoint = Endpoint::new(EndpointSettings::new(ID, &url, "small")).unwrap();
    let (_, end) = ask_once(&endpoint).await;
    failed(&end, Failure::Unreachable, Delivery::NotSent);
    let traffic = end.unwrap_err().traffic;
    assert_eq!(
        (traffic.attempts, traffic.bytes_out, traffic.bytes_in),
        (ATTEMPTS_MAX, 0, 0)
    );
}

#[tokio::test(start_paused = true)]
async fn a_broken_handshake_is_tried_again() {
    let authority = Authority::new("Test Root");
    let acceptor = authority.leaf(&["127.0.0.1"], |_| {}).acceptor(&[], &[b"http/1.1"]);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = Server::scripted(vec![good()], Some(acceptor)).await;
    let address = listener.local_addr().unwrap();
    let target = server.address;
    // The first connection is dropped, the second one leads to the server.
    tokio::spawn(async move {
        drop(listener.accept().await.unwrap());
        let (mut inner, _) = listener.accept().await.unwrap();
        let mut outer = tokio::net::TcpStream::connect(target).await.unwrap();
        let _ = tokio::io::copy_bidirectional(&mut inner, &mut outer).await;
    });
    let mut settings = EndpointSettings::new(ID, &format!("https://{address}/v1"), "small");
    settings.authorities_pem = authority.pem();
    let (text, end) = ask_once(&Endpoint::new(settings).unwrap()).await;
    assert_eq!((text.as_str(), end.unwrap().traffic.attempts), (TEXT, 2));
    assert_eq!(server.requests(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_circuit_opens_and_closes() {
    let failing = refusal("500 Error", &[]);
    let scripts = vec![failing.clone(), failing.clone(), failing.clone(), failing, good()];
    let server = Server::scripted(scripts, None).await;
    let (client, endpoint) = (client(), server.endpoint());
    let circuit = || client.health(ID).unwrap().circuit;
    for _ in 0..FAILURES_MAX {
        assert!(read(ask(&client, &endpoint).unwrap()).await.1.is_err());
    }
    assert_eq!(circuit(), Circuit::Open);
    let error = ask(&client, &endpoint).unwrap_err();
    assert!(matches!(error.failure, Failure::CircuitOpen { remaining_ms } if remaining_ms <= OPEN_MS_BASE));
    assert_eq!((error.delivery, server.requests()), (Delivery::NotSent, 3));
    tokio::time::advance(Duration::from_millis(OPEN_MS_BASE)).await;
    assert_eq!(circuit(), Circuit::HalfOpen);
    // One probe at a time; one that is dropped makes way for the next.
    let probe = ask(&client, &endpoint).unwrap();
    assert!(ask(&client, &endpoint).is_err());
    assert!(read(probe).await.1.is_err());
    assert_eq!(circuit(), Circuit::Open);
    tokio::time::advance(Duration::from_millis(2 * OPEN_MS_BASE)).await;
    assert_eq!(read(ask(&client, &endpoint).unwrap()).await.0, TEXT);
    let health = client.health(ID).unwrap();
    assert_eq!(
        (health.circuit, health.failures_in_a_row, health.open_for_ms),
        (Circuit::Closed, 0, 0)
    );
}

#[tokio::test(start_paused = true)]
async fn a_server_is_left_alone_as_long_as_it_asks() {
    let server = Server::scripted(vec![refusal(BUSY, &[("retry-after", "60")]), good()], None).await;
    let (client, endpoint) = (client(), server.endpoint());
    assert!(read(ask(&client, &endpoint).unwrap()).await.1.is_err());
    let health = client.health(ID).unwrap();
    assert_eq!(health.circuit, Circuit::Open);
    assert!((59_900..=60_000).contains(&health.open_for_ms), "{health:?}");
    // New settings are a new endpoint.
    let mut settings = server.settings();
    settings.model = "other".to_owned();
    assert_eq!(
        read(ask(&client, &Endpoint::new(settings).unwrap()).unwrap()).await.0,
        TEXT
    );
}

#[tokio::test(start_paused = true)]
async fn refusals_of_the_request_are_not_the_endpoints_fault() {
    let server = Server::plain(refusal("400 Bad Request", &[])).await;
    let (client, endpoint) = (client(), server.endpoint());
    for _ in 0..2 * FAILURES_MAX {
        assert!(read(ask(&client, &endpoint).unwrap()).await.1.is_err());
    }
    assert_eq!(client.health(ID).unwrap().circuit, Circuit::Closed);
    assert_eq!(server.requests(), 2 * FAILURES_MAX as usize);
}
