//! Faults: named misfortunes, as data. One file each, one line each to register.

mod cfg_connections;
mod cfg_idle_in_transaction;
mod cfg_lock_timeout;
mod cfg_readonly;
mod cfg_statement_timeout;
mod disk_eio;
mod disk_full;
mod disk_short;
mod input_repeated_dsn;
mod input_stale_report;
mod input_swapped_dsn;
mod lock_busy;
mod lock_hold;
mod mem_limit;
mod net_close;
mod net_halfclose;
mod net_lostack;
mod net_orphan;
mod net_reset;
mod net_slow;
mod net_stall;
mod power_loss;
mod proc_kill;
mod proc_torn;
mod sql_error;
mod src_write;
mod srv_crash;
mod srv_pause;
mod srv_restart;
mod srv_unplug;
mod terms;
mod visits;

pub use terms::{Concern, FileHarm, Input, Setting, Write};
pub use visits::Visits;

use crate::model::{Axis, SqlState};

/// The faults that come with us, sorted by name.
pub static FAULTS: &[&dyn Fault] = &[
    &cfg_connections::CfgConnections,
    &cfg_idle_in_transaction::CfgIdleInTransaction,
    &cfg_lock_timeout::CfgLockTimeout,
    &cfg_readonly::CfgReadonly,
    &cfg_statement_timeout::CfgStatementTimeout,
    &disk_eio::DiskEio,
    &disk_full::DiskFull,
    &disk_short::DiskShort,
    &input_repeated_dsn::InputRepeatedDsn,
    &input_stale_report::InputStaleReport,
    &input_swapped_dsn::InputSwappedDsn,
    &lock_busy::LockBusy,
    &lock_hold::LockHold,
    &mem_limit::MemLimit,
    &net_close::NetClose,
    &net_halfclose::NetHalfClose,
    &net_lostack::NetLostAck,
    &net_orphan::NetOrphan,
    &net_reset::NetReset,
    &net_slow::NetSlow,
    &net_stall::NetStall,
    &power_loss::PowerLoss,
    &proc_kill::ProcKill,
    &proc_torn::ProcTorn,
    &sql_error::SqlError,
    &src_write::SrcWrite,
    &srv_crash::SrvCrash,
    &srv_pause::SrvPause,
    &srv_restart::SrvRestart,
    &srv_unplug::SrvUnplug,
];

/// A named misfortune. It says what is to be done; the engine does it.
pub trait Fault: Sync {
    /// The kind as it stands in an address, such as `net.reset`.
    fn name(&self) -> &'static str;

    /// One sentence for lists.
    fn about(&self) -> &'static str;

    /// The axes on which it can strike, in the order of [`Axis::ALL`].
    fn axes(&self) -> &'static [Axis];

    /// Which of equal points (one endpoint, axis and fingerprint) it visits in the full tier: the others would show
    /// the same. The nightly tier visits them, to see whether that is so.
    fn visits(&self, axis: Axis) -> Visits {
        Visits::of(axis)
    }

    /// Whether nothing matters to it but what is durable: then one point of each durable state stands for all, where
    /// the golden run has shown them (`engine/points/mod.rs`).
    fn needs_one_point_per_epoch(&self) -> bool {
        false
    }

    /// Whether it strikes only what can be done by half: writes of two bytes and more.
    fn needs_halves(&self) -> bool {
        false
    }

    /// What is to be done, given the argument of the address (the `53100` of `sql.error=53100`).
    ///
    /// # Errors
    /// Says which argument is missing, unknown or too much; lower case, no full stop.
    fn hazard(&self, arg: Option<&str>) -> Result<Hazard, String>;

    /// At which endpoints a sweep strikes, of a kind that strikes when a step begins: one point for each.
    fn concerns(&self) -> Concern {
        Concern::All
    }
}

/// What a fault asks the engine for. A closed set: the engine executes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hazard {
    /// Freeze the point, then SIGKILL to the process group of the tool.
    KillTool,
    /// Let a file operation of the tool end badly.
    InjureFile(FileHarm),
    /// Begin where a loss of power would have left the files, in place of the step.
    LosePower,
    /// Reset the connection that reached the point.
    ResetConnection,
    /// Close that connection in an orderly way, towards both sides.
    CloseConnection,
    /// End that connection towards the tool only.
    DeafenTool,
    /// Lose the server's answer, then reset the connection.
    LoseAnswer,
    /// Reset the connection and let the server go on with the statement.
    OrphanStatement,
    /// Let nothing through on that connection for a while, or for good.
    StallConnection {
        /// How long.
        ms: Option<u32>,
    },
    /// Let everything on that connection come late.
    SlowConnection {
        /// By how much.
        ms: u32,
    },
    /// Let the server refuse what reached the point.
    RaiseError(SqlState),
    /// Freeze the point, kill the case's own server with all its processes, and let it recover.
    CrashServer,
    /// Freeze the point, shut the case's own server down, and start it again.
    RestartServer,
    /// Freeze the point, and stop the case's own server where it is, for a while or until the step is over.
    PauseServer {
        /// How long.
        ms: Option<u32>,
    },
    /// Freeze the point, and take the network of the case's own server away for as long, with all connections.
    UnplugServer {
        /// How long.
        ms: Option<u32>,
    },
    /// Freeze the point; until the step is over the case's own server gets only so much more memory.
    LimitMemory {
        /// In MiB.
        mib: u32,
    },
    /// Freeze the point, and write to a source as an application would.
    WriteSource(Write),
    /// Freeze the point; from then on another session holds the locks of all tables that it can get.
    HoldLock {
        /// For how long; `None`: until the step is over.
        ms: Option<u32>,
    },
    /// Change a setting of the endpoint's database before the step, and back after it.
    Configure(Setting),
    /// Give the step something wrong.
    Mislead(Input),
}

