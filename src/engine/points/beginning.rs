//! The points of kinds that strike when a step begins: one for each endpoint that the kind is about. Pure.

use crate::engine::points::{Points, Tier, spread};
use crate::fault::Concern;
use crate::model::{Axis, Coverage, Engine, FaultPoint, FaultSpec, Place, Plan, TargetSpec};

/// The points of a sweep of `fault`; what it is about, and where a proxy stands before it.
pub(in crate::engine) fn points(
    fault: &FaultSpec,
    concern: Concern,
    plan: &Plan,
    (tier, seed, number): (Tier, u64, usize),
) -> Points {
    let is_meant = |target: &&TargetSpec| match concern {
        Concern::All => true,
        Concern::Sources => target.is_source(),
        Concern::Targets => !target.is_source(),
    };
    let is_postgres = |target: &&TargetSpec| target.engine == Engine::Postgres;
    let targets = plan.targets.iter().filter(is_postgres).filter(is_meant);
    let all: Vec<_> = targets.map(|target| point(fault, target.endpoint())).collect();
    let points = all.len() as u64;
    let visited = if tier == Tier::Quick { spread(all, number, seed) } else { all };
    Points { coverage: Coverage { points, classes: points, visited: visited.len() as u64, lost: 0 }, visited }
}

fn point(fault: &FaultSpec, endpoint: String) -> (FaultPoint, String) {
    let place = Place { endpoint, axis: Axis::Step, fingerprint: None, nth: 1, forever: false };
    (FaultPoint { kind: fault.kind.clone(), arg: fault.arg.clone(), place }, format!("`{}` begins", fault.during))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::At;
    use rstest::rstest;

    #[rstest]
    #[case(Concern::All, Tier::Full, &["pg.source.a", "pg.source.b", "pg.target"])]
    #[case(Concern::All, Tier::Quick, &["pg.source.a", "pg.source.b"])]
    #[case(Concern::Sources, Tier::Full, &["pg.source.a", "pg.source.b"])]
    #[case(Concern::Targets, Tier::Full, &["pg.target"])]
    fn a_sweep_has_a_point_for_each_endpoint(#[case] concern: Concern, #[case] tier: Tier, #[case] expected: &[&str]) {
        let target = |name: &str, engine| TargetSpec::new(name, engine, "d");
        let names = ["source.a", "source.b", "target"].map(|name| target(name, Engine::Postgres));
        let targets = names.into_iter().chain([target("source.file", Engine::Sqlite)]).collect();
        let plan = Plan { targets, steps: Vec::new(), parity: Default::default(), guards: Vec::new() };
        let fault = FaultSpec { kind: "cfg.x".into(), arg: None, during: "run".into(), at: At::Sweep, then: None };
        let found = points(&fault, concern, &plan, (tier, 1, 2));
        let expected: Vec<String> = expected.iter().map(|endpoint| format!("cfg.x@{endpoint}:step.1")).collect();
        let visited: Vec<String> = found.visited.iter().map(|(point, _)| point.to_string()).collect();
        assert_eq!(visited.len(), expected.len());
        assert!(tier == Tier::Quick || visited == expected, "{visited:?}");
    }
}
