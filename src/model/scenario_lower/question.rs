//! Guards and checks of a scenario's own.

use super::Lowering;
use crate::model::problem::Problem;
use crate::model::scenario_file::{CheckFile, CommandFile, GuardFile, SqlFile};
use crate::model::{Ask, Guard, OwnCheck, Step, TargetSpec, is_name};
use std::collections::{BTreeMap, BTreeSet};
use toml::Spanned;

impl Lowering<'_> {
    pub(super) fn guards(&mut self, files: Vec<GuardFile>) -> Vec<Guard> {
        let mut seen = BTreeSet::new();
        files.into_iter().map(|file| self.guard(file, &mut seen)).collect()
    }

    fn guard(&mut self, file: GuardFile, seen: &mut BTreeSet<String>) -> Guard {
        if !is_name(file.name.get_ref()) {
            self.problem(&file.name, "a guard's name has letters, digits, `.`, `_` and `-` only");
        }
        if !seen.insert(file.name.get_ref().clone()) {
            self.problem(&file.name, "this name is taken by an earlier guard");
        }
        self.known_step(&file.before);
        self.has_program(&file.argv);
        let exit = file.exit.map_or_else(|| vec![1], |exit| self.refusals(&exit));
        let command = Step::question(file.name.get_ref(), file.argv.into_inner(), file.env, exit);
        Guard { before: file.before.into_inner(), command, says: file.says }
    }

    /// A tool that refuses says so by its exit code.
    fn refusals(&mut self, exit: &Spanned<Vec<i32>>) -> Vec<i32> {
        if exit.get_ref().is_empty() || exit.get_ref().contains(&0) {
            self.problem(exit, "a refusal has an exit code, and it is not 0");
        }
        exit.get_ref().clone()
    }

    pub(super) fn has_program(&mut self, argv: &Spanned<Vec<String>>) {
        if argv.get_ref().is_empty() {
            self.problem(argv, "a command needs a program: argv = [\"program\", \"argument\"]");
        }
    }

    pub(super) fn own_checks(&mut self, files: Vec<CheckFile>, targets: &[TargetSpec]) -> Vec<OwnCheck> {
        files.into_iter().enumerate().filter_map(|(index, file)| self.own_check(index, file, targets)).collect()
    }

    fn own_check(&mut self, index: usize, file: CheckFile, targets: &[TargetSpec]) -> Option<OwnCheck> {
        let ask = match (file.sql, file.command) {
            (Some(SqlFile { on, query, equals }), None) => {
                self.known_target(&on, targets);
                Ask::Sql { on: on.into_inner(), query, equals }
            }
            (None, Some(CommandFile { argv, exit })) => {
                self.has_program(&argv);
                let name = format!("check-{}", index + 1);
                let exit = exit.unwrap_or_else(|| vec![0]);
                Ask::Command(Step::question(&name, argv.into_inner(), BTreeMap::new(), exit))
            }
            _ => {
                let help =
                    "write sql = { on = \"target\", query = \"...\", equals = \"0\" } or command = { argv = [...] }";
                self.problems.push(Problem::new(file.name.span(), "a check asks by `sql` or by `command`").help(help));
                return None;
            }
        };
        Some(OwnCheck { name: file.name.into_inner(), ask })
    }

    /// The targets of a flow are known later only.
    pub(super) fn known_target(&mut self, on: &Spanned<String>, targets: &[TargetSpec]) {
        let names = || targets.iter().map(|target| target.name.as_str());
        if !targets.is_empty() && !names().any(|name| name == on.get_ref()) {
            self.problems.push(Problem::unknown(on.span(), "target", on.get_ref(), names()));
        }
    }
}
