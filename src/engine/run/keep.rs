//! Cases whose databases stay after the run, because somebody wants to look into them.

use crate::Result;
use crate::engine::case::stage::Stage;
use crate::engine::observe::look::Look;
use crate::engine::run::context::{CaseLog, Run};
use crate::model::{Body, Outcome, Verdict};
use crate::target::Kept;
use std::sync::{Mutex, PoisonError};

/// Which cases keep their databases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Keep {
    /// None.
    #[default]
    None,
    /// Those that are not green.
    Failed,
    /// Every one.
    All,
}

/// Databases are in memory: a sweep that fails everywhere would fill it.
const MOST: usize = 20;

/// What a run keeps so far.
pub(in crate::engine) struct Keeper {
    keep: Keep,
    kept: Mutex<Vec<(Kept, Look)>>,
}

impl Keeper {
    pub(in crate::engine) fn new(keep: Keep) -> Keeper {
        Keeper { keep, kept: Mutex::default() }
    }

    fn wants(&self, verdict: Verdict) -> bool {
        match self.keep {
            Keep::None => false,
            Keep::Failed => verdict != Verdict::Pass,
            Keep::All => true,
        }
    }

    /// Ends the stage of a case: drops everything, or keeps it.
    ///
    /// `verdict` is that of the case, `outcome` its word.
    pub(in crate::engine) async fn end(
        &self,
        stage: Stage<'_>,
        log: &CaseLog<'_>,
        outcome: Outcome,
        verdict: Verdict,
    ) -> Result<()> {
        let is_room = || self.kept().len() < MOST;
        if !self.wants(verdict) || !is_room() {
            return stage.clear().await;
        }
        if stage.is_alone() {
            let text = "its databases are not kept: their server is the case's own, and ends with it".to_owned();
            stage.context.run.journal.append(Body::Note { case: Some(log.case()), text })?;
            return stage.clear().await;
        }
        let look = Look::into(&stage, log, outcome.to_string())?;
        let databases =
            stage.servers().iter().flat_map(|server| &server.databases).map(|name| (*name).to_owned()).collect();
        let work = stage.folder("work");
        let dir = work.parent().unwrap_or(&work).to_owned();
        let kept = Kept { case: log.case(), dir, databases };
        stage.close_observers().await;
        stage.sever().await;
        self.kept().push((kept, look));
        Ok(())
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Vec<(Kept, Look)>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes what was kept outlive the session, and drops all else of it. Nothing of the run is going on any more.
    pub(in crate::engine) async fn settle(&self, run: &Run) -> Result<Vec<Look>> {
        let mut kept = std::mem::take(&mut *self.kept());
        kept.sort_by(|(one, _), (other, _)| one.case.cmp(&other.case));
        let (kept, looks): (Vec<Kept>, Vec<Look>) = kept.into_iter().unzip();
        if kept.is_empty() {
            return Ok(looks);
        }
        if kept.len() == MOST {
            let text = format!("the databases of {MOST} cases are kept, and of no more");
            run.journal.append(Body::Note { case: None, text })?;
        }
        let names: Vec<&str> = kept.iter().flat_map(|kept| &kept.databases).map(String::as_str).collect();
        for (_, pool) in run.house.started() {
            pool.drop_others(&names).await?;
        }
        run.house.session.keep(&kept)?;
        Ok(looks)
    }
}
