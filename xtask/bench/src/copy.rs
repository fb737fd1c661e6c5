//! A table copied by the reference migrator, digest included.

use super::ground::Ground;
use super::line::Line;
use rehearsal::target::Database;
use rehearsal::{Error, Result};

const PROFILE: &str = "format = 1\nflow = \"one-db\"\nconfirm_rollback = \"ROLLBACK\"\n[target]\nenv = \"ONE\"\n\
    [per_source]\nfrom_schema = \"public\"\ntables = [\"narrow\"]\n[source.a]\nenv = \"SOURCE\"\nschema = \"a\"\n";

/// The same, for tables of this size with the keys where they are.
const IN_PLACE: &str = "[target]\nkeys_after_mb = 1000000";

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
        for (name, text) in [("profile.toml", PROFILE), ("in-place.toml", &PROFILE.replace("[target]", IN_PLACE))] {
            let path = ground.dir.path().join(name);
            std::fs::write(&path, text).map_err(|error| Error::io("write", &path, error))?;
        }
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
    let pipe = "psql copy binary | psql truncate, copy, commit";
    let in_place = ("G3", "one-db migrate, digest included, keys in place", pipe, 1.05);
    let after = ("G3", "one-db migrate, digest included, keys after the rows", pipe, 0.85);
    // Both begin with an empty table; theirs empties it once more, as it must.
    let copied = |script: &str| {
        copying.clear(ground)?;
        ground.sh(script, &env, &[0])
    };
    let kept = ours.replace("profile.toml", "in-place.toml");
    let lines = vec![
        Line::paired(in_place, ground.rounds, || copied(&kept), || copied(theirs))?,
        Line::paired(after, ground.rounds, || copied(&ours), || copied(theirs))?,
        clone(ground, &env, || copied(&ours))?,
    ];
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
