//! Data that a command does not read, but that `data convert` makes a data set of.

use std::path::{Path, PathBuf};

use perceptor::Error;
use perceptor::data::{FileKind, folder, kind_of_file};
use perceptor::datasets::convert;

use super::shell::{program, shell_word};

/// Returns the error about `path`, with the command that makes a data set of what is there, if there is one.
pub fn with_conversion(path: &Path, error: Error) -> Error {
    match conversion(path) {
        None => error,
        Some(command) => {
            let hint = format!("`{command}` makes a data set of it");
            error.map_refusal(|refusal| refusal.hint(hint))
        }
    }
}

/// Returns the command that converts what is at `path`; `None` if it has IDX files, or is not read.
pub fn conversion(path: &Path) -> Option<String> {
    let is_folder = path.is_dir();
    if is_folder && !(folder::all_files(path).is_empty() && convert::is_source(path)) {
        return None;
    }
    let labels = match is_folder {
        true => "",
        false => match kind_of_file(path).ok()? {
            FileKind::Text => " --labels COLUMN",
            FileKind::Npy | FileKind::Idx => " --labels FILE",
            FileKind::Zip => "",
            _ => return None,
        },
    };
    let mut name = path.file_stem()?.to_owned();
    name.push("-set");
    let (source, out) = (shell_word(path), shell_word(&PathBuf::from(name)));
    Some(format!(
        "{} data convert {source}{labels} --out {out}",
        program()
    ))
}
