//! A server that does everything wrong: each case ends in a typed error with the text so far, and the server has seen one request.
#![allow(clippy::unwrap_used)]

mod common;

use common::*;
use whimbrel_network::{
    Delivery, ERROR_BODY_BYTES_MAX, EVENT_BYTES_MAX, Endpoint, Failure, FinishReason, HEAD_BYTES_MAX, JSON_BYTES_MAX,
    ServerCode,
};

const BODY_BYTES_MAX: u32 = 1024 * 1024;

/// The script ends in this failure, after this text and one request, over plain TCP and over TLS.
async fn check(script: Vec<Step>, expected_text: &str, failure: Failure, delivery: Delivery) {
    let authority = Authority::new("Root");
    let acceptor = authority.leaf(&["127.0.0.1"], |_| {}).acceptor(&[], &[b"http/1.1"]);
    for tls in [None, Some(acceptor)] {
        let is_tls = tls.is_some();
        let server = Server::scripted(vec![script.clone()], tls).await;
        let mut settings = server.settings();
        settings.response_bytes_max = BODY_BYTES_MAX;
        if is_tls {
            settings.authorities_pem = authority.pem();
        }
        let (text, end) = ask_once(&Endpoint::new(settings).unwrap()).await;
        assert_eq!(text, expected_text, "tls: {is_tls}");
        failed(&end, failure, delivery);
        let traffic = end.unwrap_err().traffic;
        assert_eq!(
            (server.requests(), traffic.attempts),
            (1, 1),
            "{failure:?}, tls: {is_tls}"
        );
        let request = server.received()[0].clone();
        assert_eq!(traffic.bytes_out, (request.head.len() + request.body.len()) as u64);
    }
}

async fn answered(script: Vec<Step>, text: &str, failure: Failure) {
    check(script, text, failure, Delivery::Answered).await;
}

fn send(parts: &[&[u8]]) -> Step {
    Step::Send(parts.concat())
}

#[tokio::test]
async fn answers_that_break_off() {
    let unfinished = [delta("Grü"), delta("ße")].concat();
    let events = unfinished.as_bytes();
    // The end of the stream, in every form that HTTP knows, is no end of the answer.
    answered(vec![Step::Send(chunked(&unfinished, 9))], "Grüße", Failure::Truncated).await;
    answered(
        vec![send(&[&stream_head(), events]), Step::Close],
        "Grüße",
        Failure::Truncated,
    )
    .await;
    let vanish = vec![send(&[&stream_head(), events]), Step::Vanish];
    answered(vanish, "Grüße", Failure::Truncated).await;
    let fields = [("content-type", "text/event-stream")];
    let sized = response("200 OK", &fields, &unfinished);
    answered(vec![Step::Send(sized)], "Grüße", Failure::Truncated).await;
    // An empty reason is none.
    let unreasoned = unfinished.replace("null", "\"\"");
    answered(vec![Step::Send(chunked(&unreasoned, 9))], "Grüße", Failure::Truncated).await;
    let empty = response("200 OK", &fields, "");
    answered(vec![Step::Send(empty)], "", Failure::Truncated).await;
    // Wrong lengths: more was promised than comes, less was promised than comes.
    let promise = |length: usize| {
        let length = length.to_string();
        head(
            "200 OK",
            &[("content-type", "text/event-stream"), ("content-length", &length)],
        )
    };
    let more = promise(events.len() + 1);
    answered(vec![send(&[&more, events]), Step::Close], "Grüße", Failure::Truncated).await;
    let less = promise(delta("Grü").len() + 5);
    answered(vec![send(&[&less, events])], "Grü", Failure::Truncated).await;
    // The connection goes in the middle of a chunk.
    let mut broken = chunked(&unfinished, 1000);
    broken.truncate(broken.len() - 6);
    answered(
        vec![Step::Send(broken.clone()), Step::Close],
        "Grüße",
        Failure::Truncated,
    )
    .await;
    answered(vec![Step::Send(broken), Step::Reset], "Grüße", Failure::Lost).await;
    answered(
        vec![send(&[&stream_head(), events]), Step::Reset],
        "Grüße",
        Failure::Lost,
    )
    .await;
    // A chunk without a length.
    let frame = b"zz\r\n".to_vec();
    let fields = [("content-type", "text/event-stream"), ("transfer-encoding", "chunked")];
    let script = vec![send(&[&head("200 OK", &fields), &frame]), Step::Stall];
    answered(script, "", Failure::Protocol).await;
    // An event without its empty line is none.
    let stop = stop();
    let cut = [events, stop.trim_end().as_bytes()].concat();
    answered(
        vec![send(&[&stream_head(), &cut]), Step::Close],
        "Grüße",
        Failure::Truncated,
    )
    .await;
}

