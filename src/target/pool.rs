//! Fresh databases: a template is loaded once per cluster, and cloned in milliseconds from then on.
//!
//! A clone carries everything but what Postgres keeps outside of a database: roles, and `alter database ... set`.

use super::cluster::{Cluster, connect};
use super::image::TOOL_ROLE;
use super::presence::{self, Backend, Prepared, names, order, refused, roll_back_prepared};
use crate::clock::Stopwatch;
use crate::model::canonical::hex;
use crate::{Error, Result};
use sha2::{Digest, Sha256};
use sqlx::Connection;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Makes and drops databases of a session, over admin connections that it keeps open.
///
/// It belongs to the tokio runtime that it was first used in.
#[derive(Debug)]
pub struct Pool {
    cluster: Cluster,
    session: String,
    idle: Mutex<Vec<PgConnection>>,
}

/// A sealed database that nobody can connect to; the same for all processes that share the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    name: String,
}

/// A database of one's own, owned by the tools' role.
#[derive(Debug, PartialEq, Eq)]
pub struct Database {
    name: String,
}

impl Database {
    /// `<session>_<name>`.
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// Two ways to connect to a template while it is being loaded. What the administrator makes, the tools do not own.
#[derive(Debug, Clone)]
pub struct Access {
    /// As the superuser.
    pub admin: PgConnectOptions,
    /// As the tools.
    pub tool: PgConnectOptions,
}

impl Pool {
    /// A pool without connections yet.
    pub fn new(cluster: &Cluster, session: &str) -> Pool {
        Pool { cluster: cluster.clone(), session: session.to_owned(), idle: Mutex::default() }
    }

    /// The cluster that the databases are in.
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// The template of a key, loaded now if no process of this cluster did it before.
    ///
    /// The key must name the content (a digest of the dataset): what is there under the same key is taken. A template
    /// whose loading was cut off is made again.
    ///
    /// # Errors
    /// The error of `load`, or the server's; nothing is kept of the template.
    pub async fn template<F, U>(&self, key: &str, load: F) -> Result<Template>
    where
        F: FnOnce(Access) -> U,
        U: Future<Output = Result<()>>,
    {
        let digest = Sha256::digest(key.as_bytes());
        let name = format!("template_{}", &hex(&digest)[..16]);
        let number = i64::from_be_bytes(digest[..8].try_into().expect("eight bytes of thirty-two"));
        let mut connection = self.take().await?;
        if !is_sealed(&mut connection, &name).await? {
            // An error drops the connection, and with it the lock.
            order(&mut connection, &format!("select pg_advisory_lock({number})")).await?;
            if !is_sealed(&mut connection, &name).await? {
                self.make(&mut connection, &name, load).await?;
            }
            order(&mut connection, &format!("select pg_advisory_unlock({number})")).await?;
        }
        self.put(connection);
        Ok(Template { name })
    }

    async fn make<F, U>(&self, connection: &mut PgConnection, name: &str, load: F) -> Result<()>
    where
        F: FnOnce(Access) -> U,
        U: Future<Output = Result<()>>,
    {
        drop_database(connection, &self.cluster, name).await?;
        let sql = format!("create database \"{name}\" template template1 owner {TOOL_ROLE}{}", self.strategy());
        order(connection, &sql).await?;
        let access = Access { admin: self.cluster.admin(name), tool: self.cluster.tool(name) };
        if let Err(error) = load(access).await {
            let _ = drop_database(connection, &self.cluster, name).await;
            return Err(error);
        }
        presence::wait_gone(connection, &[name], LEAVING).await?;
        order(connection, &format!("alter database \"{name}\" with is_template true allow_connections false")).await
    }

    /// A copy of a template, as `<session>_<name>`; `name` is of `[a-z0-9_]`, at most 50 characters, not in use.
    ///
    /// # Errors
    /// The name is taken or not allowed; the disk is full.
    pub async fn clone(&self, template: &Template, name: &str) -> Result<Database> {
        self.copy_of(&template.name, name).await
    }

    /// A copy of a database as a template of this session; it ends with the session. Nobody may be connected to it.
    ///
    /// # Errors
    /// Somebody is connected; the name is taken or not allowed; the disk is full.
    pub async fn keep(&self, database: &Database, name: &str) -> Result<Template> {
        let copy = self.copy_of(&database.name, name).await?;
        Ok(Template { name: copy.name })
    }

