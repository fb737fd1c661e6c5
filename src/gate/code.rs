//! What can be wrong with evidence, as codes; each belongs to a family, and each family has one remedy.

use serde::Serialize;
use std::fmt;

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Code {
    /// A file is not the one that was sealed.
    SumMismatch,
    /// A file is not there.
    FileMissing,
    /// A file is there that was not sealed, or that no bundle has.
    FileExtra,
    /// Something is a link, a device or another thing that is no regular file, or has a name that no bundle has.
    SpecialFile,
    /// A line of the journal was changed, moved, left out or added.
    ChainBroken,
    /// A file is not of its format.
    Schema,
    /// A file that follows from the journal does not follow from it.
    DerivedMismatch,
    /// The journal has no end: the run was cut off.
    ChainTruncated,
    /// Something that was planned has no result, or has two.
    PlanIncomplete,
    /// A case is green, and no event proves that its fault struck.
    FaultNotFired,
    /// Faults or checks were left out that this build knows.
    CatalogueDowngraded,
    /// A case is green, and what a step says of itself does not agree with how it ended.
    ClaimMismatch,
    /// A case is green by a report that is older than its step.
    ClaimStale,
    /// A secret stands in a file.
    SecretLeak,
    /// An envelope does not hold together, or its signature is over something else.
    SigInvalid,
    /// Nobody who is trusted has signed it.
    SignerUntrusted,
    /// The key was no longer valid when the run ended.
    KeyExpired,
    /// The key is not believed any more.
    KeyRevoked,
    /// What was signed is of another type than its place.
    TypeConfusion,
    /// What was signed is about another bundle.
    SubjectMismatch,
    /// The gate decided over another envelope.
    GateInputMismatch,
    /// Nobody has signed in a role that is asked for, it is over, or somebody has rejected the run.
    SignoffMissing,
    /// A signoff is about another bundle, or its signer has seen other files.
    SignoffSubject,
    /// A signoff is not in its place: one before it is gone, was changed, or was put in between.
    SignoffChain,
    /// Somebody judges their own work, or signs twice.
    SignoffSelf,
    /// It was signed under another policy.
    PolicyMismatch,
    /// What was accepted for a while is accepted no more.
    WaiverExpired,
    /// What is red was waived by nobody who may.
    WaiverUnsigned,
    /// A part of a merged run is not there.
    ShardMissing,
    /// A part of a merged run is there twice.
    ShardDuplicate,
    /// Parts do not belong together.
    ShardConflict,
    /// The commit is another one than is expected.
    CommitMismatch,
    /// Files differed from the commit.
    TreeDirty,
    /// The tool is another one than is expected.
    ToolMismatch,
    /// The dataset is another one than is expected.
    DatasetMismatch,
    /// The run is older than is allowed.
    Stale,
    /// The run ends later than now.
    FromFuture,
    /// Another version of `rehearse` has written it, and this one would write it otherwise.
    OtherVersion,
}

/// What a set of codes has in common: whom to ask, and what to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Family {
    /// Files are not as they were sealed.
    Integrity,
    /// Something has no result.
    Completeness,
    /// Claimed and observed do not agree.
    Claims,
    /// A secret is in the open.
    Secrets,
    /// Nobody who is trusted says so.
    Signatures,
    /// Who has to agree has not.
    Signoffs,
    /// What is red is not accepted.
    Waivers,
    /// It is not one run.
    Shards,
    /// Another thing was rehearsed than is expected.
    Origin,
    /// The wrong time.
    Age,
    /// Not for this version to judge.
    Version,
}

impl Code {
    /// All codes, in the order of families.
    pub const ALL: [Code; 38] = [
        Code::SumMismatch,
        Code::FileMissing,
        Code::FileExtra,
        Code::SpecialFile,
        Code::ChainBroken,
        Code::Schema,
        Code::DerivedMismatch,
        Code::ChainTruncated,
        Code::PlanIncomplete,
        Code::FaultNotFired,
        Code::CatalogueDowngraded,
        Code::ClaimMismatch,
        Code::ClaimStale,
        Code::SecretLeak,
        Code::SigInvalid,
        Code::SignerUntrusted,
        Code::KeyExpired,
        Code::KeyRevoked,
        Code::TypeConfusion,
        Code::SubjectMismatch,
        Code::GateInputMismatch,
        Code::SignoffMissing,
        Code::SignoffSubject,
        Code::SignoffChain,
        Code::SignoffSelf,
        Code::PolicyMismatch,
        Code::WaiverExpired,
        Code::WaiverUnsigned,
        Code::ShardMissing,
        Code::ShardDuplicate,
        Code::ShardConflict,
        Code::CommitMismatch,
        Code::TreeDirty,
        Code::ToolMismatch,
        Code::DatasetMismatch,
        Code::Stale,
        Code::FromFuture,
        Code::OtherVersion,
    ];

