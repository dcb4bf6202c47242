//! The folder of a search, and what lies where in it.
//!
//! `tune.toml` is what is searched, `journal.jsonl` what came of it, `best.toml` the settings of the best trial so far,
//! `trials/NNN/` the state that a trial goes on from. One process at a time works in a folder.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::durable::{check_writable, create_folder, remove_leftovers};
use crate::error::{Error, Refusal, Result};
use crate::message::{Key, message};
use crate::run::Shelf;
use crate::run::folder::{lock, next_free};

const PLAN: &str = "tune.toml";
const JOURNAL: &str = "journal.jsonl";
const BEST: &str = "best.toml";
const FILES: [&str; 3] = [PLAN, JOURNAL, BEST];

/// The folder a search writes to.
#[derive(Debug)]
pub struct TuneFolder {
    path: PathBuf,
    /// Held until the process ends; none where the file system knows no locks.
    _lock: Option<File>,
}

impl TuneFolder {
    /// Makes a folder for a new search: the folder `out`, or `runs/tune-N` with the next free number.
    ///
    /// # Errors
    /// [`Error::Io`] when it cannot be made or written, [`Error::Config`] when it holds a search already.
    pub fn create(out: Option<&Path>) -> Result<TuneFolder> {
        let path = match out {
            None => next_free(Path::new("runs"), "tune")?,
            Some(path) => {
                create_folder(path)?;
                path.to_owned()
            }
        };
        let there = FILES
            .iter()
            .map(|file| path.join(file))
            .find(|file| file.exists());
        if let Some(there) = there {
            return Err(Error::Config(
                Refusal::new(
                    Key("out"),
                    format!("{} is there already", there.display()),
                    "a folder without a search",
                )
                .hint(message![
                    "name another folder, or go on with that search by ",
                    Key("resume")
                ]),
            ));
        }
        check_writable(&path)?;
        TuneFolder::take(path)
    }

    /// Opens the folder of an earlier search, and clears away what a process that was killed left half-written.
    ///
    /// # Errors
    /// [`Error::Run`] when `path` is no folder of a search or another process works in it, [`Error::Io`] when it cannot
    /// be read or written.
    pub fn open(path: &Path) -> Result<TuneFolder> {
        if !path.join(PLAN).is_file() {
            let found = match path.is_dir() {
                true => format!("a folder without {PLAN}"),
                false if path.exists() => "no folder".to_owned(),
                false => "no such folder".to_owned(),
            };
            let refusal = Refusal::new(path.display(), found, "the folder of a search");
            return Err(Error::Run(refusal.hint(message![
                "searches are in runs/tune-N unless ",
                Key("out"),
                " named another folder",
            ])));
        }
        let folder = TuneFolder::take(path.to_owned())?;
        remove_leftovers(&folder.path, &FILES)?;
        Ok(folder)
    }

    fn take(path: PathBuf) -> Result<TuneFolder> {
        let trials = path.join("trials");
        create_folder(&trials)?;
        let lock = lock(&path, &trials.join("lock"))?;
        Ok(TuneFolder { path, _lock: lock })
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What is searched.
    pub fn plan(&self) -> PathBuf {
        self.path.join(PLAN)
    }

    /// What came of it so far.
    pub fn journal(&self) -> PathBuf {
        self.path.join(JOURNAL)
    }

    /// The settings of the best trial so far.
    pub fn best(&self) -> PathBuf {
        self.path.join(BEST)
    }

    /// Where the state of a trial is.
    pub(super) fn shelf(&self, trial: usize) -> Shelf {
        Shelf::at(self.path.join("trials").join(format!("{trial:04}")))
    }

    /// Removes the state of a trial that does not go on.
    ///
    /// # Errors
    /// [`Error::Io`] when it cannot be removed.
    pub(super) fn drop_trial(&self, trial: usize) -> Result<()> {
        let shelf = self.shelf(trial);
        let path = shelf.path();
        match path.exists() {
            true => fs::remove_dir_all(path).map_err(Error::io(path, "remove")),
            false => Ok(()),
        }
    }
}
