//! Runners, and now and then the supervisor, killed at any time: nothing is left after the next start.
//!
//! `REHEARSE_KILLS` says how many; a few by default. All kinds, with an image in `REHEARSE_PG_IMAGE`:
//!
//! ```text
//! REHEARSE_KILLS=200 cargo test --features docker,tls --test it -- --include-ignored kills::
//! ```

use super::*;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// What can be left: processes, directories, shared memory. Databases elsewhere, containers and networks are `others`.
#[derive(Debug, Default, PartialEq, Eq)]
struct Left {
    processes: usize,
    directories: usize,
    segments: usize,
    others: usize,
}

impl Left {
    fn of(scratch: &Scratch, postmasters: &[u32], others: usize) -> Left {
        Left {
            processes: processes_in(scratch.dir.path(), &["postgres", "initdb", "rehearse"]).len(),
            directories: std::fs::read_dir(scratch.base.dir()).into_iter().flatten().count(),
            segments: postmasters.iter().map(|pid| memory_segments_of(*pid)).sum(),
            others,
        }
    }
}

/// Kills runners of a kind; answers with the processes that were servers.
async fn kill_some(scratch: &Scratch, variables: &[(&str, &str)]) -> Vec<u32> {
    let kills = std::env::var("REHEARSE_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(3);
    let mut random = ChaCha8Rng::seed_from_u64(kills);
    let mut postmasters = Vec::new();
    for _ in 0..kills {
        let argv: [OsString; 3] = [REHEARSE.into(), "__hold".into(), scratch.base.dir().into()];
        let mut spawn = Spawn::new(argv, scratch.dir.path());
        spawn.env = std::env::vars_os().collect();
        spawn.env.extend(variables.iter().map(|(name, value)| (name.into(), value.into())));
        let mut runner = spawn.start().unwrap();
        let life = Duration::from_millis(u64::from(random.next_u32() % 1500));
        let _ = tokio::time::timeout(life, runner.wait()).await; // it waits for ever
        postmasters.extend(scratch.find_postmaster());
        if let Some(supervisor) = scratch.find_supervisor().filter(|_| random.next_u32().is_multiple_of(4)) {
            kill(supervisor, Signal::KILL).unwrap();
        }
        let _ = kill(runner.pid(), Signal::KILL);
        runner.wait().await.unwrap();
    }
    postmasters
}

#[tokio::test]
async fn nothing_is_left_of_runners_that_were_killed_at_any_time() {
    let scratch = Scratch::new();
    let postmasters = kill_some(&scratch, &[]).await;
    drop(scratch.session()); // the next start
    until("all is gone", || scratch.is_gone()).await;
    assert_eq!(Left::of(&scratch, &postmasters, 0), Left::default());
}

#[tokio::test]
async fn nothing_is_left_on_a_server_that_is_not_ours_either() {
    let scratch = Scratch::new();
    let server = crate::postgres_server::Server::shared();
    let dsn = server.create_database().await;
    let url = format!("postgres://postgres@/{}?host={}&application_name=kills", dsn.database(), dsn.host());
    kill_some(&scratch, &[("REHEARSE_PG_URL", &url)]).await;
    let sql = "select ((select count(*) from pg_database where datname ~ '^rehearse_s[a-z0-5]{7}_') \
               + (select count(*) from pg_roles where rolname ~ '^rehearse_tool_s'))::text";
    let session = scratch.session();
    let wanted = Wanted { provider: url.parse().unwrap(), ..Wanted::default() };
    drop(rehearsal::target::Site::new(scratch.base.clone(), wanted).join(&session).await.unwrap()); // the next start
    let others = text(server.dsn("postgres").options(), sql).await.parse().unwrap();
    drop(session);
    until("all is gone", || scratch.is_gone()).await;
    assert_eq!(Left::of(&scratch, &[], others), Left::default());
}

#[cfg(feature = "docker")]
#[tokio::test]
#[ignore = "needs Docker's engine and an image in REHEARSE_PG_IMAGE; .ci/run runs it"]
async fn no_container_is_left_of_runners_that_were_killed_at_any_time() {
    let scratch = Scratch::new();
    kill_some(&scratch, &[("REHEARSE_PG_URL", "docker")]).await;
    let mut next = scratch.runner_with(&[("REHEARSE_PG_URL", "docker")]).await;
    kill(next.child.pid(), Signal::KILL).unwrap();
    next.child.wait().await.unwrap();
    until("all is gone", || scratch.is_gone()).await;
    let [containers, networks] = [&["ps", "-a"][..], &["network", "ls"]].map(|list| {
        let rest = ["--filter", "label=rehearse.session", "--format", "{{.Label \"rehearse.lock\"}}"];
        let argv: Vec<OsString> = ["docker"].iter().chain(list).chain(&rest).map(OsString::from).collect();
        let listed = rehearsal::process::run(&argv, Path::new("/"), &std::env::vars_os().collect(), None, "").unwrap();
        assert!(listed.exit.is_success(), "{listed:?}");
        let locks = String::from_utf8_lossy(&listed.stdout).into_owned();
        locks.lines().filter(|lock| Path::new(lock).starts_with(scratch.base.dir())).count()
    });
    let others = containers + networks;
    assert_eq!(Left::of(&scratch, &[], others), Left::default());
}
