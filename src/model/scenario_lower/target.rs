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
        let Some(table) = value.as_table().filter(|table| !table.is_empty()) else {
            return self.problems.push(Problem::new(span.clone(), format!("`{name}` is not a target")).help(form));
        };
        let engine = |name: &str| match name {
            "postgres" => Some(Engine::Postgres),
            "sqlite" => Some(Engine::Sqlite),
            _ => None,
        };
        for (key, inner) in table {
            match (engine(key), inner.as_str()) {
                (Some(engine), Some(database)) if table.len() == 1 && is_name(name) => {
                    found.push(TargetSpec { name: name.to_owned(), engine, database: database.to_owned() });
                }
                (None, None) => self.nested_target(&format!("{name}.{key}"), inner, span, found),
                _ => self.problems.push(Problem::new(span.clone(), format!("`{name}` is not a target")).help(&*form)),
            }
        }
    }

    pub(super) fn tool(&mut self, tool: &Spanned<toml::Value>) -> Tool {
        let strings = |value: &toml::Value| -> Option<Vec<String>> {
            value.as_array()?.iter().map(|item| item.as_str().map(str::to_owned)).collect()
        };
        let builtin = Tool { prefix: None, inputs: Vec::new() };
        let understood = match tool.get_ref() {
            toml::Value::String(word) if word == "builtin" => Some(builtin.clone()),
            toml::Value::Array(_) => {
                strings(tool.get_ref()).map(|prefix| Tool { prefix: Some(prefix), inputs: Vec::new() })
            }
            toml::Value::Table(table) if table.keys().all(|key| key == "prefix" || key == "inputs") => Some(Tool {
                prefix: table.get("prefix").and_then(strings),
                inputs: table.get("inputs").and_then(strings).unwrap_or_default(),
            }),
            _ => None,
        };
        understood.unwrap_or_else(|| {
            let help = "write tool = \"builtin\", tool = [\"program\", \"argument\"], or [tool] with prefix and inputs";
            self.problems.push(Problem::new(tool.span(), "this is not a tool").help(help));
            builtin
        })
    }
}
