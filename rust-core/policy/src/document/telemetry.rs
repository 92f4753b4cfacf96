//! Parses the section about telemetry. The app's document says where it may go and how much; the user's can only switch signals off.

use whimbrel_record::TrustClass;

use super::error::PolicyErrorReason as Reason;
use super::node::Fault;
use super::policy::{PolicyRole, trust_word};
use super::reader::{Item, Table};
use super::url;
use crate::limits::{
    TELEMETRY_BYTES_A_DAY_MAX, TELEMETRY_BYTES_A_DAY_MIN, TELEMETRY_CONNECTIONS_A_DAY_MAX, URL_BYTES_MAX,
};
use crate::telemetry::{BYTES_A_DAY_DEFAULT, CONNECTIONS_A_DAY_DEFAULT, Signals, TelemetryRules};

/// What one document says about telemetry.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Telemetry {
    /// An app's document.
    Rules(Box<TelemetryRules>),
    /// A user's document: only these signals may be sent.
    Only(Signals),
}

/// The fields that only the app's document can have.
const OF_APP: [&str; 6] = ["url", "service", "trust", "bytes_a_day", "connections_a_day", "metered"];

pub(crate) fn read(item: Option<Item<'_>>, role: PolicyRole) -> Result<Option<Telemetry>, Fault> {
    let Some(item) = item else { return Ok(None) };
    let mut table = item.table()?;
    let telemetry = match role {
        PolicyRole::App => Telemetry::Rules(Box::new(rules(&mut table)?)),
        PolicyRole::User => {
            if let Some((_, item)) = table.entries().find(|(name, _)| OF_APP.contains(name)) {
                return Err(item.fault(Reason::UserTelemetry));
            }
            Telemetry::Only(signals(&mut table)?)
        }
    };
    table.finish()?;
    Ok(Some(telemetry))
}

fn rules(table: &mut Table<'_>) -> Result<TelemetryRules, Fault> {
    let url_item = table.required("url")?;
    let url = url_item.text(URL_BYTES_MAX)?;
    if let Some(problem) = url::problem(url) {
        return Err(url_item.fault(Reason::InvalidUrl { problem }));
    }
    let service = table.required("service")?.id()?.to_owned();
    let trust = table.required("trust")?.word(&TrustClass::ALL, trust_word)?;
    let Signals { metrics, traces } = signals(table)?;
    let bytes = table
        .optional("bytes_a_day")
        .map(|item| item.number(TELEMETRY_BYTES_A_DAY_MIN, TELEMETRY_BYTES_A_DAY_MAX))
        .transpose()?;
    let connections = table
        .optional("connections_a_day")
        .map(|item| {
            item.number(1, TELEMETRY_CONNECTIONS_A_DAY_MAX)
                .map(|number| number as u32)
        })
        .transpose()?;
    let metered = table.optional("metered").map(|item| item.boolean()).transpose()?;
    Ok(TelemetryRules {
        url: url.to_owned(),
        service,
        trust,
        metrics,
        traces,
        bytes_a_day: bytes.unwrap_or(BYTES_A_DAY_DEFAULT),
        connections_a_day: connections.unwrap_or(CONNECTIONS_A_DAY_DEFAULT),
        metered: metered.unwrap_or(false),
    })
}

fn signals(table: &mut Table<'_>) -> Result<Signals, Fault> {
    let metrics = table.optional("metrics").map(|item| item.boolean()).transpose()?;
    let traces = table.optional("traces").map(|item| item.boolean()).transpose()?;
    Ok(Signals {
        metrics: metrics.unwrap_or(true),
        traces: traces.unwrap_or(true),
    })
}
