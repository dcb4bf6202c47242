//! Trains a network on the IDX files of a folder, by default on generated digits, and saves the model.
//!
//! Run with `cargo run --example train_idx [FOLDER]`.

use std::path::PathBuf;

use perceptor::datasets::generated::GeneratedDigits;
use perceptor::{Result, Splits, TrainConfig, Workers, train};

fn main() -> Result<()> {
    let workers = Workers::new(Workers::available())?;
    let temporary = tempfile::tempdir().expect("a temporary folder");
    let folder = match std::env::args_os().nth(1) {
        Some(folder) => PathBuf::from(folder),
        None => {
            let digits = GeneratedDigits {
                train: 4000,
                test: 1000,
                seed: 1,
            };
            digits.write(temporary.path(), &workers)?;
            temporary.path().to_owned()
        }
    };
    let data = Splits::from_folder(&folder)?;
    let config = TrainConfig {
        epochs: 5,
        ..TrainConfig::default()
    };
    let outcome = train(&config, &data, &workers, &mut |_| {})?;
    let model = temporary.path().join("model.safetensors");
    outcome.model.save(&model)?;
    println!(
        "{}: training loss {:.3}, {:.0} samples per second",
        outcome.model.spec,
        outcome.last().train_loss,
        outcome.samples_per_second()
    );
    Ok(())
}
