//! `junit.xml`: one testsuite per scenario, one testcase per case, in the strict subset of Jenkins' `junit-10.xsd`.
//!
//! A failed case is a `failure`, an unknown one an `error`; a canary that turned red as planned is neither.
//! Absent on purpose: timestamps and hosts, and `skipped`, because what was not shown is not harmless.

use super::case::{log, place, run_again, took_us, word};
use super::diagnosis::diagnosis;
use super::{Report, Tally};
use crate::model::{CaseRecord, RunRecord, ScenarioRecord, States, Verdict};
use std::fmt::Write;

const MAX_OUTPUT_BYTES: usize = 64 * 1024;

/// Writes `junit.xml`.
pub struct Junit;

impl Report for Junit {
    fn name(&self) -> &'static str {
        "junit"
    }

    fn file(&self) -> &'static str {
        "junit.xml"
    }

    fn render(&self, record: &RunRecord, states: &States) -> Vec<u8> {
        let suites: Vec<Suite> =
            record.scenarios.iter().map(|scenario| suite(scenario, states)).chain(unfinished(record, states)).collect();
        let sum = |count: fn(&Suite) -> usize| suites.iter().map(count).sum::<usize>();
        let (tests, failures, errors) = (sum(Suite::tests), sum(Suite::failures), sum(Suite::errors));
        let mut xml = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned();
        xml += &format!(
            "<testsuites name=\"rehearsal\" tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\" time=\"{}\">\n",
            seconds(record.duration_us)
        );
        xml.extend(suites.iter().map(Suite::render));
        (xml + "</testsuites>\n").into_bytes()
    }
}

struct Suite {
    name: String,
    duration_us: u64,
    properties: Vec<(&'static str, String)>,
    tests: Vec<Test>,
}

struct Test {
    name: String,
    duration_us: u64,
    /// Verdict, type, message, body of what is not green.
    bad: Option<(Verdict, String, String, String)>,
    output: String,
}

fn suite(scenario: &ScenarioRecord, states: &States) -> Suite {
    let mut tests: Vec<Test> = scenario.cases.values().map(|case| test(scenario, case, states)).collect();
    let verdict = scenario.verdict.unwrap_or(Verdict::Unknown);
    // The scenario may know more than its cases: a canary that stayed green, a target that is missing.
    if verdict > tests.iter().filter_map(Test::verdict).max().unwrap_or(Verdict::Pass) {
        tests.push(whole(scenario, verdict));
    }
    Suite {
        name: scenario.scenario.clone(),
        duration_us: scenario.verdict.map_or(0, |_| scenario.duration_us),
        properties: vec![
            ("about", scenario.about.clone()),
            ("dataset", scenario.dataset.clone()),
            ("seed", scenario.seed.to_string()),
            ("dataset_sha256", scenario.dataset_sha256.clone()),
            ("tool_sha256", scenario.tool_sha256.clone()),
        ],
        tests,
    }
}

fn test(scenario: &ScenarioRecord, case: &CaseRecord, states: &States) -> Test {
    let name = place(case);
    let (kind, meaning) = word(case);
    let red = case.verdict() != Verdict::Pass;
    let mut output = format!("{}: {kind}, {meaning}\n", case.case);
    if let (true, Some(expect)) = (red, &scenario.expect) {
        output += &format!("a canary: it has to turn red: {}\n", expect.red.join(", "));
        output += &diagnosis(scenario, case, states, "");
    }
    output.extend(log(case).into_iter().map(|line| line + "\n"));
    let bad = (red && scenario.expect.is_none())
        .then(|| (case.verdict(), kind.to_owned(), meaning.to_owned(), diagnosis(scenario, case, states, "")));
    Test { name, duration_us: took_us(case).unwrap_or(0), bad, output }
}

fn whole(scenario: &ScenarioRecord, verdict: Verdict) -> Test {
    let why = if scenario.why.is_empty() { "the scenario did not finish" } else { &scenario.why };
    let next = format!("next: {}\n", run_again(scenario));
    let bad = Some((verdict, verdict.headline().to_owned(), why.to_owned(), next));
    Test { name: "scenario".to_owned(), duration_us: 0, bad, output: String::new() }
}

/// A run that did not finish, or that says worse of itself than all its scenarios, is not green here either.
fn unfinished(record: &RunRecord, states: &States) -> Option<Suite> {
    let verdict = Tally::of(record, states).verdict;
    let shown = record.scenarios.iter().map(|scenario| scenario.verdict.unwrap_or(Verdict::Unknown)).max();
    (verdict > shown.unwrap_or(Verdict::Pass)).then(|| {
        let why = match record.verdict {
            None => "the run did not finish",
            Some(_) => "the run as a whole is not green",
        };
        let bad = Some((verdict, verdict.headline().to_owned(), why.to_owned(), record.notes.join("\n")));
        let test = Test { name: "run".to_owned(), duration_us: 0, bad, output: String::new() };
        Suite { name: "run".to_owned(), duration_us: 0, properties: Vec::new(), tests: vec![test] }
    })
}

impl Suite {
    fn tests(&self) -> usize {
        self.tests.len()
    }

