//! Validation sets, early stopping and warm starts: what is reported, which set selects the model, and what is refused.

use serde_json::Value;

use crate::desk::Desk;
use crate::idx_set::EasySet;

const TRAIN: &str = "train --data set --hidden 8";

/// Returns a desk with a set so noisy that accuracies rise and fall.
fn noisy_desk() -> Desk {
    Desk::with(&EasySet::noisy())
}

/// Writes 80 samples of the same kind as validation files, and returns their flags.
fn put_validation_files(desk: &Desk) -> String {
    let set = EasySet {
        test: 80,
        ..EasySet::noisy()
    };
    desk.put("val-images", &set.images("t10k"));
    desk.put("val-labels", &set.labels("t10k"));
    "--validation-images val-images --validation-labels val-labels".to_owned()
}

fn epochs(report: &Value) -> &Vec<Value> {
    report["epochs"].as_array().expect("a list")
}

#[test]
fn the_validation_set_is_evaluated_after_each_epoch_and_the_test_set_once() {
    let desk = noisy_desk();
    let files = put_validation_files(&desk);
    for (flags, train, held_out) in [
        ("--validation-split 0.1", 180, 20),
        ("--validation-split 10%", 180, 20),
        ("--validation-split 50", 150, 50),
        (&files, 200, 80),
    ] {
        let report = desk.report_of(&format!("--data set --hidden 8 --epochs 3 {flags}"));
        assert_eq!(report["train_items"], train, "{report:#}");
        assert_eq!(report["validation_items"], held_out);
        assert_eq!(report["test_items"], 60);
        for epoch in epochs(&report) {
            let accuracy = epoch["validation_accuracy"].as_f64().expect("an accuracy");
            let correct = accuracy * f64::from(held_out);
            assert!((correct - correct.round()).abs() < 1e-9, "{epoch}");
            assert!(epoch["validation_loss"].is_f64());
            assert!(epoch["test_loss"].is_null() && epoch["test_accuracy"].is_null());
        }
        let last = epochs(&report).last().expect("an epoch");
        assert_eq!(report["validation_accuracy"], last["validation_accuracy"]);
        assert!(report["best_test_accuracy"].is_null());
        let run = desk.run(&format!("{TRAIN} --epochs 3 {flags}"));
        let sizes = format!("{train} training, {held_out} validation and 60 test samples");
        assert!(run.done().stderr.contains(&sizes), "{run:#?}");
        assert!(run.stderr.contains("val. loss  val. accuracy"), "{run:#?}");
        let (measured, words) = run
            .value("test accuracy")
            .split_once(", ")
            .expect("words after the accuracy");
        assert_eq!(words, "measured once, at the end");
        // Exactly the accuracy that `eval` reports.
        let eval = desk.run(&format!("eval {} --data set", run.value("model")));
        assert_eq!(eval.done().value("accuracy"), measured);
    }
}

#[test]
fn the_metrics_have_the_columns_of_the_validation_set() {
    let desk = noisy_desk();
    desk.run(&format!(
        "{TRAIN} --epochs 2 --validation-split 0.2 --out out"
    ))
    .done();
    let csv = desk.read_text("out/metrics.csv");
    let mut lines = csv.lines();
    let header = "epoch,train_loss,validation_loss,validation_accuracy,learning_rate,train_seconds,\
                  samples_per_second,gflops";
    assert_eq!(lines.next(), Some(header));
    let json = desk.read_text("out/metrics.jsonl");
    assert_eq!((lines.clone().count(), json.lines().count()), (2, 2));
    for (line, object) in lines.zip(json.lines()) {
        let object: Value = serde_json::from_str(object).expect("JSON");
        let cells: Vec<&str> = line.split(',').collect();
        assert_eq!(cells[3], object["validation_accuracy"].to_string());
    }
}

