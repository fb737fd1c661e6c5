//! The page for people, and the summary for a CI job: safe, complete, legible, and not too long.

use super::script::{Case, KILL, Script, address, golden, killed, runs};
use super::{render, with_note};
use rehearsal::model::{
    Body, Checkout, Classification, CriteriaSet, Cutover, EnvironmentFile, Moment, Outcome, Phase, Role, RunRecord,
    Verdict,
};
use std::collections::{BTreeMap, BTreeSet};

const HOSTILE: &str = "<script>alert(1)</script> <img src=x onerror=alert(1)> \u{202e}\u{0}";

#[test]
fn the_page_has_no_script_and_asks_the_network_for_nothing() {
    let all = runs().into_iter().map(|(_, record)| record).chain([with_note(HOSTILE)]);
    for record in all {
        let page = render("html", &record);
        for word in ["<script", "<img", "<link", "<iframe", " src=\"", "url(", "@import", "http://", "https://"] {
            assert_eq!(page.find(word), None, "{word}");
        }
        assert!(!page.contains(['\u{202e}', '\u{0}']), "something turns the text around");
    }
}

#[test]
fn every_element_that_is_opened_is_closed_and_every_link_leads_somewhere() {
    for (_, record) in runs() {
        let page = render("html", &record);
        assert_balanced(&page);
        all_links_lead_somewhere(&page);
    }
}

fn all_links_lead_somewhere(page: &str) {
    let ids: Vec<&str> = values(page, "id=\"");
    let known: BTreeSet<&str> = ids.iter().copied().collect();
    assert_eq!(known.len(), ids.len(), "an id twice in {ids:?}");
    for link in values(page, "href=\"#") {
        assert!(known.contains(link), "#{link} leads nowhere");
    }
}

#[test]
fn the_page_and_the_summary_name_what_is_red_and_how_to_repeat_it() {
    let (_, red) = runs().into_iter().find(|(name, _)| *name == "red").unwrap();
    for (report, record) in [("html", &red), ("markdown", &red)] {
        let text = render(report, record);
        for part in ["NO-GO", "LIED", "STUCK", "NOT-FIRED", "rehearse replay r1:", "1/4", "reset"] {
            assert!(text.contains(part), "{part} is not in {report}");
        }
    }
    let page = render("html", &red);
    for part in ["What stands against it", "expected 1020 rows", "postgres 17 was not found", "&lt;&amp;&gt;"] {
        assert!(page.contains(part), "{part} is not in the page");
    }
}

#[test]
fn a_run_that_was_cut_off_is_not_green_for_anybody() {
    let (_, record) = runs().into_iter().find(|(name, _)| *name == "broken_off").unwrap();
    assert!(render("html", &record).contains("The run did not finish"));
    assert!(render("html", &record).contains("<title>INCONCLUSIVE"));
    assert!(render("markdown", &record).starts_with("# ? INCONCLUSIVE"));
}

#[test]
fn two_thousand_cases_fit_into_five_megabytes_and_a_summary_into_the_limit_of_a_ci_job() {
    let mut script = Script::run();
    script.scenario(KILL, None).planned(KILL, "proc.kill", 2000, 2000);
    for nth in 1..=2000 {
        let (name, address) = (format!("{nth:04}-9c1e03"), address(nth));
        script.case(&Case { outcome: Outcome::Lied, ..killed(KILL, &name, &address) });
    }
    script.end(KILL, Verdict::Fail, "");
    let name = "one-db/later";
    let address = address(1);
    script.scenario(name, None).planned(name, "proc.kill", 1, 1);
    script.case(&Case { outcome: Outcome::Lied, ..killed(name, "0001-9c1e03", &address) });
    let record = script.end(name, Verdict::Fail, "").finish(Verdict::Fail);
    let (page, summary) = (render("html", &record), render("markdown", &record));
    all_links_lead_somewhere(&page);
    let against = page.split("<h2 id=\"blocking\">").nth(1).unwrap().split("</ul>").next().unwrap();
    let first = "1 of 1 case; <a href=\"#at-one-db-later-0001-9c1e03\">proc.kill@pg.target:stmt-9c1e03.1</a>: ";
    assert!(against.contains(first), "the first red case of each scenario is told: {against}");
    assert!(page.len() < 5 << 20, "{} bytes", page.len());
    assert!(summary.len() <= 900 << 10, "{} bytes", summary.len());
    assert_balanced(&page);
}

