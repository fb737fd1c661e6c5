//! Disposable databases.
