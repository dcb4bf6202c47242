//! Links, anchors, and the paths and modules that pages name.

use std::fs;
use std::path::Path;

use crate::page::{Page, root};

/// Folders of the repository; a code span that begins with one is a path in it.
const FOLDERS: [&str; 8] = [
    ".ci/",
    "benches/",
    "docs/",
    "examples/",
    "fuzz/",
    "recipes/",
    "src/",
    "tests/",
];
/// Folders that are made when they are needed.
const MADE: [&str; 2] = ["fuzz/found/", "fuzz/corpus/"];

/// Checks a link against the existing files and headings. Links to the web are not checked.
pub fn check_link(page: &Page, line: usize, target: &str) {
    let place = format!("{}:{line}: {target}", page.name);
    if target.starts_with("https://") {
        return;
    }
    let (path, anchor) = target
        .split_once('#')
        .map_or((target, None), |(path, anchor)| (path, Some(anchor)));
    let file = if path.is_empty() {
        root().join(&page.name)
    } else {
        page.folder().join(path)
    };
    assert!(file.exists(), "{place}: no such file");
    if let Some(anchor) = anchor {
        let text = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{place}: {error}"));
        let anchors = Page {
            name: path.to_owned(),
            text,
        }
        .anchors();
        assert!(
            anchors.iter().any(|it| it == anchor),
            "{place}: no such heading, expected one of {anchors:?}"
        );
    }
}

/// Holds a code span that is a path in the repository against the files there are.
pub fn check_path(page: &Page, line: usize, span: &str) {
    let is_path = FOLDERS.iter().any(|folder| span.starts_with(folder));
    let words = span.split(' ').next().filter(|_| is_path);
    let Some(path) = words.filter(|path| !MADE.iter().any(|made| path.starts_with(made))) else {
        return;
    };
    assert!(
        root().join(path).exists(),
        "{}:{line}: {path}: no such file",
        page.name
    );
}

/// Holds `data::idx` and the like in the blocks of `page` against the modules there are.
pub fn check_modules(page: &Page) {
    let mut checked = 0;
    for block in page.blocks() {
        for word in block
            .text
            .split_whitespace()
            .filter(|word| word.contains("::"))
        {
            let path = root().join("src").join(word.replace("::", "/"));
            let exists = path.join("mod.rs").exists() || path.with_extension("rs").exists();
            assert!(exists, "{}: {word}: no such module", page.name);
            checked += 1;
        }
    }
    assert!(checked > 0, "{}: no module in its picture", page.name);
}

/// The files and folders directly in `src`: `src/error.rs`, `src/train/`.
pub fn entries_of_src() -> Vec<String> {
    let entries = fs::read_dir(root().join("src")).expect("the folder src");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let name = |path: &Path| {
        path.strip_prefix(root())
            .expect("below the root")
            .display()
            .to_string()
    };
    paths
        .map(|path| name(&path) + if path.is_dir() { "/" } else { "" })
        .collect()
}
