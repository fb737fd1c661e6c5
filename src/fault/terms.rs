//! The terms of hazards and of kinds: what is written, set and given, and whom it is about.

/// What is written to a source: one row of each of its tables that are copied, where the table lets us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Write {
    /// A copy of a row under a new key.
    Insert,
    /// Another value in a column that is no key.
    Update,
    /// A row goes.
    Delete,
}

/// A setting of a database, for sessions that begin while it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setting {
    /// Transactions are read-only unless they say otherwise.
    ReadOnly,
    /// How long a statement may take.
    StatementTimeout {
        /// In milliseconds.
        ms: u32,
    },
    /// How long a statement may wait for a lock, while another session holds the locks of all tables for ten times as
    /// long.
    LockTimeout {
        /// In milliseconds.
        ms: u32,
    },
    /// How long a session may be idle in a transaction.
    IdleInTransaction {
        /// In milliseconds.
        ms: u32,
    },
    /// How many sessions of ordinary roles there may be.
    Connections {
        /// So many.
        limit: u32,
    },
}

/// Something wrong that a step is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// A green report of an older run, where the step writes its own; the step is killed at its first connection.
    StaleReport,
    /// The DSNs of two databases, exchanged.
    SwappedDsn,
    /// The DSN of another database, which is given twice then.
    RepeatedDsn,
}

/// How a file operation ends badly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileHarm {
    /// Half of a write is there, and the tool is dead.
    Torn,
    /// ENOSPC.
    Full,
    /// The same for the log of a server, which ends it.
    LogFull,
    /// EIO.
    Broken,
    /// Half of a write is there, and the tool is told so.
    Short,
    /// The lock is somebody else's (EAGAIN).
    Busy,
}

/// Which endpoints a kind that strikes when a step begins is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Concern {
    /// All.
    All,
    /// Those that must not be changed.
    Sources,
    /// Those that are written.
    Targets,
}
