//! Checks: pure functions of the history. One file each, one line each to register.
