//! The order of a fetch: what stands in the folder, which mirrors are asked, and how a file gets to its place.
//!
//! A download lies beside its target under a name that ends in `.part`, survives the process, and is gone on with by
//! the next one. It is unpacked twice: once for its sum alone, and only when that is right into the folder.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ureq::http::Uri;

use super::catalogue::{Archive, Checksum, DataSet, FILES, GzipFile, Source};
use super::checksum::{self, Sum};
use super::download::{Client, Ended, Size};
use super::part;
use super::unpack::{Fault, Packed};
use crate::durable;
use crate::error::{Error, Refusal, Result};
use crate::message::{Key, message};

/// How often one mirror is asked for one file, as long as each answer brings some of it.
const ATTEMPTS: usize = 6;

/// What is to be fetched.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// The set.
    pub set: &'a DataSet,
    /// The folder for its four files; created where it is missing.
    pub folder: &'a Path,
    /// The folder in which an archive of several sets is kept, for the others of them.
    pub archives: &'a Path,
    /// Addresses that are tried before the set's own mirrors. These alone may be plain HTTP.
    pub mirrors: &'a [String],
    /// Whether files that are there and are not the set's are replaced.
    pub force: bool,
    /// How long a mirror may say nothing.
    pub patience: Duration,
}

/// What happens in a fetch.
#[derive(Debug)]
pub enum Event<'a> {
    /// A file is there, and what it should be.
    There(&'a Path),
    /// A mirror is asked for a file.
    Asking {
        /// The address of the file.
        url: &'a str,
        /// The bytes of it that are there from an earlier attempt.
        have: u64,
    },
    /// More of the file is there.
    Received {
        /// Its bytes so far.
        bytes: u64,
        /// How many there will be, where that is known.
        of: Option<u64>,
    },
    /// A mirror has not served the file, and the next one is asked.
    Failed {
        /// The address of the file.
        url: &'a str,
        /// What the mirror did.
        why: &'a str,
    },
    /// A download is whole and verified.
    Verified(&'a Path),
    /// A file is in its place.
    Placed {
        /// Where it is.
        path: &'a Path,
        /// Its bytes.
        bytes: u64,
    },
}

/// Fetches what is missing of a set; files that are there and verify are left alone.
///
/// # Errors
/// [`Error::Config`] for a mirror that is no address. [`Error::Data`] when a file is there and is not the set's
/// (unless forced, and before anything is downloaded), when another process is fetching it, or when no mirror serves
/// it; it then says what each of them did. [`Error::Io`] when the disk fails. Whatever is in place after an error is
/// whole and verified.
pub fn fetch(request: &Request, on_event: &mut dyn FnMut(&Event)) -> Result<()> {
    let mut fetch = Fetch {
        request,
        mirrors: mirrors(request)?,
        on_event,
    };
    durable::create_folder(request.folder)?;
    let wanted = fetch.wanted()?;
    if wanted.is_empty() {
        return Ok(());
    }
    match &request.set.source {
        Source::Files(files) => {
            for index in wanted {
                fetch.file(index, &files[index])?;
            }
        }
        Source::Archive(archive) => {
            let kept = fetch.archive(archive)?;
            for index in wanted {
                let entry = archive.entry(index);
                let packed = Packed::Entry(&kept, &entry);
                let sum = sum_of_content(request, &packed, index)?;
                let sum = sum.map_err(|why| {
                    let path = request.archives.join(archive.kept_as);
                    let found = format!("{entry}: {why}");
                    Error::Data(Refusal::new(path.display(), found, "the set's file"))
                })?;
                fetch.place(&packed, index, &sum)?;
            }
        }
    }
    Ok(())
}

/// What a download was taken for: what it came to, or what is wrong with it, in words.
type Verdict<T> = Result<T, String>;

struct Fetch<'a> {
    request: &'a Request<'a>,
    /// The one that served last stands first.
    mirrors: Vec<Mirror>,
    on_event: &'a mut dyn FnMut(&Event),
}

struct Mirror {
    folder: String,
    client: Client,
}

fn mirrors(request: &Request) -> Result<Vec<Mirror>> {
    let own = request.mirrors.iter().map(String::as_str);
    let all = own.chain(request.set.mirrors.iter().copied());
    all.map(|address| {
        let uri = address.parse::<Uri>().ok();
        let uri = uri.filter(|uri| matches!(uri.scheme_str(), Some("http" | "https")));
        let Some(uri) = uri.filter(|uri| uri.query().is_none()) else {
            return Err(Error::Config(Refusal::new(
                Key("mirror"),
                address,
                "the address of a folder, https://… or http://…",
            )));
        };
        Ok(Mirror {
            folder: format!("{}/", address.trim_end_matches('/')),
            client: Client::new(&uri, request.patience),
        })
    })
    .collect()
}

