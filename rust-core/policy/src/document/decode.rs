//! Converts the tree of a document to a policy: every field, its type and its limits. `shared-models/schemas/policy.schema.json` describes
//! the same format for other tools, and a test keeps the two consistent.

use std::collections::BTreeMap;

use whimbrel_privacy::{PrivacyClass, Release};
use whimbrel_record::{Label, Place, TrustClass};

use super::conditions;
use super::error::PolicyErrorReason as Reason;
use super::node::{Fault, Node, line_and_column};
use super::policy::{
    Denied, Endpoint, EndpointChoice, Limits, NamedEndpoint, Order, Policy, PolicyRole, Rule, Step, Steps,
    TaskOverride, Then, trust_word,
};
use super::reader::{Item, Table, is_id};
use super::{telemetry, tools, url};
use crate::condition::{CLASSES, class_name};
use crate::device::Thermal;
use crate::id::Id;
use crate::limits::{
    COST_MAX, DAYS_MAX, DEADLINE_MS_MAX, ENDPOINTS_MAX, ID_BYTES_MAX, LIST_ENTRIES_MAX, NUMBER_MAX, RULES_MAX,
    TASKS_MAX, TEXT_BYTES_MAX, URL_BYTES_MAX,
};
use crate::request::{Need, task_key};

/// The version of the format that is read.
const VERSION: u64 = 1;

pub(crate) fn policy(root: &Node, text: &str) -> Result<Policy, Fault> {
    let mut table = Item::root(root).table()?;
    table.required("version")?.number(VERSION, VERSION)?;
    if let Some(schema) = table.optional("$schema") {
        schema.text(URL_BYTES_MAX)?;
    }
    let name = table.required("name")?.text(TEXT_BYTES_MAX)?.into();
    let description = table.optional("description").map(|item| item.sentence()).transpose()?;
    let role = table
        .optional("role")
        .map(|item| item.word(&PolicyRole::ALL, PolicyRole::name))
        .transpose()?;
    let role = role.unwrap_or_default();
    let currency = table.optional("currency").map(|item| item.sentence()).transpose()?;
    let endpoints = endpoints(table.optional("endpoints"), role)?;
    let mut steps = StepReader {
        role,
        text,
        endpoints: &endpoints,
        named: Vec::new(),
    };
    let order = table
        .optional("order")
        .map(|item| item.word(&Order::ALL, Order::name))
        .transpose()?;
    let otherwise = table
        .optional("otherwise")
        .map(|item| steps.steps(&item, None))
        .transpose()?;
    let limits = limits(table.optional("limits"))?;
    let tasks = tasks(table.optional("tasks"), &mut steps)?;
    let rules = rules(table.optional("rules"), &mut steps)?;
    let tools = tools::read(table.optional("tools"))?;
    let telemetry = telemetry::read(table.optional("telemetry"), role)?;
    table.finish()?;
    let on_device = || Steps {
        steps: vec![Step::OnDevice],
        order: None,
    };
    let named_endpoints = steps.named;
    Ok(Policy {
        role,
        name,
        description,
        currency,
        order: order.unwrap_or_default(),
        otherwise: match role {
            PolicyRole::App => Some(otherwise.unwrap_or_else(on_device)),
            PolicyRole::User => otherwise,
        },
        limits,
        tasks,
        rules,
        tools,
        telemetry,
        named_endpoints,
        endpoints,
    })
}

fn endpoints(item: Option<Item<'_>>, role: PolicyRole) -> Result<Vec<Endpoint>, Fault> {
    let Some(item) = item else { return Ok(Vec::new()) };
    if role == PolicyRole::User {
        return Err(item.fault(Reason::UserEndpoints));
    }
    let mut endpoints: Vec<Endpoint> = Vec::new();
    for item in item.list(ENDPOINTS_MAX)? {
        let endpoint = endpoint(&item, &endpoints)?;
        endpoints.push(endpoint);
    }
    Ok(endpoints)
}

