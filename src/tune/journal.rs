//! The journal of a search: one line of JSON per result, synced to the disk before it counts.
//!
//! The first line identifies the search: the program and a fingerprint of the data. Then there is a line for each trial and
//! rung, and one when the search was stopped. A last line that a power cut left incomplete is ignored.

use std::cmp::Reverse;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::data::Fingerprint;
use crate::durable;
use crate::error::{Error, Refusal, Result};
use crate::message::{Key, message};
use crate::run::resume::same_bits;
use crate::scores::Score;

/// The format that is written, and the newest that is read.
const FORMAT: u32 = 1;

/// The result of a trial at the end of a rung.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// The trial, counted from 1.
    pub trial: usize,
    /// The rung, counted from 1.
    pub rung: usize,
    /// The number of whole epochs that it was trained for in total.
    pub epochs: usize,
    /// The share of the next epoch that it was trained for, if its time was up within an epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<f64>,
    /// Whether time was up before the end of the rung, so that a search that is resumed with more time trains it further.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unfinished: bool,
    /// The score on the validation set; `None` if the trial diverged.
    pub score: Option<Score>,
    /// The time of training since the first epoch in seconds, without evaluation.
    pub train_seconds: f64,
    /// The time of the search so far in seconds.
    pub spent_seconds: f64,
}

/// The identity of a search.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Subject {
    /// The version of the program.
    pub version: String,
    /// The revision of its source.
    pub revision: String,
    /// The engine together with what it runs on.
    pub engine: String,
    /// The fingerprint of the data.
    pub data: Fingerprint,
}

/// A line of the file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "line", rename_all = "kebab-case")]
enum Line {
    Begin {
        format: u32,
        #[serde(flatten)]
        subject: Box<Subject>,
    },
    Measured(Measured),
    /// The model of this result was written.
    Written(Measured),
    Stopped {
        spent_seconds: f64,
    },
}

/// The journal, open for appending, and its content.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    /// The identity of the search.
    pub subject: Subject,
    measured: Vec<Measured>,
    /// The result whose model was written last.
    written: Option<Measured>,
    spent_seconds: f64,
}

impl Measured {
    /// The number of epochs for people: `3`, or `0.25` for a part of the first.
    pub fn epochs_text(&self) -> String {
        match self.part.map(|part| self.epochs as f64 + part) {
            None => self.epochs.to_string(),
            Some(epochs) if epochs < 0.01 => format!("{epochs:.0e}"),
            Some(epochs) => format!("{epochs:.2}"),
        }
    }
}

impl Journal {
    /// Starts the journal at `path`.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if it cannot be written.
    pub fn begin(path: &Path, subject: Subject) -> Result<Journal> {
        let line = text_of(&Line::Begin {
            format: FORMAT,
            subject: Box::new(subject.clone()),
        });
        durable::write_atomically(path, |out| out.write_all(line.as_bytes()))?;
        Ok(Journal {
            path: path.to_owned(),
            file: open(path)?,
            subject,
            measured: Vec::new(),
            written: None,
            spent_seconds: 0.0,
        })
    }

    /// Reads the journal at `path` and opens it for appending. Returns `None` if there is none yet.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if it cannot be read, and [`Error::Run`] if it is damaged or of a later version.
    pub fn read(path: &Path) -> Result<Option<Journal>> {
        let bytes = match fs::read(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            bytes => bytes.map_err(Error::io(path, "read"))?,
        };
        let text = String::from_utf8_lossy(&bytes);
        let mut lines = text.split_inclusive('\n').zip(1usize..);
        let refuse = |number: usize, found: String, expected: &str| {
            let place = format!("{}: line {number}", path.display());
            Error::Run(Refusal::new(place, found, expected))
        };
        let parse = |line: &str, number| {
            let line = serde_json::from_str(line);
            line.map_err(|error| refuse(number, error.to_string(), "a line of a search"))
        };
        let first = lines.next().map_or("", |(line, _)| line);
        let subject = match parse(first, 1)? {
            Line::Begin { format, subject } if format == FORMAT => *subject,
            Line::Begin { format, .. } => {
                let expected = format!("{FORMAT}, the newest this version reads");
                return Err(refuse(1, format!("journal format {format}"), &expected));
            }
            _ => {
                return Err(refuse(
                    1,
                    "not the first line of a search".to_owned(),
                    "one",
                ));
            }
        };
        let (mut measured, mut written) = (Vec::new(), None);
        let (mut spent, mut length) = (0f64, first.len());
        for (line, number) in lines {
            if !line.ends_with('\n') {
                break;
            }
            match parse(line, number)? {
                Line::Measured(one) => {
                    spent = spent.max(one.spent_seconds);
                    measured.push(one);
                }
                Line::Written(one) => written = Some(one),
                Line::Stopped { spent_seconds } => spent = spent.max(spent_seconds),
                Line::Begin { .. } => {
                    return Err(refuse(number, "a second first line".to_owned(), "one"));
                }
            }
            length += line.len();
        }
        let file = open(path)?;
        // Otherwise the incomplete line becomes part of the next.
        file.set_len(length as u64)
            .map_err(Error::io(path, "shorten"))?;
        Ok(Some(Journal {
            path: path.to_owned(),
            file,
            subject,
            measured,
            written,
            spent_seconds: spent,
        }))
    }

