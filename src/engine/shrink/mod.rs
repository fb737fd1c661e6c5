//! A failure made small: fewer faults, a simpler kind, less data, an earlier point, one connection.
//!
//! Nothing is assumed to still fail: each change is rehearsed, golden runs and all, and is taken only if a case then
//! fails with the word of the first one. The searches take it that what fails on much data fails on more. Where that is
//! not so, the result still fails, and is still without a smaller neighbour.

mod candidate;
mod search;
mod trial;
mod written;

pub use search::smallest;

use crate::clock::Stopwatch;
use crate::dataset::{Dataset, Generated, generated};
use crate::engine::{Hunt, Library};
use crate::model::{Address, FaultPoint, Outcome, Scenario, Token};
use crate::process::Executable;
use crate::registry::Registry;
use crate::target::Session;
use crate::{Error, Result};
use candidate::Candidate;
use std::path::PathBuf;
use std::time::Duration;
use trial::Trial;

/// What to shrink, and how long.
pub struct Shrink<'a> {
    /// What is built in and added.
    pub registry: &'a Registry,
    /// Where the files are.
    pub library: &'a Library,
    /// The scenario, with the seed and the one fault of the token.
    pub scenario: &'a Scenario,
    /// The file of the scenario.
    pub file: PathBuf,
    /// The failure.
    pub token: &'a Token,
    /// The folder for the new scenario, inside the folder of scenarios.
    pub out: PathBuf,
    /// Nothing more is tried after this time.
    pub budget: Duration,
}

/// One change that was tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// The change, for people.
    pub what: String,
    /// Whether it still failed, and so was taken.
    pub is_taken: bool,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shrunk {
    /// The new scenario file.
    pub file: PathBuf,
    /// Its name.
    pub scenario: String,
    /// The folder of the reduced dataset, if tables or columns were left out.
    pub dataset: Option<PathBuf>,
    /// The word that replays it.
    pub token: String,
    /// The word of the case.
    pub outcome: Outcome,
    /// Generated rows before and after.
    pub rows: (u64, u64),
    /// Where it strikes now.
    pub address: Address,
    /// Whether the time was over before everything was tried.
    pub is_cut_off: bool,
    /// Everything that was tried, in order.
    pub tried: Vec<Tried>,
}

/// The simplest kinds, simplest first.
const SIMPLE: [&str; 2] = ["proc.kill", "net.reset"];

/// Makes the failure of a token small, and writes it down as a scenario that runs.
///
/// `said` hears of each change that was tried.
///
/// # Errors
/// The case does not fail now; its base directory, dataset or scenario cannot be used; the result cannot be written.
pub async fn shrink(what: &Shrink<'_>, executable: Executable, said: impl FnMut(&Tried)) -> Result<Shrunk> {
    // Held to the end: servers and templates stay from one trial to the next.
    let session = Session::open(&executable, &crate::target::Base::find())?;
    let data = Dataset::find(&what.library.fixtures, &what.scenario.dataset, what.scenario.seed)?;
    let folder = what.library.fixtures.iter().map(|dir| dir.join(&data.name)).find(|dir| dir.is_dir());
    let folder = folder.ok_or_else(|| Error::bug(format!("dataset `{}` has no folder", data.name)))?;
    let trial = Trial::new(what, executable, session.dir().join("shrink"), folder.clone());
    let best = Candidate::of(what.scenario, what.token, &data);
    let outcome = trial.first(&best).await?.ok_or_else(|| {
        let (scenario, address) = (&what.scenario.name, &what.token.address);
        Error::environment(format!("{scenario} does not fail at {address} now, so there is nothing to shrink"))
    })?;
    let rows = best.rows;
    let watch = Stopwatch::start();
    let (tried, sound, generated) = (Vec::new(), Vec::new(), generated(&folder)?);
    let mut work = Work { what, trial, outcome, best, tried, sound, said, watch, generated };
    work.reduce().await?;
    let is_cut_off = work.is_over();
    let Work { trial, best, tried, .. } = work;
    let written = written::write(what, &best, &folder)?;
    let token = trial.written(&written, outcome).await?;
    let (address, rows) = (best.address.clone(), (rows, best.rows));
    let written::Written { file, scenario, dataset } = written;
    Ok(Shrunk { file, scenario, dataset, token, outcome, rows, address, is_cut_off, tried })
}

struct Work<'a, F> {
    what: &'a Shrink<'a>,
    trial: Trial<'a>,
    outcome: Outcome,
    /// The smallest that was seen to fail.
    best: Candidate,
    tried: Vec<Tried>,
    /// What was seen not to fail: the next round would ask the same again.
    sound: Vec<(Candidate, Hunt)>,
    said: F,
    watch: Stopwatch,
    generated: Vec<Generated>,
}