#[test]
fn the_first_screen_says_what_it_is_about_and_what_it_ran_on() {
    let (_, mut record) = runs().into_iter().find(|(name, _)| *name == "red").unwrap();
    let head = |record: &RunRecord| render("html", record).split("<div class=\"facts\">").next().unwrap().to_owned();
    for part in ["flow one-db", "data butlers-small: made from a seed, and no evidence about the content of production"]
    {
        assert!(head(&record).contains(part), "{part}: {}", head(&record));
    }
    assert!(!head(&record).contains("commit"), "nobody has read the file that says so");
    let checkout = Some(Checkout { commit: "c0ffee".repeat(6), clean: false });
    let runner = Some("<carol>".to_owned());
    record.environment = Some(EnvironmentFile { checkout, runner, ..EnvironmentFile::default() });
    for part in ["c0ffeec0ffee", "with changes", "started by &lt;carol&gt;"] {
        assert!(head(&record).contains(part), "{part}: {}", head(&record));
    }
    assert_balanced(&render("html", &record));
}

#[test]
fn the_first_screen_does_not_call_real_rows_made_up() {
    let (_, mut record) = runs().into_iter().find(|(name, _)| *name == "red").unwrap();
    let said = |record: &RunRecord| {
        let page = render("html", record);
        let line = page.lines().find(|line| line.contains("data butlers-small")).unwrap_or_default().to_owned();
        line.split("data butlers-small: ")
            .skip(1)
            .map(|said| said.trim_end_matches("</p>").to_owned())
            .collect::<Vec<_>>()
    };
    record.scenarios.retain(|scenario| scenario.expect.is_none());
    for (classification, words) in [
        (Some(Classification::Confidential), "real; only counts and digests are shown"),
        (Some(Classification::Anonymized), "real once, anonymised; only counts and digests are shown"),
        (None, "of an origin that nobody has stated"),
    ] {
        record.scenarios.iter_mut().for_each(|scenario| scenario.classification = classification);
        assert_eq!(said(&record), [words]);
    }
    record.scenarios[0].classification = Some(Classification::Synthetic);
    assert_eq!(said(&record).len(), 2, "each origin has a line");
    let name = || "x".to_owned();
    let (scenario, step, policy) = (name(), name(), name());
    let (rehearsal_sha256, policy_sha256, left) = (name(), name(), BTreeMap::new());
    record.cutover = Some(Cutover { scenario, step, rehearsal_sha256, policy, policy_sha256, reads_rows: true, left });
    assert!(render("html", &record).contains("<br>data of the live databases</p>"));
}

#[test]
fn a_green_run_that_injured_nothing_says_so() {
    let mut script = Script::run();
    script.scenario(KILL, None).case(&golden(KILL));
    let page = render("html", &script.end(KILL, Verdict::Pass, "").finish(Verdict::Pass));
    assert!(page.contains("<b>none</b>faults were injected") && !page.contains("0/0"), "{page}");
}

