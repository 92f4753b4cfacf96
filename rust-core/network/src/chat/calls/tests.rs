//! Calls whole and in pieces, as OpenAI writes them, as others do, and as nobody should.

use serde_json::json;

use super::*;
use crate::PieceReader;

/// The pieces of the chunks, read as one answer.
fn read(chunks: &[Value]) -> Result<CallReader, Failure> {
    let (mut pieces, mut calls) = (PieceReader::new(), CallReader::new());
    for chunk in chunks {
        let piece = pieces.read(&chunk.to_string())?.unwrap();
        piece.calls.into_iter().try_for_each(|call| calls.read(call))?;
    }
    Ok(calls)
}

/// The chunks give these names and arguments.
#[track_caller]
fn check(chunks: &[Value], expected: Result<&[(&str, &str)], CallProblem>) {
    let calls = read(chunks).and_then(CallReader::finish);
    let expected = expected.map(|calls| {
        let call = |(name, arguments): &(&str, &str)| ChatCall {
            name: (*name).to_owned(),
            arguments: (*arguments).to_owned(),
        };
        calls.iter().map(call).collect::<Vec<_>>()
    });
    assert_eq!(calls, expected.map_err(bad), "{chunks:?}");
}

fn delta(calls: Value) -> Value {
    json!({"choices": [{"delta": {"tool_calls": calls}}]})
}

fn message(calls: Value) -> Value {
    json!({"choices": [{"message": {"content": null, "tool_calls": calls}, "finish_reason": "tool_calls"}]})
}

fn call(index: impl Into<Value>, id: &str, name: &str, arguments: &str) -> Value {
    json!({"index": index.into(), "id": id, "type": "function", "function": {"name": name, "arguments": arguments}})
}

fn more(index: impl Into<Value>, arguments: &str) -> Value {
    json!({"index": index.into(), "function": {"arguments": arguments}})
}

const HULL: &str = r#"{"port":"Hull"}"#;
const KIEL: &str = r#"{"port":"Kiel"}"#;
const BOTH: &[(&str, &str)] = &[("tide", HULL), ("tide", KIEL)];

#[test]
fn whole_calls() {
    let hull = || call(0, "a", "tide", HULL);
    check(&[message(json!([hull()]))], Ok(&[("tide", HULL)]));
    check(&[delta(json!([hull()]))], Ok(&[("tide", HULL)]));
    check(&[message(json!([hull(), call(1, "b", "tide", KIEL)]))], Ok(BOTH));
    // In a whole message, the list says what a call is, whatever the index and the id.
    check(&[message(json!([hull(), call(0, "a", "tide", KIEL)]))], Ok(BOTH));
    check(&[message(hull())], Ok(&[("tide", HULL)]));
    check(
        &[message(json!([{"name": "tide", "arguments": {"port": "Hull"}}]))],
        Ok(&[("tide", HULL)]),
    );
    let old = json!({"name": "tide", "arguments": HULL});
    check(
        &[json!({"choices": [{"message": {"function_call": old}}]})],
        Ok(&[("tide", HULL)]),
    );
    check(
        &[json!({"choices": [{"message": {"function_call": old, "tool_calls": [hull()]}}]})],
        Ok(&[("tide", HULL)]),
    );
    // A whole message behind pieces says the same again.
    check(
        &[delta(json!([hull()])), message(json!([hull()]))],
        Ok(&[("tide", HULL)]),
    );
    check(&[delta(json!([])), delta(Value::Null), message(json!([]))], Ok(&[]));
}

#[test]
fn empty_arguments_are_an_empty_object() {
    for arguments in [json!(""), json!(" \n"), json!({}), Value::Null] {
        let call = json!({"index": 0, "function": {"name": "now", "arguments": arguments}});
        check(&[delta(json!([call]))], Ok(&[("now", "{}")]));
    }
    check(&[message(json!([{"function": {"name": "now"}}]))], Ok(&[("now", "{}")]));
}

