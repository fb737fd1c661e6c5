//! In which form a command answers.

use clap::ValueEnum;

/// For people or for machines.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Format {
    Text,
    Json,
}
