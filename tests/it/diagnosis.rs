//! What explains a red case: rows that differ, objects that are left, what is in the way, and when it went wrong.

use crate::postgres_server::Server;
use rehearsal::db::postgres;
use rehearsal::engine::{Library, Options, Rehearsal};
use rehearsal::model::{
    Beside, Body, CaseEvents, DatabaseState, Fate, Moment, Phase, Standing, States, TableDigest, Verdict,
};
use rehearsal::process::Executable;
use rehearsal::registry::Registry;
use rstest::rstest;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What the engine asks of a database of a red case.
const OBSTACLES: &str = include_str!("../../src/engine/observe/obstacles.sql");

#[tokio::test]
async fn what_is_in_the_way_is_named_and_its_command_takes_it_away() {
    let server = Server::shared(); // it lives as long as somebody holds it
    let options = server.create_database().await.options();
    let mut ours = postgres::connect(&options).await.unwrap();
    assert_eq!(obstacles(&mut ours).await, [] as [(String, String); 0]);
    let mut left = postgres::connect(&options.clone().application_name("a tool")).await.unwrap();

    let table = "create table \"T\" (id int); insert into \"T\" values (1), (1)";
    postgres::execute(&mut left, table).await.unwrap();
    let index = "create unique index concurrently \"I\" on \"T\" (id)";
    postgres::execute(&mut left, index).await.expect_err("two rows are equal");
    postgres::execute(&mut left, "begin; lock table \"T\" in exclusive mode").await.unwrap();

    let found = obstacles(&mut ours).await;
    let whats: Vec<&str> = found.iter().map(|(what, _)| what.as_str()).collect();
    let idle = "a connection that is idle in transaction holds ExclusiveLock on \"T\"";
    assert_eq!(whats, [idle, "index public.\"I\" is invalid"]);
    for (_, command) in &found {
        postgres::execute(&mut ours, command).await.unwrap();
    }
    // A terminated session is gone when the server has noticed.
    let gone = async { while !obstacles(&mut ours).await.is_empty() {} };
    tokio::time::timeout(std::time::Duration::from_secs(30), gone).await.expect("nothing is in the way any more");
}

/// What is found, and the command against it.
async fn obstacles(connection: &mut sqlx::PgConnection) -> Vec<(String, String)> {
    let sql = format!(
        "select coalesce(json_agg(json_build_array(what, unblock)), '[]')::text from ({OBSTACLES} order by 1) o (what, unblock)"
    );
    serde_json::from_str(&postgres::fetch_text(connection, &sql).await.unwrap().unwrap()).unwrap()
}

/// States: `new` before, `done` after, `half` in between.
fn states() -> States {
    let state = |rows: &[&str], index: Option<&str>| {
        let mut digest = TableDigest::default();
        rows.iter().for_each(|row| digest.add(row.as_bytes()));
        let catalog = index.map(|definition| ("index app.t.i".to_owned(), definition.to_owned()));
        let tables = BTreeMap::from([("app.t".to_owned(), digest)]);
        Arc::new(DatabaseState { tables, sequences: BTreeMap::new(), catalog: catalog.into_iter().collect() })
    };
    let named = [
        ("new", state(&[], None)),
        ("half", state(&["a"], Some("CREATE INDEX i (invalid)"))),
        ("done", state(&["a", "b"], None)),
    ];
    named.into_iter().map(|(name, state)| (name.to_owned(), state)).collect()
}