#[test]
fn a_run_that_stops_early_reports_how_its_model_was_selected() {
    let desk = noisy_desk();
    let flags = "--epochs 500 --validation-split 0.25 --early-stop 3";
    let run = desk.run(&format!("{TRAIN} {flags} --out out"));
    run.done();
    let report = desk.report_of(&format!("--data set --hidden 8 {flags}"));
    assert_eq!(report["ended"], "early-stop");
    let (all, kept) = (epochs(&report).len(), report["best_epoch"].as_u64());
    let kept = kept.expect("an epoch") as usize;
    assert_eq!(all, kept + 3);
    let accuracy = |at: usize| epochs(&report)[at]["validation_accuracy"].as_f64();
    assert!((0..all).all(|at| accuracy(at) <= accuracy(kept - 1)));
    let words = format!("after epoch {kept}, the best on the validation set, as in the model");
    assert!(run.value("validation").ends_with(&words), "{run:#?}");
    let words = format!("after epoch {all}: the validation accuracy has not risen for 3 epochs");
    assert_eq!(run.value("ended"), words);
    assert!(
        run.stderr.contains(
            "  ends      when the validation accuracy has not risen for 3 epochs, keeping the best weights\n"
        ),
        "{run:#?}"
    );
    // The model file records the same epoch.
    let model = String::from_utf8_lossy(&desk.read("out/model.safetensors")).into_owned();
    assert!(model.contains(&format!("\\\"best_epoch\\\":{kept}")));
}

#[test]
fn a_run_ends_at_its_target_and_reports_the_set_it_was_reached_on() {
    let desk = Desk::with(&EasySet::default());
    let flags = "--epochs 500 --target-accuracy 90%";
    let run = desk.run(&format!("{TRAIN} {flags} --validation-split 0.2"));
    let end = run.done().value("ended");
    assert!(
        end.ends_with("90.00 % reached on the validation set"),
        "{run:#?}"
    );
    let run = desk.run(&format!("{TRAIN} {flags}"));
    let end = run.done().value("ended");
    assert!(
        end.ends_with(
            "90.00 % reached on the test set, which is optimistic, because the test set decided when to stop"
        ),
        "{run:#?}"
    );
    let report = desk.report_of(&format!("--data set --hidden 8 {flags}"));
    assert_eq!(report["ended"], "target-accuracy");
    assert!(report["test_accuracy"].as_f64() >= Some(0.9));
    let before = &epochs(&report)[..epochs(&report).len() - 1];
    assert!(
        before
            .iter()
            .all(|epoch| epoch["test_accuracy"].as_f64() < Some(0.9))
    );
}

#[test]
fn a_run_that_ran_out_of_time_reports_it_and_resumes_with_more() {
    let desk = Desk::with(&EasySet {
        train: 2000,
        ..EasySet::noisy()
    });
    let line = "train --data set --hidden 60 --batch-size 1 --out out";
    let run = desk.run(&format!("{line} --epochs 1000000 --max-time 300ms"));
    let end = run.done().value("ended");
    let words = ": the time limit of 300ms is reached; how far training got depends on the speed of the machine";
    assert!(end.ends_with(words), "{run:#?}");
    let again = desk.run("train --resume out");
    let words = "out: its time is over; to train on, give a larger --max-time";
    assert!(again.done().stderr.contains(words), "{again:#?}");
    assert_eq!(again.value("ended"), end);
    assert_eq!(again.value("test accuracy"), run.value("test accuracy"));
    let before = desk.read("out/model.safetensors");
    let more = desk.run("train --resume out --max-time 500ms");
    assert!(
        more.done().stderr.contains("  resuming  out from "),
        "{more:#?}"
    );
    assert!(desk.read("out/model.safetensors") != before);
}

