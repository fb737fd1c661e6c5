//! One step: a child process, the fault that waits for it, and its end.

use crate::clock::Stopwatch;
use crate::engine::context::CaseLog;
use crate::engine::proxy::{Act, Armed, Strike};
use crate::engine::stage::Stage;
use crate::fault::Hazard;
use crate::model::{Address, Body, Claims, Phase, Step, StepEnd};
use crate::process::{self, Child, Exit, Signal, Spawn};
use crate::{Error, Result};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::time::Duration;

/// What waits for a step.
pub(super) struct Injury {
    pub(super) address: Address,
    pub(super) hazard: Hazard,
}

/// The bound of a step before anything is known of it.
const FIRST_BOUND: Duration = Duration::from_secs(600);

/// Runs a step to its end, whatever end that is.
///
/// # Errors
/// The harness could not start or watch it. A step that fails is no error.
pub(super) async fn run(
    stage: &Stage<'_>,
    log: &mut CaseLog<'_>,
    step: &Step,
    phase: Phase,
    injury: Option<&Injury>,
) -> Result<StepEnd> {
    let spawn = prepare(stage, step, phase)?;
    let (case, name) = (log.case(), step.name.clone());
    log.record(Body::StepStarted { case: case.clone(), step: name, role: step.role, phase, argv: step.argv.clone() })?;
    let armed = injury.map(|injury| arm(stage, log, injury)).transpose()?;
    let watch = Stopwatch::start();
    let mut child = spawn.start()?;
    let (exit, timed_out) = watch_over(stage, log, step, &mut child, injury.zip(armed)).await?;
    let duration_us = watch.elapsed_us();
    if injury.is_some() || timed_out {
        let waited_us = stage.heal().await?;
        log.record(Body::FaultCleared { case: case.clone(), waited_us })?;
    }
    let success = exit.code.is_some_and(|code| step.exit.contains(&code)) && !timed_out;
    let Exit { code: exit, signal } = exit;
    let step_name = step.name.clone();
    log.record(Body::StepFinished { case, step: step_name, phase, exit, signal, success, timed_out, duration_us })?;
    claim(stage, log, step, phase)?;
    Ok(StepEnd { step: step.name.clone(), phase, exit, signal, success, timed_out })
}

