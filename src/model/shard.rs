//! A part of a run: which cases a machine takes where several machines share them.
//!
//! The partition is a pure function of the list of what is planned, so whoever has the list knows whose each case is.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;
use xxhash_rust::xxh3::xxh3_64;

/// One of several parts, such as `2/3`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Shard {
    nth: u32,
    of: u32,
}

const MOST: u32 = 1000;

impl Shard {
    /// The `nth` part, from 1, of `of`; nothing where there is no such part, or more than 1000.
    pub fn new(nth: u32, of: u32) -> Option<Shard> {
        (1..=of).contains(&nth).then_some(Shard { nth, of }).filter(|_| of <= MOST)
    }

    /// Which one, from 1.
    pub fn nth(self) -> u32 {
        self.nth
    }

    /// How many there are.
    pub fn of(self) -> u32 {
        self.of
    }

    /// Its folder in a merged bundle: `2-of-3`.
    pub fn folder(self) -> String {
        format!("{}-of-{}", self.nth, self.of)
    }

    /// Which entries of a list are its own, in the order of the list.
    ///
    /// Each entry belongs to one part, every part has as many as another one or one more, and the order of the list does
    /// not matter. `whose` says what the list is of: lists of one entry do not all go to the first part.
    pub fn own(self, whose: &str, list: &[String]) -> Vec<bool> {
        let mut order: Vec<usize> = (0..list.len()).collect();
        order.sort_by_cached_key(|index| (xxh3_64(list[*index].as_bytes()), list[*index].clone()));
        let first = xxh3_64(whose.as_bytes()) % u64::from(self.of);
        let mut own = vec![false; list.len()];
        for (index, place) in order.into_iter().zip(first..) {
            own[index] = place % u64::from(self.of) == u64::from(self.nth - 1);
        }
        own
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.nth, self.of)
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Shard, String> {
        let parsed = text.split_once('/').and_then(|(nth, of)| Shard::new(nth.parse().ok()?, of.parse().ok()?));
        parsed.ok_or_else(|| format!("`{text}` is no part of a run; write it as in 1/3, of at most {MOST}"))
    }
}

impl Serialize for Shard {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Shard {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Shard, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// The cases of one fault of a scenario over all parts of a run: `shard.planned`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SharePlan {
    /// The scenario.
    pub scenario: String,
    /// The kind of fault.
    pub kind: String,
    /// The step during which it strikes.
    pub during: String,
    /// The addresses of all cases, in the order of the plan, whosever they are.
    pub cases: Vec<String>,
}

impl SharePlan {
    /// Which of the cases are those of `shard`.
    pub fn own(&self, shard: Shard) -> Vec<bool> {
        shard.own(&format!("{} {} {}", self.scenario, self.kind, self.during), &self.cases)
    }
}

/// A part that a merged run holds: `shard.merged`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardMerged {
    /// Which one.
    pub shard: Shard,
    /// SHA-256 of the `SHA256SUMS` of its bundle, 64 hexadecimal digits.
    pub root_sha256: String,
}
