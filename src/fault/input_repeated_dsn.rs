//! `input.repeated-dsn`: the same DSN is given for two databases.
//!
//! For one run of the step the source of the endpoint has the address of the next one (after the last, the first);
//! where there is only one source, that of the target; and a target has that of the first source. The way out has the
//! right ones again. What is right: the tool refuses before it has changed anything.

use super::{Fault, Hazard, Input, no_argument};
use crate::model::Axis;

/// See the page of the module.
pub(super) struct InputRepeatedDsn;

impl Fault for InputRepeatedDsn {
    fn name(&self) -> &'static str {
        "input.repeated-dsn"
    }

    fn about(&self) -> &'static str {
        "One DSN is given for two sources, or for a source and the target."
    }

    fn axes(&self) -> &'static [Axis] {
        &[Axis::Step]
    }

    fn hazard(&self, arg: Option<&str>) -> Result<Hazard, String> {
        no_argument(self, arg).map(|()| Hazard::Mislead(Input::RepeatedDsn))
    }
}
