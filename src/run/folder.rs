//! The folder of a run and its files.
//!
//! `config.toml`, `environment.json`, `metrics.csv`, `metrics.jsonl`, `model.safetensors`, `checkpoint/`, and `cache/` with
//! the rows of tables that are larger than the memory, until the run is done. One process at a time works in a folder: it
//! holds a lock that the system releases when the process ends.

use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::checkpoints::Checkpoints;
use crate::durable::{check_writable, create_folder, remove_leftovers};
use crate::error::{Error, Refusal, Result};
use crate::message::{Key, message};

const CONFIG: &str = "config.toml";
const ENVIRONMENT: &str = "environment.json";
const METRICS_CSV: &str = "metrics.csv";
const METRICS_JSONL: &str = "metrics.jsonl";
const MODEL: &str = "model.safetensors";
const CHECKPOINTS: &str = "checkpoint";
const LOCK: &str = "lock";
const CACHE: &str = "cache";
/// The files of encoded rows.
const ROWS: [&str; 3] = ["training.rows", "validation.rows", "test.rows"];
/// The files of a run in addition to its checkpoints, the most significant first.
const FILES: [&str; 5] = [MODEL, CONFIG, ENVIRONMENT, METRICS_CSV, METRICS_JSONL];

/// The folder a run writes to.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    /// Whether the run is a new one.
    is_new: bool,
    /// Whether this process created the folder.
    is_created: bool,
    /// Whether the files of an earlier run may be replaced.
    has_begun: bool,
    /// Whether an earlier run left its lock.
    had_lock: bool,
    /// Whether an earlier run left rows.
    had_cache: bool,
    /// Held until the process ends; `None` if the file system has no locks.
    _lock: Option<File>,
}

impl RunFolder {
    /// Prepares the folder of a new run and starts the run in it, as [`RunFolder::prepare`] and [`RunFolder::begin`] do.
    ///
    /// # Errors
    /// Returns their errors.
    pub fn create(out: Option<&Path>, exist_ok: bool) -> Result<RunFolder> {
        RunFolder::prepare(out, exist_ok)?.begin()
    }

    /// Creates the folder of a new run and checks that it can be written, before hours are spent on training: the folder
    /// `out`, or `runs/train-N` with the next free number. A folder that has any file of a run is used only with
    /// `exist_ok`.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if the folder cannot be created or written, [`Error::Config`] if it has a file of a run,
    /// [`Error::Model`] if the model's path is a folder, and [`Error::Run`] if another process works in it.
    pub fn prepare(out: Option<&Path>, exist_ok: bool) -> Result<RunFolder> {
        let (path, is_created) = match out {
            None => (next_free(Path::new("runs"), "train")?, true),
            Some(path) => {
                let is_created = !path.exists();
                create_folder(path)?;
                (path.to_owned(), is_created)
            }
        };
        let mut folder = RunFolder {
            is_new: true,
            is_created,
            has_begun: false,
            had_lock: path.join(CHECKPOINTS).join(LOCK).exists(),
            had_cache: path.join(CACHE).exists(),
            path,
            _lock: None,
        };
        folder.check_free(exist_ok)?;
        check_writable(&folder.path)?;
        folder.lock()?;
        // Another process may have trained in it between the check and the lock.
        folder.check_free(exist_ok)?;
        folder.remove_leftovers()?;
        Ok(folder)
    }

    /// Starts a new run: the checkpoints of an earlier one are removed, and its metrics are about to be replaced. A model
    /// stays until there is a new one.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if a checkpoint cannot be removed.
    pub fn begin(mut self) -> Result<RunFolder> {
        self.has_begun = true;
        // Checkpoints first: a process that is killed in between leaves a run that resumes from its start.
        for (_, path) in self.checkpoints().list()? {
            fs::remove_file(&path).map_err(Error::io(&path, "remove"))?;
        }
        Ok(self)
    }

    /// Opens the folder of an earlier run, and removes files that a killed process left incomplete.
    ///
    /// # Errors
    /// Returns [`Error::Run`] if `path` is not the folder of a run or another process works in it, and [`Error::Io`] if it
    /// cannot be read or written.
    pub fn open(path: &Path) -> Result<RunFolder> {
        let mut folder = RunFolder {
            path: path.to_owned(),
            is_new: false,
            is_created: false,
            has_begun: true,
            had_lock: true,
            had_cache: true,
            _lock: None,
        };
        if !folder.config().is_file() {
            let found = match path.is_dir() {
                true => "a folder without config.toml",
                false if path.exists() => "not a folder",
                false => "no such folder",
            };
            let refusal = Refusal::new(path.display(), found, "the folder of a run");
            return Err(Error::Run(refusal.hint(message![
                "runs are in runs/train-N unless ",
                Key("out"),
                " named another one",
            ])));
        }
        folder.lock()?;
        folder.remove_leftovers()?;
        Ok(folder)
    }

