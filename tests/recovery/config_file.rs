//! `config.toml`: it records every setting in effect, flags override it, it overrides defaults, and an invalid setting is
//! refused with its name.

use proptest::prelude::*;
use std::num::NonZeroU32;
use std::path::Path;

use perceptor::TrainConfig;
use perceptor::config::{LearningRate, OptimizerConfig};
use perceptor::run::{Every, Settings};

use crate::desk::Desk;
use crate::interrupted::{MODEL, SHORT, short_desk, uninterrupted};

const ALL: &str = "train --data set --hidden 7,5 --activation relu --init he --bias-init 0.25 --epochs 2 --batch-size 9 \
     --lr 0.03 --momentum 0.5 --seed 18446744073709551615 --scale standard --classes 4 --engine portable --threads 2 \
     --data-mode copy --shuffle-window 20 --checkpoint-every 3steps --keep 5 --out out";

#[test]
fn the_recorded_settings_of_a_run_reproduce_it() {
    let desk = short_desk();
    desk.run(ALL).done();
    let model = desk.read(MODEL);
    let text = desk.read_text("out/config.toml");
    for line in [
        "hidden = [7, 5]",
        "activation = \"relu\"",
        "init = \"he\"",
        "bias_init = 0.25",
        "epochs = 2",
        "batch_size = 9",
        "learning_rate = 0.03",
        "momentum = 0.5",
        "seed = \"18446744073709551615\"",
        "scale = \"standard\"",
        "classes = 4",
        "engine = \"portable\"",
        "threads = 2",
        "data_mode = \"copy\"",
        "shuffle_window = 20",
        "checkpoint_every = \"3 steps\"",
        "keep = 5",
        &format!("data = \"{}\"", desk.path("set").display()),
    ] {
        assert!(text.lines().any(|found| found == line), "{line}: {text}");
    }
    desk.run("train --config out/config.toml --out again")
        .done();
    assert!(desk.read("again/model.safetensors") == model);
    assert_eq!(desk.read("again/config.toml"), desk.read("out/config.toml"));
}

#[test]
fn standard_in_a_file_of_an_earlier_version_is_refused() {
    let desk = short_desk();
    desk.run(&format!("{SHORT} --scale standard-global")).done();
    let recorded = desk.read_text("out/config.toml");
    let (_, settings) = recorded.split_once("\n\n").expect("a comment");
    let earlier = format!(
        "# Every setting of this run, as it took effect. They can start another run.\n\n{}",
        settings.replace("standard-global", "standard")
    );
    desk.put("out/config.toml", earlier.as_bytes());
    let message = "out/config.toml: scale: standard, in a file of an earlier version, expected standard-global, \
                   the name that one pair of numbers for all features has now";
    for command in ["train --resume out", "train --config out/config.toml"] {
        let run = desk.refuses(command, 2, message);
        assert!(
            run.hint().starts_with("write standard-global there"),
            "{run:#?}"
        );
    }
    // Other scales are called what they were called, and files by hand have the names of today.
    for (text, accepted) in [
        (
            earlier.replace("\"standard\"", "\"unit\""),
            "scale = \"unit\"",
        ),
        (
            earlier.replace("\"standard\"", "\"standard-global\""),
            "scale = \"standard-global\"",
        ),
        (
            settings.replace("standard-global", "standard"),
            "scale = \"standard\"",
        ),
    ] {
        desk.put("other.toml", text.as_bytes());
        desk.run("train --config other.toml --quiet --out other --exist-ok")
            .done();
        let recorded = desk.read_text("other/config.toml");
        assert!(recorded.lines().any(|line| line == accepted), "{recorded}");
    }
}

#[test]
fn a_run_folder_has_environment_and_metrics() {
    let desk = short_desk();
    desk.run(SHORT).done();
    let environment: serde_json::Value =
        serde_json::from_slice(&desk.read("out/environment.json")).expect("JSON");
    assert_eq!(environment["build"]["version"], perceptor::VERSION);
    assert_eq!(environment["build"]["revision"], perceptor::REVISION);
    assert!(environment["threads"].is_u64(), "{environment}");
    let engine = environment["engine"].as_str().expect("a name");
    let is_native = engine.starts_with("native ");
    assert_eq!(environment["blas"].is_null(), is_native, "{environment}");
    let jsonl = desk.read_text("out/metrics.jsonl");
    let csv = desk.read_text("out/metrics.csv");
    assert_eq!((jsonl.lines().count(), csv.lines().count()), (4, 5));
    for (number, line) in (1..).zip(jsonl.lines()) {
        let epoch: serde_json::Value = serde_json::from_str(line).expect("JSON");
        assert_eq!(epoch["epoch"], number);
        let columns: Vec<&str> = csv
            .lines()
            .nth(number)
            .expect("a line")
            .split(',')
            .collect();
        assert_eq!(columns[0], number.to_string());
        assert_eq!(columns[1].parse::<f64>().ok(), epoch["train_loss"].as_f64());
    }
}

