//! Whether what the file shim recorded of a step is all that the step did to files: the record, replayed on the files
//! from before, must give the files of after.

use crate::Result;
use crate::engine::case::stage::Stage;
use crate::engine::files::{FileOp, replay};
use crate::engine::run::context::CaseLog;
use crate::model::{Body, FileRecord};

/// Checks the record of a golden run's step, and writes down what came of it. Answers with the files from before; nothing
/// where files are not watched.
pub(in crate::engine) fn files(
    stage: &Stage<'_>,
    log: &mut CaseLog<'_>,
    step: &str,
    ops: &[FileOp],
) -> Result<Option<replay::Files>> {
    let Some(states) = stage.take_file_states()? else { return Ok(None) };
    let replayed = replay::replay(&states.before, ops);
    let missed = replay::missed(&replayed, &states.after);
    let (case, step) = (log.case(), step.to_owned());
    let (operations, watched) = (ops.len() as u64, states.programs > 0);
    log.record(Body::Files(FileRecord { case, step, operations, watched, missed }))?;
    Ok(Some(states.before))
}
