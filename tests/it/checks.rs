//! Checks and words over hand-built histories: each comparison that a check makes is the only reason of some line here.
//!
//! A history is a text, one line per event, read by [`events`]:
//! `start`, `<phase> <step> <exit>` and `end` with the states that were seen then, `says`, `map`, `fired`, `left`.

mod facts;
mod written;

use rehearsal::check::{CHECKS, broken_off_verdict, classify, judge, scenario_verdict};
use rehearsal::flow;
use rehearsal::model::{
    Body, CaseEvents, CaseRecord, CheckResult, Coverage, DatabaseState, Engine, ExpectRecord, History, Known, Moment,
    Outcome, Phase, Plan, Role, Scenario, ScenarioRecord, States, TableCopy, TableDigest, TargetSpec, Verdict,
};
use rstest::rstest;
use std::collections::BTreeMap;
use std::sync::Arc;

const COPY: &str = r#"
[[step]]
name = "copy"
role = "apply"
argv = ["copy"]
claims = { report = "out.json", ok = "/status = ok" }
"#;
const TRY: &str = "[[step]]\nname = \"try\"\nrole = \"dry-run\"\nargv = [\"try\"]\n";
const LOOK: &str = r#"
[[step]]
name = "look"
role = "verify"
argv = ["look"]
claims = { report = "out.json", ok = "/status = ok" }
"#;
const UNDO: &str = r#"
[[step]]
name = "undo"
role = "rollback"
argv = ["undo"]
claims = { report = "out.json", ok = "/status = ok" }
"#;
const PREPARE: &str = r#"
[[step]]
name = "prepare"
role = "prepare"
argv = ["prepare"]
claims = { report = "out.json", ok = "/status = ok" }
"#;
const SWITCH: &str = "[[step]]\nname = \"switch\"\nrole = \"cutover\"\nargv = [\"switch\"]\n";
const AGAIN: &str = "[[step]]\nname = \"again\"\nrole = \"apply\"\nargv = [\"again\"]\n";
const REFUSES: &str = "[rerun]\nexpect = \"refuses\"\n";
const MAP: &str = "[[map]]\nsource = \"select lower(x) from old_names\"\ntarget = \"select x from names\"\n";

/// The whole procedure, once, as it should be.
const GOLDEN: &str = "
    start source=old target=new
    plan try 0 source=old target=new
    plan copy 0 source=old target=done
    rerun copy 0 target=done
    plan undo 0 source=old target=new
    left
    end source=old target=new";

/// A copy that was injured and then recovered.
const RECOVERED: &str = "
    fired
    injured copy killed target=half
    recovery copy 0 target=done
    left
    end source=old target=done";

/// What is judged: a plan of `steps`, the golden run, and a case (the golden run itself where there is none).
struct Rehearsed {
    scenario: Scenario,
    plan: Plan,
    golden: CaseEvents,
    case: CaseEvents,
    states: States,
}

fn rehearsed(steps: &str, golden: &str, case: Option<&str>) -> Rehearsed {
    let head = "format = 1\nabout = \"x\"\ndataset = \"d\"\n[targets]\nsource = { postgres = \"old\" }\n\
                target = { postgres = \"new\" }\n";
    let scenario = Scenario::parse("x", &format!("{head}{steps}"), &Known::default()).unwrap();
    let plan = flow::plan(&[], &scenario, None).unwrap();
    let golden = CaseEvents { case: "x/golden-1".into(), address: None, events: events(golden) };
    let case = case.map_or(golden.clone(), |case| CaseEvents {
        case: "x/0001-000000".into(),
        address: Some("proc.kill@pg.target:stmt.1".parse().unwrap()),
        events: events(case),
    });
    Rehearsed { scenario, plan, golden, case, states: states() }
}

impl Rehearsed {
    fn history(&self) -> History<'_> {
        let Rehearsed { scenario, plan, golden, case, states } = self;
        History { scenario, plan, golden, case, states }
    }

    fn results(&self) -> Vec<CheckResult> {
        judge(CHECKS, &self.history())
    }

    fn verdict(&self, check: &str) -> Option<Verdict> {
        assert!(CHECKS.iter().any(|known| known.name() == check), "{check}");
        self.results().into_iter().find(|result| result.check == check).map(|result| result.verdict)
    }
}

/// Reads the lines of a history.
fn events(text: &str) -> Vec<Body> {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).flat_map(of_line).collect()
}

