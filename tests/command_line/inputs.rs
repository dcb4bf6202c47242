//! Data of every kind that the format allows: element types, dimensions, ranges, labels, file names, compressed files,
//! and the smallest sets.

use std::fs;
use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::desk::Desk;
use crate::idx_set::{EasySet, Element, idx, labels};
use crate::model_file::{metadata, scaling};

const LEARN: &str = "--hidden 16 --epochs 20 --lr 0.3";
const NAMES: [&str; 4] = [
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
];

/// Replaces every file of the folder `set` by its compressed form.
fn compress(desk: &Desk) {
    for name in NAMES.map(|name| format!("set/{name}")) {
        desk.put(&format!("{name}.gz"), &gzip(&desk.read(&name)));
        desk.remove(&name);
    }
}

#[test]
fn every_element_type_in_one_to_four_dimensions_trains() {
    let shapes: [(&[u32], u32); 4] = [(&[], 2), (&[9], 4), (&[3, 3], 4), (&[3, 2, 2], 4)];
    for element in Element::ALL {
        for (item, classes) in shapes {
            let set = EasySet {
                item,
                classes,
                ..EasySet::of(element)
            };
            let accuracy = Desk::with(&set).accuracy_of(LEARN);
            assert!(accuracy >= 0.95, "{element:?} {item:?}: {accuracy}");
        }
    }
}

#[test]
fn bytes_with_a_maximum_of_16_or_100_train_as_well_as_with_255() {
    for (top, factor) in [
        (16.0, 1.0 / 16.0),
        (100.0, 1.0 / 100.0),
        (255.0, 1.0 / 255.0),
    ] {
        let set = EasySet {
            top,
            noise: 0.25,
            ..EasySet::default()
        };
        let desk = Desk::with(&set);
        let accuracy = desk.accuracy_of(LEARN);
        assert!(accuracy >= 0.95, "up to {top}: {accuracy}");
        let (offset, found) = scaling(&desk.model_of("--data set --epochs 1"));
        assert_eq!(offset, 0.0);
        assert!(
            (found - factor).abs() <= 1e-6 * factor,
            "up to {top}: {found}"
        );
    }
}

#[test]
fn inputs_are_scaled_as_the_flag_says() {
    let set = EasySet::default();
    let desk = Desk::with(&set);
    let scaling_of =
        |flags: &str| scaling(&desk.model_of(&format!("--data set --epochs 1 {flags}")));
    assert_eq!(scaling_of("--scale none"), (0.0, 1.0));
    assert_eq!(scaling_of(""), scaling_of("--scale unit"));
    let pixels: Vec<f64> = set.images("train")[16..]
        .iter()
        .map(|&x| f64::from(x))
        .collect();
    let count = pixels.len() as f64;
    let mean = pixels.iter().sum::<f64>() / count;
    let variance = pixels.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / count;
    let (offset, factor) = scaling_of("--scale standard-global");
    assert!((offset - mean).abs() <= 1e-6 * mean, "{offset} {mean}");
    let expected = 1.0 / variance.sqrt();
    assert!(
        (factor - expected).abs() <= 1e-6 * expected,
        "{factor} {expected}"
    );
    assert!(desk.accuracy_of(&format!("{LEARN} --scale standard-global")) >= 0.95);
}

#[test]
fn equal_elements_cannot_be_standardised() {
    let desk = Desk::with(&EasySet::default());
    let images = "set/train-images-idx3-ubyte";
    desk.put(images, &idx(Element::U8, &[200, 3, 3], &[7; 1800]));
    let run = desk.refuses(
        "train --data set --scale standard-global",
        1,
        &format!(
            "{images}: a standard deviation of 0, expected elements that differ, as --scale standard-global \
             divides by their deviation"
        ),
    );
    assert!(run.hint().contains("--scale unit"), "{run:#?}");
    desk.run("train --data set --epochs 1").done();
}

#[test]
fn labels_may_have_any_integer_type() {
    let desk = Desk::with(&EasySet::default());
    let expected = desk.model_of("--data set --epochs 1");
    let classes = EasySet::default().classes_of("train");
    for element in [Element::I8, Element::I16, Element::I32] {
        let bytes = |&class: &u8| element.bytes(f64::from(class));
        let elements: Vec<u8> = classes.iter().flat_map(bytes).collect();
        for sizes in [&[200][..], &[200, 1]] {
            desk.put(
                "set/train-labels-idx1-ubyte",
                &idx(element, sizes, &elements),
            );
            assert!(
                desk.model_of("--data set --epochs 1") == expected,
                "{element:?}"
            );
        }
    }
}

