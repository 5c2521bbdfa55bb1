//! The report as one HTML page that needs nothing else: it can be mailed, or kept
//! beside the change that it measures.

use std::fmt::Write as _;

use super::contents::{Ended, Report};
use super::plot::escape;
use super::plots;
use super::show;
use crate::bench::count::latency::Summary;

const STYLE: &str = include_str!("page.css");

pub(in crate::bench) fn html(report: &Report) -> String {
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
    let connections = show::count(load.connections.into());
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
            None => "too few were answered".to_owned(),
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
    let plots = plots::plots(report).into_iter();
    plots.map(|(title, plot)| section(title, &plot)).collect()
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
        &format!("<table class=\"text errors\">\n{head}{rows}</table>\n"),
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
        ("started", show::date(environment.started)),
        (
            "connections",
            format!(
                "{} opened ({} over HTTP/2, {} with compression), {} failed, {} lost, {} opened again",
                show::count(connections.opened),
                show::count(connections.http2),
                show::count(connections.compressed),
                show::count(connections.failed),
                show::count(connections.lost),
                show::count(connections.reopened)
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
