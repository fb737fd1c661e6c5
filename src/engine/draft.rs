//! A first scenario for somebody's repository, as text: runs as it is, and says what to change. Pure.

use crate::model::Engine;
use std::fmt::Write as _;

/// What is known of the repository's migration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// The name of the scenario.
    pub name: String,
    /// What the databases run on.
    pub engine: Engine,
    /// Dataset and size, such as `mine-small`.
    pub dataset: String,
    /// The databases that are read, by their names in the dataset.
    pub sources: Vec<String>,
    /// The database that is written.
    pub target: String,
    /// The command line, in words; empty: a copy of the table that the skeleton has.
    pub command: Vec<String>,
    /// Variables with their values, placeholders as in scenarios.
    pub env: Vec<(String, String)>,
    /// Files of the repository that make up the tool, as patterns.
    pub inputs: Vec<String>,
}

impl Draft {
    /// The placeholder of a source: `{source}`, or `{source.<database>}` where there are several.
    pub fn placeholders(sources: &[String]) -> Vec<String> {
        match sources {
            [_] => vec!["source".to_owned()],
            several => several.iter().map(|name| format!("source.{name}")).collect(),
        }
    }

    /// The variables where nobody named any: `SOURCE_URL` or `<NAME>_URL` each, and `TARGET_URL`.
    pub fn default_env(sources: &[String]) -> Vec<(String, String)> {
        let name = |placeholder: &String| {
            let last = placeholder.rsplit('.').next().unwrap_or(placeholder);
            format!("{}_URL", last.to_uppercase().replace(|c: char| !c.is_ascii_alphanumeric(), "_"))
        };
        let sources = Draft::placeholders(sources);
        let sources = sources.iter().map(|placeholder| (name(placeholder), format!("{{{placeholder}}}")));
        sources.chain([("TARGET_URL".to_owned(), "{target}".to_owned())]).collect()
    }

    /// The text of the scenario.
    pub fn scenario(&self) -> String {
        let mut text = format!(
            "format = 1\nabout = {}\ndataset = {}\n",
            quoted("our migration can be cut off anywhere and started again"),
            quoted(&self.dataset)
        );
        let argv = if self.command.is_empty() { self.copy() } else { self.command.clone() };
        if let Some(program) = argv_needs(&argv) {
            writeln!(text, "needs = [{}]", quoted(program)).expect("a String takes everything");
        }
        if !self.inputs.is_empty() {
            write!(text, "\n[tool]\ninputs = {}  # the evidence is bound to these files\n", list(&self.inputs))
                .expect("a String takes everything");
        }
        text += &self.targets();
        text += "\n[[step]]\nname = \"migrate\"\nrole = \"apply\"\n";
        if self.command.is_empty() {
            text += "# Only an example: put your own command line here.\n";
        }
        let env: Vec<String> = self.env.iter().map(|(name, value)| format!("{name} = {}", quoted(value))).collect();
        write!(text, "argv = {}\nenv = {{ {} }}\n", list(&argv), env.join(", ")).expect("a String takes everything");
        text + &self.faults()
    }

    fn targets(&self) -> String {
        let engine = match self.engine {
            Engine::Postgres => "postgres",
            Engine::Sqlite => "sqlite",
        };
        let line = |name: &str, database: &str| format!("{name} = {{ {engine} = {} }}\n", quoted(database));
        let sources = Draft::placeholders(&self.sources);
        let sources: String = sources.iter().zip(&self.sources).map(|(name, database)| line(name, database)).collect();
        format!("\n[targets]\n{sources}{}", line("target", &self.target))
    }

    /// What every tool can meet on each engine, and the way out.
    fn faults(&self) -> String {
        let kinds = match self.engine {
            Engine::Postgres => ["proc.kill", "net.reset"],
            Engine::Sqlite => ["proc.kill", "disk.full"],
        };
        let fault = |kind: &str| format!("\n[[fault]]\nkind = \"{kind}\"\nduring = \"migrate\"\nat = \"sweep\"\n");
        kinds.map(fault).concat() + "\n# The documented way out of a broken run.\n[[recovery]]\nsteps = [\"migrate\"]\n"
    }