fn of_line(line: &str) -> Vec<Body> {
    let words: Vec<&str> = line.split(' ').collect();
    if let Some(found) = facts::of_line(&words) {
        return found;
    }
    let case = || "x/1".to_owned();
    match words[..] {
        ["start", ..] => probes(&Moment::Start, &words[1..]),
        ["end", ..] => probes(&Moment::End, &words[1..]),
        ["began", phase_name, step] => {
            let (step, phase, role, argv) = (step.into(), phase(phase_name), Role::Apply, Vec::new());
            vec![Body::StepStarted { case: case(), step, role, phase, argv }]
        }
        ["wrote", before, after] => {
            let endpoint = "pg.source".to_owned();
            let (before, after) = (before.to_owned(), after.to_owned());
            vec![Body::SourceWritten { case: case(), endpoint, what: "insert".into(), before, after }]
        }
        ["fired"] => {
            let address = "proc.kill@pg.target:stmt.1".parse().unwrap();
            vec![Body::FaultFired { case: case(), address, what: "copy".into() }]
        }
        ["left", ref found @ ..] => {
            vec![Body::Leftovers { case: case(), found: found.iter().map(|&what| what.into()).collect() }]
        }
        ["says", phase_name, step, word] => {
            let ok = BTreeMap::from([("yes", Some(true)), ("no", Some(false)), ("nothing", None)])[word];
            vec![Body::Claim { case: case(), step: step.into(), phase: phase(phase_name), ok, note: word.into() }]
        }
        ["map", phase_name, step, word] => vec![mapped(Moment::after(phase(phase_name), step), word)],
        ["map-at-the-end", word] => vec![mapped(Moment::End, word)],
        [phase_name, step, exit, ref seen @ ..] => {
            let end = Body::StepFinished {
                case: case(),
                step: step.into(),
                phase: phase(phase_name),
                exit: exit.parse().ok(),
                signal: (exit == "killed").then_some(9),
                success: exit == "0",
                timed_out: exit == "hung",
                duration_us: 1,
            };
            [vec![end], probes(&Moment::after(phase(phase_name), step), seen)].concat()
        }
        _ => panic!("no event: {line}"),
    }
}

fn mapped(moment: Moment, word: &str) -> Body {
    let (source, target) = match word {
        "same" => (rows(&["a"]), rows(&["a"])),
        "late" => (rows(&["a", "b"]), rows(&["a"])),
        "empty" => (rows(&[]), rows(&[])),
        _ => (rows(&["a"]), rows(&["b"])),
    };
    Body::Mapped { case: "x/1".into(), moment, map: 1, source, target }
}

fn phase(name: &str) -> Phase {
    let all = [Phase::Plan, Phase::Injured, Phase::Recovery, Phase::Relapse, Phase::Rerun];
    all.into_iter().find(|phase| phase.to_string() == name).unwrap_or_else(|| panic!("no phase {name}"))
}

fn probes(moment: &Moment, seen: &[&str]) -> Vec<Body> {
    let probe = |word: &&str| {
        let (endpoint, state) = word.split_once('=').unwrap();
        let (endpoint, state) = (format!("pg.{endpoint}"), state.to_owned());
        Body::Probe { case: "x/1".into(), moment: moment.clone(), endpoint, state }
    };
    seen.iter().map(probe).collect()
}

fn rows(rows: &[&str]) -> TableDigest {
    let mut digest = TableDigest::default();
    rows.iter().for_each(|row| digest.add(row.as_bytes()));
    digest
}

/// What probes may see: `old` is copied into `new`, which is then `done`; the others are wrong in one thing.
fn states() -> States {
    let state = |names: &[&str], days: &[&str], next: &str, catalog: &[&str]| {
        let tables = BTreeMap::from([("names".to_owned(), rows(names)), ("days".to_owned(), rows(days))]);
        let sequences = BTreeMap::from([("names_id".to_owned(), next.to_owned())]);
        let catalog = catalog.iter().map(|&name| (name.to_owned(), "defined".to_owned())).collect();
        DatabaseState { tables, sequences, catalog }
    };
    let source = |names: &[&str], next: &str, catalog: &[&str]| {
        let mut state = state(names, &[], next, catalog);
        state.tables.remove("days");
        state
    };
    let mut dropped = state(&["a", "b"], &[], "3", &[]);
    dropped.tables.remove("days");
    let named = [
        ("old", source(&["a", "b"], "3", &[])),
        ("done-row", state(&["a", "b", "c"], &["monday"], "4", &[])),
        ("done-row-behind", state(&["a", "b", "c"], &["monday"], "1", &[])),
        ("done-row-index", state(&["a", "b", "c"], &["monday"], "4", &["index i"])),
        ("old-row", source(&["a", "b", "c"], "3", &[])),
        ("old-sequence", source(&["a", "b"], "4", &[])),
        ("old-catalog", source(&["a", "b"], "3", &["index i"])),
        ("new", state(&[], &["monday"], "1", &[])),
        ("done", state(&["a", "b"], &["monday"], "3", &[])),
        ("half", state(&["a"], &["monday"], "1", &[])),
        ("other-rows", state(&["a", "c"], &["monday"], "3", &[])),
        ("twice", state(&["a", "b", "b"], &["monday"], "3", &[])),
        ("more-days", state(&["a", "b"], &["monday", "friday"], "3", &[])),
        ("no-days", state(&["a", "b"], &[], "3", &[])),
        ("dropped", dropped),
        ("behind", state(&["a", "b"], &["monday"], "1", &[])),
        ("index", state(&["a", "b"], &["monday"], "3", &["index i"])),
        ("emptied", state(&[], &[], "1", &[])),
        ("advanced", state(&[], &["monday"], "3", &[])),
        ("scratch", state(&[], &["monday"], "1", &["table scratch"])),
    ];
    named.into_iter().map(|(name, state)| (name.to_owned(), Arc::new(state))).collect()
}

const PASS: Option<Verdict> = Some(Verdict::Pass);
const FAIL: Option<Verdict> = Some(Verdict::Fail);
const UNKNOWN: Option<Verdict> = Some(Verdict::Unknown);
const NOT_ASKED: Option<Verdict> = None;

