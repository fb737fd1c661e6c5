//! Runbooks and rules: every sentence that demands something has a rule, every rule a sentence, and both an answer.

use crate::cli::Scratch;
use rehearsal::engine::Library;
use rehearsal::flow::{FLOWS, plan};
use rehearsal::model::{CriteriaFile, Criterion, Scenario, Severity, Verdict, checklist, words};
use rehearsal::registry::Registry;
use std::fs;
use std::path::Path;

/// What a runbook demands: each entry of a list with a box, and each sentence that begins with `Good:`, in the parts
/// that semicolons make of it.
fn demands(runbook: &str) -> Vec<String> {
    let mut demands = Vec::new();
    let lines: Vec<&str> = runbook.lines().collect();
    for (index, line) in lines.iter().enumerate() {
        if let Some(first) = line.strip_prefix("- [ ] ") {
            let rest = lines[index + 1..].iter().take_while(|line| line.starts_with("  "));
            demands.push([first].into_iter().chain(rest.copied()).collect::<Vec<_>>().join(" "));
        }
    }
    let text = words(runbook);
    for (at, found) in text.match_indices("Good: ") {
        let sentence = &text[at + found.len()..];
        let end = sentence.find(". ").unwrap_or(sentence.len());
        demands.extend(sentence[..end].split("; ").map(str::to_owned));
    }
    demands.iter().map(|demand| words(demand).trim_end_matches('.').to_owned()).collect()
}

