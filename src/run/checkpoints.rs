//! The folder of checkpoints: how they are called, which are kept, and which is taken when the newest is damaged.
//!
//! `epoch-0003-step-000120.safetensors` is the state 120 steps after the third epoch. Nothing else in the folder counts,
//! and no name inside a file is ever followed.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::checkpoint::Checkpoint;
use crate::durable;
use crate::error::{Error, Result};
use crate::train::Place;

const ENDING: &str = ".safetensors";

/// A folder of checkpoints.
#[derive(Debug, Clone)]
pub struct Shelf {
    path: PathBuf,
}

/// The newest checkpoint that can be read and is whole, and what is wrong with newer ones.
#[derive(Debug)]
pub struct Newest {
    /// It, with its file; none where there is none at all.
    pub good: Option<(PathBuf, Checkpoint)>,
    /// Newer files that are damaged, or cannot be read ([`Error::Io`]), with the reason, newest first.
    pub damaged: Vec<(PathBuf, Error)>,
}

impl Shelf {
    /// The folder `path`, which may be missing.
    pub fn at(path: PathBuf) -> Shelf {
        Shelf { path }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file of a state at `place`.
    pub fn file(&self, place: Place) -> PathBuf {
        let Place { epochs, steps } = place;
        self.path
            .join(format!("epoch-{epochs:04}-step-{steps:06}{ENDING}"))
    }

    /// All checkpoints by name, the furthest first.
    ///
    /// # Errors
    /// [`Error::Io`] when the folder is there and cannot be read.
    pub fn list(&self) -> Result<Vec<(Place, PathBuf)>> {
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

    /// Writes a checkpoint, and gives its file once that is durable.
    ///
    /// # Errors
    /// [`Error::Io`]; all that stood here is then as it was.
    pub fn save(&self, checkpoint: &Checkpoint) -> Result<PathBuf> {
        let path = self.file(checkpoint.state.place());
        let bytes = checkpoint.to_bytes();
        durable::write_atomically(&path, |out| out.write_all(&bytes))?;
        Ok(path)
    }

    /// Removes all but the `keep` furthest of those up to `newest`. What is further could not be read when the run went
    /// on, and counts for nothing.
    ///
    /// # Errors
    /// [`Error::Io`] when one cannot be removed.
    pub fn thin_out(&self, newest: Place, keep: usize) -> Result<()> {
        let mut all = self.list()?;
        all.retain(|(place, _)| *place <= newest);
        for (_, path) in all.into_iter().skip(keep) {
            fs::remove_file(&path).map_err(Error::io(&path, "remove"))?;
        }
        Ok(())
    }

    /// Reads the furthest checkpoint that is whole.
    ///
    /// # Errors
    /// [`Error::Run`] for one of a later version: falling back behind it would lose what a newer program did.
    /// [`Error::Io`] when the folder cannot be read.
    pub fn newest(&self) -> Result<Newest> {
        let mut damaged = Vec::new();
        for (_, path) in self.list()? {
            match Checkpoint::load(&path) {
                Ok(checkpoint) => {
                    let good = Some((path, checkpoint));
                    return Ok(Newest { good, damaged });
                }
                Err(error @ Error::Run(_)) => return Err(error),
                Err(error) => damaged.push((path, error)),
            }
        }
        Ok(Newest {
            good: None,
            damaged,
        })
    }

    /// Takes a damaged file out of the count, under a name that says what it is.
    ///
    /// # Errors
    /// [`Error::Io`] when it cannot be renamed.
    pub fn set_aside(&self, path: &Path) -> Result<()> {
        let mut name = path.as_os_str().to_owned();
        name.push(".damaged");
        fs::rename(path, name).map_err(Error::io(path, "set aside"))
    }
}

/// What `epoch-0003-step-000120.safetensors` stands for.
fn place_of(name: &str) -> Option<Place> {
    let (epochs, steps) = name
        .strip_prefix("epoch-")?
        .strip_suffix(ENDING)?
        .split_once("-step-")?;
    let number = |text: &str| {
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| text.parse().ok()).flatten()
    };
    Some(Place {
        epochs: number(epochs)?,
        steps: number(steps)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_how_far_a_run_is_and_nothing_else_counts() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let shelf = Shelf::at(folder.path().to_owned());
        let places = [(0, 7), (2, 0), (2, 1875), (10, 3), (12345, 1_234_567)];
        let places = places.map(|(epochs, steps)| Place { epochs, steps });
        for place in places {
            fs::write(shelf.file(place), b"").expect("writing");
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
        let found: Vec<Place> = shelf
            .list()
            .expect("a list")
            .iter()
            .map(|(place, _)| *place)
            .collect();
        let mut expected = places;
        expected.reverse();
        assert_eq!(found, expected);
        shelf.thin_out(places[3], 2).expect("removing");
        let left: Vec<Place> = shelf
            .list()
            .expect("a list")
            .into_iter()
            .map(|(place, _)| place)
            .collect();
        assert_eq!(left, [places[4], places[3], places[2]]);
        shelf.thin_out(places[4], 2).expect("removing");
        assert_eq!(shelf.list().expect("a list").len(), 2);
        assert!(folder.path().join("lock").exists());
    }
}
