//! Something that is kept for as long as somebody needs it, on a thread of its own, and given back at the end: also where
//! whoever needs it is dropped without waiting.

use crate::{Error, Result};
use std::sync::mpsc;
use std::thread::JoinHandle;
use tokio::sync::oneshot;

/// Dropping it ends what is kept, and waits for that.
pub(super) struct Stay {
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Stay {
    /// Makes something with `arrive` and answers with what there is to know of it; lets it go with `leave` at the end.
    ///
    /// # Errors
    /// That of `arrive`; there is no thread.
    pub(super) async fn begin<Known, Kept>(
        arrive: impl AsyncFnOnce() -> Result<(Known, Kept)> + Send + 'static,
        leave: impl AsyncFnOnce(Kept) + Send + 'static,
    ) -> Result<(Known, Stay)>
    where
        Known: Send + 'static,
    {
        let (ready, told) = mpsc::channel();
        let (end, ended) = oneshot::channel();
        let work = move || {
            let stay = async {
                match arrive().await {
                    Err(error) => drop(ready.send(Err(error))), // whoever asked may be gone
                    Ok((known, kept)) => {
                        let _ = ready.send(Ok(known));
                        let _ = ended.await; // an error says the same: nobody needs it any more
                        leave(kept).await;
                    }
                }
            };
            let _ = super::cluster::block_on(stay); // without a runtime nobody is told, which is an error too
        };
        let thread = std::thread::Builder::new().name("stay".to_owned()).spawn(work);
        let thread = thread.map_err(|error| Error::environment("cannot start a thread").caused_by(error))?;
        let stay = Stay { end: Some(end), thread: Some(thread) };
        let told = tokio::task::spawn_blocking(move || told.recv()).await;
        let gone = || Error::bug("the thread of a stay has gone");
        let known = told.map_err(|error| gone().caused_by(error))?.map_err(|error| gone().caused_by(error))??;
        Ok((known, stay))
    }
}

impl Drop for Stay {
    fn drop(&mut self) {
        drop(self.end.take());
        let ended = self.thread.take().map(JoinHandle::join);
        drop(ended); // after a panic in it something is left to the next run
    }
}
