//! `consolidate`: many SQLite files become few, in the same folder.
//!
//! Files and tables are the profile's. Steps: `backup`, `dry-run`, `migrate`, `verify`, `health`, `restore`.

use crate::Result;
use crate::flow::Flow;
use crate::model::{Claims, Condition, Engine, Guard, Map, Parity, Plan, Role, Step, TableCopy, TargetSpec, Tool};
use crate::tool::consolidate::{Profile, Transform};
use std::collections::BTreeMap;

/// See the module.
pub(super) struct Consolidate;

impl Flow for Consolidate {
    fn name(&self) -> &'static str {
        "consolidate"
    }

    fn about(&self) -> &'static str {
        "Many SQLite files become few, in the same folder."
    }

    fn steps(&self) -> &'static [&'static str] {
        &["backup", "dry-run", "migrate", "verify", "health", "restore"]
    }

    fn criteria(&self) -> Option<(&'static str, &'static str)> {
        let rules = include_str!("../../docs/runbooks/consolidate.criteria.toml");
        Some((rules, include_str!("../../docs/runbooks/consolidate.md")))
    }

    fn plan(&self, profile: &str, tool: &Tool) -> Result<Plan> {
        let profile = Profile::parse(profile).map_err(|error| error.within("profile.toml of flow consolidate"))?;
        Ok(Plan {
            targets: targets(&profile),
            steps: steps(&profile, tool),
            guards: guards(&profile, tool),
            parity: parity(&profile),
        })
    }
}

/// The name of a file is that of its database, so that it lies under that name in the folder of a case.
fn targets(profile: &Profile) -> Vec<TargetSpec> {
    let spec = |side: &str, file: &str| {
        let database = file.strip_suffix(".db").unwrap_or(file).to_owned();
        TargetSpec::new(&format!("{side}.{database}"), Engine::Sqlite, &database)
    };
    let sources = profile.source.values().map(|source| spec("source", &source.file));
    sources.chain(profile.target.values().map(|target| spec("target", &target.file))).collect()
}

fn parity(profile: &Profile) -> Parity {
    let specs = targets(profile);
    let named = |file: &str| {
        let database = file.strip_suffix(".db").unwrap_or(file);
        specs.iter().find(|spec| spec.database == database)
    };
    let mut parity = Parity::default();
    for (name, source) in &profile.source {
        let (Some(from), Some(to)) = (named(&source.file), named(&profile.target[&source.into].file)) else { continue };
        for table in &source.tables {
            let transform = profile.transform(name, table);
            let into = transform.into.clone().unwrap_or_else(|| table.clone());
            if transform.changes_rows() || transform.part.is_some() {
                parity.maps.push(map(from, to, table, &into, &transform));
            } else {
                let (source_table, target_table) = (table.clone(), into);
                let (source, target) = (from.endpoint(), to.endpoint());
                parity.copies.push(TableCopy { source, source_table, target, target_table });
            }
        }
    }
    parity
}

/// What the profile says of a table, as a query on either side.
fn map(from: &TargetSpec, to: &TargetSpec, table: &str, into: &str, transform: &Transform) -> Map {
    let kept = transform.keep.iter().map(|column| (column.clone(), column.clone()));
    let renamed = transform.rename.iter().filter(|(_, new)| !transform.set.contains_key(*new));
    let renamed = renamed.map(|(old, new)| (new.clone(), old.clone()));
    let set = transform.set.iter().map(|(column, expression)| (column.clone(), format!("({expression})")));
    let columns: BTreeMap<String, String> = kept.chain(renamed).chain(set).collect();
    let list = |texts: Vec<&String>| texts.into_iter().cloned().collect::<Vec<_>>().join(", ");
    let only = |condition: &Option<String>| condition.as_ref().map_or(String::new(), |text| format!(" where {text}"));
    Map {
        on: from.name.clone(),
        source: format!("select {} from {table}{}", list(columns.values().collect()), only(&transform.condition)),
        target: format!("select {} from {into}{}", list(columns.keys().collect()), only(&transform.part)),
        into: Some(to.name.clone()),
        key: Vec::new(),
    }
}

fn steps(profile: &Profile, tool: &Tool) -> Vec<Step> {
    let confirm = ["--confirm-restore", profile.confirm_restore.as_str()];
    let step = |name: &str, role, command: &[&str], flags: &[&str]| step(tool, name, role, command, flags);
    vec![
        step("backup", Role::Prepare, &["backup"], &BACKUP),
        step("dry-run", Role::DryRun, &["dry-run"], &["--verbose"]),
        step("migrate", Role::Apply, &["migrate"], &[]),
        step("verify", Role::Verify, &["verify"], &[]),
        step("health", Role::Verify, &["health"], &[]),
        step("restore", Role::Rollback, &["restore"], &[&BACKUP[..], &confirm[..]].concat()),
    ]
}

const BACKUP: [&str; 2] = ["--backup-dir", "{work}/backup"];

/// What must refuse: another folder, an unknown mode, a backup over a backup, a restore that nobody confirmed.
fn guards(profile: &Profile, tool: &Tool) -> Vec<Guard> {
    // Another tool has words of its own.
    let says = |text: &str| Some(text.to_owned()).filter(|_| tool.prefix.is_none());
    let guard = |name: &str, before: &str, command: &[&str], flags: &[&str], code: i32, text: &str| {
        let asked = step(tool, name, Role::Verify, command, flags);
        let command = Step::question(name, asked.argv, asked.env, vec![code]);
        Guard { before: before.to_owned(), command, says: says(text) }
    };
    let mut elsewhere = guard("folder-that-is-not-there", "dry-run", &["migrate"], &[], 2, "is no folder");
    folder(&mut elsewhere.command, "{work}/nowhere");
    let mut other = guard("folder-of-something-else", "migrate", &["migrate"], &[], 2, "it is missing");
    folder(&mut other.command, "{work}"); // of the case alone: the tool locks it
    let mut mode = guard("unknown-mode", "health", &["health"], &[], 2, "it is `legacy` or `consolidated`");
    mode.command.env.insert(profile.variables.mode.clone(), "both".to_owned());
    vec![
        elsewhere,
        other,
        mode,
        guard("backup-over-a-backup", "migrate", &["backup"], &BACKUP, 1, "is there already"),
        guard("restore-unconfirmed", "restore", &["restore"], &BACKUP, 1, "--confirm-restore"),
    ]
}

fn folder(command: &mut Step, folder: &str) {
    if let Some(value) = command.argv.iter_mut().find(|part| *part == "{files}") {
        folder.clone_into(value);
    }
}

fn step(tool: &Tool, name: &str, role: Role, command: &[&str], flags: &[&str]) -> Step {
    let report = format!("out/{name}.json");
    let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
    // Another tool brings its own idea of the profile.
    let (mut argv, of_ours) = match &tool.prefix {
        Some(prefix) => (prefix.clone(), Vec::new()),
        None => (words(&["{rehearse}", "tool", "consolidate"]), words(&["--profile", "{dataset}/profile.toml"])),
    };
    argv.extend(words(command));
    argv.extend(of_ours);
    argv.extend(words(&["--data-dir", "{files}"]));
    argv.extend(words(flags));
    argv.extend(["--report-path".to_owned(), report.clone()]);
    Step {
        name: name.to_owned(),
        role,
        argv,
        env: BTreeMap::new(),
        env_from: Vec::new(),
        files: BTreeMap::new(),
        traced: false,
        exit: vec![0],
        timeout: None,
        claims: Claims::Report { report, ok: Condition { pointer: "/success".into(), value: "true".into() } },
    }
}
