//! Seeded content of any size, described by `fixtures/<dataset>/dataset.toml` and the SQL files beside it.
//!
//! A dataset names databases; each has a schema (SQL files) and, for the sources, tables that generators fill. The same
//! files, size and seed give the same bytes on every machine.

mod cell;
mod cut;
mod file;
mod generator;
mod load;
mod rows;
mod side;
mod words;

pub use cell::Cell;
pub use cut::{Cut, Generated, apply_cut, generated};
pub use file::Engine;
pub use load::{load_postgres, load_sqlite};
pub use rows::CopyBlocks;
pub use side::{Journal, Side};

use crate::error::{Error, Result};
use crate::model::{Classification, canonical};
use generator::Column;
use sha2::{Digest as _, Sha256};
use std::path::{Path, PathBuf};

/// Databases with their content, at one size and with one seed.
#[derive(Debug, Clone)]
pub struct Dataset {
    /// The name of its folder.
    pub name: String,
    /// What the databases run on.
    pub engine: Engine,
    /// Whether its rows may appear in evidence.
    pub classification: Classification,
    /// The size as it was asked for: a name of `[sizes]`, or a number of rows.
    pub size: String,
    /// The seed of all generators.
    pub seed: u64,
    databases: Vec<Database>,
    files: Vec<(String, String)>,
}

/// One database of a dataset.
#[derive(Debug, Clone)]
pub struct Database {
    /// Its name, unique in the dataset.
    pub name: String,
    /// What it runs on.
    pub engine: Engine,
    /// File name and text of its SQL files, in the order in which they are run.
    pub schema: Vec<(String, String)>,
    /// The generated tables, so ordered that a table comes after those it refers to.
    pub tables: Vec<Table>,
    /// How a SQLite file was left by whoever used it last.
    pub side: Side,
}

/// One generated table.
#[derive(Debug, Clone)]
pub struct Table {
    /// Its name, qualified where it is not in the default schema.
    pub name: String,
    /// How many rows are generated.
    pub rows: u64,
    columns: Vec<Column>,
    key: [u8; 32],
}

/// The size when a name asks for none.
const DEFAULT_SIZE: &str = "small";

impl Dataset {
    /// The dataset of a name such as `butlers-small`, `butlers-5000` (rows) or `butlers`: the first folder of
    /// `fixtures` that holds it wins.
    ///
    /// # Errors
    /// Names the folders that were searched, or all that is wrong with the files.
    pub fn find(fixtures: &[PathBuf], name: &str, seed: u64) -> Result<Dataset> {
        let without_size = name.rsplit_once('-');
        for (dataset, size) in [Some((name, DEFAULT_SIZE)), without_size].into_iter().flatten() {
            let found = fixtures.iter().map(|folder| folder.join(dataset)).find(|at| at.join(file::NAME).is_file());
            if let Some(folder) = found {
                return Dataset::load(&folder, size, seed);
            }
        }
        let searched: Vec<String> = fixtures.iter().map(|folder| folder.display().to_string()).collect();
        Err(Error::environment(format!(
            "there is no dataset `{name}` in {}; a dataset is a folder with a {}, named `<folder>-<size>`",
            searched.join(", "),
            file::NAME
        )))
    }

    /// The dataset in `folder`. `size` is a name of its `[sizes]` or a number of rows over all its tables.
    ///
    /// # Errors
    /// Everything that is wrong, with file, table and column, one per line.
    pub fn load(folder: &Path, size: &str, seed: u64) -> Result<Dataset> {
        let name = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        file::read(folder)
            .and_then(|read| read.into_dataset(name, size, seed))
            .map_err(|error| error.within(folder.display()))
    }

    /// The databases, sorted by name.
    pub fn databases(&self) -> &[Database] {
        &self.databases
    }

    /// The database of this name.
    ///
    /// # Errors
    /// Lists the names that there are.
    pub fn database(&self, name: &str) -> Result<&Database> {
        self.databases.iter().find(|database| database.name == name).ok_or_else(|| {
            let names: Vec<&str> = self.databases.iter().map(|database| database.name.as_str()).collect();
            Error::environment(format!("dataset {} has no database `{name}`; it has {}", self.name, names.join(", ")))
        })
    }

    /// Generated rows of all databases.
    pub fn rows(&self) -> u64 {
        self.databases.iter().map(Database::rows).sum()
    }

    /// SHA-256 over the files, the size in rows and the seed: 64 hexadecimal digits.
    pub fn digest(&self) -> String {
        let mut parts = vec![self.seed.to_string(), self.rows().to_string()];
        parts.extend(self.files.iter().flat_map(|(name, text)| [name.clone(), text.clone()]));
        digest(parts.iter().map(String::as_str))
    }
}

impl Database {
    /// Generated rows of all its tables.
    pub fn rows(&self) -> u64 {
        self.tables.iter().map(|table| table.rows).sum()
    }

    /// SHA-256, 64 hexadecimal digits, over all that decides its content: two databases with the same digest are filled alike.
    pub fn digest(&self) -> String {
        let schema = self.schema.iter().map(|(_, sql)| sql.clone());
        let tables = self.tables.iter().map(|table| format!("{table:?}"));
        let side = (self.side != Side::default()).then(|| format!("{:?}", self.side));
        let parts: Vec<String> = schema.chain(tables).chain(side).collect();
        digest(parts.iter().map(String::as_str))
    }
}

impl Table {
    /// The names of the generated columns, in the order of their fields.
    pub fn columns(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|column| column.name.as_str())
    }

    /// The rows as COPY text, in blocks of about 64 KB that end with a whole row. Memory is that of one block.
    pub fn copy_blocks(&self) -> CopyBlocks<'_> {
        CopyBlocks::new(self)
    }
}

fn digest<'a>(parts: impl Iterator<Item = &'a str>) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    canonical::hex(&hash.finalize())
}
