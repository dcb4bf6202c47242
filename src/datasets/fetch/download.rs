//! The download of one file from one address into a partial file, over several attempts if necessary.
//!
//! Bytes that are already there are not requested again (HTTP range requests, RFC 9110 section 14). The server determines
//! neither a path nor a size: the caller knows how large the file may be, and checks its contents.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::time::{Duration, Instant};

use http_content_range::ContentRange;
use ureq::Agent;
use ureq::http::{Response, StatusCode, Uri, header};

/// The largest number of redirects that are followed.
const REDIRECTS: u32 = 5;
/// The longest time to wait for a connection.
const CONNECT: Duration = Duration::from_secs(10);
/// The lowest rate in bytes per second, measured over the timeout, before a server is given up.
const MIN_RATE: f64 = 200.0;

/// The size of a download in bytes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Size {
    /// Exactly this many.
    Exactly(u64),
    /// Unknown, but at most this many.
    AtMost(u64),
}

impl Size {
    fn allows(self, total: u64) -> bool {
        match self {
            Size::Exactly(bytes) => total == bytes,
            Size::AtMost(bytes) => total <= bytes,
        }
    }

    fn max(self) -> u64 {
        match self {
            Size::Exactly(bytes) | Size::AtMost(bytes) => bytes,
        }
    }
}

/// The outcome of an attempt.
#[derive(Debug)]
pub(super) enum Outcome {
    /// All bytes have been received. They still have to be verified.
    Complete,
    /// The download was interrupted, with the reason. The next attempt continues after the received bytes.
    Interrupted(String),
    /// This address does not serve the file, with the reason.
    Failed(String),
}

/// An HTTP client for one mirror.
pub(super) struct Client {
    agent: Agent,
    timeout: Duration,
}

impl Client {
    /// Returns a client for addresses that begin with `mirror`. If that is `https`, redirections to plain HTTP are refused.
    /// The proxy is taken from the environment, except for this machine itself.
    pub fn new(mirror: &Uri, timeout: Duration) -> Client {
        let config = Agent::config_builder()
            .https_only(mirror.scheme_str() == Some("https"))
            .max_redirects(REDIRECTS)
            .http_status_as_error(false)
            .user_agent(concat!("perceptor/", env!("CARGO_PKG_VERSION")))
            .accept_encoding("identity")
            .timeout_connect(Some(timeout.min(CONNECT)))
            .timeout_recv_response(Some(timeout))
            .timeout_per_read(Some(timeout))
            .timeout_per_write(Some(timeout));
        let is_local = matches!(mirror.host(), Some("localhost" | "127.0.0.1" | "[::1]"));
        let config = if is_local { config.proxy(None) } else { config };
        Client {
            agent: config.build().new_agent(),
            timeout,
        }
    }

    /// Downloads `url` to the end of `part`. `progress` is called with the number of bytes so far, and with the size of the
    /// file if the server announces it.
    ///
    /// # Errors
    /// Returns errors of `part`. Everything else is an [`Outcome`].
    pub fn attempt(
        &self,
        url: &str,
        part: &mut File,
        size: Size,
        progress: &mut dyn FnMut(u64, Option<u64>),
    ) -> io::Result<Outcome> {
        let mut received = part.seek(SeekFrom::End(0))?;
        if matches!(size, Size::Exactly(bytes) if received == bytes) {
            return Ok(Outcome::Complete);
        }
        if received > size.max() {
            received = 0;
        }
        let mut request = self.agent.get(url);
        if received > 0 {
            request = request.header(header::RANGE, format!("bytes={received}-"));
        }
        let response = match request.call() {
            Ok(response) => response,
            Err(error) => return Ok(Outcome::Failed(self.describe(error))),
        };
        let total = match Body::of(&response, received) {
            Body::Whole(total) => {
                received = 0;
                total
            }
            Body::Rest(total) => total,
            Body::OtherRange if received > 0 => {
                part.set_len(0)?;
                return Ok(Outcome::Interrupted(
                    "could not resume the download".to_owned(),
                ));
            }
            Body::OtherRange => return Ok(Outcome::Failed("answered with a part".to_owned())),
            Body::None(status) => return Ok(Outcome::Failed(format!("answered {status}"))),
        };
        if let Some(total) = total.filter(|&total| !size.allows(total)) {
            let expected = match size {
                Size::Exactly(bytes) => format!("{bytes}"),
                Size::AtMost(bytes) => format!("at most {bytes}"),
            };
            let why = format!("announced {total} bytes, expected {expected}");
            return Ok(Outcome::Failed(why));
        }
        part.set_len(received)?;
        part.seek(SeekFrom::Start(received))?;
        let body = response.into_body().into_reader();
        self.receive(body, part, received, total, size, progress)
    }

