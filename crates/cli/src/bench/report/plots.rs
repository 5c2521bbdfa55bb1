//! The plots of a page: latencies by percentile, as a histogram and over time.

use std::fmt::Write as _;

use super::contents::Report;
use super::plot::{Axis, Bar, Hover, Line, Plot};
use super::scale::Scale;
use super::show;
use super::timeline::Point;

/// Bars of the histogram.
const BARS: u32 = 60;

/// Each with its title.
pub(super) fn plots(report: &Report) -> Vec<(&'static str, String)> {
    let points = &report.timeline;
    let mut plots = Vec::new();
    if report.latency.is_some() {
        plots.push(("Latency by percentile", by_percentile(report)));
        plots.push(("Histogram of latencies", histogram(report)));
    }
    if points.iter().any(|point| point.received > 0.0) {
        let received: Over = ("received", "a", |point| Some(point.received));
        let plot = over_time(points, "a second", show::rate, &[received]);
        plots.push(("Messages received a second", plot));
    }
    if report.latency.is_some() {
        let lines: [Over; 3] = [
            ("p50", "a", |point| point.p50),
            ("p99", "b", |point| point.p99),
            ("max", "c", |point| point.max),
        ];
        let plot = over_time(points, "latency", show::time, &lines);
        plots.push(("Latency over time", plot));
    } else {
        let open: Over = ("open", "a", |point| Some(point.open as f64));
        let plot = over_time(points, "open", show::round, &[open]);
        plots.push(("Open connections", plot));
    }
    plots
}

fn by_percentile(report: &Report) -> String {
    let points = report.distribution.clone();
    let x = Axis {
        title: "percentile, each further nine as wide as the one before",
        scale: Scale::nines(report.latencies.count()),
        shown: |percentile| format!("{}", (percentile * 1e9).round() / 1e9),
    };
    let y = Axis {
        title: "latency",
        scale: Scale::log(points.iter().map(|(_, latency)| *latency)),
        shown: show::round_time,
    };
    let hovers: Vec<Hover> = points
        .windows(2)
        .filter_map(|pair| match pair {
            [(from, _), (to, latency)] => Some(Hover {
                from: *from,
                to: *to,
                told: format!("p{}: {}", (to * 1e5).round() / 1e5, show::time(*latency)),
            }),
            _ => None,
        })
        .collect();
    let mut plot = Plot::new("Latency by percentile", x, y);
    plot.line(&Line {
        name: "",
        class: "a",
        points,
    });
    plot.hovers(hovers.into_iter());
    plot.finish()
}

fn histogram(report: &Report) -> String {
    let Some(latency) = &report.latency else {
        return String::new();
    };
    let scale = Scale::log([latency.min, latency.max].into_iter());
    let place = |index: u32| scale.value(f64::from(index) / f64::from(BARS));
    let bars: Vec<Bar> = (0..BARS)
        .map(|index| {
            let (from, to) = (place(index), place(index + 1));
            let count = report.latencies.between(from, to);
            let share = count as f64 * 100.0 / latency.count.max(1) as f64;
            let (start, end) = (show::time(from), show::time(to));
            let told = format!("{start} to {end}: {} ({share:.2} %)", show::count(count));
            Bar {
                from,
                to,
                height: share,
                told,
            }
        })
        .collect();
    let y = Axis {
        title: "share",
        scale: Scale::linear(bars.iter().map(|bar| bar.height)),
        shown: |share| format!("{} %", (share * 1e3).round() / 1e3),
    };
    let x = Axis {
        title: "latency",
        scale,
        shown: show::round_time,
    };
    let mut plot = Plot::new("Histogram of latencies", x, y);
    plot.bars(&bars);
    for (at, name) in [(latency.p50, "p50"), (latency.p99, "p99")] {
        plot.mark(at, name);
    }
    plot.finish()
}

/// A line of a plot over time.
type Over = (&'static str, &'static str, fn(&Point) -> Option<f64>);

fn over_time(points: &[Point], title: &str, shown: fn(f64) -> String, lines: &[Over]) -> String {
    let values = lines
        .iter()
        .flat_map(|(.., value)| points.iter().filter_map(value));
    let is_time = lines.len() > 1;
    let x = Axis {
        title: "seconds",
        scale: Scale::linear(points.iter().map(|point| point.second)),
        shown: |seconds| format!("{}", (seconds * 1e3).round() / 1e3),
    };
    let y = Axis {
        title,
        scale: if is_time {
            Scale::log(values)
        } else {
            Scale::linear(values)
        },
        shown: if is_time {
            show::round_time
        } else {
            show::round
        },
    };
    let mut plot = Plot::new(title, x, y);
    for (name, class, value) in lines {
        let points = points.iter();
        plot.line(&Line {
            name,
            class,
            points: points
                .filter_map(|point| Some((point.second, value(point)?)))
                .collect(),
        });
    }
    let mut before = 0.0;
    plot.hovers(points.iter().map(|point| {
        let mut told = format!("second {:.0}", point.second);
        for (name, _, value) in lines {
            if let Some(value) = value(point) {
                let _ = write!(told, "\n{name}: {}", shown(value));
            }
        }
        if point.errors > 0 {
            let _ = write!(told, "\n{} errors", show::count(point.errors));
        }
        let from = std::mem::replace(&mut before, point.second);
        Hover {
            from,
            to: point.second,
            told,
        }
    }));
    plot.finish()
}