impl Fetch<'_> {
    /// The files that are to be fetched, as indices of [`FILES`].
    fn wanted(&mut self) -> Result<Vec<usize>> {
        let recorded = checksum::recorded(self.request.folder);
        let mut wanted = Vec::new();
        for (index, name) in FILES.iter().enumerate() {
            let path = self.path(index);
            let Some(length) = checksum::length(&path)? else {
                wanted.push(index);
                continue;
            };
            let expected = match &self.request.set.source {
                Source::Files(files) => match files[index].checksum {
                    Checksum::Raw(sum) => Some(sum),
                    Checksum::Gzip(_) => recorded.get(*name).map(String::as_str),
                },
                Source::Archive(_) => recorded.get(*name).map(String::as_str),
            };
            let bytes = self.request.set.raw_bytes(index);
            match other_than(&path, length, bytes, expected)? {
                None => (self.on_event)(&Event::There(&path)),
                Some(_) if self.request.force => wanted.push(index),
                Some(refusal) => return Err(Error::Data(refusal)),
            }
        }
        Ok(wanted)
    }

    /// Fetches a file that is compressed by itself.
    fn file(&mut self, index: usize, file: &GzipFile) -> Result<()> {
        let request = self.request;
        let name = format!("{}.gz", FILES[index]);
        let raw = request.set.raw_bytes(index);
        let size = match file.checksum {
            Checksum::Gzip(_) => Size::Exactly(file.bytes),
            // Gzip makes nothing longer by more than five bytes in each block of 32 kB or more.
            Checksum::Raw(_) => Size::AtMost(raw + raw / 4096 + 1024),
        };
        let path = request.folder.join(format!("{name}.part"));
        let mut part = part::open(&path)?;
        let sum = self.download(&name, &path, &mut part, size, &mut |part| {
            if let Checksum::Gzip(expected) = file.checksum
                && let Err(why) = same_sum(&part::sum(part, &path)?, expected)
            {
                return Ok(Err(why));
            }
            let sum = match sum_of_content(request, &Packed::Gzip(part), index)? {
                Ok(sum) => sum,
                Err(why) => return Ok(Err(why)),
            };
            Ok(match file.checksum {
                Checksum::Raw(expected) => same_sum(&sum, expected).map(|()| sum),
                Checksum::Gzip(_) => Ok(sum),
            })
        })?;
        self.place(&Packed::Gzip(&part), index, &sum)?;
        fs::remove_file(&path).map_err(Error::io(&path, "remove"))
    }

    /// The archive, fetched where it is not kept from an earlier fetch.
    fn archive(&mut self, archive: &Archive) -> Result<File> {
        let folder = self.request.archives;
        durable::create_folder(folder)?;
        let kept = folder.join(archive.kept_as);
        if checksum::length(&kept)? == Some(archive.bytes)
            && checksum::of_file(&kept)? == archive.sha256
        {
            (self.on_event)(&Event::There(&kept));
            return File::open(&kept).map_err(Error::io(&kept, "open"));
        }
        let path = folder.join(format!("{}.part", archive.kept_as));
        let mut part = part::open(&path)?;
        let size = Size::Exactly(archive.bytes);
        self.download(archive.name, &path, &mut part, size, &mut |part| {
            Ok(same_sum(&part::sum(part, &path)?, archive.sha256))
        })?;
        part.sync_all()
            .map_err(Error::io(&path, "sync to the disk"))?;
        fs::rename(&path, &kept).map_err(Error::io(&kept, "put into place"))?;
        (self.on_event)(&Event::Verified(&kept));
        Ok(part)
    }

    /// Asks the mirrors in turn until one has served a file that `verify` takes.
    fn download<T>(
        &mut self,
        name: &str,
        path: &Path,
        part: &mut File,
        size: Size,
        verify: &mut dyn FnMut(&File) -> Result<Verdict<T>>,
    ) -> Result<T> {
        let mut failures = Vec::new();
        for at in 0..self.mirrors.len() {
            let url = format!("{}{name}", self.mirrors[at].folder);
            match self.ask(at, &url, path, part, size, verify)? {
                Ok(verified) => {
                    self.mirrors[..=at].rotate_right(1);
                    return Ok(verified);
                }
                Err(why) => {
                    (self.on_event)(&Event::Failed {
                        url: &url,
                        why: &why,
                    });
                    failures.push(format!("{url}: {why}"));
                }
            }
        }
        let kept = part::bytes(part, path)?;
        let hint = if kept > 0 {
            message![
                format!("the same command goes on behind the {kept} bytes that came; "),
                Key("mirror").set_to("URL"),
                " asks another mirror first",
            ]
        } else {
            // Nothing is lost with an empty file, and nobody else has it open.
            drop(fs::remove_file(path));
            message![
                "try again later, or name another mirror with ",
                Key("mirror").set_to("URL")
            ]
        };
        let refusal = Refusal::new(name, failures.join("; "), "a mirror that serves it");
        Err(Error::Data(refusal.hint(hint)))
    }

    /// Asks one mirror, again where it was cut off in the middle.
    fn ask<T>(
        &mut self,
        at: usize,
        url: &str,
        path: &Path,
        part: &mut File,
        size: Size,
        verify: &mut dyn FnMut(&File) -> Result<Verdict<T>>,
    ) -> Result<Verdict<T>> {
        let mut last = String::new();
        for _ in 0..ATTEMPTS {
            let before = part::bytes(part, path)?;
            (self.on_event)(&Event::Asking { url, have: before });
            let on_event = &mut self.on_event;
            let mut progress = |bytes, of| on_event(&Event::Received { bytes, of });
            let ended = self.mirrors[at]
                .client
                .attempt(url, part, size, &mut progress)
                .map_err(Error::io(path, "write"))?;
            match ended {
                Ended::Refused(why) => return Ok(Err(why)),
                Ended::CutOff(why) => {
                    let after = part::bytes(part, path)?;
                    // Nothing more came, and no old part was given up for a new start.
                    if after == before {
                        return Ok(Err(why));
                    }
                    last = why;
                }
                Ended::Whole => match verify(part)? {
                    Ok(verified) => return Ok(Ok(verified)),
                    Err(why) => {
                        part.set_len(0).map_err(Error::io(path, "write"))?;
                        // What was there before may be at fault, not this mirror.
                        if before == 0 {
                            return Ok(Err(format!("served another file: {why}")));
                        }
                        last = format!("served another file: {why}");
                    }
                },
            }
        }
        Ok(Err(last))
    }

    /// Unpacks file `index`, whose content has the sum `sum`, into its place.
    fn place(&mut self, packed: &Packed, index: usize, sum: &str) -> Result<()> {
        let path = self.path(index);
        let bytes = self.request.set.raw_bytes(index);
        // Noted first: a file that is in its place must be known the next time.
        checksum::record(self.request.folder, FILES[index], sum)?;
        durable::write_whole(&path, |out| {
            let mut both = Summed {
                out,
                sum: Sum::default(),
            };
            match packed.unpack(bytes, &mut both) {
                Ok(()) if both.sum.hex() == sum => Ok(()),
                Err(Fault::Disk(error)) => Err(error),
                _ => Err(io::Error::other(
                    "the download changed while it was unpacked",
                )),
            }
        })?;
        (self.on_event)(&Event::Placed { path: &path, bytes });
        Ok(())
    }

    fn path(&self, index: usize) -> PathBuf {
        self.request.folder.join(FILES[index])
    }
}

