//! Whether the files that are mapped are still what they were when they were opened.
//!
//! A mapping shows whatever others write into the file. Nothing here looks at content: length, times and inode say that
//! someone wrote, truncated or replaced it, for the price of a system call a file.

use std::path::PathBuf;

use super::dataset::Splits;
use super::mmap::{Bytes, Stamp};
use crate::error::{Error, Refusal, Result};
use crate::message::{Key, message};

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
                Refusal::new(path.display(), found, "a file that stays as it was opened").hint(
                    message![
                        "give ",
                        Key("data_mode").set_to("copy"),
                        " for files that others write to"
                    ],
                ),
            )),
        }
    }
}
