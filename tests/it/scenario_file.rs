//! Scenario files: what is wrong is shown with line, column and caret, and with what would be right.

use proptest::prelude::*;
use rehearsal::model::{Known, Problem, Scenario, render};
use rehearsal::registry::Registry;
use rstest::{Context, rstest};

const FLOW: &str = "format = 1\nabout = \"x\"\nflow = \"one-db\"\ndataset = \"butlers-small\"\n";
const STEPS: &str = r#"format = 1
about = "x"
dataset = "ledger-small"
[targets]
source = { postgres = "old" }
target = { postgres = "new" }
[[step]]
name = "copy"
role = "apply"
argv = ["sh", "copy.sh"]
"#;

fn known() -> Known {
    Registry::builtin().known()
}

fn problems(text: &str) -> Vec<Problem> {
    Scenario::parse("x", text, &known()).err().unwrap_or_default()
}

#[rstest]
#[case::typo_at_the_top(FLOW, "sead = 7")]
#[case::typo_in_a_step(STEPS, "timout = \"2m\"")]
#[case::typo_in_a_fault(FLOW, "[[fault]]\nkind = \"proc.kill\"\nduring = \"run\"\nat = \"sweep\"\nwhen = 1")]
#[case::unknown_kind(FLOW, "[[fault]]\nkind = \"proc.kil\"\nduring = \"run\"\nat = \"sweep\"")]
#[case::malformed_kind(FLOW, "[[fault]]\nkind = \"proc kill\"\nduring = \"run\"\nat = \"sweep\"")]
#[case::unknown_role(STEPS, "[[step]]\nname = \"undo\"\nrole = \"rolback\"\nargv = [\"x\"]")]
#[case::fault_during_no_step(FLOW, "[[fault]]\nkind = \"proc.kill\"\nduring = \"ran\"\nat = \"sweep\"")]
#[case::fault_during_a_step_of_the_flow_that_own_steps_replace(
    STEPS,
    "[[fault]]\nkind = \"proc.kill\"\nduring = \"run\"\nat = \"sweep\""
)]
#[case::bad_address(FLOW, "[[fault]]\nkind = \"proc.kill\"\nduring = \"run\"\nat = \"pg.target:commit\"")]
#[case::unknown_axis(FLOW, "[[fault]]\nkind = \"proc.kill\"\nduring = \"run\"\nat = \"pg.target:comit.1\"")]
#[case::axis_that_the_kind_has_not(
    FLOW,
    "[[fault]]\nkind = \"net.reset\"\nduring = \"run\"\nat = \"pg.target:write.1\""
)]
#[case::one_kind_during_two_steps(
    FLOW,
    "[[fault]]\nkind = \"proc.kill\"\nduring = \"run\"\nat = \"sweep\"\n\
     [[fault]]\nkind = \"proc.kill\"\nduring = \"rollback\"\nat = \"sweep\""
)]
#[case::one_second_kind_during_two_steps(
    FLOW,
    "[[fault]]\nkind = \"proc.kill\"\nduring = \"run\"\nat = \"sweep\"\n\
     then = { kind = \"net.reset\", during = \"run\", at = \"sweep\" }\n\
     [[fault]]\nkind = \"proc.kill\"\nduring = \"run\"\nat = \"sweep\"\n\
     then = { kind = \"net.reset\", during = \"rollback\", at = \"sweep\" }"
)]
#[case::second_fault_during_no_step(
    FLOW,
    "[[fault]]\nkind = \"proc.kill\"\nduring = \"run\"\nat = \"sweep\"\n\
     then = { kind = \"proc.kill\", during = \"undo\", at = \"sweep\" }"
)]
#[case::second_fault_without_a_place(
    FLOW,
    "[[fault]]\nkind = \"proc.kill\"\nduring = \"run\"\nat = \"sweep\"\nthen = { kind = \"proc.kill\" }"
)]
#[case::typo_in_a_second_fault(
    FLOW,
    "[[fault]]\nkind = \"proc.kill\"\nduring = \"run\"\nat = \"sweep\"\nthen = { kind = \"proc.kill\", on = \"sweep\" }"
)]
#[case::recovery_before_no_step(FLOW, "[[recovery]]\nwhen = { before = \"cutover\" }\nsteps = [\"run\"]")]
#[case::recovery_after_a_bad_place(FLOW, "[[recovery]]\nwhen = { after = \"pg.target:commit\" }\nsteps = [\"run\"]")]
#[case::recovery_after_a_place_for_ever(
    FLOW,
    "[[recovery]]\nwhen = { after = \"pg.target:commit.2+\" }\nsteps = [\"run\"]"
)]
#[case::bad_duration(STEPS, "timeout = \"2 minutes\"")]
#[case::no_duration(STEPS, "timeout = \"0s\"")]
#[case::claims_without_ok(STEPS, "claims = { report = \"out/run.json\" }")]
#[case::claims_without_a_pointer(STEPS, "claims = { report = \"out/run.json\", ok = \"status = ok\" }")]
#[case::claims_outside(STEPS, "claims = { report = \"../run.json\", ok = \"/status = ok\" }")]
#[case::claims_of_a_word(STEPS, "claims = \"nothing\"")]
#[case::file_outside(STEPS, "files = { \"/etc/config.ini\" = \"\" }")]
#[case::no_program(STEPS, "[[step]]\nname = \"look\"\nrole = \"verify\"\nargv = []")]
#[case::step_name_with_a_space(STEPS, "[[step]]\nname = \"a b\"\nrole = \"verify\"\nargv = [\"x\"]")]
#[case::step_named_twice(STEPS, "[[step]]\nname = \"copy\"\nrole = \"verify\"\nargv = [\"x\"]")]
#[case::recovery_by_no_step(FLOW, "[[recovery]]\nsteps = [\"roll-back\"]")]
#[case::recovery_of_an_unknown_kind(FLOW, "[[recovery]]\nwhen = { kind = \"net.rst\" }\nsteps = [\"run\"]")]
#[case::unknown_rerun(FLOW, "[rerun]\nexpect = \"noop\"")]
#[case::map_without_its_source(FLOW, "[[map]]\ntarget = \"select 1\"")]
#[case::map_that_does_not_say_on_which_source(FLOW, "[[map]]\nsource = \"select 1\"\ntarget = \"select 1\"")]
#[case::map_on_an_unknown_source(STEPS, "[[map]]\non = \"source.old\"\nsource = \"select 1\"\ntarget = \"select 1\"")]
#[case::volatile_without_a_reason(FLOW, "[[volatile]]\ntable = \"one.runs\"\ncolumns = [\"started_at\"]")]
#[case::volatile_with_an_empty_reason(
    FLOW,
    "[[volatile]]\ntable = \"one.runs\"\ncolumns = [\"started_at\"]\nreason = \" \""
)]
#[case::volatile_without_columns(FLOW, "[[volatile]]\ntable = \"one.runs\"\ncolumns = []\nreason = \"clock\"")]
#[case::unknown_check(FLOW, "[expect]\nred = [\"parities\"]")]
#[case::unknown_outcome(FLOW, "[expect]\nred = [\"parity\"]\noutcome = \"LIE\"")]
#[case::target_of_no_engine(FLOW, "[targets]\nsource.general = { mysql = \"general\" }")]
#[case::target_without_a_database(FLOW, "[targets]\ntarget = { postgres = 1 }")]
#[case::target_of_two_engines(FLOW, "[targets]\ntarget = { postgres = \"a\", sqlite = \"b\" }")]
#[case::target_that_is_empty(FLOW, "[targets]\nsource = {}")]
#[case::target_of_a_version_in_words(FLOW, "[targets]\ntarget = { postgres = \"one\", version = \"18.6\" }")]
#[case::target_of_a_version_that_is_too_old(FLOW, "[targets]\ntarget = { postgres = \"one\", version = 12 }")]
#[case::file_of_a_version(FLOW, "[targets]\ntarget = { sqlite = \"one\", version = 18 }")]
#[case::bad_tool(FLOW, "tool = \"mine\"")]
#[case::tool_of_a_number(FLOW, "tool = { prefix = 1 }")]
#[case::tool_of_no_words(FLOW, "tool = []")]
#[case::tool_with_inputs_of_numbers(FLOW, "tool = { inputs = [1] }")]
#[case::recovery_by_nothing(FLOW, "[[recovery]]\nsteps = []")]
#[case::guard_before_no_step(STEPS, "[[guard]]\nname = \"x\"\nbefore = \"cpy\"\nargv = [\"x\"]")]
#[case::guard_that_may_succeed(STEPS, "[[guard]]\nname = \"x\"\nbefore = \"copy\"\nargv = [\"x\"]\nexit = [0, 1]")]
#[case::guard_without_a_program(STEPS, "[[guard]]\nname = \"x\"\nbefore = \"copy\"\nargv = []")]
#[case::guard_name_with_a_space(STEPS, "[[guard]]\nname = \"a b\"\nbefore = \"copy\"\nargv = [\"x\"]")]
#[case::guard_named_twice(
    STEPS,
    "[[guard]]\nname = \"x\"\nbefore = \"copy\"\nargv = [\"x\"]\n\
     [[guard]]\nname = \"x\"\nbefore = \"copy\"\nargv = [\"x\"]"
)]
#[case::typo_in_a_guard(STEPS, "[[guard]]\nname = \"x\"\nafter = \"copy\"\nargv = [\"x\"]")]
#[case::check_that_asks_nothing(STEPS, "[[check]]\nname = \"none is lost\"")]
#[case::check_that_asks_twice(
    STEPS,
    "[[check]]\nname = \"x\"\nsql = { on = \"target\", query = \"select 1\", equals = \"1\" }\n\
     command = { argv = [\"x\"] }"
)]
#[case::check_without_a_program(STEPS, "[[check]]\nname = \"x\"\ncommand = { argv = [] }")]
#[case::check_on_an_unknown_target(
    STEPS,
    "[[check]]\nname = \"x\"\nsql = { on = \"targets\", query = \"select 1\", equals = \"1\" }"
)]
#[case::typo_in_the_catalog(STEPS, "[catalog]\nmay_chance = []")]
#[case::negative_seed(FLOW, "seed = -1")]
#[case::two_problems_at_once(
    FLOW,
    "seed = -1\n[[fault]]\nkind = \"proc.kil\"\nduring = \"ran\"\nat = \"sweep\"\n[expect]\nred = [\"golden\"]"
)]
#[case::syntax(FLOW, "seed = = 1")]
#[case::wrong_type(FLOW, "seed = \"one\"")]
fn what_is_wrong_is_shown_with_what_would_be_right(#[context] test: Context, #[case] head: &str, #[case] more: &str) {
    shown(test.description.unwrap_or_default(), &format!("{head}{more}\n"));
}

