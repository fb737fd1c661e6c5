//! Statements as text: normalised for fingerprints, labelled for people, split for the wire.
//!
//! The text that a fingerprint is taken of keeps everything by which a programmer would tell two statements apart,
//! and nothing that data changes:
//! - literals become `?`: `'..'`, `E'..'`, `B'..'`, `X'..'`, `N'..'`, `U&'..'`, `$tag$..$tag$`, and numbers, with
//!   their sign where no value stands before it;
//! - lists of literals of any length become one: `IN (1, 2, 3)` is `IN (?)`, `VALUES (1, 'a'), (2, 'b')` is
//!   `VALUES (?)`. So `f(1)` and `f(1, 2)` are the same; `$1` and `NULL` are kept, and lists with them stay apart;
//! - white space is one blank (a line end after a `--` comment), and goes at both ends, as do semicolons at the end;
//! - comments are kept as they are, numbers in them too: a tool names its points with them. A comment that differs in
//!   every run (a trace id) makes fingerprints that differ in every run;
//! - identifiers and key words are kept in their spelling.
//!
//! Quotes are read as with `standard_conforming_strings = on`, the default since Postgres 9.1.

use super::lex::{Kind, Token, tokens};

/// The most characters of a label.
const LABEL_CHARS: usize = 120;

/// The text of `sql` without literals, as the header of this file says.
pub fn normalise(sql: &str) -> String {
    let mut normal = Normal { text: String::with_capacity(sql.len()), ..Normal::default() };
    tokens(sql).for_each(|token| normal.add(token));
    normal.text.truncate(normal.text.trim_end_matches([' ', '\n', ';']).len());
    normal.text
}

/// What people call a statement: the comment that it begins with, else the text; at most 120 characters.
/// `normalised` is what [`normalise`] returned.
pub fn label(normalised: &str) -> String {
    let name = match tokens(normalised).next() {
        Some(Token { kind: Kind::Comment, text }) => comment_name(text),
        _ => "",
    };
    let label = if name.is_empty() { normalised } else { name };
    label.chars().take(LABEL_CHARS).collect()
}

/// The statements of a Query, each with its semicolon and with what stands before it; blanks and comments after the
/// last semicolon belong to the last statement. Put together they are `sql` again. Empty statements (`;;`) are pieces
/// too. Semicolons in parentheses (CREATE RULE) do not end a statement, those in BEGIN ATOMIC do.
pub fn split_statements(sql: &str) -> Vec<&str> {
    let (mut ends, mut at, mut depth) = (Vec::new(), 0, 0_usize);
    let mut empty = true;
    for Token { kind, text } in tokens(sql) {
        at += text.len();
        match text {
            ";" if depth == 0 => {
                ends.push(at);
                empty = true;
                continue;
            }
            "(" => depth += 1,
            ")" => depth = depth.saturating_sub(1),
            _ => {}
        }
        empty &= matches!(kind, Kind::Blank | Kind::Comment);
    }
    if empty {
        ends.pop();
    }
    pieces(sql, &ends)
}

/// `text` cut at `ends`, and what is left.
fn pieces<'a>(text: &'a str, ends: &[usize]) -> Vec<&'a str> {
    let mut start = 0;
    let mut pieces: Vec<_> = ends.iter().map(|end| &text[std::mem::replace(&mut start, *end)..*end]).collect();
    if start < text.len() {
        pieces.push(&text[start..]);
    }
    pieces
}

/// The text between the marks of a comment, its first line.
fn comment_name(comment: &str) -> &str {
    let inside = match comment.strip_prefix("--") {
        Some(line) => line,
        None => comment.trim_start_matches("/*").trim_end_matches("*/"),
    };
    inside.trim().lines().next().unwrap_or_default().trim_end()
}

/// The normalised text as it grows.
#[derive(Default)]
struct Normal {
    text: String,
    /// A sign that belongs to the number that may follow, and where it stands.
    sign: Option<usize>,
    /// The kind of the last token that is neither blank nor comment is a value, so that `-` after it subtracts.
    value: bool,
}

impl Normal {
    fn add(&mut self, token: Token<'_>) {
        match token.kind {
            Kind::Blank => return self.blank(),
            Kind::Comment => return self.comment(token.text),
            Kind::Literal => self.literal(None),
            Kind::Number => {
                let sign = self.sign;
                self.literal(sign);
            }
            Kind::Word | Kind::Other => self.text.push_str(token.text),
        }
        self.close_list(token.text);
        let signs = matches!(token.text, "-" | "+") && !self.value;
        self.sign = signs.then(|| self.text.len() - 1);
        self.value = token.kind != Kind::Other || matches!(token.text, ")" | "]");
    }

    fn blank(&mut self) {
        if !self.text.is_empty() && !self.text.ends_with([' ', '\n']) {
            self.text.push(' ');
        }
    }

    /// A comment to the end of the line keeps that end, so that the normalised text is SQL too.
    fn comment(&mut self, comment: &str) {
        self.text.push_str(comment.trim_end());
        if comment.starts_with("--") {
            self.text.push('\n');
        }
    }

    /// Writes `?`, or nothing after `?,`.
    fn literal(&mut self, sign: Option<usize>) {
        self.text.truncate(sign.unwrap_or(self.text.len()));
        match self.text.trim_end().strip_suffix(',').map(str::trim_end) {
            Some(list) if list.ends_with('?') => self.text.truncate(list.len()),
            _ => self.text.push('?'),
        }
    }

