//! Fetching data sets from servers that fail, stall, truncate or corrupt files. All servers are local: no test uses the
//! network.

mod web;
mod zip_file;

use std::fs;
use std::io::Write;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use perceptor::datasets::fetch::catalogue::{Archive, Checksum, FILES, GzipFile, SIDE, Source};
use perceptor::datasets::fetch::{DataSet, Event, Request, fetch};
use perceptor::{Error, Result};
use rawzip::path::EntryPath;
use rawzip::{CompressionMethod, ZipArchiveWriter};
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use web::{Files, Reply, Requested, Server};
use zip_file::add_entry;

const TRAIN: usize = 50;
const TEST: usize = 20;

/// A small set that does not compress: the raw files and the files on the servers.
struct Small {
    raw: [Vec<u8>; 4],
    served: Files,
}

impl Small {
    fn new() -> Small {
        let raw = [
            image_file(TRAIN),
            label_file(TRAIN),
            image_file(TEST),
            label_file(TEST),
        ];
        let served = FILES.iter().zip(&raw);
        let served = served.map(|(name, bytes)| (format!("{name}.gz"), gzip(bytes)));
        Small {
            served: served.collect(),
            raw,
        }
    }

    fn packed(&self, index: usize) -> &[u8] {
        &self.served[&format!("{}.gz", FILES[index])]
    }

    /// Returns its catalogue entry, with checksums of the raw files or of the compressed ones.
    fn set(&self, of_raw: bool) -> DataSet {
        let files = [0, 1, 2, 3].map(|index| GzipFile {
            bytes: self.packed(index).len() as u64,
            checksum: match of_raw {
                true => Checksum::Raw(sum(&self.raw[index])),
                false => Checksum::Gzip(sum(self.packed(index))),
            },
        });
        entry(Source::Files(files))
    }
}

fn entry(source: Source) -> DataSet {
    DataSet {
        name: "small",
        about: "noise",
        train: TRAIN,
        test: TEST,
        licence: "none",
        citation: "none",
        mirrors: &[],
        source,
    }
}

/// Returns incompressible bytes, by Lehmer's multiplicative generator.
fn noise(count: usize) -> impl Iterator<Item = u8> {
    let mut state = 48_271_u64 + count as u64;
    std::iter::repeat_with(move || {
        state = state * 48_271 % 0x7fff_ffff;
        (state >> 8) as u8
    })
    .take(count)
}

fn image_file(items: usize) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, 3, 0, 0, 0, items as u8, 0, 0, 0, 28, 0, 0, 0, 28];
    bytes.extend(noise(items * SIDE * SIDE));
    bytes
}

fn label_file(items: usize) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, 1, 0, 0, 0, items as u8];
    bytes.extend(noise(items).map(|byte| byte % 10));
    bytes
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).expect("writing to memory");
    encoder.finish().expect("writing to memory")
}

/// Returns the SHA-256 in hexadecimal, leaked because the strings of a catalogue are static.
fn sum(bytes: &[u8]) -> &'static str {
    let sum: String = Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    sum.leak()
}

/// A folder to fetch into, and whether to replace files.
struct Desk {
    folder: TempDir,
    force: bool,
}

impl Desk {
    fn new() -> Desk {
        Desk {
            folder: tempfile::tempdir().expect("a temporary folder"),
            force: false,
        }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Fetches and returns the failures of mirrors, too.
    fn fetch(&self, set: &DataSet, servers: &[&Server]) -> (Result<()>, Vec<String>) {
        let mirrors: Vec<String> = servers.iter().map(|server| server.url()).collect();
        let request = Request {
            set,
            folder: self.path(),
            archives: &self.path().join("archives"),
            mirrors: &mirrors,
            force: self.force,
            timeout: Duration::from_millis(500),
        };
        let mut failed = Vec::new();
        let fetched = fetch(&request, &mut |event| {
            if let Event::Failed { url, why } = event {
                failed.push(format!("{url}: {why}"));
            }
        });
        (fetched, failed)
    }

    /// Fetches, asserts success, and returns the failures of mirrors.
    fn fetched(&self, set: &DataSet, servers: &[&Server]) -> Vec<String> {
        let (fetched, failed) = self.fetch(set, servers);
        fetched.expect("a fetched set");
        failed
    }

    fn refused(&self, set: &DataSet, servers: &[&Server]) -> Error {
        self.fetch(set, servers).0.expect_err("a refusal")
    }

    fn assert_has(&self, raw: &[Vec<u8>; 4]) {
        for (name, bytes) in FILES.iter().zip(raw) {
            let found = fs::read(self.path().join(name)).expect("a file");
            assert!(&found == bytes, "{name}");
        }
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path()).expect("a folder");
        let names = entries.map(|entry| entry.expect("an entry").file_name());
        let mut names: Vec<String> = names.map(|name| name.display().to_string()).collect();
        names.sort();
        names
    }
}

