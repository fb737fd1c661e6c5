//! Who says so: signatures over the root of a sealed bundle, in other people's formats.
//!
//! An in-toto statement about `SHA256SUMS`, in a DSSE envelope, signed with ECDSA P-256. Every part is verified by
//! programs that are not ours (`openssl`, `securesystemslib`). People sign statements of their own kind with their SSH
//! keys (`ssh-keygen`). What is not done: Sigstore, certificates, time stamps.

mod envelope;
mod key;
mod signoff;
pub mod ssh;
mod statement;

pub use envelope::{Envelope, PAYLOAD_TYPE, pae};
pub use key::{MachineKey, PublicKey};
pub use signoff::{Answer, GateShown, PolicyShown, RuleShown, SHOWN, Signoff, Waiver};
pub use statement::{STATEMENT, Slot, summary_of, test_result};
