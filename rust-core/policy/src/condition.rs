//! The conditions of a rule: how each one is compared with the request, the findings or the device. All conditions of a rule must hold.

use std::fmt;

use serde::Serialize;
use whimbrel_privacy::{ContentFacts, FindingKind, PrivacyClass};

use crate::device::{Accelerator, DeviceView, Network, Thermal};
use crate::request::{Need, RequestFacts, task_key};

/// From `min` to `max`, both included.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Range<T> {
    pub(crate) min: Option<T>,
    pub(crate) max: Option<T>,
}

impl<T: Ord> Range<T> {
    pub(crate) fn holds(&self, value: &T) -> bool {
        self.min.as_ref().is_none_or(|min| value >= min) && self.max.as_ref().is_none_or(|max| value <= max)
    }
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Condition {
    /// The task is one of these.
    Task(Vec<String>),
    /// One of these is needed.
    Needs(Vec<Need>),
    Class(Range<PrivacyClass>),
    TextBytes(Range<u64>),
    PromptTokens(Range<u64>),
    AnswerTokens(Range<u64>),
    /// One of these was found.
    Findings(Vec<FindingKind>),
    /// How many were found, of all kinds.
    FindingsTotal(Range<u64>),
    /// How many of one kind were found.
    FindingCount(FindingKind, Range<u64>),
    BatteryPercent(Range<u64>),
    Charging(bool),
    PowerSave(bool),
    Thermal(Range<Thermal>),
    MemoryTotalMb(Range<u64>),
    MemoryAvailableMb(Range<u64>),
    MemoryProcessMb(Range<u64>),
    StorageFreeMb(Range<u64>),
    Network(Vec<Network>),
    RoundTripMs(Range<u64>),
    LossPercent(Range<u64>),
    PerformanceCores(Range<u64>),
    /// The device has one of these.
    Accelerators(Vec<Accelerator>),
    Foreground(bool),
}

/// The value that a condition was compared with.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Found {
    /// The reading is unknown or too old.
    Unknown,
    /// None of the values that the condition lists.
    NoneOfThem,
    /// A number.
    Number(u64),
    /// A state.
    Word(&'static str),
    /// A boolean.
    Flag(bool),
}

impl fmt::Display for Found {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Found::Unknown => formatter.write_str("unknown"),
            Found::NoneOfThem => formatter.write_str("none of those listed"),
            Found::Number(number) => number.fmt(formatter),
            Found::Word(word) => formatter.write_str(word),
            Found::Flag(flag) => formatter.write_str(if *flag { "yes" } else { "no" }),
        }
    }
}

/// What the conditions look at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts<'a> {
    pub(crate) request: &'a RequestFacts,
    pub(crate) content: &'a ContentFacts,
    pub(crate) device: &'a DeviceView,
}

impl Facts<'_> {
    fn findings_total(&self) -> u64 {
        self.content.findings.values().map(|count| u64::from(*count)).sum()
    }
}

/// The name of a class in policies and JSON.
pub(crate) fn class_name(class: PrivacyClass) -> &'static str {
    match class {
        PrivacyClass::Public => "public",
        PrivacyClass::Personal => "personal",
        PrivacyClass::Sensitive => "sensitive",
        PrivacyClass::Secret => "secret",
    }
}

/// Every class, the least private first.
pub(crate) const CLASSES: [PrivacyClass; 4] = [
    PrivacyClass::Public,
    PrivacyClass::Personal,
    PrivacyClass::Sensitive,
    PrivacyClass::Secret,
];

const BYTES_A_MEGABYTE: u64 = 1_000_000;