impl<F: FnMut(&Tried)> Work<'_, F> {
    /// Until a whole round changes nothing more.
    async fn reduce(&mut self) -> Result<()> {
        self.one_fault().await?;
        self.simplest_kind().await?;
        loop {
            let before = self.best.clone();
            // What makes the later trials cheapest comes first.
            self.tables().await?;
            self.columns().await?;
            self.rows().await?;
            self.earliest().await?;
            self.one_connection().await?;
            if self.best == before || self.is_over() {
                return Ok(());
            }
        }
    }

    fn is_over(&self) -> bool {
        self.watch.elapsed() >= self.what.budget
    }

    /// Rehearses a candidate, and takes it if it still fails.
    async fn try_out(&mut self, what: String, candidate: Candidate, hunt: Hunt) -> Result<bool> {
        let asked = (candidate, hunt);
        if self.is_over() || asked.0 == self.best || self.sound.contains(&asked) {
            return Ok(false);
        }
        let found = self.trial.fails(&asked.0, &asked.1, self.outcome).await?;
        let is_taken = found.is_some();
        match found {
            Some(address) => self.best = Candidate { address, ..asked.0 },
            None => self.sound.push(asked),
        }
        let tried = Tried { what, is_taken };
        (self.said)(&tried);
        self.tried.push(tried);
        Ok(is_taken)
    }

    async fn one_fault(&mut self) -> Result<()> {
        if self.best.address.points().len() > 1 {
            let address = Address::one(self.point());
            let what = format!("only the first fault, {address}");
            let hunt = Hunt::Around(self.point());
            self.try_out(what, Candidate { address, ..self.best.clone() }, hunt).await?;
        }
        Ok(())
    }

    async fn simplest_kind(&mut self) -> Result<()> {
        if self.best.address.points().len() > 1 {
            return Ok(());
        }
        for kind in SIMPLE {
            let point = self.point();
            let strikes = self.what.registry.fault(kind).is_some_and(|kind| kind.axes().contains(&point.place.axis));
            if point.kind == kind {
                break;
            }
            let simple = FaultPoint { kind: kind.to_owned(), arg: None, place: point.place };
            let candidate = Candidate { address: Address::one(simple.clone()), ..self.best.clone() };
            let what = format!("{kind} in place of {}", point.kind);
            if strikes && self.try_out(what, candidate, Hunt::Around(simple)).await? {
                break;
            }
        }
        Ok(())
    }

    fn point(&self) -> FaultPoint {
        self.best.address.first().clone()
    }

    /// The fewest rows, by halves.
    async fn rows(&mut self) -> Result<()> {
        let fewest = self.fewest_rows()?;
        if self.best.rows <= fewest || !self.with_rows(self.best.rows - 1).await? {
            return Ok(());
        }
        let mut search = smallest(fewest, self.best.rows);
        while let Some(rows) = search.next() {
            let fails = self.with_rows(rows).await?;
            search.answer(fails);
        }
        Ok(())
    }

    async fn with_rows(&mut self, rows: u64) -> Result<bool> {
        let hunt = Hunt::Around(self.point());
        self.try_out(format!("{rows} rows"), Candidate { rows, ..self.best.clone() }, hunt).await
    }

    /// Each generated table has at least one.
    fn fewest_rows(&self) -> Result<u64> {
        let data = self.trial.dataset(&self.best)?;
        Ok(data.databases().iter().map(|database| database.tables.len() as u64).sum())
    }

    async fn tables(&mut self) -> Result<()> {
        for table in self.generated.clone() {
            let left = self.generated.len() - self.best.cut.tables.len();
            let key = (table.content.clone(), table.table.clone());
            if left < 2 || self.best.cut.tables.contains(&key) {
                continue;
            }
            let mut candidate = self.best.clone();
            candidate.cut.tables.insert(key);
            candidate.rows = self.rows_without(&table)?;
            // One that others refer to cannot go before them.
            if self.trial.dataset(&candidate).is_ok() {
                let hunt = Hunt::Around(self.point());
                self.try_out(format!("without the rows of table {}", table.table), candidate, hunt).await?;
            }
        }
        Ok(())
    }

    /// The others keep as many as they have.
    fn rows_without(&self, table: &Generated) -> Result<u64> {
        let data = self.trial.dataset(&self.best)?;
        let tables = data.databases().iter().flat_map(|database| &database.tables);
        Ok(self.best.rows - tables.filter(|found| found.name == table.table).map(|found| found.rows).sum::<u64>())
    }

    /// All columns of a table but one at once, or else one by one.
    async fn columns(&mut self) -> Result<()> {
        for table in self.generated.clone() {
            if self.best.cut.tables.contains(&(table.content.clone(), table.table.clone())) {
                continue;
            }
            let columns: Vec<String> = table.columns.iter().skip(1).cloned().collect();
            if columns.len() > 1 && self.without(&table, &columns).await? {
                continue;
            }
            for column in table.columns.iter().rev() {
                self.without(&table, std::slice::from_ref(column)).await?;
            }
        }
        Ok(())
    }

    async fn without(&mut self, table: &Generated, columns: &[String]) -> Result<bool> {
        let key = |column: &String| (table.content.clone(), table.table.clone(), column.clone());
        let mut candidate = self.best.clone();
        candidate.cut.columns.extend(columns.iter().map(key));
        let left = table.columns.iter().filter(|column| !candidate.cut.columns.contains(&key(column))).count();
        if left == 0 || candidate == self.best || self.trial.dataset(&candidate).is_err() {
            return Ok(false);
        }
        let what = format!("without {} of table {}", columns.join(", "), table.table);
        let hunt = Hunt::Around(self.point());
        self.try_out(what, candidate, hunt).await
    }

    async fn earliest(&mut self) -> Result<()> {
        let point = self.point();
        if self.best.address.points().len() > 1 || point.place.nth == 1 {
            return Ok(());
        }
        let mut before = point.clone();
        before.place.nth -= 1;
        let candidate = Candidate { address: Address::one(before.clone()), ..self.best.clone() };
        self.try_out(format!("an earlier point than {point}"), candidate, Hunt::UpTo(before)).await?;
        Ok(())
    }

    async fn one_connection(&mut self) -> Result<()> {
        if let Some(candidate) = self.best.with_one_connection() {
            let hunt = Hunt::Around(self.point());
            self.try_out("one connection".to_owned(), candidate, hunt).await?;
        }
        Ok(())
    }
}
