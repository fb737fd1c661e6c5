//! What strikes, and the way out.

use super::Lowering;
use crate::model::problem::Problem;
use crate::model::scenario_file::{FaultFile, RecoveryFile};
use crate::model::{At, FaultSpec, Recovery, parse_kind};
use std::collections::BTreeMap;
use toml::Spanned;

impl Lowering<'_> {
    /// The faults; a kind that strikes during two steps is a problem, for the address of a case does not name the step.
    pub(super) fn faults(&mut self, files: &[FaultFile]) -> Vec<FaultSpec> {
        let mut struck: BTreeMap<&str, &str> = BTreeMap::new();
        for FaultFile { kind, during, .. } in files {
            let first = *struck.entry(kind.get_ref()).or_insert(during.get_ref());
            if first != during.get_ref() {
                let (kind, step) = (kind.get_ref(), during.get_ref());
                let message = format!("{kind} strikes during `{first}` already, and here during `{step}`");
                self.problems.push(Problem::new(during.span(), message).help("put it into a scenario of its own"));
            }
        }
        files.iter().filter_map(|file| self.fault(file)).collect()
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

    pub(super) fn recovery(&mut self, file: RecoveryFile) -> Recovery {
        if file.steps.get_ref().is_empty() {
            self.problem(&file.steps, "a way out has at least one step");
        }
        file.when.step.iter().chain(file.steps.get_ref()).for_each(|step| self.known_step(step));
        if let Some(kind) = &file.when.kind {
            self.known_kind(kind.get_ref(), kind);
        }
        Recovery {
            step: file.when.step.map(Spanned::into_inner),
            kind: file.when.kind.map(Spanned::into_inner),
            steps: file.steps.into_inner().into_iter().map(Spanned::into_inner).collect(),
        }
    }
}
