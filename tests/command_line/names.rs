//! Names of files and folders that are not UTF-8: used as they are, or refused where they must become text.

#![cfg(target_os = "linux")]

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::desk::{Desk, Run};
use crate::idx_set::EasySet;

/// `café` in Latin-1.
const NAME: &[u8] = b"caf\xe9";

fn name() -> &'static OsStr {
    OsStr::from_bytes(NAME)
}

/// Runs the program with `{}` in the line as this path.
fn run(desk: &Desk, line: &str, path: &Path) -> Run {
    let mut command = desk.command("");
    for word in line.split_whitespace() {
        match word {
            "{}" => command.arg(path),
            word => command.arg(word),
        };
    }
    Run::of(command)
}

#[test]
fn data_whose_path_cannot_be_recorded_are_refused_before_training() {
    let desk = Desk::with_model(&EasySet::default());
    let folder = desk.path("").join(name());
    fs::rename(desk.path("set"), &folder).expect("renaming");
    fs::write(folder.join("t.csv"), "a,y\n1,0\n2,1\n3,0\n4,1\n").expect("writing");
    let table = Path::new(name()).join("t.csv");
    let images = Path::new(name()).join("train-images-idx3-ubyte");
    let before = desk.entries();
    for (line, path) in [
        ("train --data {} --out out", Path::new(name())),
        ("tune --data {} --out out", Path::new(name())),
        ("train --data {} --target y --out out", &table),
        (
            "train --train-images {} --train-labels model/model.safetensors --out out",
            &images,
        ),
        ("train --resume model --data {}", Path::new(name())),
        ("train --data nowhere --init-from {} --out out", &images),
    ] {
        let refused = run(&desk, line, path);
        assert_eq!(refused.code, Some(2), "{refused:#?}");
        let words = "caf\\xE9";
        assert!(refused.stderr.contains(words), "{refused:#?}");
        let words = "which is not UTF-8, expected a path that config.toml can record\nhint: rename";
        assert!(refused.stderr.contains(words), "{refused:#?}");
        assert_eq!(desk.entries(), before, "{line}");
    }
    // A relative path from a folder that cannot be recorded.
    let mut command = desk.command("train --data . --quiet");
    command.current_dir(&folder);
    let refused = Run::of(command);
    assert_eq!(refused.code, Some(2), "{refused:#?}");
    assert!(refused.stderr.contains("--data: "), "{refused:#?}");
    // Followed, the hint works, and the run resumes.
    std::os::unix::fs::symlink(name(), desk.path("link")).expect("a link");
    desk.run("train --data link --epochs 1 --hidden 4 --out out --quiet")
        .done();
    desk.run("train --resume out --epochs 2 --quiet").done();
}

#[test]
fn commands_that_record_nothing_take_any_path() {
    let set = EasySet::default();
    let desk = Desk::with_model(&set);
    let copy = desk.path("").join(name());
    set.write(&copy);
    let expected = desk
        .run("eval model/model.safetensors --data set")
        .done()
        .stdout
        .clone();
    let images = Path::new(name()).join("t10k-images-idx3-ubyte");
    let found = run(
        &desk,
        "eval model/model.safetensors --data {}",
        Path::new(name()),
    );
    assert_eq!(found.done().stdout.replace("caf\u{fffd}", "set"), expected);
    run(&desk, "predict model/model.safetensors {}", &images).done();
    run(&desk, "data inspect {}", Path::new(name())).done();
    // A printed command can be pasted into a shell.
    desk.put("t.csv", b"a,y\n1,0\n2,1\n");
    let converted = run(
        &desk,
        "data convert t.csv --out {} --force",
        Path::new(name()),
    );
    assert!(
        converted
            .done()
            .value("next")
            .ends_with("--data $'caf\\351'"),
        "{converted:#?}"
    );
}

#[test]
fn a_folder_of_pictures_whose_name_is_not_text_is_refused_as_a_class() {
    let desk = Desk::empty();
    for class in [OsStr::new("cat"), name()] {
        let folder = desk.path("pictures").join(class);
        fs::create_dir_all(&folder).expect("a folder");
        fs::write(folder.join("1.png"), b"").expect("writing");
    }
    desk.refuses(
        "data convert pictures --out set",
        1,
        "\"pictures/caf\\xE9\": a name that is not UTF-8, expected text, as it names a class\n\
         hint: rename the folder",
    );
}
