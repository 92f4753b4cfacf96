//! `whimbrel models pull URL`: from an address to an answer, with a server on this machine.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use serde_json::Value;
use sha2::{Digest, Sha256};
use support::{Desk, Ran, Started, on_small_disk};
use whimbrel_forge::synthetic::Synthetic;
use whimbrel_testing::{Authority, ChatServer, Random, Received, Step, head};

/// What is fetched again after a kill at the most.
const CHUNK_BYTES: u64 = 1 << 20;
/// How many downloads are killed. The whole suite takes 300.
const KILLS_VARIABLE: &str = "WHIMBREL_KILLS";
const KILLS: u64 = 12;

/// The first byte that a request asks for.
fn from(request: &Received) -> Option<usize> {
    let range = request.header("range")?;
    range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok()
}

/// An honest answer with a file, in pieces.
fn serve(file: &[u8], request: &Received) -> Vec<Step> {
    let start = from(request).unwrap_or(0);
    let length = (file.len() - start).to_string();
    let range = format!("bytes {start}-{}/{}", file.len() - 1, file.len());
    let mut fields = vec![("etag", "\"one\""), ("content-length", length.as_str())];
    if start > 0 {
        fields.push(("content-range", &range));
    }
    let status = if start > 0 { "206 Partial Content" } else { "200 OK" };
    let mut steps = vec![Step::Send(head(status, &fields))];
    steps.extend(file[start..].chunks(16_384).map(|piece| Step::Send(piece.to_vec())));
    steps
}

fn refused(status: &str) -> Vec<Step> {
    vec![Step::Send(head(status, &[("content-length", "0")]))]
}

