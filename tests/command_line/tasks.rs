//! Regression and multi-label classification on the command line: training, its tables and files, `eval`, `predict`,
//! `export`, `import`, `data inspect`, resumption, and data of another task.

use serde_json::Value;

use crate::desk::{Desk, number};
use crate::idx_set::{EasySet, Element, idx};

/// Returns a desk with the inputs of the easy set, and values or flags as labels.
pub fn desk_of(task: &str) -> Desk {
    let set = EasySet::default();
    let desk = Desk::with(&set);
    for (half, count) in [("train", set.train), ("t10k", set.test)] {
        let classes = set.classes_of(half);
        desk.remove(&format!("set/{half}-labels-idx1-ubyte"));
        let (name, bytes) = match task {
            "regression" => {
                // Two values that depend on the class.
                let numbers = classes
                    .iter()
                    .flat_map(|&class| [f64::from(class) - 1.5, f64::from(class % 2)]);
                let payload: Vec<u8> = numbers.flat_map(|x| Element::F32.bytes(x)).collect();
                ("idx2-float", idx(Element::F32, &[count, 2], &payload))
            }
            _ => {
                // Label l is 1 if the class is at least l.
                let flags = classes
                    .iter()
                    .flat_map(|&class| (1..4).map(move |l| u8::from(class >= l)));
                let payload: Vec<u8> = flags.collect();
                ("idx2-ubyte", idx(Element::U8, &[count, 3], &payload))
            }
        };
        desk.put(&format!("set/{half}-labels-{name}"), &bytes);
    }
    desk
}

fn model_of(desk: &Desk, task: &str) {
    let line =
        format!("train --data set --task {task} --hidden 16 --epochs 40 --out model --quiet");
    desk.run(&line).done();
}

const MODEL: &str = "model/model.safetensors";

#[test]
fn a_regression_reports_mae_and_r2_everywhere() {
    let desk = desk_of("regression");
    let line = "train --data set --task regression --hidden 16 --epochs 40 --out model";
    let run = desk.run(line);
    let stderr = &run.done().stderr;
    assert!(
        stderr.contains("3×3 u8, 2 numbers to predict\n"),
        "{run:#?}"
    );
    assert!(stderr.contains("sigmoid and identity"), "{run:#?}");
    assert!(
        stderr.contains("  task      regression by mse loss, targets standardised\n"),
        "{run:#?}"
    );
    assert!(
        stderr.contains("test loss    test MAE   test R²  learning rate"),
        "{run:#?}"
    );
    assert!(run.value("test").contains(", R² 0.9"), "{run:#?}");
    let csv = desk.read_text("model/metrics.csv");
    let header = "epoch,train_loss,test_loss,test_mae,test_r2,learning_rate,train_seconds,samples_per_second,gflops\n";
    assert!(csv.starts_with(header), "{csv}");

    let report = desk.report_of("--data set --task regression --hidden 16 --epochs 40");
    assert_eq!(report["test_accuracy"], Value::Null);
    assert!(
        number(&report["test_r2"]) > 0.9 && number(&report["test_mae"]) < 0.2,
        "{report:#}"
    );
    let last = &report["epochs"][39];
    assert_eq!(
        (&last["r2"], &last["mae"]),
        (&report["test_r2"], &report["test_mae"])
    );

    let run = desk.run(&format!("eval {MODEL} --data set"));
    assert!(run.done().stdout.contains("\nR²        0.9"), "{run:#?}");
    let json = desk
        .run(&format!("eval {MODEL} --data set --format json"))
        .done()
        .json();
    assert_eq!(json["outputs"].as_array().map(Vec::len), Some(2));
    assert!(number(&json["outputs"][0]["r2"]) > 0.9, "{json:#}");
    assert_eq!(number(&json["outputs"][1]["deviation"]), 0.5);
    assert!((number(&json["loss"]) - number(&last["test_loss"])).abs() < 1e-9);
    assert!((number(&json["mae"]) - number(&last["mae"])).abs() < 1e-9);
}

