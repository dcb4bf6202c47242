//! What a set is compared with: the elements and classes that a model or the training set has.

use crate::desk::{Desk, number};
use crate::idx_set::{EasySet, Element, idx, labels};

const MODEL: &str = "model/model.safetensors";

/// Returns a set of pictures of all bytes from 0 to 255.
fn bytes() -> EasySet {
    EasySet {
        item: &[4, 4],
        noise: 0.5,
        ..EasySet::default()
    }
}

/// Writes the training and test pictures of [`bytes`] to the folder `name`, as floats divided by `divisor`.
fn put_floats(desk: &Desk, name: &str, divisor: f64) {
    std::fs::create_dir_all(desk.path(name)).expect("a folder");
    for (half, items) in [("train", 200), ("t10k", 60)] {
        let pictures = bytes().images(half);
        let pixels = &pictures[16..];
        let elements = pixels.iter().map(|&byte| f64::from(byte) / divisor);
        let elements: Vec<u8> = elements.flat_map(|x| Element::F32.bytes(x)).collect();
        let file = idx(Element::F32, &[items, 4, 4], &elements);
        desk.put(&format!("{name}/{half}-images-idx3-float"), &file);
        let file = format!("{name}/{half}-labels-idx1-ubyte");
        desk.put(&file, &bytes().labels(half));
    }
}

/// Trains on the folder `set` for long enough to classify everything.
fn train(desk: &Desk, set: &str, flags: &str) {
    desk.run(&format!(
        "train --data {set} --hidden 8 --epochs 30 {flags} --out model --quiet"
    ))
    .done();
}

fn warnings(stderr: &str) -> Vec<&str> {
    stderr
        .lines()
        .filter(|line| line.starts_with("warning: "))
        .collect()
}

#[test]
fn the_same_pictures_in_another_range_are_reported() {
    for scale in ["unit", "standard", "standard-global"] {
        let desk = Desk::with(&bytes());
        put_floats(&desk, "floats", 255.0);
        train(&desk, "set", &format!("--scale {scale}"));
        let run = desk.run(&format!("eval {MODEL} --data set --format json"));
        assert!(number(&run.done().json()["accuracy"]) > 0.9, "{run:#?}");
        assert_eq!(run.stderr, "", "{run:#?}");
        let text = "floats/t10k-images-idx3-float: elements from 0 to 1 (f32), far narrower than 0 to 255 (u8) in the \
                    training set of the model; without the same preparation, predictions mean little";
        let run = desk.run(&format!("eval {MODEL} --data floats --format json"));
        assert_eq!(warnings(&run.done().stderr), [format!("warning: {text}")]);
        assert_eq!(run.json()["notes"], serde_json::json!([text]));
        let run = desk.run(&format!("predict {MODEL} floats/t10k-images-idx3-float"));
        assert_eq!(warnings(&run.done().stderr), [format!("warning: {text}")]);
        let run = desk.run(&format!(
            "eval {MODEL} --test-images floats/t10k-images-idx3-float --test-labels floats/t10k-labels-idx1-ubyte"
        ));
        assert_eq!(warnings(&run.done().stderr), [format!("warning: {text}")]);
    }
    // The other direction, and inputs from −1 to 1.
    let desk = Desk::with(&bytes());
    put_floats(&desk, "floats", 255.0);
    train(&desk, "floats", "");
    let run = desk.run(&format!("eval {MODEL} --data set"));
    let text = "warning: set/t10k-images-idx3-ubyte: elements from 0 to 255 (u8), far outside of 0 to 1 (f32) in the \
                training set of the model; without the same preparation, predictions mean little";
    assert_eq!(warnings(&run.done().stderr), [text]);
    let run = desk.run(&format!("model show {MODEL}"));
    let line = "          trained on elements from 0 to 1 (f32)\n";
    assert!(run.done().stdout.contains(line), "{run:#?}");
}

