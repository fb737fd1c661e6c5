//! Stopping at a fault: shows how to look inside, and waits for Enter, SIGINT or SIGTERM. Works without a terminal.

use crate::cli::{say, say_aside};
use crate::engine::{Look, Pause};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Notify, oneshot};

/// Who decides when a paused case goes on. A signal means that, while it is paused; else it ends the run.
#[derive(Clone, Default)]
pub(super) struct Desk {
    is_paused: Arc<AtomicBool>,
    go_on: Arc<Notify>,
}

impl Desk {
    /// What the engine asks at a fault.
    pub(super) fn pause(&self) -> Pause {
        let desk = self.clone();
        Box::new(move |look| {
            let desk = desk.clone();
            Box::pin(async move { desk.wait(&look).await })
        })
    }

    async fn wait(&self, look: &Look) {
        self.is_paused.store(true, Ordering::SeqCst);
        say(&format!("paused  {}", look.lines().join("\n")));
        say("Enter or Ctrl-C goes on");
        tokio::select! {
            () = line() => {}
            () = self.go_on.notified() => {}
        }
        self.is_paused.store(false, Ordering::SeqCst);
        say_aside("going on");
    }

    /// Resolves at the first SIGINT or SIGTERM that does not end a pause. Made before anything starts: a future that
    /// nobody has polled yet would let the first signal kill us.
    pub(super) fn interrupted(&self) -> impl Future<Output = ()> + use<> {
        let (desk, signals) = (self.clone(), (signal(SignalKind::interrupt()), signal(SignalKind::terminate())));
        async move {
            let (Ok(interrupt), Ok(terminate)) = signals else { return std::future::pending().await };
            desk.unpaused(interrupt, terminate).await;
        }
    }

    async fn unpaused(&self, mut interrupt: Signal, mut terminate: Signal) {
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if !self.is_paused.load(Ordering::SeqCst) {
                return;
            }
            self.go_on.notify_one();
        }
    }
}

/// A line of stdin, or its end. The thread is nobody's: a read that never ends must not keep us from ending.
async fn line() {
    let (sender, receiver) = oneshot::channel();
    std::thread::spawn(move || {
        let _ = std::io::stdin().read_line(&mut String::new());
        let _ = sender.send(()); // nobody waits any more after a signal
    });
    let _ = receiver.await;
}