#[tokio::test]
async fn an_end_without_a_reason_is_an_end() {
    let events = [delta("a"), DONE.to_owned(), delta("b")].concat();
    let server = Server::plain(vec![Step::Send(chunked(&events, 1000))]).await;
    let (text, end) = ask_once(&server.endpoint()).await;
    assert_eq!(
        (text.as_str(), end.unwrap().finish_reason),
        ("a", FinishReason::Unstated)
    );
}

#[tokio::test]
async fn no_answer_at_all() {
    check(vec![Step::Close], "", Failure::Lost, Delivery::Unknown).await;
    check(vec![Step::Reset], "", Failure::Lost, Delivery::Unknown).await;
    let half = b"HTTP/1.1 200 OK\r\ncontent-ty".to_vec();
    check(
        vec![Step::Send(half), Step::Close],
        "",
        Failure::Lost,
        Delivery::Unknown,
    )
    .await;
    for garbage in [
        "\0\x01\x02\x03\r\n\r\n",
        "220 mail.example ESMTP\r\n",
        "HTTP/9.9 200 OK\r\n\r\n",
        "HTTP/1.1 2x0\r\n\r\n",
    ] {
        let script = vec![Step::Send(garbage.into()), Step::Stall];
        check(script, "", Failure::Protocol, Delivery::Unknown).await;
    }
    let wide = format!("HTTP/1.1 200 OK\r\nx: {}", "y".repeat(HEAD_BYTES_MAX as usize));
    check(
        vec![Step::Send(wide.into_bytes()), Step::Stall],
        "",
        Failure::Protocol,
        Delivery::Unknown,
    )
    .await;
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "x: y\r\n".repeat(1000));
    check(
        vec![Step::Send(many.into_bytes()), Step::Stall],
        "",
        Failure::Protocol,
        Delivery::Unknown,
    )
    .await;
}

#[tokio::test]
async fn answers_of_another_kind() {
    let typed = |fields: &[(&str, &str)], body: &str| vec![Step::Send(response("200 OK", fields, body))];
    answered(
        typed(&[("content-type", "text/html")], "<html>"),
        "",
        Failure::ContentType,
    )
    .await;
    answered(typed(&[], &good_events()), "", Failure::ContentType).await;
    let zipped = [("content-type", "text/event-stream"), ("content-encoding", "gzip")];
    answered(typed(&zipped, &good_events()), "", Failure::ContentType).await;
    answered(
        vec![Step::Send(response("204 No Content", &[], ""))],
        "",
        Failure::ContentType,
    )
    .await;
    let stream = |events: &str| typed(&[("content-type", "text/event-stream")], events);
    let json = Failure::Malformed { what: "JSON" };
    answered(
        stream(&[&delta("a"), "data: {\"choices\":[{]}\n\n"].concat()),
        "a",
        json,
    )
    .await;
    // Words that are no JSON cannot carry text, and are no end either.
    answered(
        stream(&[&delta("a"), "data: hello\n\n"].concat()),
        "a",
        Failure::Truncated,
    )
    .await;
    let body = [delta("a").as_bytes(), b"data: \xff\n\n"].concat();
    let script = vec![send(&[&stream_head(), &body]), Step::Close];
    answered(script, "a", Failure::Malformed { what: "UTF-8" }).await;
    let whole = |body: &str| typed(&[("content-type", "application/json")], body);
    answered(whole("{\"choices\":"), "", json).await;
    answered(whole(""), "", json).await;
}

#[tokio::test]
async fn errors_inside_of_an_answer() {
    let error = r#"{"error":{"message":"the user said: alice@example.com","code":"server_error"}}"#;
    let reported = |code| Failure::Reported { code };
    for event in [format!("data: {error}\n\n"), format!("event: error\ndata: {error}\n\n")] {
        let events = [delta("a"), event, delta("b"), stop(), DONE.to_owned()].concat();
        answered(
            vec![Step::Send(chunked(&events, 1000))],
            "a",
            reported(ServerCode::ServerError),
        )
        .await;
    }
    let events = [delta("a"), "event: error\ndata: sorry\n\n".to_owned()].concat();
    answered(
        vec![Step::Send(chunked(&events, 1000))],
        "a",
        reported(ServerCode::Unstated),
    )
    .await;
    let whole = response("200 OK", &[("content-type", "application/json")], error);
    answered(vec![Step::Send(whole)], "", reported(ServerCode::ServerError)).await;
}