    /// An empty database, as `<session>_<name>`.
    ///
    /// # Errors
    /// As in [`Pool::clone`].
    pub async fn empty(&self, name: &str) -> Result<Database> {
        self.copy_of("template1", name).await
    }

    async fn copy_of(&self, template: &str, name: &str) -> Result<Database> {
        let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        if name.is_empty() || name.len() > 50 || !name.bytes().all(is_plain) {
            return Err(Error::bug(format!("`{name}` cannot be the name of a database: [a-z0-9_], 1 to 50")));
        }
        let name = format!("{}_{name}", self.session);
        let sql = format!("create database \"{name}\" template \"{template}\" owner {TOOL_ROLE}{}", self.strategy());
        let mut connection = self.take().await?;
        order(&mut connection, &sql).await?;
        self.put(connection);
        Ok(Database { name })
    }

    /// Drops a database, with whoever is connected and what they prepared.
    ///
    /// # Errors
    /// The server refuses.
    pub async fn drop(&self, database: Database) -> Result<()> {
        let mut connection = self.take().await?;
        drop_database(&mut connection, &self.cluster, &database.name).await?;
        self.put(connection);
        Ok(())
    }

    /// Drops the databases of this session but for these.
    ///
    /// # Errors
    /// As in [`Pool::drop`].
    pub async fn drop_others(&self, kept: &[&str]) -> Result<()> {
        let mut connection = self.take().await?;
        let sql = "select datname::text from pg_database where starts_with(datname::text, $1) and datname <> all($2)";
        let query = sqlx::query_scalar(sql).bind(format!("{}_", self.session)).bind(names(kept));
        let others: Vec<String> = query.fetch_all(&mut connection).await.map_err(refused)?;
        for name in others {
            drop_database(&mut connection, &self.cluster, &name).await?;
        }
        self.put(connection);
        Ok(())
    }

    /// The server's processes in these databases that are not ours, ascending by pid.
    ///
    /// # Errors
    /// The server does not answer.
    pub async fn backends(&self, databases: &[&str]) -> Result<Vec<Backend>> {
        let mut connection = self.take().await?;
        let found = presence::backends(&mut connection, databases).await?;
        self.put(connection);
        Ok(found)
    }

    /// Sessions in these databases that are in a transaction or hold a lock, ours left out; one sentence each.
    ///
    /// # Errors
    /// The server does not answer.
    pub async fn busy(&self, databases: &[&str]) -> Result<Vec<String>> {
        let mut connection = self.take().await?;
        let found = presence::busy(&mut connection, databases).await?;
        self.put(connection);
        Ok(found)
    }

    /// Waits until no process of the server is left in these databases; returns how long that took, in microseconds.
    ///
    /// After a tool is killed, its statements go on for a while and may commit.
    ///
    /// # Errors
    /// Some are left at the end of `timeout`; names them.
    pub async fn wait_gone(&self, databases: &[&str], timeout: Duration) -> Result<u64> {
        let mut connection = self.take().await?;
        let waited_us = presence::wait_gone(&mut connection, databases, timeout).await?;
        self.put(connection);
        Ok(waited_us)
    }

    /// As [`Pool::wait_gone`], and our own connections count too: after it a database can be dropped at once.
    ///
    /// # Errors
    /// As in [`Pool::wait_gone`].
    pub async fn wait_empty(&self, databases: &[&str], timeout: Duration) -> Result<()> {
        let sql = "select count(*) from pg_stat_activity where datname = any($1)";
        let mut connection = self.take().await?;
        let watch = Stopwatch::start();
        loop {
            let query = sqlx::query_scalar::<_, i64>(sql).bind(names(databases));
            match query.fetch_one(&mut connection).await.map_err(refused)? {
                0 => break,
                left if watch.elapsed() > timeout => {
                    return Err(Error::environment(format!("{left} connections of ours are left in a database")));
                }
                _ => tokio::time::sleep(Duration::from_millis(1)).await,
            }
        }
        self.put(connection);
        Ok(())
    }

