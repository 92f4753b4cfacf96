//! Random policies, as documents and as the judge understands them.

use whimbrel_client::policy::{Format, Network, Policy, PolicySet};
use whimbrel_client::privacy::{FindingKind, PrivacyClass, Release};
use whimbrel_testing::Random;

pub(crate) const CLASSES: [(&str, PrivacyClass); 4] = [
    ("public", PrivacyClass::Public),
    ("personal", PrivacyClass::Personal),
    ("sensitive", PrivacyClass::Sensitive),
    ("secret", PrivacyClass::Secret),
];
pub(crate) const TASKS: [&str; 3] = ["chat", "diary", "write"];
pub(crate) const NETWORKS: [Option<Network>; 5] = [
    None,
    Some(Network::None),
    Some(Network::Metered),
    Some(Network::Unmetered),
    Some(Network::Roaming),
];
const KINDS: [FindingKind; 3] = [FindingKind::Email, FindingKind::ApiKey, FindingKind::UserWord];

/// An endpoint of a policy.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    pub(crate) url: String,
    pub(crate) class_max: PrivacyClass,
    pub(crate) class_max_redacted: PrivacyClass,
}

/// A policy.
#[derive(Clone)]
pub(crate) struct Rules {
    pub(crate) set: PolicySet,
    pub(crate) endpoints: Vec<Endpoint>,
    /// What each task's list has: endpoint and form.
    pub(crate) listed: [Vec<(usize, Release)>; 3],
    /// From this class on, nothing leaves.
    pub(crate) stays_from: Option<PrivacyClass>,
    /// With this kind in it, nothing leaves.
    pub(crate) kind_stays: Option<FindingKind>,
    /// While roaming, or when nobody knows, nothing leaves.
    pub(crate) roaming_stays: bool,
    /// Of this task, nothing leaves.
    pub(crate) task_stays: Option<usize>,
}

impl Rules {
    pub(crate) fn new(random: &mut Random) -> Rules {
        let (endpoints, endpoint_lines) = endpoints(random);
        let lists: [_; 3] = std::array::from_fn(|_| list(random, endpoints.len()));
        let mut document = String::from("version = 1\nname = \"random\"\n");
        document += &format!("otherwise = {}\n", lists[0].0);
        for (task, (list, _)) in TASKS.iter().zip(&lists).skip(1) {
            document += &format!("[tasks.{task}]\notherwise = {list}\n");
        }
        document += &endpoint_lines;
        let stays_from = random.chance(40).then(|| *random.pick(&CLASSES[1..]));
        let kind_stays = random.chance(30).then(|| *random.pick(&KINDS));
        let roaming_stays = random.chance(40);
        let task_stays = random.chance(30).then(|| random.below(3) as usize);
        let mut deny = |id: &str, when: String| {
            document += &format!("[[rules]]\nid = \"{id}\"\nwhen = {{ {when} }}\ndeny = [\"off_device\"]\n");
        };
        if let Some((name, _)) = stays_from {
            deny("class", format!("class = {{ min = \"{name}\" }}"));
        }
        if let Some(kind) = kind_stays {
            deny("kind", format!("findings = [\"{}\"]", kind.name()));
        }
        if roaming_stays {
            deny("roaming", "network = [\"roaming\"]".to_owned());
        }
        if let Some(task) = task_stays {
            deny("task", format!("task = [\"{}\"]", TASKS[task]));
        }
        let policy = Policy::parse(&document, Format::Toml).unwrap_or_else(|error| panic!("{error}\n{document}"));
        Rules {
            set: PolicySet::new(policy, None).unwrap(),
            endpoints,
            listed: lists.map(|(_, listed)| listed),
            stays_from: stays_from.map(|(_, class)| class),
            kind_stays,
            roaming_stays,
            task_stays,
        }
    }
}

fn endpoints(random: &mut Random) -> (Vec<Endpoint>, String) {
    let mut lines = String::new();
    let endpoints = (0..2).map(|index| {
        let (class, redacted) = (*random.pick(&CLASSES), *random.pick(&CLASSES));
        let redacted = if redacted.1 > class.1 { redacted } else { class };
        // Now and then another server under the same name.
        let url = format!("https://e{index}-{}.example.org/v1", random.below(2));
        lines += &format!(
            "[[endpoints]]\nid = \"e{index}\"\nbase_url = \"{url}\"\nmodel = \"m\"\ntrust = \"public_cloud\"\ncost_per_1k_tokens = 0\nsupports = [\"json\", \"tools\"]\n\
             class_max = \"{}\"\nclass_max_redacted = \"{}\"\n",
            class.0, redacted.0
        );
        Endpoint {
            url,
            class_max: class.1,
            class_max_redacted: redacted.1,
        }
    });
    (endpoints.collect(), lines)
}

/// What a task may try, in any order.
fn list(random: &mut Random, endpoints: usize) -> (String, Vec<(usize, Release)>) {
    let (mut words, mut listed) = (Vec::new(), Vec::new());
    for _ in 0..1 + random.below(4) {
        let index = random.below(endpoints as u64) as usize;
        let (release, word) = *random.pick(&[(Release::AsIs, "remote"), (Release::Redacted, "redact_then_remote")]);
        if !listed.contains(&(index, release)) {
            listed.push((index, release));
            words.push(format!("\"{word}:e{index}\""));
        }
    }
    for word in ["\"on_device\"", "\"system_model\""] {
        if random.chance(40) {
            words.insert(random.below(words.len() as u64 + 1) as usize, word.to_owned());
        }
    }
    if random.chance(20) {
        words.push("\"queue\"".to_owned());
    }
    if words.is_empty() {
        words.push("\"on_device\"".to_owned());
    }
    (format!("[{}]", words.join(", ")), listed)
}
