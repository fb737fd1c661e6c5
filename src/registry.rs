//! What is built in, and how another crate adds its own.
