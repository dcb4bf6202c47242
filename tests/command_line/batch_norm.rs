//! `--batch-norm`: what model files contain, what is refused, and that a folded model predicts the same.

use serde_json::json;

use crate::desk::Desk;
use crate::idx_set::EasySet;
use crate::model_file::{metadata, tensor, tensors};

const MODEL: &str = "model.safetensors";
const NETWORK: &str = "--hidden 12,6 --activation relu --batch-norm";

#[test]
fn a_normalised_network_learns_and_its_file_has_scales_and_statistics() {
    let desk = Desk::with(&EasySet::default());
    let line = format!("train --data set {NETWORK} --epochs 20 --out out");
    let run = desk.run(&line);
    assert!(
        run.done().stderr.contains("batch norm, relu and softmax"),
        "{run:#?}"
    );
    let model = desk.read("out/model.safetensors");
    assert_eq!(metadata(&model)["batch_norm"], true);
    let mut expected = Vec::new();
    for layer in 0..2 {
        for part in [
            "bias",
            "norm.running_mean",
            "norm.running_var",
            "norm.weight",
            "weight",
        ] {
            expected.push(format!("layers.{layer}.{part}"));
        }
    }
    expected.extend(["bias", "weight"].map(|part| format!("layers.2.{part}")));
    let names: Vec<String> = tensors(&model).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, expected);
    for part in ["norm.running_mean", "norm.running_var", "norm.weight"] {
        let numbers = tensor(&model, &format!("layers.1.{part}"));
        assert_eq!(numbers.len(), 6);
        let start = f32::from(u8::from(part != "norm.running_mean"));
        assert!(numbers.iter().all(|&x| x != start), "{part}: {numbers:?}");
    }
    let report = desk.report_of(&format!("--data set {NETWORK} --epochs 20"));
    assert!(report["test_accuracy"].as_f64() >= Some(0.95), "{report}");
    // Statistics are not trained: 9·12 + 12·6 + 6·4 weights, 22 biases and 18 scales.
    assert_eq!(report["parameters"], 244);
    let phases = report["profile"].as_array().expect("a list").iter();
    let time = |name: &str| {
        let mut found = phases.clone().filter(|phase| phase["phase"] == name);
        found.next().map(|phase| phase["seconds"].as_f64())
    };
    assert!(time("normalization").flatten() > Some(0.0), "{report}");
}

#[test]
fn the_file_of_a_network_without_batch_norm_does_not_mention_it() {
    let desk = Desk::with(&EasySet::default());
    let model = desk.model_of("--data set --epochs 1 --hidden 12,6");
    let object = metadata(&model);
    let keys = ["format", "layers", "activation", "scaling", "provenance"];
    assert_eq!(
        object.as_object().map(serde_json::Map::len),
        Some(keys.len())
    );
    assert!(keys.iter().all(|key| object.get(key).is_some()));
    assert_eq!(object["provenance"]["config"]["batch_norm"], json!(false));
    assert!(
        tensors(&model)
            .iter()
            .all(|(name, _)| !name.contains("norm"))
    );
}

#[test]
fn a_folded_model_predicts_the_same() {
    let desk = Desk::with(&EasySet::noisy());
    let images = "set/t10k-images-idx3-ubyte";
    for activation in ["tanh", "gelu"] {
        let network = format!("--hidden 12,6 --activation {activation} --batch-norm");
        desk.put(
            MODEL,
            &desk.model_of(&format!("--data set {network} --epochs 3")),
        );
        let to = "--to safetensors-pytorch --out net.safetensors --force";
        desk.run(&format!("export {MODEL} {to}")).done();
        desk.run("import net.safetensors --out folded.safetensors --force")
            .done();
        let folded = desk.read("folded.safetensors");
        assert_eq!(tensors(&folded).len(), 6);
        assert_eq!(metadata(&folded).get("batch_norm"), None);
        let predict = |model: &str| {
            let run = desk.run(&format!("predict {model} {images} --proba --format csv"));
            let lines = run.done().stdout.lines().skip(1);
            let fields = lines.flat_map(|line| line.split(',').map(|field| field.parse::<f64>()));
            fields.collect::<Result<Vec<f64>, _>>().expect("numbers")
        };
        let (original, folded) = (predict(MODEL), predict("folded.safetensors"));
        assert_eq!(original.len(), folded.len());
        for (a, b) in original.iter().zip(&folded) {
            // The columns of sample numbers and classes are integers and therefore equal.
            assert!((a - b).abs() < 1e-5, "{activation}: {a} and {b}");
        }
    }
}

