//! Reading policy documents: what is accepted, what is refused with which place and reason, and the limits.
#![allow(clippy::unwrap_used)]

mod support;

use whimbrel_policy::limits;
use whimbrel_policy::{Format, Policy, PolicyErrorReason, PolicyRole, PolicySet};

/// Refused at this place for this reason. The text has the fields of a policy before it, in two lines.
#[track_caller]
fn check(lines: &str, place: (u32, u32), path: &str, reason: &str) {
    let text = format!("version = 1\nname = \"test\"\n{lines}");
    let error = Policy::parse(&text, Format::Toml).unwrap_err();
    let found = (error.line, error.column, error.path.as_str(), error.reason.to_string());
    assert_eq!(found, (place.0, place.1, path, reason.to_owned()));
    assert!(
        error
            .to_string()
            .starts_with(&format!("line {}, column {}: ", place.0, place.1))
    );
}

fn rule(lines: &str) -> String {
    format!("[[rules]]\nid = \"a\"\n{lines}")
}

fn endpoint(lines: &str) -> String {
    format!("[[endpoints]]\nid = \"e\"\nmodel = \"m\"\ntrust = \"organisation\"\n{lines}")
}

#[test]
fn what_is_wrong_is_named_with_its_place() {
    check(
        "x = ",
        (3, 5),
        "",
        "string values must be quoted, expected literal string",
    );
    check(
        "naem = 1",
        (3, 1),
        "naem",
        "unknown field; the fields here are version, $schema, name, description, role, currency, endpoints, order, otherwise, limits, tasks, rules, tools, telemetry",
    );
    check("limits = 3", (3, 1), "limits", "expected a table, found a whole number");
    check(
        "[limits]\nbattery_percent_min = 101",
        (4, 1),
        "limits.battery_percent_min",
        "must be 0 to 100",
    );
    check(
        "[limits]\ncost_a_day = -0.1",
        (4, 1),
        "limits.cost_a_day",
        "must be 0 to 1000000",
    );
    check(
        "[limits]\ncost_a_day = nan",
        (4, 1),
        "limits.cost_a_day",
        "must be 0 to 1000000",
    );
    check(
        "[limits]\ndeadline_ms = 0",
        (4, 1),
        "limits.deadline_ms",
        "must be 1 to 3600000",
    );
    check(
        "[limits]\ndeadline_ms = 1.5",
        (4, 1),
        "limits.deadline_ms",
        "expected a whole number, found a fraction",
    );
    check("otherwise = []", (3, 1), "otherwise", "must not be empty");
    check(
        "otherwise = [\"queue\", \"on_device\"]",
        (3, 23),
        "otherwise[1]",
        "queue must be the last step",
    );
    check(
        "otherwise = [\"on_device\", \"on_device\"]",
        (3, 27),
        "otherwise[1]",
        "this step appears twice",
    );
    check(
        "otherwise = [\"cloud\"]",
        (3, 14),
        "otherwise[0]",
        "a step is on_device, system_model, remote:ID, redact_then_remote:ID or queue",
    );
    check(
        "[tasks.chat]\norder = \"quality\"",
        (3, 8),
        "tasks.chat",
        "the field otherwise is missing",
    );
    check(
        "[tasks.\"a b\"]",
        (3, 8),
        "tasks.a b",
        "an id consists of letters, digits, -, _ and ., and starts with a letter or a digit",
    );
}

