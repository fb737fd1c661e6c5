//! What strikes, and the way out.

use super::Lowering;
use crate::model::problem::Problem;
use crate::model::scenario_file::{FaultFile, RecoveryFile, ThenFile};
use crate::model::{At, FaultSpec, Landmark, Place, Recovery, Then, parse_kind};
use std::collections::BTreeMap;
use toml::Spanned;

impl Lowering<'_> {
    /// The faults; a kind that strikes during two steps is a problem, for the address of a case does not name the step.
    pub(super) fn faults(&mut self, files: &[FaultFile]) -> Vec<FaultSpec> {
        let mut struck: BTreeMap<String, &str> = BTreeMap::new();
        for FaultFile { kind, during, then, .. } in files {
            self.one_step_each(&mut struck, kind.get_ref().clone(), during);
            if let Some(ThenFile { kind: second, during: Some(during), .. }) = then {
                self.one_step_each(&mut struck, format!("{},{}", kind.get_ref(), second.get_ref()), during);
            }
        }
        files.iter().filter_map(|file| self.fault(file)).collect()
    }

    fn one_step_each<'a>(&mut self, struck: &mut BTreeMap<String, &'a str>, kind: String, during: &'a Spanned<String>) {
        let step = during.get_ref();
        let first = *struck.entry(kind.clone()).or_insert(step);
        if first != step {
            let message = format!("{kind} strikes during `{first}` already, and here during `{step}`");
            self.problems.push(Problem::new(during.span(), message).help("put it into a scenario of its own"));
        }
    }

    fn fault(&mut self, file: &FaultFile) -> Option<FaultSpec> {
        self.known_step(&file.during);
        let first = self.strike(&file.kind, &file.at);
        let then = file.then.as_ref().map(|then| self.then(then));
        let (kind, arg, at) = first?;
        let then = match then {
            Some(then) => Some(then?),
            None => None,
        };
        Some(FaultSpec { kind, arg, during: file.during.get_ref().clone(), at, then })
    }

    fn then(&mut self, file: &ThenFile) -> Option<Then> {
        file.during.iter().for_each(|step| self.known_step(step));
        let (kind, arg, at) = self.strike(&file.kind, &file.at)?;
        Some(Then { kind, arg, during: file.during.as_ref().map(|step| step.get_ref().clone()), at })
    }

    /// A kind, its argument, and where it strikes.
    fn strike(&mut self, kind: &Spanned<String>, at: &Spanned<String>) -> Option<(String, Option<String>, At)> {
        let (name, arg) = match parse_kind(kind.get_ref()) {
            Ok(parts) => parts,
            Err(error) => {
                self.problem(kind, &error.0);
                return None;
            }
        };
        let axes = self.known_kind(&name, kind)?;
        let at = match at.get_ref().as_str() {
            "sweep" => At::Sweep,
            "sweep+" => At::SweepOn,
            place => match place.parse::<Place>() {
                Ok(place) if axes.contains(&place.axis) => At::Place(place),
                Ok(place) => {
                    let allowed = axes.iter().map(|axis| axis.name());
                    let problem = Problem::unknown(at.span(), "axis for this kind", place.axis.name(), allowed);
                    self.problems.push(problem);
                    return None;
                }
                Err(error) => {
                    self.problem(at, &format!("{error}; or \"sweep\""));
                    return None;
                }
            },
        };
        Some((name, arg, at))
    }

    pub(super) fn recovery(&mut self, file: RecoveryFile) -> Recovery {
        if file.steps.get_ref().is_empty() {
            self.problem(&file.steps, "a way out has at least one step");
        }
        file.when.step.iter().chain(file.steps.get_ref()).for_each(|step| self.known_step(step));
        if let Some(kind) = &file.when.kind {
            match parse_kind(kind.get_ref()) {
                Ok((base, _)) => drop(self.known_kind(&base, kind)),
                Err(error) => self.problem(kind, &error.0),
            }
        }
        Recovery {
            before: file.when.before.as_ref().and_then(|before| self.landmark(before)),
            after: file.when.after.as_ref().and_then(|after| self.landmark(after)),
            step: file.when.step.map(Spanned::into_inner),
            kind: file.when.kind.map(Spanned::into_inner),
            steps: file.steps.into_inner().into_iter().map(Spanned::into_inner).collect(),
        }
    }

    /// A step by its name, or a place: names have no colon, places have one.
    fn landmark(&mut self, text: &Spanned<String>) -> Option<Landmark> {
        if !text.get_ref().contains(':') {
            self.known_step(text);
            return Some(Landmark::Step(text.get_ref().clone()));
        }
        match text.get_ref().parse::<Place>() {
            Ok(place) if place.forever => {
                self.problem(text, "a place is reached once or not at all; leave out the `+`")
            }
            Ok(place) => match self.known.kinds.values().any(|axes| axes.contains(&place.axis)) {
                true => return Some(Landmark::Place(place)),
                false => {
                    let counted: std::collections::BTreeSet<&str> =
                        self.known.kinds.values().flatten().map(|axis| axis.name()).collect();
                    let problem = Problem::unknown(text.span(), "axis that is counted", place.axis.name(), counted);
                    self.problems.push(problem);
                }
            },
            Err(error) => self.problem(text, &format!("{error}; or the name of a step")),
        }
        None
    }
}
