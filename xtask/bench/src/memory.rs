//! Peak memory above the process's own floor, of the sixteen megabytes that are allowed at any size. The floor of one that
//! speaks to a server is what it takes to say its version; of one that has SQLite within it, what the same command takes
//! for a thousand rows: the pages of its program count, and those are most of it.

use super::consolidate::{KINDS, env};
use super::copy::{Copying, OURS};
use super::ground::Ground;
use super::line::Line;
use rehearsal::{Error, Result};

const ALLOWED_KIB: f64 = 16.0 * 1024.0;
const PROGRAM: &str = "/usr/bin/time";

pub(crate) fn lines(ground: &Ground) -> Result<Vec<Line>> {
    let what = |ours: &str| format!("peak memory of {ours} above the floor, {} rows", ground.rows);
    let names = ["compare", "one-db migrate", "consolidate migrate", "consolidate verify"].map(what);
    if !ground.has(PROGRAM) {
        return Ok(names.iter().map(|name| Line::missing(goal(name), PROGRAM)).collect());
    }
    let mut lines = vec![compared(ground, &names[0])?, copied(ground, &names[1])?];
    lines.extend(consolidated(ground, &names[2..])?);
    Ok(lines)
}

fn consolidated(ground: &Ground, names: &[String]) -> Result<Vec<Line>> {
    let [few, all] = [1000, ground.rows].map(|rows| KINDS[1].made(ground, rows));
    let (few, all) = (few?, all?);
    for folder in [&few, &all] {
        KINDS[1].migrate(ground, folder, "mapped")?;
    }
    let line = |(name, command): (&String, &str)| {
        let command = format!("tool consolidate {command} --profile mapped.toml --data-dir data");
        let ours = || Ok(peak(ground, &env(&all), &command)? - peak(ground, &env(&few), &command)?);
        Line::paired(goal(name), 1, ours, || Ok(ALLOWED_KIB))
    };
    names.iter().zip(["migrate --replace-target", "verify"]).map(line).collect()
}

fn goal(name: &str) -> (&'static str, &str, &'static str, f64) {
    ("G14", name, "16 MiB", 1.0)
}

/// Every twentieth thousandth row differs.
fn compared(ground: &Ground, name: &str) -> Result<Line> {
    let (source, target) = (ground.narrow("memory_a", "select 1")?, ground.narrow("memory_b", "select 1")?);
    let step = (ground.rows / 20_000).max(1);
    ground.execute(target.name(), &format!("update narrow set a = a + 1 where id % {step} = 0"))?;
    let (one, other) = (ground.url(source.name()), ground.url(target.name()));
    let env = [("ONE", one.as_str()), ("OTHER", &other), ("F", ".")];
    let ours = || {
        let compare = "compare env:ONE env:OTHER --table public.narrow";
        Ok(peak(ground, &env, compare)? - peak(ground, &env, "--version")?)
    };
    let line = Line::paired(goal(name), 1, ours, || Ok(ALLOWED_KIB))?;
    for database in [source, target] {
        ground.runtime.block_on(ground.pool.drop(database))?;
    }
    Ok(line)
}

fn copied(ground: &Ground, name: &str) -> Result<Line> {
    let copying = Copying::set(ground)?;
    let ours = || Ok(peak(ground, &copying.env(), OURS)? - peak(ground, &copying.env(), "--version")?);
    let line = Line::paired(goal(name), 1, ours, || Ok(ALLOWED_KIB))?;
    copying.drop(ground)?;
    Ok(line)
}

fn peak(ground: &Ground, env: &[(&str, &str)], arguments: &str) -> Result<f64> {
    let script = format!("cd $F && {PROGRAM} -f 'peak %M' $REHEARSE {arguments}");
    let (_, text) = ground.shell(&script, env, &[0, 1], None)?;
    let peak = text.lines().find_map(|line| line.strip_prefix("peak ")?.trim().parse::<f64>().ok());
    peak.ok_or_else(|| Error::environment(format!("no peak in: {text}")))
}
