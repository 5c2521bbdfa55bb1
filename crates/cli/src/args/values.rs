//! What values may look like: durations, sizes, fields.

use std::num::NonZero;
use std::time::Duration;

/// What no one waits for, and no clock overflows by.
const LONGEST: Duration = Duration::from_hours(100 * 365 * 24);

/// `250ms`, `10s`, `2m`, `1h`; a bare number is seconds.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let expected = || format!("expected a duration such as 250ms, 10s or 2m, got {text:?}");
    let digits = text.trim_end_matches(|char: char| char.is_ascii_alphabetic());
    let each = match &text[digits.len()..] {
        "us" => 1e-6,
        "ms" => 1e-3,
        "" | "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        _ => return Err(expected()),
    };
    let number: f64 = digits.trim_end().parse().map_err(|_| expected())?;
    let duration = Duration::try_from_secs_f64(number * each).map_err(|_| expected())?;
    if duration > LONGEST {
        return Err(format!("expected at most 100 years, got {text:?}"));
    }
    Ok(duration)
}

/// A duration that is not none.
pub(crate) fn some_time(text: &str) -> Result<Duration, String> {
    let time = duration(text)?;
    if time.is_zero() {
        return Err(format!("expected more than no time, got {text:?}"));
    }
    Ok(time)
}

/// `512`, `16k`, `4M`, `1G`: bytes in powers of 1024.
pub(crate) fn size(text: &str) -> Result<usize, String> {
    let expected = || format!("expected a size such as 512, 16k or 4M, got {text:?}");
    let digits = text.trim_end_matches(|char: char| char.is_ascii_alphabetic());
    let shift = match text[digits.len()..].to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        _ => return Err(expected()),
    };
    let number: usize = digits.trim_end().parse().map_err(|_| expected())?;
    number.checked_mul(1 << shift).ok_or_else(expected)
}

/// A size that is not nothing.
pub(crate) fn some_size(text: &str) -> Result<usize, String> {
    let size = size(text)?;
    if size == 0 {
        return Err("expected a size above 0, as nothing would pass, got 0".to_owned());
    }
    Ok(size)
}

/// How many, and not none.
pub(crate) fn some(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| format!("expected a count above 0, got {text:?}"))
}

/// `500`, `20k`, `1M`: how many, in powers of 1000.
pub(crate) fn count(text: &str) -> Result<NonZero<u64>, String> {
    let expected = || format!("expected a count such as 500, 20k or 1M, got {text:?}");
    let digits = text.trim_end_matches(|char: char| char.is_ascii_alphabetic());
    let each = match &text[digits.len()..] {
        "" => 1,
        "k" => 1_000,
        "M" => 1_000_000,
        _ => return Err(expected()),
    };
    let number: u64 = digits.parse().map_err(|_| expected())?;
    number
        .checked_mul(each)
        .and_then(NonZero::new)
        .ok_or_else(expected)
}

/// A duration, or none at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OrOff(pub(crate) Option<Duration>);

/// A duration, or `off`.
pub(crate) fn duration_or_off(text: &str) -> Result<OrOff, String> {
    if text == "off" {
        return Ok(OrOff(None));
    }
    let expected = || format!("expected a duration above 0 such as 20s, or off, got {text:?}");
    let duration = duration(text).ok().filter(|duration| !duration.is_zero());
    duration.map(Some).map(OrOff).ok_or_else(expected)
}

/// Where a path of URLs begins: with a slash.
pub(crate) fn path(text: &str) -> Result<String, String> {
    if text.starts_with('/') && !text.contains(['?', '#', '*']) {
        Ok(text.to_owned())
    } else {
        Err(format!("expected a path such as /echo, got {text:?}"))
    }
}

/// Where to listen: a host and a port.
pub(crate) fn address(text: &str) -> Result<String, String> {
    let is_one = text
        .rsplit_once(':')
        .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
    // Of an IPv6 address without brackets, the last part is no port.
    if is_one && (text.matches(':').count() == 1 || text.parse::<std::net::SocketAddr>().is_ok()) {
        Ok(text.to_owned())
    } else {
        Err(format!(
            "expected an address such as 127.0.0.1:8000 or [::1]:8000, got {text:?}"
        ))
    }
}

/// A header field as `Name: value`.
pub(crate) fn field(text: &str) -> Result<(String, String), String> {
    text.split_once(':')
        .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
        .ok_or_else(|| format!("expected \"Name: value\", got {text:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_unit_or_are_seconds() {
        let millis = |text| duration(text).map(|duration| duration.as_millis());
        assert_eq!(millis("250ms"), Ok(250));
        assert_eq!(millis("1.5"), Ok(1500));
        assert_eq!(millis("2 m"), Ok(120_000));
        assert!(duration("1e19").unwrap_err().contains("100 years"));
        for bad in ["", "s", "-1s", "1 day", "1e999", "nan"] {
            assert!(
                duration(bad).unwrap_err().contains("expected a duration"),
                "{bad}"
            );
        }
    }

    #[test]
    fn a_duration_may_be_off_where_that_is_said() {
        assert_eq!(duration_or_off("off"), Ok(OrOff(None)));
        let second = Duration::from_secs(1);
        assert_eq!(duration_or_off("1s"), Ok(OrOff(Some(second))));
        for bad in ["0s", "0"] {
            assert!(duration_or_off(bad).unwrap_err().contains("or off"));
        }
        assert!(duration_or_off("never").unwrap_err().contains("or off"));
    }

    #[test]
    fn an_address_has_a_host_and_a_port() {
        for good in ["127.0.0.1:0", "[::1]:8000", "localhost:80", "0.0.0.0:65535"] {
            assert_eq!(address(good).as_deref(), Ok(good));
        }
        for bad in [
            "", "nonsense", ":80", "::1", "::1:80", "a:70000", "a:b", "8000",
        ] {
            assert!(
                address(bad).unwrap_err().contains("expected an address"),
                "{bad}"
            );
        }
    }

    #[test]
    fn paths_begin_with_a_slash() {
        assert_eq!(path("/echo").as_deref(), Ok("/echo"));
        for bad in ["", "echo", "/a?b", "/a#b", "/a/*"] {
            assert!(path(bad).unwrap_err().contains("expected a path"), "{bad}");
        }
    }

    #[test]
    fn sizes_count_in_powers_of_1024() {
        assert_eq!(size("512"), Ok(512));
        assert_eq!(size("16k"), Ok(16 << 10));
        assert_eq!(size("4MiB"), Ok(4 << 20));
        for bad in ["", "k", "-1", "1.5k", "99999999999G", "1 apple"] {
            assert!(size(bad).unwrap_err().contains("expected a size"), "{bad}");
        }
    }

    #[test]
    fn what_would_let_nothing_pass_is_refused() {
        assert_eq!((some("1"), some_size("1k")), (Ok(1), Ok(1024)));
        for bad in ["0", "", "-1", "x"] {
            assert!(some(bad).unwrap_err().contains("above 0"), "{bad}");
        }
        assert!(some_size("0k").unwrap_err().contains("above 0"));
    }

    #[test]
    fn counts_are_in_powers_of_1000() {
        assert_eq!(count("500").map(NonZero::get), Ok(500));
        assert_eq!(count("20k").map(NonZero::get), Ok(20_000));
        assert_eq!(count("1M").map(NonZero::get), Ok(1_000_000));
        for bad in ["", "0", "k", "-1", "1.5k", "1G", "99999999999999999999"] {
            assert!(
                count(bad).unwrap_err().contains("expected a count"),
                "{bad}"
            );
        }
    }
}
