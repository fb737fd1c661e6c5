//! Integration tests.

mod evidence;
mod report;
