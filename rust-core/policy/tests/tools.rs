//! Rules about tools: which one decides, and the law that a user's document only tightens what the app allows.
#![allow(clippy::unwrap_used)]

mod support;

use std::fmt::Write;

use rand_pcg::Pcg64;
use rand_pcg::rand_core::Rng;
use support::Scene;
use whimbrel_policy::{Format, Need, Policy, PolicySet, Refusal, ToolPermission};
use whimbrel_privacy::PrivacyClass;

const CASES: u32 = 100_000;
const DOCUMENTS: u32 = 3000;
const CLASSES: [PrivacyClass; 4] = [
    PrivacyClass::Public,
    PrivacyClass::Personal,
    PrivacyClass::Sensitive,
    PrivacyClass::Secret,
];
const CLASS_NAMES: [&str; 4] = ["public", "personal", "sensitive", "secret"];
/// No rule names the last one.
const TOOLS: [&str; 4] = ["weather", "calendar.add", "send_mail", "unlock"];

/// A rule about tools as the judge sees it.
#[derive(Clone, Debug)]
struct Sketch {
    tools: Vec<&'static str>,
    class_min: Option<usize>,
    class_max: Option<usize>,
    permission: ToolPermission,
}

impl Sketch {
    fn random(generator: &mut Pcg64) -> Sketch {
        let tools = TOOLS[..3]
            .iter()
            .copied()
            .filter(|_| below(generator, 3) == 0)
            .collect();
        let bounds = [below(generator, 8), below(generator, 8)];
        let class_min = Some(bounds[0]).filter(|class| *class < 4);
        let class_max = Some(bounds[1]).filter(|class| *class < 4 && class_min.is_none_or(|min| min <= *class));
        Sketch {
            tools,
            class_min,
            class_max,
            permission: ToolPermission::ALL[below(generator, 3)],
        }
    }

    fn toml(&self) -> String {
        let mut conditions = Vec::new();
        if !self.tools.is_empty() {
            conditions.push(format!("tool = [\"{}\"]", self.tools.join("\", \"")));
        }
        let bound =
            |name: &str, class: Option<usize>| class.map(|class| format!("{name} = \"{}\"", CLASS_NAMES[class]));
        let bounds: Vec<_> = bound("min", self.class_min)
            .into_iter()
            .chain(bound("max", self.class_max))
            .collect();
        if !bounds.is_empty() {
            conditions.push(format!("class = {{ {} }}", bounds.join(", ")));
        }
        match conditions.is_empty() {
            true => format!("use = \"{}\"\n", self.permission.name()),
            false => format!(
                "when = {{ {} }}\nuse = \"{}\"\n",
                conditions.join(", "),
                self.permission.name()
            ),
        }
    }

    fn matches(&self, tool: &str, class: usize) -> bool {
        (self.tools.is_empty() || self.tools.contains(&tool))
            && class >= self.class_min.unwrap_or(0)
            && class <= self.class_max.unwrap_or(3)
    }
}

fn below(generator: &mut Pcg64, end: u32) -> usize {
    (generator.next_u32() % end) as usize
}

/// A document with up to four rules.
fn document(generator: &mut Pcg64, role: &str) -> (Vec<Sketch>, Policy) {
    let rules: Vec<_> = (0..below(generator, 5)).map(|_| Sketch::random(generator)).collect();
    let mut text = format!("version = 1\nname = \"{role}\"\nrole = \"{role}\"\n");
    for (index, rule) in rules.iter().enumerate() {
        write!(text, "[[tools]]\nid = \"{role}-{index}\"\n{}", rule.toml()).unwrap();
    }
    let policy = Policy::parse(&text, Format::Toml).unwrap_or_else(|error| panic!("{error}\n{text}"));
    (rules, policy)
}

/// What the first matching rule says, and its number.
fn judge(rules: &[Sketch], tool: &str, class: usize) -> Option<(usize, ToolPermission)> {
    let mut numbered = rules.iter().enumerate();
    let (number, rule) = numbered.find(|(_, rule)| rule.matches(tool, class))?;
    Some((number, rule.permission))
}

