//! JSON in one spelling: no spaces, members sorted, of members with one name the last, numbers by their value.
//!
//! Numbers keep all digits, which is why no JSON library reads them here.

use super::decimal;
use std::collections::BTreeMap;

const DEPTH_LIMIT: usize = 200;

/// The spelling; nothing if it is no JSON.
pub(super) fn normal(text: &str) -> Option<String> {
    let mut reader = Reader { rest: text.trim() };
    let value = reader.value(0)?;
    reader.rest.trim().is_empty().then_some(value)
}

struct Reader<'t> {
    rest: &'t str,
}

impl Reader<'_> {
    fn value(&mut self, depth: usize) -> Option<String> {
        if depth > DEPTH_LIMIT {
            return None;
        }
        match self.peek()? {
            '{' => self.object(depth),
            '[' => self.array(depth),
            '"' => self.string(),
            _ => self.word(),
        }
    }

    fn object(&mut self, depth: usize) -> Option<String> {
        let mut members = BTreeMap::new();
        self.take('{')?;
        if !self.took('}') {
            loop {
                let name = self.string()?;
                self.take(':')?;
                members.insert(name, self.value(depth + 1)?);
                if self.took('}') {
                    break;
                }
                self.take(',')?;
            }
        }
        let members: Vec<String> = members.into_iter().map(|(name, value)| format!("{name}:{value}")).collect();
        Some(format!("{{{}}}", members.join(",")))
    }

    fn array(&mut self, depth: usize) -> Option<String> {
        let mut items = Vec::new();
        self.take('[')?;
        if !self.took(']') {
            loop {
                items.push(self.value(depth + 1)?);
                if self.took(']') {
                    break;
                }
                self.take(',')?;
            }
        }
        Some(format!("[{}]", items.join(",")))
    }

    fn string(&mut self) -> Option<String> {
        (self.peek()? == '"').then_some(())?;
        let bytes = self.rest.as_bytes();
        let mut end = 1;
        while *bytes.get(end)? != b'"' {
            end += if bytes[end] == b'\\' { 2 } else { 1 };
        }
        let (token, rest) = self.rest.split_at_checked(end + 1)?;
        self.rest = rest;
        let text: String = serde_json::from_str(token).ok()?;
        serde_json::to_string(&text).ok()
    }

    fn word(&mut self) -> Option<String> {
        let end = self.rest.find(|c: char| !c.is_ascii_alphanumeric() && !"+-.".contains(c)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        match word {
            "null" | "true" | "false" => Some(word.to_owned()),
            _ => decimal::normal(word),
        }
    }

    fn peek(&mut self) -> Option<char> {
        self.rest = self.rest.trim_start();
        self.rest.chars().next()
    }

    fn took(&mut self, wanted: char) -> bool {
        self.take(wanted).is_some()
    }

    fn take(&mut self, wanted: char) -> Option<()> {
        (self.peek()? == wanted).then(|| self.rest = &self.rest[wanted.len_utf8()..])
    }
}

#[cfg(test)]
mod tests {
    use super::normal;
    use rstest::rstest;

    #[rstest]
    #[case(r#" { "b" : 1.50 , "a" : [ true , null ] } "#, r#"{"a":[true,null],"b":1.5}"#)]
    #[case(r#"{"a": 1, "a": 2}"#, r#"{"a":2}"#)]
    #[case(r#""\u00e9\/\n""#, r#""é/\n""#)]
    #[case("123456789012345678901234567890e2", "12345678901234567890123456789000")]
    #[case("[]", "[]")]
    fn json_has_one_spelling(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(normal(text).as_deref(), Some(expected));
    }

    #[rstest]
    fn what_is_no_json_is_left(#[values("", "{", "[1,]", r#"{"a" 1}"#, "nul", r#""open"#, "1 2")] text: &str) {
        assert_eq!(normal(text), None);
    }
}
