//! Tests of imports that need no file on disk; `tests/command_line/import.rs` has those with reference values.

use super::*;
use std::collections::HashMap;

use proptest::prelude::*;
use safetensors::Dtype;
use safetensors::tensor::TensorView;

use crate::export::pytorch::to_bytes;
use crate::nn::Spec;

const HALF: Scaling = Scaling::global(1.0, 0.5);

const SUPPLIED: Supplied = Supplied {
    activation: Some(Activation::Relu),
    scaling: Some(HALF),
    task: None,
    layers: None,
    weights: None,
    batch_norm: None,
    batch_norm_epsilon: None,
};

fn model() -> Model {
    let spec = Spec::new(3, &[2, 4], 2, Activation::Tanh).expect("a spec");
    Model {
        parameters: (0..spec.parameters()).map(|i| i as f32 / 7.0).collect(),
        spec,
        scaling: HALF,
        target_scaling: None,
        class_names: None,
        schema: None,
        provenance: None,
    }
}

/// A file of these tensors, all of ones and without metadata.
fn file(tensors: &[(&str, &[usize])]) -> Vec<u8> {
    let ones: Vec<u8> = 1f32.to_le_bytes().repeat(64);
    let views = tensors.iter().map(|&(name, shape)| {
        let bytes = &ones[..4 * shape.iter().product::<usize>()];
        let view = TensorView::new(Dtype::F32, shape.to_vec(), bytes);
        (name, view.expect("a tensor"))
    });
    safetensors::serialize(views, None::<HashMap<_, _>>).expect("a file")
}

fn read(bytes: &[u8], supplied: &Supplied) -> Result<Model> {
    from_bytes(Path::new("p"), bytes, supplied).map(|imported| imported.model)
}

fn refusal(bytes: &[u8], supplied: &Supplied) -> String {
    read(bytes, supplied).expect_err("a refusal").to_string()
}

#[test]
fn an_export_is_imported_bit_for_bit() {
    let (model, bytes) = (model(), to_bytes(&model()));
    let back = read(&bytes, &Supplied::default()).expect("a model");
    assert_eq!(back, model);
    assert_eq!(back.to_bytes(), model.to_bytes());
    assert_eq!(to_bytes(&back), bytes);
}

#[test]
fn weights_are_transposed() {
    let (model, bytes) = (model(), to_bytes(&model()));
    let tensors = safetensors::SafeTensors::deserialize(&bytes).expect("a file");
    let weight = tensors.tensor("2.weight").expect("the second layer");
    assert_eq!(weight.shape(), [4, 2]);
    let own = model.spec.layers()[1].weight(&model.parameters);
    let expected = own
        .t()
        .iter()
        .flat_map(|w| w.to_le_bytes())
        .collect::<Vec<u8>>();
    assert_eq!(weight.data(), expected);
}

#[test]
fn other_modules_and_a_prefix_are_accepted() {
    // Ten before nine as text, and not as a number.
    let bytes = file(&[
        ("net.10.weight", &[2, 4]),
        ("net.10.bias", &[2]),
        ("net.9.weight", &[4, 3]),
        ("net.9.bias", &[4]),
    ]);
    let model = read(&bytes, &SUPPLIED).expect("a model");
    assert_eq!(model.spec.sizes(), [3, 4, 2]);
    assert_eq!((model.scaling, model.provenance), (HALF, None));
}

#[test]
fn a_network_without_hidden_layers_needs_no_activation() {
    let bytes = file(&[("0.weight", &[2, 3]), ("0.bias", &[2])]);
    let supplied = Supplied {
        activation: None,
        ..SUPPLIED
    };
    assert_eq!(
        read(&bytes, &supplied).expect("a model").spec.sizes(),
        [3, 2]
    );
}

#[test]
fn a_missing_or_contradicting_property_is_refused() {
    let bytes = file(&[
        ("0.weight", &[4, 3]),
        ("0.bias", &[4]),
        ("2.weight", &[2, 4]),
        ("2.bias", &[2]),
    ]);
    let message = refusal(&bytes, &Supplied::default());
    assert!(
        message.contains("activation: not given, expected that of"),
        "{message}"
    );
    let supplied = Supplied {
        scaling: None,
        ..SUPPLIED
    };
    let message = refusal(&bytes, &supplied);
    assert!(
        message.contains("scale_factor: not given, expected what"),
        "{message}"
    );
    let message = refusal(&to_bytes(&model()), &SUPPLIED);
    assert!(
        message.contains("activation: relu, expected tanh, as in the file"),
        "{message}"
    );
}

#[test]
fn other_names_and_shapes_are_refused() {
    let good = [("0.bias", &[4][..])];
    for (tensors, words) in [
        (
            &[("fc1.gain", &[4, 3][..])][..],
            "fc1.gain: neither a weight",
        ),
        (&[("0.scale", &[4, 3])], "0.scale: neither"),
        (
            &[("00.weight", &[4, 3]), ("0.weight", &[4, 4])],
            "00.weight: the number of 0.weight again",
        ),
        (
            &[("0.weight", &[4, 3]), ("2.weight", &[2, 5])],
            "2.weight: 5 inputs, expected 4",
        ),
        (&good, "0.bias: a bias without a weight"),
        (
            &[("0.weight", &[4, 3, 1])],
            "0.weight: F32 [4, 3, 1], expected the weight or bias of a linear layer",
        ),
        (
            &[("0.weight", &[4, 3]), ("0.bias", &[2])],
            "0.bias: F32 [2], expected [4]",
        ),
        (
            &[("0.weight", &[0, 3]), ("0.bias", &[0])],
            "0 outputs with classification",
        ),
        (
            &[
                ("0.weight", &[0, 3]),
                ("0.bias", &[0]),
                ("1.weight", &[4, 0]),
            ],
            "widths of at least 1",
        ),
        (
            &[("0.running_mean", &[3])],
            "0.running_mean: a running statistic without",
        ),
        (&[], "no linear layer"),
    ] {
        let message = refusal(&file(tensors), &SUPPLIED);
        assert!(message.contains(words), "{message}");
    }
}

proptest! {
    /// A damaged file is refused or read as another one, and never panics.
    #[test]
    fn a_damaged_file_never_panics(at in 0usize..1000, with in any::<u8>(), cut in 0usize..2000) {
        let mut bytes = to_bytes(&model());
        let length = bytes.len();
        bytes[at % length] = with;
        bytes.truncate(cut);
        let _ = read(&bytes, &SUPPLIED);
        let _ = read(&bytes, &Supplied::default());
    }
}
