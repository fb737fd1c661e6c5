//! Servers that are not ours: a staging clone, a managed database. Only databases with our prefix are made there and
//! dropped, and one role for the tools, where that is allowed.

use super::Capability;
use crate::db::Dsn;
use crate::{Error, Result};
use sqlx::postgres::PgSslMode;
use std::fmt;
use std::time::Duration;

/// What no name of a host or a database may contain, whatever is around it and in whatever case.
const PRODUCTION: [&str; 1] = ["prod"];

/// How long a server may take to answer where the URL does not say: it may be the wrong address.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where a server is, and who we are there. Neither `Display` nor `Debug` shows the password.
#[derive(Clone)]
pub struct Remote {
    url: String,
    dsn: Dsn,
}

impl Remote {
    /// A `postgres://` URL, or `env:NAME` for one that is in a variable.
    ///
    /// # Errors
    /// It is none, the variable is not set, or host or database are named like production; never shows the text.
    pub fn parse(text: &str) -> Result<Remote> {
        let url = match text.strip_prefix("env:") {
            Some(name) => std::env::var(name).map_err(|_| Error::environment(format!("variable {name} is not set")))?,
            None => text.to_owned(),
        };
        let dsn = Dsn::parse(&url)?;
        if matches!(dsn.options().get_ssl_mode(), PgSslMode::VerifyCa | PgSslMode::VerifyFull) {
            let text = "sslmode=verify-ca and verify-full: the proxy before the server checks no certificate; use \
                        sslmode=require where the way to the server is trusted";
            return Err(Error::environment(format!("{dsn}: {text}")));
        }
        match PRODUCTION.iter().find(|word| is_in(word, &dsn)) {
            None => Ok(Remote { url, dsn }),
            Some(word) => Err(Error::environment(format!(
                "{dsn} is named like production (`{word}`), and is not touched: rehearse on a clone whose host and \
                 database are named otherwise"
            ))),
        }
    }

    pub(super) fn makes_no_databases(&self) -> Error {
        let text = format!("{self} may not make databases: `alter role ... createdb`, or use another role");
        Error::environment(text)
    }

    /// How long the server may take to answer: `connect_timeout` of the URL, in seconds, else ten.
    pub(super) fn patience(&self) -> Duration {
        let query = self.url.split_once('?').map_or("", |(_, query)| query);
        let mut given = query.split('&').filter_map(|parameter| parameter.strip_prefix("connect_timeout="));
        given.find_map(|seconds| seconds.parse().ok()).map_or(PATIENCE, Duration::from_secs)
    }

    /// How to connect as the user of the URL.
    pub(super) fn dsn(&self) -> &Dsn {
        &self.dsn
    }
}

fn is_in(word: &str, dsn: &Dsn) -> bool {
    [dsn.host(), dsn.database().to_owned()].iter().any(|name| name.to_ascii_lowercase().contains(word))
}

impl PartialEq for Remote {
    fn eq(&self, other: &Remote) -> bool {
        self.url == other.url
    }
}

impl Eq for Remote {}

impl fmt::Display for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.dsn.fmt(f)
    }
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Remote({self})")
    }
}

/// What a server says of itself and of us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rights {
    /// Such as `15.18`.
    pub server_version: String,
    /// The whole sentence of `version()`.
    pub version: String,
    /// May make databases.
    pub makes_databases: bool,
    /// May make roles.
    pub makes_roles: bool,
    /// Is a superuser, so that it may do all of this.
    pub is_superuser: bool,
    /// Sessions that are neither taken nor reserved.
    pub free_sessions: i64,
    /// Whether it is on this machine: by a socket, or by an address of the loopback interface.
    pub is_near: bool,
}

/// A case of the largest flow holds some twenty sessions, and two golden runs are side by side.
const ENOUGH_SESSIONS: i64 = 50;

impl Rights {
    /// For people.
    pub(super) fn about(&self) -> String {
        let place = if self.is_near { "on this machine" } else { "elsewhere" };
        let role = if self.makes_roles { "a role of its own" } else { "the role of the URL" };
        let version = &self.server_version;
        format!("{version}, {place}, {} sessions free; the tool has {role}", self.free_sessions)
    }

    /// What cannot be done here, and why, in a sentence.
    pub fn lacks(&self) -> Vec<(Capability, String)> {
        let own =
            "servers are not started, killed or stopped where they are not ours: use --pg local for it".to_owned();
        let free = self.free_sessions;
        let few = format!("{free} sessions are free there, and {ENOUGH_SESSIONS} are needed: raise max_connections");
        let plain =
            "the role of the URL is no superuser, so that not every change can be planted in the check of the check";
        let superuser = (Capability::Superuser, plain.to_owned());
        let sessions = (Capability::Sessions, few);
        let lacking = [(!self.is_superuser).then_some(superuser), (free < ENOUGH_SESSIONS).then_some(sessions)];
        [(Capability::OwnServer, own)].into_iter().chain(lacking.into_iter().flatten()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::database("postgres://ada@db.example/shop_prod")]
    #[case::host("postgres://ada@prod-db.example/shop")]
    #[case::capitals("postgres://ada@db.example/ShopProduction")]
    #[case::encoded("postgres://ada@db.example/%70rod")]
    #[case::parameter("postgres://ada:secret@db.example/shop?host=prod.example")]
    fn a_url_that_names_production_is_refused(#[case] url: &str) {
        let text = Remote::parse(url).unwrap_err().to_string();
        assert!(text.contains("is named like production (`prod`)") && !text.contains("secret"), "{text}");
    }

    #[test]
    fn a_password_is_shown_nowhere() {
        let remote = Remote::parse("postgres://ada:secret@db.example:6000/shop").unwrap();
        assert_eq!(format!("{remote} {remote:?}"), "ada@db.example:6000/shop Remote(ada@db.example:6000/shop)");
    }

    #[test]
    fn what_a_server_does_not_allow_is_said() {
        let rights = Rights {
            server_version: "15.18".into(),
            version: "PostgreSQL 15.18".into(),
            makes_databases: true,
            makes_roles: false,
            is_superuser: true,
            free_sessions: 97,
            is_near: false,
        };
        let names = |rights: &Rights| rights.lacks().iter().map(|(can, _)| can.name()).collect::<Vec<_>>();
        assert_eq!(names(&rights), ["own-server"]);
        let less = Rights { is_superuser: false, free_sessions: 12, ..rights };
        assert_eq!(names(&less), ["own-server", "superuser", "sessions"]);
    }
}
