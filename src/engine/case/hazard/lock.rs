//! `lock.hold`: a session of ours holds the locks of all tables of a database that it can get, or queues for them.

use crate::Result;
use crate::db::postgres;
use crate::engine::case::hazard::undo::Undo;
use crate::engine::case::stage::Stage;
use sqlx::{Connection, PgConnection};
use std::time::Duration;
use tokio::task::JoinHandle;

/// Takes the locks until the step is over, or for `ms` milliseconds from when somebody waits for them: a tool that comes
/// late would not meet them. Says what stands then. Where the tool holds them all
/// it queues for them: whoever wants one after that, stands behind it. Nothing: there is no table.
pub(super) async fn hold(stage: &Stage<'_>, endpoint: &str, ms: Option<u32>) -> Result<Option<String>> {
    let (pool, database) = stage.database(endpoint)?;
    let admin = pool.cluster().admin(database);
    let mut connection = pool.connect(&admin).await?;
    postgres::execute(&mut connection, &lock_all("nowait")).await?;
    let held = postgres::fetch_text(&mut connection, HELD).await?.unwrap_or_default();
    let pid = postgres::fetch_text(&mut connection, "select pg_backend_pid()::text").await?.unwrap_or_default();
    let mut beside = pool.connect(&admin).await?;
    if held != "0" {
        let over = waited_for(beside, pid, ms);
        stage.stands(Undo::when(over, give_back(connection)));
        return Ok(Some(format!("{held} tables of {endpoint} are locked")));
    }
    let Some(queued) = Queued::behind_the_tool(connection, pid.clone(), &mut beside).await? else { return Ok(None) };
    stage.stands(Undo::when(waited_for(pool.connect(&admin).await?, pid, ms), queued.leave(beside)));
    Ok(Some(format!("the tool holds all tables of {endpoint}, and the lock of one is waited for")))
}

/// Ends `ms` milliseconds after somebody began to wait for what the session `pid` holds; never where there is no `ms`.
async fn waited_for(mut beside: PgConnection, pid: String, ms: Option<u32>) {
    let Some(ms) = ms else { return std::future::pending().await };
    let sql = format!("select 'yes' from pg_stat_activity where {pid} = any(pg_blocking_pids(pid))");
    while matches!(postgres::fetch_text(&mut beside, &sql).await, Ok(None)) {
        tokio::time::sleep(POLL).await;
    }
    tokio::time::sleep(Duration::from_millis(ms.into())).await;
}

/// A session that waits for the locks, or has them by now.
struct Queued {
    pid: String,
    /// Ends with the wait, and keeps the locks that came of it.
    waiting: JoinHandle<(PgConnection, Result<()>)>,
}

impl Queued {
    /// Comes back once it waits, as seen from `beside`; nothing where there was nothing to wait for.
    async fn behind_the_tool(
        mut connection: PgConnection,
        pid: String,
        beside: &mut PgConnection,
    ) -> Result<Option<Queued>> {
        let waiting = tokio::spawn(async move {
            let got = postgres::execute(&mut connection, &lock_all("")).await;
            (connection, got)
        });
        let queued = Queued { pid, waiting };
        loop {
            let is_over = queued.waiting.is_finished(); // asked first: what it has got by then is seen
            if queued.stands(beside).await? {
                return Ok(Some(queued));
            }
            if is_over {
                return queued.end(beside).await.map(|()| None);
            }
            tokio::time::sleep(POLL).await;
        }
    }

    async fn stands(&self, beside: &mut PgConnection) -> Result<bool> {
        let sql = "select count(*)::text from pg_locks where mode = 'AccessExclusiveLock' and locktype = 'relation' and pid = ";
        let found = postgres::fetch_text(beside, &format!("{sql}{}", self.pid)).await?;
        Ok(found.is_some_and(|count| count != "0"))
    }

    async fn end(self, beside: &mut PgConnection) -> Result<()> {
        let ended = postgres::execute(beside, &format!("select pg_terminate_backend({}, 5000)", self.pid)).await;
        self.waiting.abort();
        ended
    }

    async fn leave(self, mut beside: PgConnection) -> Result<()> {
        let ended = self.end(&mut beside).await;
        let _ = beside.close().await; // it has said what it had to
        ended
    }
}

const POLL: Duration = Duration::from_millis(1);

async fn give_back(mut connection: PgConnection) -> Result<()> {
    // After a trouble with it the server ends the session, and the locks with it.
    let _ = postgres::execute(&mut connection, "rollback").await;
    let _ = connection.close().await;
    Ok(())
}

/// One lock after the other. With `nowait` those which the tool holds are left out.
fn lock_all(option: &str) -> String {
    format!(
        "begin; do $$
declare
    one regclass;
begin
    for one in
        select c.oid from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where c.relkind in ('r', 'p') and n.nspname <> 'information_schema' and n.nspname not like 'pg\\_%'
        order by n.nspname, c.relname
    loop
        begin
            execute format('lock table %s in access exclusive mode {option}', one);
        exception when lock_not_available then
            null;
        end;
    end loop;
end $$"
    )
}

const HELD: &str = "select count(*)::text from pg_locks \
     where pid = pg_backend_pid() and mode = 'AccessExclusiveLock' and locktype = 'relation'";
