//! The user's cache folder.

use std::path::PathBuf;

use etcetera::BaseStrategy;
use perceptor::durable::{check_writable, create_folder};

/// Returns the user's cache folder or, if it cannot be written, a folder for temporary files, which may not exist yet.
pub fn usable_cache_folder() -> PathBuf {
    writable_cache_folder().unwrap_or_else(|| std::env::temp_dir().join("perceptor"))
}

/// Returns the folder for files without a name: the user's cache folder or, if it cannot be written, the folder of all
/// temporary files, in which a folder of a known name could be somebody else's.
pub fn folder_of_unnamed_files() -> PathBuf {
    writable_cache_folder().unwrap_or_else(std::env::temp_dir)
}

fn writable_cache_folder() -> Option<PathBuf> {
    let cache = cache_folder();
    let is_writable = create_folder(&cache).and_then(|()| check_writable(&cache));
    is_writable.is_ok().then_some(cache)
}

/// Returns the user's cache folder, or a folder for temporary files if there is no home directory.
pub fn cache_folder() -> PathBuf {
    let cache = etcetera::choose_base_strategy().map(|strategy| strategy.cache_dir());
    cache
        .unwrap_or_else(|_| std::env::temp_dir())
        .join("perceptor")
}
