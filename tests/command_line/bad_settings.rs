//! Invalid flags and settings: exit code 2 and an error, before any data are read or any file is written.
//!
//! The parser of the command line words its own errors; every other error reads
//! `<flag>: <found>, expected <what>`.

use crate::desk::Desk;
use crate::idx_set::EasySet;

/// Asserts that each of `cases` is refused with its message, even without data.
fn refuses_early(cases: &[(&str, &str)]) {
    let desk = Desk::empty();
    for (flags, message) in cases {
        desk.refuses(&format!("train --data nowhere {flags}"), 2, message);
    }
}

/// Asserts that each of `cases` is refused with its message if the data are valid.
fn refuses(cases: &[(&str, &str)]) {
    let desk = Desk::with(&EasySet::default());
    for (flags, message) in cases {
        desk.refuses(&format!("train --data set {flags}"), 2, message);
    }
    assert!(!desk.has("runs"));
}

#[test]
fn rejects_learning_rates_that_are_not_above_zero() {
    refuses_early(&[
        ("--lr nan", "--lr: NaN, expected a finite number above 0"),
        ("--lr inf", "--lr: inf, expected a finite number above 0"),
        ("--lr 0", "--lr: 0, expected a finite number above 0"),
        ("--lr -1", "--lr: -1, expected a finite number above 0"),
    ]);
}

#[test]
fn rejects_momentum_outside_its_range() {
    refuses_early(&[
        ("--momentum 1.5", "--momentum: 1.5, expected 0 to below 1"),
        ("--momentum 1", "--momentum: 1, expected 0 to below 1"),
        ("--momentum -0.1", "--momentum: -0.1, expected 0 to below 1"),
        ("--momentum nan", "--momentum: NaN, expected 0 to below 1"),
    ]);
}

#[test]
fn rejects_regularisation_outside_its_ranges() {
    for flag in ["dropout", "input-dropout", "label-smoothing"] {
        for found in ["1", "-0.1", "1.5", "NaN", "inf"] {
            let message = format!("--{flag}: {found}, expected 0 to below 1");
            refuses_early(&[(&format!("--{flag} {found}"), &message)]);
        }
    }
    for found in ["-0.1", "NaN", "inf"] {
        let message = format!("--input-noise: {found}, expected a finite number of at least 0");
        refuses_early(&[(&format!("--input-noise {found}"), &message)]);
    }
}

#[test]
fn rejects_invalid_ranges_of_a_uniform_init_and_any_range_of_another_init() {
    let most = "expected a number above 0, to 1e38";
    refuses_early(&[
        (
            "--init uniform --init-range 0",
            &format!("--init-range: 0, {most}"),
        ),
        (
            "--init uniform --init-range -0.1",
            &format!("--init-range: -0.1, {most}"),
        ),
        (
            "--init uniform --init-range nan",
            &format!("--init-range: NaN, {most}"),
        ),
        (
            "--init uniform --init-range inf",
            &format!("--init-range: inf, {most}"),
        ),
        (
            "--init he --init-range 0.1",
            "--init-range: given with --init he, expected --init uniform, the only one with a range",
        ),
        (
            "--init-range 0.1",
            "--init-range: given with --init auto, expected --init uniform, the only one with a range",
        ),
    ]);
}

#[test]
fn rejects_counts_out_of_range() {
    refuses_early(&[
        (
            "--batch-size 0",
            "--batch-size: 0, expected 1 to 4294967295",
        ),
        (
            "--batch-size 9223372036854775807",
            "--batch-size: 9223372036854775807, expected 1 to 4294967295",
        ),
        (
            "--shuffle-window 0",
            "--shuffle-window: 0, expected 1 to 4294967295",
        ),
        (
            "--shuffle-window 9223372036854775807",
            "--shuffle-window: 9223372036854775807, expected 1 to 4294967295",
        ),
        ("--epochs 0", "--epochs: 0, expected 1 to 4294967295"),
        (
            "--threads 0",
            "invalid value '0' for '--threads <N>': expected a whole number of at least 1, or auto",
        ),
    ]);
}

#[test]
fn rejects_more_threads_than_any_machine_has() {
    let message = "--threads: 100000, expected 1 to 4096";
    refuses_early(&[("--threads 100000", message)]);
    let desk = Desk::with_model(&EasySet::default());
    let model = "model/model.safetensors";
    for command in [
        format!("eval {model} --data set"),
        format!("predict {model} set/t10k-images-idx3-ubyte"),
        "data digits --out digits".to_owned(),
    ] {
        desk.refuses(&format!("{command} --threads 100000"), 2, message);
    }
}

