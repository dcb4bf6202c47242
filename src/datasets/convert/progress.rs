//! Progress of a conversion.

use std::path::Path;

use super::source::{Samples, Source};

/// The progress of a conversion.
#[derive(Debug, Clone, Copy)]
pub struct Progress<'a> {
    /// Whether samples are being written. If not, they are still being examined.
    pub writing: bool,
    /// The file or folder that is being read.
    pub path: &'a Path,
    /// The part of it that has been read.
    pub done: u64,
    /// Its size, in the same unit.
    pub of: u64,
}

/// Reports progress once every 256 samples.
#[derive(Default)]
pub(super) struct ProgressReporter(u32);

impl ProgressReporter {
    /// Counts a sample, and reports if it is time to.
    pub fn count(
        &mut self,
        writing: bool,
        source: &dyn Source,
        samples: &dyn Samples,
        on_progress: &mut dyn FnMut(Progress),
    ) {
        self.0 = self.0.wrapping_add(1);
        if self.0.is_multiple_of(256) {
            let (done, of) = samples.progress();
            on_progress(Progress {
                writing,
                path: source.path(),
                done,
                of,
            });
        }
    }
}
