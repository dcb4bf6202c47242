//! Trains a network on two arrays in memory and prints its accuracy on rows it has not seen.
//!
//! Run with `cargo run --example train_arrays`.

use std::f32::consts::PI;

use perceptor::ndarray::{Array1, Array2};
use perceptor::{
    Activation, Dataset, LearningRate, OptimizerConfig, OptimizerName, Result, Splits, Targets,
    TrainConfig, Workers, train,
};

/// Points on three spiral arms: the class is the arm.
fn spirals(points: usize, phase: f32) -> (Array2<f32>, Array1<u8>) {
    let labels = Array1::from_shape_fn(points, |point| (point % 3) as u8);
    let x = Array2::from_shape_fn((points, 2), |(point, axis)| {
        let radius = (point as f32 + phase) / points as f32;
        let angle = 2.0 * PI * radius + 2.0 * PI / 3.0 * (point % 3) as f32;
        radius * [angle.cos(), angle.sin()][axis]
    });
    (x, labels)
}

fn dataset(points: usize, phase: f32) -> Result<Dataset> {
    let (x, labels) = spirals(points, phase);
    Dataset::from_rows(x.view(), Targets::classes(labels.view(), 3)?)
}

fn main() -> Result<()> {
    let data = Splits::new(dataset(900, 0.0)?, None, Some(dataset(300, 0.5)?))?;
    let workers = Workers::new(Workers::available())?;
    let config = TrainConfig {
        hidden: vec![64, 64],
        activation: Activation::Tanh,
        epochs: 100,
        optimizer: OptimizerConfig {
            optimizer: OptimizerName::Adamw,
            learning_rate: Some(LearningRate::Value(0.01)),
            ..OptimizerConfig::default()
        },
        ..TrainConfig::default()
    };
    let outcome = train(&config, &data, &workers, &mut |_| {})?;
    let accuracy = outcome.test.and_then(|score| score.accuracy);
    println!("accuracy {:.3}", accuracy.unwrap_or(f64::NAN));
    Ok(())
}
