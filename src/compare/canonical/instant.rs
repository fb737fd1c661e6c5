//! Points of time, as ISO 8601 and Postgres write them.

/// Microseconds since 1970 in UTC; without an offset the text is taken as UTC. Nothing for what is no full date and
/// time, or more exact than a microsecond.
pub(super) fn microseconds(text: &str) -> Option<i64> {
    let (date, rest) = text.split_once([' ', 'T'])?;
    let (time, offset) = split_offset(rest)?;
    let mut parts = date.splitn(3, '-');
    let mut number = |length: usize| digits(parts.next()?, length);
    let (year, month, day) = (number(4)?, number(2)?, number(2)?);
    let mut parts = time.split(':');
    let (hour, minute) = (digits(parts.next()?, 2)?, digits(parts.next()?, 2)?);
    let (second, micros) = fraction(parts.next().unwrap_or("00"))?;
    let in_range = (1..=12).contains(&month) && (1..=31).contains(&day) && hour <= 24 && minute < 60 && second <= 60;
    if !in_range || parts.next().is_some() {
        return None;
    }
    let seconds = days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - offset;
    Some(seconds * 1_000_000 + micros)
}

fn digits(text: &str, length: usize) -> Option<i64> {
    (text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok()).flatten()
}

fn fraction(text: &str) -> Option<(i64, i64)> {
    let (seconds, part) = text.split_once('.').unwrap_or((text, "0"));
    let part = part.trim_end_matches('0');
    let micros = format!("{part:0<6}");
    Some((digits(seconds, 2)?, digits(&micros, 6)?))
}

/// The time, and its offset in seconds east of UTC.
fn split_offset(text: &str) -> Option<(&str, i64)> {
    if let Some(time) = text.strip_suffix(['Z', 'z']) {
        return Some((time, 0));
    }
    let Some(place) = text.rfind(['+', '-']) else { return Some((text, 0)) };
    let (time, offset) = text.split_at(place);
    let plain = offset[1..].replace(':', "");
    let two = |from: usize| plain.get(from..from + 2).map_or(Some(0), |text| digits(text, 2));
    let is_known = [2, 4, 6].contains(&plain.len());
    let seconds = is_known.then(|| Some(two(0)? * 3600 + two(2)? * 60 + two(4)?)).flatten()?;
    Some((time, if offset.starts_with('-') { -seconds } else { seconds }))
}

/// Days since 1970 of a date of the Gregorian calendar.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + (153 * month + 2) / 5 + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use super::microseconds;
    use rstest::rstest;

    #[rstest]
    #[case("1970-01-01 00:00:00+00", 0)]
    #[case("1970-01-01T00:00Z", 0)]
    #[case("1969-12-31 23:59:59.999999", -1)]
    #[case("2000-03-01 00:00:00", 951_868_800_000_000)]
    #[case("2024-02-29T12:00:00.5+0530", 1_709_188_200_500_000)]
    #[case("2024-02-29 12:00:00-08", 1_709_236_800_000_000)]
    fn an_instant_is_one_number(#[case] text: &str, #[case] expected: i64) {
        assert_eq!(microseconds(text), Some(expected));
    }

    #[rstest]
    fn what_is_no_instant_is_left(
        #[values(
            "infinity",
            "2024-05-06",
            "0044-03-15 12:00:00+00 BC",
            "2024-13-01 00:00:00",
            "2024-05-06 07:08:09.1234567"
        )]
        text: &str,
    ) {
        assert_eq!(microseconds(text), None);
    }
}
