//! Reads a table: surveys its columns, encodes its rows, and prints what was done.
//!
//! ```sh
//! cargo run --release --example table -- train.csv price
//! ```

use std::env;
use std::error::Error;
use std::path::Path;
use std::time::Instant;

use perceptor::Workers;
use perceptor::table::{TableOptions, TableRequest, TrainingTable};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [path, target] = &arguments[..] else {
        return Err("usage: table TABLE TARGET".into());
    };
    let workers = Workers::new(Workers::available())?;
    let options = TableOptions::default();
    let request = TableRequest {
        path: Path::new(path),
        targets: std::slice::from_ref(target),
        sample_weight: None,
        task: None,
        options: &options,
    };
    let start = Instant::now();
    let table = TrainingTable::survey(&request, &workers)?;
    for note in table.notes() {
        println!("{note}");
    }
    let surveyed = start.elapsed();
    let data = table.read(&workers)?.data;
    println!(
        "{} rows of {} inputs, surveyed in {surveyed:.2?}, read in {:.2?}",
        data.samples(),
        data.features(),
        start.elapsed()
    );
    Ok(())
}
