//! The steps of a scenario's own.

use super::Lowering;
use crate::model::problem::Problem;
use crate::model::scenario_file::StepFile;
use crate::model::{Claims, Condition, Role, SPAN_FORMS, Step, is_name, parse_span};
use std::collections::BTreeSet;
use std::time::Duration;
use toml::Spanned;

impl Lowering<'_> {
    pub(super) fn own_steps(&mut self, files: Vec<StepFile>) -> Vec<Step> {
        let mut seen = BTreeSet::new();
        for file in &files {
            if !is_name(file.name.get_ref()) {
                self.problem(&file.name, "a step's name has letters, digits, `.`, `_` and `-` only");
            }
            if !seen.insert(file.name.get_ref().clone()) {
                self.problem(&file.name, "this name is taken by an earlier step");
            }
        }
        files.into_iter().map(|file| self.step(file)).collect()
    }

    fn step(&mut self, file: StepFile) -> Step {
        if file.argv.get_ref().is_empty() {
            self.problem(&file.argv, "a step needs a program: argv = [\"program\", \"argument\"]");
        }
        for path in file.files.keys().filter(|path| !stays_inside(path.get_ref())) {
            self.problem(path, "a file of a step lies inside its working directory: no leading `/`, no `..`");
        }
        Step {
            role: self.role(&file.role),
            timeout: file.timeout.as_ref().and_then(|timeout| self.duration(timeout)),
            claims: file.claims.as_ref().map_or(Claims::None, |claims| self.claims(claims)),
            name: file.name.into_inner(),
            argv: file.argv.into_inner(),
            env: file.env,
            env_from: file.env_from,
            files: file.files.into_iter().map(|(path, text)| (path.into_inner(), text)).collect(),
            traced: file.traced,
            exit: file.exit.unwrap_or_else(|| vec![0]),
        }
    }

    fn role(&mut self, name: &Spanned<String>) -> Role {
        Role::ALL.into_iter().find(|role| role.name() == name.get_ref()).unwrap_or_else(|| {
            self.problems.push(Problem::unknown(name.span(), "role", name.get_ref(), Role::ALL.map(Role::name)));
            Role::Apply
        })
    }

    pub(super) fn duration(&mut self, text: &Spanned<String>) -> Option<Duration> {
        let parsed = parse_span(text.get_ref()).filter(|span| !span.is_zero());
        if parsed.is_none() {
            self.problem(text, &format!("this is not a time; {SPAN_FORMS}"));
        }
        parsed
    }

    fn claims(&mut self, claims: &Spanned<toml::Value>) -> Claims {
        let part = |name: &str| claims.get_ref().get(name).and_then(toml::Value::as_str);
        let only_ours = claims.get_ref().as_table().is_none_or(|table| table.len() == 2);
        match (claims.get_ref(), part("report"), part("ok").and_then(Condition::parse)) {
            (toml::Value::String(word), _, _) if word == "none" => Claims::None,
            (toml::Value::Table(_), Some(report), Some(ok)) if only_ours && stays_inside(report) => {
                Claims::Report { report: report.to_owned(), ok }
            }
            _ => {
                let help = "write claims = { report = \"out/run.json\", ok = \"/status = ok\" }, the report inside the \
                            working directory, or claims = \"none\"";
                self.problems.push(Problem::new(claims.span(), "these are not claims").help(help));
                Claims::None
            }
        }
    }
}

/// True of a relative path without `..`.
fn stays_inside(path: &str) -> bool {
    use std::path::{Component, Path};
    let parts = || Path::new(path).components();
    parts().next().is_some() && parts().all(|part| matches!(part, Component::Normal(_) | Component::CurDir))
}
