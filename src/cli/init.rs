//! `rehearse init`: a first scenario that runs, from flags, or from answers where a person sits at a terminal.

use crate::cli::{say, say_aside};
use crate::dataset::Dataset;
use crate::engine::{self, Draft, Library};
use crate::model::{Engine, Scenario, is_name};
use crate::registry::Registry;
use crate::target::Session;
use crate::{Error, Result};
use clap::{Args, ValueEnum};
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Args)]
pub(super) struct InitArgs {
    /// The name of the scenario.
    #[arg(default_value = "first")]
    name: String,
    /// What the databases run on; default: that of the dataset, else postgres.
    #[arg(long, value_enum)]
    engine: Option<EngineArg>,
    /// A dataset that is there, such as ledger-small, or the name of a new one.
    #[arg(long, value_name = "NAME")]
    dataset: Option<String>,
    /// A database of the dataset that is read; may be repeated.
    #[arg(long, value_name = "DATABASE")]
    source: Vec<String>,
    /// The database of the dataset that is written.
    #[arg(long, value_name = "DATABASE")]
    target: Option<String>,
    /// The command line of the migration; without it an example is written.
    #[arg(long, value_name = "LINE")]
    command: Option<String>,
    /// A variable that the command reads, such as 'DSN={target}'; may be repeated.
    #[arg(long, value_name = "NAME=VALUE")]
    env: Vec<String>,
    /// Ask nothing, take the defaults.
    #[arg(long)]
    yes: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum EngineArg {
    Postgres,
    Sqlite,
}

pub(super) fn run(mut args: InitArgs) -> Result<ExitCode> {
    if !args.yes && std::io::stdin().is_terminal() {
        args.ask()?;
    }
    if !args.name.split('/').all(|part| is_name(part) && !part.contains('.')) {
        return Err(Error::usage("the name of a scenario has letters, digits, `_` and `-`, and `/` for folders"));
    }
    let session = Session::here()?;
    let library = own_library(session.dir())?;
    let path = library.scenarios.join(&args.name).with_extension("toml");
    if path.exists() {
        return Err(Error::usage(format!(
            "{} is there already, and is not touched: take another name",
            path.display()
        )));
    }
    let (draft, files) = args.draft(&library)?;
    let text = draft.scenario();
    let known = Registry::builtin().known();
    let scenario = Scenario::parse(&draft.name, &text, &known)
        .map_err(|problems| Error::usage(crate::model::render(&path.display().to_string(), &text, &problems)))?;
    let files: Vec<(PathBuf, String)> = files.into_iter().chain([(path, text)]).collect();
    files.iter().try_for_each(|(path, text)| write(path, text))?;
    engine::plan(&Registry::builtin(), &library, &scenario)?;
    files.iter().for_each(|(path, _)| say(&format!("wrote {}", path.display())));
    say(&format!("next  rehearse run {}", draft.name));
    Ok(ExitCode::SUCCESS)
}

/// The repository around us, also where it has no scenario yet: its root is where `.git` is, else here.
fn own_library(unpack: &Path) -> Result<Library> {
    let here = std::env::current_dir().map_err(|error| Error::io("find", Path::new("."), error))?;
    let library = Library::find(&here, unpack)?;
    if !library.scenarios.starts_with(unpack) {
        return Ok(library);
    }
    let root = here.ancestors().find(|dir| dir.join(".git").exists()).unwrap_or(&here).to_owned();
    let fixtures = [vec![root.join("fixtures")], library.fixtures].concat();
    Ok(Library { scenarios: root.join("scenarios"), fixtures, root })
}

impl InitArgs {
    /// What a flag says already is not asked.
    fn ask(&mut self) -> Result<()> {
        self.name = answer("name of the scenario", &self.name)?;
        if self.dataset.is_none() {
            self.dataset = Some(answer("dataset, one that is there or a new name", NEW)?);
        }
        if self.engine.is_none() {
            let engine = answer("engine of a new dataset, postgres or sqlite", "postgres")?;
            let known = EngineArg::from_str(&engine, true);
            self.engine = Some(known.map_err(|_| Error::usage(format!("`{engine}` is neither postgres nor sqlite")))?);
        }
        if self.command.is_none() {
            self.command = Some(answer("command line of the migration, empty for an example", "")?);
        }
        Ok(())
    }

    /// The scenario, and the files of a dataset that is not there yet.
    fn draft(&self, library: &Library) -> Result<(Draft, Vec<(PathBuf, String)>)> {
        let name = self.dataset.clone().unwrap_or_else(|| NEW.to_owned());
        let command = self.command.as_deref().unwrap_or_default();
        let (command, inputs) = in_repository(words(command)?, &library.root);
        let found = Dataset::find(&library.fixtures, &name, 1);
        let is_new = !library.fixtures.iter().any(|dir| exists(dir, &name));
        let (dataset, engine, sources, target, files) = match found {
            Ok(dataset) => {
                let (sources, target) = self.databases(&dataset)?;
                (name, dataset.engine.into_model(), sources, target, Vec::new())
            }
            Err(_) if is_new && is_name(&name) && !name.contains('.') => self.new_dataset(library, &name),
            Err(error) => return Err(error),
        };
        if let (Some(asked), true) = (self.engine, files.is_empty())
            && Engine::from(asked) != engine
        {
            return Err(Error::usage(format!("dataset `{dataset}` is of another engine: leave out --engine")));
        }
        let env = if self.env.is_empty() { Draft::default_env(&sources) } else { self.variables()? };
        let name = self.name.clone();
        if command.is_empty() && files.is_empty() {
            let text = "the example copies the table of a new dataset; name your own command line with --command";
            return Err(Error::usage(text));
        }
        Ok((Draft { name, engine, dataset, sources, target, command, env, inputs }, files))
    }

