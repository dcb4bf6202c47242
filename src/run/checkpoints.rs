//! The folder of checkpoints: their names, which are kept, and which one is read if the newest is damaged.
//!
//! `epoch-0003-step-000120.safetensors` is the state 120 steps after the third epoch. Other files in the folder are
//! ignored, and paths inside a file are never followed.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::checkpoint::Checkpoint;
use crate::durable;
use crate::error::{Error, Result};
use crate::train::Position;

const EXTENSION: &str = ".safetensors";

/// A folder of checkpoints.
#[derive(Debug, Clone)]
pub struct Checkpoints {
    path: PathBuf,
}

/// The newest valid checkpoint, and what is wrong with newer ones.
#[derive(Debug)]
pub struct Newest {
    /// The newest valid checkpoint with its file; `None` if there is none.
    pub valid: Option<(PathBuf, Checkpoint)>,
    /// Newer files that are damaged or cannot be read ([`Error::Io`]), with the error, newest first.
    pub damaged: Vec<(PathBuf, Error)>,
}

impl Checkpoints {
    /// The checkpoints in the folder `path`, which may be missing.
    pub fn at(path: PathBuf) -> Checkpoints {
        Checkpoints { path }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the file of a state at `place`.
    pub fn file(&self, place: Position) -> PathBuf {
        let Position { epochs, steps } = place;
        self.path
            .join(format!("epoch-{epochs:04}-step-{steps:06}{EXTENSION}"))
    }

    /// Lists all checkpoints by name, the newest first.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if the folder exists and cannot be read.
    pub fn list(&self) -> Result<Vec<(Position, PathBuf)>> {
        let entries = match fs::read_dir(&self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(Error::io(&self.path, "read the folder"))?,
        };
        let mut found = Vec::new();
        for entry in entries {
            let name = entry
                .map_err(Error::io(&self.path, "read the folder"))?
                .file_name();
            if let Some(place) = name.to_str().and_then(place_of) {
                found.push((place, self.path.join(name)));
            }
        }
        found.sort_unstable_by(|(a, _), (b, _)| b.cmp(a));
        Ok(found)
    }

    /// Writes a checkpoint, and returns its file once that is durable.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if it cannot be written; older checkpoints are then unchanged.
    pub fn save(&self, checkpoint: &Checkpoint) -> Result<PathBuf> {
        let path = self.file(checkpoint.state.position());
        let bytes = checkpoint.to_bytes();
        durable::write_atomically(&path, |out| out.write_all(&bytes))?;
        Ok(path)
    }

    /// Removes all but the `keep` newest checkpoints up to `newest`. Later ones could not be read when the run resumed, and
    /// are ignored.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if one cannot be removed.
    pub fn remove_old(&self, newest: Position, keep: usize) -> Result<()> {
        let mut all = self.list()?;
        all.retain(|(place, _)| *place <= newest);
        for (_, path) in all.into_iter().skip(keep) {
            fs::remove_file(&path).map_err(Error::io(&path, "remove"))?;
        }
        Ok(())
    }

    /// Reads the newest valid checkpoint.
    ///
    /// # Errors
    /// Returns [`Error::Run`] if one was written by a later version, since an older one would lose its progress, and
    /// [`Error::Io`] if the folder cannot be read.
    pub fn newest(&self) -> Result<Newest> {
        let mut damaged = Vec::new();
        for (_, path) in self.list()? {
            match Checkpoint::load(&path) {
                Ok(checkpoint) => {
                    let valid = Some((path, checkpoint));
                    return Ok(Newest { valid, damaged });
                }
                Err(error @ Error::Run(_)) => return Err(error),
                Err(error) => damaged.push((path, error)),
            }
        }
        Ok(Newest {
            valid: None,
            damaged,
        })
    }

    /// Renames a damaged file, so that it is no longer a checkpoint.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if it cannot be renamed.
    pub fn set_aside(&self, path: &Path) -> Result<()> {
        let mut name = path.as_os_str().to_owned();
        name.push(".damaged");
        fs::rename(path, name).map_err(Error::io(path, "set aside"))
    }
}

/// Returns the place of a state by the name of its file, such as `epoch-0003-step-000120.safetensors`.
fn place_of(name: &str) -> Option<Position> {
    let (epochs, steps) = name
        .strip_prefix("epoch-")?
        .strip_suffix(EXTENSION)?
        .split_once("-step-")?;
    let number = |text: &str| {
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| text.parse().ok()).flatten()
    };
    Some(Position {
        epochs: number(epochs)?,
        steps: number(steps)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_give_the_place_of_a_state_and_other_files_are_ignored() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let checkpoints = Checkpoints::at(folder.path().to_owned());
        let places = [(0, 7), (2, 0), (2, 1875), (10, 3), (12345, 1_234_567)];
        let places = places.map(|(epochs, steps)| Position { epochs, steps });
        for place in places {
            fs::write(checkpoints.file(place), b"").expect("writing");
        }
        for other in [
            "lock",
            ".epoch-0003-step-000000.safetensorsXYZ.part",
            "epoch-0003-step-000000.safetensors.damaged",
            "epoch-0003.safetensors",
            "epoch-+3-step-1.safetensors",
            "epoch-3-step-99999999999999999999999.safetensors",
        ] {
            fs::write(folder.path().join(other), b"").expect("writing");
        }
        let found: Vec<Position> = checkpoints
            .list()
            .expect("a list")
            .iter()
            .map(|(place, _)| *place)
            .collect();
        let mut expected = places;
        expected.reverse();
        assert_eq!(found, expected);
        checkpoints.remove_old(places[3], 2).expect("removing");
        let left: Vec<Position> = checkpoints
            .list()
            .expect("a list")
            .into_iter()
            .map(|(place, _)| place)
            .collect();
        assert_eq!(left, [places[4], places[3], places[2]]);
        checkpoints.remove_old(places[4], 2).expect("removing");
        assert_eq!(checkpoints.list().expect("a list").len(), 2);
        assert!(folder.path().join("lock").exists());
    }
}
