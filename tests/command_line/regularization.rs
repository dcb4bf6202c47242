//! Dropout, noise, smoothed labels and class weights as flags and settings.

use crate::desk::Desk;
use crate::idx_set::EasySet;

const ALL: &str = "--dropout 0.5 --input-dropout 0.1 --input-noise 0.2 --label-smoothing 0.1 --class-weight balanced";

#[test]
fn each_option_changes_the_model_and_appears_in_the_banner() {
    let desk = Desk::with(&EasySet::noisy());
    let flags = "--data set --epochs 2 --hidden 16";
    let plain = desk.model_of(flags);
    for (option, words) in [
        ("--dropout 0.5", "dropout 0.5"),
        ("--input-dropout 0.1", "input dropout 0.1"),
        ("--input-noise 0.2", "input noise 0.2"),
        ("--label-smoothing 0.1", "label smoothing 0.1"),
    ] {
        assert!(
            plain != desk.model_of(&format!("{flags} {option}")),
            "{option}"
        );
        let run = desk.run(&format!("train {flags} {option}"));
        assert!(
            run.done().stderr.contains(&format!("  {words}\n")),
            "{run:#?}"
        );
    }
    let run = desk.run(&format!("train {flags} {ALL}"));
    let words = "  dropout 0.5, input dropout 0.1, input noise 0.2, label smoothing 0.1, balanced classes\n";
    assert!(run.done().stderr.contains(words), "{run:#?}");
}

#[test]
fn any_thread_count_gives_the_same_model_and_a_network_still_learns() {
    let desk = Desk::with(&EasySet::default());
    let flags = format!("--data set --epochs 60 --hidden 32,16 --activation relu {ALL}");
    let model = |threads| desk.model_of(&format!("{flags} --threads {threads}"));
    let one = model(1);
    for threads in [2, 3, 7] {
        assert!(one == model(threads), "{threads} threads");
    }
    let report = desk.report_of(&flags);
    assert!(report["test_accuracy"].as_f64() > Some(0.95), "{report:#}");
}

#[test]
fn a_profile_has_a_phase_for_noise_only_if_there_is_any() {
    let desk = Desk::with(&EasySet::default());
    let phases = |flags: &str| {
        let report = desk.report_of(&format!("--data set --epochs 1 {flags}"));
        let phases = report["profile"].as_array().expect("a list").clone();
        phases
            .into_iter()
            .map(|phase| phase["phase"].as_str().expect("a name").to_owned())
            .collect::<Vec<_>>()
    };
    assert!(phases("--dropout 0.5").contains(&"noise".to_owned()));
    assert!(!phases("").contains(&"noise".to_owned()));
}

#[test]
fn class_weights_are_read_from_a_file_and_kept_when_it_is_removed() {
    let desk = Desk::with(&EasySet::noisy());
    let flags = "--data set --epochs 2 --hidden 16 --class-weight";
    desk.put("weights", b"1\n0.5\n2e1\n 3.25\n");
    desk.run(&format!("train {flags} weights --out run")).done();
    let settings = desk.read_text("run/config.toml");
    assert!(
        settings.contains("class_weight = [1.0, 0.5, 20.0, 3.25]\n"),
        "{settings}"
    );
    desk.remove("weights");
    desk.run("train --resume run --epochs 4").done();
    let resumed = desk.read("run/model.safetensors");
    desk.run("train --config run/config.toml --out again")
        .done();
    assert!(resumed == desk.read("again/model.safetensors"));
    // Only their proportions matter.
    desk.put("weights", b"4\n2\n8e1\n13\n");
    let scaled = desk.report_of(&format!("{flags} weights"));
    desk.put("weights", b"1\n0.5\n2e1\n3.25\n");
    let report = desk.report_of(&format!("{flags} weights"));
    assert_eq!(
        report["epochs"][1]["train_loss"],
        scaled["epochs"][1]["train_loss"]
    );
}

#[test]
fn balanced_weights_of_balanced_classes_change_nothing() {
    let desk = Desk::with(&EasySet::noisy());
    let loss = |flags: &str| {
        let report = desk.report_of(&format!("--data set --epochs 2 --hidden 16 {flags}"));
        report["epochs"][1]["train_loss"].as_f64().expect("a loss")
    };
    // 200 samples in 4 classes: the weights are 1 except for rounding.
    assert!((loss("") - loss("--class-weight balanced")).abs() < 1e-5);
}

#[test]
fn rejects_class_weights_with_their_line() {
    let desk = Desk::with(&EasySet::default());
    let line = "train --data set --class-weight weights";
    for (content, message) in [
        (
            "1\nheavy\n1\n1\n",
            "weights: line 2: \"heavy\", expected a finite number above 0",
        ),
        (
            "1\n1\n1\n0\n",
            "weights: line 4: \"0\", expected a finite number above 0",
        ),
        (
            "1\n-1\n",
            "weights: line 2: \"-1\", expected a finite number above 0",
        ),
        (
            "1,1,1,1",
            "weights: line 1: \"1,1,1,1\", expected a finite number above 0",
        ),
        (
            "1\n1\n1\n",
            "--class-weight: 3 weights, expected 4, one for each class of the training labels",
        ),
        (
            "",
            "--class-weight: 0 weights, expected 4, one for each class of the training labels",
        ),
    ] {
        desk.put("weights", content.as_bytes());
        desk.refuses_in_parts(line, 2, &[&format!("{message}\n")]);
    }
    desk.put("weights", &[0xff, 0xfe]);
    desk.refuses_in_parts(
        line,
        2,
        &["weights: bytes that are not text, expected a number per line\n"],
    );
    desk.remove("weights");
    desk.refuses_in_parts(line, 1, &["weights: could not open: "]);
    assert!(!desk.has("runs"));
}

#[test]
fn rejects_settings_of_another_type_in_a_file() {
    let desk = Desk::with(&EasySet::default());
    for (setting, parts) in [
        (
            "class_weight = \"rare\"",
            &[
                "config.toml: class_weight: ",
                "\"balanced\" or a list of numbers\n",
            ][..],
        ),
        ("class_weight = [1, true]", &["config.toml: class_weight: "]),
        (
            "class_weight = [1.0, 0.0]",
            &[
                "config.toml: class_weight: [1.0, 0.0], expected a finite number above 0 for each class\n",
            ],
        ),
        ("dropout = \"half\"", &["config.toml: dropout: "]),
        (
            "dropout = 1.0",
            &["config.toml: dropout: 1, expected 0 to below 1\n"],
        ),
        (
            "drop_out = 0.5",
            &[
                "config.toml: no setting is called drop_out",
                "hint: the nearest is dropout\n",
            ],
        ),
    ] {
        desk.put("config.toml", setting.as_bytes());
        desk.refuses_in_parts("train --data set --config config.toml", 2, parts);
    }
}

#[test]
fn a_resumed_run_keeps_its_regularisation() {
    let desk = Desk::with(&EasySet::default());
    desk.run("train --data set --epochs 2 --dropout 0.5 --out run")
        .done();
    let message = "--dropout: given with --resume, expected the setting that the run started with";
    desk.refuses("train --resume run --dropout 0.4", 2, message);
}
