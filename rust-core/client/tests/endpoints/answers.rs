//! What is an answer and what is none: in streams and in whole bodies, alone and with another place behind.

use whimbrel_client::record::Code;
use whimbrel_testing::{DONE, chunk, finish, head, response};

use crate::Expected::{Answers, Breaks, Fails};
use crate::{STREAM, check, raw, said, stream, whole, words};

#[test]
fn an_answer_that_is_none_is_a_failure() {
    let stop = finish("stop");
    let ends = |delta: &str, reason: &str| stream(&[&said(delta), &finish(reason), DONE]);
    check("no text", stream(&[&stop, DONE]), Fails(Code::EmptyAnswer));
    check(
        "blanks only",
        stream(&[&words(" \\n\\t"), &stop, DONE]),
        Breaks(" \n\t", Code::EmptyAnswer),
    );
    check("only the last word", stream(&[DONE]), Fails(Code::EmptyAnswer));
    check(
        "empty deltas",
        stream(&[&words(""), &said("{}"), &stop, DONE]),
        Fails(Code::EmptyAnswer),
    );
    check(
        "thoughts",
        ends("{\"reasoning_content\":\"hm\"}", "stop"),
        Fails(Code::EmptyAnswer),
    );
    check(
        "thoughts to the limit",
        ends("{\"thinking\":\"hm\"}", "length"),
        Fails(Code::CutOff),
    );
    check(
        "a refusal",
        ends("{\"refusal\":\"I must not\"}", "stop"),
        Fails(Code::Refusal),
    );
    check(
        "a refusal in parts",
        ends("{\"content\":[{\"type\":\"refusal\",\"refusal\":\"No\"}]}", "stop"),
        Fails(Code::Refusal),
    );
}

#[test]
fn tools_filters_and_errors_are_failures() {
    let ends = |delta: &str, reason: &str| stream(&[&said(delta), &finish(reason), DONE]);
    check(
        "a tool",
        ends("{\"tool_calls\":[{\"function\":{\"name\":\"f\"}}]}", "tool_calls"),
        Fails(Code::ToolCalls),
    );
    check(
        "a tool and stop",
        ends("{\"tool_calls\":[{\"id\":\"a\"}]}", "stop"),
        Fails(Code::ToolCalls),
    );
    check(
        "an old tool",
        ends("{\"function_call\":{\"name\":\"f\"}}", "function_call"),
        Fails(Code::ToolCalls),
    );
    check("a filter", ends("{}", "content_filter"), Fails(Code::ContentFilter));
    check(
        "a filter by another word",
        ends("{}", "PROHIBITED_CONTENT"),
        Fails(Code::ContentFilter),
    );
    check(
        "a filter midway",
        ends("{\"content\":\"In the \"}", "content_filter"),
        Breaks("In the ", Code::ContentFilter),
    );
    check(
        "an error's word",
        ends("{\"content\":\"In the \"}", "error"),
        Breaks("In the ", Code::Reported),
    );
    check(
        "another error's word",
        ends("{}", "upstream_failure"),
        Fails(Code::Reported),
    );
}

#[test]
fn other_choices_and_empty_bodies_are_failures() {
    let second = "data: {\"choices\":[{\"index\":1,\"delta\":{\"content\":\"b\"},\"finish_reason\":\"stop\"}]}\n\n";
    check(
        "only the second choice",
        stream(&[second, DONE]),
        Fails(Code::EmptyAnswer),
    );
    check(
        "only the third, as text",
        stream(&[&second.replace(":1,", ":\"2\","), DONE]),
        Fails(Code::EmptyAnswer),
    );
    check(
        "an empty message",
        whole("{\"choices\":[{\"message\":{\"content\":\"\"}}]}"),
        Fails(Code::EmptyAnswer),
    );
    check("no choices", whole("{\"choices\":[]}"), Fails(Code::EmptyAnswer));
    check(
        "a refusal at once",
        whole("{\"choices\":[{\"message\":{\"refusal\":\"No\"}}]}"),
        Fails(Code::Refusal),
    );
}

#[test]
fn an_answer_that_breaks_off_is_a_failure() {
    let begun = words("In the ");
    for reason in ["\"\"", "\"null\"", "null", "\"None\"", "false"] {
        let chunk = begun.replace("}]}", &format!(",\"finish_reason\":{reason}}}]}}"));
        check(reason, stream(&[&chunk]), Breaks("In the ", Code::Truncated));
    }
    for (error, code) in [
        ("data: {\"error\":{\"message\":\"x\"}}\n\n", Code::Reported),
        ("error: {\"code\":500}\n\n", Code::Reported),
        ("event: error\ndata: overheated\n\n", Code::Reported),
        ("data: {\"error\":{\"code\":429}}\n\n", Code::RateLimited),
        ("data: {\"error\":{\"code\":402}}\n\n", Code::Payment),
        (
            "data: {\"object\":\"error\",\"code\":\"context_length_exceeded\"}\n\n",
            Code::ContextFull,
        ),
    ] {
        check(error, stream(&[&begun, error, DONE]), Breaks("In the ", code));
    }
    check(
        "broken JSON",
        stream(&[&begun, "data: {\"choices\":[{\n\n", DONE]),
        Breaks("In the ", Code::Malformed),
    );
    check(
        "a number",
        stream(&[&begun, &said("{\"content\":4}"), DONE]),
        Breaks("In the ", Code::Malformed),
    );
    check(
        "a page",
        raw(response("200 OK", &[("content-type", "text/html")], "<p>")),
        Fails(Code::ContentType),
    );
}

#[test]
fn an_odd_answer_is_an_answer() {
    let stop = finish("stop");
    let odd = |chunk: &str| stream(&[chunk, &words("Africa."), &stop, DONE]);
    for chunk in [
        "data: {\"type\":\"keep\"}\n\n",
        "event: ping\ndata: {}\n\n",
        "data: {\"choices\":null}\n\n",
        "data: {\"choices\":[],\"error\":{}}\n\n",
        "data: : gateway\n\n",
        "data: working\n\n",
        &said("{\"role\":\"assistant\",\"content\":[]}"),
        &said("{\"reasoning\":\"Where, then?\"}"),
        &said("{\"refusal\":null,\"tool_calls\":[]}"),
    ] {
        check(chunk, odd(chunk), Answers("Africa."));
    }
    let parts = said("{\"content\":[{\"type\":\"text\",\"text\":\"Africa.\"}]}");
    check("parts", stream(&[&parts, &stop, DONE]), Answers("Africa."));
    let halves = [words("\\ud83e"), words("\\udd86")].concat();
    check("halves", stream(&[&halves, &stop, DONE]), Answers("🦆"));
    check(
        "blanks around the last word",
        stream(&[&words("Africa."), "data:  [DONE] \n\n"]),
        Answers("Africa."),
    );
    check(
        "a word of its own",
        stream(&[&words("Africa."), &finish("eos")]),
        Answers("Africa."),
    );
    // The connection stays open behind what is whole.
    let chunked = [STREAM, &[("transfer-encoding", "chunked")]].concat();
    let endless = |events: &[&str]| raw([head("200 OK", &chunked), chunk(events.concat().as_bytes())].concat());
    check("it stays open", endless(&[&words("Africa."), DONE]), Answers("Africa."));
    check(
        "it stays open without a last word",
        endless(&[&words("Africa."), &stop]),
        Answers("Africa."),
    );
    check(
        "a whole body",
        whole("{\"choices\":[{\"message\":{\"content\":\"Africa.\"}}]}"),
        Answers("Africa."),
    );
}