fn stands_for(rule: &Criterion, demand: &str) -> bool {
    let quote = words(&rule.quote);
    let quote = quote.trim_end_matches('.');
    demand.contains(quote) || quote.contains(demand)
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

/// Per flow: its name, its runbook, its rules.
fn runbooks() -> Vec<(&'static str, String, Vec<Criterion>)> {
    let of = |flow: &&dyn rehearsal::flow::Flow| {
        let (rules, runbook) = flow.criteria().unwrap_or_else(|| panic!("{} has no criteria", flow.name()));
        let file =
            CriteriaFile::parse(rules, |path| Ok(read(path))).unwrap_or_else(|why| panic!("{}: {why}", flow.name()));
        assert_eq!(read(&file.runbook), runbook, "{} quotes another runbook", flow.name());
        (flow.name(), runbook.to_owned(), file.rules)
    };
    FLOWS.iter().map(of).collect()
}

fn scenarios() -> Vec<Scenario> {
    let unpack = tempfile::tempdir().unwrap();
    let library = Library::find(root(), unpack.path()).unwrap();
    let entries = library.entries(&Registry::builtin().known()).unwrap();
    let all = entries.into_iter().map(|entry| entry.scenario.unwrap());
    all.filter(|scenario| scenario.expect.is_none()).collect()
}

/// The scenarios of a flow that are named for a rule: guards and ends of steps are shown by every one, and looked up where
/// nothing strikes; ways out belong to what strikes.
fn answered_by(rule: &Criterion, flow: &str, scenarios: &[Scenario]) -> Vec<String> {
    let Some(observed) = &rule.observed else { return Vec::new() };
    let (kind, name) = observed.what.split_once(' ').unwrap_or((&observed.what, ""));
    let answers = |scenario: &&Scenario| match kind {
        "recovered" => scenario.faults.iter().any(|fault| fault.during == name),
        _ => scenario.faults.is_empty() && scenario.steps.is_empty(),
    };
    let of_flow = scenarios.iter().filter(|scenario| scenario.flow.as_deref() == Some(flow));
    of_flow.filter(answers).map(|scenario| scenario.name.clone()).collect()
}

#[test]
fn every_sentence_that_demands_something_has_a_rule() {
    for (flow, runbook, rules) in runbooks() {
        let demands = demands(&runbook);
        assert!(demands.len() >= 8, "{flow}: {demands:?}");
        let without: Vec<&String> =
            demands.iter().filter(|demand| !rules.iter().any(|rule| stands_for(rule, demand))).collect();
        assert!(without.is_empty(), "{flow}: no rule for {without:?}");
    }
}

#[test]
fn what_demands_something_is_seen() {
    let text =
        "Do it.\n\nGood: exit code 0; all\nis `ok`. Then go on.\n- [ ] a backup\n  is made\n- [x] no\n- another\n";
    assert_eq!(demands(text), ["a backup is made", "exit code 0", "all is `ok`"]);
}

#[test]
fn every_rule_of_a_machine_has_a_scenario_that_answers_it() {
    let scenarios = scenarios();
    for (flow, _, rules) in runbooks() {
        for rule in rules.iter().filter(|rule| rule.severity != Severity::Manual) {
            assert!(!answered_by(rule, flow, &scenarios).is_empty(), "{}: {:?}", rule.id, rule.observed);
        }
    }
}

/// Scenarios that differ in what strikes share their golden runs: whatever one of them plans, the others must plan too.
#[test]
fn what_strikes_changes_no_plan() {
    let registry = Registry::builtin();
    for scenario in scenarios().into_iter().filter(|scenario| scenario.flow.is_some()) {
        let folder = scenario.dataset.rsplit_once('-').map_or(scenario.dataset.as_str(), |(folder, _)| folder);
        let profile = read(&format!("fixtures/{folder}/profile.toml"));
        let plan = |scenario: &Scenario| plan(&registry.flows, scenario, Some(&profile)).unwrap();
        let unharmed = Scenario { faults: Vec::new(), recovery: Vec::new(), ..scenario.clone() };
        assert_eq!(plan(&scenario), plan(&unharmed), "{}", scenario.name);
        assert_eq!(plan(&scenario).guards.is_empty(), !scenario.steps.is_empty(), "{}", scenario.name);
    }
}

#[test]
fn the_rules_of_every_run_quote_the_page_about_evidence() {
    let text = read("docs/runbooks/every-run.criteria.toml");
    let file = CriteriaFile::parse(&text, |path| Ok(read(path))).unwrap();
    assert!(file.rules.iter().all(|rule| rule.id.starts_with("GEN-")));
}

/// The page, written anew with UPDATE=1.
#[test]
fn the_table_of_criteria_is_up_to_date() {
    let scenarios = scenarios();
    let mut page = "# Criteria\n\nWhat each runbook demands, the rule that stands for it, and the scenarios that answer it. \
                    Generated from the\nfiles `<flow>.criteria.toml` in [runbooks/](runbooks/one-db.md): \
                    `UPDATE=1 cargo test --test it criteria`. How they are written:\n[evidence.md](evidence.md#criteria).\n"
        .to_owned();
    for (flow, _, rules) in runbooks() {
        page += &format!("\n## {flow}\n\nThe runbook: [{flow}](runbooks/{flow}.md)\n\n");
        page += "| the runbook says | rule | by when | claimed | observed | answered by |\n|---|---|---|---|---|---|\n";
        for rule in &rules {
            let claimed = rule.claimed.as_ref().map_or(String::new(), |claimed| {
                format!("{} `{}` {} `{}`", claimed.artifact, claimed.pointer, claimed.op.sign(), claimed.value)
            });
            let observed = rule.observed.as_ref().map_or("a person signs it".to_owned(), |observed| {
                format!("{} {} `{}`", observed.what, observed.op.sign(), observed.value)
            });
            let stage = serde_json::to_value(rule.stage).unwrap();
            let by: Vec<String> = answered_by(rule, flow, &scenarios).iter().map(|name| format!("`{name}`")).collect();
            let cells = [
                words(&rule.quote).replace('|', "\\|"),
                rule.id.clone(),
                stage.as_str().unwrap().to_owned(),
                claimed,
                observed,
                by.join(", "),
            ];
            page += &format!("| {} |\n", cells.join(" | "));
        }
    }
    let path = root().join("docs/criteria.md");
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, &page).unwrap();
    }
    assert_eq!(fs::read_to_string(&path).unwrap_or_default(), page, "run it with UPDATE=1");
}

/// A step that says of itself what it likes, and ends with 0.
const SAYS: &str = r#"format = 1
about = "says of itself what it likes"
dataset = "notes-small"
criteria = "docs/moving.criteria.toml"
[targets]
source = { sqlite = "old" }
target = { sqlite = "new" }
[[step]]
name = "look"
role = "apply"
argv = ["sh", "-c", 'mkdir -p out; echo "{\"status\":\"ok\",\"results\":[{\"n\":3},{\"n\":4}]}" > out/look.json']
claims = { report = "out/look.json", ok = "/status = ok" }
[[map]]
source = "select 1 from notes join notebooks limit 1"
target = "select 1 from settings left join notes left join notebooks limit 1"
"#;

