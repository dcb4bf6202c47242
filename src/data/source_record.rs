//! What a converted data set was made from, recorded in its folder, so that a source that changed since is noticed.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

use super::content_hash::{hash_of_file, hexadecimal};
use crate::error::{Error, Result};
use crate::regular_file::open_regular;

/// The name of the record in the folder of a data set.
pub(crate) const FILE: &str = ".source.json";

/// The largest record that is read, in bytes.
const MAX_LENGTH: u64 = 1 << 16;

/// The files and folders that a data set was made from.
#[derive(Debug, Serialize, Deserialize)]
pub struct SourceRecord {
    sources: Vec<Source>,
}

/// A file, or a folder of files and folders.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Source {
    path: PathBuf,
    /// The bytes of the file, or of all files.
    bytes: u64,
    /// When the file, or the newest one, was modified, in nanoseconds since 1970.
    modified: u64,
    /// XXH3 of the contents of a file, or of the names, sizes and times of the files in a folder, in hexadecimal.
    hash: String,
}

impl SourceRecord {
    /// Describes the sources. Paths that are not text are left out.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if one cannot be read.
    pub fn of<'a>(paths: impl IntoIterator<Item = &'a Path>) -> Result<SourceRecord> {
        let mut sources = Vec::new();
        for path in paths {
            let path = std::path::absolute(path).map_err(Error::io(path, "find"))?;
            if path.to_str().is_some() {
                sources.push(Source::of(path)?);
            }
        }
        Ok(SourceRecord { sources })
    }

    /// Returns the content of the file.
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec_pretty(self).expect("plain data is always JSON")
    }
}

/// Returns a source that changed since the data set in `folder` was made from it. One that is not there any more, or a data
/// set without a record, has not changed.
pub fn changed_source(folder: &Path) -> Option<PathBuf> {
    let mut text = Vec::new();
    let file = open_regular(&folder.join(FILE), "a record of sources").ok()?;
    file.take(MAX_LENGTH).read_to_end(&mut text).ok()?;
    let record: SourceRecord = serde_json::from_slice(&text).ok()?;
    let changed = record.sources.into_iter().find(Source::has_changed);
    changed.map(|source| source.path)
}

impl Source {
    fn of(path: PathBuf) -> Result<Source> {
        let about = path.metadata().map_err(Error::io(&path, "open"))?;
        if about.is_dir() {
            return Source::of_folder(path);
        }
        let hash = content_hash(&path)?;
        Ok(Source {
            bytes: about.len(),
            modified: modified(&about),
            hash,
            path,
        })
    }

    /// Describes the files in `path`, in the folders below it, and in those below them, as for classes of two sets.
    fn of_folder(path: PathBuf) -> Result<Source> {
        let mut files = entries(&path)?;
        for _ in 0..2 {
            let (folders, others): (Vec<_>, Vec<_>) =
                files.into_iter().partition(|entry| entry.is_dir());
            files = others;
            for folder in folders {
                files.extend(entries(&folder)?);
            }
        }
        files.sort();
        let (mut hash, mut bytes, mut newest) = (Xxh3::new(), 0, 0);
        for file in files {
            // What cannot be read is reported when it is converted.
            let about = file.metadata().ok();
            let (length, time) = about.map_or((0, 0), |about| (about.len(), modified(&about)));
            let name = file.strip_prefix(&path).unwrap_or(&file);
            hash.update(name.as_os_str().as_encoded_bytes());
            for number in [length, time] {
                hash.update(&number.to_le_bytes());
            }
            bytes += length;
            newest = newest.max(time);
        }
        Ok(Source {
            path,
            bytes,
            modified: newest,
            hash: hexadecimal(hash.digest128()),
        })
    }

    fn has_changed(&self) -> bool {
        let Ok(about) = self.path.metadata() else {
            return false;
        };
        if about.is_dir() {
            return Source::of_folder(self.path.clone()).is_ok_and(|now| now != *self);
        }
        if about.len() != self.bytes {
            return true;
        }
        // The time decides whether the contents are compared.
        modified(&about) != self.modified
            && content_hash(&self.path).is_ok_and(|hash| hash != self.hash)
    }
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let unreadable = || Error::io(folder, "read the folder");
    let entries = fs::read_dir(folder).map_err(unreadable())?;
    let entries = entries.map(|entry| Ok(entry.map_err(unreadable())?.path()));
    entries.collect()
}

fn modified(about: &fs::Metadata) -> u64 {
    let time = about.modified().ok();
    let since = time.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    since.map_or(0, |since| since.as_nanos() as u64)
}

fn content_hash(path: &Path) -> Result<String> {
    hash_of_file(path, open_regular(path, "a source of a data set")?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, SystemTime};

    #[test]
    fn changed_contents_are_noticed_and_other_times_are_not() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let (set, file, pictures) = (
            root.path().join("set"),
            root.path().join("t.csv"),
            root.path().join("pictures"),
        );
        fs::create_dir(&set).expect("a folder");
        fs::create_dir_all(pictures.join("cat")).expect("a folder");
        fs::write(&file, "a,b\n1,2\n").expect("writing");
        fs::write(pictures.join("cat/1.png"), "one").expect("writing");
        assert_eq!(changed_source(&set), None);
        let record = SourceRecord::of([&*file, &*pictures]).expect("a record");
        fs::write(set.join(FILE), record.to_bytes()).expect("writing");
        assert_eq!(changed_source(&set), None);
        let touch = |path: &Path| {
            let file = fs::File::options()
                .append(true)
                .open(path)
                .expect("opening");
            let later = SystemTime::now() + Duration::from_secs(5);
            file.set_modified(later).expect("setting the time");
        };
        touch(&file);
        assert_eq!(changed_source(&set), None);
        fs::write(&file, "a,b\n1,3\n").expect("writing");
        touch(&file);
        assert_eq!(changed_source(&set), Some(file.clone()));
        fs::remove_file(&file).expect("removing");
        assert_eq!(changed_source(&set), None);
        fs::write(pictures.join("cat/2.png"), "two").expect("writing");
        assert_eq!(changed_source(&set), Some(pictures));
        fs::write(set.join(FILE), "{}").expect("writing");
        assert_eq!(changed_source(&set), None);
    }
}
