//! What SQLite wrote, and what became of it when bytes of it were changed, read by us and by SQLite.

use super::*;
use crate::db::sqlite::{first_complaint, open_immutable, stored_tables};
use crate::db::sqlite_plan::{Content, Indexes, Plan};
use crate::db::sqlite_scan::{Part, Ways};
use proptest::prelude::*;
use rusqlite::Connection;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// What each table holds, by us or by SQLite; or why the file is not sound.
fn read(path: &Path, by_us: bool) -> Result<BTreeMap<String, Content>, String> {
    let connection = open_immutable(path).map_err(|error| error.to_string())?;
    let pages = Pages::open(path).unwrap().filter(|_| by_us);
    let ways = Ways { connect: &|| open_immutable(path), pages: pages.as_ref() };
    let (mut contents, mut seen) = (BTreeMap::new(), Vec::new());
    for table in stored_tables(&connection).map_err(|error| error.to_string())? {
        let plan = Plan::of(&connection, &table, None, Indexes::Compared).map_err(|error| error.to_string())?;
        let found = plan.parts.iter().map(|part: &Part| part.read(&ways).map_err(|error| error.to_string()));
        let found = found.collect::<Result<Vec<_>, _>>()?;
        contents.insert(table, plan.judge(&found)?);
        seen.extend(found.into_iter().filter_map(|found| found.pages));
    }
    match pages {
        Some(pages) => pages.account(&seen).map_err(|flaw| flaw.to_string())?,
        None => match first_complaint(&connection, "quick_check(1)").map_err(|error| error.to_string())? {
            None => {}
            Some(complaint) => return Err(complaint),
        },
    }
    Ok(contents)
}

/// A file that was written for a while.
#[derive(Debug, Clone)]
struct Life {
    page_size: u32,
    reserved_index: bool,
    /// First key, rows, bytes of text in each, what is done with them.
    deeds: Vec<(i64, i64, usize, u8)>,
}

fn life() -> impl Strategy<Value = Life> {
    let deed = (0..300i64, 1..200i64, prop_oneof![0..30usize, 200..3000usize], 0..4u8);
    let page_size = prop_oneof![Just(512), Just(1024), Just(4096), Just(65536)];
    (page_size, any::<bool>(), prop::collection::vec(deed, 1..8)).prop_map(|(page_size, reserved_index, deeds)| Life {
        page_size,
        reserved_index,
        deeds,
    })
}

impl Life {
    fn lived(&self) -> (TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        let connection = Connection::open(&path).unwrap();
        let unique = if self.reserved_index { "unique" } else { "" };
        let begin = format!(
            "pragma page_size = {}; pragma synchronous = off; pragma journal_mode = off; \
             create table t (k integer primary key, a text, b real, c); create {unique} index i on t (c, k desc); \
             create table u (x text primary key, y integer) ",
            self.page_size
        );
        connection.execute_batch(&begin).unwrap();
        for (key, rows, length, what) in &self.deeds {
            let last = key + rows;
            let range = format!("with n (n) as (select {key} union all select n + 1 from n where n < {last})");
            let sql = match what {
                0 => format!(
                    "{range} insert or replace into t select n, hex(randomblob({length} / 2)), n * 0.5, n % 7 from n"
                ),
                1 => format!("delete from t where k between {key} and {last}; delete from u where y = {key} % 9"),
                2 => format!("update t set a = zeroblob({length}), c = hex(k) where k between {key} and {last}"),
                _ => format!("{range} insert or ignore into u select hex(n * 7919 % 1000), n % 9 from n"),
            };
            connection.execute_batch(&sql).unwrap();
        }
        connection.close().unwrap();
        (folder, path)
    }
}

proptest! {
    #[test]
    fn what_sqlite_wrote_is_sound_and_holds_what_sqlite_reads(life in life()) {
        let (_folder, path) = life.lived();
        prop_assert!(Pages::open(&path).unwrap().is_some(), "it is left to SQLite");
        let ours = read(&path, true);
        prop_assert!(ours.is_ok(), "{ours:?}");
        prop_assert_eq!(ours, read(&path, false));
    }

    #[test]
    fn whatever_sqlite_finds_unsound_we_do_not_take(
        life in life(),
        harms in prop::collection::vec((any::<prop::sample::Index>(), prop::option::of(0..24usize), any::<u8>()), 1..4),
    ) {
        let (_folder, path) = life.lived();
        let before = read(&path, true).unwrap();
        let mut bytes = std::fs::read(&path).unwrap();
        for (place, of_page, byte) in harms {
            // Anywhere, or where a page says what it is.
            let (place, size) = (place.index(bytes.len()), life.page_size as usize);
            bytes[of_page.map_or(place, |at| place / size * size + at)] = byte;
        }
        std::fs::write(&path, bytes).unwrap();
        let theirs = open_immutable(&path).and_then(|connection| first_complaint(&connection, "integrity_check(1)"));
        let is_unsound = theirs.as_ref().map_or(true, Option::is_some);
        let ours = read(&path, true);
        prop_assert!(!is_unsound || ours.is_err() || ours != Ok(before), "SQLite says {theirs:?}");
    }
}

#[test]
fn numbers_of_up_to_nine_bytes_are_read() {
    assert_eq!(varint(&[0x7f]), Some((127, 1)));
    assert_eq!(varint(&[0x81, 0x00]), Some((128, 2)));
    assert_eq!(varint(&[0xff; 9]), Some((u64::MAX, 9)));
    assert_eq!(varint(&[0x80; 8]), None, "it is cut off");
    assert_eq!(varint(&[]), None);
}

#[test]
fn what_moves_its_pages_or_is_not_in_utf8_is_left_to_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    for (name, pragma) in [("a", "auto_vacuum = full"), ("b", "encoding = 'UTF-16'"), ("c", "user_version = 1")] {
        let path = folder.path().join(name);
        Connection::open(&path).unwrap().execute_batch(&format!("pragma {pragma}; create table t (x)")).unwrap();
        assert_eq!(Pages::open(&path).unwrap().is_some(), name == "c", "{pragma}");
    }
    std::fs::write(folder.path().join("d"), [0; 4096]).unwrap();
    assert!(Pages::open(&folder.path().join("d")).unwrap().is_none());
}
