//! From the text of a scenario to its meaning; every problem of meaning is found in one pass.

mod fault;
mod question;
mod service;
mod step;
mod target;

use crate::model::problem::Problem;
use crate::model::scenario_file::{ExpectFile, File, Known, MapFile, VolatileFile};
use crate::model::{Expect, Map, Outcome, Rerun, Scenario, TargetSpec, Tool, Volatile};
use toml::Spanned;

/// The scenario that `file` means.
///
/// # Errors
/// All problems at once.
pub(super) fn lower(name: &str, file: File, known: &Known) -> Result<Scenario, Vec<Problem>> {
    let mut lowering = Lowering { known, problems: Vec::new(), steps: step_names(&file, known) };
    let scenario = lowering.scenario(name, file);
    match lowering.problems.is_empty() {
        true => Ok(scenario),
        false => Err(lowering.problems),
    }
}

/// The steps that faults and recoveries may name: the scenario's own, else those of its flow.
fn step_names(file: &File, known: &Known) -> Vec<String> {
    let flow = file.flow.as_ref().and_then(|flow| known.flows.get(flow.get_ref()));
    match (file.step.is_empty(), flow) {
        (true, Some(flow)) => flow.steps.clone(),
        _ => file.step.iter().map(|step| step.name.get_ref().clone()).collect(),
    }
}

struct Lowering<'a> {
    known: &'a Known,
    problems: Vec<Problem>,
    steps: Vec<String>,
}

impl Lowering<'_> {
    fn scenario(&mut self, name: &str, file: File) -> Scenario {
        self.check_head(&file);
        let targets = self.targets(&file.targets);
        Scenario {
            name: name.to_owned(),
            about: file.about,
            flow: file.flow.map(Spanned::into_inner),
            dataset: file.dataset.into_inner(),
            tool: file.tool.map_or(Tool { prefix: None, inputs: Vec::new() }, |tool| self.tool(&tool)),
            seed: file.seed.map_or(1, |seed| self.seed(&seed)),
            needs: file.needs,
            own_server: file.own_server,
            maps: file.map.into_iter().map(|map| self.map(map, &targets)).collect(),
            steps: self.own_steps(file.step),
            faults: self.faults(&file.fault),
            recovery: file.recovery.into_iter().map(|recovery| self.recovery(recovery)).collect(),
            rerun: file.rerun.map_or(Rerun::default(), |rerun| self.rerun(&rerun.expect)),
            volatile: file.volatile.into_iter().map(|volatile| self.volatile(volatile)).collect(),
            services: self.services(file.service),
            guards: self.guards(file.guard),
            checks: self.own_checks(file.check, &targets),
            may_change: file.catalog.may_change,
            criteria: file.criteria,
            expect: file.expect.map(|expect| self.expect(expect)),
            targets,
        }
    }

    fn check_head(&mut self, file: &File) {
        if *file.format.get_ref() != 1 {
            self.problem(&file.format, "this version reads `format = 1` only");
        }
        match &file.flow {
            Some(flow) if !self.known.flows.contains_key(flow.get_ref()) => {
                let allowed: Vec<&str> = self.known.flows.keys().map(String::as_str).collect();
                self.problems.push(Problem::unknown(flow.span(), "flow", flow.get_ref(), allowed));
            }
            None if file.step.is_empty() => {
                self.problem(&file.dataset, "nothing to rehearse: write `flow = \"...\"` or at least one `[[step]]`");
            }
            _ => {}
        }
    }

    fn seed(&mut self, seed: &Spanned<i64>) -> u64 {
        u64::try_from(*seed.get_ref()).unwrap_or_else(|_| {
            self.problem(seed, "a seed is a whole number from 0");
            0
        })
    }

    fn rerun(&mut self, text: &Spanned<String>) -> Rerun {
        Rerun::ALL.into_iter().find(|(_, name)| name == text.get_ref()).map_or_else(
            || {
                let allowed = Rerun::ALL.map(|(_, name)| name);
                self.problems.push(Problem::unknown(text.span(), "expectation", text.get_ref(), allowed));
                Rerun::default()
            },
            |(rerun, _)| rerun,
        )
    }

    /// A map may leave out its source where there is one only.
    fn map(&mut self, file: MapFile, targets: &[TargetSpec]) -> Map {
        let sources: Vec<&str> = targets.iter().filter(|t| t.is_source()).map(|t| t.name.as_str()).collect();
        let on = match (&file.on, &sources[..]) {
            (Some(on), _) if targets.is_empty() || sources.contains(&on.get_ref().as_str()) => on.get_ref().clone(),
            (Some(on), _) => {
                self.problems.push(Problem::unknown(on.span(), "source", on.get_ref(), sources));
                String::new()
            }
            (None, [only]) => (*only).to_owned(),
            (None, _) => {
                let help = "add on = \"source.<name>\"";
                self.problems.push(Problem::new(file.source.span(), "which source does this read?").help(help));
                String::new()
            }
        };
        if let Some(into) = &file.into {
            self.known_target(into, targets);
        }
        let into = file.into.map(Spanned::into_inner);
        Map { on, source: file.source.into_inner(), target: file.target, into, key: file.key }
    }

    fn volatile(&mut self, file: VolatileFile) -> Volatile {
        if file.columns.is_empty() {
            self.problem(&file.table, "name the columns that may differ: columns = [\"...\"]");
        }
        if file.reason.get_ref().trim().is_empty() {
            self.problem(&file.reason, "say why these columns may differ");
        }
        Volatile {
            table: file.table.into_inner(),
            columns: file.columns.into_iter().collect(),
            reason: file.reason.into_inner(),
        }
    }

    fn expect(&mut self, file: ExpectFile) -> Expect {
        for check in file.red.iter().filter(|check| !self.known.checks.contains(check.get_ref())) {
            let allowed = self.known.checks.iter().map(String::as_str);
            self.problems.push(Problem::unknown(check.span(), "check", check.get_ref(), allowed));
        }
        let outcome = file.outcome.as_ref().and_then(|word| {
            let outcome = Outcome::parse(word.get_ref());
            if outcome.is_none() {
                let allowed = Outcome::ALL.map(Outcome::word);
                self.problems.push(Problem::unknown(word.span(), "outcome", word.get_ref(), allowed));
            }
            outcome
        });
        Expect { red: file.red.into_iter().map(Spanned::into_inner).collect(), outcome }
    }

    fn known_step(&mut self, step: &Spanned<String>) {
        if !self.steps.contains(step.get_ref()) {
            let allowed = self.steps.iter().map(String::as_str);
            self.problems.push(Problem::unknown(step.span(), "step", step.get_ref(), allowed));
        }
    }

    fn known_kind(&mut self, kind: &str, at: &Spanned<String>) -> Option<Vec<crate::model::Axis>> {
        let axes = self.known.kinds.get(kind).cloned();
        if axes.is_none() {
            let allowed = self.known.kinds.keys().map(String::as_str);
            self.problems.push(Problem::unknown(at.span(), "kind of fault", kind, allowed));
        }
        axes
    }

    fn problem<T>(&mut self, at: &Spanned<T>, message: &str) {
        self.problems.push(Problem::new(at.span(), message));
    }
}
