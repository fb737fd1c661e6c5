//! Whether the program of a step can be watched: the file shim is loaded by the dynamic linker. A static executable has
//! none, and is traced where there is a tracer.

use crate::engine::Library;
use crate::engine::files::Shim;
use crate::engine::points::pairs::{self, Meant};
use crate::model::{Engine, FaultSpec, Plan, Step};
use crate::process::is_static;
use crate::registry::Registry;
use crate::{Error, Result};
use std::path::PathBuf;

/// Faults of files strike programs that load the shim.
///
/// # Errors
/// One is to strike a static executable that nothing here can trace.
pub(super) fn known(registry: &Registry, library: &Library, fault: &FaultSpec, plan: &Plan) -> Result<()> {
    if Shim::traces() {
        return Ok(());
    }
    let writes_files = plan.targets.iter().any(|target| !target.is_source() && target.engine == Engine::Sqlite);
    let found = plan.step(&fault.during).and_then(|step| program(step, library)).filter(|path| is_static(path));
    match found.filter(|_| writes_files && pairs::meant(fault).any(|meant| is_of_files(registry, &meant))) {
        None => Ok(()),
        Some(path) => Err(Error::environment(format!(
            "step `{}`: {} is a static executable, into which the file shim cannot be loaded (LD_PRELOAD), and there is \
             no tracer for this processor, so {} cannot strike what it does to files; link it dynamically",
            fault.during,
            path.display(),
            fault.kind
        ))),
    }
}

/// Steps are traced where there is a tracer.
///
/// # Errors
/// One is to be, and there is none.
pub(super) fn traced(plan: &Plan) -> Result<()> {
    match plan.steps.iter().find(|step| step.traced && !Shim::traces()) {
        None => Ok(()),
        Some(step) => Err(Error::environment(format!(
            "step `{}`: nothing can be traced here (`traced`); that needs Linux on x86_64",
            step.name
        ))),
    }
}

fn is_of_files(registry: &Registry, meant: &Meant<'_>) -> bool {
    match meant.place {
        Some(place) => place.axis.is_of_files() && !place.is_of_server_files(),
        None => registry.fault(meant.kind).is_some_and(|kind| kind.axes().iter().any(|axis| axis.is_of_files())),
    }
}

/// Nothing where only a case knows it.
fn program(step: &Step, library: &Library) -> Option<PathBuf> {
    let first = step.argv.first()?.replace("{root}", &library.root.to_string_lossy());
    if !first.contains("{fixtures}") {
        return which::which(first).ok();
    }
    let inside = |folder: &PathBuf| PathBuf::from(first.replace("{fixtures}", &folder.to_string_lossy()));
    library.fixtures.iter().map(inside).find(|path| path.is_file())
}
