//! What is left when runners, sessions, supervisors or the base directory go, and who ends it.

use super::*;

#[tokio::test]
async fn two_processes_share_a_cluster() {
    let scratch = Scratch::new();
    let session = scratch.session();
    let (cluster, runner) = (scratch.join(&session).await, scratch.runner().await);
    let sql = format!("select count(*)::text from pg_database where datname = '{}'", runner.database);
    assert_eq!(text(cluster.admin("postgres"), &sql).await, "1");
    assert_ne!(runner.session, session.id());
}

#[tokio::test]
async fn two_seconds_after_kill_9_of_a_runner_nothing_is_left() {
    let scratch = Scratch::new();
    let mut runner = scratch.runner().await;
    let postmaster = scratch.postmaster();
    assert_eq!(leftovers(&scratch.base).alive, [runner.session.clone()]);

    kill(runner.child.pid(), Signal::KILL).unwrap();
    let watch = Stopwatch::start();
    runner.child.wait().await.unwrap();
    until("all is gone", || scratch.is_gone()).await;
    assert!(watch.elapsed() < Duration::from_secs(2), "took {} ms", watch.elapsed().as_millis());
    assert_eq!(memory_segments_of(postmaster), 0);
    assert_eq!(leftovers(&scratch.base), Default::default());
}

#[tokio::test]
async fn databases_of_a_killed_runner_go_while_others_work_on() {
    let scratch = Scratch::new();
    let session = scratch.session();
    let (pool, runner) = (scratch.pool(&session).await, scratch.runner().await);
    let mine = pool.empty("mine").await.unwrap();
    execute(pool.cluster().admin(&runner.database), "begin; create table t (); prepare transaction 'held'").await;

    drop(runner); // kills it
    only_this_is_left(&scratch, mine.name(), pool.cluster()).await;
    assert_eq!(leftovers(&scratch.base).alive, [session.id()]);
}

#[tokio::test]
async fn databases_of_a_session_that_has_ended_go_while_others_work_on() {
    let scratch = Scratch::new();
    let session = scratch.session();
    let (pool, other) = (scratch.pool(&session).await, scratch.session());
    let mine = pool.empty("mine").await.unwrap();
    scratch.pool(&other).await.empty("theirs").await.unwrap();
    drop(other);
    only_this_is_left(&scratch, mine.name(), pool.cluster()).await;
}

#[tokio::test]
async fn databases_of_a_session_that_came_and_went_in_an_instant_go_while_others_work_on() {
    let scratch = Scratch::new();
    let session = scratch.session();
    let pool = scratch.pool(&session).await;
    let mine = pool.empty("mine").await.unwrap();
    pool.order("create database sabcdefg_theirs template template1").await.unwrap();
    let came_and_went = scratch.base.dir().join("sessions/sabcdefg");
    std::fs::create_dir(&came_and_went).unwrap();
    std::fs::remove_dir(&came_and_went).unwrap();
    only_this_is_left(&scratch, mine.name(), pool.cluster()).await;
}

#[tokio::test]
async fn databases_of_a_runner_that_died_without_a_supervisor_go_with_the_next_one() {
    let scratch = Scratch::new();
    let session = scratch.session();
    let (pool, runner) = (scratch.pool(&session).await, scratch.runner().await);
    let mine = pool.empty("mine").await.unwrap();
    kill(scratch.supervisor(), Signal::KILL).unwrap();
    until("the supervisor is dead", || !leftovers(&scratch.base).supervised).await;
    drop(runner); // kills it
    until("the runner is dead", || leftovers(&scratch.base).alive == [session.id()]).await;
    let _next = scratch.session(); // removes what is left of the runner, and starts a supervisor
    only_this_is_left(&scratch, mine.name(), pool.cluster()).await;
}

async fn only_this_is_left(scratch: &Scratch, database: &str, cluster: &Cluster) {
    let mut admin = PgConnection::connect_with(&cluster.admin("postgres")).await.unwrap();
    let watch = Stopwatch::start();
    loop {
        let sql = "select string_agg(datname, ',' order by datname) from pg_database where datname like 's%\\_%'";
        let names: String = sqlx::query_scalar(sql).fetch_one(&mut admin).await.unwrap();
        if names == database {
            break;
        }
        let log = std::fs::read_to_string(scratch.base.dir().join("supervisor.log")).unwrap_or_default();
        let found = leftovers(&scratch.base);
        assert!(watch.elapsed() < Duration::from_secs(10), "{names}: {found:?} {log}");
    }
}

#[tokio::test]
async fn what_a_killed_supervisor_and_runner_left_is_ended_by_the_next_session() {
    let scratch = Scratch::new();
    let runner = scratch.runner().await;
    let postmaster = scratch.postmaster();
    kill(scratch.supervisor(), Signal::KILL).unwrap();
    until("the supervisor is dead", || !leftovers(&scratch.base).supervised).await;
    let dead = runner.session.clone();
    drop(runner);
    until("the runner is dead", || leftovers(&scratch.base).alive.is_empty()).await;
    assert_eq!(leftovers(&scratch.base).dead.len(), 2, "a session and a cluster");
    assert!(Path::new(&format!("/proc/{postmaster}")).exists());

    let session = scratch.session();
    assert!(!scratch.base.dir().join("sessions").join(dead).exists());
    assert!(processes_in(scratch.base.dir(), &["postgres"]).is_empty());
    assert_eq!(memory_segments_of(postmaster), 0);
    assert_eq!(text(scratch.join(&session).await.admin("postgres"), "select 'fresh'").await, "fresh");
}

