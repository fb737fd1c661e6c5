//! The query for every definition of a database, without the parts that would find nothing.

use crate::db::postgres::fetch_text;
use crate::error::Result;
use sqlx::postgres::PgConnection;

const CATALOG: &str = include_str!("catalog.sql");
const CENSUS: &str = include_str!("census.sql");
const BETWEEN: &str = "\nunion all\n";

/// The query, of two columns: name and definition. Ask it in the same snapshot, with an empty `search_path`.
///
/// # Errors
/// The server's message and SQLSTATE.
pub(super) async fn query(connection: &mut PgConnection) -> Result<String> {
    let census = fetch_text(connection, CENSUS).await?.unwrap_or_default();
    Ok(with_kinds(&census.split(' ').collect::<Vec<_>>()))
}

fn with_kinds(kinds: &[&str]) -> String {
    let is_wanted = |part: &&str| kind(part).is_none_or(|kind| kinds.contains(&kind));
    CATALOG.split(BETWEEN).filter(is_wanted).collect::<Vec<_>>().join(BETWEEN)
}

/// The kind without which a part finds nothing, if there is one.
fn kind(part: &str) -> Option<&str> {
    part.strip_prefix("-- only with ")?.lines().next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_census_asks_for_each_kind_that_a_part_depends_on() {
        let kinds: Vec<&str> = CATALOG.split(BETWEEN).filter_map(kind).collect();
        let unasked: Vec<&&str> = kinds.iter().filter(|kind| !CENSUS.contains(&format!("'{kind}' end"))).collect();
        assert!(kinds.len() > 10 && unasked.is_empty(), "{unasked:?}");
    }

    #[test]
    fn what_is_not_there_is_not_asked_for() {
        assert!(with_kinds(&["policy"]).contains("from rel r join pg_policy"));
        assert!(!with_kinds(&["rule"]).contains("pg_policy"));
        assert!(with_kinds(&[]).contains("select 'column '"));
    }
}