#[test]
fn a_training_set_is_compared_with_its_own_validation_and_test_sets() {
    let desk = Desk::with(&bytes());
    put_floats(&desk, "floats", 255.0);
    let text = |set: &str| {
        format!(
            "warning: {set}: elements from 0 to 1 (f32), far narrower than 0 to 255 (u8) in the training set; without the \
             same preparation, predictions mean little"
        )
    };
    let files =
        "--train-images set/train-images-idx3-ubyte --train-labels set/train-labels-idx1-ubyte";
    let test =
        "--test-images floats/t10k-images-idx3-float --test-labels floats/t10k-labels-idx1-ubyte";
    let run = desk.run(&format!("train {files} {test} --hidden 4 --epochs 1"));
    let expected = text("floats/t10k-images-idx3-float");
    assert_eq!(
        warnings(&run.done().stderr),
        std::slice::from_ref(&expected)
    );
    let report = desk.report_of(&format!("{files} {test} --hidden 4 --epochs 1"));
    assert_eq!(
        report["notes"],
        serde_json::json!([expected.trim_start_matches("warning: ")])
    );
    let images = "floats/train-images-idx3-float";
    let validation =
        format!("--validation-images {images} --validation-labels floats/train-labels-idx1-ubyte");
    let run = desk.run(&format!(
        "train --data set {validation} --hidden 4 --epochs 1"
    ));
    assert_eq!(warnings(&run.done().stderr), [text(images)]);
    let run = desk.run(&format!(
        "tune --data set {validation} --trials 1 --epochs 1"
    ));
    assert_eq!(warnings(&run.done().stderr), [text(images)]);
    desk.remove("set/t10k-images-idx3-ubyte");
    std::fs::copy(
        desk.path("floats/t10k-images-idx3-float"),
        desk.path("set/t10k-images-idx3-float"),
    )
    .expect("a copy");
    let run = desk.run("data inspect set");
    let expected = text("set/t10k-images-idx3-float");
    assert_eq!(warnings(&run.done().stderr), [expected]);
}

#[test]
fn a_warm_start_on_another_range_is_reported_unless_it_is_scaled_anew() {
    let desk = Desk::with(&bytes());
    put_floats(&desk, "floats", 255.0);
    train(&desk, "set", "");
    let line = format!("train --data floats --init-from {MODEL} --epochs 1");
    let run = desk.run(&line);
    let found = warnings(&run.done().stderr);
    assert_eq!(found.len(), 1, "{run:#?}");
    assert!(
        found[0].starts_with(
            "warning: floats/train-images-idx3-float: elements from 0 to 1 (f32), far narrower than"
        ),
        "{run:#?}"
    );
    let run = desk.run(&format!("{line} --scale unit"));
    assert!(!run.done().stderr.contains("elements from"), "{run:#?}");
}

#[test]
fn a_model_that_does_not_know_its_elements_is_used_as_before() {
    let desk = Desk::with(&bytes());
    put_floats(&desk, "floats", 255.0);
    train(&desk, "set", "");
    let bytes = desk.read(MODEL);
    let text = String::from_utf8_lossy(&bytes);
    assert!(
        text.contains("\\\"elements\\\":{\\\"type\\\":\\\"u8\\\""),
        "{text:.2000}"
    );
    // An earlier version wrote no such key.
    let earlier = replaced(&bytes, b"\\\"elements\\\":", b"\\\"elementz\\\":");
    desk.put("earlier.safetensors", &earlier);
    let run = desk.run("eval earlier.safetensors --data floats");
    assert_eq!(run.done().stderr, "", "{run:#?}");
    let damaged = replaced(
        &bytes,
        b"\\\"type\\\":\\\"u8\\\"",
        b"\\\"type\\\":\\\"v8\\\"",
    );
    desk.put("damaged.safetensors", &damaged);
    desk.refuses_in_parts(
        "eval damaged.safetensors --data floats",
        1,
        &["damaged.safetensors: metadata: \"v8\", expected the name of an element type"],
    );
}

/// Returns `bytes` with another word of the same length.
fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let at = bytes
        .windows(from.len())
        .position(|window| window == from)
        .expect("the word");
    let mut bytes = bytes.to_vec();
    bytes[at..at + to.len()].copy_from_slice(to);
    bytes
}

/// Returns a desk with a model of the classes cat, dog and fox, and a later set of dogs and foxes in `later/`, numbered as
/// its `classes.txt` says.
fn desk_of_animals() -> Desk {
    let three = EasySet {
        classes: 3,
        ..EasySet::default()
    };
    let desk = Desk::with(&three);
    desk.put("set/classes.txt", b"cat\ndog\nfox\n");
    train(&desk, "set", "");
    let (pictures, classes) = (three.images("t10k"), three.classes_of("t10k"));
    let mut elements = Vec::new();
    let mut found = Vec::new();
    for (item, &class) in classes.iter().enumerate().filter(|(_, class)| **class > 0) {
        elements.extend(&pictures[16 + 9 * item..][..9]);
        found.push(class - 1);
    }
    std::fs::create_dir(desk.path("later")).expect("a folder");
    let count = found.len() as u32;
    desk.put(
        "later/t10k-images-idx3-ubyte",
        &idx(Element::U8, &[count, 3, 3], &elements),
    );
    desk.put("later/t10k-labels-idx1-ubyte", &labels(&found));
    desk.put("later/classes.txt", b"dog\nfox\n");
    desk
}

