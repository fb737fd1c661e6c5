//! What a provider's servers let a rehearsal do, beyond making databases and connecting to them.

use std::fmt;

/// One thing that a scenario may need of a server. Its name is what `--allow-missing` takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Capability {
    /// A server for one case alone, to be killed, stopped and started again.
    OwnServer,
    /// Such a server, stopped where it is and let go on.
    Pause,
    /// Such a server, with little memory.
    Memory,
    /// Such a server, whose disk is ours to fill and to break.
    ServerFiles,
    /// Sessions enough for cases side by side.
    Sessions,
    /// A superuser, who plants every kind of change in the check of the check.
    Superuser,
}

impl Capability {
    /// Whether nothing of a scenario can be done without it; else all but the check of the check can.
    pub fn is_essential(self) -> bool {
        self != Capability::Superuser
    }

    /// The name, of `[a-z-]`.
    pub fn name(self) -> &'static str {
        match self {
            Capability::OwnServer => "own-server",
            Capability::Pause => "pause",
            Capability::Memory => "memory",
            Capability::ServerFiles => "server-files",
            Capability::Sessions => "sessions",
            Capability::Superuser => "superuser",
        }
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
