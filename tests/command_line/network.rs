//! The flags of a network: hidden layers, activations, initial weights and biases, and the warning if the units of a layer
//! stay equal.

use perceptor::nn::{Activation, Init};

use crate::desk::Desk;
use crate::idx_set::EasySet;
use crate::model_file::{metadata, tensor, tensors};

/// The learning rate is so small that every initial parameter except zeros keeps its value.
const FROZEN: &str = "--data set --epochs 1 --lr 1e-30 --momentum 0";

#[test]
fn hidden_layers_have_the_requested_number_and_widths() {
    let desk = Desk::with(&EasySet::default());
    for (hidden, layers) in [
        ("none", vec![9, 4]),
        ("1", vec![9, 1, 4]),
        ("30,20,10", vec![9, 30, 20, 10, 4]),
    ] {
        let model = desk.model_of(&format!("--data set --epochs 1 --hidden {hidden}"));
        assert_eq!(metadata(&model)["layers"], serde_json::json!(layers));
        for (index, pair) in layers.windows(2).enumerate() {
            let weight = tensor(&model, &format!("layers.{index}.weight"));
            assert_eq!(weight.len(), pair[0] * pair[1]);
            assert_eq!(
                tensor(&model, &format!("layers.{index}.bias")).len(),
                pair[1]
            );
        }
        assert_eq!(tensors(&model).len(), 2 * (layers.len() - 1));
    }
}

#[test]
fn a_network_without_hidden_layers_learns() {
    let desk = Desk::with(&EasySet::default());
    assert_eq!(desk.accuracy_of("--hidden none"), 1.0);
}

#[test]
fn every_activation_learns() {
    let desk = Desk::with(&EasySet::default());
    for activation in Activation::ALL.map(Activation::name) {
        let flags = format!("--hidden 20,20 --epochs 40 --activation {activation}");
        let accuracy = desk.accuracy_of(&flags);
        assert!(accuracy >= 0.95, "{activation}: {accuracy}");
    }
}

#[test]
fn every_init_except_zero_learns_from_its_own_weights() {
    let desk = Desk::with(&EasySet::default());
    let mut starts = Vec::new();
    let inits = Init::ALL.into_iter().filter(|&init| init != Init::Zero);
    for init in inits.map(Init::name) {
        let accuracy = desk.accuracy_of(&format!("--hidden 20 --epochs 30 --init {init}"));
        assert!(accuracy >= 0.95, "{init}: {accuracy}");
        let start = desk.model_of(&format!("{FROZEN} --init {init}"));
        starts.push(tensor(&start, "layers.0.weight"));
    }
    // `auto` is the first, and equals one of the others.
    for (index, start) in starts.iter().enumerate().skip(1) {
        assert!(!starts[1..index].contains(start));
    }
}

#[test]
fn auto_init_is_he_for_relu_and_its_kin_lecun_for_scaled_tanh_and_xavier_otherwise() {
    let desk = Desk::with(&EasySet::default());
    let start = |activation: &str, init: &str| {
        let flags = format!("{FROZEN} --activation {activation} --init {init}");
        tensor(&desk.model_of(&flags), "layers.0.weight")
    };
    for (activation, init) in [
        ("sigmoid", "xavier"),
        ("tanh", "xavier"),
        ("identity", "xavier"),
        ("relu", "he"),
        ("leaky-relu", "he"),
        ("elu", "he"),
        ("gelu", "he"),
        ("silu", "he"),
        ("mish", "he"),
        ("softplus", "he"),
        ("scaled-tanh", "lecun"),
        ("softsign", "xavier"),
    ] {
        assert_eq!(
            start(activation, "auto"),
            start(activation, init),
            "{activation}"
        );
    }
    assert_ne!(start("relu", "he"), start("relu", "xavier"));
}

#[test]
fn a_uniform_init_stays_within_its_range() {
    let desk = Desk::with(&EasySet::default());
    for (flags, range) in [("", 0.05), ("--init-range 0.7", 0.7)] {
        let model = desk.model_of(&format!("{FROZEN} --hidden 50 --init uniform {flags}"));
        let weight = tensor(&model, "layers.0.weight");
        let largest = weight.iter().fold(0.0f32, |most, w| most.max(w.abs()));
        assert!(largest <= range && largest > 0.95 * range, "{largest}");
    }
}

#[test]
fn every_bias_starts_at_the_value_of_bias_init() {
    let desk = Desk::with(&EasySet::default());
    for bias in [0.25, -1.5] {
        let model = desk.model_of(&format!("{FROZEN} --hidden 7,5 --bias-init {bias}"));
        for (name, numbers) in tensors(&model) {
            if name.ends_with(".bias") {
                assert!(
                    numbers.iter().all(|&number| number == bias),
                    "{name}: {numbers:?}"
                );
            }
        }
    }
}

#[test]
fn a_layer_of_equal_units_causes_a_warning_with_a_remedy() {
    let desk = Desk::with(&EasySet::default());
    let zero = "train --data set --hidden 8 --init zero";
    let run = desk.run(zero);
    let warning = run.done().value("warning: ");
    assert!(
        warning.starts_with("all 8 units of hidden layer 1 are the same"),
        "{run:#?}"
    );
    assert!(run.value("hint: ").contains("--init auto"), "{run:#?}");
    let report = desk.run(&format!("{zero} --format json")).done().json();
    let warnings = report["warnings"].as_array().expect("a list");
    assert_eq!(warnings.len(), 1);
    assert!(
        warnings[0]["what"]
            .as_str()
            .expect("text")
            .contains("hidden layer 1")
    );
    assert!(
        warnings[0]["cure"]
            .as_str()
            .expect("text")
            .contains("--init")
    );
    // The warning is true: each input has the same weight to every unit.
    let model = desk.model_of("--data set --hidden 8 --init zero");
    for weights in tensor(&model, "layers.0.weight").chunks_exact(8) {
        assert!(
            weights
                .iter()
                .all(|w| (w - weights[0]).abs() <= 1e-4 * w.abs())
        );
    }
}

#[test]
fn units_that_differ_cause_no_warning() {
    let desk = Desk::with(&EasySet::default());
    for flags in [
        "--hidden 8 --init xavier",
        "--hidden 8 --init auto",
        "--hidden 8 --init normal",
        // The units of the output layer differ by their classes.
        "--hidden none --init zero",
    ] {
        let run = desk.run(&format!("train --data set {flags}"));
        assert!(!run.done().stdout.contains("warning"), "{run:#?}");
    }
}
