//! The five characters by which a server says what went wrong.

use std::fmt;
use std::str::FromStr;

/// A SQLSTATE, such as `40001`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SqlState([u8; 5]);

impl SqlState {
    /// What `pg_terminate_backend` makes a server say.
    pub const ADMIN_SHUTDOWN: SqlState = SqlState(*b"57P01");

    /// The text.
    pub fn as_str(&self) -> &str {
        // Five ASCII characters, or it would not have been parsed.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// Whether a server that says so ends the session: connections, shutdowns, timeouts of idle sessions.
    pub fn ends_session(&self) -> bool {
        let code = self.as_str();
        ["08", "57P", "25P03", "25P04"].iter().any(|head| code.starts_with(head))
    }
}

impl FromStr for SqlState {
    type Err = String;

    /// `00000`, which is no error, is none.
    fn from_str(text: &str) -> Result<SqlState, String> {
        let is_code = |code: &[u8; 5]| code.iter().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase());
        match text.as_bytes().try_into() {
            Ok(code) if is_code(&code) && code != *b"00000" => Ok(SqlState(code)),
            _ => Err(format!("`{text}` is no SQLSTATE; one has five characters of 0-9 and A-Z, such as 40001")),
        }
    }
}

impl fmt::Display for SqlState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_five_characters_and_says_whether_the_session_ends() {
        let ends = |text: &str| text.parse::<SqlState>().map(|code| code.ends_session());
        assert_eq!(ends("40001"), Ok(false));
        assert_eq!(ends("57014"), Ok(false));
        assert_eq!(ends("57P01"), Ok(true));
        assert_eq!(ends("25P03"), Ok(true));
        for wrong in ["", "4001", "400011", "4000l", "00000", "40 01"] {
            assert!(ends(wrong).is_err(), "{wrong}");
        }
    }
}
