//! How numbers, times and texts of unknown origin are put before people: plain ASCII, bounded lines.

/// `10,050`.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 case`, `2 cases`.
pub(super) fn plural(number: u64, noun: &str) -> String {
    format!("{} {noun}{}", count(number), if number == 1 { "" } else { "s" })
}

/// `812 ms`, `3.4 s`, `1 m 12 s`, `2 h 05 m`.
pub(super) fn duration(us: u64) -> String {
    let (ms, seconds) = (us / 1_000, us / 1_000_000);
    match seconds {
        0 => format!("{ms} ms"),
        1..60 => format!("{seconds}.{} s", ms % 1_000 / 100),
        60..3_600 => format!("{} m {:02} s", seconds / 60, seconds % 60),
        _ => format!("{} h {:02} m", seconds / 3_600, seconds % 3_600 / 60),
    }
}

/// `2026-11-29 13:50 UTC` of a time with microseconds, which nobody reads and no column has room for.
pub(super) fn minute(time: &str) -> String {
    match (time.get(..16), time.ends_with('Z')) {
        (Some(minute), true) => format!("{} UTC", minute.replace('T', " ")),
        _ => time.to_owned(),
    }
}

/// One line of ASCII: white space becomes single spaces, all else that a terminal could obey or not show is escaped.
pub(crate) fn plain(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let show = |c: char| if c == ' ' || c.is_ascii_graphic() { c.to_string() } else { c.escape_unicode().to_string() };
    line.chars().map(show).collect()
}

/// `text` cut to `width` characters with `...` at the end.
pub(super) fn cut(text: &str, width: usize) -> String {
    match text.char_indices().nth(width) {
        None => text.to_owned(),
        Some(_) => text.chars().take(width.saturating_sub(3)).chain("...".chars()).collect(),
    }
}

/// The words of `text` in lines of at most `width`, the later ones indented by `indent`; a long word stays whole.
pub(super) fn wrap(first: &str, text: &str, indent: usize, width: usize) -> String {
    let (mut done, mut line, mut empty) = (String::new(), first.to_owned(), true);
    for word in text.split(' ') {
        if !empty && line.len() + 1 + word.len() > width {
            done.push_str(&line);
            done.push('\n');
            (line, empty) = (" ".repeat(indent), true);
        }
        if !empty {
            line.push(' ');
        }
        line.push_str(word);
        empty = false;
    }
    done + &line + "\n"
}