impl Condition {
    /// The field of `when`.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Condition::Task(_) => "task",
            Condition::Needs(_) => "needs",
            Condition::Class(_) => "class",
            Condition::TextBytes(_) => "text_bytes",
            Condition::PromptTokens(_) => "prompt_tokens",
            Condition::AnswerTokens(_) => "answer_tokens",
            Condition::Findings(_) => "findings",
            Condition::FindingsTotal(_) => "findings_total",
            Condition::FindingCount(..) => "finding_counts",
            Condition::BatteryPercent(_) => "battery_percent",
            Condition::Charging(_) => "charging",
            Condition::PowerSave(_) => "power_save",
            Condition::Thermal(_) => "thermal",
            Condition::MemoryTotalMb(_) => "memory_total_mb",
            Condition::MemoryAvailableMb(_) => "memory_available_mb",
            Condition::MemoryProcessMb(_) => "memory_process_mb",
            Condition::StorageFreeMb(_) => "storage_free_mb",
            Condition::Network(_) => "network",
            Condition::RoundTripMs(_) => "round_trip_ms",
            Condition::LossPercent(_) => "loss_percent",
            Condition::PerformanceCores(_) => "performance_cores",
            Condition::Accelerators(_) => "accelerators",
            Condition::Foreground(_) => "foreground",
        }
    }

    /// What does not hold, or nothing. A condition about an unknown reading answers [`Found::Unknown`], and the rule says what that means.
    pub(crate) fn obstacle(&self, facts: &Facts<'_>) -> Option<Found> {
        let (request, content, device) = (facts.request, facts.content, facts.device);
        let megabytes = |bytes: Option<u64>| bytes.map(|bytes| bytes / BYTES_A_MEGABYTE);
        match self {
            Condition::Task(tasks) => listed(tasks.contains(&task_key(&request.task))),
            Condition::Needs(needs) => listed(needs.iter().any(|need| request.needs.contains(need))),
            Condition::Class(range) => (!range.holds(&content.class)).then(|| Found::Word(class_name(content.class))),
            Condition::TextBytes(range) => number(range, content.text_bytes),
            Condition::PromptTokens(range) => number(range, u64::from(request.prompt_tokens)),
            Condition::AnswerTokens(range) => number(range, u64::from(request.answer_tokens_max)),
            Condition::Findings(kinds) => {
                let is_found = |kind| content.findings.get(kind).is_some_and(|count| *count > 0);
                listed(kinds.iter().any(is_found))
            }
            Condition::FindingsTotal(range) => number(range, facts.findings_total()),
            Condition::FindingCount(kind, range) => {
                number(range, content.findings.get(kind).copied().map_or(0, u64::from))
            }
            Condition::BatteryPercent(range) => reading(range, device.battery_percent.map(u64::from)),
            Condition::Charging(wanted) => flag(*wanted, device.charging),
            Condition::PowerSave(wanted) => flag(*wanted, device.power_save),
            Condition::Thermal(range) => match device.thermal {
                None => Some(Found::Unknown),
                Some(thermal) => (!range.holds(&thermal)).then(|| Found::Word(thermal.name())),
            },
            Condition::MemoryTotalMb(range) => reading(range, megabytes(device.memory_total_bytes)),
            Condition::MemoryAvailableMb(range) => reading(range, megabytes(device.memory_available_bytes)),
            Condition::MemoryProcessMb(range) => reading(range, megabytes(device.memory_process_bytes)),
            Condition::StorageFreeMb(range) => reading(range, megabytes(device.storage_free_bytes)),
            Condition::Network(networks) => match device.network {
                None => Some(Found::Unknown),
                Some(network) => (!networks.contains(&network)).then(|| Found::Word(network.name())),
            },
            Condition::RoundTripMs(range) => reading(range, device.round_trip_ms.map(u64::from)),
            Condition::LossPercent(range) => reading(range, device.loss_percent.map(u64::from)),
            Condition::PerformanceCores(range) => reading(range, device.performance_cores.map(u64::from)),
            Condition::Accelerators(wanted) => match &device.accelerators {
                None => Some(Found::Unknown),
                Some(found) => listed(wanted.iter().any(|accelerator| found.contains(accelerator))),
            },
            Condition::Foreground(wanted) => flag(*wanted, device.foreground),
        }
    }
}

fn listed(holds: bool) -> Option<Found> {
    (!holds).then_some(Found::NoneOfThem)
}

fn number(range: &Range<u64>, value: u64) -> Option<Found> {
    (!range.holds(&value)).then_some(Found::Number(value))
}

fn reading(range: &Range<u64>, value: Option<u64>) -> Option<Found> {
    value.map_or(Some(Found::Unknown), |value| number(range, value))
}

fn flag(wanted: bool, value: Option<bool>) -> Option<Found> {
    match value {
        None => Some(Found::Unknown),
        Some(value) => (value != wanted).then_some(Found::Flag(value)),
    }
}
