//! Model files that are damaged, are something else, or do not fit the data: `eval` and `predict` refuse both
//! in the same words.

use std::collections::HashMap;
use std::fs;

use safetensors::Dtype;
use safetensors::tensor::TensorView;

use crate::desk::Desk;
use crate::idx_set::{EasySet, labels};

const MODEL: &str = "model/model.safetensors";

fn refuse_both(desk: &Desk, parts: &[&str]) {
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
fn rejects_a_model_that_is_not_there() {
    refuse_both(
        &Desk::with(&EasySet::default()),
        &["could not open: ", "\n"],
    );
}

#[test]
fn rejects_a_folder_where_a_model_should_be() {
    let desk = Desk::with(&EasySet::default());
    fs::create_dir_all(desk.path(MODEL)).expect("creating a folder");
    refuse_both(&desk, &["a folder, expected a model file\n"]);
}

#[test]
fn rejects_a_model_that_is_empty_or_cut_anywhere() {
    let desk = Desk::with_model(&EasySet::default());
    let whole = desk.read(MODEL);
    let header = 8 + u64::from_le_bytes(*whole.first_chunk().expect("a length")) as usize;
    for length in [
        0,
        1,
        7,
        8,
        9,
        header / 2,
        header,
        header + 3,
        whole.len() - 1,
    ] {
        desk.put(MODEL, &whole[..length]);
        refuse_both(&desk, &[", expected a safetensors file\n"]);
    }
}

#[test]
fn no_byte_of_a_header_can_crash_it() {
    let desk = Desk::with_model(&EasySet::default());
    let whole = desk.read(MODEL);
    let header = 8 + u64::from_le_bytes(*whole.first_chunk().expect("a length")) as usize;
    let predict = format!("predict {MODEL} set/t10k-images-idx3-ubyte --limit 1");
    // Every byte of the length, and a few of each name and number of the text behind it.
    for at in (0..8).chain((8..header).step_by(7)) {
        let mut bytes = whole.clone();
        bytes[at] = bytes[at].wrapping_add(1);
        desk.put(MODEL, &bytes);
        let run = desk.run(&predict);
        // A digit of a setting is as good as another; everything else is refused.
        match run.code {
            Some(0) => assert_eq!(run.stderr, "", "byte {at}: {run:#?}"),
            _ => {
                let _ = desk.refuses_in_parts(&predict, 1, &["", ": ", ", expected ", "\n"]);
            }
        }
    }
}

#[test]
fn rejects_what_is_no_safetensors_file() {
    let desk = Desk::with_model(&EasySet::default());
    for bytes in [
        &b"PK\x03\x04 a model of some other framework"[..],
        &EasySet::default().images("train"),
        &[0xff; 64],
        &[0; 64],
    ] {
        desk.put(MODEL, bytes);
        refuse_both(&desk, &[", expected a safetensors file\n"]);
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
    refuse_both(
        &desk,
        &["no metadata under the key perceptor, expected a model that perceptor wrote\n"],
    );
}

#[test]
fn rejects_a_weight_that_is_no_number() {
    let desk = Desk::with_model(&EasySet::default());
    let mut bytes = desk.read(MODEL);
    let end = bytes.len();
    bytes[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    desk.put(MODEL, &bytes);
    // The last tensor are the weights of 8 units into 4 classes.
    refuse_both(
        &desk,
        &["layers.1.weight: element 31 is NaN, expected finite numbers\n"],
    );
}

#[test]
fn rejects_items_of_another_width_than_the_model_takes() {
    let desk = Desk::with_model(&EasySet::default());
    let other = EasySet {
        item: &[4, 4],
        ..EasySet::default()
    };
    other.write(&desk.path("set"));
    let images = "set/t10k-images-idx3-ubyte";
    let message = format!("{images}: 16 features an item, expected 9, the inputs of the model");
    desk.refuses(&format!("eval {MODEL} --data set"), 1, &message);
    desk.refuses(&format!("predict {MODEL} {images}"), 1, &message);
}

#[test]
fn rejects_a_class_that_the_model_does_not_know() {
    let desk = Desk::with_model(&EasySet::default());
    let mut classes = EasySet::default().classes_of("t10k");
    classes[2] = 9;
    let name = "set/t10k-labels-idx1-ubyte";
    desk.put(name, &labels(&classes));
    let message = format!("{name}: item 2 has label 9, expected 0..4");
    let run = desk.refuses(&format!("eval {MODEL} --data set"), 1, &message);
    assert!(run.hint().contains("--classes 10"), "{run:#?}");
}

#[test]
fn says_that_there_is_nothing_to_measure_on() {
    let desk = Desk::with_model(&EasySet::default());
    desk.remove("set/t10k-images-idx3-ubyte");
    desk.remove("set/t10k-labels-idx1-ubyte");
    let message = "set: no test files, expected t10k-… or test-…";
    let run = desk.refuses(&format!("eval {MODEL} --data set"), 1, message);
    assert!(run.hint().contains("--test-images"), "{run:#?}");
}
