//! `metrics.csv` and `metrics.jsonl`: one line per epoch, written as soon as the epoch is done.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use super::folder::RunFolder;
use crate::durable::write_unsynced;
use crate::error::{Error, Result};
use crate::nn::Task;
use crate::scores::{EpochMetrics, metrics};

/// The two files of metrics.
#[derive(Debug)]
pub struct MetricsLog {
    task: Task,
    csv: PathBuf,
    jsonl: PathBuf,
    /// `validation` or `test`.
    set: &'static str,
    /// The files, open for appending; `None` after a write failed, which may have left half a line.
    open: Option<[File; 2]>,
}

impl MetricsLog {
    /// Starts both files with the epochs that are done, of a run of `task` with or without a validation set. Earlier
    /// content is replaced, including the epochs after the checkpoint from which a run resumes.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if a file cannot be written.
    pub fn start(
        folder: &RunFolder,
        (task, has_validation): (Task, bool),
        done: &[EpochMetrics],
    ) -> Result<MetricsLog> {
        let mut log = MetricsLog {
            task,
            set: if has_validation { "validation" } else { "test" },
            csv: folder.metrics_csv(),
            jsonl: folder.metrics_jsonl(),
            open: None,
        };
        log.rewrite(done)?;
        Ok(log)
    }

    /// Adds the last of the `epochs` that are done, or rewrites all of them after a failure. A failure of one file does not
    /// affect the other.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if a file cannot be written.
    pub fn add_last(&mut self, epochs: &[EpochMetrics]) -> Result<()> {
        let (Some(last), Some([mut csv, mut jsonl])) = (epochs.last(), self.open.take()) else {
            return self.rewrite(epochs);
        };
        // One write per line, so that readers see complete lines.
        let in_csv = csv.write_all(self.csv_line(last).as_bytes());
        let in_jsonl = jsonl.write_all(json_line(last).as_bytes());
        in_csv.map_err(Error::io(&self.csv, "write"))?;
        in_jsonl.map_err(Error::io(&self.jsonl, "write"))?;
        self.open = Some([csv, jsonl]);
        Ok(())
    }

    fn rewrite(&mut self, epochs: &[EpochMetrics]) -> Result<()> {
        let in_csv = write_unsynced(&self.csv, |out| {
            out.write_all(self.csv_header().as_bytes())?;
            let mut lines = epochs.iter().map(|epoch| self.csv_line(epoch));
            lines.try_for_each(|line| out.write_all(line.as_bytes()))
        });
        let in_jsonl = write_unsynced(&self.jsonl, |out| {
            let mut lines = epochs.iter().map(json_line);
            lines.try_for_each(|line| out.write_all(line.as_bytes()))
        });
        in_csv.and(in_jsonl)?;
        let open = |path: &Path| {
            let file = OpenOptions::new().append(true).open(path);
            file.map_err(Error::io(path, "open"))
        };
        self.open = Some([open(&self.csv)?, open(&self.jsonl)?]);
        Ok(())
    }

    fn csv_header(&self) -> String {
        let set = self.set;
        let columns: String = metrics(self.task)
            .map(|metric| format!(",{set}_{}", metric.key))
            .collect();
        format!(
            "epoch,train_loss,{set}_loss{columns},learning_rate,train_seconds,samples_per_second,gflops\n"
        )
    }

    fn csv_line(&self, epoch: &EpochMetrics) -> String {
        let or_empty =
            |value: Option<f64>| value.map_or_else(String::new, |value| value.to_string());
        let score = epoch.score();
        let cells: String = metrics(self.task)
            .map(|metric| score.and_then(|score| metric.of(&score)))
            .map(|value| format!(",{}", or_empty(value)))
            .collect();
        format!(
            "{},{},{}{cells},{},{},{},{}\n",
            epoch.epoch,
            epoch.train_loss,
            or_empty(epoch.loss()),
            epoch.learning_rate,
            epoch.train_seconds,
            epoch.samples_per_second,
            epoch.gflops
        )
    }
}

fn json_line(epoch: &EpochMetrics) -> String {
    serde_json::to_string(epoch).expect("plain data is always JSON") + "\n"
}
