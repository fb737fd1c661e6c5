//! Who says so: signatures over the root of a sealed bundle, in other people's formats.
//!
//! An in-toto statement about `SHA256SUMS`, in a DSSE envelope, signed with ECDSA P-256. Every part is verified by
//! programs that are not ours (`openssl`, `securesystemslib`). What is not done: Sigstore, certificates, time stamps.

mod envelope;
mod key;
mod statement;

pub use envelope::{Envelope, PAYLOAD_TYPE, pae};
pub use key::{MachineKey, PublicKey};
pub use statement::{STATEMENT, Slot, summary_of, test_result};
