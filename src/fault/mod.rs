//! Faults: named misfortunes, as data. One file each, one line each to register.

mod net_reset;
mod proc_kill;

use crate::model::Axis;

/// The faults that come with us, sorted by name.
pub static FAULTS: &[&dyn Fault] = &[&net_reset::NetReset, &proc_kill::ProcKill];

/// A named misfortune. It says what is to be done; the engine does it.
pub trait Fault: Sync {
    /// The kind as it stands in an address, such as `net.reset`.
    fn name(&self) -> &'static str;

    /// One sentence for lists.
    fn about(&self) -> &'static str;

    /// The axes on which it can strike, in the order of [`Axis::ALL`].
    fn axes(&self) -> &'static [Axis];

    /// What is to be done, given the argument of the address (the `53100` of `sql.error=53100`).
    ///
    /// # Errors
    /// Says which argument is missing, unknown or too much; lower case, no full stop.
    fn hazard(&self, arg: Option<&str>) -> Result<Hazard, String>;
}

/// What a fault asks the engine for. A closed set: the engine executes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hazard {
    /// Freeze the point, then SIGKILL to the process group of the tool.
    KillTool,
    /// Reset the connection that reached the point.
    ResetConnection,
}

/// The fault with this name.
pub fn find(name: &str) -> Option<&'static dyn Fault> {
    FAULTS.iter().copied().find(|fault| fault.name() == name)
}

/// For faults that take no argument.
fn no_argument(fault: &dyn Fault, arg: Option<&str>) -> Result<(), String> {
    match arg {
        None => Ok(()),
        Some(arg) => Err(format!("{} takes no argument; `={arg}` is too much", fault.name())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::is_name;

    #[test]
    fn names_are_sorted_unique_and_fit_into_an_address() {
        let names: Vec<_> = FAULTS.iter().map(|fault| fault.name()).collect();
        assert!(names.is_sorted_by(|a, b| a < b), "{names:?}");
        assert!(names.iter().all(|name| is_name(name)), "{names:?}");
    }

    #[test]
    fn every_fault_has_an_axis_and_a_sentence() {
        for fault in FAULTS {
            assert!(!fault.axes().is_empty(), "{}", fault.name());
            assert!(fault.axes().is_sorted(), "{}", fault.name());
            assert!(fault.about().ends_with('.'), "{}", fault.name());
        }
    }

    #[test]
    fn a_fault_is_found_by_its_name_and_says_what_is_to_be_done() {
        let hazard = |name, arg| find(name).map(|fault| fault.hazard(arg));
        assert_eq!(hazard("proc.kill", None), Some(Ok(Hazard::KillTool)));
        assert_eq!(hazard("net.reset", None), Some(Ok(Hazard::ResetConnection)));
        assert_eq!(hazard("net.rest", None), None);
        let refused = "net.reset takes no argument; `=7` is too much".to_owned();
        assert_eq!(hazard("net.reset", Some("7")), Some(Err(refused)));
    }
}
