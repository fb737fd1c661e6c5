//! Who has to agree, as data: roles, persons, and what each may waive. The part `[signoffs]` of a policy.

use crate::gate::decide::SIGNOFFS;
use crate::gate::policy::seconds;
use crate::model::Stage;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Rules without which nothing that is signed means anything.
pub(in crate::gate) const NEVER_WAIVED: [&str; 9] =
    ["GEN-00", "GEN-01", "GEN-03", "GEN-05", "GEN-08", SIGNOFFS, "GEN-10", "GEN-13", "GEN-17"];

/// Who has to agree.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct People {
    /// Persons and their keys, in the format of `ssh-keygen`; a relative path starts where the policy is.
    allowed_signers: PathBuf,
    /// Whether nobody who started the run may sign.
    #[serde(default)]
    pub not_runner: bool,
    /// Whether nobody who wrote the commits may sign.
    #[serde(default)]
    pub not_author: bool,
    /// The commits are all since this git ref; otherwise the one that was rehearsed.
    #[serde(default)]
    pub changes_since: Option<String>,
    /// In the order in which they are asked.
    #[serde(default)]
    pub role: Vec<Role>,
    #[serde(default)]
    person: Vec<Person>,
}

/// A role in which somebody signs.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Role {
    /// Its name, such as `release-manager`.
    pub name: String,
    /// By when its signoff has to be there.
    #[serde(default)]
    pub stage: Stage,
    /// What signing in it means.
    pub meaning: String,
    /// The principals who may have it; empty: whoever is an allowed signer.
    #[serde(default)]
    persons: Vec<String>,
    /// The rules whose red answer it may accept.
    #[serde(default)]
    pub may_waive: Vec<String>,
    /// For how long its signoff holds, such as `7d`.
    #[serde(default)]
    valid: Option<String>,
}

/// The other names of a person.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Person {
    name: String,
    also: Vec<String>,
}

impl People {
    /// The role of that name.
    pub fn role(&self, name: &str) -> Option<&Role> {
        self.role.iter().find(|role| role.name == name)
    }

    /// The roles whose signoffs have to be there at a stage; of the record of a real migration those that come after it.
    pub fn asked_at(&self, stage: Stage, is_record: bool) -> impl Iterator<Item = &Role> {
        let first = if is_record { Stage::BeforeReopen } else { Stage::Rehearsal };
        self.role.iter().filter(move |role| first <= role.stage && role.stage <= stage)
    }

    /// Where the keys are.
    pub fn allowed_signers(&self) -> &Path {
        &self.allowed_signers
    }

    /// The names of the roles that may waive a rule, for people.
    pub(in crate::gate) fn may_waive(&self, rule: &str) -> String {
        let entitled = self.role.iter().filter(|role| role.may_waive.iter().any(|own| own == rule));
        let names: Vec<&str> = entitled.map(|role| role.name.as_str()).collect();
        if names.is_empty() { "nobody".to_owned() } else { names.join(", ") }
    }

    /// All names of the person with this one, in lower case.
    pub(in crate::gate) fn names(&self, name: &str) -> BTreeSet<String> {
        let is_them = |person: &&Person| same(&person.name, name) || person.also.iter().any(|also| same(also, name));
        let others =
            self.person.iter().filter(is_them).flat_map(|person| [&person.name].into_iter().chain(&person.also));
        others.map(|name| name.to_lowercase()).chain([name.to_lowercase()]).collect()
    }

    /// Paths start in `folder`; says what is wrong.
    pub(in crate::gate) fn settle(&mut self, folder: &Path) -> Result<(), String> {
        self.allowed_signers = folder.join(&self.allowed_signers);
        let mut names = BTreeSet::new();
        for role in &self.role {
            let never = role.may_waive.iter().find(|rule| NEVER_WAIVED.contains(&rule.as_str()));
            if let Some(rule) = never {
                return Err(format!("role {} may not waive {rule}: nobody may", role.name));
            }
            if !crate::model::is_name(&role.name) || !names.insert(&role.name) {
                return Err(format!("role `{}` is no name, or there twice", role.name));
            }
            role.valid_s()?;
        }
        match self.role.is_empty() {
            true => Err("[signoffs] names no [[signoffs.role]]".to_owned()),
            false => Ok(()),
        }
    }
}

impl Role {
    /// Whether a principal may have it.
    pub fn admits(&self, signer: &str) -> bool {
        self.persons.is_empty() || self.persons.iter().any(|person| same(person, signer))
    }

    /// For how many seconds a signoff holds.
    pub(in crate::gate) fn valid_s(&self) -> Result<Option<i64>, String> {
        self.valid.as_deref().map(|text| seconds("valid", text)).transpose()
    }
}

fn same(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
}
