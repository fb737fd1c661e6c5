//! A table copied by the reference migrator, digest included.

use super::ground::Ground;
use super::line::Line;
use rehearsal::target::Database;
use rehearsal::{Error, Result};

const PROFILE: &str = "format = 1\nflow = \"one-db\"\nconfirm_rollback = \"ROLLBACK\"\n[target]\nenv = \"ONE\"\n\
    [per_source]\nfrom_schema = \"public\"\ntables = [\"narrow\"]\n[source.a]\nenv = \"SOURCE\"\nschema = \"a\"\n";

/// How ours moves it, in the directory of the ground.
pub(crate) const OURS: &str = "tool one-db migrate --profile profile.toml --replace-target --report-path report.json";

/// A narrow source, and an empty target of its shape.
pub(crate) struct Copying {
    source: Database,
    target: Database,
    urls: [String; 2],
}

impl Copying {
    pub(crate) fn set(ground: &Ground) -> Result<Copying> {
        let source = ground.narrow("copied", "select 1")?;
        let target = ground.runtime.block_on(ground.pool.empty("one"))?;
        ground.execute(
            target.name(),
            "create schema a; create table a.narrow (id int8 primary key, a int, b float8, c timestamptz, d bool)",
        )?;
        let profile = ground.dir.path().join("profile.toml");
        std::fs::write(&profile, PROFILE).map_err(|error| Error::io("write", &profile, error))?;
        let urls = [&source, &target].map(|database| ground.url(database.name()));
        Ok(Copying { source, target, urls })
    }

    pub(crate) fn env(&self) -> [(&str, &str); 5] {
        let [source_url, target_url] = &self.urls;
        let names = [("S", self.source.name()), ("T", self.target.name())];
        [("SOURCE", source_url), ("ONE", target_url), names[0], names[1], ("F", ".")]
    }

    pub(crate) fn clear(&self, ground: &Ground) -> Result<()> {
        ground.execute(self.target.name(), "truncate a.narrow")
    }

    pub(crate) fn drop(self, ground: &Ground) -> Result<()> {
        [self.source, self.target].into_iter().try_for_each(|one| ground.runtime.block_on(ground.pool.drop(one)))
    }
}

pub(crate) fn lines(ground: &Ground) -> Result<Vec<Line>> {
    let copying = Copying::set(ground)?;
    let env = copying.env();
    let ours = format!("$REHEARSE {OURS}");
    let theirs = "psql -q -d $S -c 'copy narrow to stdout (format binary)' | psql -q -d $T -c begin \
        -c 'truncate a.narrow' -c 'copy a.narrow from stdin (format binary)' -c commit";
    let what = ("G3", "one-db migrate, digest included", "psql copy binary | psql truncate, copy, commit", 1.05);
    // Both begin with an empty table; theirs empties it once more, as it must.
    let copied = |script: &str| {
        copying.clear(ground)?;
        ground.sh(script, &env, &[0])
    };
    let line = Line::paired(what, ground.rounds, || copied(&ours), || copied(theirs))?;
    let lines = vec![line, clone(ground, &env, || copied(&ours))?];
    copying.drop(ground)?;
    Ok(lines)
}

/// Of the whole database, into one that is new for theirs and empty for ours.
fn clone(ground: &Ground, env: &[(&str, &str)], ours: impl Fn() -> Result<f64>) -> Result<Line> {
    let what = ("G4", "one-db migrate, whole database", "pgcopydb clone, two jobs", 0.67);
    if !ground.has("pgcopydb") {
        return Ok(Line::missing(what, "pgcopydb"));
    }
    let theirs = || {
        ground.sh("dropdb --if-exists $T-cloned && createdb $T-cloned", env, &[0])?;
        let script = "pgcopydb clone --dir $PWD/pgcopydb --restart --table-jobs 2 --index-jobs 2 \
            --source \"dbname=$S\" --target \"dbname=$T-cloned\" --quiet";
        ground.sh(script, env, &[0])
    };
    Line::paired(what, ground.rounds, ours, theirs)
}
