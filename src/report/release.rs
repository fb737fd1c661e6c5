//! `release.html`: the report with the approvals of people on its first screen. A pure function of both.

use super::markup::{FACTS, escape, table};
use super::words::minute;

/// What somebody has decided, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval {
    /// Its file.
    pub file: String,
    /// In which role.
    pub role: String,
    /// Who.
    pub signer: String,
    /// `approves` or `rejects`.
    pub verb: &'static str,
    /// What signing means.
    pub meaning: String,
    /// When.
    pub time: String,
    /// Under which policy.
    pub policy: String,
    /// Why, and what was accepted although it is red; one sentence each.
    pub reasons: Vec<String>,
}

/// The page: approvals stand before the numbers. Nothing where `report` is no report of ours.
pub fn release_page(report: &str, root_sha256: &str, approvals: &[Approval]) -> Option<String> {
    let (head, rest) = report.split_once(FACTS)?;
    let rows = approvals.iter().map(|approval| {
        let why = [&approval.meaning].into_iter().chain(&approval.reasons).map(|text| escape(text));
        let who = format!("<b>{}</b> {}", escape(&approval.signer), approval.verb);
        let lines = why.collect::<Vec<_>>().join("<br>");
        vec![
            who,
            escape(&approval.role),
            lines,
            escape(&minute(&approval.time)),
            escape(&approval.policy),
            escape(&approval.file),
        ]
    });
    let heads = ["who", "as", "which means", "when", "under policy", "signed in"];
    let approvals = table("Who has decided", &heads, rows);
    Some(format!(
        "{head}<h2 id=\"approvals\">Approvals</h2>\n{approvals}<p>They are about the bundle with the root \
         <code>{}</code>, which is what <code>sha256sum SHA256SUMS</code> says. Each is verified by \
         <code>ssh-keygen -Y verify -n signoff@rehearsal</code>; that none was taken away, by \
         <code>sha256sum -c --strict signoffs/SEAL</code> in the folder of the bundle.</p>\n{FACTS}{rest}",
        escape(root_sha256)
    ))
}
