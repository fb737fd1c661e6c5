//! Runs made by hand: a green one, a red one, a canary, one that broke off.

use rehearsal::model::{
    Body, CheckResult, Classification, Coverage, DatabaseState, Difference, Event, ExpectRecord, Finding, Moment,
    Outcome, Phase, Role, RunRecord, ScenarioStart, States, TableDigest, Verdict,
};
use std::sync::Arc;

pub(super) const KILL: &str = "one-db/kill-anywhere";
pub(super) const BUNDLE: &str = "target/rehearsal/run-20261120T073839-123456";

/// The events of a run, each 250 ms after the one before.
#[derive(Default)]
pub(super) struct Script(pub(super) Vec<Event>);

impl Script {
    pub(super) fn run() -> Script {
        let mut script = Script::default();
        script.add(Body::RunStarted {
            run: "20261120T073839-123456".to_owned(),
            format: 1,
            version: "0.1.0".to_owned(),
            tier: "quick".to_owned(),
        });
        script
    }

    pub(super) fn add(&mut self, body: Body) -> &mut Script {
        let seq = self.0.len() as u64 + 1;
        let (prev, t) = (String::new(), "2026-11-20T07:38:39.123456Z".to_owned());
        self.0.push(Event { seq, prev, t, mono_us: seq * 250_000, body });
        self
    }

    pub(super) fn scenario(&mut self, name: &str, red: Option<&[&str]>) -> &mut Script {
        self.add(Body::ScenarioStarted(ScenarioStart {
            scenario: name.to_owned(),
            about: "a kill at any statement is survived by a rerun".to_owned(),
            flow: Some("one-db".to_owned()),
            dataset: "butlers-small".to_owned(),
            classification: Some(Classification::Synthetic),
            seed: 7,
            dataset_sha256: "d".repeat(64),
            tool_sha256: "e".repeat(64),
            sources: vec!["pg.source.general".to_owned(), "pg.source.health".to_owned()],
            expect: red.map(|red| ExpectRecord {
                red: red.iter().map(|check| (*check).to_owned()).collect(),
                outcome: Some(Outcome::Lied),
            }),
        }))
    }

    pub(super) fn planned(&mut self, scenario: &str, kind: &str, classes: u64, visited: u64) -> &mut Script {
        let coverage = Coverage { points: classes * 3, classes, visited, lost: 0 };
        let (scenario, kind) = (scenario.to_owned(), kind.to_owned());
        self.add(Body::ScenarioPlanned { scenario, kind, during: "run".to_owned(), coverage })
    }

    pub(super) fn case(&mut self, case: &Case<'_>) -> &mut Script {
        let name = format!("{}/{}", case.scenario, case.name);
        let address = (!case.address.is_empty()).then(|| case.address.parse().unwrap());
        let token = |scenario: &str| format!("r1:{scenario}:7:{}:dddddddd-eeeeeeee-0a1b2c3d", case.address);
        self.add(Body::CaseStarted {
            case: name.clone(),
            scenario: case.scenario.to_owned(),
            address: address.clone(),
            label: (!case.label.is_empty()).then(|| case.label.to_owned()),
            token: address.as_ref().map(|_| token(&case.scenario.replace('/', "."))),
        });
        if let Some(address) = &address {
            self.add(Body::FaultArmed { case: name.clone(), address: address.clone() });
            if case.outcome != Outcome::NotFired {
                let what = "COMMIT".to_owned();
                self.add(Body::FaultFired { case: name.clone(), address: address.clone(), what });
            }
        }
        for (phase, exit) in case.steps {
            self.step(&name, *phase, *exit);
        }
        for (moment, state) in [(Moment::after(Phase::Plan, "run"), "full"), (Moment::End, "empty")] {
            let (endpoint, state) = ("pg.target".to_owned(), state.to_owned());
            self.add(Body::Probe { case: name.clone(), moment, endpoint, state });
        }
        let (checks, error) = (case.checks.to_vec(), None);
        self.add(Body::CaseFinished { case: name, outcome: case.outcome, checks, error })
    }

