//! What an earlier run has seen of a template, a later one on the same server does not look for again.

use super::scratch::{Scratch, cases, report};
use rehearsal::db::postgres;
use rehearsal::process::Executable;
use rehearsal::target::{Base, Binaries, Cluster, Session, Wanted};
use serde_json::Value;

/// Asks a question of a target that holds everything already.
const DONE: &str = r#"format = 1
about = "asks one question"
dataset = "ledger-small"
needs = ["psql"]
[targets]
source = { postgres = "old" }
target = { postgres = "old" }
[[step]]
name = "look"
role = "apply"
argv = ["psql", "-X", "-q", "{target}", "-c", "select 1"]
"#;

/// Moves a sequence in its second step, and takes a note for that. Killed after it the target is as it should be; killed before
/// it, it never will be.
const NOTED: &str = r#"
[[step]]
name = "move"
role = "apply"
argv = ["sh", "-c", "test -e noted || { touch noted; psql -X -q \"$URL\" -c \"select setval('accounts_id_seq', 9999)\"; }"]
env = { URL = "{target}" }
[[fault]]
kind = "proc.kill"
during = "move"
at = "pg.target:ack.1"
[[fault]]
kind = "proc.kill"
during = "move"
at = "pg.target:conn.1"
"#;

/// The same, and the names of accounts do not count.
const VOLATILE: &str = "[[volatile]]\ntable = \"public.accounts\"\ncolumns = [\"name\"]\nreason = \"a nickname\"\n";

/// Makes another definition of what was remarked.
const MISLEAD: &str = r"do $$ declare seen record; begin
    for seen in select datname, shobj_description(oid, 'pg_database') text from pg_database where datistemplate loop
        execute format('comment on database %I is %L', seen.datname, replace(seen.text, 'by default', 'always'));
    end loop;
end $$";

/// What a run has seen of its databases and thinks of it, without times.
fn told(scratch: &Scratch) -> Vec<Value> {
    scratch.rehearse(&["run"]).has(0, "GO");
    seen(scratch)
}

/// The same of the newest run.
fn seen(scratch: &Scratch) -> Vec<Value> {
    let journal = scratch.journal();
    let events = journal.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let is_of_databases =
        |event: &Value| ["probe", "sequences", "case.finished"].contains(&event["type"].as_str().unwrap());
    let mut told: Vec<Value> = events.filter(is_of_databases).collect();
    for event in &mut told {
        let event = event.as_object_mut().unwrap();
        ["seq", "prev", "t", "mono_us"].iter().for_each(|name| drop(event.remove(*name)));
    }
    told.sort_by_key(Value::to_string);
    told
}

#[tokio::test]
async fn what_an_earlier_run_has_seen_of_a_template_is_told_again_without_a_look() {
    let mut scratch = Scratch::with("done", DONE);
    let own = scratch.own_base();
    let base = Base::at(own.dir());
    let session = Session::open(&Executable::at(env!("CARGO_BIN_EXE_rehearse")).unwrap(), &base).unwrap();
    let binaries = Binaries::find(&base, &Wanted::default()).expect("needs Postgres server binaries");
    let cluster = Cluster::join(&session, &binaries).await.unwrap();

    let first = told(&scratch);
    let of_type = |told: &[Value], wanted: &str| told.iter().filter(|event| event["type"] == wanted).count();
    assert_eq!((of_type(&first, "probe"), of_type(&first, "sequences")), (14, 2), "{first:#?}");
    assert_eq!(told(&scratch), first);

    // What was left out of a look is in no remark, and the other way round.
    scratch.write("done", &format!("{DONE}{VOLATILE}"));
    let without_names = told(&scratch);
    let state = |told: &[Value]| told.iter().find(|event| event["type"] == "probe").unwrap()["state"].clone();
    assert_ne!(state(&without_names), state(&first));
    let mut elsewhere = Scratch::with("done", &format!("{DONE}{VOLATILE}"));
    let _own = elsewhere.own_base();
    assert_eq!(told(&elsewhere), without_names);
    scratch.write("done", DONE);
    assert_eq!(told(&scratch), first);

    let mut admin = postgres::connect(&cluster.admin("postgres")).await.unwrap();
    postgres::execute(&mut admin, MISLEAD).await.unwrap();
    // Whether a tool that has ended is still seen there, and the truth is looked up, depends on the moment; not at the start.
    scratch.rehearse(&["run"]);
    let at_start = |told: Vec<Value>| -> Vec<Value> {
        told.into_iter().filter(|event| event["type"] == "probe" && event["moment"] == "start").collect()
    };
    let (misled, first) = (at_start(seen(&scratch)), at_start(first));
    assert_eq!((misled.len(), first.len()), (4, 4));
    assert!(misled.iter().zip(&first).all(|(now, then)| now != then), "somebody looked again");
}

#[test]
fn what_a_tool_did_to_the_first_clone_of_a_checkpoint_is_not_taken_for_the_checkpoint() {
    let scratch = Scratch::with("noted", &format!("{DONE}{NOTED}"));
    scratch.rehearse(&["run", "--jobs", "1"]).has(1, "NO-GO");
    let mut injured = cases(&report(&scratch.out()));
    injured.retain(|[address, ..]| address.is_string());
    let verdicts: Vec<(&str, &str)> = injured.iter().map(|[at, _, verdict]| (text(at), text(verdict))).collect();
    assert_eq!(verdicts, [("proc.kill@pg.target:ack.1", "pass"), ("proc.kill@pg.target:conn.1", "fail")]);
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
