//! Sending telemetry to a collector on this machine that answers well, badly or not at all.
#![allow(clippy::unwrap_used)]

mod common;

use std::io::Read;
use std::time::{Duration, SystemTime};

use common::*;
use flate2::read::GzDecoder;
use tokio::net::TcpListener;
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;
use whimbrel_network::{
    COLLECTOR_RETRY_AFTER_MS_MAX, CertificateProblem, Collector, CollectorSettings, EndpointError, Failure, KeyHeader,
    PinSettings, REPLY_BYTES_MAX, Secret, Sent, ServerCode, TelemetryClient, TelemetryError, TimeLimit, Timeouts,
};
use whimbrel_privacy::PrivacyClass as Class;
use whimbrel_record::{Closing, Intent, Label, Outcome, ReceiptId};
use whimbrel_telemetry::Meter;
use whimbrel_telemetry::export::{Body, InstallId, Os, Resource, Signal, SpanSource, Vocabulary, metrics, spans};

fn resource() -> Resource {
    Resource {
        service: Label::squeezed("field-notes"),
        install: InstallId([7; 16]),
        os: Os::Linux,
        device: None,
    }
}

fn receipt() -> (Intent, Closing) {
    let intent = Intent::new(Label::squeezed("request-1"), Label::squeezed("chat"), Class::Public);
    (intent, Closing::new(Outcome::Denied))
}

/// A message of each signal.
fn bodies() -> [Body; 2] {
    let (intent, closing) = receipt();
    let mut meter = Meter::new(1_000, 0);
    meter.count(1, 2_000, 0, &intent, &closing);
    let mut figures = metrics(&meter, &resource(), &Vocabulary::default(), 3_000);
    let source = SpanSource {
        id: ReceiptId(1),
        opened_ms: 2_000,
        intent: &intent,
        closing: &closing,
    };
    let mut traces = spans(&[source], &resource(), &Vocabulary::default());
    [figures.remove(0), traces.remove(0)]
}

fn settings(server: &Server) -> CollectorSettings {
    CollectorSettings::new(server.url.strip_suffix("/v1").unwrap())
}

async fn send(settings: CollectorSettings) -> Result<Sent, TelemetryError> {
    let collector = Collector::new(settings).unwrap();
    TelemetryClient::new().send(&collector, &bodies()[0], None).await
}

/// What came of sending to a collector that follows this script.
async fn send_to(script: Vec<Step>) -> Result<Sent, TelemetryError> {
    let server = Server::plain(script).await;
    let sent = send(settings(&server)).await;
    assert_eq!(server.requests(), 1, "sent once, whatever comes of it");
    sent
}

fn answered(status: &str, fields: &[(&str, &str)], body: &[u8]) -> Vec<Step> {
    let length = body.len().to_string();
    let head = head(status, &[fields, &[("content-length", &length)]].concat());
    vec![Step::Send([&head[..], body].concat())]
}