    pub(super) fn step(&mut self, case: &str, phase: Phase, exit: i32) -> &mut Script {
        let (case, step) = (case.to_owned(), "run".to_owned());
        let argv = vec!["rehearse".to_owned(), "tool".to_owned(), "one-db".to_owned(), "run".to_owned()];
        self.add(Body::StepStarted { case: case.clone(), step: step.clone(), role: Role::Apply, phase, argv });
        self.add(Body::StepFinished {
            case,
            step,
            phase,
            exit: (exit < 128).then_some(exit),
            signal: (exit > 128).then_some(exit - 128),
            success: exit == 0,
            timed_out: false,
            duration_us: 1_234_567,
        })
    }

    pub(super) fn end(&mut self, scenario: &str, verdict: Verdict, why: &str) -> &mut Script {
        self.add(Body::ScenarioFinished { scenario: scenario.to_owned(), verdict, why: why.to_owned() })
    }

    pub(super) fn finish(&mut self, verdict: Verdict) -> RunRecord {
        self.add(Body::RunFinished { verdict, outcome_sha256: "0123456789abcdef".repeat(4) });
        self.record()
    }

    pub(super) fn record(&self) -> RunRecord {
        RunRecord::from_events(&self.0)
    }
}

#[derive(Clone, Copy)]
pub(super) struct Case<'a> {
    pub(super) scenario: &'a str,
    pub(super) name: &'a str,
    pub(super) address: &'a str,
    pub(super) label: &'a str,
    pub(super) steps: &'a [(Phase, i32)],
    pub(super) outcome: Outcome,
    pub(super) checks: &'a [CheckResult],
}

pub(super) const KILLED_AND_RECOVERED: &[(Phase, i32)] = &[(Phase::Injured, 137), (Phase::Recovery, 0)];

pub(super) fn golden(scenario: &str) -> Case<'_> {
    let steps = &[(Phase::Plan, 0)];
    Case { scenario, name: "golden-1", address: "", label: "", steps, outcome: Outcome::Pass, checks: &[] }
}

pub(super) fn killed<'a>(scenario: &'a str, name: &'a str, address: &'a str) -> Case<'a> {
    let label = "insert into general.state (key, value) values ($1, $2)";
    Case { scenario, name, address, label, steps: KILLED_AND_RECOVERED, outcome: Outcome::Pass, checks: &[] }
}

pub(super) fn green(check: &str) -> CheckResult {
    CheckResult { check: check.to_owned(), verdict: Verdict::Pass, findings: Vec::new(), findings_total: 0 }
}

pub(super) fn red(check: &str, total: u64) -> CheckResult {
    let finding = |n: u64| Finding {
        place: Moment::after(Phase::Recovery, "run").to_string(),
        difference: Difference {
            object: format!("table general.state_{n}"),
            expected: "1020 rows, digest 0f3c99aa".to_owned(),
            found: "1019 rows, digest 77e01b42".to_owned(),
        },
    };
    let findings = (1..=total.min(20)).map(finding).collect();
    CheckResult { check: check.to_owned(), verdict: Verdict::Fail, findings, findings_total: total }
}

/// 21 tables, 10,050 rows after the run; nothing at the end.
pub(super) fn states() -> States {
    let mut full = DatabaseState::default();
    for n in 1..=21 {
        let rows = if n == 1 { 50 } else { 500 };
        full.tables.insert(format!("one.t{n:02}"), TableDigest { rows, ..TableDigest::default() });
    }
    States::from([("full".to_owned(), Arc::new(full)), ("empty".to_owned(), Arc::default())])
}

pub(super) fn address(nth: usize) -> String {
    format!("proc.kill@pg.target:stmt-9c1e03.{nth}")
}