const COMPLETE: [&str; 5] = [
    "SHA256SUMS",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
];

fn requested(index: usize, from: Option<usize>) -> Requested {
    Requested {
        name: format!("{}.gz", FILES[index]),
        from,
    }
}

#[test]
fn a_set_is_fetched_once_and_leaves_only_its_files() {
    let small = Small::new();
    for of_raw in [true, false] {
        let server = Server::new(&small.served, &[Reply::Correct]);
        let (desk, set) = (Desk::new(), small.set(of_raw));
        assert_eq!(desk.fetched(&set, &[&server]), [""; 0]);
        desk.assert_has(&small.raw);
        assert_eq!(desk.names(), COMPLETE);
        assert_eq!(
            server.requests(),
            [0, 1, 2, 3].map(|index| requested(index, None))
        );
        desk.fetched(&set, &[&server]);
        assert_eq!(
            server.requests().len(),
            4,
            "existing files are requested again"
        );
    }
}

#[test]
fn the_checksums_are_recorded_in_the_format_of_sha256sum() {
    let small = Small::new();
    let server = Server::new(&small.served, &[Reply::Correct]);
    let desk = Desk::new();
    desk.fetched(&small.set(false), &[&server]);
    let text = fs::read_to_string(desk.path().join("SHA256SUMS")).expect("the record");
    for (name, bytes) in FILES.iter().zip(&small.raw) {
        assert!(
            text.contains(&format!("{}  {name}\n", sum(bytes))),
            "{text}"
        );
    }
}

#[test]
fn a_mirror_that_fails_is_named_and_the_next_one_is_tried() {
    let small = Small::new();
    let huge = Reply::Claim(1 << 40);
    let cases = [
        (Reply::Status(500), "answered 500"),
        (Reply::Status(404), "answered 404"),
        (Reply::Stall(0), "sent nothing for 0.5 s"),
        (Reply::Silent, "sent nothing for 0.5 s"),
        (Reply::Drip, "slower than 200 bytes per second after "),
        (Reply::Corrupt, "served another file: "),
        (Reply::Endless, "sent more than "),
        (huge, "announced 1099511627776 bytes, expected at most "),
    ];
    let try_case = |(reply, words): &(Reply, &str)| {
        let bad = Server::new(&small.served, std::slice::from_ref(reply));
        let good = Server::new(&small.served, &[Reply::Correct]);
        let desk = Desk::new();
        let failed = desk.fetched(&small.set(true), &[&bad, &good]);
        desk.assert_has(&small.raw);
        assert_eq!(desk.names(), COMPLETE);
        // The mirror that succeeded is tried first from then on.
        assert_eq!(failed.len(), 1, "{failed:?}");
        let start = format!("{}{}.gz: {words}", bad.url(), FILES[0]);
        assert!(failed[0].starts_with(&start), "{failed:?}");
    };
    // Most of them only wait, so that they run at the same time.
    thread::scope(|scope| {
        for case in &cases {
            scope.spawn(|| try_case(case));
        }
    });
}

