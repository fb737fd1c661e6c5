//! Our stay on a server that is not ours. Everything that a session makes there begins with [`PREFIX`] and its name, and
//! goes when the stay ends.
//!
//! A connection that is kept open says that the session lives, by its application name: when its owner dies, also by
//! SIGKILL, the server ends it. The next stay drops what belongs to sessions without such a connection. So it does not
//! matter on which machine they were.

use super::cluster::{APPLICATION, Cluster};
use super::image::TOOL_ROLE;
use super::pool::{SESSION, drop_named, of_sessions};
use super::presence::{order, refused};
use super::remote::{Remote, Rights};
use super::session::random;
use crate::db::postgres::connect;
use crate::model::canonical::hex;
use crate::{Error, Result};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgRow};
use sqlx::{AssertSqlSafe, Connection, Row};
use std::collections::BTreeSet;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

/// What the names of our databases and roles there begin with.
pub(super) const PREFIX: &str = "rehearse_";

/// The application name of the connection that says that a session lives, before the session's.
const ALIVE: &str = "rehearse-run ";

/// The number of the advisory lock under which the things of the dead are dropped; of the letters of `rehearse`.
const LOCK: i64 = 0x7265_6865_6172_7365;

/// How long the end may take; what is left then is dropped by the next stay.
const PATIENCE_TO_LEAVE: Duration = Duration::from_secs(60);

/// Dropping the last one ends it: the databases and the role of the session are dropped.
pub(super) struct Stay {
    end: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Stay {
    fn drop(&mut self) {
        drop(self.end.take());
        let ended = self.thread.take().map(JoinHandle::join);
        drop(ended); // a panic in it leaves something to the next stay
    }
}

/// What we may do on a server.
///
/// # Errors
/// It does not answer, or does not let us in; names the address, never the password.
pub(super) async fn probe(remote: &Remote) -> Result<Rights> {
    let answer = tokio::time::timeout(remote.patience(), connect(&named(remote))).await;
    let patience = remote.patience().as_secs();
    let silent = || format!("{remote} does not answer within {patience} s: is the address right, and the server up?");
    let mut connection = answer.map_err(|_| Error::environment(silent()))??;
    let rights = rights(&mut connection).await?;
    let _ = connection.close().await; // it has answered
    Ok(rights)
}

fn named(remote: &Remote) -> PgConnectOptions {
    remote.dsn().options().application_name(APPLICATION)
}

async fn rights(connection: &mut PgConnection) -> Result<Rights> {
    let sql = "select split_part(current_setting('server_version'), ' ', 1), version(), \
               rolsuper or rolcreatedb, rolsuper or rolcreaterole, rolsuper, \
               current_setting('max_connections')::int8 - current_setting('superuser_reserved_connections')::int8 \
               - (select count(*) from pg_stat_activity where backend_type = 'client backend'), \
               coalesce(inet_client_addr() << '127.0.0.0/8' or host(inet_client_addr()) = '::1', true) \
               from pg_roles where rolname = current_user";
    let row = sqlx::query(sql).fetch_one(connection).await.map_err(refused)?;
    Ok(Rights {
        server_version: row.get(0),
        version: row.get(1),
        makes_databases: row.get(2),
        makes_roles: row.get(3),
        is_superuser: row.get(4),
        free_sessions: row.get(5),
        is_near: row.get(6),
    })
}

/// Comes to a server for a session; drops what dead sessions left there first.
///
/// # Errors
/// It does not answer, does not let us in, or does not let us make databases. Nothing is left then.
pub(super) async fn begin(remote: &Remote, session: &str) -> Result<Cluster> {
    let admin = named(remote);
    let rights = probe(remote).await?;
    if !rights.makes_databases {
        return Err(remote.makes_no_databases());
    }
    let (ready, told) = mpsc::channel();
    let (end, ended) = tokio::sync::oneshot::channel();
    let (options, name) = (admin.clone(), session.to_owned());
    let run = move || stay(&options, &name, &ready, ended);
    let thread = std::thread::Builder::new().name("stay".to_owned()).spawn(run);
    let thread = thread.map_err(|error| Error::environment("cannot start a thread").caused_by(error))?;
    let stay = Arc::new(Stay { end: Some(end), thread: Some(thread) });
    let here = tokio::task::spawn_blocking(move || told.recv()).await;
    let gone = || Error::bug("the thread of a stay has gone");
    here.map_err(|error| gone().caused_by(error))?.map_err(|error| gone().caused_by(error))??;
    let tool = tool_role(remote, &rights, session).await?;
    Ok(Cluster::remote(remote, (admin, tool), rights.server_version, stay))
}

/// The thread: says that the session lives until it is told to end, or nobody can tell it any more.
fn stay(
    options: &PgConnectOptions,
    session: &str,
    ready: &mpsc::Sender<Result<()>>,
    ended: tokio::sync::oneshot::Receiver<()>,
) {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let text = "cannot make a tokio runtime";
            return drop(ready.send(Err(Error::environment(text).caused_by(error))));
        }
    };
    runtime.block_on(async {
        let kept = arrive(options, session).await;
        let is_here = kept.is_ok();
        let (kept, said) = match kept {
            Ok(connection) => (Some(connection), Ok(())),
            Err(error) => (None, Err(error)),
        };
        let _ = ready.send(said); // whoever asked may be gone
        if is_here {
            let _ = ended.await;
            let _ = tokio::time::timeout(PATIENCE_TO_LEAVE, leave(options, session)).await;
        }
        drop(kept);
    });
}

