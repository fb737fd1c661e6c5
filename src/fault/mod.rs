//! Faults: named misfortunes, as data. One file each, one line each to register.
