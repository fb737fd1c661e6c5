//! `lock.hold`: a session of ours holds the locks of all tables of a database that it can get, or queues for them.

use crate::Result;
use crate::db::postgres;
use crate::engine::case::hazard::undo::Undo;
use crate::engine::case::stage::Stage;
use sqlx::{Connection, PgConnection};
use tokio::task::JoinHandle;

/// Takes the locks, for `ms` milliseconds or until the step is over; says what stands then. Where the tool holds them all
/// it queues for them: whoever wants one after that, stands behind it. Nothing: there is no table.
pub(super) async fn hold(stage: &Stage<'_>, endpoint: &str, ms: Option<u32>) -> Result<Option<String>> {
    let (pool, database) = stage.database(endpoint)?;
    let admin = pool.cluster().admin(database);
    let mut connection = pool.connect(&admin).await?;
    postgres::execute(&mut connection, &take(" nowait")).await?;
    let held = postgres::fetch_text(&mut connection, HELD).await?.unwrap_or_default();
    if held != "0" {
        stage.stands(Undo::after(ms, give_back(connection)));
        return Ok(Some(format!("{held} tables of {endpoint} are locked")));
    }
    let queued = queue(connection, pool.connect(&admin).await?).await?;
    let Some((waiting, beside)) = queued else { return Ok(None) };
    stage.stands(Undo::after(ms, leave(waiting, beside)));
    Ok(Some(format!("the tool holds all tables of {endpoint}, and the lock of one is waited for")))
}

/// A session that waits for the locks, until it is ended.
struct Waiting {
    pid: String,
    task: JoinHandle<()>,
}

/// Comes back once it waits, which `beside` sees; nothing where there is nothing to wait for.
async fn queue(mut connection: PgConnection, mut beside: PgConnection) -> Result<Option<(Waiting, PgConnection)>> {
    let pid = postgres::fetch_text(&mut connection, "select pg_backend_pid()::text").await?.unwrap_or_default();
    let task = tokio::spawn(async move {
        if postgres::execute(&mut connection, &take("")).await.is_ok() {
            std::future::pending::<()>().await; // what it got in the end, it holds
        }
    });
    let stands = format!("select count(*)::text from pg_locks where pid = {pid} and mode = 'AccessExclusiveLock'");
    let over = format!("select count(*)::text from pg_stat_activity where pid = {pid} and state <> 'active'");
    loop {
        if postgres::fetch_text(&mut beside, &stands).await? != Some("0".to_owned()) {
            return Ok(Some((Waiting { pid, task }, beside)));
        }
        if postgres::fetch_text(&mut beside, &over).await? != Some("0".to_owned()) {
            leave(Waiting { pid, task }, beside).await?;
            return Ok(None);
        }
    }
}

async fn leave(waiting: Waiting, mut beside: PgConnection) -> Result<()> {
    let end = format!("select pg_terminate_backend({}, 5000)", waiting.pid);
    let ended = postgres::execute(&mut beside, &end).await;
    waiting.task.abort();
    let _ = beside.close().await;
    ended
}

async fn give_back(mut connection: PgConnection) -> Result<()> {
    // After a trouble with it the server ends the session, and the locks with it.
    let _ = postgres::execute(&mut connection, "rollback").await;
    let _ = connection.close().await;
    Ok(())
}

/// One lock after the other. With ` nowait` those which the tool holds are left out.
fn take(nowait: &str) -> String {
    TAKE.replace(" nowait", nowait)
}

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
