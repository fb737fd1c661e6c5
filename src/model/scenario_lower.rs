//! From the text of a scenario to its meaning; every problem of meaning is found in one pass.

use crate::model::problem::Problem;
use crate::model::scenario_file::{ExpectFile, FaultFile, File, Known, MapFile, RecoveryFile, StepFile, VolatileFile};
use crate::model::{
    At, Claims, Condition, Engine, Expect, FaultSpec, Map, Outcome, Recovery, Rerun, Role, Scenario, Step, TargetSpec,
    Tool, Volatile, is_name, parse_kind,
};
use std::collections::BTreeSet;
use std::ops::Range;
use std::time::Duration;
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
        let targets = file.targets.iter().flat_map(|(name, value)| self.target(name.get_ref(), value)).collect();
        let targets = sources_first(targets);
        Scenario {
            name: name.to_owned(),
            about: file.about,
            flow: file.flow.map(Spanned::into_inner),
            dataset: file.dataset.into_inner(),
            tool: file.tool.map_or(Tool { prefix: None, inputs: Vec::new() }, |tool| self.tool(&tool)),
            seed: file.seed.map_or(1, |seed| self.seed(&seed)),
            needs: file.needs,
            maps: file.map.into_iter().map(|map| self.map(map, &targets)).collect(),
            targets,
            steps: self.own_steps(file.step),
            faults: file.fault.into_iter().filter_map(|fault| self.fault(&fault)).collect(),
            recovery: file.recovery.into_iter().map(|recovery| self.recovery(recovery)).collect(),
            rerun: file.rerun.map_or(Rerun::default(), |rerun| self.rerun(&rerun.expect)),
            volatile: file.volatile.into_iter().map(|volatile| self.volatile(volatile)).collect(),
            expect: file.expect.map(|expect| self.expect(expect)),
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

    fn tool(&mut self, tool: &Spanned<toml::Value>) -> Tool {
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

    fn own_steps(&mut self, files: Vec<StepFile>) -> Vec<Step> {
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
            exit: file.exit.unwrap_or_else(|| vec![0]),
        }
    }

    fn role(&mut self, name: &Spanned<String>) -> Role {
        Role::ALL.into_iter().find(|role| role.name() == name.get_ref()).unwrap_or_else(|| {
            self.problems.push(Problem::unknown(name.span(), "role", name.get_ref(), Role::ALL.map(Role::name)));
            Role::Apply
        })
    }

    fn duration(&mut self, text: &Spanned<String>) -> Option<Duration> {
        let units = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000)];
        let parsed = units.iter().find_map(|(unit, ms)| {
            let number: u64 = text.get_ref().strip_suffix(unit)?.parse().ok()?;
            number.checked_mul(*ms).filter(|ms| *ms > 0).map(Duration::from_millis)
        });
        if parsed.is_none() {
            self.problem(text, "this is not a time; write it as in 500ms, 30s, 2m or 1h");
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
                let help = "write claims = { report = \"out/run.json\", ok = \"/status = ok\" } or claims = \"none\"";
                self.problems.push(Problem::new(claims.span(), "these are not claims").help(help));
                Claims::None
            }
        }
    }

    fn fault(&mut self, file: &FaultFile) -> Option<FaultSpec> {
        self.known_step(&file.during);
        let (kind, arg) = match parse_kind(file.kind.get_ref()) {
            Ok(parts) => parts,
            Err(error) => {
                self.problem(&file.kind, &error.0);
                return None;
            }
        };
        let axes = self.known_kind(&kind, &file.kind)?;
        let at = match file.at.get_ref().as_str() {
            "sweep" => At::Sweep,
            place => match place.parse::<crate::model::Place>() {
                Ok(place) if axes.contains(&place.axis) => At::Place(place),
                Ok(place) => {
                    let allowed = axes.iter().map(|axis| axis.name());
                    let problem = Problem::unknown(file.at.span(), "axis for this kind", place.axis.name(), allowed);
                    self.problems.push(problem);
                    return None;
                }
                Err(error) => {
                    self.problem(&file.at, &format!("{error}; or \"sweep\""));
                    return None;
                }
            },
        };
        Some(FaultSpec { kind, arg, during: file.during.get_ref().clone(), at })
    }

    fn recovery(&mut self, file: RecoveryFile) -> Recovery {
        file.when.step.iter().chain(&file.steps).for_each(|step| self.known_step(step));
        if let Some(kind) = &file.when.kind {
            self.known_kind(kind.get_ref(), kind);
        }
        Recovery {
            step: file.when.step.map(Spanned::into_inner),
            kind: file.when.kind.map(Spanned::into_inner),
            steps: file.steps.into_iter().map(Spanned::into_inner).collect(),
        }
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
        Map { on, source: file.source.into_inner(), target: file.target, key: file.key }
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

fn sources_first(mut targets: Vec<TargetSpec>) -> Vec<TargetSpec> {
    targets.sort_by_key(|target| (!target.is_source(), target.name.clone()));
    targets
}

/// True of a relative path without `..`.
fn stays_inside(path: &str) -> bool {
    use std::path::{Component, Path};
    let parts = || Path::new(path).components();
    parts().next().is_some() && parts().all(|part| matches!(part, Component::Normal(_) | Component::CurDir))
}
