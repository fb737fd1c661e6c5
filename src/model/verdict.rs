//! Judgements: the lattice of verdicts, and the words for what became of an injured case.

use serde::{Deserialize, Serialize};
use std::fmt;

/// `pass < unknown < fail`; the worst of several is their maximum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Asked, and true.
    Pass,
    /// Not asked, or not answerable. Never green.
    Unknown,
    /// Asked, and false.
    Fail,
}

impl Verdict {
    /// The worst of `verdicts`; of none at all, [`Verdict::Unknown`]: nothing was shown.
    pub fn worst(verdicts: impl IntoIterator<Item = Verdict>) -> Verdict {
        verdicts.into_iter().max().unwrap_or(Verdict::Unknown)
    }

    /// The word for a whole run: `GO`, `INCONCLUSIVE`, `NO-GO`.
    pub fn headline(self) -> &'static str {
        match self {
            Verdict::Pass => "GO",
            Verdict::Unknown => "INCONCLUSIVE",
            Verdict::Fail => "NO-GO",
        }
    }

    /// The exit code of a run that ends so: 0, 2, 1.
    pub fn exit_code(self) -> u8 {
        match self {
            Verdict::Pass => 0,
            Verdict::Unknown => 2,
            Verdict::Fail => 1,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Verdict::Pass => "pass",
            Verdict::Unknown => "unknown",
            Verdict::Fail => "fail",
        })
    }
}

/// What became of a case, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING-KEBAB-CASE")]
pub enum Outcome {
    /// The recovery led to the golden state.
    Pass,
    /// The tool retried by itself and reached the golden state.
    Absorbed,
    /// The fault was armed and never struck.
    NotFired,
    /// The tool did something else than what was recorded.
    Diverged,
    /// The harness could not finish the case.
    Unfinished,
    /// Exit 0 without a recovery, and the state is wrong.
    Silent,
    /// The recovery said that it succeeded, and the state is wrong.
    Lied,
    /// The documented recovery does not succeed.
    Stuck,
    /// A database that its own engine finds damaged.
    Corrupt,
    /// A process, backend, lock, transaction or file was left.
    Leak,
    /// A step did not end within its bound.
    Hang,
    /// A source was changed.
    SourceTouched,
}

impl Outcome {
    /// All words, in the order of the lattice.
    pub const ALL: [Outcome; 12] = [
        Outcome::Pass,
        Outcome::Absorbed,
        Outcome::NotFired,
        Outcome::Diverged,
        Outcome::Unfinished,
        Outcome::Silent,
        Outcome::Lied,
        Outcome::Stuck,
        Outcome::Corrupt,
        Outcome::Leak,
        Outcome::Hang,
        Outcome::SourceTouched,
    ];

    /// Where the word stands in the lattice.
    pub fn verdict(self) -> Verdict {
        match self {
            Outcome::Pass | Outcome::Absorbed => Verdict::Pass,
            Outcome::NotFired | Outcome::Diverged | Outcome::Unfinished => Verdict::Unknown,
            _ => Verdict::Fail,
        }
    }

    /// The word as reports and scenarios spell it.
    pub fn word(self) -> &'static str {
        match self {
            Outcome::Pass => "PASS",
            Outcome::Absorbed => "ABSORBED",
            Outcome::NotFired => "NOT-FIRED",
            Outcome::Diverged => "DIVERGED",
            Outcome::Unfinished => "UNFINISHED",
            Outcome::Silent => "SILENT",
            Outcome::Lied => "LIED",
            Outcome::Stuck => "STUCK",
            Outcome::Corrupt => "CORRUPT",
            Outcome::Leak => "LEAK",
            Outcome::Hang => "HANG",
            Outcome::SourceTouched => "SOURCE-TOUCHED",
        }
    }

    /// The meaning in one sentence, for people.
    pub fn meaning(self) -> &'static str {
        match self {
            Outcome::Pass => "the documented recovery led to the golden state",
            Outcome::Absorbed => "the tool retried by itself and reached the golden state",
            Outcome::NotFired => "the fault never struck, so nothing was proved",
            Outcome::Diverged => "the tool did something else than what was recorded, so another point was hit",
            Outcome::Unfinished => "the harness could not finish the case, so nothing was proved",
            Outcome::Silent => "the tool exited 0, and the data is wrong",
            Outcome::Lied => "the recovery exited 0, and the data is wrong",
            Outcome::Stuck => "the documented recovery does not succeed",
            Outcome::Corrupt => "a database is damaged by its own engine's judgement",
            Outcome::Leak => "something was left behind: a process, a backend, a lock, a transaction or a file",
            Outcome::Hang => "a step did not end within its bound",
            Outcome::SourceTouched => "a source database was changed",
        }
    }

    /// The outcome with this spelling, if there is one.
    pub fn parse(word: &str) -> Option<Outcome> {
        Outcome::ALL.into_iter().find(|outcome| outcome.word() == word)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