fn endpoint(item: &Item<'_>, before: &[Endpoint]) -> Result<Endpoint, Fault> {
    let mut table = item.table()?;
    let id_item = table.required("id")?;
    let id: Id = id_item.id()?.into();
    if before.iter().any(|endpoint| endpoint.id == id) {
        let what = format!("the endpoint {id}");
        return Err(id_item.fault(Reason::Duplicate { what }));
    }
    let url_item = table.required("base_url")?;
    let base_url = url_item.text(URL_BYTES_MAX)?;
    if let Some(problem) = url::problem(base_url) {
        return Err(url_item.fault(Reason::InvalidUrl { problem }));
    }
    let model = table.required("model")?.sentence()?;
    let trust = table.required("trust")?.word(&TrustClass::ALL, trust_word)?;
    let (prompt_cost, answer_cost) = cost(&table.required("cost_per_1k_tokens")?)?;
    let as_is = table.optional("class_max").map(|item| class(&item)).transpose()?;
    let class_max = as_is.unwrap_or(PrivacyClass::Public);
    let redacted_item = table.optional("class_max_redacted");
    let redacted = redacted_item.as_ref().map(class).transpose()?;
    let class_max_redacted = redacted.unwrap_or(class_max.max(PrivacyClass::Personal));
    if let Some(item) = redacted_item.filter(|_| class_max_redacted < class_max) {
        return Err(item.fault(Reason::RedactedBelowAsIs));
    }
    let supports = table.optional("supports").map(|item| item.set(need)).transpose()?;
    let context = table
        .optional("context_tokens")
        .map(|item| item.number(1, u64::from(u32::MAX)))
        .transpose()?;
    table.finish()?;
    let place = Place::Remote {
        // Every id of a policy is a label as it is.
        endpoint: Label::squeezed(&id),
        trust,
        model: Label::squeezed(&model),
    };
    Ok(Endpoint {
        id,
        base_url: base_url.to_owned(),
        model,
        trust,
        prompt_cost_per_1k_micros: prompt_cost,
        answer_cost_per_1k_micros: answer_cost,
        class_max,
        class_max_redacted,
        supports: supports.unwrap_or_default(),
        context_tokens: context.map(|tokens| u32::try_from(tokens).expect("the range is that of u32")),
        place,
    })
}

/// One number for prompt and answer, or a table with both.
fn cost(item: &Item<'_>) -> Result<(u64, u64), Fault> {
    if let Ok(mut table) = item.table() {
        let prompt = table.required("prompt")?.millionths(COST_MAX)?;
        let answer = table.required("answer")?.millionths(COST_MAX)?;
        table.finish()?;
        return Ok((prompt, answer));
    }
    let both = item.millionths(COST_MAX)?;
    Ok((both, both))
}

pub(crate) fn class(item: &Item<'_>) -> Result<PrivacyClass, Fault> {
    item.word(&CLASSES, class_name)
}

pub(crate) fn need(item: &Item<'_>) -> Result<Need, Fault> {
    item.word(&Need::ALL, Need::name)
}

fn limits(item: Option<Item<'_>>) -> Result<Limits, Fault> {
    let Some(item) = item else {
        return Ok(Limits::default());
    };
    let mut table = item.table()?;
    let percent = |item: Item<'_>| item.number(0, 100).map(|percent| percent as u8);
    let time = |item: Item<'_>| item.number(1, DEADLINE_MS_MAX);
    let limits = Limits {
        cost_a_day_micros: table
            .optional("cost_a_day")
            .map(|item| item.millionths(COST_MAX))
            .transpose()?,
        cost_a_request_micros: table
            .optional("cost_a_request")
            .map(|item| item.millionths(COST_MAX))
            .transpose()?,
        metered_bytes_a_day: table
            .optional("metered_bytes_a_day")
            .map(|item| item.number(0, NUMBER_MAX))
            .transpose()?,
        battery_percent_min: table.optional("battery_percent_min").map(percent).transpose()?,
        thermal_max: table
            .optional("thermal_max")
            .map(|item| item.word(&Thermal::ALL, Thermal::name))
            .transpose()?,
        deadline_ms: table.optional("deadline_ms").map(time).transpose()?,
        first_token_ms: table.optional("first_token_ms").map(time).transpose()?,
        candidate_ms: table.optional("candidate_ms").map(time).transpose()?,
        remembered_class_max: table
            .optional("remembered_class_max")
            .map(|item| class(&item))
            .transpose()?,
        remembered_days: table
            .optional("remembered_days")
            .map(|item| item.number(0, DAYS_MAX).map(|days| days as u32))
            .transpose()?,
    };
    table.finish()?;
    Ok(limits)
}

