//! Whether the bytes of this machine's network cost money, as far as the system says so: NetworkManager keeps that as a flag of each connection.
//! Its D-Bus property is asked for with the system's own tools, `busctl` or `nmcli`.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use whimbrel_client::policy::Network;

/// Bytes of a tool's answer that are looked at.
const ANSWER_BYTES_MAX: u64 = 4096;
/// The programs, and what makes them answer with the flag of the connection that is used. They give up after a second.
const ASKED: [(&str, &[&str]); 2] = [
    (
        "busctl",
        &[
            "--system",
            "--timeout=1",
            "get-property",
            "org.freedesktop.NetworkManager",
            "/org/freedesktop/NetworkManager",
            "org.freedesktop.NetworkManager",
            "Metered",
        ],
    ),
    (
        "nmcli",
        &["--wait", "1", "--get-values", "GENERAL.METERED", "device", "show"],
    ),
];

/// The network of the system whose files are below `root`; `None` where nobody says what it is.
pub(super) fn read(root: &Path) -> Option<Network> {
    let interfaces = interfaces(root)?;
    if interfaces.is_empty() {
        return Some(Network::None);
    }
    let is_metered = ASKED
        .iter()
        .find_map(|(program, arguments)| flag(&ask(root, program, arguments)?))?;
    // A modem may be in a foreign network, which the flag does not say.
    let has_modem = interfaces.iter().any(|interface| is_modem(root, interface));
    match is_metered {
        true if has_modem => None,
        true => Some(Network::Metered),
        false => Some(Network::Unmetered),
    }
}

/// The interfaces that are up, without the loopback.
fn interfaces(root: &Path) -> Option<Vec<String>> {
    let folder = root.join("sys/class/net");
    let entries = fs::read_dir(&folder).ok()?;
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let is_up = |name: &String| {
        let state = fs::read_to_string(folder.join(name).join("operstate"));
        name != "lo" && matches!(state.as_deref().map(str::trim_end), Ok("up" | "unknown"))
    };
    Some(names.filter(is_up).collect())
}

fn is_modem(root: &Path, interface: &str) -> bool {
    let about = root.join("sys/class/net").join(interface).join("uevent");
    let about = fs::read_to_string(about).unwrap_or_default();
    interface.starts_with("ppp") || about.lines().any(|line| line == "DEVTYPE=wwan")
}

/// What a program of this system says; `None` where it is missing or fails.
fn ask(root: &Path, program: &str, arguments: &[&str]) -> Option<String> {
    // Another root, for tests, has its own programs.
    let program = match root == Path::new("/") {
        true => PathBuf::from(program),
        false => root.join("usr/bin").join(program),
    };
    let mut child = Command::new(program)
        .args(arguments)
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let mut answer = String::new();
    let read = child.stdout.take()?.take(ANSWER_BYTES_MAX).read_to_string(&mut answer);
    let status = child.wait().ok()?;
    read.ok().filter(|_| status.success()).map(|_| answer)
}

/// The flag in an answer: `u 4` of `busctl`, where 1 is yes, 2 no, 3 and 4 the same as a guess, and 0 unknown; `yes`, `no (guessed)` or
/// `unknown` of `nmcli`, a line for each of several devices. One that costs money counts for all.
fn flag(answer: &str) -> Option<bool> {
    let says = |meaning: &[&str]| answer.lines().any(|line| meaning.contains(&line.trim()));
    if says(&["u 1", "u 3", "yes", "yes (guessed)"]) {
        Some(true)
    } else {
        says(&["u 2", "u 4", "no", "no (guessed)"]).then_some(false)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn flags() {
        for (answer, expected) in [
            ("u 0\n", None),
            ("u 1\n", Some(true)),
            ("u 2\n", Some(false)),
            ("u 3\n", Some(true)),
            ("u 4\n", Some(false)),
            ("no (guessed)\n\nunknown\n", Some(false)),
            ("no\n\nyes (guessed)\n", Some(true)),
            ("unknown\n", None),
            ("", None),
        ] {
            assert_eq!(flag(answer), expected, "{answer:?}");
        }
    }

    #[test]
    fn what_the_system_says_counts() {
        let root = tempfile::tempdir().unwrap();
        let write = |path: &str, content: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, content).unwrap();
            path
        };
        let program = |name: &str, says: &str| {
            let path = write(&format!("usr/bin/{name}"), &format!("#!/bin/sh\n{says}\n"));
            fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        };
        let check = |expected| assert_eq!(read(root.path()), expected);
        check(None);
        write("sys/class/net/lo/operstate", "unknown\n");
        check(Some(Network::None));
        write("sys/class/net/wlan0/operstate", "up\n");
        check(None);
        program("nmcli", "echo 'no (guessed)'");
        check(Some(Network::Unmetered));
        // The first program that knows is believed.
        program("busctl", "echo u 1");
        check(Some(Network::Metered));
        program("busctl", "exit 1");
        check(Some(Network::Unmetered));
        program("busctl", "echo u 3");
        write("sys/class/net/wwan0/operstate", "up\n");
        write("sys/class/net/wwan0/uevent", "DEVTYPE=wwan\n");
        check(None);
    }
}