/// Lines are `<phase> <step> <exit> <state>`, `start <state>` and `end <state>`.
fn events(text: &str) -> CaseEvents {
    let case = || "x/0001-000000".to_owned();
    let probe =
        |moment, state: &str| Body::Probe { case: case(), moment, endpoint: "pg.t".into(), state: state.into() };
    let mut events = Vec::new();
    for line in text.split(", ") {
        match line.split(' ').collect::<Vec<_>>()[..] {
            ["start", state] => events.push(probe(Moment::Start, state)),
            ["end", state] => events.push(probe(Moment::End, state)),
            [phase, step, exit, state] => {
                let phases = [Phase::Plan, Phase::Injured, Phase::Recovery, Phase::Relapse];
                let phase = phases.into_iter().find(|known| known.to_string() == phase).unwrap();
                let (exit, signal, success) = (exit.parse().ok(), None, exit == "0");
                let (step, timed_out, duration_us) = (step.to_owned(), false, 1);
                let moment = Moment::after(phase, &step);
                events.push(Body::StepFinished {
                    case: case(),
                    step,
                    phase,
                    exit,
                    signal,
                    success,
                    timed_out,
                    duration_us,
                });
                events.push(probe(moment, state));
            }
            _ => panic!("no event: {line}"),
        }
    }
    CaseEvents { case: case(), address: None, events }
}

const GOLDEN: &str = "start new, plan copy 0 done, plan look 0 done, plan undo 0 new, end new";

fn beside<T>(case: &str, ask: impl Fn(&Beside<'_>) -> T) -> T {
    let (case, golden, states) = (events(case), events(GOLDEN), states());
    ask(&Beside { case: &case, golden: &golden, states: &states })
}

#[rstest]
#[case::before("injured copy 9 new, recovery copy 1 new, end new", Some(Standing::Before))]
#[case::after("injured copy 9 done, recovery copy 1 done, end done", Some(Standing::After))]
#[case::between("injured copy 9 half, recovery copy 1 half, end half", Some(Standing::Between))]
#[case::of_a_later_step("injured undo 9 done, end done", Some(Standing::Before))]
#[case::a_step_that_changes_nothing("injured look 9 done, end done", Some(Standing::Before))]
#[case::nobody_was_injured("plan copy 0 done", None)]
fn where_the_targets_stood_after_the_fault(#[case] case: &str, #[case] expected: Option<Standing>) {
    assert_eq!(beside(case, |beside| beside.standing(&["pg.t".to_owned()])), expected);
}

#[rstest]
#[case::silent("injured copy 0 half, plan look 0 half, end half", "after the fault in `copy`")]
#[case::lied("injured copy 9 half, recovery copy 0 half, end half", "after the recovery by `copy`")]
#[case::by_the_second_step("recovery undo 0 new, recovery copy 0 half, end half", "after the recovery by `copy`")]
#[case::later("injured copy 9 half, recovery copy 0 done, plan look 0 half, end half", "after `look`")]
#[case::never_said_that_it_is_done("injured copy 9 half, recovery copy 1 half, end half", "")]
#[case::right("injured copy 9 half, recovery copy 0 done, end done", "")]
fn the_step_after_which_rows_were_first_wrong(#[case] case: &str, #[case] expected: &str) {
    let moment = beside(case, |beside| beside.diverged("pg.t", "app.t"));
    assert_eq!(moment.map_or(String::new(), |moment| moment.to_string()), expected);
}

#[test]
fn what_ended_otherwise_is_told_with_where_it_came_from() {
    let fates = beside("injured copy 9 half, recovery copy 1 half, end half", |b| b.fates(&["pg.t".to_owned()]));
    let [table, index] = &fates[..] else { panic!("{fates:?}") };
    let rows = |text: &Option<String>| text.clone().unwrap().split(' ').next().unwrap().to_owned();
    assert_eq!((rows(&table.start), rows(&table.after_fault)), ("0".into(), "1".into()));
    assert_eq!((rows(&table.golden), rows(&table.after_recovery)), ("2".into(), "1".into()));
    assert!(table.is_half_done() && table.unblock().is_none());
    assert_eq!(index.unblock().as_deref(), Some("DROP INDEX app.i"));
}

#[test]
fn a_table_that_is_as_at_the_start_is_not_half_done() {
    let fates = beside("injured copy 9 new, recovery copy 1 new, end new", |b| b.fates(&["pg.t".to_owned()]));
    assert_eq!(fates.len(), 1);
    assert!(!fates[0].is_half_done());
}

#[rstest]
#[case::a_table("relation app.t", "table persistence p", None, Some("DROP TABLE app.t"))]
#[case::a_view("relation app.v", "view persistence p", None, Some("DROP VIEW app.v"))]
#[case::a_view_with_rows(
    "relation app.v",
    "materialized view persistence p",
    None,
    Some("DROP MATERIALIZED VIEW app.v")
)]
#[case::a_trigger("trigger app.t.g", "create trigger", None, Some("DROP TRIGGER g ON app.t"))]
#[case::a_function("function app.f(integer)", "digest x", None, Some("DROP FUNCTION app.f(integer)"))]
#[case::a_schema("schema app", "owner x", None, Some("DROP SCHEMA app"))]
#[case::an_index("index app.t.i", "create index", None, Some("DROP INDEX app.i"))]
#[case::a_column("column app.t.c", "integer", None, None)]
#[case::what_should_be_there("relation app.t", "table changed", Some("table"), None)]
#[case::an_index_that_should_be_valid(
    "index app.t.i",
    "create index (invalid)",
    Some("create index"),
    Some("DROP INDEX app.i")
)]
fn what_is_left_is_taken_away_by(
    #[case] object: &str,
    #[case] found: &str,
    #[case] golden: Option<&str>,
    #[case] command: Option<&str>,
) {
    let text = |text: &str| Some(text.to_owned());
    let (endpoint, object) = ("pg.t".to_owned(), object.to_owned());
    let (start, golden, after_fault, after_recovery) = (None, golden.and_then(text), None, text(found));
    let fate = Fate { endpoint, object, start, golden, after_fault, after_recovery };
    assert_eq!(fate.unblock().as_deref(), command);
}

