//! Where a fault strikes, as a short name that survives a shell: `proc.kill@pg.target:stmt-9c1e03.3`.
//!
//! `kind[=arg]@endpoint:axis[-fingerprint].n[+]`; `+` is for ever after, `,` chains into the recovery.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// One fault at one place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FaultPoint {
    /// The kind as the registry names it, such as `net.reset`.
    pub kind: String,
    /// What the kind needs besides, such as the `53100` of `sql.error=53100`.
    pub arg: Option<String>,
    /// Where in the run.
    pub place: Place,
}

/// A place in the run of a tool: the n-th of something at an endpoint.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The endpoint, such as `pg.source.general` or `file.core`.
    pub endpoint: String,
    /// What is counted.
    pub axis: Axis,
    /// Counts only what has this fingerprint: the name of points for tools whose connections run side by side.
    pub fingerprint: Option<Fingerprint>,
    /// The how-manieth, from 1.
    pub nth: u32,
    /// For ever after, not once.
    pub forever: bool,
}

impl Place {
    /// Whether it is counted in the files of a server.
    pub fn is_of_server_files(&self) -> bool {
        self.axis.is_of_files() && self.endpoint.starts_with("pg.")
    }
}

/// What can be counted at an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Axis {
    /// A connection begins.
    Conn,
    /// A statement goes to the server (Query or Execute).
    Stmt,
    /// The server says that a statement is done (CommandComplete).
    Ack,
    /// The server says that a transaction is over (ReadyForQuery, idle).
    Commit,
    /// A CopyData message goes to the server.
    Copyin,
    /// A CopyData message comes from the server.
    Copyout,
    /// A durable state of the cluster begins.
    Epoch,
    /// A byte goes to the server.
    Byte,
    /// Any operation that changes a file or a name, or makes it durable.
    Op,
    /// A write to a file.
    Write,
    /// A sync of a file.
    Sync,
    /// A rename.
    Rename,
    /// An unlink.
    Unlink,
    /// A file lock.
    Lock,
    /// A step begins.
    Step,
}

impl Axis {
    /// All axes, Postgres before files.
    pub const ALL: [Axis; 15] = [
        Axis::Conn,
        Axis::Stmt,
        Axis::Ack,
        Axis::Commit,
        Axis::Copyin,
        Axis::Copyout,
        Axis::Epoch,
        Axis::Byte,
        Axis::Op,
        Axis::Write,
        Axis::Sync,
        Axis::Rename,
        Axis::Unlink,
        Axis::Lock,
        Axis::Step,
    ];

    /// The name in an address.
    pub fn name(self) -> &'static str {
        match self {
            Axis::Conn => "conn",
            Axis::Stmt => "stmt",
            Axis::Ack => "ack",
            Axis::Commit => "commit",
            Axis::Copyin => "copyin",
            Axis::Copyout => "copyout",
            Axis::Epoch => "epoch",
            Axis::Byte => "byte",
            Axis::Op => "op",
            Axis::Write => "write",
            Axis::Sync => "sync",
            Axis::Rename => "rename",
            Axis::Unlink => "unlink",
            Axis::Lock => "lock",
            Axis::Step => "step",
        }
    }

    /// Whether it is counted by the file shim, and not by a proxy.
    pub fn is_of_files(self) -> bool {
        matches!(self, Axis::Op | Axis::Write | Axis::Sync | Axis::Rename | Axis::Unlink | Axis::Lock)
    }

    fn parse(name: &str) -> Result<Axis, BadAddress> {
        let known = || Axis::ALL.map(Axis::name).join(", ");
        Axis::ALL
            .into_iter()
            .find(|axis| axis.name() == name)
            .ok_or_else(|| BadAddress(format!("unknown axis `{name}`; the axes are {}", known())))
    }
}

/// A short hash of a statement with its literals left out: six hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(u32);

impl Fingerprint {
    /// The fingerprint of a text that is normalised already: the first 24 bits of its SHA-256.
    pub fn of(normalised: &str) -> Fingerprint {
        use sha2::{Digest, Sha256};
        let hash = Sha256::digest(normalised.as_bytes());
        Fingerprint(u32::from_be_bytes([0, hash[0], hash[1], hash[2]]))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:06x}", self.0)
    }
}

/// A fault and those that follow it in the recovery: one address.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address(Vec<FaultPoint>);

impl Address {
    /// The address of one fault.
    pub fn one(point: FaultPoint) -> Address {
        Address(vec![point])
    }

    /// The same with one fault more, which strikes the way out.
    pub fn then(&self, point: FaultPoint) -> Address {
        Address(self.0.iter().cloned().chain([point]).collect())
    }

