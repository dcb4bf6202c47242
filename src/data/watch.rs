//! Detects changes of mapped files since they were opened.
//!
//! A mapping shows whatever other processes write to the file. Content is not compared: length, modification time and
//! inode reveal that a file was written, truncated or replaced, at the cost of one system call a file.

use std::path::PathBuf;

use super::mmap::Stamp;
use super::splits::Splits;
use crate::error::{Error, Refusal, Result};
use crate::message::{Key, message};

/// The mapped files of a data set, with their metadata when they were opened.
#[derive(Debug, Clone)]
pub struct Watch {
    files: Vec<Watched>,
}

#[derive(Debug, Clone)]
struct Watched {
    path: PathBuf,
    stamp: Stamp,
    /// Whether it has the encoded rows of a table.
    is_cache: bool,
}

impl Watch {
    /// Watches the files of `data`. Rows in memory cannot change and need no watch.
    pub fn over(data: &Splits) -> Watch {
        let train = &data.train;
        // Samples that are held out of the training set are in its file.
        let validation = data.validation.as_ref();
        let own = validation.filter(|set| !set.rows().shares_source_with(train.rows()));
        let sets = [Some(train), own, data.test.as_ref()];
        let mapped = sets.into_iter().flatten().filter_map(|set| {
            let (path, stamp) = set.rows().mapped_file()?;
            Some(Watched {
                path: path.to_owned(),
                stamp,
                is_cache: set.rows().cache().is_some(),
            })
        });
        Watch {
            files: mapped.collect(),
        }
    }

    /// Checks every file.
    ///
    /// # Errors
    /// Returns [`Error::Data`] for the first file that changed.
    pub fn check(&self) -> Result<()> {
        let changed = self.files.iter().find_map(|file| {
            let found = match file.path.metadata() {
                Err(error) => format!("{error}, while training read it"),
                Ok(metadata) => file.stamp.change(&Stamp::of(&metadata))?,
            };
            Some((file, found))
        });
        let Some((file, found)) = changed else {
            return Ok(());
        };
        let hint = match file.is_cache {
            true => "resume the run, which encodes the table again".into(),
            false => message![
                "use ",
                Key("data_mode").set_to("copy"),
                " for files that other processes write to"
            ],
        };
        let refusal = Refusal::new(file.path.display(), found, "an unchanged file");
        Err(Error::Data(refusal.hint(hint)))
    }
}