/// A server of files by the last part of their paths.
fn shop(files: Vec<(&'static str, Vec<u8>)>) -> ChatServer {
    let script = move |_: usize, request: &Received| {
        let path = request.head.split(' ').nth(1).unwrap();
        let name = path.split('?').next().unwrap().rsplit('/').next().unwrap();
        let found = files.iter().find(|(file, _)| *file == name);
        found.map_or_else(|| refused("404 Not Found"), |(_, content)| serve(content, request))
    };
    ChatServer::answering_in_background(script, None)
}

fn pull(desk: &Desk, url: &str, more: &[&str]) -> Ran {
    desk.run(["models", "pull", "--json", url].iter().chain(more))
}

fn list(desk: &Desk) -> Value {
    desk.run(["models", "list", "--json"]).succeeded().json()
}

fn listed(desk: &Desk, name: &str) -> Value {
    let models = list(desk)["models"].as_array().unwrap().clone();
    models
        .into_iter()
        .find(|model| model["name"] == name)
        .unwrap_or_default()
}

fn answers(desk: &Desk, name: &str) {
    let ran = desk.run([
        "run",
        "--json",
        "--raw",
        "--model",
        name,
        "--prompt",
        "Light is",
        "--max-tokens",
        "2",
    ]);
    assert_eq!(ran.succeeded().json()["completion_tokens"], 2);
}

/// What pulls left in the folder of models, installed ones among it.
fn left(desk: &Desk) -> Vec<String> {
    let names = |folder: PathBuf| {
        let entries = fs::read_dir(folder).into_iter().flatten();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name != ".pull").collect::<Vec<_>>()
    };
    [names(desk.models()), names(desk.models().join(".pull"))].concat()
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn a_model_is_pulled_from_an_address_and_answers() {
    let desk = Desk::new();
    let file = Synthetic::tiny().to_gguf();
    let server = shop(vec![("tiny-1.gguf", file.clone())]);
    let url = format!("{}/files/tiny-1.gguf?download=true", server.url);
    let pulled = pull(&desk, &url, &["--sha256", &sha256(&file).to_uppercase()]).succeeded();
    assert!(pulled.stderr.contains("fetching tiny-1.gguf"), "{pulled:?}");
    let pulled = pulled.json();
    assert_eq!(
        (&pulled["name"], &pulled["status"]),
        (&"tiny-1".into(), &"installed".into())
    );
    assert_eq!(left(&desk), ["tiny-1"]);
    answers(&desk, "tiny-1");
    let found = listed(&desk, "tiny-1");
    assert_eq!(found["source"], url);
    assert_eq!(found["architecture"], "llama");
    assert!(found["memory_bytes"].as_u64().unwrap() > file.len() as u64);

    assert_eq!(pull(&desk, &url, &[]).succeeded().json()["status"], "already_installed");
    assert_eq!(server.requests(), 1);
    // Another model does not take its place.
    let other = format!("{}/tiny-1.gguf", server.url);
    pull(&desk, &other, &[]).failed(2, "output_exists");
    pull(&desk, &other, &["--name", "smollm2-135m-instruct"]).failed(2, "output_exists");
    pull(&desk, &other, &["--name", "second"]).succeeded();
    answers(&desk, "second");
    desk.run(["models", "remove", "tiny-1"]).succeeded();
    assert_eq!(left(&desk), ["second"]);
}

#[test]
fn encrypted_addresses_need_an_authority_that_is_trusted() {
    let desk = Desk::new();
    let authority = Authority::new("Root");
    let acceptor = authority.leaf(&["127.0.0.1"], |_| {}).acceptor(&[], &[b"http/1.1"]);
    let file = Synthetic::tiny().to_gguf();
    let server = ChatServer::answering_in_background(move |_, request| serve(&file, request), Some(acceptor));
    let url = format!("{}/tiny.gguf", server.url);
    assert!(url.starts_with("https://"));
    let error = pull(&desk, &url, &[]).failed(8, "network").json();
    let message = error["error"]["message"].as_str().unwrap().to_owned();
    assert!(message.contains("an unknown authority issued it"), "{message}");
    assert_eq!(server.requests(), 0);
    let root = desk.write("root.pem", authority.pem());
    pull(&desk, &url, &["--authority", root.to_str().unwrap()]).succeeded();
    answers(&desk, "tiny");
    let nonsense = desk.write("nonsense.pem", "nonsense");
    pull(
        &desk,
        &url,
        &["--authority", nonsense.to_str().unwrap(), "--name", "other"],
    )
    .failed(2, "usage");
}

#[test]
fn what_is_not_the_model_leaves_nothing() {
    let desk = Desk::new();
    let file = Synthetic::tiny().to_gguf();
    let foreign = Synthetic::tiny().to_gguf_with(&[("general.architecture", "bert")], &[]);
    let server = shop(vec![
        ("tiny.gguf", file.clone()),
        ("page.gguf", b"<!DOCTYPE html><html></html>".to_vec()),
        ("archive.gguf", b"PK\x03\x04".to_vec()),
        ("cut.gguf", file[..file.len() / 2].to_vec()),
        ("foreign.gguf", foreign),
    ]);
    let wrong = "0".repeat(64);
    for (name, more, status, code, says) in [
        ("page.gguf", &[][..], 8, "not_a_model", "it is a web page"),
        ("archive.gguf", &[], 8, "not_a_model", "it is not a GGUF file"),
        ("missing.gguf", &[], 8, "download_failed", "status 404"),
        (
            "tiny.gguf",
            &["--sha256", wrong.as_str()],
            8,
            "hash_mismatch",
            "SHA-256",
        ),
        ("cut.gguf", &[], 5, "input_invalid", "tensor"),
        (
            "foreign.gguf",
            &[],
            5,
            "input_unsupported",
            "\"bert\" is not supported; supported: ",
        ),
    ] {
        let error = pull(&desk, &format!("{}/{name}", server.url), more)
            .failed(status, code)
            .json();
        let message = error["error"]["message"].as_str().unwrap().to_owned();
        assert!(message.contains(says), "{name}: {message}");
        assert!(listed(&desk, name.trim_end_matches(".gguf")).is_null());
        assert_eq!(left(&desk), [""; 0], "{name}");
    }
}

#[test]
fn addresses_are_checked_before_anything_is_asked() {
    let desk = Desk::new();
    for (arguments, says) in [
        (
            &["http://models.example/a.gguf"][..],
            "http is allowed only for this machine",
        ),
        (
            &["ftp://models.example/a.gguf"],
            "http is allowed only for this machine",
        ),
        (&["https://me:word@models.example/a.gguf"], "a user name or a password"),
        (&["https://models.example/a b.gguf"], "not a valid URL"),
        (&["https://models.example/"], "--name"),
        (&["https://models.example/a.gguf", "--name", "../a"], "cannot be a name"),
        (&["https://models.example/a.gguf", "--mirror", "x"], "not a valid URL"),
        (
            &["https://models.example/a.gguf", "--sha256", "12"],
            "64 hexadecimal digits",
        ),
        (
            &[
                "https://models.example/a-00001-of-00002.gguf",
                "--sha256",
                "0000000000000000000000000000000000000000000000000000000000000000",
            ],
            "1 times for 2 files",
        ),
        (
            &[
                "smollm2-135m-instruct",
                "--sha256",
                "0000000000000000000000000000000000000000000000000000000000000000",
            ],
            "not for models of the catalogue",
        ),
    ] {
        let ran = desk.run(["models", "pull"].iter().chain(arguments));
        assert_eq!(ran.status, Some(2), "{ran:?}");
        assert!(ran.stderr.contains(says), "{ran:?}");
    }
}

#[test]
fn all_parts_of_a_split_model_are_pulled() {
    let desk = Desk::new();
    let names = [
        "tiny-00001-of-00003.gguf",
        "tiny-00002-of-00003.gguf",
        "tiny-00003-of-00003.gguf",
    ];
    let parts: Vec<_> = names.into_iter().zip(Synthetic::tiny().to_gguf_parts(3)).collect();
    let hashes: Vec<String> = parts.iter().map(|(_, part)| sha256(part)).collect();
    let missing = shop(parts[..2].to_vec());
    let url = format!("{}/{}", missing.url, names[1]);
    let error = pull(&desk, &url, &[]).failed(8, "download_failed").json();
    assert!(
        error["error"]["message"].as_str().unwrap().contains(names[2]),
        "{error}"
    );
    assert_eq!(list(&desk)["interrupted"][0]["name"], "tiny");

    let server = shop(parts);
    let url = format!("{}/{}", server.url, names[1]);
    let options: Vec<&str> = hashes.iter().flat_map(|hash| ["--sha256", hash.as_str()]).collect();
    let pulled = pull(&desk, &url, &options).succeeded().json();
    assert_eq!(pulled["name"], "tiny");
    answers(&desk, "tiny");
    assert_eq!(left(&desk), ["tiny"]);
}

/// A server that stops after so many bytes of its first answer, and goes on in the next.
fn stalling(file: Vec<u8>, after: usize) -> ChatServer {
    let script = move |number: usize, request: &Received| {
        let mut steps = serve(&file, request);
        if number == 0 {
            steps.truncate(1 + after / 16_384);
            steps.push(Step::Stall);
        }
        steps
    };
    ChatServer::answering_in_background(script, None)
}

/// The first answer stalls early on: nobody waits for the rest of a file that cannot be imported.
#[test]
fn an_unknown_architecture_is_refused_while_the_file_comes() {
    let desk = Desk::new();
    let foreign = Synthetic::tiny().to_gguf_with(&[("general.architecture", "bert")], &[]);
    let server = stalling(foreign, 16_384);
    let refused = pull(&desk, &format!("{}/foreign.gguf", server.url), &[]).failed(5, "input_unsupported");
    assert!(
        refused.json()["error"]["message"]
            .as_str()
            .unwrap()
            .contains("\"bert\"")
    );
    assert_eq!((server.received().len(), left(&desk)), (1, Vec::new()));
}

#[test]
fn an_interrupted_pull_goes_on_where_it_ended() {
    let desk = Desk::new();
    let file = Synthetic {
        layers: 12,
        ..Synthetic::tiny()
    }
    .to_gguf();
    let server = stalling(file.clone(), file.len() / 2);
    let url = format!("{}/tiny.gguf", server.url);
    let mut started = Started::new(&mut desk.command(["models", "pull", "--json", &url]));
    started.first_complaint();
    let part = desk.models().join(".pull/tiny/tiny.gguf");
    let fetched = || fs::metadata(&part).map_or(0, |found| found.len());
    while fetched() < file.len() as u64 / 2 - 16_384 {
        thread::yield_now();
    }
    started.signal("-INT");
    let ended = started.finish().failed(130, "interrupted").json();
    let hint = ended["error"]["hint"].as_str().unwrap().to_owned();
    assert!(hint.contains("run the same command again to resume"), "{ended}");
    let kept = fetched();
    let interrupted = &list(&desk)["interrupted"][0];
    assert!(interrupted["name"] == "tiny" && interrupted["bytes"].as_u64().unwrap() >= kept);

    pull(&desk, &url, &[]).succeeded();
    answers(&desk, "tiny");
    assert_eq!(left(&desk), ["tiny"]);
    let resumed_from = from(&server.received()[1]).unwrap() as u64;
    assert!(
        resumed_from <= kept && kept - resumed_from <= CHUNK_BYTES,
        "{resumed_from} of {kept}"
    );
    assert_eq!(server.received()[1].header("if-range"), Some("\"one\""));
}

#[test]
fn an_interrupted_pull_can_be_thrown_away() {
    let desk = Desk::new();
    let file = Synthetic::tiny().to_gguf();
    for restart in [false, true] {
        let server = stalling(file.clone(), file.len() / 2);
        let url = format!("{}/tiny.gguf", server.url);
        let mut started = Started::new(&mut desk.command(["models", "pull", "--json", &url]));
        started.first_complaint();
        started.signal("-INT");
        started.finish().failed(130, "interrupted");
        if restart {
            pull(&desk, &url, &["--restart"]).succeeded();
            assert_eq!(from(&server.received()[1]), None);
        } else {
            desk.run(["models", "remove", "tiny"]).succeeded();
            assert_eq!(left(&desk), [""; 0]);
        }
    }
}

#[test]
fn a_pull_that_is_killed_again_and_again_ends_with_the_right_file() {
    let kills = std::env::var(KILLS_VARIABLE).map_or(KILLS, |kills| kills.parse().unwrap());
    let file = Synthetic {
        layers: 40,
        ..Synthetic::tiny()
    }
    .to_gguf();
    let hash = sha256(&file);
    let size = file.len() as u64;
    let mut random = Random::new(kills);
    let mut killed = 0;
    while killed < kills {
        let desk = Desk::new();
        let content = file.clone();
        let server = ChatServer::answering_in_background(move |_, request| serve(&content, request), None);
        let url = format!("{}/tiny.gguf", server.url);
        let part = desk.models().join(".pull/tiny/tiny.gguf");
        let fetched = || fs::metadata(&part).map_or(0, |found| found.len());
        let mut kept = 0;
        loop {
            let mut started = Started::new(&mut desk.command(["models", "pull", &url, "--sha256", &hash]));
            let threshold = kept + random.below(size / 4);
            while threshold < size && fetched() < threshold && !started.has_ended() {
                thread::yield_now();
            }
            if killed == kills || started.has_ended() || threshold >= size {
                started.finish();
                break;
            }
            started.signal("-KILL");
            started.finish();
            killed += 1;
            // Where this run began, by what the last one left.
            let begun = server
                .take_received()
                .last()
                .map(|request| from(request).unwrap_or(0) as u64);
            assert!(
                begun.is_none_or(|begun| begun <= kept && kept - begun <= CHUNK_BYTES),
                "{begun:?} of {kept}"
            );
            kept = fetched();
        }
        pull(&desk, &url, &["--sha256", &hash]).succeeded();
        answers(&desk, "tiny");
        assert_eq!(left(&desk), ["tiny"]);
    }
}

#[test]
fn the_disk_is_asked_first() {
    let desk = Desk::new();
    let file = Synthetic {
        layers: 40,
        ..Synthetic::tiny()
    }
    .to_gguf();
    let server = shop(vec![("tiny.gguf", file)]);
    let disk = desk.path("cache");
    fs::create_dir(&disk).unwrap();
    let url = format!("{}/tiny.gguf", server.url);
    let command = desk.command(["models", "pull", "--json", &url]);
    let Some((ran, _)) = on_small_disk(&command, &disk, "8m") else {
        return;
    };
    let error = ran.failed(7, "disk_full").json();
    let message = error["error"]["message"].as_str().unwrap().to_owned();
    assert!(message.contains("bytes of disk space are needed"), "{message}");
}

#[test]
fn a_network_that_costs_money_is_used_only_on_request() {
    let desk = Desk::new();
    let server = shop(vec![("tiny.gguf", Synthetic::tiny().to_gguf())]);
    let url = format!("{}/tiny.gguf", server.url);
    desk.write_device(&[
        ("sys/class/net/wlan0/operstate", "up"),
        ("usr/bin/nmcli", "#!/bin/sh\necho yes"),
    ]);
    fs::set_permissions(desk.path("device/usr/bin/nmcli"), fs::Permissions::from_mode(0o755)).unwrap();
    pull(&desk, &url, &[]).failed(8, "metered");
    let policy = |bytes: &str| {
        desk.write(
            "policy.toml",
            format!("version = 1\nname = \"x\"\n[limits]\nmetered_bytes_a_day = {bytes}\n"),
        )
    };
    let tight = policy("1_000");
    pull(&desk, &url, &["--policy", tight.to_str().unwrap()]).failed(8, "metered");
    let wide = policy("100_000_000");
    pull(&desk, &url, &["--policy", wide.to_str().unwrap()]).succeeded();
    desk.run(["models", "remove", "tiny"]).succeeded();
    pull(&desk, &url, &["--metered"]).succeeded();
}

#[test]
fn a_busy_server_is_waited_for() {
    let desk = Desk::new();
    let file = Synthetic::tiny().to_gguf();
    let script = move |number: usize, request: &Received| match number {
        0 => vec![Step::Send(head(
            "503 Busy",
            &[("content-length", "0"), ("retry-after", "1")],
        ))],
        _ => serve(&file, request),
    };
    let server = ChatServer::answering_in_background(script, None);
    let began = std::time::Instant::now();
    let pulled = pull(&desk, &format!("{}/tiny.gguf", server.url), &[]).succeeded();
    assert!(pulled.stderr.contains("trying again in 1 s"), "{pulled:?}");
    assert!(began.elapsed() >= Duration::from_secs(1));
}
