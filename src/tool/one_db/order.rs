//! Which table after which: units that go in one transaction, waves of them by foreign keys, and groups that can only
//! be emptied together.

use std::collections::BTreeSet;

/// A foreign key between two tables of the plan.
#[derive(Debug, Clone, Copy)]
pub(super) struct Edge {
    pub(super) child: usize,
    pub(super) parent: usize,
    /// It can wait for the end of a transaction.
    pub(super) deferrable: bool,
}

/// Each table alone, or together with all that it refers to in circles. In a unit the parents come first, as far as
/// their foreign keys cannot wait.
///
/// # Errors
/// The indices of a circle in which no foreign key can wait.
pub(super) fn units(count: usize, edges: &[Edge]) -> Result<Vec<Vec<usize>>, Vec<usize>> {
    let reached: Vec<BTreeSet<usize>> = (0..count).map(|index| reached(index, edges)).collect();
    let mut units: Vec<Vec<usize>> = Vec::new();
    for index in 0..count {
        if units.iter().any(|unit| unit.contains(&index)) {
            continue;
        }
        let circle = (0..count).filter(|other| reached[index].contains(other) && reached[*other].contains(&index));
        let members: BTreeSet<usize> = circle.chain([index]).collect();
        units.push(parents_first(&members, edges)?);
    }
    Ok(units)
}

/// All that a table refers to, directly or not.
fn reached(index: usize, edges: &[Edge]) -> BTreeSet<usize> {
    let (mut found, mut left) = (BTreeSet::new(), vec![index]);
    while let Some(child) = left.pop() {
        let parents = edges.iter().filter(|edge| edge.child == child).map(|edge| edge.parent);
        left.extend(parents.filter(|parent| found.insert(*parent)));
    }
    found
}

fn parents_first(members: &BTreeSet<usize>, edges: &[Edge]) -> Result<Vec<usize>, Vec<usize>> {
    let (mut left, mut order) = (members.clone(), Vec::new());
    while !left.is_empty() {
        let cannot_wait = |edge: &&Edge| !edge.deferrable && left.contains(&edge.parent);
        let waits = |index: &usize| edges.iter().filter(cannot_wait).any(|edge| edge.child == *index);
        let Some(next) = left.iter().copied().find(|index| !waits(index)) else {
            return Err(left.into_iter().collect());
        };
        left.remove(&next);
        order.push(next);
    }
    Ok(order)
}

/// Waves of indices into `units`: all parents of a unit are in earlier waves.
pub(super) fn waves(units: &[Vec<usize>], edges: &[Edge]) -> Vec<Vec<usize>> {
    let mut left: BTreeSet<usize> = (0..units.len()).collect();
    let mut waves = Vec::new();
    while !left.is_empty() {
        let is_left =
            |parent: &usize, own: usize| left.iter().any(|unit| *unit != own && units[*unit].contains(parent));
        let waits =
            |unit: usize| edges.iter().any(|edge| units[unit].contains(&edge.child) && is_left(&edge.parent, unit));
        let wave: Vec<usize> = left.iter().copied().filter(|unit| !waits(*unit)).collect();
        assert!(!wave.is_empty(), "a circle is one unit");
        left.retain(|unit| !wave.contains(unit));
        waves.push(wave);
    }
    waves
}

/// Groups of indices that foreign keys connect, each sorted; a table on its own is a group of one.
pub(super) fn groups(count: usize, edges: &[Edge]) -> Vec<Vec<usize>> {
    let mut group: Vec<usize> = (0..count).collect();
    for edge in edges {
        let (from, to) = (group[edge.child], group[edge.parent]);
        group.iter_mut().filter(|member| **member == from).for_each(|member| *member = to);
    }
    let names: BTreeSet<usize> = group.iter().copied().collect();
    let mut groups: Vec<Vec<usize>> =
        names.iter().map(|name| (0..count).filter(|index| group[*index] == *name).collect()).collect();
    groups.sort();
    groups
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn firm(pairs: &[(usize, usize)]) -> Vec<Edge> {
        pairs.iter().map(|(child, parent)| Edge { child: *child, parent: *parent, deferrable: false }).collect()
    }

    fn with_waiting(firm_pairs: &[(usize, usize)], waiting: &[(usize, usize)]) -> Vec<Edge> {
        let waiting = waiting.iter().map(|(child, parent)| Edge { child: *child, parent: *parent, deferrable: true });
        firm(firm_pairs).into_iter().chain(waiting).collect()
    }

    #[rstest]
    #[case::nothing_refers(3, firm(&[]), vec![vec![0], vec![1], vec![2]], vec![vec![0, 1, 2]])]
    #[case::a_chain(3, firm(&[(0, 1), (1, 2)]), vec![vec![0], vec![1], vec![2]], vec![vec![2], vec![1], vec![0]])]
    #[case::two_children(3, firm(&[(0, 2), (1, 2)]), vec![vec![0], vec![1], vec![2]], vec![vec![2], vec![0, 1]])]
    #[case::a_chain_that_can_wait(2, with_waiting(&[], &[(0, 1)]), vec![vec![0], vec![1]], vec![vec![1], vec![0]])]
    #[case::a_circle_and_what_hangs_on_it(
        4, with_waiting(&[(0, 1), (2, 0)], &[(1, 0), (1, 3)]), vec![vec![1, 0], vec![2], vec![3]], vec![vec![2], vec![0], vec![1]]
    )]
    #[case::a_ring_of_three(3, with_waiting(&[(1, 0), (2, 1)], &[(0, 2)]), vec![vec![0, 1, 2]], vec![vec![0]])]
    fn parents_come_first_and_a_circle_goes_together(
        #[case] count: usize,
        #[case] edges: Vec<Edge>,
        #[case] expected_units: Vec<Vec<usize>>,
        #[case] expected_waves: Vec<Vec<usize>>,
    ) {
        let units = units(count, &edges).unwrap();
        assert_eq!(units, expected_units);
        assert_eq!(waves(&units, &edges), expected_waves);
    }

    #[rstest]
    #[case::two(2, firm(&[(0, 1), (1, 0)]), &[0, 1])]
    #[case::and_what_hangs_on_it_is_not_named(3, firm(&[(0, 1), (1, 0), (2, 0)]), &[0, 1])]
    #[case::one_that_can_wait_elsewhere(4, with_waiting(&[(0, 1), (1, 0)], &[(2, 3), (3, 2)]), &[0, 1])]
    fn a_circle_in_which_nothing_can_wait_is_named(
        #[case] count: usize,
        #[case] edges: Vec<Edge>,
        #[case] expected: &[usize],
    ) {
        assert_eq!(units(count, &edges), Err(expected.to_vec()));
    }

    #[rstest]
    #[case::alone(2, firm(&[]), vec![vec![0], vec![1]])]
    #[case::through_a_third(4, firm(&[(0, 2), (3, 2)]), vec![vec![0, 2, 3], vec![1]])]
    fn connected_tables_are_one_group(
        #[case] count: usize,
        #[case] edges: Vec<Edge>,
        #[case] expected: Vec<Vec<usize>>,
    ) {
        assert_eq!(groups(count, &edges), expected);
    }
}
