//! Malformed or mismatched data: each is refused with a clear error, and nothing is written.
//!
//! Most cases go through `train`, which reads everything, and through `data inspect`, which reads one file.
//! Damaged compressed files are in `bad_archives`.

use std::fs;

use crate::desk::Desk;
use crate::idx_set::{EasySet, Element, idx, labels};

const IMAGES: &str = "set/train-images-idx3-ubyte";
const LABELS: &str = "set/train-labels-idx1-ubyte";
const TEST_IMAGES: &str = "set/t10k-images-idx3-ubyte";
const TEST_LABELS: &str = "set/t10k-labels-idx1-ubyte";
const TRAIN: &str = "train --data set --epochs 1";

/// Returns a desk with a valid set in which one file is replaced.
fn desk_with(name: &str, bytes: &[u8]) -> Desk {
    let desk = Desk::with(&EasySet::default());
    desk.put(name, bytes);
    desk
}

/// Asserts that both `train` and `data inspect` refuse these training images, and returns their hint, if any.
fn refuses_images(bytes: &[u8], message: &str) -> Option<String> {
    let desk = desk_with(IMAGES, bytes);
    let message = format!("{IMAGES}: {message}");
    let train = desk.refuses(TRAIN, 1, &message);
    let inspect = desk.refuses(&format!("data inspect {IMAGES}"), 1, &message);
    assert_eq!(train.stderr, inspect.stderr);
    train
        .stderr
        .contains("hint: ")
        .then(|| train.hint().to_owned())
}

#[test]
fn rejects_a_folder_that_does_not_exist() {
    let desk = Desk::empty();
    let run = desk.refuses(
        "train --data nowhere",
        1,
        "nowhere: no such file or folder, expected a folder with IDX files, or a table",
    );
    assert!(run.hint().contains("--train-images"), "{run:#?}");
    desk.put("file", b"no table\0");
    desk.refuses(
        "train --data file",
        1,
        "file: not a folder, expected a folder with IDX files, or a table",
    );
}

#[test]
fn rejects_a_folder_without_training_files() {
    let desk = Desk::with(&EasySet::default());
    desk.remove(LABELS);
    let message = "set: no training labels, expected train-labels-idx1-ubyte (or with .gz)";
    for command in [TRAIN, "data inspect set"] {
        desk.refuses(command, 1, message);
    }
    desk.remove(IMAGES);
    let message = "set: no training images, expected train-images-idx3-ubyte (or with .gz)";
    desk.refuses(TRAIN, 1, message);
}

#[test]
fn rejects_half_a_test_set() {
    for (missing, message) in [
        (
            TEST_IMAGES,
            "set: no test images, expected t10k-images-idx3-ubyte or test-images-idx3-ubyte (or with .gz)",
        ),
        (
            TEST_LABELS,
            "set: no test labels, expected t10k-labels-idx1-ubyte or test-labels-idx1-ubyte (or with .gz)",
        ),
    ] {
        let desk = Desk::with(&EasySet::default());
        desk.remove(missing);
        desk.refuses(TRAIN, 1, message);
    }
}

#[test]
fn rejects_a_file_that_does_not_exist() {
    let desk = Desk::with(&EasySet::default());
    let line = format!("train --train-images missing --train-labels {LABELS}");
    desk.refuses_in_parts(&line, 1, &["missing: could not open: ", "\n"]);
    desk.refuses_in_parts(
        "data inspect missing",
        1,
        &["missing: could not open: ", "\n"],
    );
}

#[test]
fn rejects_an_empty_file() {
    refuses_images(b"", "an empty file, expected an IDX file");
}

#[test]
fn rejects_a_folder_in_place_of_a_file() {
    let desk = Desk::with(&EasySet::default());
    desk.remove(IMAGES);
    fs::create_dir(desk.path(IMAGES)).expect("creating a folder");
    desk.refuses(
        TRAIN,
        1,
        &format!("{IMAGES}: a folder, expected an IDX file"),
    );
}

#[test]
fn rejects_damaged_compressed_data_under_a_raw_name() {
    let hint = refuses_images(
        &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0],
        "a stream that was cut short, expected a complete gzip stream",
    );
    assert!(hint.is_some_and(|hint| hint.contains("download or copy")));
}

#[test]
fn rejects_another_format() {
    refuses_images(b"\x89PNG\r\n\x1a\n", "a PNG picture, expected an IDX file");
}

