//! Attacks by somebody who knows how the checks are made, and looks for what they do not ask.

use super::forged::Forged;
use super::signed::{key, signed_with, trusted};
use super::{Attack, DAY_S, attack, case_dir, is_injured, of_today};
use rehearsal::evidence::attest::Slot;
use rehearsal::gate::{Expected, Status};
use rehearsal::model::canonical::sha256_hex;
use rehearsal::model::{Body, Event};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;

const LAST_YEAR: &str = "2025-11-29T10:00:00.000000Z";

/// A file of its own in the folder of the injured case.
fn in_case(forged: &Forged, name: &str) -> String {
    format!("{}/{name}", case_dir(forged))
}

/// Renames what is called `from` everywhere.
fn rename(forged: &Forged, from: &str, to: &str) {
    let (from, to) = (from.to_owned(), to.to_owned());
    forged.lines(|lines| lines.iter_mut().for_each(|line| *line = line.replace(&from, &to)));
    forged.relink();
}

/// Puts an event in the place that `at` gives, after all events were seen.
fn insert(forged: &Forged, body: Body, at: impl Fn(&[Event]) -> usize) {
    forged.events(|events| {
        let at = at(events);
        let like = events[at.min(events.len() - 1)].clone();
        events.insert(at, Event { body, ..like });
    });
    forged.derive();
}

fn began(tier: &str, format: u32) -> Body {
    let (run, version) = ("20261129T100000-000000".to_owned(), "0.1.0".to_owned());
    Body::RunStarted { run, format, version, tier: tier.to_owned() }
}

/// A state with another text, under its own digest, wherever it is named.
fn other_state(forged: &Forged, work: impl Fn(String) -> String) {
    let old = forged.a_state();
    let text = work(fs::read_to_string(forged.path(&old)).unwrap());
    let sha256 = sha256_hex(text.as_bytes());
    forged.remove(&old).write(&format!("states/{sha256}.json"), &text);
    rename(forged, old.trim_start_matches("states/").trim_end_matches(".json"), &sha256);
    forged.derive();
}

const SUMS: &[Attack] = &[
    attack("ends the lines of the sums as Windows does", &["SCHEMA"], |forged| {
        forged.edit("SHA256SUMS", |text| text.replace('\n', "\r\n"));
    }),
    attack("puts a mark before the sums that no editor shows", &["SCHEMA"], |forged| {
        forged.edit("SHA256SUMS", |text| format!("\u{feff}{text}"));
    }),
    attack("names a file in the sums twice", &["SCHEMA"], |forged| {
        forged.edit("SHA256SUMS", |text| format!("{}\n{text}", text.lines().next().unwrap()));
    }),
    attack("names a file outside in the sums", &["SCHEMA"], |forged| {
        forged.edit("SHA256SUMS", |text| format!("{}  ../away\n{text}", "0".repeat(64)));
    }),
    attack("spells a sum in capitals", &["SCHEMA"], |forged| {
        forged.edit("SHA256SUMS", |text| {
            let (sum, rest) = text.split_once("  ").unwrap();
            format!("{}  {rest}", sum.to_uppercase())
        });
    }),
    attack("leaves the end of the last sum out", &["SCHEMA"], |forged| {
        forged.edit("SHA256SUMS", |text| text.trim_end().to_owned());
    }),
    attack("says in the sums that a file is binary", &["SCHEMA"], |forged| {
        forged.edit("SHA256SUMS", |text| text.replacen("  ", " *", 1));
    }),
    attack("fills the sums up with NUL bytes", &["SCHEMA"], |forged| {
        forged.edit("SHA256SUMS", |text| text + "\0\0\0\n");
    }),
];

