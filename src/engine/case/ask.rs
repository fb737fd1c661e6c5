//! Questions that a scenario brings itself: commands that must refuse, and checks of its own.

use crate::Result;
use crate::db;
use crate::engine::case::hazard;
use crate::engine::case::launch;
use crate::engine::case::stage::{Place, Stage};
use crate::engine::observe;
use crate::engine::run::context::CaseLog;
use crate::model::{Ask, Body, Moment, Step};
use crate::process::Exit;

/// Tries the guards that stand before a step, and looks at every database after each.
pub(in crate::engine) async fn guards(stage: &Stage<'_>, log: &mut CaseLog<'_>, before: &str) -> Result<()> {
    for guard in stage.context.plan.guards.iter().filter(|guard| guard.before == before) {
        let name = &guard.command.name;
        let exit = run(stage, &guard.command, &format!("guard-{name}")).await?;
        let refusals = guard.command.exit.clone();
        let exit = exit.and_then(|exit| exit.code);
        let said = guard.says.as_ref().is_none_or(|text| output(stage, &format!("guard-{name}")).contains(text));
        log.record(Body::Guarded { case: log.case(), guard: name.clone(), refusals, exit, said })?;
        let moment = Moment::Guarded { guard: name.clone() };
        observe::probe(stage, log, &moment, observe::Which::All).await?;
    }
    Ok(())
}

/// Asks the checks of the scenario's own.
pub(in crate::engine) async fn own_checks(stage: &Stage<'_>, log: &mut CaseLog<'_>, moment: &Moment) -> Result<()> {
    for check in &stage.context.scenario.checks {
        let (expected, found, holds) = match &check.ask {
            Ask::Sql { on, query, equals } => {
                let found = answer(stage, on, query).await?;
                let holds = found == *equals;
                (equals.clone(), if stage.context.may_show_rows() { found } else { withheld(holds) }, holds)
            }
            Ask::Command(command) => {
                let exit = run(stage, command, &command.name).await?;
                let holds = exit.and_then(|exit| exit.code).is_some_and(|code| command.exit.contains(&code));
                (codes(&command.exit), exit.map_or("no end within 60 s".to_owned(), |exit| exit.to_string()), holds)
            }
        };
        let (case, moment, check) = (log.case(), moment.clone(), check.name.clone());
        log.record(Body::Asked { case, moment, check, holds, expected, found: shortened(&found) })?;
    }
    Ok(())
}

/// The first row, or why there is none: a query that the server refuses has its answer.
async fn answer(stage: &Stage<'_>, on: &str, query: &str) -> Result<String> {
    let holding = stage.holdings().iter().find(|holding| holding.name == on);
    let holding =
        holding.ok_or_else(|| crate::Error::environment(format!("[[check]] reads `{on}`, which is no target")))?;
    let row = match &holding.place {
        Place::Sqlite { path } => db::sqlite::first_row(path, query),
        Place::Postgres { .. } => db::first_row(&mut observe::connect(stage, holding).await?, query).await,
    };
    Ok(row.map_or_else(|error| error.to_string(), |row| row.unwrap_or_else(|| "no row".to_owned())))
}

/// Runs a command beside the plan; nothing where it did not end within its bound.
async fn run(stage: &Stage<'_>, command: &Step, log_name: &str) -> Result<Option<Exit>> {
    let mut child = launch::prepare_as(stage, command, log_name, None)?.start()?;
    match tokio::time::timeout(command.timeout.unwrap_or_default(), child.wait()).await {
        Ok(exit) => exit.map(Some),
        Err(_) => {
            hazard::kill(stage, &child).await?;
            child.wait().await.map(|_| None)
        }
    }
}

/// All that a command printed.
fn output(stage: &Stage<'_>, log_name: &str) -> String {
    let of = |stream: &str| std::fs::read(stage.folder("logs").join(log_name).with_extension(stream));
    let bytes = ["stdout", "stderr"].map(|stream| of(stream).unwrap_or_default()).concat();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// An answer may be a row of data that nobody may see.
fn withheld(holds: bool) -> String {
    (if holds { "it" } else { "something else; the dataset is not synthetic, so it is not shown" }).to_owned()
}

fn codes(exit: &[i32]) -> String {
    exit.iter().map(|code| format!("exit {code}")).collect::<Vec<_>>().join(" or ")
}

/// A finding is read by people.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(200) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}
