//! We as guests on a server that is not ours. Everything that a session makes there begins with [`PREFIX`] and its name,
//! and goes when the stay ends.
//!
//! A connection that is kept open says that the session lives, by its application name: when its owner dies, also by
//! SIGKILL, the server ends it. The next stay drops what belongs to sessions without such a connection. So it does not
//! matter on which machine they were.

use super::cluster::{APPLICATION, Cluster};
use super::image::TOOL_ROLE;
use super::orphans::{SESSION, drop_named, of_sessions};
use super::presence::{order, refused};
use super::reach::Reach;
use super::remote::{Remote, Rights};
use super::session::random;
use super::stay::Stay;
use crate::db::postgres::connect;
use crate::model::canonical::hex;
use crate::{Error, Result};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgRow};
use sqlx::{AssertSqlSafe, Connection, Row};
use std::collections::BTreeSet;
use std::time::Duration;

/// What the names of our databases and roles there begin with.
pub(super) const PREFIX: &str = "rehearse_";

/// The application name of the connection that says that a session lives, before the session's.
const ALIVE: &str = "rehearse-run ";

/// The number of the advisory lock under which the things of the dead are dropped; of the letters of `rehearse`.
const LOCK: i64 = 0x7265_6865_6172_7365;

/// How long the end may take; what is left then is dropped by the next stay.
const PATIENCE_TO_LEAVE: Duration = Duration::from_secs(60);

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
    let (options, name) = (admin.clone(), session.to_owned());
    let left = (options.clone(), name.clone());
    let arrive = async move || Ok(((), arrive(&options, &name).await?));
    let leave = async move |alive: PgConnection| {
        let _ = tokio::time::timeout(PATIENCE_TO_LEAVE, leave(&left.0, &left.1)).await; // or the next run does it
        drop(alive);
    };
    let ((), stay) = Stay::begin(arrive, leave).await?;
    let tool = tool_role(&remote.dsn().options(), &rights, session, hex(&random::<16>()?)).await?;
    let tool = tool.unwrap_or_else(|| ToolRole::of(remote));
    Ok(Cluster::guest(Reach::of(&admin), (admin, tool), rights.server_version, stay))
}

/// The cluster of a container of ours, which ends with `stay` and all that is on it; the tools get this password.
#[cfg(feature = "docker")]
pub(super) async fn in_container(
    admin: PgConnectOptions,
    session: &str,
    password: String,
    stay: Stay,
) -> Result<Cluster> {
    let mut connection = connect(&admin).await?;
    let rights = rights(&mut connection).await?;
    let _ = connection.close().await; // it has answered
    let tool = tool_role(&admin, &rights, session, password).await?;
    let tool = tool.ok_or_else(|| Error::bug("the superuser of a container may not make roles"))?;
    Ok(Cluster::guest(Reach::of(&admin), (admin, tool), rights.server_version, stay).contained())
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

impl ToolRole {
    /// Ourselves.
    fn of(remote: &Remote) -> ToolRole {
        ToolRole { name: remote.dsn().options().get_username().to_owned(), password: remote.dsn().password() }
    }
}

/// An ordinary role of the session for the tools, where we may make one.
async fn tool_role(
    admin: &PgConnectOptions,
    rights: &Rights,
    session: &str,
    password: String,
) -> Result<Option<ToolRole>> {
    if !rights.makes_roles {
        return Ok(None);
    }
    let role = ToolRole { name: format!("{TOOL_ROLE}_{session}"), password };
    let mut connection = connect(admin).await?;
    let (name, password) = (&role.name, &role.password);
    order(&mut connection, &format!("create role \"{name}\" login password '{password}'")).await?;
    if !rights.is_superuser {
        // Since 16 who makes a role is not in it.
        order(&mut connection, &format!("grant \"{name}\" to current_user")).await?;
    }
    let _ = connection.close().await;
    let entered = connect(&admin.clone().username(name).password(password)).await;
    let entered = entered.map_err(|error| error.within("the role that was made for the tools"))?;
    let _ = entered.close().await;
    Ok(Some(role))
}
