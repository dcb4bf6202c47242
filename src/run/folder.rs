//! The folder of a run, and what lies where in it.
//!
//! `config.toml`, `environment.json`, `metrics.csv`, `metrics.jsonl`, `model.safetensors` and `checkpoint/`. One process
//! at a time works in a folder: it holds a lock that ends with it, however it ends.

use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::checkpoints::Shelf;
use crate::durable::{check_writable, create_folder, remove_leftovers};
use crate::error::{Error, Refusal, Result};
use crate::message::{Key, message};

const CONFIG: &str = "config.toml";
const ENVIRONMENT: &str = "environment.json";
const METRICS_CSV: &str = "metrics.csv";
const METRICS_JSONL: &str = "metrics.jsonl";
const MODEL: &str = "model.safetensors";
/// What lies in a run folder beside its checkpoints, what tells most of a run first.
const FILES: [&str; 5] = [MODEL, CONFIG, ENVIRONMENT, METRICS_CSV, METRICS_JSONL];

/// The folder a run writes to.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    /// Whether a run begins here.
    begins: bool,
    /// Whether this process made it.
    created: bool,
    /// Held until the process ends; none where the file system knows no locks.
    _lock: Option<File>,
}

impl RunFolder {
    /// Makes a folder for a new run and tries whether it can be written, before hours are spent on what goes there: the
    /// folder `out`, or `runs/train-N` with the next free number. A folder with any file of a run in it, whoever put it
    /// there, is taken only with `exist_ok`; checkpoints and metrics then go, and a model stays until there is a new one.
    ///
    /// # Errors
    /// [`Error::Io`] when it cannot be made or written, [`Error::Config`] when it holds a file of a run,
    /// [`Error::Model`] when a folder stands in the model's place, [`Error::Run`] when another process works in it.
    pub fn create(out: Option<&Path>, exist_ok: bool) -> Result<RunFolder> {
        let (path, created) = match out {
            None => (next_free(Path::new("runs"), "train")?, true),
            Some(path) => {
                let created = !path.exists();
                create_folder(path)?;
                (path.to_owned(), created)
            }
        };
        let mut folder = RunFolder {
            path,
            begins: true,
            created,
            _lock: None,
        };
        folder.check_free(exist_ok)?;
        check_writable(&folder.path)?;
        folder.take()?;
        folder.remove_leftovers()?;
        // Checkpoints first: whoever is stopped in between leaves a run that starts at its beginning.
        for (_, path) in folder.shelf().list()? {
            fs::remove_file(&path).map_err(Error::io(&path, "remove"))?;
        }
        Ok(folder)
    }

    /// Opens the folder of an earlier run, and clears away what a process that was killed left half-written.
    ///
    /// # Errors
    /// [`Error::Run`] when `path` is no folder of a run or another process works in it, [`Error::Io`] when it cannot be
    /// read or written.
    pub fn open(path: &Path) -> Result<RunFolder> {
        let mut folder = RunFolder {
            path: path.to_owned(),
            begins: false,
            created: false,
            _lock: None,
        };
        if !folder.config().is_file() {
            let found = match path.is_dir() {
                true => "a folder without config.toml",
                false if path.exists() => "no folder",
                false => "no such folder",
            };
            let refusal = Refusal::new(path.display(), found, "the folder of a run");
            return Err(Error::Run(refusal.hint(message![
                "runs are in runs/train-N unless ",
                Key("out"),
                " named another folder",
            ])));
        }
        folder.take()?;
        folder.remove_leftovers()?;
        Ok(folder)
    }

    /// Makes the folder of checkpoints and locks it.
    fn take(&mut self) -> Result<()> {
        let shelf = self.path.join("checkpoint");
        create_folder(&shelf)?;
        self._lock = lock(&self.path, &shelf.join("lock"))?;
        Ok(())
    }