#[test]
fn if_all_mirrors_fail_the_error_lists_the_failure_of_each() {
    let small = Small::new();
    let [first, second] = [Reply::Status(503), Reply::Corrupt];
    let first = Server::new(&small.served, &[first]);
    let second = Server::new(&small.served, &[second]);
    let desk = Desk::new();
    let message = desk.refused(&small.set(true), &[&first, &second]);
    let message = message.to_string();
    let name = format!("{}.gz", FILES[0]);
    let start = format!("{name}: {}{name}: answered 503", first.url());
    assert!(message.starts_with(&start), "{message}");
    let other = format!("; {}{name}: served another file: ", second.url());
    assert!(message.contains(&other), "{message}");
    assert!(
        message.ends_with(", expected a mirror that serves it"),
        "{message}"
    );
    assert_eq!(desk.names(), [""; 0], "a corrupt file is left");
}

#[test]
fn a_stalling_server_is_given_up_in_time() {
    let small = Small::new();
    let server = Server::new(&small.served, &[Reply::Stall(100)]);
    let start = Instant::now();
    let message = Desk::new()
        .refused(&small.set(true), &[&server])
        .to_string();
    assert!(
        message.contains("sent nothing for 0.5 s after "),
        "{message}"
    );
    // There are several attempts, as each received some bytes; the server keeps each connection open for 20 s.
    assert!(start.elapsed() < Duration::from_secs(15), "{message}");
}

#[test]
fn an_interrupted_download_resumes() {
    let small = Small::new();
    for of_raw in [true, false] {
        let cuts = [Reply::Truncate(1000), Reply::Truncate(2000), Reply::Correct];
        let server = Server::new(&small.served, &cuts);
        let desk = Desk::new();
        assert_eq!(desk.fetched(&small.set(of_raw), &[&server]), [""; 0]);
        desk.assert_has(&small.raw);
        let first = [None, Some(1000), Some(3000)].map(|from| requested(0, from));
        assert_eq!(server.requests()[..3], first);
    }
}

#[test]
fn received_bytes_are_kept_for_the_next_run_and_the_next_mirror() {
    let small = Small::new();
    let cut = [Reply::Truncate(1000), Reply::Status(500)];
    let bad = Server::new(&small.served, &cut);
    let desk = Desk::new();
    let error = desk.refused(&small.set(true), &[&bad]);
    let hint = error.hint().expect("a hint").to_string();
    assert!(
        hint.contains("resumes after the 1000 bytes received"),
        "{hint}"
    );
    assert_eq!(desk.names(), ["train-images-idx3-ubyte.gz.part"]);
    let good = Server::new(&small.served, &[Reply::Correct]);
    desk.fetched(&small.set(true), &[&good]);
    desk.assert_has(&small.raw);
    assert_eq!(desk.names(), COMPLETE);
    assert_eq!(good.requests()[0], requested(0, Some(1000)));
}

#[test]
fn a_download_restarts_if_the_server_does_not_support_ranges() {
    let small = Small::new();
    for odd in [Reply::IgnoreRange, Reply::WrongRange] {
        let server = Server::new(&small.served, &[Reply::Truncate(1000), odd, Reply::Correct]);
        let desk = Desk::new();
        assert_eq!(desk.fetched(&small.set(true), &[&server]), [""; 0]);
        desk.assert_has(&small.raw);
    }
}

#[test]
fn a_damaged_part_is_dropped_without_blaming_the_mirror() {
    let small = Small::new();
    let complete = small.packed(0).len();
    for length in [1000, complete, complete + 1000, 1 << 20] {
        for of_raw in [true, false] {
            let server = Server::new(&small.served, &[Reply::Correct]);
            let desk = Desk::new();
            let part = desk.path().join(format!("{}.gz.part", FILES[0]));
            fs::write(part, vec![9; length]).expect("writing");
            assert_eq!(
                desk.fetched(&small.set(of_raw), &[&server]),
                [""; 0],
                "{length}"
            );
            desk.assert_has(&small.raw);
        }
    }
}

