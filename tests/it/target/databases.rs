//! Clusters, templates and clones, and who is connected to them; SQLite files.

use super::*;

#[tokio::test]
async fn a_cluster_has_the_settings_and_the_roles_of_a_rehearsal() {
    let scratch = Scratch::new();
    let session = scratch.session();
    let pool = scratch.pool(&session).await;
    let (cluster, database) = (pool.cluster(), pool.empty("one").await.unwrap());
    let sql = "select string_agg(current_setting(name), ' ' order by name) from unnest(array['autovacuum', 'fsync', \
               'full_page_writes', 'listen_addresses', 'synchronous_commit', 'TimeZone', 'server_encoding']) name";
    assert_eq!(text(cluster.admin("postgres"), sql).await, "UTC off off off  UTF8 on");
    let sql = "select concat_ws(' ', rolname, rolsuper, rolcreatedb, rolcreaterole, d.datname) from pg_roles r \
               join pg_database d on d.datdba = r.oid where rolname = current_user";
    let expected = format!("rehearse_tool f f f {}", database.name());
    assert_eq!(text(cluster.tool(database.name()), sql).await, expected);

    let wrong = cluster.tool(database.name()).password("wrong");
    let refused = PgConnection::connect_with(&wrong).await.unwrap_err();
    assert_eq!(refused.as_database_error().unwrap().code().unwrap(), "28P01");
    assert!(!format!("{cluster:?}{pool:?}").contains(cluster.tool_password()));
}

#[rstest]
#[case::half_started(false)]
#[case::crashed(true)]
#[tokio::test]
async fn a_cluster_that_is_not_whole_is_replaced(#[case] is_killed: bool) {
    let scratch = Scratch::new();
    let session = scratch.session();
    let first = scratch.join(&session).await;
    let old = scratch.postmaster();
    assert_eq!(memory_segments_of(old), usize::from(cfg!(target_os = "linux")));
    if is_killed {
        kill(old, Signal::KILL).unwrap();
        let socket = first.socket().0.join(format!(".s.PGSQL.{}", first.socket().1));
        until("it listens no more", || std::os::unix::net::UnixStream::connect(&socket).is_err()).await;
    } else {
        let dir = std::fs::read_dir(scratch.base.dir().join("clusters")).unwrap().next().unwrap().unwrap().path();
        std::fs::remove_file(dir.join("ready.json")).unwrap();
    }
    let cluster = scratch.join(&session).await;
    assert_eq!(text(cluster.admin("postgres"), "select 'fresh'").await, "fresh");
    assert_ne!(scratch.postmaster(), old);
    assert_eq!(memory_segments_of(old), 0);
}

#[tokio::test]
async fn a_private_cluster_ends_with_its_session_and_disturbs_nobody() {
    let scratch = Scratch::new();
    let (session, other) = (scratch.session(), scratch.session());
    let shared = scratch.join(&other).await;
    let own = Cluster::private(&session, &scratch.binaries(), "c", &["fsync=on"]).await.unwrap();
    assert_eq!(text(own.admin("postgres"), "show fsync").await, "on");
    drop(session);
    assert!(!own.socket().0.exists());
    assert_eq!(text(shared.admin("postgres"), "show fsync").await, "off");
}

// ---- databases

#[tokio::test]
async fn a_template_is_loaded_once_and_cloned_often() {
    let scratch = Scratch::new();
    let session = scratch.session();
    let pool = scratch.pool(&session).await;
    let loads = AtomicU32::new(0);
    let load = async |access: rehearsal::target::Access| -> Result<()> {
        loads.fetch_add(1, Ordering::Relaxed);
        execute(access.tool, "create table t as select 7 as n").await;
        Ok(())
    };
    let (one, two) = tokio::join!(pool.template("data", &load), pool.template("data", &load));
    assert_eq!(one.unwrap(), two.unwrap());
    let template = pool.template("data", &load).await.unwrap();
    assert_eq!(loads.load(Ordering::Relaxed), 1);

    let (one, two) = (pool.clone(&template, "one").await.unwrap(), pool.clone(&template, "two").await.unwrap());
    execute(pool.cluster().tool(one.name()), "update t set n = 8").await;
    assert_eq!(text(pool.cluster().tool(one.name()), "select n::text from t").await, "8");
    assert_eq!(text(pool.cluster().tool(two.name()), "select n::text from t").await, "7");
    pool.drop(one).await.unwrap();
    let taken = pool.clone(&template, "two").await.unwrap_err();
    assert!(taken.to_string().contains("already exists"), "{taken}");
    assert!(pool.clone(&template, "Two").await.is_err(), "a name that needs quotes");
}

#[tokio::test]
async fn a_template_whose_loading_was_cut_off_is_made_again() {
    let scratch = Scratch::new();
    let session = scratch.session();
    let pool = scratch.pool(&session).await;
    let cut = pool.template("data", async |access| {
        execute(access.tool, "create table half ()").await;
        std::future::pending().await
    });
    assert!(tokio::time::timeout(Duration::from_secs(1), cut).await.is_err());
    let failed = pool.template("data", async |_| Err(rehearsal::Error::environment("no such file"))).await;
    assert_eq!(failed.unwrap_err().to_string(), "no such file");

    let template = pool.template("data", async |_| Ok(())).await.unwrap();
    let database = pool.clone(&template, "one").await.unwrap();
    let sql = "select count(*)::text from pg_class where relname = 'half'";
    assert_eq!(text(pool.cluster().tool(database.name()), sql).await, "0");
}

