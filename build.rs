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
    println!("cargo::rerun-if-changed=shim");
    let is_linux = is("OS", "linux");
    let shim = compile(is_linux, &["-shared", "-fPIC", "-ldl"], &root.join("shim/shim.c"), &out.join("shim.so"));
    assert!(shim || !is_linux, "the file shim does not compile; SQLite needs a C compiler, too");
    // It names registers, and needs the headers of Linux 5.6: where it does not compile, there is none.
    compile(is_linux && is("ARCH", "x86_64"), &[], &root.join("shim/tracer.c"), &out.join("tracer"));
}

/// Of the target, not of the machine that builds.
fn is(what: &str, wanted: &str) -> bool {
    env::var(format!("CARGO_CFG_TARGET_{what}")).is_ok_and(|value| value == wanted)
}

/// An injector of file faults; an empty file, and `false`, where there is none.
fn compile(is_wanted: bool, how: &[&str], source: &Path, product: &Path) -> bool {
    let compiled = is_wanted && {
        let mut command = cc::Build::new().get_compiler().to_command();
        command.args(["-O2", "-Wall", "-Wextra", "-o"]).arg(product).arg(source).args(how);
        command.status().is_ok_and(|status| status.success())
    };
    if !compiled {
        fs::write(product, b"").expect("OUT_DIR is writable");
    }
    compiled
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