#[test]
fn rejects_an_unknown_element_type() {
    let mut bytes = EasySet::default().images("train");
    bytes[2] = 0x0a;
    refuses_images(
        &bytes,
        "element type 0a, expected 08 (u8), 09 (i8), 0b (i16), 0c (i32), 0d (f32) or 0e (f64)",
    );
}

#[test]
fn rejects_invalid_dimensions() {
    for (sizes, message) in [
        (&[][..], "0 dimensions, expected 1 to 4"),
        (&[1; 5], "5 dimensions, expected 1 to 4"),
        (&[200, 0, 3], "dimension 2 is 0, expected at least 1"),
        (&[0, 3, 3], "dimension 1 is 0, expected at least 1"),
        // 2³² − 1 to the fourth power is beyond 64 bits.
        (
            &[u32::MAX; 4],
            "dimensions [4294967295, 4294967295, 4294967295, 4294967295] multiply to more bytes \
             than a machine addresses, expected a product that fits",
        ),
    ] {
        refuses_images(&idx(Element::U8, sizes, &[7]), message);
    }
}

#[test]
fn a_header_for_gigabytes_allocates_nothing() {
    refuses_images(
        &idx(Element::F64, &[u32::MAX, 3], &[0; 24]),
        "36 bytes, expected 103079215092 for dimensions [4294967295, 3]",
    );
}

#[test]
fn rejects_a_file_that_is_a_byte_too_short_or_too_long() {
    // 16 bytes of header and 200 · 3 · 3 of pixels.
    let mut bytes = EasySet::default().images("train");
    assert_eq!(bytes.len(), 1816);
    bytes.pop();
    let hint = refuses_images(
        &bytes,
        "1815 bytes, expected 1816 for dimensions [200, 3, 3]",
    );
    assert!(hint.is_some_and(|hint| hint.contains("cut short")));
    bytes.extend([0, 0]);
    let hint = refuses_images(
        &bytes,
        "1817 bytes, expected 1816 for dimensions [200, 3, 3]",
    );
    assert!(hint.is_some_and(|hint| hint.contains("after the data")));
}

#[test]
fn rejects_a_truncated_header() {
    let valid = EasySet::default().images("train");
    for length in 1..=16 {
        let desk = desk_with(IMAGES, &valid[..length]);
        let found = format!("{IMAGES}: {length} bytes, expected ");
        desk.refuses_in_parts(&format!("data inspect {IMAGES}"), 1, &[&found, "\n"]);
    }
}

#[test]
fn no_byte_of_a_header_crashes_the_program() {
    let valid = EasySet::default().images("train");
    let desk = Desk::with(&EasySet::default());
    for at in 0..16 {
        for byte in [0x00, 0x01, 0x7f, 0x80, 0xff] {
            let mut bytes = valid.clone();
            bytes[at] = byte;
            desk.put(IMAGES, &bytes);
            let inspect = format!("data inspect {IMAGES}");
            if bytes == valid {
                desk.run(&inspect).done();
            } else {
                desk.refuses_in_parts(&inspect, 1, &[IMAGES, ": ", ", expected ", "\n"]);
            }
        }
    }
}

#[test]
fn rejects_a_label_count_that_differs_from_the_image_count() {
    for count in [199, 201] {
        let desk = desk_with(LABELS, &labels(&vec![1; count]));
        desk.refuses(
            TRAIN,
            1,
            &format!("{LABELS}: {count} labels, expected 200, one for each row of {IMAGES}"),
        );
    }
}

#[test]
fn rejects_a_label_beyond_the_classes_flag() {
    let mut classes = EasySet::default().classes_of("train");
    classes[31] = 12;
    let desk = desk_with(LABELS, &labels(&classes));
    let run = desk.refuses(
        "train --data set --epochs 1 --classes 10",
        1,
        &format!("{LABELS}: row 31 has label 12, expected 0 to 9"),
    );
    assert!(run.hint().contains("--classes 13"), "{run:#?}");
    // Following the hint works.
    desk.run("train --data set --epochs 1 --classes 13").done();
}

#[test]
fn rejects_a_test_label_beyond_the_training_classes() {
    let mut classes = EasySet::default().classes_of("t10k");
    classes[59] = 4;
    let desk = desk_with(TEST_LABELS, &labels(&classes));
    let run = desk.refuses(
        TRAIN,
        1,
        &format!("{TEST_LABELS}: row 59 has label 4, expected 0 to 3"),
    );
    assert!(run.hint().contains("--classes 5"), "{run:#?}");
}