async fn arrive(options: &PgConnectOptions, session: &str) -> Result<PgConnection> {
    let mut alive = connect(&options.clone().application_name(&format!("{ALIVE}{session}"))).await?;
    // One after the other: what two drop at once is an error to one of them.
    order(&mut alive, &format!("select pg_advisory_lock({LOCK})")).await?;
    clear(&mut alive, options, None).await?;
    order(&mut alive, &format!("select pg_advisory_unlock({LOCK})")).await?;
    Ok(alive)
}

async fn leave(options: &PgConnectOptions, session: &str) -> Result<()> {
    let mut connection = connect(options).await?;
    clear(&mut connection, options, Some(session)).await?;
    let _ = connection.close().await;
    Ok(())
}

/// Drops the databases and the role of this session, or of all that are dead. They are listed before the living are: a
/// session lives before it makes something.
async fn clear(connection: &mut PgConnection, options: &PgConnectOptions, session: Option<&str>) -> Result<()> {
    let databases = of_sessions(connection, PREFIX).await?;
    let roles = roles(connection).await?;
    let alive = alive(connection).await?;
    let is_meant = |of: &str| session.map_or(!alive.contains(of), |session| of == session);
    for name in databases.iter().filter(|name| is_meant(&name[PREFIX.len()..][..SESSION])) {
        drop_named(connection, options, name).await?;
    }
    for role in roles.iter().filter(|role| is_meant(&role[TOOL_ROLE.len() + 1..])) {
        order(connection, &format!("drop role if exists \"{role}\"")).await?;
    }
    Ok(())
}

async fn roles(connection: &mut PgConnection) -> Result<Vec<String>> {
    let pattern = format!("^{TOOL_ROLE}_s[a-z0-5]{{7}}$");
    let query = sqlx::query_scalar("select rolname::text from pg_roles where rolname ~ $1").bind(pattern);
    query.fetch_all(connection).await.map_err(refused)
}

/// The sessions that are alive on this server, on whichever machine.
async fn alive(connection: &mut PgConnection) -> Result<BTreeSet<String>> {
    let sql = format!("select application_name from pg_stat_activity where application_name like '{ALIVE}%'");
    let names = sqlx::query(AssertSqlSafe(sql)).fetch_all(connection).await.map_err(refused)?;
    let session = |row: &PgRow| row.get::<String, _>(0)[ALIVE.len()..].to_owned();
    Ok(names.iter().map(session).collect())
}

/// Who the tools are.
pub(super) struct ToolRole {
    pub(super) name: String,
    pub(super) password: String,
}

/// The role of the tools: an ordinary one of the session, where we may make it, else our own.
async fn tool_role(remote: &Remote, rights: &Rights, session: &str) -> Result<ToolRole> {
    let admin = remote.dsn().options();
    if !rights.makes_roles {
        return Ok(ToolRole { name: admin.get_username().to_owned(), password: remote.dsn().password() });
    }
    let role = ToolRole { name: format!("{TOOL_ROLE}_{session}"), password: hex(&random::<16>()?) };
    let mut connection = connect(&admin).await?;
    let (name, password) = (&role.name, &role.password);
    order(&mut connection, &format!("create role \"{name}\" login password '{password}'")).await?;
    if !rights.is_superuser {
        // Since 16 who makes a role is not in it.
        order(&mut connection, &format!("grant \"{name}\" to current_user")).await?;
    }
    let _ = connection.close().await;
    let entered = connect(&admin.username(name).password(password)).await;
    let entered = entered.map_err(|error| error.within("the role that was made for the tools"))?;
    let _ = entered.close().await;
    Ok(role)
}