#[rstest]
#[case::unknown_flow("format = 1\nabout = \"x\"\nflow = \"one-bd\"\ndataset = \"butlers-small\"\n")]
#[case::format_of_tomorrow("format = 2\nabout = \"x\"\nflow = \"one-db\"\ndataset = \"butlers-small\"\n")]
#[case::no_steps_and_no_flow("format = 1\nabout = \"x\"\ndataset = \"butlers-small\"\n")]
#[case::no_dataset("format = 1\nabout = \"x\"\nflow = \"one-db\"\n")]
#[case::empty("")]
fn a_wrong_head_is_shown_with_what_would_be_right(#[context] test: Context, #[case] text: &str) {
    shown(test.description.unwrap_or_default(), text);
}

fn shown(name: &str, text: &str) {
    let name = format!("problem_{name}");
    insta::assert_snapshot!(name, render("scenarios/x.toml", text, &problems(text)));
}

#[rstest]
#[case::a_flow(FLOW, "")]
#[case::own_steps(STEPS, "timeout = \"2m\"\nclaims = \"none\"")]
#[case::nested_targets(FLOW, "[targets]\nsource.general = { postgres = \"general\" }\ntarget = { postgres = \"one\" }")]
#[case::one_kind_twice_during_one_step(
    FLOW,
    "[[fault]]\nkind = \"proc.kill\"\nduring = \"run\"\nat = \"sweep\"\n\
     [[fault]]\nkind = \"proc.kill\"\nduring = \"run\"\nat = \"pg.target:commit.1\""
)]
#[case::two_kinds_during_two_steps(
    FLOW,
    "[[fault]]\nkind = \"proc.kill\"\nduring = \"run\"\nat = \"sweep\"\n\
     [[fault]]\nkind = \"net.reset\"\nduring = \"rollback\"\nat = \"sweep\""
)]
#[case::own_tool(FLOW, "[tool]\nprefix = [\"mine\"]\ninputs = [\"src/**\"]")]
#[case::builtin_tool_with_inputs(FLOW, "tool = { inputs = [] }")]
#[case::guard(STEPS, "[[guard]]\nname = \"x\"\nbefore = \"copy\"\nargv = [\"x\"]\nexit = [1, 64]\nsays = \"no\"")]
#[case::guard_of_a_flow(FLOW, "[[guard]]\nname = \"x\"\nbefore = \"rollback\"\nargv = [\"x\"]")]
#[case::check(STEPS, "[[check]]\nname = \"x\"\nsql = { on = \"target\", query = \"select 1\", equals = \"1\" }")]
#[case::check_by_a_command(STEPS, "[[check]]\nname = \"x\"\ncommand = { argv = [\"x\"], exit = [0, 3] }")]
#[case::catalog(STEPS, "[catalog]\nmay_change = [\"index *\"]")]
#[case::map_on_the_one_source(STEPS, "[[map]]\nsource = \"select 1\"\ntarget = \"select 1\"")]
fn a_right_scenario_has_no_problems(#[case] head: &str, #[case] more: &str) {
    assert_eq!(problems(&format!("{head}{more}\n")), []);
}

