//! One injured case, from its address to its verdict: its stage is set, it runs, and what it used is cleared away.

use crate::engine::Options;
use crate::engine::case;
use crate::engine::case::hazard::Injury;
use crate::engine::case::power::Loss;
use crate::engine::case::recovery::{Course, course};
use crate::engine::case::stage::Stage;
use crate::engine::case::way_out::{Injuries, Second, Taken};
use crate::engine::observe::{self, diagnose};
use crate::engine::run::context::{CaseLog, Ending, Rehearsed};
use crate::engine::run::golden::Golden;
use crate::model::{Address, Body, FaultPoint, FaultSpec, Outcome, Token, TokenDigests, Verdict, canonical};
use crate::{Error, Result};
use std::sync::Arc;

/// A case that is to be run.
pub(super) struct Planned<'a> {
    pub(super) fault: &'a FaultSpec,
    pub(super) address: Address,
    pub(super) label: String,
    pub(super) trace: String,
    pub(super) ordinal: usize,
    pub(super) loss: Option<Arc<Loss>>,
}

/// The stage of a case, and what will happen on it.
pub(super) struct Set<'a> {
    stage: Stage<'a>,
    course: Course,
    injuries: Injuries,
}

impl Set<'_> {
    /// Whether the case will wait most of the time.
    pub(super) fn waits(&self) -> bool {
        self.injuries.first.hazard.makes_wait()
    }
}

/// Sets the stage of a case.
///
/// # Errors
/// Trouble of the case, which [`run`] writes down.
pub(super) async fn set<'a>(context: &'a Rehearsed<'a>, golden: &Golden, planned: &Planned<'_>) -> Result<Set<'a>> {
    let injuries = injuries(context, planned)?;
    let is_alone = injuries.need_own_server();
    let checkpoint = golden.first.checkpoints.get(&planned.fault.during).filter(|_| !is_alone);
    let stage = if is_alone { Stage::set_alone(context).await? } else { Stage::set(context, checkpoint).await? };
    observe::join_targets(&stage).await?;
    let mut course = course(context.plan, planned.fault, &context.idle);
    // A loss of power begins with files that hold what the steps before have done.
    if checkpoint.is_some() || planned.loss.is_some() {
        course.before.clear();
    }
    Ok(Set { stage, course, injuries })
}

/// Clears a stage on which nothing has happened.
pub(super) async fn unused(set: Result<Set<'_>>) -> Result<()> {
    match set {
        Ok(set) => set.stage.clear().await,
        Err(_) => Ok(()), // nobody has asked for it
    }
}

/// A case that was judged, and what is left of it.
pub(super) struct Ended<'a> {
    log: CaseLog<'a>,
    outcome: Outcome,
    verdict: Verdict,
    stage: Option<Stage<'a>>,
    taken: Taken,
}

/// Runs a case and writes down everything about it.
///
/// # Errors
/// The journal cannot be written. Trouble inside the case is the case's.
pub(super) async fn run<'a>(
    context: &'a Rehearsed<'a>,
    golden: &Golden,
    planned: &Planned<'_>,
    set: Result<Set<'a>>,
    (tool_sha256, options): (&str, &Options),
) -> Result<Ended<'a>> {
    let address = planned.address.clone();
    let short = canonical::sha256_hex(address.to_string().as_bytes());
    let name = format!("{}/{:04}-{}", context.scenario.name, planned.ordinal, &short[..6]);
    let mut log = CaseLog::new(context.run, name);
    log.events.address = Some(address.clone());
    let token = token(context, planned, &address, tool_sha256);
    let label = Some(planned.label.clone()).filter(|label| !label.is_empty());
    log.record(case::started(context, &log.events, label, Some(token.to_string())))?;
    let result = match set {
        Ok(set) => injured(set, &mut log, golden).await,
        Err(trouble) => Err(trouble),
    };
    let ending = match &result {
        Err(error) => Ending::Trouble(error.to_string()),
        Ok(_) if has_diverged(options, planned, tool_sha256) => Ending::Diverged,
        Ok(_) => Ending::Finished,
    };
    let judged = log.judge(context, &golden.events, ending);
    let (outcome, verdict) = (judged.outcome, judged.verdict());
    // Who looks for a smaller failure wants many of them, and no explanation.
    if let (Ok((stage, _)), Verdict::Fail, false) = (&result, verdict, context.run.is_hunt) {
        diagnose::red_case(stage, &mut log, golden).await?;
    }
    log.finish(judged)?;
    let (stage, taken) = result.map_or((None, Taken::new()), |(stage, taken)| (Some(stage), taken));
    Ok(Ended { log, outcome, verdict, stage, taken })
}

impl Ended<'_> {
    /// Keeps what the steps printed, if anything went wrong, and removes the rest; answers with the way out that the case
    /// took. What became of it stands: what cannot be removed is left to the supervisor.
    pub(super) async fn clear(self) -> Result<Taken> {
        let Ended { log, outcome, verdict, stage, taken } = self;
        let Some(stage) = stage else { return Ok(taken) };
        let run = stage.context.run;
        if outcome.verdict() != Verdict::Pass {
            stage.keep_logs(&log.case())?;
        }
        if let Err(error) = run.keeper.end(stage, &log, outcome, verdict).await {
            let text = format!("cannot remove what a case used: {error}");
            run.journal.append(Body::Note { case: Some(log.case()), text })?;
        }
        Ok(taken)
    }
}

/// A replay with the very tool of its token, whose golden run sent other statements: another point was hit.
fn has_diverged(options: &Options, planned: &Planned<'_>, tool_sha256: &str) -> bool {
    options
        .only
        .as_ref()
        .is_some_and(|token| tool_sha256.starts_with(&token.digests.tool) && token.digests.trace != planned.trace)
}

async fn injured<'a>(set: Set<'a>, log: &mut CaseLog<'_>, golden: &Golden) -> Result<(Stage<'a>, Taken)> {
    let Set { stage, course, injuries } = set;
    let taken = Box::pin(case::injured(&stage, log, &golden.events, &course, &injuries)).await?;
    Ok((stage, taken))
}

/// What strikes in a case: the first fault, and the one that strikes the way out.
fn injuries(context: &Rehearsed<'_>, planned: &Planned<'_>) -> Result<Injuries> {
    let injury = |point: &FaultPoint| -> Result<Injury> {
        let hazard = context.kind(&point.kind)?.hazard(point.arg.as_deref()).map_err(Error::environment)?;
        Ok(Injury { address: Address::one(point.clone()), hazard, loss: None })
    };
    let during = planned.fault.then.as_ref().and_then(|then| then.during.clone());
    let second = planned.address.points().get(1).map(injury).transpose()?;
    let second = second.map(|injury| Second { injury, during });
    let first = Injury { loss: planned.loss.clone(), ..injury(planned.address.first())? };
    Ok(Injuries { first, second })
}

fn token(context: &Rehearsed<'_>, planned: &Planned<'_>, address: &Address, tool_sha256: &str) -> Token {
    let short = |digest: &str| digest.chars().take(8).collect::<String>();
    Token {
        scenario: context.scenario.token_name(),
        seed: context.scenario.seed,
        address: address.clone(),
        digests: TokenDigests {
            dataset: short(&context.dataset.digest()),
            tool: short(tool_sha256),
            trace: planned.trace.clone(),
        },
    }
}
