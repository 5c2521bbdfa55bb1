//! Numbers for people.

/// `1,234,567`
pub(in crate::bench) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut shown = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

/// A rate: whole, or with a digit where it is small.
pub(in crate::bench) fn rate(rate: f64) -> String {
    if rate == 0.0 {
        "0".to_owned()
    } else if rate < 100.0 {
        format!("{rate:.1}")
    } else {
        count(rate.round() as u64)
    }
}

/// Microseconds in the unit that suits them, with three digits.
pub(in crate::bench) fn time(micros: f64) -> String {
    let (number, unit) = match micros {
        ..1e3 => (micros, "µs"),
        ..1e6 => (micros / 1e3, "ms"),
        _ => (micros / 1e6, "s"),
    };
    let digits = match number {
        ..10.0 => 2,
        ..100.0 => 1,
        _ => 0,
    };
    format!("{number:.digits$} {unit}")
}

/// A round time, as at an axis: without the zeros behind its point.
pub(in crate::bench) fn round_time(micros: f64) -> String {
    let shown = time(micros);
    let (number, unit) = shown.split_once(' ').unwrap_or((&shown, ""));
    let number = if number.contains('.') {
        number.trim_end_matches('0').trim_end_matches('.')
    } else {
        number
    };
    format!("{number} {unit}")
}

/// A round number, as at an axis.
pub(in crate::bench) fn round(number: f64) -> String {
    if number >= 1e3 {
        count(number.round() as u64)
    } else {
        format!("{}", (number * 1e3).round() / 1e3)
    }
}

/// Bytes in the unit that suits them.
pub(in crate::bench) fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut number = bytes as f64 / 1024.0;
    let mut units = UNITS.iter();
    let mut unit = units.next().copied().unwrap_or_default();
    for next in units {
        if number < 1024.0 {
            break;
        }
        number /= 1024.0;
        unit = next;
    }
    format!("{number:.1} {unit}")
}

/// Seconds as they are said: `10 s`, `2.5 s`, `3 min 20 s`.
pub(in crate::bench) fn seconds(seconds: f64) -> String {
    if seconds >= 120.0 {
        let whole = seconds.round() as u64;
        return format!("{} min {} s", whole / 60, whole % 60);
    }
    let rounded = (seconds * 100.0).round() / 100.0;
    format!("{rounded} s")
}

/// Milliseconds since 1970 as `2026-01-31 12:00:00 UTC`.
pub(in crate::bench) fn date(millis: u64) -> String {
    let seconds = millis / 1000;
    let (days, time) = (seconds / 86_400, seconds % 86_400);
    // Years that begin in March have the day that some lack at their end; 400 of them
    // have 146,097 days.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let date = day - (153 * month + 2) / 5 + 1;
    let (year, month) = if month < 10 {
        (year + era * 400, month + 3)
    } else {
        (year + era * 400 + 1, month - 9)
    };
    let (hour, minute, second) = (time / 3_600, time / 60 % 60, time % 60);
    format!("{year:04}-{month:02}-{date:02} {hour:02}:{minute:02}:{second:02} UTC")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(
            [count(0), count(999), count(1000), count(1_234_567)],
            ["0", "999", "1,000", "1,234,567"]
        );
        assert_eq!(
            [rate(0.5), rate(99.9), rate(12_345.6)],
            ["0.5", "99.9", "12,346"]
        );
        assert_eq!(
            [time(0.5), time(12.34), time(999.0)],
            ["0.50 µs", "12.3 µs", "999 µs"]
        );
        assert_eq!([time(1_500.0), time(2e7)], ["1.50 ms", "20.0 s"]);
        assert_eq!(
            [bytes(12), bytes(1024), bytes(1 << 31)],
            ["12 B", "1.0 KiB", "2.0 GiB"]
        );
        assert_eq!(
            [seconds(10.0), seconds(2.5), seconds(200.0)],
            ["10 s", "2.5 s", "3 min 20 s"]
        );
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (seconds, shown) in [
            (0, "1970-01-01 00:00:00 UTC"),
            (951_782_399, "2000-02-28 23:59:59 UTC"),
            (951_782_400, "2000-02-29 00:00:00 UTC"),
            (1_709_251_200, "2024-03-01 00:00:00 UTC"),
            (1_767_225_599, "2025-12-31 23:59:59 UTC"),
            (4_107_542_400, "2100-03-01 00:00:00 UTC"),
        ] {
            assert_eq!(date(seconds * 1000), shown);
        }
    }
}