    /// Of a dataset that is there: what has generated rows is a source, and the first that has none the target.
    fn databases(&self, dataset: &Dataset) -> Result<(Vec<String>, String)> {
        let names = |has_rows: bool| {
            let chosen = dataset.databases().iter().filter(move |database| (database.rows() > 0) == has_rows);
            chosen.map(|database| database.name.clone()).collect::<Vec<_>>()
        };
        let sources = if self.source.is_empty() { names(true) } else { self.source.clone() };
        let target = self.target.clone().or_else(|| names(false).into_iter().next());
        let missing =
            || Error::usage(format!("which database of `{}` is written? name it with --target", dataset.name));
        let target = target.ok_or_else(missing)?;
        sources.iter().chain([&target]).try_for_each(|name| dataset.database(name).map(drop))?;
        Ok((sources, target))
    }

    fn new_dataset(
        &self,
        library: &Library,
        name: &str,
    ) -> (String, Engine, Vec<String>, String, Vec<(PathBuf, String)>) {
        let engine = self.engine.map_or(Engine::Postgres, Engine::from);
        let source = self.source.first().cloned().unwrap_or_else(|| "old".to_owned());
        let target = self.target.clone().unwrap_or_else(|| "new".to_owned());
        let folder = name.strip_suffix("-small").unwrap_or(name);
        let dir = library.fixtures[0].join(folder);
        let files = engine::skeleton(engine, &source, &target).map(|(file, text)| (dir.join(file), text));
        (format!("{folder}-small"), engine, vec![source], target, files.into())
    }

    fn variables(&self) -> Result<Vec<(String, String)>> {
        let pair = |text: &String| {
            let (name, value) = text.split_once('=').filter(|(name, _)| is_name(name)).ok_or_else(|| {
                Error::usage(format!("`{text}` is no variable; write it as in --env 'DSN={{target}}'"))
            })?;
            Ok((name.to_owned(), value.to_owned()))
        };
        self.env.iter().map(pair).collect()
    }
}

/// The name of the dataset that is made where nobody names one.
const NEW: &str = "mine";

impl From<EngineArg> for Engine {
    fn from(arg: EngineArg) -> Engine {
        match arg {
            EngineArg::Postgres => Engine::Postgres,
            EngineArg::Sqlite => Engine::Sqlite,
        }
    }
}

fn exists(fixtures: &Path, dataset: &str) -> bool {
    let folder = dataset.rsplit_once('-').map_or(dataset, |(folder, _)| folder);
    [dataset, folder].iter().any(|name| fixtures.join(name).exists())
}

/// Words that are files of the repository: a step runs in a directory of its own, so they begin with `{root}`.
fn in_repository(words: Vec<String>, root: &Path) -> (Vec<String>, Vec<String>) {
    let is_file = |word: &String| !word.starts_with(['/', '{']) && root.join(word).is_file();
    let inputs = words.iter().filter(|word| is_file(word)).cloned().collect();
    let words = words.into_iter().map(|word| if is_file(&word) { format!("{{root}}/{word}") } else { word });
    (words.collect(), inputs)
}

/// Splits a command line as a shell does: at spaces outside of quotes. Nothing is expanded.
fn words(line: &str) -> Result<Vec<String>> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for c in line.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    match quote {
        None => Ok(words),
        Some(open) => Err(Error::usage(format!("the command line has an open {open}"))),
    }
}

fn answer(question: &str, default: &str) -> Result<String> {
    say_aside(&format!("{question} [{default}]"));
    let _ = std::io::stderr().flush(); // a closed stream is nobody's trouble
    let mut line = String::new();
    let read = std::io::stdin().read_line(&mut line);
    read.map_err(|error| Error::environment("cannot read the answer").caused_by(error))?;
    let line = line.trim();
    Ok(if line.is_empty() { default.to_owned() } else { line.to_owned() })
}

/// A new file; what is there is never overwritten.
fn write(path: &Path, text: &str) -> Result<()> {
    let folder = path.parent().unwrap_or(path);
    std::fs::create_dir_all(folder).map_err(|error| Error::io("create", folder, error))?;
    let file = std::fs::OpenOptions::new().write(true).create_new(true).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes())).map_err(|error| Error::io("write", path, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_is_split_as_a_shell_does() {
        assert_eq!(words("sh  'a b' \"c'd\" e\"f\"g ''").unwrap(), ["sh", "a b", "c'd", "efg", ""]);
        assert!(words("sh 'open").is_err());
    }
}
