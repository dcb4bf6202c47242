//! Model files that are damaged, of another format, or do not match the data: `eval` and `predict` refuse them with the
//! same message.

use std::collections::HashMap;
use std::fs;

use safetensors::Dtype;
use safetensors::tensor::TensorView;

use crate::desk::Desk;
use crate::idx_set::{EasySet, labels};

const MODEL: &str = "model/model.safetensors";

fn assert_both_refuse(desk: &Desk, parts: &[&str]) {
    let place = format!("{MODEL}: ");
    let parts = [&[place.as_str()], parts].concat();
    for command in [
        format!("eval {MODEL} --data set"),
        format!("predict {MODEL} set/t10k-images-idx3-ubyte"),
    ] {
        desk.refuses_in_parts(&command, 1, &parts);
    }
}

#[test]
fn rejects_a_model_that_does_not_exist() {
    assert_both_refuse(
        &Desk::with(&EasySet::default()),
        &["could not open: ", "\n"],
    );
}

#[test]
fn rejects_a_folder_in_place_of_a_model() {
    let desk = Desk::with(&EasySet::default());
    fs::create_dir_all(desk.path(MODEL)).expect("creating a folder");
    assert_both_refuse(&desk, &["a folder, expected a model file\n"]);
}

#[test]
fn rejects_a_model_that_is_empty_or_truncated() {
    let desk = Desk::with_model(&EasySet::default());
    let valid = desk.read(MODEL);
    let header = 8 + u64::from_le_bytes(*valid.first_chunk().expect("a length")) as usize;
    for length in [
        0,
        1,
        7,
        8,
        9,
        header / 2,
        header,
        header + 3,
        valid.len() - 1,
    ] {
        desk.put(MODEL, &valid[..length]);
        assert_both_refuse(&desk, &[", expected a safetensors file\n"]);
    }
}

#[test]
fn no_byte_of_a_header_crashes_the_program() {
    let desk = Desk::with_model(&EasySet::default());
    let valid = desk.read(MODEL);
    let header = 8 + u64::from_le_bytes(*valid.first_chunk().expect("a length")) as usize;
    let predict = format!("predict {MODEL} set/t10k-images-idx3-ubyte --limit 1");
    // Every byte of the length, and every seventh byte of the header.
    for at in (0..8).chain((8..header).step_by(7)) {
        let mut bytes = valid.clone();
        bytes[at] = bytes[at].wrapping_add(1);
        desk.put(MODEL, &bytes);
        let run = desk.run(&predict);
        // A changed digit of a setting may be valid; every other change is refused.
        match run.code {
            Some(0) => assert_eq!(run.stderr, "", "byte {at}: {run:#?}"),
            _ => {
                let _ = desk.refuses_in_parts(&predict, 1, &["", ": ", ", expected ", "\n"]);
            }
        }
    }
}

#[test]
fn rejects_a_file_of_another_format() {
    let desk = Desk::with_model(&EasySet::default());
    for bytes in [
        &b"PK\x03\x04 a model of some other framework"[..],
        &EasySet::default().images("train"),
        &[0xff; 64],
        &[0; 64],
    ] {
        desk.put(MODEL, bytes);
        assert_both_refuse(&desk, &[", expected a safetensors file\n"]);
    }
}

#[test]
fn rejects_the_model_of_another_program() {
    let desk = Desk::with_model(&EasySet::default());
    let weights = [0; 16];
    let tensor = TensorView::new(Dtype::F32, vec![2, 2], &weights).expect("a tensor");
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    let bytes = safetensors::serialize([("fc1.weight", tensor)], Some(metadata));
    desk.put(MODEL, &bytes.expect("a file"));
    assert_both_refuse(
        &desk,
        &["no metadata under the key perceptor, expected a model that perceptor wrote\n"],
    );
}

#[test]
fn rejects_a_weight_that_is_nan() {
    let desk = Desk::with_model(&EasySet::default());
    let mut bytes = desk.read(MODEL);
    let end = bytes.len();
    bytes[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    desk.put(MODEL, &bytes);
    // The last tensor holds the weights from 8 units to 4 classes.
    assert_both_refuse(
        &desk,
        &["layers.1.weight: element 31 is NaN, expected finite numbers\n"],
    );
}

#[test]
fn rejects_data_of_another_width_than_the_model() {
    let desk = Desk::with_model(&EasySet::default());
    let other = EasySet {
        item: &[4, 4],
        ..EasySet::default()
    };
    other.write(&desk.path("set"));
    let images = "set/t10k-images-idx3-ubyte";
    let message = format!("{images}: 16 features a row, expected 9, the inputs of the model");
    desk.refuses(&format!("eval {MODEL} --data set"), 1, &message);
    desk.refuses(&format!("predict {MODEL} {images}"), 1, &message);
}

#[test]
fn rejects_a_label_beyond_the_classes_of_the_model() {
    let desk = Desk::with_model(&EasySet::default());
    let mut classes = EasySet::default().classes_of("t10k");
    classes[2] = 9;
    let name = "set/t10k-labels-idx1-ubyte";
    desk.put(name, &labels(&classes));
    let message = format!("{name}: row 2 has label 9, expected 0 to 3");
    let run = desk.refuses(&format!("eval {MODEL} --data set"), 1, &message);
    assert!(run.hint().contains("--classes 10"), "{run:#?}");
}

#[test]
fn rejects_a_set_without_test_files() {
    let desk = Desk::with_model(&EasySet::default());
    desk.remove("set/t10k-images-idx3-ubyte");
    desk.remove("set/t10k-labels-idx1-ubyte");
    let message = "set: no test images, expected t10k-images-idx3-ubyte or test-images-idx3-ubyte (or with .gz)";
    let run = desk.refuses(&format!("eval {MODEL} --data set"), 1, message);
    assert!(run.hint().contains("--test-images"), "{run:#?}");
}
