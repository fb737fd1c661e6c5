//! The way out of an injured step, taken; and injured itself, where the address chains a second fault.

use crate::Result;
use crate::engine::Traces;
use crate::engine::case::find;
use crate::engine::case::hazard::Injury;
use crate::engine::case::power;
use crate::engine::case::recovery::{self, Struck};
use crate::engine::case::stage::Stage;
use crate::engine::case::step;
use crate::engine::observe::{self, Which};
use crate::engine::run::context::CaseLog;
use crate::fault::Hazard;
use crate::model::{Moment, Phase, StepEnd};

/// What strikes in a case.
pub(in crate::engine) struct Injuries {
    pub(in crate::engine) first: Injury,
    pub(in crate::engine) second: Option<Second>,
}

impl Injuries {
    /// Whether one of them would disturb others on a server that is shared.
    pub(in crate::engine) fn need_own_server(&self) -> bool {
        let second = self.second.iter().map(|second| &second.injury);
        [&self.first].into_iter().chain(second).any(|injury| injury.needs_own_server())
    }
}

/// What strikes the way out.
pub(in crate::engine) struct Second {
    pub(in crate::engine) injury: Injury,
    /// The step of the way out; nothing: its first.
    pub(in crate::engine) during: Option<String>,
}

impl Second {
    fn strikes(&self, index: usize, step: &str) -> bool {
        self.during.as_ref().map_or(index == 0, |during| during == step)
    }
}

/// How an injured step ended, and what had passed the proxies and been done to files by then.
pub(in crate::engine) struct Injured {
    pub(in crate::engine) end: StepEnd,
    pub(in crate::engine) reached: Traces,
}

/// Each step of a way out with what passed the proxies and was done to files during it, in order.
pub(in crate::engine) type Taken = Vec<(String, Traces)>;

/// Runs a step with a fault armed, and looks at the targets right after. Nothing where there was nothing to strike.
pub(in crate::engine) async fn injure(
    stage: &Stage<'_>,
    log: &mut CaseLog<'_>,
    name: &str,
    phase: Phase,
    injury: &Injury,
) -> Result<Option<Injured>> {
    if injury.hazard == Hazard::LosePower {
        return power::lose(stage, log, find(stage, name)?, injury).await;
    }
    stage.take_traces()?;
    let end = step::run(stage, log, find(stage, name)?, phase, Some(injury)).await?;
    let reached = stage.take_traces()?;
    observe::probe(stage, log, &Moment::after(phase, name), Which::Targets).await?;
    Ok(Some(Injured { end, reached }))
}

/// Takes the documented way out of `step`; answers with what was taken, and whether it succeeded.
pub(in crate::engine) async fn take(
    stage: &Stage<'_>,
    log: &mut CaseLog<'_>,
    step: &str,
    injuries: &Injuries,
    reached: &Traces,
) -> Result<(Taken, bool)> {
    let mut steps = documented(stage, step, &injuries.first, reached);
    let (mut second, mut taken, mut index) = (injuries.second.as_ref(), Taken::new(), 0);
    while let Some(name) = steps.get(index).cloned() {
        index += 1;
        let Some(strikes) = second.filter(|second| second.strikes(index - 1, &name)) else {
            let (end, passed) = recover(stage, log, &name).await?;
            taken.push((name, passed));
            if !end.success {
                return Ok((taken, false));
            }
            continue;
        };
        second = None;
        let injured = injure(stage, log, &name, Phase::Relapse, &strikes.injury).await?;
        let Some(Injured { end, reached }) = injured.filter(|injured| !injured.end.timed_out) else {
            return Ok((taken, false));
        };
        if !end.success {
            let again = documented(stage, &name, &strikes.injury, &reached);
            (steps, index) = (recovery::resumed(&steps, index - 1, again), 0);
        }
        taken.push((name, reached));
    }
    Ok((taken, true))
}

fn documented(stage: &Stage<'_>, step: &str, injury: &Injury, reached: &Traces) -> Vec<String> {
    let struck = Struck { step, kind: &injury.address.first().name(), reached };
    recovery::way_out(stage.context.scenario, stage.context.plan, &struck)
}

async fn recover(stage: &Stage<'_>, log: &mut CaseLog<'_>, name: &str) -> Result<(StepEnd, Traces)> {
    stage.take_traces()?;
    let end = step::run(stage, log, find(stage, name)?, Phase::Recovery, None).await?;
    let passed = stage.take_traces()?;
    observe::probe(stage, log, &Moment::after(Phase::Recovery, name), Which::Targets).await?;
    Ok((end, passed))
}
