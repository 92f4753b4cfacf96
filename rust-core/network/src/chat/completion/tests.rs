//! Chunks as OpenAI writes them, as others do, and as nobody should.

use super::*;
use crate::ServerCode;

/// The chunks of one answer give these pieces, as far as the last one.
#[track_caller]
fn check_all(chunks: &[&str], expected: &[Result<Option<Piece>, Failure>]) {
    let mut reader = PieceReader::new();
    let read: Vec<_> = chunks.iter().map(|chunk| reader.read(chunk)).collect();
    assert_eq!(read, expected, "{chunks:?}");
}

#[track_caller]
fn check(json: &str, expected: Result<Option<Piece>, Failure>) {
    check_all(&[json], &[expected]);
}

fn text(text: &str) -> Result<Option<Piece>, Failure> {
    piece(|piece| piece.text = Some(text.to_owned()))
}

fn piece(change: impl FnOnce(&mut Piece)) -> Result<Option<Piece>, Failure> {
    let mut piece = Piece::default();
    change(&mut piece);
    Ok(Some(piece))
}

fn delta(content: &str) -> String {
    format!(r#"{{"choices":[{{"index":0,"delta":{{"content":{content}}}}}]}}"#)
}

#[test]
fn pieces() {
    check(&delta(r#""a\n""#), text("a\n"));
    check(&delta(r#"" ""#), text(" "));
    check(&delta("\"a\tb\""), text("a\tb"));
    check(
        r#"{"choices":[{"delta":{"content":"a","new":{}},"logprobs":null}],"x":[1]}"#,
        text("a"),
    );
    check(
        r#"{"choices":[{"index":1,"delta":{"content":"b"}},{"index":0,"delta":{"content":"a"}}]}"#,
        text("a"),
    );
    check(
        r#"{"choices":[{"message":{"role":"assistant","content":"all"}}]}"#,
        text("all"),
    );
    check(r#"{"choices":[{"text":"all","index":0}]}"#, text("all"));
    check(
        r#"{"choices":[{"delta":{"role":"assistant","content":null}}]}"#,
        Ok(Some(Piece::default())),
    );
    check(r#"{"choices":[],"error":null}"#, Ok(Some(Piece::default())));
    let whole = piece(|piece| {
        piece.text = Some("all".to_owned());
        piece.finish_reason = Some(FinishReason::Length);
        piece.usage = Some(Usage {
            prompt_tokens: 3,
            completion_tokens: 1,
        });
        piece.model = Some("org/model:1".to_owned());
    });
    check(
        r#"{"model":"org/model:1","choices":[{"message":{"content":"all"},"finish_reason":"length"}],
            "usage":{"prompt_tokens":3,"completion_tokens":1,"total_tokens":4}}"#,
        whole,
    );
}

#[test]
fn what_makes_no_sense_is_left_out() {
    // It is no reason to lose the text.
    for odd in [
        r#""usage":{"prompt_tokens":-1,"completion_tokens":1}"#,
        r#""usage":[]"#,
        r#""usage":null"#,
        r#""model":"a b""#,
        r#""model":7"#,
        r#""error":{}"#,
        r#""error":{"message":"","code":null}"#,
        r#""error":false"#,
        r#""error":[]"#,
    ] {
        check(
            &format!(r#"{{"choices":[{{"delta":{{"content":"a"}}}}],{odd}}}"#),
            text("a"),
        );
    }
    for odd in [
        r#""finish_reason":"""#,
        r#""finish_reason":"null""#,
        r#""finish_reason":7"#,
        r#""index":"0""#,
        r#""index":" 0 ""#,
        r#""index":0.0"#,
        r#""index":null"#,
        r#""index":{}"#,
        r#""error":null"#,
        r#""logprobs":[]"#,
        r#""logprobs":[NaN,-Infinity]"#,
    ] {
        check(
            &format!(r#"{{"choices":[{{"delta":{{"content":"a"}},{odd}}}]}}"#),
            text("a"),
        );
    }
    for other in [r#""1""#, "1", "1.0", "2"] {
        let json = format!(r#"{{"choices":[{{"delta":{{"content":"a"}},"index":{other}}}]}}"#);
        check(&json, Ok(Some(Piece::default())));
    }
}

#[test]
fn content_in_parts() {
    check(&delta(r#"[{"type":"text","text":"a"}]"#), text("a"));
    check(
        &delta(r#"[{"type":"output_text","text":"a"},{"text":"b"},"c",null]"#),
        text("abc"),
    );
    check(&delta(r#"{"type":"text","text":"a"}"#), text("a"));
    check(
        &delta(r#"[{"type":"text","text":{"value":"a","annotations":[]}}]"#),
        text("a"),
    );
    check(
        &delta(r#"[{"type":"image_url","image_url":{"url":"x"}}]"#),
        Ok(Some(Piece::default())),
    );
    check(&delta("[]"), Ok(Some(Piece::default())));
    check(r#"{"choices":[{"delta":"a"}]}"#, text("a"));
    check(r#"{"choices":{"delta":{"content":"a"}}}"#, text("a"));
    check(
        &delta(r#"[{"type":"refusal","refusal":"no"}]"#),
        piece(|piece| piece.is_refused = true),
    );
    check(
        &delta(r#"[{"type":"thinking","thinking":[{"type":"text","text":"four"}]},{"type":"text","text":"a"}]"#),
        piece(|piece| {
            piece.thinking = Some("four".to_owned());
            piece.text = Some("a".to_owned());
        }),
    );
}

#[test]
fn a_whole_message_behind_differences_repeats_nothing() {
    let whole = r#"{"choices":[{"message":{"content":"ab"},"finish_reason":"stop"}]}"#;
    check_all(
        &[&delta(r#""a""#), &delta(r#""b""#), whole],
        &[
            text("a"),
            text("b"),
            piece(|piece| piece.finish_reason = Some(FinishReason::Stop)),
        ],
    );
    // Messages in place of differences are the text.
    let first = r#"{"choices":[{"message":{"content":"a"}}]}"#;
    check_all(&[first, first], &[text("a"), text("a")]);
}

/// What a delta says of a call of the tool `f`.
fn called(index: Option<u64>) -> CallPiece {
    CallPiece {
        index,
        name: Some("f".to_owned()),
        ..CallPiece::default()
    }
}

#[test]
fn thoughts_refusals_and_tools() {
    let said = |message: &str, change: fn(&mut Piece)| {
        check(&format!(r#"{{"choices":[{{"delta":{message}}}]}}"#), piece(change));
    };
    for thoughts in [
        r#"{"reasoning_content":"four"}"#,
        r#"{"reasoning":"four","content":""}"#,
        r#"{"thinking":"four","content":null}"#,
        r#"{"reasoning_content":null,"reasoning":"four"}"#,
        r#"{"reasoning":"four","reasoning_details":[{"type":"reasoning.text","text":"four"}]}"#,
        r#"{"thinking":{"content":"four"}}"#,
    ] {
        said(thoughts, |piece| piece.thinking = Some("four".to_owned()));
    }
    said(r#"{"refusal":"I will not"}"#, |piece| piece.is_refused = true);
    said(r#"{"refusal":null}"#, |_| {});
    said(r#"{"refusal":""}"#, |_| {});
    said(r#"{"tool_calls":[{"function":{"name":"f"}}]}"#, |piece| {
        piece.calls_tool = true;
        piece.calls = vec![called(None)];
    });
    said(r#"{"function_call":{"name":"f"}}"#, |piece| {
        piece.calls_tool = true;
        piece.calls = vec![called(Some(0))];
    });
    said(r#"{"tool_calls":[]}"#, |_| {});
    said(r#"{"tool_calls":null,"function_call":null}"#, |_| {});
}

#[test]
fn what_cannot_carry_text_is_passed_over() {
    for json in [
        "",
        "null",
        "7",
        "[]",
        "ping",
        "<html>",
        "{}",
        "[{}]",
        r#"{"type":"keepalive","sequence_number":3}"#,
        r#"{"id":"x","object":"chat.completion.chunk"}"#,
        r#"{"choices":null}"#,
        r#"{"choices":{}}"#,
        r#"{"choices":null,"usage":null}"#,
        "\u{feff}{}",
    ] {
        check(json, Ok(None));
    }
    let usage = Usage {
        prompt_tokens: 5,
        completion_tokens: 2,
    };
    check(
        r#"{"choices":null,"usage":{"input_tokens":"5","output_tokens":2}}"#,
        piece(|piece| piece.usage = Some(usage)),
    );
}

#[test]
fn what_may_have_carried_text_is_not() {
    let deep = format!("{}{{", "[".repeat(100_000));
    for json in [
        "{\"choices\":",
        "{\"choices\":\"a\"}",
        "{\"choices\":[\"a\"]}",
        "{\"choices\":[{\"delta\":{\"content\":7}}]}",
        "{\"choices\":[{\"delta\":{\"content\":0}}]}",
        "{\"choices\":[{\"delta\":{\"content\":[true]}}]}",
        "[{\"choices\":[]},7]",
        "{\"choices\":[{\"delta\":{\"content\":\"a\\x\"}}]}",
        &deep,
    ] {
        check(json, Err(MALFORMED));
    }
}

#[test]
fn errors_are_reported() {
    let reported = |json: &str, code| check(json, Err(Failure::Reported { code }));
    reported(
        r#"{"error":{"message":"text","code":"server_error"},"choices":[]}"#,
        ServerCode::ServerError,
    );
    reported(r#"{"error":"text"}"#, ServerCode::Unstated);
    reported(
        r#"{"error":true,"choices":[{"delta":{"content":"a"}}]}"#,
        ServerCode::Unstated,
    );
    reported(
        r#"{"errors":[{"code":"rate_limit_exceeded"}]}"#,
        ServerCode::RateLimited,
    );
    reported(
        r#"{"object":"error","message":"text","code":404}"#,
        ServerCode::NotFound,
    );
    reported(r#"{"type":"error","request_id":"x"}"#, ServerCode::Unstated);
    reported(r#"{"error_code":336100,"error_msg":"busy"}"#, ServerCode::Unstated);
    reported(r#"{"code":"invalid_api_key","message":"text"}"#, ServerCode::InvalidKey);
    reported(
        r#"{"choices":[{"index":0,"delta":{"content":""},"finish_reason":"error","error":{"code":402,"message":"x"}}]}"#,
        ServerCode::QuotaExceeded,
    );
}

#[test]
fn half_a_character_waits_for_the_other() {
    let first = delta(r#""x\ud83d""#);
    let second = delta(r#""\udc26y""#);
    check_all(&[&first, &second], &[text("x"), text("🐦y")]);
    check_all(&[&first, "{}", &second], &[text("x"), Ok(None), text("🐦y")]);
    // It never comes.
    check_all(&[&first, &delta(r#""y""#)], &[text("x"), text("\u{fffd}y")]);
    check_all(&[&first, &first, &second], &[text("x"), text("\u{fffd}x"), text("🐦y")]);
    let half = delta(r#""\ud83d""#);
    check_all(
        &[&half, &half, &second],
        &[Ok(Some(Piece::default())), text("\u{fffd}"), text("🐦y")],
    );
    check_all(&[&second, &second], &[text("\u{fffd}y"), text("\u{fffd}y")]);
    let mut reader = PieceReader::new();
    assert_eq!(reader.read(&first), text("x"));
    assert_eq!((reader.finish().as_deref(), reader.finish()), (Some("\u{fffd}"), None));
}
