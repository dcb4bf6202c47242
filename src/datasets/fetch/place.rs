//! The steps of a download: which files are missing, where they come from, and how they get to their places.
//!
//! A download is stored under a name that ends in `.part`, survives the process, and is resumed by the next one. It is
//! unpacked twice: first only for its checksum, and if that is correct, into the folder, under a temporary name. All files
//! get their names together, once the last one is there.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::catalogue::{Archive, Checksum, FILES, GzipFile, Source};
use super::checksum::{self, Hashing};
use super::download::Size;
use super::mirrors::{Checked, Mirrors, Wanted};
use super::part;
use super::request::{Event, Request};
use super::unpack::{Fault, Packed};
use crate::data::{folder, replacement};
use crate::durable::{self, Finished, FolderLock};
use crate::error::{Error, Refusal, Result};
use crate::message::{Key, message};

/// Downloads the missing files of a data set. Existing files that are correct are kept.
///
/// # Errors
/// Returns [`Error::Config`] if a mirror is no address; [`Error::Data`] if an existing file does not belong to the data set
/// (unless forced, and before anything is downloaded), if another process is downloading it, or if no mirror serves it,
/// with the failure of each; and [`Error::Io`] if the disk fails. After an error no file is replaced, and what was received
/// is kept.
pub fn fetch(request: &Request, on_event: &mut dyn FnMut(&Event)) -> Result<()> {
    let mirrors = Mirrors::new(request)?;
    durable::create_folder(request.folder)?;
    let mut lock = replacement::begin(request.folder)?;
    let mut fetch = Fetch {
        request,
        mirrors,
        on_event,
        unpacked: Vec::new(),
        sums: Vec::new(),
        parts: Vec::new(),
    };
    let missing = fetch.missing()?;
    if missing.is_empty() {
        return Ok(());
    }
    match &request.set.source {
        Source::Files(files) => {
            for index in missing {
                fetch.file(index, &files[index])?;
            }
        }
        Source::Archive(archive) => {
            let kept = fetch.archive(archive)?;
            for index in missing {
                let entry = archive.entry(index);
                let packed = Packed::Entry(&kept, &entry);
                let sum = checksum_of_contents(request, &packed, index)?;
                let sum = sum.map_err(|why| {
                    let path = request.archives.join(archive.kept_as);
                    let found = format!("{entry}: {why}");
                    Error::Data(Refusal::new(
                        path.display(),
                        found,
                        "a file of the data set",
                    ))
                })?;
                fetch.unpack(&packed, index, sum)?;
            }
        }
    }
    fetch.place(&mut lock)
}

struct Fetch<'a> {
    request: &'a Request<'a>,
    mirrors: Mirrors,
    on_event: &'a mut dyn FnMut(&Event),
    /// The files of the set, under their temporary names.
    unpacked: Vec<Finished>,
    /// Their names and checksums.
    sums: Vec<(&'static str, String)>,
    /// The downloads, open and locked, which are not needed once all files are in place.
    parts: Vec<(PathBuf, File)>,
}

