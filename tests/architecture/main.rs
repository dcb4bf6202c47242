//! The structure of `src/`: the order of its folders, and rules that every file keeps.

mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use self::source::{
    CRATE_ROOT, FILES, File, Names, folder, imports, string_literals, without_tests,
};

/// Every folder and file directly below `src/`, in layers from the bottom up. A file may import from its own folder and
/// from the lines before it, but neither from another folder on its line nor from a later line.
///
/// The crate root is not in the table: it only declares modules, re-exports names and holds the version.
const LAYERS: &[&[&str]] = &[
    &["message", "named", "pulse"],
    &["duration", "error", "random", "schedule", "text_value"],
    &["durable", "kernels", "regular_file", "system"],
    &["optim"],
    &["compute"],
    &["nn"],
    &["data", "reference", "scores", "tensors"],
    &["table"],
    &["config", "datasets"],
    &["model"],
    &["export", "import", "train"],
    &["doctor", "predictor"],
    &["bench", "run"],
    &["tune"],
    &["report"],
    &["cli"],
];

const MOST_LINES: usize = 500;
const MOST_EXPORTS: usize = 25;

fn assert_none(problems: &[String]) {
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}

#[test]
fn imports_point_downwards() {
    let layer = |file: &File| {
        let top = file.top()?;
        LAYERS.iter().position(|layer| layer.contains(&top))
    };
    let mut upwards = Vec::new();
    for (file, target, path) in imports() {
        if file.top() != target.top() && layer(file) <= layer(target) {
            let (from, to) = (file.path.display(), target.path.display());
            upwards.push(format!(
                "src/{from}: imports {path} from src/{to}, expected a lower layer"
            ));
        }
    }
    assert_none(&upwards);
}

#[test]
fn every_folder_has_its_layer() {
    let found: BTreeSet<&str> = FILES.values().filter_map(File::top).collect();
    let listed: Vec<&str> = LAYERS.concat();
    let unique: BTreeSet<&str> = listed.iter().copied().collect();
    assert_eq!(found, unique, "folders of src (left) and LAYERS (right)");
    assert_eq!(listed.len(), unique.len(), "a folder is in LAYERS twice");
}

#[test]
fn no_imports_form_a_circle() {
    let imports = imports();
    let mut edges: BTreeMap<&Path, Vec<&Path>> = BTreeMap::new();
    for (file, target, _) in &imports {
        edges.entry(&file.path).or_default().push(&target.path);
    }
    let mut circles = Vec::new();
    for (file, target, path) in &imports {
        if reaches(&edges, &target.path, &file.path) {
            let (from, to) = (file.path.display(), target.path.display());
            circles.push(format!(
                "src/{from}: imports {path} from src/{to}, which imports it back"
            ));
        }
    }
    assert_none(&circles);
}

/// Whether `from` imports `to`, directly or through other files.
fn reaches(edges: &BTreeMap<&Path, Vec<&Path>>, from: &Path, to: &Path) -> bool {
    let mut seen = BTreeSet::new();
    let mut open = vec![from];
    while let Some(file) = open.pop() {
        if file == to {
            return true;
        }
        if seen.insert(file) {
            open.extend(edges.get(file).into_iter().flatten());
        }
    }
    false
}

#[test]
fn no_file_is_too_long() {
    let lines = |file: &File| file.text.lines().count();
    let long = FILES.values().filter(|file| lines(file) > MOST_LINES);
    let problem = |file: &File| {
        format!(
            "src/{}: {} lines, expected at most {MOST_LINES}",
            file.path.display(),
            lines(file)
        )
    };
    assert_none(&long.map(problem).collect::<Vec<_>>());
}

#[test]
fn modules_are_named_for_what_they_hold() {
    let vague = ["common", "helper", "helpers", "misc", "util", "utils"];
    let is_vague = |file: &&File| {
        file.module
            .iter()
            .any(|name| vague.contains(&name.as_str()))
    };
    let problem = |file: &File| {
        format!(
            "src/{}: a name that fits any code, expected one for what it holds",
            file.path.display()
        )
    };
    assert_none(
        &FILES
            .values()
            .filter(is_vague)
            .map(problem)
            .collect::<Vec<_>>(),
    );
}

#[test]
fn a_module_with_children_is_a_folder_with_mod_rs() {
    let is_beside_folder = |file: &&File| {
        file.path != Path::new(CRATE_ROOT) && folder().join(file.path.with_extension("")).is_dir()
    };
    let problem = |file: &File| {
        let expected = file.path.with_extension("").join("mod.rs");
        format!(
            "src/{}: beside its folder, expected src/{}",
            file.path.display(),
            expected.display()
        )
    };
    assert_none(
        &FILES
            .values()
            .filter(is_beside_folder)
            .map(problem)
            .collect::<Vec<_>>(),
    );
}

#[test]
fn the_library_spells_no_flag() {
    let mut spelled = Vec::new();
    for file in FILES.values().filter(|file| file.top() != Some("cli")) {
        let tokens = without_tests(file.text.parse().expect("Rust code"));
        for literal in string_literals(tokens) {
            if spells_a_flag(&literal) {
                let at = file.text.find(&literal).unwrap_or(0);
                let line = 1 + file.text[..at].matches('\n').count();
                let path = file.path.display();
                spelled.push(format!(
                    "src/{path}:{line}: {literal}, expected a Key in a message!"
                ));
            }
        }
    }
    assert_none(&spelled);
    for text in ["\"give --hidden none\"", "\"--lr\""] {
        assert!(spells_a_flag(text), "{text}");
    }
    for text in ["\"cargo build --release\"", "\"a -- b, r--p\""] {
        assert!(!spells_a_flag(text), "{text}");
    }
}

/// Whether `text` has a flag in it, such as `--hidden`, except flags of Cargo and Docker.
fn spells_a_flag(text: &str) -> bool {
    let mut flags = text.match_indices("--").filter(|(at, _)| {
        let before = text[..*at].chars().next_back();
        let after = text[at + 2..].chars().next();
        before.is_none_or(|c| !c.is_ascii_alphanumeric() && c != '-')
            && after.is_some_and(|c| c.is_ascii_lowercase())
    });
    flags.any(|(at, _)| {
        let mut words = text[..at]
            .rsplit([' ', '"', '('])
            .filter(|word| !word.is_empty());
        !words
            .by_ref()
            .take(2)
            .any(|word| word == "cargo" || word == "docker")
    })
}

#[test]
fn no_unsafe_function_is_public() {
    let with_one = FILES
        .values()
        .filter(|file| file.public_unsafe_functions > 0);
    let problem = |file: &File| {
        let (path, count) = (file.path.display(), file.public_unsafe_functions);
        format!("src/{path}: {count} pub unsafe fn, expected pub(crate) or safe functions")
    };
    assert_none(&with_one.map(problem).collect::<Vec<_>>());
}

#[test]
fn the_crate_root_exports_few_names() {
    let root = &FILES[&Names::new()];
    let names = &root.exports;
    assert!(
        names.len() <= MOST_EXPORTS,
        "{} names: {names:?}",
        names.len()
    );
}
