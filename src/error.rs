//! Trouble of the harness or of a reference migrator: what was wrong, where, and what to do.
//!
//! A migration that misbehaves is not an [`Error`], it is a [`Verdict`](crate::model::Verdict); a bug of ours is a panic.

use std::fmt;
use std::path::Path;

/// The result of everything here that can go wrong.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What was wrong, and under which exit code it ends a command.
///
/// The message names the path, the name or the command concerned, says what to do, and never holds a secret.
pub struct Error {
    kind: ErrorKind,
    message: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// The families of trouble; each has one exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The migration says no: a guard, a token, a validation, a parity failure.
    Refused,
    /// Configuration or environment: a variable, a file, a server, a scenario, a full disk.
    Environment,
    /// Evidence that does not verify.
    Evidence,
    /// The command line is wrong.
    Usage,
    /// A bug of ours.
    Bug,
}

impl ErrorKind {
    /// The exit code of the contract, the same for the harness and for the reference migrators.
    pub fn exit_code(self) -> u8 {
        match self {
            ErrorKind::Refused => 1,
            ErrorKind::Environment => 2,
            ErrorKind::Evidence => 3,
            ErrorKind::Usage => 64,
            ErrorKind::Bug => 70,
        }
    }
}

impl Error {
    /// An error of `kind`; the message is lower case and without a full stop.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Error {
        Error { kind, message: message.into(), source: None }
    }

    /// The migration says no.
    pub fn refused(message: impl Into<String>) -> Error {
        Error::new(ErrorKind::Refused, message)
    }

    /// Configuration or environment.
    pub fn environment(message: impl Into<String>) -> Error {
        Error::new(ErrorKind::Environment, message)
    }

    /// The command line is wrong.
    pub fn usage(message: impl Into<String>) -> Error {
        Error::new(ErrorKind::Usage, message)
    }

    /// A bug of ours, met at run time in a place where a panic would lose evidence.
    pub fn bug(message: impl Into<String>) -> Error {
        Error::new(ErrorKind::Bug, message)
    }

    /// A file operation that failed: `act` is a verb, as in `cannot write /tmp/x`.
    pub fn io(act: &str, path: &Path, source: std::io::Error) -> Error {
        Error::environment(format!("cannot {act} {}", path.display())).caused_by(source)
    }

    /// Keeps the error underneath; its text is printed after ours.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
        self.source = Some(source.into());
        self
    }

    /// Puts where it happened in front of the message.
    #[must_use]
    pub fn within(mut self, place: impl fmt::Display) -> Error {
        self.message = format!("{place}: {}", self.message);
        self
    }

    /// The family of trouble.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The exit code of a command that ends with this error.
    pub fn exit_code(&self) -> u8 {
        self.kind.exit_code()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.source {
            Some(source) => write!(f, ": {source}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {self}", self.kind)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|source| source.as_ref() as &(dyn std::error::Error + 'static))
    }
}
