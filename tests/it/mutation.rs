//! The check of the check: every planted change is seen, and where nothing differs nothing is said to.

use crate::postgres_server::Server;
use rehearsal::compare::{Answer, Options, Place, compare};
use rehearsal::dataset::{Database, Dataset, load_postgres, load_sqlite};
use rehearsal::db::{Dsn, Volatile, postgres, postgres_state, sqlite};
use rehearsal::engine::mutation::{
    Candidate, MUTATIONS, by_mutation, postgres_candidates, postgres_mutate, sqlite_candidates, sqlite_mutate,
};
use rehearsal::model::DatabaseState;
use sqlx::Connection as _;
use std::collections::BTreeSet;
use std::path::Path;

#[tokio::test]
async fn every_kind_of_change_to_a_postgres_database_is_seen_on_the_zoo() {
    let server = Server::shared();
    let dataset = Dataset::load(Path::new("fixtures/zoo"), "small", 1).unwrap();
    let (mut seen, mut wrong) = (BTreeSet::new(), Vec::new());
    for name in ["types", "shapes", "one"] {
        let template = server.create_database().await;
        load_postgres(template.options(), dataset.database(name).unwrap()).await.unwrap();
        let (state, candidates) = original(&template).await;
        for kind in by_mutation(candidates) {
            if seen.contains(&kind[0].mutation) {
                continue;
            }
            let clone = server.clone_of(&template).await;
            let mut connection = postgres::connect(&clone.options()).await.unwrap();
            let Some(done) = postgres_mutate(&mut connection, &kind).await.unwrap() else { continue };
            let differences = postgres_state(&mut connection, &Volatile::new()).await.unwrap().differences(&state);
            if !done.is_judged_right(&differences) {
                wrong.push(format!("{done:?}: {differences:?}"));
            }
            let answer = answer(Place::Postgres(template.clone()), Place::Postgres(clone)).await;
            if (answer == Answer::Equal) != done.is_control() || answer == Answer::Unknown {
                wrong.push(format!("{done:?}: compare says {answer:?}"));
            }
            seen.insert(done.mutation.clone());
        }
    }
    assert_eq!(wrong, [""; 0]);
    let only_sqlite =
        ["bytes-for-text", "double-for-integer", "number-for-text", "setting-changed", "text-for-bytes", "view-lost"];
    let missing = MUTATIONS.iter().filter(|kind| !seen.contains(**kind) && !only_sqlite.contains(kind));
    assert_eq!(missing.collect::<Vec<_>>(), [&""; 0], "a kind without a place in the zoo is not tried anywhere");
    assert!(seen.contains("control-jsonb-whitespace") && seen.contains("control-same-value"), "{seen:?}");
    assert!(seen.iter().all(|kind| kind.starts_with("control-") || MUTATIONS.contains(&kind.as_str())), "{seen:?}");
}

#[tokio::test]
async fn every_kind_of_change_to_a_sqlite_file_is_seen_on_the_zoo() {
    let folder = tempfile::tempdir().unwrap();
    let dataset = Dataset::load(Path::new("fixtures/zoo-sqlite"), "small", 1).unwrap();
    let (mut seen, mut wrong) = (BTreeSet::new(), Vec::new());
    for name in ["old", "new"] {
        let original = folder.path().join(name);
        load_sqlite(&original, dataset.database(name).unwrap()).unwrap();
        let state = sqlite_state(&original);
        for kind in by_mutation(sqlite_candidates(&original).unwrap()) {
            let copy = folder.path().join("copy");
            std::fs::copy(&original, &copy).unwrap();
            let Some(done) = sqlite_mutate(&copy, &kind).unwrap() else { continue };
            let differences = sqlite_state(&copy).differences(&state);
            if !done.is_judged_right(&differences) {
                wrong.push(format!("{done:?}: {differences:?}"));
            }
            let answer = answer(Place::Sqlite(original.clone()), Place::Sqlite(copy)).await;
            if (answer == Answer::Equal) != done.is_control() || answer == Answer::Unknown {
                wrong.push(format!("{done:?}: compare says {answer:?}"));
            }
            seen.insert(done.mutation.clone());
        }
    }
    assert_eq!(wrong, [""; 0]);
    for kind in ["rows-exchanged", "columns-exchanged", "double-for-integer", "trigger-lost", "control-same-value"] {
        assert!(seen.contains(kind), "{kind} of {seen:?}");
    }
    assert!(seen.len() >= 30, "{seen:?}");
    assert!(seen.iter().all(|kind| kind.starts_with("control-") || MUTATIONS.contains(&kind.as_str())), "{seen:?}");
}

