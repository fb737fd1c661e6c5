//! Work that is done side by side.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// One piece of it.
pub(super) type Task<'a, T> = Box<dyn FnOnce() -> T + Send + 'a>;

/// Does all tasks, as many at a time as `jobs`, begun in their order; the results are in their order too.
pub(super) fn side_by_side<T: Send>(jobs: usize, tasks: Vec<Task<'_, T>>) -> Vec<T> {
    let count = tasks.len();
    let waiting: Mutex<VecDeque<(usize, Task<'_, T>)>> = Mutex::new(tasks.into_iter().enumerate().collect());
    let done: Mutex<Vec<(usize, T)>> = Mutex::new(Vec::with_capacity(count));
    let next = || locked(&waiting).pop_front();
    std::thread::scope(|scope| {
        for _ in 0..jobs.clamp(1, count.max(1)) {
            scope.spawn(|| {
                while let Some((place, task)) = next() {
                    let result = task();
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
            let tasks = (0..20).map(|number| Box::new(move || number) as Task<'_, i32>).collect();
            assert_eq!(side_by_side(jobs, tasks), (0..20).collect::<Vec<_>>());
        }
        assert!(side_by_side::<()>(2, Vec::new()).is_empty());
    }
}
