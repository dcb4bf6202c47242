//! The sets in a folder: training, validation and test files, of which some may be missing.

use crate::desk::Desk;
use crate::idx_set::EasySet;

const TRAIN: &str = "train --data set --hidden 8 --epochs 3";

/// Returns a desk with a set of all three halves: the validation files have 80 samples, and start with `stem`.
fn desk_with_validation(stem: &str) -> Desk {
    let desk = Desk::with(&EasySet::noisy());
    put_validation_files(&desk, &format!("set/{stem}"));
    desk
}

fn put_validation_files(desk: &Desk, stem: &str) {
    let set = EasySet {
        test: 80,
        ..EasySet::noisy()
    };
    desk.put(&format!("{stem}-images-idx3-ubyte"), &set.images("t10k"));
    desk.put(&format!("{stem}-labels-idx1-ubyte"), &set.labels("t10k"));
}

#[test]
fn validation_files_in_the_folder_are_used_as_named_ones() {
    let mut models = Vec::new();
    for stem in ["validation", "val", "valid"] {
        let desk = desk_with_validation(stem);
        let run = desk.run(&format!("{TRAIN} --early-stop 2 --out out"));
        let sizes = "200 training, 80 validation and 60 test samples";
        assert!(run.done().stderr.contains(sizes), "{run:#?}");
        models.push(desk.read("out/model.safetensors"));
        // They are found again, and need not be recorded.
        let config = desk.read_text("out/config.toml");
        assert!(!config.contains("\nvalidation_images"), "{config}");
        let resumed = desk.run("train --resume out --epochs 5");
        assert!(resumed.done().stderr.contains(sizes), "{resumed:#?}");
        let run = desk.run("data inspect set --items 0");
        let halves = run
            .done()
            .stdout
            .lines()
            .filter(|line| line.contains(": 4 classes"));
        let expected = [
            "training: 4 classes",
            "validation: 4 classes",
            "test: 4 classes",
        ];
        assert_eq!(halves.collect::<Vec<_>>(), expected, "{run:#?}");
    }
    let desk = Desk::with(&EasySet::noisy());
    put_validation_files(&desk, "own");
    let flags =
        "--validation-images own-images-idx3-ubyte --validation-labels own-labels-idx1-ubyte";
    desk.run(&format!("{TRAIN} --early-stop 2 {flags} --out out"))
        .done();
    for model in models {
        assert_eq!(model, desk.read("out/model.safetensors"));
    }
}

#[test]
fn named_validation_files_win_and_a_split_is_refused() {
    let desk = desk_with_validation("validation");
    put_validation_files(&desk, "own");
    let flags =
        "--validation-images own-images-idx3-ubyte --validation-labels own-labels-idx1-ubyte";
    let run = desk.run(&format!("{TRAIN} {flags}"));
    let note = "note: set/validation-images-idx3-ubyte: left out, as --validation-images names another file\n";
    assert!(run.done().stderr.contains(note), "{run:#?}");
    let run = desk.refuses_in_parts(
        &format!("{TRAIN} --validation-split 0.1 --out out"),
        2,
        &[
            "--validation-split: 0.1, although there is set/validation-images-idx3-ubyte, expected one of the two\n",
        ],
    );
    assert!(
        run.hint()
            .starts_with("omit --validation-split, or name the files"),
        "{run:#?}"
    );
    desk.remove("set/validation-labels-idx1-ubyte");
    desk.refuses_in_parts(
        &format!("{TRAIN} --out out"),
        1,
        &["set: no validation labels, expected validation-labels-idx1-ubyte or val-labels-idx1-ubyte or "],
    );
}

#[test]
fn a_search_uses_the_validation_files_in_the_folder() {
    let desk = desk_with_validation("val");
    let run = desk.run("tune --data set --trials 2 --epochs 1 --out search");
    assert!(
        run.done().stderr.contains("200 training and 80 validation"),
        "{run:#?}"
    );
}

#[test]
fn a_folder_with_test_files_only_is_evaluated_and_described() {
    let desk = Desk::with_model(&EasySet::default());
    let whole = desk.run("eval model/model.safetensors --data set");
    std::fs::create_dir(desk.path("later")).expect("a folder");
    for name in ["t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"] {
        std::fs::rename(
            desk.path(&format!("set/{name}")),
            desk.path(&format!("later/{name}")),
        )
        .expect("moving a file");
    }
    let run = desk.run("eval model/model.safetensors --data later");
    let moved = whole.done().stdout.replace("set/t10k", "later/t10k");
    assert_eq!(run.done().stdout, moved);
    let run = desk.run("data inspect later --items 1");
    assert!(
        run.done().stdout.starts_with("test: 4 classes\n"),
        "{run:#?}"
    );
    assert!(run.stdout.contains("60 items"), "{run:#?}");
    // Class names apply to it, too.
    desk.put("later/classes.txt", b"a\nb\nc\nd\ne\n");
    let run = desk.run("data inspect later --items 1");
    assert!(
        run.done().stdout.contains("item 0: class 0 (a)"),
        "{run:#?}"
    );
    let run = desk.refuses_in_parts(
        "eval model/model.safetensors --data set",
        1,
        &["set: no test images, expected t10k-images-idx3-ubyte or test-images-idx3-ubyte (or with .gz)\n"],
    );
    assert_eq!(
        run.hint(),
        "name the files with --test-images and --test-labels"
    );
    desk.refuses_in_parts(
        "train --data later --out out",
        1,
        &["later: no training images, expected train-images-idx3-ubyte (or with .gz)\n"],
    );
}