const FILES: &[Attack] = &[
    attack("adds a file to the states that is none", &["FILE_EXTRA"], |forged| {
        forged.write("states/all-is-well.txt", "x").sum();
    }),
    attack("adds a page to the folder of a case", &["FILE_EXTRA"], |forged| {
        forged.write(&in_case(forged, "report.html"), "<h1>GO</h1>").sum();
    }),
    attack("adds differences of which no journal knows", &["FILE_EXTRA"], |forged| {
        forged.write(&in_case(forged, "diff.jsonl"), "{}\n").sum();
    }),
    attack("adds a page to the signatures", &["FILE_EXTRA"], |forged| {
        forged.write("attest/report.html", "<h1>GO</h1>");
    }),
    attack("adds a file to parts that there are not", &["FILE_EXTRA"], |forged| {
        forged.write("shards/notes.txt", "x").sum();
    }),
    attack("adds the page of a release that nobody has released", &["SIGNOFF_CHAIN"], |forged| {
        forged.write("signoffs/release.html", "<h1>GO, approved by all</h1>");
    }),
    attack("adds a note to the signoffs", &["SIGNOFF_CHAIN"], |forged| {
        forged.write("signoffs/approved.txt", "anna, bob");
    }),
    attack("leads the signatures to another folder", &["SPECIAL_FILE"], |forged| {
        symlink("/tmp", forged.path("attest")).unwrap();
    }),
    attack("puts a pipe among the logs, on which a reader waits for ever", &["SPECIAL_FILE"], |forged| {
        forged.write(&in_case(forged, "x"), "").remove(&in_case(forged, "x"));
        let pipe = forged.path(&in_case(forged, "run-copy.stdout.log")).display().to_string();
        crate::cli::run(&forged.root(), &std::env::vars_os().collect(), &["mkfifo", &pipe]).has(0, "");
    }),
    attack("puts two tebibytes of nothing among the logs", &["SPECIAL_FILE"], |forged| {
        let log = in_case(forged, "run-copy.stdout.log");
        forged.write(&log, "");
        fs::OpenOptions::new().write(true).open(forged.path(&log)).unwrap().set_len(2 << 40).unwrap();
    }),
    attack("names a file in letters that look alike", &["SPECIAL_FILE"], |forged| {
        forged.write("pl\u{430}n.json", "{}");
    }),
    attack("names a file so that a terminal obeys", &["SPECIAL_FILE"], |forged| {
        forged.write("\u{1b}[2K\u{1b}[1Gevidence  verified", "");
    }),
    attack("changes a file by another name of it", &["SUM_MISMATCH", "DERIVED_MISMATCH"], |forged| {
        let away = forged.root().with_extension("away");
        fs::hard_link(forged.path("junit.xml"), &away).unwrap();
        fs::write(away, "<testsuites/>").unwrap();
    }),
    attack("empties a report", &["DERIVED_MISMATCH"], |forged| {
        forged.write("summary.md", "").sum();
    }),
    attack("adds a NUL byte to the page", &["DERIVED_MISMATCH"], |forged| {
        forged.edit("report.html", |text| text + "\0").sum();
    }),
    attack("adds a NUL byte to the journal", &["CHAIN_TRUNCATED"], |forged| {
        forged.edit("events.jsonl", |text| text + "\0").sum();
    }),
    attack("nests JSON until a reader gives up", &["SCHEMA"], |forged| {
        let deep = format!("{{\"x\":{}{},", "[".repeat(500), "]".repeat(500));
        forged.edit("plan.json", |text| text.replacen('{', &deep, 1)).sum();
    }),
];

