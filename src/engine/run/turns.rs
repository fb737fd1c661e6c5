//! Whose turn it is: one limit of cases at a time over all scenarios of a run, and the time that they may take together.
//!
//! While cases have their seats, the stages of a few more are set in the wings: half as many as there are seats, for each
//! holds databases that nobody uses yet. A case that will wait most of the time, for a lock or a silent server, waits on
//! the bench, and takes nobody's seat.
//!
//! What begins before the time is over is finished. What does not is counted, and the count goes into the record: a
//! budget makes a run smaller, never greener.

use crate::clock::Stopwatch;
use crate::model::{Address, Body, Unvisited};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit};

/// See the module.
pub(in crate::engine) struct Turns {
    places: usize,
    seats: Semaphore,
    bench: Option<Semaphore>,
    wings: Semaphore,
    watch: Stopwatch,
    budget: Option<Duration>,
    /// Cases that did not get their turn, by scenario, step and kinds.
    passed_over: Mutex<BTreeMap<(String, String, String), u64>>,
}

impl Turns {
    /// The time starts now.
    pub(in crate::engine) fn new(jobs: usize, budget: Option<Duration>) -> Turns {
        let jobs = jobs.max(1);
        let [seats, bench, wings] = [jobs, jobs, jobs.div_ceil(2)].map(Semaphore::new);
        let bench = Some(bench).filter(|_| jobs > 1);
        let places = if bench.is_some() { 2 * jobs } else { jobs };
        Turns { places, seats, bench, wings, watch: Stopwatch::start(), budget, passed_over: Mutex::default() }
    }

    /// Waits for a place in the wings; a case has it while its stage is set, and until it has a seat.
    pub(in crate::engine) async fn wing(&self) -> SemaphorePermit<'_> {
        self.wings.acquire().await.expect("nobody closes it")
    }

    /// Waits for a seat; a case has it until its end.
    pub(in crate::engine) async fn seat(&self) -> SemaphorePermit<'_> {
        self.seats.acquire().await.expect("nobody closes it")
    }

    /// Waits for a place on the bench, which has as many as there are seats. With one seat there is no bench, for there is
    /// one case at a time.
    pub(in crate::engine) async fn bench(&self) -> SemaphorePermit<'_> {
        self.bench.as_ref().unwrap_or(&self.seats).acquire().await.expect("nobody closes it")
    }

    /// How many cases may run, seated or on the bench. As many scenarios are under way: one that waits for its last case
    /// leaves no seat empty.
    pub(in crate::engine) fn places(&self) -> usize {
        self.places
    }

    /// Whether nothing more may begin.
    pub(in crate::engine) fn is_over(&self) -> bool {
        self.budget.is_some_and(|budget| self.watch.elapsed() >= budget)
    }

    /// Remembers that a case was planned and did not begin.
    pub(in crate::engine) fn pass_over(&self, scenario: &str, during: &str, address: &Address) {
        let key = (scenario.to_owned(), during.to_owned(), address.counted_as());
        let mut passed_over = self.passed_over.lock().unwrap_or_else(PoisonError::into_inner);
        *passed_over.entry(key).or_default() += 1;
    }

    /// What a scenario has to say of the cases that did not begin.
    pub(in crate::engine) fn unvisited(&self, scenario: &str) -> Vec<Body> {
        let passed_over = self.passed_over.lock().unwrap_or_else(PoisonError::into_inner);
        let own = passed_over.iter().filter(|((of, _, _), _)| of == scenario);
        own.flat_map(|((scenario, during, kind), unvisited)| {
            let text = format!("the budget was over: {scenario}: {unvisited} planned cases of {kind} did not begin");
            let (scenario, kind, during) = (scenario.clone(), kind.clone(), during.clone());
            let over = Body::BudgetOver(Unvisited { scenario, kind, during, unvisited: *unvisited });
            [over, Body::Note { case: None, text }]
        })
        .collect()
    }

    /// In which order the cases of a scenario begin: with a budget mixed, so that what is cut off is spread evenly.
    pub(in crate::engine) fn order<T>(&self, cases: &mut [T], seed: u64, address: impl Fn(&T) -> String) {
        if self.budget.is_some() {
            cases.sort_by_cached_key(|case| {
                let address = address(case);
                xxhash_rust::xxh3::xxh3_64_with_seed(address.as_bytes(), seed)
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_budget_the_order_stays_and_nothing_is_ever_over() {
        let turns = Turns::new(1, None);
        let mut cases = ["b", "c", "a"];
        turns.order(&mut cases, 1, |case| (*case).to_owned());
        assert_eq!((cases, turns.is_over()), (["b", "c", "a"], false));
    }

    #[test]
    fn half_as_many_stages_wait_in_the_wings_as_there_are_seats() {
        for (jobs, wings) in [(0, 1), (1, 1), (2, 1), (4, 2), (5, 3)] {
            assert_eq!(Turns::new(jobs, None).wings.available_permits(), wings, "{jobs} seats");
        }
    }

    #[tokio::test]
    async fn who_waits_on_the_bench_takes_no_seat() {
        let turns = Turns::new(2, None);
        let _waits = [turns.bench().await, turns.bench().await];
        assert_eq!((turns.seats.available_permits(), turns.places()), (2, 4));
    }

    #[tokio::test]
    async fn with_one_seat_there_is_one_case_at_a_time() {
        let turns = Turns::new(1, None);
        let _waits = turns.bench().await;
        assert_eq!((turns.seats.available_permits(), turns.places()), (0, 1));
    }

    #[test]
    fn with_a_budget_the_order_depends_on_the_seed_alone() {
        let ordered = |seed: u64, mut cases: Vec<u32>| {
            Turns::new(1, Some(Duration::from_secs(60))).order(&mut cases, seed, u32::to_string);
            cases
        };
        let (up, down): (Vec<u32>, Vec<u32>) = ((0..20).collect(), (0..20).rev().collect());
        assert_eq!(ordered(1, up.clone()), ordered(1, down));
        assert_ne!(ordered(1, up.clone()), ordered(2, up));
    }

    #[test]
    fn what_is_passed_over_is_counted_by_scenario_step_and_kind() {
        let turns = Turns::new(1, Some(Duration::ZERO));
        let address = |text: &str| text.parse::<Address>().unwrap();
        turns.pass_over("one", "run", &address("proc.kill@pg.target:commit.1"));
        turns.pass_over("one", "run", &address("proc.kill@pg.target:commit.2"));
        turns.pass_over("two", "run", &address("proc.kill@pg.target:commit.1"));
        turns.pass_over("two", "run", &address("net.stall=300@pg.target:commit.1"));
        let found = turns.unvisited("one");
        assert!(turns.is_over());
        assert!(
            matches!(&found[..], [Body::BudgetOver(Unvisited { unvisited: 2, kind, .. }), Body::Note { .. }] if kind == "proc.kill"),
            "{found:?}"
        );
        let kind = |body: &Body| if let Body::BudgetOver(over) = body { Some(over.kind.clone()) } else { None };
        let kinds: Vec<String> = turns.unvisited("two").iter().filter_map(kind).collect();
        assert_eq!(kinds, ["net.stall=300", "proc.kill"], "as the cases are planned");
    }
}
