//! Work that is done side by side.

use std::cmp::Reverse;
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// One piece of it.
pub(super) struct Task<'a, T> {
    /// About how long it takes, beside the others.
    weight: u64,
    work: Box<dyn FnOnce() -> T + Send + 'a>,
}

impl<'a, T: 'a> Task<'a, T> {
    pub(super) fn new(weight: u64, work: impl FnOnce() -> T + Send + 'a) -> Task<'a, T> {
        Task { weight, work: Box::new(work) }
    }

    /// The same, and what is made of its result.
    pub(super) fn map<U>(self, make: impl FnOnce(T) -> U + Send + 'a) -> Task<'a, U> {
        Task { weight: self.weight, work: Box::new(move || make((self.work)())) }
    }

    pub(super) fn run(self) -> T {
        (self.work)()
    }
}

/// Does all tasks, as many at a time as `jobs`, the heaviest first, so that nobody waits for one that began late; the
/// results are in the order of the tasks.
pub(super) fn side_by_side<T: Send>(jobs: usize, tasks: Vec<Task<'_, T>>) -> Vec<T> {
    let count = tasks.len();
    let mut tasks: Vec<(usize, Task<'_, T>)> = tasks.into_iter().enumerate().collect();
    tasks.sort_by_key(|(_, task)| Reverse(task.weight));
    let (waiting, done) = (Mutex::new(VecDeque::from(tasks)), Mutex::new(Vec::with_capacity(count)));
    let next = || locked(&waiting).pop_front();
    std::thread::scope(|scope| {
        for _ in 0..jobs.clamp(1, count.max(1)) {
            scope.spawn(|| {
                while let Some((place, task)) = next() {
                    let result = task.run();
                    locked(&done).push((place, result));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(place, _)| *place);
    done.into_iter().map(|(_, result)| result).collect()
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_stand_in_the_order_of_their_tasks_however_many_are_done_at_a_time() {
        for jobs in [0, 1, 3, 100] {
            let tasks = (0..20).map(|number| Task::new(number % 3, move || number)).collect();
            assert_eq!(side_by_side(jobs, tasks), (0..20).collect::<Vec<_>>());
        }
        assert!(side_by_side::<()>(2, Vec::new()).is_empty());
    }

    #[test]
    fn the_heaviest_begins_first_and_those_of_one_weight_in_their_order() {
        let begun = Mutex::new(Vec::new());
        let tasks = [1, 3, 1, 2].into_iter().enumerate();
        let tasks = tasks.map(|(place, weight)| Task::new(weight, || ()).map(move |()| place));
        let tasks = tasks.map(|task| task.map(|place| locked(&begun).push(place))).collect();
        side_by_side(1, tasks);
        assert_eq!(locked(&begun).as_slice(), [1, 3, 0, 2]);
    }
}
