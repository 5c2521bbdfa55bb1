//! What `longwire bench` tells at the end: its numbers, thresholds and page.

use serde_json::Value;

use crate::bench::bench;
use crate::program::{Serve, run};

#[test]
fn compression_is_seen_in_the_bytes_of_frames() {
    let serve = Serve::start();
    let url = serve.url("/echo");
    let arguments = ["-c", "1", "-n", "200", "--size", "4k", "--wire-bytes", &url];
    let (_, compressed) = bench(&arguments);
    let (_, plain) = bench(&[&arguments[..], &["--no-compression"]].concat());
    let wire = |report: &Value| report["bytes"]["wire_sent"].as_u64().unwrap();
    assert_eq!(compressed["connections"]["compressed"], 1);
    assert_eq!(plain["connections"]["compressed"], 0);
    assert!(wire(&plain) >= 200 << 12, "{plain}");
    assert!(wire(&compressed) < wire(&plain) / 2, "{compressed}");
    let (_, uncounted) = bench(
        &arguments[..6]
            .iter()
            .chain(&[arguments[7]])
            .copied()
            .collect::<Vec<_>>(),
    );
    assert_eq!(uncounted["bytes"]["wire_sent"], Value::Null);
}

#[test]
fn a_threshold_that_is_passed_is_an_exit_code_of_its_own() {
    let serve = Serve::start();
    let url = serve.url("/echo");
    let arguments = ["-c", "1", "-n", "20", &url];
    let good = [
        "--fail-if",
        "p99>600s",
        "--fail-if",
        "errors>0",
        "--fail-if",
        "lost>=1%",
    ];
    let (code, report) = bench(&[&arguments[..], &good].concat());
    assert_eq!(code, 0);
    assert_eq!(report["thresholds"].as_array().unwrap().len(), 3);
    for bad in ["p50>0us", "max>=0ms", "rate<1M", "mean > 0us", "errors<=0"] {
        let (code, report) = bench(&[&arguments[..], &good, &["--fail-if", bad]].concat());
        assert_eq!(code, 5, "{bad}");
        let failed: Vec<bool> = report["thresholds"]
            .as_array()
            .unwrap()
            .iter()
            .map(|verdict| verdict["failed"].as_bool().unwrap())
            .collect();
        assert_eq!(failed, [false, false, false, true], "{bad}");
    }
}

#[test]
fn the_page_needs_nothing_else_and_tells_no_secret() {
    let serve = Serve::start();
    let file = std::env::temp_dir().join(format!("longwire-cli-page-{}", std::process::id()));
    let path = file.to_str().unwrap();
    let url = serve.url("/echo?<script>alert(1)</script>");
    let arguments = [
        "bench", "-c", "2", "-n", "200", "--html", path, "--bearer", "secret-1",
    ];
    let url = url.replace("//", "//user:secret-3@") + "&token=secret-4";
    let further = ["-H", "X-Key: secret-2", "--fail-if", "p99>600s", &url];
    let output = run(&[&arguments[..], &further].concat(), b"");
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let page = std::fs::read_to_string(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    assert_eq!(page.matches("<svg").count(), 4, "a plot each");
    assert_eq!(page.matches("</svg>").count(), 4);
    assert!(page.contains("fails if p99&gt;600s"));
    for absent in [
        "<script", "secret-", "src=", "href=", "@import", "url(", "NaN", "inf",
    ] {
        assert!(!page.contains(absent), "{absent}");
    }
}

#[test]
fn the_fields_of_the_report_are_those_of_the_help() {
    let serve = Serve::start();
    let (_, report) = bench(&["-c", "1", "-n", "5", &serve.url("/echo")]);
    let help = run(&["bench", "--help"], b"").stdout;
    let help = String::from_utf8(help).unwrap();
    let (_, shape) = help.split_once("JSON report").unwrap();
    let (shape, _) = shape.split_once("Exit codes").unwrap();
    let told: Vec<&str> = shape
        .split([' ', ',', ';', '(', ')', '\n', '[', ']', '"'])
        .collect();
    let groups = [
        "environment",
        "load",
        "connections",
        "messages",
        "bytes",
        "latency",
    ];
    let fields = groups.iter().map(|group| &report[group]);
    for object in fields.chain([&report, &report["timeline"][0]]) {
        for name in object.as_object().unwrap().keys() {
            assert!(told.contains(&name.as_str()), "{name}: {shape}");
        }
    }
    assert_eq!(report["format"], "longwire-bench/1");
}
