//! The location of real MNIST, for tests that need it.

use std::env;
use std::path::{Path, PathBuf};

/// Returns `$PERCEPTOR_DATA/mnist`, or `../shared/data/mnist` next to the checkout without that variable. If the folder
/// does not exist, prints that the test is skipped.
pub fn folder() -> Option<PathBuf> {
    let default = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    let data = env::var_os("PERCEPTOR_DATA").map_or_else(default, PathBuf::from);
    let folder = data.join("mnist");
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!(
        "skipped: no {}; set PERCEPTOR_DATA to a folder with mnist/",
        folder.display()
    );
    None
}
