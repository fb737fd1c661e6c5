//! How thoroughly points are visited.

/// How thoroughly points are visited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tier {
    /// A few points of each fault.
    Quick,
    /// Every class.
    Full,
    /// Every point: audits the classes.
    Nightly,
}

impl Tier {
    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Tier::Quick => "quick",
            Tier::Full => "full",
            Tier::Nightly => "nightly",
        }
    }
}
