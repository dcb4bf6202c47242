//! Settings from a file, and flags that override them.

use crate::desk::Desk;
use crate::idx_set::EasySet;

const FILE: &str = "\
hidden = [8]
epochs = 3
batch_norm = true
freeze = [\"layers.0\"]
shuffle_window = 50
max_norm = 0.5
clip_norm = 0.01
clip_value = 0.001
ema = 0.9
class_weight = \"balanced\"
validation_split = \"0.2\"
early_stop = 1
target_accuracy = \"50%\"
max_time = \"1h\"
checkpoint_every = \"10m\"
";

#[test]
fn none_turns_off_a_setting_of_the_file() {
    let desk = Desk::with(&EasySet::noisy());
    desk.put("my.toml", FILE.as_bytes());
    let plain = desk.model_of("--data set --hidden 8 --epochs 3");
    let with_file = "--data set --config my.toml";
    let flags = [
        "freeze",
        "shuffle-window",
        "max-norm",
        "clip-norm",
        "clip-value",
        "ema",
        "class-weight",
        "validation-split",
        "early-stop",
        "target-accuracy",
        "max-time",
    ];
    let without = flags.map(|flag| format!("--{flag} none")).join(" ");
    let without = format!("{with_file} --batch-norm=false {without}");
    assert!(desk.model_of(&without) == plain);
    assert!(desk.model_of(with_file) != plain);
    let config = desk.report_of(with_file)["config"].clone();
    assert_eq!(config["target_accuracy"], 0.5);
    assert_eq!(config["validation_split"], 0.2);
}

#[test]
fn a_value_of_another_type_is_refused() {
    let desk = Desk::with(&EasySet::default());
    for (line, message) in [
        (
            "early_stop = 1.5",
            "early_stop: \"1.5\", expected a number of epochs, at least 1, and optionally",
        ),
        (
            "checkpoint_every = 1.5",
            "checkpoint_every: \"1.5\", expected a number of epochs or steps",
        ),
        (
            "max_time = true",
            "max_time: invalid type: boolean `true`, expected a number or text\n",
        ),
    ] {
        desk.put("my.toml", line.as_bytes());
        let message = format!("my.toml: {message}");
        desk.refuses_in_parts("train --data set --config my.toml", 2, &[&message]);
    }
}

#[test]
fn a_share_may_be_in_per_cent_wherever_it_is_given() {
    let desk = Desk::with(&EasySet::default());
    desk.put(
        "my.toml",
        b"validation_split = \"20%\"\ndropout = \"12.5%\"\nlabel_smoothing = 0.1\n",
    );
    let flags = "--data set --epochs 1 --config my.toml --input-dropout 25% --momentum 90% --early-stop 3,0.1%";
    let config = desk.report_of(flags)["config"].clone();
    for (key, value) in [
        ("validation_split", 0.2),
        ("dropout", 0.125),
        ("label_smoothing", 0.1),
        ("input_dropout", 0.25),
        ("momentum", 0.9),
    ] {
        let found = config[key].as_f64().expect("a number");
        assert!((found - value).abs() < 1e-7, "{key}: {found}");
    }
    assert_eq!(config["early_stop"], "3,0.001");
    for (flag, message) in [
        ("--dropout 100%", "--dropout: 1, expected 0 to below 1"),
        (
            "--validation-split 100%",
            "--validation-split: 1.0, expected a share above 0 and below 1",
        ),
    ] {
        let _ = desk.refuses_in_parts(&format!("train --data set {flag}"), 2, &[message]);
    }
    for flag in ["--dropout %", "--validation-split 5%%"] {
        let run = desk.refuses_in_parts(&format!("train --data set {flag}"), 2, &["invalid value"]);
        assert!(run.stderr.contains("expected a"), "{run:#?}");
    }
    let search = "tune --data set --trials 3 --epochs 1 --dropout 10%..20% --format json";
    let report = desk.run(search).done().json();
    assert_eq!(report["space"]["dropout"], "0.1..0.2");
}
