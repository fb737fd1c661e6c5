//! Reads `fixtures/`; seeded generation of any size.
