//! Whether the files that are mapped are still what they were when they were opened.
//!
//! A mapping shows whatever others write into the file. Nothing here looks at content: length, times and inode say that
//! someone wrote, truncated or replaced it, for the price of a system call a file.

use std::fs::Metadata;
use std::path::PathBuf;
use std::time::SystemTime;

use super::dataset::Splits;
use super::mmap::Bytes;
use crate::error::{Error, Refusal, Result};

/// What the system says of a file, as far as it changes when the file does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    length: u64,
    modified: Option<SystemTime>,
    /// Device and inode, where the system has them.
    identity: Option<(u64, u64)>,
}

impl Stamp {
    /// By the system's words about a file.
    pub fn of(metadata: &Metadata) -> Stamp {
        Stamp {
            length: metadata.len(),
            modified: metadata.modified().ok(),
            identity: identity(metadata),
        }
    }
}

#[cfg(unix)]
fn identity(metadata: &Metadata) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    Some((metadata.dev(), metadata.ino()))
}

#[cfg(not(unix))]
fn identity(_: &Metadata) -> Option<(u64, u64)> {
    None
}

/// The files of a data set that are mapped.
#[derive(Debug, Clone)]
pub struct Watch {
    files: Vec<(PathBuf, Stamp)>,
}

impl Watch {
    /// Over the files of `data`, as they were when they were mapped. Copies in memory need no watch.
    pub fn over(data: &Splits) -> Watch {
        let train = &data.train;
        // What is held out of the training items lies in their file.
        let validation = data.validation.as_ref();
        let own = validation.filter(|set| !set.images().shares_bytes_with(train.images()));
        let sets = [Some(train), own, data.test.as_ref()];
        let images = sets.into_iter().flatten().map(|set| set.images());
        let mapped = images.filter_map(|images| match images.bytes() {
            Bytes::Mapped(_, stamp) => Some((images.path().to_owned(), *stamp)),
            Bytes::Owned(_) => None,
        });
        Watch {
            files: mapped.collect(),
        }
    }

    /// Looks at every file.
    ///
    /// # Errors
    /// [`Error::Data`] for the first that is not what it was.
    pub fn check(&self) -> Result<()> {
        let changed = self.files.iter().find_map(|(path, stamp)| {
            let found = match path.metadata() {
                Err(error) => format!("{error}, while training read it"),
                Ok(metadata) => stamp.change(&Stamp::of(&metadata))?,
            };
            Some((path, found))
        });
        match changed {
            None => Ok(()),
            Some((path, found)) => Err(Error::Data(
                Refusal::new(path.display(), found, "a file that stays as it was opened")
                    .hint("give --data-mode copy for files that others write to"),
            )),
        }
    }
}

impl Stamp {
    /// What makes `now` another file.
    fn change(&self, now: &Stamp) -> Option<String> {
        if self == now {
            return None;
        }
        let what = match () {
            () if self.length != now.length => {
                format!("{} bytes where there were {}", now.length, self.length)
            }
            () if self.identity != now.identity => "another file under this name".to_owned(),
            () => "a new time of modification".to_owned(),
        };
        Some(format!("{what}, while training read it"))
    }
}
