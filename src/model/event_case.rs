//! To which case an event belongs.

use crate::model::{Body, ClaimedValues, FileRecord, ReportAge, ServerBusy, WentBack};

impl Body {
    /// The case that it belongs to, if it belongs to one.
    pub fn case(&self) -> Option<&str> {
        match self {
            Body::RunStarted { .. }
            | Body::CutoverStarted(_)
            | Body::ScenarioStarted(_)
            | Body::ChecksProved { .. }
            | Body::GoldenShared { .. }
            | Body::ScenarioPlanned { .. }
            | Body::BudgetOver(_)
            | Body::ScenarioOmitted(_)
            | Body::RunInterrupted {}
            | Body::Baseline(_)
            | Body::Criteria(_)
            | Body::ShardPlanned(_)
            | Body::ShardMerged(_)
            | Body::ScenarioFinished { .. }
            | Body::RunFinished { .. } => None,
            Body::Note { case, .. } => case.as_deref(),
            Body::CaseStarted { case, .. }
            | Body::StepStarted { case, .. }
            | Body::StepFinished { case, .. }
            | Body::FaultArmed { case, .. }
            | Body::FaultFired { case, .. }
            | Body::FaultCleared { case, .. }
            | Body::WriterCame { case, .. }
            | Body::SourceWritten { case, .. }
            | Body::Probe { case, .. }
            | Body::Mapped { case, .. }
            | Body::MapKeys { case, .. }
            | Body::MapRefused { case, .. }
            | Body::Claim { case, .. }
            | Body::Claimed(ClaimedValues { case, .. })
            | Body::Report(ReportAge { case, .. })
            | Body::Traffic { case, .. }
            | Body::Files(FileRecord { case, .. })
            | Body::Server(ServerBusy { case, .. })
            | Body::Sequences { case, .. }
            | Body::Guarded { case, .. }
            | Body::Asked { case, .. }
            | Body::Leftovers { case, .. }
            | Body::Obstacles { case, .. }
            | Body::WentBack(WentBack { case, .. })
            | Body::Differences { case, .. }
            | Body::CaseFinished { case, .. } => Some(case),
        }
    }
}
