//! Thresholds: what a run must not do, as `p99>20ms`.

/// What a threshold looks at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Metric {
    /// The latency that so many of a hundred answers kept below, in microseconds.
    Percentile(f64),
    /// The least latency.
    Min,
    /// The mean latency.
    Mean,
    /// The greatest latency.
    Max,
    /// Answers in a second.
    Rate,
    /// Errors of all kinds.
    Errors,
    /// Messages that were not answered, or not sent.
    Lost,
}

/// How it is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    Above,
    AtLeast,
    Below,
    AtMost,
}

/// What it is compared with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Bound {
    /// Of latencies.
    Microseconds(f64),
    /// Of errors and messages, or of those in a second.
    Count(f64),
    /// Of all messages.
    Percent(f64),
}

/// A condition that fails the run when it is true.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Threshold {
    /// As it was given.
    pub(crate) text: String,
    pub(crate) metric: Metric,
    pub(crate) comparison: Comparison,
    pub(crate) bound: Bound,
}

/// `p99>20ms`, `rate<10k`, `errors>0`, `lost>0.1%`.
pub(crate) fn threshold(text: &str) -> Result<Threshold, String> {
    let text = text.trim();
    let at = text
        .find(['<', '>'])
        .ok_or_else(|| format!("expected a comparison such as p99>20ms, got {text:?}"))?;
    let (name, rest) = text.split_at(at);
    let (comparison, value) = if let Some(value) = rest.strip_prefix(">=") {
        (Comparison::AtLeast, value)
    } else if let Some(value) = rest.strip_prefix("<=") {
        (Comparison::AtMost, value)
    } else if let Some(value) = rest.strip_prefix('>') {
        (Comparison::Above, value)
    } else {
        (Comparison::Below, rest.trim_start_matches('<'))
    };
    let metric = metric(name.trim())?;
    Ok(Threshold {
        text: text.to_owned(),
        metric,
        comparison,
        bound: bound(metric, value.trim())?,
    })
}

fn metric(name: &str) -> Result<Metric, String> {
    let percentile = name
        .strip_prefix('p')
        .and_then(|number| number.parse::<f64>().ok())
        .filter(|percentile| (0.0..=100.0).contains(percentile));
    if let Some(percentile) = percentile {
        return Ok(Metric::Percentile(percentile));
    }
    Ok(match name {
        "min" => Metric::Min,
        "mean" => Metric::Mean,
        "max" => Metric::Max,
        "rate" => Metric::Rate,
        "errors" => Metric::Errors,
        "lost" => Metric::Lost,
        _ => {
            return Err(format!(
                "expected one of p50, p90, p99, p99.9, p99.99 (or any other percentile), min, \
                 mean, max, rate, errors and lost, got {name:?}"
            ));
        }
    })
}

fn bound(metric: Metric, text: &str) -> Result<Bound, String> {
    let digits = text.trim_end_matches(|char: char| !char.is_ascii_digit() && char != '.');
    let unit = text[digits.len()..].trim();
    let (expected, bound): (_, fn(f64, &str) -> Option<Bound>) = match metric {
        Metric::Percentile(_) | Metric::Min | Metric::Mean | Metric::Max => (
            "a time with its unit such as 500us, 20ms or 1s",
            microseconds,
        ),
        Metric::Rate => ("messages a second such as 500, 20k or 1M", count),
        Metric::Errors | Metric::Lost => ("a count such as 0 or 10, or 0.1%", share),
    };
    digits
        .parse::<f64>()
        .ok()
        .filter(|number| number.is_finite())
        .and_then(|number| bound(number, unit))
        .ok_or_else(|| format!("expected {expected}, got {text:?}"))
}

fn microseconds(number: f64, unit: &str) -> Option<Bound> {
    let each = match unit {
        "us" | "µs" => 1.0,
        "ms" => 1e3,
        "s" => 1e6,
        _ => return None,
    };
    Some(Bound::Microseconds(number * each))
}

fn count(number: f64, unit: &str) -> Option<Bound> {
    let each = match unit.strip_suffix("/s").unwrap_or(unit) {
        "" => 1.0,
        "k" => 1e3,
        "M" => 1e6,
        _ => return None,
    };
    Some(Bound::Count(number * each))
}

fn share(number: f64, unit: &str) -> Option<Bound> {
    match unit {
        "" => Some(Bound::Count(number)),
        "%" => Some(Bound::Percent(number)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_threshold_has_a_metric_a_comparison_and_a_bound_with_its_unit() {
        let parts = |text| threshold(text).map(|t| (t.metric, t.comparison, t.bound));
        let cases = [
            (
                "p99>20ms",
                Metric::Percentile(99.0),
                Comparison::Above,
                Bound::Microseconds(2e4),
            ),
            (
                "p99.99 >= 1s",
                Metric::Percentile(99.99),
                Comparison::AtLeast,
                Bound::Microseconds(1e6),
            ),
            (
                "max>500us",
                Metric::Max,
                Comparison::Above,
                Bound::Microseconds(500.0),
            ),
            (
                "rate<10k/s",
                Metric::Rate,
                Comparison::Below,
                Bound::Count(1e4),
            ),
            (
                "rate<=2",
                Metric::Rate,
                Comparison::AtMost,
                Bound::Count(2.0),
            ),
            (
                "errors>0",
                Metric::Errors,
                Comparison::Above,
                Bound::Count(0.0),
            ),
            (
                "lost > 0.1%",
                Metric::Lost,
                Comparison::Above,
                Bound::Percent(0.1),
            ),
        ];
        for (text, metric, comparison, bound) in cases {
            assert_eq!(parts(text), Ok((metric, comparison, bound)), "{text}");
        }
    }

    #[test]
    fn what_is_none_is_told_what_there_is() {
        for (text, told) in [
            ("p99", "a comparison"),
            ("latency>1ms", "p50, p90, p99"),
            ("p101>1ms", "p50, p90, p99"),
            ("p99>20", "with its unit"),
            ("p99>ms", "with its unit"),
            ("p99>1%", "with its unit"),
            ("rate<1ms", "messages a second"),
            ("errors>1ms", "a count"),
            ("", "a comparison"),
        ] {
            let error = threshold(text).unwrap_err();
            assert!(error.contains(told), "{text}: {error}");
        }
    }
}