#[test]
fn rejects_biases_that_are_nan() {
    refuses_early(&[(
        "--bias-init nan",
        "--bias-init: NaN, expected a finite number",
    )]);
}

#[test]
fn rejects_invalid_layer_widths() {
    let wording = "expected widths joined by commas, as 512,256, or none";
    for widths in ["", "100,x", "100,", "-5", "1e3", "100;50"] {
        let message = format!("invalid value '{widths}' for '--hidden <N,N,...>': {wording}");
        refuses_early(&[(&format!("--hidden={widths}"), &message)]);
    }
    refuses_early(&[
        ("--hidden 0", "--hidden: [0], expected widths of at least 1"),
        (
            "--hidden 5,0,5",
            "--hidden: [5, 0, 5], expected widths of at least 1",
        ),
    ]);
}

#[test]
fn rejects_networks_with_too_many_parameters() {
    let most = "with too many parameters, expected at most 2147483647";
    refuses(&[
        (
            "--hidden 100000,100000",
            &format!("--hidden: 9-100000-100000-4 {most}"),
        ),
        (
            "--hidden 9223372036854775807",
            &format!("--hidden: 9-9223372036854775807-4 {most}"),
        ),
    ]);
}

#[test]
fn rejects_invalid_class_counts() {
    refuses(&[
        ("--classes 0", "--classes: 0, expected 2 to 1048576"),
        ("--classes 1", "--classes: 1, expected 2 to 1048576"),
        (
            "--classes 1048577",
            "--classes: 1048577, expected 2 to 1048576",
        ),
    ]);
}

#[test]
fn rejects_unknown_names_and_lists_the_known_ones() {
    let desk = Desk::empty();
    for (flag, names) in [
        (
            "activation",
            "sigmoid, tanh, scaled-tanh, softsign, relu, leaky-relu, elu, gelu, silu, mish, softplus, identity",
        ),
        (
            "init",
            "auto, zero, normal, uniform, lecun, lecun-uniform, xavier, xavier-uniform, he, he-uniform, orthogonal",
        ),
        ("scale", "unit, standard, standard-global, log, none, model"),
        ("engine", "auto, openblas, native, portable"),
        ("format", "text, json"),
    ] {
        let line = format!("train --data nowhere --{flag} swish");
        let value = format!("invalid value 'swish' for '--{flag} <");
        desk.refuses_in_parts(
            &line,
            2,
            &[&value, &format!("[possible values: {names}]\n")],
        );
    }
}

#[test]
fn rejects_text_in_place_of_a_number() {
    let desk = Desk::empty();
    for flag in [
        "lr",
        "momentum",
        "dropout",
        "input-dropout",
        "input-noise",
        "label-smoothing",
        "batch-size",
        "epochs",
        "seed",
        "threads",
        "bias-init",
        "init-range",
        "classes",
    ] {
        let line = format!("train --data nowhere --{flag} fast");
        let start = format!("invalid value 'fast' for '--{flag} <");
        desk.refuses_in_parts(&line, 2, &[&start, "\n"]);
    }
}

#[test]
fn rejects_unknown_flags() {
    let desk = Desk::empty();
    for command in [
        "train",
        "eval model",
        "predict model images",
        "data digits --out digits",
        "data inspect digits",
    ] {
        let line = format!("{command} --frobnicate");
        let message = "unexpected argument '--frobnicate' found";
        desk.refuses(&line, 2, message);
    }
    desk.refuses("dance", 2, "unrecognized subcommand 'dance'");
}

#[test]
fn rejects_flags_that_conflict_or_require_another() {
    let desk = Desk::with(&EasySet::default());
    let (images, labels) = ("set/t10k-images-idx3-ubyte", "set/t10k-labels-idx1-ubyte");
    for (line, start) in [
        (
            "train --data set --train-images a --train-labels b".to_owned(),
            "the argument '--data <PATH>' cannot be used with",
        ),
        (
            format!("train --train-images {images}"),
            "the following required arguments were not provided:\n  --train-labels",
        ),
        (
            format!("train --test-labels {labels}"),
            "the following required arguments were not provided:\n  --test-images",
        ),
        (
            "train --data set --exist-ok".to_owned(),
            "the following required arguments were not provided:\n  --out",
        ),
        (
            "predict model images --proba --top 2".to_owned(),
            "the argument '--proba' cannot be used with '--top <K>'",
        ),
        (
            "predict model".to_owned(),
            "the following required arguments were not provided:\n  <FILE>",
        ),
        (
            "data digits".to_owned(),
            "the following required arguments were not provided:\n  --out",
        ),
        (
            format!("train --test-images {images} --test-labels {labels}"),
            "--test-images: set/t10k-images-idx3-ubyte without training files, \
             expected --train-images and --train-labels as well\n",
        ),
    ] {
        desk.refuses_in_parts(&line, 2, &[start]);
    }
}