    /// The kinds without their arguments, with a comma between: `proc.kill,net.reset`.
    pub fn kinds(&self) -> String {
        self.0.iter().map(|point| point.kind.as_str()).collect::<Vec<_>>().join(",")
    }

    /// What cases are counted as: a single fault with its argument, several by their kinds.
    pub fn counted_as(&self) -> String {
        if let [only] = &self.0[..] { only.name() } else { self.kinds() }
    }

    /// The faults, the first one first; never empty.
    pub fn points(&self) -> &[FaultPoint] {
        &self.0
    }

    /// The first fault.
    pub fn first(&self) -> &FaultPoint {
        &self.0[0]
    }
}

/// Why a text is not an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadAddress(pub String);

impl fmt::Display for BadAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BadAddress {}

/// True of the characters that no shell gives a meaning to inside a word.
pub fn is_shell_safe(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._:@,+=-".contains(&byte))
}

/// True of a name that may stand in an address: letters, digits, `.`, `_` and `-`, not empty.
pub fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.endpoint, self.axis.name())?;
        if let Some(fingerprint) = self.fingerprint {
            write!(f, "-{fingerprint}")?;
        }
        write!(f, ".{}{}", self.nth, if self.forever { "+" } else { "" })
    }
}

impl FromStr for Place {
    type Err = BadAddress;

    fn from_str(text: &str) -> Result<Place, BadAddress> {
        let form = || BadAddress(format!("`{text}` is not a place; write endpoint:axis.n, as in pg.target:commit.3"));
        let (endpoint, rest) = text.split_once(':').ok_or_else(form)?;
        let (counted, number) = rest.rsplit_once('.').ok_or_else(form)?;
        let (axis, fingerprint) = match counted.split_once('-') {
            Some((axis, hash)) => (axis, Some(parse_fingerprint(hash)?)),
            None => (counted, None),
        };
        let (number, forever) = number.strip_suffix('+').map_or((number, false), |number| (number, true));
        if !is_name(endpoint) {
            return Err(form());
        }
        Ok(Place {
            endpoint: endpoint.to_owned(),
            axis: Axis::parse(axis)?,
            fingerprint,
            nth: parse_ordinal(number).ok_or_else(form)?,
            forever,
        })
    }
}

/// A number from 1, in its one spelling.
fn parse_ordinal(text: &str) -> Option<u32> {
    text.parse().ok().filter(|nth: &u32| *nth > 0 && nth.to_string() == text)
}

fn parse_fingerprint(text: &str) -> Result<Fingerprint, BadAddress> {
    let well_formed = text.len() == 6 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    match u32::from_str_radix(text, 16) {
        Ok(hash) if well_formed => Ok(Fingerprint(hash)),
        _ => Err(BadAddress(format!("`{text}` is not a fingerprint; it has six digits of 0-9a-f"))),
    }
}

impl FaultPoint {
    /// The kind with its argument, such as `sql.error=40001`.
    pub fn name(&self) -> String {
        self.arg.as_ref().map_or_else(|| self.kind.clone(), |arg| format!("{}={arg}", self.kind))
    }
}

impl fmt::Display for FaultPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.name(), self.place)
    }
}

impl FromStr for FaultPoint {
    type Err = BadAddress;

    fn from_str(text: &str) -> Result<FaultPoint, BadAddress> {
        let form = || BadAddress(format!("`{text}` is not a fault; write kind@endpoint:axis.n"));
        let (kind, place) = text.split_once('@').ok_or_else(form)?;
        let (kind, arg) = parse_kind(kind)?;
        Ok(FaultPoint { kind, arg, place: place.parse()? })
    }
}

/// Splits `sql.error=53100` into the kind and its argument.
pub fn parse_kind(text: &str) -> Result<(String, Option<String>), BadAddress> {
    let (kind, arg) = text.split_once('=').map_or((text, None), |(kind, arg)| (kind, Some(arg)));
    if !is_name(kind) || arg.is_some_and(|arg| !is_name(arg)) {
        return Err(BadAddress(format!(
            "`{text}` is not a kind of fault; write it as in proc.kill or sql.error=53100"
        )));
    }
    Ok((kind.to_owned(), arg.map(str::to_owned)))
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, point) in self.0.iter().enumerate() {
            write!(f, "{}{point}", if index == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

impl FromStr for Address {
    type Err = BadAddress;

    fn from_str(text: &str) -> Result<Address, BadAddress> {
        text.split(',').map(str::parse).collect::<Result<Vec<_>, _>>().map(Address)
    }
}

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Address, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
