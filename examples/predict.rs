//! Saves a model, loads it again, and predicts with it.
//!
//! Run with `cargo run --example predict`.

use perceptor::ndarray::{Array1, Array2, arr2};
use perceptor::{Dataset, Model, Predictor, Result, Splits, Targets, TrainConfig, Workers, train};

/// Trains a model that predicts whether the first of two numbers is larger.
fn trained(workers: &Workers) -> Result<Model> {
    let x = Array2::from_shape_fn((1000, 2), |(row, column)| {
        (row * [7, 13][column] % 101) as f32 / 101.0
    });
    let larger = |row: usize| u8::from(x[[row, 0]] > x[[row, 1]]);
    let y = Array1::from_shape_fn(1000, larger);
    let data = Dataset::from_rows(x.view(), Targets::classes(y.view(), 2)?)?;
    let config = TrainConfig {
        hidden: vec![8],
        epochs: 30,
        ..TrainConfig::default()
    };
    let data = Splits::new(data, None, None)?;
    Ok(train(&config, &data, workers, &mut |_| {})?.model)
}

fn main() -> Result<()> {
    let workers = Workers::new(Workers::available())?;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("model.safetensors");
    trained(&workers)?.save(&file)?;

    let model = Model::load(&file)?;
    let mut predictor = Predictor::new(&model, &workers)?;
    let x = arr2(&[[0.9, 0.1], [0.2, 0.7]]);
    println!("probabilities\n{:.3}", predictor.predict(x.view())?);
    println!("classes {}", predictor.classes(x.view())?);
    println!(
        "hidden layer\n{:.3}",
        predictor.hidden_outputs(x.view())?[0]
    );
    Ok(())
}
