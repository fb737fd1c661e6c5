//! Checks over what is asked beside the states: guards, own checks, reports, servers, sequences, traffic, catalogs.
//!
//! More lines of a history: `guard <name> <exit> <said>` with states, `asked <phase> <step>|end <yes>`,
//! `report <phase> <step> <began> <written> <name>=<time>`, `busy <phase> <step> <what>`, `spoke <step> <statements>`,
//! `sequence <next> <furthest> <direction>`.

use super::*;
use rehearsal::model::{ReportAge, SequenceUse, ServerBusy};

/// The events of one of these lines; nothing for other lines.
pub(super) fn of_line(words: &[&str]) -> Option<Vec<Body>> {
    let case = || "x/1".to_owned();
    let time = |word: &str| format!("2026-01-01T{word}Z");
    Some(match *words {
        ["guard", guard, exit, said, ref seen @ ..] => {
            let moment = Moment::Guarded { guard: guard.into() };
            let (exit, said, refusals) = (exit.parse().ok(), said == "said", vec![1]);
            let ended = Body::Guarded { case: case(), guard: guard.into(), refusals, exit, said };
            [vec![ended], probes(&moment, seen)].concat()
        }
        ["asked", ref at @ .., word] => {
            let moment = match *at {
                [phase_name, step] => Moment::after(phase(phase_name), step),
                _ => Moment::End,
            };
            let (check, expected, found) = ("none is lost".into(), "0".into(), word.into());
            vec![Body::Asked { case: case(), moment, check, holds: word == "yes", expected, found }]
        }
        ["report", phase_name, step, began, written, ref stamps @ ..] => {
            let stamp = |word: &&str| word.split_once('=').map(|(name, at)| (name.to_owned(), time(at))).unwrap();
            let (phase, stamps) = (phase(phase_name), stamps.iter().map(stamp).collect());
            let (began, written) = (time(began), time(written));
            vec![Body::Report(ReportAge { case: case(), step: step.into(), phase, began, written, stamps })]
        }
        ["busy", phase_name, step, ref what @ ..] => {
            let busy = what.iter().map(|&what| what.into()).collect();
            vec![Body::Server(ServerBusy { case: case(), step: step.into(), phase: phase(phase_name), busy })]
        }
        ["spoke", step, endpoint, statements] => {
            let statements = BTreeMap::from([(format!("pg.{endpoint}"), statements.parse().unwrap())]);
            vec![Body::Traffic { case: case(), step: step.into(), statements }]
        }
        ["sequence", next, furthest, direction] => {
            let uses = vec![SequenceUse {
                sequence: "names_id".into(),
                table: "names".into(),
                column: "id".into(),
                next: next.into(),
                furthest: Some(furthest.to_owned()).filter(|text| text != "none"),
                ascending: direction == "up",
            }];
            let moment = Moment::after(Phase::Plan, "copy");
            vec![Body::Sequences { case: case(), moment, endpoint: "pg.target".into(), uses }]
        }
        _ => return None,
    })
}

const GUARD: &str = "[[guard]]\nname = \"sure\"\nbefore = \"undo\"\nargv = [\"undo\"]\nsays = \"sure?\"\n";
const OWN: &str = "[[check]]\nname = \"none is lost\"\ncommand = { argv = [\"count\"] }\n";

#[rstest]
#[case::it_refuses("guard sure 1 said source=old target=done", PASS)]
#[case::it_succeeds("guard sure 0 said source=old target=done", FAIL)]
#[case::it_refuses_by_another_code("guard sure 2 said source=old target=done", FAIL)]
#[case::it_has_to_be_killed("guard sure killed said source=old target=done", FAIL)]
#[case::it_refuses_for_another_reason("guard sure 1 silent source=old target=done", FAIL)]
#[case::it_refuses_and_writes("guard sure 1 said source=old target=half", FAIL)]
#[case::it_refuses_and_writes_to_the_source("guard sure 1 said source=old-row target=done", FAIL)]
#[case::nobody_looked_at_a_database("guard sure 1 said target=done", UNKNOWN)]
#[case::it_was_not_tried("", UNKNOWN)]
fn guard_refuses(#[case] guard: &str, #[case] verdict: Option<Verdict>) {
    let golden = format!("start source=old target=new\nplan copy 0 source=old target=done\n{guard}");
    assert_eq!(rehearsed(&format!("{COPY}{UNDO}{GUARD}"), &golden, None).verdict("guard-refuses"), verdict);
}