#[test]
fn flags_override_the_file_and_the_file_overrides_defaults() {
    let desk = short_desk();
    desk.put(
        "my.toml",
        b"hidden = [20, 12]\nactivation = \"tanh\"\nepochs = 9\nlr = 0.1\ndata = \"nowhere\"\n",
    );
    let expected = uninterrupted(&desk, SHORT);
    desk.run("train --config my.toml --epochs 4 --data set --out out")
        .done();
    assert!(desk.read(MODEL) == expected);
}

#[test]
fn invalid_settings_of_a_file_are_refused_with_their_name() {
    let desk = Desk::empty();
    for (text, message) in [
        (
            "bach_size = 3",
            "my.toml: no setting is called bach_size, expected ",
        ),
        (
            "learnin_rate = 3",
            "my.toml: no setting is called learnin_rate, expected ",
        ),
        (
            "lr = \"fast\"",
            "my.toml: lr: invalid value: string \"fast\", expected a number or \"auto\"\n",
        ),
        (
            "epochs = -1",
            "my.toml: epochs: invalid value: integer `-1`, expected usize\n",
        ),
        (
            "keep = 0",
            "my.toml: keep: invalid value: integer `0`, expected a nonzero u32\n",
        ),
        (
            "seed = -1",
            "my.toml: seed: -1, expected 0 to 18446744073709551615\n",
        ),
        (
            "engine = \"quantum\"",
            "my.toml: engine: unknown variant `quantum`, expected one of ",
        ),
        (
            "checkpoint_every = \"5 moons\"",
            "my.toml: checkpoint_every: \"5 moons\", expected a number of epochs or steps, as \"5 epochs\", a time",
        ),
        (
            "epochs = 0",
            "my.toml: epochs: 0, expected 1 to 4294967295\n",
        ),
        (
            "data = \"a\"\ntrain_images = \"b\"\ntrain_labels = \"c\"",
            "my.toml: train_images: given together with data, expected one of them\n",
        ),
        (
            "train_images = \"b\"",
            "my.toml: train_images: given without train_labels, expected train_labels as well\n",
        ),
        ("\n\nepochs 5", "my.toml: line 3: "),
        ("epochs = 5\nepochs = 6", "my.toml: line 2: "),
    ] {
        desk.put("my.toml", text.as_bytes());
        desk.refuses_in_parts("train --config my.toml", 2, &[message]);
    }
    desk.put("my.toml", b"bach_size = 3");
    assert_eq!(
        desk.run("train --config my.toml").hint(),
        "the nearest is batch_size"
    );
    desk.put("my.toml", &[0xff, 0xfe]);
    desk.refuses(
        "train --config my.toml",
        2,
        "my.toml: bytes that are not text, expected TOML",
    );
    desk.put("my.toml", &vec![b' '; (1 << 20) + 1]);
    desk.refuses(
        "train --config my.toml",
        2,
        "my.toml: more than 1048576 bytes, expected a table of settings",
    );
    desk.refuses_in_parts(
        "train --config nowhere.toml",
        1,
        &["nowhere.toml: could not open: "],
    );
}

proptest! {
    #[test]
    fn settings_survive_writing_and_reading(
        seed in any::<u64>(), lr in any::<f32>(), hidden in proptest::collection::vec(any::<u32>(), 0..4),
        shuffle_window in proptest::option::of(any::<u32>()), keep in any::<NonZeroU32>(), steps in 1usize..,
        path in "\\PC{1,20}",
    ) {
        prop_assume!(lr.is_finite());
        let settings = Settings {
            data: Some(path.into()),
            train: TrainConfig {
                seed,
                optimizer: OptimizerConfig {
                    learning_rate: Some(LearningRate::Value(lr)),
                    ..OptimizerConfig::default()
                },
                hidden: hidden.into_iter().map(|width| width as usize).collect(),
                shuffle_window: shuffle_window.map(|window| window as usize),
                ..TrainConfig::default()
            },
            checkpoint_every: Every::Steps(steps),
            keep,
            ..Settings::default()
        };
        let read = Settings::from_bytes(Path::new("c"), settings.to_text().as_bytes());
        prop_assert_eq!(read.expect("the written settings"), settings);
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "\\PC{0,200}", at in 0usize..600, bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
        let _ = Settings::from_bytes(Path::new("c"), text.as_bytes());
        let mut valid = Settings::default().to_text().into_bytes();
        let at = at % valid.len();
        let end = valid.len().min(at + bytes.len());
        valid[at..end].copy_from_slice(&bytes[..end - at]);
        let _ = Settings::from_bytes(Path::new("c"), &valid);
    }
}