#[tokio::test]
async fn answers_that_are_too_large() {
    let too_large = |what, bytes_max: u32| Failure::ResponseTooLarge {
        what,
        bytes_max: u64::from(bytes_max),
    };
    let endless = vec![b'x'; EVENT_BYTES_MAX as usize + 100];
    let event = [delta("a").as_bytes(), b"data: ", &endless].concat();
    let script = vec![send(&[&stream_head(), &event]), Step::Stall];
    answered(script, "a", too_large("one event", EVENT_BYTES_MAX)).await;
    // Comments are no text, and yet they are bytes of the body.
    let comment = [&b":"[..], &vec![b' '; 1022], b"\n"].concat();
    let script = vec![Step::Send(stream_head()), Step::Send(comment.repeat(1025)), Step::Stall];
    answered(script, "", too_large("body", BODY_BYTES_MAX)).await;
    let exact = [&comment.repeat(1023)[..], good_events().as_bytes()].concat();
    assert!(exact.len() <= BODY_BYTES_MAX as usize);
    let server = Server::plain(vec![send(&[&stream_head(), &exact]), Step::Close]).await;
    let mut settings = server.settings();
    settings.response_bytes_max = BODY_BYTES_MAX;
    assert_eq!(ask_once(&Endpoint::new(settings).unwrap()).await.0, TEXT);

    let blanks = " ".repeat(JSON_BYTES_MAX as usize + 1);
    let script = vec![Step::Send(response(
        "200 OK",
        &[("content-type", "application/json")],
        &blanks,
    ))];
    let server = Server::plain(script).await;
    let (_, end) = ask_once(&server.endpoint()).await;
    failed(&end, too_large("body", JSON_BYTES_MAX), Delivery::Answered);
}

#[tokio::test]
async fn refusals() {
    let long = format!(
        r#"{{"error":{{"code":"x"}},"rest":"{}"}}"#,
        "y".repeat(ERROR_BODY_BYTES_MAX as usize)
    );
    for (status, body, code) in [
        (
            "400 Bad Request",
            r#"{"error":{"type":"exceed_context_size_error","code":400}}"#,
            ServerCode::ContextLength,
        ),
        (
            "400 Bad Request",
            "<html>alice@example.com</html>",
            ServerCode::Unstated,
        ),
        ("401 Unauthorized", "", ServerCode::InvalidKey),
        ("403 Forbidden", "", ServerCode::Forbidden),
        ("404 Not Found", "not found", ServerCode::NotFound),
        (
            "429 Too Many Requests",
            r#"{"error":{"code":"insufficient_quota"}}"#,
            ServerCode::QuotaExceeded,
        ),
        (
            "500 Internal Server Error",
            r#"{"error":{"type":"server_error"}}"#,
            ServerCode::ServerError,
        ),
        ("502 Bad Gateway", &long, ServerCode::Unstated),
    ] {
        let failure = Failure::Refused {
            status: status[..3].parse().unwrap(),
            code,
            retry_after_ms: None,
        };
        let script = vec![Step::Send(response(
            status,
            &[("content-type", "application/json")],
            body,
        ))];
        check(script, "", failure, Delivery::Refused).await;
        // A refusal whose body never comes is a refusal all the same.
        let fields = [("content-length", "100")];
        let script = vec![Step::Send(head(status, &fields)), Step::Reset];
        let server = Server::plain(script).await;
        let mut settings = server.settings();
        settings.timeouts.total_ms = 10_000;
        let (_, end) = ask_once(&Endpoint::new(settings).unwrap()).await;
        assert!(matches!(end.unwrap_err().failure, Failure::Refused { .. }), "{status}");
    }
    for status in [
        "301 Moved Permanently",
        "302 Found",
        "307 Temporary Redirect",
        "308 Permanent Redirect",
    ] {
        let script = vec![Step::Send(response(status, &[("location", "/v1/elsewhere")], ""))];
        let failure = Failure::Redirected {
            status: status[..3].parse().unwrap(),
        };
        check(script, "", failure, Delivery::Refused).await;
    }
}

#[test]
fn no_error_says_what_a_server_said() {
    let failures = [
        Failure::Refused {
            status: 400,
            code: ServerCode::Unstated,
            retry_after_ms: None,
        },
        Failure::Reported {
            code: ServerCode::ContentFiltered,
        },
    ];
    let said: Vec<_> = failures.iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        [
            "the server refused the request with status 400",
            "the server reported an error in its answer"
        ]
    );
}
