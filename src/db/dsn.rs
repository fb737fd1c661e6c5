//! Addresses of Postgres databases, as an operator's variables spell them.

use crate::error::{Error, Result};
use sqlx::ConnectOptions as _;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use std::fmt;

/// A parsed `postgres://` URL: decoded once, the way the driver will really connect.
///
/// What the URL leaves out comes from the `PG*` variables, then from the driver's defaults; a missing database is named
/// like the user, as the server would take it. No password file is read. Neither `Display` nor `Debug` shows the
/// password or the server settings of the `options` parameter.
#[derive(Clone)]
pub struct Dsn {
    options: PgConnectOptions,
}

/// Parameters of other drivers that change neither the target nor the trust.
const IGNORED: [&str; 8] = [
    "connect_timeout",
    "keepalives",
    "keepalives_idle",
    "keepalives_interval",
    "keepalives_count",
    "client_encoding",
    "gssencmode",
    "fallback_application_name",
];

impl Dsn {
    /// Parses `postgres://` and `postgresql://` URLs, also with `?host=/socket/directory`.
    ///
    /// # Errors
    /// Says which part is wrong, never what the text was: it may hold a password.
    pub fn parse(url: &str) -> Result<Dsn> {
        let rest = url
            .strip_prefix("postgres://")
            .or_else(|| url.strip_prefix("postgresql://"))
            .ok_or_else(|| Error::environment("a database URL begins with postgres:// or postgresql://"))?;
        let (rest, fragment) = rest.split_once('#').unwrap_or((rest, ""));
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let key = query.split('=').next().unwrap_or_default();
        if [fragment, key, path].iter().any(|part| part.contains('@')) {
            return Err(Error::environment("a password with / ? # or @ in a database URL must be percent-encoded"));
        }
        let (user_info, address) = authority.rsplit_once('@').unwrap_or(("", authority));

        let mut options = PgConnectOptions::new_without_pgpass();
        options = with_user_info(options, user_info)?;
        options = with_address(options, address)?;
        if !path.is_empty() {
            options = options.database(&decoded(path, "database name")?);
        }
        for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
            options = with_parameter(options, parameter)?;
        }
        if options.get_database().is_none() {
            let user = options.get_username().to_owned();
            options = options.database(&user);
        }
        Ok(Dsn { options })
    }

    /// A database of ours, as its cluster says how to reach it.
    pub(crate) fn of(options: PgConnectOptions) -> Dsn {
        Dsn { options }
    }

    /// What the driver connects with: statement logging off, no password file.
    pub fn options(&self) -> PgConnectOptions {
        self.options.clone().disable_statement_logging()
    }

    /// The decoded name of the database.
    pub fn database(&self) -> &str {
        self.options.get_database().unwrap_or_default()
    }

    /// The host name, or the directory of the socket.
    pub fn host(&self) -> String {
        host(&self.options)
    }

    /// The decoded password, also one of the environment; empty where there is none. It may be shown nowhere.
    pub(crate) fn password(&self) -> String {
        let url = self.options.to_url_lossy();
        url.password().and_then(|text| decoded(text, "password").ok()).unwrap_or_default()
    }

    /// A text as a URL takes it between its signs.
    pub(crate) fn encoded(text: &str) -> String {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        let one = |byte: u8| if is_plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
        text.bytes().map(one).collect()
    }

    /// The same server and user, another database.
    #[must_use]
    pub fn with_database(&self, database: &str) -> Dsn {
        Dsn { options: self.options.clone().database(database) }
    }
}

/// For who has options and no URL; they should name the database.
impl From<PgConnectOptions> for Dsn {
    fn from(options: PgConnectOptions) -> Dsn {
        Dsn { options }
    }
}

impl std::str::FromStr for Dsn {
    type Err = Error;

    fn from_str(url: &str) -> Result<Dsn> {
        Dsn::parse(url)
    }
}

impl fmt::Display for Dsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.options.get_username(), place(&self.options))
    }
}

impl fmt::Debug for Dsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Dsn({self})")
    }
}

