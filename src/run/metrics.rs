//! `metrics.csv` and `metrics.jsonl`: a line an epoch, there for others to read as soon as the epoch is done.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;

use super::folder::RunFolder;
use crate::durable::write_soon;
use crate::error::{Error, Result};
use crate::train::EpochMetrics;

const COLUMNS: &str = "epoch,train_loss,test_loss,test_accuracy,learning_rate,train_seconds,samples_per_second,gflops";

/// Both files, open at their ends.
#[derive(Debug)]
pub struct MetricsLog {
    files: [(PathBuf, File); 2],
}

impl MetricsLog {
    /// Starts both files with the epochs that are done. What stood in them, lines of epochs among it that come after the
    /// checkpoint a run goes on from, is gone.
    ///
    /// # Errors
    /// [`Error::Io`] when they cannot be written.
    pub fn start(folder: &RunFolder, done: &[EpochMetrics]) -> Result<MetricsLog> {
        let (csv, jsonl) = (folder.metrics_csv(), folder.metrics_jsonl());
        write_soon(&csv, |out| {
            writeln!(out, "{COLUMNS}")?;
            done.iter()
                .try_for_each(|epoch| out.write_all(csv_line(epoch).as_bytes()))
        })?;
        write_soon(&jsonl, |out| {
            done.iter()
                .try_for_each(|epoch| out.write_all(json_line(epoch).as_bytes()))
        })?;
        let open = |path: PathBuf| {
            let file = OpenOptions::new().append(true).open(&path);
            let file = file.map_err(Error::io(&path, "open"))?;
            Ok((path, file))
        };
        Ok(MetricsLog {
            files: [open(csv)?, open(jsonl)?],
        })
    }

    /// Adds an epoch.
    ///
    /// # Errors
    /// [`Error::Io`] when it cannot be written.
    pub fn append(&mut self, epoch: &EpochMetrics) -> Result<()> {
        for ((path, file), line) in self
            .files
            .iter_mut()
            .zip([csv_line(epoch), json_line(epoch)])
        {
            // One write a line: a reader sees whole lines.
            file.write_all(line.as_bytes())
                .map_err(Error::io(path, "write"))?;
        }
        Ok(())
    }
}

fn csv_line(epoch: &EpochMetrics) -> String {
    let or_empty =
        |figure: Option<f64>| figure.map_or_else(String::new, |figure| figure.to_string());
    format!(
        "{},{},{},{},{},{},{},{}\n",
        epoch.epoch,
        epoch.train_loss,
        or_empty(epoch.test_loss),
        or_empty(epoch.test_accuracy),
        epoch.learning_rate,
        epoch.train_seconds,
        epoch.samples_per_second,
        epoch.gflops
    )
}

fn json_line(epoch: &EpochMetrics) -> String {
    serde_json::to_string(epoch).expect("plain data is always JSON") + "\n"
}
