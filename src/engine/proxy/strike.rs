//! What is armed, and the counting that says when it strikes.

use super::statement::Statement;
use super::trace::{Point, Trace};
use crate::clock;
use crate::model::{Axis, Place, SqlState};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;

/// A misfortune, and where it strikes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Strike {
    /// Counted from the moment of arming, over all connections of the endpoint.
    pub place: Place,
    /// What is done there.
    pub act: Act,
}

/// What the proxy does at a point. A closed set: the proxy executes it, the faults name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Freezes every connection of the proxy, also later ones, the struck one right before the frame that was
    /// counted, until [`Proxy::disarm`](super::Proxy::disarm).
    Hold,
    /// Resets the connection towards the client (RST) and closes it towards the server; the frame that was counted
    /// reaches nobody.
    Reset,
    /// The same in an orderly way: FIN, and what the client still sends is read and lost.
    Close,
    /// FIN towards the client only. What it sends goes on to the server, the frame that was counted if it is one of
    /// the client's; the server's answers are lost.
    HalfClose,
    /// Loses everything that the server sends from here on (on `commit` the CommandComplete before it, too) until it
    /// has answered, then resets the connection.
    LoseAnswer,
    /// Resets the connection towards the client and lets the server go on with the statement that was counted; the
    /// server's side is closed once that has been answered.
    Orphan,
    /// Nothing passes on the connection for this time, or for good.
    Stall(Option<Duration>),
    /// Everything on the connection comes later by this time, from here on.
    Slow(Duration),
    /// The server refuses what was counted with this code: a statement, or a COPY that is under way.
    Raise(SqlState),
}

/// The news that an armed strike struck.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fired {
    /// The place that was armed.
    pub place: Place,
    /// The connection, as in the trace.
    pub conn: u32,
    /// The label of the point; literals are left out.
    pub what: Arc<str>,
    /// How many matching points were counted, this one included; above `place.nth` only for `forever`.
    pub nth: u32,
    /// Where the point stands in the trace since it was last taken, from 0.
    pub index: usize,
    /// RFC 3339.
    pub at_utc: String,
}

/// A handle on an armed strike. Dropping it does not disarm.
#[derive(Debug)]
pub struct Armed {
    news: mpsc::UnboundedReceiver<Fired>,
    fired: Arc<AtomicBool>,
}

impl Armed {
    /// Resolves when the point was reached and its act is about to show, or is being held ([`Act::Hold`]: the proxy is
    /// frozen by then). A client cannot end because of it before this can resolve. [`Act::Raise`] shows when the server
    /// has answered with that very code, [`Act::LoseAnswer`] when it has answered.
    ///
    /// Once per strike, so a second call resolves for `forever` places only. Never resolves after a disarming that
    /// came first. Cancel safe.
    pub async fn fired(&mut self) -> Fired {
        match self.news.recv().await {
            Some(fired) => fired,
            None => std::future::pending().await,
        }
    }

    /// True from the moment at which [`Armed::fired`] can resolve.
    pub fn has_fired(&self) -> bool {
        self.fired.load(Ordering::Acquire)
    }
}

/// Records points and tells which of them is struck.
pub(super) struct Ledger {
    endpoint: String,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    trace: Trace,
    slot: Option<Slot>,
}

struct Slot {
    strike: Strike,
    counted: u32,
    news: mpsc::UnboundedSender<Fired>,
    fired: Arc<AtomicBool>,
}

/// A point that is struck: do `act`, then announce it.
pub(super) struct Hit {
    pub(super) act: Act,
    notice: Fired,
    news: mpsc::UnboundedSender<Fired>,
    fired: Arc<AtomicBool>,
}

impl Hit {
    /// Tells the holder of [`Armed`].
    pub(super) fn announce(self) {
        self.fired.store(true, Ordering::Release);
        // Nobody listens any more when the handle was dropped; the act is done all the same.
        let _ = self.news.send(Fired { at_utc: clock::now_utc(), ..self.notice });
    }
}

impl Ledger {
    pub(super) fn new(endpoint: &str) -> Ledger {
        Ledger { endpoint: endpoint.to_owned(), state: Mutex::default() }
    }

