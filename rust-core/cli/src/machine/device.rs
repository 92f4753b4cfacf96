//! The state of this machine as the router looks at it, read from `/proc` and `/sys`; the network is in `network.rs`. What the system does not
//! say is unknown here; nothing is measured or guessed.

use std::fs;
use std::path::{Path, PathBuf};

use whimbrel_client::policy::{DeviceUpdate, Reported, Thermal};
use whimbrel_models::disk::bytes_free;

use crate::machine::system::kilobytes;
use crate::machine::{network, paths};
use crate::terminal::output::bytes;

/// The folder that holds `proc` and `sys`; tests put another in its place.
const ROOT_VARIABLE: &str = "WHIMBREL_DEVICE_ROOT";
/// What cgroups of the first version say where there is no limit: more than any machine has.
const NO_LIMIT_BYTES: u64 = 1 << 60;

/// Everything that this machine says about itself now.
pub(crate) fn read() -> DeviceUpdate {
    let root = std::env::var_os(ROOT_VARIABLE).map_or_else(|| PathBuf::from("/"), PathBuf::from);
    let folder = paths::state().unwrap_or_else(|| PathBuf::from("/"));
    DeviceUpdate {
        storage_free_bytes: bytes_free(&folder).into(),
        ..read_below(&root)
    }
}

/// What the files below `root` say; storage is not in them.
fn read_below(root: &Path) -> DeviceUpdate {
    let system = Files { root };
    let battery = system.battery();
    let memory = system.text("proc/meminfo").unwrap_or_default();
    DeviceUpdate {
        battery_percent: battery.percent.into(),
        charging: battery.is_charging.into(),
        battery_milliwatts: battery.milliwatts.into(),
        power_save: system.power_save().into(),
        thermal: system.thermal().into(),
        memory_total_bytes: kilobytes(&memory, "MemTotal:").into(),
        memory_available_bytes: kilobytes(&memory, "MemAvailable:").into(),
        memory_process_bytes: system.memory_process_bytes().into(),
        storage_free_bytes: Reported::Unknown,
        network: network::read(root).into(),
        round_trip_ms: Reported::Unknown,
        loss_percent: Reported::Unknown,
        performance_cores: whimbrel_engine::performance_cores(root).into(),
        accelerators: Reported::Unknown,
        // Whoever types a command waits for it.
        foreground: true.into(),
    }
}

/// The state for people: what it is called, and its value.
pub(crate) fn rows(update: &DeviceUpdate) -> Vec<(&'static str, String)> {
    fn row<T>(name: &'static str, value: &Reported<T>, say: impl Fn(&T) -> String) -> (&'static str, String) {
        let said = match value {
            Reported::Is(value) => say(value),
            Reported::Unchanged | Reported::Unknown => "unknown".to_owned(),
        };
        (name, said)
    }
    let yes = |flag: &bool| if *flag { "yes" } else { "no" }.to_owned();
    vec![
        row("battery", &update.battery_percent, |percent| format!("{percent} %")),
        row("charging", &update.charging, yes),
        row("saving power", &update.power_save, yes),
        row("temperature", &update.thermal, |thermal| thermal.name().to_owned()),
        row("memory limit", &update.memory_process_bytes, |left| {
            format!("{} left for a process", bytes(*left))
        }),
        row("storage", &update.storage_free_bytes, |free| {
            format!("{} free", bytes(*free))
        }),
        row("network", &update.network, |network| network.name().to_owned()),
        row("fast cores", &update.performance_cores, ToString::to_string),
    ]
}

/// What batteries say.
struct Battery {
    /// Charge in percent.
    percent: Option<u8>,
    /// Whether it is fed from outside.
    is_charging: Option<bool>,
    /// What they give, if they are not fed.
    milliwatts: Option<u32>,
}

/// The files of one system.
struct Files<'r> {
    root: &'r Path,
}

