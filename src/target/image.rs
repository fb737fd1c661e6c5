//! Initialised clusters, made once per server binary and copied from then on: `initdb` costs half a second.

use super::base::{Base, own_dir, server_ids};
use super::binaries::{Binaries, environment, make_cache};
use super::copy::{copy_tree, give};
use super::lock;
use crate::model::canonical::hex;
use crate::process::{Output, own_uid, run};
use crate::{Error, Result};
use sha2::{Digest, Sha256};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The role by which we work, a superuser, through the socket directory that only we can enter.
pub const ADMIN_ROLE: &str = "rehearse_admin";
/// The role of the tools, an ordinary one: superusers escape limits, and faults with them. Its password is hashed as
/// usual, 4096 times: fewer would spare clients some milliseconds, but Java's and Bun's drivers refuse them.
pub(super) const TOOL_ROLE: &str = "rehearse_tool";

/// Fast, but never at the price of an acknowledged commit when a server is killed: `synchronous_commit` stays on.
pub(super) const SETTINGS: [&str; 13] = [
    "max_connections=400",
    "max_prepared_transactions=20",
    "fsync=off",
    "full_page_writes=off",
    "synchronous_commit=on",
    "autovacuum=off",
    "jit=off",
    "wal_level=minimal",
    "max_wal_senders=0",
    "max_wal_size=256MB",
    "track_counts=on",
    "timezone=UTC",
    "log_timezone=UTC",
];

/// Those of servers without a container around them: there is no TCP, and dynamic shared memory is in files, so that it
/// goes with the data directory.
const ALONE: [&str; 3] =
    ["listen_addresses=''", "dynamic_shared_memory_type=mmap", "password_encryption=scram-sha-256"];

fn settings() -> String {
    SETTINGS.iter().chain(&ALONE).map(|setting| format!("\n{setting}")).collect::<String>() + "\n"
}

const ACCESS: &str = "local all rehearse_admin trust\nlocal all all scram-sha-256\n";

// A copy of a smaller image is faster. `postgres` stays: tools expect it, and it is where admin connections are while
// `template1` is being copied.
const SLIM: &str = "update pg_database set datistemplate = false where datname = 'template0'
drop database template0
create role rehearse_tool login
";

/// The ends of the names of files that tell where there is room in a table, and which pages all may see: hints, that
/// the server makes anew where they are missing. They are a quarter of the files of each database, and each clone
/// copies and removes all its files.
const MAPS: [&str; 2] = ["_fsm", "_vm"];

/// The name of everything that depends on these binaries and on how we set a cluster up.
pub(super) fn key(binaries: &Binaries) -> String {
    let mut hash = Sha256::new();
    for part in [&binaries.sha256, &options(binaries).join(" "), &settings(), ACCESS, SLIM, MAPS.join(" ").as_str()] {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    hex(&hash.finalize())[..12].to_owned()
}

/// An initialised data directory in the cache, made now if it is not there. The caller holds the start lock.
pub(super) fn image(base: &Base, binaries: &Binaries) -> Result<PathBuf> {
    make_cache(base)?;
    let key = key(binaries);
    let (image, size) = (base.cache().join(&key), base.cache().join(format!("{key}.bytes")));
    let _building = lock::wait_for(&base.cache().join("lock"))?;
    // After a power cut files may be there and be empty.
    if image.is_dir() && std::fs::read_to_string(&size).ok() == Some(bytes_in(&image).to_string()) {
        return Ok(image);
    }
    let workshop = base.clusters().join(format!(".{key}"));
    for dir in [&image, &workshop] {
        let _ = std::fs::remove_dir_all(dir);
    }
    own_dir(&workshop)?;
    let data = build(&workshop, binaries)?;
    let own = crate::process::Ids { uid: own_uid(), gid: rustix::process::getegid().as_raw() };
    let bytes = copy_tree(&data, &image, own)?;
    std::fs::write(&size, bytes.to_string()).map_err(|error| Error::io("write", &size, error))?;
    std::fs::remove_dir_all(&workshop).map_err(|error| Error::io("remove", &workshop, error))?;
    Ok(image)
}

fn options(binaries: &Binaries) -> Vec<&'static str> {
    let mut options = vec!["-A", "trust", "-N", "--no-locale", "-E", "UTF8", "--wal-segsize=1", "-U", ADMIN_ROLE];
    if binaries.major() >= 18 {
        options.push("--no-data-checksums"); // the default since 18; with it hint bits write WAL
    }
    options
}

fn build(workshop: &Path, binaries: &Binaries) -> Result<PathBuf> {
    let data = workshop.join("data");
    std::fs::create_dir(&data).map_err(|error| Error::io("create", &data, error))?;
    super::base::set_mode(&data, 0o700)?;
    give(&data, server_ids())?;
    let mut argv: Vec<OsString> = vec![binaries.program("initdb"), "-D".into(), data.clone().into()];
    argv.extend(options(binaries).iter().map(Into::into));
    as_server(&argv, &data, "")?;
    configure(&data)?;
    let single = ["--single", "-c", "exit_on_error=true", "-D"].map(OsString::from);
    let mut argv = vec![binaries.program("postgres")];
    argv.extend(single.into_iter().chain([data.clone().into(), "postgres".into()]));
    as_server(&argv, &data, SLIM)?;
    remove_maps(&data.join("base"))?;
    Ok(data)
}

fn remove_maps(base: &Path) -> Result<()> {
    let entries = |dir: &Path| std::fs::read_dir(dir).map_err(|error| Error::io("read", dir, error));
    for database in entries(base)?.flatten() {
        for file in entries(&database.path())?.flatten().map(|file| file.path()) {
            if MAPS.iter().any(|end| file.to_string_lossy().ends_with(end)) {
                std::fs::remove_file(&file).map_err(|error| Error::io("remove", &file, error))?;
            }
        }
    }
    Ok(())
}

fn configure(data: &Path) -> Result<()> {
    let file = data.join("postgresql.conf");
    let text = std::fs::read_to_string(&file).map_err(|error| Error::io("read", &file, error))?;
    std::fs::write(&file, text + &settings()).map_err(|error| Error::io("write", &file, error))?;
    let file = data.join("pg_hba.conf");
    std::fs::write(&file, ACCESS).map_err(|error| Error::io("write", &file, error))
}

fn as_server(argv: &[OsString], cwd: &Path, input: &str) -> Result<()> {
    let Output { exit, stderr, .. } = run(argv, cwd, &environment(), Some(server_ids()), input)?;
    if exit.is_success() {
        return Ok(());
    }
    let (program, said) = (argv[0].display(), String::from_utf8_lossy(&stderr));
    Err(Error::environment(format!("`{program}` failed ({exit}): {}", said.trim())))
}

fn bytes_in(dir: &Path) -> u64 {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(found) if found.is_dir() => bytes_in(&entry.path()),
            Ok(found) => found.len(),
            Err(_) => 0,
        })
        .sum()
}
