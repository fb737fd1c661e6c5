//! Digests and comparisons of Postgres tables.

use super::ground::Ground;
use super::line::Line;
use rehearsal::clock::Stopwatch;
use rehearsal::{Error, Result};

/// Numbers of changed rows; the last is what the goal names.
const CHANGED: [u64; 3] = [0, 100, 20_000];

/// How many of them when others compare.
const BESIDE: u64 = 100;

const COPY: &str = "psql -q -d $S -c \"copy $TABLE to stdout (format binary)\" > /dev/null";

/// The same with a type of a user's, which is read as text.
const ODD: &str = "create type mood as enum ('good'); create table odd as select *, 'good'::mood as e from narrow";

pub(crate) fn lines(ground: &Ground) -> Result<Vec<Line>> {
    let source = ground.narrow("source", ODD)?;
    let mut lines = vec![
        digest(ground, source.name(), ("narrow", "binary", 1.1))?,
        digest(ground, source.name(), ("odd", "text", 1.5))?,
    ];
    for changed in CHANGED {
        let step = ground.rows / changed.max(1);
        let sql = format!("update narrow set a = a + 1 where id % {step} = 0 and id <= {step} * {changed}");
        let target = ground.narrow(&format!("target{changed}"), &sql)?;
        lines.push(compared(ground, source.name(), target.name(), changed)?);
        if changed == BESIDE {
            lines.extend(beside(ground, source.name(), target.name(), changed)?);
        }
        ground.runtime.block_on(ground.pool.drop(target))?;
    }
    Ok(lines)
}

fn digest(ground: &Ground, source: &str, (table, expected, goal): (&str, &str, f64)) -> Result<Line> {
    let place = ground.place(source)?;
    let name = format!("public.{table}");
    let ours = || {
        let watch = Stopwatch::start();
        let (form, digest) = ground.runtime.block_on(rehearsal::compare::digest(&place, &name))?;
        if (form.to_string().as_str(), digest.rows) != (expected, ground.rows) {
            return Err(Error::bug(format!("{digest} in the {form} form")));
        }
        Ok(watch.elapsed().as_secs_f64())
    };
    let ours_is = format!("digest of a table, {expected} form");
    let what = ("G5", ours_is.as_str(), "psql copy binary to /dev/null", goal);
    Line::paired(what, ground.rounds, ours, || ground.sh(COPY, &[("S", source), ("TABLE", table)], &[0]))
}

/// What one would use instead, where it is installed: it names the keys too, and ends with 0 whatever it finds.
const PEERS: [(&str, &str, f64); 2] = [
    (
        "data-diff",
        "data-diff --no-tracking --algorithm hashdiff -k id -c a -c b -c c -c d \
         \"postgresql://$PGUSER:none@/$S\" narrow \"postgresql://$PGUSER:none@/$T\" narrow > found",
        0.125,
    ),
    (
        "pg_comparator",
        "pg_comparator --max-ratio 1 \"pgsql://$PGUSER@/$S/narrow?id:a,b,c,d\" \
         \"pgsql://$PGUSER@/$T/narrow?id:a,b,c,d\" > found",
        0.33,
    ),
];

fn beside(ground: &Ground, source: &str, target: &str, changed: u64) -> Result<Vec<Line>> {
    let (one, other) = (ground.url(source), ground.url(target));
    let env = [("S", source), ("T", target), ("ONE", one.as_str()), ("OTHER", &other)];
    let peer = |(program, theirs, goal): (&str, &str, f64)| {
        let name = format!("compare both sides, {changed} changed and named");
        let what = ("G6", name.as_str(), program, goal);
        if !ground.has(program) || (program == "pg_comparator" && !has_checksums(ground, [source, target])) {
            return Ok(Line::missing(what, program));
        }
        let ours = || ground.sh("$REHEARSE compare env:ONE env:OTHER --table public.narrow", &env, &[1]);
        let theirs = || {
            let (seconds, keys) = ground.shell(&format!("{theirs}; grep -c '[0-9]' found"), &env, &[0], None)?;
            match keys.trim().parse::<u64>().is_ok_and(|keys| keys >= changed) {
                true => Ok(seconds),
                false => Err(Error::bug(format!("{program} named {keys}"))),
            }
        };
        Line::paired(what, ground.rounds, ours, theirs)
    };
    PEERS.into_iter().map(peer).collect()
}

/// An extension that `pg_comparator` comes with: it counts in the server.
fn has_checksums(ground: &Ground, databases: [&str; 2]) -> bool {
    databases.iter().all(|database| ground.execute(database, "create extension if not exists pgcmp").is_ok())
}

fn compared(ground: &Ground, source: &str, target: &str, changed: u64) -> Result<Line> {
    let (one, other) = (ground.url(source), ground.url(target));
    let env = [("S", source), ("TABLE", "narrow"), ("ONE", one.as_str()), ("OTHER", &other)];
    let ours = || {
        let script = "$REHEARSE compare env:ONE env:OTHER --table public.narrow";
        let (seconds, text) = ground.shell(script, &env, &[0, 1], None)?;
        let expected = if changed == 0 { "1 tables equal".to_owned() } else { format!("{changed} changed") };
        if !text.contains(&expected) {
            return Err(Error::bug(format!("expected {expected}: {text}")));
        }
        Ok(seconds)
    };
    let name = format!("compare both sides, {changed} changed");
    let what = ("G6", name.as_str(), "psql copy binary of one side to /dev/null", 1.5);
    Line::paired(what, ground.rounds, ours, || ground.sh(COPY, &env, &[0]))
}
