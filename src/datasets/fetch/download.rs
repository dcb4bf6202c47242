//! One file from one address into a partial file, which grows over as many attempts as it takes.
//!
//! What is there already is not asked for again (HTTP range requests, RFC 9110 section 14). Nothing the server says
//! becomes a path or a size: how long the file may be is the caller's to say, and whether the bytes are right too.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::time::{Duration, Instant};

use ureq::Agent;
use ureq::http::{Response, StatusCode, Uri, header};

/// Redirects that are followed at most.
const REDIRECTS: u32 = 5;
/// The longest wait for a connection.
const CONNECT: Duration = Duration::from_secs(10);
/// A server that sends fewer bytes a second, over the time that it is waited for, is given up.
const LEAST_RATE: f64 = 200.0;

/// How many bytes a download has.
#[derive(Debug, Clone, Copy)]
pub(super) enum Size {
    /// This many, and any other number is wrong.
    Exactly(u64),
    /// Not known, but no more than this.
    AtMost(u64),
}

impl Size {
    fn most(self) -> u64 {
        match self {
            Size::Exactly(bytes) | Size::AtMost(bytes) => bytes,
        }
    }
}

/// How an attempt ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// All bytes are there. What is in them has still to be looked at.
    Whole,
    /// In the middle; in words. What came is kept, and the next attempt goes on behind it.
    CutOff(String),
    /// There is nothing to be had from this address; in words.
    Refused(String),
}

/// Asks one mirror for files.
pub(super) struct Client {
    agent: Agent,
    patience: Duration,
}

impl Client {
    /// For addresses that begin with `mirror`. One that begins with `https` is not left for plain HTTP by
    /// redirection. The proxy is that of the environment, but none leads to this machine itself.
    pub fn new(mirror: &Uri, patience: Duration) -> Client {
        let config = Agent::config_builder()
            .https_only(mirror.scheme_str() == Some("https"))
            .max_redirects(REDIRECTS)
            .http_status_as_error(false)
            .user_agent(concat!("perceptor/", env!("CARGO_PKG_VERSION")))
            .accept_encoding("identity")
            .timeout_connect(Some(patience.min(CONNECT)))
            .timeout_recv_response(Some(patience))
            .timeout_per_read(Some(patience))
            .timeout_per_write(Some(patience));
        let here = matches!(mirror.host(), Some("localhost" | "127.0.0.1" | "[::1]"));
        let config = if here { config.proxy(None) } else { config };
        Client {
            agent: config.build().new_agent(),
            patience,
        }
    }

    /// Fetches `url` into `part` behind what is in it. `progress` is told the bytes that are there, and how
    /// many there will be where the server says so.
    ///
    /// # Errors
    /// Those of `part`; everything else is how it [`Ended`].
    pub fn attempt(
        &self,
        url: &str,
        part: &mut File,
        size: Size,
        progress: &mut dyn FnMut(u64, Option<u64>),
    ) -> io::Result<Ended> {
        let mut have = part.seek(SeekFrom::End(0))?;
        if matches!(size, Size::Exactly(bytes) if have == bytes) {
            return Ok(Ended::Whole);
        }
        if have > size.most() {
            have = 0;
        }
        let mut request = self.agent.get(url);
        if have > 0 {
            request = request.header(header::RANGE, format!("bytes={have}-"));
        }
        let response = match request.call() {
            Ok(response) => response,
            Err(error) => return Ok(Ended::Refused(self.in_words(error))),
        };
        let total = match promise(&response, have) {
            Promise::Whole(total) => {
                have = 0;
                total
            }
            Promise::Rest(total) => total,
            Promise::OtherRange if have > 0 => {
                part.set_len(0)?;
                return Ok(Ended::CutOff(
                    "could not go on where it was cut off".to_owned(),
                ));
            }
            Promise::OtherRange => return Ok(Ended::Refused("answered with a part".to_owned())),
            Promise::Nothing(status) => return Ok(Ended::Refused(format!("answered {status}"))),
        };
        if let Some(total) = total.filter(|&total| !fits(total, size)) {
            let expected = match size {
                Size::Exactly(bytes) => format!("{bytes}"),
                Size::AtMost(bytes) => format!("at most {bytes}"),
            };
            let why = format!("promised {total} bytes, expected {expected}");
            return Ok(Ended::Refused(why));
        }
        part.set_len(have)?;
        part.seek(SeekFrom::Start(have))?;
        let body = response.into_body().into_reader();
        self.receive(body, part, have, total, size, progress)
    }