    /// Clears away what a process that was killed left half-written.
    fn remove_leftovers(&self) -> Result<()> {
        remove_leftovers(&self.path, &FILES)?;
        remove_leftovers(self.shelf().path(), &["epoch-"])
    }

    fn check_free(&self, exist_ok: bool) -> Result<()> {
        let model = self.model();
        if model.is_dir() {
            let expected = "a model file, or nothing";
            return Err(Error::Model(Refusal::new(
                model.display(),
                "a folder",
                expected,
            )));
        }
        if exist_ok {
            return Ok(());
        }
        // All that a run would replace or remove.
        let files = FILES.iter().map(|file| self.path.join(file));
        let checkpoints = self.shelf().list()?.into_iter().map(|(_, path)| path);
        let there = files.filter(|path| path.exists()).chain(checkpoints).next();
        match there {
            Some(there) => Err(Error::Config(
                Refusal::new(
                    Key("out"),
                    format!("{} is there already", there.display()),
                    "a folder without a run",
                )
                .hint(message![
                    "name another folder, go on with that run by ",
                    Key("resume"),
                    ", or add ",
                    Key("exist_ok"),
                    " to replace it"
                ]),
            )),
            None => Ok(()),
        }
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Every setting of the run.
    pub fn config(&self) -> PathBuf {
        self.path.join(CONFIG)
    }

    /// What the run runs on.
    pub fn environment(&self) -> PathBuf {
        self.path.join(ENVIRONMENT)
    }

    /// A line an epoch, for spreadsheets.
    pub fn metrics_csv(&self) -> PathBuf {
        self.path.join(METRICS_CSV)
    }

    /// A line an epoch, for programs.
    pub fn metrics_jsonl(&self) -> PathBuf {
        self.path.join(METRICS_JSONL)
    }

    /// The model, once the run is done.
    pub fn model(&self) -> PathBuf {
        self.path.join(MODEL)
    }

    /// Where the checkpoints are.
    pub fn shelf(&self) -> Shelf {
        Shelf::at(self.path.join("checkpoint"))
    }

    /// Takes away what a run left that came to nothing. One with a checkpoint is something, as is one that began earlier; a
    /// model that stood here before stays.
    pub fn discard(self) {
        let shelf = self.shelf();
        if !self.begins || !shelf.list().is_ok_and(|checkpoints| checkpoints.is_empty()) {
            return;
        }
        // Best effort: the error that ended the run is the one to tell.
        for file in [
            self.config(),
            self.environment(),
            self.metrics_csv(),
            self.metrics_jsonl(),
            shelf.path().join("lock"),
        ] {
            drop(fs::remove_file(file));
        }
        drop(fs::remove_dir(shelf.path()));
        if self.created {
            drop(fs::remove_dir(&self.path));
        }
    }
}

/// Locks the file `path` for as long as the process lives, so that one at a time works in `folder`; none where the file
/// system knows no locks.
pub(crate) fn lock(folder: &Path, path: &Path) -> Result<Option<File>> {
    let lock = File::options().create(true).append(true).open(path);
    let lock = lock.map_err(Error::io(path, "open"))?;
    match lock.try_lock() {
        Ok(()) => Ok(Some(lock)),
        Err(TryLockError::WouldBlock) => Err(Error::Run(Refusal::new(
            folder.display(),
            "another process trains in this folder",
            "one at a time",
        ))),
        // Some network file systems have no locks; they are no reason not to train.
        Err(TryLockError::Error(_)) => Ok(None),
    }
}

/// Makes `runs/KIND-N` for the first N from 1 on that is free, whoever else is looking for one.
pub(crate) fn next_free(runs: &Path, kind: &str) -> Result<PathBuf> {
    create_folder(runs)?;
    let mut number = 1u64;
    loop {
        let path = runs.join(format!("{kind}-{number}"));
        match fs::create_dir(&path) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => number += 1,
            Err(error) => return Err(Error::io(&path, "create the folder")(error)),
        }
    }
}
