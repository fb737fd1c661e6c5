//! Decimal numbers in one spelling.

/// Larger exponents are left as they are written.
const EXPONENT_LIMIT: i32 = 2000;

/// Digits without exponent, leading or trailing zeros, and without a sign for zero; nothing if it is no number.
pub(super) fn normal(text: &str) -> Option<String> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (sign, digits) = match mantissa.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", mantissa.strip_prefix('+').unwrap_or(mantissa)),
    };
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let all = format!("{whole}{part}");
    if all.is_empty() || !all.bytes().all(|byte| byte.is_ascii_digit()) || exponent.abs() > EXPONENT_LIMIT {
        return None;
    }
    let point = i32::try_from(whole.len()).ok()? + exponent;
    let (whole, part) = shifted(&all, point);
    let (whole, part) = (whole.trim_start_matches('0'), part.trim_end_matches('0'));
    Some(match (whole, part) {
        ("", "") => "0".to_owned(),
        (_, "") => format!("{sign}{whole}"),
        ("", _) => format!("{sign}0.{part}"),
        _ => format!("{sign}{whole}.{part}"),
    })
}

/// The digits before and after a point that may lie outside of them.
fn shifted(digits: &str, point: i32) -> (String, String) {
    let zeros = |number: i32| "0".repeat(usize::try_from(number).unwrap_or(0));
    match usize::try_from(point) {
        Err(_) => (String::new(), zeros(-point) + digits),
        Ok(point) if point >= digits.len() => (digits.to_owned() + &"0".repeat(point - digits.len()), String::new()),
        Ok(point) => (digits[..point].to_owned(), digits[point..].to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::normal;
    use rstest::rstest;

    #[rstest]
    #[case("1", "1")]
    #[case("-0.00", "0")]
    #[case("+007.50", "7.5")]
    #[case("1e3", "1000")]
    #[case("-1.25E-3", "-0.00125")]
    #[case("12.5e1", "125")]
    #[case(".5", "0.5")]
    fn a_number_has_one_spelling(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(normal(text).as_deref(), Some(expected));
    }

    #[rstest]
    fn what_is_no_number_is_left(#[values("", "-", "NaN", "1 ", "1.2.3", "0x1", "1e99999999")] text: &str) {
        assert_eq!(normal(text), None);
    }
}
