//! The user's cache folder.

use std::path::PathBuf;

use etcetera::BaseStrategy;
use perceptor::durable::{check_writable, create_folder};

/// Returns the user's cache folder or, if it cannot be written, a folder for temporary files.
pub fn usable_cache_folder() -> PathBuf {
    let cache = cache_folder();
    match create_folder(&cache).and_then(|()| check_writable(&cache)) {
        Ok(()) => cache,
        Err(_) => std::env::temp_dir().join("perceptor"),
    }
}

/// Returns the user's cache folder, or a folder for temporary files if there is no home directory.
pub fn cache_folder() -> PathBuf {
    let cache = etcetera::choose_base_strategy().map(|strategy| strategy.cache_dir());
    cache
        .unwrap_or_else(|_| std::env::temp_dir())
        .join("perceptor")
}