#[test]
fn what_is_wrong_in_a_rule_is_named_with_its_place() {
    check(&rule(""), (3, 1), "rules[0]", "a rule needs either deny or try");
    check(
        &rule("deny = [\"queue\"]\ntry = [\"queue\"]"),
        (3, 1),
        "rules[0]",
        "a rule needs either deny or try",
    );
    check(
        &rule("deny = [\"queue\"]\norder = \"quality\""),
        (6, 1),
        "rules[0].order",
        "only a rule with try can have an order",
    );
    check(
        &rule("deny = [\"clouds\"]"),
        (5, 9),
        "rules[0].deny[0]",
        "deny takes everything, off_device, unredacted, on_device, system_model, queue, trust:CLASS, endpoint:ID, remote:ID or redact_then_remote:ID",
    );
    check(
        &rule("deny = [\"trust:me\"]"),
        (5, 9),
        "rules[0].deny[0]",
        "trust:own_device_nearby, trust:organisation or trust:public_cloud",
    );
    check(
        &rule("try = [\"remote:nowhere\"]"),
        (5, 8),
        "rules[0].try[0]",
        "no endpoint has the id nowhere",
    );
    check(
        &rule("deny = [\"endpoint:nowhere\"]"),
        (5, 9),
        "rules[0].deny[0]",
        "no endpoint has the id nowhere",
    );
    check(
        &format!("{}\n{}", rule("deny = [\"queue\"]"), rule("deny = [\"queue\"]")),
        (7, 1),
        "rules[1].id",
        "the rule a appears twice",
    );
    check(
        "[[rules]]\ndeny = [\"queue\"]",
        (3, 1),
        "rules[0]",
        "the field id is missing",
    );
    check(
        "[[rules]]\nid = \"ä\"",
        (4, 1),
        "rules[0].id",
        "an id consists of letters, digits, -, _ and ., and starts with a letter or a digit",
    );
    check(
        &rule("when = {}\ndeny = [\"queue\"]"),
        (5, 1),
        "rules[0].when",
        "must not be empty",
    );
    check(
        &rule("when = { class = { min = \"secret\", max = \"public\" } }\ndeny = [\"queue\"]"),
        (5, 10),
        "rules[0].when.class",
        "a range needs min or max, and max must not be below min",
    );
    check(
        &rule("when = { class = {} }\ndeny = [\"queue\"]"),
        (5, 10),
        "rules[0].when.class",
        "a range needs min or max, and max must not be below min",
    );
    check(
        &rule("when = { network = [\"5g\"] }\ndeny = [\"queue\"]"),
        (5, 21),
        "rules[0].when.network[0]",
        "expected one of none, metered, unmetered, roaming",
    );
    check(
        &rule("when = { note = \"ü\", batery = 1 }\ndeny = [\"queue\"]"),
        (5, 10),
        "rules[0].when.note",
        "unknown field; the fields here are task, needs, class, text_bytes, prompt_tokens, answer_tokens, findings, findings_total, finding_counts, charging, power_save, foreground, thermal, network, accelerators, battery_percent, memory_total_mb, memory_available_mb, memory_process_mb, storage_free_mb, round_trip_ms, loss_percent, performance_cores",
    );
}

#[test]
fn what_is_wrong_in_a_rule_about_tools_is_named_with_its_place() {
    let tool = |lines: &str| format!("[[tools]]\nid = \"a\"\n{lines}");
    check("tools = {}", (3, 1), "tools", "expected a list, found a table");
    check(&tool(""), (3, 1), "tools[0]", "the field use is missing");
    check(
        "[[tools]]\nuse = \"never\"",
        (3, 1),
        "tools[0]",
        "the field id is missing",
    );
    check(
        &tool("use = \"ask\""),
        (5, 1),
        "tools[0].use",
        "expected one of always, confirm, never",
    );
    check(
        &tool("use = \"never\"\nname = [\"weather\"]"),
        (6, 1),
        "tools[0].name",
        "unknown field; the fields here are id, note, when, use",
    );
    check(
        &tool("when = {}\nuse = \"never\""),
        (5, 1),
        "tools[0].when",
        "must not be empty",
    );
    check(
        &tool("when = { tool = [] }\nuse = \"never\""),
        (5, 10),
        "tools[0].when.tool",
        "must not be empty",
    );
    check(
        &tool("when = { tool = [\"mail\", \"mail\"] }\nuse = \"never\""),
        (5, 26),
        "tools[0].when.tool[1]",
        "this entry appears twice",
    );
    check(
        &tool("when = { tool = [\"mail.*\"] }\nuse = \"never\""),
        (5, 18),
        "tools[0].when.tool[0]",
        "an id consists of letters, digits, -, _ and ., and starts with a letter or a digit",
    );
    check(
        &tool("when = { class = { min = \"private\" } }\nuse = \"never\""),
        (5, 20),
        "tools[0].when.class.min",
        "expected one of public, personal, sensitive, secret",
    );
    check(
        &tool("when = { class = { min = \"secret\", max = \"public\" } }\nuse = \"never\""),
        (5, 10),
        "tools[0].when.class",
        "a range needs min or max, and max must not be below min",
    );
    check(
        &tool("when = { task = [\"chat\"] }\nuse = \"never\""),
        (5, 10),
        "tools[0].when.task",
        "unknown field; the fields here are tool, class",
    );
    check(
        &format!("{}\n{}", tool("use = \"never\""), tool("use = \"always\"")),
        (7, 1),
        "tools[1].id",
        "the rule a appears twice",
    );
}

