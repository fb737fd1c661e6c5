//! What the reports say of runs that were made by hand.
#![allow(clippy::unwrap_used)] // the helpers of tests are tests

mod page;
mod script;

use rehearsal::model::{Body, Outcome, RunRecord, Verdict};
use rehearsal::report::{Live, REPORTS, Report, annotations, summary};
use rstest::rstest;
use script::{BUNDLE, Case, KILL, Script, address, golden, killed, red_run, runs, states};

fn render(name: &str, record: &RunRecord) -> String {
    let report: &dyn Report = *REPORTS.iter().find(|report| report.name() == name).unwrap();
    String::from_utf8(report.render(record, &states())).unwrap()
}

#[test]
fn the_summary_says_what_a_person_needs_at_night() {
    for (name, record) in runs() {
        insta::assert_snapshot!(format!("terminal_{name}"), summary(&record, &states(), BUNDLE, false));
    }
}

#[test]
fn junit_is_what_a_ci_server_shows() {
    for (name, record) in runs() {
        insta::assert_snapshot!(format!("junit_{name}"), render("junit", &record));
    }
}

#[test]
fn the_json_report_of_a_red_run() {
    let report: serde_json::Value = serde_json::from_str(&render("json", &red_run())).unwrap();
    insta::assert_snapshot!("json_red", serde_json::to_string_pretty(&report).unwrap());
}

#[test]
fn the_summary_is_ascii_and_no_line_but_a_command_is_wider_than_100_columns() {
    for (name, record) in runs() {
        let text = summary(&record, &states(), BUNDLE, false);
        assert!(text.is_ascii(), "{name}");
        for line in text.lines().filter(|line| !line.contains("  next ") && !line.contains("  verify ")) {
            assert!(line.len() <= 100, "{name}: {line}");
        }
    }
}

#[test]
fn colour_adds_nothing_but_colour() {
    for (name, record) in runs() {
        let coloured = summary(&record, &states(), BUNDLE, true);
        assert!(coloured.contains("\u{1b}["), "{name}");
        assert_eq!(anstream::adapter::strip_str(&coloured).to_string(), summary(&record, &states(), BUNDLE, false));
    }
}

#[test]
fn annotations_are_what_github_puts_beside_the_files() {
    for (name, record) in runs() {
        let lines = annotations(&record, |scenario| format!("scenarios/{scenario}.toml"));
        insta::assert_snapshot!(format!("annotations_{name}"), lines.join("\n"));
    }
}

#[test]
fn a_text_of_a_tool_begins_no_annotation_of_its_own_and_the_eleventh_is_counted() {
    let mut script = Script::run();
    script.scenario(KILL, None).planned(KILL, "proc.kill", 13, 13);
    for nth in 1..=13 {
        let name = format!("{nth:04}-9c1e03");
        script.case(&Case { outcome: Outcome::Lied, ..killed(KILL, &name, &address(nth)) });
    }
    let record = script.end(KILL, Verdict::Fail, "").scenario("a,b", None).finish(Verdict::Fail);
    let lines = annotations(&record, |_| "x:y\n::error::z".to_owned());
    let errors: Vec<&String> = lines.iter().filter(|line| line.starts_with("::error")).collect();
    assert_eq!((errors.len(), lines.iter().any(|line| line.contains('\n'))), (10, false), "{lines:?}");
    assert!(errors[9].starts_with("::error title=and 4 more::"), "{}", errors[9]);
    assert!(errors[0].starts_with("::error file=x%3Ay%0A%3A%3Aerror%3A%3Az,title="), "{}", errors[0]);
    assert!(
        lines.iter().any(|line| line.starts_with("::warning") && line.contains("title=a%2Cb%3A unknown")),
        "{lines:?}"
    );
}

