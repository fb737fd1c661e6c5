//! `rehearse init` and `rehearse doctor`: the first minutes in somebody's repository.

use super::scratch::{GREEN, Scratch};

/// A repository with nothing in it.
fn empty() -> Scratch {
    let scratch = Scratch::with("x", GREEN);
    std::fs::remove_dir_all(scratch.dir.path().join("scenarios")).unwrap();
    scratch
}

#[test]
fn a_first_scenario_runs_as_it_was_written() {
    let scratch = empty();
    scratch.rehearse(&["init"]).has(0, "rehearse run first");
    for file in ["scenarios/first.toml", "fixtures/mine/dataset.toml", "fixtures/mine/source.sql"] {
        assert!(scratch.dir.path().join(file).is_file(), "{file}");
    }
    scratch.rehearse(&["run", "first"]).has(0, "parity 0 differences in 1 table / 100 rows");
    // A second one over the same data; its command line is somebody's own.
    std::fs::write(scratch.dir.path().join("move.sh"), "psql -X -q \"$A\" -c '\\copy items to items.txt'\npsql -X -q \"$B\" -c 'truncate items' -c '\\copy items from items.txt' -c \"select setval('items_id_seq', 100)\"\n").unwrap();
    let flags =
        ["--dataset", "mine-small", "--command", "sh -eu move.sh", "--env", "A={source}", "--env", "B={target}"];
    scratch.rehearse(&[&["init", "team/second"], &flags[..]].concat()).has(0, "rehearse run team/second");
    let text = std::fs::read_to_string(scratch.dir.path().join("scenarios/team/second.toml")).unwrap();
    assert!(text.contains("\"{root}/move.sh\"") && text.contains("inputs = [\"move.sh\"]"), "{text}");
    scratch.rehearse(&["check", "team/second"]).has(0, "1 scenario is right");
    scratch.rehearse(&["run", "team/second", "--plan"]).has(0, "cases");
}

#[test]
fn a_first_scenario_over_files_runs_too() {
    let scratch = empty();
    scratch.rehearse(&["init", "files", "--engine", "sqlite", "--yes"]).has(0, "rehearse run files");
    let said = scratch.rehearse(&["run", "files", "--allow-missing", "sqlite3"]);
    let is_injured = ["crash ", "disk.full "].iter().all(|kind| said.stdout.contains(kind));
    assert!(said.code == Some(0) && (is_injured || said.stdout.contains("no sqlite3")), "{said:?}");
}

#[test]
fn nothing_is_overwritten_and_nothing_is_guessed() {
    let scratch = Scratch::with("first", GREEN);
    scratch.rehearse(&["init"]).has(64, "is there already, and is not touched");
    scratch.rehearse(&["init", "a.b"]).has(64, "letters, digits");
    scratch.rehearse(&["init", "new", "--dataset", "ledger-small"]).has(64, "name your own command line");
    let named = ["init", "new", "--dataset", "ledger-small", "--command", "true", "--target", "knew"];
    scratch.rehearse(&named).has(2, "it has new, new-stale, old");
    let named = ["init", "new", "--dataset", "ledger-small", "--command", "true", "--engine", "sqlite"];
    scratch.rehearse(&named).has(64, "leave out --engine");
    scratch.rehearse(&["init", "new", "--command", "sh 'x"]).has(64, "open '");
    scratch.rehearse(&["init", "new", "--env", "x"]).has(64, "--env 'DSN={target}'");
    assert!(!scratch.dir.path().join("scenarios/new.toml").exists());
    assert!(!scratch.dir.path().join("fixtures").exists());
}

#[test]
fn a_doctor_finds_the_socket_of_podman_and_says_how_to_take_it() {
    let mut scratch = Scratch::with("green", GREEN);
    let folder = scratch.dir.path().join("podman");
    std::fs::create_dir(&folder).unwrap();
    let socket = folder.join("podman.sock");
    let url = format!("unix://{}", socket.display());
    let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    scratch.env.insert("XDG_RUNTIME_DIR".into(), scratch.dir.path().into());
    scratch.rehearse(&["doctor"]).has(0, &format!("podman it listens; --pg docker takes it with DOCKER_HOST={url}"));
    drop(listener);
    scratch.rehearse(&["doctor"]).has(0, &format!("nobody listens on {}", socket.display()));
    scratch.env.insert("DOCKER_HOST".into(), url.clone().into());
    scratch.rehearse(&["doctor"]).has(0, &format!("{url} is taken by --pg docker"));
}

#[test]
fn a_doctor_says_what_is_there_and_what_to_do_for_what_is_not() {
    let mut scratch = Scratch::with("green", GREEN);
    let _base = scratch.own_base();
    let said = scratch.rehearse(&["doctor"]);
    for part in ["ok postgres", "ok platform", "base", "cache", "leftovers", "docker"] {
        said.has(0, part);
    }
    scratch.env.insert("REHEARSE_PG_BIN".into(), "/nonexistent".into());
    let said = scratch.rehearse(&["doctor"]);
    said.has(2, "BROKEN postgres REHEARSE_PG_BIN: /nonexistent");
    said.has(2, "Postgres scenarios cannot run here");
    scratch.env.insert("PATH".into(), "/nonexistent".into());
    scratch.rehearse(&["doctor"]).has(2, "limited psql not in PATH: install");
}
