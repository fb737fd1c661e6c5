//! What SQLite wrote, and what became of it when bytes of it were changed, read by us and by SQLite.

use super::*;
use crate::db::sqlite::{definitions, first_complaint, open_immutable, stored_tables};
use crate::db::sqlite_plan::{Content, Indexes, Plan};
use crate::db::sqlite_scan::{Part, Ways};
use crate::model::DatabaseState;
use proptest::prelude::*;
use rstest::rstest;
use rusqlite::Connection;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Every definition, and what each table holds, by us or by SQLite; or why the file is not sound.
fn read(path: &Path, by_us: bool) -> Result<(DatabaseState, BTreeMap<String, Content>), String> {
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
    let definitions = definitions(&connection).map_err(|error| error.to_string())?;
    Ok((definitions, contents))
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

/// Pages of 512 bytes: a table of three levels with one long entry, an index, rows that are gone, pages that are free.
struct Damaged {
    _folder: TempDir,
    path: PathBuf,
    bytes: Vec<u8>,
    /// Of the table.
    root: usize,
}

const SIZE: usize = 512;

impl Damaged {
    fn new() -> Damaged {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        let connection = Connection::open(&path).unwrap();
        let sql = "pragma page_size = 512; pragma synchronous = off; create table t (k integer primary key, a text); \
                   create table u (x); \
                   insert into t with n (n) as (select 1 union all select n + 1 from n where n < 3000) \
                   select n, printf('%060d', n) from n; create index i on t (a); \
                   update t set a = hex(zeroblob(1000)) where k = 3; delete from t where k in (10, 12); \
                   insert into u select a from t; delete from u where rowid > 9";
        connection.execute_batch(sql).unwrap();
        let root =
            connection.query_row("select rootpage from sqlite_schema where name = 't'", [], |row| row.get::<_, i64>(0));
        let (root, bytes) = (root.unwrap() as usize, std::fs::read(&path).unwrap());
        Damaged { _folder: folder, path, bytes, root }
    }

    fn number(&self, at: usize, length: usize) -> usize {
        self.bytes[at..at + length].iter().fold(0, |number, byte| number << 8 | usize::from(*byte))
    }

    fn write(&mut self, at: usize, length: usize, number: usize) {
        self.bytes[at..at + length].copy_from_slice(&number.to_be_bytes()[8 - length..]);
    }

    /// Where the page below `page` begins that holds the smallest rowids, and its kind.
    fn first(&self, page: usize) -> usize {
        let begin = (page - 1) * SIZE;
        self.number(begin + self.number(begin + 12, 2), 4)
    }

    /// Where the first leaf begins.
    fn leaf(&self) -> usize {
        (self.first(self.first(self.root)) - 1) * SIZE
    }

    /// Where its cell at `index` begins.
    fn cell(&self, index: usize) -> usize {
        self.leaf() + self.number(self.leaf() + 8 + 2 * index, 2)
    }

    /// The last page of the long entry: its next one is none.
    fn last_of_entry(&self) -> usize {
        let cell = self.cell(2);
        let local = self.number(cell, 1) & 0x7f; // two bytes of length, one of rowid
        let length = local << 7 | self.number(cell + 1, 1);
        let least = (SIZE - 12) * 32 / 255 - 23;
        let fits = least + (length - least) % (SIZE - 4);
        let local = if fits <= SIZE - 35 { fits } else { least };
        let mut page = self.number(cell + 3 + local, 4);
        while self.number((page - 1) * SIZE, 4) > 0 {
            page = self.number((page - 1) * SIZE, 4);
        }
        (page - 1) * SIZE
    }

    /// What we find, and what SQLite finds.
    fn complaints(self) -> (String, String) {
        std::fs::write(&self.path, &self.bytes).unwrap();
        let theirs = open_immutable(&self.path).and_then(|file| first_complaint(&file, "integrity_check(1)"));
        (read(&self.path, true).expect_err("it is taken"), theirs.unwrap().expect("SQLite takes it"))
    }
}

#[rstest]
#[case::rowids_are_out_of_order("is not above the one before it", |file: &mut Damaged| {
    let (one, other) = (file.leaf() + 8, file.leaf() + 10);
    let (first, second) = (file.number(one, 2), file.number(other, 2));
    file.write(one, 2, second);
    file.write(other, 2, first);
})]
#[case::a_leaf_is_where_a_branch_should_be("is not of one height", |file: &mut Damaged| {
    let (root, child) = ((file.root - 1) * SIZE, file.first(file.root));
    let cell = root + file.number(root + 12, 2);
    file.write(cell, 4, file.first(child));
})]
#[case::an_entry_goes_on_after_its_end("an entry ends, and a page follows it", |file: &mut Damaged| {
    file.write(file.last_of_entry(), 4, 2);
})]
#[case::a_page_is_in_no_tree("is never used", |file: &mut Damaged| {
    let pages = file.bytes.len() / SIZE;
    file.bytes.extend([0; SIZE]);
    file.write(28, 4, pages + 1);
})]
#[case::more_pages_are_free_than_is_said("pages are free, and the header says", |file: &mut Damaged| {
    file.write(36, 4, file.number(36, 4) - 1);
})]
#[case::a_free_page_is_in_a_tree("is used twice", |file: &mut Damaged| {
    let trunk = (file.number(32, 4) - 1) * SIZE;
    file.write(trunk + 8, 4, file.root);
})]
#[case::a_value_is_shorter_than_its_record("it is no record", |file: &mut Damaged| {
    let class = file.cell(0) + 5; // after length, rowid, length of the header, class of the key; of two bytes itself
    file.write(class, 1, file.number(class, 1) - 2);
})]
#[case::a_leaf_is_empty("nothing is in it", |file: &mut Damaged| {
    file.write(file.leaf() + 3, 2, 0);
})]
#[case::free_bytes_go_round("its free bytes are not in order", |file: &mut Damaged| {
    // The second leaf lost two rows.
    let branch = (file.first(file.root) - 1) * SIZE;
    let leaf = (file.number(branch + file.number(branch + 14, 2), 4) - 1) * SIZE;
    let free = file.number(leaf + 1, 2);
    assert!(free > 0, "no bytes are free");
    file.write(leaf + free, 2, free);
})]
fn each_way_in_which_pages_can_be_wrong_is_named(#[case] expected: &str, #[case] harm: fn(&mut Damaged)) {
    let mut file = Damaged::new();
    harm(&mut file);
    let (ours, theirs) = file.complaints();
    assert!(ours.contains(expected), "{ours} (SQLite: {theirs})");
}

#[test]
fn what_is_damaged_in_these_tests_was_sound() {
    assert!(read(&Damaged::new().path, true).is_ok());
}
