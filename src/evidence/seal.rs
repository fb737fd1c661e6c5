//! The seal of a release: sums over the root and over all that was added to a bundle since, so that nothing of it can be
//! taken away unseen. In the format of `sha256sum`; its own SHA-256 is told to whoever asks later.

use super::bundle::SUMS;
use std::collections::BTreeMap;

/// The seal.
pub const SEAL: &str = "signoffs/SEAL";
/// A time stamp over it (RFC 3161), by whomever one trusts.
pub const SEAL_TOKEN: &str = "signoffs/SEAL.tsr";
/// The report with the approvals.
pub const RELEASE_PAGE: &str = "signoffs/release.html";
/// What lies in `signoffs/` besides signoffs.
pub const OF_RELEASE: [&str; 3] = [RELEASE_PAGE, SEAL, SEAL_TOKEN];

/// The bytes of a seal: `added` are the digests of what is in `attest/` and `signoffs/`, by path.
pub fn seal(root_sha256: &str, added: &BTreeMap<String, String>) -> Vec<u8> {
    let is_sealed = |(path, _): &(&String, &String)| ![SEAL, SEAL_TOKEN].contains(&path.as_str());
    let lines = added.iter().filter(is_sealed).map(|(path, sha256)| format!("{sha256}  {path}\n"));
    [format!("{root_sha256}  {SUMS}\n")].into_iter().chain(lines).collect::<String>().into_bytes()
}