const STORIES: &[Attack] = &[
    attack("sets the clock anew before the end of a run of last year", &["STALE"], |forged| {
        forged.events(|events| {
            let end = events.len() - 1;
            events[..end].iter_mut().for_each(|event| event.t = LAST_YEAR.to_owned());
        });
        forged.derive();
    }),
    attack("sets the clock ahead, and back for the end", &["FROM_FUTURE"], |forged| {
        forged.events(|events| events[5].t = "2999-01-01T00:00:00.000000Z".to_owned());
        forged.derive();
    }),
    attack("writes a time that is none", &["SCHEMA"], |forged| {
        forged.events(|events| events[5].t = "yesterday".to_owned());
        forged.derive();
    }),
    attack("says that the journal is of a later format", &["SCHEMA"], |forged| {
        forged.events(|events| {
            if let Body::RunStarted { format, .. } = &mut events[0].body {
                *format = 2;
            }
        });
        forged.derive();
    }),
    attack("begins once more, at a better tier", &["SCHEMA"], |forged| insert(forged, began("full", 1), |_| 1)),
    attack("leaves out how the run began", &["SCHEMA"], |forged| {
        forged.events(|events| drop(events.remove(0))).derive();
    }),
    attack("says that a quick run was a full one", &["SCHEMA"], |forged| {
        forged.events(|events| {
            if let Body::RunStarted { tier, .. } = &mut events[0].body {
                *tier = "full".to_owned();
            }
        });
        forged.derive();
    }),
    attack("names a scenario in letters that look alike", &["SCHEMA"], |forged| {
        for entry in fs::read_dir(forged.path("cases")).unwrap() {
            fs::remove_dir_all(entry.unwrap().path()).unwrap();
        }
        for file in ["plan.json", "scenarios.json"] {
            forged.edit(file, |text| text.replace("survives", "surviv\u{435}s"));
        }
        rename(forged, "survives", "surviv\u{435}s");
        forged.derive();
    }),
    attack("says one thing to whoever reads the first of two keys, in a state", &["SCHEMA"], |forged| {
        other_state(forged, |text| {
            let state: Value = serde_json::from_str(&text).unwrap();
            let (name, definition) = state["catalog"].as_object().unwrap().iter().next().unwrap();
            let again = format!("\"catalog\":{{{}:{definition},", Value::from(name.as_str()));
            text.replacen("\"catalog\":{", &again, 1)
        });
    }),
    attack("the same in the plan", &["SCHEMA"], |forged| {
        forged.edit("plan.json", |text| text.replacen('{', "{\"all\":0,\"all\":1,", 1)).sum();
    }),
    attack("the same in the journal", &["SCHEMA"], |forged| {
        forged.lines(|lines| {
            let last = lines.pop().unwrap();
            lines.push(last.replacen('{', "{\"all\":0,\"all\":1,", 1));
        });
        forged.sum();
    }),
    attack("the same in a line that is read", &["CHAIN_BROKEN", "SCHEMA"], |forged| {
        forged.lines(|lines| {
            let last = lines.pop().unwrap();
            lines.push(last.replacen('{', "{\"seq\":1,", 1));
        });
        forged.sum();
    }),
    attack("lets the fault strike after the case has ended", &["PLAN_INCOMPLETE"], |forged| {
        forged.events(|events| {
            let fired = |event: &Event| matches!(event.body, Body::FaultFired { .. });
            let fired = events.remove(events.iter().position(fired).unwrap());
            let is_end = |event: &Event| is_injured(event) && matches!(event.body, Body::CaseFinished { .. });
            let end = events.iter().position(is_end).unwrap();
            let (mono_us, t) = (events[end].mono_us, events[end].t.clone());
            events.insert(end + 1, Event { mono_us, t, ..fired });
        });
        forged.derive();
    }),
];

/// The same, over a run that was red, all of whose answers were written green.
const RED: &[Attack] = &[
    attack("calls all injured cases such that only went back", &["DERIVED_MISMATCH"], |forged| {
        for case in injured(forged) {
            rename(forged, &case, &case.replace("half/", "half/return-"));
        }
        forged.derive();
    }),
    attack(
        "calls the uninjured runs otherwise, so that nothing can be held against them",
        &["PLAN_INCOMPLETE"],
        |forged| {
            rename(forged, "half/golden-", "half/golden-9");
            forged.derive();
        },
    ),
    attack("calls an uninjured run one that only went back", &["DERIVED_MISMATCH", "PLAN_INCOMPLETE"], |forged| {
        rename(forged, "half/golden-2", "half/return-copy");
        forged.derive();
    }),
];

fn injured(forged: &Forged) -> BTreeSet<String> {
    let events = rehearsal::evidence::read(&forged.path("events.jsonl")).unwrap();
    let cases = events.iter().filter_map(|event| event.body.case()).filter(|case| case.starts_with("half/0"));
    cases.map(str::to_owned).collect()
}

