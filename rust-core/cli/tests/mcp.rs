//! MCP servers, as `whimbrel mcp` starts, lists, calls and ends them: a good one, and one for each fault. `mcp/server.py` is all of them.
#![allow(clippy::unwrap_used)]

mod support;

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::{Desk, Ran, Started, check_shape};

/// Stands among the arguments of every server, and must appear nowhere.
const SECRET: &str = "token-1234";

/// The command of the test server.
fn server(kind: &str, argument: &str) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mcp/server.py");
    format!("python3 '{}' {kind} '{argument}' {SECRET}", script.display())
}

fn tools(desk: &Desk, commands: &[&str], more: &[&str]) -> Ran {
    let mut arguments = vec!["mcp", "tools"];
    arguments.extend(commands.iter().flat_map(|command| ["--mcp", command]));
    arguments.extend(more);
    without_secret(desk.run(arguments))
}

fn call(desk: &Desk, kind: &str, name: &str, more: &[&str]) -> Ran {
    let command = server(kind, "");
    let arguments = ["mcp", "call", "--json", "--mcp", &command, name];
    without_secret(desk.run(arguments.iter().chain(more)))
}

fn without_secret(ran: Ran) -> Ran {
    assert!(!ran.stdout.contains(SECRET) && !ran.stderr.contains(SECRET), "{ran:?}");
    ran
}

fn names(object: &Value) -> Vec<&str> {
    let tools = object["tools"].as_array().unwrap();
    tools.iter().map(|tool| tool["name"].as_str().unwrap()).collect()
}

#[test]
fn all_pages_are_listed() {
    let desk = Desk::new();
    let ran = tools(&desk, &[&server("good", "")], &["--json"]).succeeded();
    let object = ran.json();
    check_shape("mcp_tools", &object);
    let expected = ["echo", "with_blanks_", "fail", "picture", "structured", "environment"];
    assert_eq!(names(&object), expected);
    let echo = &object["tools"][0];
    assert_eq!(echo["server"], "python3");
    assert_eq!(echo["input_schema"]["required"], json!(["text"]));
    let long = object["tools"][3]["description"].as_str().unwrap();
    assert!(long.len() <= 2048 && long.ends_with("x…"), "{long}");
    let ran = tools(&desk, &[&server("good", "")], &[]).succeeded();
    assert!(
        ran.stdout
            .starts_with("echo          Says a text again.\nwith_blanks_\nfail "),
        "{ran:?}"
    );
    assert_eq!(ran.stderr, "");
}

#[test]
fn names_are_unique_over_all_servers() {
    let desk = Desk::new();
    let good = server("good", "");
    let object = tools(&desk, &[&good, &good, &good], &["--json"]).succeeded().json();
    let names = names(&object);
    assert_eq!(names.len(), 18);
    assert_eq!([names[0], names[6], names[12]], ["echo", "test_server_echo", "3_echo"]);
    let second = desk.run([
        "mcp",
        "call",
        "--mcp",
        &good,
        "--mcp",
        &good,
        "test_server_with_blanks_",
    ]);
    assert_eq!(second.succeeded().stdout, "called as with blanks!\n");
}