#[tokio::test]
async fn a_message_as_it_leaves() {
    let server = Server::plain(answered("200 OK", &[], b"")).await;
    let mut settings = settings(&server);
    settings.headers = vec![("x-team".to_owned(), "birds".to_owned())];
    let bearer = Collector::new(settings.clone()).unwrap();
    settings.key_header = KeyHeader::Named("api-key".to_owned());
    let named = Collector::new(settings).unwrap();
    let key = Secret::new("secret-1".to_owned()).unwrap();
    let client = TelemetryClient::new();
    for (body, collector) in bodies().iter().zip([&bearer, &named]) {
        let sent = client.send(collector, body, Some(&key)).await.unwrap();
        let received = server.received().pop().unwrap();
        assert_eq!(sent.rejected, 0);
        assert_eq!(sent.bytes_out, (received.head.len() + received.bytes.len()) as u64);
        assert!(sent.bytes_in > 0);
        let mut bytes = Vec::new();
        GzDecoder::new(&received.bytes[..]).read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes, body.bytes());
        assert!(received.bytes.len() < bytes.len());
    }
    let host = server.address;
    let common = "content-type: application/x-protobuf\r\ncontent-encoding: gzip\r\naccept: application/x-protobuf\r\n";
    let agent = concat!("user-agent: whimbrel/", env!("CARGO_PKG_VERSION"), "\r\n");
    for (received, (path, key)) in server.received().iter().zip([
        ("/v1/metrics", "authorization: Bearer secret-1\r\n"),
        ("/v1/traces", "api-key: secret-1\r\n"),
    ]) {
        let length = received.bytes.len();
        let expected = format!(
            "POST {path} HTTP/1.1\r\nx-team: birds\r\naccept-encoding: identity\r\n{agent}{key}{common}host: {host}\r\n\
             content-length: {length}\r\n\r\n"
        );
        assert_eq!(received.head, expected);
    }
    // The settings differ only in the key's header, which is enough for a connection of their own.
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn one_connection_for_many_messages() {
    let server = Server::plain(answered("200 OK", &[], b"")).await;
    let collector = Collector::new(settings(&server)).unwrap();
    let client = TelemetryClient::new();
    for body in [bodies(), bodies()].concat() {
        client.send(&collector, &body, None).await.unwrap();
    }
    assert_eq!((server.requests(), server.connections()), (4, 1));
    client.network_changed();
    client.send(&collector, &bodies()[0], None).await.unwrap();
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn accepted_and_partly_rejected() {
    let check = async |status: &str, body: &[u8], rejected: u64| {
        let sent = send_to(answered(status, &[], body)).await.unwrap();
        assert_eq!(sent.rejected, rejected, "{status} {body:?}");
    };
    check("200 OK", b"", 0).await;
    check("200 OK", b"\x0a\x08\x08\x03\x12\x04none", 3).await;
    check("202 Accepted", b"<html>", 0).await;
    check("200 OK", &vec![0x12; REPLY_BYTES_MAX as usize], 0).await;
}

/// The script makes sending fail like this.
async fn check_failure(script: Vec<Step>, failure: Failure, is_retryable: bool, retry_after_ms: Option<u64>) {
    let error = send_to(script.clone()).await.unwrap_err();
    assert_eq!(
        (error.failure, error.is_retryable),
        (failure, is_retryable),
        "{script:?}"
    );
    assert_eq!(error.retry_after_ms, retry_after_ms, "{script:?}");
    assert!(error.traffic.bytes_out > 0);
    assert_eq!(error.traffic.attempts, 1);
}

fn refused(status: u16, code: ServerCode, retry_after_ms: Option<u64>) -> Failure {
    Failure::Refused {
        status,
        code,
        retry_after_ms,
    }
}

#[tokio::test]
async fn refusals() {
    let said = b"\x12\x16the collector's reason";
    for (status, code, is_retryable) in [
        (400, ServerCode::Unstated, false),
        (401, ServerCode::InvalidKey, false),
        (404, ServerCode::NotFound, false),
        (413, ServerCode::RequestTooLarge, false),
        (408, ServerCode::Unstated, false),
        (429, ServerCode::RateLimited, true),
        (500, ServerCode::Unstated, false),
        (501, ServerCode::Unstated, false),
        (502, ServerCode::Unstated, true),
        (503, ServerCode::Overloaded, true),
        (504, ServerCode::Unstated, true),
    ] {
        let script = answered(&format!("{status} No"), &[], said);
        let failure = refused(status, code, None);
        check_failure(script, failure, is_retryable, None).await;
        // An error says nothing that the collector said.
        assert!(!failure.to_string().contains("reason"));
    }
}

#[tokio::test]
async fn waits_that_a_collector_asks_for() {
    let check = async |status: u16, value: &str, asked: Option<u64>, waits: Option<u64>| {
        let script = answered(&format!("{status} No"), &[("retry-after", value)], b"");
        let code = match status {
            429 => ServerCode::RateLimited,
            503 => ServerCode::Overloaded,
            _ => ServerCode::Unstated,
        };
        let failure = refused(status, code, asked);
        check_failure(script, failure, waits.is_some() || status != 400, waits).await;
    };
    check(429, "7", Some(7_000), Some(7_000)).await;
    check(503, "0", Some(0), Some(0)).await;
    check(503, "soon", None, None).await;
    check(
        429,
        "999999999999999999999",
        Some(COLLECTOR_RETRY_AFTER_MS_MAX),
        Some(COLLECTOR_RETRY_AFTER_MS_MAX),
    )
    .await;
    // Only a status that may be tried again can ask to wait.
    check(400, "7", Some(7_000), None).await;
    let date = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(90));
    let script = answered("503 Busy", &[("retry-after", &date)], b"");
    let waits = send_to(script).await.unwrap_err().retry_after_ms.unwrap();
    assert!((60_000..=90_000).contains(&waits), "{waits}");
}

