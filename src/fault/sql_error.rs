//! `sql.error`: the server refuses a statement with a SQLSTATE (`sql.error=40001`).
//!
//! The server itself raises it, so that the transaction is in the state that such an error leaves, and the connection
//! can be used on: the text of a Query or Execute is replaced by a block that raises the code; of a Query with several
//! statements half have run before; a COPY breaks off in the middle of its rows; in place of COMMIT the transaction is
//! rolled back. Codes that end a session (`57P01` and the like) terminate the server process for real.
//!
//! Which codes: 40001 and 40P01 (to be retried), 53100 (disk full), 55P03 (lock timeout), 57014 (cancelled), 57P01
//! (shutdown), or any other. What it finds out: whether a tool notices, stops or retries, and retries the whole.

use super::{Fault, Hazard};
use crate::model::Axis;

/// See the page of the module.
pub(super) struct SqlError;

impl Fault for SqlError {
    fn name(&self) -> &'static str {
        "sql.error"
    }

    fn about(&self) -> &'static str {
        "The server refuses a statement with a SQLSTATE (`sql.error=40001`)."
    }

    fn axes(&self) -> &'static [Axis] {
        &[Axis::Stmt, Axis::Copyin, Axis::Copyout]
    }

    fn hazard(&self, arg: Option<&str>) -> Result<Hazard, String> {
        let code = arg.ok_or("sql.error needs a SQLSTATE, as in sql.error=40001")?;
        code.parse().map(Hazard::RaiseError)
    }
}
