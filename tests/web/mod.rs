//! A web server on this machine that serves files well or badly, as it is told for each request in turn.
//!
//! It speaks as much HTTP/1.1 as a download needs, a connection a request, and writes down what it was asked.
#![allow(
    dead_code,
    reason = "each of the programs that share this uses a part of it"
)]

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// How a request is answered.
#[derive(Debug, Clone)]
pub enum Manner {
    /// As it should be, ranges too.
    Well,
    /// With a status and no file.
    Status(u16),
    /// With this many bytes of the file, and then silence on an open line.
    Stalls(usize),
    /// Not at all, on an open line.
    Silent,
    /// With a byte now and then.
    Drips,
    /// With this many bytes, and then the end.
    Truncates(usize),
    /// With other bytes, as many as the file has.
    Lies,
    /// With the whole file, whatever range was asked for.
    IgnoresRange,
    /// With a range that begins elsewhere.
    WrongRange,
    /// With bytes without end, and no word of how many there will be.
    Endless,
    /// With a promise of this many bytes.
    Promises(u64),
    /// With another address.
    Redirects(String),
}

/// Files by their names.
pub type Files = BTreeMap<String, Vec<u8>>;

pub struct Server {
    port: u16,
    asked: Arc<Mutex<Vec<Asked>>>,
}

/// A request, as it came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// What stands behind the last slash.
    pub name: String,
    /// Where the range starts that was asked for.
    pub from: Option<usize>,
}

impl Server {
    /// Serves `files`. Request i is answered in manner i, those beyond the last in the last one.
    pub fn new(files: &Files, manners: &[Manner]) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (files, manners, log) = (files.clone(), manners.to_owned(), asked.clone());
        // Ends with the test's process: a thread that waits for a connection costs nothing.
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (files, manners, log) = (files.clone(), manners.clone(), log.clone());
                // Who asks may hang up at any time.
                thread::spawn(move || drop(answer(&stream, &files, &manners, &log)));
            }
        });
        Server { port, asked }
    }

    /// The address of the folder with the files.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/sets/", self.port)
    }

    /// All requests so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("a whole log").clone()
    }
}

fn answer(
    mut stream: &TcpStream,
    files: &Files,
    manners: &[Manner],
    log: &Mutex<Vec<Asked>>,
) -> io::Result<()> {
    let asked = read_request(stream)?;
    let manner = {
        let mut log = log.lock().expect("a whole log");
        log.push(asked.clone());
        manners[(log.len() - 1).min(manners.len() - 1)].clone()
    };
    let Some(file) = files.get(&asked.name) else {
        return write!(
            stream,
            "HTTP/1.1 404 Not Found\r\n{CLOSE}content-length: 0\r\n\r\n"
        );
    };
    let from = asked.from.unwrap_or(0);
    match manner {
        Manner::Well if from > file.len() || (from == file.len() && from > 0) => {
            let head = "HTTP/1.1 416 Range Not Satisfiable";
            write!(stream, "{head}\r\n{CLOSE}content-length: 0\r\n\r\n")
        }
        Manner::Well => send(stream, file, asked.from, file.len()),
        Manner::Status(status) => {
            write!(
                stream,
                "HTTP/1.1 {status} So\r\n{CLOSE}content-length: 2\r\n\r\nno"
            )
        }
        Manner::Stalls(bytes) => {
            send(stream, file, asked.from, bytes)?;
            thread::sleep(Duration::from_secs(20));
            Ok(())
        }
        Manner::Silent => {
            thread::sleep(Duration::from_secs(20));
            Ok(())
        }
        Manner::Drips => {
            send(stream, file, asked.from, 0)?;
            for byte in &file[from..] {
                stream.write_all(&[*byte])?;
                thread::sleep(Duration::from_millis(100));
            }
            Ok(())
        }
        Manner::Truncates(bytes) => send(stream, file, asked.from, bytes),
        Manner::Lies => {
            let other: Vec<u8> = file.iter().map(|byte| byte ^ 1).collect();
            send(stream, &other, asked.from, file.len())
        }
        Manner::IgnoresRange => send(stream, file, None, file.len()),
        Manner::WrongRange => send(stream, file, Some(from / 2), file.len()),
        Manner::Endless => {
            write!(stream, "HTTP/1.1 200 OK\r\n{CLOSE}\r\n")?;
            loop {
                stream.write_all(&[0; 1 << 16])?;
            }
        }
        Manner::Promises(bytes) => {
            write!(
                stream,
                "HTTP/1.1 200 OK\r\n{CLOSE}content-length: {bytes}\r\n\r\n"
            )?;
            stream.write_all(file)
        }
        Manner::Redirects(to) => {
            let head = "HTTP/1.1 302 Found";
            write!(
                stream,
                "{head}\r\n{CLOSE}location: {to}\r\ncontent-length: 0\r\n\r\n"
            )
        }
    }
}

const CLOSE: &str = "connection: close\r\n";

/// Promises the file from `from` on, and sends the first `bytes` of that.
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

fn read_request(stream: &TcpStream) -> io::Result<Asked> {
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next().transpose()?.unwrap_or_default();
    let path = first.split(' ').nth(1).unwrap_or_default();
    let mut asked = Asked {
        name: path.rsplit('/').next().unwrap_or_default().to_owned(),
        from: None,
    };
    for line in lines {
        let line = line?.to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(range) = line.strip_prefix("range: bytes=") {
            asked.from = range.trim().trim_end_matches('-').parse().ok();
        }
    }
    Ok(asked)
}
