//! The whole reproduction of a case in one word: `r1:<scenario>:<seed>:<address>:<digests>`.

use crate::model::{Address, BadAddress, is_name};
use std::fmt;
use std::str::FromStr;

/// What `rehearse replay` needs to strike at the same place again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// The scenario, with `.` for `/`.
    pub scenario: String,
    /// Its seed.
    pub seed: u64,
    /// The faults.
    pub address: Address,
    /// What was there when the case was recorded.
    pub digests: TokenDigests,
}

/// Short digests, eight hexadecimal digits each, by which a replay knows what has changed since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenDigests {
    /// Of the dataset.
    pub dataset: String,
    /// Of the tool.
    pub tool: String,
    /// Of the statements that the golden run recorded, whatever their order.
    pub trace: String,
}

const VERSION: &str = "r1";

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TokenDigests { dataset, tool, trace } = &self.digests;
        write!(f, "{VERSION}:{}:{}:{}:{dataset}-{tool}-{trace}", self.scenario, self.seed, self.address)
    }
}

impl FromStr for Token {
    type Err = BadAddress;

    fn from_str(text: &str) -> Result<Token, BadAddress> {
        let form = |why: &str| {
            BadAddress(format!("`{text}` is not a replay token ({why}); copy the whole word that begins with `r1:`"))
        };
        let (version, rest) = text.split_once(':').ok_or_else(|| form("no `:`"))?;
        if version != VERSION {
            return Err(form("its version is not r1"));
        }
        let (scenario, rest) = rest.split_once(':').ok_or_else(|| form("no seed"))?;
        let (seed, rest) = rest.split_once(':').ok_or_else(|| form("no address"))?;
        let (address, digests) = rest.rsplit_once(':').ok_or_else(|| form("no digests"))?;
        if !is_name(scenario) {
            return Err(form("the scenario's name"));
        }
        Ok(Token {
            scenario: scenario.to_owned(),
            seed: seed.parse().ok().filter(|n: &u64| n.to_string() == seed).ok_or_else(|| form("the seed"))?,
            address: address.parse()?,
            digests: parse_digests(digests).ok_or_else(|| form("the digests"))?,
        })
    }
}

fn parse_digests(text: &str) -> Option<TokenDigests> {
    let parts: Vec<&str> = text.split('-').collect();
    let short = |part: &str| part.len() == 8 && part.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    let [dataset, tool, trace] = parts[..] else { return None };
    [dataset, tool, trace].iter().all(|part| short(part)).then(|| TokenDigests {
        dataset: dataset.to_owned(),
        tool: tool.to_owned(),
        trace: trace.to_owned(),
    })
}
