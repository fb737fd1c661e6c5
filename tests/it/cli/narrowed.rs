//! Runs of less than everything: what was red, what has changed, what fits into the time.

use super::scratch::{GREEN, STUCK, Scratch, environment, report, run};

/// At the second place nothing has happened yet, so that case is green.
fn two_cases() -> String {
    let second = "[[fault]]\nkind = \"proc.kill\"\nduring = \"copy\"\nat = \"pg.target:conn.1\"\n[rerun]";
    STUCK.replace("[rerun]", second)
}

/// Scenario and address of each injured case of the newest run.
fn visited(scratch: &Scratch) -> Vec<String> {
    let report = report(&scratch.out());
    let scenarios = report["scenarios"].as_array().unwrap().clone();
    let cases = scenarios.iter().flat_map(|scenario| scenario["cases"].as_array().unwrap().clone());
    cases.filter_map(|case| case["address"].as_str().map(str::to_owned)).collect()
}

#[test]
fn what_was_red_is_run_again_until_it_is_not() {
    let scratch = Scratch::with("append", &two_cases()).and("green", GREEN);
    scratch.rehearse(&["run"]).has(1, "crash 1/2");
    assert_eq!(visited(&scratch).len(), 2);
    let again = scratch.rehearse(&["run", "--failed"]);
    again.has(1, "1 cases, and 0 scenarios as a whole");
    assert!(!again.stdout.contains("green"), "{again:?}");
    assert_eq!(visited(&scratch), ["proc.kill@pg.target:commit.1"]);

    // A replay in between is no run.
    let token = scratch.injured_case().0;
    scratch.write("append", &two_cases().replace("ledger-append", "ledger-copy").replace("refuses", "same-state"));
    scratch.rehearse(&["replay", &token]).has(0, "fixed");
    scratch.rehearse(&["run", "--failed"]).has(0, "crash 1/1");
    scratch.rehearse(&["run", "--failed"]).has(0, "nothing to do");
}

#[test]
fn a_bundle_can_be_named_and_must_be_one() {
    let scratch = Scratch::with("append", STUCK);
    scratch.rehearse(&["run", "--failed"]).has(2, "run once without --failed");
    scratch.rehearse(&["run"]).has(1, "NO-GO");
    let bundle = format!("--failed={}", scratch.bundle().display());
    scratch.rehearse(&["run", &bundle]).has(1, "crash 0/1");
    scratch.rehearse(&["run", "--failed=scenarios"]).has(2, "cannot read scenarios/events.jsonl");
}

#[test]
fn a_scenario_that_was_not_reached_is_run_as_a_whole() {
    let needs = GREEN.replace("[targets]", "needs = [\"no-such-program\"]\n[targets]");
    let scratch = Scratch::with("green", GREEN).and("needy", &needs);
    scratch.rehearse(&["run"]).has(2, "INCONCLUSIVE");
    scratch.write("needy", GREEN);
    let said = scratch.rehearse(&["run", "--failed"]);
    said.has(0, "0 cases, and 1 scenarios as a whole");
    said.has(0, "pass needy");
}

#[test]
fn since_a_ref_only_what_has_changed_is_run() {
    let data = GREEN.replace("notes-small", "mine-small");
    let script = GREEN.replace("[\"true\"]", "[\"sh\", \"{root}/tool.sh\"]");
    let globbed = GREEN.replace("[targets]", "tool = { inputs = [\"lib/*.txt\"] }\n[targets]");
    let scratch = Scratch::with("green", GREEN).and("data", &data).and("script", &script).and("globbed", &globbed);
    let shell = |script: &str| run(scratch.dir.path(), &environment(), &["sh", "-euc", script]).has(0, "");
    let notes = format!("{}/fixtures/notes", env!("CARGO_MANIFEST_DIR"));
    shell(&format!("mkdir lib fixtures && cp -r {notes} fixtures/mine && echo > lib/a.txt && echo true > tool.sh"));
    shell(
        "echo target > .gitignore && git init -q && git add . && git -c user.name=a -c user.email=a@b commit -qm one",
    );
    scratch.rehearse(&["run", "--since", "HEAD"]).has(0, "nothing to do");

    let ran = |change: &str| -> Vec<String> {
        shell(change);
        let said = scratch.rehearse(&["run", "--since", "HEAD"]);
        said.has(0, "GO");
        shell("git stash -qu");
        let lines = said.stdout.lines().filter_map(|line| line.strip_prefix("pass "));
        lines.filter_map(|line| line.split_whitespace().next().map(str::to_owned)).collect()
    };
    assert_eq!(ran("echo '# x' >> scenarios/green.toml"), ["green"]);
    assert_eq!(ran("echo '-- x' >> fixtures/mine/new.sql"), ["data"]);
    assert_eq!(ran("echo '# x' >> tool.sh"), ["script"]);
    assert_eq!(ran("echo x > lib/untracked.txt"), ["globbed"]);
    assert_eq!(ran("echo 'format = 1' > rehearse.toml").len(), 4, "it concerns all");
    shell("echo x > elsewhere.txt");
    scratch.rehearse(&["run", "--since", "HEAD"]).has(0, "nothing to do");
    scratch.rehearse(&["run", "--since", "no-such-ref"]).has(2, "--since: git says");
}

#[test]
fn outside_of_a_repository_nothing_is_known_to_have_changed() {
    Scratch::with("green", GREEN).rehearse(&["run", "--since", "HEAD"]).has(2, "--since: git says");
}

#[test]
fn what_does_not_fit_into_the_budget_is_unknown_and_said() {
    let scratch = Scratch::with("append", STUCK);
    let said = scratch.rehearse(&["run", "--budget", "1ms"]);
    said.has(2, "the budget was over before");
    said.has(2, "INCONCLUSIVE");
    scratch.rehearse(&["run", "--budget", "soon"]).has(64, "10m");
}

#[test]
fn what_the_budget_left_out_is_left_out_of_what_was_planned_also_with_an_argument() {
    let (kill, stall) = ("\"proc.kill\"\nduring = \"copy\"\nat = \"pg.target:commit.1\"", "\"net.stall=1500\"");
    let scenario = STUCK.replace(kill, &format!("{stall}\nduring = \"copy\"\nat = \"sweep\""));
    let scratch = Scratch::with("append", &scenario);
    // Some cases begin, and not all of them: each waits for 1.5 s.
    scratch.rehearse(&["run", "--tier", "full", "--budget", "3s"]);
    let bundle = scratch.out().join("latest").display().to_string();
    scratch.rehearse(&["verify", &bundle]).has(0, "");
}