#[test]
fn every_usual_file_name_is_found() {
    let desk = Desk::with(&EasySet::default());
    let expected = desk.model_of("--data set --epochs 1");
    for joint in ["-", "."] {
        for test in ["t10k", "test"] {
            fs::create_dir_all(desk.path("named")).expect("creating a folder");
            for name in NAMES {
                let other = name
                    .replace("-idx", &format!("{joint}idx"))
                    .replace("t10k", test);
                desk.put(
                    &format!("named/{other}"),
                    &desk.read(&format!("set/{name}")),
                );
            }
            assert!(desk.model_of("--data named --epochs 1") == expected);
            fs::remove_dir_all(desk.path("named")).expect("removing a folder");
        }
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).expect("writing to memory");
    encoder.finish().expect("writing to memory")
}

/// A set whose images are large enough to be kept decoded.
fn large_set() -> EasySet {
    EasySet {
        item: &[28, 28],
        train: 500,
        ..EasySet::default()
    }
}

/// Returns the names of hidden files in the folder `set`.
fn hidden(desk: &Desk) -> Vec<String> {
    let entries = desk.entries().into_iter();
    entries.filter(|name| name.starts_with("set/.")).collect()
}

#[test]
fn compressed_files_are_decoded_once_and_again_when_they_change() {
    let desk = Desk::with(&large_set());
    let expected = desk.model_of("--data set --epochs 1");
    compress(&desk);
    assert!(desk.model_of("--data set --epochs 1") == expected);
    let kept = hidden(&desk);
    assert_eq!(kept.len(), 1, "{kept:?}");
    assert!(
        kept[0].starts_with("set/.train-images-idx3-ubyte.gz."),
        "{kept:?}"
    );
    assert!(desk.model_of("--data set --epochs 1") == expected);
    assert_eq!(hidden(&desk), kept);
    // Other images of the same size under the same name, with the same time of modification.
    let images = desk.path("set/train-images-idx3-ubyte.gz");
    let time = images
        .metadata()
        .and_then(|about| about.modified())
        .expect("a time");
    let other = EasySet {
        noise: 0.3,
        ..large_set()
    }
    .images("train");
    fs::write(&images, gzip(&other)).expect("writing");
    let file = fs::File::options().append(true).open(&images);
    file.and_then(|file| file.set_modified(time))
        .expect("setting the time");
    assert!(desk.model_of("--data set --epochs 1") != expected);
    assert!(
        hidden(&desk) != kept && hidden(&desk).len() == 1,
        "{:?}",
        hidden(&desk)
    );
    desk.put("raw", &other);
    let [raw, packed] = ["raw", "set/train-images-idx3-ubyte.gz"].map(|images| {
        desk.model_of(&format!(
            "--train-images {images} --train-labels set/train-labels-idx1-ubyte.gz --epochs 1"
        ))
    });
    assert!(raw == packed);
}

/// Returns what the model predicts for a file.
fn predicted(desk: &Desk, file: &str) -> String {
    let run = desk.run(&format!("predict model/model.safetensors {file}"));
    run.done().stdout.clone()
}

#[test]
fn predictions_follow_the_file_that_is_named() {
    let set = large_set();
    let desk = Desk::with_model(&set);
    let predict = |file: &str| predicted(&desk, file);
    let images = set.images("train");
    let mut other = images.clone();
    other[16..].reverse();
    desk.put("one", &images);
    desk.put("two", &other);
    let [one, two] = ["one", "two"].map(predict);
    assert_ne!(one, two);
    desk.put("new.gz", &gzip(&images));
    assert_eq!(predict("new.gz"), one);
    desk.put("new.gz", &gzip(&other));
    assert_eq!(predict("new.gz"), two);
    // A raw file next to it is another file.
    desk.put("new", &images);
    assert_eq!(predict("new.gz"), two);
    assert_eq!(predict("new"), one);
    assert_eq!(desk.read("new"), images);
}