const LATER: &str =
    "--test-images later/t10k-images-idx3-ubyte --test-labels later/t10k-labels-idx1-ubyte";

#[test]
fn classes_are_matched_by_name_in_a_folder_and_beside_named_files() {
    let desk = desk_of_animals();
    let note = "note: later/classes.txt: classes are matched with the model by name: 0 is 1 (dog), 1 is 2 (fox)\n";
    for data in ["--data later", LATER] {
        let run = desk.run(&format!("eval {MODEL} {data} --format json"));
        let report = run.done().json();
        assert_eq!(report["accuracy"], 1.0, "{run:#?}");
        assert!(run.stderr.contains(note), "{run:#?}");
        let items = |class: usize| report["classes"][class]["items"].clone();
        assert_eq!(
            (items(0), items(1), items(2)),
            (0.into(), 20.into(), 20.into())
        );
        assert_eq!(report["classes"][2]["name"], "fox");
        assert!(report["warnings"].is_null());
    }
    // As the test set of a run of its own.
    let files =
        "--train-images set/train-images-idx3-ubyte --train-labels set/train-labels-idx1-ubyte";
    let run = desk.run(&format!("train {files} {LATER} --hidden 8 --epochs 30"));
    let note = note.replace("the model", "the training set");
    assert!(run.done().stderr.contains(&note), "{run:#?}");
    assert!(
        run.value("test accuracy").starts_with("100.00 %"),
        "{run:#?}"
    );
    // Another order, and more names than labels.
    for (names, accuracy) in [(&b"fox\ndog\n"[..], 0.0), (b"dog\nfox\ncat\n", 1.0)] {
        desk.put("later/classes.txt", names);
        let run = desk.run(&format!("eval {MODEL} {LATER} --format json"));
        assert_eq!(run.done().json()["accuracy"], accuracy, "{run:#?}");
    }
    desk.put("later/classes.txt", b"dog\nwolf\n");
    for data in ["--data later", LATER] {
        let run = desk.refuses_in_parts(
            &format!("eval {MODEL} {data}"),
            1,
            &["later/classes.txt: class 1 is \"wolf\", expected a class of the model: cat, dog, fox\n"],
        );
        assert!(run.hint().contains("rename it"), "{run:#?}");
    }
    // Without names, labels are taken as the numbers of the model, and the result speaks for itself.
    desk.remove("later/classes.txt");
    let run = desk.run(&format!("eval {MODEL} {LATER}"));
    let text = "\nwarning: the accuracy of 0.00 % is no better than 50.00 %, the share of the most frequent class\nhint: ";
    assert!(run.done().stdout.contains(text), "{run:#?}");
}

#[test]
fn a_warm_start_takes_labels_as_classes_of_the_model() {
    let desk = desk_of_animals();
    for kind in ["images-idx3", "labels-idx1"] {
        let name = |half: &str| desk.path(&format!("later/{half}-{kind}-ubyte"));
        std::fs::rename(name("t10k"), name("train")).expect("moving a file");
    }
    let line =
        format!("train --data later --init-from {MODEL} --epochs 1 --format json --out warm");
    let run = desk.run(&line);
    let note = "later/classes.txt: classes are matched with the model of --init-from by name: 0 is 1 (dog), 1 is 2 (fox)";
    let empty = "later/train-images-idx3-ubyte: no sample of class 0 (cat)";
    let report = run.done().json();
    assert_eq!(
        report["notes"],
        serde_json::json!([note, empty]),
        "{run:#?}"
    );
    // The weights fit from the first step.
    assert!(
        number(&report["epochs"][0]["train_loss"]) < 0.3,
        "{report:#}"
    );
    let run = desk.run("model show warm/model.safetensors");
    assert!(
        run.done().stdout.contains("3 classes: cat, dog, fox"),
        "{run:#?}"
    );
    // The run is resumed with or without the model.
    desk.run("train --resume warm --epochs 2").done();
    desk.put("later/classes.txt", b"dog\nwolf\n");
    let run = desk.refuses_in_parts(
        &format!("train --data later --init-from {MODEL} --out other"),
        1,
        &["later/classes.txt: class 1 is \"wolf\", expected a class of the model of --init-from: cat, dog, fox\n"],
    );
    assert!(run.hint().contains("rename it"), "{run:#?}");
    desk.put("later/classes.txt", b"dog\nfox\n");
    desk.remove(MODEL);
    let run = desk.refuses_in_parts(
        "train --resume warm --epochs 3",
        1,
        &[
            "warm/config.toml: init_from: ",
            "model.safetensors",
            ", expected the model that training starts from",
        ],
    );
    assert!(run.hint().contains("put the model back"), "{run:#?}");
}