#[test]
fn a_flag_for_a_validation_set_replaces_the_other_kind_in_a_file() {
    let desk = noisy_desk();
    let files = put_validation_files(&desk);
    desk.run(&format!(
        "{TRAIN} --epochs 1 --validation-split 0.1 --out out"
    ))
    .done();
    let config = desk.read_text("out/config.toml");
    assert!(config.contains("\nvalidation_split = 0.1\n"), "{config}");
    desk.run(&format!(
        "train --config out/config.toml {files} --out other"
    ))
    .done();
    let config = desk.read_text("other/config.toml");
    assert!(!config.contains("validation_split"), "{config}");
    assert!(config.contains("/val-images\"\n"), "{config}");
    desk.run("train --config other/config.toml --validation-split 7 --out last")
        .done();
    let config = desk.read_text("last/config.toml");
    assert!(config.contains("\nvalidation_split = 7\n") && !config.contains("val-images"));
    desk.put(
        "both.toml",
        b"validation_split = 0.1\nvalidation_images = \"a\"\nvalidation_labels = \"b\"",
    );
    let message =
        "both.toml: validation_images: given together with validation_split, expected one of them";
    desk.refuses("train --data set --config both.toml", 2, message);
}

#[test]
fn the_recorded_settings_of_a_run_that_stops_early_reproduce_it() {
    let desk = noisy_desk();
    let flags = "--validation-split 0.2 --early-stop 2,0.01 --target-accuracy 0.999 --max-time 1h \
                 --freeze layers.0 --epochs 30";
    desk.run(&format!("{TRAIN} {flags} --out out")).done();
    let config = desk.read_text("out/config.toml");
    for line in [
        "validation_split = 0.2",
        "early_stop = \"2,0.01\"",
        "target_accuracy = 0.999",
        "max_time = \"1h\"",
        "freeze = [\"layers.0\"]",
    ] {
        assert!(
            config.lines().any(|found| found == line),
            "{line}: {config}"
        );
    }
    desk.run("train --config out/config.toml --out again")
        .done();
    assert!(desk.read("again/model.safetensors") == desk.read("out/model.safetensors"));
    assert_eq!(desk.read("again/config.toml"), desk.read("out/config.toml"));
}

#[test]
fn a_warm_start_takes_network_weights_and_scaling_from_the_model() {
    let desk = noisy_desk();
    let first = "--data set --hidden 8,6 --activation tanh --scale standard --epochs 3";
    desk.run(&format!("train {first} --out first")).done();
    let model = "first/model.safetensors";
    let line = format!("train --data set --init-from {model} --epochs 2");
    let run = desk.run(&format!("{line} --out second"));
    assert!(
        run.done()
            .stderr
            .contains("  start     from the weights of first/model.safetensors\n"),
        "{run:#?}"
    );
    let config = desk.read_text("second/config.toml");
    for line in [
        "hidden = [8, 6]",
        "activation = \"tanh\"",
        "scale = \"model\"",
        &format!("init_from = \"{}\"", desk.path(model).display()),
    ] {
        assert!(
            config.lines().any(|found| found == line),
            "{line}: {config}"
        );
    }
    let scaling = |name: &str| {
        let text = String::from_utf8_lossy(&desk.read(name)).into_owned();
        let start = text.find("\\\"scaling\\\"").expect("a scaling");
        text[start..start + 60].to_owned()
    };
    assert_eq!(scaling(model), scaling("second/model.safetensors"));
    // Training continues from the weights of the model.
    let loss = |folder: &str| -> f64 {
        let csv = desk.read_text(&format!("{folder}/metrics.csv"));
        let line = csv.lines().nth(1).expect("an epoch");
        line.split(',')
            .nth(1)
            .expect("a loss")
            .parse()
            .expect("a number")
    };
    assert!(loss("second") < loss("first"));
    // With its own scaling if a flag asks for it, and again from its recorded settings.
    desk.run(&format!("{line} --scale unit --out third")).done();
    assert_ne!(scaling(model), scaling("third/model.safetensors"));
    desk.run("train --config second/config.toml --out fourth")
        .done();
    assert!(desk.read("fourth/model.safetensors") == desk.read("second/model.safetensors"));
    // Frozen layers stay the same byte for byte.
    desk.run(&format!("{line} --freeze layers.0,layers.2 --out frozen"))
        .done();
    let tensor = |name: &str, layer: usize| -> Vec<u8> {
        let bytes = desk.read(name);
        let tensors = safetensors::SafeTensors::deserialize(&bytes).expect("a model");
        let name = format!("layers.{layer}.weight");
        tensors.tensor(&name).expect("a layer").data().to_vec()
    };
    for (layer, frozen) in [true, false, true].into_iter().enumerate() {
        let same = tensor(model, layer) == tensor("frozen/model.safetensors", layer);
        assert_eq!(same, frozen, "layer {layer}");
    }
}