#[test]
fn after_ten_red_cases_the_rest_is_counted() {
    let mut script = Script::run();
    script.scenario(KILL, None).planned(KILL, "proc.kill", 13, 13);
    for nth in 1..=13 {
        let (name, address) = (format!("{nth:04}-9c1e03"), address(nth));
        let outcome = if nth == 13 { Outcome::Lied } else { Outcome::NotFired };
        script.case(&Case { outcome, ..killed(KILL, &name, &address) });
    }
    let record = script.end(KILL, Verdict::Fail, "").finish(Verdict::Fail);
    let text = summary(&record, &states(), BUNDLE, false);
    assert_eq!(text.matches("rehearse replay r1:").count(), 10);
    assert!(text.contains(&format!("\nand 3 more, see {BUNDLE}/report.json\n")), "{text}");
    let (lied, not_fired) = (text.find("LIED  one-db").unwrap(), text.find("NOT-FIRED  one-db").unwrap());
    assert!(lied < not_fired, "what failed stands before what is unknown");
}

#[test]
fn a_run_that_claims_to_be_green_over_a_red_scenario_is_red() {
    let mut script = Script::run();
    script.scenario(KILL, None).end(KILL, Verdict::Fail, "");
    let record = script.finish(Verdict::Pass);
    assert!(summary(&record, &states(), BUNDLE, false).starts_with("NO-GO"));
    assert!(render("json", &record).contains("\"exit_code\":1"));
    assert!(render("junit", &record).contains("failures=\"1\""));
}

#[test]
fn a_run_in_which_nothing_happened_is_not_green() {
    let record = Script::run().record();
    assert!(summary(&record, &states(), BUNDLE, false).starts_with("INCONCLUSIVE  nothing was asked\n"));
    assert!(render("junit", &record).contains("errors=\"1\""));
}

// ---- junit, judged without our own emitter

/// The part of `junit-10.xsd` that we use: element, parents, attributes (with `!` the required ones), text allowed.
const SCHEMA: [(&str, &[&str], &[&str], bool); 8] = [
    ("testsuites", &[""], &["name", "tests", "failures", "errors", "time"], false),
    ("testsuite", &["testsuites"], &["!name", "!tests", "!failures", "!errors", "time"], false),
    ("properties", &["testsuite"], &[], false),
    ("property", &["properties"], &["!name", "!value"], false),
    ("testcase", &["testsuite"], &["!name", "classname", "time"], false),
    ("failure", &["testcase"], &["type", "message"], true),
    ("error", &["testcase"], &["type", "message"], true),
    ("system-out", &["testcase"], &[], true),
];

/// Walks the tags and panics at the first thing that the schema does not allow.
fn check_junit(xml: &str) {
    let mut rest = xml.strip_prefix("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n").unwrap();
    let mut open: Vec<&str> = vec![""];
    while let Some(begin) = rest.find('<') {
        let (text, tag) = rest.split_at(begin);
        let may_hold_text = SCHEMA.iter().any(|row| row.0 == *open.last().unwrap() && row.3);
        assert!(text.trim().is_empty() || may_hold_text, "text {text:?} in {open:?}");
        check_text(text);
        let end = tag.find('>').unwrap();
        check_tag(&tag[1..end], &mut open);
        rest = &tag[end + 1..];
    }
    assert_eq!((open, rest), (vec![""], "\n"));
}

fn check_tag<'a>(tag: &'a str, open: &mut Vec<&'a str>) {
    if let Some(name) = tag.strip_prefix('/') {
        assert_eq!(open.pop(), Some(name));
        return;
    }
    let (tag, closed) = tag.strip_suffix('/').map_or((tag, false), |tag| (tag, true));
    let (name, mut attributes) = tag.split_once(' ').unwrap_or((tag, ""));
    let (_, parents, allowed, _) = SCHEMA.iter().find(|row| row.0 == name).unwrap_or_else(|| panic!("<{name}>"));
    assert!(parents.contains(open.last().unwrap()), "<{name}> in {open:?}");
    let mut seen = Vec::new();
    while let Some((key, rest)) = attributes.split_once("=\"") {
        let (value, rest) = rest.split_once('"').unwrap();
        assert!(allowed.iter().any(|one| one.trim_start_matches('!') == key), "{key} in <{name}>");
        assert!(!seen.contains(&key) && !value.contains(['\n', '\t']), "{key}=\"{value}\"");
        check_text(value);
        if key == "time" {
            let (whole, part) = value.split_once('.').unwrap();
            assert!(part.len() == 3 && whole.bytes().chain(part.bytes()).all(|b| b.is_ascii_digit()), "{value}");
        }
        seen.push(key);
        attributes = rest.trim_start();
    }
    assert_eq!(attributes, "");
    let required = allowed.iter().filter_map(|one| one.strip_prefix('!'));
    required.for_each(|one| assert!(seen.contains(&one), "{one} missing in <{name}>"));
    if !closed {
        open.push(name);
    }
}

