//! What is built in, and how another crate adds its own.

use crate::check::{CHECKS, Check};
use crate::fault::{FAULTS, Fault};
use crate::flow::{FLOWS, Flow};
use crate::model::{Known, KnownFlow};
use crate::report::{REPORTS, Report};

/// The four open sets.
///
/// ```
/// # use rehearsal::registry::Registry;
/// let registry = Registry::builtin();
/// assert!(registry.known().flows.contains_key("one-db"));
/// ```
#[derive(Clone)]
pub struct Registry {
    /// Procedures.
    pub flows: Vec<&'static dyn Flow>,
    /// Kinds of misfortune.
    pub faults: Vec<&'static dyn Fault>,
    /// Questions to the history.
    pub checks: Vec<&'static dyn Check>,
    /// Formats.
    pub reports: Vec<&'static dyn Report>,
}

impl Registry {
    /// All that is built in.
    pub fn builtin() -> Registry {
        Registry { flows: FLOWS.to_vec(), faults: FAULTS.to_vec(), checks: CHECKS.to_vec(), reports: REPORTS.to_vec() }
    }

    /// Adds a procedure.
    #[must_use]
    pub fn with_flow(mut self, flow: &'static dyn Flow) -> Registry {
        self.flows.push(flow);
        self
    }

    /// Adds a kind of misfortune.
    #[must_use]
    pub fn with_fault(mut self, fault: &'static dyn Fault) -> Registry {
        self.faults.push(fault);
        self
    }

    /// Adds a question to the history.
    #[must_use]
    pub fn with_check(mut self, check: &'static dyn Check) -> Registry {
        self.checks.push(check);
        self
    }

    /// Adds a format.
    #[must_use]
    pub fn with_report(mut self, report: &'static dyn Report) -> Registry {
        self.reports.push(report);
        self
    }

    /// What scenarios may name.
    pub fn known(&self) -> Known {
        let steps = |flow: &&dyn Flow| flow.steps().iter().map(|&step| step.to_owned()).collect();
        Known {
            flows: self.flows.iter().map(|flow| (flow.name().to_owned(), KnownFlow { steps: steps(flow) })).collect(),
            kinds: self.faults.iter().map(|fault| (fault.name().to_owned(), fault.axes().to_vec())).collect(),
            checks: self.checks.iter().map(|check| check.name().to_owned()).collect(),
        }
    }

    /// The kind with this name.
    pub fn fault(&self, name: &str) -> Option<&'static dyn Fault> {
        self.faults.iter().find(|fault| fault.name() == name).copied()
    }
}
