//! What happens to a run from outside: locks, signals, kills, lost connections.

use super::cutter::{Cut, Cutter};
use super::stage::{Holder, SOURCES, Seen, Stage, until};
use rstest::rstest;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::Command;
use std::sync::atomic::Ordering;

#[test]
fn a_write_into_the_source_while_copying_is_seen() {
    let stage = Stage::with(&["general"]);
    let holder = Holder::lock(&stage, "general.state");
    let child = stage.spawn(&["run", "--lock-timeout", "60000"]);
    until("the tool to wait", || stage.waits_for_lock());
    assert_eq!(stage.report()["status"], "running");
    stage.sql("general", "insert into state (key) values ('late')");
    holder.release();
    let seen = Seen::new(child.wait_with_output().unwrap()).expect(1, &stage.report());
    assert!(seen.stderr.contains("PARITY CHECK FAILED: 1 of 21 tables differ (general.state)"), "{seen:#?}");
    stage.expect(0, &["run", "--replace-target"]);
}

#[test]
fn a_row_that_comes_between_the_clearing_of_a_group_and_its_copy_is_refused() {
    let stage = Stage::new();
    let holder = Holder::lock(&stage, "general.state");
    let child = stage.spawn(&["migrate", "--replace-target", "--lock-timeout", "60000"]);
    until("the tool to wait", || stage.waits_for_lock());
    stage.sql(
        "one",
        "insert into general.route_inbox (id, status, body, envelope, received_at) \
         values (gen_random_uuid(), 'new', 'late', '{}', now())",
    );
    holder.release();
    let seen = Seen::new(child.wait_with_output().unwrap()).expect(1, &stage.report());
    assert!(seen.stderr.contains("general.route_inbox: 1 rows appeared in the target since the plan"), "{seen:#?}");
    stage.expect(0, &["run", "--replace-target"]);
}

#[test]
fn the_count_after_is_counted() {
    let stage = Stage::new();
    stage.sql(
        "one",
        "create function lose() returns trigger language plpgsql as \
            'begin delete from general.state where key = ''key 7''; return null; end'; \
         create trigger lose after insert on general.state execute function lose()",
    );
    stage.expect(0, &["migrate"]);
    let row = &stage.report()["results"][0];
    assert_eq!((&row["table"], &row["source_count"]), (&"state".into(), &40.into()));
    assert_eq!((&row["target_count"], &row["target_count_after"]), (&39.into(), &39.into()));
}

#[rstest]
#[case::by_the_same_profile("")]
#[case::by_a_profile_with_one_more_comment("# the second\n")]
fn the_second_of_two_refuses_and_the_first_goes_on(#[case] comment: &str) {
    let stage = Stage::new();
    let holder = Holder::lock(&stage, "general.state");
    let first = stage.spawn(&["run", "--lock-timeout", "60000"]);
    until("the tool to wait", || stage.waits_for_lock());
    let other = tempfile::tempdir().unwrap();
    let profile = other.path().join("profile.toml");
    fs::write(&profile, fs::read_to_string("fixtures/butlers/profile.toml").unwrap() + comment).unwrap();
    let mut second = Command::new(env!("CARGO_BIN_EXE_rehearse"));
    second.args(["tool", "one-db", "run", "--replace-target", "--lock-timeout", "100", "--profile"]).arg(profile);
    second.arg("--report-path").arg(other.path().join("r.json"));
    second.envs(stage.tool(&[]).get_envs().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned()))));
    let seen = Seen::new(second.output().unwrap());
    assert_eq!(seen.code, Some(1), "{seen:#?}");
    assert!(seen.stderr.contains("another one-db migration is at work"), "{seen:#?}");
    holder.release();
    Seen::new(first.wait_with_output().unwrap()).expect(0, &stage.report());
}

