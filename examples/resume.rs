//! Stops a run in the middle, resumes it from its checkpoint, and ends with the model of an uninterrupted run.
//!
//! Run with `cargo run --example resume`.

use std::sync::atomic::Ordering;

use perceptor::ndarray::{Array1, Array2};
use perceptor::{
    Dataset, Ending, Event, Result, SavedRun, Splits, Targets, TrainConfig, Workers, train,
};

fn data() -> Result<Splits> {
    let x = Array2::from_shape_fn((600, 3), |(row, column)| {
        (row * [7, 13, 29][column] % 101) as f32 / 101.0
    });
    let y = Array1::from_shape_fn(600, |row| (row % 4) as u8);
    let set = Dataset::from_rows(x.view(), Targets::classes(y.view(), 4)?)?;
    Splits::new(set, None, None)
}

fn main() -> Result<()> {
    let workers = Workers::new(Workers::available())?;
    let temporary = tempfile::tempdir().expect("a temporary folder");
    let folder = temporary.path().join("run");
    let config = TrainConfig {
        epochs: 6,
        ..TrainConfig::default()
    };

    let run = SavedRun::create(&folder, &config, data()?, &workers)?;
    let stop = run.stop_flag();
    let ending = run.train(&mut |event| {
        // As a handler of Ctrl-C would do.
        if matches!(event, Event::Epoch(metrics) if metrics.epoch == 2) {
            stop.store(true, Ordering::Relaxed);
        }
    })?;
    if let Ending::Stopped(place) = ending {
        println!("stopped at {place}");
    }

    let run = SavedRun::resume(&folder, data()?, &workers)?;
    let Ending::Finished(resumed) = run.train(&mut |_| {})? else {
        unreachable!("nothing sets the stop flag of the second run");
    };
    let uninterrupted = train(&config, &data()?, &workers, &mut |_| {})?;
    assert_eq!(resumed.model.parameters, uninterrupted.model.parameters);
    println!("resumed and trained to the same bits");
    Ok(())
}
