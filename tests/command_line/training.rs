//! What `train` reports: the JSON report, the summary with the next command, a line per epoch, and the message and exit
//! code of a run that diverges.

use crate::desk::{Desk, Run, number};
use crate::idx_set::EasySet;

const TRAIN: &str = "train --data set --hidden 8 --epochs 4";

#[test]
fn the_report_is_one_json_object_with_everything_about_the_run() {
    let desk = Desk::with(&EasySet::default());
    let run = desk.run(&format!("{TRAIN} --threads 2 --format json"));
    let report = run.done().json();
    assert_eq!(report["schema"], "perceptor.train/1");
    assert_eq!(report["version"], perceptor::VERSION);
    assert_eq!(report["revision"], perceptor::REVISION);
    assert_eq!(report["data"], "set");
    assert_eq!(
        (&report["train_items"], &report["test_items"]),
        (&200.into(), &60.into())
    );
    assert_eq!(report["network"], "9-8-4");
    // 9 · 8 + 8 and 8 · 4 + 4.
    assert_eq!(report["parameters"], 116);
    assert_eq!(report["threads"], 2);
    // The library that was called, if any.
    let is_native = report["config"]["engine"] == "native";
    assert_eq!(report["blas"].is_null(), is_native);
    assert!(is_native || report["blas"]["threads"] == 1);
    assert!(is_native || report["blas"]["kernel"].is_string());
    assert_eq!(report["config"]["hidden"], serde_json::json!([8]));
    assert_eq!(report["warnings"], serde_json::json!([]));
    assert_eq!(report["model"], "runs/train-1/model.safetensors");
    assert!(desk.has("runs/train-1/model.safetensors"));
}

#[test]
fn the_figures_of_the_report_agree_with_each_other() {
    let report = Desk::with(&EasySet::default()).report_of("--data set --hidden 8 --epochs 4");
    let epochs = report["epochs"].as_array().expect("a list");
    assert_eq!(epochs.len(), 4);
    // 4 · in · out for the first layer, 6 · in · out for the other.
    let flops = f64::from(4 * 9 * 8 + 6 * 8 * 4);
    let near = |found: f64, expected: f64| (found - expected).abs() <= 1e-6 * expected;
    let mut seconds = 0.0;
    let mut best = 0.0;
    for (epoch, metrics) in (1..).zip(epochs) {
        assert_eq!(metrics["epoch"], epoch);
        assert!(number(&metrics["train_loss"]) > 0.0);
        assert!(number(&metrics["test_loss"]) > 0.0);
        let accuracy = number(&metrics["test_accuracy"]);
        assert!((0.0..=1.0).contains(&accuracy), "{accuracy}");
        best = f64::max(best, accuracy);
        assert_eq!(metrics["learning_rate"].to_string(), "0.1");
        let (time, rate) = (
            number(&metrics["train_seconds"]),
            number(&metrics["samples_per_second"]),
        );
        assert!(near(rate, 200.0 / time), "{metrics}");
        assert!(
            near(number(&metrics["gflops"]), rate * flops / 1e9),
            "{metrics}"
        );
        seconds += time;
    }
    assert_eq!(report["test_accuracy"], epochs[3]["test_accuracy"]);
    assert_eq!(number(&report["best_test_accuracy"]), best);
    assert!(near(number(&report["train_seconds"]), seconds));
    assert!(number(&report["wall_seconds"]) >= seconds);
    let rate = number(&report["samples_per_second"]);
    assert!(near(rate, 800.0 / seconds));
    assert!(near(number(&report["gflops"]), rate * flops / 1e9));
    // The data are easy, so the loss falls.
    assert!(number(&epochs[3]["train_loss"]) < number(&epochs[0]["train_loss"]));
}

#[test]
fn quiet_leaves_stderr_empty() {
    let desk = Desk::with(&EasySet::default());
    for format in ["text", "json"] {
        for flag in ["--quiet", "-q"] {
            let run = desk.run(&format!("{TRAIN} {flag} --format {format}"));
            assert_eq!(run.done().stderr, "", "{run:#?}");
            assert!(!run.stdout.is_empty());
        }
    }
}

#[test]
fn without_a_terminal_stderr_has_a_line_per_epoch_and_no_control_characters() {
    let run = Desk::with(&EasySet::default()).run(TRAIN);
    let lines: Vec<&str> = run.done().stderr.lines().collect();
    let header = lines.iter().position(|line| line.starts_with("epoch"));
    let epochs = &lines[header.expect("a header") + 1..];
    let numbers: Vec<&str> = epochs.iter().map(|line| &line[..5]).collect();
    assert_eq!(numbers, ["    1", "    2", "    3", "    4"]);
    let control = |c: char| c.is_control() && c != '\n';
    assert!(
        !run.stderr.contains(control) && !run.stdout.contains(control),
        "{run:#?}"
    );
}

#[test]
fn the_banner_describes_data_network_and_machine() {
    let run = Desk::with(&EasySet::default()).run(&format!("{TRAIN} --threads 2"));
    for words in [
        concat!("perceptor ", env!("CARGO_PKG_VERSION")),
        "200 training and 60 test samples, 3×3 u8, 4 classes",
        "9-8-4, sigmoid and softmax, 116 parameters",
        "4 epochs, batch size 32, seed 1",
        "sgd, learning rate 0.1, momentum 0.9",
        "2 threads, ",
    ] {
        assert!(run.done().stderr.contains(words), "{words}: {run:#?}");
    }
}

/// Runs the next command that `run` suggests in a shell.
#[cfg(unix)]
fn run_next(desk: &Desk, run: &Run) -> Run {
    let mut shell = desk.command_of("sh");
    shell.args(["-c", run.value("next")]);
    Run::of(shell)
}

