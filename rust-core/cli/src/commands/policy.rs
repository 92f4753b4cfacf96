//! `whimbrel policy`: checks documents, shows the presets and the schema. What a policy decides is `explain.rs`.

mod explain;

use std::io::{self, Write};
use std::path::PathBuf;

use serde::Serialize;
use serde_json::Value;
use whimbrel_client::policy::{Endpoint, Limits, Policy, PolicyRole, Preset};

use crate::arguments::policy_documents::{self, Named};
use crate::error::CliError;
use crate::terminal::output::{self, Facts, OutputArguments, table};

/// The schema of policy documents.
const SCHEMA: &str = include_str!("../../../../shared-models/schemas/policy.schema.json");

/// The commands under `policy`.
#[derive(clap::Subcommand, Debug)]
pub(crate) enum Command {
    /// Check a policy, and show what is in it
    Check(CheckArguments),
    /// Decide about a request, and explain the decision
    Explain(explain::Arguments),
    /// Print a preset: private, on_device_first, balanced or quality_first
    Show(ShowArguments),
    /// Print the JSON schema of policies
    Schema(SchemaArguments),
}

/// The flags of `policy check`.
#[derive(clap::Args, Debug)]
pub(crate) struct CheckArguments {
    /// A policy's file (TOML, or JSON if its name ends with .json), or a preset's name
    #[arg(value_name = "FILE|PRESET")]
    policy: PathBuf,
    /// A user's policy, checked together with the first one
    #[arg(long, value_name = "FILE")]
    user: Option<PathBuf>,
    #[command(flatten)]
    output: OutputArguments,
}

/// The flags of `policy show`.
#[derive(clap::Args, Debug)]
pub(crate) struct ShowArguments {
    /// The preset's name
    #[arg(value_name = "PRESET", value_parser = Preset::ALL.map(Preset::name))]
    preset: String,
    #[command(flatten)]
    output: OutputArguments,
}

/// The flags of `policy schema`.
#[derive(clap::Args, Debug)]
pub(crate) struct SchemaArguments {
    /// Has no effect: the schema is always JSON
    #[arg(long)]
    #[allow(dead_code, reason = "every command takes it")]
    json: bool,
}

pub(crate) fn run(command: &Command) -> Result<(), CliError> {
    match command {
        Command::Check(arguments) => check(arguments),
        Command::Explain(arguments) => explain::run(arguments),
        Command::Show(arguments) => show(arguments),
        Command::Schema(_) => output::write_all(SCHEMA.as_bytes()),
    }
}

/// What is in a document.
#[derive(Serialize)]
struct Summary {
    name: String,
    role: &'static str,
    description: Option<String>,
    currency: Option<String>,
    endpoints: Vec<Endpoint>,
    rules: Vec<String>,
    tools: Vec<String>,
    limits: Limits,
}

impl From<&Policy> for Summary {
    fn from(policy: &Policy) -> Summary {
        Summary {
            name: policy.name().to_owned(),
            role: policy.role().name(),
            description: policy.description().map(str::to_owned),
            currency: policy.currency().map(str::to_owned),
            endpoints: policy.endpoints().to_vec(),
            rules: policy.rule_ids().map(str::to_owned).collect(),
            tools: policy.tool_rule_ids().map(str::to_owned).collect(),
            // A task that no document names has the limits of the document.
            limits: policy.limits(""),
        }
    }
}

/// Only what is valid is printed; the rest is an error.
#[derive(Serialize)]
struct Checked {
    valid: bool,
    #[serde(flatten)]
    summary: Summary,
    user: Option<Summary>,
}

impl Facts for Checked {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "valid")?;
        self.summary.human(out)?;
        self.user.iter().try_for_each(|user| user.human(out))
    }
}

impl Summary {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        let list = |items: Vec<String>| match items.is_empty() {
            true => "none".to_owned(),
            false => items.join(", "),
        };
        let endpoints = self.endpoints.iter().map(|endpoint| {
            format!(
                "{} ({}, {} at {})",
                endpoint.id,
                endpoint.trust_word(),
                endpoint.model,
                endpoint.base_url
            )
        });
        let limits = match serde_json::to_value(&self.limits) {
            Ok(Value::Object(limits)) => limits,
            _ => serde_json::Map::new(),
        };
        let limits = limits.iter().filter(|(_, value)| !value.is_null());
        let limits = limits.map(|(name, value)| format!("{name} {}", value.to_string().trim_matches('"')));
        let mut rows = vec![("policy", format!("{} (the {}'s)", self.name, self.role))];
        rows.extend(self.description.clone().map(|description| ("", description)));
        rows.extend(self.currency.clone().map(|currency| ("currency", currency)));
        if self.role == PolicyRole::App.name() {
            rows.push(("endpoints", list(endpoints.collect())));
        }
        rows.push(("rules", list(self.rules.clone())));
        if !self.tools.is_empty() {
            rows.push(("tools", list(self.tools.clone())));
        }
        rows.push(("limits", list(limits.collect())));
        table(out, &rows)
    }
}

fn check(arguments: &CheckArguments) -> Result<(), CliError> {
    let app = policy_documents::named(&arguments.policy)?;
    let Some(user) = &arguments.user else {
        // A user's document by itself is a document, too.
        let checked = Checked {
            valid: true,
            summary: Summary::from(&app.policy),
            user: None,
        };
        if app.policy.role() == PolicyRole::App {
            policy_documents::together(app, None)?;
        }
        return arguments.output.print(&checked);
    };
    let user: Named = policy_documents::named(user)?;
    let set = policy_documents::together(app, Some(user))?;
    arguments.output.print(&Checked {
        valid: true,
        summary: Summary::from(set.app()),
        user: set.user().map(Summary::from),
    })
}

#[derive(Serialize)]
struct PresetText {
    name: &'static str,
    text: &'static str,
}

impl Facts for PresetText {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(self.text.as_bytes())
    }
}

fn show(arguments: &ShowArguments) -> Result<(), CliError> {
    match Preset::by_name(&arguments.preset) {
        Some(preset) => arguments.output.print(&PresetText {
            name: preset.name(),
            text: preset.text(),
        }),
        None => Err(CliError::usage(
            "no preset has this name",
            "whimbrel policy show --help",
        )),
    }
}
