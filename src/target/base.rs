//! The base directory: everything that a run leaves in the file system while it lives, apart from the cache.

use crate::process::{Ids, own_uid};
use crate::{Error, Result};
use std::fs::{DirBuilder, Permissions};
use std::io::ErrorKind::AlreadyExists;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Where clusters and sessions live (gone after the last one), and where initialised clusters are cached (stays).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base {
    dir: PathBuf,
    cache: PathBuf,
}

impl Base {
    /// `REHEARSE_BASE`, else `/dev/shm/rehearse-<uid>` when there is a GiB free, else `/tmp/rehearse-<uid>`
    /// (`/var/tmp` for root). The cache is `REHEARSE_CACHE`, else `/var/tmp/rehearse-<uid>/cache`.
    pub fn find() -> Base {
        let dir = std::env::var_os("REHEARSE_BASE").map_or_else(default_dir, PathBuf::from);
        Base::at(dir)
    }

    /// A base of one's own, such as a test's; the path must be short, for sockets live in it.
    pub fn at(dir: impl Into<PathBuf>) -> Base {
        let cache = std::env::var_os("REHEARSE_CACHE").map(PathBuf::from);
        let cache = cache.unwrap_or_else(|| PathBuf::from(format!("/var/tmp/rehearse-{}/cache", own_uid())));
        Base { dir: dir.into(), cache }
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The directory of what survives: initialised clusters, digests of binaries.
    pub fn cache(&self) -> &Path {
        &self.cache
    }

    /// Checks that servers can be started from the cache.
    ///
    /// # Errors
    /// The server's user cannot reach it.
    pub(super) fn starts_from_cache(&self) -> Result<()> {
        reachable_by(&self.cache, "cache elsewhere with REHEARSE_CACHE")
    }

    pub(super) fn sessions(&self) -> PathBuf {
        self.dir.join("sessions")
    }

    pub(super) fn clusters(&self) -> PathBuf {
        self.dir.join("clusters")
    }

    pub(super) fn sqlite(&self) -> PathBuf {
        self.dir.join("sqlite")
    }

    pub(super) fn start_lock(&self) -> PathBuf {
        self.dir.join("start.lock")
    }

    pub(super) fn supervisor_lock(&self) -> PathBuf {
        self.dir.join("supervisor.lock")
    }

    /// Makes the directories; fine when they are there.
    ///
    /// # Errors
    /// They cannot be made, are somebody else's, are symbolic links, or the server's user cannot reach them.
    pub(super) fn create(&self) -> Result<()> {
        let parent = self.dir.parent().filter(|path| path.is_dir());
        parent.ok_or_else(|| Error::environment(format!("no directory to put {} into", self.dir.display())))?;
        own_dir(&self.dir).map_err(|error| error.within("base directory (REHEARSE_BASE)"))?;
        reachable(&self.dir)?;
        [self.sessions(), self.clusters(), self.sqlite()].iter().try_for_each(|dir| own_dir(dir))
    }
}

/// Makes a directory of ours that others can pass, if they must, but not list.
pub(super) fn own_dir(dir: &Path) -> Result<()> {
    // The server is another user than root, and has to get through.
    let mode = if own_uid() == 0 { 0o711 } else { 0o700 };
    match DirBuilder::new().mode(mode).create(dir) {
        Ok(()) => set_mode(dir, mode), // whatever the umask is
        Err(error) if error.kind() == AlreadyExists => owned(dir),
        Err(error) => Err(Error::io("create", dir, error)),
    }
}

pub(super) fn set_mode(path: &Path, mode: u32) -> Result<()> {
    std::fs::set_permissions(path, Permissions::from_mode(mode)).map_err(|error| Error::io("protect", path, error))
}

/// The user that servers run as: ourselves, or as root `postgres`, else `nobody`.
pub(super) fn server_ids() -> Ids {
    let own = Ids { uid: own_uid(), gid: rustix::process::getegid().as_raw() };
    if own.uid != 0 {
        return own;
    }
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    ["postgres", "nobody"].iter().find_map(|name| entry(&users, name)).unwrap_or(Ids { uid: 65534, gid: 65534 })
}

fn entry(users: &str, name: &str) -> Option<Ids> {
    let fields = users.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let user = fields.into_iter().find(|fields| fields.first() == Some(&name))?;
    Some(Ids { uid: user.get(2)?.parse().ok()?, gid: user.get(3)?.parse().ok()? })
}

/// Checks that nobody but us or root can exchange what is in a directory; makes it if it is not there.
pub(super) fn trusted_dir(dir: &Path) -> Result<()> {
    match std::fs::metadata(dir) {
        Ok(found) if found.is_dir() && found.uid() == 0 => Ok(()),
        _ => own_dir(dir),
    }
}

// Both places are world-writable: somebody else may have been here first.
fn owned(dir: &Path) -> Result<()> {
    let found = std::fs::symlink_metadata(dir).map_err(|error| Error::io("read", dir, error))?;
    let trouble = match () {
        () if found.is_symlink() => "is a symbolic link",
        () if !found.is_dir() => "is not a directory",
        () if found.uid() != own_uid() => "belongs to another user",
        () => return Ok(()),
    };
    Err(Error::environment(format!("{} {trouble}: remove it, or name another with REHEARSE_BASE", dir.display())))
}

// Root's servers run as another user, who must be able to pass every directory above.
fn reachable(dir: &Path) -> Result<()> {
    reachable_by(dir, "base directory elsewhere with REHEARSE_BASE")
}

fn reachable_by(dir: &Path, remedy: &str) -> Result<()> {
    let open = |path: &&Path| std::fs::metadata(path).is_ok_and(|found| found.mode() & 0o001 != 0);
    match dir.ancestors().filter(|path| own_uid() == 0 && !path.as_os_str().is_empty()).find(|path| !open(path)) {
        None => Ok(()),
        Some(closed) => {
            Err(Error::environment(format!("the server's user cannot pass {}: name a {remedy}", closed.display())))
        }
    }
}

fn default_dir() -> PathBuf {
    let name = format!("rehearse-{}", own_uid());
    let memory = PathBuf::from("/dev/shm").join(&name);
    // One that is there is kept, or processes would not meet; containers have 64 MB.
    if memory.is_dir() || free_bytes("/dev/shm") >= 1 << 30 {
        return memory;
    }
    // Not `std::env::temp_dir`: on macOS that is too long for a socket.
    PathBuf::from(if own_uid() == 0 { "/var/tmp" } else { "/tmp" }).join(name)
}

fn free_bytes(path: &str) -> u64 {
    rustix::fs::statvfs(path).map_or(0, |found| found.f_bavail * found.f_frsize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_found_by_its_whole_name() {
        let users = "root:x:0:0::/root:/bin/sh\npostgres-old:x:9:9::/:/bin/sh\npostgres:x:101:104::/:/bin/sh\n";
        assert_eq!(entry(users, "postgres"), Some(Ids { uid: 101, gid: 104 }));
    }
}