#[test]
fn class_names_beside_named_training_files_are_used() {
    let desk = desk_of_animals();
    let files =
        "--train-images set/train-images-idx3-ubyte --train-labels set/train-labels-idx1-ubyte";
    desk.run(&format!("train {files} --hidden 8 --epochs 1 --out named"))
        .done();
    let run = desk.run("model show named/model.safetensors");
    assert!(
        run.done().stdout.contains("3 classes: cat, dog, fox"),
        "{run:#?}"
    );
}

#[test]
fn empty_classes_are_named() {
    let desk = Desk::with(&EasySet::default());
    let shifted = |half: &str| {
        let classes = EasySet::default().classes_of(half);
        labels(&classes.iter().map(|class| class + 1).collect::<Vec<_>>())
    };
    desk.put("set/train-labels-idx1-ubyte", &shifted("train"));
    desk.put("set/t10k-labels-idx1-ubyte", &shifted("t10k"));
    let run = desk.run("train --data set --hidden 4 --epochs 1 --out model");
    let note = "note: set/train-images-idx3-ubyte: no sample of class 0\n";
    assert!(run.done().stderr.contains(note), "{run:#?}");
    let run = desk.run(&format!("eval {MODEL} --data set"));
    let note = "note: set/t10k-images-idx3-ubyte: no sample of class 0\n";
    assert!(run.done().stderr.contains(note), "{run:#?}");
    for path in ["set", "set/train-labels-idx1-ubyte"] {
        let run = desk.run(&format!("data inspect {path}"));
        assert!(
            run.done().stdout.contains("\n  no sample of class 0\n"),
            "{run:#?}"
        );
    }
    let mut classes = EasySet::default().classes_of("train");
    classes[17] = 255;
    desk.put("set/train-labels-idx1-ubyte", &labels(&classes));
    let run = desk.run("train --data set --hidden 4 --epochs 1");
    let note = "no sample of 251 of 256 classes: 4, 5, 6, 7, 8, 9, …\n";
    assert!(run.done().stderr.contains(note), "{run:#?}");
    let run = desk.run("data inspect set/train-labels-idx1-ubyte");
    assert!(run.done().stdout.contains(note), "{run:#?}");
    // Held-out samples are not missed.
    desk.put(
        "set/train-labels-idx1-ubyte",
        &EasySet::default().labels("train"),
    );
    let run = desk.run("train --data set --hidden 4 --epochs 1 --validation-split 0.5 --classes 5");
    let note = "note: set/train-images-idx3-ubyte: no sample of class 4\n";
    assert!(run.done().stderr.contains(note), "{run:#?}");
}

#[test]
fn columns_of_a_later_table_that_are_far_from_the_training_file_are_named() {
    let desk = Desk::empty();
    // A length in metres with a long tail, a weight in kilograms, and a price that follows from both.
    let table = |unit: f64, weight: f64| {
        let rows = (0..200).map(|row| {
            let (a, b) = (f64::from(row % 17) + 1.0, f64::from(row % 23) + 40.0);
            let a = if row % 50 == 7 { 40.0 * a } else { a };
            format!("{},{},{}\n", unit * a, weight * b, 3.0 * a + b)
        });
        format!("length,weight,price\n{}", rows.collect::<String>())
    };
    desk.put("train.csv", table(1.0, 1.0).as_bytes());
    desk.put("same.csv", table(1.0, 1.0).as_bytes());
    desk.put("grams.csv", table(1.0, 1000.0).as_bytes());
    desk.put("both.csv", table(1000.0, 1000.0).as_bytes());
    for scale in ["standard", "log"] {
        desk.run(&format!(
            "train --data train.csv --target price --scale {scale} --epochs 3 --out model --exist-ok --quiet"
        ))
        .done();
        let run = desk.run(&format!("eval {MODEL} --data same.csv"));
        assert_eq!(warnings(&run.done().stderr), [""; 0]);
        let run = desk.run(&format!("eval {MODEL} --data grams.csv --format json"));
        let found = warnings(&run.done().stderr);
        let start = "grams.csv: numbers far from those of the training file, in standard deviations on average: weight ";
        let end = "; if they are in other units, predictions mean little";
        assert!(
            found.len() == 1 && found[0][9..].starts_with(start) && found[0].ends_with(end),
            "{run:#?}"
        );
        assert_eq!(run.json()["notes"][0].as_str(), Some(&found[0][9..]));
        let run = desk.run(&format!("predict {MODEL} grams.csv --limit 1"));
        assert_eq!(warnings(&run.done().stderr).len(), 1, "{run:#?}");
    }
    let run = desk.run("train --data train.csv --target price --test-data both.csv --epochs 1");
    let words = "in standard deviations on average: length ";
    assert!(run.done().stderr.contains(words), "{run:#?}");
    assert!(run.stderr.contains(", weight "), "{run:#?}");
    // Nothing is known of columns that are taken as they are.
    desk.run("train --data train.csv --target price --scale none --epochs 1 --out model --exist-ok --quiet")
        .done();
    let run = desk.run(&format!("eval {MODEL} --data grams.csv"));
    assert_eq!(warnings(&run.done().stderr), [""; 0]);
}