#[test]
fn a_stopped_warm_start_resumes_without_the_model() {
    let desk = noisy_desk();
    desk.run(&format!("{TRAIN} --epochs 2 --scale standard --out first"))
        .done();
    let line = "train --data set --init-from first/model.safetensors --out out";
    desk.run(&format!("{line} --epochs 4")).done();
    let uninterrupted = desk.read("out/model.safetensors");
    desk.run(&format!("{line} --epochs 2 --exist-ok")).done();
    desk.remove("first/model.safetensors");
    desk.run("train --resume out --epochs 4").done();
    assert!(desk.read("out/model.safetensors") == uninterrupted);
}

#[test]
fn a_model_of_another_network_is_refused_with_both_networks() {
    let desk = noisy_desk();
    desk.run(&format!("{TRAIN} --epochs 1 --out first")).done();
    let model = "first/model.safetensors";
    let line = format!("train --data set --init-from {model}");
    for (flags, expected) in [
        ("--hidden 9", "9-9-4, sigmoid"),
        ("--hidden 8,8", "9-8-8-4, sigmoid"),
        ("--activation relu", "9-8-4, relu"),
        ("--batch-norm", "9-8-4, sigmoid, batch norm"),
        ("--classes 5", "9-8-5, sigmoid"),
    ] {
        let message = format!(
            "--init-from: a model 9-8-4, sigmoid, expected {expected}, the network of this run"
        );
        desk.refuses(&format!("{line} {flags}"), 2, &message);
    }
    desk.put("wide.toml", b"hidden = [30]");
    let run = desk.run(&format!("{line} --config wide.toml"));
    assert_eq!(run.code, Some(2), "{run:#?}");
    assert!(
        run.hint()
            .starts_with("leave --hidden, --activation, --batch-norm and --task out")
    );
    desk.refuses_in_parts(
        "train --data set --init-from nowhere",
        1,
        &["nowhere: could not open: "],
    );
    desk.refuses_in_parts(
        "train --data set --init-from set/train-labels-idx1-ubyte",
        1,
        &[
            "set/train-labels-idx1-ubyte: ",
            ", expected a safetensors file\n",
        ],
    );
}

