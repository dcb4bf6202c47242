//! Where real MNIST is, for tests that need it.

use std::env;
use std::path::{Path, PathBuf};

/// `$PERCEPTOR_DATA/mnist`, or `../shared/data/mnist` beside the checkout. Says that the test is skipped where
/// neither is there.
pub fn folder() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    let data = env::var_os("PERCEPTOR_DATA").map_or_else(beside, PathBuf::from);
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
