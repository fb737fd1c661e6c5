//! `rehearse`: prove a database migration before it is real.
fn main() {}
