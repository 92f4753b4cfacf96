//! What every command prints with `--json`: the shape is an interface, so that a change of it shows here; and the values that can
//! be known. `UPDATE_SNAPSHOTS=1` writes the shapes anew.
#![allow(clippy::unwrap_used)]

mod support;

use serde_json::Value;
use support::{Desk, check_shape as check, copy_bundle, tiny};
use whimbrel_forge::synthetic::Synthetic;

#[test]
fn run() {
    let desk = Desk::new();
    let tiny = tiny();
    let run = |more: &[&str]| {
        let base = [
            "run",
            "--json",
            "--model",
            tiny.to_str().unwrap(),
            "--prompt",
            "What is light?",
        ];
        desk.run(base.iter().chain(more)).succeeded().json()
    };
    let first = run(&["--max-tokens", "12"]);
    check("run", &first);
    assert_eq!(first["completion_tokens"], 12);
    assert_eq!(first["finish_reason"], "length");
    assert_eq!(
        first["text"],
        run(&["--max-tokens", "12", "--threads", "1"])["text"],
        "greedy is reproducible"
    );

    let random = |seed| run(&["--max-tokens", "24", "--temperature", "2", "--seed", seed])["text"].clone();
    assert_eq!(random("7"), random("7"));
    assert_ne!(random("7"), random("8"));

    let stop = &first["text"].as_str().unwrap()[2..4];
    let stopped = run(&["--max-tokens", "12", "--stop", stop]);
    assert_eq!(stopped["finish_reason"], "stop");
    assert_eq!(
        stopped["text"],
        first["text"].as_str().unwrap().split(stop).next().unwrap()
    );

    let bare = run(&["--max-tokens", "1", "--system", ""]);
    assert_eq!(
        bare["prompt_tokens"], first["prompt_tokens"],
        "this model has no system message of its own"
    );
    let system = run(&["--max-tokens", "1", "--system", "Be brief."]);
    assert!(bare["prompt_tokens"].as_u64() < system["prompt_tokens"].as_u64());
    let raw = run(&["--max-tokens", "1", "--raw"]);
    assert!(raw["prompt_tokens"].as_u64() < bare["prompt_tokens"].as_u64());
}

#[test]
fn run_takes_its_prompt_from_anywhere() {
    let desk = Desk::new();
    let file = desk.write("prompt.txt", "What is light?\n");
    let tiny = tiny();
    let base = ["run", "--json", "--max-tokens", "4", "--model", tiny.to_str().unwrap()];
    let piped = |arguments: &[&str]| {
        let mut started = support::Started::new(&mut desk.command(base.iter().chain(arguments)));
        started.say("What is light?\n");
        started.finish().succeeded().json()
    };
    let expected = desk
        .run(base.iter().chain(&["--prompt", "What is light?"]))
        .succeeded()
        .json();
    let from_file = desk
        .run(base.iter().chain(&["--prompt-file", file.to_str().unwrap()]))
        .succeeded()
        .json();
    for other in [from_file, piped(&[]), piped(&["--prompt", "-"])] {
        assert_eq!(other["prompt_tokens"], expected["prompt_tokens"]);
        assert_eq!(other["text"], expected["text"]);
    }
}

#[test]
fn run_streams_text_for_people() {
    let desk = Desk::new();
    let tiny = tiny();
    let base = [
        "run",
        "--max-tokens",
        "6",
        "--prompt",
        "What is light?",
        "--model",
        tiny.to_str().unwrap(),
    ];
    let text = desk.run(base.iter().chain(&["--json"])).succeeded().json()["text"]
        .as_str()
        .unwrap()
        .to_owned();
    let plain = desk.run(base).succeeded();
    assert_eq!(plain.stdout.trim_end_matches('\n'), text.trim_end_matches('\n'));
    assert_eq!(plain.stderr, "", "nobody watches, so no statistics");
    let stats = desk.run(base.iter().chain(&["--stats"])).succeeded();
    assert!(stats.stderr.contains("answer 6 tokens at "), "{stats:?}");
}

#[test]
fn tokenize() {
    let desk = Desk::new();
    let tiny = tiny();
    let text = " <|im_start|>light é\n";
    let file = desk.write("text", text);
    let base = ["tokenize", "--json", "--model", tiny.to_str().unwrap()];
    let found = desk.run(base.iter().chain(&["--text", text])).succeeded().json();
    check("tokenize", &found);
    assert_eq!(
        found,
        desk.run(base.iter().chain(&["--file", file.to_str().unwrap()]))
            .succeeded()
            .json()
    );
    let pieces: Vec<_> = found["pieces"]
        .as_array()
        .unwrap()
        .iter()
        .map(|piece| piece.as_str().unwrap())
        .collect();
    assert!(pieces.contains(&"<|im_start|>"), "{pieces:?}");
    assert_eq!(found["count"].as_u64().unwrap() as usize, pieces.len());
    let plain = desk
        .run(["tokenize", "--model", tiny.to_str().unwrap(), "--text", text])
        .succeeded();
    assert_eq!(plain.stdout.lines().count(), pieces.len());
    let nothing = desk.run(base.iter().chain(&["--text", ""])).succeeded().json();
    assert_eq!(nothing["count"], 0);
}