#[rstest]
#[case::done("plan copy 0 target=done", PASS)]
#[case::sequences_are_not_rows("plan copy 0 target=behind", PASS)]
#[case::catalogs_are_not_rows("plan copy 0 target=index", PASS)]
#[case::a_row_less("plan copy 0 target=half", FAIL)]
#[case::another_row("plan copy 0 target=other-rows", FAIL)]
#[case::a_row_twice("plan copy 0 target=twice", FAIL)]
#[case::a_row_more_in_a_table_that_is_not_copied("plan copy 0 target=more-days", FAIL)]
#[case::a_row_less_in_a_table_that_is_not_copied("plan copy 0 target=no-days", FAIL)]
#[case::a_table_less("plan copy 0 target=dropped", FAIL)]
#[case::wrong_once_it_ran_again("plan copy 0 target=done\nrerun copy 0 target=twice", FAIL)]
#[case::right_once_it_ran_again("plan copy 0 target=done\nrerun copy 0 target=done", PASS)]
#[case::undone_at_the_end("plan copy 0 target=done\nplan undo 0 target=new\nend source=old target=new", PASS)]
#[case::not_seen("plan copy 0", UNKNOWN)]
fn parity_of_a_golden_run(#[case] case: &str, #[case] verdict: Option<Verdict>) {
    let golden = format!("start source=old target=new\n{case}");
    assert_eq!(rehearsed(&format!("{COPY}{UNDO}"), &golden, None).verdict("parity"), verdict);
}

#[rstest]
#[case::of_a_recovered_case(RECOVERED, PASS)]
#[case::a_verify_promises_it_too("recovery copy 0\nplan look 0\nend target=half", FAIL)]
#[case::a_cutover_promises_it_too("recovery switch 0\nend target=half", FAIL)]
#[case::only_the_end_counts("injured copy killed target=twice\nrecovery copy 0 target=half\nend target=done", PASS)]
#[case::wrong_at_the_end("injured copy killed\nrecovery copy 0 target=done\nend target=half", FAIL)]
#[case::a_rollback_promises_something_else("injured undo killed\nrecovery undo 0\nend target=new", NOT_ASKED)]
#[case::nothing_ran("end target=new", NOT_ASKED)]
#[case::not_seen("injured copy killed", UNKNOWN)]
fn parity_of_an_injured_case(#[case] case: &str, #[case] verdict: Option<Verdict>) {
    assert_eq!(rehearsed(&format!("{COPY}{SWITCH}{LOOK}{UNDO}"), GOLDEN, Some(case)).verdict("parity"), verdict);
}

#[rstest]
#[case::both_sides_are_equal("map plan copy same", PASS)]
#[case::both_sides_differ("map plan copy differs", FAIL)]
#[case::both_sides_are_empty("map plan copy empty", UNKNOWN)]
#[case::not_asked_of_the_databases("", UNKNOWN)]
#[case::asked_at_another_time("map rerun copy differs", UNKNOWN)]
fn parity_of_a_declared_transformation(#[case] map: &str, #[case] verdict: Option<Verdict>) {
    // The table that the map speaks of is not compared as it is: it would differ.
    let golden = format!("start source=old target=new\nplan copy 0 target=other-rows\n{map}");
    assert_eq!(rehearsed(&format!("{COPY}{MAP}"), &golden, None).verdict("parity"), verdict);
    let own = MAP.replace("old_names", "names");
    assert_eq!(rehearsed(&format!("{COPY}{own}"), &golden, None).verdict("parity"), verdict);
}

#[test]
fn parity_does_not_ask_for_a_table_whose_content_a_transformation_takes_elsewhere() {
    let map = "[[map]]\nsource = \"select x from names\"\ntarget = \"select x from days\"\n";
    let golden = "start source=old target=new\nplan copy 0 target=new\nmap plan copy same";
    assert_eq!(rehearsed(&format!("{COPY}{map}"), golden, None).verdict("parity"), PASS);
}

#[rstest]
#[case::its_name("select x from names", "names", true)]
#[case::its_name_without_the_default_schema("select x from names", "public.names", true)]
#[case::its_name_without_another_schema("select x from names", "app.names", false)]
#[case::joined("select x from old JOIN names using (id)", "names", true)]
#[case::a_column("select names from old", "names", false)]
#[case::a_literal("select x from old where kind = 'names'", "names", false)]
#[case::its_qualified_name("select x from app.names n", "app.names", true)]
#[case::a_part_of_a_name("select x from old_names", "names", false)]
#[case::another_schema("select x from web.names", "app.names", false)]
fn a_transformation_speaks_of_the_tables_that_its_query_names(
    #[case] query: &str,
    #[case] table: &str,
    #[case] does: bool,
) {
    let map = format!("[[map]]\nsource = \"{query}\"\ntarget = \"{query}\"\n");
    let plan = rehearsed(&format!("{COPY}{map}"), "", None).plan;
    assert_eq!((plan.maps_source(table), plan.maps_target(table)), (does, does));
}