/// `host:port/database`, for messages.
pub(crate) fn place(options: &PgConnectOptions) -> String {
    format!("{}:{}/{}", host(options), options.get_port(), options.get_database().unwrap_or_default())
}

fn host(options: &PgConnectOptions) -> String {
    match options.get_socket() {
        Some(directory) => directory.display().to_string(),
        None => options.get_host().to_owned(),
    }
}

fn with_user_info(mut options: PgConnectOptions, user_info: &str) -> Result<PgConnectOptions> {
    let (user, password) = match user_info.split_once(':') {
        Some((user, password)) => (user, Some(password)),
        None => (user_info, None),
    };
    if !user.is_empty() {
        options = options.username(&decoded(user, "user")?);
    }
    match password {
        Some(password) => Ok(options.password(&decoded(password, "password")?)),
        None => Ok(options),
    }
}

fn with_address(options: PgConnectOptions, address: &str) -> Result<PgConnectOptions> {
    if address.contains(',') {
        return Err(Error::environment("a database URL with several hosts is not supported; name one"));
    }
    let after_bracket = address.rfind(']').unwrap_or(0);
    let (host, port) = match address[after_bracket..].rfind(':') {
        Some(colon) => address.split_at(after_bracket + colon),
        None => (address, ""),
    };
    let options = match port.trim_start_matches(':') {
        "" => options,
        port => with_port(options, port)?,
    };
    match decoded(host, "host")?.trim_start_matches('[').trim_end_matches(']') {
        "" => Ok(options),
        host => Ok(with_host(options, host)),
    }
}

fn with_host(options: PgConnectOptions, host: &str) -> PgConnectOptions {
    if host.starts_with('/') { options.socket(host) } else { options.host(host) }
}

fn with_port(options: PgConnectOptions, port: &str) -> Result<PgConnectOptions> {
    let port =
        port.parse().map_err(|_| Error::environment("the port of a database URL is not a number up to 65535"))?;
    Ok(options.port(port))
}

fn with_parameter(options: PgConnectOptions, parameter: &str) -> Result<PgConnectOptions> {
    let (key, value) = parameter.split_once('=').unwrap_or((parameter, ""));
    let value = decoded(value, "parameter")?;
    Ok(match key {
        "host" | "hostaddr" => with_host(options, &value),
        "port" => with_port(options, &value)?,
        "dbname" => options.database(&value),
        "user" => options.username(&value),
        "password" => options.password(&value),
        "application_name" => options.application_name(&value),
        "options" => with_settings(options, &value)?,
        "sslmode" => options.ssl_mode(value.parse::<PgSslMode>().map_err(|_| unknown("value of sslmode"))?),
        "sslrootcert" => options.ssl_root_cert(value),
        "sslcert" => options.ssl_client_cert(value),
        "sslkey" => options.ssl_client_key(value),
        key if IGNORED.contains(&key) => options,
        _ => return Err(unknown("parameter")),
    })
}

fn unknown(what: &str) -> Error {
    Error::environment(format!("a database URL has an unknown {what}; known are the usual ones of libpq"))
}

/// `-c name=value` as often as wanted, the form that other drivers take.
fn with_settings(mut options: PgConnectOptions, settings: &str) -> Result<PgConnectOptions> {
    let mut words = settings.split_whitespace();
    while let Some(word) = words.next() {
        let setting = match word.strip_prefix("-c").or_else(|| word.strip_prefix("--")) {
            Some("") => words.next().unwrap_or_default(),
            Some(setting) => setting,
            None => "",
        };
        let (name, value) = setting
            .split_once('=')
            .ok_or_else(|| Error::environment("the options of a database URL are written -c name=value"))?;
        options = options.options([(name, value)]);
    }
    Ok(options)
}

fn decoded(text: &str, what: &str) -> Result<String> {
    let wrong = || Error::environment(format!("the {what} of a database URL is not valid percent-encoding"));
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16)).ok_or_else(wrong);
        let value = digit(rest.next())? * 16 + digit(rest.next())?;
        bytes.push(u8::try_from(value).map_err(|_| wrong())?);
    }
    match String::from_utf8(bytes) {
        Ok(text) if !text.contains('\0') => Ok(text),
        _ => Err(wrong()),
    }
}