#[test]
fn perplexity() {
    let desk = Desk::new();
    let tiny = tiny();
    let file = desk.write("text", "Light is the cause of colour. ".repeat(200));
    let base = [
        "perplexity",
        "--json",
        "--model",
        tiny.to_str().unwrap(),
        "--file",
        file.to_str().unwrap(),
    ];
    let found = desk.run(base.iter().chain(&["--context", "64"])).succeeded().json();
    check("perplexity", &found);
    let tokens = found["tokens"].as_u64().unwrap();
    let chunks = found["chunks"].as_u64().unwrap();
    assert_eq!(chunks, tokens / 64);
    assert_eq!(found["scored_tokens"].as_u64().unwrap(), chunks * 31);
    let nll = found["nll"].as_f64().unwrap();
    assert!((found["perplexity"].as_f64().unwrap() / nll.exp() - 1.0).abs() < 1e-12);
    assert!(nll > 0.0, "{nll}");
    let fewer = desk
        .run(base.iter().chain(&["--context", "64", "--chunks", "2"]))
        .succeeded()
        .json();
    assert_eq!(fewer["chunks"], 2);
}

#[test]
fn bench() {
    let desk = Desk::new();
    let tiny = tiny();
    let base = [
        "bench",
        "--json",
        "--model",
        tiny.to_str().unwrap(),
        "--threads",
        "1",
        "--repetitions",
        "2",
    ];
    let found = desk
        .run(base.iter().chain(&["--prompt-tokens", "20", "--decode-tokens", "5"]))
        .succeeded()
        .json();
    check("bench", &found);
    assert_eq!(found["context_depth"], 20);
    for rate in ["prefill_tokens_per_second", "decode_tokens_per_second"] {
        let value = |which: &str| found[rate][which].as_f64().unwrap();
        assert!(0.0 < value("min") && value("min") <= value("median") && value("median") <= value("max"));
    }
    for depth in ["0", "7", "300"] {
        let deep = desk.run(base.iter().chain(&["--prompt-tokens", "20", "--context-depth", depth]));
        assert_eq!(deep.succeeded().json()["context_depth"].to_string(), depth);
    }
}

#[test]
fn inspect() {
    let desk = Desk::new();
    let bundle = desk
        .run(["inspect", "--json", tiny().to_str().unwrap()])
        .succeeded()
        .json();
    check("inspect-bundle", &bundle);
    assert_eq!(bundle["verified"], true);

    let file = desk.write("tiny.gguf", Synthetic::tiny().to_gguf());
    let file = desk
        .run(["inspect", "--json", file.to_str().unwrap()])
        .succeeded()
        .json();
    check("inspect-gguf", &file);
    assert_eq!(file["supported"], true);
    assert_eq!(file["import"]["variant"], "f32");

    let unsupported = desk.write("odd.gguf", odd_architecture());
    let unsupported = desk
        .run(["inspect", "--json", unsupported.to_str().unwrap()])
        .succeeded()
        .json();
    assert_eq!(unsupported["supported"], false);
    assert!(
        unsupported["reason"].as_str().unwrap().contains("llamo"),
        "{unsupported}"
    );
}

/// The tiny file of an architecture that nobody knows.
fn odd_architecture() -> Vec<u8> {
    let mut bytes = Synthetic::tiny().to_gguf();
    let key = b"general.architecture";
    let at = bytes.windows(key.len()).position(|window| window == key).unwrap();
    let at = at + bytes[at..].windows(5).position(|window| window == b"llama").unwrap();
    bytes[at..at + 5].copy_from_slice(b"llamo");
    bytes
}

