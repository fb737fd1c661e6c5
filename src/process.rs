//! The only spawner of children.
