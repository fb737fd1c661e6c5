//! `one-db`: many Postgres databases become one database with a schema for each.
//!
//! Sources and tables are the profile's. Steps: `plan`, `dry-run`, `run`, `verify`, `rollback`.

use crate::Result;
use crate::flow::Flow;
use crate::model::{Claims, Condition, Engine, Guard, Parity, Plan, Role, Step, TableCopy, TargetSpec, Tool};
use crate::tool::one_db::Profile;
use std::collections::BTreeMap;

/// See the module.
pub(super) struct OneDb;

impl Flow for OneDb {
    fn name(&self) -> &'static str {
        "one-db"
    }

    fn about(&self) -> &'static str {
        "Many Postgres databases become one database with a schema for each."
    }

    fn steps(&self) -> &'static [&'static str] {
        &["plan", "dry-run", "run", "verify", "rollback"]
    }

    fn criteria(&self) -> Option<(&'static str, &'static str)> {
        let rules = include_str!("../../docs/runbooks/one-db.criteria.toml");
        Some((rules, include_str!("../../docs/runbooks/one-db.md")))
    }

    fn plan(&self, profile: &str, tool: &Tool) -> Result<Plan> {
        let profile = Profile::parse(profile).map_err(|error| error.within("profile.toml of flow one-db"))?;
        let sources = sources(&profile);
        Ok(Plan {
            targets: targets(&sources),
            steps: steps(&profile, &sources, tool),
            guards: guards(&profile, &sources, tool),
            parity: parity(&sources),
        })
    }
}

/// A source as the procedure sees it.
#[derive(Clone)]
struct Source {
    name: String,
    env: String,
    from_schema: String,
    schema: String,
    tables: Vec<String>,
}

const SHARED: &str = "shared";
const TARGET: &str = "target";
const TARGET_DATABASE: &str = "one";

/// The sources of the profile in the order of their names, the shared one last.
fn sources(profile: &Profile) -> Vec<Source> {
    let named = profile.source.iter().map(|(name, source)| Source {
        name: name.clone(),
        env: source.env.clone(),
        from_schema: profile.per_source.from_schema.clone(),
        schema: source.schema.clone().unwrap_or_else(|| name.clone()),
        tables: source.tables.clone().unwrap_or_else(|| profile.per_source.tables.clone()),
    });
    let shared = profile.shared.iter().map(|shared| Source {
        name: SHARED.to_owned(),
        env: shared.env.clone(),
        from_schema: shared.from_schema.clone(),
        schema: shared.schema.clone(),
        tables: shared.tables.clone(),
    });
    named.chain(shared).collect()
}

impl Source {
    fn target_spec(&self) -> TargetSpec {
        TargetSpec::new(&format!("source.{}", self.name), Engine::Postgres, &self.name)
    }
}

fn targets(sources: &[Source]) -> Vec<TargetSpec> {
    let one = TargetSpec::new(TARGET, Engine::Postgres, TARGET_DATABASE);
    sources.iter().map(Source::target_spec).chain([one]).collect()
}

fn parity(sources: &[Source]) -> Parity {
    let copies = sources.iter().flat_map(|source| {
        source.tables.iter().map(move |table| TableCopy {
            source: source.target_spec().endpoint(),
            source_table: format!("{}.{table}", source.from_schema),
            target: format!("pg.{TARGET}"),
            target_table: format!("{}.{table}", source.schema),
        })
    });
    Parity { copies: copies.collect(), ..Parity::default() }
}

fn steps(profile: &Profile, sources: &[Source], tool: &Tool) -> Vec<Step> {
    let confirm = ["--confirm-rollback", profile.confirm_rollback.as_str()];
    let step = |name, role, command: &[&str], flags: &[&str]| step(profile, sources, tool, name, role, command, flags);
    vec![
        step("plan", Role::Prepare, &["plan"], &[]),
        step("dry-run", Role::DryRun, &["migrate"], &["--dry-run"]),
        step("run", Role::Apply, &["run"], &["--replace-target"]),
        step("verify", Role::Verify, &["verify"], &[]),
        step("rollback", Role::Rollback, &["rollback"], &confirm),
    ]
}

