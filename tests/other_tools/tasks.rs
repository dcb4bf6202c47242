//! Regression and multi-label models: other tools predict the same values and probabilities.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{fs, iter};

use tempfile::TempDir;

use crate::c::compiler;
use crate::models::{perceptor, stdout_of};
use crate::python::Python;

/// Tasks; counts are a regression by their logarithms.
const TASKS: [&str; 3] = ["regression", "multilabel", "counts"];
const ITEMS: usize = 500;
const FEATURES: usize = 12;
const OUTPUTS: usize = 3;

/// A model with its samples and the predictions of this program.
struct Trained {
    folder: TempDir,
    rows: Vec<Vec<f64>>,
}

impl Trained {
    fn on(task: &str) -> Trained {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = |name: &str| folder.path().join(name);
        let bytes: Vec<u8> = numbers().take(ITEMS * FEATURES).collect();
        let sum_of = |item: usize, output: usize| {
            let features = &bytes[item * FEATURES..][..FEATURES];
            let own = features.iter().skip(output).step_by(OUTPUTS);
            own.map(|&x| f32::from(x) / 255.0).sum::<f32>() - 2.0
        };
        let outputs = (0..ITEMS).flat_map(|item| (0..OUTPUTS).map(move |output| (item, output)));
        let sums = outputs.map(|(item, output)| sum_of(item, output));
        let (code, labels): (u8, Vec<u8>) = match task {
            // Not near 1, so that exports must undo the scaling of targets.
            "regression" => {
                let values = sums.map(|sum| 50_000.0 + 1000.0 * sum);
                (0x0d, values.flat_map(f32::to_be_bytes).collect())
            }
            "counts" => (0x08, sums.map(|sum| (40.0 * (sum + 2.0)) as u8).collect()),
            _ => (0x08, sums.map(|sum| u8::from(sum > 0.0)).collect()),
        };
        fs::write(path("images"), idx(0x08, FEATURES, &bytes)).expect("writing");
        fs::write(path("labels"), idx(code, OUTPUTS, &labels)).expect("writing");
        let flags = match task {
            "counts" => "regression --loss poisson",
            task => task,
        };
        let line = format!(
            "train --task {flags} --hidden 16 --activation tanh --epochs 20 --lr 0.03 --quiet --scale standard"
        );
        let (images, labels, run) = (path("images"), path("labels"), path("run"));
        let flags = ["--train-images", "--train-labels", "--out"].map(Path::new);
        perceptor(
            &line,
            &[flags[0], &images, flags[1], &labels, flags[2], &run],
        );
        let model = path("run/model.safetensors");
        let csv = perceptor("predict --format csv", &[&model, &images]);
        // Before the values are the sample and, for multi-label models, the classes.
        let rows = csv.lines().skip(1).map(last_numbers).collect();
        Trained { folder, rows }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn export(&self, flags: &str, name: &str) -> PathBuf {
        let (out, model) = (self.path(name), self.path("run/model.safetensors"));
        perceptor(&format!("export {flags} --out"), &[&out, &model]);
        out
    }

    /// Asserts that lines of numbers agree with the predictions of this program.
    fn assert_predicts(&self, lines: &[&str], by: &str) {
        assert_eq!(lines.len(), self.rows.len(), "{by}");
        for (item, (line, ours)) in lines.iter().zip(&self.rows).enumerate() {
            for (theirs, ours) in last_numbers(line).iter().zip(ours) {
                assert!(
                    (theirs - ours).abs() < 1e-5 * ours.abs().max(1.0),
                    "{by}, sample {item}: {theirs}, expected {ours}"
                );
            }
        }
    }
}

/// Returns pseudo-random bytes.
fn numbers() -> impl Iterator<Item = u8> {
    let states = iter::successors(Some(1u32), |state| {
        Some(state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223))
    });
    states.map(|state| (state >> 24) as u8)
}

/// Returns an IDX file of [`ITEMS`] rows.
fn idx(code: u8, width: usize, payload: &[u8]) -> Vec<u8> {
    let sizes = [ITEMS, width].map(|size| (size as u32).to_be_bytes());
    [&[0, 0, code, 2], sizes.as_flattened(), payload].concat()
}

fn last_numbers(line: &str) -> Vec<f64> {
    let fields: Vec<&str> = line.split(',').collect();
    let numbers = fields[fields.len() - OUTPUTS..].iter();
    numbers.map(|field| field.parse().expect(line)).collect()
}

#[test]
fn onnxruntime_and_numpy_predict_the_same_for_every_task() {
    let Some(python) = Python::with("numpy, onnx, onnxruntime") else {
        return;
    };
    for task in TASKS {
        let trained = Trained::on(task);
        let onnx = trained.export("--to onnx", "model.onnx");
        let npz = trained.export("--to npz", "model.npz");
        let lines = python.run(
            include_str!("predict_rows.py"),
            &[&*onnx, &*npz, &*trained.path("images")],
        );
        let lines: Vec<&str> = lines.lines().collect();
        trained.assert_predicts(&lines[..ITEMS], &format!("{task} by ONNX"));
        trained.assert_predicts(&lines[ITEMS..], &format!("{task} by NPZ"));
    }
}

#[test]
fn a_header_predicts_the_same_for_every_task() {
    let Some(compiler) = compiler() else { return };
    for task in TASKS {
        let trained = Trained::on(task);
        trained.export("--to c --name rows", "rows.h");
        fs::write(trained.path("rows.c"), include_str!("predict_rows.c")).expect("writing");
        let mut build = Command::new(&compiler);
        build
            .args("-std=c99 -Wall -Wextra -Wconversion -Werror -pedantic -O2".split(' '))
            .args(["rows.c", "-o", "rows", "-lm"]);
        stdout_of(build.current_dir(trained.folder.path()));
        let lines = stdout_of(Command::new(trained.path("rows")).arg(trained.path("images")));
        trained.assert_predicts(&lines.lines().collect::<Vec<_>>(), task);
    }
}