#[test]
fn parity_counts_before_it_is_undone_whatever_follows() {
    let golden = "start source=old target=new\nplan copy 0 target=half\nplan undo 0\nplan again 0 target=done";
    assert_eq!(rehearsed(&format!("{COPY}{UNDO}{AGAIN}"), golden, None).verdict("parity"), FAIL);
}

#[rstest]
#[case::is_gone("dropped", PASS)]
#[case::is_still_there("done", FAIL)]
fn a_copy_of_a_table_that_the_source_has_not(#[case] state: &str, #[case] verdict: Option<Verdict>) {
    let mut rehearsed = rehearsed(COPY, &format!("start source=old target=done\nplan copy 0 target={state}"), None);
    rehearsed.plan.parity.same_names = false;
    rehearsed.plan.parity.copies = vec![copy("days")];
    assert_eq!(rehearsed.verdict("parity"), verdict);
}

/// A second database that is written to is none of the first one's business.
#[rstest]
#[case::as_before("plan copy 0 target=done other=half\nplan undo 0 target=new other=half", PASS)]
#[case::changed("plan copy 0 target=done other=done\nplan undo 0 target=new other=emptied", FAIL)]
fn a_second_target_stays_as_it_was(#[case] case: &str, #[case] verdict: Option<Verdict>) {
    let golden = format!("start source=old target=new other=half\n{case}");
    let mut rehearsed = rehearsed(&format!("{COPY}{UNDO}"), &golden, None);
    let other = TargetSpec::new("other", Engine::Postgres, "new");
    rehearsed.plan.targets.push(other);
    rehearsed.plan.parity.same_names = false;
    rehearsed.plan.parity.copies = vec![copy("names")];
    assert_eq!(rehearsed.verdict("parity"), verdict);
    assert_eq!(rehearsed.verdict("rollback-restores"), verdict);
}

fn copy(table: &str) -> TableCopy {
    let (source, target) = ("pg.source".to_owned(), "pg.target".to_owned());
    TableCopy { source, source_table: table.to_owned(), target, target_table: table.to_owned() }
}

#[test]
fn parity_is_not_asked_where_no_step_brings_data() {
    assert_eq!(rehearsed(LOOK, "start source=old target=new\nplan look 0", None).verdict("parity"), NOT_ASKED);
}

#[rstest]
#[case::as_before("end source=old", PASS)]
#[case::another_row("end source=old-row", FAIL)]
#[case::another_sequence("end source=old-sequence", FAIL)]
#[case::another_index("end source=old-catalog", FAIL)]
#[case::changed_and_put_back("plan copy 0 source=old-row\nend source=old", FAIL)]
#[case::not_seen_at_the_end("plan copy 0 source=old", UNKNOWN)]
fn sources_unchanged(#[case] case: &str, #[case] verdict: Option<Verdict>) {
    assert_eq!(rehearsed(COPY, GOLDEN, Some(case)).verdict("sources-unchanged"), verdict);
    let golden = format!("start source=old target=new\n{case}");
    assert_eq!(rehearsed(COPY, &golden, None).verdict("sources-unchanged"), verdict);
}

#[test]
fn sources_unchanged_from_what_is_not_known() {
    assert_eq!(rehearsed(COPY, "end source=old", None).verdict("sources-unchanged"), UNKNOWN);
}

#[rstest]
#[case::recovered(RECOVERED, PASS)]
#[case::rows_differ("recovery copy 0\nend target=half", FAIL)]
#[case::only_the_sequence_is_behind("recovery copy 0\nend target=behind", FAIL)]
#[case::only_an_index_more("recovery copy 0\nend target=index", FAIL)]
#[case::the_rollback_came_last("recovery undo 0\nend target=new", PASS)]
#[case::the_rollback_left_a_sequence("recovery undo 0\nend target=advanced", FAIL)]
#[case::not_seen("recovery copy 0", UNKNOWN)]
#[case::the_golden_run_never_came_there("recovery look 0\nend target=done", UNKNOWN)]
#[case::nothing_ran("end target=new", NOT_ASKED)]
fn golden_state_of_an_injured_case(#[case] case: &str, #[case] verdict: Option<Verdict>) {
    assert_eq!(rehearsed(&format!("{COPY}{UNDO}"), GOLDEN, Some(case)).verdict("golden-state"), verdict);
}

#[rstest]
#[case::run_again_is_the_same("plan copy 0 target=done\nrerun copy 0 target=done", PASS)]
#[case::run_again_has_another_sequence("plan copy 0 target=done\nrerun copy 0 target=behind", FAIL)]
#[case::never_run_again("plan copy 0 target=done", NOT_ASKED)]
fn golden_state_of_the_golden_run_itself(#[case] case: &str, #[case] verdict: Option<Verdict>) {
    let golden = format!("start source=old target=new\n{case}");
    assert_eq!(rehearsed(COPY, &golden, None).verdict("golden-state"), verdict);
}

#[rstest]
#[case::alike("start target=new\nplan copy 0 target=done\nend target=done", PASS)]
#[case::differs_on_the_way("start target=new\nplan copy 0 target=behind\nend target=done", FAIL)]
#[case::differs_at_the_end("start target=new\nplan copy 0 target=done\nend target=index", FAIL)]
#[case::went_further_than_the_first("plan look 0 target=done", UNKNOWN)]
fn golden_state_of_the_second_golden_run(#[case] case: &str, #[case] verdict: Option<Verdict>) {
    let first = "start source=old target=new\nplan copy 0 target=done\nend source=old target=done";
    let mut second = rehearsed(COPY, first, Some(case));
    second.case.address = None;
    assert_eq!(second.verdict("golden-state"), verdict);
}