#[test]
fn r2_is_undefined_for_equal_targets_and_for_one_sample() {
    let desk = Desk::empty();
    let floats = |values: &[f32]| -> Vec<u8> {
        values
            .iter()
            .flat_map(|value| value.to_be_bytes())
            .collect()
    };
    let rows: Vec<f32> = (0..40u8).map(|i| f32::from(i) / 40.0).collect();
    desk.put("x", &idx(Element::F32, &[40, 1], &floats(&rows)));
    desk.put("y", &idx(Element::F32, &[40], &floats(&rows)));
    desk.put("equal", &idx(Element::F32, &[40], &floats(&[0.1; 40])));
    desk.put("x1", &idx(Element::F32, &[1, 1], &floats(&[0.5])));
    desk.put("y1", &idx(Element::F32, &[1], &floats(&[0.5])));
    let train = "train --train-images x --train-labels y --task regression --epochs 2 --hidden 4";
    for (images, labels, reason) in [
        ("x", "equal", "all targets are equal"),
        ("x1", "y1", "one sample has no variance"),
    ] {
        let test = format!("--test-images {images} --test-labels {labels}");
        let run = desk.run(&format!("{train} {test} --out of-{labels}"));
        assert!(
            run.done()
                .value("test")
                .contains(", R² – after the last epoch"),
            "{run:#?}"
        );
        assert!(!run.stdout.contains("warning: the R²"), "{run:#?}");
        let csv = desk.read_text(&format!("of-{labels}/metrics.csv"));
        let last: Vec<&str> = csv.lines().last().expect("a line").split(',').collect();
        assert_eq!(last[4], "", "{csv}");
        let report = desk.report_of(&format!("{} {test}", &train["train ".len()..]));
        assert_eq!(report.get("test_r2"), Some(&Value::Null));
        let eval = format!("eval of-{labels}/model.safetensors {test}");
        let run = desk.run(&eval);
        assert!(
            run.done()
                .stdout
                .contains(&format!("\nR²        –, as {reason}\n")),
            "{run:#?}"
        );
        assert!(
            run.stdout.ends_with("         –\n"),
            "the row of the output: {run:#?}"
        );
        let json = desk.run(&format!("{eval} --format json")).done().json();
        assert_eq!(json.get("r2"), Some(&Value::Null));
        assert_eq!(json["r2_undefined"], reason);
        assert_eq!(json["outputs"][0].get("r2"), Some(&Value::Null));
    }
}

#[test]
fn multilabel_reports_exact_matches_and_f1_everywhere() {
    let desk = desk_of("multilabel");
    let line = "train --data set --task multilabel --hidden 16 --epochs 40 --out model";
    let run = desk.run(line);
    let stderr = &run.done().stderr;
    assert!(stderr.contains("3 labels, any of them"), "{run:#?}");
    assert!(
        stderr.contains("  task      multilabel by binary-cross-entropy loss\n"),
        "{run:#?}"
    );
    assert!(
        stderr.contains("test accuracy   test F1  learning rate"),
        "{run:#?}"
    );
    assert!(
        run.value("test")
            .contains("of samples with every label right"),
        "{run:#?}"
    );
    let csv = desk.read_text("model/metrics.csv");
    assert!(
        csv.starts_with("epoch,train_loss,test_loss,test_accuracy,test_f1,"),
        "{csv}"
    );
    let json = desk
        .run(&format!("eval {MODEL} --data set --format json"))
        .done()
        .json();
    for figure in ["accuracy", "f1", "macro_f1"] {
        assert!(number(&json[figure]) > 0.95, "{json:#}");
    }
    assert_eq!(json["classes"][0]["items"], 45);
    let run = desk.run(&format!("eval {MODEL} --data set"));
    assert!(run.done().stdout.contains("over all labels"), "{run:#?}");
}

