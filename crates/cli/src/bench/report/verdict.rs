//! Whether a run passed its thresholds.

use super::contents::{Report, Verdict};
use crate::args::threshold::{Bound, Comparison, Metric, Threshold};

pub(in crate::bench) fn judge(threshold: &Threshold, report: &Report) -> Verdict {
    let value = value(threshold, report);
    let bound = match threshold.bound {
        Bound::Microseconds(bound) | Bound::Count(bound) | Bound::Percent(bound) => bound,
    };
    let failed = value.is_none_or(|value| match threshold.comparison {
        Comparison::Above => value > bound,
        Comparison::AtLeast => value >= bound,
        Comparison::Below => value < bound,
        Comparison::AtMost => value <= bound,
    });
    Verdict {
        condition: threshold.text.clone(),
        value,
        failed,
        is_time: matches!(threshold.bound, Bound::Microseconds(_)),
    }
}

fn value(threshold: &Threshold, report: &Report) -> Option<f64> {
    let latency = report.latency.as_ref();
    let lost = report.messages.lost + report.messages.unsent;
    let of_messages = |count: u64| {
        let all = report.messages.sent + report.messages.unsent;
        match threshold.bound {
            Bound::Percent(_) if count == 0 => 0.0,
            Bound::Percent(_) => count as f64 * 100.0 / all.max(1) as f64,
            _ => count as f64,
        }
    };
    match threshold.metric {
        Metric::Percentile(percentile) => of_all(percentile, report),
        Metric::Min => latency.map(|latency| latency.min),
        Metric::Mean => latency.map(|latency| latency.mean),
        Metric::Max => of_all(100.0, report),
        Metric::Rate => Some(report.messages.rate),
        Metric::Errors => Some(of_messages(report.errors())),
        Metric::Lost => Some(of_messages(lost)),
    }
}

/// The percentile of all messages: those without an answer took longer than any other.
/// None where it is one of them.
fn of_all(percentile: f64, report: &Report) -> Option<f64> {
    let answered = report.latencies.count();
    let all = answered + report.messages.lost + report.messages.unsent;
    if answered == 0 || all == answered {
        return report.latencies.percentile(percentile);
    }
    let percentile = percentile * all as f64 / answered as f64;
    (percentile <= 100.0).then(|| report.latencies.percentile(percentile))?
}