#[rstest]
#[case::as_before("start source=old target=new\nplan try 0 source=old target=new", PASS)]
#[case::writes_to_the_target("start source=old target=new\nplan try 0 source=old target=scratch", FAIL)]
#[case::writes_to_the_source("start source=old target=new\nplan try 0 source=old-row target=new", FAIL)]
#[case::after_a_step_that_wrote(
    "start target=new\nplan copy 0 target=done\nplan try 0 target=done\nplan undo 0 target=new",
    PASS
)]
#[case::undoes_what_a_step_wrote("start target=new\nplan copy 0 target=done\nplan try 0 target=new", FAIL)]
#[case::did_not_run("start target=new\nplan copy 0 target=done", NOT_ASKED)]
fn dry_run_writes_nothing(#[case] golden: &str, #[case] verdict: Option<Verdict>) {
    let steps = format!("{TRY}{COPY}{UNDO}");
    assert_eq!(rehearsed(&steps, golden, None).verdict("dry-run-writes-nothing"), verdict);
}

#[rstest]
#[case::as_before("plan undo 0 target=new", PASS)]
#[case::migrated_rows_remain("plan undo 0 target=half", FAIL)]
#[case::took_more_than_its_own("plan undo 0 target=emptied", FAIL)]
#[case::left_a_sequence("plan undo 0 target=advanced", FAIL)]
#[case::left_a_table("plan undo 0 target=scratch", FAIL)]
#[case::ends_otherwise("plan undo 0 target=new\nend target=scratch", FAIL)]
#[case::injured_and_recovered("injured undo killed target=half\nrecovery undo 0 target=new\nend target=new", PASS)]
#[case::injured_and_not_recovered("injured undo killed target=half\nend target=half", FAIL)]
#[case::the_way_out_begins_with_it("recovery undo 0 target=new\nrecovery copy 0 target=done\nend target=done", PASS)]
#[case::the_way_out_begins_with_it_wrongly(
    "recovery undo 0 target=half\nrecovery copy 0 target=done\nend target=done",
    FAIL
)]
#[case::no_rollback(RECOVERED, NOT_ASKED)]
fn rollback_restores(#[case] case: &str, #[case] verdict: Option<Verdict>) {
    assert_eq!(rehearsed(&format!("{COPY}{UNDO}"), GOLDEN, Some(case)).verdict("rollback-restores"), verdict);
}

#[test]
fn rollback_restores_what_is_not_known() {
    let steps = format!("{COPY}{UNDO}");
    assert_eq!(rehearsed(&steps, "plan undo 0 target=new", None).verdict("rollback-restores"), UNKNOWN);
}

#[test]
fn rollback_restores_leaves_no_row_in_a_migrated_table_that_had_some() {
    let golden = "start source=old target=half\nplan copy 0 target=done\nplan undo 0 target=new";
    assert_eq!(rehearsed(&format!("{COPY}{UNDO}"), golden, None).verdict("rollback-restores"), PASS);
}

#[rstest]
#[case::says_yes_and_is_right("plan copy 0 target=done\nsays plan copy yes", PASS)]
#[case::says_yes_and_is_wrong("plan copy 0 target=half\nsays plan copy yes", FAIL)]
#[case::exits_0_and_says_no("plan copy 0 target=done\nsays plan copy no", FAIL)]
#[case::exits_0_and_says_nothing("plan copy 0 target=done\nsays plan copy nothing", FAIL)]
#[case::exits_0_and_was_not_read("plan copy 0 target=done", FAIL)]
#[case::said_so_in_another_phase("plan copy 0 target=done\nsays rerun copy yes", FAIL)]
#[case::fails_and_says_no("plan copy 1 target=half\nsays plan copy no", PASS)]
#[case::fails_and_says_nothing("plan copy killed target=half\nsays plan copy nothing", PASS)]
#[case::fails_and_says_yes("plan copy 1 target=half\nsays plan copy yes", FAIL)]
#[case::fails_and_says_yes_unseen("plan copy 1\nsays plan copy yes", FAIL)]
#[case::killed_after_all_was_done_and_said("plan copy killed target=done\nsays plan copy yes", PASS)]
#[case::the_last_word_counts("plan copy 0 target=done\nsays plan copy no\nsays plan copy yes", PASS)]
#[case::a_verify_that_is_wrong("plan look 0 target=half\nsays plan look yes", FAIL)]
#[case::a_verify_that_is_right("plan look 0 target=done\nsays plan look yes", PASS)]
#[case::another_step_speaks_for_itself(
    "plan copy 0 target=done\nsays plan copy yes\nplan look 1 target=done\nsays plan look no",
    PASS
)]
#[case::no_claims("plan try 0 target=new", NOT_ASKED)]
fn claim_matches_observation_of_a_golden_run(#[case] case: &str, #[case] verdict: Option<Verdict>) {
    let golden = format!("start source=old target=new\n{case}");
    let steps = format!("{TRY}{COPY}{LOOK}{UNDO}");
    assert_eq!(rehearsed(&steps, &golden, None).verdict("claim-matches-observation"), verdict);
}