    pub(super) fn arm(&self, strike: Strike) -> Armed {
        let (sender, news) = mpsc::unbounded_channel();
        let fired = Arc::new(AtomicBool::new(false));
        self.lock().slot = Some(Slot { strike, counted: 0, news: sender, fired: Arc::clone(&fired) });
        Armed { news, fired }
    }

    pub(super) fn disarm(&self) {
        self.lock().slot = None;
    }

    pub(super) fn take(&self) -> Trace {
        std::mem::take(&mut self.lock().trace)
    }

    /// Records `point`, and counts it for the armed strike.
    pub(super) fn reach(&self, point: Point) -> Option<Hit> {
        let mut state = self.lock();
        let index = state.trace.points.len();
        let hit = state.slot.as_mut().and_then(|slot| slot.reach(&self.endpoint, &point, index));
        match point.axis {
            Axis::Copyin | Axis::Copyout => state.trace.add((point.axis, point.fingerprint), 1, &point.label),
            _ => state.trace.points.push(point),
        }
        hit
    }

    /// How many more of `axis` and `statement` may pass before the one that is struck; the answer holds as long as no
    /// other connection gets on, which is until the caller waits.
    pub(super) fn allowed(&self, axis: Axis, statement: &Statement) -> u64 {
        let state = self.lock();
        let matching = state.slot.as_ref().filter(|slot| slot.is_for(&self.endpoint, axis, Some(statement)));
        matching.map_or(u64::MAX, |slot| slot.allowed())
    }

    /// Whether an answer to a COMMIT must not go before it is known whether it is struck.
    pub(super) fn holds_answers(&self) -> bool {
        let is_it = |slot: &Slot| slot.strike.act == Act::LoseAnswer && slot.strike.place.axis == Axis::Commit;
        self.lock().slot.as_ref().is_some_and(is_it)
    }

    /// Counts what passes in bulk, none of it struck.
    pub(super) fn pass(&self, axis: Axis, statement: Option<&Statement>, times: u64) {
        self.lock().pass(&self.endpoint, axis, statement, times);
    }

    /// Counts bytes; one of them may be struck: after so many of them.
    pub(super) fn bytes(&self, conn: u32, statement: Option<&Statement>, bytes: u64) -> Option<(usize, Hit)> {
        let mut state = self.lock();
        let index = state.trace.points.len();
        let matching = state.slot.as_ref().filter(|slot| slot.is_for(&self.endpoint, Axis::Byte, statement));
        let before = matching.map(Slot::allowed).filter(|before| *before < bytes);
        state.pass(&self.endpoint, Axis::Byte, statement, bytes);
        let (before, slot) = (before?, state.slot.as_ref()?);
        let label = statement.map_or_else(|| "".into(), |statement| Arc::clone(&statement.label));
        let point = Point { conn, axis: Axis::Byte, fingerprint: statement.map(|s| s.fingerprint), label };
        let mut hit = slot.hit(&point, index);
        hit.notice.nth = slot.strike.place.nth;
        Some((usize::try_from(before).ok()?, hit))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn pass(&mut self, endpoint: &str, axis: Axis, statement: Option<&Statement>, times: u64) {
        let label = statement.map_or_else(|| "".into(), |statement| Arc::clone(&statement.label));
        self.trace.add((axis, statement.map(|statement| statement.fingerprint)), times, &label);
        if let Some(slot) = self.slot.as_mut().filter(|slot| slot.is_for(endpoint, axis, statement)) {
            slot.counted = slot.counted.saturating_add(u32::try_from(times).unwrap_or(u32::MAX));
        }
    }
}

impl Slot {
    fn is_for(&self, endpoint: &str, axis: Axis, statement: Option<&Statement>) -> bool {
        let place = &self.strike.place;
        let same = place.fingerprint.is_none() || place.fingerprint == statement.map(|statement| statement.fingerprint);
        (place.axis, &*place.endpoint) == (axis, endpoint) && same
    }

