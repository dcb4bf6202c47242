//! The mirrors of a data set, which are tried in turn until one serves a file.

use std::fs::{self, File};
use std::path::Path;

use ureq::http::Uri;

use super::download::{Client, Outcome, Size};
use super::part;
use super::request::{Event, Request};
use crate::error::{Error, Refusal, Result};
use crate::message::{Key, message};

/// The number of attempts per mirror and file, as long as each of them receives some of it.
const ATTEMPTS: usize = 6;

/// The result of a check of a download. The error describes what is wrong with it.
pub(super) type Checked<T> = Result<T, String>;

/// A file to download.
pub(super) struct Wanted<'a> {
    /// The name of the file on the mirrors.
    pub name: &'a str,
    /// The path of the partial file.
    pub path: &'a Path,
    pub size: Size,
}

/// The mirrors. The one that served last comes first.
pub(super) struct Mirrors(Vec<Mirror>);

struct Mirror {
    folder: String,
    client: Client,
}

impl Mirrors {
    /// Returns the requested mirrors, followed by those of the data set.
    ///
    /// # Errors
    /// Returns [`Error::Config`] if one of them is no address of a folder.
    pub fn new(request: &Request) -> Result<Mirrors> {
        let requested = request.mirrors.iter().map(String::as_str);
        let all = requested.chain(request.set.mirrors.iter().copied());
        let all = all.map(|address| {
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
                client: Client::new(&uri, request.timeout),
            })
        });
        Ok(Mirrors(all.collect::<Result<_>>()?))
    }

    /// Asks the mirrors in turn until one has served a file that passes `check`.
    ///
    /// # Errors
    /// Returns [`Error::Data`] with the failure of every mirror if none has, and [`Error::Io`] if the partial file cannot
    /// be written.
    pub fn download<T>(
        &mut self,
        wanted: &Wanted,
        part: &mut File,
        check: &mut dyn FnMut(&File) -> Result<Checked<T>>,
        on_event: &mut dyn FnMut(&Event),
    ) -> Result<T> {
        let mut failures = Vec::new();
        for at in 0..self.0.len() {
            let url = format!("{}{}", self.0[at].folder, wanted.name);
            match self.0[at].download(&url, wanted, part, check, on_event)? {
                Ok(checked) => {
                    self.0[..=at].rotate_right(1);
                    return Ok(checked);
                }
                Err(why) => {
                    on_event(&Event::Failed {
                        url: &url,
                        why: &why,
                    });
                    failures.push(format!("{url}: {why}"));
                }
            }
        }
        let received = part::bytes(part, wanted.path)?;
        let hint = if received > 0 {
            message![
                format!("the same command resumes after the {received} bytes received; "),
                Key("mirror").set_to("URL"),
                " asks another mirror first",
            ]
        } else {
            // An empty file is of no use, and no other process has it open.
            drop(fs::remove_file(wanted.path));
            message![
                "try again later, or name another mirror with ",
                Key("mirror").set_to("URL")
            ]
        };
        let refusal = Refusal::new(wanted.name, failures.join("; "), "a mirror that serves it");
        Err(Error::Data(refusal.hint(hint)))
    }
}

impl Mirror {
    /// Asks this mirror, and asks again if the download is interrupted.
    fn download<T>(
        &self,
        url: &str,
        wanted: &Wanted,
        part: &mut File,
        check: &mut dyn FnMut(&File) -> Result<Checked<T>>,
        on_event: &mut dyn FnMut(&Event),
    ) -> Result<Checked<T>> {
        let mut failure = String::new();
        for _ in 0..ATTEMPTS {
            let received = part::bytes(part, wanted.path)?;
            on_event(&Event::Requested { url, received });
            let mut progress = |bytes, of| on_event(&Event::Received { bytes, of });
            let outcome = self.client.attempt(url, part, wanted.size, &mut progress);
            match outcome.map_err(Error::io(wanted.path, "write"))? {
                Outcome::Failed(why) => return Ok(Err(why)),
                Outcome::Interrupted(why) => {
                    // Nothing more was received, and no partial file was discarded for a new start.
                    if part::bytes(part, wanted.path)? == received {
                        return Ok(Err(why));
                    }
                    failure = why;
                }
                Outcome::Complete => match check(part)? {
                    Ok(checked) => return Ok(Ok(checked)),
                    Err(why) => {
                        part.set_len(0).map_err(Error::io(wanted.path, "write"))?;
                        failure = format!("served another file: {why}");
                        // The bytes from earlier may be wrong rather than those of this mirror.
                        if received == 0 {
                            return Ok(Err(failure));
                        }
                    }
                },
            }
        }
        Ok(Err(failure))
    }
}
