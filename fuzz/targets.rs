//! Fuzz targets: one function per kind of file, which may refuse any bytes but must not panic. It returns whether the bytes
//! were accepted.
//!
//! Accepted bytes are also used as the program would use them. `fuzz_targets/` passes these functions to libFuzzer;
//! `tests/hostile_files.rs` runs them in the ordinary suite, over `seeds/`, `found/`, and damaged copies of `seeds/`.

#![allow(dead_code, reason = "each fuzz target uses one function")]

use std::fs;
use std::io;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::LazyLock;

use perceptor::bench::compare::compare;
use perceptor::bench::engine_table::Load;
use perceptor::bench::{EngineTable, Record};
use perceptor::compute::EngineChoice;
use perceptor::compute::parallel::Workers;
use perceptor::data::class_names::ClassNames;
use perceptor::data::mmap::Bytes;
use perceptor::data::{Dataset, IdxFile, Rows, Scaling, Splits, Targets};
use perceptor::datasets::convert::{
    Background, Color, LabelFile, Labels, PictureOptions, Request, convert,
};
use perceptor::export::pytorch;
use perceptor::export::{c_header, npz, onnx};
use perceptor::import::{self, NormPlace, Supplied};
use perceptor::ndarray::{arr1, arr2};
use perceptor::nn::Task;
use perceptor::nn::{Activation, Spec};
use perceptor::report::bench::BenchReport;
use perceptor::report::inspect::InspectReport;
use perceptor::run::{Checkpoint, Settings};
use perceptor::train::{Training, Unsupervised};
use perceptor::{Error, Model, TrainConfig, data};