fn judge(attacks: &[Attack], bundle: impl Fn() -> Forged) {
    let mut wrong = String::new();
    for Attack { what, codes, work } in attacks {
        let forged = bundle();
        work(&forged);
        let verification = forged.verify(&of_today());
        if forged.codes(&of_today()) != *codes || verification.status() == Status::Verified {
            wrong += &format!("{what}: {}\n\n", verification.text());
        }
        assert_eq!(verification.text().find(|c: char| c.is_control() && c != '\n'), None, "{what}: a terminal obeys");
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn each_sly_change_of_the_sums_is_found_out() {
    judge(SUMS, Forged::new);
}

#[test]
fn each_file_that_has_no_business_in_a_bundle_is_found_out() {
    judge(FILES, Forged::new);
}

#[test]
fn each_story_that_does_not_hold_together_is_found_out() {
    judge(STORIES, Forged::new);
}

#[test]
fn no_other_name_spares_a_case_from_being_judged_again() {
    judge(RED, || {
        let forged = super::rejudged::red();
        for entry in fs::read_dir(forged.path("cases")).unwrap() {
            fs::remove_dir_all(entry.unwrap().path()).unwrap(); // logs and differences would be in the way of a new name
        }
        forged.events(|events| events.retain(|event| !matches!(event.body, Body::Differences { .. })));
        super::rejudged::whitewash(&forged);
        forged
    });
}

/// What is done to the envelope of a bundle that the genuine key has signed.
type Retouch = (&'static str, fn(&mut Value), &'static str);

const RETOUCHES: &[Retouch] = &[
    (
        "puts another signature of the same name before the genuine one",
        |envelope| {
            let mut other = envelope["signatures"][0].clone();
            other["sig"] = "AAAA".into();
            envelope["signatures"].as_array_mut().unwrap().insert(0, other);
        },
        "SIG_INVALID",
    ),
    ("names nobody who has signed", |envelope| envelope["signatures"] = Value::Array(Vec::new()), "SIGNER_UNTRUSTED"),
    (
        "writes the payload in another alphabet, with spaces in it",
        |envelope| envelope["payload"] = format!(" {}", envelope["payload"].as_str().unwrap()).into(),
        "SIG_INVALID",
    ),
    (
        "writes the type in letters that look alike",
        |envelope| envelope["payloadType"] = "\u{430}pplication/vnd.in-toto+json".into(),
        "SIG_INVALID TYPE_CONFUSION",
    ),
];

#[test]
fn no_retouched_envelope_is_believed() {
    let expected = Expected { trusted: vec![trusted(&key(1))], max_age_s: Some(DAY_S), ..Expected::default() };
    for (what, work, codes) in RETOUCHES {
        let forged = Forged::new();
        let mut envelope = serde_json::to_value(signed_with(&forged, &key(1))).unwrap();
        assert_eq!(forged.codes(&expected), [""; 0]);
        work(&mut envelope);
        forged.write(Slot::TestResult.file(), &envelope.to_string());
        assert_eq!(forged.codes(&expected).join(" "), *codes, "{what}");
    }
    let forged = Forged::new();
    signed_with(&forged, &key(1));
    forged.edit(Slot::TestResult.file(), |text| text.replacen('{', "{\"note\":1,\"note\":2,", 1));
    assert_eq!(forged.codes(&expected).join(" "), "SIG_INVALID", "a key twice");
}

/// Every number of a JSON text, as a path of keys and places.
fn numbers(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::Number(_) => found.push(at.to_owned()),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(nth, item)| numbers(item, &format!("{at}/{nth}"), found));
        }
        Value::Object(map) => map.iter().for_each(|(key, item)| numbers(item, &format!("{at}/{key}"), found)),
        _ => {}
    }
}

#[test]
fn numbers_as_large_as_they_get_are_no_trouble_for_whoever_verifies() {
    let forged = super::rejudged::red();
    let whole: Vec<Value> = {
        let text = fs::read_to_string(forged.path("events.jsonl")).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let mut places = BTreeSet::new();
    for event in &whole {
        let mut found = Vec::new();
        numbers(event, "", &mut found);
        let of_chain = ["/seq", "/mono_us"];
        let own = found.into_iter().filter(|at| !of_chain.contains(&at.as_str()));
        places.extend(own.map(|at| (event["type"].as_str().unwrap().to_owned(), at)));
    }
    assert!(places.len() > 10, "{places:?}");
    for (kind, at) in places {
        let mut events = whole.clone();
        let own = events.iter_mut().filter(|event| event["type"] == kind.as_str());
        own.filter_map(|event| event.pointer_mut(&at)).for_each(|number| *number = u64::MAX.into());
        let lines: String = events.iter().map(|event| format!("{event}\n")).collect();
        forged.write("events.jsonl", &lines);
        forged.relink();
        let judged = std::panic::catch_unwind(|| forged.verify(&Expected::default()).text());
        assert!(judged.is_ok(), "{at} of {kind}");
    }
}
