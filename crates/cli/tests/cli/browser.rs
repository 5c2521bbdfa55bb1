//! The server and its page in a real browser: each test is a scenario of
//! `crates/testkit/peers/node/browser`, played against `longwire serve`.
//!
//! Without Node, its packages or a Chromium the tests are skipped, but not in CI.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::program::Serve;

/// Where the scenarios are, with their packages one folder up.
const SCENARIOS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../testkit/peers/node/browser");

/// Plays a scenario and shows what it says if it fails.
fn play(scenario: &str) {
    play_with(scenario, &[], |_| String::new());
}

/// The same with options of `longwire serve`, and something to tell the
/// scenario. Gives the server's log.
pub(crate) fn play_with(
    scenario: &str,
    options: &[&str],
    tell: impl FnOnce(&Serve) -> String,
) -> Option<String> {
    let chromium = chromium_for_tests()?;
    // Names of all sites lead here.
    let serve = Serve::with(&[options, &["--host", "*"]].concat());
    let scheme = if options.iter().any(|option| option.starts_with("--tls")) {
        "https"
    } else {
        "http"
    };
    let told = tell(&serve);
    let output = Command::new("node")
        .arg(Path::new(SCENARIOS).join(format!("{scenario}.mjs")))
        .env("LONGWIRE_URL", format!("{scheme}://{}", serve.address))
        .env("TOLD", told)
        .env("CHROMIUM", chromium)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{scenario}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    Some(String::from_utf8_lossy(&serve.stop("-TERM").stderr).into_owned())
}

#[test]
fn chromium_exchanges_a_thousand_messages_in_every_mode_of_compression() {
    for (mode, extensions) in [
        ("off", ""),
        (
            "shared",
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
        ),
        ("dedicated", "permessage-deflate"),
    ] {
        play_with("mixed", &["--compression", mode], |_| extensions.to_owned());
    }
}

#[test]
fn two_sockets_of_a_page_share_one_http2_connection() {
    let options = ["--tls-self-signed", "--log", "info"];
    let Some(log) = play_with("shared-connection", &options, |_| String::new()) else {
        return;
    };
    let opened: Vec<&str> = log
        .lines()
        .filter(|l| l.contains("socket opened"))
        .collect();
    assert_eq!(opened.len(), 2, "{log}");
    let peers: Vec<Option<&str>> = opened
        .iter()
        .map(|line| line.split("peer=").nth(1))
        .collect();
    assert!(peers[0].is_some() && peers[0] == peers[1], "{opened:?}");
    assert_eq!(log.matches("method=CONNECT").count(), 2, "{log}");
}

#[test]
fn the_page_shows_connections_and_closes_them() {
    play_with("page-connections", &["--view-close"], |_| String::new());
}

/// The browser's path if all that a scenario needs is here.
///
/// # Panics
///
/// If something is missing in CI, where no test may be skipped in silence.
fn chromium_for_tests() -> Option<PathBuf> {
    match find_tools() {
        Ok(chromium) => Some(chromium),
        Err(missing) => {
            assert!(
                env::var("CI").as_deref() != Ok("true"),
                "the browser tests need {missing}"
            );
            println!("skipped: the browser tests need {missing}");
            None
        }
    }
}

fn find_tools() -> Result<PathBuf, &'static str> {
    on_path("node").ok_or("Node, as `node` on the PATH")?;
    if !Path::new(SCENARIOS)
        .join("../node_modules/playwright-core")
        .is_dir()
    {
        return Err("playwright-core: run `npm ci` in crates/testkit/peers/node");
    }
    env::var_os("CHROMIUM")
        .map(PathBuf::from)
        .or_else(|| {
            ["chromium", "chromium-browser", "google-chrome"]
                .into_iter()
                .find_map(on_path)
        })
        .ok_or("Chromium: on the PATH, or its path in the variable CHROMIUM")
}

fn on_path(program: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?)
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

macro_rules! scenarios {
    ($($test:ident => $scenario:literal,)*) => {
        $(
            #[test]
            fn $test() {
                play($scenario);
            }
        )*
    };
}

scenarios! {
    // The documents Longwire implements, snippet by snippet.
    websocket_api_key_interfaces => "websocket-api-interfaces",
    websockets_in_javascript => "websockets-in-javascript",
    websocket_api_writing_client_applications => "websocket-api-applications",
    summary_websocket => "summary-websocket",
    websocket => "websocket",
    // The page of `longwire serve`.
    the_page_connects_sends_and_closes => "page-connect",
    the_page_chats => "page-chat",
    the_page_measures => "page-measurements",
    the_page_looks_right => "page-looks",
    // Who may connect.
    a_page_from_elsewhere_is_refused => "cross-site",
}
