//! The gate that every byte passes on its way out of the proxy.

use tokio::sync::watch;

/// Open or frozen. Bytes are read while it is frozen, up to one buffer, and go nowhere.
pub(super) struct Gate {
    state: watch::Sender<State>,
}

#[derive(Default)]
struct State {
    is_frozen: bool,
    /// How often the connections that were there have been given up.
    era: u32,
}

impl Gate {
    pub(super) fn open() -> Gate {
        Gate { state: watch::Sender::new(State::default()) }
    }

    /// Returns when every [`Gate::pass`] is over: not a byte goes through afterwards.
    pub(super) fn freeze(&self) {
        self.state.send_modify(|state| state.is_frozen = true);
    }

    pub(super) fn thaw(&self) {
        self.state.send_modify(|state| state.is_frozen = false);
    }

    /// What began before is over once the gate is open.
    pub(super) fn give_up(&self) {
        self.state.send_modify(|state| state.era = state.era.wrapping_add(1));
    }

    /// In which something begins now.
    pub(super) fn era(&self) -> u32 {
        self.state.borrow().era
    }

    /// Does `act` under the gate's read lock, or not at all while it is frozen. `act` must not block.
    pub(super) fn pass<T>(&self, act: impl FnOnce() -> T) -> Option<T> {
        let state = self.state.borrow();
        if state.is_frozen { None } else { Some(act()) }
    }

    /// Waits until the gate is open.
    pub(super) async fn opened(&self) {
        self.reached(|state| !state.is_frozen).await;
    }

    /// Waits until the gate is open and what began in `era` was given up.
    pub(super) async fn over(&self, era: u32) {
        self.reached(|state| !state.is_frozen && state.era != era).await;
    }

    async fn reached(&self, is_so: impl FnMut(&State) -> bool) {
        // An error says that the sender is gone, and the sender is ours.
        let _ = self.state.subscribe().wait_for(is_so).await;
    }
}
