//! How old a report is: when its file was written, and what it says of its own time.

use crate::engine::case::stage::Stage;
use crate::engine::run::context::CaseLog;
use crate::model::{Body, Claims, Phase, ReportAge, Step};
use crate::{Error, Result, clock};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::SystemTime;

/// Names under which reports say when they were written.
const STAMPS: [&str; 8] =
    ["started_at", "finished_at", "completed_at", "ended_at", "generated_at", "created_at", "written_at", "timestamp"];

/// The time by the clock of the file system, which runs a little behind the other one.
pub(in crate::engine) fn began(stage: &Stage<'_>) -> Result<SystemTime> {
    let path = stage.folder("logs").join("began");
    fs::write(&path, "").map_err(|error| Error::io("write", &path, error))?;
    modified(&path)
}

/// Records how old the report of a step is, if there is one.
pub(in crate::engine) fn record(
    stage: &Stage<'_>,
    log: &mut CaseLog<'_>,
    step: &Step,
    phase: Phase,
    began: SystemTime,
) -> Result<()> {
    let Claims::Report { report, .. } = &step.claims else { return Ok(()) };
    let path = stage.folder("work").join(report);
    let Ok(bytes) = fs::read(&path) else { return Ok(()) };
    let (case, step) = (log.case(), step.name.clone());
    let (began, written) = (clock::utc(began), clock::utc(modified(&path)?));
    log.record(Body::Report(ReportAge { case, step, phase, began, written, stamps: stamps(&bytes) }))
}

fn modified(path: &Path) -> Result<SystemTime> {
    fs::metadata(path).and_then(|about| about.modified()).map_err(|error| Error::io("read", path, error))
}

/// What is no time is no stamp.
fn stamps(bytes: &[u8]) -> BTreeMap<String, String> {
    let Ok(report) = serde_json::from_slice::<serde_json::Value>(bytes) else { return BTreeMap::new() };
    let stamp = |name: &&str| Some(((*name).to_owned(), clock::parse_utc(report.get(*name)?.as_str()?)?));
    STAMPS.iter().filter_map(stamp).collect()
}

#[cfg(test)]
mod tests {
    use super::stamps;

    #[test]
    fn only_times_under_known_names_are_stamps() {
        let report = r#"{"started_at": "2026-01-02T03:04:05Z", "finished_at": "2026-01-02T05:04:06.5+02:00",
            "generated_at": "2026-01-02 03:04:07", "timestamp": "soon", "created_at": null, "snapshot_of": "2020-01-01T00:00:00Z"}"#;
        let found: Vec<(String, String)> = stamps(report.as_bytes()).into_iter().collect();
        let stamp = |name: &str, time: &str| (name.to_owned(), format!("2026-01-02T03:04:{time}Z"));
        let expected =
            [stamp("finished_at", "06.500000"), stamp("generated_at", "07.000000"), stamp("started_at", "05.000000")];
        assert_eq!(found, expected);
        assert_eq!(stamps(b"no JSON").len(), 0);
    }
}
