//! What a scenario asks beyond the built-in checks: commands that must refuse, and checks of its own.

use crate::model::{Claims, Role, Step};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// A negative control: a command that must refuse, and change nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guard {
    /// The step before which it is tried, on what the databases hold then.
    pub before: String,
    /// The command; its exit codes are those of a refusal.
    pub command: Step,
    /// What its output must hold, so that it refuses for the right reason.
    pub says: Option<String>,
}

/// A check without Rust.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnCheck {
    /// What must be true, for people.
    pub name: String,
    /// How it is found out.
    pub ask: Ask,
}

/// How a check of a scenario's own is answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ask {
    /// By a query.
    Sql {
        /// The target that it reads, such as `target`.
        on: String,
        /// It runs in a transaction that cannot write.
        query: String,
        /// Its first row must be this, columns apart by tabs.
        equals: String,
    },
    /// By a command; its exit codes are those of a yes.
    Command(Step),
}

impl Step {
    /// A command that stands outside of the plan: no claims, no files.
    pub fn question(name: &str, argv: Vec<String>, env: BTreeMap<String, String>, exit: Vec<i32>) -> Step {
        Step {
            name: name.to_owned(),
            role: Role::Verify,
            argv,
            env,
            env_from: Vec::new(),
            files: BTreeMap::new(),
            traced: false,
            exit,
            timeout: Some(Duration::from_secs(60)),
            claims: Claims::None,
        }
    }
}

/// Whether `name` is what `pattern` says; `*` stands for anything.
pub fn matches(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((head, rest)) => name.strip_prefix(head).is_some_and(|tail| {
            tail.char_indices().map(|(at, _)| at).chain([tail.len()]).any(|at| matches(rest, &tail[at..]))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::matches;
    use rstest::rstest;

    #[rstest]
    #[case("index public.a.i", "index public.a.i", true)]
    #[case("index public.a.i", "index public.a.i2", false)]
    #[case("index *", "index public.a.i", true)]
    #[case("*.email", "column public.a.email", true)]
    #[case("*.email", "column public.a.emails", false)]
    #[case("column *.a.*", "column public.a.email", true)]
    #[case("column *.b.*", "column public.a.email", false)]
    #[case("*", "", true)]
    #[case("é*é", "éé", true)]
    #[case("é*é", "é", false)]
    fn a_star_stands_for_anything(#[case] pattern: &str, #[case] name: &str, #[case] does: bool) {
        assert_eq!(matches(pattern, name), does);
    }
}