/// The name of a target, which is also that of its folder of seeds, and its function.
pub type Target = (&'static str, fn(&[u8]) -> bool);

pub const TARGETS: [Target; 10] = [
    ("idx", idx),
    ("gzip", gzip),
    ("model", model),
    ("pytorch", imported),
    ("checkpoint", checkpoint),
    ("config", config),
    ("record", record),
    ("engines", engines),
    ("convert", converted),
    ("pictures", pictures),
];

/// Reads an IDX file of samples or labels.
pub fn idx(bytes: &[u8]) -> bool {
    let bytes = Bytes::Owned(bytes.to_vec());
    let file = IdxFile::from_bytes(Path::new("idx"), bytes);
    file.is_ok_and(use_items)
}

/// Reads an IDX file inside a gzip stream.
pub fn gzip(bytes: &[u8]) -> bool {
    let file = IdxFile::from_gzip(Path::new("idx.gz"), bytes);
    file.is_ok_and(use_items)
}

fn use_items(file: IdxFile) -> bool {
    let header = file.header();
    assert_eq!(
        file.payload().len(),
        header.items() * header.features() * header.element().size()
    );
    let mut row = vec![0.0; header.features()];
    file.read(0, &mut row);
    file.read(header.items() - 1, &mut row);
    let out = &mut io::sink();
    let read = |task| Targets::read(&file, task, None).ok();
    let targets = Task::ALL.map(read);
    let rows = Rows::from(file);
    rows.read(rows.len() - 1, &mut row);
    for targets in targets {
        let report = InspectReport {
            half: targets.as_ref().map(|_| "training"),
            rows: &rows,
            targets: targets.as_ref(),
            names: None,
            samples: 0..1,
        };
        report.write_text(out, 80).expect("writing to a sink");
    }
    true
}

/// Reads a model file, writes it in every format, and reads it back.
pub fn model(bytes: &[u8]) -> bool {
    let Ok(model) = Model::from_bytes(Path::new("model"), bytes) else {
        return false;
    };
    use_model(&model);
    onnx::to_bytes(&model).expect("a small model");
    npz::write(&model, &mut io::sink()).expect("writing to a sink");
    c_header::write(&model, "m", &mut io::sink()).expect("writing to a sink");
    true
}

/// Imports a file of `nn.Sequential`, with and without flags for what it may not record.
pub fn imported(bytes: &[u8]) -> bool {
    let path = Path::new("net");
    let given = Supplied {
        activation: Some(Activation::Relu),
        scaling: Some(Scaling::IDENTITY),
        task: Some(Task::Regression),
        batch_norm: Some(NormPlace::Before),
        ..Supplied::default()
    };
    let mut accepted = false;
    for supplied in [Supplied::default(), given] {
        if let Ok(imported) = import::from_bytes(path, bytes, &supplied) {
            use_model(&imported.model);
            let model = imported.model.folded();
            let again = import::from_bytes(path, &pytorch::to_bytes(&model), &Supplied::default());
            // A folded weight may be infinite.
            if model.parameters.iter().all(|weight| weight.is_finite()) {
                assert_eq!(again.expect("a file just written").model, *model);
            }
            accepted = true;
        }
    }
    accepted
}

fn use_model(model: &Model) {
    let again = Model::from_bytes(Path::new("model"), &model.to_bytes());
    assert_eq!(again.expect("a file just written"), *model);
}

/// Reads a checkpoint, with its own checksum and with the correct one, and resumes a run of four samples from it.
pub fn checkpoint(bytes: &[u8]) -> bool {
    let path = Path::new("checkpoint");
    let read = Checkpoint::from_bytes(path, bytes);
    let accepted = read.is_ok();
    // An attacker would compute the checksum; a fuzzer cannot find it.
    let read = read.or_else(|error| match with_correct_checksum(bytes, &error) {
        Some(corrected) => Checkpoint::from_bytes(path, &corrected),
        None => Err(error),
    });
    if let Ok(checkpoint) = read {
        use_checkpoint(checkpoint);
    }
    accepted
}

/// Returns the bytes with their correct checksum, if a wrong one is all that `error` reports.
fn with_correct_checksum(bytes: &[u8], error: &Error) -> Option<Vec<u8>> {
    let Error::Checkpoint(refusal) = error else {
        return None;
    };
    let (found, expected) = (refusal.found.to_string(), refusal.expected.to_string());
    let correct = found.strip_prefix("content with checksum ")?;
    let recorded = expected.strip_suffix(", as when it was written")?;
    // Quotes inside the metadata's string are escaped.
    let [recorded, correct] =
        [recorded, correct].map(|sum| format!(r#"checksum\":\"{sum}\""#).into_bytes());
    let at = bytes
        .windows(recorded.len())
        .position(|some| some == recorded);
    let (before, after) = bytes.split_at(at?);
    (recorded.len() == correct.len()).then(|| [before, &correct, &after[correct.len()..]].concat())
}

fn use_checkpoint(checkpoint: Checkpoint) {
    let again = Checkpoint::from_bytes(Path::new("checkpoint"), &checkpoint.to_bytes());
    assert_eq!(again.expect("a file just written"), checkpoint);
    static RUN: LazyLock<(Workers, Splits)> = LazyLock::new(|| {
        let workers = Workers::new(NonZeroUsize::MIN).expect("a thread");
        let x = arr2(&[
            [9.0, 0.0, 0.0],
            [0.0, 9.0, 0.0],
            [0.0, 0.0, 9.0],
            [5.0, 5.0, 5.0],
        ]);
        let labels = Targets::classes(arr1(&[0u8, 1, 1, 0]).view(), 2).expect("labels");
        let train = Dataset::from_rows(x.view(), labels).expect("a data set");
        let splits = Splits::new(train, None, None);
        (workers, splits.expect("one set"))
    });
    let (workers, data) = &*RUN;
    let config = TrainConfig {
        hidden: vec![2],
        batch_size: 2,
        epochs: 1 + checkpoint.state.epochs.len(),
        engine: EngineChoice::Portable,
        ..TrainConfig::default()
    };
    let config = config.check().expect("valid settings");
    let training = Training {
        config: &config,
        data,
        schema: None,
        workers,
        profiled: false,
        from: Some(checkpoint.state),
    };
    // The bytes decide whether the run is refused, diverges or finishes; none of these may panic.
    drop(training.run(&mut Unsupervised, &mut |_| {}));
}

/// Reads the settings of a run, writes them, and reads them back.
pub fn config(bytes: &[u8]) -> bool {
    let path = Path::new("config.toml");
    let settings = Settings::from_bytes(path, bytes);
    // Settings out of range are refused before anything is written.
    let Some(settings) = settings.ok().filter(|s| s.train.clone().check().is_ok()) else {
        return false;
    };
    let again = Settings::from_bytes(path, settings.to_text().as_bytes());
    assert_eq!(again.expect("a file just written"), settings);
    true
}

/// Reads a record of `perceptor bench` and writes it in every format.
pub fn record(bytes: &[u8]) -> bool {
    let Ok(mut record) = Record::from_bytes(Path::new("record"), bytes) else {
        return false;
    };
    record.comparison = compare("record", &record, &record).ok();
    let out = &mut io::sink();
    let report = BenchReport::new(&record);
    report.write_text(out).expect("writing to a sink");
    report.write_markdown(out).expect("writing to a sink");
    report.write_json(out).expect("writing to a sink");
    true
}

/// Reads a table of engines and chooses from it.
pub fn engines(bytes: &[u8]) -> bool {
    let Some(table) = EngineTable::from_bytes(bytes) else {
        return false;
    };
    let spec = Spec::new(784, &[100], 10, Activation::Relu).expect("a network");
    let load = Load::dense(&spec, 32);
    for estimate in table.estimates(&load) {
        assert!(!estimate.seconds_per_sample.is_nan(), "{estimate:?}");
    }
    table.choose(&load);
    true
}

/// Converts a CSV, NPY or NPZ file to IDX, and reads the resulting data set.
pub fn converted(bytes: &[u8]) -> bool {
    let place = tempfile::tempdir().expect("a temporary folder");
    let source = place.path().join("source");
    fs::write(&source, bytes).expect("writing the source");
    let labels = match bytes {
        [0x93, ..] => Labels::Absent,
        [b'P', b'K', ..] => Labels::Auto,
        _ => Labels::In("-1".to_owned()),
    };
    use_converted(Request {
        source,
        labels,
        out: place.path().join("set"),
        ..Request::default()
    })
}

/// Converts a PNG file in each of two classes.
pub fn pictures(bytes: &[u8]) -> bool {
    let place = tempfile::tempdir().expect("a temporary folder");
    let source = place.path().join("source");
    for class in ["a", "b"] {
        let folder = source.join(class);
        fs::create_dir_all(&folder).expect("creating a folder");
        fs::write(folder.join("1.png"), bytes).expect("writing a picture");
    }
    use_converted(Request {
        source,
        out: place.path().join("set"),
        pictures: PictureOptions {
            color: Some(Color::Grey),
            background: Some(Background::Black),
            invert: true,
        },
        ..Request::default()
    })
}

fn use_converted(request: Request) -> bool {
    let Ok(converted) = convert(&request, &mut |_| {}) else {
        // A failed conversion leaves no files.
        assert!(fs::read_dir(&request.out).map_or(0, Iterator::count) == 0);
        return false;
    };
    for file in &converted.files {
        match file.ends_with("classes.txt") {
            true => drop(ClassNames::read(file).expect("a file just written")),
            false => drop(IdxFile::open(file).expect("a file just written")),
        }
    }
    if let LabelFile::Classes(classes) = converted.labels {
        let files = data::folder::find(&request.out).expect("a file just written");
        let splits = Splits::open(&files, None).expect("a file just written");
        assert_eq!(splits.train.outputs(), classes);
    }
    true
}
