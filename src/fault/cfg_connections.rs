//! `cfg.connections`: a database takes only so many connections (53300): N of `cfg.connections=N`, else none.
//!
//! From before the step until it is over the database has `CONNECTION LIMIT N`; without N it takes none. What it finds
//! out: whether a tool that gets some of its connections and not all leaves nothing half done.

use super::{Fault, Hazard, Setting};
use crate::model::Axis;

/// See the page of the module.
pub(super) struct CfgConnections;

impl Fault for CfgConnections {
    fn name(&self) -> &'static str {
        "cfg.connections"
    }

    fn about(&self) -> &'static str {
        "A database takes only so many connections, by default none (53300)."
    }

    fn axes(&self) -> &'static [Axis] {
        &[Axis::Step]
    }

    fn hazard(&self, arg: Option<&str>) -> Result<Hazard, String> {
        let number = |text: &str| text.parse().ok().filter(|limit: &u32| limit.to_string() == text);
        let refused = |text| format!("cfg.connections takes a whole number, as in cfg.connections=0; `{text}` is none");
        let limit = arg.map_or(Ok(0), |text| number(text).ok_or_else(|| refused(text)))?;
        Ok(Hazard::Configure(Setting::Connections { limit }))
    }
}
