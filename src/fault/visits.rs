//! Which of many equal points are visited.

use crate::model::Axis;

/// A rule for the occurrences of one thing: the same statement, seen again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visits {
    /// All of them.
    Every,
    /// The first, the second, the middle one and the last.
    Ends,
    /// The first, the middle one and the last.
    Thirds,
    /// The first.
    First,
    /// None: only by a place of its own, and in the nightly tier.
    Never,
}

impl Visits {
    /// The rule for most faults. A statement that is repeated does the first time what it never does again, and the
    /// last time nothing may follow; a message inside a COPY has neighbours like itself; what a broken byte does the
    /// broken message does too.
    pub fn of(axis: Axis) -> Visits {
        match axis {
            Axis::Copyin | Axis::Copyout => Visits::Thirds,
            Axis::Byte => Visits::Never,
            _ => Visits::Ends,
        }
    }

    /// The numbers that are visited out of `times`, from 1, ascending.
    pub fn pick(self, times: u32) -> Vec<u32> {
        let mut picked = match self {
            Visits::Every => return (1..=times).collect(),
            Visits::Ends => vec![1, 2, times.div_ceil(2), times],
            Visits::Thirds => vec![1, times.div_ceil(2), times],
            Visits::First => vec![1],
            Visits::Never => Vec::new(),
        };
        picked.retain(|nth| (1..=times).contains(nth));
        picked.sort_unstable();
        picked.dedup();
        picked
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_stand_for_many_and_none_twice() {
        assert_eq!(Visits::Ends.pick(9), [1, 2, 5, 9]);
        assert_eq!(Visits::Ends.pick(3), [1, 2, 3]);
        assert_eq!(Visits::Ends.pick(1), [1]);
        assert_eq!(Visits::Thirds.pick(1_000_000), [1, 500_000, 1_000_000]);
        assert_eq!(Visits::Thirds.pick(2), [1, 2]);
        assert_eq!(Visits::Every.pick(3), [1, 2, 3]);
        assert_eq!(Visits::First.pick(7), [1]);
        assert_eq!(Visits::Never.pick(7), [0; 0]);
        assert_eq!(Visits::Every.pick(0), [0; 0]);
        assert_eq!(Visits::Ends.pick(0), [0; 0]);
    }
}
