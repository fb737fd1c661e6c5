//! The name of a statement: its text without literals.

/// x
pub fn normalise(sql: &str) -> String {
    sql.to_owned()
}
/// x
pub fn label(sql: &str) -> String {
    sql.to_owned()
}
