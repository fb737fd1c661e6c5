//! Statements that were sent before: a tool sends the same in every case, and normalising a text costs more than looking
//! it up. One memory serves all connections.

use super::raise::ends_transaction;
use super::sql;
use super::statement::Statement;
use crate::model::Fingerprint;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

/// Texts that are remembered; where there are more they are made up on the fly.
const MOST: usize = 4000;
/// Bytes of a text that is remembered as it was sent.
const LONGEST: usize = 4096;

/// By the normalised text, so that a million inserts are one in the memory of the recorder; and by the text as sent.
#[derive(Default)]
struct Known {
    normalised: HashMap<String, Arc<Statement>>,
    sent: HashMap<Vec<u8>, Arc<Statement>>,
}

/// The statement with this text; what is not UTF-8 in it is replaced.
pub(super) fn find(text: &[u8]) -> Arc<Statement> {
    static KNOWN: LazyLock<Mutex<Known>> = LazyLock::new(Mutex::default);
    KNOWN.lock().unwrap_or_else(PoisonError::into_inner).find(text)
}

impl Known {
    fn find(&mut self, text: &[u8]) -> Arc<Statement> {
        if let Some(statement) = self.sent.get(text) {
            return Arc::clone(statement);
        }
        let statement = self.normalised(sql::normalise(&String::from_utf8_lossy(text)));
        if text.len() <= LONGEST {
            forget_many(&mut self.sent);
            self.sent.insert(text.to_vec(), Arc::clone(&statement));
        }
        statement
    }

    fn normalised(&mut self, text: String) -> Arc<Statement> {
        if !self.normalised.contains_key(&text) {
            forget_many(&mut self.normalised);
        }
        Arc::clone(self.normalised.entry(text).or_insert_with_key(|text| statement(text)))
    }
}

fn statement(normalised: &str) -> Arc<Statement> {
    let (fingerprint, label) = (Fingerprint::of(normalised), sql::label(normalised).into());
    Arc::new(Statement { fingerprint, label, ends_transaction: ends_transaction(normalised) })
}

fn forget_many<K>(known: &mut HashMap<K, Arc<Statement>>) {
    if known.len() >= MOST {
        known.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_that_differ_in_their_values_are_one_in_memory() {
        let mut known = Known::default();
        let (one, two) = (known.find(b"insert into t values (1)"), known.find(b"insert into t values (2)"));
        assert!(Arc::ptr_eq(&one, &two));
        assert!(Arc::ptr_eq(&one, &known.find(b"insert into t values (1)")), "looked up by what was sent");
        assert_ne!(one, known.find(b"delete from t"));
    }

    #[test]
    fn memory_has_a_bound() {
        let mut known = Known::default();
        (0..3 * MOST).for_each(|number| drop(known.find(format!("select * from t{number}").as_bytes())));
        known.find(&[b'x'; LONGEST + 1]);
        assert!(known.sent.len() <= MOST && known.normalised.len() <= MOST);
        assert!(!known.sent.keys().any(|text| text.len() > LONGEST));
    }
}
