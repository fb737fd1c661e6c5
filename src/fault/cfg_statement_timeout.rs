//! `cfg.statement-timeout`: a database ends statements that take long (57014).
//!
//! From before the step until it is over `statement_timeout` is MS of `cfg.statement-timeout=MS`, else 1: the patience
//! of a server whose owner did not think of migrations. Which statement it strikes depends on the machine. What it
//! finds out: whether the tool sets its own bound, or notices that a statement was ended.

use super::{Fault, Hazard, Setting, milliseconds};
use crate::model::Axis;

/// See the page of the module.
pub(super) struct CfgStatementTimeout;

impl Fault for CfgStatementTimeout {
    fn name(&self) -> &'static str {
        "cfg.statement-timeout"
    }

    fn about(&self) -> &'static str {
        "A database ends statements that take more than some milliseconds (57014)."
    }

    fn axes(&self) -> &'static [Axis] {
        &[Axis::Step]
    }

    fn hazard(&self, arg: Option<&str>) -> Result<Hazard, String> {
        arg.map_or(Ok(1), |_| milliseconds(self, arg)).map(|ms| Hazard::Configure(Setting::StatementTimeout { ms }))
    }
}
