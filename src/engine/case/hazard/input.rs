//! `input.*`: what a step is given is wrong.

use crate::engine::case::hazard::Injury;
use crate::engine::case::stage::Stage;
use crate::fault::{Hazard, Input};
use crate::model::{Claims, Condition, Plan, Step, TargetSpec};
use crate::{Error, Result};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, SystemTime};

/// The values of placeholders as the injured step gets them.
pub(in crate::engine) fn misled(values: &mut BTreeMap<String, String>, plan: &Plan, injury: &Injury) {
    let place = &injury.address.first().place;
    let (Hazard::Mislead(input), true) = (injury.hazard, place.nth == 1) else { return };
    let Some((own, other)) = pair(plan, &place.endpoint) else { return };
    let (own_value, other_value) = (values.get(own).cloned(), values.get(other).cloned());
    let (Some(own_value), Some(other_value)) = (own_value, other_value) else { return };
    match input {
        Input::SwappedDsn => {
            values.insert(own.to_owned(), other_value);
            values.insert(other.to_owned(), own_value);
        }
        Input::RepeatedDsn => drop(values.insert(own.to_owned(), other_value)),
        Input::StaleReport => {}
    }
}

/// What was given in place of what, for people.
pub(super) fn said(plan: &Plan, endpoint: &str, input: Input) -> Result<String> {
    let (own, other) = pair(plan, endpoint)
        .ok_or_else(|| Error::environment(format!("no other database that could be given for `{endpoint}`")))?;
    Ok(match input {
        Input::SwappedDsn => format!("{{{own}}} and {{{other}}} are exchanged"),
        Input::RepeatedDsn | Input::StaleReport => format!("{{{own}}} is the address of {{{other}}}"),
    })
}

/// The database of an endpoint and the one that is given for it, by their dotted names.
fn pair<'p>(plan: &'p Plan, endpoint: &str) -> Option<(&'p str, &'p str)> {
    let own = plan.targets.iter().find(|target| target.endpoint() == endpoint)?;
    let sources: Vec<&TargetSpec> = plan.targets.iter().filter(|target| target.is_source()).collect();
    let other = match sources.iter().position(|source| source.name == own.name) {
        Some(at) if sources.len() > 1 => sources[(at + 1) % sources.len()],
        Some(_) => plan.targets.iter().find(|target| !target.is_source())?,
        None => sources.first()?,
    };
    Some((&own.name, &other.name))
}

/// When the planted report was written, since 1970: on the first day of 2020.
const AGE: Duration = Duration::from_secs(1_577_836_800);

/// Puts a report there that says what a green one says.
pub(super) fn plant_report(stage: &Stage<'_>, step: &Step) -> Result<String> {
    let Claims::Report { report, ok } = &step.claims else {
        let text = format!("step `{}` writes no report: an older one needs `claims = {{ report, ok }}`", step.name);
        return Err(Error::environment(text));
    };
    let path = stage.folder("work").join(report);
    let written = fs::write(&path, green(ok).to_string()).and_then(|()| fs::File::options().write(true).open(&path));
    let aged = written.and_then(|file| file.set_modified(SystemTime::UNIX_EPOCH + AGE));
    aged.map_err(|error| Error::io("write", &path, error))?;
    Ok(format!("an older {report} says {} = {}", ok.pointer, ok.value))
}

/// The smallest JSON of which `ok` holds.
fn green(ok: &Condition) -> Value {
    let value = serde_json::from_str(&ok.value).ok().filter(|value: &Value| !value.is_string());
    let leaf = value.unwrap_or_else(|| Value::String(ok.value.clone()));
    let parts: Vec<&str> = ok.pointer.split('/').skip(1).collect();
    let key = |part: &str| part.replace("~1", "/").replace("~0", "~");
    parts.into_iter().rev().fold(leaf, |inner, part| json!({ key(part): inner }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Engine, FaultPoint};
    use rstest::rstest;

    #[rstest]
    #[case("/status = ok")]
    #[case("/summary/tables_failed = 0")]
    #[case("/a~1b/c~0d = true")]
    fn a_planted_report_says_what_a_green_one_says(#[case] ok: &str) {
        let ok = Condition::parse(ok).unwrap();
        assert!(ok.holds(&green(&ok)), "{}", green(&ok));
    }

    #[rstest]
    #[case("input.swapped-dsn@pg.source.a:step.1", "b a c t", &["source.a", "source.b", "source.c", "target"])]
    #[case("input.swapped-dsn@pg.source.c:step.1", "c b a t", &["source.a", "source.b", "source.c", "target"])]
    #[case("input.swapped-dsn@pg.source:step.1", "t a", &["source", "target"])]
    #[case("input.repeated-dsn@pg.source.a:step.1", "b b t", &["source.a", "source.b", "target"])]
    #[case("input.repeated-dsn@pg.source:step.1", "t t", &["source", "target"])]
    #[case("input.repeated-dsn@pg.target:step.1", "a b a", &["source.a", "source.b", "target"])]
    #[case("input.repeated-dsn@pg.target:step.2", "a b t", &["source.a", "source.b", "target"])]
    fn a_step_gets_the_address_of_another(#[case] point: &str, #[case] expected: &str, #[case] names: &[&str]) {
        let spec = |name: &&str| TargetSpec::new(name, Engine::Postgres, "d");
        let plan = Plan {
            targets: names.iter().map(spec).collect(),
            steps: Vec::new(),
            parity: Default::default(),
            guards: Vec::new(),
        };
        let point: FaultPoint = point.parse().unwrap();
        let hazard = crate::fault::find(&point.kind).unwrap().hazard(None).unwrap();
        let injury = Injury { address: crate::model::Address::one(point), hazard, loss: None };
        let letter = |name: &str| name.replace("source.", "").replace("source", "a").replace("target", "t");
        let mut values = names.iter().map(|name| ((*name).to_owned(), letter(name))).collect();
        misled(&mut values, &plan, &injury);
        assert_eq!(values.into_values().collect::<Vec<_>>().join(" "), expected);
    }
}
