//! How a server is reached.

use sqlx::postgres::{PgConnectOptions, PgSslMode};
use std::path::PathBuf;

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// Through a unix socket: its file, such as `/tmp/x/.s.PGSQL.5432`.
    Socket(PathBuf),
    /// Through a network, or the loopback interface.
    Tcp {
        /// Name or address.
        host: String,
        /// The port.
        port: u16,
        /// Whether there is TLS on the way.
        is_encrypted: bool,
    },
}

impl Reach {
    pub(super) fn of(options: &PgConnectOptions) -> Reach {
        let port = options.get_port();
        match options.get_socket() {
            Some(dir) => Reach::Socket(dir.join(format!(".s.PGSQL.{port}"))),
            None => {
                let host = options.get_host().to_owned();
                Reach::Tcp { host, port, is_encrypted: matches!(options.get_ssl_mode(), PgSslMode::Require) }
            }
        }
    }
}

impl From<PathBuf> for Reach {
    fn from(file: PathBuf) -> Reach {
        Reach::Socket(file)
    }
}
