//! Models of elements of 64 bits: other tools take them as they are, and predict the same.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::c::compiler;
use crate::models::{perceptor, stdout_of};
use crate::python::Python;

const ROWS: usize = 300;

/// Returns an IDX file of `f64`s.
fn doubles(width: usize, values: impl Iterator<Item = f64>) -> Vec<u8> {
    let sizes = [ROWS, width].map(|size| (size as u32).to_be_bytes());
    let payload = values.flat_map(f64::to_be_bytes).collect::<Vec<u8>>();
    [&[0, 0, 0x0e, 2], sizes.as_flattened(), &payload].concat()
}

/// Trains on seconds since 1970 that differ by quarters, and a small number. Returns the predictions of this program.
fn trained(folder: &Path) -> Vec<f64> {
    let seconds = |row: usize| 1.7e9 + 0.25 * ((row * 37) % 101) as f64;
    let small = |row: usize| ((row * 13) % 29) as f64 / 10.0;
    let x = (0..ROWS).flat_map(|row| [seconds(row), small(row)]);
    let y = (0..ROWS).map(|row| (seconds(row) - 1.7e9) / 10.0 - small(row));
    let path = |name: &str| folder.join(name);
    fs::write(path("x"), doubles(2, x)).expect("writing");
    fs::write(path("y"), doubles(1, y)).expect("writing");
    let line = "train --task regression --hidden 8 --activation tanh --epochs 20 --lr 0.03 --quiet --scale standard";
    let flags = ["--train-images", "--train-labels", "--out"].map(Path::new);
    let [x, y, run] = ["x", "y", "run"].map(path);
    perceptor(line, &[flags[0], &x, flags[1], &y, flags[2], &run]);
    let csv = perceptor(
        "predict --format csv",
        &[&run.join("model.safetensors"), &x],
    );
    let values: Vec<f64> = csv.lines().skip(1).map(last_number).collect();
    let spread = values
        .iter()
        .fold(0.0, |most: f64, value| most.max((value - values[0]).abs()));
    assert!(spread > 1.0, "all rows are predicted alike: {spread}");
    values
}

fn last_number(line: &str) -> f64 {
    let (_, number) = line.rsplit_once(',').unwrap_or(("", line));
    number.parse().expect(line)
}

fn export(folder: &Path, flags: &str, name: &str) {
    let (out, model) = (folder.join(name), folder.join("run/model.safetensors"));
    perceptor(&format!("export {flags} --out"), &[&out, &model]);
}

fn assert_same(ours: &[f64], theirs: &[f64]) {
    assert_eq!(ours.len(), theirs.len());
    for (ours, theirs) in ours.iter().zip(theirs) {
        assert!((ours - theirs).abs() < 1e-5, "{theirs}, expected {ours}");
    }
}

#[test]
fn onnxruntime_and_numpy_take_elements_of_64_bits() {
    let Some(python) = Python::with("numpy, onnx, onnxruntime, safetensors") else {
        return;
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let folder = folder.path();
    let ours = trained(folder);
    export(folder, "--to onnx", "model.onnx");
    export(folder, "--to npz", "model.npz");
    let lines = python.run(include_str!("predict_wide.py"), &[folder]);
    let theirs: Vec<f64> = lines.lines().map(last_number).collect();
    for theirs in theirs.chunks(ROWS) {
        assert_same(&ours, theirs);
    }
    assert_eq!(theirs.len(), 3 * ROWS);
}

#[test]
fn a_header_takes_elements_of_64_bits() {
    let Some(compiler) = compiler() else { return };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let folder = folder.path();
    let ours = trained(folder);
    export(folder, "--to c --name wide", "wide.h");
    fs::write(folder.join("wide.c"), include_str!("predict_wide.c")).expect("writing");
    let mut build = Command::new(&compiler);
    build
        .args("-std=c99 -Wall -Wextra -Wconversion -Werror -pedantic -O2".split(' '))
        .args(["wide.c", "-o", "wide", "-lm"]);
    stdout_of(build.current_dir(folder));
    let lines = stdout_of(Command::new(folder.join("wide")).arg(folder.join("x")));
    assert_same(&ours, &lines.lines().map(last_number).collect::<Vec<f64>>());
}