/// Unpacks file `index` for its sum alone.
fn sum_of_content(request: &Request, packed: &Packed, index: usize) -> Result<Verdict<String>> {
    let mut sum = Sum::default();
    match packed.unpack(request.set.raw_bytes(index), &mut sum) {
        Ok(()) => Ok(Ok(sum.hex())),
        Err(Fault::Content(why)) => Ok(Err(why)),
        Err(Fault::Disk(error)) => {
            let path = request.folder.join(FILES[index]);
            Err(Error::io(&path, "unpack")(error))
        }
    }
}

/// A writer that takes the sum of what goes through it.
struct Summed<'a> {
    out: &'a mut dyn Write,
    sum: Sum,
}

impl Write for Summed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.sum.write_all(&bytes[..written])?;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// In what the file at `path` is another than the one expected; None where it is that one.
fn other_than(
    path: &Path,
    length: u64,
    bytes: u64,
    expected: Option<&str>,
) -> Result<Option<Refusal>> {
    let (found, expected) = match expected {
        _ if length != bytes => (format!("{length} bytes"), format!("{bytes}")),
        None => (
            "a file of unknown origin".to_owned(),
            format!("one that is noted in {}", checksum::RECORD),
        ),
        Some(expected) => match same_sum(&checksum::of_file(path)?, expected) {
            Ok(()) => return Ok(None),
            Err(_) => (
                "another content".to_owned(),
                format!("one with SHA-256 {expected}"),
            ),
        },
    };
    let refusal = Refusal::new(path.display(), found, expected);
    Ok(Some(refusal.hint(message![Key("force"), " replaces it"])))
}

fn same_sum(found: &str, expected: &str) -> Verdict<()> {
    match found == expected {
        true => Ok(()),
        false => Err(format!(
            "SHA-256 {}…, expected {}…",
            &found[..12],
            &expected[..12]
        )),
    }
}
