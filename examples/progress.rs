//! Watches a run with its own event handler. The library never prints.
//!
//! Run with `cargo run --example progress`.

use perceptor::ndarray::Array2;
use perceptor::{Dataset, Event, Result, Splits, Targets, Task, TrainConfig, Workers, train};

fn main() -> Result<()> {
    // A regression: the product of two numbers.
    let x = Array2::from_shape_fn((1024, 2), |(row, column)| {
        [(row % 32) as f32, (row / 32) as f32][column] / 31.0
    });
    let y = Array2::from_shape_fn((1024, 1), |(row, _)| x[[row, 0]] * x[[row, 1]]);
    let data = Dataset::from_rows(x.view(), Targets::values(y.view())?)?;
    let mut config = TrainConfig {
        hidden: vec![32],
        epochs: 5,
        ..TrainConfig::default()
    };
    config.task.task = Task::Regression;
    let workers = Workers::new(Workers::available())?;
    let mut on_event = |event: Event| match event {
        Event::Progress { samples, of, .. } if samples % 256 == 0 => {
            println!("  {samples} of {of} samples");
        }
        Event::Epoch(metrics) => {
            println!("epoch {}: loss {:.5}", metrics.epoch, metrics.train_loss);
        }
        _ => {}
    };
    train(
        &config,
        &Splits::new(data, None, None)?,
        &workers,
        &mut on_event,
    )?;
    Ok(())
}
