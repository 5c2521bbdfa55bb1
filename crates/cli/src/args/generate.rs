//! Options of `longwire completions` and `longwire man`.

use std::path::PathBuf;

const COMPLETIONS: &str = "\
Examples:
  longwire completions bash > ~/.local/share/bash-completion/completions/longwire
  longwire completions zsh > ~/.zfunc/_longwire
  longwire completions fish > ~/.config/fish/completions/longwire.fish";

const MAN: &str = "\
Examples:
  longwire man | man -l -
  longwire man connect | man -l -
  longwire man --dir /usr/local/share/man/man1";

/// Options of `longwire completions`.
#[derive(clap::Args)]
#[command(after_help = COMPLETIONS)]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_parser = ["bash", "zsh", "fish", "elvish", "powershell"])]
    pub(crate) shell: String,
}

/// Options of `longwire man`.
#[derive(clap::Args)]
#[command(after_help = MAN)]
pub(crate) struct ManArgs {
    /// The command the page is about: all of them together by default
    pub(crate) command: Option<String>,
    /// Write every page to this folder instead
    #[arg(long, value_name = "FOLDER", conflicts_with = "command")]
    pub(crate) dir: Option<PathBuf>,
}