impl Hazard {
    /// Whether the server may be busy with it after the tool has ended, and the way out begins all the same.
    pub fn outlives_the_tool(self) -> bool {
        self == Hazard::OrphanStatement
    }

    /// Whether it is the end of the tool.
    pub fn ends_the_tool(self) -> bool {
        matches!(self, Hazard::KillTool | Hazard::InjureFile(FileHarm::Torn))
    }

    /// Whether a tool that it strikes does nothing but wait for a second or more, and leaves the machine to others.
    pub fn makes_wait(self) -> bool {
        match self {
            Hazard::StallConnection { ms }
            | Hazard::PauseServer { ms }
            | Hazard::UnplugServer { ms }
            | Hazard::HoldLock { ms } => ms.is_none_or(|ms| ms >= 1000),
            _ => false,
        }
    }

    /// Whether it would disturb others on a server that is shared.
    pub fn needs_own_server(self) -> bool {
        matches!(
            self,
            Hazard::CrashServer
                | Hazard::RestartServer
                | Hazard::PauseServer { .. }
                | Hazard::UnplugServer { .. }
                | Hazard::LimitMemory { .. }
        )
    }
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

/// The argument of faults that take a time.
fn milliseconds(fault: &dyn Fault, arg: Option<&str>) -> Result<u32, String> {
    let name = fault.name();
    let arg = arg.ok_or_else(|| format!("{name} needs a time in milliseconds, as in {name}=500"))?;
    let plain = |ms: &u32| *ms > 0 && ms.to_string() == arg;
    arg.parse()
        .ok()
        .filter(plain)
        .ok_or_else(|| format!("`{arg}` is no time in milliseconds; write it as in {name}=500"))
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
    fn only_who_stands_still_for_a_second_makes_a_tool_wait() {
        let waits = |name, arg| find(name).unwrap().hazard(arg).unwrap().makes_wait();
        for name in ["lock.hold", "net.stall", "srv.pause"] {
            assert_eq!([None, Some("1000"), Some("999")].map(|arg| waits(name, arg)), [true, true, false], "{name}");
        }
        assert!(waits("srv.unplug", None) && !waits("srv.unplug", Some("300")));
        assert!(!waits("proc.kill", None) && !waits("net.slow", Some("2000")));
    }

    #[test]
    fn a_fault_is_found_by_its_name_and_says_what_is_to_be_done() {
        let hazard = |name, arg| find(name).map(|fault| fault.hazard(arg));
        assert_eq!(hazard("proc.kill", None), Some(Ok(Hazard::KillTool)));
        assert_eq!(hazard("net.reset", None), Some(Ok(Hazard::ResetConnection)));
        assert_eq!(hazard("net.rest", None), None);
        assert_eq!(hazard("net.stall", None), Some(Ok(Hazard::StallConnection { ms: None })));
        assert_eq!(hazard("net.stall", Some("500")), Some(Ok(Hazard::StallConnection { ms: Some(500) })));
        assert_eq!(hazard("net.slow", Some("20")), Some(Ok(Hazard::SlowConnection { ms: 20 })));
        assert_eq!(hazard("sql.error", Some("40001")), Some(Ok(Hazard::RaiseError("40001".parse().unwrap()))));
        for (name, arg) in [("net.slow", None), ("net.slow", Some("0")), ("net.stall", Some("2s")), ("sql.error", None)]
        {
            assert!(hazard(name, arg).is_some_and(|hazard| hazard.is_err()), "{name} {arg:?}");
        }
        assert_eq!(hazard("disk.full", Some("wal")), Some(Ok(Hazard::InjureFile(FileHarm::LogFull))));
        assert_eq!(hazard("disk.full", Some("log")).map(|hazard| hazard.is_err()), Some(true));
        assert_eq!(hazard("src.write", Some("delete")), Some(Ok(Hazard::WriteSource(Write::Delete))));
        assert_eq!(hazard("srv.pause", None), Some(Ok(Hazard::PauseServer { ms: None })));
        assert_eq!(hazard("srv.unplug", Some("500")), Some(Ok(Hazard::UnplugServer { ms: Some(500) })));
        assert_eq!(hazard("mem.limit", Some("64")), Some(Ok(Hazard::LimitMemory { mib: 64 })));
        let refused = "mem.limit needs a size in MiB, as in mem.limit=64".to_owned();
        assert_eq!(hazard("mem.limit", None), Some(Err(refused)));
        assert_eq!(hazard("lock.hold", None), Some(Ok(Hazard::HoldLock { ms: None })));
        assert_eq!(hazard("cfg.connections", None), Some(Ok(Hazard::Configure(Setting::Connections { limit: 0 }))));
        let refused = "src.write takes insert, update or delete, as in src.write=insert".to_owned();
        assert_eq!(hazard("src.write", None), Some(Err(refused)));
        assert_eq!(hazard("cfg.lock-timeout", Some("0")).map(|hazard| hazard.is_err()), Some(true));
        let refused = "cfg.connections takes a whole number, as in cfg.connections=0; `two` is none".to_owned();
        assert_eq!(hazard("cfg.connections", Some("two")), Some(Err(refused)));
        let refused = "net.reset takes no argument; `=7` is too much".to_owned();
        assert_eq!(hazard("net.reset", Some("7")), Some(Err(refused)));
    }
}