#[test]
fn predict_writes_values_or_the_predicted_labels() {
    let desk = desk_of("regression");
    model_of(&desk, "regression");
    let predict = |desk: &Desk, flags: &str| {
        let line = format!("predict {MODEL} set/t10k-images-idx3-ubyte --limit 2 {flags}");
        desk.run(&line).done().stdout.clone()
    };
    let csv = predict(&desk, "--format csv");
    assert!(csv.starts_with("item,value_0,value_1\n0,-"), "{csv}");
    let json = predict(&desk, "--format json");
    assert!(json.starts_with("{\"item\":0,\"values\":[-"), "{json}");
    assert_eq!(predict(&desk, "").lines().count(), 2);
    let line = format!("predict {MODEL} set/t10k-images-idx3-ubyte");
    desk.refuses(
        &format!("{line} --top 2"),
        2,
        "--top: given for a model of regression, expected a classification model",
    );
    desk.refuses(
        &format!("{line} --proba"),
        2,
        "--proba: given for a model of regression, expected a model that predicts probabilities",
    );

    let desk = desk_of("multilabel");
    model_of(&desk, "multilabel");
    let csv = predict(&desk, "--format csv");
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines[0], "item,classes,p_0,p_1,p_2");
    assert!(
        lines[1].starts_with("0,,0.") && lines[2].starts_with("1,0,0.9"),
        "{csv}"
    );
    let text = predict(&desk, "");
    assert!(
        text.contains("   none\n") && text.contains("   class 0\n"),
        "{text}"
    );
}

#[test]
fn a_model_of_every_task_is_exported_and_imported() {
    for (task, words) in [
        ("regression", "(values,) = session.run"),
        ("multilabel", "probabilities, logits = session.run"),
    ] {
        let desk = desk_of(task);
        model_of(&desk, task);
        let run = desk.run(&format!("export {MODEL} --to onnx"));
        assert!(run.done().stdout.contains(words), "{run:#?}");
        desk.run(&format!("export {MODEL} --to c")).done();
        desk.run(&format!("export {MODEL} --to npz")).done();
        desk.run(&format!("export {MODEL} --to safetensors-pytorch"))
            .done();
        let file = "model/model.pytorch.safetensors";
        desk.run(&format!("import {file} --out back")).done();
        let predict = |model: &str| {
            let line = format!("predict {model} set/t10k-images-idx3-ubyte --format csv");
            desk.run(&line).done().stdout.clone()
        };
        match task {
            // The scaling of targets is folded into the last layer.
            "regression" => {
                let (found, expected) = (predict("back"), predict(MODEL));
                assert!(found.lines().count() == expected.lines().count());
                for (found, expected) in found.split([',', '\n']).zip(expected.split([',', '\n'])) {
                    let numbers = [found, expected].map(|text| text.parse::<f64>().ok());
                    match numbers {
                        [Some(found), Some(expected)] => {
                            assert!((found - expected).abs() < 1e-5, "{found} for {expected}");
                        }
                        _ => assert_eq!(found, expected),
                    }
                }
            }
            _ => assert!(desk.read("back") == desk.read(MODEL)),
        }
        desk.run(&format!("import {file} --task {task} --out back --force"))
            .done();
        let message =
            format!("--task: classification, expected {task}, as in the file, or nothing");
        desk.refuses(
            &format!("import {file} --task classification --out other"),
            2,
            &message,
        );
    }
}

#[test]
fn resumed_runs_of_every_task_end_with_the_same_bytes() {
    for (task, flags) in [
        ("regression", "--loss huber --huber-delta 0.5"),
        ("multilabel", "--dropout 0.2"),
    ] {
        let desk = desk_of(task);
        let line = format!("train --data set --task {task} --hidden 16 {flags} --quiet");
        desk.run(&format!("{line} --epochs 6 --out uninterrupted"))
            .done();
        desk.run(&format!("{line} --epochs 3 --out part")).done();
        desk.run("train --resume part --epochs 6 --quiet").done();
        let bytes = |run: &str| desk.read(&format!("{run}/model.safetensors"));
        assert!(bytes("uninterrupted") == bytes("part"), "{task}");
        let settings = desk.read_text("part/config.toml");
        assert!(
            settings.contains(&format!("task = \"{task}\"\n")),
            "{settings}"
        );
        // A warm start takes the task of the model.
        let warm = desk.run(
            "train --data set --init-from uninterrupted/model.safetensors --epochs 1 --out warm",
        );
        assert!(
            warm.done()
                .stderr
                .contains(&format!("  task      {task} by")),
            "{warm:#?}"
        );
    }
}