const MOVING: &str = "Good: it ends with 0, three of each at least, and nothing of the sources changes.\n";

fn own(rules: &str) -> Scratch {
    let scratch = Scratch::with("says", SAYS);
    fs::create_dir(scratch.dir.path().join("docs")).unwrap();
    fs::write(scratch.dir.path().join("docs/moving.md"), MOVING).unwrap();
    let rules = format!("format = 1\nrunbook = \"docs/moving.md\"\n{rules}");
    fs::write(scratch.dir.path().join("docs/moving.criteria.toml"), rules).unwrap();
    scratch
}

fn rule(id: &str, quote: &str, claimed: &str, observed: &str) -> String {
    format!(
        "[[rule]]\nid = \"{id}\"\nstage = \"rehearsal\"\nseverity = \"block\"\nquote = \"{quote}\"\n{claimed}\n\
         observed = {{ {observed} }}\n"
    )
}

#[test]
fn a_runbook_of_ones_own_is_answered_in_both_halves() {
    let claimed = |value: u32| {
        format!("claimed = {{ artifact = \"look\", pointer = \"/results/*/n\", op = \">=\", value = \"{value}\" }}")
    };
    let exit = "what = \"exit look\", op = \"=\", value = \"0\"";
    let rules = [
        rule("MOVE-01", "three of each at least", &claimed(3), exit),
        rule("MOVE-02", "three of each at least", &claimed(4), exit),
        rule("MOVE-03", "it ends with 0", "", "what = \"exit look\", op = \"=\", value = \"1\""),
        rule(
            "MOVE-04",
            "nothing of the sources changes",
            "",
            "what = \"check sources-unchanged\", op = \"=\", value = \"pass\"",
        ),
        rule("MOVE-05", "it ends with 0", "", "what = \"recovered look\", op = \"=\", value = \"pass\""),
    ];
    let scratch = own(&rules.concat());
    scratch.rehearse(&["run"]).has(0, "GO");
    let events = rehearsal::evidence::read(&scratch.bundle().join("events.jsonl")).unwrap();
    let record = rehearsal::model::RunRecord::from_events(&events);
    let ruled = checklist(&record);
    let of = |id: &str| ruled.iter().find(|ruled| ruled.rule.id == id).unwrap();
    let verdicts = |id: &str| (of(id).claimed.as_ref().map(|half| half.verdict), of(id).verdict());
    assert_eq!(verdicts("MOVE-01"), (Some(Verdict::Pass), Verdict::Pass));
    assert_eq!(verdicts("MOVE-02"), (Some(Verdict::Fail), Verdict::Fail), "a claim alone can speak against it");
    assert_eq!(of("MOVE-02").claimed.as_ref().unwrap().found, "3 (4 looked at)");
    assert_eq!(verdicts("MOVE-03"), (None, Verdict::Fail));
    assert_eq!(verdicts("MOVE-04"), (None, Verdict::Pass));
    assert_eq!(verdicts("MOVE-05"), (None, Verdict::Unknown), "nothing was injured");
    assert_eq!(verdicts("GEN-01").1, Verdict::Pass);
    assert_eq!(of("MOVE-01").evidence, ["says"]);
    let page = fs::read_to_string(scratch.bundle().join("report.html")).unwrap();
    for part in ["MOVE-02", "three of each at least", "look /results/*/n &gt;= 4", "exit look = 0", "at the gate"] {
        assert!(page.contains(part), "no {part}");
    }
    scratch.rehearse(&["verify", &scratch.bundle().display().to_string(), "--strict"]).has(0, "verified");
}

#[test]
fn a_rule_that_is_not_right_is_said_before_anything_runs() {
    let exit = "what = \"exit look\", op = \"=\", value = \"0\"";
    let scratch = own(&rule("MOVE-01", "it ends with 1", "", exit));
    scratch
        .rehearse(&["check"])
        .has(2, "criteria `docs/moving.criteria.toml`: rule MOVE-01: the runbook does not say: it ends with 1");
    fs::remove_file(scratch.dir.path().join("docs/moving.md")).unwrap();
    scratch.rehearse(&["check"]).has(2, "cannot read");
}
