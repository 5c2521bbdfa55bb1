//! The report as one HTML page that needs nothing else: it can be mailed, or kept
//! beside the change that it measures.

use std::fmt::Write as _;

use super::latency::Summary;
use super::plot::{Axis, Bar, Hover, Line, Plot, escape};
use super::report::{Ended, Report};
use super::scale::Scale;
use super::show;
use super::timeline::Point;

const STYLE: &str = include_str!("page.css");

/// Bars of the histogram.
const BARS: u32 = 60;

pub(super) fn html(report: &Report) -> String {
    let url = escape(&report.url);
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n\
         <title>longwire bench {url}</title>\n<style>\n{STYLE}</style>\n<h1>{url}</h1>\n"
    );
    for part in [
        head,
        figures,
        thresholds,
        latencies,
        plots,
        errors,
        environment,
    ] {
        page.push_str(&part(report));
    }
    page
}

fn head(report: &Report) -> String {
    let load = &report.load;
    let connections = load.connections;
    let how = match (load.rate, load.window) {
        (Some(rate), _) => format!("{} messages due a second", show::count(rate)),
        (None, Some(window)) => format!("{window} on their way on each"),
        (None, None) => "held".to_owned(),
    };
    let mode = match report.mode {
        "closed" => "closed loop",
        "open" => "open loop: latencies count from the instant a message was due",
        "fan-out" => "fan-out: one sends, all receive",
        other => other,
    };
    let payload = load.payload.as_ref().map_or_else(String::new, |payload| {
        let kind = if payload.binary { "binary" } else { "text" };
        format!(
            ", {kind} messages of {} bytes",
            show::count(payload.bytes as u64)
        )
    });
    let ended = match report.ended {
        Ended::Done => String::new(),
        Ended::Interrupted => " · interrupted".to_owned(),
        Ended::ConnectionsLost => " · ended as no connection was left".to_owned(),
    };
    let seconds = show::seconds(report.seconds);
    format!(
        "<p>{connections} connections, {how}{payload}</p>\n\
         <p class=\"quiet\">{mode} · measured for {seconds}{ended}</p>\n"
    )
}

fn figures(report: &Report) -> String {
    let mut figures = Vec::new();
    if let Some(latency) = &report.latency {
        figures.push((show::rate(report.messages.rate), "received a second", ""));
        figures.push((show::time(latency.p50), "p50", ""));
        figures.push((show::time(latency.p99), "p99", ""));
        figures.push((show::time(latency.max), "max", ""));
    }
    let (open, wanted) = (report.connections.survived, report.connections.wanted);
    let class = if open < u64::from(wanted) { "bad" } else { "" };
    figures.push((show::count(open), "connections open at the end", class));
    for (count, what) in [
        (report.errors(), "errors"),
        (report.messages.lost, "lost"),
        (report.messages.unsent, "unsent"),
        (report.messages.late, "late"),
    ] {
        if count > 0 || what == "errors" {
            let class = if count > 0 { "bad" } else { "good" };
            figures.push((show::count(count), what, class));
        }
    }
    let figures = figures.into_iter().map(|(number, what, class)| {
        format!("<div><b class=\"{class}\">{number}</b><span class=\"quiet\">{what}</span></div>\n")
    });
    format!(
        "<div class=\"figures\">\n{}</div>\n",
        figures.collect::<String>()
    )
}

fn thresholds(report: &Report) -> String {
    if report.thresholds.is_empty() {
        return String::new();
    }
    let rows = report.thresholds.iter().map(|verdict| {
        let value = match verdict.value {
            None => "nothing was measured".to_owned(),
            Some(value) if verdict.is_time => show::time(value),
            Some(value) => format!("{}", (value * 1e3).round() / 1e3),
        };
        let (class, word) = if verdict.failed {
            ("bad", "failed")
        } else {
            ("good", "passed")
        };
        let condition = escape(&verdict.condition);
        format!("<tr><td class=\"{class}\">{word}<td>fails if {condition}<td>{value}\n")
    });
    section(
        "Thresholds",
        &format!(
            "<table class=\"text\">\n{}</table>\n",
            rows.collect::<String>()
        ),
    )
}