#[test]
fn files_that_are_not_of_the_set_are_replaced_only_with_force() {
    let small = Small::new();
    let server = Server::new(&small.served, &[Reply::Correct]);
    let mut other = small.raw[1].clone();
    other[20] ^= 1;
    for (bytes, words) in [
        (b"mine".to_vec(), "4 bytes, expected 58".to_owned()),
        (
            other,
            format!(
                "other contents, expected contents with SHA-256 {}",
                sum(&small.raw[1])
            ),
        ),
    ] {
        let mut desk = Desk::new();
        let path = desk.path().join(FILES[1]);
        fs::write(&path, &bytes).expect("writing");
        let before = server.requests().len();
        let error = desk.refused(&small.set(true), &[&server]);
        assert_eq!(error.to_string(), format!("{}: {words}", path.display()));
        let hint = error.hint().map(|hint| hint.to_string());
        assert_eq!(hint.as_deref(), Some("force replaces it"));
        assert_eq!(server.requests().len(), before, "something was downloaded");
        assert_eq!(fs::read(&path).expect("the file"), bytes);
        desk.force = true;
        desk.fetched(&small.set(true), &[&server]);
        desk.assert_has(&small.raw);
    }
}

#[test]
fn without_a_known_checksum_a_file_is_accepted_only_if_it_is_recorded() {
    let small = Small::new();
    let server = Server::new(&small.served, &[Reply::Correct]);
    let (desk, set) = (Desk::new(), small.set(false));
    desk.fetched(&set, &[&server]);
    fs::remove_file(desk.path().join("SHA256SUMS")).expect("removing");
    let message = desk.refused(&set, &[&server]).to_string();
    let words = "a file of unknown origin, expected one listed in SHA256SUMS";
    assert!(message.ends_with(words), "{message}");
}

#[test]
fn a_mirror_may_compress_differently_only_if_the_raw_checksum_is_known() {
    let small = Small::new();
    let mut stored = Files::new();
    for (name, bytes) in FILES.iter().zip(&small.raw) {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::none());
        encoder.write_all(bytes).expect("writing to memory");
        let packed = encoder.finish().expect("writing to memory");
        stored.insert(format!("{name}.gz"), packed);
    }
    let stored_length = stored[&format!("{}.gz", FILES[0])].len();
    let server = Server::new(&stored, &[Reply::Correct]);
    let desk = Desk::new();
    desk.fetched(&small.set(true), &[&server]);
    desk.assert_has(&small.raw);
    let message = Desk::new()
        .refused(&small.set(false), &[&server])
        .to_string();
    let (found, expected) = (stored_length, small.packed(0).len());
    let words = format!(": announced {found} bytes, expected {expected}, ");
    assert!(message.contains(&words), "{message}");
}

#[test]
fn redirects_are_followed_but_not_forever() {
    let small = Small::new();
    let good = Server::new(&small.served, &[Reply::Correct]);
    let elsewhere = format!("{}{}.gz", good.url(), FILES[0]);
    let moved = Server::new(&small.served, &[Reply::Redirect(elsewhere), Reply::Correct]);
    let desk = Desk::new();
    assert_eq!(desk.fetched(&small.set(true), &[&moved]), [""; 0]);
    desk.assert_has(&small.raw);
    assert_eq!(good.requests(), [requested(0, None)]);

    let round = Server::new(
        &small.served,
        &[Reply::Redirect("train-images-idx3-ubyte.gz".to_owned())],
    );
    let message = Desk::new().refused(&small.set(true), &[&round]).to_string();
    assert!(message.contains("redirects"), "{message}");
    assert!(round.requests().len() < 10, "{}", round.requests().len());
}

#[test]
fn two_processes_never_write_the_same_part() {
    let small = Small::new();
    let server = Server::new(&small.served, &[Reply::Correct]);
    let desk = Desk::new();
    let path = desk.path().join(format!("{}.gz.part", FILES[0]));
    let held = fs::File::create(&path).expect("a file");
    held.lock().expect("a lock");
    let message = desk.refused(&small.set(true), &[&server]).to_string();
    let expected = format!(
        "{}: another process is fetching it, expected one at a time",
        path.display()
    );
    assert_eq!(message, expected);
}