#[test]
fn rejects_labels_that_are_not_classes() {
    let (swapped, numbers) = (
        "are the image and label files swapped?",
        "--task regression",
    );
    let mut negative = vec![1; 200];
    negative[3] = -1;
    let bytes_of = |element: Element, numbers: &[i32]| {
        let number = |&number: &i32| element.bytes(f64::from(number));
        let elements: Vec<u8> = numbers.iter().flat_map(number).collect();
        idx(element, &[200], &elements)
    };
    for (bytes, message, hint) in [
        (
            bytes_of(Element::I8, &negative),
            "row 3 has label -1, expected 0 to 1048575",
            numbers,
        ),
        (
            bytes_of(Element::I32, &[1 << 20; 200]),
            "row 0 has label 1048576, expected 0 to 1048575",
            numbers,
        ),
        (
            bytes_of(Element::F32, &[1; 200]),
            "labels of type f32, expected an integer type",
            numbers,
        ),
        (
            EasySet::default().images("train"),
            "labels of dimensions [200, 3, 3], expected one label a row",
            swapped,
        ),
    ] {
        let run = desk_with(LABELS, &bytes).refuses(TRAIN, 1, &format!("{LABELS}: {message}"));
        assert!(run.hint().contains(hint), "{run:#?}");
    }
}

#[test]
fn rejects_test_samples_of_another_width() {
    let other = EasySet {
        item: &[2, 3],
        ..EasySet::default()
    };
    let desk = desk_with(TEST_IMAGES, &other.images("t10k"));
    desk.refuses(
        TRAIN,
        1,
        &format!("{TEST_IMAGES}: 6 features a row, expected 9, as in {IMAGES}"),
    );
}

/// Returns float images in which feature 3 of sample 7 is `number`.
fn images_with(number: f64, half: &str) -> Vec<u8> {
    let mut bytes = EasySet::of(Element::F32).images(half);
    let at = 16 + 4 * (7 * 9 + 3);
    bytes[at..at + 4].copy_from_slice(&Element::F32.bytes(number));
    bytes
}

#[test]
fn rejects_training_inputs_that_are_not_finite() {
    let images = "set/train-images-idx3-float";
    for (number, text) in [
        (f64::NAN, "NaN"),
        (f64::INFINITY, "inf"),
        (f64::NEG_INFINITY, "-inf"),
    ] {
        let desk = Desk::with(&EasySet::of(Element::F32));
        desk.put(images, &images_with(number, "train"));
        for scale in ["unit", "standard", "standard-global", "none"] {
            desk.refuses(
                &format!("{TRAIN} --scale {scale}"),
                1,
                &format!("{images}: row 7, feature 3 is {text}, expected finite numbers"),
            );
        }
        assert!(!desk.has("runs/train-1"), "an empty run folder is left");
    }
}

#[test]
fn rejects_test_inputs_that_are_not_finite() {
    let images = "set/t10k-images-idx3-float";
    let desk = Desk::with_model(&EasySet::of(Element::F32));
    desk.put(images, &images_with(f64::NAN, "t10k"));
    let message = format!("{images}: row 7, feature 3 is NaN, expected finite numbers");
    desk.refuses(TRAIN, 1, &message);
    desk.refuses("eval model/model.safetensors --data set", 1, &message);
    desk.refuses(
        &format!("predict model/model.safetensors {images}"),
        1,
        &message,
    );
}

#[test]
fn numbers_that_only_64_bits_can_hold_are_called_too_large() {
    let desk = Desk::empty();
    let wide = |values: &[f64]| -> Vec<u8> {
        values
            .iter()
            .flat_map(|value| value.to_be_bytes())
            .collect()
    };
    let mut values = [0.5; 6];
    desk.put("y", &idx(Element::F64, &[6], &wide(&values)));
    desk.put("x", &idx(Element::F64, &[6, 1], &wide(&values)));
    for (value, found, expected) in [
        (
            1e302,
            "1e302",
            "at most 3.4e38 in size, the largest number of 32 bits",
        ),
        (f64::INFINITY, "inf", "finite numbers"),
    ] {
        values[4] = value;
        desk.put("large", &idx(Element::F64, &[6, 1], &wide(&values)));
        let train = "train --task regression --epochs 1";
        desk.refuses(
            &format!("{train} --train-images large --train-labels y"),
            1,
            &format!("large: row 4, feature 0 is {found}, expected {expected}"),
        );
        let expected = expected.replace("finite numbers", "a finite number");
        desk.refuses(
            &format!("{train} --train-images x --train-labels large"),
            1,
            &format!("large: row 4 has {found} at 0, expected {expected}"),
        );
    }
}
