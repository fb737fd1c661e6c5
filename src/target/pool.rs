//! Fresh databases: a template is loaded once per cluster, and cloned in milliseconds from then on.
//!
//! A clone carries everything but what Postgres keeps outside of a database: roles, and `alter database ... set`.

use super::cluster::{Cluster, connect};
use super::guest::PREFIX;
use super::image::TOOL_ROLE;
use super::presence::{names, order, refused};
use super::witness::Witness;
use crate::model::canonical::hex;
use crate::{Error, Result};
use futures_util::future::join_all;
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
    /// Of questions that take no time, see [`presence`](super::presence).
    pub(super) turn: tokio::sync::Mutex<()>,
    /// See [`witness`](super::witness).
    pub(super) witness: Witness,
}

/// A sealed database that nobody can connect to; the same for all processes that share the cluster.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Template {
    pub(super) name: String,
    lasts: bool,
}

impl Template {
    /// Whether later sessions will have it; on a server that is not ours it ends with this one.
    pub fn lasts(&self) -> bool {
        self.lasts
    }
}

/// A database of one's own, owned by the tools' role.
#[derive(Debug, PartialEq, Eq)]
pub struct Database {
    name: String,
}

impl Database {
    /// `<session>_<name>`; on a server that is not ours `rehearse_` stands before it.
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
        Pool {
            cluster: cluster.clone(),
            session: session.to_owned(),
            idle: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
            witness: Witness::default(),
        }
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
        let name = self.template_name(&hex(&digest)[..16]);
        let number = i64::from_be_bytes(digest[..8].try_into().expect("eight bytes of thirty-two"));
        let ((), connection) = tokio::join!(self.call_witness(), self.take());
        let mut connection = connection?;
        if !is_sealed(&mut connection, &name).await? {
            // An error drops the connection, and with it the lock.
            order(&mut connection, &format!("select pg_advisory_lock({number})")).await?;
            if !is_sealed(&mut connection, &name).await? {
                self.make(&mut connection, &name, load).await?;
            }
            order(&mut connection, &format!("select pg_advisory_unlock({number})")).await?;
        }
        self.put(connection);
        Ok(Template { name, lasts: !self.cluster.is_remote() })
    }

    async fn make<F, U>(&self, connection: &mut PgConnection, name: &str, load: F) -> Result<()>
    where
        F: FnOnce(Access) -> U,
        U: Future<Output = Result<()>>,
    {
        self.drop_all(&[name]).await?;
        order(connection, &self.creation(name, None)).await?;
        let access = Access { admin: self.cluster.admin(name), tool: self.cluster.tool(name) };
        if let Err(error) = load(access).await {
            let _ = self.drop_all(&[name]).await;
            return Err(error);
        }
        wake(&self.cluster.admin(name)).await?;
        self.wait_gone(&[name], LEAVING).await?;
        order(connection, &self.sealing(name)).await
    }

    /// On a server of ours a template is the administrator's: its owner could write on it, open or drop it.
    fn sealing(&self, name: &str) -> String {
        let sealed = format!("alter database \"{name}\" with is_template true allow_connections false");
        match self.cluster.admin_role().filter(|_| self.cluster.is_ours()) {
            Some(admin) => format!("alter database \"{name}\" owner to \"{admin}\"; {sealed}"),
            None => sealed,
        }
    }

    /// A copy of a template, as `<session>_<name>`; `name` is of `[a-z0-9_]`, at most 44 characters, not in use.
    ///
    /// # Errors
    /// The name is taken or not allowed; the disk is full.
    pub async fn clone(&self, template: &Template, name: &str) -> Result<Database> {
        self.copy_of(Some(&template.name), name).await
    }

    /// A copy of a database as a template of this session; it ends with the session. Nobody may be connected to it.
    ///
    /// # Errors
    /// Somebody is connected; the name is taken or not allowed; the disk is full.
    pub async fn keep(&self, database: &Database, name: &str) -> Result<Template> {
        let copy = self.copy_of(Some(&database.name), name).await?;
        Ok(Template { name: copy.name, lasts: false })
    }

    /// An empty database, as `<session>_<name>`.
    ///
    /// # Errors
    /// As in [`Pool::clone`].
    pub async fn empty(&self, name: &str) -> Result<Database> {
        self.copy_of(None, name).await
    }

    async fn copy_of(&self, template: Option<&str>, name: &str) -> Result<Database> {
        let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        if name.is_empty() || name.len() > 44 || !name.bytes().all(is_plain) {
            return Err(Error::bug(format!("`{name}` cannot be the name of a database: [a-z0-9_], 1 to 44")));
        }
        let name = format!("{}{name}", self.prefix());
        let ((), connection) = tokio::join!(self.call_witness(), self.take());
        let mut connection = connection?;
        order(&mut connection, &self.creation(&name, template)).await?;
        self.put(connection);
        Ok(Database { name })
    }

    /// What makes a copy of a template, or an empty database.
    fn creation(&self, name: &str, template: Option<&str>) -> String {
        let owner = self.cluster.tool_role().replace('"', "\"\"");
        let kind = match template {
            Some(template) => format!("template \"{template}\""),
            None => self.empty_one(),
        };
        format!("create database \"{name}\" {kind} owner \"{owner}\"{}", self.strategy())
    }

    /// Where the server is not ours, `template1` may hold anything, in any order of letters.
    fn empty_one(&self) -> String {
        let provider = if self.major() >= 15 { " locale_provider libc" } else { "" };
        match self.cluster.is_remote() {
            false => "template template1".to_owned(),
            true => format!("template template0 encoding 'UTF8' lc_collate 'C' lc_ctype 'C'{provider}"),
        }
    }

    /// Before the names of what this session makes.
    fn prefix(&self) -> String {
        let prefix = if self.cluster.is_remote() { PREFIX } else { "" };
        format!("{prefix}{}_", self.session)
    }

    /// On a server of ours a template is everybody's, and ends with it; elsewhere it is the session's.
    fn template_name(&self, digest: &str) -> String {
        match self.cluster.is_remote() {
            false => format!("template_{digest}"),
            true => format!("{}t{digest}", self.prefix()),
        }
    }

    /// Drops a database, with whoever is connected and what they prepared.
    ///
    /// # Errors
    /// The server refuses.
    pub async fn drop(&self, database: Database) -> Result<()> {
        self.drop_all(&[&database.name]).await
    }

    /// The same for several by their names, side by side.
    ///
    /// # Errors
    /// As in [`Pool::drop`].
    pub async fn drop_all(&self, databases: &[&str]) -> Result<()> {
        self.roll_back_prepared(databases).await?;
        let dropped = databases.iter().map(async |name| self.order(&drop_database(name)).await);
        join_all(dropped).await.into_iter().collect() // all of them, whatever becomes of one
    }

    /// Drops the databases of this session but for these.
    ///
    /// # Errors
    /// As in [`Pool::drop`].
    pub async fn drop_others(&self, kept: &[&str]) -> Result<()> {
        let sql = "select datname::text from pg_database where starts_with(datname::text, $1) and datname <> all($2)";
        let query = sqlx::query_scalar(sql).bind(self.prefix()).bind(names(kept));
        let others: Vec<String> =
            self.quick(async |connection| query.fetch_all(connection).await.map_err(refused)).await?;
        for name in &others {
            self.drop_all(&[name]).await?;
        }
        Ok(())
    }

    /// A database of this session that is there already.
    pub fn existing(&self, name: &str) -> Database {
        Database { name: format!("{}{name}", self.prefix()) }
    }

    /// Drops what is open: after a crash of the server nobody answers there any more.
    pub fn forget(&self) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Gives an order as the administrator, from a database that no case has.
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

    pub(super) async fn take(&self) -> Result<PgConnection> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        match idle {
            Some(connection) => Ok(connection),
            None => connect(&self.aside()).await,
        }
    }

    /// How it connects. What is asked is asked again and again, so a server of ours plans it once.
    pub(super) fn aside(&self) -> PgConnectOptions {
        match self.cluster.is_ours() && self.major() >= 12 {
            true => self.cluster.aside().options([("plan_cache_mode", "force_generic_plan")]),
            false => self.cluster.aside(),
        }
    }

    // Connections come back after success only: after an error nobody knows what is on the wire.
    pub(super) fn put(&self, connection: PgConnection) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
    }

    // Copying files beats writing them to the log by far where nothing is synced. Before 15 it was the only way. On a
    // server that others use it would be two checkpoints.
    fn strategy(&self) -> &'static str {
        if self.major() >= 15 && self.cluster.is_ours() { " strategy file_copy" } else { "" }
    }

    /// The major version of the server, such as 15.
    pub fn major(&self) -> u32 {
        let digits: String = self.cluster.server_version().chars().take_while(char::is_ascii_digit).collect();
        digits.parse().unwrap_or(0)
    }
}

/// How long the connections of a loader may take to leave.
const LEAVING: Duration = Duration::from_secs(10);

/// The first connection after a change of definitions reads the whole catalog, and leaves the next ones a file of what
/// it found: copies of the database get it with the rest.
async fn wake(options: &PgConnectOptions) -> Result<()> {
    let connection = connect(options).await?;
    let _ = connection.close().await; // it is asked for later whether everybody is gone
    Ok(())
}

pub(super) fn drop_database(name: &str) -> String {
    format!("drop database if exists \"{name}\" with (force)")
}

pub(super) async fn is_sealed(connection: &mut PgConnection, name: &str) -> Result<bool> {
    let sql = "select exists (select from pg_database where datname = $1 and datistemplate)";
    sqlx::query_scalar(sql).bind(name).fetch_one(connection).await.map_err(refused)
}
