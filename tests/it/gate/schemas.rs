//! The schemas in `docs/schemas/` are those of the files that we write.

use super::forged::Forged;
use super::rejudged::red;
use super::signed::{key, signed_with};
use super::signoffs::signed;
use crate::cli::run;
use rehearsal::gate::Expected;
use rehearsal::model::Stage;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A signed bundle, and of each schema the files that it is of.
fn files() -> (Forged, Vec<(&'static str, Vec<PathBuf>)>) {
    let forged = Forged::new();
    signed_with(&forged, &key(1));
    let lines = fs::read_to_string(forged.path("events.jsonl")).unwrap();
    let extra = forged.root().with_extension("extra");
    fs::create_dir(&extra).unwrap();
    let write = |name: String, text: &str| {
        let path = extra.join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let events = lines.lines().zip(1..).map(|(line, nth)| write(format!("event-{nth}.json"), line)).collect();
    let good = write("good.json".to_owned(), &forged.verify(&Expected::default()).json().to_string());
    let bad = Forged::new();
    let bad = bad.remove("plan.json").verify(&Expected::default()).json().to_string();
    let bad = write("bad.json".to_owned(), &bad);
    let (office, released) = signed();
    let decision = office.decide(&released, Stage::BeforeCutover).json().to_string();
    let decision = write("decision.json".to_owned(), &decision);
    let signoffs = ["0001-engineer", "0002-release-manager"];
    let signoffs = signoffs.map(|name| write(format!("{name}.json"), &text(&released.path("signoffs"), name))).to_vec();
    let states = forged.states().into_keys().map(|state| forged.path(&format!("states/{state}.json"))).collect();
    let of = vec![
        ("plan", vec![forged.path("plan.json")]),
        ("scenarios", vec![forged.path("scenarios.json")]),
        ("environment", vec![forged.path("environment.json")]),
        ("event", events),
        ("state", states),
        ("report", vec![forged.path("report.json")]),
        ("trace", vec![forged.path("trace.json")]),
        ("envelope", vec![forged.path("attest/test-result.dsse.json")]),
        ("signoff", signoffs),
        ("verification", vec![good, bad]),
        ("decision", vec![decision]),
    ];
    (forged, of)
}

fn text(folder: &Path, name: &str) -> String {
    fs::read_to_string(folder.join(name).with_extension("json")).unwrap()
}

/// The lines of every `diff.jsonl` of a red bundle, each in a file of its own.
fn differences(forged: &Forged) -> Vec<PathBuf> {
    let (bundle, extra) = (red(), forged.root().with_extension("extra"));
    let folders = fs::read_dir(bundle.path("cases/half")).unwrap().map(|entry| entry.unwrap().path());
    let texts = folders.filter_map(|folder| fs::read_to_string(folder.join("diff.jsonl")).ok());
    let lines: Vec<String> = texts.flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>()).collect();
    let write = |(line, nth): (&String, usize)| {
        let path = extra.join(format!("difference-{nth}.json"));
        fs::write(&path, line).unwrap();
        path
    };
    lines.iter().zip(1..).map(write).collect()
}

fn schema(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schemas").join(name).with_extension("json")
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[test]
fn every_file_has_the_fields_of_its_schema_and_no_other() {
    let (_forged, of) = files();
    for (name, files) in &of {
        for file in files {
            agree(&read(&schema(name)), &read(file), &format!("{name}: {}", file.display()));
        }
    }
    let named: BTreeSet<&str> = of.iter().map(|(name, _)| *name).collect();
    let there = fs::read_dir(schema("plan").parent().unwrap()).unwrap().map(|entry| entry.unwrap().path());
    let there = there.filter(|path| path.extension().is_some_and(|extension| extension == "json"));
    let there: BTreeSet<String> = there.map(|path| path.file_stem().unwrap().to_string_lossy().into_owned()).collect();
    let apart = ["difference"]; // its lines are of two kinds, and judged below
    assert_eq!(there, named.iter().chain(&apart).map(|name| (*name).to_owned()).collect());
}

/// Objects with fixed fields have exactly these, all the way down. Events have more, by their type.
fn agree(schema: &Value, value: &Value, place: &str) {
    let schema = match schema["anyOf"].as_array() {
        Some(_) if value.is_null() => return,
        Some(either) => &either[0],
        None => schema,
    };
    if let (Some(properties), Some(fields)) = (schema["properties"].as_object(), value.as_object()) {
        let known: BTreeSet<&String> = properties.keys().collect();
        let found: BTreeSet<&String> = fields.keys().collect();
        assert!(known.is_subset(&found), "{place}: {:?} is missing", known.difference(&found));
        assert!(known == found || properties.contains_key("mono_us"), "{place}: {:?}", found.difference(&known));
        properties.iter().for_each(|(name, schema)| agree(schema, &value[name], &format!("{place}/{name}")));
        assert_eq!(schema["required"].as_array().unwrap().len(), properties.len(), "{place}");
    }
    for item in value.as_array().into_iter().flatten() {
        agree(&schema["items"], item, place);
    }
}

#[test]
#[ignore = "other people's programs: .ci/install installs them, .ci/run runs it"]
fn check_jsonschema_agrees() {
    let program = which::which("check-jsonschema").expect("check-jsonschema is missing: .ci/install installs it");
    let (forged, of) = files();
    let check = |name: &str, files: &[PathBuf]| {
        let paths = [program.clone(), "--schemafile".into(), schema(name)];
        let argv: Vec<&str> = paths.iter().chain(files).map(|path| path.to_str().unwrap()).collect();
        run(&forged.root(), &std::env::vars_os().collect(), &argv)
    };
    for (name, files) in &of {
        check(name, files).has(0, "ok");
    }
    let lines = differences(&forged);
    let of = |what: &str| lines.iter().filter(|line| fs::read_to_string(line).unwrap().contains(what)).count();
    assert!(of("\"object\":") > 0 && of("\"key\":") > 0, "not both kinds of lines");
    check("difference", &lines).has(0, "ok");
    forged.edit("plan.json", |text| text.replace("\"format\":1", "\"format\":2"));
    assert_eq!(check("plan", &[forged.path("plan.json")]).code, Some(1));
}
