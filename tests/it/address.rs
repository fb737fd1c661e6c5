//! Addresses: they come back from their text, survive a shell unquoted, and a wrong one says what is right.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use rehearsal::model::{Address, Axis, FaultPoint, Fingerprint, Place, is_shell_safe, parse_kind};
use rstest::rstest;
use std::collections::BTreeMap;
use std::path::Path;

proptest! {
    #[test]
    fn a_place_comes_back_from_its_text(place in place()) {
        prop_assert_eq!(place.to_string().parse(), Ok(place));
    }

    #[test]
    fn a_fault_point_comes_back_from_its_text(point in point()) {
        prop_assert_eq!(point.to_string().parse(), Ok(point));
    }

    #[test]
    fn an_address_comes_back_from_its_text_and_from_json(address in address()) {
        prop_assert_eq!(address.to_string().parse(), Ok(address.clone()));
        let json = serde_json::to_string(&address).unwrap();
        prop_assert_eq!(serde_json::from_str::<Address>(&json).unwrap(), address);
    }

    #[test]
    fn an_address_has_shell_safe_characters_only(address in address()) {
        prop_assert!(is_shell_safe(&address.to_string()));
    }

    #[test]
    fn what_parses_is_the_one_spelling(text in r"[a-z.]{1,4}(=[0-9]{1,2})?@[a-z.]{1,4}:(stmt|conn)(-[0-9a-f]{6})?\.[0-9]{1,3}\+?") {
        if let Ok(address) = text.parse::<Address>() {
            prop_assert_eq!(address.to_string(), text);
        }
    }

    #[test]
    fn no_text_panics(text in any::<String>()) {
        let _ = text.parse::<Address>();
    }
}

#[rstest]
#[case::plain("net.lostack@pg.target:commit.1")]
#[case::with_argument_and_fingerprint("sql.error=53100@pg.target:stmt-9c1e03.3")]
#[case::file("proc.kill@file.new:op.31")]
#[case::for_ever("disk.full@file.new:write.128+")]
#[case::chained("proc.kill@pg.target:commit.1,net.reset@pg.source.general:conn.2")]
fn the_addresses_of_the_contract_are_addresses(#[case] text: &str) {
    assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
}

#[test]
fn every_axis_has_a_name_of_its_own() {
    let names: BTreeMap<&str, Axis> = Axis::ALL.into_iter().map(|axis| (axis.name(), axis)).collect();
    assert_eq!(names.len(), Axis::ALL.len());
}

#[rstest]
#[case::empty("", "`` is not a fault; write kind@endpoint:axis.n")]
#[case::no_kind("pg.target:commit.1", "`pg.target:commit.1` is not a fault; write kind@endpoint:axis.n")]
#[case::empty_kind("@pg.target:commit.1", "`` is not a kind of fault; write it as in proc.kill or sql.error=53100")]
#[case::unsafe_kind(
    "a b@pg.target:commit.1",
    "`a b` is not a kind of fault; write it as in proc.kill or sql.error=53100"
)]
#[case::empty_argument(
    "sql.error=@pg.target:stmt.1",
    "`sql.error=` is not a kind of fault; write it as in proc.kill or sql.error=53100"
)]
#[case::unknown_axis(
    "proc.kill@pg.target:comit.1",
    "unknown axis `comit`; the axes are conn, stmt, ack, commit, copyin, copyout, epoch, byte, op, write, sync, rename, \
     unlink, lock, step"
)]
#[case::no_number("proc.kill@pg.target:commit", NO_PLACE_COMMIT)]
#[case::zeroth("proc.kill@x:commit.0", "`x:commit.0` is not a place; write endpoint:axis.n, as in pg.target:commit.3")]
#[case::two_spellings(
    "proc.kill@x:commit.01",
    "`x:commit.01` is not a place; write endpoint:axis.n, as in pg.target:commit.3"
)]
#[case::too_large(
    "proc.kill@x:commit.4294967296",
    "`x:commit.4294967296` is not a place; write endpoint:axis.n, as in pg.target:commit.3"
)]
#[case::no_endpoint(
    "proc.kill@:commit.1",
    "`:commit.1` is not a place; write endpoint:axis.n, as in pg.target:commit.3"
)]
#[case::short_fingerprint("proc.kill@x:stmt-9c1e.1", "`9c1e` is not a fingerprint; it has six digits of 0-9a-f")]
#[case::upper_case_fingerprint(
    "proc.kill@x:stmt-9C1E03.1",
    "`9C1E03` is not a fingerprint; it has six digits of 0-9a-f"
)]
#[case::signed_fingerprint("proc.kill@x:stmt-+c1e03.1", "`+c1e03` is not a fingerprint; it has six digits of 0-9a-f")]
#[case::ends_in_a_comma("proc.kill@x:stmt.1,", "`` is not a fault; write kind@endpoint:axis.n")]
fn a_wrong_address_says_what_is_right(#[case] text: &str, #[case] message: &str) {
    assert_eq!(text.parse::<Address>().unwrap_err().to_string(), message);
}