#[test]
fn a_guard_is_asked_for_only_where_the_procedure_came_to_it() {
    let golden = "start source=old target=new\nplan copy 1 source=old target=half";
    let steps = format!("{COPY}{UNDO}{GUARD}");
    assert_eq!(rehearsed(&steps, golden, None).verdict("guard-refuses"), PASS);
    assert_eq!(rehearsed(&steps, golden, Some(RECOVERED)).verdict("guard-refuses"), NOT_ASKED);
    assert_eq!(rehearsed(&format!("{COPY}{UNDO}"), golden, None).verdict("guard-refuses"), NOT_ASKED);
}

#[rstest]
#[case::yes("asked plan copy yes", PASS)]
#[case::no("asked plan copy 3", FAIL)]
#[case::no_once_it_ran_again("asked plan copy yes\nrerun copy 0 target=done\nasked rerun copy 3", FAIL)]
#[case::not_asked_once_it_ran_again("asked plan copy yes\nrerun copy 0 target=done", UNKNOWN)]
#[case::not_asked("", UNKNOWN)]
fn own_checks_of_a_golden_run(#[case] asked: &str, #[case] verdict: Option<Verdict>) {
    let golden = format!("start source=old target=new\nplan copy 0 target=done\n{asked}");
    assert_eq!(rehearsed(&format!("{COPY}{OWN}"), &golden, None).verdict("own-checks"), verdict);
}

#[rstest]
#[case::yes("recovery copy 0\nasked end yes", PASS)]
#[case::no("recovery copy 0\nasked end 3", FAIL)]
#[case::not_asked("recovery copy 0", UNKNOWN)]
#[case::a_rollback_promises_something_else("recovery undo 0", NOT_ASKED)]
fn own_checks_of_an_injured_case(#[case] case: &str, #[case] verdict: Option<Verdict>) {
    let steps = format!("{COPY}{UNDO}{OWN}");
    assert_eq!(rehearsed(&steps, GOLDEN, Some(case)).verdict("own-checks"), verdict);
    assert_eq!(rehearsed(&format!("{COPY}{UNDO}"), GOLDEN, Some(case)).verdict("own-checks"), NOT_ASKED);
}

#[rstest]
#[case::written_by_the_step("report plan copy 10:00:00.500000 10:00:00.700000", PASS)]
#[case::written_at_its_beginning("report plan copy 10:00:00.500000 10:00:00.500000", PASS)]
#[case::written_before_it("report plan copy 10:00:00.500000 10:00:00.499999", FAIL)]
#[case::says_a_time_within("report plan copy 10:00:00.5 10:00:00.7 finished_at=10:00:00.6", PASS)]
#[case::says_whole_seconds("report plan copy 10:00:00.5 10:00:00.7 finished_at=10:00:00.0", PASS)]
#[case::says_a_time_before("report plan copy 10:00:00.5 10:00:00.7 finished_at=09:59:59.9", FAIL)]
#[case::one_of_two_is_before("report plan copy 10:00:01.5 10:00:01.7 a=10:00:01.6 b=10:00:00.9", FAIL)]
#[case::later_one_is_stale("report plan copy 10:00:00 10:00:01\nreport rerun copy 11:00:00 10:00:01", FAIL)]
#[case::also_of_a_step_that_was_killed("report injured copy 11:00:00 10:00:01", FAIL)]
#[case::there_is_none("plan copy 0", NOT_ASKED)]
fn report_is_fresh(#[case] case: &str, #[case] verdict: Option<Verdict>) {
    assert_eq!(rehearsed(COPY, GOLDEN, Some(case)).verdict("report-is-fresh"), verdict);
}