#[rstest]
#[case::a_rollback_reached_what_the_golden_one_did("recovery undo 0 target=new\nsays recovery undo yes", PASS)]
#[case::a_rollback_did_not("recovery undo 0 target=half\nsays recovery undo yes", FAIL)]
#[case::a_preparation_promises_no_state("recovery prepare 0 target=half\nsays recovery prepare yes", PASS)]
#[case::a_killed_rollback_did_and_says_so("injured undo killed target=new\nsays injured undo yes", PASS)]
#[case::a_killed_rollback_did_not_and_says_so("injured undo killed target=half\nsays injured undo yes", FAIL)]
fn claim_matches_observation_of_an_injured_case(#[case] case: &str, #[case] verdict: Option<Verdict>) {
    let golden = format!("{GOLDEN}\nplan prepare 0 target=new");
    let steps = format!("{PREPARE}{COPY}{UNDO}");
    assert_eq!(rehearsed(&steps, &golden, Some(case)).verdict("claim-matches-observation"), verdict);
}

#[rstest]
#[case::nothing("left", PASS)]
#[case::something("left sleep", FAIL)]
#[case::the_last_look_counts("left sleep\nleft", PASS)]
#[case::nobody_looked("", UNKNOWN)]
fn nothing_left_behind(#[case] case: &str, #[case] verdict: Option<Verdict>) {
    assert_eq!(rehearsed(COPY, GOLDEN, Some(case)).verdict("nothing-left-behind"), verdict);
}

#[test]
fn faults_fired() {
    let killed = "fired\ninjured copy killed\nrecovery copy 0";
    assert_eq!(rehearsed(COPY, GOLDEN, Some(killed)).verdict("faults-fired"), PASS);
    assert_eq!(rehearsed(COPY, GOLDEN, Some("fired\ninjured copy 2")).verdict("faults-fired"), UNKNOWN);
    assert_eq!(rehearsed(COPY, GOLDEN, Some("injured copy 0 target=done")).verdict("faults-fired"), UNKNOWN);
    assert_eq!(rehearsed(COPY, GOLDEN, None).verdict("faults-fired"), NOT_ASKED);
}

/// Each line is a history and the word for it, given what the checks say of it.
#[rstest]
#[case::recovered(RECOVERED, Outcome::Pass)]
#[case::did_right_by_itself("fired\ninjured copy 0 target=done\nleft\nend source=old target=done", Outcome::Absorbed)]
#[case::did_right_by_itself_and_a_later_step_fails(
    "fired\ninjured copy 0 target=done\nplan look 1\nleft\nend source=old target=done",
    Outcome::Stuck
)]
#[case::never_struck("injured copy 0 target=done\nleft\nend source=old target=done", Outcome::NotFired)]
#[case::never_struck_whatever_else(
    "injured copy 0 target=half\nleft\nend source=old-row target=half",
    Outcome::NotFired
)]
#[case::exits_0_injured_and_is_wrong(
    "fired\ninjured copy 0 target=half\nleft\nend source=old target=half",
    Outcome::Silent
)]
#[case::exits_0_recovered_and_is_wrong(
    "fired\ninjured copy killed\nrecovery copy 0\nleft\nend source=old target=half",
    Outcome::Lied
)]
#[case::only_a_sequence_is_wrong(
    "fired\ninjured copy killed\nrecovery copy 0\nleft\nend source=old target=behind",
    Outcome::Lied
)]
#[case::the_recovery_fails(
    "fired\ninjured copy killed\nrecovery copy 1\nleft\nend source=old target=half",
    Outcome::Stuck
)]
#[case::the_recovery_fails_though_all_is_there(
    "fired\ninjured copy killed\nrecovery copy 1\nleft\nend source=old target=done",
    Outcome::Stuck
)]
#[case::a_step_after_it_fails(
    "fired\ninjured copy killed\nrecovery copy 0\nplan look 1\nleft\nend source=old target=done",
    Outcome::Stuck
)]
#[case::a_process_stayed(
    "fired\ninjured copy killed\nrecovery copy 0\nleft sleep\nend source=old target=done",
    Outcome::Leak
)]
#[case::a_process_stayed_by_itself("fired\ninjured copy 0\nleft sleep\nend source=old target=done", Outcome::Leak)]
#[case::wrong_is_worse_than_left(
    "fired\ninjured copy killed\nrecovery copy 0\nleft sleep\nend source=old target=half",
    Outcome::Lied
)]
#[case::what_was_not_seen_is_not_wrong(
    "fired\ninjured copy killed\nrecovery copy 0\nleft\nend source=old",
    Outcome::Pass
)]
#[case::hung("fired\ninjured copy hung\nleft\nend source=old target=half", Outcome::Hang)]
#[case::the_recovery_hung(
    "fired\ninjured copy killed\nrecovery copy hung\nleft\nend source=old target=done",
    Outcome::Hang
)]
#[case::the_source_is_worse_than_a_hang(
    "fired\ninjured copy hung\nleft\nend source=old-row target=half",
    Outcome::SourceTouched
)]
fn an_injured_case_has_one_word(#[case] case: &str, #[case] outcome: Outcome) {
    let golden = format!("{GOLDEN}\nplan look 0 source=old target=done");
    let rehearsed = rehearsed(&format!("{TRY}{COPY}{LOOK}{UNDO}"), &golden, Some(case));
    assert_eq!(classify(&rehearsed.history(), &rehearsed.results()), outcome);
}