#[test]
fn results_are_text() {
    let desk = Desk::new();
    let check = |kind: &str, name: &str, arguments: &[&str], expected: &str| {
        let object = call(&desk, kind, name, arguments).succeeded().json();
        check_shape("mcp_call", &object);
        assert_eq!(object, json!({"name": name, "text": expected, "is_error": false}));
    };
    check("good", "echo", &[r#"{"text": "Grüße\n"}"#], "Grüße\n");
    check("good", "picture", &[], "[image, image/png, 5 bytes]");
    check("good", "structured", &["{}"], r#"{"degrees":21}"#);
    check("chatty", "echo", &[r#"{"text": "a"}"#], "a");
    let file = desk.write("arguments.json", r#"{"text": "from a file"}"#);
    check("good", "echo", &[&format!("@{}", file.display())], "from a file");
}

#[test]
fn a_server_inherits_the_environment() {
    let desk = Desk::new();
    let mut command = desk.command(["mcp", "call", "environment", "--mcp", &server("good", "")]);
    let ran = Started::new(command.env("MCP_TEST", "set")).finish().succeeded();
    assert_eq!(ran.stdout, "set\n");
}

#[test]
fn a_long_result_is_cut() {
    let desk = Desk::new();
    let object = call(&desk, "huge", "echo", &["{}"]).succeeded().json();
    let text = object["text"].as_str().unwrap();
    assert_eq!(text.len(), 64 << 10);
    assert!(text.ends_with("x\n[cut: the result has 10000000 bytes]"));
}

#[test]
fn what_a_tool_says_about_its_failure_is_shown() {
    let desk = Desk::new();
    for (name, expected) in [("fail", "it did not work"), ("echo", "text is missing")] {
        let ran = call(&desk, "good", name, &[]);
        assert_eq!(ran.status, Some(11), "{ran:?}");
        assert_eq!(ran.json(), json!({"name": name, "text": expected, "is_error": true}));
        assert_eq!(ran.stderr, "error: the tool reported an error\n");
    }
}

#[test]
fn a_server_that_cannot_be_used_is_named_with_the_reason() {
    let desk = Desk::new();
    let check = |kind: &str, code: &str, expected: &str| {
        let ran = tools(&desk, &[&server(kind, "")], &["--json"]);
        let message = ran.failed(11, code).json()["error"]["message"].clone();
        assert_eq!(message, expected, "{kind}");
    };
    let protocol = |reason: &str| format!("python3 does not behave as an MCP server: {reason}");
    let too_much = |what: &str| format!("the MCP server python3 sent too much: more than {what}");
    check(
        "exits",
        "mcp_exited",
        "the MCP server python3 ended (exit status: 4): the configuration is missing",
    );
    check("garbage", "mcp_protocol", &protocol("its output is not messages"));
    check(
        "malformed",
        "mcp_protocol",
        &protocol("it sent a message that is not valid"),
    );
    check("closes-output", "mcp_protocol", &protocol("it closed its output"));
    check(
        "wrong-ids-at-start",
        "mcp_protocol",
        &protocol("its answer has the id of another request"),
    );
    check("many", "mcp_limit", &too_much("128 tools"));
    check("endless-pages", "mcp_limit", &too_much("128 pages of tools"));
    check("long-schema", "mcp_limit", &too_much("65536 bytes in a tool's schema"));
}

#[test]
fn a_server_that_says_nothing_is_not_waited_for() {
    let desk = Desk::new();
    let ran = tools(&desk, &[&server("silent", "")], &["--json", "--mcp-timeout", "1"]);
    let message = ran.failed(11, "mcp_timeout").json()["error"]["message"].clone();
    // What it has written to standard error by then may follow.
    let expected = "the MCP server python3 did not start within 1 s";
    assert!(message.as_str().unwrap().starts_with(expected), "{message}");
}

#[test]
fn a_program_that_cannot_be_started_is_named() {
    let desk = Desk::new();
    let file = desk.write("not-a-program", "");
    let check = |command: &str, status: i32, code: &str, expected: &str| {
        let error = tools(&desk, &[command], &["--json"]).failed(status, code).json();
        assert_eq!(error["error"]["message"], expected);
    };
    let absent = format!("/absent/program {SECRET}");
    check(&absent, 11, "mcp_not_found", "the MCP server program was not found");
    let cannot = "the MCP server not-a-program cannot be started: permission denied";
    check(&format!("{} {SECRET}", file.display()), 11, "mcp_not_started", cannot);
    let unusable = |reason: &str| format!("the command of an MCP server cannot be used: {reason}");
    check("python3 'a", 2, "usage", &unusable("a quote is not closed"));
    check(" ", 2, "usage", &unusable("it names no program"));
    desk.run(["mcp", "tools", "--json"]).failed(2, "usage");
}

#[test]
fn the_last_lines_of_standard_error_are_in_the_object() {
    let desk = Desk::new();
    let ran = tools(&desk, &[&server("exits", "")], &["--json"]).failed(11, "mcp_exited");
    assert_eq!(
        ran.json()["error"]["stderr"],
        "first line\nthe configuration is missing"
    );
    let ran = tools(&desk, &[&server("exits", "")], &["--stderr"]);
    assert!(
        ran.stderr
            .starts_with("first line\nthe configuration is missing\nerror: "),
        "{ran:?}"
    );
}

#[test]
fn a_server_without_tools_has_none() {
    let desk = Desk::new();
    let object = tools(&desk, &[&server("no-tools", "")], &["--json"]).succeeded().json();
    assert_eq!(object, json!({"tools": []}));
}

/// The error of a call that gets no answer.
fn check_unanswered(kind: &str, code: &str, expected: &str) {
    // Long enough for a busy machine to start the server.
    let arguments = [r#"{"text": "a"}"#, "--mcp-timeout", "10"];
    let error = call(&Desk::new(), kind, "echo", &arguments).failed(11, code).json();
    assert_eq!(error["error"]["message"], expected, "{kind}");
}

#[test]
fn a_call_without_an_answer_ends_at_its_limit() {
    let expected = "the MCP server python3 did not answer within 10 s";
    check_unanswered("silent-call", "mcp_timeout", expected);
}

#[test]
fn an_answer_to_another_request_does_not_count() {
    let expected = "the MCP server python3 did not answer within 10 s";
    check_unanswered("wrong-ids", "mcp_timeout", expected);
}

#[test]
fn a_call_whose_server_fails_is_an_error() {
    let check = check_unanswered;
    let invalid = "python3 does not behave as an MCP server: it sent a message that is not valid";
    check("dies", "mcp_exited", "the MCP server python3 ended (exit status: 3)");
    check("deep", "mcp_protocol", invalid);
    let long = "the MCP server python3 sent too much: more than 16777216 bytes in a message";
    check("endless-line", "mcp_limit", long);
}

#[test]
fn a_call_that_cannot_be_made_is_refused() {
    let desk = Desk::new();
    let check = |name: &str, arguments: &str, status: i32, code: &str, expected: &str| {
        let error = call(&desk, "good", name, &[arguments]).failed(status, code).json();
        assert_eq!(error["error"]["message"], expected);
    };
    let unusable = |reason: &str| format!("the arguments of the tool cannot be used: {reason}");
    check("nothing", "{}", 3, "tool_unknown", "there is no tool \"nothing\"");
    check("echo", "[1]", 2, "usage", &unusable("not a JSON object"));
    check(
        "echo",
        "{\"text\":\n1",
        2,
        "usage",
        &unusable("not JSON at line 2, column 1"),
    );
}

/// The ids of a stubborn server and of the process that it started.
fn processes(file: &Path) -> Vec<String> {
    let ids = std::fs::read_to_string(file).unwrap();
    ids.split_whitespace().map(str::to_owned).collect()
}

/// Waits until none of the processes runs. One that nobody has waited for yet has ended, too.
fn check_ended(ids: &[String]) {
    let started = Instant::now();
    let runs = |id: &String| {
        let ps = Command::new("ps").args(["-o", "stat=", "-p", id]).output().unwrap();
        let state = String::from_utf8(ps.stdout).unwrap();
        !matches!(state.trim().chars().next(), None | Some('Z'))
    };
    while ids.iter().any(runs) {
        assert!(started.elapsed() < Duration::from_secs(30), "{ids:?} still run");
    }
}

#[test]
fn no_process_is_left() {
    let desk = Desk::new();
    let ids = desk.path("ids");
    let stubborn = server("stubborn", ids.to_str().unwrap());
    tools(&desk, &[&stubborn], &[]).succeeded();
    check_ended(&processes(&ids));
    // Another server cannot be started. Then this one may be killed before it has written its ids.
    let ids = desk.path("more-ids");
    let stubborn = server("stubborn", ids.to_str().unwrap());
    tools(&desk, &[&stubborn, &server("exits", "")], &["--json"]).failed(11, "mcp_exited");
    if ids.exists() {
        check_ended(&processes(&ids));
    }
}

#[test]
fn ctrl_c_ends_a_call_and_its_server() {
    let desk = Desk::new();
    for presses in [1, 2] {
        let ids = desk.path("ids");
        let stubborn = server("stubborn", ids.to_str().unwrap());
        let mut command = desk.command(["mcp", "call", "echo", "--stderr", "--mcp", &stubborn]);
        let mut started = Started::new(&mut command);
        assert_eq!(started.first_complaint(), "called\n");
        started.signal("-INT");
        assert_eq!(started.first_complaint(), "cancelled\n");
        if presses == 2 {
            started.signal("-INT");
        }
        assert_eq!(started.wait().status, Some(130));
        check_ended(&processes(&ids));
    }
}

#[test]
fn ctrl_c_ends_a_server_that_starts() {
    let desk = Desk::new();
    let mut command = desk.command(["mcp", "tools", "--json", "--stderr", "--mcp", &server("silent", "")]);
    let mut started = Started::new(&mut command);
    assert_eq!(started.first_complaint(), "reading\n");
    started.signal("-INT");
    started.finish().failed(130, "interrupted");
}
