//! The texts that generators write.

use super::rows::Random;
use std::fmt::Write as _;

const WORDS: [&str; 32] = [
    "amber",
    "basin",
    "cedar",
    "delta",
    "ember",
    "fable",
    "grove",
    "harbor",
    "inlet",
    "juniper",
    "kettle",
    "lantern",
    "meadow",
    "nectar",
    "orchard",
    "pebble",
    "quarry",
    "ribbon",
    "saddle",
    "timber",
    "umber",
    "valley",
    "willow",
    "yarrow",
    "zephyr",
    "Ärger",
    "naïve",
    "śnieg",
    "привет",
    "日本",
    "🌱",
    "O'Neill",
];

/// What a tool that builds its own text or goes through the wrong type gets wrong.
const ODD: [&str; 26] = [
    "tab\there",
    "line\nbreak",
    "carriage\rreturn",
    "\r\n",
    "back\\slash",
    "\\N",
    "\\.",
    "\\x41",
    "NULL",
    "null",
    "''",
    "'quoted'",
    "\"double\"",
    "a,b;c",
    "{x,NULL}",
    "$1 $$ %s {0}",
    "-- ; drop",
    "  spaces  ",
    "e\u{301} é",
    "שלום עולם",
    "👩\u{200d}🚀",
    "\u{200b}",
    "\u{feff}",
    "\u{1}\u{1f}\u{7f}",
    "\u{fffd}\u{10ffff}",
    "İıſ",
];

pub(super) fn sentence(random: &mut Random, least: u64, most: u64) -> String {
    let words = least + random.below(most - least + 1);
    (0..words).map(|_| *random.pick(&WORDS)).collect::<Vec<_>>().join(" ")
}

/// One in twelve is empty.
pub(super) fn odd_text(random: &mut Random) -> String {
    let parts = random.below(12);
    let part = |random: &mut Random| if random.chance(50) { *random.pick(&ODD) } else { *random.pick(&WORDS) };
    (0..parts).map(|_| part(random)).collect::<Vec<_>>().join(" ")
}

pub(super) fn json(random: &mut Random) -> String {
    let text = quoted_json(&odd_text(random));
    let list: Vec<String> = (0..random.below(4)).map(|_| random.between(-9, 9).to_string()).collect();
    format!(
        "{{\"text\": {text}, \"number\": {}, \"long\": {}, \"list\": [{}], \"nested\": {{\"on\": {}, \"nothing\": null}}}}",
        random.between(-1_000_000, 1_000_000),
        numeric(random, 40, 10, 0),
        list.join(", "),
        random.chance(50),
    )
}

fn quoted_json(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Extremes are NaN and the largest value.
pub(super) fn numeric(random: &mut Random, precision: u32, scale: u32, extreme_percent: u8) -> String {
    let (before, after) = ((precision - scale) as usize, scale as usize);
    if random.chance(extreme_percent) {
        let largest = format!("{}.{}", "9".repeat(before), "9".repeat(after));
        return if random.chance(50) { "NaN".to_owned() } else { largest.trim_end_matches('.').to_owned() };
    }
    let mut text = if random.chance(20) { "-".to_owned() } else { String::new() };
    let digits = 1 + random.below(before as u64);
    text.push(char::from(*random.pick(b"123456789")));
    push_digits(&mut text, random, digits - 1);
    if after > 0 {
        text.push('.');
        push_digits(&mut text, random, after as u64);
    }
    text
}

fn push_digits(text: &mut String, random: &mut Random, digits: u64) {
    text.extend((0..digits).map(|_| char::from(*random.pick(b"0123456789"))));
}

/// Extremes are negative zero, the smallest, the largest, infinities and NaN.
pub(super) fn double(random: &mut Random, extreme_percent: u8) -> f64 {
    if random.chance(extreme_percent) {
        return *random.pick(&[-0.0, 5e-324, f64::MAX, f64::INFINITY, f64::NEG_INFINITY, f64::NAN]);
    }
    let digits = random.between(-9_007_199_254_740_991, 9_007_199_254_740_991);
    let decimal = format!("{digits}e{}", random.between(-30, 10));
    decimal.parse().expect("a decimal number") // parsing rounds alike on every machine, powers do not
}

/// Extremes are the infinities and the first and last moment that Postgres knows.
pub(super) fn timestamp(random: &mut Random, from: i16, to: i16, extreme_percent: u8) -> String {
    const EXTREMES: [&str; 4] =
        ["infinity", "-infinity", "4714-11-24 00:00:00+00 BC", "294276-12-31 23:59:59.999999+00"];
    if random.chance(extreme_percent) {
        return (*random.pick(&EXTREMES)).to_owned();
    }
    let microsecond = random.between(first_microsecond(from), first_microsecond(to) - 1);
    let moment = jiff::Timestamp::from_microsecond(microsecond).expect("years from 1 to 9999");
    moment.strftime("%Y-%m-%d %H:%M:%S%.6f+00").to_string()
}

fn first_microsecond(year: i16) -> i64 {
    let midnight = jiff::civil::date(year, 1, 1).to_zoned(jiff::tz::TimeZone::UTC);
    midnight.expect("years from 1 to 9999").timestamp().as_microsecond()
}

pub(super) fn interval(random: &mut Random) -> String {
    let (months, days) = (random.between(-20, 20), random.between(-40, 40));
    let sign = if random.chance(30) { "-" } else { "" };
    let (hours, minutes, seconds) = (random.below(30), random.below(60), random.below(60));
    format!("{months} mons {days} days {sign}{hours:02}:{minutes:02}:{seconds:02}.{:06}", random.below(1_000_000))
}

pub(super) fn text_array(random: &mut Random, most: u64) -> String {
    let element = |random: &mut Random| match random.chance(10) {
        true => "NULL".to_owned(),
        false => format!("\"{}\"", odd_text(random).replace('\\', "\\\\").replace('"', "\\\"")),
    };
    let elements: Vec<String> = (0..random.below(most + 1)).map(|_| element(random)).collect();
    format!("{{{}}}", elements.join(","))
}

pub(super) fn integer_array(random: &mut Random, most: u64) -> String {
    let elements: Vec<String> = (0..random.below(most + 1))
        .map(|_| random.between(i64::from(i32::MIN), i64::from(i32::MAX)).to_string())
        .collect();
    format!("{{{}}}", elements.join(","))
}

pub(super) fn bytes(random: &mut Random, least: u64, most: u64) -> Vec<u8> {
    let length = least + random.below(most - least + 1);
    let mut bytes = vec![0; usize::try_from(length).expect("a length that fits in memory")];
    random.fill(&mut bytes);
    bytes
}

/// A version 4 UUID that is a function of the row.
pub(super) fn uuid(salt: u64, row: u64) -> String {
    let bits = xxhash_rust::xxh3::xxh3_128_with_seed(&row.to_le_bytes(), salt);
    let bits = bits & !(0xf << 76) & !(0x3 << 62) | (0x4 << 76) | (0x2 << 62);
    let hex = format!("{bits:032x}");
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

pub(super) fn key(prefix: &str, salt: u64, row: u64) -> String {
    let hash = xxhash_rust::xxh3::xxh3_64_with_seed(&row.to_le_bytes(), salt);
    let mut key = format!("{prefix}-{row:06}");
    write!(key, "-{}", WORDS[(hash % WORDS.len() as u64) as usize]).expect("a String takes all");
    key
}
