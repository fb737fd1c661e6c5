//! Names for rows that are known by their id only: a second pass over the columns that tell them apart.

use super::ident;
use super::key::{Key, Names};
use super::read::{Form, Sink};
use super::sides::Sides;
use super::table::{Table, Which};
use crate::Result;
use crate::db::sqlite_value;
use std::collections::BTreeMap;
use std::sync::Arc;
use xxhash_rust::xxh3::xxh3_128;

/// Which of the kinds of difference a row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Missing,
    Extra,
    Changed,
}

/// Adds the first keys of each kind to `names`.
pub(super) async fn ask(
    sides: &mut Sides,
    table: &Table,
    ids: BTreeMap<u128, Kind>,
    samples: usize,
    names: &mut BTreeMap<Kind, Names>,
) -> Result<()> {
    let wanted = Arc::new(Wanted { ids, form: table.form, key_fields: table.key.len(), samples });
    let readings = [Which::Source, Which::Target].map(|which| table.named(which, sides.engine(which)));
    let namers = sides.both(readings, [Namer::new(&wanted), Namer::new(&wanted)]).await?;
    for (kind, found) in namers.into_iter().flat_map(|namer| namer.found) {
        let names = names.entry(kind).or_insert_with(|| Names::new(samples));
        found.into_keys().into_iter().for_each(|key| names.add(key));
    }
    Ok(())
}

/// What is asked of a pass.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) ids: BTreeMap<u128, Kind>,
    pub(super) form: Form,
    pub(super) key_fields: usize,
    pub(super) samples: usize,
}

/// Finds the wanted rows of one side.
pub(super) struct Namer {
    wanted: Arc<Wanted>,
    pub(super) found: BTreeMap<Kind, Names>,
}

impl Namer {
    pub(super) fn new(wanted: &Arc<Wanted>) -> Namer {
        Namer { wanted: Arc::clone(wanted), found: BTreeMap::new() }
    }
}

impl Sink for Namer {
    fn row(&mut self, row: &[u8], key: usize) {
        let Wanted { ids, form, key_fields, samples } = &*self.wanted;
        let id = match key_fields {
            0 => ident::of_digest(xxh3_128(&row[..key])),
            fields => ident::of_key(&row[..key], *form, *fields),
        };
        if let Some(kind) = ids.get(&id) {
            let texts = match form {
                Form::Binary => ident::binary_texts(&row[key..]),
                Form::Text => ident::text_fields(&row[..key]),
                Form::Sqlite | Form::Canonical => sqlite_value::texts(&row[..key]),
            };
            self.found.entry(*kind).or_insert_with(|| Names::new(*samples)).add(Key(texts));
        }
    }
}
