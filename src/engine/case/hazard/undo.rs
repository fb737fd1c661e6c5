//! What a fault leaves standing, to be undone before the way out begins.

use crate::Result;
use crate::engine::case::stage::Stage;
use crate::target::Pool;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// One thing that stands.
pub(in crate::engine) enum Undo {
    /// A statement that takes it back, for an administrator of the server.
    Order(String),
    /// A session that holds locks; it ends when it is told, or has ended by itself.
    Locks { end: oneshot::Sender<()>, session: JoinHandle<()> },
}

impl Undo {
    /// Takes it back; it is gone when this returns.
    pub(in crate::engine) async fn undo(self, pool: Option<&Pool>) -> Result<()> {
        match (self, pool) {
            (Undo::Order(sql), Some(pool)) => pool.order(&sql).await,
            (Undo::Order(_), None) => Ok(()),
            (Undo::Locks { end, session }, _) => {
                let _ = end.send(()); // one that has ended does not listen
                let _ = session.await; // a panic in it would have closed its connection
                Ok(())
            }
        }
    }
}

impl Stage<'_> {
    /// What stands is undone by [`Stage::heal`].
    pub(super) fn stands(&self, undo: Undo) {
        self.standing().push(undo);
    }
}
