//! Verdicts are a lattice: `pass < unknown < fail`, the worst wins, and nothing asked is nothing known.

use proptest::prelude::*;
use rehearsal::model::{Outcome, Verdict};
use rstest::rstest;
use std::collections::BTreeSet;

fn verdict() -> impl Strategy<Value = Verdict> {
    prop::sample::select(vec![Verdict::Pass, Verdict::Unknown, Verdict::Fail])
}

fn worse(a: Verdict, b: Verdict) -> Verdict {
    Verdict::worst([a, b])
}

proptest! {
    #[test]
    fn the_order_does_not_matter(a in verdict(), b in verdict()) {
        prop_assert_eq!(worse(a, b), worse(b, a));
    }

    #[test]
    fn nor_do_brackets(a in verdict(), b in verdict(), c in verdict()) {
        prop_assert_eq!(worse(worse(a, b), c), worse(a, worse(b, c)));
        prop_assert_eq!(worse(worse(a, b), c), Verdict::worst([a, b, c]));
    }

    #[test]
    fn twice_is_once(a in verdict()) {
        prop_assert_eq!(worse(a, a), a);
    }

    #[test]
    fn a_pass_changes_nothing_and_a_fail_everything(a in verdict()) {
        prop_assert_eq!(worse(a, Verdict::Pass), a);
        prop_assert_eq!(worse(a, Verdict::Fail), Verdict::Fail);
    }

    #[test]
    fn many_are_green_only_if_each_is(all in prop::collection::vec(verdict(), 1..20)) {
        prop_assert_eq!(Verdict::worst(all.clone()) == Verdict::Pass, all.iter().all(|one| *one == Verdict::Pass));
    }
}

#[test]
fn of_nothing_nothing_is_known() {
    assert_eq!(Verdict::worst([]), Verdict::Unknown);
}

#[rstest]
#[case(Verdict::Pass, "GO", 0, "pass")]
#[case(Verdict::Unknown, "INCONCLUSIVE", 2, "unknown")]
#[case(Verdict::Fail, "NO-GO", 1, "fail")]
fn each_verdict_has_a_headline_and_an_exit_code(
    #[case] verdict: Verdict,
    #[case] headline: &str,
    #[case] exit_code: u8,
    #[case] word: &str,
) {
    assert_eq!((verdict.headline(), verdict.exit_code()), (headline, exit_code));
    assert_eq!(verdict.to_string(), word);
    assert_eq!(serde_json::to_string(&verdict).unwrap(), format!("\"{word}\""));
}

#[rstest]
#[case(Outcome::Pass, Verdict::Pass)]
#[case(Outcome::Absorbed, Verdict::Pass)]
#[case(Outcome::NotFired, Verdict::Unknown)]
#[case(Outcome::Diverged, Verdict::Unknown)]
#[case(Outcome::Unfinished, Verdict::Unknown)]
#[case(Outcome::Silent, Verdict::Fail)]
#[case(Outcome::Lied, Verdict::Fail)]
#[case(Outcome::Stuck, Verdict::Fail)]
#[case(Outcome::Corrupt, Verdict::Fail)]
#[case(Outcome::Leak, Verdict::Fail)]
#[case(Outcome::Hang, Verdict::Fail)]
#[case(Outcome::SourceTouched, Verdict::Fail)]
fn each_word_has_a_verdict(#[case] outcome: Outcome, #[case] verdict: Verdict) {
    assert_eq!(outcome.verdict(), verdict);
}

#[test]
fn each_word_is_spelled_alike_everywhere() {
    for outcome in Outcome::ALL {
        assert_eq!(Outcome::parse(outcome.word()), Some(outcome));
        assert_eq!(outcome.to_string(), outcome.word());
        assert_eq!(serde_json::to_string(&outcome).unwrap(), format!("\"{}\"", outcome.word()));
    }
    assert_eq!(Outcome::parse("pass"), None);
}

#[test]
fn all_words_are_listed_in_the_order_of_the_lattice_each_with_its_own_meaning() {
    assert!(Outcome::ALL.is_sorted_by(|a, b| a < b));
    assert!(Outcome::ALL.map(Outcome::verdict).is_sorted());
    let meanings: BTreeSet<&str> = Outcome::ALL.map(Outcome::meaning).into();
    assert_eq!(meanings.len(), Outcome::ALL.len());
}
