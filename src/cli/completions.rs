//! `perceptor completions`.

use std::io::{self, Write};

use clap::{Args, Command};
use clap_complete::Shell;

use super::failure::Failure;

const EXAMPLES: &str = "\
Examples:
  perceptor completions bash > ~/.local/share/bash-completion/completions/perceptor
  perceptor completions zsh > ~/.zfunc/_perceptor         a folder in $fpath
  perceptor completions fish > ~/.config/fish/completions/perceptor.fish";

/// Print a script with which a shell completes commands, flags and values
#[derive(Debug, Args)]
#[command(before_help = EXAMPLES)]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_name = "SHELL", value_enum)]
    shell: Shell,
}

impl CompletionsArgs {
    /// Prints the script for `command`, the whole command line.
    pub fn run(&self, mut command: Command) -> Result<(), Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut command, "perceptor", &mut script);
        let mut out = io::stdout().lock();
        out.write_all(&script)?;
        Ok(out.flush()?)
    }
}