fn tasks(item: Option<Item<'_>>, steps: &mut StepReader<'_>) -> Result<BTreeMap<String, TaskOverride>, Fault> {
    let mut tasks = BTreeMap::new();
    let Some(item) = item else { return Ok(tasks) };
    let table = item.table()?;
    for (name, item) in table.entries() {
        task_name(name, &item)?;
        if tasks.len() as u64 == TASKS_MAX {
            let (max, unit) = (TASKS_MAX, "tasks".to_owned());
            return Err(item.fault(Reason::TooLong { max, unit }));
        }
        let mut table = item.table()?;
        let order = table
            .optional("order")
            .map(|item| item.word(&Order::ALL, Order::name))
            .transpose()?;
        let task = TaskOverride {
            otherwise: table
                .optional("otherwise")
                .map(|item| steps.steps(&item, order))
                .transpose()?,
            limits: limits(table.optional("limits"))?,
        };
        if order.is_some() && task.otherwise.is_none() {
            return Err(item.fault(Reason::MissingField {
                field: "otherwise".to_owned(),
            }));
        }
        table.finish()?;
        if tasks.insert(task_key(name), task).is_some() {
            let what = format!("the task {name}");
            return Err(item.fault(Reason::Duplicate { what }));
        }
    }
    Ok(tasks)
}

pub(crate) fn task_name(name: &str, item: &Item<'_>) -> Result<(), Fault> {
    if name.len() as u64 > ID_BYTES_MAX {
        let (max, unit) = (ID_BYTES_MAX, "bytes".to_owned());
        return Err(item.fault(Reason::TooLong { max, unit }));
    }
    if is_id(name) {
        Ok(())
    } else {
        Err(item.fault(Reason::InvalidId))
    }
}

fn rules(item: Option<Item<'_>>, steps: &mut StepReader<'_>) -> Result<Vec<Rule>, Fault> {
    let mut rules: Vec<Rule> = Vec::new();
    let Some(item) = item else { return Ok(rules) };
    for item in item.list(RULES_MAX)? {
        let mut table = item.table()?;
        let id_item = table.required("id")?;
        let id: Id = id_item.id()?.into();
        if rules.iter().any(|rule| rule.id == id) {
            let what = format!("the rule {id}");
            return Err(id_item.fault(Reason::Duplicate { what }));
        }
        let rule = rule(id, &mut table, steps)?;
        rules.push(rule);
    }
    Ok(rules)
}

fn rule(id: Id, table: &mut Table<'_>, steps: &mut StepReader<'_>) -> Result<Rule, Fault> {
    if let Some(note) = table.optional("note") {
        note.text(TEXT_BYTES_MAX)?;
    }
    let when = table.optional("when").map(|item| conditions::read(&item)).transpose()?;
    let unknown = table
        .optional("unknown")
        .map(|item| item.word(&[true, false], unknown_name))
        .transpose()?;
    let order_item = table.optional("order");
    let order = order_item
        .as_ref()
        .map(|item| item.word(&Order::ALL, Order::name))
        .transpose()?;
    let then = match (table.optional("deny"), table.optional("try")) {
        (Some(item), None) => {
            if let Some(item) = order_item {
                return Err(item.fault(Reason::OrderWithoutTry));
            }
            Then::Deny(steps.denied(&item)?)
        }
        (None, Some(item)) => Then::Try(steps.steps(&item, order)?),
        _ => return Err(table.item.fault(Reason::DenyOrTry)),
    };
    table.finish()?;
    let by_default = matches!(&then, Then::Deny(denied) if denied.iter().any(Denied::keeps_on_device));
    let unknown_matches = unknown.unwrap_or(by_default);
    Ok(Rule {
        id,
        when: when.unwrap_or_default(),
        unknown_matches,
        then,
    })
}

fn unknown_name(matches: bool) -> &'static str {
    if matches { "matches" } else { "does_not_match" }
}

/// Reads steps and denials, which name endpoints.
struct StepReader<'a> {
    role: PolicyRole,
    text: &'a str,
    endpoints: &'a [Endpoint],
    named: Vec<NamedEndpoint>,
}

