//! Reports: pure functions of the history. One file per format.