#[test]
fn import() {
    let desk = Desk::new();
    let file = desk.write("tiny.gguf", Synthetic::tiny().to_gguf());
    let output = desk.path("bundle");
    let base = [
        "import",
        "--json",
        file.to_str().unwrap(),
        "--output",
        output.to_str().unwrap(),
    ];
    let found = desk.run(base).succeeded().json();
    check("import", &found);
    assert_eq!(found["variant"], "f32");
    desk.run(base).failed(2, "output_exists");
    let again = base.iter().chain(&[
        "--force",
        "--quantization",
        "q8_0",
        "--name",
        "Mine",
        "--licence",
        "MIT",
    ]);
    let again = desk.run(again).succeeded().json();
    assert_eq!(again["variant"], "q8_0");
    assert_eq!(again["name"], "Mine");
    assert_eq!(again["licence"]["spdx"], "MIT");
    let asked = desk.run([
        "run",
        "--json",
        "--max-tokens",
        "2",
        "--prompt",
        "x",
        "--model",
        output.to_str().unwrap(),
    ]);
    assert_eq!(asked.succeeded().json()["variant"], "q8_0");
}

#[test]
fn seal() {
    let desk = Desk::new();
    let bundle = desk.path("bundle");
    copy_bundle(&tiny(), &bundle);
    let bundle = bundle.to_str().unwrap();
    assert_eq!(
        desk.run(["seal", "--json", bundle]).succeeded().json()["changed"],
        serde_json::json!([])
    );
    let template = desk.path("bundle/chat_template.jinja");
    std::fs::write(&template, "{{ messages[0].content }}").unwrap();
    desk.run(["run", "--json", "--model", bundle, "--prompt", "x"])
        .failed(4, "bundle_damaged");
    let sealed = desk.run(["seal", "--json", bundle]).succeeded().json();
    check("seal", &sealed);
    assert_eq!(sealed["changed"][0]["path"], "chat_template.jinja");
    desk.run(["run", "--json", "--model", bundle, "--prompt", "x", "--max-tokens", "1"])
        .succeeded();
}

/// The graph is what runs: without one layer's lines it is a model with one layer less.
#[test]
fn a_layer_can_be_taken_out_of_the_graph() {
    let desk = Desk::new();
    let bundle = desk.path("bundle");
    copy_bundle(&tiny(), &bundle);
    let bundle = bundle.to_str().unwrap();
    let ask = [
        "run",
        "--json",
        "--raw",
        "--max-tokens",
        "16",
        "--prompt",
        "Light is",
        "--model",
        bundle,
    ];
    let whole = desk.run(ask).succeeded().json();
    let path = desk.path("bundle/q4_1/graph.nnef");
    let graph = std::fs::read_to_string(&path).unwrap();
    let (head, rest) = graph.split_once("  # layer 1\n").unwrap();
    let (_, tail) = rest.split_once("  # layer 2\n").unwrap();
    std::fs::write(&path, format!("{head}{tail}")).unwrap();
    desk.run(["seal", bundle]).succeeded();
    let shorter = desk.run(ask).succeeded().json();
    assert_ne!(whole["text"], shorter["text"]);
}

#[test]
fn doctor() {
    let desk = Desk::new();
    desk.write_device(&[
        ("sys/class/power_supply/BAT0/type", "Battery"),
        ("sys/class/power_supply/BAT0/capacity", "64"),
        ("sys/class/power_supply/BAT0/status", "Discharging"),
        ("sys/class/net/lo/operstate", "unknown"),
        ("proc/meminfo", "MemTotal: 4000000 kB"),
    ]);
    let found = desk.run(["doctor", "--json"]).succeeded().json();
    check("doctor", &found);
    let device = &found["device"];
    assert_eq!(device["battery_percent"], 64);
    assert_eq!(device["charging"], false);
    assert_eq!(device["network"], "none");
    assert_eq!(device["memory_total_bytes"], 4_096_000_000_u64);
    assert_eq!(device["foreground"], true);
    for unknown in ["thermal", "power_save", "memory_available_bytes", "round_trip_ms"] {
        assert_eq!(device[unknown], Value::Null, "{unknown}");
    }
    let people = desk.run(["doctor"]).succeeded().stdout;
    for line in ["battery       64 %", "temperature   unknown", "network       none"] {
        assert!(people.contains(line), "{line}: {people}");
    }
    assert_eq!(
        found["models"]["available"],
        serde_json::json!(["smollm2-135m-instruct", "gemma-3-270m"])
    );
    let mut command = desk.command(["doctor", "--json"]);
    let without = support::Started::new(command.env("WHIMBREL_PYTHON", "/nowhere/python"))
        .finish()
        .succeeded()
        .json();
    assert_eq!(without["python"]["version"], Value::Null);
    assert_eq!(without["python"]["pip_version"], Value::Null);
}

#[test]
fn completions() {
    let script = Desk::new().run(["completions", "bash"]).succeeded();
    // The script asks the program, which knows the commands and the installed models.
    assert!(script.stdout.contains("WHIMBREL_COMPLETE=\"bash\""), "{script:?}");
}
