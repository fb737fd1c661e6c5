//! A loss of power in a case: it begins with the files that a loss would have left, and the step that was under way, or had
//! just ended, is written down as that.

use crate::Result;
use crate::engine::Traces;
use crate::engine::case::hazard::Injury;
use crate::engine::case::stage::Stage;
use crate::engine::case::step;
use crate::engine::case::way_out::Injured;
use crate::engine::files::{FileOp, replay::Files};
use crate::engine::observe::{self, Which};
use crate::engine::run::context::CaseLog;
use crate::model::{Body, Claims, Moment, Phase, Place, Step, StepEnd};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What a step of a golden run did to files.
pub(in crate::engine) struct Story {
    /// The directory of its case.
    pub(in crate::engine) root: PathBuf,
    /// The path of each endpoint below it.
    pub(in crate::engine) files: BTreeMap<String, String>,
    /// The files when the step began.
    pub(in crate::engine) before: Files,
    /// What it did, in order, with content.
    pub(in crate::engine) ops: Vec<FileOp>,
}

/// One state that a loss of power may leave.
#[derive(Clone)]
pub(in crate::engine) struct Loss {
    /// Where it is, with the fingerprint of `label`.
    pub(in crate::engine) place: Place,
    /// After what, and what of the rest is there.
    pub(in crate::engine) label: String,
    /// Whether the step had ended well before.
    pub(in crate::engine) has_ended: bool,
    /// The directory in which the files lay.
    pub(in crate::engine) root: PathBuf,
    /// After how many operations.
    pub(in crate::engine) after: usize,
    /// What the step had done by then, once it is known that the state is visited.
    pub(in crate::engine) reached: Traces,
    /// The files.
    pub(in crate::engine) files: Files,
}

/// Puts the files there in place of running the step, and looks at the targets. Nothing where there is no state at the
/// place: nothing strikes.
pub(in crate::engine) async fn lose(
    stage: &Stage<'_>,
    log: &mut CaseLog<'_>,
    step: &Step,
    injury: &Injury,
) -> Result<Option<Injured>> {
    let (case, name, phase) = (log.case(), step.name.clone(), Phase::Injured);
    log.record(Body::FaultArmed { case: case.clone(), address: injury.address.clone() })?;
    let Some(loss) = &injury.loss else { return Ok(None) };
    log.record(Body::StepStarted {
        case: case.clone(),
        step: name.clone(),
        role: step.role,
        phase,
        argv: step.argv.clone(),
    })?;
    stage.services.lose_power().await?;
    stage.hold_files(&loss.root, &loss.files)?;
    log.record(Body::FaultFired { case, address: injury.address.clone(), what: loss.label.clone() })?;
    let end = ended(log, step, loss)?;
    observe::probe(stage, log, &Moment::after(phase, &name), Which::Targets).await?;
    Ok(Some(Injured { end, reached: loss.reached.clone() }))
}

/// Writes down how the step ended: by the loss, or well before it.
fn ended(log: &mut CaseLog<'_>, step: &Step, loss: &Loss) -> Result<StepEnd> {
    let (phase, success) = (Phase::Injured, loss.has_ended);
    let exit = step.exit.first().copied().filter(|_| success);
    let end = StepEnd { step: step.name.clone(), phase, exit, signal: None, success, timed_out: false };
    step::finished(log, &end, 0)?;
    if success && step.claims != Claims::None {
        let note = "as in the golden run, before the power went".to_owned();
        log.record(Body::Claim { case: log.case(), step: step.name.clone(), phase, ok: Some(true), note })?;
    }
    Ok(end)
}
