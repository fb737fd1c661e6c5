//! The bundle: layout, manifest, redaction.
