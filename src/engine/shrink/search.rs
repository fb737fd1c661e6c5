//! The smallest number that still fails, by halves. Pure: who searches asks for the next number, and tells the answer.

/// A search between two numbers, of which the upper one is known to fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Search {
    least: u64,
    /// The smallest that was seen to fail.
    failing: u64,
}

/// Searches from `least`; `failing` fails.
pub fn smallest(least: u64, failing: u64) -> Search {
    Search { least, failing }
}

impl Search {
    /// The number to try; `None` once the smallest is found.
    pub fn next(&self) -> Option<u64> {
        (self.least < self.failing).then(|| self.least + (self.failing - self.least) / 2)
    }

    /// Whether the number that [`Search::next`] gave fails.
    pub fn answer(&mut self, fails: bool) {
        let Some(tried) = self.next() else { return };
        match fails {
            true => self.failing = tried,
            false => self.least = tried + 1,
        }
    }

    /// The smallest that was seen to fail.
    pub fn failing(&self) -> u64 {
        self.failing
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What was found, and what was tried for it.
    fn searched(least: u64, most: u64, fails: impl Fn(u64) -> bool) -> (u64, Vec<(u64, bool)>) {
        let mut search = smallest(least, most);
        let mut tried = Vec::new();
        while let Some(number) = search.next() {
            tried.push((number, fails(number)));
            search.answer(fails(number));
        }
        (search.failing(), tried)
    }

    proptest! {
        #[test]
        fn the_smallest_is_found_where_more_fails_too(least in 0..50_u64, border in 0..2000_u64, more in 0..2000_u64) {
            let border = border.max(least);
            let (found, tried) = searched(least, border + more, |number| number >= border);
            prop_assert_eq!(found, border);
            prop_assert!(tried.len() <= 12);
        }

        #[test]
        fn whatever_fails_what_is_found_was_seen_to_fail_and_the_one_below_not_to(
            least in 0..50_u64,
            more in 1..200_u64,
            failing in prop::collection::btree_set(0..250_u64, 0..60),
        ) {
            let most = least + more;
            let (found, tried) = searched(least, most, |number| failing.contains(&number));
            prop_assert!(found == most || tried.contains(&(found, true)));
            prop_assert!(found == least || tried.contains(&(found - 1, false)));
        }
    }
}
