//! When something happened in a case: the phase of a step, and the moment of a probe.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Why a step runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// As the plan has it.
    Plan,
    /// With a fault armed.
    Injured,
    /// As the documented way out.
    Recovery,
    /// As the documented way out, with a second fault armed.
    Relapse,
    /// Once more after success.
    Rerun,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Phase::Plan => "plan",
            Phase::Injured => "injured",
            Phase::Recovery => "recovery",
            Phase::Relapse => "relapse",
            Phase::Rerun => "rerun",
        })
    }
}

/// When a probe was taken.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Moment {
    /// Before the first step.
    Start,
    /// After a step.
    After {
        /// Why it ran.
        phase: Phase,
        /// The step.
        step: String,
    },
    /// After a command that must refuse.
    Guarded {
        /// The guard.
        guard: String,
    },
    /// After everything.
    End,
}

impl Moment {
    /// After `step` in `phase`.
    pub fn after(phase: Phase, step: &str) -> Moment {
        Moment::After { phase, step: step.to_owned() }
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Moment::Start => f.write_str("at the start"),
            Moment::After { phase: Phase::Plan, step } => write!(f, "after `{step}`"),
            Moment::After { phase: Phase::Injured, step } => write!(f, "after the fault in `{step}`"),
            Moment::After { phase: Phase::Recovery, step } => write!(f, "after the recovery by `{step}`"),
            Moment::After { phase: Phase::Relapse, step } => {
                write!(f, "after the second fault, in the recovery by `{step}`")
            }
            Moment::After { phase: Phase::Rerun, step } => write!(f, "after `{step}` once more"),
            Moment::Guarded { guard } => write!(f, "after guard `{guard}`"),
            Moment::End => f.write_str("at the end"),
        }
    }
}