    /// Checks that the search can continue with this program, engine and data.
    ///
    /// # Errors
    /// Returns [`Error::Run`] for other data, which are called `data_name`, and for an engine that computes other bits.
    pub fn check(&self, here: &Subject, data_name: &str) -> Result<()> {
        let place = self.path.display();
        if let Some(difference) = here.data.difference(&self.subject.data) {
            return Err(Error::Run(
                Refusal::new(
                    format!("{data_name}: {}", difference.set),
                    difference.found,
                    format!("{}, as in {place}", difference.expected),
                )
                .hint(message![
                    "a search resumes with its own data; set their path with ",
                    Key("data")
                ]),
            ));
        }
        if !same_bits(&self.subject.engine, &here.engine) {
            let found = format!("a search with {}", self.subject.engine);
            let expected = format!("one with {}, the engine of this machine", here.engine);
            return Err(Error::Run(Refusal::new(place, found, expected).hint(
                "resume on the machine where it started, or start over; another engine computes other bits",
            )));
        }
        Ok(())
    }

    /// Returns the results of a rung in the order of the trials, the last one of each that was not finished.
    pub fn rung(&self, rung: usize) -> Vec<Measured> {
        let mut found: Vec<Measured> = self.measured.iter().rev().cloned().collect();
        found.retain(|one| one.rung == rung);
        found.sort_by_key(|one| (one.trial, one.unfinished));
        found.dedup_by_key(|one| one.trial);
        found
    }

    /// Returns the results of a rung that were finished, in the order of the trials.
    pub fn finished(&self, rung: usize) -> Vec<Measured> {
        let of_rung = self.measured.iter();
        let of_rung = of_rung.filter(|one| one.rung == rung && !one.unfinished);
        let mut found: Vec<Measured> = of_rung.cloned().collect();
        found.sort_by_key(|one| one.trial);
        found
    }

    /// Returns the last result of each trial, in the order of the trials.
    pub fn latest(&self) -> Vec<Measured> {
        let mut found: Vec<Measured> = self.measured.iter().rev().cloned().collect();
        found.sort_by_key(|one| (one.trial, Reverse((one.rung, !one.unfinished))));
        found.dedup_by_key(|one| one.trial);
        found
    }

    /// Returns the results of a trial, rung after rung, the last one of each.
    pub fn trial(&self, trial: usize) -> Vec<Measured> {
        let mut found: Vec<Measured> = self.measured.iter().rev().cloned().collect();
        found.retain(|one| one.trial == trial);
        found.sort_by_key(|one| (one.rung, one.unfinished));
        found.dedup_by_key(|one| one.rung);
        found
    }

    /// Whether a result was not finished.
    pub fn is_cut(&self) -> bool {
        self.latest().iter().any(|one| one.unfinished)
    }

    /// Forgets the results from `rung` on of trials that do not reach it. They did in a search whose time was up before all
    /// results of the rung before were finished.
    pub fn keep_only(&mut self, trials: &[usize], rung: usize) {
        self.measured
            .retain(|one| one.rung < rung || trials.contains(&one.trial));
    }

    /// The time of the search so far in seconds.
    pub fn spent_seconds(&self) -> f64 {
        self.spent_seconds
    }

    /// Adds the result of a trial.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if it cannot be written.
    pub fn add(&mut self, measured: Measured) -> Result<()> {
        self.write(&Line::Measured(measured.clone()))?;
        self.spent_seconds = self.spent_seconds.max(measured.spent_seconds);
        self.measured.push(measured);
        Ok(())
    }

    /// The result whose model was written last.
    pub fn written(&self) -> Option<&Measured> {
        self.written.as_ref()
    }

