//! One injured case, from its address to its verdict.

use crate::engine::Options;
use crate::engine::case;
use crate::engine::case::hazard::Injury;
use crate::engine::case::power::Loss;
use crate::engine::case::recovery::course;
use crate::engine::case::stage::Stage;
use crate::engine::case::way_out::{Injuries, Second, Taken};
use crate::engine::observe::diagnose;
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

/// Runs a case and writes down everything about it; answers with the way out that it took.
///
/// # Errors
/// The journal cannot be written. Trouble inside the case is the case's.
pub(super) async fn run(
    context: &Rehearsed<'_>,
    golden: &Golden,
    planned: &Planned<'_>,
    tool_sha256: &str,
    options: &Options,
) -> Result<Taken> {
    let address = planned.address.clone();
    let short = canonical::sha256_hex(address.to_string().as_bytes());
    let name = format!("{}/{:04}-{}", context.scenario.name, planned.ordinal, &short[..6]);
    let mut log = CaseLog::new(context.run, name);
    log.events.address = Some(address.clone());
    let token = token(context, planned, &address, tool_sha256);
    let label = Some(planned.label.clone()).filter(|label| !label.is_empty());
    log.record(case::started(context, &log.events, label, Some(token.to_string())))?;
    let result = injured(context, &mut log, golden, planned).await;
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
    let Ok((stage, taken)) = result else { return Ok(Taken::new()) };
    clear(stage, &log, outcome, verdict).await?;
    Ok(taken)
}

/// Keeps what the steps printed, if anything went wrong, and removes the rest. What became of the case stands: what cannot
/// be removed is left to the supervisor.
async fn clear(stage: Stage<'_>, log: &CaseLog<'_>, outcome: Outcome, verdict: Verdict) -> Result<()> {
    let run = stage.context.run;
    if outcome.verdict() != Verdict::Pass {
        stage.keep_logs(&log.case())?;
    }
    if let Err(error) = run.keeper.end(stage, log, outcome, verdict).await {
        let text = format!("cannot remove what a case used: {error}");
        run.journal.append(Body::Note { case: Some(log.case()), text })?;
    }
    Ok(())
}

/// A replay with the very tool of its token, whose golden run sent other statements: another point was hit.
fn has_diverged(options: &Options, planned: &Planned<'_>, tool_sha256: &str) -> bool {
    options
        .only
        .as_ref()
        .is_some_and(|token| tool_sha256.starts_with(&token.digests.tool) && token.digests.trace != planned.trace)
}

async fn injured<'a>(
    context: &'a Rehearsed<'a>,
    log: &mut CaseLog<'_>,
    golden: &Golden,
    planned: &Planned<'_>,
) -> Result<(Stage<'a>, Taken)> {
    let injuries = injuries(context, planned)?;
    let is_alone = injuries.need_own_server();
    let checkpoint = golden.first.checkpoints.get(&planned.fault.during).filter(|_| !is_alone);
    let stage = if is_alone { Stage::set_alone(context).await? } else { Stage::set(context, checkpoint).await? };
    let mut course = course(context.plan, planned.fault, &context.idle);
    // A loss of power begins with files that hold what the steps before have done.
    if checkpoint.is_some() || planned.loss.is_some() {
        course.before.clear();
    }
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