#[tokio::test]
async fn redirects_are_not_followed() {
    for status in [301, 302, 303, 307, 308] {
        let elsewhere = Server::plain(answered("200 OK", &[], b"")).await;
        let script = answered(&format!("{status} Moved"), &[("location", &elsewhere.url)], b"");
        check_failure(script, Failure::Redirected { status }, false, None).await;
        assert_eq!(elsewhere.connections(), 0);
    }
}

#[tokio::test]
async fn replies_without_an_end() {
    let too_large = Failure::ResponseTooLarge {
        what: "body",
        bytes_max: u64::from(REPLY_BYTES_MAX),
    };
    let large = vec![0x12; REPLY_BYTES_MAX as usize + 1];
    check_failure(answered("200 OK", &[], &large), too_large, false, None).await;
    let endless = [head("200 OK", &[]), vec![b'x'; 100_000]].concat();
    check_failure(vec![Step::Send(endless), Step::Stall], too_large, false, None).await;
    let garbage = vec![Step::Send(b"garbage\r\n\r\n".to_vec())];
    check_failure(garbage, Failure::Protocol, false, None).await;
}

#[tokio::test]
async fn connections_that_break() {
    for end in [Step::Close, Step::Reset] {
        check_failure(vec![end], Failure::Lost, true, None).await;
    }
    let short = head("200 OK", &[("content-length", "9")]);
    check_failure(vec![Step::Send(short), Step::Close], Failure::Truncated, true, None).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = send(CollectorSettings::new(&url)).await.unwrap_err();
    assert_eq!((error.failure, error.is_retryable), (Failure::Unreachable, true));
    assert_eq!(error.traffic.bytes_out, 0);
}

#[tokio::test(start_paused = true)]
async fn collectors_that_are_slow() {
    let limits = Timeouts {
        connect_ms: 1_000,
        first_byte_ms: 7_000,
        idle_ms: 3_000,
        total_ms: 20_000,
    };
    let check = async |script: Vec<Step>, limit: TimeLimit, after_ms: u64| {
        let server = Server::plain(script).await;
        let mut settings = settings(&server);
        settings.timeouts = limits;
        let begun = Instant::now();
        let error = send(settings).await.unwrap_err();
        let took = begun.elapsed().as_millis() as u64;
        assert_eq!((error.failure, error.is_retryable), (Failure::TimedOut { limit }, true));
        assert!((after_ms..after_ms + 100).contains(&took), "{limit:?}: {took}");
    };
    let begun = Step::Send([&head("200 OK", &[])[..], b"x"].concat());
    check(vec![Step::Stall], TimeLimit::FirstByte, 7_000).await;
    check(vec![begun.clone(), Step::Stall], TimeLimit::Idle, 3_000).await;
    check(vec![begun, Step::EverySecond(b"x".to_vec())], TimeLimit::Total, 20_000).await;
}

#[tokio::test]
async fn dropping_closes_the_connection() {
    let begun = Step::Send([&head("200 OK", &[])[..], b"x"].concat());
    for script in [vec![Step::Stall], vec![begun, Step::Stall]] {
        let server = Server::plain(script).await;
        let collector = Collector::new(settings(&server)).unwrap();
        let client = TelemetryClient::new();
        let [body, _] = bodies();
        tokio::select! {
            sent = client.send(&collector, &body, None) => panic!("{sent:?}"),
            () = async { while server.requests() == 0 { tokio::task::yield_now().await; } } => {}
        }
        server.client_gone().await;
    }
}