    /// Makes `(?), (?)` one.
    fn close_list(&mut self, text: &str) {
        let before = |text: &str, suffix: &str| text.strip_suffix(suffix).map(|rest| rest.trim_end().len());
        if text != ")" {
            return;
        }
        let Some(comma) = before(&self.text, "(?)") else { return };
        let Some(list) = before(&self.text[..comma], ",") else { return };
        if self.text[..list].ends_with("(?)") {
            self.text.truncate(list);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    #[rstest]
    #[case("select  1", "select ?")]
    #[case("  select\n\t1 ;; ", "select ?")]
    #[case("", "")]
    #[case("select 'it''s', 'x'", "select ?")]
    #[case(r"select E'a\'b' || 'c'", "select ? || ?")]
    #[case(r"select 'a\' || 'b'", "select ? || ?")]
    #[case("select $$a'b$$, $t$ $$ $t$ from t", "select ? from t")]
    #[case("select $1, $2", "select $1, $2")]
    #[case("select a$1$ from t", "select a$1$ from t")]
    #[case("select t1.c2 from t1 where x=1.5e-3", "select t1.c2 from t1 where x=?")]
    #[case("select .5 + 0x1F + 1_000", "select ? + ? + ?")]
    #[case("select B'01', x'ff', N'a', U&'b'", "select ?")]
    #[case("select a - 1, a -1, -1, (-1)", "select a - ?, a -?, (?)")]
    #[case("where a = -1 and b=- 2", "where a = ? and b=?")]
    #[case(r#"select "a 1", "b""'c" from "T""#, r#"select "a 1", "b""'c" from "T""#)]
    #[case("where id IN (1, 2,3)", "where id IN (?)")]
    #[case("insert into t values (1,'a'), (2,'b') , (3,'c')", "insert into t values (?)")]
    #[case("insert into t values (1,NULL), (2,$1)", "insert into t values (?,NULL), (?,$1)")]
    #[case("/* step 3 */ select 3", "/* step 3 */ select ?")]
    #[case("-- it's 'step 3'\nselect 3", "-- it's 'step 3'\nselect ?")]
    #[case("select /* a /* b 1 */ 'c' */ 1", "select /* a /* b 1 */ 'c' */ ?")]
    #[case("select 'open 1", "select ?")]
    #[case("select 'é', ü1 from ö", "select ?, ü1 from ö")]
    #[case("copy t from stdin (format 'csv')", "copy t from stdin (format ?)")]
    #[case("select 1::int, '2'::date", "select ?::int, ?::date")]
    #[case("select a[1:2]", "select a[?:?]")]
    fn normalised(#[case] sql: &str, #[case] expected: &str) {
        assert_eq!(normalise(sql), expected);
    }

    #[rstest]
    #[case("select 1", "select ?")]
    #[case("/* copy users 1/3 */ insert into t select 1", "copy users 1/3")]
    #[case("-- copy users 1/3\nselect 1", "copy users 1/3")]
    #[case("/* one\n two */ select 1", "one")]
    #[case("/**/ select 1", "/**/ select ?")]
    fn labelled(#[case] sql: &str, #[case] expected: &str) {
        assert_eq!(label(&normalise(sql)), expected);
    }

    #[test]
    fn a_label_is_cut_between_characters() {
        assert_eq!(label(&"ü".repeat(500)), "ü".repeat(120));
    }

    #[rstest]
    #[case("", &[])]
    #[case("select 1", &["select 1"])]
    #[case("select 1;", &["select 1;"])]
    #[case("select 1; select 2", &["select 1;", " select 2"])]
    #[case("select ';'; /* ; */ select $a$;$a$; -- end;\n", &["select ';';", " /* ; */ select $a$;$a$; -- end;\n"])]
    #[case("create rule r as on insert to t do (a; b); c", &["create rule r as on insert to t do (a; b);", " c"])]
    #[case(";;", &[";", ";"])]
    #[case(" -- nothing", &[" -- nothing"])]
    fn split(#[case] sql: &str, #[case] expected: &[&str]) {
        assert_eq!(split_statements(sql), expected);
    }

    proptest! {
        #[test]
        fn the_pieces_are_the_text_again(sql in "([a-z1$'\"();/*\\-\\\\ \nEü?,]|--|/\\*|\\*/|\\$\\$|select){0,60}") {
            prop_assert_eq!(split_statements(&sql).concat(), sql);
        }

        #[test]
        fn what_is_normalised_stays_so(a in "[a-z ]{0,9}", b in any::<u32>(), c in "[^']{0,9}", d in "[^*/\\PC]{0,9}") {
            let once = normalise(&format!("{a} ({b}, '{c}') /*{d}*/ -- {d}\n = {b}"));
            prop_assert_eq!(normalise(&once), once);
        }

        #[test]
        fn any_text_is_normalised(sql in "\\PC{0,80}") {
            normalise(&sql);
        }

        #[test]
        fn the_values_of_a_row_do_not_matter(a in any::<i64>(), b in any::<f64>(), text in "[^']{0,20}") {
            let row = |a: &str, b: &str, text: &str| normalise(&format!("insert into t values ({a}, '{text}', {b}) -- x"));
            prop_assume!(b.is_finite());
            prop_assert_eq!(row(&a.to_string(), &b.to_string(), &text), row("1", "2", ""));
        }
    }
}
