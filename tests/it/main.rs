//! Integration tests.

mod evidence;
mod journal;
mod redact;
mod report;