#[rstest]
#[case::nothing("busy plan copy", PASS)]
#[case::a_session("busy plan copy session", FAIL)]
#[case::only_once("busy plan copy session\nbusy plan look", FAIL)]
#[case::nobody_looked("plan copy 0", NOT_ASKED)]
fn quiet_server(#[case] case: &str, #[case] verdict: Option<Verdict>) {
    assert_eq!(rehearsed(COPY, GOLDEN, Some(case)).verdict("quiet-server"), verdict);
}

#[rstest]
#[case::with_the_target("plan copy 0\nspoke copy target 1", PASS)]
#[case::with_the_source_only("plan copy 0\nspoke copy source 1", UNKNOWN)]
#[case::without_a_word("plan copy 0\nspoke copy target 0", UNKNOWN)]
#[case::another_step_did("plan copy 0\nspoke look target 1", UNKNOWN)]
#[case::nobody_looked("plan copy 0", UNKNOWN)]
#[case::it_never_ran("plan look 0\nspoke look target 1", NOT_ASKED)]
fn tool_seen(#[case] golden: &str, #[case] verdict: Option<Verdict>) {
    let steps = format!("{LOOK}{COPY}");
    assert_eq!(rehearsed(&steps, golden, None).verdict("tool-seen"), verdict);
    assert_eq!(rehearsed(&steps, golden, Some(golden)).verdict("tool-seen"), NOT_ASKED);
}

#[test]
fn a_tool_is_not_looked_for_where_it_cannot_be_seen() {
    let mut rehearsed = rehearsed(COPY, "plan copy 0", None);
    rehearsed.plan.targets[1].engine = Engine::Sqlite;
    assert_eq!(rehearsed.verdict("tool-seen"), NOT_ASKED);
}

#[rstest]
#[case::as_at_the_start("done", "", PASS)]
#[case::an_index_more("index", "", FAIL)]
#[case::declared("index", "[catalog]\nmay_change = [\"index *\"]\n", PASS)]
#[case::something_else_is_declared("index", "[catalog]\nmay_change = [\"column *\"]\n", FAIL)]
#[case::not_seen("", "", UNKNOWN)]
fn catalog_equal(#[case] state: &str, #[case] declared: &str, #[case] verdict: Option<Verdict>) {
    let seen = if state.is_empty() { String::new() } else { format!(" target={state}") };
    let golden = format!("start source=old target=new\nplan copy 0{seen}");
    assert_eq!(rehearsed(&format!("{COPY}{declared}"), &golden, None).verdict("catalog-equal"), verdict);
    assert_eq!(rehearsed(&format!("{COPY}{declared}"), &golden, Some(RECOVERED)).verdict("catalog-equal"), NOT_ASKED);
}

#[rstest]
#[case::a_valid_index("index names.i", "CREATE INDEX i", PASS)]
#[case::an_invalid_index("index names.i", "CREATE INDEX i (invalid)", FAIL)]
#[case::an_index_that_is_not_ready("index names.i", "CREATE INDEX i (not ready)", FAIL)]
#[case::a_constraint_that_is_not_validated("constraint names.c", "CHECK (x > 0) (not validated)", FAIL)]
#[case::a_trigger("trigger names.t", "CREATE TRIGGER t enabled O", PASS)]
#[case::a_trigger_that_is_off("trigger names.t", "CREATE TRIGGER t enabled D", FAIL)]
fn what_is_unsound_is_never_excused(#[case] object: &str, #[case] text: &str, #[case] verdict: Option<Verdict>) {
    let declared = format!("{COPY}[catalog]\nmay_change = [\"*\"]\n");
    let mut rehearsed = rehearsed(&declared, "start source=old target=new\nplan copy 0 target=changed", None);
    let mut changed = (*rehearsed.states["done"]).clone();
    changed.catalog.insert(object.into(), text.into());
    rehearsed.states.insert("changed".into(), Arc::new(changed));
    assert_eq!(rehearsed.verdict("catalog-equal"), verdict);
}

