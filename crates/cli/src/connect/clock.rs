//! Times as they are printed.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::args::connect::TimeArg;

/// A moment as JSON has it: RFC 3339 in UTC, to the millisecond.
pub(super) fn rfc3339(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (year, month, day) = date(since.as_secs() / 86_400);
    format!("{year:04}-{month:02}-{day:02}T{}", time_of_day(since))
}

fn time_of_day(since_midnight: Duration) -> String {
    let seconds = since_midnight.as_secs() % 86_400;
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let millis = since_midnight.subsec_millis();
    format!("{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
}

/// Year, month and day of a day counted from 1 January 1970, by the Gregorian
/// calendar. Years are taken to begin in March, so that the day that is not
/// always there comes last.
fn date(days: u64) -> (u64, u64, u64) {
    const DAYS_OF_400_YEARS: u64 = 146_097;
    // From 1 March of the year 0.
    let days = days + 719_468;
    let (era, day) = (days / DAYS_OF_400_YEARS, days % DAYS_OF_400_YEARS);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year + u64::from(month <= 2), month, day)
}

/// Which time stands in front of a message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    which: TimeArg,
    started: Instant,
}

impl Clock {
    pub(super) fn new(which: TimeArg) -> Self {
        Self {
            which,
            started: Instant::now(),
        }
    }

    /// The time and a space, or nothing. All of a run have one width, up to three
    /// hours.
    pub(super) fn now(&self) -> String {
        match self.which {
            TimeArg::Utc => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH);
                format!("{} ", time_of_day(since.unwrap_or_default()))
            }
            TimeArg::Elapsed => format!("{:>9.3} ", self.started.elapsed().as_secs_f64()),
            TimeArg::Off => String::new(),
        }
    }

    /// As many spaces as the time has characters.
    pub(super) fn blank(&self) -> String {
        " ".repeat(self.now().len())
    }
}

/// A duration for a person: three digits and a unit.
pub(super) fn short(duration: Duration) -> String {
    let (seconds, whole) = (duration.as_secs_f64(), duration.as_secs());
    match seconds {
        ..1e-3 => format!("{:.0} µs", seconds * 1e6),
        ..1e-2 => format!("{:.2} ms", seconds * 1e3),
        ..1.0 => format!("{:.0} ms", seconds * 1e3),
        ..60.0 => format!("{seconds:.1} s"),
        ..3600.0 => format!("{} min {} s", whole / 60, whole % 60),
        _ => format!("{} h {} min", whole / 3600, whole / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_those_of_the_calendar() {
        let at =
            |seconds, millis: u32| rfc3339(UNIX_EPOCH + Duration::new(seconds, millis * 1_000_000));
        assert_eq!(at(0, 0), "1970-01-01T00:00:00.000Z");
        assert_eq!(at(951_782_400, 7), "2000-02-29T00:00:00.007Z");
        assert_eq!(at(951_868_800, 0), "2000-03-01T00:00:00.000Z");
        assert_eq!(at(1_735_689_599, 999), "2024-12-31T23:59:59.999Z");
        assert_eq!(at(4_107_542_400, 0), "2100-03-01T00:00:00.000Z");
    }

    #[test]
    fn durations_have_the_unit_that_fits() {
        for (micros, text) in [
            (12, "12 µs"),
            (1_234, "1.23 ms"),
            (45_600, "46 ms"),
            (1_500_000, "1.5 s"),
            (75_000_000, "1 min 15 s"),
            (7_260_000_000, "2 h 1 min"),
        ] {
            assert_eq!(short(Duration::from_micros(micros)), text);
        }
    }
}
