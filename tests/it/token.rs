//! Tokens: the whole reproduction of a case in one word that can be pasted.

use crate::address::{address, arrives_through_shells};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use rehearsal::model::{Token, TokenDigests, is_shell_safe};
use rstest::rstest;

proptest! {
    #[test]
    fn a_token_comes_back_from_its_text(token in token()) {
        prop_assert_eq!(token.to_string().parse(), Ok(token));
    }

    #[test]
    fn a_token_has_shell_safe_characters_only(token in token()) {
        prop_assert!(is_shell_safe(&token.to_string()));
    }

    #[test]
    fn a_token_that_lost_its_head_or_its_tail_is_no_token(token in token(), cut in 1..8usize) {
        let text = token.to_string();
        prop_assert!(text[cut..].parse::<Token>().is_err());
        prop_assert!(text[..text.len() - cut].parse::<Token>().is_err());
    }

    #[test]
    fn no_text_panics(text in any::<String>()) {
        let _ = text.parse::<Token>();
    }
}

#[rstest]
#[case::empty("", "no `:`")]
#[case::a_word("garbage", "no `:`")]
#[case::of_tomorrow("r2:x:1:a@b:conn.1:00000000-00000000-00000000", "its version is not r1")]
#[case::cut_off_early("r1:x", "no seed")]
#[case::cut_off_later("r1:x:1", "no address")]
#[case::cut_off_late("r1:x:1:a", "no digests")]
#[case::unsafe_name("r1:x/y:1:a@b:conn.1:00000000-00000000-00000000", "the scenario's name")]
#[case::no_name("r1::1:a@b:conn.1:00000000-00000000-00000000", "the scenario's name")]
#[case::signed_seed("r1:x:+1:a@b:conn.1:00000000-00000000-00000000", "the seed")]
#[case::padded_seed("r1:x:01:a@b:conn.1:00000000-00000000-00000000", "the seed")]
#[case::huge_seed("r1:x:18446744073709551616:a@b:conn.1:00000000-00000000-00000000", "the seed")]
#[case::short_digest("r1:x:1:a@b:conn.1:0000000-00000000-00000000", "the digests")]
#[case::upper_case_digest("r1:x:1:a@b:conn.1:0000000A-00000000-00000000", "the digests")]
#[case::two_digests("r1:x:1:a@b:conn.1:00000000-00000000", "the digests")]
fn a_wrong_token_says_what_is_wrong_and_what_to_copy(#[case] text: &str, #[case] why: &str) {
    let message = format!("`{text}` is not a replay token ({why}); copy the whole word that begins with `r1:`");
    assert_eq!(text.parse::<Token>().unwrap_err().to_string(), message);
}

#[test]
fn a_wrong_address_in_a_token_says_what_is_wrong_with_the_address() {
    let error = "r1:x:1:a@b:con.1:00000000-00000000-00000000".parse::<Token>().unwrap_err();
    assert!(error.to_string().starts_with("unknown axis `con`"), "{error}");
}

#[test]
fn tokens_are_pasted_into_shells_unquoted() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut draw = || token().new_tree(&mut runner).unwrap().current().to_string();
    let words: Vec<String> = (0..200).map(|_| draw()).collect();
    arrives_through_shells(&words);
}

fn token() -> impl Strategy<Value = Token> {
    let digest = || "[0-9a-f]{8}";
    let digests =
        (digest(), digest(), digest()).prop_map(|(dataset, tool, trace)| TokenDigests { dataset, tool, trace });
    ("[A-Za-z0-9._-]{1,20}", any::<u64>(), address(), digests).prop_map(|(scenario, seed, address, digests)| Token {
        scenario,
        seed,
        address,
        digests,
    })
}
