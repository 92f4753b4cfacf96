//! Parses the conditions of a rule: the fields of its `when`.

use whimbrel_privacy::FindingKind;

use super::decode::{class, need, task_name};
use super::error::PolicyErrorReason as Reason;
use super::node::Fault;
use super::reader::{Item, Table};
use crate::condition::{Condition, Range};
use crate::device::{Accelerator, Network, Thermal};
use crate::limits::{ID_BYTES_MAX, NUMBER_MAX};
use crate::request::task_key;

pub(crate) fn read(item: &Item<'_>) -> Result<Vec<Condition>, Fault> {
    let mut table = item.table()?;
    let mut conditions = Vec::new();
    about_the_request(&mut table, &mut conditions)?;
    about_the_findings(&mut table, &mut conditions)?;
    about_the_device(&mut table, &mut conditions)?;
    table.finish()?;
    if conditions.is_empty() {
        return Err(item.fault(Reason::Empty));
    }
    Ok(conditions)
}

fn about_the_request(table: &mut Table<'_>, conditions: &mut Vec<Condition>) -> Result<(), Fault> {
    if let Some(item) = table.optional("task") {
        conditions.push(Condition::Task(item.set(|item| {
            let name = item.text(ID_BYTES_MAX)?;
            task_name(name, item)?;
            Ok(task_key(name))
        })?));
    }
    if let Some(item) = table.optional("needs") {
        conditions.push(Condition::Needs(item.set(need)?));
    }
    if let Some(item) = table.optional("class") {
        conditions.push(Condition::Class(range(&item, class)?));
    }
    numbers(
        table,
        conditions,
        &[
            ("text_bytes", NUMBER_MAX, Condition::TextBytes),
            ("prompt_tokens", NUMBER_MAX, Condition::PromptTokens),
            ("answer_tokens", NUMBER_MAX, Condition::AnswerTokens),
        ],
    )
}

fn about_the_findings(table: &mut Table<'_>, conditions: &mut Vec<Condition>) -> Result<(), Fault> {
    let kind = |item: &Item<'_>| item.word(&FindingKind::ALL, FindingKind::name);
    if let Some(item) = table.optional("findings") {
        conditions.push(Condition::Findings(item.set(kind)?));
    }
    numbers(
        table,
        conditions,
        &[("findings_total", NUMBER_MAX, Condition::FindingsTotal)],
    )?;
    let Some(item) = table.optional("finding_counts") else {
        return Ok(());
    };
    let mut counts = item.table()?;
    let before = conditions.len();
    for kind in FindingKind::ALL {
        if let Some(item) = counts.optional(kind.name()) {
            let range = range(&item, |item| item.number(0, NUMBER_MAX))?;
            conditions.push(Condition::FindingCount(kind, range));
        }
    }
    counts.finish()?;
    if conditions.len() == before {
        return Err(item.fault(Reason::Empty));
    }
    Ok(())
}

fn about_the_device(table: &mut Table<'_>, conditions: &mut Vec<Condition>) -> Result<(), Fault> {
    let flags: [FlagCondition; 3] = [
        ("charging", Condition::Charging),
        ("power_save", Condition::PowerSave),
        ("foreground", Condition::Foreground),
    ];
    for (name, condition) in flags {
        if let Some(item) = table.optional(name) {
            conditions.push(condition(item.boolean()?));
        }
    }
    if let Some(item) = table.optional("thermal") {
        let thermal = |item: &Item<'_>| item.word(&Thermal::ALL, Thermal::name);
        conditions.push(Condition::Thermal(range(&item, thermal)?));
    }
    if let Some(item) = table.optional("network") {
        let networks = item.set(|item| item.word(&Network::ALL, Network::name))?;
        conditions.push(Condition::Network(networks));
    }
    if let Some(item) = table.optional("accelerators") {
        let accelerators = item.set(|item| item.word(&Accelerator::ALL, Accelerator::name))?;
        conditions.push(Condition::Accelerators(accelerators));
    }
    numbers(
        table,
        conditions,
        &[
            ("battery_percent", 100, Condition::BatteryPercent),
            ("memory_total_mb", NUMBER_MAX, Condition::MemoryTotalMb),
            ("memory_available_mb", NUMBER_MAX, Condition::MemoryAvailableMb),
            ("memory_process_mb", NUMBER_MAX, Condition::MemoryProcessMb),
            ("storage_free_mb", NUMBER_MAX, Condition::StorageFreeMb),
            ("round_trip_ms", NUMBER_MAX, Condition::RoundTripMs),
            ("loss_percent", 100, Condition::LossPercent),
            ("performance_cores", NUMBER_MAX, Condition::PerformanceCores),
        ],
    )
}

type FlagCondition = (&'static str, fn(bool) -> Condition);
type NumberCondition = (&'static str, u64, fn(Range<u64>) -> Condition);

fn numbers(table: &mut Table<'_>, conditions: &mut Vec<Condition>, fields: &[NumberCondition]) -> Result<(), Fault> {
    for (name, max, condition) in fields {
        if let Some(item) = table.optional(name) {
            conditions.push(condition(range(&item, |item| item.number(0, *max))?));
        }
    }
    Ok(())
}

pub(crate) fn range<T: Ord + Copy>(
    item: &Item<'_>,
    read: impl Fn(&Item<'_>) -> Result<T, Fault>,
) -> Result<Range<T>, Fault> {
    let mut table = item.table()?;
    let min = table.optional("min").as_ref().map(&read).transpose()?;
    let max = table.optional("max").as_ref().map(&read).transpose()?;
    table.finish()?;
    let is_empty = match (min, max) {
        (Some(min), Some(max)) => min > max,
        (None, None) => true,
        _ => false,
    };
    if is_empty {
        Err(item.fault(Reason::EmptyRange))
    } else {
        Ok(Range { min, max })
    }
}
