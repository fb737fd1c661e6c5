//! Many SQLite files into few, beside `cat` and a loop over the rows.

use super::ground::Ground;
use super::line::Line;
use rehearsal::clock::Stopwatch;
use rehearsal::db::sqlite;
use rehearsal::{Error, Result};
use std::fmt::Write as _;
use std::hint::black_box;
use std::path::{Path, PathBuf};

/// Files of one size and kind, and what a row loop must take longer by at least: with equal tables, with mapped columns.
pub(crate) struct Kind {
    name: &'static str,
    files: usize,
    rows: fn(u64) -> u64,
    key: &'static str,
    times: [f64; 2],
}

/// Small files with keys in order, large ones with keys at random.
pub(crate) const KINDS: [Kind; 2] = [
    Kind { name: "22 files", files: 22, rows: |rows| rows * 45 / 1000, key: "n", times: [6.0, 3.0] },
    Kind {
        name: "3 files, random keys",
        files: 3,
        rows: |rows| rows,
        key: "lower(hex(randomblob(12)))",
        times: [20.0, 6.0],
    },
];

const TARGETS: [&str; 2] = ["one", "two"];

/// What a stranger would write: each row through Python, one transaction for each file.
const LOOP: &str = "
import os, sqlite3, sys
for name in ['one', 'two']:
    if os.path.exists('loop-' + name): os.remove('loop-' + name)
    target = sqlite3.connect('loop-' + name)
    target.executescript(open(name + '.sql').read())
    for number in range(len(sys.argv) - 1):
        if number % 2 != ['one', 'two'].index(name): continue
        source = sqlite3.connect(f'{sys.argv[1 + number]}')
        for row in source.execute(f'select id, a, b, lower(c) from t{number}' if MAPPED else f'select * from t{number}'):
            target.execute(f'insert into t{number} values (?, ?, ?, ?)', row)
        target.commit()
    target.close()
";

pub(crate) fn lines(ground: &Ground) -> Result<Vec<Line>> {
    let mut lines = Vec::new();
    for kind in &KINDS {
        let folder = kind.made(ground, ground.rows)?;
        for (mapped, times) in [false, true].into_iter().zip(kind.times) {
            lines.extend(kind.beside(ground, &folder, mapped, times)?);
        }
        lines.push(kind.verified(ground, &folder)?);
        std::fs::remove_dir_all(&folder).map_err(|error| Error::io("remove", &folder, error))?;
    }
    Ok(lines)
}

impl Kind {
    /// A folder with the sources in `data`, and a profile for each way.
    pub(crate) fn made(&self, ground: &Ground, rows: u64) -> Result<PathBuf> {
        let folder = ground.dir.path().join(format!("consolidate-{rows}"));
        let data = folder.join("data");
        std::fs::create_dir_all(&data).map_err(|error| Error::io("create", &data, error))?;
        for number in 0..self.files {
            self.fill(&data.join(format!("s{number}.db")), number, (self.rows)(rows))?;
        }
        for (name, mapped) in [("equal", false), ("mapped", true)] {
            write(&folder.join(format!("{name}.toml")), &self.profile(mapped))?;
        }
        for (index, target) in TARGETS.iter().enumerate() {
            let schema = (index..self.files).step_by(TARGETS.len()).map(|number| self.schema(number));
            write(&folder.join(format!("{target}.sql")), &schema.collect::<String>())?;
        }
        Ok(folder)
    }

    fn schema(&self, number: usize) -> String {
        let key = if self.key == "n" { "integer" } else { "text" };
        format!(
            "create table t{number} (id {key} primary key, a integer, b real, c text);\n\
             create index t{number}_c on t{number} (c);\n"
        )
    }

    fn fill(&self, path: &Path, number: usize, rows: u64) -> Result<()> {
        let failed = |error: rusqlite::Error| Error::environment("cannot fill a file").caused_by(error);
        let connection = rusqlite::Connection::open(path).map_err(failed)?;
        let (schema, key) = (self.schema(number), self.key);
        let sql = format!(
            "pragma synchronous = off; {schema} \
             with g (n) as (select 1 union all select n + 1 from g limit {rows}) \
             insert into t{number} select {key}, n % 1000, n * 0.37, 'name ' || (n * 7919 % {rows}) from g"
        );
        connection.execute_batch(&sql).map_err(failed)
    }

