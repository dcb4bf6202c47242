//! Compressed data that are damaged or of another format than their name: refused with a clear error, and no partly
//! decoded file is left.

use std::fs;
use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::desk::Desk;
use crate::idx_set::{EasySet, Element, idx};

const IMAGES: &str = "set/train-images-idx3-ubyte.gz";

pub fn compressed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).expect("writing to memory");
    encoder.finish().expect("writing to memory")
}

/// Asserts that both `train` and `data inspect` refuse these training images.
fn refuses_archive(bytes: &[u8], parts: &[&str]) {
    let desk = Desk::with(&EasySet::default());
    desk.remove("set/train-images-idx3-ubyte");
    desk.put(IMAGES, bytes);
    let place = format!("{IMAGES}: ");
    let parts = [&[place.as_str()], parts].concat();
    desk.refuses_in_parts("train --data set", 1, &parts);
    desk.refuses_in_parts(&format!("data inspect {IMAGES}"), 1, &parts);
}

#[test]
fn rejects_a_truncated_stream() {
    let valid = compressed(&EasySet::default().images("train"));
    for length in [0, 1, 5, 10, 30, valid.len() / 2, valid.len() - 1] {
        refuses_archive(&valid[..length], &[", expected a complete gzip stream\n"]);
    }
}

#[test]
fn rejects_data_that_are_not_compressed() {
    let page = b"<!DOCTYPE html><title>404 Not Found</title>";
    let desk = Desk::with(&EasySet::default());
    desk.remove("set/train-images-idx3-ubyte");
    desk.put(IMAGES, page);
    let message = format!(
        "{IMAGES}: no gzip data, expected a complete gzip stream\n\
         hint: download or copy the file again"
    );
    desk.refuses("train --data set", 1, &message);
}

#[test]
fn rejects_a_stream_with_a_flipped_bit() {
    let mut bytes = compressed(&EasySet::default().images("train"));
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    // Depending on the bit the stream is too short, too long, or fails its checksum.
    refuses_archive(&bytes, &[", expected ", "\n"]);
}

#[test]
fn rejects_trailing_bytes_after_the_stream() {
    let mut bytes = compressed(&EasySet::default().images("train"));
    bytes.extend(b"something else");
    refuses_archive(&bytes, &[", expected a complete gzip stream\n"]);
}

#[test]
fn rejects_an_array_that_is_too_short_or_too_long() {
    let mut raw = EasySet::default().images("train");
    raw.push(0);
    refuses_archive(
        &compressed(&raw),
        &["more than 1816 decoded bytes, expected 1816\n"],
    );
    raw.truncate(1815);
    refuses_archive(&compressed(&raw), &["1815 decoded bytes, expected 1816\n"]);
}

#[test]
fn rejects_compressed_data_that_are_not_idx() {
    refuses_archive(
        &compressed(b"\x89PNG\r\n\x1a\n"),
        &["a PNG picture, expected an IDX file\n"],
    );
    refuses_archive(&compressed(b""), &["an empty file, expected an IDX file\n"]);
}

#[test]
fn a_header_for_gigabytes_is_checked_against_the_size_of_the_archive() {
    let bomb = compressed(&idx(Element::F64, &[u32::MAX, 1000, 1000], &[0; 100]));
    refuses_archive(
        &bomb,
        &[
            "a header for 34359738360000016 bytes, expected at most the ",
            " compressed bytes can hold\n",
        ],
    );
}

#[test]
fn decoding_stops_at_the_size_in_the_header() {
    // 64 MB of zeros after a header for 9 bytes.
    let mut bytes = idx(Element::U8, &[1, 3, 3], &[]);
    bytes.resize(64 << 20, 0);
    refuses_archive(
        &compressed(&bytes),
        &["more than 25 decoded bytes, expected 25\n"],
    );
}

#[test]
fn rejects_a_folder_in_place_of_an_archive() {
    let desk = Desk::with(&EasySet::default());
    desk.remove("set/train-images-idx3-ubyte");
    fs::create_dir(desk.path(IMAGES)).expect("creating a folder");
    let place = format!("{IMAGES}: ");
    desk.refuses_in_parts("train --data set", 1, &[&place, ", expected ", "\n"]);
}