#[test]
fn a_few_rows_and_columns_without_a_deviation_are_not_called_far_away() {
    let desk = Desk::empty();
    let row = |index: u32, year: &str| {
        let length = if index == 7 { 5000 } else { index % 17 + 1 };
        format!("{length},{year},{}\n", index % 23)
    };
    let header = "length,year,price\n";
    let rows = (0..200).map(|index| row(index, if index == 9 { "" } else { "2020" }));
    desk.put(
        "train.csv",
        (header.to_owned() + &rows.collect::<String>()).as_bytes(),
    );
    let later = (0..200).map(|index| row(index, "2050"));
    desk.put(
        "later.csv",
        (header.to_owned() + &later.collect::<String>()).as_bytes(),
    );
    desk.put("one.csv", (header.to_owned() + &row(7, "2020")).as_bytes());
    desk.run("train --data train.csv --target price --epochs 1 --out model --quiet")
        .done();
    for file in ["one.csv", "later.csv"] {
        let run = desk.run(&format!("predict {MODEL} {file}"));
        assert_eq!(warnings(&run.done().stderr), [""; 0], "{file}");
    }
}

#[test]
fn an_evaluation_that_is_no_better_than_guessing_is_reported_in_text_and_json() {
    let desk = Desk::with(&EasySet::default());
    train(&desk, "set", "");
    // Labels in another order: every prediction is wrong.
    let classes = EasySet::default().classes_of("t10k");
    let turned: Vec<u8> = classes.iter().map(|class| (class + 1) % 4).collect();
    desk.put("set/t10k-labels-idx1-ubyte", &labels(&turned));
    let run = desk.run(&format!("eval {MODEL} --data set"));
    let what =
        "the accuracy of 0.00 % is no better than 25.00 %, the share of the most frequent class";
    let cure =
        "are the samples prepared as the training set was, and are the labels numbered as there?";
    let text = format!("\nwarning: {what}\nhint: {cure}\n");
    assert!(run.done().stdout.ends_with(&text), "{run:#?}");
    let report = desk.run(&format!("eval {MODEL} --data set --format json"));
    let expected = serde_json::json!([{ "what": what, "cure": cure }]);
    assert_eq!(report.done().json()["warnings"], expected);
    // A set of one class cannot be guessed better.
    let one: Vec<u8> = classes.iter().map(|_| 2).collect();
    desk.put("set/t10k-labels-idx1-ubyte", &labels(&one));
    let run = desk.run(&format!("eval {MODEL} --data set"));
    assert!(!run.done().stdout.contains("warning"), "{run:#?}");
    // A regression to the sum of the elements, then to its negative.
    let sums = |half: &str, sign: f64| {
        let pictures = EasySet::default().images(half);
        let items = pictures[16..].chunks(9);
        let count = items.len() as u32;
        let sum = |item: &[u8]| item.iter().map(|&byte| f64::from(byte)).sum::<f64>();
        let values = items.flat_map(|item| Element::F32.bytes(sign * sum(item) / 255.0));
        idx(Element::F32, &[count], &values.collect::<Vec<_>>())
    };
    for half in ["train", "t10k"] {
        desk.remove(&format!("set/{half}-labels-idx1-ubyte"));
        desk.put(&format!("set/{half}-labels-idx1-float"), &sums(half, 1.0));
    }
    train(&desk, "set", "--task regression --exist-ok");
    let run = desk.run(&format!("eval {MODEL} --data set"));
    assert!(!run.done().stdout.contains("warning"), "{run:#?}");
    desk.put("set/t10k-labels-idx1-float", &sums("t10k", -1.0));
    let run = desk.run(&format!("eval {MODEL} --data set"));
    let text = "is no better than 0, that of always predicting the mean\nhint: ";
    assert!(run.done().stdout.contains(text), "{run:#?}");
}