impl Files<'_> {
    /// A file without the line break at its end; `None` when it cannot be read.
    fn text(&self, path: impl AsRef<Path>) -> Option<String> {
        let text = fs::read_to_string(self.root.join(path)).ok()?;
        Some(text.trim_end().to_owned())
    }

    fn number<T: std::str::FromStr>(&self, path: impl AsRef<Path>) -> Option<T> {
        self.text(path)?.parse().ok()
    }

    /// The names in a folder, sorted; `None` when it cannot be read.
    fn names(&self, folder: &str) -> Option<Vec<String>> {
        let entries = fs::read_dir(self.root.join(folder)).ok()?;
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let mut names: Vec<String> = names.collect();
        names.sort();
        Some(names)
    }

    /// All batteries of this machine together. Those of mice and the like are not this machine's.
    fn battery(&self) -> Battery {
        let supplies = "sys/class/power_supply";
        let (mut percents, mut states, mut milliwatts) = (Vec::new(), Vec::new(), Vec::new());
        for name in self.names(supplies).unwrap_or_default() {
            let about = |file: &str| self.text(format!("{supplies}/{name}/{file}"));
            if about("type").as_deref() != Some("Battery") || about("scope").as_deref() == Some("Device") {
                continue;
            }
            percents.extend(about("capacity").and_then(|text| text.parse::<u64>().ok()));
            states.extend(about("status"));
            let number = |file: &str| about(file)?.parse::<u64>().ok();
            // Microwatts; or microamperes and microvolts.
            let power = number("power_now").map(|microwatts| microwatts / 1_000);
            let product = || Some(number("current_now")?.saturating_mul(number("voltage_now")?) / 1_000_000_000);
            milliwatts.extend(power.or_else(product));
        }
        let mean = percents
            .iter()
            .sum::<u64>()
            .checked_div(percents.len() as u64)
            .and_then(|percent| u8::try_from(percent).ok())
            .filter(|percent| *percent <= 100);
        let any = |words: &[&str]| states.iter().any(|state| words.contains(&state.as_str()));
        let charging = match (any(&["Discharging"]), any(&["Charging", "Full", "Not charging"])) {
            (true, _) => Some(false),
            (false, true) => Some(true),
            (false, false) => None,
        };
        let power = milliwatts.iter().sum::<u64>();
        Battery {
            percent: mean,
            is_charging: charging,
            milliwatts: u32::try_from(power)
                .ok()
                .filter(|power| *power > 0 && charging == Some(false)),
        }
    }

    fn power_save(&self) -> Option<bool> {
        let profile = self.text("sys/firmware/acpi/platform_profile")?;
        Some(profile == "low-power")
    }

    /// The hottest zone, by its own trip points.
    fn thermal(&self) -> Option<Thermal> {
        let zones = self.names("sys/class/thermal")?;
        let zones = zones.iter().filter(|name| name.starts_with("thermal_zone"));
        zones
            .filter_map(|zone| self.zone(&format!("sys/class/thermal/{zone}")))
            .max()
    }

    /// A zone without trip points says nothing.
    fn zone(&self, zone: &str) -> Option<Thermal> {
        let now: i64 = self.number(format!("{zone}/temp"))?;
        let points = (0..).map_while(|index| {
            let kind = self.text(format!("{zone}/trip_point_{index}_type"))?;
            Some((kind, self.number::<i64>(format!("{zone}/trip_point_{index}_temp"))))
        });
        let mut found = None;
        for (kind, at) in points {
            let state = match kind.as_str() {
                "active" => Thermal::Fair,
                // The system slows the processor down from here on.
                "passive" | "hot" => Thermal::Serious,
                "critical" => Thermal::Critical,
                _ => continue,
            };
            let Some(at) = at.filter(|at| *at > 0) else { continue };
            let reached = if now >= at { state } else { Thermal::Nominal };
            found = found.max(Some(reached));
        }
        found
    }

    /// What the control groups still leave to this process, the least of all levels.
    fn memory_process_bytes(&self) -> Option<u64> {
        let groups = self.text("proc/self/cgroup")?;
        let of = |group: &str| -> Option<u64> {
            let mut parts = group.splitn(3, ':');
            let (number, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
            let path = Path::new(path.trim_start_matches('/'));
            if number == "0" && controllers.is_empty() {
                let names = ["memory.max", "memory.current", "inactive_file "];
                return self.group_room("sys/fs/cgroup", path, names);
            }
            let is_memory = controllers.split(',').any(|controller| controller == "memory");
            let names = ["memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file "];
            is_memory.then(|| self.group_room("sys/fs/cgroup/memory", path, names))?
        };
        groups.lines().filter_map(of).min()
    }

    /// `names`: the files with the limit and the use, and the line of `memory.stat` with what the system would give back.
    fn group_room(&self, mount: &str, path: &Path, names: [&str; 3]) -> Option<u64> {
        let rooms = path.ancestors().filter_map(|path| {
            let folder = Path::new(mount).join(path);
            // The word `max` is no number.
            let limit: u64 = self.number(folder.join(names[0]))?;
            let used: u64 = self.number(folder.join(names[1]))?;
            let stat = self.text(folder.join("memory.stat")).unwrap_or_default();
            let inactive = stat.lines().find_map(|line| line.strip_prefix(names[2]));
            let inactive: u64 = inactive.and_then(|text| text.parse().ok()).unwrap_or(0);
            (limit < NO_LIMIT_BYTES).then(|| limit.saturating_sub(used.saturating_sub(inactive)))
        });
        rooms.min()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// Compares some fields of what these files say.
    fn check(files: &[(&str, &str)], expected: &Value) {
        let root = tempfile::tempdir().unwrap();
        for (path, content) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, format!("{content}\n")).unwrap();
        }
        let found = serde_json::to_value(read_below(root.path())).unwrap();
        for (field, value) in expected.as_object().unwrap() {
            assert_eq!(&found[field], value, "{field} of {files:?}");
        }
    }

    #[test]
    fn a_system_that_says_nothing_is_unknown() {
        let found = serde_json::to_value(read_below(Path::new("/nowhere"))).unwrap();
        for (field, value) in found.as_object().unwrap() {
            let expected = if field == "foreground" {
                json!(true)
            } else {
                Value::Null
            };
            assert_eq!(*value, expected, "{field}");
        }
    }

    #[test]
    fn batteries() {
        let battery = |name: &str, file: &str| format!("sys/class/power_supply/{name}/{file}");
        let check = |supplies: &[[&str; 4]], percent: Value, charging: Value| {
            let mut files = Vec::new();
            for [name, kind, capacity, status] in supplies {
                files.push((battery(name, "type"), *kind));
                files.push((battery(name, "capacity"), *capacity));
                files.push((battery(name, "status"), *status));
            }
            let files: Vec<(&str, &str)> = files.iter().map(|(path, content)| (path.as_str(), *content)).collect();
            check(&files, &json!({"battery_percent": percent, "charging": charging}));
        };
        check(&[["BAT0", "Battery", "57", "Discharging"]], json!(57), json!(false));
        check(&[["BAT0", "Battery", "100", "Full"]], json!(100), json!(true));
        check(&[["BAT0", "Battery", "80", "Not charging"]], json!(80), json!(true));
        check(&[["BAT0", "Battery", "200", "Unknown"]], Value::Null, Value::Null);
        check(&[["AC", "Mains", "", ""]], Value::Null, Value::Null);
        let two = [
            ["BAT0", "Battery", "20", "Discharging"],
            ["BAT1", "Battery", "81", "Charging"],
        ];
        check(&two, json!(50), json!(false));
    }

    #[test]
    fn the_battery_of_a_mouse_is_not_ours() {
        let mouse = "sys/class/power_supply/mouse";
        let files = [
            ("type", "Battery"),
            ("scope", "Device"),
            ("capacity", "9"),
            ("status", "Discharging"),
        ];
        let files = files.map(|(file, content)| (format!("{mouse}/{file}"), content));
        let files: Vec<_> = files.iter().map(|(path, content)| (path.as_str(), *content)).collect();
        check(&files, &json!({"battery_percent": null, "charging": null}));
    }

    #[test]
    fn temperatures() {
        let check = |temperature: &str, expected: Value| {
            let zone = |file: &str| format!("sys/class/thermal/thermal_zone0/{file}");
            let files = [
                (zone("temp"), temperature),
                (zone("trip_point_0_type"), "critical"),
                (zone("trip_point_0_temp"), "100000"),
                (zone("trip_point_1_type"), "passive"),
                (zone("trip_point_1_temp"), "90000"),
                (zone("trip_point_2_type"), "active"),
                (zone("trip_point_2_temp"), "60000"),
                (zone("trip_point_3_type"), "hot"),
                (zone("trip_point_3_temp"), "-274000"),
            ];
            let mut files: Vec<_> = files.iter().map(|(path, content)| (path.as_str(), *content)).collect();
            // One that has no trip points does not count.
            files.push(("sys/class/thermal/thermal_zone1/temp", "200000"));
            super::tests::check(&files, &json!({"thermal": expected}));
        };
        check("42000", json!("nominal"));
        check("60000", json!("fair"));
        check("90500", json!("serious"));
        check("100000", json!("critical"));
        check("hot", Value::Null);
    }

    #[test]
    fn memory_and_its_limits() {
        let meminfo = ("proc/meminfo", "MemTotal:  2000 kB\nMemAvailable:  1000 kB");
        check(
            &[meminfo],
            &json!({"memory_total_bytes": 2_048_000, "memory_available_bytes": 1_024_000, "memory_process_bytes": null}),
        );
        let group = ("proc/self/cgroup", "0::/app/one");
        let limited = [
            group,
            ("sys/fs/cgroup/app/one/memory.max", "max"),
            ("sys/fs/cgroup/app/one/memory.current", "300"),
            ("sys/fs/cgroup/app/memory.max", "1000"),
            ("sys/fs/cgroup/app/memory.current", "700"),
            ("sys/fs/cgroup/app/memory.stat", "anon 600\ninactive_file 100"),
        ];
        check(&limited, &json!({"memory_process_bytes": 400}));
        check(&limited[..3], &json!({"memory_process_bytes": null}));
        let first_version = [
            ("proc/self/cgroup", "5:cpu:/\n4:memory,other:/x"),
            ("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712"),
            ("sys/fs/cgroup/memory/memory.usage_in_bytes", "700"),
            ("sys/fs/cgroup/memory/x/memory.limit_in_bytes", "900"),
            ("sys/fs/cgroup/memory/x/memory.usage_in_bytes", "1000"),
        ];
        check(&first_version, &json!({"memory_process_bytes": 0}));
        check(&first_version[..3], &json!({"memory_process_bytes": null}));
    }

    #[test]
    fn networks() {
        let lo = ("sys/class/net/lo/operstate", "unknown");
        let check = |state: &str, expected: Value| {
            check(
                &[lo, ("sys/class/net/eth0/operstate", state)],
                &json!({"network": expected}),
            );
        };
        check("up", Value::Null);
        check("unknown", Value::Null);
        check("down", json!("none"));
        super::tests::check(&[lo], &json!({"network": "none"}));
    }

    #[test]
    fn cores_and_profiles() {
        let online = ("sys/devices/system/cpu/online", "0-3,8");
        check(&[online], &json!({"performance_cores": 5}));
        let profile = |name| [("sys/firmware/acpi/platform_profile", name)];
        check(&profile("low-power"), &json!({"power_save": true}));
        check(&profile("balanced"), &json!({"power_save": false}));
    }

    #[test]
    fn storage_is_that_of_a_folder_that_exists() {
        let folder = tempfile::tempdir().unwrap();
        assert!(bytes_free(&folder.path().join("not/yet")).is_some());
    }
}
