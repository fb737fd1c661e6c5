//! The kinds of values: what a column of `dataset.toml` may say.

use super::cell::Cell;
use super::rows::Random;
use super::words;
use serde::Deserialize;

/// How the values of a column are made. Keys (`serial`, `uuid`, `key`) are functions of the row's number, so that other
/// tables can refer to any of them; all else is drawn.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum Generator {
    /// 1, 2, 3 ... The sequence behind the column goes on after the last one.
    Serial,
    /// A version 4 UUID.
    Uuid,
    /// A text that begins so and is unique in its table.
    Key(String),
    /// The key of some row, written `table.column`.
    Reference(String),
    /// Plain words, between so many and so many.
    Sentence([u64; 2]),
    /// What breaks tools: tabs, newlines, backslashes, quotes, other scripts, the empty text.
    OddText,
    /// An object with nested values, long numbers and odd texts.
    Json,
    /// One of these texts.
    OneOf(Vec<String>),
    /// A whole number between both.
    Integer([i64; 2]),
    /// A decimal number with up to so many digits, so many of them after the point.
    Numeric {
        precision: u32,
        scale: u32,
        #[serde(default)]
        extreme_percent: u8,
    },
    /// A floating-point number.
    Double {
        #[serde(default)]
        extreme_percent: u8,
    },
    /// True, in so many of a hundred.
    Bool(u8),
    /// A moment in UTC with microseconds, from the beginning of one year to that of another.
    Timestamp {
        from: i16,
        to: i16,
        #[serde(default)]
        extreme_percent: u8,
    },
    /// Months, days and time of mixed signs.
    Interval,
    /// Between so many and so many bytes.
    Bytes([u64; 2]),
    /// Up to so many texts.
    TextArray(u64),
    /// Up to so many whole numbers.
    IntegerArray(u64),
    /// NULL in so many of a hundred, else something.
    Nullable { percent: u8, of: Box<Generator> },
}

/// A column with what its generator needs.
#[derive(Debug, Clone)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) generator: Generator,
    /// What tells the keys of this column from those of others.
    pub(super) salt: u64,
    /// The keys that it refers to.
    pub(super) parent: Option<Key>,
}

/// The keys of a column.
#[derive(Debug, Clone)]
pub(super) struct Key {
    pub(super) generator: Generator,
    pub(super) salt: u64,
    pub(super) rows: u64,
}

impl Key {
    fn of(&self, row: u64) -> Cell {
        self.generator.key(self.salt, row).unwrap_or(Cell::Null)
    }
}

impl Column {
    pub(super) fn is_serial(&self) -> bool {
        matches!(self.generator, Generator::Serial)
    }

    /// The value in `row`, counted from 0.
    pub(super) fn cell(&self, random: &mut Random, row: u64) -> Cell {
        self.draw(&self.generator, random, row)
    }

    fn draw(&self, generator: &Generator, random: &mut Random, row: u64) -> Cell {
        match generator {
            Generator::Serial | Generator::Uuid | Generator::Key(_) => {
                generator.key(self.salt, row).expect("these are the keys")
            }
            Generator::Reference(_) => {
                let parent = self.parent.as_ref().expect("references were resolved when the file was read");
                parent.of(random.below(parent.rows))
            }
            Generator::Nullable { percent, of } => match random.chance(*percent) {
                true => Cell::Null,
                false => self.draw(of, random, row),
            },
            Generator::Integer([least, most]) => Cell::Integer(random.between(*least, *most)),
            Generator::Double { extreme_percent } => Cell::Real(words::double(random, *extreme_percent)),
            Generator::Bytes([least, most]) => Cell::Blob(words::bytes(random, *least, *most)),
            other => Cell::Text(text(other, random)),
        }
    }
}

fn text(generator: &Generator, random: &mut Random) -> String {
    match generator {
        Generator::Sentence([least, most]) => words::sentence(random, *least, *most),
        Generator::OddText => words::odd_text(random),
        Generator::Json => words::json(random),
        Generator::OneOf(texts) => random.pick(texts).clone(),
        Generator::Numeric { precision, scale, extreme_percent } => {
            words::numeric(random, *precision, *scale, *extreme_percent)
        }
        Generator::Bool(percent) => random.chance(*percent).to_string(),
        Generator::Timestamp { from, to, extreme_percent } => words::timestamp(random, *from, *to, *extreme_percent),
        Generator::Interval => words::interval(random),
        Generator::TextArray(most) => words::text_array(random, *most),
        Generator::IntegerArray(most) => words::integer_array(random, *most),
        _ => unreachable!("the other kinds are not texts"),
    }
}

impl Generator {
    pub(super) fn is_key(&self) -> bool {
        matches!(self, Generator::Serial | Generator::Uuid | Generator::Key(_))
    }

    /// `table.column` of a reference, also inside `nullable`.
    pub(super) fn reference(&self) -> Option<&str> {
        match self {
            Generator::Reference(reference) => Some(reference),
            Generator::Nullable { of, .. } => of.reference(),
            _ => None,
        }
    }

    pub(super) fn key(&self, salt: u64, row: u64) -> Option<Cell> {
        match self {
            Generator::Serial => Some(Cell::Integer(i64::try_from(row + 1).unwrap_or(i64::MAX))),
            Generator::Uuid => Some(Cell::Text(words::uuid(salt, row))),
            Generator::Key(prefix) => Some(Cell::Text(words::key(prefix, salt, row))),
            _ => None,
        }
    }

    /// What is wrong with it; `is_key` says whether a reference names a key of this content.
    pub(super) fn problems(&self, is_key: &dyn Fn(&str) -> bool) -> Vec<String> {
        let mut problems = Vec::new();
        let mut must = |holds: bool, what: String| {
            if !holds {
                problems.push(what);
            }
        };
        let percent = |number: &u8| *number <= 100;
        match self {
            Generator::Reference(to) => {
                must(is_key(to), format!("`{to}` is no column with serial, uuid or key in this content"));
            }
            Generator::Sentence([least, most]) => {
                must(1 <= *least && least <= most, "from 1 word, the lesser first".into())
            }
            Generator::Bytes([least, most]) => must(least <= most, "the lesser number comes first".into()),
            Generator::Integer([least, most]) => must(least <= most, "the lesser number comes first".into()),
            Generator::OneOf(texts) => must(!texts.is_empty(), "one-of needs a text".into()),
            Generator::Numeric { precision, scale, extreme_percent } => {
                must(scale < precision && *precision <= 1000, "scale < precision <= 1000".into());
                must(percent(extreme_percent), "a percentage is at most 100".into());
            }
            Generator::Timestamp { from, to, extreme_percent } => {
                must(1 <= *from && from < to && *to <= 9999, "years go from 1 to 9999, the earlier first".into());
                must(percent(extreme_percent), "a percentage is at most 100".into());
            }
            Generator::Bool(share) | Generator::Double { extreme_percent: share } => {
                must(percent(share), "a percentage is at most 100".into());
            }
            Generator::Nullable { percent: share, of } => {
                must(percent(share), "a percentage is at most 100".into());
                problems.extend(of.problems(is_key));
            }
            _ => {}
        }
        problems
    }
}
