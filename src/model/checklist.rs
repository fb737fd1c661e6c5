//! The checklist of a run: each rule of its runbooks, what was claimed, what was seen. A pure function of the record.

use crate::model::{Body, CaseRecord, Criterion, Op, Phase, RunRecord, ScenarioRecord, Severity, Verdict, step_times};

/// How a note begins that says where a secret was: such a run is not conclusive.
pub const SECRET_FOUND: &str = "a secret was found";

/// One half of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Half {
    /// What must be.
    pub expected: String,
    /// What was found; a few of many, and how many there are.
    pub found: String,
    /// Whether it is so; unknown where nothing was found.
    pub verdict: Verdict,
}

/// A rule and its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ruled {
    /// The rule.
    pub rule: Criterion,
    /// What a step says of itself, if the rule asks for it.
    pub claimed: Option<Half>,
    /// What was seen, if the rule asks for it.
    pub observed: Option<Half>,
    /// The scenarios that it rests on, in the order of the run.
    pub evidence: Vec<String>,
}

impl Ruled {
    /// The worst of both halves; unknown where only people can answer.
    pub fn verdict(&self) -> Verdict {
        Verdict::worst(self.claimed.iter().chain(&self.observed).map(|half| half.verdict))
    }

    /// Whether only `rehearse gate`, or somebody's signature, answers it.
    pub fn is_answered_elsewhere(&self) -> bool {
        let is_of_the_gate = self.rule.observed.as_ref().is_some_and(|observed| observed.what == "gate");
        self.rule.severity == Severity::Manual || is_of_the_gate
    }
}

/// Every rule of the run, each once: those of scenarios in their order, then those of every run. Canaries answer nothing.
pub fn checklist(record: &RunRecord) -> Vec<Ruled> {
    let plain = || record.scenarios.iter().filter(|scenario| scenario.expect.is_none());
    let mut rules: Vec<&Criterion> = Vec::new();
    for rule in plain().flat_map(|scenario| &scenario.criteria).chain(&record.criteria) {
        if !rules.contains(&rule) {
            rules.push(rule);
        }
    }
    rules.into_iter().map(|rule| answered(record, rule, &plain().collect::<Vec<_>>())).collect()
}

fn answered(record: &RunRecord, rule: &Criterion, scenarios: &[&ScenarioRecord]) -> Ruled {
    let own: Vec<&&ScenarioRecord> = scenarios.iter().filter(|scenario| scenario.criteria.contains(rule)).collect();
    let mut evidence: Vec<String> = Vec::new();
    let mut gather = |values_of: &dyn Fn(&ScenarioRecord) -> Vec<Vec<String>>| {
        let mut groups = Vec::new();
        for scenario in &own {
            let found = values_of(scenario);
            if !found.is_empty() && !evidence.contains(&scenario.scenario) {
                evidence.push(scenario.scenario.clone());
            }
            groups.extend(found);
        }
        groups
    };
    let claimed = rule.claimed.as_ref().map(|claimed| {
        let groups = gather(&|scenario| claims(scenario, &claimed.artifact, &claimed.pointer));
        half(&format!("{} {}", claimed.artifact, claimed.pointer), claimed.op, &claimed.value, &groups)
    });
    let observed = rule.observed.as_ref().map(|observed| {
        let groups = match of_run(record, &observed.what) {
            Some(groups) => groups,
            None => gather(&|scenario| observations(scenario, &observed.what)),
        };
        half(&observed.what, observed.op, &observed.value, &groups)
    });
    Ruled { rule: rule.clone(), claimed, observed, evidence }
}

/// `groups`: the values of each place that was looked at, one group for each report or case.
fn half(what: &str, op: Op, value: &str, groups: &[Vec<String>]) -> Half {
    let is_there = |group: &Vec<String>| op == Op::Count || !group.is_empty();
    let verdict = match groups.iter().any(is_there) {
        false => Verdict::Unknown,
        true if groups.iter().all(|group| op.holds(group, value) && is_there(group)) => Verdict::Pass,
        true => Verdict::Fail,
    };
    let unlike = |found: &&String| op != Op::Count && !op.holds(std::slice::from_ref(*found), value);
    let all: Vec<&String> = groups.iter().flatten().collect();
    let first = all.iter().copied().find(|found| unlike(found)).or(all.first().copied());
    let found = match (op, first) {
        (Op::Count, _) => {
            let counts: Vec<String> = groups.iter().map(|group| group.len().to_string()).collect();
            match counts.first() {
                None => "not shown".to_owned(),
                Some(first) if counts.iter().all(|count| count == first) => first.clone(),
                Some(_) => counts.join(", "),
            }
        }
        (_, None) => "not shown".to_owned(),
        (_, Some(first)) if all.len() == 1 => first.clone(),
        (_, Some(first)) => format!("{first} ({} looked at)", all.len()),
    };
    Half { expected: format!("{what} {} {value}", op.sign()), found, verdict }
}