#[test]
fn what_is_wrong_in_an_endpoint_is_named_with_its_place() {
    let url = |url: &str| endpoint(&format!("cost_per_1k_tokens = 0\nbase_url = \"{url}\""));
    check(
        &url("https://a.example/v1/"),
        (8, 1),
        "endpoints[0].base_url",
        "the base URL ends with a slash",
    );
    check(
        &url("http://a.example/v1"),
        (8, 1),
        "endpoints[0].base_url",
        "the base URL is not encrypted: http:// is for loopback only",
    );
    check(
        &endpoint("base_url = \"https://a.example\""),
        (3, 1),
        "endpoints[0]",
        "the field cost_per_1k_tokens is missing",
    );
    check(
        &endpoint(
            "base_url = \"https://a.example\"\ncost_per_1k_tokens = 0\nclass_max = \"sensitive\"\nclass_max_redacted = \"public\"",
        ),
        (10, 1),
        "endpoints[0].class_max_redacted",
        "class_max_redacted must not be below class_max",
    );
    check(
        &format!("role = \"user\"\n{}", url("https://a.example")),
        (4, 3),
        "endpoints",
        "only the app's policy can have endpoints",
    );
}

#[test]
fn what_is_wrong_about_telemetry_is_named_with_its_place() {
    let section = |lines: &str| format!("[telemetry]\nservice = \"a\"\ntrust = \"organisation\"\n{lines}");
    let with_url = |lines: &str| section(&format!("url = \"https://a.example\"\n{lines}"));
    check(
        "telemetry = 1",
        (3, 1),
        "telemetry",
        "expected a table, found a whole number",
    );
    check(&section(""), (3, 2), "telemetry", "the field url is missing");
    check(
        &section("url = \"http://a.example\""),
        (6, 1),
        "telemetry.url",
        "the base URL is not encrypted: http:// is for loopback only",
    );
    check(
        &with_url("metrics = 1"),
        (7, 1),
        "telemetry.metrics",
        "expected true or false, found a whole number",
    );
    check(
        &with_url("bytes_a_day = 9_999"),
        (7, 1),
        "telemetry.bytes_a_day",
        "must be 10000 to 10000000",
    );
    check(
        &with_url("connections_a_day = 0"),
        (7, 1),
        "telemetry.connections_a_day",
        "must be 1 to 24",
    );
    check(
        &with_url("wifi = true"),
        (7, 1),
        "telemetry.wifi",
        "unknown field; the fields here are url, service, trust, metrics, traces, bytes_a_day, connections_a_day, metered",
    );
    let user = |lines: &str| format!("role = \"user\"\n[telemetry]\n{lines}");
    for (field, value) in [
        ("url", "\"https://a.example\""),
        ("service", "\"a\""),
        ("trust", "\"organisation\""),
        ("bytes_a_day", "10_000"),
        ("connections_a_day", "1"),
        ("metered", "false"),
    ] {
        check(
            &user(&format!("traces = false\n{field} = {value}")),
            (6, 1),
            &format!("telemetry.{field}"),
            "a user's policy can only have metrics and traces here",
        );
    }
    check(
        &user("spans = false"),
        (5, 1),
        "telemetry.spans",
        "unknown field; the fields here are metrics, traces",
    );
}

#[test]
fn json_errors_have_their_place_too() {
    #[track_caller]
    fn check(text: &str, place: (u32, u32), path: &str, reason: &str) {
        let error = Policy::parse(text, Format::Json).unwrap_err();
        let found = (error.line, error.column, error.path.as_str(), error.reason.to_string());
        assert_eq!(found, (place.0, place.1, path, reason.to_owned()));
    }
    check("", (1, 1), "", "the document ends where a value is expected");
    check("[]", (1, 1), "", "expected a table, found a list");
    check(
        "{\"version\": 1,\n \"name\": \"ü\", \"nam\": 1}",
        (2, 15),
        "nam",
        "unknown field; the fields here are version, $schema, name, description, role, currency, endpoints, order, otherwise, limits, tasks, rules, tools, telemetry",
    );
    check(
        "{\"version\": 1,\n\"version\": 1}",
        (2, 1),
        "version",
        "the key appears twice",
    );
    check("{\"version\": 2, \"name\": \"a\"}", (1, 2), "version", "must be 1 to 1");
    check(
        "{\"version\": null}",
        (1, 2),
        "version",
        "expected a whole number, found null",
    );
    check("{\"version\": 1 \"name\"", (1, 15), "", "expected a comma or }");
    check(
        "{\"version\": 1, \"name\": \"a\\x\"}",
        (1, 24),
        "",
        "a string contains an invalid character or escape",
    );
    check("{\"version\": 1} {}", (1, 16), "", "expected the end of the document");
}

