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