#[test]
fn validation_of_every_task_selects_by_its_own_metric() {
    for (task, words) in [
        (
            "regression",
            "when the validation loss has not fallen by more than 0.001 for 2 epochs",
        ),
        (
            "multilabel",
            "when the validation F1 has not risen by more than 0.10 % for 2 epochs",
        ),
    ] {
        let desk = desk_of(task);
        let flags = "--validation-split 0.2 --early-stop 2,0.001 --epochs 200 --hidden 16";
        let run = desk.run(&format!("train --data set --task {task} {flags} --out run"));
        assert!(run.done().stderr.contains(words), "{run:#?}");
        assert!(
            run.value("validation")
                .contains("the best on the validation set"),
            "{run:#?}"
        );
        assert!(
            run.value("test").contains("measured once, at the end"),
            "{run:#?}"
        );
        let csv = desk.read_text("run/metrics.csv");
        let figure = if task == "regression" {
            "mae"
        } else {
            "accuracy"
        };
        assert!(
            csv.starts_with(&format!(
                "epoch,train_loss,validation_loss,validation_{figure},"
            )),
            "{csv}"
        );
    }
    let desk = desk_of("regression");
    desk.refuses(
        "train --data set --task regression --target-accuracy 0.9",
        2,
        "--target-accuracy: 0.9 with --task regression, expected a task that has an accuracy",
    );
}

#[test]
fn inspect_shows_ranges_and_labels() {
    let desk = desk_of("regression");
    let run = desk.run("data inspect set --task regression");
    let text = &run.done().stdout;
    assert!(
        text.contains("training: 2 numbers to predict\n"),
        "{run:#?}"
    );
    assert!(
        text.contains("  number   0  from -1.5 to 1.5, mean 0.0000\n"),
        "{run:#?}"
    );
    assert!(text.contains("item 1: -0.5 1 "), "{run:#?}");
    let desk = desk_of("multilabel");
    let run = desk.run("data inspect set --task multilabel");
    let text = &run.done().stdout;
    assert!(
        text.contains("  class   0         150  75.00 %  "),
        "{run:#?}"
    );
    assert!(
        text.contains("item 1: class 0 ") && text.contains("item 3: classes 0 1 2"),
        "{run:#?}"
    );
}

#[test]
fn data_of_another_task_are_refused_with_the_flag_to_use() {
    let desk = desk_of("regression");
    let run = desk.refuses(
        "train --data set",
        1,
        "set/train-labels-idx2-float: labels of type f32, expected an integer type",
    );
    assert!(run.hint().contains("--task regression"), "{run:#?}");
    let desk = desk_of("multilabel");
    let run = desk.refuses(
        "train --data set",
        1,
        "set/train-labels-idx2-ubyte: labels of dimensions [200, 3], expected one label a row",
    );
    assert!(run.hint().contains("--task multilabel"), "{run:#?}");
    let desk = Desk::with_model(&EasySet::default());
    let run = desk.refuses(
        "train --data set --task multilabel",
        1,
        "set/train-labels-idx1-ubyte: labels of dimensions [200], expected [rows, classes]",
    );
    assert!(run.hint().contains("--task classification"), "{run:#?}");
    // A model of one task on labels of another.
    let model = desk.read(MODEL);
    for task in ["regression", "multilabel"] {
        let desk = desk_of(task);
        desk.put("model.safetensors", &model);
        let run = desk.refuses_in_parts(
            "eval model.safetensors --data set",
            1,
            &["set/t10k-labels-idx2"],
        );
        assert!(run.hint().contains(&format!("--task {task}")), "{run:#?}");
    }
}

