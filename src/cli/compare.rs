//! `rehearse compare`: whether two databases hold the same, and which rows differ.

use crate::cli::format::Format;
use crate::cli::run::interrupted;
use crate::cli::say;
use crate::compare::{Answer, Comparison, Options, Place, compare};
use crate::{Error, Result};
use clap::Args;
use std::process::ExitCode;

/// Exit codes: 0 equal, 1 different, 2 could not tell.
#[derive(Args)]
pub(super) struct CompareArgs {
    /// What is right: postgres://..., sqlite:PATH, or env:NAME for a variable that holds one.
    source: String,
    /// What is looked at, written alike.
    target: String,
    /// Only tables of this schema of the source; may be repeated.
    #[arg(long, value_name = "SCHEMA")]
    schema: Vec<String>,
    /// Only this table of the source; may be repeated.
    #[arg(long, value_name = "SCHEMA.TABLE")]
    table: Vec<String>,
    /// A table, and what it is called in the target; may be repeated.
    #[arg(long, value_name = "TABLE=TABLE", value_parser = pair)]
    map: Vec<(String, String)>,
    /// A schema, and what it is called in the target; may be repeated.
    #[arg(long, value_name = "SCHEMA=SCHEMA", value_parser = pair)]
    rename_schema: Vec<(String, String)>,
    /// A column that may differ; may be repeated.
    #[arg(long, value_name = "TABLE.COLUMN", value_parser = column)]
    ignore: Vec<(String, String)>,
    /// Compare definitions too: types, defaults, constraints, indexes, sequences, triggers, owners, grants, settings.
    #[arg(long)]
    catalog: bool,
    /// Keys that are named per table and kind of difference.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(0..=10_000))]
    keys: u16,
    /// Form of the answer.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

fn pair(text: &str) -> std::result::Result<(String, String), String> {
    match text.split_once('=') {
        Some((from, to)) if !from.is_empty() && !to.is_empty() => Ok((from.to_owned(), to.to_owned())),
        _ => Err("expected NAME=NAME, the source's name first".to_owned()),
    }
}

fn column(text: &str) -> std::result::Result<(String, String), String> {
    match text.rsplit_once('.') {
        Some((table, column)) if !table.is_empty() && !column.is_empty() => Ok((table.to_owned(), column.to_owned())),
        _ => Err("expected TABLE.COLUMN, such as app.runs.started_at".to_owned()),
    }
}

pub(super) async fn run(args: CompareArgs) -> Result<ExitCode> {
    let interrupted = interrupted();
    let (source, target) = (Place::parse(&args.source)?, Place::parse(&args.target)?);
    let options = args.options();
    tokio::select! {
        compared = compare(&source, &target, &options) => print(&compared?, args.format),
        () = interrupted => Err(Error::environment("interrupted; nothing can be told, run it again")),
    }
}

impl CompareArgs {
    fn options(&self) -> Options {
        let mut options = Options {
            schemas: self.schema.clone(),
            tables: self.table.clone(),
            renamed_tables: self.map.iter().cloned().collect(),
            renamed_schemas: self.rename_schema.iter().cloned().collect(),
            samples: usize::from(self.keys),
            catalog: self.catalog,
            ..Options::default()
        };
        for (table, column) in &self.ignore {
            options.ignored.entry(table.clone()).or_default().insert(column.clone());
        }
        options
    }
}

fn print(comparison: &Comparison, format: Format) -> Result<ExitCode> {
    match format {
        Format::Text => say(&comparison.to_string()),
        Format::Json => say(&serde_json::to_string_pretty(comparison)
            .map_err(|error| Error::bug("cannot write the comparison as JSON").caused_by(error))?),
    }
    if comparison.answer != Answer::Equal {
        crate::cli::say_aside(next(comparison.answer));
    }
    Ok(ExitCode::from(comparison.answer.exit_code()))
}

/// What to do now.
fn next(answer: Answer) -> &'static str {
    match answer {
        Answer::Equal => "",
        Answer::Different => "more keys: --keys 1000; one table alone: --table SCHEMA.TABLE",
        Answer::Unknown => "not told is not equal: repair what the lines say, then run it again",
    }
}
