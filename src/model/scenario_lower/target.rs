//! Which databases and which program.

use super::Lowering;
use crate::model::problem::Problem;
use crate::model::{Engine, TargetSpec, Tool, is_name};
use std::collections::BTreeMap;
use std::ops::Range;
use toml::Spanned;

impl Lowering<'_> {
    /// The targets, sources first, each group by name.
    pub(super) fn targets(&mut self, file: &BTreeMap<Spanned<String>, Spanned<toml::Value>>) -> Vec<TargetSpec> {
        let mut targets: Vec<TargetSpec> =
            file.iter().flat_map(|(name, value)| self.target(name.get_ref(), value)).collect();
        targets.sort_by_key(|target| (!target.is_source(), target.name.clone()));
        targets
    }

    /// `target = { postgres = "one" }` is one; `source.general = { ... }` nests.
    fn target(&mut self, name: &str, value: &Spanned<toml::Value>) -> Vec<TargetSpec> {
        let mut found = Vec::new();
        self.nested_target(name, value.get_ref(), &value.span(), &mut found);
        found
    }

    fn nested_target(&mut self, name: &str, value: &toml::Value, span: &Range<usize>, found: &mut Vec<TargetSpec>) {
        let form = format!("write {name} = {{ postgres = \"a database of the dataset\" }} or {{ sqlite = \"...\" }}");
        let not_a_target = || Problem::new(span.clone(), format!("`{name}` is not a target")).help(form.as_str());
        let Some(table) = value.as_table().filter(|table| !table.is_empty()) else {
            return self.problems.push(not_a_target());
        };
        let engine = |name: &str| match name {
            "postgres" => Some(Engine::Postgres),
            "sqlite" => Some(Engine::Sqlite),
            _ => None,
        };
        let about: Vec<_> = table.iter().filter(|(key, _)| *key != "version").collect();
        if let [(key, inner)] = about[..]
            && let (Some(engine), Some(database), true) = (engine(key), inner.as_str(), is_name(name))
        {
            return match version(table.get("version"), engine) {
                Ok(version) => found.push(TargetSpec { version, ..TargetSpec::new(name, engine, database) }),
                Err(why) => self.problems.push(Problem::new(span.clone(), why).help("such as version = 18")),
            };
        }
        for (key, inner) in table {
            match inner.is_table() && engine(key).is_none() {
                true => self.nested_target(&format!("{name}.{key}"), inner, span, found),
                false => return self.problems.push(not_a_target()),
            }
        }
    }

    pub(super) fn tool(&mut self, tool: &Spanned<toml::Value>) -> Tool {
        understood(tool.get_ref()).unwrap_or_else(|| {
            let help = "write tool = \"builtin\", tool = [\"program\", \"argument\"], or [tool] with prefix and inputs";
            self.problems.push(Problem::new(tool.span(), "this is not a tool").help(help));
            Tool { prefix: None, inputs: Vec::new() }
        })
    }
}

/// The major version of a server. A file has none.
fn version(value: Option<&toml::Value>, engine: Engine) -> Result<Option<u32>, &'static str> {
    let Some(value) = value else { return Ok(None) };
    let major = value.as_integer().and_then(|major| u32::try_from(major).ok()).filter(|major| *major >= 13);
    match (engine, major) {
        (Engine::Sqlite, _) => Err("a file is of no version of Postgres"),
        (Engine::Postgres, Some(major)) => Ok(Some(major)),
        (Engine::Postgres, None) => Err("`version` is a major version of Postgres, a whole number from 13"),
    }
}

fn understood(tool: &toml::Value) -> Option<Tool> {
    let program = |value: &toml::Value| strings(value).filter(|words| !words.is_empty());
    match tool {
        toml::Value::String(word) if word == "builtin" => Some(Tool { prefix: None, inputs: Vec::new() }),
        toml::Value::Array(_) => program(tool).map(|prefix| Tool { prefix: Some(prefix), inputs: Vec::new() }),
        toml::Value::Table(table) if table.keys().all(|key| key == "prefix" || key == "inputs") => Some(Tool {
            prefix: table.get("prefix").map_or(Some(None), |prefix| program(prefix).map(Some))?,
            inputs: table.get("inputs").map_or(Some(Vec::new()), strings)?,
        }),
        _ => None,
    }
}

fn strings(value: &toml::Value) -> Option<Vec<String>> {
    value.as_array()?.iter().map(|item| item.as_str().map(str::to_owned)).collect()
}
