//! The criteria on the page: what was not shown on top, the whole checklist further below.

use super::markup::{anchor, badge, escape, table};
use super::words::count;
use crate::model::{Half, Ruled, RunRecord, Severity, Verdict, checklist, words};

const MAX_OPEN: usize = 6;

/// What the runbooks demand and was not shown to be so.
pub(super) fn demands(record: &RunRecord) -> String {
    let rules = checklist(record);
    let mut open: Vec<&Ruled> =
        rules.iter().filter(|ruled| !ruled.is_answered_elsewhere() && ruled.verdict() != Verdict::Pass).collect();
    if open.is_empty() {
        return String::new();
    }
    open.sort_by_key(|ruled| std::cmp::Reverse(ruled.verdict()));
    let line = |ruled: &&Ruled| {
        let found = ruled.observed.iter().chain(&ruled.claimed).find(|half| half.verdict == ruled.verdict());
        let found = found.map_or(String::new(), |half| format!("{}; must be: {}", half.found, half.expected));
        let badge = badge(ruled.verdict(), &ruled.rule.id);
        format!(
            "<li>{badge} {}<br><span class=\"dim\">{}</span></li>\n",
            escape(&words(&ruled.rule.quote)),
            escape(&found)
        )
    };
    let is_failed = open.iter().any(|ruled| ruled.verdict() == Verdict::Fail);
    let aside = match record.verdict {
        Some(Verdict::Pass) if !is_failed => {
            "<p class=\"dim\">The run is GO all the same: no scenario of it has asked for these. Whether they have to be \
             shown is said by the policy of the gate (<code>GEN-18</code>).</p>\n"
        }
        _ => "",
    };
    let lines: String = open.iter().take(MAX_OPEN).map(line).collect();
    let more = open.len().saturating_sub(MAX_OPEN) as u64;
    let rest = if more > 0 { format!("<li>and {} more</li>\n", count(more)) } else { String::new() };
    format!(
        "<h2 id=\"demands\">Criteria that are not green</h2>\n{aside}<ul>\n{lines}{rest}</ul>\n\
         <p><a href=\"#criteria\">All criteria</a></p>\n"
    )
}

/// How many criteria are green, of those that a run can answer; nothing where there are none.
pub(super) fn green(record: &RunRecord) -> Option<String> {
    let rules: Vec<_> = checklist(record).into_iter().filter(|ruled| !ruled.is_answered_elsewhere()).collect();
    let green = rules.iter().filter(|ruled| ruled.verdict() == Verdict::Pass).count() as u64;
    let all = rules.len() as u64;
    (all > 0).then(|| format!("{}/{} criteria green", count(green), count(all)))
}

/// The checklist: what blocks and is not green comes first.
pub(super) fn criteria(record: &RunRecord) -> String {
    let mut rules = checklist(record);
    if rules.is_empty() {
        return String::new();
    }
    rules.sort_by_key(|ruled| (ruled.is_answered_elsewhere(), std::cmp::Reverse(ruled.verdict())));
    let heads = ["", "id", "the runbook says", "claimed", "observed", "shown by"];
    let table = table("What the runbooks demand", &heads, rules.iter().map(row));
    format!("<h2 id=\"criteria\">Criteria</h2>\n{table}")
}

fn row(ruled: &Ruled) -> Vec<String> {
    let half = |half: &Option<Half>| {
        let text =
            |half: &Half| format!("{}<br><span class=\"dim\">{}</span>", escape(&half.found), escape(&half.expected));
        half.as_ref().map_or(String::new(), text)
    };
    let (badge, observed) = match ruled.rule.severity {
        _ if !ruled.is_answered_elsewhere() => {
            (badge(ruled.verdict(), &ruled.verdict().to_string()), half(&ruled.observed))
        }
        Severity::Manual => ("to sign".to_owned(), "<span class=\"dim\">a person signs it</span>".to_owned()),
        _ => ("at the gate".to_owned(), "<span class=\"dim\"><code>rehearse gate</code> answers it</span>".to_owned()),
    };
    let link = |name: &String| format!("<a href=\"#{}\">{}</a>", anchor(name), escape(name));
    let evidence: Vec<String> = ruled.evidence.iter().map(link).collect();
    let sentence = escape(&words(&ruled.rule.quote));
    vec![badge, escape(&ruled.rule.id), sentence, half(&ruled.claimed), observed, evidence.join("<br>")]
}