    fn failures(&self) -> usize {
        self.tests.iter().filter(|test| test.verdict() == Some(Verdict::Fail)).count()
    }

    fn errors(&self) -> usize {
        self.tests.iter().filter(|test| test.verdict() == Some(Verdict::Unknown)).count()
    }

    fn render(&self) -> String {
        let mut xml = format!(
            "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"{}\" time=\"{}\">\n",
            attribute(&self.name),
            self.tests(),
            self.failures(),
            self.errors(),
            seconds(self.duration_us)
        );
        if !self.properties.is_empty() {
            xml += "    <properties>\n";
            for (name, value) in &self.properties {
                xml += &format!("      <property name=\"{name}\" value=\"{}\"/>\n", attribute(value));
            }
            xml += "    </properties>\n";
        }
        xml.extend(self.tests.iter().map(|test| test.render(&self.name)));
        xml + "  </testsuite>\n"
    }
}

impl Test {
    fn verdict(&self) -> Option<Verdict> {
        self.bad.as_ref().map(|(verdict, ..)| *verdict)
    }

    fn render(&self, suite: &str) -> String {
        let mut xml = format!(
            "    <testcase name=\"{}\" classname=\"{}\" time=\"{}\">\n",
            attribute(&self.name),
            attribute(&suite.replace('/', ".")),
            seconds(self.duration_us)
        );
        if let Some((verdict, kind, message, body)) = &self.bad {
            let element = if *verdict == Verdict::Fail { "failure" } else { "error" };
            let (kind, message) = (attribute(kind), attribute(message));
            xml += &format!(
                "      <{element} type=\"{kind}\" message=\"{message}\">{}</{element}>\n",
                bounded(&content(body.trim_start()))
            );
        }
        if !self.output.is_empty() {
            xml += &format!("      <system-out>{}</system-out>\n", bounded(&content(&self.output)));
        }
        xml + "    </testcase>\n"
    }
}

/// `12.345`, as the schema's pattern wants it.
fn seconds(us: u64) -> String {
    format!("{}.{:03}", us / 1_000_000, us / 1_000 % 1_000)
}

/// Text between tags.
fn content(text: &str) -> String {
    let mut xml = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => xml.push_str("&amp;"),
            '<' => xml.push_str("&lt;"),
            '>' => xml.push_str("&gt;"),
            '\r' => xml.push_str("&#13;"),
            '\n' | '\t' | ' '..='\u{7e}' | '\u{a0}'..='\u{fffd}' | '\u{10000}'.. => xml.push(c),
            // Not a character of XML 1.0, or one that it discourages: shown, never passed on.
            _ => write!(xml, "\\u{{{:x}}}", u32::from(c)).expect("writing to a string does not fail"),
        }
    }
    xml
}

/// Text between double quotes; line ends would be read as spaces.
fn attribute(text: &str) -> String {
    content(text).replace('"', "&quot;").replace('\n', "&#10;").replace('\t', "&#9;")
}

/// At most 64 KiB of escaped text, cut between two lines or, failing that, before an escape.
fn bounded(xml: &str) -> String {
    const CUT: &str = "\n... cut at 64 KiB, the rest is in events.jsonl\n";
    if xml.len() <= MAX_OUTPUT_BYTES {
        return xml.to_owned();
    }
    let head = &xml[..xml.floor_char_boundary(MAX_OUTPUT_BYTES - CUT.len())];
    let end = head.rfind('\n').or_else(|| head.rfind('&')).unwrap_or(head.len());
    format!("{}{CUT}", &head[..end])
}
