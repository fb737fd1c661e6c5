//! x
mod profile;
pub use profile::Profile;
