//! One smaller form of a failure: how much data, which faults, how many connections. Pure.

use crate::dataset::{Cut, Dataset};
use crate::model::{Address, At, FaultSpec, Scenario, Token};

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Candidate {
    /// Where it strikes.
    pub(super) address: Address,
    /// Generated rows, over all tables.
    pub(super) rows: u64,
    /// Tables and columns that are left out.
    pub(super) cut: Cut,
    /// The command lines of the scenario's own steps, by step.
    pub(super) argv: Vec<Vec<String>>,
}

/// Flags of tools that say how many of them work side by side.
const FLAGS: [&str; 7] = ["--jobs", "--connections", "--workers", "--parallel", "--threads", "--concurrency", "-j"];

impl Candidate {
    pub(super) fn of(scenario: &Scenario, token: &Token, data: &Dataset) -> Candidate {
        let argv = scenario.steps.iter().map(|step| step.argv.clone()).collect();
        Candidate { address: token.address.clone(), rows: data.rows(), cut: Cut::default(), argv }
    }

    /// The scenario that rehearses it, on `dataset`: a folder of fixtures.
    pub(super) fn scenario(&self, of: &Scenario, dataset: &str) -> Scenario {
        let mut scenario = of.clone();
        scenario.dataset = format!("{dataset}-{}", self.rows);
        scenario.expect = None;
        scenario.faults = of.faults.first().map(|fault| self.fault(fault)).into_iter().collect();
        scenario.steps.iter_mut().zip(&self.argv).for_each(|(step, argv)| step.argv.clone_from(argv));
        scenario
    }

    fn fault(&self, of: &FaultSpec) -> FaultSpec {
        let first = self.address.first();
        let then = of.then.clone().filter(|_| self.address.points().len() > 1);
        FaultSpec { kind: first.kind.clone(), arg: first.arg.clone(), at: At::Sweep, then, ..of.clone() }
    }

    /// The same with one worker; `None` where no step has a flag for it.
    pub(super) fn with_one_connection(&self) -> Option<Candidate> {
        let argv: Vec<Vec<String>> = self.argv.iter().map(|argv| one_worker(argv)).collect();
        (argv != self.argv).then(|| Candidate { argv, ..self.clone() })
    }
}

fn one_worker(argv: &[String]) -> Vec<String> {
    let is_number = |text: &str| text.parse::<u32>().is_ok_and(|number| number > 1);
    let mut before = "";
    let mut fewer = Vec::new();
    for word in argv {
        let flag = FLAGS
            .iter()
            .find(|flag| word.strip_prefix(**flag).and_then(|rest| rest.strip_prefix('=')).is_some_and(is_number));
        fewer.push(match flag {
            Some(flag) => format!("{flag}=1"),
            None if FLAGS.contains(&before) && is_number(word) => "1".to_owned(),
            None => word.clone(),
        });
        before = word;
    }
    fewer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_worker_takes_the_place_of_several_where_a_flag_says_so() {
        let one = |argv: &[&str]| one_worker(&argv.iter().map(|&word| word.to_owned()).collect::<Vec<_>>());
        assert_eq!(one(&["x", "--jobs", "8", "--size", "9"]), ["x", "--jobs", "1", "--size", "9"]);
        assert_eq!(one(&["x", "--workers=4", "--workers=one"]), ["x", "--workers=1", "--workers=one"]);
        assert_eq!(one(&["x", "8", "-j", "1"]), ["x", "8", "-j", "1"]);
    }
}
