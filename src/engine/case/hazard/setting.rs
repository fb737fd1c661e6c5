//! `cfg.*`: a setting of one database, from before a step until it is over.
//!
//! Settings of a database hold for sessions that begin later, and go with it: nobody else on the server notices.

use crate::db::postgres;
use crate::engine::case::hazard::undo::Undo;
use crate::engine::case::stage::Stage;
use crate::fault::Setting;
use crate::{Error, Result};
use sqlx::Connection;

/// Applies it; returns the proof, what the server has on record of the database.
pub(super) async fn apply(stage: &Stage<'_>, endpoint: &str, setting: Setting) -> Result<String> {
    let (pool, database) = stage.database(endpoint)?;
    let name = postgres::quoted(database);
    let (what, value) = named(setting);
    let (there, back) = match setting {
        Setting::Connections { .. } => (format!("{what} {value}"), format!("{what} -1")),
        _ => (format!("set {what} = {value}"), format!("reset {what}")),
    };
    stage.stands(Undo::Order(pool.clone(), format!("alter database {name} {back}")));
    pool.order(&format!("alter database {name} {there}")).await?;
    // Not by a connection to that very database: the setting would strike us.
    let mut connection = pool.connect(&pool.cluster().aside()).await?;
    let on_record = format!(
        "select concat_ws(' ', 'connection limit=' || datconnlimit, array_to_string(setconfig, ' ')) from pg_database \
         left join pg_db_role_setting on setdatabase = pg_database.oid and setrole = 0 where datname = '{database}'"
    );
    let found = postgres::fetch_text(&mut connection, &on_record).await?.unwrap_or_default();
    let _ = connection.close().await; // it has answered
    match found.contains(&format!("{what}={value}")) {
        true => Ok(format!("{what} of {endpoint} is {value}")),
        false => Err(Error::environment(format!("{what} of {endpoint} is not {value}: {found}"))),
    }
}

/// As `alter database` names it, and what it is set to.
fn named(setting: Setting) -> (&'static str, String) {
    match setting {
        Setting::ReadOnly => ("default_transaction_read_only", "on".to_owned()),
        Setting::StatementTimeout { ms } => ("statement_timeout", ms.to_string()),
        Setting::LockTimeout { ms } => ("lock_timeout", ms.to_string()),
        Setting::IdleInTransaction { ms } => ("idle_in_transaction_session_timeout", ms.to_string()),
        Setting::Connections { limit } => ("connection limit", limit.to_string()),
    }
}