fn latencies(report: &Report) -> String {
    let row = |name: &str, summary: &Summary| {
        let values = [
            summary.min,
            summary.p50,
            summary.p75,
            summary.p90,
            summary.p95,
            summary.p99,
            summary.p99_9,
            summary.p99_99,
            summary.max,
            summary.mean,
        ];
        let cells: String = values
            .map(|value| format!("<td>{}", show::time(value)))
            .concat();
        format!("<tr><td>{name}{cells}\n")
    };
    let mut rows = String::new();
    if let Some(latency) = &report.latency {
        rows.push_str(&row("messages", latency));
    }
    if let Some(handshake) = &report.handshake {
        rows.push_str(&row("handshakes", handshake));
    }
    let head =
        "<tr><th><th>min<th>p50<th>p75<th>p90<th>p95<th>p99<th>p99.9<th>p99.99<th>max<th>mean\n";
    section(
        "Latency",
        &format!("<div class=\"scroll\"><table>\n{head}{rows}</table></div>\n"),
    )
}

fn plots(report: &Report) -> String {
    let mut plots = String::new();
    if report.latency.is_some() {
        plots.push_str(&section("Latency by percentile", &by_percentile(report)));
        plots.push_str(&section("Histogram of latencies", &histogram(report)));
    }
    let points = &report.timeline;
    if points.iter().any(|point| point.received > 0.0) {
        plots.push_str(&section(
            "Messages received a second",
            &over_time(
                points,
                "a second",
                show::rate,
                &[("received", "a", |point| Some(point.received))],
            ),
        ));
    }
    if report.latency.is_some() {
        plots.push_str(&section(
            "Latency over time",
            &over_time(
                points,
                "latency",
                show::time,
                &[
                    ("p50", "a", |point| point.p50),
                    ("p99", "b", |point| point.p99),
                    ("max", "c", |point| point.max),
                ],
            ),
        ));
    } else {
        plots.push_str(&section(
            "Open connections",
            &over_time(
                points,
                "open",
                show::rate,
                &[("open", "a", |point| Some(point.open as f64))],
            ),
        ));
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

fn errors(report: &Report) -> String {
    if report.errors.is_empty() {
        return String::new();
    }
    let rows = report.errors.iter().map(|fault| {
        let (kind, example) = (escape(&fault.kind), escape(&fault.example));
        format!(
            "<tr><td>{}<td>{kind}<td>{example}\n",
            show::count(fault.count)
        )
    });
    let rows: String = rows.collect();
    let head = "<tr><th>count<th>kind<th>the first of them\n";
    section(
        "Errors",
        &format!("<table class=\"text\">\n{head}{rows}</table>\n"),
    )
}

fn environment(report: &Report) -> String {
    let (environment, bytes) = (&report.environment, &report.bytes);
    let command: Vec<String> = environment
        .command
        .iter()
        .map(|word| quoted(word))
        .collect();
    let connections = &report.connections;
    let mut rows = vec![
        (
            "command",
            format!("<code>{}</code>", escape(&command.join(" "))),
        ),
        (
            "client",
            format!(
                "longwire {} on {} {}, {} processors, {} threads",
                environment.version,
                environment.os,
                environment.arch,
                environment.processors,
                environment.threads
            ),
        ),
        (
            "started",
            format!("{} (milliseconds since 1970)", environment.started),
        ),
        (
            "connections",
            format!(
                "{} opened ({} over HTTP/2, {} with compression), {} failed, {} lost, {} opened again",
                connections.opened,
                connections.http2,
                connections.compressed,
                connections.failed,
                connections.lost,
                connections.reopened
            ),
        ),
        (
            "messages",
            format!(
                "{} sent ({}), {} received ({})",
                show::count(report.messages.sent),
                show::bytes(bytes.sent),
                show::count(report.messages.received),
                show::bytes(bytes.received)
            ),
        ),
    ];
    if let (Some(sent), Some(received)) = (bytes.wire_sent, bytes.wire_received) {
        let (sent, received) = (show::bytes(sent), show::bytes(received));
        rows.push(("frames", format!("{sent} sent, {received} received")));
    }
    let mut table = String::new();
    for (name, value) in rows {
        // A string takes all that is written.
        let _ = writeln!(table, "<tr><th>{name}<td>{value}");
    }
    section(
        "How it was measured",
        &format!("<table class=\"text\">\n{table}</table>\n"),
    )
}

/// A word of a command line, quoted where a shell would take it apart.
fn quoted(word: &str) -> String {
    let plain = |char: char| char.is_ascii_alphanumeric() || "-_=./:,@%+".contains(char);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

fn section(title: &str, content: &str) -> String {
    format!("<h2>{}</h2>\n{content}", escape(title))
}
