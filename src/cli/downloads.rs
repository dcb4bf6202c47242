//! The progress of a download on stderr: a line for each file and, on a terminal, a bar.

use std::path::Path;

use perceptor::datasets::fetch::Event;
use perceptor::report::number::bytes;

use super::bar::Bar;

/// Shows the events of a download.
pub struct Downloads(Bar);

impl Downloads {
    pub fn new(quiet: bool) -> Downloads {
        let template = "{prefix} {bar:12} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left";
        Downloads(Bar::new(template, quiet))
    }

    /// Shows one event.
    pub fn show(&self, event: &Event) {
        match *event {
            Event::Present(path) => self.0.line(&format!("{}: already there", path.display())),
            Event::Requested { url, received } => {
                self.0.line(&match received {
                    0 => format!("fetching {url}"),
                    received => format!(
                        "fetching {url}, {} of which are there",
                        bytes(received as usize)
                    ),
                });
                let name = url.rsplit('/').next().unwrap_or(url);
                self.0.bar.set_prefix(name.to_owned());
                self.0.bar.reset();
                // The bytes of an earlier download must not count as speed.
                self.0.bar.set_position(received);
                self.0.bar.reset_eta();
            }
            Event::Received { bytes, of } => {
                if let Some(of) = of {
                    self.0.bar.set_length(of);
                }
                self.0.bar.set_position(bytes);
            }
            Event::Failed { url, why } => self.0.line(&format!("{url}: {why}")),
            Event::Verified(path) => self.0.line(&format!("{}: verified, kept", path.display())),
            Event::Unpacked { path, bytes: size } => self.unpacked(path, size),
        }
    }

    fn unpacked(&self, path: &Path, size: u64) {
        let size = bytes(size as usize);
        self.0
            .line(&format!("{}: {size}, verified", path.display()));
    }

    /// Removes the bar.
    pub fn finish(&self) {
        self.0.finish();
    }
}