#[test]
fn settings_of_another_task_are_refused() {
    let desk = Desk::empty();
    let only = "expected --task classification, the only task with it";
    for (flags, message) in [
        (
            "--task regression --loss cross-entropy",
            "--loss: cross-entropy with --task regression, expected mse, huber, mae, quantile, poisson".to_owned(),
        ),
        (
            "--loss huber",
            "--loss: huber with --task classification, expected cross-entropy".to_owned(),
        ),
        (
            "--task multilabel --loss mse",
            "--loss: mse with --task multilabel, expected binary-cross-entropy".to_owned(),
        ),
        (
            "--task regression --huber-delta 2",
            "--huber-delta: 2 with --loss mse, expected --loss huber, the only loss with it"
                .to_owned(),
        ),
        (
            "--task regression --loss quantile --quantile 1",
            "--quantile: 1, expected above 0 and below 1".to_owned(),
        ),
        (
            "--task regression --loss mae --quantile 0.9",
            "--quantile: 0.9 with --loss mae, expected --loss quantile, the only loss with it".to_owned(),
        ),
        (
            "--task regression --loss huber --huber-delta 0",
            "--huber-delta: 0, expected a finite number above 0".to_owned(),
        ),
        (
            "--task regression --loss huber --huber-delta nan",
            "--huber-delta: NaN, expected a finite number above 0".to_owned(),
        ),
        (
            "--target-scale standard",
            "--target-scale: standard with --task classification, expected --task regression, the only task with it"
                .to_owned(),
        ),
        (
            "--task regression --label-smoothing 0.1",
            format!("--label-smoothing: 0.1 with --task regression, {only}"),
        ),
        (
            "--task multilabel --class-weight balanced",
            format!("--class-weight: balanced with --task multilabel, {only}"),
        ),
    ] {
        desk.refuses(&format!("train --data nowhere {flags}"), 2, &message);
    }
    let desk = desk_of("regression");
    let message = "--classes: 4 with --task regression, expected none: the labels decide about the number of outputs";
    desk.refuses("train --data set --task regression --classes 4", 2, message);
}

#[test]
fn labels_that_do_not_fit_the_task_are_refused_with_their_position() {
    let desk = desk_of("multilabel");
    let mut flags = vec![0u8; 600];
    flags[7] = 2;
    desk.put(
        "set/train-labels-idx2-ubyte",
        &idx(Element::U8, &[200, 3], &flags),
    );
    let line = "train --data set --task multilabel";
    desk.refuses(
        line,
        1,
        "set/train-labels-idx2-ubyte: row 2 has 2 at 1, expected 0 or 1",
    );
    desk.put(
        "set/train-labels-idx2-ubyte",
        &idx(Element::U8, &[300, 2], &[0; 600]),
    );
    let message = "set/train-labels-idx2-ubyte: 300 labels, expected 200, one for each row of set/train-images-idx3-ubyte";
    desk.refuses(line, 1, message);
    desk.put(
        "set/train-labels-idx2-ubyte",
        &idx(Element::U8, &[200, 2], &[0; 400]),
    );
    desk.refuses(
        line,
        1,
        "set/t10k-labels-idx2-ubyte: 3 classes a row, expected 2, as many as the network has",
    );
    let desk = desk_of("regression");
    let numbers = |at: usize| if at == 5 { f64::INFINITY } else { 0.0 };
    let payload: Vec<u8> = (0..400)
        .flat_map(|at| Element::F32.bytes(numbers(at)))
        .collect();
    desk.put(
        "set/train-labels-idx2-float",
        &idx(Element::F32, &[200, 2], &payload),
    );
    let message = "set/train-labels-idx2-float: row 2 has inf at 1, expected a finite number";
    desk.refuses("train --data set --task regression", 1, message);
}

/// Returns a desk whose two values per sample are about 300,000 and 0.001.
fn desk_of_prices() -> Desk {
    let set = EasySet::default();
    let desk = desk_of("regression");
    for (half, count) in [("train", set.train), ("t10k", set.test)] {
        let classes = set.classes_of(half);
        let numbers = classes
            .iter()
            .flat_map(|&class| [3e5 + 4e4 * f64::from(class), 1e-3 * f64::from(class)]);
        let payload: Vec<u8> = numbers.flat_map(|x| Element::F32.bytes(x)).collect();
        let labels = idx(Element::F32, &[count, 2], &payload);
        desk.put(&format!("set/{half}-labels-idx2-float"), &labels);
    }
    desk
}