#[test]
fn sources_stand_first() {
    let text =
        "[targets]\ntarget = { postgres = \"one\" }\nsource.b = { postgres = \"b\" }\nsource.a = { sqlite = \"a\" }\n";
    let scenario = Scenario::parse("x", &format!("{FLOW}{text}"), &known()).unwrap();
    let endpoints: Vec<String> = scenario.targets.iter().map(|target| target.endpoint()).collect();
    assert_eq!(endpoints, ["file.a", "pg.source.b", "pg.target"]);
}

proptest! {
    #[test]
    fn no_text_panics(text in any::<String>()) {
        let _ = render("x.toml", &text, &problems(&text));
    }

    // Pieces of scenarios in any order and any spoiling get further than random text.
    #[test]
    fn no_spoiled_scenario_panics(text in spoiled()) {
        let _ = render("x.toml", &text, &problems(&text));
    }
}

fn spoiled() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        FLOW,
        STEPS,
        "[targets]\n",
        "source.a = { postgres = \"a\" }\n",
        "[[fault]]\n",
        "kind = \"proc.kill\"\n",
        "during = \"run\"\n",
        "at = \"pg.target:stmt-9c1e03.3+\"\n",
        "[[map]]\nsource = \"\"\n",
        "target = \"é\"\n",
        "[expect]\nred = [\"parity\"]\n",
        "timeout = \"18446744073709551615h\"\n",
        "seed = -9223372036854775808\n",
        "tool = { prefix = 1 }\n",
    ]);
    let whole = prop::collection::vec(piece, 1..8).prop_map(|pieces| pieces.concat());
    (whole, any::<prop::sample::Index>(), prop::option::of(any::<char>())).prop_map(|(text, at, with)| {
        let mut chars: Vec<char> = text.chars().collect();
        let at = at.index(chars.len());
        match with {
            Some(with) => chars[at] = with,
            None => drop(chars.remove(at)),
        }
        chars.into_iter().collect()
    })
}

/// Their lists grow with every kind, so that no picture of them is kept.
#[rstest]
#[case::second_fault_of_an_unknown_kind(
    "[[fault]]\nkind = \"proc.kill\"\nduring = \"run\"\nat = \"sweep\"\nthen = { kind = \"proc.kil\", at = \"sweep\" }",
    "unknown kind of fault `proc.kil`"
)]
fn a_second_fault_names_what_there_is(#[case] more: &str, #[case] expected: &str) {
    let text = format!("{FLOW}{more}\n");
    let shown = render("scenarios/x.toml", &text, &problems(&text));
    assert!(shown.contains(expected) && shown.contains("allowed: "), "{shown}");
}