#[test]
fn rejects_invalid_settings_of_validation_and_early_ends() {
    let desk = noisy_desk();
    let share = "expected a share above 0 and below 1, or a number of samples";
    let stop = "expected a number of epochs, at least 1, and optionally the least improvement that counts, at least 0, \
                as 5,0.001";
    let time = "expected a time with its unit, as 90s, 10m or 1h 30m";
    let set = "expected --validation-split, or --validation-images and --validation-labels";
    for (flags, message) in [
        (
            "--validation-split=0",
            &format!("--validation-split: 0, {share}")[..],
        ),
        (
            "--validation-split=0.0",
            &format!("--validation-split: 0.0, {share}"),
        ),
        (
            "--validation-split=1.0",
            &format!("--validation-split: 1.0, {share}"),
        ),
        (
            "--validation-split=-0.5",
            &format!("--validation-split: -0.5, {share}"),
        ),
        (
            "--validation-split=nan",
            &format!("--validation-split: NaN, {share}"),
        ),
        (
            "--validation-split=200",
            "--validation-split: 200 of 200 training samples, expected 1 to 196, which leaves one of every class",
        ),
        (
            "--validation-split=0.001",
            "--validation-split: 0 of 200 training samples, expected 1 to 196, which leaves one of every class",
        ),
        (
            "--validation-split=lots",
            "invalid value 'lots' for '--validation-split <SHARE|N>': expected a fraction such as 0.1 or 10%, \
             or a number of samples such as 5000",
        ),
        (
            "--early-stop 5",
            &format!("--early-stop: given without a validation set, {set}"),
        ),
        (
            "--validation-split 0.1 --early-stop 0",
            &format!("--early-stop: 0, {stop}"),
        ),
        (
            "--validation-split 0.1 --early-stop 5,-1",
            &format!("--early-stop: 5,-1, {stop}"),
        ),
        (
            "--validation-split 0.1 --early-stop 5,nan",
            &format!("--early-stop: 5,NaN, {stop}"),
        ),
        (
            "--validation-split 0.1 --early-stop soon",
            &format!("invalid value 'soon' for '--early-stop <PATIENCE[,MIN-DELTA]>': {stop}"),
        ),
        ("--max-time 0s", "--max-time: 0s, expected a time above 0"),
        (
            "--max-time 10",
            &format!("invalid value '10' for '--max-time <TIME>': {time}"),
        ),
        (
            "--target-accuracy 98",
            "invalid value '98' for '--target-accuracy <ACCURACY>': expected above 0 and up to 1, as 0.975 or 97.5%",
        ),
        (
            "--freeze layers.2",
            "--freeze: layers.2, expected layers.0, layers.1",
        ),
        ("--freeze 0", "--freeze: 0, expected layers.0, layers.1"),
        (
            "--freeze layers.1,layers.0",
            "--freeze: every layer, expected at least one that is trained",
        ),
        (
            "--scale model",
            "--scale: model, expected a model to start from, with --init-from",
        ),
    ] {
        desk.refuses(&format!("{TRAIN} {flags}"), 2, message);
    }
    desk.refuses_in_parts(
        &format!("{TRAIN} --validation-split 0.1 --validation-images a --validation-labels b"),
        2,
        &["the argument '--validation-split <SHARE|N>' cannot be used with"],
    );
    desk.refuses_in_parts(
        &format!("{TRAIN} --validation-images a"),
        2,
        &["the following required arguments were not provided:\n  --validation-labels"],
    );
    for (text, message) in [
        (
            "early_stop = \"5;1\"",
            format!("my.toml: early_stop: \"5;1\", {stop}\n"),
        ),
        (
            "max_time = 10",
            format!("my.toml: max_time: \"10\", {time}\n"),
        ),
        (
            "target_accuracy = 98",
            "my.toml: target_accuracy: \"98\", expected above 0 and up to 1, as 0.975 or 97.5%\n"
                .to_owned(),
        ),
        (
            "validation_split = -3",
            format!("my.toml: validation_split: -3.0, {share}\n"),
        ),
    ] {
        desk.put("my.toml", text.as_bytes());
        desk.refuses_in_parts("train --data set --config my.toml", 2, &[&message]);
    }
}

#[test]
fn rejects_validation_files_that_do_not_match_the_training_files() {
    let desk = noisy_desk();
    put_validation_files(&desk);
    let set = EasySet {
        item: &[2, 2],
        ..EasySet::default()
    };
    desk.put("narrow", &set.images("t10k"));
    let line = |images: &str| {
        format!("{TRAIN} --validation-images {images} --validation-labels val-labels")
    };
    let message = "narrow: 4 features a row, expected 9, as in set/train-images-idx3-ubyte";
    desk.refuses(&line("narrow"), 1, message);
    let message =
        "val-labels: 80 labels, expected 200, one for each row of set/train-images-idx3-ubyte";
    desk.refuses(&line("set/train-images-idx3-ubyte"), 1, message);
    desk.put("val-labels", &crate::idx_set::labels(&[7; 80]));
    let message = "val-labels: row 0 has label 7, expected 0 to 3";
    desk.refuses(&line("val-images"), 1, message);
}

#[test]
fn a_target_without_a_validation_or_test_set_is_refused() {
    let desk = Desk::with(&EasySet {
        test: 0,
        ..EasySet::default()
    });
    let message =
        "--target-accuracy: given without a validation or test set, expected one to measure it on";
    let run = desk.refuses(&format!("{TRAIN} --target-accuracy 0.9"), 2, message);
    assert!(run.hint().contains("--validation-split 0.1"));
    let run = desk.run(&format!("{TRAIN} --epochs 2 --validation-split 0.1"));
    assert_eq!(run.done().value("test accuracy"), "unknown (no test set)");
}