#[rstest]
#[case::because_it_is_done("recovery copy 1\nleft\nend source=old target=done", Outcome::Pass)]
#[case::and_something_is_left("recovery copy 1\nleft sleep\nend source=old target=done", Outcome::Leak)]
#[case::over_half_a_copy("recovery copy 1\nleft\nend source=old target=half", Outcome::Stuck)]
#[case::and_so_the_rest_never_ran("recovery undo 1\nleft\nend source=old target=new", Outcome::Stuck)]
#[case::at_an_earlier_step_too("recovery undo 1\nrecovery copy 1\nleft\nend source=old target=done", Outcome::Stuck)]
fn a_tool_that_may_refuse_to_run_again_refuses(#[case] way_out: &str, #[case] outcome: Outcome) {
    let case = format!("fired\ninjured copy killed\n{way_out}");
    let golden = format!("{GOLDEN}\nplan undo 0 target=new");
    let rehearsed = rehearsed(&format!("{COPY}{LOOK}{UNDO}{REFUSES}"), &golden, Some(&case));
    assert_eq!(classify(&rehearsed.history(), &rehearsed.results()), outcome);
}

#[rstest]
#[case::green("", "plan copy 0 target=done\nrerun copy 0 target=done\nleft\nend source=old", Outcome::Pass)]
#[case::wrong("", "plan copy 0 target=half\nleft\nend source=old", Outcome::Silent)]
#[case::wrong_after_a_dry_run(
    "",
    "plan try 0 target=scratch\nplan copy 0 target=done\nleft\nend source=old",
    Outcome::Silent
)]
#[case::wrong_after_a_rollback(
    "",
    "plan copy 0 target=done\nplan undo 0 target=scratch\nleft\nend source=old target=scratch",
    Outcome::Silent
)]
#[case::a_step_fails("", "plan copy 1 target=new\nleft\nend source=old", Outcome::Stuck)]
#[case::running_again_fails(
    "",
    "plan copy 0 target=done\nrerun copy 1 target=done\nleft\nend source=old",
    Outcome::Stuck
)]
#[case::it_may_refuse_to_run_again(
    REFUSES,
    "plan copy 0 target=done\nrerun copy 1 target=done\nleft\nend source=old",
    Outcome::Pass
)]
#[case::it_may_not_refuse_at_first(REFUSES, "plan copy 1 target=new\nleft\nend source=old", Outcome::Stuck)]
#[case::a_process_stayed("", "plan copy 0 target=done\nleft sleep\nend source=old", Outcome::Leak)]
#[case::the_source_changed("", "plan copy 0 target=done\nleft\nend source=old-row", Outcome::SourceTouched)]
#[case::hung("", "plan copy hung target=done\nleft\nend source=old", Outcome::Hang)]
fn a_golden_run_has_one_word(#[case] more: &str, #[case] case: &str, #[case] outcome: Outcome) {
    let golden = format!("start source=old target=new\n{case}");
    let rehearsed = rehearsed(&format!("{TRY}{COPY}{UNDO}{more}"), &golden, None);
    assert_eq!(classify(&rehearsed.history(), &rehearsed.results()), outcome);
}

/// Each case is its word and the checks that are red in it.
#[rstest]
#[case::as_planned(&["LIED parity"], Verdict::Pass)]
#[case::among_others(&["PASS", "LIED parity"], Verdict::Pass)]
#[case::stayed_green(&["PASS"], Verdict::Fail)]
#[case::another_check(&["LIED golden-state"], Verdict::Fail)]
#[case::one_check_more(&["LIED parity golden-state"], Verdict::Fail)]
#[case::one_check_more_in_another_case(&["LIED parity", "PASS golden-state"], Verdict::Fail)]
#[case::another_word(&["STUCK parity"], Verdict::Fail)]
#[case::a_case_is_not_finished(&["LIED parity", "UNFINISHED"], Verdict::Unknown)]
#[case::a_case_was_cut_off(&["LIED parity", ""], Verdict::Unknown)]
#[case::no_case(&[], Verdict::Fail)]
fn a_canary_turns_red_exactly_what_it_must(#[case] cases: &[&str], #[case] verdict: Verdict) {
    let expect = ExpectRecord { red: vec!["parity".into()], outcome: Some(Outcome::Lied) };
    assert_eq!(scenario_verdict(&record(Some(expect), cases)).0, verdict);
}

#[rstest]
#[case::green(&["PASS", "ABSORBED"], Verdict::Pass)]
#[case::a_red_check(&["PASS parity"], Verdict::Fail)]
#[case::a_bad_word(&["PASS", "LEAK"], Verdict::Fail)]
#[case::not_fired(&["PASS", "NOT-FIRED"], Verdict::Unknown)]
#[case::cut_off(&["PASS", ""], Verdict::Unknown)]
#[case::fail_beats_unknown(&["", "LIED"], Verdict::Fail)]
#[case::no_case(&[], Verdict::Unknown)]
fn a_scenario_is_its_worst_case(#[case] cases: &[&str], #[case] verdict: Verdict) {
    assert_eq!(scenario_verdict(&record(None, cases)).0, verdict);
}

