//! Evidence is judged: what was sealed verifies, and whoever touches it is caught, with the right code.
#![allow(clippy::unwrap_used)] // the helpers of tests are tests

mod decided;
mod forged;
mod kept;
mod others;
mod planted;
mod rejudged;
mod release;
mod released;
mod schemas;
mod shards;
mod signed;
mod signoffs;
mod sly;
mod stored;

use forged::Forged;
use rehearsal::gate::{Code, Expected, Family, Status};
use rehearsal::model::{Body, Event, Outcome, Phase, ReportAge, Verdict};
use std::collections::BTreeSet;
use std::fs;

/// Somebody at work on a copy of a good bundle, who is found out by exactly these codes.
struct Attack {
    what: &'static str,
    codes: &'static [&'static str],
    work: fn(&Forged),
}

const fn attack(what: &'static str, codes: &'static [&'static str], work: fn(&Forged)) -> Attack {
    Attack { what, codes, work }
}

const DAY_S: i64 = 24 * 60 * 60;
const CASE: &str = "survives/0001-";

fn is_injured(event: &Event) -> bool {
    event.body.case().is_some_and(|case| case.starts_with(CASE))
}

/// Puts an event where the step of the first uninjured run has ended.
fn after_golden_step(forged: &Forged, body: impl Fn(String) -> Body) {
    forged.events(|events| {
        let is_end =
            |event: &Event| matches!(&event.body, Body::StepFinished { case, .. } if case.ends_with("golden-1"));
        let at = events.iter().position(is_end).unwrap();
        let body = body(events[at].body.case().unwrap().to_owned());
        events.insert(at + 1, Event { body, ..events[at].clone() });
    });
    forged.derive();
}

fn at_time(forged: &Forged, t: &str) {
    forged.events(|events| events.iter_mut().for_each(|event| event.t = t.to_owned()));
    forged.derive();
}

const ATTACKS: &[Attack] = &[
    attack("changes a file", &["SUM_MISMATCH"], |forged| {
        forged.edit("environment.json", |text| text + " ");
    }),
    attack("says that it ran on another commit", &["DERIVED_MISMATCH"], |forged| {
        let other = format!("\"checkout\":{{\"clean\":true,\"commit\":\"{}\"}}", "b".repeat(40));
        forged.edit("environment.json", |text| text.replace("\"checkout\":null", &other)).sum();
    }),
    attack("changes a report", &["SUM_MISMATCH", "DERIVED_MISMATCH"], |forged| {
        forged.edit("junit.xml", |text| text.replace("rehearsal", "reversal"));
    }),
    attack("changes a report and the sums", &["DERIVED_MISMATCH"], |forged| {
        forged.edit("report.json", |text| text.replace("\"tier\":\"quick\"", "\"tier\":\"full\"")).sum();
    }),
    attack("changes the instructions to verify it", &["DERIVED_MISMATCH"], |forged| {
        forged.edit("README.txt", |text| text.replace("sha256sum -c", "true")).sum();
    }),
    attack("changes a sum", &["SUM_MISMATCH"], |forged| {
        forged.edit("SHA256SUMS", |text| {
            text.replacen(&text[..4], if &text[..4] == "0000" { "1111" } else { "0000" }, 1)
        });
    }),
    attack("removes the sums", &["FILE_MISSING"], |forged| {
        forged.remove("SHA256SUMS");
    }),
    attack("writes the sums in another order", &["SCHEMA"], |forged| {
        forged.edit("SHA256SUMS", |text| text.lines().rev().map(|line| format!("{line}\n")).collect());
    }),
    // The page says on what it ran.
    attack("removes a file", &["FILE_MISSING", "DERIVED_MISMATCH"], |forged| {
        forged.remove("environment.json");
    }),
    attack("removes a file and its sum", &["FILE_MISSING"], |forged| {
        forged.remove("plan.json").sum();
    }),
    attack("removes a state and its sum", &["FILE_MISSING", "DERIVED_MISMATCH"], |forged| {
        // Reports count rows of states.
        for state in forged.states().keys() {
            forged.remove(&format!("states/{state}.json"));
        }
        forged.sum();
    }),
    attack("adds a file", &["FILE_EXTRA"], |forged| {
        forged.write("notes.txt", "all is well\n");
    }),
    attack("adds a file and its sum", &["FILE_EXTRA"], |forged| {
        forged.write("notes.txt", "all is well\n").sum();
    }),
    attack("adds a log of a case that never was", &["FILE_EXTRA"], |forged| {
        forged.write("cases/survives/0009-aaaaaa/run-copy.stdout.log", "done\n").sum();
    }),
    attack("puts a link in place of a file", &["FILE_MISSING", "SPECIAL_FILE", "DERIVED_MISMATCH"], |forged| {
        let (path, away) = (forged.path("environment.json"), forged.root().with_extension("away"));
        fs::rename(&path, &away).unwrap();
        std::os::unix::fs::symlink(&away, &path).unwrap();
    }),
    attack("adds a name that a shell stumbles over", &["SPECIAL_FILE"], |forged| {
        forged.write("states/a b.json", "{}");
    }),
    attack("changes a word of the journal", &["CHAIN_BROKEN"], |forged| {
        forged
            .lines(|lines| {
                for line in lines {
                    *line = line.replace("one transaction", "a transaction");
                }
            })
            .sum();
    }),
    attack("leaves a line out", &["CHAIN_BROKEN"], |forged| {
        forged.lines(|lines| drop(lines.remove(5))).sum();
    }),
    attack("doubles a line", &["CHAIN_BROKEN"], |forged| {
        forged.lines(|lines| lines.insert(5, lines[5].clone())).sum();
    }),
    attack("exchanges two lines", &["CHAIN_BROKEN"], |forged| {
        forged.lines(|lines| lines.swap(5, 6)).sum();
    }),
    attack("adds a line after the end", &["CHAIN_BROKEN"], |forged| {
        forged.events(|events| events.push(events[1].clone())).sum();
    }),
    attack("cuts the end off", &["CHAIN_TRUNCATED"], |forged| {
        forged.lines(|lines| drop(lines.pop())).sum();
    }),
    attack("tears the last line", &["CHAIN_TRUNCATED"], |forged| {
        forged.edit("events.jsonl", |text| text[..text.len() - 9].to_owned()).sum();
    }),
    attack("says that it is of another format", &["SCHEMA"], |forged| {
        forged.edit("plan.json", |text| text.replace("\"format\":1", "\"format\":2")).sum();
    }),
    attack("writes what is no JSON", &["SCHEMA", "DERIVED_MISMATCH"], |forged| {
        forged.write("environment.json", "{").sum();
    }),
    attack("makes the run better than its scenario", &["DERIVED_MISMATCH"], |forged| {
        forged.events(|events| {
            for event in events {
                if let Body::ScenarioFinished { verdict, .. } = &mut event.body {
                    *verdict = Verdict::Fail;
                }
            }
        });
        forged.derive();
    }),
    attack("makes a scenario better than its cases", &["DERIVED_MISMATCH"], |forged| {
        forged.events(|events| {
            for event in events {
                if let Body::CaseFinished { outcome, .. } = &mut event.body {
                    *outcome = Outcome::Lied;
                }
            }
        });
        forged.derive();
    }),
    attack("gives the outcome another digest", &["DERIVED_MISMATCH"], |forged| {
        forged.derive().events(|events| {
            if let Some(Body::RunFinished { outcome_sha256, .. }) = events.last_mut().map(|last| &mut last.body) {
                *outcome_sha256 = "0".repeat(64);
            }
        });
        forged.report().sum();
    }),
    attack("changes what a database held", &["DERIVED_MISMATCH"], |forged| {
        let state = forged.a_state();
        forged.edit(&state, |text| text.replace("\"rows\":", "\"rows\":1")).sum();
    }),
    attack("drops a case and derives everything anew", &["PLAN_INCOMPLETE"], |forged| {
        forged.events(|events| events.retain(|event| !is_injured(event))).derive();
    }),
    attack("drops a scenario and derives everything anew", &["PLAN_INCOMPLETE"], |forged| {
        forged.edit("plan.json", |text| text.replace("\"survives\"", "\"survives\",\"survives-not\"")).derive();
    }),
    attack("drops a scenario from the plan", &["PLAN_INCOMPLETE"], |forged| {
        forged.edit("plan.json", |text| text.replace("\"survives\"", "")).sum();
    }),
    attack("lets a case end twice", &["PLAN_INCOMPLETE"], |forged| {
        forged.events(|events| {
            let is_end = |event: &Event| is_injured(event) && matches!(event.body, Body::CaseFinished { .. });
            let at = events.iter().position(is_end).unwrap();
            events.insert(at + 1, events[at].clone());
        });
        forged.derive();
    }),
    attack("takes the proof away that a fault struck", &["FAULT_NOT_FIRED"], |forged| {
        forged.events(|events| events.retain(|event| !matches!(event.body, Body::FaultFired { .. }))).derive();
    }),
    attack("asks fewer questions", &["CATALOGUE_DOWNGRADED"], |forged| {
        forged.edit("plan.json", |text| text.replace(",\"parity\"", "")).sum();
    }),
    attack("knows fewer faults", &["CATALOGUE_DOWNGRADED"], |forged| {
        forged.edit("plan.json", |text| text.replace("\"net.lostack\",", "")).sum();
    }),
    attack("lets a report say that it failed", &["CLAIM_MISMATCH"], |forged| {
        after_golden_step(forged, |case| Body::Claim {
            case,
            step: "copy".to_owned(),
            phase: Phase::Plan,
            ok: Some(false),
            note: "status = error".to_owned(),
        });
    }),
    attack("rests on a report of an earlier run", &["CLAIM_STALE"], |forged| {
        after_golden_step(forged, |case| {
            Body::Report(ReportAge {
                case,
                step: "copy".to_owned(),
                phase: Phase::Plan,
                began: "2026-11-29T10:00:00.000000Z".to_owned(),
                written: "2026-11-28T10:00:00.000000Z".to_owned(),
                stamps: std::collections::BTreeMap::new(),
            })
        });
    }),
    attack("leaves a password in a log", &["SECRET_LEAK"], |forged| {
        let case = case_dir(forged);
        forged.write(&format!("{case}/run-copy.stderr.log"), "cannot reach postgres://app:open-sesame@db/live\n").sum();
    }),
    attack(
        "says that another version has written what it has changed",
        &["OTHER_VERSION"],
        decided::of_another_version,
    ),
    attack("shows a run of last year", &["STALE"], |forged| at_time(forged, "2025-11-29T10:00:00.000000Z")),
    attack("shows a run of next year", &["FROM_FUTURE"], |forged| at_time(forged, "2999-11-29T10:00:00.000000Z")),
];

/// The folder of the injured case.
fn case_dir(forged: &Forged) -> String {
    let events = rehearsal::evidence::read(&forged.path("events.jsonl")).unwrap();
    let case = events.iter().filter(|event| is_injured(event)).find_map(|event| event.body.case()).unwrap();
    format!("cases/{case}")
}

fn of_today() -> Expected {
    Expected { max_age_s: Some(DAY_S), ..Expected::default() }
}

fn strictly() -> Expected {
    Expected { strict: true, ..of_today() }
}

#[test]
fn what_was_sealed_verifies_also_strictly() {
    let verification = Forged::new().verify(&strictly());
    assert_eq!(verification.complaints, []);
    assert_eq!((verification.status(), verification.verdict()), (Status::Verified, Verdict::Pass));
    assert_eq!(verification.root_sha256.map(|root| root.len()), Some(64));
}

#[test]
fn a_copy_that_is_derived_and_summed_anew_is_the_same_bundle() {
    let forged = Forged::new();
    let before = forged.verify(&strictly()).root_sha256;
    assert_eq!(forged.derive().verify(&strictly()).root_sha256, before, "the forger's tools are not right");
}

#[test]
fn each_attack_is_found_out_by_its_code() {
    let mut wrong = String::new();
    for Attack { what, codes, work } in ATTACKS {
        let forged = Forged::new();
        work(&forged);
        let found = forged.codes(&of_today());
        if found != *codes {
            wrong += &format!("{what}: {found:?} {}\n", forged.verify(&of_today()).text());
        }
        assert_ne!(forged.verify(&of_today()).status(), Status::Verified, "{what}");
        assert_ne!(forged.verify(&of_today()).verdict(), Verdict::Pass, "{what}");
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn every_code_has_an_attack_and_every_family_a_code() {
    let signed = signed::ATTACKS.iter().flat_map(|(_, codes, _)| *codes);
    let signoffs = signoffs::ATTACKS.iter().flat_map(|(_, codes, _)| *codes);
    let stored = stored::BADS.iter().map(|(code, _, _)| code);
    let attacks = ATTACKS.iter().flat_map(|attack| attack.codes);
    let attacked: BTreeSet<&str> = attacks.chain(signed).chain(signoffs).chain(stored).copied().collect();
    let all: BTreeSet<String> = Code::ALL.iter().map(|code| code.word()).collect();
    assert_eq!(attacked, all.iter().map(String::as_str).collect());
    for family in Family::ALL {
        assert!(Code::ALL.iter().any(|code| code.family() == family), "{family}");
        assert!(!family.remedy().is_empty());
    }
    for code in Code::ALL {
        assert_eq!(serde_json::to_value(code).unwrap(), code.word());
    }
}

#[test]
fn fields_of_a_later_version_are_passed_over_unless_it_is_strict() {
    let forged = Forged::new();
    forged.edit("plan.json", |text| text.replacen('{', "{\"colour\":1,", 1)).sum();
    assert_eq!(forged.codes(&Expected::default()), [""; 0]);
    assert_eq!(forged.codes(&strictly()), ["SCHEMA"]);
    let forged = Forged::new();
    forged.events(|_| ()).lines(|lines| {
        let (before, last) = (lines.len() - 1, lines.pop().unwrap());
        assert_eq!(lines.len(), before);
        lines.push(last.replacen('{', "{\"colour\":1,", 1));
    });
    forged.sum();
    assert_eq!(forged.codes(&Expected::default()), [""; 0]);
    assert_eq!(forged.codes(&strictly()), ["SCHEMA"]);
}

#[test]
fn a_runner_that_dies_at_any_byte_leaves_an_incomplete_bundle_and_never_a_green_one() {
    let whole = fs::read(Forged::new().path("events.jsonl")).unwrap();
    let forged = Forged::new();
    for report in rehearsal::report::REPORTS {
        forged.remove(report.file());
    }
    forged.remove("SHA256SUMS");
    let cuts = (0..whole.len()).step_by(whole.len() / 40).chain([whole.len() - 1, whole.len()]);
    for cut in cuts {
        fs::write(forged.path("events.jsonl"), &whole[..cut]).unwrap();
        let verification = forged.verify(&Expected::default());
        assert_eq!(verification.status(), Status::Incomplete, "cut at {cut}: {}", verification.text());
        assert_eq!(verification.verdict(), Verdict::Unknown);
    }
    fs::write(forged.path("SHA256SUMS.part"), "0").unwrap();
    assert_eq!(forged.verify(&Expected::default()).status(), Status::Incomplete, "between the sums and their name");
}

/// With all that is written otherwise somewhere.
const SECRET: &str = "p\"ss&w/rd é?";

/// As it stands in eight encodings: raw, percent, JSON, XML, hex in both cases, base64 with and without its end.
const ENCODINGS: [&str; 8] = [
    SECRET,
    "p%22ss%26w%2Frd%20%C3%A9%3F",
    "p\\\"ss&w\\/rd \\u00e9?",
    "p&quot;ss&amp;w/rd &#233;?",
    "7022737326772f726420c3a93f",
    "7022737326772F726420C3A93F",
    "cCJzcyZ3L3JkIMOpPw==",
    "cCJzcyZ3L3JkIMOpPw",
];

#[test]
fn a_password_is_found_in_all_eight_encodings() {
    for text in ENCODINGS {
        let forged = Forged::new();
        let case = case_dir(&forged);
        forged.write(&format!("{case}/run-copy.stdout.log"), &format!("said {text} and more\n")).sum();
        let expected = Expected { secrets: vec![SECRET.to_owned()], ..Expected::default() };
        assert_eq!(forged.codes(&expected), ["SECRET_LEAK"], "{text}");
        assert!(!forged.verify(&expected).text().contains(SECRET), "it is told on");
    }
}

#[test]
fn the_answer_names_what_where_and_what_to_do() {
    let forged = Forged::new();
    forged.edit("junit.xml", |text| text.replace("tests=\"3\"", "tests=\"4\"")).sum();
    let verification = forged.verify(&Expected::default());
    let text = verification.text();
    for part in [
        "DERIVED_MISMATCH  junit.xml\n  expected  what events.jsonl",
        "integrity: fetch the bundle again",
        "evidence  invalid",
    ] {
        assert!(text.contains(part), "{part} is not in: {text}");
    }
    let json = verification.json();
    assert_eq!((&json["status"], &json["verdict"]), (&"invalid".into(), &"unknown".into()));
    assert_eq!(json["complaints"][0]["code"], "DERIVED_MISMATCH");
}

#[test]
fn the_command_has_the_exit_codes_of_the_contract() {
    let forged = Forged::new();
    let verify = |args: &[&str]| {
        let root = forged.root().display().to_string();
        let env = std::env::vars_os().collect();
        crate::cli::run(&forged.root(), &env, &[&[env!("CARGO_BIN_EXE_rehearse"), "verify", &root], args].concat())
    };
    verify(&[]).has(0, "verified; the run is GO");
    verify(&["--strict", "--max-age", "7d", "--secret-env", "PATH"]).has(0, "verified");
    verify(&["--format", "json"]).has(0, "\"status\":\"verified\"");
    verify(&["--secret-env", "NO_SUCH_VARIABLE"]).has(2, "NO_SUCH_VARIABLE");
    fs::remove_file(forged.path("plan.json")).unwrap();
    verify(&[]).has(3, "FILE_MISSING plan.json");
    verify(&["--format", "json"]).has(3, "\"status\":\"invalid\"");
}