#[test]
fn each_step_has_its_times_and_the_budget_that_a_runbook_gives_it() {
    let rule = |id: &str, most_ms: &str| {
        let rule = serde_json::json!({
            "id": id, "stage": "before-cutover", "severity": "block", "quote": "x",
            "observed": { "what": "time_ms run", "op": "<=", "value": most_ms },
        });
        serde_json::from_value(rule).unwrap()
    };
    let rules = vec![rule("OURS-01", "2000"), rule("OURS-02", "1000")];
    let mut script = Script::run();
    script.scenario(KILL, None).add(Body::Criteria(CriteriaSet { scenario: Some(KILL.to_owned()), rules }));
    let address = address(1);
    script.case(&golden(KILL)).case(&killed(KILL, "0001-9c1e03", &address));
    let record = script.end(KILL, Verdict::Pass, "").finish(Verdict::Pass);
    let page = render("html", &record);
    let row = page.split("<tr>").find(|row| row.contains("<td>run</td><td>apply</td>")).expect("no row of the step");
    for part in ["<td>1.2 s</td><td>1.2 s</td>", "OURS-01</b> 2.0 s", "OURS-02</b> 1.0 s", "class=\"fail\""] {
        assert!(row.contains(part), "{part} is not in {row}");
    }
    let report: serde_json::Value = serde_json::from_str(&render("json", &record)).unwrap();
    assert_eq!(report["scenarios"][0]["steps"][0]["median_us"], 1_234_567);
    let criteria = report["criteria"].as_array().unwrap();
    let verdicts: Vec<&str> = criteria.iter().filter_map(|criterion| criterion["verdict"].as_str()).collect();
    assert_eq!(verdicts, ["pass", "fail"]);
    assert!(criteria[1]["observed"]["found"].as_str().unwrap().starts_with("1234"), "{criteria:?}");
}

#[test]
fn all_colours_can_be_told_from_their_ground_in_light_and_dark() {
    let page = render("html", &runs()[0].1);
    let (light, dark) = (colours(&page, ":root{color-scheme"), colours(&page, "dark){:root{"));
    for (theme, colours) in [("light", light), ("dark", dark)] {
        for ink in ["ink", "dim", "link", "pass", "fail", "unknown"] {
            for ground in ["ground", "soft"] {
                let contrast = contrast(&colours[ink], &colours[ground]);
                assert!(contrast >= 4.5, "{theme}: {ink} on {ground} is {contrast:.2}");
            }
        }
    }
}

fn assert_balanced(page: &str) {
    const EMPTY: [&str; 4] = ["meta", "br", "wbr", "!DOCTYPE"];
    let mut open: Vec<&str> = Vec::new();
    for tag in page.split('<').skip(1) {
        let name: &str = tag.split([' ', '>', '/', '\n']).next().unwrap();
        match tag.strip_prefix('/') {
            Some(rest) => assert_eq!(open.pop(), rest.split('>').next(), "near {tag}"),
            None if EMPTY.contains(&name) || tag.split('>').next().is_some_and(|tag| tag.ends_with('/')) => {}
            None => open.push(name),
        }
    }
    assert_eq!(open, [""; 0]);
}

fn values<'a>(page: &'a str, before: &str) -> Vec<&'a str> {
    let after = page.match_indices(before).map(|(at, found)| &page[at + found.len()..]);
    after.filter_map(|rest| rest.split('"').next()).collect()
}

fn colours(page: &str, after: &str) -> BTreeMap<String, Vec<f64>> {
    let block = page.split_once(after).unwrap().1.split('}').next().unwrap();
    let colour = |part: &str| {
        let (name, hex) = part.trim().strip_prefix("--")?.split_once(":#")?;
        let wide: String = if hex.len() == 3 { hex.chars().flat_map(|c| [c, c]).collect() } else { hex.to_owned() };
        let channel = |at: usize| f64::from(u8::from_str_radix(&wide[at..at + 2], 16).unwrap()) / 255.0;
        Some((name.to_owned(), [0, 2, 4].map(channel).to_vec()))
    };
    block.split(';').filter_map(colour).collect()
}

/// As WCAG 2 defines it.
fn contrast(one: &[f64], other: &[f64]) -> f64 {
    let linear = |c: &f64| if *c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) };
    let light = |colour: &[f64]| {
        let parts: Vec<f64> = colour.iter().map(linear).collect();
        0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]
    };
    let (a, b) = (light(one), light(other));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

