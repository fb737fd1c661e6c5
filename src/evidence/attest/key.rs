//! The key of a machine: ECDSA P-256, as PKCS#8 in PEM, so that `openssl` reads it.
//!
//! Signatures are deterministic (RFC 6979): the same key over the same bundle gives the same bytes.

use crate::model::canonical::sha256_hex;
use crate::{Error, Result};
use p256::ecdsa::signature::{Signer, Verifier};
use p256::ecdsa::{DerSignature, SigningKey, VerifyingKey};
use p256::pkcs8::{DecodePrivateKey, DecodePublicKey, EncodePrivateKey, EncodePublicKey, LineEnding};
use std::fmt;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// A private key. It never shows itself.
pub struct MachineKey(SigningKey);

impl fmt::Debug for MachineKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MachineKey({})", self.public().id())
    }
}

impl MachineKey {
    /// The key of these 32 random bytes.
    ///
    /// # Errors
    /// A bug: they are no key, which happens once in 2^32.
    pub fn of_random(bytes: &[u8; 32]) -> Result<MachineKey> {
        let key = SigningKey::from_slice(bytes);
        key.map(MachineKey).map_err(|_| Error::bug("these random bytes are no key; try again"))
    }

    /// Reads PEM, `-----BEGIN PRIVATE KEY-----`; `place` says where it comes from.
    ///
    /// # Errors
    /// The environment: it is no unencrypted P-256 key in PKCS#8. The text is never shown.
    pub fn parse(pem: &str, place: &str) -> Result<MachineKey> {
        let key = SigningKey::from_pkcs8_pem(pem.trim());
        key.map(MachineKey).map_err(|_| {
            let what = "is no P-256 key in PKCS#8 without a password; make one with `rehearse key new FILE`";
            Error::environment(format!("{place} {what}"))
        })
    }

    /// Reads a file.
    ///
    /// # Errors
    /// The environment: it cannot be read, or as [`MachineKey::parse`].
    pub fn read(path: &Path) -> Result<MachineKey> {
        let pem = std::fs::read_to_string(path).map_err(|error| Error::io("read the key", path, error))?;
        MachineKey::parse(&pem, &path.display().to_string())
    }

    /// Writes the key to a new file that only its owner may read.
    ///
    /// # Errors
    /// The environment: the file exists or cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let pem = p256::SecretKey::from(&self.0)
            .to_pkcs8_pem(LineEnding::LF)
            .map_err(|_| Error::bug("a key cannot be written as PEM"))?;
        let file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        let written = file.and_then(|mut file| file.write_all(pem.as_bytes()));
        written.map_err(|error| Error::io("write the key", path, error))
    }

    /// What others verify with.
    pub fn public(&self) -> PublicKey {
        PublicKey(*self.0.verifying_key())
    }

    /// The signature over `message`, in DER.
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        let signature: DerSignature = self.0.sign(message);
        signature.as_bytes().to_vec()
    }
}

/// A public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    /// Reads PEM, `-----BEGIN PUBLIC KEY-----`; `place` says where it comes from.
    ///
    /// # Errors
    /// The environment: it is no P-256 key.
    pub fn parse(pem: &str, place: &str) -> Result<PublicKey> {
        let key = VerifyingKey::from_public_key_pem(pem.trim());
        key.map(PublicKey).map_err(|_| Error::environment(format!("{place} is no public P-256 key in PEM")))
    }

    /// Reads a file.
    ///
    /// # Errors
    /// The environment: it cannot be read, or as [`PublicKey::parse`].
    pub fn read(path: &Path) -> Result<PublicKey> {
        let pem = std::fs::read_to_string(path).map_err(|error| Error::io("read the key", path, error))?;
        PublicKey::parse(&pem, &path.display().to_string())
    }

    /// As PEM.
    pub fn pem(&self) -> String {
        p256::PublicKey::from(&self.0).to_public_key_pem(LineEnding::LF).expect("a public key can be written as PEM")
    }

    /// SHA-256 of its DER form, 64 hexadecimal digits.
    pub fn id(&self) -> String {
        let der = p256::PublicKey::from(&self.0).to_public_key_der();
        sha256_hex(der.expect("a public key can be written as DER").as_bytes())
    }

    /// Whether `signature` (DER) is one over `message`.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        DerSignature::from_bytes(signature).is_ok_and(|signature| self.0.verify(message, &signature).is_ok())
    }
}