#[tokio::test]
async fn a_session_that_opens_while_the_supervisor_dies_waits_for_its_death_and_takes_over() {
    let scratch = Scratch::new();
    let runner = scratch.runner().await;
    kill(scratch.supervisor(), Signal::KILL).unwrap();
    until("the supervisor is dead", || !leftovers(&scratch.base).supervised).await;
    let (dead, dir) = (runner.session.clone(), scratch.base.dir().to_owned());
    drop(runner);
    until("the runner is dead", || leftovers(&scratch.base).alive.is_empty()).await;

    // What a process that was killed shows until it is dead: its lock is held, and nobody answers.
    let dying = std::fs::File::options().write(true).open(dir.join("supervisor.lock")).unwrap();
    dying.try_lock().unwrap();
    let (opened, told) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        scope.spawn(|| opened.send(scratch.session()));
        assert!(told.recv_timeout(Duration::from_millis(200)).is_err(), "it believes the dying");
        drop(dying);
        let session = told.recv_timeout(Duration::from_secs(30)).unwrap();
        assert!(!dir.join("sessions").join(dead).exists());
        assert!(scratch.find_supervisor().is_some());
        drop(session);
    });
}

#[tokio::test]
async fn the_last_session_ends_everything_where_the_supervisor_was_killed() {
    let scratch = Scratch::new();
    let (session, other) = (scratch.session(), scratch.session());
    let cluster = scratch.join(&session).await;
    let postmaster = scratch.postmaster();
    kill(scratch.supervisor(), Signal::KILL).unwrap();
    until("the supervisor is dead", || !leftovers(&scratch.base).supervised).await;
    drop(session);
    assert_eq!(text(cluster.admin("postgres"), "select 'there'").await, "there", "another session is alive");
    drop(other);
    assert!(scratch.is_gone());
    assert_eq!(memory_segments_of(postmaster), 0);
}

#[tokio::test]
async fn who_removes_the_base_directory_leaves_no_server_and_no_supervisor() {
    let scratch = Scratch::new();
    let session = scratch.session();
    scratch.join(&session).await;
    let postmaster = scratch.postmaster();
    until("the base directory is removed", || std::fs::remove_dir_all(scratch.base.dir()).is_ok()).await;
    let servers = || processes_in(scratch.dir.path(), &["postgres"]);
    // By themselves they would need half a minute and a whole one to notice.
    let watch = Stopwatch::start();
    until("server and supervisor are gone", || servers().is_empty() && scratch.find_supervisor().is_none()).await;
    assert!(watch.elapsed() < Duration::from_secs(20), "{:?}", watch.elapsed());
    assert_eq!(memory_segments_of(postmaster), 0);

    let other = scratch.session();
    let cluster = scratch.join(&other).await;
    drop(session);
    assert_eq!(text(cluster.admin("postgres"), "select 'fresh'").await, "fresh");
}

#[tokio::test]
async fn a_session_whose_supervisor_was_killed_keeps_its_cluster() {
    let scratch = Scratch::new();
    let session = scratch.session();
    scratch.join(&session).await;
    let postmaster = scratch.postmaster();
    kill(scratch.supervisor(), Signal::KILL).unwrap();
    until("the supervisor is dead", || !leftovers(&scratch.base).supervised).await;
    let other = scratch.session(); // brings a supervisor
    scratch.join(&other).await;
    assert_eq!(scratch.postmaster(), postmaster);
}

#[tokio::test]
async fn a_dropped_session_ends_its_processes() {
    let scratch = Scratch::new();
    let session = scratch.session();
    let mut spawn = Spawn::new(["/bin/sleep", "600"], "/");
    spawn.marker = Some(session.marker(Some("1")));
    let mut child = spawn.start().unwrap();
    let dir = session.dir().to_owned();
    drop(session);
    assert_eq!(child.wait().await.unwrap().signal, Some(9));
    assert!(!dir.exists());
}

#[tokio::test]
async fn a_process_that_has_the_pid_of_a_dead_server_is_left_alone() {
    let scratch = Scratch::new();
    let stale = scratch.base.dir().join("clusters/stale/data");
    std::fs::create_dir_all(&stale).unwrap();
    let mut innocent = Spawn::new(["/bin/sleep", "600"], "/").start().unwrap();
    let lines = format!("{}\n{}\n0\n5432\n\n\n 1 1\nready\n", innocent.pid(), stale.display());
    std::fs::write(stale.join("postmaster.pid"), lines).unwrap();
    let session = scratch.session();
    assert!(!stale.exists(), "reaped");
    drop(session);
    let ended = tokio::time::timeout(Duration::from_millis(1), innocent.wait()).await;
    assert!(ended.is_err(), "still asleep");
}
