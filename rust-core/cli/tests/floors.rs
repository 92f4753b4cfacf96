//! The floors of the workspace: which of our crates may depend on which, what only `network` may pull in, and what a phone never
//! carries. Read from cargo, normal and build dependencies of every target; development dependencies are free.
#![allow(clippy::unwrap_used)]

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

/// Every allowed arrow between our crates, by their names without the `whimbrel-` prefix.
const FLOORS: &[(&str, &[&str])] = &[
    ("ffi", &["client", "models"]),
    ("cli", &["client", "engine", "files", "forge", "models"]),
    ("inference", &["engine", "files"]),
    (
        "client",
        &[
            "inference",
            "engine",
            "files",
            "policy",
            "privacy",
            "record",
            "store",
            "network",
            // What requests took, for the assistant.
            "telemetry",
        ],
    ),
    ("models", &["engine", "files", "forge", "network", "policy"]),
    // kernels: the order of weights and half precision are defined there.
    ("forge", &["engine", "files", "kernels"]),
    ("engine", &["files", "kernels"]),
    ("store", &["files", "record"]),
    // telemetry: the one type of message that a collector can be sent.
    ("network", &["privacy", "telemetry"]),
    ("telemetry", &["record"]),
    ("policy", &["privacy", "record"]),
    ("record", &["privacy"]),
    ("files", &[]),
    ("kernels", &[]),
    ("privacy", &[]),
];
/// Programs of the build itself, and what the tests share. They stand beside the floors, and no arrow may point to them: `testing` is
/// for development dependencies alone.
const OUTSIDE: &[&str] = &["bindgen", "testing"];
/// Crates that open sockets or speak TLS, and the feature of tokio that does. `ring` is not among them: `store` seals data with it.
const NETWORK_CRATES: &[&str] = &[
    "curl",
    "curl-sys",
    "h2",
    "hyper",
    "hyper-util",
    "mio",
    "native-tls",
    "openssl-sys",
    "quinn",
    "reqwest",
    "rustls",
    "socket2",
    "tokio/net",
    "tungstenite",
    "ureq",
];
/// What belongs to a terminal, a workshop or programs in Rust, and not into an app.
const DESKTOP_CRATES: &[&str] = &[
    "clap",
    "console",
    "ctrlc",
    "env_logger",
    "indicatif",
    "rmcp",
    "rustyline",
    "schemars",
    "whimbrel-testing",
];
/// The phones that the bindings are built for.
const PHONES: &[&str] = &["aarch64-linux-android", "aarch64-apple-ios"];

/// Normal and build dependencies by package id.
#[derive(Default)]
struct Graph {
    names: BTreeMap<String, String>,
    arrows: BTreeMap<String, BTreeSet<String>>,
    members: Vec<String>,
    /// Names of all crates that building one member alone brings in, `tokio/net` among them where that feature is on. The metadata would
    /// say too much: its features are those that the whole workspace asks for.
    carried: BTreeMap<String, BTreeSet<String>>,
}

impl Graph {
    fn from_metadata(metadata: &Value) -> Self {
        let mut graph = Self::default();
        for package in metadata["packages"].as_array().unwrap() {
            let (id, name) = (package["id"].as_str().unwrap(), package["name"].as_str().unwrap());
            graph.names.insert(id.to_owned(), name.to_owned());
        }
        for node in metadata["resolve"]["nodes"].as_array().unwrap() {
            let id = node["id"].as_str().unwrap();
            let reached = node["deps"].as_array().unwrap().iter().filter(|dependency| {
                dependency["dep_kinds"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .any(|kind| kind["kind"] != "dev")
            });
            let reached = reached
                .map(|dependency| dependency["pkg"].as_str().unwrap().to_owned())
                .collect();
            graph.arrows.insert(id.to_owned(), reached);
        }
        let members = metadata["workspace_members"].as_array().unwrap();
        graph.members = members.iter().map(|id| id.as_str().unwrap().to_owned()).collect();
        graph
    }

    /// Names of everything that `id` reaches by the arrows, without itself.
    fn closure(&self, id: &str) -> BTreeSet<String> {
        let mut seen = BTreeSet::new();
        let mut waiting = vec![id];
        while let Some(next) = waiting.pop() {
            for dependency in self.arrows.get(next).into_iter().flatten() {
                if seen.insert(dependency.as_str()) {
                    waiting.push(dependency);
                }
            }
        }
        seen.into_iter().map(|id| self.names[id].clone()).collect()
    }

    fn violations(&self) -> Vec<String> {
        let floors: BTreeMap<_, _> = FLOORS.iter().copied().collect();
        let mut found = Vec::new();
        for id in &self.members {
            let name = short(&self.names[id]);
            if OUTSIDE.contains(&name) {
                continue;
            }
            let Some(allowed) = floors.get(name) else {
                found.push(format!("{name} stands on no floor"));
                continue;
            };
            for dependency in &self.arrows[id] {
                let Some(ours) = self.names[dependency].strip_prefix("whimbrel-") else {
                    continue;
                };
                if !allowed.contains(&ours) {
                    found.push(format!("{name} -> {ours}"));
                }
            }
            let carried = &self.carried[id];
            // A crate that reaches `network` reaches its crates too, so only those that do not are asked.
            if name != "network" && !carried.contains("whimbrel-network") {
                let network = NETWORK_CRATES
                    .iter()
                    .filter(|crate_name| carried.contains(**crate_name));
                found.extend(network.map(|crate_name| format!("{name} pulls in {crate_name}")));
            }
        }
        found
    }
}

fn short(name: &str) -> &str {
    name.strip_prefix("whimbrel-").unwrap_or(name)
}

/// What cargo prints for these arguments in this workspace.
fn cargo(arguments: &[&str]) -> Vec<u8> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.toml");
    let output = Command::new(cargo)
        .args(arguments)
        .args(["--locked", "--manifest-path", manifest])
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo {arguments:?}: {errors}");
    output.stdout
}

