//! `longwire completions` and `longwire man`: what `build.rs` made of the
//! command line's definition.

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use crate::args::generate::{CompletionsArgs, ManArgs};
use crate::{exit, output};

/// Each page's name and text.
const MAN_PAGES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/man_pages.rs"));

macro_rules! completions {
    ($shell:literal) => {
        include_str!(concat!(env!("OUT_DIR"), "/completions.", $shell))
    };
}

pub(crate) fn completions(args: &CompletionsArgs) -> ExitCode {
    print(match args.shell.as_str() {
        "zsh" => completions!("zsh"),
        "fish" => completions!("fish"),
        "elvish" => completions!("elvish"),
        "powershell" => completions!("powershell"),
        _ => completions!("bash"),
    })
}

pub(crate) fn man(args: &ManArgs) -> ExitCode {
    if let Some(folder) = &args.dir {
        return match write_all(folder) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                let folder = folder.display();
                output::error(&format!(
                    "could not write the man pages to {folder}: {error}"
                ));
                ExitCode::FAILURE
            }
        };
    }
    let name = args.command.as_ref();
    let name = name.map_or("longwire".to_owned(), |name| format!("longwire-{name}"));
    if let Some((_, page)) = MAN_PAGES.iter().find(|(page, _)| *page == name) {
        return print(page);
    }
    let known: Vec<&str> = MAN_PAGES
        .iter()
        .filter_map(|(page, _)| page.strip_prefix("longwire-"))
        .collect();
    let known = known.join(", ");
    output::error(&format!("no such page: expected one of {known}"));
    ExitCode::from(exit::USAGE)
}

fn write_all(folder: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    for (name, page) in MAN_PAGES {
        std::fs::write(folder.join(format!("{name}.1")), page)?;
    }
    Ok(())
}

/// A reader that has enough is no failure.
fn print(text: &str) -> ExitCode {
    let _ = std::io::stdout().write_all(text.as_bytes());
    ExitCode::SUCCESS
}
