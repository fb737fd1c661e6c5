//! What a declared type does to values.
//!
//! Source: <https://www.sqlite.org/datatype3.html>, section 3.1.

/// What a declared type does to values that are written to its column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Affinity {
    Integer,
    Text,
    Blob,
    Real,
    Numeric,
}

impl Affinity {
    /// By the rules of SQLite, in their order.
    pub(crate) fn of(type_name: &str) -> Affinity {
        let name = type_name.to_uppercase();
        let has = |parts: &[&str]| parts.iter().any(|part| name.contains(part));
        match () {
            () if has(&["INT"]) => Affinity::Integer,
            () if has(&["CHAR", "CLOB", "TEXT"]) => Affinity::Text,
            () if has(&["BLOB"]) || name.is_empty() || name == "ANY" => Affinity::Blob,
            () if has(&["REAL", "FLOA", "DOUB"]) => Affinity::Real,
            () => Affinity::Numeric,
        }
    }

    /// Whether every value that a column of `source` holds stays what it is.
    pub(crate) fn takes(self, source: Affinity) -> bool {
        self == source || self == Affinity::Blob
    }
}