/// Returns an archive with transposed images, under names as in EMNIST's archive.
fn archive_of(raw: &[Vec<u8>; 4]) -> Vec<u8> {
    let mut zip = ZipArchiveWriter::new(Vec::new());
    for (name, bytes) in FILES.iter().zip(raw) {
        let mut bytes = bytes.clone();
        if name.contains("images") {
            for image in bytes[16..].chunks_exact_mut(SIDE * SIDE) {
                let upright = image.to_vec();
                for (at, pixel) in image.iter_mut().enumerate() {
                    *pixel = upright[at % SIDE * SIDE + at / SIDE];
                }
            }
        }
        let method = match name.contains("images") {
            true => CompressionMethod::DEFLATE,
            false => CompressionMethod::STORE,
        };
        let entry = format!("gzip/small-{}.gz", name.replace("t10k", "test"));
        add_entry(&mut zip, EntryPath::from(&entry), method, &gzip(&bytes));
    }
    let outside = EntryPath::verbatim(b"../../outside");
    add_entry(&mut zip, outside, CompressionMethod::STORE, b"");
    zip.finish().expect("writing to memory")
}

fn archived(bytes: &[u8]) -> DataSet {
    entry(Source::Archive(Archive {
        name: "gzip.zip",
        kept_as: "kept.zip",
        bytes: bytes.len() as u64,
        sha256: sum(bytes),
        prefix: "gzip/small-",
    }))
}

#[test]
fn an_archive_is_fetched_once_for_all_its_sets_and_images_become_upright() {
    let small = Small::new();
    let archive = archive_of(&small.raw);
    let served = Files::from([("gzip.zip".to_owned(), archive.clone())]);
    let server = Server::new(&served, &[Reply::Truncate(5000), Reply::Correct]);
    let (desk, set) = (Desk::new(), archived(&archive));
    assert_eq!(desk.fetched(&set, &[&server]), [""; 0]);
    desk.assert_has(&small.raw);
    let kept = desk.path().join("archives/kept.zip");
    assert!(fs::read(&kept).expect("the archive") == archive);
    assert_eq!(server.requests().len(), 2);

    // The files that are recorded are kept.
    desk.fetched(&set, &[&server]);
    fs::remove_file(desk.path().join(FILES[2])).expect("removing");
    desk.fetched(&set, &[&server]);
    desk.assert_has(&small.raw);
    assert_eq!(server.requests().len(), 2, "the archive was fetched again");

    // An archive that was damaged since is fetched again.
    fs::write(&kept, b"damage").expect("writing");
    fs::remove_file(desk.path().join(FILES[2])).expect("removing");
    desk.fetched(&set, &[&server]);
    assert_eq!(server.requests().len(), 3);
}

#[test]
fn an_archive_without_the_set_is_refused() {
    let small = Small::new();
    let archive = archive_of(&small.raw);
    let served = Files::from([("gzip.zip".to_owned(), archive.clone())]);
    let server = Server::new(&served, &[Reply::Correct]);
    let mut set = archived(&archive);
    set.train += 1;
    let message = Desk::new().refused(&set, &[&server]).to_string();
    assert!(
        message.contains(
            "kept.zip: gzip/small-train-images-idx3-ubyte.gz: not a complete gzip stream"
        ),
        "{message}"
    );
    if let Source::Archive(archive) = &mut set.source {
        archive.prefix = "gzip/large-";
    }
    let message = Desk::new().refused(&set, &[&server]).to_string();
    assert!(
        message.contains("kept.zip: gzip/large-train-images-idx3-ubyte.gz: "),
        "{message}"
    );
}

#[test]
fn addresses_that_are_not_folders_are_refused_as_mirrors() {
    let small = Small::new();
    let desk = Desk::new();
    for address in [
        "",
        "ftp://host/",
        "host",
        "file:///etc/",
        "http://host/?x=",
        "https://",
    ] {
        let request = Request {
            set: &small.set(true),
            folder: desk.path(),
            archives: desk.path(),
            mirrors: &[address.to_owned()],
            force: false,
            timeout: Duration::from_millis(500),
        };
        let message = fetch(&request, &mut |_| {})
            .expect_err("a refusal")
            .to_string();
        let expected =
            format!("mirror: {address}, expected the address of a folder, https://… or http://…");
        assert_eq!(message, expected);
    }
}
