//! Judging sealed evidence: whether a bundle is what it says it is. Reads bundles, never a database.
//!
//! ```text
//! code       what can be wrong, its family and its remedy
//! verify     one bundle: everything below, in this order
//! sealed     files and their sums
//! told       what the journal says, and the files that were frozen before it
//! age        when it ended, by what it says itself
//! derived    what follows from the journal, again
//! complete   whether all that was planned has one result
//! attested   who signed it
//! policy     what has to be true before something is done
//! decide     the gate: a bundle under a policy
//! rules      its rules, each with its answer
//! replicas   whether other runs have come to the same
//! scenarios  whether what was asked is what is asked here
//! origin     whether it is of the expected commit, tool and data
//! recorded   the same of a record of the real migration
//! rejudged   whether checks answer again as they did
//! shards     the parts of a merged run
//! merged     what they saw together
//! merge      makes one bundle of them
//! criteria   what runbooks demand
//! claims     what steps said of themselves
//! signoff/   what people have signed, whether they may, and the seal of a release
//! version    bundles that another build has written
//! ```

mod age;
mod attested;
mod claims;
mod code;
mod complete;
mod criteria;
mod decide;
mod derived;
mod merge;
mod merged;
mod origin;
mod policy;
mod recorded;
mod rejudged;
mod replicas;
mod rules;
mod scenarios;
mod sealed;
mod shards;
mod signoff;
mod told;
mod verify;
mod version;

pub use attested::TrustedKey;
pub use code::{Code, Family};
pub use decide::{Decision, Question, Ruling, decide};
pub use merge::{Merged, merge};
pub use policy::Policy;
pub use signoff::{Accepted, People, Request, Role, Signoffs, SignoffsAsked, Waiving, draft, release, screen};
pub use verify::{Complaint, Expected, Status, Verification, verify};