#[test]
fn base_urls_are_encrypted_or_loopback() {
    #[track_caller]
    fn check(url: &str, is_accepted: bool) {
        let lines = endpoint(&format!("cost_per_1k_tokens = 0\nbase_url = \"{url}\""));
        let text = format!("version = 1\nname = \"test\"\n{lines}");
        let result = Policy::parse(&text, Format::Toml);
        assert_eq!(result.is_ok(), is_accepted, "{url}: {result:?}");
    }
    for url in [
        "https://a.example",
        "https://a.example:8443/v1",
        "https://10.0.0.7/v1",
        "https://[2001:db8::1]:443/v1",
        "http://localhost:8080",
        "http://LOCALHOST",
        "http://127.0.0.1:1/v1",
        "http://127.9.9.9",
        "http://[::1]:8080/v1",
    ] {
        check(url, true);
    }
    for url in [
        "ftp://a.example",
        "HTTPS://a.example",
        "https://",
        "https://:443",
        "https://a.example:0",
        "https://a.example:99999",
        "https://a.example:+1",
        "https://a.example:",
        "https://key@a.example",
        "https://a.example/?key=1",
        "https://a.example#v1",
        "https://a example",
        "https://a.example\\\\@b.example",
        "https://ä.example",
        "https://[::1",
        "http://127.0.0.1.example.org",
        "http://localhost.example.org",
        "http://localhost@a.example",
        "http://0.0.0.0",
        "http://[::ffff:1.2.3.4]",
        "http://a.example",
    ] {
        check(url, false);
    }
}

#[test]
fn every_size_has_its_limit() {
    #[track_caller]
    fn check(limit: u64, document: impl Fn(u64) -> String) {
        let accepted = Policy::parse(&document(limit), Format::Toml);
        assert!(accepted.is_ok(), "{accepted:?}");
        let error = Policy::parse(&document(limit + 1), Format::Toml).unwrap_err();
        let is_of_size = matches!(
            error.reason,
            PolicyErrorReason::TooLong { .. } | PolicyErrorReason::OutOfRange { .. }
        );
        assert!(is_of_size, "{error}");
    }
    let head = "version = 1\nname = \"test\"\n";
    let with = |lines: String| format!("{head}{lines}");
    let repeat = |count: u64, line: &dyn Fn(u64) -> String| (0..count).map(line).collect::<String>();
    let letters = |count: u64| "x".repeat(count as usize);
    check(limits::DOCUMENT_BYTES_MAX, |bytes| {
        let room = bytes - head.len() as u64 - 2;
        with(format!("# {}", letters(room)))
    });
    check(limits::RULES_MAX, |count| {
        with(repeat(count, &|index| {
            format!("[[rules]]\nid = \"r{index}\"\ndeny = [\"queue\"]\n")
        }))
    });
    check(limits::TOOL_RULES_MAX, |count| {
        with(repeat(count, &|index| {
            format!("[[tools]]\nid = \"r{index}\"\nuse = \"never\"\n")
        }))
    });
    check(limits::ID_BYTES_MAX, |bytes| {
        let name = letters(bytes);
        with(format!(
            "[[tools]]\nid = \"r\"\nwhen = {{ tool = [\"{name}\"] }}\nuse = \"never\"\n"
        ))
    });
    check(limits::ENDPOINTS_MAX, |count| {
        with(repeat(count, &|index| {
            let rest =
                "base_url = \"https://a.example\"\nmodel = \"m\"\ntrust = \"organisation\"\ncost_per_1k_tokens = 0\n";
            format!("[[endpoints]]\nid = \"e{index}\"\n{rest}")
        }))
    });
    check(limits::TASKS_MAX, |count| {
        with(repeat(count, &|index| {
            format!("[tasks.t{index}]\notherwise = [\"on_device\"]\n")
        }))
    });
    check(limits::LIST_ENTRIES_MAX, |count| {
        let tasks = repeat(count, &|index| format!("\"t{index}\", "));
        with(rule(&format!("when = {{ task = [{tasks}] }}\ndeny = [\"queue\"]")))
    });
    check(limits::ID_BYTES_MAX, |bytes| {
        with(format!("[tasks.{}]", letters(bytes)))
    });
    check(limits::ID_BYTES_MAX, |bytes| {
        with(format!("[[rules]]\nid = \"{}\"\ndeny = [\"queue\"]", letters(bytes)))
    });
    check(limits::TEXT_BYTES_MAX, |bytes| {
        with(format!("description = \"{}\"", letters(bytes)))
    });
    check(limits::URL_BYTES_MAX, |bytes| {
        let path = letters(bytes - "https://a.example/".len() as u64);
        with(endpoint(&format!(
            "cost_per_1k_tokens = 0\nbase_url = \"https://a.example/{path}\""
        )))
    });
    check(limits::NUMBER_MAX, |number| {
        with(format!("limits = {{ metered_bytes_a_day = {number} }}"))
    });
    check(limits::DEADLINE_MS_MAX, |number| {
        with(format!("limits = {{ deadline_ms = {number} }}"))
    });
    let telemetry = "telemetry = { url = \"https://a.example\", service = \"a\", trust = \"organisation\", ";
    check(limits::TELEMETRY_BYTES_A_DAY_MAX, |number| {
        with(format!("{telemetry}bytes_a_day = {number} }}"))
    });
    check(limits::TELEMETRY_CONNECTIONS_A_DAY_MAX, |number| {
        with(format!("{telemetry}connections_a_day = {number} }}"))
    });
    check(limits::COST_MAX as u64, |number| {
        with(format!("limits = {{ cost_a_day = {number} }}"))
    });

    for (count, is_too_long) in [(limits::TABLE_FIELDS_MAX, false), (limits::TABLE_FIELDS_MAX + 1, true)] {
        let fields: Vec<_> = (0..count).map(|index| format!("\"f{index}\": 1")).collect();
        let error = Policy::parse(&format!("{{{}}}", fields.join(",")), Format::Json).unwrap_err();
        assert_eq!(
            matches!(error.reason, PolicyErrorReason::TooLong { .. }),
            is_too_long,
            "{error}"
        );
    }
    let nested = |depth: u64| format!("{}{}", "[".repeat(depth as usize), "]".repeat(depth as usize));
    for (depth, is_too_deep) in [
        (u64::from(limits::DOCUMENT_DEPTH_MAX), false),
        (17, true),
        (10_000, true),
    ] {
        let error = Policy::parse(&nested(depth), Format::Json).unwrap_err();
        assert_eq!(
            matches!(error.reason, PolicyErrorReason::TooLong { .. }),
            is_too_deep,
            "{error}"
        );
        let error = Policy::parse(&format!("{head}x = {}", nested(depth)), Format::Toml).unwrap_err();
        assert!(error.line > 0, "{error}");
    }
}

