//! Makes the man pages and the completions from the command line's definition.
//! They end up in the binary: `longwire man`, `longwire completions`.

// The definition is the program's own; not all of it is used here.
#[allow(dead_code, missing_docs, unreachable_pub)]
#[path = "src/args/mod.rs"]
mod args;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

use clap::CommandFactory as _;
use clap_complete::Shell;

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=src/args");
    println!("cargo::rerun-if-changed=build.rs");
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or(io::ErrorKind::NotFound)?);
    man_pages(&out)?;
    let mut command = args::Cli::command();
    for shell in [
        Shell::Bash,
        Shell::Zsh,
        Shell::Fish,
        Shell::Elvish,
        Shell::PowerShell,
    ] {
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut command, "longwire", &mut script);
        fs::write(out.join(format!("completions.{shell}")), script)?;
    }
    Ok(())
}

/// A page for the program and one for each command, and a list of them in Rust.
fn man_pages(out: &Path) -> io::Result<()> {
    let folder = out.join("man");
    fs::create_dir_all(&folder)?;
    clap_mangen::generate_to(args::Cli::command(), &folder)?;
    let mut names = Vec::new();
    for entry in fs::read_dir(&folder)? {
        let name = entry?.file_name().into_string();
        names.push(name.map_err(|_| io::ErrorKind::InvalidData)?);
    }
    names.sort();
    let mut list = String::from("&[\n");
    for name in names {
        let page = name.trim_end_matches(".1");
        let file = format!("concat!(env!(\"OUT_DIR\"), \"/man/{name}\")");
        writeln!(list, "    (\"{page}\", include_str!({file})),").map_err(io::Error::other)?;
    }
    list.push(']');
    fs::write(out.join("man_pages.rs"), list)
}
