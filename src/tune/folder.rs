//! The folder of a search and its files.
//!
//! `tune.toml` is the plan, `journal.jsonl` the results, `best.toml` and `best.safetensors` the settings and the model
//! of the best trial so far, and `trials/NNNN/` the state from which a trial continues. One process at a time works in
//! a folder.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::durable::{check_writable, create_folder, remove_leftovers};
use crate::error::{Error, Refusal, Result};
use crate::message::{Key, message};
use crate::run::Checkpoints;
use crate::run::folder::next_free;

const PLAN: &str = "tune.toml";
const JOURNAL: &str = "journal.jsonl";
const BEST: &str = "best.toml";
const MODEL: &str = "best.safetensors";
const FILES: [&str; 4] = [PLAN, JOURNAL, BEST, MODEL];

/// The folder a search writes to.
#[derive(Debug)]
pub struct TuneFolder {
    path: PathBuf,
    /// Held until the process ends; `None` if the file system has no locks.
    _lock: Option<File>,
}

impl TuneFolder {
    /// Creates the folder of a new search: the folder `out`, or `runs/tune-N` with the next free number.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if it cannot be created or written, and [`Error::Config`] if it has a search already.
    pub fn create(out: Option<&Path>) -> Result<TuneFolder> {
        let path = match out {
            None => next_free(Path::new("runs"), "tune")?,
            Some(path) => {
                create_folder(path)?;
                path.to_owned()
            }
        };
        check_free(&path)?;
        check_writable(&path)?;
        let folder = TuneFolder::lock(path)?;
        // Another process may have searched in it between the check and the lock.
        check_free(&folder.path)?;
        remove_leftovers(&folder.path, &FILES)?;
        Ok(folder)
    }

    /// Opens the folder of an earlier search, and removes files that a killed process left incomplete.
    ///
    /// # Errors
    /// Returns [`Error::Run`] if `path` is not the folder of a search or another process works in it, and [`Error::Io`] if
    /// it cannot be read or written.
    pub fn open(path: &Path) -> Result<TuneFolder> {
        if !path.join(PLAN).is_file() {
            let found = match path.is_dir() {
                true => format!("a folder without {PLAN}"),
                false if path.exists() => "not a folder".to_owned(),
                false => "no such folder".to_owned(),
            };
            let refusal = Refusal::new(path.display(), found, "the folder of a search");
            return Err(Error::Run(refusal.hint(message![
                "searches are in runs/tune-N unless ",
                Key("out"),
                " named another one",
            ])));
        }
        let folder = TuneFolder::lock(path.to_owned())?;
        remove_leftovers(&folder.path, &FILES)?;
        Ok(folder)
    }

    fn lock(path: PathBuf) -> Result<TuneFolder> {
        let trials = path.join("trials");
        create_folder(&trials)?;
        let lock = crate::run::folder::lock(&path, &trials.join("lock"))?;
        Ok(TuneFolder { path, _lock: lock })
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The plan of the search.
    pub fn plan(&self) -> PathBuf {
        self.path.join(PLAN)
    }

    /// The results so far.
    pub fn journal(&self) -> PathBuf {
        self.path.join(JOURNAL)
    }

    /// The settings of the best trial so far.
    pub fn best(&self) -> PathBuf {
        self.path.join(BEST)
    }

    /// The model of the best trial so far.
    pub fn model(&self) -> PathBuf {
        self.path.join(MODEL)
    }

    /// Removes the model, if there is one.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if it cannot be removed.
    pub(super) fn drop_model(&self) -> Result<()> {
        let path = self.model();
        match path.exists() {
            true => fs::remove_file(&path).map_err(Error::io(&path, "remove")),
            false => Ok(()),
        }
    }

    /// The state of a trial.
    pub(super) fn state_of(&self, trial: usize) -> Checkpoints {
        Checkpoints::at(self.path.join("trials").join(format!("{trial:04}")))
    }

    /// Removes the state of a trial that does not continue.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if it cannot be removed.
    pub(super) fn drop_trial(&self, trial: usize) -> Result<()> {
        let state = self.state_of(trial);
        let path = state.path();
        match path.exists() {
            true => fs::remove_dir_all(path).map_err(Error::io(path, "remove")),
            false => Ok(()),
        }
    }
}

/// Checks that the folder has no file of a search.
fn check_free(path: &Path) -> Result<()> {
    let mut files = FILES.iter().map(|file| path.join(file));
    match files.find(|file| file.exists()) {
        None => Ok(()),
        Some(existing) => Err(Error::Config(
            Refusal::new(
                Key("out"),
                format!("{} already exists", existing.display()),
                "a folder without a search",
            )
            .hint(message![
                "name another folder, or resume that search with ",
                Key("resume")
            ]),
        )),
    }
}