#[rstest]
#[case::all_points_in_both(Coverage { points: 9, classes: 9, visited: 9, lost: 0 }, Verdict::Pass)]
#[case::nothing_to_injure(Coverage::default(), Verdict::Unknown)]
#[case::points_in_one_golden_run_only(Coverage { points: 9, classes: 6, visited: 6, lost: 3 }, Verdict::Unknown)]
fn a_sweep_is_green_only_over_points_that_are_known(#[case] coverage: Coverage, #[case] verdict: Verdict) {
    let faults = vec![("proc.kill".to_owned(), "copy".to_owned(), coverage)];
    let record = ScenarioRecord { faults, ..record(None, &["PASS"]) };
    assert_eq!(scenario_verdict(&record).0, verdict);
}

#[test]
fn what_is_broken_off_is_unknown_and_what_was_red_stays_red() {
    assert_eq!(broken_off_verdict(&record(None, &["PASS"])), Verdict::Unknown);
    assert_eq!(broken_off_verdict(&record(None, &["PASS", "LIED"])), Verdict::Fail);
    let expect = ExpectRecord { red: vec!["parity".into()], outcome: None };
    assert_eq!(broken_off_verdict(&record(Some(expect), &["LIED parity"])), Verdict::Unknown);
}

#[test]
fn a_canary_whose_check_could_not_be_answered_has_shown_nothing() {
    let expect = ExpectRecord { red: vec!["parity".into()], outcome: None };
    let mut record = record(Some(expect), &["PASS parity"]);
    assert_eq!(scenario_verdict(&record).0, Verdict::Pass);
    record.cases.values_mut().flat_map(|case| &mut case.checks).for_each(|check| check.verdict = Verdict::Unknown);
    assert_eq!(scenario_verdict(&record).0, Verdict::Unknown);
}

fn record(expect: Option<ExpectRecord>, cases: &[&str]) -> ScenarioRecord {
    let check = |name: &str| CheckResult {
        check: name.to_owned(),
        verdict: Verdict::Fail,
        findings: Vec::new(),
        findings_total: 1,
    };
    let case = |(number, words): (usize, &&str)| {
        let (outcome, red) = words.split_once(' ').unwrap_or((words, ""));
        let checks = red.split_whitespace().map(check).collect();
        let case = format!("x/{number}");
        (case.clone(), CaseRecord { case, outcome: Outcome::parse(outcome), checks, ..CaseRecord::default() })
    };
    let cases = cases.iter().enumerate().map(case).collect();
    ScenarioRecord { scenario: "x".into(), expect, cases, ..ScenarioRecord::default() }
}

/// A copy that was injured, and whose way out was injured too: what comes after the first fault.
#[rstest]
#[case::survived("relapse copy killed target=half\nrecovery copy 0 target=done", Outcome::Pass, PASS)]
#[case::survived_by_another_way("relapse copy killed\nrecovery undo 0\nrecovery copy 0", Outcome::Pass, PASS)]
#[case::right_at_once_but_not_dead("relapse copy 0 target=done", Outcome::Pass, UNKNOWN)]
#[case::not_survived("relapse copy killed target=half\nrecovery copy 1 target=half", Outcome::Stuck, PASS)]
#[case::hung("relapse copy hung target=half", Outcome::Hang, UNKNOWN)]
fn the_word_of_a_compound_case(#[case] way_out: &str, #[case] word: Outcome, #[case] fired: Option<Verdict>) {
    let case = format!("fired\ninjured copy killed target=half\nfired\n{way_out}\nleft\nend source=old target=done");
    assert_eq!(compound(&case), (word, fired));
}

#[test]
fn a_compound_case_that_ends_wrong_lied() {
    let case = "fired\ninjured copy killed target=half\nfired\nrelapse copy killed target=half\n\
                recovery copy 0 target=half\nleft\nend source=old target=half";
    assert_eq!(compound(case), (Outcome::Lied, PASS));
}

#[rstest]
#[case::the_second("fired\ninjured copy killed target=half\nrelapse copy 0 target=done")]
#[case::the_first_alone_was_absorbed("fired\ninjured copy 0 target=done")]
#[case::the_first("injured copy 1 target=half\nfired\nrelapse copy killed\nrecovery copy 0 target=done")]
fn a_compound_case_in_which_one_fault_never_struck(#[case] case: &str) {
    let case = format!("{case}\nleft\nend source=old target=done");
    assert_eq!(compound(&case), (Outcome::NotFired, UNKNOWN));
}

fn compound(case: &str) -> (Outcome, Option<Verdict>) {
    let mut rehearsed = rehearsed(&format!("{COPY}{UNDO}"), GOLDEN, Some(case));
    rehearsed.case.address = Some("proc.kill@pg.target:stmt.1,proc.kill@pg.target:stmt.2".parse().unwrap());
    (classify(&rehearsed.history(), &rehearsed.results()), rehearsed.verdict("faults-fired"))
}