#[test]
fn the_content_decides_whether_a_file_is_compressed() {
    let set = EasySet::default();
    let desk = Desk::with_model(&set);
    let predict = |file: &str| predicted(&desk, file);
    let images = set.images("t10k");
    let expected = predict("set/t10k-images-idx3-ubyte");
    let halves = [gzip(&images[..100]), gzip(&images[100..])].concat();
    for (name, bytes) in [
        ("padded.gz", [gzip(&images), vec![0; 1000]].concat()),
        ("members.gz", halves.clone()),
        ("both.gz", [halves, vec![0; 512]].concat()),
        ("raw.gz", images.clone()),
        ("twice.gz", gzip(&gzip(&images))),
        ("no-ending", gzip(&images)),
    ] {
        desk.put(name, &bytes);
        assert_eq!(predict(name), expected, "{name}");
        desk.run(&format!("data inspect {name}")).done();
    }
    let table = b"a,b,y\n1,2,x\n3,4,y\n5,7,x\n";
    desk.put("t.csv", table);
    let convert = |file: &str| {
        desk.run(&format!("data convert {file} --labels y --out {file}.set"))
            .done();
        desk.read(&format!("{file}.set/train-images-idx2-ubyte"))
    };
    let expected = convert("t.csv");
    for (name, bytes) in [
        ("padded.csv.gz", [gzip(table), vec![0; 1000]].concat()),
        (
            "members.csv.gz",
            [gzip(&table[..9]), gzip(&table[9..])].concat(),
        ),
        ("raw.csv.gz", table.to_vec()),
        ("twice.csv.gz", gzip(&gzip(table))),
        ("no-ending.csv", gzip(table)),
    ] {
        desk.put(name, &bytes);
        assert_eq!(convert(name), expected, "{name}");
        let run = desk.run(&format!("data inspect {name}"));
        assert!(
            run.done().stdout.contains(": 3 rows, 3 columns"),
            "{run:#?}"
        );
    }
}

#[test]
fn two_files_of_one_kind_must_have_the_same_contents() {
    let desk = Desk::with(&EasySet::default());
    let expected = desk.model_of("--data set --epochs 1");
    let images = desk.read("set/train-images-idx3-ubyte");
    for other in ["train-images-idx3-ubyte.gz", "train-images.idx3-ubyte"] {
        let same = if other.ends_with(".gz") {
            gzip(&images)
        } else {
            images.clone()
        };
        desk.put(&format!("set/{other}"), &same);
        assert!(desk.model_of("--data set --epochs 1") == expected);
        let mut changed = images.clone();
        changed[100] ^= 1;
        let changed = if other.ends_with(".gz") {
            gzip(&changed)
        } else {
            changed
        };
        desk.put(&format!("set/{other}"), &changed);
        let message = format!(
            "set: train-images-idx3-ubyte and {other} with different contents, expected one file of training images\n\
             hint: remove one of them, or name the files one by one with --train-images and so on"
        );
        for line in ["train --data set", "tune --data set", "data inspect set"] {
            desk.refuses(line, 1, &message);
        }
        desk.remove(&format!("set/{other}"));
    }
}

#[test]
fn compressed_files_may_be_named_one_by_one() {
    let desk = Desk::with_model(&EasySet::default());
    let model = "model/model.safetensors";
    let expected = desk.run(&format!("predict {model} set/{}", NAMES[2]));
    compress(&desk);
    let [images, labels, test_images, test_labels] = NAMES.map(|name| format!("set/{name}.gz"));
    let test = format!("--test-images {test_images} --test-labels {test_labels}");
    desk.run(&format!(
        "train --epochs 1 --train-images {images} --train-labels {labels} {test}"
    ))
    .done();
    desk.run(&format!("eval {model} {test}")).done();
    let predicted = desk.run(&format!("predict {model} {test_images}"));
    assert_eq!(predicted.done().stdout, expected.stdout);
}

#[test]
fn a_compressed_file_is_decoded_in_memory_if_its_folder_cannot_be_written() {
    use std::os::unix::fs::PermissionsExt;
    let desk = Desk::with(&large_set());
    let expected = desk.model_of("--data set --epochs 1");
    compress(&desk);
    let permit = |mode| {
        fs::set_permissions(desk.path("set"), fs::Permissions::from_mode(mode))
            .expect("permissions");
    };
    permit(0o555);
    let model = desk.model_of("--data set --epochs 1");
    permit(0o755);
    assert!(model == expected);
    assert!(!desk.entries().iter().any(|name| name.contains(".part")));
}

#[test]
fn a_set_of_one_sample_trains() {
    let set = EasySet {
        train: 1,
        test: 1,
        ..EasySet::default()
    };
    let desk = Desk::with(&set);
    let report = desk.report_of("--data set --epochs 3 --batch-size 32");
    // Even with only labels of class 0 the network has two outputs.
    assert_eq!(report["network"], "9-100-2");
    assert_eq!(report["test_accuracy"], 1.0);
    desk.run("eval runs/train-1/model.safetensors --data set")
        .done();
    desk.run("data inspect set").done();
}

