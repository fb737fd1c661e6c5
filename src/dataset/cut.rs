//! A dataset with less in it: tables that are not generated any more stay empty, columns keep their default.

use super::file::NAME;
use crate::error::{Error, Result};
use std::collections::BTreeSet;
use std::path::Path;

/// What is left out of a dataset, by the names in `[content.*]`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cut {
    /// Content and table.
    pub tables: BTreeSet<(String, String)>,
    /// Content, table and column.
    pub columns: BTreeSet<(String, String, String)>,
}

/// A generated table and its generated columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generated {
    /// The name of the content.
    pub content: String,
    /// Its name.
    pub table: String,
    /// Its columns, those first that others may refer to.
    pub columns: Vec<String>,
}

impl Cut {
    /// Whether nothing is left out.
    pub fn is_nothing(&self) -> bool {
        self.tables.is_empty() && self.columns.is_empty()
    }

    /// The text of `dataset.toml` without what is cut.
    ///
    /// # Errors
    /// It is not TOML.
    pub fn apply(&self, text: &str) -> Result<String> {
        let mut file = parsed(text)?;
        for (content, table) in &self.tables {
            if let Some(tables) = tables_of(&mut file, content) {
                tables.remove(table);
            }
        }
        for (content, table, column) in &self.columns {
            let table = tables_of(&mut file, content).and_then(|tables| tables.get_mut(table));
            let columns = table.and_then(|table| table.get_mut("columns")).and_then(toml::Value::as_table_mut);
            if let Some(columns) = columns {
                columns.remove(column);
            }
        }
        toml::to_string_pretty(&file).map_err(|error| Error::bug("a dataset is TOML").caused_by(error))
    }
}

/// What the dataset in `folder` generates.
///
/// # Errors
/// It cannot be read.
pub fn generated(folder: &Path) -> Result<Vec<Generated>> {
    let path = folder.join(NAME);
    let text = std::fs::read_to_string(&path).map_err(|error| Error::io("read", &path, error))?;
    let file = parsed(&text)?;
    let contents = file.get("content").and_then(toml::Value::as_table).into_iter().flatten();
    let tables = contents.flat_map(|(content, tables)| {
        tables.as_table().into_iter().flatten().map(move |(table, about)| (content.clone(), table.clone(), about))
    });
    let columns = |about: &toml::Value| {
        let columns = about.get("columns").and_then(toml::Value::as_table).into_iter().flatten();
        columns.map(|(name, _)| name.clone()).collect()
    };
    Ok(tables.map(|(content, table, about)| Generated { content, table, columns: columns(about) }).collect())
}

/// The file of a dataset folder that a cut is applied to.
///
/// # Errors
/// It cannot be read or written.
pub fn apply_cut(folder: &Path, cut: &Cut) -> Result<()> {
    let path = folder.join(NAME);
    let text = std::fs::read_to_string(&path).map_err(|error| Error::io("read", &path, error))?;
    std::fs::write(&path, cut.apply(&text)?).map_err(|error| Error::io("write", &path, error))
}

fn parsed(text: &str) -> Result<toml::Table> {
    text.parse().map_err(|error| Error::environment(format!("{NAME}:\n{error}")))
}

fn tables_of<'a>(file: &'a mut toml::Table, content: &str) -> Option<&'a mut toml::Table> {
    file.get_mut("content")?.as_table_mut()?.get_mut(content)?.as_table_mut()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "format = 1\n[content.a.one.columns]\nid = \"serial\"\nname = \"uuid\"\n[content.a.two.columns]\nid = \"uuid\"\n";

    #[test]
    fn what_is_cut_is_gone_and_the_rest_stays() {
        let column = ("a".to_owned(), "one".to_owned(), "name".to_owned());
        let cut = Cut { tables: [("a".to_owned(), "two".to_owned())].into(), columns: [column].into() };
        let text = cut.apply(TEXT).unwrap();
        let expected: toml::Table = "format = 1\n[content.a.one.columns]\nid = \"serial\"\n".parse().unwrap();
        assert_eq!(text.parse::<toml::Table>().unwrap(), expected);
        assert_eq!(Cut::default().apply(TEXT).unwrap().parse::<toml::Table>(), TEXT.parse::<toml::Table>());
    }
}