    /// As it is printed: `SUM_MISMATCH`.
    pub fn word(self) -> String {
        let name = format!("{self:?}");
        let mut word = String::new();
        for (index, letter) in name.char_indices() {
            if index > 0 && letter.is_ascii_uppercase() {
                word.push('_');
            }
            word.push(letter.to_ascii_uppercase());
        }
        word
    }

    /// The family.
    pub fn family(self) -> Family {
        match self {
            Code::SumMismatch
            | Code::FileMissing
            | Code::FileExtra
            | Code::SpecialFile
            | Code::ChainBroken
            | Code::Schema
            | Code::DerivedMismatch => Family::Integrity,
            Code::ChainTruncated | Code::PlanIncomplete | Code::FaultNotFired | Code::CatalogueDowngraded => {
                Family::Completeness
            }
            Code::ClaimMismatch | Code::ClaimStale => Family::Claims,
            Code::SecretLeak => Family::Secrets,
            Code::SigInvalid
            | Code::SignerUntrusted
            | Code::KeyExpired
            | Code::KeyRevoked
            | Code::TypeConfusion
            | Code::SubjectMismatch
            | Code::GateInputMismatch => Family::Signatures,
            Code::SignoffMissing
            | Code::SignoffSubject
            | Code::SignoffChain
            | Code::SignoffSelf
            | Code::PolicyMismatch => Family::Signoffs,
            Code::WaiverExpired | Code::WaiverUnsigned => Family::Waivers,
            Code::ShardMissing | Code::ShardDuplicate | Code::ShardConflict => Family::Shards,
            Code::CommitMismatch | Code::TreeDirty | Code::ToolMismatch | Code::DatasetMismatch => Family::Origin,
            Code::Stale | Code::FromFuture => Family::Age,
            Code::OtherVersion => Family::Version,
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.word())
    }
}

impl Family {
    /// All families.
    pub const ALL: [Family; 11] = [
        Family::Integrity,
        Family::Completeness,
        Family::Claims,
        Family::Secrets,
        Family::Signatures,
        Family::Signoffs,
        Family::Waivers,
        Family::Shards,
        Family::Origin,
        Family::Age,
        Family::Version,
    ];

    /// As it is printed.
    pub fn word(self) -> &'static str {
        match self {
            Family::Integrity => "integrity",
            Family::Completeness => "completeness",
            Family::Claims => "claims",
            Family::Secrets => "secrets",
            Family::Signatures => "signatures",
            Family::Signoffs => "signoffs",
            Family::Waivers => "waivers",
            Family::Shards => "shards",
            Family::Origin => "origin",
            Family::Age => "age",
            Family::Version => "version",
        }
    }

    /// What to do.
    pub fn remedy(self) -> &'static str {
        match self {
            Family::Integrity => "fetch the bundle again from where it was sealed; evidence is never repaired",
            Family::Completeness => "run the rehearsal again with this version, to its end",
            Family::Claims => "find out why the tool's own report says otherwise, then run again",
            Family::Secrets => "replace that secret now, keep it out of what the step prints, then run again",
            Family::Signatures => {
                "ask who sealed it for the right bundle and key; never trust a key that comes with it"
            }
            Family::Signoffs => {
                "ask for it with `rehearse signoff`: on this bundle, under this policy, by somebody who may"
            }
            Family::Waivers => "repair what is red, or ask somebody who may waive it to sign it anew",
            Family::Shards => {
                "run the part that is missing or differs again, on the same commit and with the same arguments, then merge"
            }
            Family::Origin => {
                "rehearse the very commit, tool and data that are expected, then come back with that bundle"
            }
            Family::Age => "look at the clocks, then run the rehearsal again",
            Family::Version => {
                "nothing says that it was changed, and nothing that it was not: verify it with the version that wrote it"
            }
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
