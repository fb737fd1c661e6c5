//! What a fault leaves standing, to be undone before the way out begins.

use crate::engine::case::stage::Stage;
use crate::target::Pool;
use crate::{Error, Result};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// One thing that stands.
pub(in crate::engine) enum Undo {
    /// A statement that takes it back, for an administrator of that server.
    Order(Arc<Pool>, String),
    /// Something that goes on beside the step; it ends when it is told, or has ended by itself.
    Beside { end: oneshot::Sender<()>, task: JoinHandle<Result<()>> },
}

impl Undo {
    /// Waits for so many milliseconds, or until it is told, and then does `last`.
    pub(super) fn after<F>(ms: Option<u32>, last: F) -> Undo
    where
        F: Future<Output = Result<()>> + Send + 'static,
    {
        let over = async move {
            match ms {
                Some(ms) => tokio::time::sleep(Duration::from_millis(ms.into())).await,
                None => std::future::pending().await,
            }
        };
        Undo::when(over, last)
    }

    /// Waits for `over`, or until it is told, and then does `last`.
    pub(super) fn when<O, F>(over: O, last: F) -> Undo
    where
        O: Future<Output = ()> + Send + 'static,
        F: Future<Output = Result<()>> + Send + 'static,
    {
        let (end, told) = oneshot::channel();
        let task = tokio::spawn(async move {
            tokio::select! {
                () = over => {}
                _ = told => {}
            }
            last.await
        });
        Undo::Beside { end, task }
    }

    /// Takes it back; it is gone when this returns.
    pub(in crate::engine) async fn undo(self) -> Result<()> {
        match self {
            Undo::Order(pool, sql) => pool.order(&sql).await,
            Undo::Beside { end, task } => {
                let _ = end.send(()); // one that has ended does not listen
                task.await.map_err(|error| Error::bug("what stood beside a step has panicked").caused_by(error))?
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