#[test]
fn what_the_arguments_are_is_for_the_caller() {
    for arguments in ["{\"port\":", "tide", "[1]", "null", "{} {}", "}"] {
        check(
            &[message(json!([call(0, "a", "tide", arguments)]))],
            Ok(&[("tide", arguments)]),
        );
    }
    check(
        &[message(json!([{"function": {"name": "tide", "arguments": [1]}}]))],
        Ok(&[("tide", "[1]")]),
    );
}

#[test]
fn pieces_of_calls() {
    let pieces = |index: Value| {
        let begin = delta(json!([{"index": index, "id": "a", "function": {"name": "tide"}}]));
        let parts = HULL
            .split_inclusive('"')
            .map(move |part| delta(json!([more(index.clone(), part)])));
        std::iter::once(begin).chain(parts).collect::<Vec<_>>()
    };
    for index in [
        json!(0),
        json!("0"),
        Value::Null,
        json!(4_000_000_000_u32),
        json!(u64::MAX),
        json!(-1),
    ] {
        check(&pieces(index), Ok(&[("tide", HULL)]));
    }
    let nothing = [delta(json!([call(0, "a", "tide", HULL)])), delta(json!([more(1, "")]))];
    check(&nothing, Ok(&[("tide", HULL)]));
    // Interleaved, and in the order of the index.
    let (first, second) = HULL.split_at(7);
    let interleaved = [
        delta(json!([call(4_000_000_000_u32, "b", "tide", "")])),
        delta(json!([
            call(7, "a", "tide", first),
            more(4_000_000_000_u32, &KIEL[..7])
        ])),
        delta(json!([more(4_000_000_000_u32, &KIEL[7..])])),
        delta(json!([more(7, second)])),
    ];
    check(&interleaved, Ok(BOTH));
    let by_id = [
        delta(json!([
            call(Value::Null, "a", "tide", first),
            call(Value::Null, "b", "tide", &KIEL[..7])
        ])),
        delta(
            json!([{"id": "a", "function": {"arguments": second}}, {"id": "b", "function": {"arguments": &KIEL[7..]}}]),
        ),
    ];
    check(&by_id, Ok(BOTH));
    let old = |call: Value| json!({"choices": [{"delta": {"function_call": call}}]});
    check(
        &[
            old(json!({"name": "tide"})),
            old(json!({"arguments": first})),
            old(json!({"arguments": second})),
        ],
        Ok(&[("tide", HULL)]),
    );
}

#[test]
fn calls_that_the_server_does_not_tell_apart() {
    // Every call has the index 0 or none, with ids or without.
    for index in [json!(0), Value::Null] {
        for ids in [["a", "b"], ["", ""]] {
            let [hull, kiel] =
                [(ids[0], HULL), (ids[1], KIEL)].map(|(id, arguments)| call(index.clone(), id, "tide", arguments));
            check(&[delta(json!([hull, kiel]))], Ok(BOTH));
            check(&[delta(json!([hull])), delta(json!([kiel]))], Ok(BOTH));
        }
    }
    let without_arguments = [delta(json!([call(0, "a", "now", ""), call(0, "b", "now", "")]))];
    check(&without_arguments, Ok(&[("now", "{}"), ("now", "{}")]));
    let other_tool = [delta(json!([
        call(Value::Null, "", "now", ""),
        call(Value::Null, "", "tide", HULL)
    ]))];
    check(&other_tool, Ok(&[("now", "{}"), ("tide", HULL)]));
}

