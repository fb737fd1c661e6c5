//! DSSE: a payload with its type, and signatures over both.

use super::key::{MachineKey, PublicKey};
use crate::Result;
use crate::model::canonical;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The type of an in-toto statement, exactly.
pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// An envelope as it stands in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// The payload in base64.
    pub payload: String,
    /// Its type.
    #[serde(rename = "payloadType")]
    pub payload_type: String,
    /// Who signed.
    pub signatures: Vec<Signature>,
}

/// One signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature {
    /// [`PublicKey::id`] of the signer.
    pub keyid: String,
    /// The signature in base64 of DER.
    pub sig: String,
}

impl Envelope {
    /// Signs a statement.
    ///
    /// # Errors
    /// A bug: the statement holds a float.
    pub fn seal(statement: &Value, key: &MachineKey) -> Result<Envelope> {
        let payload = canonical::to_vec(statement)?;
        let sig = STANDARD.encode(key.sign(&pae(PAYLOAD_TYPE, &payload)));
        Ok(Envelope {
            payload: STANDARD.encode(payload),
            payload_type: PAYLOAD_TYPE.to_owned(),
            signatures: vec![Signature { keyid: key.public().id(), sig }],
        })
    }

    /// The bytes that were signed, without their type; nothing where they are no base64.
    pub fn payload_bytes(&self) -> Option<Vec<u8>> {
        STANDARD.decode(&self.payload).ok()
    }

    /// What was signed; nothing where it is no JSON.
    pub fn statement(&self) -> Option<Value> {
        serde_json::from_slice(&self.payload_bytes()?).ok()
    }

    /// Whether this key has signed it: nothing where no signature bears its id.
    pub fn verifies(&self, key: &PublicKey) -> Option<bool> {
        let own = self.signatures.iter().find(|signature| signature.keyid == key.id())?;
        let (payload, sig) = (self.payload_bytes(), STANDARD.decode(&own.sig).ok());
        let message = payload.map(|payload| pae(&self.payload_type, &payload));
        Some(message.zip(sig).is_some_and(|(message, sig)| key.verifies(&message, &sig)))
    }
}

/// What is signed: `DSSEv1 <length> <type> <length> <payload>`.
pub fn pae(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut bytes = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len()).into_bytes();
    bytes.extend_from_slice(payload);
    bytes
}