    /// Whether nobody is in these databases but the administrator, by whatever name a session calls itself.
    ///
    /// # Errors
    /// The server does not answer.
    pub async fn is_empty_but_for_us(&self, databases: &[&str]) -> Result<bool> {
        let mut connection = self.take().await?;
        let is_empty = presence::is_empty_but_for_us(&mut connection, databases).await?;
        self.put(connection);
        Ok(is_empty)
    }

    /// The prepared transactions in these databases, by name.
    ///
    /// # Errors
    /// The server does not answer.
    pub async fn prepared(&self, databases: &[&str]) -> Result<Vec<Prepared>> {
        let mut connection = self.take().await?;
        let found = presence::prepared(&mut connection, databases).await?;
        self.put(connection);
        Ok(found)
    }

    /// Rolls back what is prepared in a database.
    ///
    /// # Errors
    /// The server refuses.
    pub async fn roll_back_prepared(&self, database: &str) -> Result<()> {
        let mut connection = self.take().await?;
        roll_back_prepared(&mut connection, |name| self.cluster.admin(name), database).await?;
        self.put(connection);
        Ok(())
    }

    /// A database of this session that is there already, as `<session>_<name>`.
    pub fn existing(&self, name: &str) -> Database {
        Database { name: format!("{}_{name}", self.session) }
    }

    /// Drops what is open: after a crash of the server nobody answers there any more.
    pub fn forget(&self) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Gives an order as the administrator, from the database `postgres`.
    ///
    /// # Errors
    /// The server refuses.
    pub async fn order(&self, sql: &str) -> Result<()> {
        let mut connection = self.take().await?;
        order(&mut connection, sql).await?;
        self.put(connection);
        Ok(())
    }

    pub(super) async fn set_tool_password(&self, password: &str) -> Result<()> {
        self.order(&format!("alter role {TOOL_ROLE} password '{password}'")).await
    }

    /// A connection of one's own; its options come from the cluster.
    ///
    /// # Errors
    /// The server does not answer, or refuses.
    pub async fn connect(&self, options: &PgConnectOptions) -> Result<PgConnection> {
        connect(options).await
    }

    async fn take(&self) -> Result<PgConnection> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        match idle {
            Some(connection) => Ok(connection),
            None => connect(&self.cluster.admin("postgres")).await,
        }
    }

    // Connections come back after success only: after an error nobody knows what is on the wire.
    fn put(&self, connection: PgConnection) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
    }

    // Copying files beats writing them to the log by far where nothing is synced. Before 15 it was the only way.
    fn strategy(&self) -> &'static str {
        let major = self.cluster.server_version().split(|c: char| !c.is_ascii_digit()).next();
        match major.and_then(|major| major.parse::<u32>().ok()) {
            Some(15..) => " strategy file_copy",
            _ => "",
        }
    }
}

/// Drops the databases `<session>_...` of sessions that are not alive. A session is made before its databases, so it
/// is asked for after they were listed.
pub(super) async fn drop_orphans(admin: PgConnectOptions, is_alive: impl Fn(&str) -> bool) -> Result<()> {
    let mut connection = connect(&admin).await?;
    let sql = "select datname::text from pg_database where datname ~ '^s[a-z0-5]{7}_'";
    let names: Vec<String> = sqlx::query_scalar(sql).fetch_all(&mut connection).await.map_err(refused)?;
    for name in names.iter().filter(|name| !is_alive(&name[..8])) {
        roll_back_prepared(&mut connection, |database| admin.clone().database(database), name).await?;
        order(&mut connection, &format!("drop database if exists \"{name}\" with (force)")).await?;
    }
    let _ = connection.close().await;
    Ok(())
}

/// How long the connections of a loader may take to leave.
const LEAVING: Duration = Duration::from_secs(10);

async fn drop_database(connection: &mut PgConnection, cluster: &Cluster, name: &str) -> Result<()> {
    roll_back_prepared(connection, |database| cluster.admin(database), name).await?;
    order(connection, &format!("drop database if exists \"{name}\" with (force)")).await
}

async fn is_sealed(connection: &mut PgConnection, name: &str) -> Result<bool> {
    let sql = "select exists (select from pg_database where datname = $1 and datistemplate)";
    sqlx::query_scalar(sql).bind(name).fetch_one(connection).await.map_err(refused)
}
