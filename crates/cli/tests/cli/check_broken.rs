//! `longwire check server` against a server that breaks one rule: what it notices is
//! that rule, and nothing else of what it tries. `rows` says which cases that are.

mod rows;

use longwire_testkit::broken::server::{Options, Server};
use longwire_testkit::broken::{FAULTS, Fault, Level, Plan, Role};

use crate::program::run;

use rows::{
    CLOSE, DEFLATE, EVERYWHERE, FRAMING, LENIENT, MESSAGES, NO_HANDSHAKE, NOT_TRIED, OPENING, Row,
    TEXT,
};

fn matches(pattern: &str, id: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else {
        return pattern == id;
    };
    let Some(after) = id.strip_prefix(start) else {
        return false;
    };
    (0..=after.len()).any(|at| matches(rest, &after[at..]))
}

/// The ids of the cases that failed, and of those that were lenient.
fn noticed(fault: Option<Fault>, cases: &[&str]) -> (Vec<String>, Vec<String>) {
    let options = Options {
        plan: Plan(fault),
        ..Options::default()
    };
    let server = Server::start("127.0.0.1:0", options).unwrap();
    let url = server.url();
    // Half a megabyte takes a slow machine longer than a case has.
    let mut arguments = vec![
        "check",
        "server",
        &url,
        "--json",
        "-",
        "--skip",
        "deflate.*-500000",
    ];
    for case in cases {
        arguments.extend(["--case", case]);
    }
    let output = run(&arguments, b"");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{fault:?}: {error}: {output:?}"));
    let of = |verdict: &str| {
        let cases = report["cases"].as_array().unwrap().iter();
        let cases = cases.filter(|case| case["verdict"] == verdict);
        cases
            .map(|case| case["id"].as_str().unwrap().to_owned())
            .collect()
    };
    (of("failed"), of("lenient"))
}

/// Tries each fault on the groups of cases that should notice it.
fn each_is_noticed(rows: &[Row]) {
    for (fault, patterns) in rows {
        let names: Vec<&str> = patterns.iter().map(|p| p.trim_start_matches('?')).collect();
        let mut groups: Vec<String> = names
            .iter()
            .filter_map(|name| name.split_once('.'))
            .map(|(group, _)| format!("{group}.*"))
            .collect();
        groups.dedup();
        let groups: Vec<&str> = groups.iter().map(String::as_str).collect();
        let (failed, lenient) = noticed(Some(*fault), &groups);
        let all: Vec<&String> = failed.iter().chain(&lenient).collect();
        for id in &all {
            let is_of_it = names.iter().any(|name| matches(name, id));
            assert!(is_of_it, "{fault} is noticed by {id} too");
        }
        is_noticed_by(*fault, patterns, &all);
        is_failed(*fault, &failed);
    }
}

fn is_noticed_by(fault: Fault, patterns: &[&str], ids: &[&String]) {
    for pattern in patterns.iter().filter(|pattern| !pattern.starts_with('?')) {
        let is_hit = ids.iter().any(|id| matches(pattern, id));
        assert!(
            is_hit,
            "{fault} is not noticed by {pattern}, but by {ids:?}"
        );
    }
}

fn is_failed(fault: Fault, failed: &[String]) {
    let must = fault.entry().level == Level::Strict && !LENIENT.contains(&fault);
    assert!(!must || !failed.is_empty(), "{fault} breaks a MUST");
}

#[test]
fn a_server_that_keeps_the_rules_passes_all_that_is_strict() {
    let (failed, lenient) = noticed(
        None,
        &[
            "framing.*",
            "length.*",
            "fragment.*",
            "control.*",
            "utf8.*",
            "close.*",
            "opening.*",
            "smuggling.*",
            "agreement.*",
            "deflate.*",
        ],
    );
    assert_eq!((failed, lenient), (Vec::new(), Vec::new()));
}

#[test]
fn each_fault_of_frames_is_noticed_and_no_other() {
    each_is_noticed(FRAMING);
}

#[test]
fn each_fault_of_fragments_and_control_frames_is_noticed_and_no_other() {
    each_is_noticed(MESSAGES);
}

#[test]
fn each_fault_of_texts_is_noticed_and_no_other() {
    each_is_noticed(TEXT);
}

#[test]
fn each_fault_of_closing_is_noticed_and_no_other() {
    each_is_noticed(CLOSE);
}

#[test]
fn each_fault_of_the_handshake_is_noticed_and_no_other() {
    each_is_noticed(OPENING);
}

#[test]
fn each_fault_of_compression_is_noticed_and_no_other() {
    each_is_noticed(DEFLATE);
}

#[test]
fn faults_that_show_everywhere_are_noticed() {
    for (fault, cases) in EVERYWHERE {
        let (failed, lenient) = noticed(Some(*fault), cases);
        let all: Vec<&String> = failed.iter().chain(&lenient).collect();
        is_noticed_by(*fault, cases, &all);
        is_failed(*fault, &failed);
    }
}

#[test]
fn a_wrong_response_ends_the_check_with_what_was_expected() {
    for fault in NO_HANDSHAKE {
        let options = Options {
            plan: Plan(Some(fault)),
            ..Options::default()
        };
        let server = Server::start("127.0.0.1:0", options).unwrap();
        let output = run(
            &["check", "server", &server.url(), "--case", "close.*"],
            b"",
        );
        assert_eq!(output.status.code(), Some(4), "{fault}: {output:?}");
    }
}

#[test]
fn every_fault_of_a_server_is_tried_or_said_not_to_be() {
    let tables = [FRAMING, MESSAGES, TEXT, CLOSE, OPENING, DEFLATE, EVERYWHERE];
    for entry in FAULTS.iter().filter(|entry| entry.role != Role::Client) {
        let in_tables = tables.iter().flat_map(|rows| rows.iter());
        let times = in_tables.filter(|row| row.0 == entry.fault).count()
            + usize::from(NO_HANDSHAKE.contains(&entry.fault))
            + usize::from(NOT_TRIED.contains(&entry.fault));
        assert_eq!(times, 1, "{}", entry.name);
    }
}