/// The canaries of this repository without what they expect, so that they are red.
#[tokio::test]
async fn a_red_run_explains_itself() {
    let repository = tempfile::tempdir().unwrap();
    let stuck = red(repository.path(), "prepared-and-forgotten", "ledger-small");
    let lied = red(repository.path(), "recovery-cut-off-twice", "ledger-small");
    confidential(repository.path());
    let secret = red(repository.path(), "recovery-cut-off-twice", "ledger-secret-small");
    let locked_out = locked_out(repository.path());
    let (report, bundle) = rehearse(repository.path()).await;

    let locked_out = case(&report, &locked_out);
    assert_eq!(locked_out["outcome"], "STUCK", "{locked_out}");
    let obstacles = locked_out["explanation"]["obstacles"].to_string();
    assert!(obstacles.contains("ROLLBACK PREPARED 'ledger-copy'"), "{locked_out:#}");

    let explanation = &case(&report, &stuck)["explanation"];
    let obstacles = explanation["obstacles"].as_array().unwrap();
    let is_prepared = |one: &&Value| one["unblock"] == "ROLLBACK PREPARED 'ledger-copy'";
    let obstacle = obstacles.iter().find(is_prepared).unwrap_or_else(|| panic!("{explanation}"));
    let what = obstacle["what"].as_str().unwrap();
    assert!(what.contains("prepared transaction `ledger-copy` holds") && what.contains(" on entries"), "{what}");

    let lied = case(&report, &lied);
    let entries = &lied["explanation"]["rows"][0];
    assert_eq!((&entries["missing"], &entries["first_wrong"]), (&159.into(), &"after the recovery by `copy`".into()));
    assert_eq!(entries["sample"].as_array().unwrap().len(), 5);
    let (objects, rows): (Vec<_>, Vec<_>) =
        diff(&bundle, &lied).into_iter().partition(|line| line["object"].is_string());
    assert_eq!((objects[0]["object"].as_str(), rows.len()), (Some("table public.entries"), 159));

    let secret = case(&report, &secret);
    let sample = secret["explanation"]["rows"][0]["sample"].to_string();
    assert!(sample.contains("\"id\":\"digest "), "{sample}");
    let (_, rows): (Vec<_>, Vec<_>) = diff(&bundle, &secret).into_iter().partition(|line| line["object"].is_string());
    let values = rows.iter().flat_map(|row| ["key", "golden"].map(|part| row[part].as_object().unwrap().values()));
    let texts: Vec<&str> = values.flatten().filter_map(Value::as_str).collect();
    assert!(texts.len() > 300 && texts.iter().all(|text| text.starts_with("digest ")), "{texts:?}");
}

