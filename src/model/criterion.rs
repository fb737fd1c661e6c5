//! Criteria: what a runbook demands before something may be done, as rules that a run answers.
//!
//! Each rule quotes the sentence of the runbook that it stands for. What a step says of itself and what was seen of it are
//! two halves, and either one can speak against it.

use crate::model::Stage;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A file of criteria.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CriteriaFile {
    /// Version of this format.
    pub format: u32,
    /// The runbook that is quoted, by its path from the root of the repository.
    pub runbook: String,
    /// The rules, in the order of the runbook.
    #[serde(rename = "rule")]
    pub rules: Vec<Criterion>,
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Criterion {
    /// Such as `ONEDB-05`.
    pub id: String,
    /// By when it has to be answered.
    pub stage: Stage,
    /// What it does where it is not green.
    pub severity: Severity,
    /// The words of the runbook that it stands for, exactly, line breaks apart.
    pub quote: String,
    /// What a step must say of itself.
    #[serde(default)]
    pub claimed: Option<Claimed>,
    /// What must have been seen.
    #[serde(default)]
    pub observed: Option<Observed>,
}

/// What a rule does where it is not green.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// It blocks.
    Block,
    /// It is said.
    Warn,
    /// Only people can answer it, with a signature.
    Manual,
}

/// What the report of a step must say, in the uninterrupted runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claimed {
    /// The step whose report it is.
    pub artifact: String,
    /// Where in it: RFC 6901, and `*` for every entry of a list or object.
    pub pointer: String,
    /// How it is compared.
    pub op: Op,
    /// With what; `{tables}`, `{sources}` and `{targets}` are counts of the profile.
    pub value: String,
}

/// What must have been seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Observed {
    /// `exit STEP`, `check NAME`, `guard NAME`, `recovered STEP`, `time_ms STEP`, or of the whole run `cases`, `scenarios`,
    /// `guards`, `secrets`; `gate` is answered by `rehearse gate` alone.
    pub what: String,
    /// How it is compared.
    pub op: Op,
    /// With what.
    pub value: String,
}

/// How values are compared; there may be several. Of none at all nothing is known, but for `count`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Op {
    /// Each is this.
    #[serde(rename = "=")]
    Is,
    /// None is this.
    #[serde(rename = "!=")]
    IsNot,
    /// Each is a number, and this at least.
    #[serde(rename = ">=")]
    AtLeast,
    /// Each is a number, and this at most.
    #[serde(rename = "<=")]
    AtMost,
    /// There are so many.
    #[serde(rename = "count")]
    Count,
}

impl Op {
    /// As in a file.
    pub fn sign(self) -> &'static str {
        match self {
            Op::Is => "=",
            Op::IsNot => "!=",
            Op::AtLeast => ">=",
            Op::AtMost => "<=",
            Op::Count => "count",
        }
    }

    /// Whether `found` is as it must be.
    pub fn holds(self, found: &[String], value: &str) -> bool {
        let number = |text: &str| text.parse::<i128>().ok();
        match self {
            Op::Is => found.iter().all(|found| found == value),
            Op::IsNot => found.iter().all(|found| found != value),
            Op::AtLeast => found.iter().all(|found| number(found).is_some_and(|found| Some(found) >= number(value))),
            Op::AtMost => number(value)
                .is_some_and(|most| found.iter().all(|found| number(found).is_some_and(|found| found <= most))),
            Op::Count => number(value) == i128::try_from(found.len()).ok(),
        }
    }
}

/// The rules of a scenario, or those of every run: `criteria`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CriteriaSet {
    /// The scenario; nothing: the whole run.
    pub scenario: Option<String>,
    /// The rules, with the counts of the profile in place.
    pub rules: Vec<Criterion>,
}

/// What the report of a step holds at the places that rules ask for: `claimed`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimedValues {
    /// The case.
    pub case: String,
    /// The step.
    pub step: String,
    /// The place, as the rule has it.
    pub pointer: String,
    /// What is there, in order: texts as they are, all else as JSON.
    pub values: Vec<String>,
}

