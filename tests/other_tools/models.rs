//! A model for each activation, trained once for all tests, with the predictions of this program.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use tempfile::TempDir;

use crate::mnist;

/// The largest accepted difference of a probability.
const TOLERANCE: f64 = 1e-5;

pub struct Models {
    /// Keeps the folder while its models are in use.
    _folder: TempDir,
    pub images: PathBuf,
    pub models: Vec<Trained>,
}

pub struct Trained {
    /// The name in failures, such as `relu 48,24`.
    name: String,
    pub activation: &'static str,
    /// Whether features have pairs of numbers of their own.
    pub scales_features: bool,
    /// Whether an export is another network: the model with its batch normalisation folded.
    pub folds: bool,
    pub model: PathBuf,
    predictions: Vec<Prediction>,
}

/// A class, and the probability of every class.
struct Prediction {
    class: usize,
    probabilities: Vec<f64>,
}

impl Models {
    /// Returns the models, which are the same for every test of a run.
    pub fn get() -> &'static Models {
        static MODELS: OnceLock<Models> = OnceLock::new();
        MODELS.get_or_init(Models::train)
    }

    fn train() -> Models {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let data = mnist::folder().map_or_else(
            || {
                let digits = folder.path().join("digits");
                perceptor("data digits --train 20000 --test 2000 --out", &[&digits]);
                digits
            },
            |mnist| std::path::absolute(mnist).expect("a path"),
        );
        let images = data.join("t10k-images-idx3-ubyte");
        let networks = [
            ("sigmoid", "48,24", 0.05),
            ("tanh", "48,24", 0.01),
            ("relu", "48,24", 0.01),
            ("leaky-relu", "48,24", 0.01),
            ("scaled-tanh", "48,24", 0.01),
            ("softsign", "48,24", 0.01),
            ("elu", "48,24", 0.01),
            ("gelu", "48,24", 0.01),
            ("silu", "48,24", 0.01),
            ("mish", "48,24", 0.01),
            ("softplus", "48,24", 0.01),
            ("identity", "48,24", 0.005),
            // Softmax regression, in which the activation has no effect.
            ("relu", "none", 0.005),
            ("relu", "48,24 --batch-norm", 0.01),
            ("gelu", "48,24 --batch-norm", 0.01),
        ];
        let models = networks.map(|(activation, hidden, lr)| {
            let out = folder.path().join(format!("{activation}-{hidden}"));
            // One pair of numbers for all features, or a pair for each.
            let scale = match activation {
                "relu" => "standard",
                _ => "standard-global",
            };
            let network = format!("--hidden {hidden} --activation {activation} --scale {scale}");
            let settings = format!("{network} --lr {lr} --batch-size 16 --epochs 1");
            let line = format!("train {settings} --quiet --data");
            perceptor(&line, &[&data, Path::new("--out"), &out]);
            let model = out.join("model.safetensors");
            let csv = perceptor("predict --proba --format csv", &[&model, &images]);
            let predictions: Vec<Prediction> = csv.lines().skip(1).map(prediction).collect();
            // If all classes were the same, any tool would agree.
            let first = predictions[0].class;
            assert!(predictions.iter().any(|item| item.class != first));
            Trained {
                name: format!("{activation} {hidden}"),
                activation,
                scales_features: scale == "standard",
                folds: hidden.contains("--batch-norm"),
                model,
                predictions,
            }
        });
        Models {
            _folder: folder,
            images,
            models: models.into(),
        }
    }
}

impl Trained {
    /// Exports the model with `flags` and returns the file. Each test exports another format.
    pub fn export(&self, flags: &str, name: &str) -> PathBuf {
        let out = self.model.with_file_name(name);
        let line = format!("export {flags} --out");
        perceptor(&line, &[&out, &self.model]);
        out
    }

    /// Asserts that lines of `class,p_0,p_1,…` agree with the predictions of this program.
    pub fn assert_predicts(&self, lines: &str) {
        let lines: Vec<&str> = lines.lines().collect();
        let name = &self.name;
        assert_eq!(lines.len(), self.predictions.len(), "{name}: samples");
        let mut furthest = 0f64;
        for (item, (line, ours)) in lines.iter().zip(&self.predictions).enumerate() {
            let theirs = prediction(&format!("{item},{},", line.replacen(',', ",-,", 1)));
            assert_eq!(theirs.class, ours.class, "{name}: sample {item}");
            assert_eq!(theirs.probabilities.len(), ours.probabilities.len());
            for (p, q) in theirs.probabilities.iter().zip(&ours.probabilities) {
                furthest = furthest.max((p - q).abs());
            }
        }
        println!("{name}: probabilities off by at most {furthest:.1e}");
        assert!(furthest <= TOLERANCE, "{name}: off by {furthest}");
    }

    /// Asserts that lines of one class each agree with the predictions of this program.
    pub fn assert_classes(&self, lines: &str) {
        let theirs: Vec<usize> = lines.lines().map(integer).collect();
        let ours: Vec<usize> = self.predictions.iter().map(|item| item.class).collect();
        let differ = ours.iter().zip(&theirs).filter(|(a, b)| a != b).count();
        assert_eq!((differ, theirs.len()), (0, ours.len()), "{}", self.name);
    }
}

/// Parses a line of `predict --proba --format csv`: sample, class, its probability, and that of every class.
fn prediction(line: &str) -> Prediction {
    let fields: Vec<&str> = line.trim_end_matches(',').split(',').collect();
    let number = |field: &&str| field.parse().unwrap_or_else(|_| panic!("{line}"));
    Prediction {
        class: integer(fields[1]),
        probabilities: fields[3..].iter().map(number).collect(),
    }
}

fn integer(field: &str) -> usize {
    field.parse().unwrap_or_else(|_| panic!("{field}"))
}

/// Runs the program, asserts that it succeeds, and returns its stdout.
pub fn perceptor(line: &str, paths: &[&Path]) -> String {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("perceptor"));
    command.env("XDG_CACHE_HOME", env!("CARGO_TARGET_TMPDIR"));
    stdout_of(command.args(line.split_whitespace()).args(paths))
}

/// Runs a command, asserts that it succeeds, and returns its stdout.
pub fn stdout_of(command: &mut Command) -> String {
    let output = command.output().expect("starting the program");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {stderr}");
    String::from_utf8(output.stdout).expect("text")
}