/// The lines of `diff.jsonl`.
fn diff(bundle: &Path, case: &Value) -> Vec<Value> {
    let file = std::fs::read(bundle.join(format!("cases/{}/diff.jsonl", case["case"].as_str().unwrap()))).unwrap();
    let digest: String = Sha256::digest(&file).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(case["explanation"]["diff_sha256"], digest.as_str());
    file.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect()
}

fn red(repository: &Path, canary: &str, dataset: &str) -> String {
    let text = std::fs::read_to_string(root().join(format!("scenarios/canary/{canary}.toml"))).unwrap();
    let text = text.split("[expect]").next().unwrap().replace("ledger-small", dataset);
    let name = format!("{canary}-{dataset}");
    std::fs::create_dir_all(repository.join("scenarios")).unwrap();
    std::fs::write(repository.join(format!("scenarios/{name}.toml")), text).unwrap();
    name
}

/// The forgotten transaction truncates: nobody can read the tables, not even we.
fn locked_out(repository: &Path) -> String {
    let tool = root().join("fixtures/tools/ledger-two-phase.sh");
    let text = std::fs::read_to_string(tool).unwrap();
    let truncates = text.replace("delete from entries;\ndelete from accounts;", "truncate entries, accounts;");
    assert_ne!(text, truncates);
    std::fs::write(repository.join("fixtures/tools/ledger-truncates.sh"), truncates).unwrap();
    let scenarios = repository.join("scenarios");
    let scenario = std::fs::read_to_string(scenarios.join("prepared-and-forgotten-ledger-small.toml")).unwrap();
    let scenario = scenario.replace("{fixtures}/tools/ledger-two-phase", "{root}/fixtures/tools/ledger-truncates");
    std::fs::write(scenarios.join("locked-out.toml"), scenario).unwrap();
    "locked-out".to_owned()
}

/// The same ledger, and nobody may see it.
fn confidential(repository: &Path) {
    let (from, to) = (root().join("fixtures/ledger"), repository.join("fixtures/ledger-secret"));
    std::fs::create_dir_all(&to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().flatten() {
        let text = std::fs::read_to_string(entry.path()).unwrap().replace("\"synthetic\"", "\"confidential\"");
        std::fs::write(to.join(entry.file_name()), text).unwrap();
    }
    let tools = repository.join("fixtures/tools");
    std::fs::create_dir_all(&tools).unwrap();
    for tool in ["ledger-mark.sh", "ledger-two-phase.sh"] {
        std::fs::copy(root().join("fixtures/tools").join(tool), tools.join(tool)).unwrap();
    }
}

async fn rehearse(repository: &Path) -> (Value, PathBuf) {
    let unpack = tempfile::tempdir().unwrap();
    let library = Library::find(repository, unpack.path()).unwrap();
    let entries = library.entries(&Registry::builtin().known()).unwrap();
    let scenarios: Vec<_> = entries.into_iter().map(|entry| entry.scenario.unwrap()).collect();
    let options = Options { out: Some(repository.join("out")), ..Options::quick() };
    let executable = Executable::at(env!("CARGO_BIN_EXE_rehearse")).unwrap();
    let rehearsal = Rehearsal::open(Registry::builtin(), executable, options).unwrap();
    let finished = rehearsal.run(&library, &scenarios).await.unwrap();
    assert_eq!(finished.verdict(), Verdict::Fail);
    let report = std::fs::read(finished.bundle.join("report.json")).unwrap();
    (serde_json::from_slice(&report).unwrap(), finished.bundle)
}

/// The injured case of a scenario that is red.
fn case(report: &Value, scenario: &str) -> Value {
    let scenarios = report["scenarios"].as_array().unwrap();
    let found = scenarios.iter().find(|one| one["scenario"] == scenario).unwrap();
    let cases = found["cases"].as_array().unwrap();
    cases.iter().find(|case| case["verdict"] == "fail").unwrap().clone()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