    /// Appends the body to the `received` bytes of `part`.
    fn receive(
        &self,
        mut body: impl Read,
        part: &mut File,
        mut received: u64,
        total: Option<u64>,
        size: Size,
        progress: &mut dyn FnMut(u64, Option<u64>),
    ) -> io::Result<Outcome> {
        let mut chunk = vec![0; 1 << 16];
        let (mut since, mut before) = (Instant::now(), received);
        loop {
            progress(received, total);
            let read = match body.read(&mut chunk) {
                Ok(read) => read,
                Err(error) => {
                    let why = self.describe(ureq::Error::from(error));
                    return Ok(Outcome::Interrupted(format!(
                        "{why} after {received} bytes"
                    )));
                }
            };
            let expected = total.or(match size {
                Size::Exactly(bytes) => Some(bytes),
                Size::AtMost(_) => None,
            });
            if read == 0 {
                return Ok(match expected {
                    Some(expected) if received < expected => {
                        Outcome::Interrupted(format!("ended after {received} of {expected} bytes"))
                    }
                    _ => Outcome::Complete,
                });
            }
            if received + read as u64 > size.max() {
                part.set_len(0)?;
                let why = format!("sent more than {} bytes", size.max());
                return Ok(Outcome::Failed(why));
            }
            part.write_all(&chunk[..read])?;
            received += read as u64;
            if since.elapsed() >= self.timeout {
                let rate = (received - before) as f64 / since.elapsed().as_secs_f64();
                if rate < MIN_RATE {
                    let why = format!("slower than {MIN_RATE} bytes per second");
                    return Ok(Outcome::Interrupted(format!(
                        "{why} after {received} bytes"
                    )));
                }
                (since, before) = (Instant::now(), received);
            }
        }
    }

    fn describe(&self, error: ureq::Error) -> String {
        let timeout = self.timeout.as_secs_f64();
        match error {
            ureq::Error::Timeout(ureq::Timeout::Connect | ureq::Timeout::Resolve) => {
                "could not be reached in time".to_owned()
            }
            ureq::Error::Timeout(_) => format!("sent nothing for {timeout} s"),
            ureq::Error::Io(error) => error.to_string(),
            ureq::Error::RequireHttpsOnly(_) => "redirected to plain HTTP".to_owned(),
            other => other.to_string(),
        }
    }
}

/// The body of a response.
enum Body {
    /// The whole file, and its size if it is announced.
    Whole(Option<u64>),
    /// The requested rest of the file, and the size of the whole if it is announced.
    Rest(Option<u64>),
    /// A part that was not requested, or no part although one was.
    OtherRange,
    /// Not the file.
    None(StatusCode),
}

impl Body {
    /// Determines the body of a response to a request for what follows the `received` bytes.
    fn of<B>(response: &Response<B>, received: u64) -> Body {
        let field = |name| response.headers().get(name)?.to_str().ok();
        match response.status() {
            StatusCode::OK => {
                let length = field(header::CONTENT_LENGTH);
                Body::Whole(length.and_then(|length| length.trim().parse().ok()))
            }
            StatusCode::PARTIAL_CONTENT => {
                let range = field(header::CONTENT_RANGE).and_then(open_range);
                match range {
                    Some((first, total)) if first == received && received > 0 => Body::Rest(total),
                    _ => Body::OtherRange,
                }
            }
            StatusCode::RANGE_NOT_SATISFIABLE => Body::OtherRange,
            other => Body::None(other),
        }
    }
}

/// Returns the first position and the size of the file, if known, from a `Content-Range` like `bytes 200-999/1000`. Returns
/// `None` unless the range extends to the end of the file.
fn open_range(field: &str) -> Option<(u64, Option<u64>)> {
    match ContentRange::parse(field)? {
        ContentRange::Bytes(range) => (range.complete_length - range.last_byte == 1)
            .then_some((range.first_byte, Some(range.complete_length))),
        ContentRange::UnboundBytes(range) => Some((range.first_byte, None)),
        ContentRange::Unsatisfied(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::open_range;

    #[test]
    fn only_ranges_up_to_the_end_are_accepted() {
        assert_eq!(open_range("bytes 200-999/1000"), Some((200, Some(1000))));
        assert_eq!(open_range("bytes 200-999/*"), Some((200, None)));
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
            assert_eq!(open_range(other), None, "{other}");
        }
    }
}
