//! The file shim in front of a program that writes SQLite files, and what losses of power are made from its record.

use super::ground::Ground;
use super::line::{Line, What};
use rehearsal::clock::Stopwatch;
use rehearsal::engine::files::power::each_image;
use rehearsal::engine::files::{Detail, FileAct, Library, Shim, replay};
use rehearsal::model::Place;
use rehearsal::process::Spawn;
use rehearsal::{Error, Result};
use std::hint::black_box;
use std::path::{Path, PathBuf};

/// Few rows to a transaction: many writes and locks to the second, as a migration in batches has them.
const TRANSACTION: &str =
    "begin; insert into t select value, hex(randomblob(100)) from generate_series(1, 50); commit;\n";
const TRANSACTIONS: usize = 10_000;
const BATCHES: &str = "rm -f target.db && exec sqlite3 target.db < ../batches.sql > /dev/null";
/// A few large transactions, which a loss of power may cut anywhere.
const MERGE: &str = "rm -f target.db; sqlite3 target.db 'create table t (a, b); create table u (a, b); \
    begin; insert into t select value, hex(value) from generate_series(1, 2000); commit; \
    begin; insert into u select * from t; delete from t; commit' > /dev/null";
/// As fast as it can: stopped at these calls only, and names of files looked up.
const STRACE: &str = "strace -f -y --seccomp-bpf -o strace.log -e trace=openat,write,pwrite64,writev,ftruncate,fallocate,\
    fsync,fdatasync,unlink,rename,fcntl,mmap sqlite3";
const IMAGES_PER_MINUTE: f64 = 10_000.0;

pub(crate) fn lines(ground: &Ground) -> Result<Vec<Line>> {
    let counting = ("", "a program under the file shim, counted, processor time", "the same program alone", 1.05);
    let placing = ("", "the same, each operation recorded", "the same program alone", 1.4);
    let recording = ("", "the same, recorded with content", "the same program alone", 1.4);
    let tracing =
        ("", "a program that is traced, each operation recorded, wall clock", "the same program under strace", 1.0);
    let images = ("", "minutes per state that a loss of power may leave", "1/10,000 of a minute", 1.0);
    let program = "sqlite3";
    if !ground.has(program) || !Shim::is_there() {
        return Ok([counting, placing, recording, tracing, images].map(|what| Line::missing(what, program)).into());
    }
    let watched = Watched::below(&folder(ground, "watched")?)?;
    let alone = folder(ground, "alone")?;
    for folder in [&watched.work, &alone] {
        let script = format!("pragma synchronous = off; create table t (a, b);\n{}", TRANSACTION.repeat(TRANSACTIONS));
        let path = folder.join("../batches.sql");
        std::fs::write(&path, script).map_err(|error| Error::io("write", &path, error))?;
    }
    let run = |folder: &Path, env: &[(&str, &str)]| ground.cpu(&format!("cd {} && {BATCHES}", folder.display()), env);
    let under = |detail: Option<Detail>| {
        watched.begin(detail)?;
        run(&watched.work, &watched.env())
    };
    Ok(vec![
        Line::paired(counting, ground.rounds, || under(None), || run(&alone, &[]))?,
        Line::paired(placing, ground.rounds, || under(Some(Detail::Operations)), || run(&alone, &[]))?,
        Line::paired(recording, ground.rounds, || under(Some(Detail::Content)), || run(&alone, &[]))?,
        traced(tracing, ground, &watched, &alone)?,
        Line::paired(images, ground.rounds, || made(ground, &watched), || Ok(1.0 / IMAGES_PER_MINUTE))?,
    ])
}

/// What traces belongs to nobody, so that its processor time is not to be had.
fn traced(what: What<'_>, ground: &Ground, watched: &Watched, alone: &Path) -> Result<Line> {
    if !Shim::traces() || !ground.has("strace") {
        return Ok(Line::missing(what, "strace, and a tracer for this processor"));
    }
    let mut child = Spawn::new(["sqlite3"], "/");
    watched.shim.trace(&mut child);
    let program: Vec<String> = child.argv.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    let under = BATCHES.replace("sqlite3", &program.join(" "));
    let strace = BATCHES.replace("sqlite3", STRACE);
    let run = |folder: &Path, script: &str| ground.sh(&format!("cd {} && {script}", folder.display()), &[], &[0]);
    let ours = || watched.begin(Some(Detail::Operations)).and_then(|()| run(&watched.work, &under));
    Line::paired(what, ground.rounds, ours, || run(alone, &strace))
}

/// Minutes per state.
fn made(ground: &Ground, watched: &Watched) -> Result<f64> {
    watched.begin(Some(Detail::Content))?;
    ground.sh(&format!("cd {} && {MERGE}", watched.work.display()), &watched.env(), &[0])?;
    let ops = watched.shim.take()?;
    let (mut made, watch) = (0_u32, Stopwatch::start());
    each_image(
        &replay::Files::new(),
        &ops,
        |_| true,
        |image| {
            black_box(image);
            made += 1;
        },
    );
    match made {
        0 => Err(Error::environment("nothing was recorded")),
        made => Ok(watch.elapsed().as_secs_f64() / 60.0 / f64::from(made)),
    }
}

struct Watched {
    shim: Shim,
    work: PathBuf,
    place: Place,
    env: Vec<(String, String)>,
}

impl Watched {
    fn below(root: &Path) -> Result<Watched> {
        let (shim, work) = (Shim::install(root, &Library::unpack(root)?)?, root.join("work"));
        std::fs::create_dir_all(&work).map_err(|error| Error::io("create", &work, error))?;
        let text = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
        let env = shim.environment().map(|(name, value)| (text(name), text(value))).into();
        let place = "file.target:op.4000000000".parse::<Place>().map_err(|why| Error::bug(why.to_string()))?;
        Ok(Watched { shim, work, place, env })
    }

    fn begin(&self, detail: Option<Detail>) -> Result<()> {
        self.shim.take()?;
        match detail {
            Some(detail) => self.shim.record(detail),
            // So late that it never strikes, but is looked for at every operation.
            None => {
                self.shim.disarm()?;
                self.shim.arm(&self.place, "work/target.db", FileAct::Kill)
            }
        }
    }

    fn env(&self) -> Vec<(&str, &str)> {
        self.env.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }
}

fn folder(ground: &Ground, name: &str) -> Result<PathBuf> {
    let folder = ground.dir.path().join(name);
    std::fs::create_dir_all(&folder).map_err(|error| Error::io("create", &folder, error))?;
    Ok(folder)
}