/// What must refuse: a source that is the target, rows that no source has, and a rollback that nobody confirmed.
fn guards(profile: &Profile, sources: &[Source], tool: &Tool) -> Vec<Guard> {
    let step = |name: &str, sources: &[Source], command: &[&str], flags: &[&str]| {
        step(profile, sources, tool, name, Role::Verify, command, flags)
    };
    // Another tool has words of its own.
    let says = |text: &str| Some(text.to_owned()).filter(|_| tool.prefix.is_none());
    let guard = |name: &str, before: &str, given: &[Source], command: &[&str], flags: &[&str], text: &str| {
        let (argv, env) = (step(name, given, command, flags).argv, step(name, sources, command, flags).env);
        Guard { before: before.to_owned(), command: Step::question(name, argv, env, vec![1]), says: says(text) }
    };
    let with_env = |changed: &[(usize, &str)]| {
        let mut sources = sources.to_vec();
        changed.iter().for_each(|(at, env)| (*env).clone_into(&mut sources[*at].env));
        sources
    };
    let wrong_word = profile.confirm_rollback.to_lowercase() + "-not";
    let confirmed = ["--confirm-rollback", wrong_word.as_str()];
    let mut guards = vec![
        guard("rollback-unconfirmed", "rollback", sources, &["rollback"], &[], "--confirm-rollback"),
        guard("rollback-with-a-wrong-word", "rollback", sources, &["rollback"], &confirmed, "--confirm-rollback"),
    ];
    if let [first, second, ..] = sources {
        let itself = with_env(&[(0, &profile.target.env)]);
        guards.push(guard(
            "source-is-the-target",
            "run",
            &itself,
            &["run"],
            &["--replace-target"],
            "are the same database",
        ));
        // After the run the target holds the one's rows where the other's would go. Two that are exchanged are known by
        // the names of their databases already; of three in a circle only the rows tell.
        let (given, text) = match sources {
            [_, _, third, ..] => (with_env(&[(0, &second.env), (1, &third.env), (2, &first.env)]), "--replace-target"),
            _ => (with_env(&[(0, &second.env), (1, &first.env)]), "are exchanged"),
        };
        guards.push(guard("rows-that-no-source-has", "rollback", &given, &["run"], &[], text));
    }
    guards
}

fn step(
    profile: &Profile,
    sources: &[Source],
    tool: &Tool,
    name: &str,
    role: Role,
    command: &[&str],
    flags: &[&str],
) -> Step {
    let report = format!("out/{name}.json");
    let (mut argv, of_ours) = prefix(tool);
    argv.extend(command.iter().map(|&part| part.to_owned()));
    argv.extend(of_ours);
    argv.extend(["--target-env".to_owned(), profile.target.env.clone()]);
    for source in sources {
        argv.extend(match source.name.as_str() {
            SHARED => ["--shared-source-env".to_owned(), source.env.clone()],
            name => ["--source-env".to_owned(), format!("{name}={}", source.env)],
        });
    }
    argv.extend(flags.iter().map(|&flag| flag.to_owned()));
    argv.extend(["--report-path".to_owned(), report.clone()]);
    let sources = sources.iter().map(|source| (source.env.clone(), format!("{{source.{}}}", source.name)));
    Step {
        name: name.to_owned(),
        role,
        argv,
        env: sources.chain([(profile.target.env.clone(), format!("{{{TARGET}}}"))]).collect(),
        env_from: Vec::new(),
        files: BTreeMap::new(),
        traced: false,
        exit: vec![0],
        timeout: None,
        claims: Claims::Report { report, ok: Condition { pointer: "/status".into(), value: "ok".into() } },
    }
}

/// What stands before the subcommand, and the flags that only our own migrator takes: another tool brings its own idea
/// of the profile.
fn prefix(tool: &Tool) -> (Vec<String>, Vec<String>) {
    let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
    match &tool.prefix {
        Some(prefix) => (prefix.clone(), Vec::new()),
        None => (words(&["{rehearse}", "tool", "one-db"]), words(&["--profile", "{dataset}/profile.toml"])),
    }
}
