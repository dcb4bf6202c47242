//! A model file is worth something without this program: a few lines of Python read it and predict the same class
//! for every item, whatever the activation.
//!
//! Takes `PERCEPTOR_PYTHON`, or `python3`, and is skipped where that has no numpy and safetensors. The items are
//! the 10,000 test images of MNIST where `PERCEPTOR_DATA`, or `../shared/data`, has `mnist/`, and generated digits
//! elsewhere.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Prints the class of each item: `script MODEL IMAGES`.
const SCRIPT: &str = r#"
import json, sys
import numpy as np
from safetensors import safe_open

with safe_open(sys.argv[1], "numpy") as file:
    model = json.loads(file.metadata()["perceptor"])
    tensors = [[file.get_tensor(f"layers.{n}.{part}") for part in ("weight", "bias")]
               for n in range(len(model["layers"]) - 1)]
activate = {
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    "tanh": np.tanh,
    "relu": lambda z: np.maximum(z, 0),
    "leaky-relu": lambda z: np.where(z < 0, 0.01 * z, z),
    "identity": lambda z: z,
}[model["activation"]]
pixels = np.fromfile(sys.argv[2], np.uint8, offset=16).reshape(-1, model["layers"][0])
x = (pixels.astype(np.float32) - model["scaling"]["offset"]) * model["scaling"]["factor"]
for weight, bias in tensors[:-1]:
    x = activate(x @ weight + bias)
weight, bias = tensors[-1]
print(*(x @ weight + bias).argmax(axis=1), sep="\n")
"#;

/// An interpreter that has what the script takes.
fn python() -> Option<String> {
    let named = env::var("PERCEPTOR_PYTHON").ok();
    let python = named.clone().unwrap_or_else(|| "python3".to_owned());
    let trial = Command::new(&python)
        .args(["-c", "import numpy, safetensors"])
        .output();
    if trial.is_ok_and(|output| output.status.success()) {
        return Some(python);
    }
    assert!(
        named.is_none(),
        "PERCEPTOR_PYTHON: {python} has no numpy and safetensors"
    );
    eprintln!("skipped: python3 has no numpy and safetensors");
    None
}

/// A folder with MNIST, where there is one.
fn mnist() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    let data = env::var_os("PERCEPTOR_DATA").map_or_else(beside, PathBuf::from);
    let folder = std::path::absolute(data.join("mnist")).ok()?;
    folder
        .join("t10k-images-idx3-ubyte")
        .exists()
        .then_some(folder)
}

fn stdout_of(command: &mut Command) -> String {
    let output = command.output().expect("starting the program");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {stderr}");
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn ten_lines_of_python_predict_the_same_classes() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let perceptor = |line: &str, paths: &[&Path]| {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("perceptor"));
        command.args(line.split_whitespace()).args(paths);
        stdout_of(command.current_dir(&folder))
    };
    let data = mnist().unwrap_or_else(|| {
        perceptor("data digits --train 20000 --test 2000 --out digits", &[]);
        folder.path().join("digits")
    });
    let images = data.join("t10k-images-idx3-ubyte");
    for (activation, lr) in [
        ("sigmoid", 0.1),
        ("tanh", 0.01),
        ("relu", 0.01),
        ("leaky-relu", 0.01),
        ("identity", 0.005),
    ] {
        let network = format!("--hidden 48,24 --activation {activation} --scale standard");
        let settings = format!("{network} --lr {lr} --batch-size 16 --epochs 1");
        let model = folder.path().join(activation).join("model.safetensors");
        let out = format!("train {settings} --quiet --out {activation} --data");
        perceptor(&out, &[&data]);
        let ours = perceptor("predict --format csv", &[&model, &images]);
        let ours = ours.lines().skip(1);
        let ours: Vec<&str> = ours.filter_map(|line| line.split(',').nth(1)).collect();
        let mut script = Command::new(&python);
        let theirs = stdout_of(script.args(["-c", SCRIPT]).args([&model, &images]));
        let theirs: Vec<&str> = theirs.lines().collect();
        assert_eq!(ours.len(), theirs.len(), "{activation}");
        let differ = (0..ours.len()).filter(|&item| ours[item] != theirs[item]);
        let differ: Vec<usize> = differ.collect();
        assert!(
            differ.is_empty(),
            "{activation}: other classes for the items {differ:?} of {}",
            ours.len()
        );
        // Classes that are all the same would agree too easily.
        assert!(ours.iter().any(|class| *class != ours[0]), "{activation}");
    }
}
