//! Every scenario file is a test.
fn main() {}
