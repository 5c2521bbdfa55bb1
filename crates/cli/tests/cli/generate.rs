//! The man pages, the completions and the version, all made of the command line.

use std::process::Command;

use crate::program::run;

fn printed(arguments: &[&str]) -> String {
    let output = run(arguments, b"");
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn there_is_a_man_page_for_each_command_and_one_for_all() {
    let help = printed(&["--help"]);
    let whole = printed(&["man"]);
    let commands = help
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .map(|line| line.split_whitespace().next().unwrap());
    let mut count = 0;
    for command in commands {
        let page = printed(&["man", command]);
        assert!(page.contains(&format!("longwire\\-{command}")), "{command}");
        assert!(whole.contains(command), "{command}");
        count += 1;
    }
    assert!(count >= 10, "{help}");
    let output = run(&["man", "nothing"], b"");
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("connect"), "{said}");
}

#[test]
fn the_man_pages_can_be_written_to_a_folder() {
    let name = format!("longwire-man-{}", std::process::id());
    let folder = std::env::temp_dir().join(name);
    printed(&["man", "--dir", folder.to_str().unwrap()]);
    let page = std::fs::read_to_string(folder.join("longwire-bench.1")).unwrap();
    let _ = std::fs::remove_dir_all(&folder);
    assert!(page.contains("fail\\-if"), "{page}");
}

#[test]
fn the_completions_are_scripts_that_the_shell_can_read() {
    for (shell, part) in [
        ("bash", "complete -F"),
        ("zsh", "#compdef longwire"),
        ("fish", "complete -c longwire"),
        ("elvish", "set edit:completion"),
        ("powershell", "Register-ArgumentCompleter"),
    ] {
        let script = printed(&["completions", shell]);
        assert!(script.contains(part), "{shell}");
        assert!(script.contains("fail-if"), "{shell}");
    }
    let script = printed(&["completions", "bash"]);
    let read = Command::new("bash").args(["-n", "-c", &script]).status();
    assert!(read.unwrap().success());
}

#[test]
fn the_version_says_what_this_build_can_do() {
    assert_eq!(
        printed(&["-V"]),
        concat!("longwire ", env!("CARGO_PKG_VERSION"), "\n")
    );
    let long = printed(&["--version"]);
    for part in ["RFC 6455", "RFC 7692", "RFC 8441", "TLS 1.2 and 1.3"] {
        assert!(long.contains(part), "{long}");
    }
}
