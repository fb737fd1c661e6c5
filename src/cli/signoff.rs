//! `rehearse signoff`: a person approves or rejects a bundle, under a policy, with their SSH key.

use crate::cli::gate::working_directory;
use crate::cli::run::time;
use crate::cli::{say, say_aside};
use crate::evidence::Bundle;
use crate::evidence::attest::ssh::{self, Standing};
use crate::evidence::attest::{Answer, Signoff};
use crate::gate::{Decision, People, Policy, Question, Request, Waiving, decide, draft, screen};
use crate::registry::Registry;
use crate::{Error, Result, clock};
use clap::Args;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// How many digits of the root are asked for.
const DIGITS: usize = 8;

/// Exit codes: 0 signed, 1 refused, 2 a policy, a key or a program that is not right, 3 evidence that does not verify.
#[derive(Args)]
pub(super) struct SignoffArgs {
    /// The directory of the bundle, or the link `latest`.
    bundle: PathBuf,
    /// In which role of the policy.
    #[arg(long)]
    role: String,
    /// Your SSH key: a private key, or the public one of a key in your agent.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// release, or a file with [signoffs].
    #[arg(long, default_value = "release")]
    policy: String,
    /// Who you are, as the allowed signers name you; default: whoever has your key there.
    #[arg(long, value_name = "NAME")]
    signer: Option<String>,
    /// Say no: nothing but a new run is approved after that.
    #[arg(long)]
    reject: bool,
    /// Why, in your words; a waiver or a reject needs it.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Accept this rule although it is red, such as GEN-12; may be repeated.
    #[arg(long, value_name = "RULE", requires_all = ["ticket", "expires"], conflicts_with = "reject")]
    waive: Vec<String>,
    /// Where what is waived is followed up.
    #[arg(long, value_name = "ID")]
    ticket: Option<String>,
    /// How long what is waived is accepted, such as 7d.
    #[arg(long, value_name = "TIME", value_parser = time)]
    expires: Option<Duration>,
    /// The first 8 digits of the root, instead of being asked for them.
    #[arg(long, value_name = "DIGITS")]
    confirm: Option<String>,
}

pub(super) fn run(args: &SignoffArgs) -> Result<ExitCode> {
    let policy = Policy::find(&args.policy)?;
    let here = working_directory()?;
    let role = policy.signoffs.as_ref().and_then(|people| people.role(&args.role));
    let stage = role.map(|role| role.stage).unwrap_or_default();
    let question = Question { stage, ..Question::new(&policy, &here) };
    let bundle = Bundle::open(&args.bundle)?;
    let decision = decide(&Registry::builtin(), bundle.root(), &question)?;
    let signoff = draft(&question, &decision, &args.request(policy.signoffs.as_ref())?)?;
    say(&screen(&decision, &signoff));
    let root = decision.verification.root_sha256.as_deref().unwrap_or_default();
    args.confirmed(root)?;
    let statement = signoff.to_file(root)?;
    let signature = ssh::sign(&statement, &args.key)?;
    believed(&statement, &signature, &signoff, policy.signoffs.as_ref())?;
    let file = Signoff::path(decision.verification.signoffs.count() + 1, &signoff.role);
    bundle.attach(&format!("{file}.sig"), &signature)?;
    bundle.attach(&file, &statement)?;
    say(&told(&decision, &args.policy, &file));
    Ok(ExitCode::SUCCESS)
}

impl SignoffArgs {
    fn request(&self, people: Option<&People>) -> Result<Request> {
        let decision = if self.reject { Answer::Reject } else { Answer::Approve };
        if self.reject && self.reason.is_none() {
            return Err(Error::usage("a reject needs a reason: --reason \"what has to be different\""));
        }
        let (role, reason) = (self.role.clone(), self.reason.clone());
        Ok(Request { role, signer: self.signer(people)?, decision, reason, waiving: self.waiving()? })
    }

    fn waiving(&self) -> Result<Option<Waiving>> {
        let (Some(ticket), Some(expires)) = (&self.ticket, self.expires) else { return Ok(None) };
        let expires = clock::utc_in(expires).ok_or_else(|| Error::usage("--expires is further away than time goes"))?;
        Ok(Some(Waiving { rules: self.waive.clone(), ticket: ticket.clone(), expires }))
    }

    fn signer(&self, people: Option<&People>) -> Result<String> {
        let Some(people) = people.filter(|_| self.signer.is_none()) else {
            return Ok(self.signer.clone().unwrap_or_default());
        };
        let public = public_key(&self.key)?;
        let path = people.allowed_signers();
        let signers =
            std::fs::read_to_string(path).map_err(|error| Error::io("read the allowed signers", path, error))?;
        ssh::principal(&signers, &public).ok_or_else(|| {
            let what = format!("{} does not name the key {}", path.display(), self.key.display());
            Error::refused(format!(
                "{what}; ask for a line there, or say who you are with --signer, if a CA speaks for you"
            ))
        })
    }

    /// Whoever signs has looked at the root of this very bundle.
    fn confirmed(&self, root: &str) -> Result<()> {
        let digits = match &self.confirm {
            Some(digits) => digits.clone(),
            None => {
                say_aside(&format!("to sign, type the first {DIGITS} digits of the root:"));
                let mut line = String::new();
                std::io::stdin().read_line(&mut line).map_err(|error| Error::io("read", Path::new("stdin"), error))?;
                line
            }
        };
        let digits = digits.trim().to_lowercase();
        match digits.len() >= DIGITS && root.starts_with(&digits) {
            true => Ok(()),
            false => Err(Error::refused(format!("nothing was signed: `{digits}` is not how the root begins"))),
        }
    }
}

/// The text of the public key that belongs to `key`.
fn public_key(key: &Path) -> Result<String> {
    let mut beside = key.to_owned().into_os_string();
    beside.push(".pub");
    let beside = PathBuf::from(beside);
    let path = if beside.is_file() { &beside } else { key };
    std::fs::read_to_string(path).map_err(|error| Error::io("read the public key", path, error))
}

/// Before anything is written: others will ask the same.
fn believed(statement: &[u8], signature: &[u8], signoff: &Signoff, people: Option<&People>) -> Result<()> {
    let Some(people) = people else { return Err(Error::bug("a signoff was drafted for nobody")) };
    match ssh::standing(statement, signature, people.allowed_signers(), &signoff.signer)? {
        Standing::Good(_) => Ok(()),
        Standing::Stranger | Standing::Bad => {
            let path = people.allowed_signers().display();
            Err(Error::refused(format!(
                "nothing was written: {path} does not let {} sign with this key",
                signoff.signer
            )))
        }
    }
}

fn told(decision: &Decision, policy: &str, file: &str) -> String {
    let root = decision.verification.root_sha256.as_deref().unwrap_or_default();
    format!("signed    {file}\nnext      rehearse gate BUNDLE --policy {policy} --root {root}")
}