impl StepReader<'_> {
    fn steps(&mut self, item: &Item<'_>, order: Option<Order>) -> Result<Steps, Fault> {
        let mut steps = Vec::new();
        for item in item.list(LIST_ENTRIES_MAX)? {
            if steps.last() == Some(&Step::Queue) {
                return Err(item.fault(Reason::QueueNotLast));
            }
            let step = self.step(&item)?;
            if steps.contains(&step) {
                let what = "this step".to_owned();
                return Err(item.fault(Reason::Duplicate { what }));
            }
            steps.push(step);
        }
        Ok(Steps { steps, order })
    }

    fn step(&mut self, item: &Item<'_>) -> Result<Step, Fault> {
        let word = item.text(TEXT_BYTES_MAX)?;
        Ok(match word {
            "on_device" => Step::OnDevice,
            "system_model" => Step::SystemModel,
            "queue" => Step::Queue,
            _ => match self.remote(word, item)? {
                Some((endpoint, release)) => Step::Remote { endpoint, release },
                None => {
                    let expected = "a step is on_device, system_model, remote:ID, redact_then_remote:ID or queue";
                    return Err(unknown_word(item, expected));
                }
            },
        })
    }

    fn denied(&mut self, item: &Item<'_>) -> Result<Vec<Denied>, Fault> {
        let mut denied = Vec::new();
        for item in item.list(LIST_ENTRIES_MAX)? {
            let entry = self.denied_entry(&item)?;
            if denied.contains(&entry) {
                let what = "this entry".to_owned();
                return Err(item.fault(Reason::Duplicate { what }));
            }
            denied.push(entry);
        }
        Ok(denied)
    }

    fn denied_entry(&mut self, item: &Item<'_>) -> Result<Denied, Fault> {
        let word = item.text(TEXT_BYTES_MAX)?;
        Ok(match word {
            "everything" => Denied::Everything,
            "off_device" => Denied::OffDevice,
            "unredacted" => Denied::Unredacted,
            "on_device" => Denied::OnDevice,
            "system_model" => Denied::SystemModel,
            "queue" => Denied::Queue,
            _ => {
                if let Some(name) = word.strip_prefix("trust:") {
                    let trust = TrustClass::ALL.into_iter().find(|trust| trust_word(*trust) == name);
                    let expected = "trust:own_device_nearby, trust:organisation or trust:public_cloud";
                    return trust.map(Denied::Trust).ok_or_else(|| unknown_word(item, expected));
                }
                if let Some(id) = word.strip_prefix("endpoint:") {
                    return Ok(Denied::Endpoint(self.known(id, item)?));
                }
                match self.remote(word, item)? {
                    Some((endpoint, release)) => Denied::Remote { endpoint, release },
                    None => {
                        let expected = "deny takes everything, off_device, unredacted, on_device, system_model, queue, \
                                        trust:CLASS, endpoint:ID, remote:ID or redact_then_remote:ID";
                        return Err(unknown_word(item, expected));
                    }
                }
            }
        })
    }

    /// `remote:ID` or `redact_then_remote:ID`, in which the id may be `*`.
    fn remote(&mut self, word: &str, item: &Item<'_>) -> Result<Option<(EndpointChoice, Release)>, Fault> {
        let (id, release) = match (word.strip_prefix("remote:"), word.strip_prefix("redact_then_remote:")) {
            (Some(id), _) => (id, Release::AsIs),
            (_, Some(id)) => (id, Release::Redacted),
            _ => return Ok(None),
        };
        let endpoint = match id {
            "*" => EndpointChoice::All,
            id => EndpointChoice::One(self.known(id, item)?),
        };
        Ok(Some((endpoint, release)))
    }

    /// The id of an endpoint of this document; in a user's document the app's endpoints are not known yet.
    fn known(&mut self, id: &str, item: &Item<'_>) -> Result<Id, Fault> {
        if !is_id(id) || id.len() as u64 > ID_BYTES_MAX {
            return Err(item.fault(Reason::InvalidId));
        }
        if let Some(endpoint) = self.endpoints.iter().find(|endpoint| *endpoint.id == *id) {
            return Ok(endpoint.id.clone());
        }
        if self.role == PolicyRole::App {
            let id = id.to_owned();
            return Err(item.fault(Reason::UnknownEndpoint { id }));
        }
        let id: Id = id.into();
        let (line, column) = line_and_column(self.text, item.offset);
        self.named.push(NamedEndpoint {
            id: id.clone(),
            line,
            column,
            path: item.path.clone(),
        });
        Ok(id)
    }
}

fn unknown_word(item: &Item<'_>, expected: &str) -> Fault {
    let expected = expected.to_owned();
    item.fault(Reason::UnknownWord { expected })
}