#[test]
fn a_user_can_only_tighten_what_tools_may_do() {
    let mut generator = Pcg64::new(6, 7);
    let apps: Vec<_> = (0..DOCUMENTS).map(|_| document(&mut generator, "app")).collect();
    let users: Vec<_> = (0..DOCUMENTS).map(|_| document(&mut generator, "user")).collect();
    let (mut tightened, mut of_code) = (0, 0);
    for _ in 0..CASES {
        let (app_rules, app) = &apps[below(&mut generator, DOCUMENTS)];
        let (user_rules, user) = &users[below(&mut generator, DOCUMENTS)];
        let (tool, class) = (TOOLS[below(&mut generator, 4)], below(&mut generator, 4));
        let of_app = ToolPermission::ALL[below(&mut generator, 3)];
        let alone = PolicySet::new(app.clone(), None).unwrap();
        let both = PolicySet::new(app.clone(), Some(user.clone())).unwrap();
        let ruling = |set: &PolicySet| set.tool_permission(tool, CLASSES[class], of_app);
        let (alone, both) = (ruling(&alone), ruling(&both));
        let what = format!("{tool} {class} {of_app:?}\n{app_rules:?}\n{user_rules:?}");
        assert!(both.permission >= alone.permission, "{what}");

        let of_document = judge(app_rules, tool, class);
        let of_user = judge(user_rules, tool, class);
        let expected = of_document.map_or(of_app, |(_, permission)| permission);
        assert_eq!(alone.permission, expected, "{what}");
        let stricter = of_user.filter(|(_, permission)| *permission > expected);
        assert_eq!(
            both.permission,
            stricter.map_or(expected, |(_, permission)| permission),
            "{what}"
        );
        let by_app = of_document.map(|(number, _)| format!("the app's rule app-{number}"));
        let by_user = stricter.map(|(number, _)| format!("the user's rule user-{number}"));
        let reason = |ruling: &whimbrel_policy::ToolRuling| ruling.reason.as_ref().map(ToString::to_string);
        assert_eq!(reason(&alone), by_app, "{what}");
        assert_eq!(reason(&both), by_user.or(by_app), "{what}");
        tightened += u32::from(both.permission > alone.permission);
        of_code += u32::from(both.reason.is_none());
    }
    assert!(tightened > CASES / 10 && of_code > CASES / 10, "{tightened}, {of_code}");
}

#[test]
fn the_first_matching_rule_decides() {
    let app = "version = 1\nname = \"app\"\n\
               [[tools]]\nid = \"nothing-secret\"\nwhen = { class = { min = \"secret\" } }\nuse = \"never\"\n\
               [[tools]]\nid = \"private-mail\"\nwhen = { tool = [\"send_mail\"], class = { min = \"personal\" } }\nuse = \"confirm\"\n\
               [[tools]]\nid = \"harmless\"\nwhen = { tool = [\"weather\", \"send_mail\"] }\nuse = \"always\"\n";
    let set = PolicySet::new(Policy::parse(app, Format::Toml).unwrap(), None).unwrap();
    let check = |tool: &str, class, of_app, expected, rule: Option<&str>| {
        let ruling = set.tool_permission(tool, class, of_app);
        assert_eq!(ruling.permission, expected, "{tool} {class:?}");
        let reason = ruling.reason.map(|reason| reason.to_string());
        assert_eq!(
            reason,
            rule.map(|rule| format!("the app's rule {rule}")),
            "{tool} {class:?}"
        );
    };
    let [public, personal, sensitive, secret] = CLASSES;
    let (always, confirm, never) = (ToolPermission::Always, ToolPermission::Confirm, ToolPermission::Never);
    check("weather", public, confirm, always, Some("harmless"));
    check("weather", sensitive, never, always, Some("harmless"));
    check("weather", secret, always, never, Some("nothing-secret"));
    check("send_mail", public, confirm, always, Some("harmless"));
    check("send_mail", personal, always, confirm, Some("private-mail"));
    check("send_mail", secret, always, never, Some("nothing-secret"));
    // Names are compared exactly.
    check("Weather", public, confirm, confirm, None);
    check("unlock", sensitive, always, always, None);
    check("unlock", sensitive, never, never, None);
    check("unlock", secret, always, never, Some("nothing-secret"));
    let ids: Vec<_> = set.app().tool_rule_ids().collect();
    assert_eq!(ids, ["nothing-secret", "private-mail", "harmless"]);
}

#[test]
fn uses_are_their_names_and_in_order() {
    assert!(ToolPermission::ALL.is_sorted());
    for permission in ToolPermission::ALL {
        let word = serde_json::to_value(permission).unwrap();
        assert_eq!(word, permission.name());
        assert_eq!(serde_json::from_value::<ToolPermission>(word).unwrap(), permission);
    }
}

/// A request with tools goes only where tools can be called.
#[test]
fn only_places_that_support_tools_get_a_request_with_tools() {
    let endpoint = |id: &str, supports: &str| {
        format!(
            "[[endpoints]]\nid = \"{id}\"\nbase_url = \"https://{id}.example/v1\"\nmodel = \"m\"\ntrust = \"organisation\"\n\
             cost_per_1k_tokens = 0\n{supports}\n"
        )
    };
    let app = format!(
        "version = 1\nname = \"app\"\notherwise = [\"on_device\", \"remote:*\"]\n{}{}{}",
        endpoint("plain", ""),
        endpoint("forms", "supports = [\"json\"]"),
        endpoint("tools", "supports = [\"tools\"]")
    );
    let mut scene = Scene::new(&app, None);
    scene.request.needs = vec![Need::Tools];
    let plan = scene.route();
    let names = |plan: &whimbrel_policy::Plan| plan.candidates.iter().map(|it| it.name()).collect::<Vec<_>>();
    assert_eq!(names(&plan), ["remote:tools"]);
    let lacks: Vec<_> = plan.refused.iter().map(|refused| &refused.reason).collect();
    assert_eq!(lacks, [&Refusal::Lacks { need: Need::Tools }; 3]);
    assert_eq!(lacks[0].to_string(), "it does not support tools");
    scene.candidates.local_models[0].supports = vec![Need::Tools];
    assert_eq!(names(&scene.route()), ["on_device:smollm2/q4_1", "remote:tools"]);
    // A form and tools together need both.
    scene.request.needs.push(Need::Json);
    assert!(names(&scene.route()).is_empty());
}