    /// Creates the folder of checkpoints and locks it.
    fn lock(&mut self) -> Result<()> {
        let checkpoints = self.path.join(CHECKPOINTS);
        create_folder(&checkpoints)?;
        self._lock = lock(&self.path, &checkpoints.join(LOCK))?;
        Ok(())
    }

    /// Removes files that a killed process left incomplete.
    fn remove_leftovers(&self) -> Result<()> {
        remove_leftovers(&self.path, &FILES)?;
        remove_leftovers(self.checkpoints().path(), &["epoch-"])?;
        match self.cache().is_dir() {
            true => remove_leftovers(&self.cache(), &ROWS),
            false => Ok(()),
        }
    }

    fn check_free(&self, exist_ok: bool) -> Result<()> {
        let model = self.model();
        if model.is_dir() {
            let expected = "a model file or no file";
            return Err(Error::Model(Refusal::new(
                model.display(),
                "a folder",
                expected,
            )));
        }
        if exist_ok {
            return Ok(());
        }
        // Everything that a new run would replace or remove.
        let files = FILES.iter().map(|file| self.path.join(file));
        let checkpoints = self.checkpoints().list()?.into_iter().map(|(_, path)| path);
        let existing = files.filter(|path| path.exists()).chain(checkpoints).next();
        match existing {
            Some(existing) => Err(Error::Config(
                Refusal::new(
                    Key("out"),
                    format!("{} already exists", existing.display()),
                    "a folder without a run",
                )
                .hint(message![
                    "name another folder, resume that run with ",
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

    /// The machine and build of the run.
    pub fn environment(&self) -> PathBuf {
        self.path.join(ENVIRONMENT)
    }

    /// One line per epoch, for spreadsheets.
    pub fn metrics_csv(&self) -> PathBuf {
        self.path.join(METRICS_CSV)
    }

    /// One line per epoch, for programs.
    pub fn metrics_jsonl(&self) -> PathBuf {
        self.path.join(METRICS_JSONL)
    }

    /// The model, once the run is done.
    pub fn model(&self) -> PathBuf {
        self.path.join(MODEL)
    }

    /// The checkpoints of the run.
    pub fn checkpoints(&self) -> Checkpoints {
        Checkpoints::at(self.path.join(CHECKPOINTS))
    }

    /// The folder of encoded rows of tables that are larger than the memory: `training.rows`, `validation.rows` and
    /// `test.rows`. They exist only while the run is not done.
    pub fn cache(&self) -> PathBuf {
        self.path.join(CACHE)
    }

    /// Removes the files of encoded rows, except the `used` ones. Failures are ignored, as a later run tries again.
    pub fn clear_cache(&self, used: &[&Path]) {
        for path in ROWS.map(|file| self.cache().join(file)) {
            if !used.contains(&&*path) {
                drop(fs::remove_file(path));
            }
        }
        drop(fs::remove_dir(self.cache()));
    }

    /// Removes the files of a new run that failed without a checkpoint. An earlier model stays.
    pub fn discard(self) {
        let checkpoints = self.checkpoints();
        if !self.is_new || (self.has_begun && !checkpoints.list().is_ok_and(|list| list.is_empty()))
        {
            return;
        }
        // Best effort: the error that ended the run is the one to report.
        if self.has_begun || !self.had_cache {
            self.clear_cache(&[]);
        }
        let lock = checkpoints.path().join(LOCK);
        let of_run = [
            self.config(),
            self.environment(),
            self.metrics_csv(),
            self.metrics_jsonl(),
        ];
        let of_run = of_run.into_iter().filter(|_| self.has_begun);
        let lock = Some(lock).filter(|_| self.has_begun || !self.had_lock);
        for file in of_run.chain(lock) {
            drop(fs::remove_file(file));
        }
        drop(fs::remove_dir(checkpoints.path()));
        if self.is_created {
            drop(fs::remove_dir(&self.path));
        }
    }
}

/// Locks the file `path` until the process ends, so that one process at a time works in `folder`. Returns `None` if the file
/// system has no locks.
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
        // Some network file systems have no locks; training works without.
        Err(TryLockError::Error(_)) => Ok(None),
    }
}

/// Creates `runs/KIND-N` with the first free number N from 1 on, also while other processes do the same.
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
