//! `longwire connect` at a terminal: what is typed, what is seen.

use crate::program::Serve;
use crate::puppet::Puppet;
use crate::terminal::{Folder, Terminal};

const CTRL_C: &str = "\x03";
const CTRL_D: &str = "\x04";
const UP: &str = "\x1b[A";
const LEFT: &str = "\x1b[D";

/// Without times, so that a test knows each column.
fn arguments<'a>(url: &'a str, further: &[&'a str]) -> Vec<&'a str> {
    [&["connect", "--time", "off", url], further].concat()
}

fn connect(url: &str, further: &[&str], state: &Folder) -> Terminal {
    Terminal::longwire(&arguments(url, further), state)
}

#[test]
fn what_is_typed_stays_whole_while_messages_arrive() {
    let (puppet, state) = (Puppet::new(), Folder::new());
    let mut terminal = connect(&puppet.url(), &[], &state);
    let mut peer = puppet.accept();
    terminal.see("connected to");
    terminal.press("hello");
    terminal.see("> hello");
    for i in 0..200 {
        peer.text(&format!("message {i}"));
    }
    let screen = terminal.wait_for(|screen| screen.ends_with("< message 199\n> hello"));
    let lines: Vec<&str> = screen.lines().collect();
    assert_eq!(
        lines.iter().filter(|line| line.contains("hello")).count(),
        1
    );
    for (line, i) in lines.iter().rev().skip(1).zip((0..200).rev()) {
        assert_eq!(
            *line,
            format!("< message {i}"),
            "each message has its own line"
        );
    }
    assert_eq!(terminal.cursor(), (23, 7));
    // In between messages, with the cursor within a line that is longer than the
    // terminal is wide.
    terminal.press(&" and more".repeat(12));
    terminal.press(&LEFT.repeat(100));
    terminal.press("X");
    for i in 0..20 {
        peer.text(&format!("again {i}"));
    }
    let typed = format!("hello{}", " and more".repeat(12));
    let (before, after) = typed.split_at(typed.len() - 100);
    let typed = format!("{before}X{after}");
    terminal.wait_for(|screen| {
        screen.contains("< again 19") && screen.replace('\n', "").ends_with(&format!("> {typed}"))
    });
    terminal.press("\r");
    assert_eq!(peer.read_text(), typed);
}

#[test]
fn messages_and_lines_typed_keep_their_order_and_lose_nothing() {
    let (serve, state) = (Serve::start(), Folder::new());
    let mut terminal = connect(&serve.url("/echo"), &[], &state);
    terminal.see("connected to");
    // Typed ahead, as by a paste into a terminal that does not mark it.
    let lines: Vec<String> = (0..100).map(|i| format!("line {i}\r")).collect();
    terminal.press(&lines.concat());
    terminal.see("< line 99");
    terminal.press(CTRL_D);
    let bytes = terminal.bytes();
    let (code, _) = terminal.end();
    assert_eq!(code, 0);
    let text = String::from_utf8(bytes).unwrap();
    let mut from = 0;
    for i in 0..100 {
        let answer = text[from..]
            .find(&format!("line {i}\n"))
            .or_else(|| text[from..].find(&format!(" line {i}\r\n")));
        from += answer.unwrap_or_else(|| panic!("no line {i} behind {from}"));
    }
}

#[test]
fn history_comes_back_in_a_second_run() {
    let (serve, state) = (Serve::start(), Folder::new());
    let url = serve.url("/echo");
    for (typed, answer) in [
        ("first\r{\"a\":\r1}\r", "\"a\": 1"),
        // The JSON of two lines, then what was before it.
        (&format!("{UP}\r"), "\"a\": 1"),
        (&format!("{UP}{UP}{UP}\r"), "< first"),
    ] {
        let mut terminal = connect(&url, &[], &state);
        terminal.see("connected to");
        terminal.press(typed);
        terminal.see(answer);
        terminal.press(CTRL_D);
        assert_eq!(terminal.end().0, 0);
    }
    let mut terminal = connect(&url, &["--no-history"], &state);
    terminal.see("connected to");
    terminal.press(&format!("{UP}nothing before\r"));
    terminal.see("< nothing before");
    terminal.press(CTRL_D);
    assert_eq!(terminal.end().0, 0);
    let kept = std::fs::read_to_string(state.0.join("longwire/history")).unwrap();
    assert!(
        kept.contains("first") && !kept.contains("nothing"),
        "{kept}"
    );
}

#[test]
fn commands_are_completed_and_unknown_ones_send_nothing() {
    let (puppet, state) = (Puppet::new(), Folder::new());
    let mut terminal = connect(&puppet.url(), &[], &state);
    let mut peer = puppet.accept();
    terminal.see("connected to");
    terminal.press("/pi\thello\r");
    assert_eq!(peer.read(), (9, b"hello".to_vec()));
    terminal.press("/\t");
    terminal.see("/ping       /send       /reconnect");
    terminal.press(CTRL_C);
    terminal.press("/nonsense\r");
    terminal.see_wrapped("there is no /nonsense; there are /ping /close");
    terminal.press("/help\r");
    terminal.see("send a file as a text message");
    let file = state.path("a file.txt");
    std::fs::write(&file, "from the file").unwrap();
    // File names are completed too.
    terminal.press(&format!("/send {}\t\r", state.path("a")));
    assert_eq!(peer.read_text(), "from the file");
    terminal.press(&format!("/binary {file}\r"));
    assert_eq!(peer.read(), (2, b"from the file".to_vec()));
    terminal.press("/send /nowhere\r");
    terminal.see("could not send /nowhere");
    terminal.press("/send /dev/zero\r");
    terminal.see_wrapped("could not send /dev/zero: expected a regular file");
    terminal.press("//slash\r");
    assert_eq!(peer.read_text(), "/slash");
    terminal.press("/close 99\r");
    terminal.see("! ");
    terminal.press("/close 4001 so long\r");
    assert_eq!(peer.read_close(), (4001, "so long".to_owned()));
    drop(peer);
    let (code, screen) = terminal.end();
    assert_eq!(code, 0);
    assert!(screen.contains("closed: 4001"), "{screen}");
}

#[test]
fn statistics_and_a_new_connection_are_had_by_commands() {
    let (serve, state) = (Serve::start(), Folder::new());
    let mut terminal = connect(&serve.url("/echo"), &[], &state);
    terminal.see("connected to");
    terminal.press("hello\r");
    terminal.see("< hello");
    terminal.press("/stats\r");
    terminal.see("sent         1 message of 5 B; 1 frame of 11 B on the wire");
    terminal.see("not known yet");
    terminal.press("/ping\r");
    terminal.see("pong after");
    terminal.press("/reconnect\r");
    terminal.wait_for(|screen| screen.matches("connected to").count() == 2);
    terminal.press("again\r");
    terminal.see("< again");
    terminal.press("/stats\r");
    let screen = terminal.see("connection 2");
    assert!(!screen.contains("closed"), "{screen}");
    terminal.press("/quit\r");
    assert_eq!(terminal.end().0, 0);
}

#[test]
fn json_goes_on_until_it_is_complete_and_is_shown_in_lines() {
    let (puppet, state) = (Puppet::new(), Folder::new());
    let mut terminal = connect(&puppet.url(), &[], &state);
    let mut peer = puppet.accept();
    terminal.see("connected to");
    terminal.press("{\"a\": [1,\r");
    terminal.see("> {\"a\": [1,");
    terminal.press("2]}\r");
    assert_eq!(peer.read_text(), "{\"a\": [1,\n2]}");
    // A message within the lines of one tears nothing.
    terminal.press("{\"b\":\r");
    terminal.press("{\r");
    peer.text("{\"x\":[1.50,{}],\"y\":\"z\"}");
    terminal.wait_for(|screen| {
        screen.contains(
            "< {\n    \"x\": [\n      1.50,\n      {}\n    ],\n    \"y\": \"z\"\n  }\n> {\"b\":\n{",
        )
    });
    // What cannot be completed is sent by an empty line.
    terminal.press("\r\r");
    assert_eq!(peer.read_text(), "{\"b\":\n{");
    // Pasted lines are one message.
    terminal.press("\x1b[200~one\ntwo\x1b[201~\r");
    assert_eq!(peer.read_text(), "one\ntwo");
}

#[test]
fn ctrl_c_clears_a_line_and_closes_on_an_empty_one() {
    let (puppet, state) = (Puppet::new(), Folder::new());
    let line = format!("$LONGWIRE connect {}; echo code $?; stty -a", puppet.url());
    let mut terminal = Terminal::shell(&line, &state);
    let mut peer = puppet.accept();
    terminal.see("connected to");
    terminal.press("unwanted");
    terminal.see("> unwanted");
    terminal.press(CTRL_C);
    terminal.wait_for(|screen| !screen.contains("unwanted"));
    terminal.press("wanted\r");
    assert_eq!(peer.read_text(), "wanted");
    terminal.press(CTRL_C);
    terminal.see("closing");
    assert_eq!(peer.read_close(), (1000, String::new()));
    drop(peer);
    let (_, screen) = terminal.end();
    assert!(screen.contains("code 0"), "{screen}");
    // The terminal is as it was.
    assert!(
        screen.contains(" icanon") && screen.contains(" echo "),
        "{screen}"
    );
}

#[test]
fn a_second_ctrl_c_does_not_wait_for_the_server() {
    let (puppet, state) = (Puppet::new(), Folder::new());
    let mut terminal = connect(&puppet.url(), &[], &state);
    let _silent = puppet.accept();
    terminal.see("connected to");
    terminal.press(CTRL_C);
    terminal.see("closing");
    terminal.press(CTRL_C);
    let (code, screen) = terminal.end();
    assert_eq!(code, 1);
    assert!(screen.contains("interrupted"), "{screen}");
}

#[test]
fn a_process_that_is_told_to_end_closes_first() {
    let (puppet, state) = (Puppet::new(), Folder::new());
    let terminal = connect(&puppet.url(), &[], &state);
    let mut peer = puppet.accept();
    terminal.see("connected to");
    terminal.signal("-TERM");
    assert_eq!(peer.read_close(), (1000, String::new()));
    drop(peer);
    assert_eq!(terminal.end().0, 0);
}

#[test]
fn the_server_ends_it_while_a_line_is_typed() {
    let (puppet, state) = (Puppet::new(), Folder::new());
    let line = format!("$LONGWIRE connect {}; echo code $?; stty -a", puppet.url());
    let mut terminal = Terminal::shell(&line, &state);
    let mut peer = puppet.accept();
    terminal.see("connected to");
    terminal.press("half a li");
    terminal.see("half a li");
    peer.text("last words");
    peer.close(1001, "going \u{1b}[2Jaway");
    drop(peer);
    let (_, screen) = terminal.end();
    for text in [
        "< last words",
        "> half a li",
        "closed: 1001",
        "code 0",
        " icanon",
    ] {
        assert!(screen.contains(text), "{text} in {screen}");
    }
}

#[test]
fn the_server_ends_it_while_the_history_is_searched() {
    let (puppet, state) = (Puppet::new(), Folder::new());
    let line = format!("$LONGWIRE connect {}; echo code $?; stty -a", puppet.url());
    let mut terminal = Terminal::shell(&line, &state);
    let mut peer = puppet.accept();
    terminal.see("connected to");
    terminal.press("find me\r");
    peer.read_text();
    terminal.press("\x12find");
    terminal.see("reverse-i-search");
    peer.close(1000, "");
    drop(peer);
    let (_, screen) = terminal.end();
    assert!(
        screen.contains("code 0") && screen.contains(" icanon"),
        "{screen}"
    );
}

#[test]
fn a_line_keeps_its_text_when_the_window_changes_and_when_it_is_very_long() {
    let (puppet, state) = (Puppet::new(), Folder::new());
    let mut terminal = connect(&puppet.url(), &[], &state);
    let mut peer = puppet.accept();
    terminal.see("connected to");
    let words = "0123456789".repeat(6);
    terminal.press(&words);
    terminal.see_wrapped(&words);
    terminal.resize(40);
    terminal.press("wide");
    terminal.see_wrapped(&format!("{words}wide"));
    peer.text("a message");
    terminal.wait_for(|screen| screen.replace('\n', "").ends_with(&format!("{words}wide")));
    terminal.resize(80);
    terminal.press("r\r");
    assert_eq!(peer.read_text(), format!("{words}wider"));
    let long = "long ".repeat(2000);
    terminal.press(&format!("\x1b[200~{long}\x1b[201~\r"));
    assert_eq!(peer.read_text(), long);
    let long = "x".repeat(200_000);
    peer.text(&long);
    terminal.see("[200000 bytes in all]");
    terminal.press("still there\r");
    assert_eq!(peer.read_text(), "still there");
}

#[test]
fn a_peer_cannot_make_the_terminal_obey() {
    let (puppet, state) = (Puppet::new(), Folder::new());
    let mut terminal = connect(&puppet.url(), &[], &state);
    let mut peer = puppet.accept();
    terminal.see("connected to");
    peer.text("\u{1b}[2J\u{1b}]0;title\u{7}\u{9b}31m\rover\n> forged");
    peer.text("{\"a\":\"\u{7f}\u{9b}2J\"}");
    terminal.see("\\u{7f}");
    let screen = terminal.see("\\u{1b}[2J\\u{1b}]0;title\\u{7}\\u{9b}31m\\u{d}over");
    assert!(screen.contains("connected to"), "{screen}");
    assert!(screen.contains("\n  > forged"), "{screen}");
    peer.binary(b"\x1b[2J\x00");
    terminal.see("1b 5b 32 4a 00");
    terminal.press("/ping \u{e9}\r");
    peer.read();
}

#[test]
fn colours_are_for_who_wants_them() {
    let state = Folder::new();
    for (no_color, coloured) in [("", true), ("1", false)] {
        let puppet = Puppet::new();
        let line = format!("NO_COLOR={no_color} $LONGWIRE connect {}", puppet.url());
        let mut terminal = Terminal::shell(&line, &state);
        let mut peer = puppet.accept();
        terminal.see("connected to");
        peer.text("{\"a\":[1,\"b\"]}");
        terminal.see("\"b\"");
        terminal.press("{\"typed\": 1}\r");
        assert_eq!(peer.read_text(), "{\"typed\": 1}");
        let bytes = terminal.bytes();
        let has_colours = bytes.windows(3).any(|three| three == b"\x1b[3");
        assert_eq!(has_colours, coloured, "NO_COLOR={no_color}");
    }
}

#[test]
fn frames_are_shown_above_the_prompt() {
    let (serve, state) = (Serve::start(), Folder::new());
    let mut terminal = connect(&serve.url("/echo"), &["--verbose"], &state);
    terminal.see("the WebSocket handshake: ");
    terminal.see("> GET /echo HTTP/1.1");
    terminal.press("hello\r");
    terminal.see("> text fin masked 5 bytes: \"hello\"");
    terminal.see("< text fin 5 bytes: \"hello\"");
    terminal.press(CTRL_D);
    assert_eq!(terminal.end().0, 0);
}

#[test]
fn messages_go_to_a_file_while_the_prompt_stays_at_the_terminal() {
    let (serve, state) = (Serve::start(), Folder::new());
    let file = state.path("messages");
    let line = format!("$LONGWIRE connect {} > {file}", serve.url("/echo"));
    let mut terminal = Terminal::shell(&line, &state);
    terminal.see("connected to");
    terminal.press("{\"a\": 1}\rhello\r/ping\r");
    terminal.see("pong after");
    terminal.press(CTRL_D);
    let (code, screen) = terminal.end();
    assert_eq!(code, 0, "{screen}");
    assert_eq!(
        std::fs::read_to_string(file).unwrap(),
        "{\"a\": 1}\nhello\n"
    );
}

#[test]
fn a_connection_that_is_lost_comes_back() {
    let (puppet, state) = (Puppet::new(), Folder::new());
    let mut terminal = connect(&puppet.url(), &["--reconnect"], &state);
    let mut peer = puppet.accept();
    terminal.see("connected to");
    terminal.press("hal");
    terminal.see("> hal");
    peer.text("one");
    drop(peer);
    terminal.see("trying again in");
    let mut peer = puppet.accept();
    terminal.press("f\r");
    assert_eq!(peer.read_text(), "half");
    terminal.press("/ping\r");
    assert_eq!(peer.read().0, 9);
    peer.close(1000, "done");
    drop(peer);
    let (code, screen) = terminal.end();
    assert_eq!(code, 0, "{screen}");
    assert!(screen.contains("closed: 1000"), "{screen}");
}