pub(super) fn green_run() -> RunRecord {
    let mut script = Script::run();
    let checks = [green("parity"), green("rollback-restores")];
    script.scenario(KILL, None).case(&Case { checks: &checks, ..golden(KILL) }).planned(KILL, "proc.kill", 412, 3);
    for nth in 1..=3 {
        let (name, address) = (format!("{nth:04}-9c1e03"), address(nth));
        let outcome = if nth == 3 { Outcome::Absorbed } else { Outcome::Pass };
        script.case(&Case { outcome, checks: &checks, ..killed(KILL, &name, &address) });
    }
    script.end(KILL, Verdict::Pass, "");
    let name = "one-db/reset-anywhere";
    script.scenario(name, None).case(&Case { checks: &checks, ..golden(name) }).planned(name, "net.reset", 2, 2);
    for nth in 1..=2 {
        let (case, address) = (format!("{nth:04}-77aa01"), format!("net.reset@pg.target:commit.{nth}"));
        script.case(&Case { checks: &checks, ..killed(name, &case, &address) });
    }
    script.end(name, Verdict::Pass, "");
    script.finish(Verdict::Pass)
}

pub(super) fn red_run() -> RunRecord {
    let mut script = Script::run();
    let good = [green("parity"), green("rollback-restores")];
    script.scenario(KILL, None).case(&Case { checks: &good, ..golden(KILL) }).planned(KILL, "proc.kill", 4, 4);
    let (first, second, third) = (address(1), address(2), address(3));
    script.case(&Case { checks: &good, ..killed(KILL, "0001-9c1e03", &first) });
    script.case(&Case { outcome: Outcome::NotFired, ..killed(KILL, "0002-9c1e03", &second) });
    let bad = [red("parity", 23), green("rollback-restores")];
    script.case(&Case { outcome: Outcome::Lied, checks: &bad, ..killed(KILL, "0003-9c1e03", &third) });
    let (steps, label) = ([(Phase::Injured, 137), (Phase::Recovery, 1)], "drop  table\t\"z\u{fc}ge\" \u{1b}[31m<&>");
    let stuck = killed(KILL, "0004-41d07a", "proc.kill@pg.target:commit.1");
    script.case(&Case { outcome: Outcome::Stuck, steps: &steps, label, checks: &bad[1..], ..stuck });
    let why =
        "two golden runs differ; if that is right, paste\n[[volatile]]\ntable = \"general.runs\"\ncolumns = [\"at\"]";
    script.end(KILL, Verdict::Fail, why);
    script.scenario("reset/fetch", None).end("reset/fetch", Verdict::Unknown, "postgres 17 was not found on this host");
    script.finish(Verdict::Fail)
}

pub(super) fn canary_run(turned_red: bool) -> RunRecord {
    let mut script = Script::run();
    let name = "canary/parity";
    let checks = if turned_red { [red("parity", 1)] } else { [green("parity")] };
    let outcome = if turned_red { Outcome::Lied } else { Outcome::Pass };
    script.scenario(name, Some(&["parity"])).case(&golden(name)).planned(name, "proc.kill", 1, 1);
    let address = address(1);
    script.case(&Case { outcome, checks: &checks, ..killed(name, "0001-9c1e03", &address) });
    let (verdict, why) = match turned_red {
        true => (Verdict::Pass, ""),
        false => (Verdict::Fail, "it had to turn red: parity; red was: nothing"),
    };
    script.end(name, verdict, why);
    script.finish(verdict)
}

pub(super) fn broken_off_run() -> RunRecord {
    let mut script = Script::run();
    script.scenario(KILL, None).case(&golden(KILL)).planned(KILL, "proc.kill", 412, 412);
    let address = address(1);
    script.case(&killed(KILL, "0001-9c1e03", &address));
    script.0.pop();
    script.record()
}

pub(super) fn runs() -> [(&'static str, RunRecord); 5] {
    [
        ("green", green_run()),
        ("red", red_run()),
        ("canary", canary_run(true)),
        ("canary_that_stayed_green", canary_run(false)),
        ("broken_off", broken_off_run()),
    ]
}
