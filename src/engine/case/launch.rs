//! What a step is started with: the command line with placeholders filled in, its environment, its files.

use crate::engine::case::hazard::{self, Injury};
use crate::engine::case::placeholder::fill;
use crate::engine::case::stage::Stage;
use crate::model::{Claims, Phase, Step};
use crate::process::Spawn;
use crate::{Error, Result};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;

/// The child as data: placeholders filled in, files written, an older report of the same name out of the way.
pub(in crate::engine) fn prepare(
    stage: &Stage<'_>,
    step: &Step,
    phase: Phase,
    injury: Option<&Injury>,
) -> Result<Spawn> {
    prepare_as(stage, step, &format!("{phase}-{}", step.name), injury)
}

/// The same, with the name of the file for what it prints.
pub(in crate::engine) fn prepare_as(
    stage: &Stage<'_>,
    step: &Step,
    log_name: &str,
    injury: Option<&Injury>,
) -> Result<Spawn> {
    let mut values = stage.placeholders();
    if let Some(injury) = injury {
        hazard::misled(&mut values, stage.context.plan, injury);
    }
    let work = stage.folder("work");
    for (name, text) in &step.files {
        write(&work.join(name), &fill(text, &values)?)?;
    }
    if let Claims::Report { report, .. } = &step.claims {
        let path = work.join(report);
        set_aside(&path)?;
        make_parent(&path)?;
    }
    let argv = step.argv.iter().map(|part| fill(part, &values)).collect::<Result<Vec<_>>>()?;
    let log = stage.folder("logs").join(log_name);
    let mut child = Spawn {
        env: environment(stage, step, &values)?,
        stdout: Some(log.with_extension("stdout")),
        stderr: Some(log.with_extension("stderr")),
        marker: Some(stage.context.run.house.session.marker(Some(&stage.marker))),
        ..Spawn::new(argv, work)
    };
    stage.watch(&mut child, step.traced)?;
    Ok(child)
}

/// Nothing is inherited but `PATH`: a case must not depend on whose shell it runs in.
fn environment(
    stage: &Stage<'_>,
    step: &Step,
    values: &BTreeMap<String, String>,
) -> Result<BTreeMap<OsString, OsString>> {
    let mut env = BTreeMap::from([
        ("PATH".into(), stage.context.run.house.path(stage.context.plan)),
        ("HOME".into(), stage.folder("home").into()),
        ("TMPDIR".into(), stage.folder("tmp").into()),
        ("LANG".into(), "C.UTF-8".into()),
        ("TZ".into(), "UTC".into()),
    ]);
    for target in &stage.context.plan.targets {
        let name = target.name.to_uppercase().replace(|c: char| !c.is_ascii_alphanumeric(), "_");
        env.insert(format!("REHEARSE_{name}_URL").into(), fill(&format!("{{{}}}", target.name), values)?.into());
    }
    for (name, value) in &step.env {
        env.insert(name.into(), fill(value, values)?.into());
    }
    env.extend(passed_on(step)?);
    Ok(env)
}

/// The variables of ours that a step asks for.
pub(in crate::engine) fn passed_on(step: &Step) -> Result<Vec<(OsString, OsString)>> {
    let value = |name: &String| {
        let missing = || Error::environment(format!("step `{}` asks for variable {name}, which is not set", step.name));
        Ok((name.into(), std::env::var_os(name).ok_or_else(missing)?))
    };
    step.env_from.iter().map(value).collect()
}

/// A stale green report would be a lie: what is there before a step is renamed.
fn set_aside(path: &std::path::Path) -> Result<()> {
    let taken = |number: &u32| path.with_extension(format!("before-{number}")).exists();
    let free = (1..).find(|number| !taken(number)).unwrap_or(u32::MAX);
    match fs::rename(path, path.with_extension(format!("before-{free}"))) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::io("set aside", path, error)),
        _ => Ok(()),
    }
}

fn write(path: &std::path::Path, text: &str) -> Result<()> {
    make_parent(path)?;
    fs::write(path, text).map_err(|error| Error::io("write", path, error))
}

fn make_parent(path: &std::path::Path) -> Result<()> {
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder).map_err(|error| Error::io("create", folder, error))
}
