//! Which table after which: waves by foreign keys, and groups that can only be emptied together.

use std::collections::BTreeSet;

/// Waves of indices: all parents of a table are in earlier waves. Edges are (child, parent).
///
/// # Errors
/// The indices that form a cycle, or hang on one.
pub(super) fn waves(count: usize, edges: &[(usize, usize)]) -> Result<Vec<Vec<usize>>, Vec<usize>> {
    let mut left: BTreeSet<usize> = (0..count).collect();
    let mut waves = Vec::new();
    while !left.is_empty() {
        let waits = |index: &usize| edges.iter().any(|(child, parent)| child == index && left.contains(parent));
        let wave: Vec<usize> = left.iter().copied().filter(|index| !waits(index)).collect();
        if wave.is_empty() {
            return Err(left.into_iter().collect());
        }
        left.retain(|index| !wave.contains(index));
        waves.push(wave);
    }
    Ok(waves)
}

/// Groups of indices that foreign keys connect, each sorted; a table on its own is a group of one.
pub(super) fn groups(count: usize, edges: &[(usize, usize)]) -> Vec<Vec<usize>> {
    let mut group: Vec<usize> = (0..count).collect();
    for (child, parent) in edges {
        let (from, to) = (group[*child], group[*parent]);
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

    #[rstest]
    #[case::nothing_refers(3, &[], Ok(vec![vec![0, 1, 2]]))]
    #[case::a_chain(3, &[(0, 1), (1, 2)], Ok(vec![vec![2], vec![1], vec![0]]))]
    #[case::two_children(3, &[(0, 2), (1, 2)], Ok(vec![vec![2], vec![0, 1]]))]
    #[case::a_cycle_and_what_hangs_on_it(3, &[(0, 1), (1, 0), (2, 0)], Err(vec![0, 1, 2]))]
    fn parents_come_first(
        #[case] count: usize,
        #[case] edges: &[(usize, usize)],
        #[case] expected: Result<Vec<Vec<usize>>, Vec<usize>>,
    ) {
        assert_eq!(waves(count, edges), expected);
    }

    #[rstest]
    #[case::alone(2, &[], vec![vec![0], vec![1]])]
    #[case::through_a_third(4, &[(0, 2), (3, 2)], vec![vec![0, 2, 3], vec![1]])]
    fn connected_tables_are_one_group(
        #[case] count: usize,
        #[case] edges: &[(usize, usize)],
        #[case] expected: Vec<Vec<usize>>,
    ) {
        assert_eq!(groups(count, edges), expected);
    }
}