#[test]
fn batch_norm_without_a_hidden_layer_or_a_batch_is_refused() {
    let desk = Desk::empty();
    for (flags, message) in [
        (
            "--batch-norm --hidden none",
            "--batch-norm: given with --hidden none, expected a hidden layer to normalise",
        ),
        (
            "--batch-norm --batch-size 1",
            "--batch-size: 1 with --batch-norm, expected at least 2, to normalise over",
        ),
    ] {
        desk.refuses(&format!("train --data nowhere {flags}"), 2, message);
    }
    desk.refuses_in_parts(
        "train --data nowhere --batch-norm 0.1",
        2,
        &["unexpected argument '0.1' found"],
    );
}

#[test]
fn invalid_running_statistics_are_refused() {
    let desk = Desk::with(&EasySet::default());
    let model = desk.model_of(&format!("--data set {NETWORK} --epochs 1"));
    let values = tensor(&model, "layers.0.norm.running_var");
    let bytes: Vec<u8> = values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect();
    let at = model
        .windows(bytes.len())
        .position(|window| window == bytes);
    let at = at.expect("the tensor's bytes");
    for (value, message) in [
        (
            -0.5f32,
            "element 1 is -0.5, expected variances of at least 0",
        ),
        (f32::NAN, "element 1 is NaN, expected finite numbers"),
    ] {
        let mut damaged = model.clone();
        damaged[at + 4..at + 8].copy_from_slice(&value.to_le_bytes());
        desk.put(MODEL, &damaged);
        let message = format!("{MODEL}: layers.0.norm.running_var: {message}");
        desk.refuses(&format!("eval {MODEL} --data set"), 1, &message);
    }
    // The file is recognised as a model of perceptor, and not imported as one of PyTorch.
    let text = String::from_utf8_lossy(&model).into_owned();
    assert!(text.contains("\\\"batch_norm\\\":true"), "{text}");
    desk.put(MODEL, &model);
    let message = format!(
        "{MODEL}: a model of perceptor itself, expected what another program or export wrote"
    );
    desk.refuses(&format!("import {MODEL} --out new"), 1, &message);
}

#[test]
fn a_config_file_can_turn_it_on() {
    let desk = Desk::with(&EasySet::default());
    let with_flag = desk.model_of(&format!("--data set {NETWORK} --epochs 1"));
    let settings = "hidden = [12, 6]\nactivation = \"relu\"\nbatch_norm = true\nepochs = 1\n";
    desk.put("settings.toml", settings.as_bytes());
    assert!(desk.model_of("--data set --config settings.toml") == with_flag);
    assert_eq!(
        metadata(&with_flag)["provenance"]["config"]["batch_norm"],
        json!(true)
    );
}

#[test]
fn a_flag_turns_off_what_a_config_file_turns_on() {
    let desk = Desk::with(&EasySet::default());
    let plain = desk.model_of("--data set --hidden 12,6 --activation relu --epochs 1");
    let settings = "hidden = [12, 6]\nactivation = \"relu\"\nbatch_norm = true\nepochs = 1\n";
    desk.put("settings.toml", settings.as_bytes());
    assert!(desk.model_of("--data set --config settings.toml --batch-norm=false") == plain);
}

#[test]
fn a_run_that_starts_from_a_normalised_model_is_normalised() {
    let desk = Desk::with(&EasySet::default());
    let model = desk.model_of(&format!("--data set {NETWORK} --epochs 3"));
    desk.put(MODEL, &model);
    let unmoved = "--epochs 1 --lr 1e-30 --freeze layers.0";
    let next = desk.model_of(&format!("--data set --init-from {MODEL} {unmoved}"));
    assert_eq!(metadata(&next)["batch_norm"], true);
    for part in ["norm.running_mean", "norm.running_var"] {
        let of = |model: &[u8], layer: usize| tensor(model, &format!("layers.{layer}.{part}"));
        assert_eq!(of(&model, 0), of(&next, 0), "frozen");
        assert_ne!(of(&model, 1), of(&next, 1));
    }
}