#[rstest]
#[case::the_same("text not null", "text", "", PASS)]
#[case::another("text not null", "character varying(10) not null", "", FAIL)]
#[case::another_length("character varying(10)", "character varying(20)", "", FAIL)]
#[case::another_that_is_declared("integer", "bigint", "[catalog]\nmay_change = [\"column names.x\"]\n", PASS)]
#[case::a_word_that_is_no_type("integer default 1", "integer identity always", "", PASS)]
fn the_types_of_a_copied_table_are_those_of_its_source(
    #[case] of_source: &str,
    #[case] of_target: &str,
    #[case] declared: &str,
    #[case] verdict: Option<Verdict>,
) {
    let golden = "start source=typed-old target=typed-new\nplan copy 0 target=typed-done";
    let mut rehearsed = rehearsed(&format!("{COPY}{declared}"), golden, None);
    for (state, of) in [("old", of_source), ("new", of_target), ("done", of_target)] {
        let mut typed = (*rehearsed.states[state]).clone();
        typed.catalog.insert("column names.x".into(), of.into());
        rehearsed.states.insert(format!("typed-{state}"), Arc::new(typed));
    }
    assert_eq!(rehearsed.verdict("catalog-equal"), verdict);
}

#[rstest]
#[case::past_the_highest("sequence 3 2 up", PASS)]
#[case::at_the_highest("sequence 2 2 up", FAIL)]
#[case::behind("sequence 1 2 up", FAIL)]
#[case::of_an_empty_table("sequence 1 none up", PASS)]
#[case::downwards_past_the_lowest("sequence -3 -2 down", PASS)]
#[case::downwards_behind("sequence -1 -2 down", FAIL)]
#[case::larger_than_any_machine_word("sequence 99999999999999999999 100000000000000000000 up", FAIL)]
fn a_sequence_is_past_what_its_column_holds(#[case] sequence: &str, #[case] verdict: Option<Verdict>) {
    let golden = format!("start source=old target=new\nplan copy 0 target=done\n{sequence}");
    assert_eq!(rehearsed(COPY, &golden, None).verdict("catalog-equal"), verdict);
    // A table that the tool never touched may be as it likes.
    let golden = format!("start source=old target=done\nplan copy 0 target=done\n{sequence}");
    assert_eq!(rehearsed(COPY, &golden, None).verdict("catalog-equal"), PASS);
}

#[test]
fn parity_names_the_keys_in_which_a_transformation_differs() {
    let golden = "start source=old target=new\nplan copy 0 target=other-rows\nmap plan copy differs";
    let mut rehearsed = rehearsed(&format!("{COPY}{MAP}"), golden, None);
    let keys = vec!["changed 7".to_owned(), "missing 9".to_owned()];
    let moment = Moment::after(Phase::Plan, "copy");
    rehearsed.case.events.push(Body::MapKeys { case: "x/1".into(), moment, map: 1, keys, total: 5 });
    let parity = rehearsed.results().into_iter().find(|result| result.check == "parity").unwrap();
    assert_eq!(parity.findings[0].difference.object, "map 1 (changed 7; missing 9 and 3 more)");
}

#[rstest]
#[case::when_it_is_judged("plan", FAIL)]
#[case::at_another_time("injured", UNKNOWN)]
fn a_transformation_that_the_server_refuses_is_not_met(#[case] when: &str, #[case] verdict: Option<Verdict>) {
    let golden = "start source=old target=new\nplan copy 0 target=other-rows";
    let mut rehearsed = rehearsed(&format!("{COPY}{MAP}"), golden, None);
    let (moment, why) = (Moment::after(phase(when), "copy"), "no such column".to_owned());
    rehearsed.case.events.push(Body::MapRefused { case: "x/1".into(), moment, map: 1, why });
    assert_eq!(rehearsed.verdict("parity"), verdict);
}
