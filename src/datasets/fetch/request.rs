//! What to download, and what happens on the way.

use std::path::Path;
use std::time::Duration;

use super::catalogue::DataSet;

/// A data set to download.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// The data set.
    pub set: &'a DataSet,
    /// The folder for its four files. It is created if it does not exist.
    pub folder: &'a Path,
    /// The folder in which an archive of several data sets is kept for the others.
    pub archives: &'a Path,
    /// Addresses that are tried before the mirrors of the data set. Only these may be plain HTTP.
    pub mirrors: &'a [String],
    /// Whether to replace existing files that do not belong to the data set.
    pub force: bool,
    /// How long a mirror may send nothing.
    pub timeout: Duration,
}

/// An event of a download.
#[derive(Debug)]
pub enum Event<'a> {
    /// A file exists already and is correct.
    Present(&'a Path),
    /// A mirror is asked for a file.
    Requested {
        /// The address of the file.
        url: &'a str,
        /// The number of bytes from earlier attempts.
        received: u64,
    },
    /// More of the file has arrived.
    Received {
        /// The number of bytes so far.
        bytes: u64,
        /// The size of the file, if it is known.
        of: Option<u64>,
    },
    /// A mirror did not serve the file, and the next one is tried.
    Failed {
        /// The address of the file.
        url: &'a str,
        /// What happened.
        why: &'a str,
    },
    /// A download is complete and verified.
    Verified(&'a Path),
    /// A file is unpacked and verified. All files are put into place together.
    Unpacked {
        /// The path that it gets.
        path: &'a Path,
        /// Its size in bytes.
        bytes: u64,
    },
}
