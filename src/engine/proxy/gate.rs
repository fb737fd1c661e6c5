//! The gate that every byte passes on its way out of the proxy.

use tokio::sync::watch;

/// Open or frozen. Bytes are read while it is frozen, up to one buffer, and go nowhere.
pub(super) struct Gate {
    frozen: watch::Sender<bool>,
}

impl Gate {
    pub(super) fn open() -> Gate {
        Gate { frozen: watch::Sender::new(false) }
    }

    /// Returns when every [`Gate::pass`] is over: not a byte goes through afterwards.
    pub(super) fn freeze(&self) {
        self.frozen.send_replace(true);
    }

    pub(super) fn thaw(&self) {
        self.frozen.send_replace(false);
    }

    /// Does `act` under the gate's read lock, or not at all while it is frozen. `act` must not block.
    pub(super) fn pass<T>(&self, act: impl FnOnce() -> T) -> Option<T> {
        let frozen = self.frozen.borrow();
        if *frozen { None } else { Some(act()) }
    }

    /// Waits until the gate is open.
    pub(super) async fn opened(&self) {
        // An error says that the sender is gone, and the sender is ours.
        let _ = self.frozen.subscribe().wait_for(|frozen| !frozen).await;
    }
}