#[rstest]
#[case(rustix::process::Signal::TERM, "SIGTERM")]
#[case(rustix::process::Signal::INT, "SIGINT")]
fn a_signal_rolls_back_and_says_so(#[case] signal: rustix::process::Signal, #[case] name: &str) {
    let stage = Stage::new();
    let holder = Holder::lock(&stage, "general.state");
    let child = stage.spawn(&["run", "--jobs", "1", "--lock-timeout", "60000"]);
    until("the tool to wait", || stage.waits_for_lock());
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), signal).unwrap();
    let seen = Seen::new(child.wait_with_output().unwrap()).expect(2, &stage.report());
    assert!(seen.stderr.contains(&format!("ended by {name}: open transactions are rolled back")), "{seen:#?}");
    holder.release();
    stage.expect(0, &["run"]);
}

#[test]
fn a_lock_that_is_not_to_be_had_is_the_environment() {
    let stage = Stage::new();
    let holder = Holder::lock(&stage, "general.state");
    let seen = stage.expect(2, &["run", "--lock-timeout", "50"]);
    assert!(seen.stderr.contains("general.state: again after"), "{seen:#?}");
    assert!(seen.stderr.contains("lock timeout"), "{seen:#?}");
    holder.release();
    stage.expect(0, &["run"]);
}

#[rstest]
#[case::plain(&["run"], &[0, 1, 3, 5, 9, 15])]
#[case::replacing(&["run", "--replace-target"], &[1, 2, 4, 6, 8, 12])]
#[case::adding(&["run", "--upsert"], &[2, 6])]
fn killed_anywhere_a_rerun_ends_as_if_nothing_had_been(#[case] args: &[&str], #[case] kills: &[usize]) {
    let stage = Stage::new();
    let two =
        ["--source-env", "general=BUTLER_GENERAL_DATABASE_URL", "--source-env", "health=BUTLER_HEALTH_DATABASE_URL"];
    let (run, rollback) = ([args, &two].concat(), [&["rollback", "--confirm-rollback", "ROLLBACK"][..], &two].concat());
    stage.expect(0, &run);
    let golden = stage.dump("one");
    for lines in kills {
        stage.expect(0, &rollback);
        fs::remove_file(stage.report_path()).unwrap();
        let mut child = stage.spawn(&run);
        let mut progress = BufReader::new(child.stderr.take().unwrap()).lines();
        progress.by_ref().take(*lines).for_each(drop);
        child.kill().unwrap();
        let ended = child.wait().unwrap().code();
        if stage.report_path().exists() {
            assert_eq!(stage.report()["status"], if ended == Some(0) { "ok" } else { "running" });
        }
        stage.expect(0, &run);
        assert_eq!(stage.dump("one"), golden, "killed after {lines} lines");
    }
}

#[test]
fn a_connection_that_is_lost_is_the_environment_and_a_rerun_converges() {
    let stage = Stage::new();
    let holder = Holder::lock(&stage, "health.scheduled_tasks");
    let child = stage.spawn(&["run", "--lock-timeout", "60000"]);
    until("the tool to wait", || stage.waits_for_lock());
    let kill = "select pg_terminate_backend(pid) from pg_stat_activity where wait_event_type = 'Lock' \
                and application_name = 'rehearse-one-db' and datname = current_database()";
    stage.sql("one", kill);
    let seen = Seen::new(child.wait_with_output().unwrap()).expect(2, &stage.report());
    assert!(seen.stderr.contains("health.scheduled_tasks lock"), "{seen:#?}");
    holder.release();
    stage.expect(0, &["run"]);
}

/// The tool, with all its connections through a proxy.
fn through(stage: &Stage, port: u16, args: &[&str]) -> Command {
    let mut tool = stage.tool(args);
    let dsn = |name: &str| format!("postgres://postgres@127.0.0.1:{port}/{}", stage.database(name));
    for name in SOURCES.into_iter().chain(["shared"]) {
        tool.env(format!("BUTLER_{}_DATABASE_URL", name.to_uppercase()), dsn(name));
    }
    tool.env("BUTLERS_DATABASE_URL", dsn("one"));
    tool
}