impl CriteriaFile {
    /// Reads a file and looks for every quotation in the text of its runbook, which `read` finds by its path.
    ///
    /// # Errors
    /// What is wrong, for people: syntax, another format, an id that is there twice, a rule that asks nothing, a quotation
    /// that is not in the runbook.
    pub fn parse(text: &str, read: impl Fn(&str) -> Result<String, String>) -> Result<CriteriaFile, String> {
        let file: CriteriaFile = toml::from_str(text).map_err(|error| error.to_string())?;
        if file.format != 1 {
            return Err(format!("format {} is not known; this version reads 1", file.format));
        }
        let runbook = words(&read(&file.runbook)?);
        let mut ids = BTreeSet::new();
        for rule in &file.rules {
            rule.problem(&runbook).map_or(Ok(()), |why| Err(format!("rule {}: {why}", rule.id)))?;
            if !ids.insert(&rule.id) {
                return Err(format!("rule {} is there twice", rule.id));
            }
        }
        Ok(file)
    }
}

impl Criterion {
    fn problem(&self, runbook: &str) -> Option<String> {
        let kind = self.observed.as_ref().map(|observed| observed.what.split(' ').next().unwrap_or_default());
        match kind {
            None if self.severity == Severity::Block => {
                Some("what blocks must be observed; claims alone prove nothing".to_owned())
            }
            Some(kind) if !KINDS.contains(&kind) => {
                Some(format!("nothing is observed under `{kind}`; there are: {}", KINDS.join(", ")))
            }
            _ if !runbook.contains(&words(&self.quote)) => {
                Some(format!("the runbook does not say: {}", words(&self.quote)))
            }
            _ => None,
        }
    }

    /// With the counts of the profile in place.
    pub fn with_counts(mut self, counts: &[(&str, usize)]) -> Criterion {
        let fill = |text: &mut String| {
            for (name, count) in counts {
                *text = text.replace(&format!("{{{name}}}"), &count.to_string());
            }
        };
        self.claimed.iter_mut().for_each(|claimed| fill(&mut claimed.value));
        self.observed.iter_mut().for_each(|observed| fill(&mut observed.value));
        self
    }
}

const KINDS: [&str; 10] =
    ["exit", "check", "guard", "recovered", "time_ms", "cases", "scenarios", "guards", "secrets", "gate"];

/// A text with single spaces.
pub fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What `report` holds at `pointer`, `*` standing for every entry.
pub fn values_at(report: &serde_json::Value, pointer: &str) -> Vec<String> {
    use serde_json::Value;
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match pointer.split_once("/*") {
        None => report.pointer(pointer).map(text).into_iter().collect(),
        Some((list, rest)) => match report.pointer(list) {
            Some(Value::Array(items)) => items.iter().flat_map(|item| values_at(item, rest)).collect(),
            Some(Value::Object(fields)) => fields.values().flat_map(|field| values_at(field, rest)).collect(),
            _ => Vec::new(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_every_entry_and_what_is_not_there_is_nothing() {
        let report = serde_json::json!({"n": 3, "list": [{"s": "ok"}, {"s": "no"}, {}], "none": []});
        assert_eq!(values_at(&report, "/n"), ["3"]);
        assert_eq!(values_at(&report, "/list/*/s"), ["ok", "no"]);
        assert_eq!(values_at(&report, "/none/*"), [""; 0]);
        assert_eq!(values_at(&report, "/gone/*/s"), [""; 0]);
    }

    const RUNBOOK: &str = "Good: exit code 0, and\nthe folder is named.";

    fn parsed(rule: &str) -> Result<CriteriaFile, String> {
        let text = format!("format = 1\nrunbook = \"x.md\"\n[[rule]]\nid = \"A-1\"\nstage = \"rehearsal\"\n{rule}");
        CriteriaFile::parse(&text, |_| Ok(RUNBOOK.to_owned()))
    }

    #[test]
    fn a_rule_that_quotes_what_is_not_there_or_observes_nothing_is_refused() {
        let observed = "observed = { what = \"exit run\", op = \"=\", value = \"0\" }";
        let rule = |quote: &str, more: &str| format!("severity = \"block\"\nquote = \"{quote}\"\n{more}\n");
        assert!(parsed(&rule("code 0, and the folder", observed)).is_ok(), "line breaks do not matter");
        let wrong = |text: &str| parsed(text).unwrap_err();
        assert_eq!(wrong(&rule("exit code 1", observed)), "rule A-1: the runbook does not say: exit code 1");
        assert!(wrong(&rule("exit code 0", "")).contains("what blocks must be observed"));
        assert!(wrong(&rule("exit code 0", &observed.replace("exit run", "mood"))).contains("under `mood`"));
        let twice = rule("exit code 0", observed) + "[[rule]]\nid = \"A-1\"\nstage = \"after\"\n";
        assert_eq!(wrong(&(twice + &rule("exit code 0", observed))), "rule A-1 is there twice");
    }
}
