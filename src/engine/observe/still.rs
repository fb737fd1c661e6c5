//! Databases that need not be read again, because nobody can have written in between.
//!
//! A tool comes to a database through its proxy, and through nothing else. Where no session but the harness's own is in
//! any database of the case, and no connection has come through any of its proxies since, what was read then is what is
//! there now (docs/decisions/010-quick-tier.md). Files are always read again: no proxy stands before them. So are
//! databases on a server of the case's own, which is killed and restarted.

use crate::Result;
use crate::engine::case::stage::Stage;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// How many connections had come through the proxies of a case when nobody was there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) struct Still(u64);

/// The digest of the state that each endpoint was last seen in, where nobody was there.
#[derive(Debug, Default)]
pub(in crate::engine) struct Looks(Mutex<BTreeMap<String, (Still, String)>>);

impl Looks {
    /// The state of an endpoint, if it was seen in just this stillness.
    pub(super) fn known(&self, endpoint: &str, still: Option<Still>) -> Option<String> {
        let looks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (then, state) = looks.get(endpoint)?;
        (Some(*then) == still).then(|| state.clone())
    }

    /// Remembers what was seen after somebody asked whether it was still.
    pub(super) fn keep(&self, endpoint: &str, still: Option<Still>, state: &str) {
        let mut looks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match still {
            Some(still) => looks.insert(endpoint.to_owned(), (still, state.to_owned())),
            None => looks.remove(endpoint),
        };
    }

    /// Somebody writes who comes through no proxy: the harness itself.
    pub(in crate::engine) fn forget(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// Whether nobody is there, and since when. Connections are counted first: one that comes in meanwhile is seen the next
/// time.
pub(super) async fn still(stage: &Stage<'_>) -> Result<Option<Still>> {
    let servers = stage.servers();
    if stage.is_alone() || servers.is_empty() {
        return Ok(None);
    }
    let passed = stage.proxies().map(|(_, proxy)| u64::from(proxy.connections())).sum();
    for server in servers {
        if !server.pool.is_empty_but_for_us(&server.databases).await? {
            return Ok(None);
        }
    }
    Ok(Some(Still(passed)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_is_good_as_long_as_nobody_came_in() {
        let looks = Looks::default();
        looks.keep("pg.target", Some(Still(7)), "a");
        assert_eq!(looks.known("pg.target", Some(Still(7))), Some("a".to_owned()));
        assert_eq!(looks.known("pg.target", Some(Still(8))), None, "a connection has come through");
        assert_eq!(looks.known("pg.target", None), None, "somebody is there");
        assert_eq!(looks.known("pg.source.a", Some(Still(7))), None, "it was not looked at");
        looks.forget();
        assert_eq!(looks.known("pg.target", Some(Still(7))), None, "the harness has written");
    }

    #[test]
    fn what_was_seen_while_somebody_was_there_is_not_kept() {
        let looks = Looks::default();
        looks.keep("pg.target", Some(Still(7)), "a");
        looks.keep("pg.target", None, "b");
        assert_eq!(looks.known("pg.target", Some(Still(7))), None);
    }
}