#[test]
fn a_red_case_has_a_lane_for_everybody_and_its_fault_is_shaded_across_all() {
    let (_, red) = runs().into_iter().find(|(name, _)| *name == "red").unwrap();
    let page = render("html", &red);
    let of_case = page.split("<svg").find(|svg| svg.contains("0003-9c1e03 over")).expect("no lanes");
    let svg = of_case.split("</svg>").next().unwrap();
    for lane in ["harness", "tool", "source", "target", "workload"] {
        assert!(svg.contains(&format!(">{lane}</text>")), "no lane of the {lane}");
    }
    let shade = svg.split("<rect").find(|rect| rect.contains("fill-opacity=\"0.18\"")).expect("nothing is shaded");
    assert!(shade.contains("y=\"0\"") && shade.contains("height=\"110\""), "not across all lanes: {shade}");
    assert!(shade.contains("proc.kill@pg.target:stmt-9c1e03.3: COMMIT"), "{shade}");
    for mark in ["run (injured)", "run (recovery)", "pg.target at the end", "looks, judges"] {
        assert!(svg.contains(&format!("<title>{mark}</title>")), "no {mark} in {svg}");
    }
    assert!(page.contains(", uninterrupted</summary>"), "no lanes of a golden run");
}

/// A writer comes `later` events after the step began; what was there, how the step ended, what the target holds.
fn writes(script: &mut Script, nth: usize, later: usize, is_in: bool, (exit, state): (i32, &str)) {
    let (case, endpoint) = (format!("{KILL}/{nth:04}-9c1e03"), "pg.source.general".to_owned());
    let address: rehearsal::model::Address = format!("src.write=insert@pg.target:stmt-9c1e03.{nth}").parse().unwrap();
    let (scenario, token) = (KILL.to_owned(), None);
    let at = Some(address.clone());
    script.add(Body::CaseStarted { case: case.clone(), scenario, address: at, label: None, token });
    let (step, phase, argv) = ("run".to_owned(), Phase::Injured, Vec::new());
    script.add(Body::StepStarted { case: case.clone(), step: step.clone(), role: Role::Apply, phase, argv });
    for _ in 1..later {
        script.add(Body::Note { case: Some(case.clone()), text: "goes on".to_owned() });
    }
    script.add(Body::WriterCame { case: case.clone(), endpoint: endpoint.clone() });
    if is_in {
        let (what, before, after) = ("insert".to_owned(), "empty".to_owned(), "full".to_owned());
        script.add(Body::SourceWritten { case: case.clone(), endpoint, what, before, after });
    }
    script.add(Body::FaultFired { case: case.clone(), address, what: "COMMIT".to_owned() });
    script.add(Body::StepFinished {
        case: case.clone(),
        step,
        phase,
        exit: Some(exit),
        signal: None,
        success: exit == 0,
        timed_out: false,
        duration_us: 1,
    });
    let (moment, endpoint) = (Moment::after(Phase::Injured, "run"), "pg.target".to_owned());
    script.add(Body::Probe { case: case.clone(), moment, endpoint, state: state.to_owned() });
    script.add(Body::CaseFinished { case, outcome: Outcome::Pass, checks: Vec::new(), error: None });
}

#[test]
fn the_page_says_for_how_long_nobody_may_write() {
    // An uninjured step takes 1,234 ms and leaves the target full; events are 250 ms apart.
    let mut script = Script::run();
    script.scenario(KILL, None).case(&golden(KILL));
    writes(&mut script, 1, 1, true, (0, "empty"));
    let page = |script: &Script| render("html", &script.record());
    assert!(page(&script).contains("0 ms: every write arrived"), "{}", page(&script));
    writes(&mut script, 2, 2, true, (1, "empty"));
    writes(&mut script, 3, 3, false, (0, "full"));
    writes(&mut script, 4, 4, false, (0, "full"));
    writes(&mut script, 5, 3, true, (0, "full"));
    let page = page(&script);
    let row = page.split("<tr>").find(|row| row.contains("by locks")).expect("no row of the writers");
    let cells =
        "<td>2, by locks from 750 ms to 1.0 s</td><td>1</td><td>1</td><td>1</td><td><b>734 ms</b>, from 500 ms on</td>";
    assert!(row.contains(cells), "{row}");
    assert!(page.contains("<title>nobody may write for 734 ms</title>"), "no window in the lanes of the uninjured run");
    assert_balanced(&page);
}
