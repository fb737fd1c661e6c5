//! Databases whose session is dead: found by their names, and dropped.

use super::cluster::connect;
use super::pool::{drop_database, is_sealed};
use super::presence::{order, prepared, refused, roll_back};
use crate::Result;
use sqlx::Connection;
use sqlx::postgres::{PgConnectOptions, PgConnection};

/// Characters in the name of a session.
pub(super) const SESSION: usize = 8;

/// Drops the databases `<session>_...` of sessions that are not alive, on a server of ours. A session is made before its
/// databases, so it is asked for after they were listed.
pub(super) async fn drop_dead(admin: PgConnectOptions, is_alive: impl Fn(&str) -> bool) -> Result<()> {
    let mut connection = connect(&admin).await?;
    let all = of_sessions(&mut connection, "").await?;
    for name in all.iter().filter(|name| !is_alive(&name[..SESSION])) {
        drop_named(&mut connection, &admin, name).await?;
    }
    let _ = connection.close().await;
    Ok(())
}

/// The databases of sessions, whoever they are of: names that begin with `prefix` and that of a session.
pub(super) async fn of_sessions(connection: &mut PgConnection, prefix: &str) -> Result<Vec<String>> {
    let sql = "select datname::text from pg_database where datname ~ $1 order by 1";
    let query = sqlx::query_scalar(sql).bind(format!("^{prefix}s[a-z0-5]{{7}}_"));
    query.fetch_all(connection).await.map_err(refused)
}

/// Drops a database, with whoever is connected and what they prepared, also if it is a template.
pub(super) async fn drop_named(connection: &mut PgConnection, admin: &PgConnectOptions, name: &str) -> Result<()> {
    roll_back(prepared(connection, &[name]).await?, |database| admin.clone().database(database)).await?;
    if is_sealed(connection, name).await? {
        order(connection, &format!("alter database \"{name}\" with is_template false")).await?;
    }
    order(connection, &drop_database(name)).await
}