#[test]
fn the_classes_flag_may_exceed_the_labels() {
    let desk = Desk::with(&EasySet::default());
    let report = desk.report_of("--data set --epochs 1 --hidden 8 --classes 7");
    assert_eq!(report["network"], "9-8-7");
    desk.put("set/train-labels-idx1-ubyte", &labels(&[0; 200]));
    desk.put("set/t10k-labels-idx1-ubyte", &labels(&[0; 60]));
    let report = desk.report_of("--data set --epochs 1 --hidden 8");
    assert_eq!(report["network"], "9-8-2");
}

#[test]
fn each_feature_is_scaled_by_its_own_mean_and_deviation() {
    let set = EasySet::default();
    let desk = Desk::with(&set);
    let model = desk.model_of("--data set --epochs 1 --scale standard");
    let scaling = &metadata(&model)["scaling"];
    let images = &set.images("train")[16..];
    for feature in 0..9 {
        let elements = || {
            images
                .iter()
                .skip(feature)
                .step_by(9)
                .map(|&x| f64::from(x))
        };
        let count = elements().count() as f64;
        let mean = elements().sum::<f64>() / count;
        let variance = elements().map(|x| (x - mean).powi(2)).sum::<f64>() / count;
        for (name, expected) in [("offset", mean), ("factor", 1.0 / variance.sqrt())] {
            let found = scaling[name][feature].as_f64().expect("a number");
            assert!(
                (found - expected).abs() <= 1e-6 * expected,
                "{name} {feature}: {found}"
            );
        }
    }
    assert!(desk.accuracy_of(&format!("{LEARN} --scale standard")) >= 0.95);
}

#[test]
fn constant_features_are_reported_and_left_out() {
    let set = EasySet::default();
    let desk = Desk::with(&set);
    let mut images = set.images("train");
    images[16..].iter_mut().step_by(9).for_each(|x| *x = 7);
    desk.put("set/train-images-idx3-ubyte", &images);
    let run = desk.run("train --data set --scale standard --epochs 1");
    assert_eq!(
        run.done().value("features"),
        "1 of 9 left out: constant in the training set"
    );
    let report = desk.report_of("--data set --scale standard --epochs 1");
    assert_eq!(report["left_out_features"], 1);
    assert!(
        desk.report_of("--data set --epochs 1")
            .get("left_out_features")
            .is_none()
    );
}

/// Trains on `table.csv`, and returns what is printed before.
fn banner(desk: &Desk, scale: &str) -> String {
    let run = desk.run(&format!(
        "train --data set --epochs 1 --hidden 4 --scale {scale}"
    ));
    run.done().stderr.clone()
}

#[test]
fn columns_of_very_different_ranges_cause_a_warning() {
    let desk = Desk::empty();
    let row = |at: usize| {
        format!(
            "{},{},{},{}\n",
            20 + at % 50,
            10_000 + 900 * at,
            at % 4,
            at % 2
        )
    };
    let rows: String = (0..200).map(row).collect();
    desk.put(
        "table.csv",
        format!("age,income,kids,buys\n{rows}").as_bytes(),
    );
    desk.run("data convert table.csv --labels buys --out set")
        .done();
    let text = banner(&desk, "standard-global");
    for words in [
        "3 f32, standard-global scale, 2 classes",
        "  warning: one feature's values are ",
        " times as large as the median range of a feature",
        "scale = standard scales each feature by its own mean and deviation",
    ] {
        assert!(text.contains(words), "{text}");
    }
    assert!(banner(&desk, "unit").contains("warning: one feature's values"));
    let text = banner(&desk, "standard");
    assert!(text.contains("3 f32, standard scale, 2 classes"), "{text}");
    assert!(!text.contains("one feature's values"), "{text}");
    EasySet::default().write(&desk.path("even"));
    let run = desk.run("train --data even --epochs 1 --hidden 4");
    assert!(!run.done().stderr.contains("range"), "{run:#?}");
}

/// The range of such a column is no larger than that of others, but it is far from zero.
#[test]
fn a_column_of_years_among_small_numbers_causes_a_warning() {
    let desk = Desk::empty();
    let row = |at: usize| format!("{},{},{}.5,{}\n", 1990 + at % 31, at % 7, at % 5, at % 2);
    let rows: String = (0..200).map(row).collect();
    desk.put("table.csv", format!("year,a,b,y\n{rows}").as_bytes());
    desk.run("data convert table.csv --labels y --out set")
        .done();
    for (scale, warns) in [
        ("unit", true),
        ("none", true),
        ("standard-global", true),
        ("standard", false),
    ] {
        let text = banner(&desk, scale);
        assert_eq!(
            text.contains("warning: one feature's values"),
            warns,
            "{scale}: {text}"
        );
    }
}