/// With two lanes: one for each of six sources, three to the target.
#[test]
fn all_phases_share_the_same_few_connections() {
    let stage = Stage::new();
    for (args, most) in [(&["run"][..], 290), (&["verify"], 130), (&["run", "--replace-target"], 310)] {
        let proxy = Cutter::start(&stage.server, u32::MAX, Cut::Before);
        let args = [args, &["--jobs", "2"]].concat();
        Seen::new(through(&stage, proxy.port, &args).output().unwrap()).expect(0, &stage.report());
        let (connections, messages) = (&proxy.connections, proxy.seen.load(Ordering::SeqCst));
        assert_eq!(connections.load(Ordering::SeqCst), 9, "{args:?}");
        assert!(messages <= most, "{args:?} sent {messages} messages");
    }
}

#[test]
fn a_large_source_is_read_by_both_lanes() {
    let stage = Stage::with(&["general"]);
    stage.sql("general", "create table filler as select repeat('x', 1000) from generate_series(1, 40000)");
    let proxy = Cutter::start(&stage.server, u32::MAX, Cut::Before);
    Seen::new(through(&stage, proxy.port, &["run", "--jobs", "2"]).output().unwrap()).expect(0, &stage.report());
    assert_eq!(proxy.connections.load(Ordering::SeqCst), 10, "one more to the large source");
}

#[test]
fn a_lock_that_frees_itself_is_waited_for_again() {
    let stage = Stage::new();
    let holder = Holder::lock(&stage, "general.state");
    let mut child = stage.spawn(&["run", "--lock-timeout", "500"]);
    let mut progress = BufReader::new(child.stderr.take().unwrap()).lines();
    let again = progress.by_ref().map_while(Result::ok).find(|line| line.contains("general.state: again after"));
    holder.release();
    let rest: Vec<String> = progress.map_while(Result::ok).collect();
    assert_eq!(child.wait().unwrap().code(), Some(0), "{again:?}, then {rest:#?}");
    assert!(again.is_some() && rest.iter().any(|line| line.contains("copied general.state")), "{again:?} {rest:#?}");
}

#[rstest]
#[case::lost_before(&["run", "--replace-target"], Cut::Before, 5)]
#[case::answer_lost(&["run", "--replace-target"], Cut::After, 5)]
#[case::answer_lost_without_replacing(&["run"], Cut::After, 7)]
fn cut_at_any_message_a_rerun_ends_as_if_nothing_had_been(
    #[case] args: &[&str],
    #[case] cut: Cut,
    #[case] step: usize,
) {
    let stage = Stage::new();
    let one = ["--source-env", "health=BUTLER_HEALTH_DATABASE_URL"];
    let (run, rollback) = ([args, &one].concat(), [&["rollback", "--confirm-rollback", "ROLLBACK"][..], &one].concat());
    let through = |port: u16| Seen::new(through(&stage, port, &run).output().unwrap());
    let whole = Cutter::start(&stage.server, u32::MAX, cut);
    through(whole.port).expect(0, &stage.report());
    let (golden, messages) = (stage.dump("one"), whole.seen.load(Ordering::SeqCst));
    assert!(messages > 60, "{messages} messages are too few to be all");
    for at in (1..=messages).step_by(step) {
        stage.expect(0, &rollback);
        let cutter = Cutter::start(&stage.server, at, cut);
        let seen = through(cutter.port);
        assert!(cutter.seen.load(Ordering::SeqCst) >= at);
        // The farewells at the end may be cut without harm; all else must be said.
        let code = if seen.code == Some(0) { 0 } else { 2 };
        assert!(code == 2 || at + 20 > messages, "message {at} of {messages}: {seen:#?}");
        seen.expect(code, &stage.report());
        stage.expect(0, &run);
        assert_eq!(stage.dump("one"), golden, "cut at message {at}, {cut:?}");
    }
}