fn check_text(text: &str) {
    assert!(!text.chars().any(|c| c.is_control() && !"\n\t".contains(c)), "{text:?}");
    for entity in text.split('&').skip(1) {
        let name = entity.split(';').next().unwrap();
        assert!(["amp", "lt", "gt", "quot", "#10", "#9", "#13"].contains(&name), "&{name};");
    }
}

#[test]
fn junit_keeps_to_the_schema_and_its_counts_are_true() {
    for (name, record) in runs() {
        let xml = render("junit", &record);
        check_junit(&xml);
        let count = |what: &str| xml.matches(what).count();
        let head = xml.lines().nth(1).unwrap();
        for (attribute, element) in [("tests", "<testcase "), ("failures", "<failure "), ("errors", "<error ")] {
            assert!(head.contains(&format!("{attribute}=\"{}\"", count(element))), "{name}: {attribute} in {head}");
        }
    }
}

#[rstest]
#[case("a\u{0}b\u{1b}c\u{7f}\u{85}\u{fffe}", "a\\u{0}b\\u{1b}c\\u{7f}\\u{85}\\u{fffe}")]
#[case("]]> <script>&amp;", "]]&gt; &lt;script&gt;&amp;amp;")]
#[case("gr\u{fc}n \u{1f600}\r\n", "gr\u{fc}n \u{1f600}&#13;\n")]
fn any_text_is_legal_xml(#[case] text: &str, #[case] escaped: &str) {
    let xml = render("junit", &with_note(text));
    check_junit(&xml);
    assert!(xml.contains(&format!("note: {escaped}")), "{xml}");
}

#[rstest]
#[case::lines("0123456789 & more\n")]
#[case::one_line("&<>")]
#[case::wide("\u{1f600}")]
fn a_long_output_is_cut_at_64_kib_and_stays_legal(#[case] piece: &str) {
    let xml = render("junit", &with_note(&piece.repeat(100_000)));
    check_junit(&xml);
    let output = xml.split_once("<system-out>").unwrap().1.split_once("</system-out>").unwrap().0;
    assert!(output.len() <= 64 * 1024, "{}", output.len());
    assert!(output.ends_with("\n... cut at 64 KiB, the rest is in events.jsonl\n"));
}

fn with_note(text: &str) -> RunRecord {
    let mut script = Script::run();
    script.scenario(KILL, None);
    let case = format!("{KILL}/golden-1");
    let (scenario, address, label, token) = (KILL.to_owned(), None, None, None);
    script.add(Body::CaseStarted { case: case.clone(), scenario, address, label, token });
    script.add(Body::Note { case: Some(case), text: text.to_owned() });
    script.record()
}

#[test]
#[ignore = "other people's programs: .ci/install installs them, .ci/run runs it"]
fn xmllint_agrees_by_a_schema_that_allows_nothing_else() {
    let xmllint = which::which("xmllint").expect("xmllint is missing: .ci/install installs it");
    let dir = tempfile::tempdir().unwrap();
    let schema = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schemas/junit.xsd");
    let judge = |xml: &str| {
        let path = dir.path().join("junit.xml");
        std::fs::write(&path, xml).unwrap();
        let paths = [&xmllint, &schema, &path].map(|path| path.display().to_string());
        let argv = [&paths[0], "--noout", "--schema", &paths[1], &paths[2]];
        crate::cli::run(dir.path(), &std::env::vars_os().collect(), &argv)
    };
    for (name, record) in runs() {
        let xml = render("junit", &record);
        judge(&xml).has(0, "validates");
        let other = xml.replacen("<testcase name=", "<testcase file=\"x\" name=", 1);
        assert!(other == xml || judge(&other).code == Some(3), "{name}: another attribute is let through");
    }
    judge(&render("junit", &with_note("]]> <script>&amp; \u{0}"))).has(0, "validates");
}

// ---- the live line

