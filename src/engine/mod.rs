//! The engine: the only place that drives processes, waits and injures.

pub mod proxy;