const NO_PLACE_COMMIT: &str = "`pg.target:commit` is not a place; write endpoint:axis.n, as in pg.target:commit.3";

#[test]
fn a_kind_may_have_an_argument() {
    assert_eq!(parse_kind("sql.error=53100"), Ok(("sql.error".into(), Some("53100".into()))));
    assert_eq!(parse_kind("proc.kill"), Ok(("proc.kill".into(), None)));
}

#[test]
fn addresses_are_pasted_into_shells_unquoted() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut draw = || address().new_tree(&mut runner).unwrap().current().to_string();
    let words: Vec<String> = (0..200).map(|_| draw()).collect();
    arrives_through_shells(&words);
}

/// Pastes `words` unquoted into each shell that is here, in a directory whose files patterns could match.
pub(crate) fn arrives_through_shells(words: &[String]) {
    let shells: Vec<_> = ["bash", "zsh"].iter().filter_map(|shell| which::which(shell).ok()).collect();
    assert!(!shells.is_empty(), "no bash to paste into");
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("r1:x:1:a@b:conn.1"), "").unwrap();
    for shell in shells {
        // `r1:...` is a word of its own and an argument, never a command: people paste it behind `rehearse replay`.
        let script = format!("printf '%s\\n' {}", words.join(" "));
        let argv = [shell.clone().into(), "-c".into(), script.into()];
        let output = rehearsal::process::run(&argv, dir.path(), &BTreeMap::new(), None, "").unwrap();
        let arrived = String::from_utf8(output.stdout).unwrap();
        assert_eq!(arrived.lines().collect::<Vec<_>>(), words, "{}", Path::new(&shell).display());
    }
}

fn name() -> impl Strategy<Value = String> {
    "[A-Za-z0-9._-]{1,12}"
}

fn place() -> impl Strategy<Value = Place> {
    let fingerprint = prop::option::of(any::<String>().prop_map(|sql| Fingerprint::of(&sql)));
    let axis = prop::sample::select(Axis::ALL.to_vec());
    (name(), axis, fingerprint, 1..=u32::MAX, any::<bool>())
        .prop_map(|(endpoint, axis, fingerprint, nth, forever)| Place { endpoint, axis, fingerprint, nth, forever })
}

fn point() -> impl Strategy<Value = FaultPoint> {
    (name(), prop::option::of(name()), place()).prop_map(|(kind, arg, place)| FaultPoint { kind, arg, place })
}

/// There is no constructor of a chain: it is made of its text, as people make it.
pub(crate) fn address() -> impl Strategy<Value = Address> {
    prop::collection::vec(point(), 1..4).prop_map(|points| {
        let text = points.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        let address: Address = text.parse().unwrap();
        assert_eq!(address.points(), points);
        address
    })
}
