//! What people have signed over a bundle: read, judged under a policy, and drafted.
//!
//! ```text
//! people   who has to agree, as data
//! chain    the files in signoffs/, as they lie there
//! judge    whether each may be believed, and whether all are there
//! waive    rules that are red, and accepted
//! draft    the next one, before it is signed
//! screen   what a signer is shown
//! release  what is written when all have signed, and names all of it
//! ```

mod chain;
mod draft;
mod judge;
mod people;
mod release;
mod screen;
mod waive;

pub use draft::{Request, Waiving, draft};
pub use judge::{Accepted, SignoffsAsked};
pub use people::{People, Role};
pub use release::release;
pub use screen::screen;

pub(super) use judge::check;
pub(super) use waive::apply;

use crate::evidence::attest::Signoff;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt;

/// What was found in `signoffs/`.
#[derive(Debug, Clone, Default)]
pub struct Signoffs {
    /// SHA-256 of each, by path in the bundle; in their order.
    pub sha256: BTreeMap<String, String>,
    /// SHA-256 of the seal, if it was released.
    pub seal_sha256: Option<String>,
    /// Those that may be believed under the policy, in order; none where there is no policy.
    pub accepted: Vec<Accepted>,
    /// SHA-256 of what a signer is shown, by path in the bundle.
    pub shown: BTreeMap<String, String>,
}

impl Signoffs {
    /// How many there are.
    pub fn count(&self) -> usize {
        self.sha256.len()
    }

    /// SHA-256 of the last one.
    pub fn last_sha256(&self) -> Option<&String> {
        self.sha256.values().next_back()
    }

    /// Those that may be believed, for machines.
    pub(super) fn json(&self) -> Value {
        let one = |accepted: &Accepted| {
            let Signoff { role, signer, decision, time, stage, .. } = &accepted.signoff;
            json!({ "file": accepted.file, "role": role, "signer": signer, "decision": decision, "stage": stage, "time": time })
        };
        self.accepted.iter().map(one).collect()
    }
}

/// For people, in one line.
impl fmt::Display for Signoffs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let one = |accepted: &Accepted| {
            let Signoff { role, signer, decision, .. } = &accepted.signoff;
            format!("{signer} {} as {role}", decision.verb())
        };
        match self.accepted.is_empty() {
            true => {
                write!(f, "{}, of which none is believed without a policy that asks for it: --policy", self.count())
            }
            false => f.write_str(&self.accepted.iter().map(one).collect::<Vec<_>>().join(", ")),
        }
    }
}