#[test]
fn kinds_are_sorted_and_each_has_one_name() {
    assert!(MUTATIONS.is_sorted());
    assert_eq!(MUTATIONS.iter().collect::<BTreeSet<_>>().len(), MUTATIONS.len());
}

#[test]
fn a_blind_comparison_is_not_judged_right() {
    let candidate = |mutation: &str| Candidate {
        mutation: mutation.to_owned(),
        object: "table a".to_owned(),
        statement: "update a set b = b".to_owned(),
    };
    let difference = |object: &str| rehearsal::model::Difference {
        object: object.to_owned(),
        expected: String::new(),
        found: String::new(),
    };
    assert!(candidate("row-missing").is_judged_right(&[difference("table a")]));
    assert!(!candidate("row-missing").is_judged_right(&[]), "not seen");
    assert!(!candidate("row-missing").is_judged_right(&[difference("table b")]), "seen elsewhere");
    assert!(candidate("control-same-value").is_judged_right(&[]));
    assert!(!candidate("control-same-value").is_judged_right(&[difference("table a")]), "a false alarm");
}

/// How many seeds are tried: 4, or as many as the nightly run says.
fn seeds() -> u64 {
    std::env::var("REHEARSE_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(4)
}

/// The same rows on another day: in another order, behind another collation, with holes where rows were deleted; on a
/// server of another version, where one is named.
const SHUFFLE: &str = "
do $$
declare
    t record;
begin
    set local session_replication_role = replica;
    for t in select format('%I.%I', n.nspname, c.relname) as name,
            (select string_agg(quote_ident(a.attname), ', ') from pg_attribute a
                where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = '') as columns
        from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where c.relkind = 'r' and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
    loop
        execute format('create temp table kept as select %s from only %s', t.columns, t.name);
        execute format('delete from only %s', t.name);
        execute format('insert into %1$s (%2$s) overriding system value select %2$s from kept order by md5(kept::text)', t.name, t.columns);
        drop table kept;
    end loop;
end
$$";

#[tokio::test]
async fn equal_content_is_equal_whatever_the_seed_the_order_and_the_collation() {
    let (server, other) = (Server::shared(), Server::of_another_version());
    let elsewhere = other.as_ref().unwrap_or(&server);
    let (plain, usable) = (elsewhere.collations().await[0], server.collations().await);
    assert_ne!(usable.last(), Some(&plain), "two collations are needed: {usable:?}");
    for seed in 1..=seeds() {
        let dataset = Dataset::load(Path::new("fixtures/zoo"), "20", seed).unwrap();
        let database = dataset.database("shapes").unwrap();
        let state = state_of(elsewhere, plain, database, &[]).await;
        let shuffled = state_of(&server, usable[usable.len() - 1], database, &[SHUFFLE, "vacuum full"]).await;
        let mut differences = shuffled.differences(&state);
        differences.retain(|difference| difference.object != "database"); // that is where the collation is
        assert_eq!(differences, [], "seed {seed}");
    }
}

/// Of a new database with these rows, after these statements; it is dropped.
async fn state_of(server: &Server, collation: &str, rows: &Database, statements: &[&str]) -> DatabaseState {
    let dsn = server.create_with_collation(collation).await;
    load_postgres(dsn.options(), rows).await.unwrap();
    let mut connection = postgres::connect(&dsn.options()).await.unwrap();
    for statement in statements {
        postgres::execute(&mut connection, statement).await.unwrap();
    }
    let state = postgres_state(&mut connection, &Volatile::new()).await.unwrap();
    connection.close().await.unwrap();
    server.drop_database(&dsn).await;
    state
}

/// What `rehearse compare --catalog` says.
async fn answer(source: Place, target: Place) -> Answer {
    let options = Options { catalog: true, ..Options::default() };
    compare(&source, &target, &options).await.unwrap().answer
}

async fn original(dsn: &Dsn) -> (DatabaseState, Vec<Candidate>) {
    let mut connection = postgres::connect(&dsn.options()).await.unwrap();
    let state = postgres_state(&mut connection, &Volatile::new()).await.unwrap();
    let candidates = postgres_candidates(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    (state, candidates)
}

fn sqlite_state(path: &Path) -> DatabaseState {
    sqlite::sqlite_state(path, &Volatile::new()).unwrap()
}