#[test]
fn repeated_names_and_ids() {
    let parts = |ids: [&str; 3]| {
        let parts = [&HULL[..3], &HULL[3..7], &HULL[7..]];
        ids.into_iter()
            .zip(parts)
            .map(|(id, part)| (id.to_owned(), part))
            .collect::<Vec<_>>()
    };
    for ids in [["a", "a", "a"], ["a", "b", "c"], ["", "", ""], ["a", "", "c"]] {
        for index in [json!(0), Value::Null] {
            let chunk = |(id, part): &(String, &str)| delta(json!([call(index.clone(), id, "tide", part)]));
            let chunks: Vec<Value> = parts(ids).iter().map(chunk).collect();
            match (ids, index.is_null()) {
                // Without an index, another id and a name are another call.
                (["a", "b", "c"] | ["a", "", "c"], true) => {}
                _ => check(&chunks, Ok(&[("tide", HULL)])),
            }
        }
    }
    let again = delta(json!([call(0, "a", "tide", HULL)]));
    check(&[again.clone(), again], Ok(&[("tide", HULL)]));
    let names = |names: [&str; 2]| names.map(|name| delta(json!([call(0, "", name, "")])));
    check(&names(["high_", "tide"]), Ok(&[("high_tide", "{}")]));
    check(&names(["high_", "high_tide"]), Ok(&[("high_tide", "{}")]));
    check(&names(["tide", ""]), Ok(&[("tide", "{}")]));
    let renamed = [
        delta(json!([call(0, "", "tide", "{")])),
        delta(json!([call(0, "", "now", "}")])),
    ];
    check(&renamed, Err(CallProblem::Name));
}

#[test]
fn names_have_a_form() {
    let longest = "x".repeat(CALL_NAME_BYTES_MAX as usize);
    for name in ["tide", "Tide-2_b", &longest] {
        check(&[delta(json!([call(0, "a", name, "")]))], Ok(&[(name, "{}")]));
    }
    let too_long = format!("{longest}x");
    for name in ["", "a b", "a.b", "tide\n", "Flut_ä", "⟨NAME_1⟩", &too_long] {
        check(&[delta(json!([call(0, "a", name, HULL)]))], Err(CallProblem::Name));
        check(&[message(json!([call(0, "a", name, HULL)]))], Err(CallProblem::Name));
    }
    check(
        &[
            delta(json!([call(0, "", &longest, "")])),
            delta(json!([call(0, "", "y", "")])),
        ],
        Err(CallProblem::Name),
    );
    check(&[delta(json!(["tide"]))], Err(CallProblem::Name));
    check(&[delta(json!("tide"))], Err(CallProblem::Name));
    check(
        &[delta(
            json!([{"type": "custom", "custom": {"name": "sql", "input": "x"}}]),
        )],
        Err(CallProblem::Name),
    );
    check(&[delta(json!([more(0, HULL)]))], Err(CallProblem::Name));
}

#[test]
fn limits() {
    let calls = |count: u32| {
        (0..count)
            .map(|at| call(at * 1_000_000, "", "now", ""))
            .collect::<Value>()
    };
    assert_eq!(
        read(&[delta(calls(CALLS_MAX))]).unwrap().finish().unwrap().len(),
        CALLS_MAX as usize
    );
    check(&[delta(calls(CALLS_MAX + 1))], Err(CallProblem::TooMany));
    check(&[message(calls(CALLS_MAX + 1))], Err(CallProblem::TooMany));
    let most = CALL_ARGUMENTS_BYTES_MAX as usize;
    let text = "x".repeat(most - 1);
    check(
        &[delta(json!([call(0, "", "tide", &text), call(1, "", "now", "y")]))],
        Ok(&[("tide", &text), ("now", "y")]),
    );
    check(
        &[delta(json!([call(0, "", "tide", &text), call(1, "", "now", "yz")]))],
        Err(CallProblem::ArgumentsTooLong),
    );
    // Arguments that never end.
    let endless: Vec<Value> = std::iter::once(delta(json!([call(0, "", "tide", "{\"a\":\"")])))
        .chain((0..=most / 1000).map(|_| delta(json!([more(0, &"y".repeat(1000))]))))
        .collect();
    check(&endless, Err(CallProblem::ArgumentsTooLong));
}

#[test]
fn calls_that_are_cut_off() {
    let is_cut_off = |arguments: &str| {
        read(&[delta(json!([call(0, "", "tide", arguments)]))])
            .unwrap()
            .is_cut_off()
    };
    for whole in [HULL, "{}", " {\"a\":[{}, \"}\\\"{\"]} "] {
        assert!(!is_cut_off(whole), "{whole}");
        for (end, _) in whole.trim_end().char_indices() {
            assert!(is_cut_off(&whole[..end]), "{whole} until {end}");
        }
    }
    assert!(!CallReader::new().is_cut_off());
}