    /// Replaces the items of the target by those of the source, in one transaction.
    fn copy(&self) -> Vec<String> {
        let [(source, _), .., (target, _)] = &self.env[..] else { return Vec::new() };
        let script = match self.engine {
            Engine::Postgres => format!(
                "psql -X -q -v ON_ERROR_STOP=1 \"${source}\" -c 'copy items (id, name, price) to stdout' > items.txt\n\
                 psql -X -q -v ON_ERROR_STOP=1 \"${target}\" <<'SQL'\nbegin;\ntruncate items;\n\
                 \\copy items (id, name, price) from items.txt\n\
                 select setval('items_id_seq', (select max(id) from items));\ncommit;\nSQL\n"
            ),
            Engine::Sqlite => format!(
                "sqlite3 -bail \"${target}\" <<SQL\nattach '${source}' as source;\nbegin;\ndelete from items;\n\
                 insert into items select * from source.items;\ncommit;\nSQL\n"
            ),
        };
        ["sh", "-euc", &script].map(str::to_owned).into()
    }
}

/// The files of a dataset that fits the example: name and text of each.
pub fn skeleton(engine: Engine, source: &str, target: &str) -> [(&'static str, String); 3] {
    let (name, id, price) = match engine {
        Engine::Postgres => {
            ("postgres", "bigint generated by default as identity primary key", "numeric(12, 2) not null")
        }
        Engine::Sqlite => ("sqlite", "integer primary key autoincrement", "text not null"),
    };
    let dataset = format!(
        "# Made-up rows for rehearsals. All generators: fixtures/README.md of rehearsal.\n\
         format = 1\nengine = \"{name}\"\nclassification = \"synthetic\"\n\n\
         # Rows of all generated tables together.\n[sizes]\nsmall = 100\n\n\
         [database.{source}]\nschema = [\"source.sql\"]\ncontent = \"rows\"\n\
         [database.{target}]\nschema = [\"target.sql\"]\n\n\
         [content.rows.items.columns]\nid = \"serial\"\nname = {{ sentence = [1, 4] }}\n\
         price = {{ numeric = {{ precision = 12, scale = 2 }} }}\n"
    );
    let table = format!("create table items (\n    id {id},\n    name text not null,\n    price {price}\n);\n");
    let old = format!("-- Your old schema: `pg_dump --schema-only` writes one.\n{table}");
    let new = format!("-- Your new schema, as the migration finds it.\n{table}");
    [("dataset.toml", dataset), ("source.sql", old), ("target.sql", new)]
}

/// The client that a command line calls by its name.
fn argv_needs(argv: &[String]) -> Option<&'static str> {
    ["psql", "sqlite3"]
        .into_iter()
        .find(|program| argv.iter().any(|part| part.split_whitespace().any(|w| w == *program)))
}

fn list(words: &[String]) -> String {
    format!("[{}]", words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(", "))
}

/// A TOML string; what has several lines is written over several.
fn quoted(text: &str) -> String {
    match text.contains('\n') && !text.contains("'''") {
        true => format!("'''\n{text}'''"),
        false => toml::Value::from(text).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Known, Scenario};

    fn draft(sources: &[&str], command: &[&str]) -> Draft {
        let sources: Vec<String> = sources.iter().map(|&name| name.to_owned()).collect();
        Draft {
            name: "first".into(),
            engine: Engine::Postgres,
            dataset: "mine-small".into(),
            env: Draft::default_env(&sources),
            sources,
            target: "new".into(),
            command: command.iter().map(|&word| word.to_owned()).collect(),
            inputs: Vec::new(),
        }
    }

    #[test]
    fn a_draft_is_a_scenario_with_the_words_that_were_given() {
        let kinds = ["proc.kill", "net.reset"].map(|kind| (kind.to_owned(), Vec::new()));
        let known = Known { kinds: kinds.into(), ..Known::default() };
        let odd = "say \"it's\" \\ done";
        for command in [&["sh", odd][..], &[]] {
            let text = draft(&["old"], command).scenario();
            let scenario =
                Scenario::parse("first", &text, &known).unwrap_or_else(|problems| panic!("{problems:?}\n{text}"));
            assert!(command.is_empty() || scenario.steps[0].argv == command, "{text}");
        }
    }

    #[test]
    fn several_sources_have_names_of_their_own() {
        let env = draft(&["general", "health-2"], &[]).env;
        let expected =
            [("GENERAL_URL", "{source.general}"), ("HEALTH_2_URL", "{source.health-2}"), ("TARGET_URL", "{target}")];
        assert_eq!(env, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }
}