#[test]
fn documents_belong_together_or_nothing_changes() {
    let parse = |text: &str| Policy::parse(text, Format::Toml).unwrap();
    let app = |name: &str| parse(&format!("version = 1\nname = \"{name}\"\n{}", support::ENDPOINTS));
    let user = |step: &str| {
        parse(&format!(
            "version = 1\nname = \"u\"\nrole = \"user\"\notherwise = [\n  \"{step}\"]"
        ))
    };
    assert_eq!(user("on_device").role(), PolicyRole::User);
    let mut set = PolicySet::new(app("first"), Some(user("remote:house"))).unwrap();
    let before = set.clone();
    let error = set.replace_user(Some(user("remote:nowhere"))).unwrap_err();
    assert_eq!(
        error.to_string(),
        "line 5, column 3: otherwise[0]: no endpoint has the id nowhere"
    );
    let error = set.replace(user("on_device"), None).unwrap_err();
    assert_eq!(error.to_string(), "role: this is the user's policy, not the app's");
    let error = set.replace_user(Some(app("second"))).unwrap_err();
    assert_eq!(error.to_string(), "role: this is the app's policy, not the user's");
    assert_eq!(set, before);
    set.replace(app("second"), None).unwrap();
    assert_eq!((set.app().name(), set.user()), ("second", None));
    assert_eq!(before.app().name(), "first");
}

#[test]
fn tasks_are_compared_without_regard_to_case_and_blanks() {
    let policy = |body: &str| Policy::parse(&format!("version = 1\nname = \"tasks\"\n{body}"), Format::Toml);
    let limited = policy("[tasks.Summarise]\nlimits = { deadline_ms = 5 }").unwrap();
    for task in ["Summarise", "summarise", " SUMMARISE "] {
        assert_eq!(limited.limits(task).deadline_ms, Some(5), "{task}");
    }
    assert_eq!(limited.limits("summarise2").deadline_ms, None);
    let twice = policy("[tasks.Chat]\nlimits = { deadline_ms = 5 }\n[tasks.chat]\nlimits = { deadline_ms = 6 }");
    assert!(twice.unwrap_err().to_string().contains("twice"));
}
