//! One bundle, verified: is it what was sealed, is it whole, and does everything in it follow from its journal?
//!
//! What to expect comes from outside of the bundle. A run that ended red verifies like any other; its verdict is told
//! beside. What is not asked here: whether it is enough for a release.

use crate::evidence::attest::Slot;
use crate::evidence::{EVENTS, Redactor};
use crate::gate::sealed::Sealed;
use crate::gate::signoff::{self, Signoffs, SignoffsAsked};
use crate::gate::told::Told;
use crate::gate::{
    Code, Family, TrustedKey, age, attested, claims, complete, derived, origin, recorded, rejudged, shards, version,
};
use crate::model::canonical::sha256_hex;
use crate::model::{AskedFile, EnvironmentFile, PlanFile, RunRecord, States, Verdict, ambiguity};
use crate::registry::Registry;
use crate::report::plain;
use crate::{Error, Result};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Complaint {
    /// What.
    pub code: Code,
    /// In which file, by its path in the bundle.
    pub file: String,
    /// What should be there.
    pub expected: String,
    /// What is there.
    pub found: String,
}

impl Complaint {
    pub(super) fn new(code: Code, file: &str, expected: impl Into<String>, found: impl Into<String>) -> Complaint {
        Complaint { code, file: file.to_owned(), expected: expected.into(), found: found.into() }
    }

    /// JSON of which one reader takes the first value under a key, another the last; nothing where it means one thing.
    pub(super) fn ambiguous(code: Code, file: &str, json: &[u8]) -> Option<Complaint> {
        let why = ambiguity(json)?;
        Some(Complaint::new(code, file, "JSON that means one thing to everybody", why))
    }

    /// For people: code, file, expected, found. Nothing in it speaks to a terminal, whoever wrote the bundle.
    pub fn text(&self) -> String {
        let Complaint { code, file, expected, found } = self;
        let [file, expected, found] = [file, expected, found].map(|text| plain(text));
        format!("{code}  {file}\n  expected  {expected}\n  found     {found}\n")
    }
}

/// What the verifier expects; none of it is read from the bundle.
#[derive(Debug, Clone, Default)]
pub struct Expected {
    /// Refuses also what this version would have written otherwise.
    pub strict: bool,
    /// How old the run may be, in seconds.
    pub max_age_s: Option<i64>,
    /// Values that must not be in it, in any encoding.
    pub secrets: Vec<String>,
    /// The commit that was to be rehearsed.
    pub commit: Option<String>,
    /// Whether nothing may have been changed since that commit.
    pub clean_tree: bool,
    /// The tools that may have been rehearsed, by digest; empty: any.
    pub tools: Vec<String>,
    /// The datasets, with their seeds, by digest; empty: any.
    pub datasets: Vec<String>,
    /// Who may have sealed it; empty: nobody is asked for.
    pub trusted: Vec<TrustedKey>,
    /// Who has to have signed it off; nothing: only the order of signoffs is looked at.
    pub signoffs: Option<SignoffsAsked>,
    /// SHA-256 of the seal of the release, as it was told then.
    pub seal_sha256: Option<String>,
}

impl Expected {
    /// The same of a bundle that nobody signs or releases.
    pub(super) fn without_people(self) -> Expected {
        Expected { signoffs: None, seal_sha256: None, ..self }
    }
}

/// What became of a bundle's verification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// It is what was sealed.
    Verified,
    /// The run was cut off; what is there is in order.
    Incomplete,
    /// Another version of `rehearse` has written it: what follows from its journal cannot be judged by this one.
    OtherVersion,
    /// It is not what was sealed.
    Invalid,
}

impl Status {
    /// As it is printed.
    pub fn word(self) -> &'static str {
        match self {
            Status::Verified => "verified",
            Status::Incomplete => "incomplete",
            Status::OtherVersion => "written by another version, and not judged by this one",
            Status::Invalid => "invalid",
        }
    }
}

/// The answer.
#[derive(Debug, Clone)]
pub struct Verification {
    /// What is wrong, sorted; empty is good.
    pub complaints: Vec<Complaint>,
    /// SHA-256 of `SHA256SUMS`, the one name of all that is in it; nothing where it was not sealed.
    pub root_sha256: Option<String>,
    /// The name of the trusted key that signed it.
    pub signer: Option<String>,
    /// Whether anybody signed it.
    pub is_signed: bool,
    /// SHA-256 of the envelope that says what happened, as it was verified; nothing where there is none.
    pub envelope_sha256: Option<String>,
    /// What people have signed.
    pub signoffs: Signoffs,
    /// What was to be done; nothing where it cannot be read.
    pub plan: Option<PlanFile>,
    /// Where; nothing where it cannot be read.
    pub environment: Option<EnvironmentFile>,
    /// What its journal tells, as far as it is whole.
    pub record: RunRecord,
    /// What was asked of each scenario; nothing where it cannot be read.
    pub asked: Option<AskedFile>,
    /// What databases held, by digest.
    pub states: States,
}