/// The loop: the end of the tool, the fault that strikes, the bound.
async fn watch_over(
    stage: &Stage<'_>,
    log: &mut CaseLog<'_>,
    step: &Step,
    child: &mut Child,
    mut injury: Option<(&Injury, Armed)>,
) -> Result<(Exit, bool)> {
    let bound = stage.context.bounds.get(&step.name).copied().or(step.timeout).unwrap_or(FIRST_BOUND);
    let deadline = tokio::time::sleep(bound);
    tokio::pin!(deadline);
    loop {
        let fired = async {
            match &mut injury {
                Some((_, armed)) => armed.fired().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            // In this order: a tool that ends because of a fault ends after the news of it.
            biased;
            fired = fired => {
                let hazard = injury.as_ref().map(|(injury, _)| (injury.hazard, injury.address.clone()));
                let Some((hazard, address)) = hazard else { continue };
                if hazard == Hazard::KillTool {
                    stage.freeze();
                }
                log.record(Body::FaultFired { case: log.case(), address, what: fired.what.to_string() })?;
                if hazard == Hazard::KillTool {
                    kill(stage, child).await?;
                }
                injury = None;
            }
            exit = child.wait() => {
                let exit = exit?;
                let is_news_left = injury.as_ref().is_some_and(|(_, armed)| armed.has_fired());
                if !is_news_left {
                    return Ok((exit, false));
                }
            }
            () = &mut deadline => {
                kill(stage, child).await?;
                return Ok((child.wait().await?, true));
            }
        }
    }
}

/// Everything of the tool dies, also what left its process group.
async fn kill(stage: &Stage<'_>, child: &Child) -> Result<()> {
    child.kill_group(Signal::KILL)?;
    let (session, case) = (stage.context.run.house.session.id().to_owned(), stage.marker.clone());
    let killing = tokio::task::spawn_blocking(move || process::kill_marked(&session, Some(&case)));
    killing.await.map_err(|error| Error::bug("the killing of a tool was cut off").caused_by(error))??;
    Ok(())
}

fn arm(stage: &Stage<'_>, log: &mut CaseLog<'_>, injury: &Injury) -> Result<Armed> {
    let place = injury.address.first().place.clone();
    let unknown = || Error::environment(format!("no fault can strike at `{}` here", place.endpoint));
    let proxy = stage.proxy(&place.endpoint).ok_or_else(unknown)?;
    log.record(Body::FaultArmed { case: log.case(), address: injury.address.clone() })?;
    let act = match injury.hazard {
        Hazard::KillTool => Act::Hold,
        Hazard::ResetConnection => Act::Reset,
    };
    proxy.take_trace();
    Ok(proxy.arm(Strike { place, act }))
}

/// The child as data: placeholders filled in, files written, an older report of the same name out of the way.
fn prepare(stage: &Stage<'_>, step: &Step, phase: Phase) -> Result<Spawn> {
    let values = stage.placeholders()?;
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
    let log = stage.folder("logs").join(format!("{phase}-{}", step.name));
    Ok(Spawn {
        env: environment(stage, step, &values)?,
        stdout: Some(log.with_extension("stdout")),
        stderr: Some(log.with_extension("stderr")),
        marker: Some(stage.context.run.house.session.marker(Some(&stage.marker))),
        ..Spawn::new(argv, work)
    })
}

/// Nothing is inherited but `PATH`: a case must not depend on whose shell it runs in.
fn environment(
    stage: &Stage<'_>,
    step: &Step,
    values: &BTreeMap<String, String>,
) -> Result<BTreeMap<OsString, OsString>> {
    let mut env = BTreeMap::from([
        ("PATH".into(), stage.context.run.house.path()),
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
    for name in &step.env_from {
        let missing = || Error::environment(format!("step `{}` asks for variable {name}, which is not set", step.name));
        env.insert(name.into(), std::env::var_os(name).ok_or_else(missing)?);
    }
    Ok(env)
}

/// Replaces `{name}` where a name is known; other braces stay, for they belong to the tool.
fn fill(text: &str, values: &BTreeMap<String, String>) -> Result<String> {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(open) = rest.find('{') {
        let (before, after) = rest.split_at(open);
        filled.push_str(before);
        let known = after.find('}').and_then(|close| Some((values.get(&after[1..close])?, close)));
        match known {
            Some((value, close)) => {
                filled.push_str(value);
                rest = &after[close + 1..];
            }
            None if looks_like_a_target(after) => {
                let known: Vec<&str> = values.keys().map(String::as_str).collect();
                let text = format!("unknown placeholder in `{text}`; there are: {}", known.join(", "));
                return Err(Error::environment(text));
            }
            None => {
                filled.push('{');
                rest = &after[1..];
            }
        }
    }
    Ok(filled + rest)
}

/// `{source.x}` and `{target}` are ours even where they are misspelled.
fn looks_like_a_target(text: &str) -> bool {
    ["{source.", "{target}", "{target."].iter().any(|head| text.starts_with(head))
}

/// Reads what the step says of itself.
fn claim(stage: &Stage<'_>, log: &mut CaseLog<'_>, step: &Step, phase: Phase) -> Result<()> {
    let Claims::Report { report, ok } = &step.claims else { return Ok(()) };
    let path = stage.folder("work").join(report);
    let (ok, note) = match fs::read(&path).map(|bytes| serde_json::from_slice::<serde_json::Value>(&bytes)) {
        Err(_) => (None, format!("wrote no {report}")),
        Ok(Err(_)) => (None, format!("{report} is not JSON")),
        Ok(Ok(json)) => {
            let said = json.pointer(&ok.pointer).map_or("nothing".to_owned(), serde_json::Value::to_string);
            (Some(ok.holds(&json)), format!("{report} has {said} at {}", ok.pointer))
        }
    };
    log.record(Body::Claim { case: log.case(), step: step.name.clone(), phase, ok, note })
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
