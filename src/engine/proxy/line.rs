//! The state of one connection that a strike can change: silent, slow, deaf.

use super::gate::Gate;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

pub(super) struct Line {
    gate: Gate,
    delay_us: AtomicU64,
    deaf: AtomicBool,
}

impl Line {
    pub(super) fn new() -> Line {
        Line { gate: Gate::open(), delay_us: AtomicU64::new(0), deaf: AtomicBool::new(false) }
    }

    /// Nothing passes until this is over.
    pub(super) async fn stall(&self, time: Option<Duration>) {
        self.gate.freeze();
        match time {
            Some(time) => tokio::time::sleep(time).await,
            None => std::future::pending().await,
        }
        self.gate.thaw();
    }

    /// Everything comes later from now on.
    pub(super) fn slow(&self, delay: Duration) {
        self.delay_us.store(u64::try_from(delay.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// The client hears nothing any more.
    pub(super) fn deafen(&self) {
        self.deaf.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_deaf(&self) -> bool {
        self.deaf.load(Ordering::Relaxed)
    }

    /// Waits until the next bytes may pass.
    pub(super) async fn ready(&self) {
        self.gate.opened().await;
        match self.delay_us.load(Ordering::Relaxed) {
            0 => {}
            delay_us => tokio::time::sleep(Duration::from_micros(delay_us)).await,
        }
    }
}