impl Fetch<'_> {
    /// Returns the files to download, as indices of [`FILES`].
    fn missing(&mut self) -> Result<Vec<usize>> {
        let recorded = checksum::recorded(self.request.folder);
        let mut missing = Vec::new();
        for (index, name) in FILES.iter().enumerate() {
            let path = self.path(index);
            let Some(length) = checksum::length(&path)? else {
                missing.push(index);
                continue;
            };
            let in_record = recorded.get(*name).map(String::as_str);
            let expected = match &self.request.set.source {
                Source::Files(files) => match files[index].checksum {
                    Checksum::Raw(sum) => Some(sum),
                    Checksum::Gzip(_) => in_record,
                },
                Source::Archive(_) => in_record,
            };
            let bytes = self.request.set.raw_bytes(index);
            match difference(&path, length, bytes, expected)? {
                None => (self.on_event)(&Event::Present(&path)),
                Some(_) if self.request.force => missing.push(index),
                Some(refusal) => return Err(Error::Data(refusal)),
            }
        }
        Ok(missing)
    }

    /// Downloads a file that is compressed separately.
    fn file(&mut self, index: usize, file: &GzipFile) -> Result<()> {
        let request = self.request;
        let name = format!("{}.gz", FILES[index]);
        let raw = request.set.raw_bytes(index);
        let path = request.folder.join(format!("{name}.part"));
        let wanted = Wanted {
            name: &name,
            path: &path,
            size: match file.checksum {
                Checksum::Gzip(_) => Size::Exactly(file.bytes),
                // Gzip adds at most five bytes to each block of at least 32 kB.
                Checksum::Raw(_) => Size::AtMost(raw + raw / 4096 + 1024),
            },
        };
        let mut part = part::open(&path)?;
        let mut check = |part: &File| {
            if let Checksum::Gzip(expected) = file.checksum
                && let Err(why) = checksum::check(&part::sum(part, &path)?, expected)
            {
                return Ok(Err(why));
            }
            let sum = checksum_of_contents(request, &Packed::Gzip(part), index)?;
            Ok(sum.and_then(|sum| match file.checksum {
                Checksum::Raw(expected) => checksum::check(&sum, expected).map(|()| sum),
                Checksum::Gzip(_) => Ok(sum),
            }))
        };
        // It may be complete from a fetch that ended before the other files were.
        let is_begun = part::bytes(&part, &path)? > 0;
        let kept = if is_begun { check(&part)?.ok() } else { None };
        let on_event = &mut *self.on_event;
        let sum = match kept {
            Some(sum) => sum,
            None => {
                let mirrors = &mut self.mirrors;
                mirrors.download(&wanted, &mut part, &mut check, on_event)?
            }
        };
        self.unpack(&Packed::Gzip(&part), index, sum)?;
        self.parts.push((path, part));
        Ok(())
    }

    /// Opens the archive, which is downloaded unless it was kept from an earlier download.
    fn archive(&mut self, archive: &Archive) -> Result<File> {
        let folder = self.request.archives;
        durable::create_folder(folder)?;
        let kept = folder.join(archive.kept_as);
        if checksum::length(&kept)? == Some(archive.bytes)
            && checksum::of_file(&kept)? == archive.sha256
        {
            (self.on_event)(&Event::Present(&kept));
            return File::open(&kept).map_err(Error::io(&kept, "open"));
        }
        let path = folder.join(format!("{}.part", archive.kept_as));
        let wanted = Wanted {
            name: archive.name,
            path: &path,
            size: Size::Exactly(archive.bytes),
        };
        let mut part = part::open(&path)?;
        let mut check = |part: &File| Ok(checksum::check(&part::sum(part, &path)?, archive.sha256));
        let on_event = &mut *self.on_event;
        self.mirrors
            .download(&wanted, &mut part, &mut check, on_event)?;
        part.sync_all()
            .map_err(Error::io(&path, "sync to the disk"))?;
        fs::rename(&path, &kept).map_err(Error::io(&kept, "put into place"))?;
        (self.on_event)(&Event::Verified(&kept));
        Ok(part)
    }

    /// Unpacks file `index`, whose contents have the checksum `sum`, under a temporary name.
    fn unpack(&mut self, packed: &Packed, index: usize, sum: String) -> Result<()> {
        let path = self.path(index);
        let bytes = self.request.set.raw_bytes(index);
        self.unpacked.push(Finished::fill(&path, |out| {
            let mut hashing = Hashing::new(out);
            match packed.unpack(bytes, &mut hashing) {
                Ok(()) if checksum::hex(hashing) == sum => Ok(()),
                Err(Fault::Disk(error)) => Err(error),
                _ => Err(io::Error::other(
                    "the download changed while it was unpacked",
                )),
            }
        })?);
        self.sums.push((FILES[index], sum));
        (self.on_event)(&Event::Unpacked { path: &path, bytes });
        Ok(())
    }

    /// Puts all files into place, with a record of their checksums.
    fn place(mut self, lock: &mut FolderLock) -> Result<()> {
        let folder = self.request.folder;
        self.unpacked.extend(checksum::record(folder, &self.sums)?);
        // Other files of the set that was there do not belong to this one.
        let mut old = folder::replaced_files(folder);
        let is_of_set = |path: &PathBuf| FILES.iter().any(|name| path.ends_with(name));
        old.retain(|path| self.request.force && !is_of_set(path));
        replacement::replace(lock, self.unpacked, &old)?;
        for (path, _) in &self.parts {
            fs::remove_file(path).map_err(Error::io(path, "remove"))?;
        }
        Ok(())
    }

    fn path(&self, index: usize) -> PathBuf {
        self.request.folder.join(FILES[index])
    }
}

/// Unpacks file `index` only for its checksum.
fn checksum_of_contents(
    request: &Request,
    packed: &Packed,
    index: usize,
) -> Result<Checked<String>> {
    let mut hashing = Hashing::new(io::sink());
    match packed.unpack(request.set.raw_bytes(index), &mut hashing) {
        Ok(()) => Ok(Ok(checksum::hex(hashing))),
        Err(Fault::Content(why)) => Ok(Err(why)),
        Err(Fault::Disk(error)) => {
            let path = request.folder.join(FILES[index]);
            Err(Error::io(&path, "unpack")(error))
        }
    }
}

/// Returns how the file at `path` differs from the expected size and checksum, or `None` if it does not.
fn difference(
    path: &Path,
    length: u64,
    bytes: u64,
    expected: Option<&str>,
) -> Result<Option<Refusal>> {
    let (found, expected) = match expected {
        _ if length != bytes => (format!("{length} bytes"), format!("{bytes}")),
        None => (
            "a file of unknown origin".to_owned(),
            format!("one listed in {}", checksum::RECORD),
        ),
        Some(expected) if checksum::of_file(path)? == expected => return Ok(None),
        Some(expected) => (
            "other contents".to_owned(),
            format!("contents with SHA-256 {expected}"),
        ),
    };
    let refusal = Refusal::new(path.display(), found, expected);
    Ok(Some(refusal.hint(message![Key("force"), " replaces it"])))
}
