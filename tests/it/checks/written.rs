//! What is right when the harness wrote to a source while the tool was at work: `old` got a row and is `old-row`.

use super::*;

/// A copy during which a row was inserted, and what the way out left.
fn written(injured: &str, recovery: &str) -> Rehearsed {
    let case = format!(
        "fired\nbegan injured copy\nwrote old old-row\ninjured copy {injured}\nbegan recovery copy\n\
         recovery copy 0 target={recovery}\nleft\nend source=old-row target={recovery}"
    );
    rehearsed(COPY, GOLDEN, Some(&case))
}

#[rstest]
#[case::refused_and_caught_up("1 target=half", "done-row", PASS)]
#[case::showed_the_moment_before("0 target=done", "done-row", PASS)]
#[case::showed_the_moment_after("0 target=done-row", "done-row", PASS)]
#[case::showed_no_moment("0 target=half", "done-row", FAIL)]
#[case::the_way_out_did_not_see_it("0 target=done", "done", FAIL)]
#[case::the_way_out_of_a_refusal_did_not_see_it("1 target=half", "done", FAIL)]
fn parity_after_a_write_to_a_source(#[case] injured: &str, #[case] recovery: &str, #[case] verdict: Option<Verdict>) {
    assert_eq!(written(injured, recovery).verdict("parity"), verdict);
}

#[rstest]
#[case::showed_no_moment("0 target=half", "done", Outcome::Silent)]
#[case::showed_no_moment_and_was_caught_up("0 target=half", "done-row", Outcome::Silent)]
#[case::the_way_out_did_not_see_it("0 target=done", "done", Outcome::Lied)]
#[case::the_way_out_of_a_refusal_did_not_see_it("1 target=half", "done", Outcome::Lied)]
#[case::the_way_out_saw_it("0 target=done", "done-row", Outcome::Absorbed)]
fn the_word_says_which_of_two_steps_was_wrong(#[case] injured: &str, #[case] recovery: &str, #[case] outcome: Outcome) {
    let written = written(injured, recovery);
    assert_eq!(classify(&written.history(), &written.results()), outcome);
}

#[rstest]
#[case::more_rows_and_a_sequence_further_on("done-row", PASS)]
#[case::a_sequence_behind("done-row-behind", FAIL)]
#[case::another_definition("done-row-index", FAIL)]
fn all_but_the_rows_is_the_golden_state(#[case] recovery: &str, #[case] verdict: Option<Verdict>) {
    assert_eq!(written("1 target=half", recovery).verdict("golden-state"), verdict);
}

#[rstest]
#[case::what_we_wrote("wrote old old-row\nend source=old-row", PASS)]
#[case::undone_by_the_tool("wrote old old-row\nend source=old", FAIL)]
#[case::touched_by_the_tool_before("wrote old-catalog old-row\nend source=old-row", FAIL)]
#[case::touched_where_nobody_wrote("end source=old-row", FAIL)]
fn a_source_ends_as_it_began_and_with_what_we_wrote(#[case] case: &str, #[case] verdict: Option<Verdict>) {
    assert_eq!(rehearsed(COPY, GOLDEN, Some(case)).verdict("sources-unchanged"), verdict);
}

#[test]
fn a_map_may_show_the_moment_before_too() {
    let golden = "start source=old target=new\nplan copy 0 target=done\nmap plan copy same";
    let case = |seen: &str| {
        format!(
            "fired\nbegan injured copy\nwrote old old-row\ninjured copy 0 target=done\nmap injured copy {seen}\n\
             began recovery copy\nrecovery copy 0 target=done\nend source=old-row target=done\nmap-at-the-end same"
        )
    };
    // The golden source gave what the target gives here; the source as it is now gives something else.
    let verdict = |seen| rehearsed(&format!("{COPY}{MAP}"), golden, Some(&case(seen))).verdict("parity");
    assert_eq!((verdict("same"), verdict("late"), verdict("differs")), (PASS, PASS, FAIL));
}
