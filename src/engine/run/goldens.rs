//! Golden runs that scenarios of one run have in common.
//!
//! What nobody injures does not depend on the injury: scenarios that differ only in what strikes, in the way out and in
//! what they are called have the same golden runs, made once. Whoever comes first makes them; the record of each other
//! one says whose they are (`golden.shared`) and holds them, so that each stands on its own.

use crate::Result;
use crate::engine::run::golden::Golden;
use crate::model::{FaultSpec, Scenario};
use std::collections::BTreeSet;
use tokio::sync::OnceCell;

/// One per group of scenarios that are alike.
pub(in crate::engine) struct Goldens(Vec<Alike>);

struct Alike {
    /// What they have in common.
    scenario: Scenario,
    /// What strikes in any of them.
    faults: Vec<FaultSpec>,
    golden: OnceCell<Golden>,
}

impl Goldens {
    /// Nothing has run yet.
    pub(in crate::engine) fn of(scenarios: &[Scenario]) -> Goldens {
        let mut groups: Vec<Alike> = Vec::new();
        for scenario in scenarios {
            let faults = scenario.faults.iter().cloned();
            let common = uninjured(scenario);
            match groups.iter_mut().find(|group| group.scenario == common) {
                Some(group) => group.faults.extend(faults),
                None => {
                    groups.push(Alike { scenario: common, faults: faults.collect(), golden: OnceCell::new() });
                }
            }
        }
        Goldens(groups)
    }

    /// The steps that a scenario, or another one with the same golden runs, injures.
    pub(in crate::engine) fn injured(&self, scenario: &Scenario) -> BTreeSet<String> {
        self.faults(scenario).iter().map(|fault| fault.during.clone()).collect()
    }

    /// What strikes in a scenario, or in another one with the same golden runs.
    pub(in crate::engine) fn faults(&self, scenario: &Scenario) -> &[FaultSpec] {
        self.group(scenario).map_or(&[], |group| &group.faults)
    }

    /// The golden runs of a scenario; `run` makes them if nobody has. After trouble with them the next one tries again.
    pub(in crate::engine) async fn get(
        &self,
        scenario: &Scenario,
        run: impl Future<Output = Result<Golden>>,
    ) -> Result<Golden> {
        match self.group(scenario) {
            Some(group) => group.golden.get_or_try_init(|| run).await.cloned(),
            None => run.await,
        }
    }

    fn group(&self, scenario: &Scenario) -> Option<&Alike> {
        let common = uninjured(scenario);
        self.0.iter().find(|group| group.scenario == common)
    }
}

/// Whatever a golden run may depend on: all of a scenario but its name, what strikes, and what is to come of it. What a
/// machine needs for it is asked for before.
fn uninjured(scenario: &Scenario) -> Scenario {
    Scenario {
        name: String::new(),
        about: String::new(),
        needs: Vec::new(),
        faults: Vec::new(),
        recovery: Vec::new(),
        expect: None,
        ..scenario.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{At, Known};

    fn scenario(name: &str, during: &str, more: &str) -> Scenario {
        let text = format!(
            "format = 1\nabout = \"x\"\ndataset = \"d\"\n{more}\n[[step]]\nname = \"run\"\nrole = \"apply\"\nargv = [\"x\"]\n"
        );
        let fault = FaultSpec { kind: "proc.kill".into(), arg: None, during: during.into(), at: At::Sweep, then: None };
        Scenario { faults: vec![fault], ..Scenario::parse(name, &text, &Known::default()).unwrap() }
    }

    #[test]
    fn what_strikes_makes_no_other_golden_run() {
        let scenarios = [scenario("a", "run", ""), scenario("b", "undo", "")];
        let goldens = Goldens::of(&scenarios);
        assert_eq!(goldens.0.len(), 1);
        assert_eq!(goldens.injured(&scenarios[0]), ["run", "undo"].map(str::to_owned).into());
    }

    #[test]
    fn another_seed_or_another_rule_makes_another_one() {
        let more = ["", "seed = 2", "rerun = { expect = \"refuses\" }"];
        let scenarios = more.map(|more| scenario("a", "run", more));
        assert_eq!(Goldens::of(&scenarios).0.len(), 3);
    }
}
