//! `data fetch`: what is listed, what is refused, and real MNIST from a local server to `train`.
//!
//! The mirrors of the catalogue are never contacted: the proxy is set to a port where nothing listens. The test with real
//! MNIST is skipped if MNIST is missing.

use std::fs;
use std::io::Write;

use flate2::{Compression, write::GzEncoder};

use crate::desk::{Desk, Run};
use crate::idx_set::EasySet;
use crate::mnist;
use crate::web::{Files, Reply, Server};

/// Runs a command without access to the network: nothing listens at the proxy's port.
fn offline(desk: &Desk, line: &str) -> Run {
    let mut command = desk.command(line);
    for name in ["ALL_PROXY", "all_proxy", "HTTPS_PROXY", "https_proxy"] {
        command.env(name, "http://127.0.0.1:9");
    }
    for name in ["HTTP_PROXY", "http_proxy", "NO_PROXY", "no_proxy"] {
        command.env_remove(name);
    }
    Run::of(command)
}

#[test]
fn the_sets_are_listed_with_sizes_and_licences() {
    let desk = Desk::empty();
    let run = desk.run("data fetch");
    let words = |name: &str| -> String {
        let mut lines = run.stdout.lines();
        let line = lines.find(|line| line.trim_start().starts_with(&format!("{name} ")));
        let line = line.unwrap_or_else(|| panic!("{name}: {run:#?}"));
        line.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let mnist = "mnist handwritten digits, 10 classes CC BY-SA 3.0 60,000 10,000 11.6 MB 55.0 MB";
    assert_eq!(words("mnist"), mnist);
    assert!(words("fashion-mnist").contains(" MIT "), "{run:#?}");
    assert!(words("kmnist").contains(" CC BY-SA 4.0 "), "{run:#?}");
    assert!(words("emnist-letters").contains(" 561.8 MB "), "{run:#?}");
    assert_eq!(run.done().stderr, "");
    assert_eq!(desk.run("data fetch --list").done().stdout, run.stdout);
}

#[test]
fn an_unknown_set_is_refused_with_a_list_of_the_known_ones() {
    let run = Desk::empty().run("data fetch mnits");
    assert_eq!(run.code, Some(2), "{run:#?}");
    for words in ["invalid value 'mnits'", "mnist, fashion-mnist, kmnist"] {
        assert!(run.stderr.contains(words), "{run:#?}");
    }
}

const FILES: [&str; 4] = [
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
];

/// Returns real MNIST compressed as on the mirrors.
fn served() -> Option<Files> {
    let folder = mnist::folder()?;
    let files = FILES.map(|name| {
        let bytes = fs::read(folder.join(name)).expect("a file of MNIST");
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(&bytes).expect("writing to memory");
        let packed = encoder.finish().expect("writing to memory");
        (format!("{name}.gz"), packed)
    });
    Some(files.into())
}

#[test]
fn real_mnist_is_fetched_resumed_verified_and_found_by_train() {
    let Some(files) = served() else {
        return;
    };
    let cut = [Reply::Truncate(3_000_000), Reply::Correct];
    let server = Server::new(&files, &cut);
    let desk = Desk::empty();
    let line = format!("data fetch mnist --mirror {}", server.url());
    let run = offline(&desk, &line);
    let what = "data/mnist: 60,000 training and 10,000 test samples, 28×28 u8: ";
    assert!(run.done().stdout.starts_with(what), "{run:#?}");
    assert_eq!(run.value("licence"), "CC BY-SA 3.0");
    let next = "perceptor train --data data/mnist";
    assert!(run.value("next").ends_with(next), "{run:#?}");
    let lines: Vec<&str> = run.stderr.lines().collect();
    let url = format!("{}train-images-idx3-ubyte.gz", server.url());
    assert_eq!(lines[0], format!("fetching {url}"), "{run:#?}");
    let resumed = format!("fetching {url}, 3.0 MB of which are there");
    assert_eq!(lines[1], resumed, "{run:#?}");
    let placed = "data/mnist/train-images-idx3-ubyte: 47.0 MB, verified";
    assert_eq!(lines[2], placed, "{run:#?}");
    assert_eq!(server.requests().len(), 5);
    let folder = mnist::folder().expect("MNIST");
    for name in FILES {
        let real = fs::read(folder.join(name)).expect("a file of MNIST");
        assert!(desk.read(&format!("data/mnist/{name}")) == real, "{name}");
    }

    let again = offline(&desk, &line);
    let present = FILES.map(|name| format!("data/mnist/{name}: already there\n"));
    assert_eq!(again.done().stderr, present.concat(), "{again:#?}");
    assert_eq!(server.requests().len(), 5);

    let trained = desk.run("train --epochs 1 --hidden none --quiet --format json");
    assert_eq!(trained.done().json()["data"], "data/mnist");
    assert_eq!(trained.json()["train_items"], 60_000);
}

#[test]
fn wrong_or_unreachable_mirrors_are_named_and_no_file_is_placed() {
    let nothing = Files::from([("train-images-idx3-ubyte.gz".to_owned(), b"<html>".to_vec())]);
    let server = Server::new(&nothing, &[Reply::Correct]);
    let desk = Desk::empty();
    let line = format!("data fetch mnist --quiet --mirror {}", server.url());
    let run = offline(&desk, &line);
    assert_eq!((run.code, run.stdout.as_str()), (Some(1), ""), "{run:#?}");
    let error = run.stderr.lines().next().expect("an error");
    let own = format!("error: train-images-idx3-ubyte.gz: {}train-", server.url());
    assert!(error.starts_with(&own), "{run:#?}");
    for words in [
        "served another file: not a complete gzip stream",
        "; https://ossci-datasets.s3.amazonaws.com/mnist/train-images-idx3-ubyte.gz: ",
        "; https://storage.googleapis.com/cvdf-datasets/mnist/train-images-idx3-ubyte.gz: ",
        "expected a mirror that serves it",
        // The closed proxy: without it, names would be looked up.
        "refused",
    ] {
        assert!(error.contains(words), "{words}: {run:#?}");
    }
    assert!(run.hint().contains("--mirror"), "{run:#?}");
    assert_eq!(desk.entries(), ["data", "data/mnist"]);
}

#[test]
fn a_folder_with_another_set_is_not_changed() {
    let desk = Desk::with(&EasySet::default());
    desk.refuses(
        "data fetch mnist --out set",
        1,
        "set/train-images-idx3-ubyte: 1816 bytes, expected 47040016\n\
         hint: --force replaces it",
    );
}

#[test]
fn rejects_invalid_mirrors_and_timeouts() {
    let desk = Desk::empty();
    desk.refuses(
        "data fetch mnist --mirror ftp://host/mnist",
        2,
        "--mirror: ftp://host/mnist, expected the address of a folder, https://… or http://…",
    );
    for seconds in ["0", "-1", "nan", "inf", "soon"] {
        let run = desk.run(&format!("data fetch mnist --timeout={seconds}"));
        assert_eq!(run.code, Some(2), "{run:#?}");
        let words = "expected a number of seconds from 0.1 to 86400";
        assert!(run.stderr.contains(words), "{run:#?}");
    }
}

#[test]
fn a_folder_that_cannot_be_created_is_an_error() {
    let desk = Desk::empty();
    desk.put("file", b"text");
    let start = "file/below: could not create the folder: ";
    desk.refuses_in_parts("data fetch mnist --out file/below", 1, &[start, "\n"]);
}
