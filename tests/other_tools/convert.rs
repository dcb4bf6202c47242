//! Arrays and pictures written by NumPy and Pillow: `data convert` reads the same values as these libraries.

use std::fs;
use std::path::Path;

use crate::models::perceptor;
use crate::python::Python;

const SOURCES: &str = include_str!("convert_sources.py");

/// Converts each case of `lines`, compares the images of the set with the expected file, and returns the number of cases.
fn compare(lines: &str, folder: &Path) -> usize {
    let out = folder.join("set");
    for line in lines.lines() {
        let (flags, expected) = line.split_once('\t').expect("flags and a file");
        perceptor(&format!("data convert {flags} --force --out"), &[&out]);
        let mut files = fs::read_dir(&out)
            .expect("a folder")
            .map(|entry| entry.expect("a file").path());
        let images = files.find(|path| path.to_string_lossy().contains("/train-images-"));
        let images = fs::read(images.expect("a file of images")).expect("reading");
        assert!(images == fs::read(expected).expect("reading"), "{line}");
    }
    lines.lines().count()
}

#[test]
fn numpy_arrays_of_every_type_order_and_compression_keep_their_values() {
    let Some(python) = Python::with("numpy") else {
        return;
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let lines = python.run(SOURCES, &[folder.path()]);
    assert_eq!(compare(&lines, folder.path()), 16 * 4 * 2 * 3);
}

#[test]
fn pictures_of_every_mode_decode_as_in_pillow() {
    let Some(python) = Python::if_available("numpy, PIL") else {
        return;
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let lines = python.run(SOURCES, &[folder.path(), Path::new("pictures")]);
    assert_eq!(compare(&lines, folder.path()), 7 * 2 * 2);
}
