//! Work that is done side by side.

use std::cmp::Reverse;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// One piece of it.
pub(super) struct Task<'a, T> {
    /// About how long it takes, beside the others.
    weight: u64,
    work: Box<dyn FnOnce() -> Answer<'a, T> + Send + 'a>,
}

/// What came of a piece, and what can be begun now.
type Answer<'a, T> = (T, Vec<Task<'a, T>>);

impl<'a, T> Task<'a, T> {
    pub(super) fn new(weight: u64, work: impl FnOnce() -> T + Send + 'a) -> Task<'a, T> {
        Task::leading(weight, move || (work(), Vec::new()))
    }

    /// One that leads to others.
    pub(super) fn leading(weight: u64, work: impl FnOnce() -> Answer<'a, T> + Send + 'a) -> Task<'a, T> {
        Task { weight, work: Box::new(work) }
    }
}

/// The place of a task: its number, and after that those of the tasks that it led to.
type Place = Vec<usize>;

struct Queue<'a, T> {
    waiting: Vec<(Place, Task<'a, T>)>,
    running: usize,
    done: Vec<(Place, T)>,
}

/// Does all tasks, as many at a time as `jobs`, the heaviest first, so that nobody waits for one that began late. The
/// results are in the order of the tasks, those of the tasks that one led to after its own.
pub(super) fn side_by_side<T: Send>(jobs: usize, tasks: Vec<Task<'_, T>>) -> Vec<T> {
    let mut queue = Queue { waiting: Vec::new(), running: 0, done: Vec::new() };
    queue.add(&[], tasks);
    let (queue, changed) = (Mutex::new(queue), Condvar::new());
    std::thread::scope(|scope| {
        for _ in 0..jobs.max(1) {
            scope.spawn(|| work(&queue, &changed));
        }
    });
    let mut done = queue.into_inner().unwrap_or_else(PoisonError::into_inner).done;
    done.sort_by(|(one, _), (other, _)| one.cmp(other));
    done.into_iter().map(|(_, result)| result).collect()
}

/// Until nothing waits, and nobody can lead to more.
fn work<T>(queue: &Mutex<Queue<'_, T>>, changed: &Condvar) {
    let mut guard = locked(queue);
    loop {
        if let Some((place, task)) = guard.heaviest() {
            guard.running += 1;
            drop(guard);
            let running = Running { queue, changed };
            let (result, next) = (task.work)();
            guard = locked(queue);
            guard.add(&place, next);
            guard.done.push((place, result));
            drop(guard);
            drop(running);
            guard = locked(queue);
        } else if guard.running == 0 {
            return;
        } else {
            guard = changed.wait(guard).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// One that is at work, until it is dropped: also by a panic, or the others would wait for ever.
struct Running<'q, 'a, T> {
    queue: &'q Mutex<Queue<'a, T>>,
    changed: &'q Condvar,
}

impl<T> Drop for Running<'_, '_, T> {
    fn drop(&mut self) {
        locked(self.queue).running -= 1;
        self.changed.notify_all();
    }
}

impl<'a, T> Queue<'a, T> {
    fn add(&mut self, place: &[usize], tasks: Vec<Task<'a, T>>) {
        let below = |number| [place, &[number]].concat();
        self.waiting.extend(tasks.into_iter().enumerate().map(|(number, task)| (below(number), task)));
    }

    fn heaviest(&mut self) -> Option<(Place, Task<'a, T>)> {
        let order = |(_, (place, task)): &(usize, &(Place, Task<'a, T>))| (task.weight, Reverse((*place).clone()));
        let (index, _) = self.waiting.iter().enumerate().max_by_key(order)?;
        Some(self.waiting.swap_remove(index))
    }
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
            let leading = |number: u64| {
                let next = (0..number % 3).map(move |more| Task::new(more, move || (number, more + 1)));
                Task::leading(number % 5, move || ((number, 0), next.collect()))
            };
            let expected = (0..20).flat_map(|number| (0..=number % 3).map(move |more| (number, more)));
            assert_eq!(side_by_side(jobs, (0..20).map(leading).collect()), expected.collect::<Vec<_>>());
        }
        assert!(side_by_side::<()>(2, Vec::new()).is_empty());
    }

    #[test]
    fn the_heaviest_begins_first_and_those_of_one_weight_in_their_order() {
        let begun = Mutex::new(Vec::new());
        let begin = |name| locked(&begun).push(name);
        let late = Task::new(2, || begin("led to"));
        let tasks = vec![
            Task::new(1, || begin("one")),
            Task::leading(3, || (begin("three"), vec![late])),
            Task::new(1, || begin("one more")),
        ];
        side_by_side(1, tasks);
        assert_eq!(locked(&begun).as_slice(), ["three", "led to", "one", "one more"]);
    }

    #[test]
    fn nobody_waits_for_one_that_panicked() {
        let panicking = || side_by_side(2, vec![Task::new(2, || panic!("on purpose")), Task::new(1, || ())]);
        assert!(std::panic::catch_unwind(panicking).is_err());
    }
}
