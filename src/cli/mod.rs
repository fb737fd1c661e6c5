//! The command line: arguments to calls, and nothing else. One file per command.