    /// Copies the body behind the `have` bytes of `part`.
    fn receive(
        &self,
        mut body: impl Read,
        part: &mut File,
        mut have: u64,
        total: Option<u64>,
        size: Size,
        progress: &mut dyn FnMut(u64, Option<u64>),
    ) -> io::Result<Ended> {
        let mut chunk = vec![0; 1 << 16];
        let (mut since, mut before) = (Instant::now(), have);
        loop {
            progress(have, total);
            let read = match body.read(&mut chunk) {
                Ok(read) => read,
                Err(error) => {
                    let why = self.in_words(ureq::Error::from(error));
                    return Ok(Ended::CutOff(format!("{why} after {have} bytes")));
                }
            };
            let due = total.or(match size {
                Size::Exactly(bytes) => Some(bytes),
                Size::AtMost(_) => None,
            });
            if read == 0 {
                return Ok(match due {
                    Some(due) if have < due => {
                        Ended::CutOff(format!("ended after {have} of {due} bytes"))
                    }
                    _ => Ended::Whole,
                });
            }
            if have + read as u64 > size.most() {
                part.set_len(0)?;
                let why = format!("sent more than {} bytes", size.most());
                return Ok(Ended::Refused(why));
            }
            part.write_all(&chunk[..read])?;
            have += read as u64;
            if since.elapsed() >= self.patience {
                let rate = (have - before) as f64 / since.elapsed().as_secs_f64();
                if rate < LEAST_RATE {
                    let why = format!("slower than {LEAST_RATE} bytes a second");
                    return Ok(Ended::CutOff(format!("{why} after {have} bytes")));
                }
                (since, before) = (Instant::now(), have);
            }
        }
    }

    fn in_words(&self, error: ureq::Error) -> String {
        let patience = self.patience.as_secs_f64();
        match error {
            ureq::Error::Timeout(ureq::Timeout::Connect | ureq::Timeout::Resolve) => {
                "could not be reached in time".to_owned()
            }
            ureq::Error::Timeout(_) => format!("sent nothing for {patience} s"),
            ureq::Error::Io(error) => error.to_string(),
            ureq::Error::RequireHttpsOnly(_) => "redirected to plain HTTP".to_owned(),
            other => other.to_string(),
        }
    }
}

/// What a response holds.
enum Promise {
    /// The file from its start; its length, where that is said.
    Whole(Option<u64>),
    /// What was missing of it; the length of the whole.
    Rest(Option<u64>),
    /// A part that was not asked for, or none where some was left to ask for.
    OtherRange,
    /// Not the file.
    Nothing(StatusCode),
}

fn promise<B>(response: &Response<B>, have: u64) -> Promise {
    let field = |name| response.headers().get(name)?.to_str().ok();
    match response.status() {
        StatusCode::OK => {
            let length = field(header::CONTENT_LENGTH);
            Promise::Whole(length.and_then(|length| length.trim().parse().ok()))
        }
        StatusCode::PARTIAL_CONTENT => {
            let range = field(header::CONTENT_RANGE).and_then(content_range);
            match range {
                Some((first, total)) if first == have && have > 0 => Promise::Rest(total),
                _ => Promise::OtherRange,
            }
        }
        StatusCode::RANGE_NOT_SATISFIABLE => Promise::OtherRange,
        other => Promise::Nothing(other),
    }
}

/// `bytes 200-999/1000` as the first position and the length of the whole; `*` for a length that is not known.
fn content_range(field: &str) -> Option<(u64, Option<u64>)> {
    let (range, total) = field.trim().strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (first, last): (u64, u64) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    let total: Option<u64> = match total.trim() {
        "*" => None,
        total => Some(total.parse().ok()?),
    };
    // Only a range to the very end is what was asked for.
    let whole = first <= last && total.is_none_or(|total| last.checked_add(1) == Some(total));
    whole.then_some((first, total))
}

fn fits(total: u64, size: Size) -> bool {
    match size {
        Size::Exactly(bytes) => total == bytes,
        Size::AtMost(bytes) => total <= bytes,
    }
}

#[cfg(test)]
mod tests {
    use super::content_range;

    #[test]
    fn ranges_are_read_to_the_letter() {
        assert_eq!(content_range("bytes 200-999/1000"), Some((200, Some(1000))));
        assert_eq!(content_range("bytes 200-999/*"), Some((200, None)));
        for other in [
            "",
            "bytes",
            "bytes */1000",
            "bytes 200-998/1000",
            "bytes 5-4/5",
            "bytes -1-4/5",
            "items 0-4/5",
            "bytes 0-18446744073709551615/5",
            "bytes 0-4/five",
        ] {
            assert_eq!(content_range(other), None, "{other}");
        }
    }
}
