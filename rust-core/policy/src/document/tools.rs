//! Parses the rules about the app's tools.

use super::conditions::range;
use super::decode::class;
use super::error::PolicyErrorReason as Reason;
use super::node::Fault;
use super::reader::{Item, Table};
use crate::id::Id;
use crate::limits::{TEXT_BYTES_MAX, TOOL_RULES_MAX};
use crate::tool::{ToolPermission, ToolRule};

pub(crate) fn read(item: Option<Item<'_>>) -> Result<Vec<ToolRule>, Fault> {
    let mut rules: Vec<ToolRule> = Vec::new();
    let Some(item) = item else { return Ok(rules) };
    for item in item.list(TOOL_RULES_MAX)? {
        let mut table = item.table()?;
        let id_item = table.required("id")?;
        let id: Id = id_item.id()?.into();
        if rules.iter().any(|rule| rule.id == id) {
            let what = format!("the rule {id}");
            return Err(id_item.fault(Reason::Duplicate { what }));
        }
        let rule = rule(id, &mut table)?;
        rules.push(rule);
    }
    Ok(rules)
}

fn rule(id: Id, table: &mut Table<'_>) -> Result<ToolRule, Fault> {
    if let Some(note) = table.optional("note") {
        note.text(TEXT_BYTES_MAX)?;
    }
    let (mut tools, mut of_class) = (None, None);
    if let Some(item) = table.optional("when") {
        let mut when = item.table()?;
        let names = when.optional("tool");
        tools = names.map(|item| item.set(|name| name.id().map(Id::from))).transpose()?;
        of_class = when.optional("class").map(|item| range(&item, class)).transpose()?;
        when.finish()?;
        if tools.is_none() && of_class.is_none() {
            return Err(item.fault(Reason::Empty));
        }
    }
    let permission = table
        .required("use")?
        .word(&ToolPermission::ALL, ToolPermission::name)?;
    table.finish()?;
    Ok(ToolRule {
        id,
        tools,
        class: of_class,
        permission,
    })
}