/// What building `package` alone brings in, for all targets.
fn carried(package: &str) -> BTreeSet<String> {
    let select = ["tree", "--package", package, "--all-features", "--target", "all"];
    let print = ["--edges", "normal,build", "--prefix", "none", "--format", "{p}|{f}"];
    let tree = String::from_utf8(cargo(&[&select[..], &print].concat())).unwrap();
    let mut carried = BTreeSet::new();
    for line in tree.lines() {
        let (crate_name, features) = line.split_once('|').unwrap();
        let name = crate_name.split(' ').next().unwrap();
        carried.insert(name.to_owned());
        if name == "tokio" && features.split([',', ' ']).any(|feature| feature == "net") {
            carried.insert("tokio/net".to_owned());
        }
    }
    carried
}

#[test]
fn workspace_keeps_its_floors() {
    let metadata = cargo(&["metadata", "--format-version", "1", "--all-features"]);
    let mut graph = Graph::from_metadata(&serde_json::from_slice(&metadata).unwrap());
    for id in &graph.members {
        graph.carried.insert(id.clone(), carried(&graph.names[id]));
    }
    let door = graph.carried.values().find(|carried| carried.contains("rustls"));
    assert!(
        door.is_some_and(|carried| carried.contains("tokio/net")),
        "features are not seen"
    );
    assert!(
        graph.members.len() >= 7,
        "the workspace lost members: {:?}",
        graph.members
    );
    assert_eq!(graph.violations(), Vec::<String>::new());
}

/// Asked of `cargo tree`, because the metadata's features are those of the whole workspace, the bindings' generator included.
#[test]
fn phones_carry_no_desktop_crates() {
    for phone in PHONES {
        let select = [
            "tree",
            "--package",
            "whimbrel-ffi",
            "--edges",
            "normal,build",
            "--target",
            phone,
        ];
        let tree = cargo(&[&select[..], &["--prefix", "none", "--format", "{p}"]].concat());
        let tree = String::from_utf8(tree).unwrap();
        let carried: BTreeSet<&str> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
        assert!(carried.contains("whimbrel-kernels"), "{phone}: {carried:?}");
        let desktop: Vec<_> = DESKTOP_CRATES.iter().filter(|name| carried.contains(*name)).collect();
        assert!(desktop.is_empty(), "{phone} would carry {desktop:?}");
        assert!(carried.contains("whimbrel-forge"), "{phone}: GGUF files are imported");
        let without = cargo(
            &[
                &select[..],
                &["--no-default-features", "--prefix", "none", "--format", "{p}"],
            ]
            .concat(),
        );
        let without = String::from_utf8(without).unwrap();
        assert!(
            !without.contains("whimbrel-forge"),
            "{phone}: the importer can be left out"
        );
    }
}

/// Builds a graph from `from -> to` arrows, all of them members if ours, and expects these violations.
fn check(arrows: &[(&str, &str)], expected: &[&str]) {
    let mut graph = Graph::default();
    for (from, to) in arrows {
        for name in [from, to] {
            graph.names.insert((*name).to_owned(), (*name).to_owned());
            graph.arrows.entry((*name).to_owned()).or_default();
            if name.starts_with("whimbrel-") && !graph.members.contains(&(*name).to_owned()) {
                graph.members.push((*name).to_owned());
            }
        }
        graph.arrows.get_mut(*from).unwrap().insert((*to).to_owned());
    }
    for id in &graph.members {
        graph.carried.insert(id.clone(), graph.closure(id));
    }
    assert_eq!(graph.violations(), expected, "{arrows:?}");
}

#[test]
fn a_wrong_arrow_is_found() {
    check(
        &[
            ("whimbrel-ffi", "whimbrel-client"),
            ("whimbrel-client", "whimbrel-engine"),
        ],
        &[],
    );
    check(&[("whimbrel-ffi", "whimbrel-engine")], &["ffi -> engine"]);
    check(&[("whimbrel-kernels", "whimbrel-engine")], &["kernels -> engine"]);
    check(&[("whimbrel-novelty", "serde")], &["novelty stands on no floor"]);
    check(&[("whimbrel-bindgen", "clap")], &[]);
    check(&[("whimbrel-testing", "rustls")], &[]);
    check(&[("whimbrel-client", "whimbrel-testing")], &["client -> testing"]);
    check(
        &[("whimbrel-engine", "helper"), ("helper", "rustls")],
        &["engine pulls in rustls"],
    );
    check(&[("whimbrel-client", "tokio/net")], &["client pulls in tokio/net"]);
    check(
        &[("whimbrel-network", "rustls"), ("whimbrel-client", "whimbrel-network")],
        &[],
    );
}