    /// Adds that the model of a result was written.
    ///
    /// # Errors
    /// Returns the errors of [`Journal::add`].
    pub fn add_written(&mut self, measured: Measured) -> Result<()> {
        self.write(&Line::Written(measured.clone()))?;
        self.written = Some(measured);
        Ok(())
    }

    /// Adds that the search was stopped, after this time in total.
    ///
    /// # Errors
    /// Returns the errors of [`Journal::add`].
    pub fn stop(&mut self, spent_seconds: f64) -> Result<()> {
        self.spent_seconds = spent_seconds;
        self.write(&Line::Stopped { spent_seconds })
    }

    fn write(&mut self, line: &Line) -> Result<()> {
        let written = self.file.write_all(text_of(line).as_bytes());
        let synced = written.and_then(|()| self.file.sync_data());
        synced.map_err(Error::io(&self.path, "write"))
    }
}

fn text_of(line: &Line) -> String {
    serde_json::to_string(line).expect("plain data is always JSON") + "\n"
}

fn open(path: &Path) -> Result<File> {
    let file = OpenOptions::new().append(true).open(path);
    file.map_err(Error::io(path, "open"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::fingerprint::HalfPrint;

    fn subject() -> Subject {
        let half = HalfPrint {
            items: 1,
            classes: 2,
            image_bytes: 3,
            images: "a".to_owned(),
            labels: "b".to_owned(),
            class_names: None,
            weights: None,
        };
        Subject {
            version: "0".to_owned(),
            revision: "0".to_owned(),
            engine: "none".to_owned(),
            data: Fingerprint {
                train: half.clone(),
                validation: Some(half),
                test: None,
            },
        }
    }

    fn measured(trial: usize, rung: usize, accuracy: Option<f64>) -> Measured {
        Measured {
            trial,
            rung,
            epochs: 3,
            part: None,
            unfinished: false,
            score: accuracy.map(|accuracy| Score {
                accuracy: Some(accuracy),
                r2: Some(-0.5),
                ..Score::of_loss(0.1 + 0.2)
            }),
            train_seconds: 1.0 / 3.0,
            spent_seconds: trial as f64,
        }
    }

    #[test]
    fn a_journal_is_read_up_to_its_last_complete_line() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("journal.jsonl");
        assert!(Journal::read(&path).expect("nothing").is_none());
        let mut journal = Journal::begin(&path, subject()).expect("a journal");
        let all = [
            measured(4, 0, Some(1.0 / 3.0)),
            measured(2, 0, None),
            measured(4, 1, Some(0.7)),
        ];
        for one in &all {
            journal.add(one.clone()).expect("a line");
        }
        journal.stop(9.5).expect("a line");
        let whole = fs::read(&path).expect("the file");
        let last_lines = whole.len() - text_of(&Line::Stopped { spent_seconds: 9.5 }).len();
        for length in last_lines..=whole.len() {
            fs::write(&path, &whole[..length]).expect("writing");
            let read = Journal::read(&path).expect("a journal").expect("one");
            assert_eq!(read.subject, subject());
            assert_eq!(read.rung(0), [all[1].clone(), all[0].clone()]);
            assert_eq!(read.latest(), [all[1].clone(), all[2].clone()]);
            assert_eq!(read.trial(4), [all[0].clone(), all[2].clone()]);
            let whole_file = length == whole.len();
            assert_eq!(read.spent_seconds(), if whole_file { 9.5 } else { 4.0 });
            let left = fs::read(&path).expect("the file").len();
            assert_eq!(left, if whole_file { length } else { last_lines });
        }
    }

    #[test]
    fn damage_is_reported_with_its_line() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("journal.jsonl");
        let mut journal = Journal::begin(&path, subject()).expect("a journal");
        journal.add(measured(0, 0, None)).expect("a line");
        let text = fs::read_to_string(&path).expect("the file");
        for (damaged, words) in [
            (String::new(), "line 1: "),
            ("{}\n".to_owned(), "line 1: "),
            (text.replace("\"trial\":0", "\"trial\":-1"), "line 2: "),
            (
                text.replace("\"format\":1", "\"format\":2"),
                "journal format 2",
            ),
            (format!("{text}{text}"), "line 3: a second first line"),
        ] {
            fs::write(&path, damaged).expect("writing");
            let refused = Journal::read(&path).expect_err("a refusal").to_string();
            assert!(refused.contains(words), "{refused}");
        }
    }
}