#[test]
fn the_live_line_tells_scenario_case_faults_red_and_time_left() {
    let mut script = Script::run();
    script.scenario(KILL, None).case(&golden(KILL)).planned(KILL, "proc.kill", 412, 412);
    let (first, second) = (address(1), address(2));
    script.case(&killed(KILL, "0001-9c1e03", &first));
    script.case(&Case { outcome: Outcome::NotFired, ..killed(KILL, "0002-9c1e03", &second) });
    let mut live = Live::new();
    let mut lines = vec![live.line()];
    for event in &script.0 {
        live.add(event);
        if lines.last() != Some(&live.line()) {
            lines.push(live.line());
        }
    }
    insta::assert_snapshot!("live", lines.join("\n"));
}

#[test]
fn a_canary_does_not_count_as_red_while_it_runs() {
    let mut script = Script::run();
    script.scenario("canary/parity", Some(&["parity"])).planned("canary/parity", "proc.kill", 1, 1);
    let address = address(1);
    script.case(&Case { outcome: Outcome::Lied, ..killed("canary/parity", "0001-9c1e03", &address) });
    let mut live = Live::new();
    script.0.iter().for_each(|event| live.add(event));
    assert_eq!(live.line(), "canary/parity  case 1 of 1  1 fired  0 red");
}

#[test]
fn several_scenarios_under_way_are_one_line_with_their_cases_together() {
    let mut script = Script::run();
    script.scenario(KILL, None).planned(KILL, "proc.kill", 10, 10);
    script.scenario("canary/parity", Some(&["parity"])).planned("canary/parity", "proc.kill", 2, 2);
    let address = address(1);
    script.case(&killed(KILL, "0001-9c1e03", &address));
    let line = |script: &Script| {
        let mut live = Live::new();
        script.0.iter().for_each(|event| live.add(event));
        live.line()
    };
    assert!(line(&script).starts_with("one-db/kill-anywhere +1  case 1 of 12  1 fired  0 red"), "{}", line(&script));
    script.end("canary/parity", Verdict::Pass, "");
    assert!(line(&script).starts_with("one-db/kill-anywhere  case 1 of 10  1 fired  0 red"), "{}", line(&script));
}

/// A viewer draws what lies within something else below it, and drops what does not.
#[test]
fn the_trace_has_every_case_once_and_within_it_what_it_did() {
    for (name, record) in runs() {
        let trace: serde_json::Value = serde_json::from_str(&render("trace", &record)).unwrap();
        let events = trace["traceEvents"].as_array().unwrap();
        let of = |category: &str| events.iter().filter(|event| event["cat"] == category).collect::<Vec<_>>();
        let (cases, steps) = (of("case"), of("tool"));
        assert_eq!(cases.len(), record.cases().count(), "{name}");
        let ended = |event: &Body| matches!(event, Body::StepFinished { .. });
        let ends: usize = record.cases().map(|(_, case)| case.events.iter().filter(|event| ended(event)).count()).sum();
        assert_eq!(steps.len(), ends, "{name}");
        let fired = |event: &Body| matches!(event, Body::FaultFired { .. });
        let struck: usize =
            record.cases().map(|(_, case)| case.events.iter().filter(|event| fired(event)).count()).sum();
        assert_eq!(of("fault").len(), struck, "{name}");
        let span = |event: &serde_json::Value| {
            let from = event["ts"].as_u64().unwrap();
            (from, from + event["dur"].as_u64().unwrap_or(0))
        };
        for event in steps.into_iter().chain(of("fault")) {
            let place = |event: &serde_json::Value| (event["pid"].clone(), event["tid"].clone());
            let case = cases.iter().find(|case| place(case) == place(event)).unwrap();
            let ((from, to), (begun, end)) = (span(event), span(case));
            let is_open = case["dur"] == 0;
            assert!(begun <= from && (to <= end || is_open), "{name}: {event} is not within {case}");
        }
    }
}

#[test]
fn every_format_has_its_own_name_and_file() {
    let names: Vec<(&str, &str)> = REPORTS.iter().map(|report| (report.name(), report.file())).collect();
    assert_eq!(
        names,
        [
            ("json", "report.json"),
            ("junit", "junit.xml"),
            ("markdown", "summary.md"),
            ("html", "report.html"),
            ("trace", "trace.json")
        ]
    );
}
