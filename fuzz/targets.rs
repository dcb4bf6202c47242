//! What is done with hostile bytes: one function a kind of file, which may refuse them and must not panic; it
//! gives whether they were accepted.
//!
//! What is accepted is used too, as the program would. `fuzz_targets/` hands these to libFuzzer; `tests/hostile_files.rs`
//! runs them in the ordinary suite, over `seeds/`, over `found/` and over damaged copies of both.

#![allow(dead_code, reason = "each fuzz target takes one")]

use std::io;
use std::path::Path;

use perceptor::bench::Record;
use perceptor::bench::compare::compare;
use perceptor::data::mmap::Bytes;
use perceptor::data::{IdxFile, Scaling};
use perceptor::export::pytorch::{self, Untold};
use perceptor::export::{c_header, npz, onnx};
use perceptor::nn::Activation;
use perceptor::report::{benchmark, inspection};
use perceptor::{Model, data};

/// A target's name, which is that of its folder of seeds, and what it does.
pub type Target = (&'static str, fn(&[u8]) -> bool);

pub const TARGETS: [Target; 5] = [
    ("idx", idx),
    ("gzip", gzip),
    ("model", model),
    ("pytorch", imported),
    ("record", record),
];

/// An IDX file of items or labels.
pub fn idx(bytes: &[u8]) -> bool {
    let bytes = Bytes::Owned(bytes.to_vec());
    let file = IdxFile::from_bytes(Path::new("idx"), bytes);
    file.is_ok_and(|file| use_items(&file))
}

/// An IDX file inside a gzip stream.
pub fn gzip(bytes: &[u8]) -> bool {
    let file = IdxFile::from_gzip(Path::new("idx.gz"), bytes);
    file.is_ok_and(|file| use_items(&file))
}

fn use_items(file: &IdxFile) -> bool {
    let header = file.header();
    assert_eq!(
        file.payload().len(),
        header.items() * header.features() * header.element().size()
    );
    let mut row = vec![0.0; header.features()];
    file.read(0, &mut row);
    file.read(header.items() - 1, &mut row);
    let labels = data::dataset::read_labels(file);
    let out = &mut io::sink();
    inspection::write_header(out, file).expect("a sink takes all");
    inspection::write_items(out, file, labels.as_deref().ok(), &[0], 80).expect("a sink takes all");
    true
}

/// A model file; what is read comes back from what is written.
pub fn model(bytes: &[u8]) -> bool {
    let Ok(model) = Model::from_bytes(Path::new("model"), bytes) else {
        return false;
    };
    use_model(&model);
    onnx::to_bytes(&model).expect("a small model");
    npz::write(&model, &mut io::sink()).expect("a sink takes all");
    c_header::write(&model, "m", &mut io::sink()).expect("a sink takes all");
    true
}

/// A file for `nn.Sequential`, with and without being told what it may not say.
pub fn imported(bytes: &[u8]) -> bool {
    let path = Path::new("net");
    let told = Untold {
        activation: Some(Activation::Relu),
        scaling: Some(Scaling {
            offset: 0.0,
            factor: 1.0,
        }),
    };
    let mut accepted = false;
    for untold in [Untold::default(), told] {
        if let Ok(model) = pytorch::from_bytes(path, bytes, &untold) {
            use_model(&model);
            let again = pytorch::from_bytes(path, &pytorch::to_bytes(&model), &Untold::default());
            assert_eq!(again.expect("what we wrote"), model);
            accepted = true;
        }
    }
    accepted
}

fn use_model(model: &Model) {
    let again = Model::from_bytes(Path::new("model"), &model.to_bytes());
    assert_eq!(again.expect("what we wrote"), *model);
}

/// A record of `perceptor bench`.
pub fn record(bytes: &[u8]) -> bool {
    let Ok(mut record) = Record::from_bytes(Path::new("record"), bytes) else {
        return false;
    };
    record.comparison = compare("record", &record, &record).ok();
    let out = &mut io::sink();
    benchmark::write_text(out, &record).expect("a sink takes all");
    benchmark::write_markdown(out, &record).expect("a sink takes all");
    benchmark::write_json(out, &record).expect("a sink takes all");
    true
}