    /// How many may pass before the next one that is struck.
    fn allowed(&self) -> u64 {
        let Place { nth, forever, .. } = self.strike.place;
        match nth.checked_sub(self.counted.saturating_add(1)) {
            Some(before) => before.into(),
            None if forever => 0,
            None => u64::MAX,
        }
    }

    fn reach(&mut self, endpoint: &str, point: &Point, index: usize) -> Option<Hit> {
        if !matches(&self.strike.place, endpoint, point) {
            return None;
        }
        self.counted = self.counted.saturating_add(1);
        strikes(&self.strike.place, self.counted).then(|| self.hit(point, index))
    }

    fn hit(&self, point: &Point, index: usize) -> Hit {
        let notice = Fired {
            place: self.strike.place.clone(),
            conn: point.conn,
            what: Arc::clone(&point.label),
            nth: self.counted,
            index,
            at_utc: String::new(),
        };
        Hit { act: self.strike.act, notice, news: self.news.clone(), fired: Arc::clone(&self.fired) }
    }
}

fn matches(place: &Place, endpoint: &str, point: &Point) -> bool {
    let same: (&str, Axis) = (&place.endpoint, place.axis);
    same == (endpoint, point.axis) && (place.fingerprint.is_none() || place.fingerprint == point.fingerprint)
}

fn strikes(place: &Place, counted: u32) -> bool {
    if place.forever { counted >= place.nth } else { counted == place.nth }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Fingerprint;

    /// Points are `axis:sql`; the answer is the numbers (from 0) of those that were struck.
    fn struck(place: &str, points: &[(Axis, &str)]) -> Vec<usize> {
        let ledger = Ledger::new("pg.target");
        let place = place.parse().unwrap();
        let _armed = ledger.arm(Strike { place, act: Act::Reset });
        let point =
            |axis, sql: &str| Point { conn: 1, axis, fingerprint: Some(Fingerprint::of(sql)), label: sql.into() };
        let hits = points.iter().map(|(axis, sql)| ledger.reach(point(*axis, sql)));
        hits.enumerate().filter_map(|(index, hit)| hit.map(|_| index)).collect()
    }

    const RUN: [(Axis, &str); 6] = [
        (Axis::Stmt, "a"),
        (Axis::Ack, "a"),
        (Axis::Stmt, "b"),
        (Axis::Stmt, "a"),
        (Axis::Stmt, "b"),
        (Axis::Stmt, "a"),
    ];

    #[test]
    fn the_nth_of_an_axis_is_struck_once() {
        assert_eq!(struck("pg.target:stmt.2", &RUN), [2]);
        assert_eq!(struck("pg.target:ack.1", &RUN), [1]);
    }

    #[test]
    fn a_plus_strikes_for_ever_after() {
        assert_eq!(struck("pg.target:stmt.3+", &RUN), [3, 4, 5]);
    }

    #[test]
    fn a_fingerprint_counts_only_its_own() {
        let place = format!("pg.target:stmt-{}.2", Fingerprint::of("b"));
        assert_eq!(struck(&place, &RUN), [4]);
    }

    #[test]
    fn another_endpoint_or_a_number_beyond_the_run_strikes_nothing() {
        assert_eq!(struck("pg.source:stmt.1", &RUN), [0; 0]);
        assert_eq!(struck("pg.target:stmt.6", &RUN), [0; 0]);
    }

    #[test]
    fn what_is_struck_is_in_the_trace_too() {
        let ledger = Ledger::new("pg.target");
        let mut armed = ledger.arm(Strike { place: "pg.target:commit.1".parse().unwrap(), act: Act::Hold });
        let hit = ledger.reach(Point { conn: 3, axis: Axis::Commit, fingerprint: None, label: "COMMIT".into() });
        assert!(!armed.has_fired());
        hit.unwrap().announce();
        assert!(armed.has_fired());
        let fired = armed.news.try_recv().unwrap();
        assert_eq!((fired.conn, &*fired.what, fired.nth, fired.index), (3, "COMMIT", 1, 0));
        assert_eq!(ledger.take().points.len(), 1);
        assert_eq!(ledger.take().points.len(), 0);
    }
}
