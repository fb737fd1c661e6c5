//! `lock.hold`: a session of ours holds the locks of all tables of a database that it can get.

use crate::Result;
use crate::db::postgres;
use crate::engine::case::hazard::undo::Undo;
use crate::engine::case::stage::Stage;
use sqlx::{Connection, PgConnection};

/// Takes the locks, for `ms` milliseconds or until the step is over; returns how many. 0: the tool holds them all.
pub(super) async fn hold(stage: &Stage<'_>, endpoint: &str, ms: Option<u32>) -> Result<u32> {
    let (pool, database) = stage.database(endpoint)?;
    let mut connection = pool.connect(&pool.cluster().admin(database)).await?;
    postgres::execute(&mut connection, TAKE).await?;
    let held = postgres::fetch_text(&mut connection, HELD).await?;
    stage.stands(Undo::after(ms, give_back(connection)));
    Ok(held.and_then(|held| held.parse().ok()).unwrap_or(0))
}

async fn give_back(mut connection: PgConnection) -> Result<()> {
    // After a trouble with it the server ends the session, and the locks with it.
    let _ = postgres::execute(&mut connection, "rollback").await;
    let _ = connection.close().await;
    Ok(())
}

/// One lock after the other, so that those which the tool holds are left out.
const TAKE: &str = "begin; do $$
declare
    one regclass;
begin
    for one in
        select c.oid from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where c.relkind in ('r', 'p') and n.nspname <> 'information_schema' and n.nspname not like 'pg\\_%'
        order by n.nspname, c.relname
    loop
        begin
            execute format('lock table %s in access exclusive mode nowait', one);
        exception when lock_not_available then
            null;
        end;
    end loop;
end $$";
const HELD: &str = "select count(*)::text from pg_locks \
     where pid = pg_backend_pid() and mode = 'AccessExclusiveLock' and locktype = 'relation'";
