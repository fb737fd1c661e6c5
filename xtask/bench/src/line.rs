//! One line of the table: ours beside theirs.

use rehearsal::Result;
use serde_json::{Value, json};

/// A goal's number, what we do, what one would use instead, and the ratio that must not be exceeded.
pub(crate) type What<'a> = (&'static str, &'a str, &'a str, f64);

/// What is compared with what, and how it went.
pub(crate) struct Line {
    /// Its number in the list of goals.
    pub(crate) number: &'static str,
    /// What we do.
    pub(crate) ours: String,
    /// What one would use instead.
    pub(crate) theirs: String,
    /// The ratio that must not be exceeded.
    pub(crate) goal: f64,
    measured: Measured,
}

enum Measured {
    /// Ours divided by theirs, ascending.
    Ratios(Vec<f64>),
    /// What is not here.
    Missing(String),
}

impl Line {
    /// Both sides take turns, `rounds` times after one that does not count; each returns what it cost.
    pub(crate) fn paired(
        (number, ours, theirs, goal): What<'_>,
        rounds: usize,
        mut our: impl FnMut() -> Result<f64>,
        mut their: impl FnMut() -> Result<f64>,
    ) -> Result<Line> {
        let mut ratios = Vec::new();
        for round in 0..=rounds {
            let (ours, theirs) = match round % 2 {
                0 => {
                    let ours = our()?;
                    (ours, their()?)
                }
                _ => {
                    let theirs = their()?;
                    (our()?, theirs)
                }
            };
            if round > 0 {
                ratios.push(ours / theirs);
            }
        }
        ratios.sort_by(f64::total_cmp);
        Ok(Line { number, ours: ours.to_owned(), theirs: theirs.to_owned(), goal, measured: Measured::Ratios(ratios) })
    }

    /// A peer that is not installed.
    pub(crate) fn missing((number, ours, theirs, goal): What<'_>, what: &str) -> Line {
        let measured = Measured::Missing(what.to_owned());
        Line { number, ours: ours.to_owned(), theirs: theirs.to_owned(), goal, measured }
    }

    /// The median.
    pub(crate) fn ratio(&self) -> Option<f64> {
        match &self.measured {
            Measured::Ratios(ratios) => ratios.get(ratios.len() / 2).copied(),
            Measured::Missing(_) => None,
        }
    }

    /// For machines.
    pub(crate) fn json(&self) -> Value {
        let (ratios, missing) = match &self.measured {
            Measured::Ratios(ratios) => (json!(ratios), Value::Null),
            Measured::Missing(what) => (Value::Null, json!(what)),
        };
        json!({
            "number": self.number, "ours": self.ours, "theirs": self.theirs, "goal": self.goal,
            "ratio": self.ratio(), "ratios": ratios, "missing": missing,
        })
    }

    fn cells(&self) -> [String; 5] {
        let (ratio, verdict) = match &self.measured {
            Measured::Missing(what) => ("-".to_owned(), format!("missing: {what}")),
            Measured::Ratios(ratios) => {
                let (least, most) = (ratios.first().unwrap_or(&0.0), ratios.last().unwrap_or(&0.0));
                let median = self.ratio().unwrap_or_default();
                let verdict = if median <= self.goal { "ok" } else { "MISSED" };
                (format!("{median:.2} ({least:.2} to {most:.2})"), verdict.to_owned())
            }
        };
        [
            self.number.to_owned(),
            format!("{} / {}", self.ours, self.theirs),
            ratio,
            format!("{:.2}", self.goal),
            verdict,
        ]
    }
}

/// A table in Markdown, so that it can be pasted into the docs.
pub(crate) fn table(lines: &[Line]) -> String {
    let head = ["", "ours / theirs", "ratio (least to most)", "goal", ""].map(str::to_owned);
    let rows: Vec<[String; 5]> = std::iter::once(head).chain(lines.iter().map(Line::cells)).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; 5] = std::array::from_fn(width);
    let line = |row: &[String; 5]| {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!(" {cell:width$} "));
        format!("|{}|", cells.collect::<Vec<_>>().join("|"))
    };
    let rule = format!("|{}|", widths.map(|width| "-".repeat(width + 2)).join("|"));
    let mut text: Vec<String> = rows.iter().map(line).collect();
    text.insert(1, rule);
    text.join("\n")
}
