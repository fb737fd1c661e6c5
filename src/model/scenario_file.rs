//! The text of a scenario: TOML with positions. These types are private to the format; [`Scenario`] is the public one.

use crate::model::problem::Problem;
use crate::model::{Axis, Scenario, scenario_lower};
use serde::Deserialize;
use std::collections::BTreeMap;
use toml::Spanned;

/// What a scenario may name: the registry as plain data.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// Flows by name.
    pub flows: BTreeMap<String, KnownFlow>,
    /// Kinds of faults, each with the axes on which it strikes.
    pub kinds: BTreeMap<String, Vec<Axis>>,
    /// Checks.
    pub checks: Vec<String>,
}

/// What is known of a flow without its data.
#[derive(Debug, Clone, Default)]
pub struct KnownFlow {
    /// The steps of its plan, in order.
    pub steps: Vec<String>,
}

impl Scenario {
    /// Reads the text of a scenario file.
    ///
    /// # Errors
    /// A syntax error is the only problem; else all problems of meaning, in no particular order.
    pub fn parse(name: &str, text: &str, known: &Known) -> Result<Scenario, Vec<Problem>> {
        let file: File = toml::from_str(text).map_err(|error| vec![syntax_problem(text, &error)])?;
        scenario_lower::lower(name, file, known)
    }
}

fn syntax_problem(text: &str, error: &toml::de::Error) -> Problem {
    let message = error.message();
    let span = error.span().unwrap_or(0..0);
    match message.split_once(", expected ") {
        Some((what, allowed)) if what.starts_with("unknown field") => {
            let found = text.get(span.clone()).unwrap_or_default();
            let names = allowed.trim_start_matches("one of ").replace('`', "");
            Problem::unknown(span, "key", found, names.split(", "))
        }
        _ => Problem::new(span, message.to_owned()),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) format: Spanned<i64>,
    pub(super) about: String,
    pub(super) flow: Option<Spanned<String>>,
    pub(super) dataset: Spanned<String>,
    pub(super) tool: Option<Spanned<toml::Value>>,
    #[serde(default)]
    pub(super) seed: Option<Spanned<i64>>,
    #[serde(default)]
    pub(super) needs: Vec<String>,
    #[serde(default)]
    pub(super) own_server: bool,
    #[serde(default)]
    pub(super) targets: BTreeMap<Spanned<String>, Spanned<toml::Value>>,
    #[serde(default)]
    pub(super) step: Vec<StepFile>,
    #[serde(default)]
    pub(super) fault: Vec<FaultFile>,
    #[serde(default)]
    pub(super) recovery: Vec<RecoveryFile>,
    pub(super) rerun: Option<RerunFile>,
    #[serde(default)]
    pub(super) map: Vec<MapFile>,
    #[serde(default)]
    pub(super) volatile: Vec<VolatileFile>,
    #[serde(default)]
    pub(super) service: Vec<ServiceFile>,
    #[serde(default)]
    pub(super) guard: Vec<GuardFile>,
    #[serde(default)]
    pub(super) check: Vec<CheckFile>,
    #[serde(default)]
    pub(super) catalog: CatalogFile,
    pub(super) criteria: Option<String>,
    pub(super) expect: Option<ExpectFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StepFile {
    pub(super) name: Spanned<String>,
    pub(super) role: Spanned<String>,
    pub(super) argv: Spanned<Vec<String>>,
    #[serde(default)]
    pub(super) env: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) env_from: Vec<String>,
    #[serde(default)]
    pub(super) files: BTreeMap<Spanned<String>, String>,
    #[serde(default)]
    pub(super) traced: bool,
    pub(super) exit: Option<Vec<i32>>,
    pub(super) timeout: Option<Spanned<String>>,
    pub(super) claims: Option<Spanned<toml::Value>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FaultFile {
    pub(super) kind: Spanned<String>,
    pub(super) during: Spanned<String>,
    pub(super) at: Spanned<String>,
    pub(super) then: Option<ThenFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ThenFile {
    pub(super) kind: Spanned<String>,
    pub(super) during: Option<Spanned<String>>,
    pub(super) at: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RecoveryFile {
    #[serde(default)]
    pub(super) when: WhenFile,
    pub(super) steps: Spanned<Vec<Spanned<String>>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WhenFile {
    pub(super) step: Option<Spanned<String>>,
    pub(super) kind: Option<Spanned<String>>,
    pub(super) before: Option<Spanned<String>>,
    pub(super) after: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RerunFile {
    pub(super) expect: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MapFile {
    pub(super) on: Option<Spanned<String>>,
    pub(super) source: Spanned<String>,
    pub(super) target: String,
    pub(super) into: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) key: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct VolatileFile {
    pub(super) table: Spanned<String>,
    pub(super) columns: Vec<String>,
    pub(super) reason: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ServiceFile {
    pub(super) name: Spanned<String>,
    pub(super) argv: Spanned<Vec<String>>,
    #[serde(default)]
    pub(super) env: BTreeMap<String, String>,
    pub(super) ready: Spanned<String>,
    pub(super) from: Spanned<String>,
    pub(super) until: Option<Spanned<String>>,
    pub(super) timeout: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GuardFile {
    pub(super) name: Spanned<String>,
    pub(super) before: Spanned<String>,
    pub(super) argv: Spanned<Vec<String>>,
    #[serde(default)]
    pub(super) env: BTreeMap<String, String>,
    pub(super) exit: Option<Spanned<Vec<i32>>>,
    pub(super) says: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CheckFile {
    pub(super) name: Spanned<String>,
    pub(super) sql: Option<SqlFile>,
    pub(super) command: Option<CommandFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SqlFile {
    pub(super) on: Spanned<String>,
    pub(super) query: String,
    pub(super) equals: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CommandFile {
    pub(super) argv: Spanned<Vec<String>>,
    pub(super) exit: Option<Vec<i32>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CatalogFile {
    #[serde(default)]
    pub(super) may_change: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ExpectFile {
    pub(super) red: Vec<Spanned<String>>,
    pub(super) outcome: Option<Spanned<String>>,
}
