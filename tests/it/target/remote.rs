//! Servers that are not ours: what is made there, what is left there, and what is not touched.

use super::*;
use crate::postgres_server::Server;
use rehearsal::target::{Capability, Site};
use std::sync::Arc;

/// Somebody's server, with a role of this kind for us.
struct Elsewhere {
    server: Arc<Server>,
    url: String,
}

impl Elsewhere {
    async fn with(attributes: &str) -> Elsewhere {
        let server = Server::shared();
        let dsn = server.create_database().await;
        let role = format!("role_{}", dsn.database());
        execute(dsn.options(), &format!("create role {role} login {attributes} password 'keep me out'")).await;
        let url = format!("postgres://{role}:keep%20me%20out@/{}?host={}", dsn.database(), dsn.host());
        Elsewhere { server, url }
    }

    fn site(&self, base: &Base) -> Site {
        Site::new(base.clone(), Wanted { provider: self.url.parse().unwrap(), ..Wanted::default() })
    }

    /// Databases and roles there whose names have this in them, sorted.
    async fn names(&self, part: &str) -> String {
        let sql = format!(
            "select coalesce(string_agg(name, ',' order by name), '') from (select datname::text from pg_database \
             union all select rolname::text from pg_roles) all_names (name) where strpos(name, '{part}') > 0"
        );
        text(self.server.dsn("postgres").options(), &sql).await
    }
}

async fn load(access: rehearsal::target::Access) -> Result<()> {
    execute(access.tool, "create table t as select 7 as n").await;
    Ok(())
}

#[rstest]
#[case::superuser("superuser", true)]
#[case::who_makes_databases_and_roles("createdb createrole", true)]
#[case::who_makes_databases("createdb", false)]
#[tokio::test]
async fn a_session_works_there_and_leaves_nothing(#[case] attributes: &str, #[case] has_own_role: bool) {
    let (scratch, elsewhere) = (Scratch::new(), Elsewhere::with(attributes).await);
    let session = scratch.session();
    let cluster = elsewhere.site(&scratch.base).join(&session).await.unwrap();
    let pool = Pool::new(&cluster, session.id());
    let template = pool.template("data", load).await.unwrap();
    assert_eq!(pool.template("data", load).await.unwrap(), template);
    let database = pool.clone(&template, "one").await.unwrap();
    assert_eq!(database.name(), format!("rehearse_{}_one", session.id()));
    assert_eq!(text(cluster.tool(database.name()), "select n::text from t").await, "7");
    assert_eq!(text(cluster.admin(database.name()), "select n::text from t").await, "7");
    let is_super = "select rolsuper::text from pg_roles where rolname = current_user";
    if has_own_role {
        assert_eq!(text(cluster.tool(database.name()), is_super).await, "false");
    }
    assert_eq!(cluster.admin_role().is_some(), has_own_role);

    let id = session.id().to_owned();
    drop((pool, cluster, session));
    assert_eq!(elsewhere.names(&id).await, "");
}

#[tokio::test]
async fn what_a_killed_runner_left_there_goes_with_the_next_one_and_nothing_else() {
    let (scratch, elsewhere) = (Scratch::new(), Elsewhere::with("superuser").await);
    let url = [("REHEARSE_PG_URL", elsewhere.url.as_str())];
    let (alive, mut dead) = (scratch.runner_with(&url).await, scratch.runner_with(&url).await);
    let like_ours = ["rehearse_notes", "rehearse_s1_x", "sabcdefg_x"];
    for name in like_ours {
        execute(elsewhere.server.dsn("postgres").options(), &format!("create database {name}")).await;
    }
    kill(dead.child.pid(), Signal::KILL).unwrap();
    dead.child.wait().await.unwrap();
    assert_eq!(elsewhere.names(&dead.session).await, format!("rehearse_{0}_held,rehearse_tool_{0}", dead.session));
    let sql = format!("select count(*)::text from pg_stat_activity where application_name ~ '{}'", dead.session);
    let watch = Stopwatch::start();
    while text(elsewhere.server.dsn("postgres").options(), &sql).await != "0" {
        assert!(watch.elapsed() < Duration::from_secs(30), "the server does not notice");
    }

    let session = scratch.session();
    let cluster = elsewhere.site(&scratch.base).join(&session).await.unwrap();
    assert_eq!(elsewhere.names(&dead.session).await, "");
    assert_eq!(elsewhere.names(&alive.session).await, format!("rehearse_{0}_held,rehearse_tool_{0}", alive.session));
    for name in like_ours {
        assert_eq!(elsewhere.names(name).await, name, "it is somebody else's");
        execute(elsewhere.server.dsn("postgres").options(), &format!("drop database {name}")).await;
    }
    drop((cluster, alive));
}

#[rstest]
#[case::may_not_make_databases("nocreatedb", "may not make databases: `alter role ... createdb`")]
#[tokio::test]
async fn a_role_that_may_too_little_is_told_so(#[case] attributes: &str, #[case] expected: &str) {
    let (scratch, elsewhere) = (Scratch::new(), Elsewhere::with(attributes).await);
    let site = elsewhere.site(&scratch.base);
    let error = site.offer().unwrap_err();
    assert!(error.to_string().contains(expected) && !error.to_string().contains("keep me out"), "{error}");
    assert_eq!(error.kind(), ErrorKind::Environment);
}

#[tokio::test]
async fn what_cannot_be_done_there_is_known_before() {
    let (scratch, elsewhere) = (Scratch::new(), Elsewhere::with("createdb").await);
    let site = elsewhere.site(&scratch.base);
    let offer = site.offer().unwrap();
    let lacks = |what| offer.lacks(what).unwrap_or_default();
    assert!(lacks(Capability::OwnServer).ends_with("or run with --allow-missing own-server"));
    assert!(lacks(Capability::Superuser).contains("is no superuser"));
    assert_eq!(lacks(Capability::Sessions), "");
    let other = Wanted { provider: elsewhere.url.parse().unwrap(), major: Some(9), ..Wanted::default() };
    let error = Site::new(scratch.base.clone(), other).offer().unwrap_err().to_string();
    assert!(error.ends_with("another was asked for"), "{error}");
}
