//! What is armed, and the counting that says when it strikes.

use super::trace::{Point, Trace};
use crate::clock;
use crate::model::{Axis, Place};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
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
    /// Resolves when the point was reached and its act is about to show ([`Act::Reset`]) or is being held
    /// ([`Act::Hold`]: the proxy is frozen by then). A client cannot end because of it before this can resolve.
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
        state.trace.points.push(point);
        hit
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot {
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
