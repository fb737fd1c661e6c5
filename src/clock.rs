//! The only reader of time.
#![allow(clippy::disallowed_methods)] // this is the place that the rule speaks of

use std::time::{Duration, Instant};

/// A point of monotonic time, to measure from.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts to measure.
    pub fn start() -> Stopwatch {
        Stopwatch(Instant::now())
    }

    /// Time since the start.
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }

    /// Microseconds since the start.
    pub fn elapsed_us(&self) -> u64 {
        u64::try_from(self.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}

/// The wall clock, RFC 3339 in UTC with microseconds, such as `2026-11-20T07:19:00.123456Z`.
pub fn now_utc() -> String {
    written(jiff::Timestamp::now())
}

/// The wall clock that much later, as [`now_utc`] writes it; nothing beyond the end of time.
pub fn utc_in(span: Duration) -> Option<String> {
    let span = jiff::SignedDuration::try_from(span).ok()?;
    jiff::Timestamp::now().checked_add(span).ok().map(written)
}

/// Seconds since 1970.
pub fn unix_seconds() -> i64 {
    jiff::Timestamp::now().as_second()
}

/// Seconds since 1970 of a time as [`now_utc`] writes it.
pub fn seconds_of(utc: &str) -> Option<i64> {
    utc.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_second)
}

/// A time of the file system, as [`now_utc`] writes it.
pub fn utc(time: std::time::SystemTime) -> String {
    jiff::Timestamp::try_from(time).map_or_else(|_| String::new(), written)
}

/// A time that somebody wrote, as [`now_utc`] writes it; without an offset it is taken for UTC.
pub fn parse_utc(text: &str) -> Option<String> {
    let with_offset = text.parse::<jiff::Timestamp>().ok();
    let without = || text.parse::<jiff::civil::DateTime>().ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok();
    with_offset.or_else(|| without().map(|time| time.timestamp())).map(written)
}

fn written(time: jiff::Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
}
