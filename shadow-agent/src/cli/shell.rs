//! `shadow completions` and `shadow man`: files made from the grammar of the command line.

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use super::{Cli, Exit, Failure, output};

/// Arguments of `shadow completions`.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  shadow completions bash > /usr/share/bash-completion/completions/shadow\n  shadow \
                        completions fish > ~/.config/fish/completions/shadow.fish"
)]
pub struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

/// Arguments of `shadow man`.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  mkdir -p ~/.local/share/man/man1 && shadow man ~/.local/share/man/man1")]
pub struct ManArgs {
    /// The folder to write to; it must exist
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

/// Prints the completions of a shell.
pub fn completions(args: &CompletionsArgs) -> anyhow::Result<ExitCode> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "shadow", &mut text);
    output::print(&String::from_utf8(text)?)?;
    Ok(Exit::Done.into())
}

/// Writes a page for each command.
pub fn man(args: &ManArgs) -> anyhow::Result<ExitCode> {
    clap_mangen::generate_to(Cli::command(), &args.folder).map_err(|error| {
        let what = format!("cannot write the pages to {}: {error}", args.folder.display());
        Failure::new(Exit::CannotCreate, what)
    })?;
    Ok(Exit::Done.into())
}
