//! Schedules, the range test for the learning rate, and settings of an optimiser that a flag replaces.

use crate::desk::Desk;
use crate::idx_set::{EasySet, Element, idx, labels};

const TRAIN: &str = "train --data set --hidden 8 --quiet";

#[test]
fn auto_reports_and_records_the_learning_rate_it_chose() {
    let desk = Desk::with(&EasySet::default());
    let run = desk.run("train --data set --hidden 8 --epochs 1 --lr auto --out a");
    assert!(run.stderr.contains("a tenth of"), "{run:?}");
    let report = desk
        .run(&format!(
            "{TRAIN} --epochs 1 --lr auto --format json --out b"
        ))
        .done()
        .json();
    let chosen = report["range_test"]["chosen"].as_f64().expect("a number");
    assert_eq!(report["config"]["learning_rate"].as_f64(), Some(chosen));
    let recorded = desk.read_text("b/config.toml");
    let line = recorded
        .lines()
        .find(|line| line.starts_with("learning_rate"));
    let line = line
        .expect("a learning rate")
        .split_once("= ")
        .expect("a value")
        .1;
    assert!((line.parse::<f64>().expect("a number") - chosen).abs() < 1e-6 * chosen);
    // The range test depends only on the seed, and the run only on the rate that it chose.
    desk.run(&format!(
        "{TRAIN} --epochs 1 --lr {line} --threads 1 --out c"
    ))
    .done();
    assert!(desk.read("b/model.safetensors") == desk.read("c/model.safetensors"));
}

#[test]
fn a_schedule_shows_in_the_table() {
    let desk = Desk::with(&EasySet::default());
    let report = desk
        .run(&format!(
            "{TRAIN} --epochs 3 --schedule exponential --lr-factor 0.5 --format json --out a"
        ))
        .done()
        .json();
    let rates: Vec<f64> = report["epochs"]
        .as_array()
        .expect("epochs")
        .iter()
        .map(|epoch| epoch["learning_rate"].as_f64().expect("a number"))
        .collect();
    assert!((rates[1] / rates[0] - 0.5).abs() < 1e-6 && (rates[2] / rates[1] - 0.5).abs() < 1e-6);
}

#[test]
fn an_optimiser_that_overrides_that_of_a_file_uses_its_own_defaults() {
    let desk = Desk::with(&EasySet::default());
    desk.run(&format!("{TRAIN} --epochs 1 --momentum 0.5 --out a"))
        .done();
    desk.run("train --config a/config.toml --optimizer adamw --schedule cosine --quiet --out b")
        .done();
    let recorded = desk.read_text("b/config.toml");
    for line in [
        "optimizer = \"adamw\"",
        "learning_rate = 0.001",
        "beta1 = 0.9",
        "weight_decay = 0.01",
    ] {
        assert!(recorded.contains(line), "{line}: {recorded}");
    }
    assert!(!recorded.contains("momentum"), "{recorded}");
    desk.run("train --config b/config.toml --schedule step --quiet --out c")
        .done();
    assert!(!desk.read_text("c/config.toml").contains("lr_min"));
}

#[test]
fn epochs_under_a_schedule_that_spans_them_cannot_change() {
    let desk = Desk::with(&EasySet::default());
    let hint = "resume with that number; to train for longer, start another run from the model of this one with --init-from";
    for schedule in ["cosine", "one-cycle"] {
        desk.run(&format!(
            "{TRAIN} --epochs 2 --schedule {schedule} --out {schedule}"
        ))
        .done();
        let expected = format!(
            "3, expected 2, on which the {schedule} schedule depends from the first step on"
        );
        desk.refuses(
            &format!("train --resume {schedule} --epochs 3"),
            2,
            &format!("--epochs: {expected}\nhint: {hint}"),
        );
        // The same of a file that was edited.
        let file = format!("{schedule}/config.toml");
        let config = desk.read_text(&file);
        desk.put(&file, config.replace("epochs = 2", "epochs = 3").as_bytes());
        desk.refuses(
            &format!("train --resume {schedule}"),
            1,
            &format!("{file}: epochs: {expected}\nhint: {hint}"),
        );
    }
}

#[test]
fn constant_features_and_labels_are_named_instead_of_the_learning_rate() {
    let desk = Desk::empty();
    desk.put("x", &idx(Element::U8, &[40, 3], &[7; 120]));
    let classes: Vec<u8> = (0..40).map(|row| row % 2).collect();
    desk.put("y", &labels(&classes));
    let run = desk.run("train --train-images x --train-labels y --epochs 2");
    let warning = ", that of guessing: all features are constant in the training set\n";
    assert!(run.done().stdout.contains(warning), "{run:#?}");
    assert!(
        run.stdout
            .contains("hint: check how the inputs were made, as with perceptor data inspect"),
        "{run:#?}"
    );
    assert!(
        !run.stdout.contains("try another learning rate"),
        "{run:#?}"
    );
    // With labels of one class, too.
    desk.put("one", &labels(&[1; 40]));
    let run = desk.run("train --train-images x --train-labels one --epochs 1 --out one-class");
    let warning =
        "  warning: every training sample is of class 1: the network can only learn to answer 1\n";
    assert!(run.done().stderr.contains(warning), "{run:#?}");
    // Of features that differ, the learning rate may be to blame.
    let rows: Vec<u8> = (0..120).map(|element| element % 11).collect();
    desk.put("x", &idx(Element::U8, &[40, 3], &rows));
    let run = desk.run("train --train-images x --train-labels y --epochs 1 --lr 1e-9 --out other");
    assert!(
        run.done()
            .stdout
            .contains("hint: try another learning rate than 1e-9"),
        "{run:#?}"
    );
}
