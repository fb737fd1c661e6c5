//! Both sides of each declared transformation, and which of their rows differ, by the key that the map names.

use crate::Result;
use crate::db;
use crate::engine::case::stage::{Holding, Place, Stage};
use crate::engine::observe;
use crate::engine::run::context::CaseLog;
use crate::model::{Body, Moment, TableDigest};
use std::collections::{BTreeMap, BTreeSet};

/// How many keys are named.
const NAMED: usize = 5;

/// Records what both sides of each map give. A query that a server refuses has that for an answer: before a migration
/// is through, its columns need not be there.
pub(in crate::engine) async fn look(stage: &Stage<'_>, log: &mut CaseLog<'_>, moment: &Moment) -> Result<()> {
    for (index, map) in stage.context.plan.parity.maps.iter().enumerate() {
        let on = |name: &str| stage.holdings().iter().find(|holding| holding.name == name);
        let to = match &map.into {
            Some(into) => on(into),
            None => stage.holdings().iter().find(|holding| !holding.is_source),
        };
        let (Some(from), Some(to)) = (on(&map.on), to) else { continue };
        let (case, moment, number) = (log.case(), moment.clone(), index as u32 + 1);
        let (source, target) = match (digest(stage, from, &map.source).await?, digest(stage, to, &map.target).await?) {
            (Ok(source), Ok(target)) => (source, target),
            (Err(why), _) | (_, Err(why)) => {
                log.record(Body::MapRefused { case, moment, map: number, why })?;
                continue;
            }
        };
        log.record(Body::Mapped { case: case.clone(), moment: moment.clone(), map: number, source, target })?;
        if source != target && !map.key.is_empty() && stage.context.may_show_rows() {
            let expected = rows(stage, from, &map.source, &map.key).await?;
            let found = rows(stage, to, &map.target, &map.key).await?;
            let (keys, total) = compared(&expected, &found);
            log.record(Body::MapKeys { case, moment, map: number, keys, total })?;
        }
    }
    Ok(())
}

/// What a query gives, or why it gives nothing.
async fn digest(stage: &Stage<'_>, holding: &Holding, sql: &str) -> Result<std::result::Result<TableDigest, String>> {
    let digest = match &holding.place {
        Place::Sqlite { path } => db::sqlite::untouched(path, |open| db::sqlite::sqlite_query_digest(open, sql)),
        Place::Postgres { .. } => {
            observe::answer(stage, holding, async |connection| db::query_digest(connection, sql).await).await?
        }
    };
    Ok(digest.map_err(|error| error.within(&holding.endpoint).to_string()))
}

async fn rows(stage: &Stage<'_>, holding: &Holding, sql: &str, key: &[String]) -> Result<BTreeMap<String, String>> {
    match &holding.place {
        Place::Sqlite { path } => db::sqlite::rows_by_key(path, sql, key),
        Place::Postgres { .. } => {
            observe::answer(stage, holding, async |connection| db::rows_by_key(connection, sql, key).await).await?
        }
    }
    .map_err(|error| error.within(format!("key of [[map]] on {}", holding.endpoint)))
}

/// The first few keys in words, and how many there are.
fn compared(expected: &BTreeMap<String, String>, found: &BTreeMap<String, String>) -> (Vec<String>, u64) {
    let all: BTreeSet<&String> = expected.keys().chain(found.keys()).collect();
    let word = |key: &&String| match (expected.get(*key), found.get(*key)) {
        (Some(one), Some(other)) if one == other => None,
        (Some(_), Some(_)) => Some(format!("changed {key}")),
        (Some(_), None) => Some(format!("missing {key}")),
        _ => Some(format!("extra {key}")),
    };
    let words: Vec<String> = all.iter().filter_map(word).collect();
    let total = words.len() as u64;
    (words.into_iter().take(NAMED).collect(), total)
}

#[cfg(test)]
mod tests {
    use super::compared;
    use std::collections::BTreeMap;

    #[test]
    fn rows_are_missing_extra_or_changed_by_their_key() {
        let side = |rows: &[(&str, &str)]| -> BTreeMap<String, String> {
            rows.iter().map(|(key, row)| ((*key).to_owned(), (*row).to_owned())).collect()
        };
        let (expected, found) =
            (side(&[("1", "a"), ("2", "b"), ("3", "c")]), side(&[("1", "a"), ("2", "x"), ("4", "d")]));
        assert_eq!(compared(&expected, &found), (vec!["changed 2".into(), "missing 3".into(), "extra 4".into()], 3));
        let many = side(&[("1", ""), ("2", ""), ("3", ""), ("4", ""), ("5", ""), ("6", ""), ("7", "")]);
        let (named, total) = compared(&many, &BTreeMap::new());
        assert_eq!((named.len(), total), (5, 7));
    }
}
