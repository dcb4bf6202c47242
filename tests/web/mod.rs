//! A local web server that answers each request with a prescribed reply, correct or faulty.
//!
//! It speaks as much HTTP/1.1 as a download needs, with one connection per request, and records all requests.
#![allow(dead_code, reason = "each test target uses a part of this module")]

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// How a request is answered.
#[derive(Debug, Clone)]
pub enum Reply {
    /// Correctly, including ranges.
    Correct,
    /// With a status and without the file.
    Status(u16),
    /// With this many bytes of the file, and then nothing on an open connection.
    Stall(usize),
    /// Not at all, on an open connection.
    Silent,
    /// With one byte at a time, very slowly.
    Drip,
    /// With this many bytes of the file, and then the end of the connection.
    Truncate(usize),
    /// With other bytes of the same number.
    Corrupt,
    /// With the whole file, whatever range is requested.
    IgnoreRange,
    /// With a range that starts elsewhere.
    WrongRange,
    /// With bytes without end and without a content length.
    Endless,
    /// With the file and a content length of this many bytes.
    Claim(u64),
    /// With a redirect to another address.
    Redirect(String),
}

/// Files by their names.
pub type Files = BTreeMap<String, Vec<u8>>;

pub struct Server {
    port: u16,
    requests: Arc<Mutex<Vec<Requested>>>,
}

/// A received request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requested {
    /// The path after the last slash.
    pub name: String,
    /// The start of the requested range.
    pub from: Option<usize>,
}

impl Server {
    /// Serves `files`. Request i gets reply i, and all further requests get the last one.
    pub fn new(files: &Files, replies: &[Reply]) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (files, replies, log) = (files.clone(), replies.to_owned(), requests.clone());
        // Ends with the test process: a thread that waits for a connection costs nothing.
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (files, replies, log) = (files.clone(), replies.clone(), log.clone());
                // The client may close the connection at any time.
                thread::spawn(move || drop(answer(&stream, &files, &replies, &log)));
            }
        });
        Server { port, requests }
    }

    /// Returns the address of the folder with the files.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/sets/", self.port)
    }

    /// Returns all requests so far.
    pub fn requests(&self) -> Vec<Requested> {
        self.requests.lock().expect("a valid log").clone()
    }
}

fn answer(
    mut stream: &TcpStream,
    files: &Files,
    replies: &[Reply],
    log: &Mutex<Vec<Requested>>,
) -> io::Result<()> {
    let request = read_request(stream)?;
    let reply = {
        let mut log = log.lock().expect("a valid log");
        log.push(request.clone());
        replies[(log.len() - 1).min(replies.len() - 1)].clone()
    };
    let Some(file) = files.get(&request.name) else {
        return write!(
            stream,
            "HTTP/1.1 404 Not Found\r\n{CLOSE}content-length: 0\r\n\r\n"
        );
    };
    let from = request.from.unwrap_or(0);
    match reply {
        Reply::Correct if from > file.len() || (from == file.len() && from > 0) => {
            let head = "HTTP/1.1 416 Range Not Satisfiable";
            write!(stream, "{head}\r\n{CLOSE}content-length: 0\r\n\r\n")
        }
        Reply::Correct => send(stream, file, request.from, file.len()),
        Reply::Status(status) => {
            write!(
                stream,
                "HTTP/1.1 {status} So\r\n{CLOSE}content-length: 2\r\n\r\nno"
            )
        }
        Reply::Stall(bytes) => {
            send(stream, file, request.from, bytes)?;
            thread::sleep(Duration::from_secs(20));
            Ok(())
        }
        Reply::Silent => {
            thread::sleep(Duration::from_secs(20));
            Ok(())
        }
        Reply::Drip => {
            send(stream, file, request.from, 0)?;
            for byte in &file[from..] {
                stream.write_all(&[*byte])?;
                thread::sleep(Duration::from_millis(100));
            }
            Ok(())
        }
        Reply::Truncate(bytes) => send(stream, file, request.from, bytes),
        Reply::Corrupt => {
            let other: Vec<u8> = file.iter().map(|byte| byte ^ 1).collect();
            send(stream, &other, request.from, file.len())
        }
        Reply::IgnoreRange => send(stream, file, None, file.len()),
        Reply::WrongRange => send(stream, file, Some(from / 2), file.len()),
        Reply::Endless => {
            write!(stream, "HTTP/1.1 200 OK\r\n{CLOSE}\r\n")?;
            loop {
                stream.write_all(&[0; 1 << 16])?;
            }
        }
        Reply::Claim(bytes) => {
            write!(
                stream,
                "HTTP/1.1 200 OK\r\n{CLOSE}content-length: {bytes}\r\n\r\n"
            )?;
            stream.write_all(file)
        }
        Reply::Redirect(to) => {
            let head = "HTTP/1.1 302 Found";
            write!(
                stream,
                "{head}\r\n{CLOSE}location: {to}\r\ncontent-length: 0\r\n\r\n"
            )
        }
    }
}

const CLOSE: &str = "connection: close\r\n";

/// Announces the file from `from` on, and sends its first `bytes`.
fn send(mut stream: &TcpStream, file: &[u8], from: Option<usize>, bytes: usize) -> io::Result<()> {
    let rest = &file[from.unwrap_or(0).min(file.len())..];
    match from {
        None => write!(stream, "HTTP/1.1 200 OK\r\n")?,
        Some(from) => write!(
            stream,
            "HTTP/1.1 206 Partial Content\r\ncontent-range: bytes {from}-{}/{}\r\n",
            file.len() - 1,
            file.len()
        )?,
    }
    write!(stream, "{CLOSE}content-length: {}\r\n\r\n", rest.len())?;
    stream.write_all(&rest[..bytes.min(rest.len())])
}

fn read_request(stream: &TcpStream) -> io::Result<Requested> {
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next().transpose()?.unwrap_or_default();
    let path = first.split(' ').nth(1).unwrap_or_default();
    let mut request = Requested {
        name: path.rsplit('/').next().unwrap_or_default().to_owned(),
        from: None,
    };
    for line in lines {
        let line = line?.to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(range) = line.strip_prefix("range: bytes=") {
            request.from = range.trim().trim_end_matches('-').parse().ok();
        }
    }
    Ok(request)
}
