//! Losses of regression other than the default, and weights of samples, on the command line.

use crate::desk::{Desk, number};
use crate::idx_set::{EasySet, Element, idx};
use crate::tasks::desk_of;

const LINE: &str = "train --data set --task regression --hidden 16 --epochs 40";

/// Returns a desk with two counts per sample: 25 to 100, and 0 to 3.
fn desk_of_counts() -> Desk {
    let set = EasySet::default();
    let desk = desk_of("regression");
    for (half, count) in [("train", set.train), ("t10k", set.test)] {
        let classes = set.classes_of(half);
        let counts = classes.iter().flat_map(|&class| [25 * (1 + class), class]);
        let labels = idx(Element::U8, &[count, 2], &counts.collect::<Vec<u8>>());
        desk.remove(&format!("set/{half}-labels-idx2-float"));
        desk.put(&format!("set/{half}-labels-idx2-ubyte"), &labels);
    }
    desk
}

#[test]
fn medians_and_quantiles_are_learned() {
    let desk = desk_of("regression");
    let run = desk.run(&format!("{LINE} --loss mae --out mae"));
    let words = "  task      regression by mae loss, targets standardised\n";
    assert!(run.done().stderr.contains(words), "{run:#?}");
    assert!(run.value("test").contains(", R² 0.8"), "{run:#?}");
    let line = "eval mae/model.safetensors --data set --format json";
    let json = desk.run(line).done().json();
    assert!(
        (number(&json["loss"]) / number(&json["mae"]) - 1.0).abs() < 1e-5,
        "{json:#}"
    );
    let run = desk.run(&format!(
        "{LINE} --loss quantile --quantile 0.9 --out quantile"
    ));
    assert!(
        run.done().stderr.contains("by quantile loss, share 0.9,"),
        "{run:#?}"
    );
}

#[test]
fn counts_are_learned_by_their_logarithms_and_predicted_themselves() {
    let desk = desk_of_counts();
    let line = LINE.replace("--epochs 40", "--epochs 100");
    let run = desk.run(&format!("{line} --loss poisson --out model"));
    let stderr = &run.done().stderr;
    assert!(
        stderr.contains("by poisson loss, targets divided by their mean\n"),
        "{run:#?}"
    );
    assert!(stderr.contains("sigmoid and exp"), "{run:#?}");
    let model = "model/model.safetensors";
    let predict = |model: &str| {
        let line = format!("predict {model} set/t10k-images-idx3-ubyte --format csv");
        let csv = desk.run(&line).done().stdout.clone();
        let lines = csv.lines().skip(1).flat_map(|line| line.split(',').skip(1));
        lines
            .map(|value| value.parse().expect("a number"))
            .collect::<Vec<f64>>()
    };
    let values = predict(model);
    assert!(
        values
            .iter()
            .step_by(2)
            .all(|value| (15.0..130.0).contains(value))
    );
    let json = desk
        .run(&format!("eval {model} --data set --format json"))
        .done()
        .json();
    assert!(
        number(&json["loss"]) > 0.0 && number(&json["loss"]) < 3.0,
        "{json:#}"
    );
    assert!(number(&json["r2"]) > 0.8, "{json:#}");
    // An export with the factor folded into the biases.
    let run = desk.run(&format!("export {model} --to safetensors-pytorch"));
    assert!(run.done().stdout.contains(".exp()\n"), "{run:#?}");
    desk.run("import model/model.pytorch.safetensors --out back")
        .done();
    for (found, expected) in predict("back").iter().zip(&values) {
        assert!(
            (found / expected - 1.0).abs() < 1e-5,
            "{found} for {expected}"
        );
    }
    let line = format!("train --data set --init-from {model} --epochs 1 --quiet --out warm");
    desk.run(&line).done();
    let run = desk.refuses(
        "train --data set --task regression --loss poisson --target-scale none --init-from model/model.safetensors",
        2,
        "--target-scale: none, expected standard, as in the model",
    );
    assert!(run.hint().contains("--target-scale"), "{run:#?}");
}

#[test]
fn targets_below_zero_are_no_counts() {
    let desk = desk_of("regression");
    let message =
        "set/train-images-idx3-ubyte: the target of row 0 is -1.5 at 0, expected 0 or more";
    let run = desk.refuses(&format!("{LINE} --loss poisson"), 1, message);
    assert!(
        run.hint().contains("--loss poisson is for counts"),
        "{run:#?}"
    );
}

#[test]
fn samples_are_weighed_by_a_file() {
    let desk = desk_of("regression");
    let weights = |weights: &[f64]| {
        let payload: Vec<u8> = weights
            .iter()
            .flat_map(|&x| Element::F32.bytes(x))
            .collect();
        idx(Element::F32, &[weights.len() as u32], &payload)
    };
    let various: Vec<f64> = (0..200).map(|row| f64::from(row % 5)).collect();
    desk.put("various", &weights(&various));
    desk.put("equal", &weights(&[3.5; 200]));
    let line = format!("{LINE} --quiet --validation-split 0.2");
    for (name, flags) in [
        ("plain", ""),
        ("equal-run", "--sample-weights equal"),
        ("various-run", "--sample-weights various"),
    ] {
        desk.run(&format!("{line} {flags} --out {name}")).done();
    }
    let model = |run: &str| desk.read(&format!("{run}/model.safetensors"));
    assert!(model("plain") == model("equal-run"));
    assert!(model("plain") != model("various-run"));
    // A run resumes with its own weights.
    let part = format!("{line} --sample-weights various").replace("--epochs 40", "--epochs 20");
    desk.run(&format!("{part} --out part")).done();
    desk.put("kept", &desk.read("various"));
    desk.put("various", &weights(&[1.0; 200]));
    desk.refuses_in_parts(
        "train --resume part --epochs 40",
        1,
        &["/", "set: training half: sample weights with hash"],
    );
    desk.put("various", &desk.read("kept"));
    desk.run("train --resume part --epochs 40 --quiet").done();
    assert!(model("part") == model("various-run"));
    let run = desk.run(&format!("{LINE} --sample-weights various --out shown"));
    assert!(
        run.done().stderr.contains("200 training (weighted)"),
        "{run:#?}"
    );
}

#[test]
fn files_that_are_not_weights_are_refused() {
    let desk = desk_of("regression");
    let line = "train --data set --task regression --sample-weights w";
    let payload = |weight: f64| {
        (0..200)
            .flat_map(|_| Element::F32.bytes(weight))
            .collect::<Vec<u8>>()
    };
    desk.put("w", &idx(Element::F32, &[200], &payload(-1.0)));
    desk.refuses(
        line,
        1,
        "w: row 0 has weight -1, expected a finite number of at least 0",
    );
    desk.put("w", &idx(Element::F32, &[200], &payload(0.0)));
    desk.refuses(line, 1, "w: weights of 0 only, expected one above 0");
    desk.put("w", &idx(Element::F32, &[100, 2], &payload(1.0)));
    desk.refuses(
        line,
        1,
        "w: weights of dimensions [100, 2], expected one weight a row",
    );
    desk.put("w", &idx(Element::F32, &[100], &payload(1.0)[..400]));
    let message = "w: 100 weights, expected 200, one for each row of set/train-images-idx3-ubyte";
    desk.refuses(line, 1, message);
}