#[test]
fn prices_are_learned_at_the_default_learning_rate_and_shown_in_their_own_unit() {
    let desk = desk_of_prices();
    let run = desk.run("train --data set --task regression --hidden 16 --epochs 40 --out model");
    assert!(
        !run.done()
            .stderr
            .contains("warning: the numbers to predict"),
        "{run:#?}"
    );
    assert!(run.value("test").contains(", R² 0.9"), "{run:#?}");
    let line = format!("eval {MODEL} --data set --format json");
    let json = desk.run(&line).done().json();
    let output = |at: usize| &json["outputs"][at];
    assert!(
        number(&output(0)["r2"]) > 0.9 && number(&output(1)["r2"]) > 0.9,
        "{json:#}"
    );
    assert!(
        number(&output(0)["rmse"]) < 2e4 && number(&output(1)["rmse"]) < 1e-3,
        "{json:#}"
    );
    // The mean over the outputs, in their own units.
    let squares = (0..2).map(|at| number(&output(at)["rmse"]).powi(2));
    let loss = squares.sum::<f64>() / 2.0;
    assert!(
        (number(&json["loss"]) / loss - 1.0).abs() < 1e-4,
        "{json:#}"
    );
    let csv = desk.run(&format!(
        "predict {MODEL} set/t10k-images-idx3-ubyte --limit 1 --format csv"
    ));
    let line = csv.done().stdout.lines().nth(1).expect("a line").to_owned();
    let price: f64 = line
        .split(',')
        .nth(1)
        .expect("a value")
        .parse()
        .expect("a number");
    assert!((2.5e5..4.6e5).contains(&price), "{line}");
}

#[test]
fn training_from_a_model_takes_its_scaling_of_targets() {
    let desk = desk_of_prices();
    let line = "train --data set --task regression --hidden 16 --epochs 40 --quiet --out";
    desk.run(&format!("{line} model")).done();
    desk.run(&format!("{line} unscaled --target-scale none --lr 1e-13"))
        .done();
    let scaling = |model: &str| {
        let bytes = desk.read(&format!("{model}/model.safetensors"));
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let start = text.find("\\\"target_scaling\\\"")?;
        Some(
            text[start..]
                .split_once('}')
                .expect("an object")
                .0
                .to_owned(),
        )
    };
    let of_model = scaling("model");
    assert!(of_model.is_some() && scaling("unscaled").is_none());
    // Another training set would have another scaling.
    let numbers = (0..400).flat_map(|at| Element::F32.bytes(f64::from(at)));
    let labels = idx(Element::F32, &[200, 2], &numbers.collect::<Vec<u8>>());
    desk.put("set/train-labels-idx2-float", &labels);
    let from = "train --data set --epochs 1 --quiet --lr 1e-13 --init-from";
    desk.run(&format!("{from} {MODEL} --out warm")).done();
    assert_eq!(scaling("warm"), of_model);
    desk.run(&format!("{from} unscaled/model.safetensors --out cold"))
        .done();
    assert_eq!(scaling("cold"), None);
    for (model, given, own) in [
        (MODEL, "none", "standard"),
        ("unscaled/model.safetensors", "standard", "none"),
    ] {
        let line = format!("{from} {model} --target-scale {given}");
        let message = format!("--target-scale: {given}, expected {own}, as in the model");
        desk.refuses(&line, 2, &message);
    }
}

#[test]
fn a_run_of_a_version_without_target_scaling_resumes_without_it() {
    let desk = desk_of("regression");
    let line = "train --data set --task regression --target-scale none --hidden 16 --quiet";
    desk.run(&format!("{line} --epochs 6 --out uninterrupted"))
        .done();
    desk.run(&format!("{line} --epochs 3 --out part")).done();
    let settings = desk.read_text("part/config.toml");
    let earlier = settings.replace("target_scale = \"none\"\n", "");
    assert_ne!(earlier, settings);
    desk.put("part/config.toml", earlier.as_bytes());
    desk.run("train --resume part --epochs 6 --quiet").done();
    let bytes = |run: &str| desk.read(&format!("{run}/model.safetensors"));
    assert!(bytes("uninterrupted") == bytes("part"));
}

#[test]
fn large_target_values_cause_a_warning() {
    let desk = desk_of("regression");
    let payload: Vec<u8> = (0..400)
        .flat_map(|at| Element::F32.bytes(f64::from(at)))
        .collect();
    desk.put(
        "set/train-labels-idx2-float",
        &idx(Element::F32, &[200, 2], &payload),
    );
    let run =
        desk.run("train --data set --task regression --target-scale none --lr 1e-5 --epochs 1");
    assert!(
        run.done()
            .stderr
            .contains("  warning: the numbers to predict are about 231 in size"),
        "{run:#?}"
    );
    let run = desk
        .run("train --data set --task regression --target-scale none --lr 1 --epochs 5 --out bad");
    assert_eq!(run.code, Some(3), "{run:#?}");
}
