//! Embeds `scenarios/` and `fixtures/`, the file shim, and the digest of our own source, by which evidence names the
//! built-in tools.

use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    fs::write(out.join("shipped.rs"), shipped(&root)).expect("OUT_DIR is writable");
    println!("cargo::rustc-env=REHEARSAL_SOURCE_SHA256={}", source_digest(&root));
    compile_shim(&root.join("shim/shim.c"), &out.join("shim.so"));
}

/// The preloaded recorder and injector of file operations; an empty file where there is no such thing.
fn compile_shim(source: &Path, library: &Path) {
    println!("cargo::rerun-if-changed={}", source.display());
    if env::var("CARGO_CFG_TARGET_OS").as_deref() != Ok("linux") {
        return fs::write(library, b"").expect("OUT_DIR is writable");
    }
    let mut command = cc::Build::new().get_compiler().to_command();
    command.args(["-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-o"]).arg(library).arg(source).arg("-ldl");
    let status = command.status().expect("a C compiler is there: SQLite needs it, too");
    assert!(status.success(), "{} does not compile: {command:?}", source.display());
}

/// A table of paths and contents.
fn shipped(root: &Path) -> String {
    let mut code = String::from("&[\n");
    for folder in ["scenarios", "fixtures"] {
        println!("cargo::rerun-if-changed={folder}");
        for path in files(&root.join(folder)) {
            let name = path.strip_prefix(root).expect("it lies below").to_str().expect("names are ASCII");
            writeln!(code, "    ({name:?}, include_bytes!({path:?})),").expect("a String takes everything");
        }
    }
    code + "]"
}

fn source_digest(root: &Path) -> String {
    println!("cargo::rerun-if-changed=src");
    println!("cargo::rerun-if-changed=Cargo.toml");
    let mut hash = Sha256::new();
    for path in files(&root.join("src")).into_iter().chain([root.join("Cargo.toml")]) {
        let name = path.strip_prefix(root).expect("it lies below").to_str().expect("names are ASCII");
        let text = fs::read(&path).expect("it was listed");
        hash.update(format!("{name} {}\n", text.len()));
        hash.update(text);
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// All files below, sorted by path.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    paths.into_iter().flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}
