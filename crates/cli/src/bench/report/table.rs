//! The report in a terminal, or in a file of text.

use std::io::{self, Write};

use comfy_table::presets;
use comfy_table::{CellAlignment, ContentArrangement, Table};
use owo_colors::OwoColorize as _;

use super::contents::{Ended, Report};
use super::show;
use crate::bench::count::latency::Summary;
use crate::output::harmless;

pub(in crate::bench) fn print(report: &Report) -> io::Result<()> {
    let mut stdout = anstream::stdout().lock();
    let to = &mut stdout;
    head(report, to)?;
    latencies(report, to)?;
    messages(report, to)?;
    errors(report, to)?;
    thresholds(report, to)?;
    to.flush()
}

fn head(report: &Report, to: &mut impl Write) -> io::Result<()> {
    let load = &report.load;
    let what = match (&load.payload, load.rate, load.window) {
        (None, ..) => "held".to_owned(),
        (Some(payload), rate, window) => {
            let kind = if payload.binary { "binary" } else { "text" };
            let each = format!(
                "{kind} messages of {} bytes",
                show::count(payload.bytes as u64)
            );
            match (rate, window) {
                (Some(rate), _) => format!("{each}, {} due a second", show::count(rate)),
                (None, window) => format!("{each}, {} on their way on each", window.unwrap_or(1)),
            }
        }
    };
    let connections = &report.connections;
    let wanted = connections.wanted;
    let plural = if wanted == 1 { "" } else { "s" };
    writeln!(to, "{}", harmless(&report.url).bold())?;
    writeln!(
        to,
        "{} connection{plural}, {what}",
        show::count(wanted.into())
    )?;
    let ended = match report.ended {
        Ended::Done => "",
        Ended::Interrupted => ", interrupted",
        Ended::ConnectionsLost => ", ended as no connection was left",
    };
    writeln!(
        to,
        "measured for {}{ended}, {}",
        show::seconds(report.seconds),
        features(report)
    )?;
    writeln!(to)
}

fn features(report: &Report) -> String {
    let connections = &report.connections;
    let compression = match connections.compressed {
        0 => "without compression",
        _ => "with permessage-deflate",
    };
    let http = match connections.http2 {
        0 => "",
        _ => ",\nover HTTP/2, whose connections sockets share (--http1.1 has one for each)",
    };
    format!("{compression}{http}")
}

fn latencies(report: &Report, to: &mut impl Write) -> io::Result<()> {
    // No wider than a terminal: the rest is in the other forms of the report.
    let header = ["", "p50", "p90", "p99", "p99.9", "p99.99", "max", "mean"];
    let mut table = table(&header);
    let mut add = |name: &str, summary: &Summary| {
        let mut row = vec![name.to_owned()];
        let columns = [
            summary.p50,
            summary.p90,
            summary.p99,
            summary.p99_9,
            summary.p99_99,
            summary.max,
            summary.mean,
        ];
        row.extend(columns.map(show::time));
        table.add_row(row);
    };
    if let Some(latency) = &report.latency {
        add("latency", latency);
    }
    if let Some(handshake) = &report.handshake {
        add("handshake", handshake);
    }
    right(&mut table);
    writeln!(to, "{table}")?;
    writeln!(to)
}

fn messages(report: &Report, to: &mut impl Write) -> io::Result<()> {
    let (messages, bytes) = (&report.messages, &report.bytes);
    let mut table = table(&["", "messages", "a second", "bytes", "a second"]);
    let mut add = |name: &str, count: u64, rate: f64, size: u64, size_rate: f64| {
        table.add_row([
            name.to_owned(),
            show::count(count),
            show::rate(rate),
            show::bytes(size),
            show::bytes(size_rate as u64),
        ]);
    };
    let seconds = report.seconds.max(1e-9);
    let in_a_second = |count: u64| count as f64 / seconds;
    let (sent, size) = (messages.sent, bytes.sent);
    add("sent", sent, in_a_second(sent), size, in_a_second(size));
    let (received, size) = (messages.received, bytes.received);
    add("received", received, messages.rate, size, bytes.rate);
    right(&mut table);
    if report.load.payload.is_some() || messages.received > 0 {
        writeln!(to, "{table}")?;
    }
    if let (Some(sent), Some(received)) = (bytes.wire_sent, bytes.wire_received) {
        let (sent, received) = (show::bytes(sent), show::bytes(received));
        writeln!(to, "frames: {sent} sent, {received} received")?;
    }
    for (count, what) in [
        (
            messages.drained,
            "received after the end of the load: not in the rate",
        ),
        (messages.lost, "lost: no right answer came"),
        (messages.unsent, "unsent: due, and not sent before the end"),
        (
            messages.late,
            "late: sent over 10 ms after due (the connection or this machine was busy)",
        ),
    ] {
        if count > 0 {
            writeln!(to, "{} {what}", show::count(count).yellow())?;
        }
    }
    let connections = &report.connections;
    write!(
        to,
        "connections: {} opened",
        show::count(connections.opened)
    )?;
    for (count, what) in [
        (connections.failed, "failed"),
        (connections.lost, "lost"),
        (connections.reopened, "opened again"),
    ] {
        if count > 0 {
            write!(to, ", {} {what}", show::count(count))?;
        }
    }
    writeln!(
        to,
        ", {} open at the end",
        show::count(connections.survived)
    )
}

fn errors(report: &Report, to: &mut impl Write) -> io::Result<()> {
    if report.errors.is_empty() {
        return writeln!(to, "{}", "no errors".green());
    }
    writeln!(to)?;
    let mut table = table(&["errors", "kind", "the first of them"]);
    for fault in &report.errors {
        table.add_row([
            show::count(fault.count),
            fault.kind.clone(),
            harmless(&fault.example),
        ]);
    }
    table.set_content_arrangement(ContentArrangement::Dynamic);
    writeln!(to, "{table}")
}

fn thresholds(report: &Report, to: &mut impl Write) -> io::Result<()> {
    for verdict in &report.thresholds {
        let value = match verdict.value {
            None => "too few were answered".to_owned(),
            Some(value) if verdict.is_time => show::time(value),
            Some(value) => format!("{}", (value * 1e3).round() / 1e3),
        };
        let condition = &verdict.condition;
        if verdict.failed {
            writeln!(to, "{} {condition}: {value}", "failed".red().bold())?;
        } else {
            writeln!(to, "{} {condition}: {value}", "passed".green())?;
        }
    }
    Ok(())
}

fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(header);
    table
}

/// Numbers stand at the right.
fn right(table: &mut Table) {
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
}
