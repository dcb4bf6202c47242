//! The progress of a fetch on stderr: a bar where that is a terminal, and a line a file.

use std::io::{self, Write};
use std::path::Path;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use perceptor::data::fetch::Event;
use perceptor::report::number::bytes;

/// Shows the events of a fetch.
pub struct Downloads {
    bar: ProgressBar,
    quiet: bool,
}

impl Downloads {
    pub fn new(quiet: bool) -> Downloads {
        let target = match quiet {
            true => ProgressDrawTarget::hidden(),
            false => ProgressDrawTarget::stderr_with_hz(10),
        };
        let template = "{prefix} {bar:12} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left";
        let style = ProgressStyle::with_template(template)
            .unwrap_or_else(|_| ProgressStyle::default_bar())
            .progress_chars("━╸─");
        Downloads {
            bar: ProgressBar::with_draw_target(None, target).with_style(style),
            quiet,
        }
    }

    /// Takes one event in.
    pub fn show(&self, event: &Event) {
        match *event {
            Event::There(path) => self.line(&format!("{}: already there", path.display())),
            Event::Asking { url, have } => {
                self.line(&match have {
                    0 => format!("fetching {url}"),
                    have => format!(
                        "fetching {url}, {} of which are there",
                        bytes(have as usize)
                    ),
                });
                let name = url.rsplit('/').next().unwrap_or(url);
                self.bar.set_prefix(name.to_owned());
                self.bar.reset();
                // What is there says nothing about the speed.
                self.bar.set_position(have);
                self.bar.reset_eta();
            }
            Event::Received { bytes, of } => {
                if let Some(of) = of {
                    self.bar.set_length(of);
                }
                self.bar.set_position(bytes);
            }
            Event::Failed { url, why } => self.line(&format!("{url}: {why}")),
            Event::Verified(path) => self.line(&format!("{}: verified, kept", path.display())),
            Event::Placed { path, bytes: size } => self.placed(path, size),
        }
    }

    fn placed(&self, path: &Path, size: u64) {
        let size = bytes(size as usize);
        self.line(&format!("{}: {size}, verified", path.display()));
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }

    fn line(&self, text: &str) {
        if self.quiet {
            return;
        }
        match self.bar.is_hidden() {
            false => self.bar.println(text),
            // A closed stderr is no reason to stop fetching.
            true => drop(writeln!(io::stderr(), "{text}")),
        }
    }
}