#[test]
fn addresses_that_are_refused() {
    let check = |url: &str, expected: Option<EndpointError>| {
        assert_eq!(Collector::new(CollectorSettings::new(url)).err(), expected, "{url}");
    };
    check("https://otlp.example.com", None);
    check("https://otlp.example.com:4318/tenant/", None);
    check("http://localhost:4318", None);
    check("http://[::1]:4318", None);
    for other in [
        "http://otlp.example.com",
        "http://10.0.0.1:4318",
        "http://0.0.0.0:4318",
        "ftp://localhost",
    ] {
        check(other, Some(EndpointError::Cleartext));
    }
    for malformed in [
        "",
        "otlp.example.com",
        "https://user@otlp.example.com",
        "https://otlp.example.com/?key=1",
    ] {
        check(malformed, Some(EndpointError::Url));
    }
    for reserved in ["content-encoding", "content-type", "cookie", "authorization"] {
        let mut settings = CollectorSettings::new("https://otlp.example.com");
        settings.headers = vec![(reserved.to_owned(), "x".to_owned())];
        assert_eq!(Collector::new(settings).err(), Some(EndpointError::Header { index: 0 }));
    }
}

#[test]
fn settings_as_json() {
    let settings = CollectorSettings::new("https://otlp.example.com");
    let text = serde_json::to_string(&settings).unwrap();
    let expected = concat!(
        r#"{"base_url":"https://otlp.example.com","#,
        r#""timeouts":{"connect_ms":10000,"first_byte_ms":30000,"idle_ms":10000,"total_ms":60000},"#,
        r#""key_header":"bearer","headers":[],"public_authorities":true,"authorities_pem":"","authorities_der":[],"#,
        r#""pins":null}"#
    );
    assert_eq!(text, expected);
    assert_eq!(serde_json::from_str::<CollectorSettings>(&text).unwrap(), settings);
    let short = r#"{"base_url":"https://otlp.example.com"}"#;
    assert_eq!(serde_json::from_str::<CollectorSettings>(short).unwrap(), settings);
    assert!(serde_json::from_str::<CollectorSettings>(r#"{"base_url":"https://a.example","key":"x"}"#).is_err());
}

/// Sends to a collector with this certificate; gives how it failed, and the misses of pins.
async fn send_with(
    acceptor: TlsAcceptor,
    root: &Authority,
    pins: Option<PinSettings>,
) -> (Option<TelemetryError>, u64) {
    let server = Server::scripted(vec![answered("200 OK", &[], b"")], Some(acceptor)).await;
    let mut settings = settings(&server);
    settings.authorities_pem = root.pem();
    settings.pins = pins;
    let collector = Collector::new(settings).unwrap();
    let client = TelemetryClient::new();
    let sent = client.send(&collector, &bodies()[1], None).await;
    assert_eq!(server.requests(), usize::from(sent.is_ok()));
    (sent.err(), client.health().unwrap().pin_misses)
}

#[tokio::test]
async fn certificates_and_pins() {
    let root = Authority::new("Root");
    let leaf = root.leaf(&["127.0.0.1"], |_| {});
    let pins = |pin: String| {
        Some(PinSettings {
            sha256: vec!["0".repeat(64), pin],
            expires_unix_s: 4_000_000_000,
            report_only: false,
        })
    };
    let acceptor = || leaf.acceptor(&[], &[b"http/1.1"]);
    assert_eq!(send_with(acceptor(), &root, None).await, (None, 0));
    assert_eq!(send_with(acceptor(), &root, pins(leaf.pin())).await, (None, 0));
    for (trusted, pins, problem, missed) in [
        (&root, pins("1".repeat(64)), CertificateProblem::Pin, 1),
        (
            &Authority::new("Other"),
            pins(leaf.pin()),
            CertificateProblem::Authority,
            0,
        ),
    ] {
        let (error, misses) = send_with(acceptor(), trusted, pins).await;
        let error = error.unwrap();
        assert_eq!((error.failure, misses), (Failure::Certificate { problem }, missed));
        assert_eq!((error.is_retryable, error.traffic.bytes_out), (true, 0));
    }
}

#[test]
fn each_signal_has_its_address() {
    let paths = bodies().map(|body| (body.signal(), body.signal().path()));
    assert_eq!(paths, [(Signal::Metrics, "v1/metrics"), (Signal::Traces, "v1/traces")]);
}