fn claims(scenario: &ScenarioRecord, artifact: &str, pointer: &str) -> Vec<Vec<String>> {
    let events = scenario.golden().flat_map(|case| &case.events);
    let values = events.filter_map(|event| match event {
        Body::Claimed(claimed) if claimed.step == artifact && claimed.pointer == pointer => {
            Some(claimed.values.clone())
        }
        _ => None,
    });
    values.collect()
}

/// What was seen of one scenario; a group for each case.
fn observations(scenario: &ScenarioRecord, what: &str) -> Vec<Vec<String>> {
    let (kind, name) = what.split_once(' ').unwrap_or((what, ""));
    let golden = || scenario.golden();
    let groups: Vec<Vec<String>> = match kind {
        "exit" => golden().map(|case| exits(case, name)).collect(),
        "check" => scenario.cases.values().map(|case| answers(case, name)).collect(),
        "guard" => golden().map(|case| refusals(case, name)).collect(),
        "time_ms" => times_ms(scenario, name),
        "recovered" => scenario.injured().filter(|case| is_injured_in(case, name)).map(word).collect(),
        _ => Vec::new(),
    };
    groups.into_iter().filter(|group| !group.is_empty()).collect()
}

/// One group for each time that the step ran uninjured.
fn times_ms(scenario: &ScenarioRecord, step: &str) -> Vec<Vec<String>> {
    let of = step_times(scenario).into_iter().filter(|times| times.step == step);
    of.flat_map(|times| times.times_us).map(|us| vec![(us / 1_000).to_string()]).collect()
}

fn exits(case: &CaseRecord, step: &str) -> Vec<String> {
    let exit = |event: &Body| match event {
        Body::StepFinished { step: of, phase: Phase::Plan, exit, .. } if of == step => {
            Some(exit.map_or("none".to_owned(), |exit| exit.to_string()))
        }
        _ => None,
    };
    case.events.iter().filter_map(exit).collect()
}

fn answers(case: &CaseRecord, check: &str) -> Vec<String> {
    case.checks.iter().filter(|result| result.check == check).map(|result| result.verdict.to_string()).collect()
}

fn refusals(case: &CaseRecord, name: &str) -> Vec<String> {
    let refused = |event: &Body| match event {
        Body::Guarded { guard, refusals, exit, said, .. } if guard == name => {
            let refuses = *said && exit.is_some_and(|exit| refusals.contains(&exit));
            Some(if refuses { "refused" } else { "not refused" }.to_owned())
        }
        _ => None,
    };
    case.events.iter().filter_map(refused).collect()
}

fn is_injured_in(case: &CaseRecord, step: &str) -> bool {
    case.events
        .iter()
        .any(|event| matches!(event, Body::StepStarted { step: of, phase: Phase::Injured, .. } if of == step))
}

fn word(case: &CaseRecord) -> Vec<String> {
    vec![case.verdict().to_string()]
}

/// What was seen of the whole run; nothing where it is a question to scenarios.
fn of_run(record: &RunRecord, what: &str) -> Option<Vec<Vec<String>>> {
    let ended = |case: &CaseRecord| if case.outcome.is_some() { "ended" } else { "open" }.to_owned();
    let group = match what {
        "cases" => {
            let planned = record.planned();
            let run: u64 = record.scenarios.iter().map(|scenario| scenario.injured().count() as u64).sum();
            let missing = (run < planned).then(|| "missing".to_owned());
            record.cases().map(|(_, case)| ended(case)).chain(missing).collect()
        }
        "scenarios" => {
            record.scenarios.iter().map(|scenario| scenario.verdict.unwrap_or(Verdict::Unknown).to_string()).collect()
        }
        "guards" => {
            let plain = record.scenarios.iter().filter(|scenario| scenario.expect.is_none());
            plain.flat_map(ScenarioRecord::golden).flat_map(|case| answers(case, "guard-refuses")).collect()
        }
        "secrets" => record.notes.iter().filter(|note| note.starts_with(SECRET_FOUND)).cloned().collect(),
        "gate" => Vec::new(),
        _ => return None,
    };
    Some(if what == "secrets" || !group.is_empty() { vec![group] } else { Vec::new() })
}
