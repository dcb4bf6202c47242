//! `perceptor man`.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::{Args, Command};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};
use perceptor::durable;

use super::failure::Failure;
use super::shell::shell_word;

const EXAMPLES: &str = "\
Examples:
  perceptor man --out man1                       perceptor.1, perceptor-train.1, …
  perceptor man --out ~/.local/share/man/man1    where `man perceptor` finds them";

/// Write manual pages: one for perceptor, one for each command
#[derive(Debug, Args)]
#[command(before_help = EXAMPLES)]
pub struct ManArgs {
    /// Folder for the pages; pages of an earlier version are replaced
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

impl ManArgs {
    /// Writes the pages of `command`, the whole command line.
    pub fn run(&self, command: Command) -> Result<(), Failure> {
        let mut pages = Vec::new();
        let mut command = command.disable_help_subcommand(true);
        command.build();
        add_pages(command, &mut pages)?;
        durable::create_folder(&self.out)?;
        for (name, text) in &pages {
            durable::remove_leftovers_of(&self.out.join(name));
            durable::write_atomically(&self.out.join(name), |out| out.write_all(text))?;
        }
        let mut out = io::stdout().lock();
        writeln!(
            out,
            "{} manual pages in {}",
            pages.len(),
            self.out.display()
        )?;
        writeln!(
            out,
            "next  man {}",
            shell_word(&self.out.join("perceptor.1"))
        )?;
        Ok(out.flush()?)
    }
}

/// Adds the pages of `command` and of every command below it: file names and texts.
fn add_pages(command: Command, pages: &mut Vec<(String, Vec<u8>)>) -> io::Result<()> {
    // clap_mangen leaves out the text of flags that `-h` hides.
    let command = command.mut_args(|arg| arg.hide_short_help(false));
    let below: Vec<Command> = command.get_subcommands().cloned().collect();
    let examples = text_of(command.get_before_long_help().or(command.get_before_help()));
    let notes = text_of(command.get_after_long_help().or(command.get_after_help()));
    let (has_flags, has_commands) = (command.get_arguments().next().is_some(), !below.is_empty());
    let man = Man::new(command);
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    write_section(&mut page, &examples)?;
    if has_flags {
        man.render_options_section(&mut page)?;
    }
    if has_commands {
        man.render_subcommands_section(&mut page)?;
    }
    write_section(&mut page, &notes)?;
    pages.push((man.get_filename(), page));
    below
        .into_iter()
        .try_for_each(|command| add_pages(command, pages))
}

fn text_of(help: Option<&clap::builder::StyledStr>) -> String {
    help.map_or_else(String::new, ToString::to_string)
}

/// Writes a part of the help whose first line is its heading, line by line as it is.
fn write_section(page: &mut Vec<u8>, text: &str) -> io::Result<()> {
    let Some((heading, lines)) = text.split_once(":\n") else {
        return Ok(());
    };
    let mut roff = Roff::new();
    roff.control("SH", [heading.to_uppercase().as_str()]);
    roff.control("nf", []);
    for line in lines.lines() {
        roff.text([roman(line)]);
    }
    roff.control("fi", []);
    roff.to_writer(page)
}