    fn profile(&self, mapped: bool) -> String {
        let mut text = "format = 1\nflow = \"consolidate\"\nconfirm_restore = \"RESTORE\"\n[variables]\nmode = \"M\"\n\
            data_dir = \"D\"\nrequire_valid_schema = \"R\"\nskip_schema_validation = \"S\"\n[defaults]\n\
            mode = \"legacy\"\ndata_dir = \"data\"\n[application.write]\nlegacy = \"s0\"\nconsolidated = \"one\"\n\
            sql = \"select 1\"\n"
            .to_owned();
        for target in TARGETS {
            let _ = write!(text, "[target.{target}]\nfile = \"{target}.db\"\nschema = \"{target}.sql\"\n");
        }
        for number in 0..self.files {
            let target = TARGETS[number % TARGETS.len()];
            let _ = write!(
                text,
                "[source.s{number}]\nfile = \"s{number}.db\"\ninto = \"{target}\"\ntables = [\"t{number}\"]\n"
            );
            if mapped {
                let _ = write!(
                    text,
                    "[source.s{number}.table.t{number}]\nkeep = [\"id\", \"a\", \"b\"]\nset = {{ c = \"lower(c)\" }}\n"
                );
            }
        }
        text
    }

    fn beside(&self, ground: &Ground, folder: &Path, mapped: bool, times: f64) -> Result<Vec<Line>> {
        let way = if mapped { "mapped" } else { "equal" };
        let ours = || self.migrate(ground, folder, way);
        let name = format!("consolidate migrate, {}, {way}", self.name);
        let mut lines = Vec::new();
        if !mapped {
            let what = ("G7", name.as_str(), "cat of the sources", 5.0);
            let cat = || ground.sh("cd $F && cat data/s*.db > all && rm all", &env(folder), &[0]);
            lines.push(Line::paired(what, ground.rounds, ours, cat)?);
        }
        let what = ("G7", name.as_str(), "a loop over the rows in Python", 1.0 / times);
        if !ground.has("python3") {
            lines.push(Line::missing(what, "python3"));
            return Ok(lines);
        }
        let script = LOOP.replace("MAPPED", if mapped { "True" } else { "False" });
        write(&folder.join("loop.py"), &script)?;
        let files: Vec<String> = (0..self.files).map(|number| format!("data/s{number}.db")).collect();
        let script = format!("cd $F && python3 loop.py {}", files.join(" "));
        let theirs = || ground.sh(&script, &env(folder), &[0]);
        // A loop of minutes needs no more.
        lines.push(Line::paired(what, ground.rounds.min(3), ours, theirs)?);
        Ok(lines)
    }

    pub(crate) fn migrate(&self, ground: &Ground, folder: &Path, way: &str) -> Result<f64> {
        let script = format!(
            "cd $F && $REHEARSE tool consolidate migrate --profile {way}.toml --data-dir data --report-path report.json \
             > /dev/null"
        );
        clean(folder)?;
        ground.sh(&script, &env(folder), &[0])
    }

    /// The targets are those of the last migration, which was a mapped one.
    fn verified(&self, ground: &Ground, folder: &Path) -> Result<Line> {
        self.migrate(ground, folder, "equal")?;
        let script = "cd $F && $REHEARSE tool consolidate verify --profile equal.toml --data-dir data > /dev/null";
        let name = format!("consolidate verify, {}", self.name);
        let what = ("G8", name.as_str(), "stepping through all columns of both sides", 1.8);
        let theirs = || {
            let watch = Stopwatch::start();
            for number in 0..self.files {
                let target = TARGETS[number % TARGETS.len()];
                step(&folder.join(format!("data/s{number}.db")), number)?;
                step(&folder.join(format!("data/{target}.db")), number)?;
            }
            Ok(watch.elapsed().as_secs_f64())
        };
        Line::paired(what, ground.rounds, || ground.sh(script, &env(folder), &[0]), theirs)
    }
}

fn step(path: &Path, number: usize) -> Result<()> {
    let failed = |error: rusqlite::Error| Error::environment("cannot step").caused_by(error);
    let connection = sqlite::open_read_only(path)?;
    let mut statement = connection.prepare(&format!("select id, a, b, c from t{number}")).map_err(failed)?;
    let mut rows = statement.query([]).map_err(failed)?;
    while let Some(row) = rows.next().map_err(failed)? {
        for column in 0..4 {
            black_box(row.get_ref(column).map_err(failed)?);
        }
    }
    Ok(())
}

/// No target is there, and no receipt.
fn clean(folder: &Path) -> Result<()> {
    for name in ["one.db", "two.db", ".consolidation.json"] {
        let path = folder.join("data").join(name);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::io("remove", &path, error));
            }
            _ => {}
        }
    }
    Ok(())
}

pub(crate) fn env(folder: &Path) -> [(&'static str, &str); 1] {
    [("F", folder.to_str().unwrap_or("."))]
}

fn write(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).map_err(|error| Error::io("write", path, error))
}