/// Verifies the bundle in `root`, or the one that a link such as `latest` leads to. Needs no network and no database.
///
/// # Errors
/// The environment: there is no such directory, or a file cannot be read; there is no `ssh-keygen` for signoffs.
pub fn verify(registry: &Registry, root: &Path, expected: &Expected) -> Result<Verification> {
    let root = root.canonicalize().map_err(|error| Error::io("open", root, error))?;
    let (mut complaints, mut follows) = (Vec::new(), Vec::new());
    let sealed = Sealed::read(&root, &Redactor::new(&expected.secrets), &mut complaints)?;
    sealed.check_sums(&mut complaints);
    let mut told = Told::read(&sealed, expected.strict, &mut complaints);
    let parts = shards::read(registry, &root, sealed.sha256.keys(), &told.events, expected, &mut complaints)?;
    if !parts.is_empty() {
        shards::frozen(&told, &parts, &mut complaints);
        let (record, states) = shards::together(told.record, told.plan.as_ref(), &parts);
        told.record = record;
        told.states.extend(states);
        if told.record.verdict.is_some_and(|verdict| verdict < shards::worst(&parts)) {
            let expected = format!("{}, as the worst of its parts", shards::worst(&parts));
            complaints.push(Complaint::new(Code::DerivedMismatch, EVENTS, expected, "run.finished says better"));
        }
    }
    told.record.environment.clone_from(&told.environment);
    derived::check(registry, &sealed, &told, &mut complaints, &mut follows);
    complete::check(registry, &told, &mut complaints);
    if parts.is_empty() {
        rejudged::check(registry, &told, &mut follows);
        recorded::check(&told, &mut follows);
    }
    origin::check(&told, expected, &mut complaints);
    claims::check(&told, &mut complaints);
    let signer = attested::check(&sealed, &told, &expected.trusted, &mut complaints, &mut follows);
    let asked = expected.signoffs.as_ref();
    let seal_sha256 = expected.seal_sha256.as_deref();
    let signoffs = signoff::check(&sealed, &told, asked, seal_sha256, &mut complaints, &mut follows)?;
    complaints.extend(version::judged(&told, follows));
    complaints.extend(age::check(&told, expected));
    complaints.sort();
    complaints.dedup_by(|a, b| a.code == b.code && a.file == b.file && a.code == Code::FileExtra);
    let root_sha256 = sealed.sums.as_deref().map(sha256_hex);
    let envelope_sha256 = sealed.sha256.get(Slot::TestResult.file()).cloned();
    let is_signed = envelope_sha256.is_some();
    let Told { record, states, plan, environment, asked, .. } = told;
    Ok(Verification {
        complaints,
        root_sha256,
        signer,
        is_signed,
        envelope_sha256,
        signoffs,
        plan,
        environment,
        asked,
        record,
        states,
    })
}

impl Verification {
    /// In one word.
    pub fn status(&self) -> Status {
        let is_open = |complaint: &Complaint| match complaint.code {
            Code::ChainTruncated | Code::PlanIncomplete => true,
            Code::FileMissing => self.root_sha256.is_none(),
            _ => false,
        };
        let is_of_version = |complaint: &Complaint| version::is_of_another(complaint, self.environment.as_ref());
        match self.complaints.is_empty() {
            true => Status::Verified,
            false if self.complaints.iter().all(is_of_version) => Status::OtherVersion,
            false if self.complaints.iter().all(is_open) => Status::Incomplete,
            false => Status::Invalid,
        }
    }

    /// What the run says of itself; unknown unless it is verified.
    pub fn verdict(&self) -> Verdict {
        match self.status() {
            Status::Verified => self.record.verdict.unwrap_or(Verdict::Unknown),
            _ => Verdict::Unknown,
        }
    }

    /// For people: code, file, expected, found; each family once, with what to do.
    pub fn text(&self) -> String {
        let mut text = String::new();
        text.extend(self.complaints.iter().map(Complaint::text));
        for family in self.families() {
            let _ = writeln!(text, "{family}: {}", family.remedy());
        }
        let root = self.root_sha256.as_deref().unwrap_or("none, it was not sealed");
        let _ = writeln!(text, "root      {root}\nsigned    {}", self.signature());
        if self.signoffs.count() > 0 {
            let _ = writeln!(text, "signoffs  {}", plain(&self.signoffs.to_string()));
        }
        let _ = self.signoffs.seal_sha256.iter().try_for_each(|seal| writeln!(text, "seal      {seal}"));
        let _ = write!(text, "evidence  {}", self.status().word());
        if self.status() == Status::Verified {
            let _ = write!(text, "; the run is {}", self.verdict().headline());
        }
        text
    }

    /// For machines.
    pub fn json(&self) -> Value {
        let complaint = |complaint: &Complaint| {
            json!({
                "code": complaint.code,
                "family": complaint.code.family(),
                "file": complaint.file,
                "expected": complaint.expected,
                "found": complaint.found,
                "remedy": complaint.code.family().remedy(),
            })
        };
        json!({
            "format": 1,
            "status": self.status(),
            "root_sha256": self.root_sha256,
            "signed": self.is_signed,
            "signer": self.signer,
            "signoffs": self.signoffs.json(),
            "seal_sha256": self.signoffs.seal_sha256,
            "run": self.record.run,
            "verdict": self.verdict(),
            "headline": self.verdict().headline(),
            "outcome_sha256": self.record.outcome_sha256,
            "complaints": self.complaints.iter().map(complaint).collect::<Vec<_>>(),
        })
    }

    /// Who signed it, in words.
    pub fn signature(&self) -> String {
        match (&self.signer, self.is_signed) {
            (Some(signer), _) => format!("by {signer}"),
            (None, true) => "by a key that nobody vouched for here: --trust KEY.pub".to_owned(),
            (None, false) => "UNSIGNED".to_owned(),
        }
    }

    fn families(&self) -> BTreeSet<Family> {
        self.complaints.iter().map(|complaint| complaint.code.family()).collect()
    }
}
