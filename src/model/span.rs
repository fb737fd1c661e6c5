//! How people write a length of time: one grammar for scenarios, options and policies.

use std::time::Duration;

/// The units, each with its milliseconds; `ms` before `s`, for it ends like it.
const UNITS: [(&str, u64); 5] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

/// How it is written, for messages.
pub const SPAN_FORMS: &str = "write a time as in 500ms, 30s, 10m, 24h or 7d";

/// `500ms`, `30s`, `10m`, `24h`, `7d`; nothing where it is written otherwise, or is longer than a `u64` of milliseconds.
pub fn parse_span(text: &str) -> Option<Duration> {
    let of = |(unit, ms): &(&str, u64)| {
        let digits = text.strip_suffix(unit)?;
        let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        let number: u64 = is_number.then(|| digits.parse().ok())??;
        number.checked_mul(*ms).map(Duration::from_millis)
    };
    UNITS.iter().find_map(of)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_a_whole_number_and_one_unit() {
        let ms = |text| parse_span(text).map(|span| span.as_millis());
        for (text, expected) in
            [("500ms", 500), ("30s", 30_000), ("2m", 120_000), ("24h", 86_400_000), ("7d", 604_800_000)]
        {
            assert_eq!(ms(text), Some(expected), "{text}");
        }
        for text in ["", "7", "d", "-5h", "+5h", "1.5h", "1h30m", "7w", "7 d", "9223372036854775807d"] {
            assert_eq!(ms(text), None, "{text}");
        }
    }
}