#[tokio::test]
async fn backends_and_prepared_transactions_are_listed_until_they_are_gone() {
    let scratch = Scratch::new();
    let session = scratch.session();
    let pool = scratch.pool(&session).await;
    let database = pool.empty("one").await.unwrap();
    let names = [database.name()];
    let mut tool = PgConnection::connect_with(&pool.cluster().tool(database.name())).await.unwrap();
    sqlx::raw_sql("begin; create table t ()").execute(&mut tool).await.unwrap();

    let found = pool.backends(&names).await.unwrap();
    assert_eq!(
        found.iter().map(|b| (b.database.as_str(), b.state.as_str())).collect::<Vec<_>>(),
        [(names[0], "idle in transaction")]
    );
    let error = pool.wait_gone(&names, Duration::from_millis(10)).await.unwrap_err();
    assert!(error.to_string().starts_with("1 backends are left after 10 ms"), "{error}");

    sqlx::raw_sql("prepare transaction 'it''s'").execute(&mut tool).await.unwrap();
    tool.close().await.unwrap();
    pool.wait_gone(&names, Duration::from_secs(10)).await.unwrap();
    let prepared = Prepared { gid: "it's".to_owned(), database: names[0].to_owned() };
    assert_eq!(pool.prepared(&names).await.unwrap(), [prepared]);
    pool.drop(database).await.unwrap();
}

#[tokio::test]
async fn a_session_is_busy_in_a_transaction_or_with_a_lock_and_not_while_it_waits() {
    let scratch = Scratch::new();
    let session = scratch.session();
    let pool = scratch.pool(&session).await;
    let database = pool.empty("one").await.unwrap();
    let names = [database.name()];
    let options = pool.cluster().tool(database.name()).application_name("loader");
    let mut tool = PgConnection::connect_with(&options).await.unwrap();
    for (sql, expected) in [
        ("select 1", None),
        ("begin", Some("a session of loader is idle in transaction")),
        ("commit", None),
        ("select pg_advisory_lock(1)", Some("a session of loader is idle and holds advisory lock")),
        ("select pg_advisory_unlock(1)", None),
        (
            "begin; lock pg_class in access share mode",
            Some("a session of loader is idle in transaction and holds relation lock"),
        ),
    ] {
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut tool).await.unwrap();
        assert_eq!(pool.busy(&names).await.unwrap(), expected.into_iter().collect::<Vec<_>>(), "{sql}");
    }
    pool.drop(database).await.unwrap();
}

// ---- SQLite

#[test]
fn a_sqlite_template_is_one_file_with_what_was_in_the_log() {
    let scratch = Scratch::new();
    let session = scratch.session();
    let templates = SqliteTemplates::new(&scratch.base);
    let load = |path: &Path| {
        let connection = rusqlite::Connection::open(path).unwrap();
        connection.execute_batch("pragma journal_mode = wal; create table t (n); insert into t values (7)").unwrap();
        std::mem::forget(connection); // as if killed: the log stays
        Ok(())
    };
    let template = templates.template("data", load).unwrap();
    assert_eq!(templates.template("data", |_| panic!("loaded twice")).unwrap(), template);

    let clone = session.dir().join("core.db");
    template.clone_to(&clone).unwrap();
    let connection = rusqlite::Connection::open(&clone).unwrap();
    assert_eq!(connection.query_row("select n from t", [], |row| row.get::<_, i64>(0)), Ok(7));
    connection.close().unwrap();
}

#[rstest]
#[case("core.db")]
#[case("core.db-wal")]
#[case("core.db-journal")]
fn a_sqlite_clone_never_meets_an_older_file(#[case] found: &str) {
    let scratch = Scratch::new();
    let session = scratch.session();
    let template = SqliteTemplates::new(&scratch.base).template("empty", |path| {
        rusqlite::Connection::open(path).unwrap().execute_batch("create table t (n)").unwrap();
        Ok(())
    });
    let found: PathBuf = session.dir().join(found);
    std::fs::write(&found, "old").unwrap();
    let error = template.unwrap().clone_to(&session.dir().join("core.db")).unwrap_err();
    assert!(error.to_string().contains(&format!("{} is there already", found.display())), "{error}");
}

#[tokio::test]
async fn all_databases_are_dropped_but_for_the_one_that_is_refused() {
    let scratch = Scratch::new();
    let session = scratch.session();
    let pool = scratch.pool(&session).await;
    let (kept, other) = (pool.empty("a").await.unwrap(), pool.empty("b").await.unwrap());
    pool.order(&format!("alter database {} is_template true", kept.name())).await.unwrap();
    let error = pool.drop_all(&[kept.name(), other.name()]).await.unwrap_err().to_string();
    assert!(error.contains("cannot drop a template database"), "{error}");
    let left = "select string_agg(datname::text, ' ') from pg_database where datname ~ '_[ab]$'";
    assert_eq!(text(pool.cluster().aside(), left).await, kept.name());
}
