//! Integration tests.

mod evidence;