#[test]
fn eval_requires_test_files_if_only_training_files_are_named() {
    let desk = Desk::with_model(&EasySet::default());
    let (images, labels) = ("set/train-images-idx3-ubyte", "set/train-labels-idx1-ubyte");
    let files = format!("--train-images {images} --train-labels {labels}");
    let expected = "--test-images and --test-labels, the files to measure on";
    desk.refuses(
        &format!("eval model/model.safetensors {files}"),
        2,
        &format!("--train-images: {images}, expected {expected}"),
    );
}

#[test]
fn rejects_settings_of_another_optimiser() {
    refuses_early(&[
        (
            "--beta1 0.8",
            "--beta1: 0.8 with --optimizer sgd, expected --optimizer adam, adamw or lion",
        ),
        (
            "--optimizer adam --momentum 0.5",
            "--momentum: 0.5 with --optimizer adam, expected --optimizer sgd, nesterov or rmsprop",
        ),
        (
            "--optimizer adam --alpha 0.5",
            "--alpha: 0.5 with --optimizer adam, expected --optimizer rmsprop",
        ),
        (
            "--optimizer lion --epsilon 1e-8",
            "--epsilon: 0.00000001 with --optimizer lion, expected --optimizer adam, adamw or rmsprop",
        ),
        (
            "--optimizer adam --beta2 1",
            "--beta2: 1, expected 0 to below 1",
        ),
        (
            "--optimizer rmsprop --epsilon 0",
            "--epsilon: 0, expected a finite number above 0",
        ),
        (
            "--weight-decay -1",
            "--weight-decay: -1, expected a finite number, 0 or above",
        ),
        (
            "--l1 nan",
            "--l1: NaN, expected a finite number, 0 or above",
        ),
        (
            "--max-norm 0",
            "--max-norm: 0, expected a finite number above 0",
        ),
        (
            "--clip-norm inf",
            "--clip-norm: inf, expected a finite number above 0",
        ),
        (
            "--clip-value -1",
            "--clip-value: -1, expected a finite number above 0",
        ),
        ("--ema 1", "--ema: 1, expected 0 to below 1"),
    ]);
}

#[test]
fn rejects_unknown_optimisers_and_learning_rates() {
    let desk = Desk::empty();
    for (flags, parts) in [
        (
            "--lr autumn",
            [
                "invalid value 'autumn' for '--lr <X>'",
                "expected a number or auto",
            ],
        ),
        (
            "--optimizer adagrad",
            [
                "invalid value 'adagrad'",
                "sgd, nesterov, adam, adamw, rmsprop, lion",
            ],
        ),
    ] {
        desk.refuses_in_parts(&format!("train --data nowhere {flags}"), 2, &parts);
    }
}

#[test]
fn rejects_settings_of_another_schedule() {
    refuses_early(&[
        (
            "--lr-factor 0.5",
            "--lr-factor: 0.5 with --schedule constant, expected --schedule step, exponential or plateau",
        ),
        (
            "--schedule cosine --lr-every 2",
            "--lr-every: 2 with --schedule cosine, expected --schedule step",
        ),
        (
            "--schedule step --lr-patience 2",
            "--lr-patience: 2 with --schedule step, expected --schedule plateau",
        ),
        (
            "--schedule step --lr-factor 1",
            "--lr-factor: 1, expected above 0 and below 1",
        ),
        (
            "--schedule step --lr-every 0",
            "--lr-every: 0, expected epochs, a finite number above 0",
        ),
        (
            "--schedule cosine --lr-min -1",
            "--lr-min: -1, expected 0 to the learning rate, 0.1",
        ),
        (
            "--schedule plateau --lr 0.01 --lr-min 0.02",
            "--lr-min: 0.02, expected 0 to the learning rate, 0.01",
        ),
        (
            "--schedule inverse-scaling --lr-power 0",
            "--lr-power: 0, expected a finite number above 0",
        ),
        (
            "--epochs 3 --warmup 4",
            "--warmup: 4, expected 0 to 3, the epochs of the run",
        ),
    ]);
}
