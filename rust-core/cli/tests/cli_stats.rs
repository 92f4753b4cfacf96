//! `whimbrel stats` and `whimbrel telemetry`, as a person types them.
#![allow(clippy::unwrap_used)]

mod support;

use serde_json::Value;
use support::{Desk, Ran, tiny};
use whimbrel_testing::{ChatServer, Reply};

const ACCEPTED: Reply = Reply::Raw(b"HTTP/1.1 200 \r\ncontent-length: 0\r\n\r\n");
const UNMETERED: &str = r#"{"network": "unmetered"}"#;

/// A desk with a policy, whose telemetry may go to the server if there is one.
fn desk(server: Option<&ChatServer>) -> Desk {
    let desk = Desk::new();
    let section = server.map_or_else(String::new, |server| {
        format!(
            "[telemetry]\nurl = \"http://{}\"\nservice = \"notes\"\ntrust = \"organisation\"\n",
            server.address
        )
    });
    desk.write("policy.toml", format!("version = 1\nname = \"test\"\n{section}"));
    desk
}

fn ask(desk: &Desk, question: &str) {
    let (tiny, policy) = (tiny(), desk.path("policy.toml"));
    let [tiny, policy] = [&tiny, &policy].map(|path| path.to_str().unwrap());
    let asked = [
        "run",
        "--model",
        tiny,
        "--policy",
        policy,
        "--max-tokens",
        "4",
        "--prompt",
        question,
    ];
    desk.run(asked).succeeded();
}

fn telemetry(desk: &Desk, command: &str, more: &[&str]) -> Ran {
    let policy = desk.path("policy.toml");
    let base = ["telemetry", command, "--policy", policy.to_str().unwrap()];
    desk.run(base.iter().chain(more))
}

fn stats(desk: &Desk) -> Value {
    desk.run(["stats", "--json"]).succeeded().json()
}

#[test]
fn what_requests_took_is_shown_written_and_forgotten() {
    let desk = desk(None);
    // Before anything was asked.
    assert_eq!(stats(&desk)["outcomes"]["answered"], 0);
    ask(&desk, "A secret?");
    ask(&desk, "Another secret?");
    let shown = stats(&desk);
    support::check_shape("stats", &shown);
    assert_eq!(shown["outcomes"]["answered"], 2);
    assert_eq!(shown["series"][0]["model"], "Whimbrel_Tiny");
    let said = desk.run(["stats"]).succeeded().stdout;
    assert!(
        said.starts_with("2 requests since ") && said.contains("2 answered on this computer"),
        "{said}"
    );
    assert!(
        said.contains("By model and task") && said.contains("an estimate from processor time"),
        "{said}"
    );

    let page = desk.path("page.html");
    let write = ["stats", "--html", page.to_str().unwrap()];
    desk.run(write).succeeded();
    let written = std::fs::read_to_string(&page).unwrap();
    assert!(written.contains("<svg") && !written.contains("secret") && !written.contains("http:"));
    // It is not written over unless that was asked for.
    let kept = desk.run(write);
    assert!(kept.status != Some(0) && kept.stderr.contains("page.html"), "{kept:?}");
    desk.run(write.iter().chain(&["--force"])).succeeded();
    assert!(
        desk.run(["stats", "--html", "-"])
            .succeeded()
            .stdout
            .starts_with("<!DOCTYPE html>")
    );

    desk.run(["stats", "--reset", "--json"]).failed(2, "usage");
    desk.run(["stats", "--reset", "--yes"]).succeeded();
    assert_eq!(stats(&desk)["outcomes"]["answered"], 0);
    assert_eq!(
        desk.run(["ledger", "stats", "--json"]).succeeded().json()["total"]["receipts"],
        2
    );
}

#[test]
fn telemetry_is_sent_only_with_consent() {
    let server = ChatServer::start(&[ACCEPTED]);
    let desk = desk(Some(&server));
    ask(&desk, "Before?");
    let said = telemetry(&desk, "send", &["--device", UNMETERED]).succeeded().stdout;
    assert!(said.starts_with("nothing was sent: nobody has agreed to it"), "{said}");
    let status = telemetry(&desk, "allow", &["--json"]).succeeded().json();
    support::check_shape("telemetry-status", &status);
    assert_eq!(
        (&status["signals"]["traces"], &status["waiting"]),
        (&true.into(), &0.into())
    );
    ask(&desk, "Quetzalcoatl?");
    let said = telemetry(&desk, "send", &["--device", r#"{"network": "none"}"#])
        .succeeded()
        .stdout;
    assert!(said.starts_with("nothing was sent: there is no network"), "{said}");
    let sent = telemetry(&desk, "send", &["--device", UNMETERED, "--json"])
        .succeeded()
        .json();
    support::check_shape("telemetry-send", &sent);
    assert_eq!((&sent["metrics"], &sent["spans"]), (&true.into(), &1.into()));
    assert_eq!(server.received().len(), 2);
    let listed = desk.run(["ledger", "list", "--json"]).succeeded().json();
    assert_eq!(listed["receipts"][0]["intent"]["task"], "@telemetry");
    assert_eq!(listed["receipts"][0]["bytes_out"], sent["bytes_out"]);

    telemetry(&desk, "withdraw", &[]).succeeded();
    ask(&desk, "After?");
    let said = telemetry(&desk, "send", &["--device", UNMETERED]).succeeded().stdout;
    assert!(said.starts_with("nothing was sent: nobody has agreed to it"), "{said}");
    assert_eq!(server.received().len(), 2);
}

#[test]
fn a_policy_must_say_where_telemetry_goes() {
    let desk = desk(None);
    let said = telemetry(&desk, "status", &[]).succeeded().stdout;
    assert!(
        said.contains("nothing may be sent: it has no section telemetry"),
        "{said}"
    );
    telemetry(&desk, "allow", &["--json"]).failed(2, "no_telemetry");
}