#[cfg(unix)]
#[test]
fn the_summary_names_the_model_and_a_next_command_that_works() {
    let desk = Desk::with(&EasySet::default());
    let run = desk.run(TRAIN);
    run.done();
    assert_eq!(run.value("model"), "runs/train-1/model.safetensors");
    let next = run_next(&desk, &run);
    let accuracy = run.value("test accuracy");
    let (accuracy, _) = accuracy
        .split_once(" after the last epoch")
        .expect("an accuracy");
    assert_eq!(next.done().value("accuracy"), accuracy);
}

#[cfg(unix)]
#[test]
fn the_next_command_works_for_folders_with_awkward_names() {
    let desk = Desk::empty();
    for name in ["two words", "it's", "$HOME", "a;b", "ünïcode", "*"] {
        EasySet::default().write(&desk.path(name));
        let mut command = desk.command("train --epochs 1 --hidden 4 --quiet --exist-ok");
        command.args(["--data", name, "--out", &format!("{name}/out")]);
        let run = Run::of(command);
        run.done();
        run_next(&desk, &run).done();
    }
}

#[cfg(unix)]
#[test]
fn the_next_command_works_for_a_program_with_an_awkward_name() {
    use std::os::unix::fs::symlink;
    let desk = Desk::with(&EasySet::default());
    let program = desk.path("my perceptor");
    symlink(desk.command("").get_program(), &program).expect("naming the program");
    let mut command = desk.command_of(program);
    command.args(["train", "--data", "set", "--epochs", "1", "--quiet"]);
    let run = Run::of(command);
    run.done();
    run_next(&desk, &run).done();
}

#[cfg(target_os = "linux")]
#[test]
fn a_program_whose_name_is_not_utf8_trains() {
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::symlink;
    let desk = Desk::with(&EasySet::default());
    let program = desk
        .path("")
        .join(std::ffi::OsStr::from_bytes(b"perceptor\xff"));
    symlink(desk.command("").get_program(), &program).expect("naming the program");
    let mut command = desk.command_of(program);
    command.args(["train", "--data", "set", "--epochs", "1", "--quiet"]);
    Run::of(command).done();
}

#[cfg(unix)]
#[test]
fn the_next_command_names_the_test_files_of_the_flags() {
    let desk = Desk::with(&EasySet::default());
    let run = desk.run(
        "train --epochs 1 --train-images set/train-images-idx3-ubyte \
         --train-labels set/train-labels-idx1-ubyte --test-images set/t10k-images-idx3-ubyte \
         --test-labels set/t10k-labels-idx1-ubyte",
    );
    run.done();
    let next = run_next(&desk, &run);
    assert!(
        next.done().value("data").contains("60 samples"),
        "{next:#?}"
    );
}

#[test]
fn a_run_that_diverges_reports_the_step_and_suggests_a_learning_rate() {
    let desk = Desk::with(&EasySet::default());
    for activation in ["identity", "relu"] {
        let run = desk.run(&format!("{TRAIN} --activation {activation} --lr 1e30"));
        assert_eq!(run.code, Some(3), "{run:#?}");
        assert_eq!(run.stdout, "");
        let error = run.stderr.lines().find(|line| line.starts_with("error: "));
        let error = error.expect("an error");
        assert!(error.starts_with("error: epoch 1, step "), "{run:#?}");
        assert!(error.contains(": training loss is "), "{run:#?}");
        assert!(error.ends_with(", expected a finite number"), "{run:#?}");
        assert!(run.hint().contains("try --lr "), "{run:#?}");
    }
}

#[test]
fn quiet_training_still_reports_that_it_diverged() {
    let desk = Desk::with(&EasySet::default());
    let run = desk.run(&format!(
        "{TRAIN} --activation relu --lr 1e30 -q --format json"
    ));
    assert_eq!((run.code, run.stdout.as_str()), (Some(3), ""), "{run:#?}");
    assert!(run.stderr.starts_with("error: epoch 1, step "), "{run:#?}");
}

#[test]
fn a_training_set_without_a_test_set_is_enough() {
    let set = EasySet {
        test: 0,
        ..EasySet::default()
    };
    let desk = Desk::with(&set);
    let report = desk.report_of("--data set --epochs 2");
    for field in ["test_items", "test_accuracy", "best_test_accuracy"] {
        assert!(report[field].is_null(), "{field}: {report:#}");
    }
    for epoch in report["epochs"].as_array().expect("a list") {
        assert!(epoch["test_loss"].is_null() && epoch["test_accuracy"].is_null());
    }
    let run = desk.run("train --data set --epochs 2");
    assert!(
        run.done().value("training loss").ends_with("(no test set)"),
        "{run:#?}"
    );
    assert!(
        run.value("next")
            .contains(" predict runs/train-2/model.safetensors "),
        "{run:#?}"
    );
    assert!(
        run.stderr.contains("200 training and no test samples"),
        "{run:#?}"
    );
}

#[test]
fn data_mnist_is_used_without_a_flag() {
    let desk = Desk::empty();
    EasySet::default().write(&desk.path("data/mnist"));
    let run = desk.run("train --epochs 1 --format json");
    assert_eq!(run.done().json()["data"], "data/mnist");
    // Nothing was generated.
    assert!(!run.stderr.contains("generated digits"), "{run:#?}");
    let model = "runs/train-1/model.safetensors";
    assert_eq!(
        desk.run(&format!("eval {model}")).done().value("data"),
        "data/mnist/t10k-images-idx3-ubyte, 60 samples"
    );
}
