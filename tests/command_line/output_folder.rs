//! Where the model is written: numbered folders, named folders, folders that cannot be written, and what is left after a
//! run that failed.

use std::fs;

use crate::desk::{Desk, Run};
use crate::idx_set::EasySet;

const TRAIN: &str = "train --data set --epochs 1 --hidden 4";
const DIVERGE: &str = "train --data set --epochs 2 --hidden 4 --activation identity --lr 1e30";

#[test]
fn runs_are_numbered_from_one_in_the_working_directory() {
    let desk = Desk::with(&EasySet::default());
    for number in 1..=3 {
        let model = format!("runs/train-{number}/model.safetensors");
        assert!(!desk.has(&model));
        let run = desk.run(&format!("{TRAIN} --quiet"));
        assert_eq!(run.done().value("model"), model);
        assert!(desk.has(&model));
    }
    // The first free number is taken, whatever else is there.
    fs::remove_dir_all(desk.path("runs/train-2")).expect("removing a run");
    let run = desk.run(&format!("{TRAIN} --quiet"));
    assert_eq!(run.done().value("model"), "runs/train-2/model.safetensors");
}

#[test]
fn concurrent_runs_never_share_a_folder() {
    let desk = Desk::with(&EasySet::default());
    let runs: Vec<_> = (0..6)
        .map(|seed| {
            let mut command = desk.command(&format!("{TRAIN} --quiet --seed {seed}"));
            command.stdout(std::process::Stdio::piped()).spawn()
        })
        .collect();
    let mut models: Vec<String> = runs
        .into_iter()
        .map(|child| {
            let output = child.and_then(|child| child.wait_with_output());
            let run = Run::from_output(TRAIN.to_owned(), output.expect("a run"));
            run.done().value("model").to_owned()
        })
        .collect();
    models.sort();
    let expected: Vec<String> = (1..=6)
        .map(|number| format!("runs/train-{number}/model.safetensors"))
        .collect();
    assert_eq!(models, expected);
}

#[test]
fn the_folder_of_out_is_created_with_its_parents() {
    let desk = Desk::with(&EasySet::default());
    let run = desk.run(&format!("{TRAIN} --out a/b/c"));
    assert_eq!(run.done().value("model"), "a/b/c/model.safetensors");
    // The model and the files of the run: no temporary file is left.
    let entries = fs::read_dir(desk.path("a/b/c")).expect("a folder");
    let mut names: Vec<String> = entries
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    names.sort();
    assert_eq!(
        names,
        [
            "checkpoint",
            "config.toml",
            "environment.json",
            "metrics.csv",
            "metrics.jsonl",
            "model.safetensors"
        ]
    );
    assert!(!desk.has("runs"));
}

#[test]
fn a_model_can_be_written_to_a_folder_with_other_files() {
    let desk = Desk::with(&EasySet::default());
    desk.run(&format!("{TRAIN} --out set")).done();
    assert!(desk.has("set/model.safetensors"));
}

#[test]
fn refuses_to_write_below_a_file_before_training() {
    let desk = Desk::with(&EasySet::default());
    desk.put("notes", b"text");
    for out in ["notes", "notes/below"] {
        let run = desk.refuses_in_parts(
            &format!("{TRAIN} --out {out}"),
            1,
            &[out, ": could not create the folder: ", "\n"],
        );
        // No banner, no epoch: only the error.
        assert_eq!(run.stderr.lines().count(), 1, "{run:#?}");
    }
    desk.put("runs", b"text");
    let run = desk.refuses_in_parts(TRAIN, 1, &["runs: could not create the folder: ", "\n"]);
    assert_eq!(run.stderr.lines().count(), 1, "{run:#?}");
}

#[test]
fn refuses_to_replace_a_folder_by_a_model_before_training() {
    let desk = Desk::with(&EasySet::default());
    fs::create_dir_all(desk.path("out/model.safetensors")).expect("creating a folder");
    let run = desk.refuses_in_parts(
        &format!("{TRAIN} --out out --exist-ok"),
        1,
        &["out/model.safetensors: ", "\n"],
    );
    assert!(!run.stderr.contains("epoch"), "{run:#?}");
}

#[cfg(unix)]
#[test]
fn refuses_a_folder_without_write_permission() {
    use std::os::unix::fs::PermissionsExt;
    let desk = Desk::with(&EasySet::default());
    fs::create_dir(desk.path("locked")).expect("creating a folder");
    let locked = fs::Permissions::from_mode(0o555);
    fs::set_permissions(desk.path("locked"), locked).expect("locking the folder");
    if fs::write(desk.path("locked/trial"), b"").is_ok() {
        eprintln!("skipped: this user may write to every folder");
        return;
    }
    let create = "locked: could not create a file in this folder: ";
    let run = desk.refuses_in_parts(&format!("{TRAIN} --out locked"), 1, &[create, "\n"]);
    assert_eq!(run.stderr.lines().count(), 1, "{run:#?}");
}

#[test]
fn a_model_is_replaced_only_with_exist_ok() {
    let desk = Desk::with_model(&EasySet::default());
    let model = "model/model.safetensors";
    let old = desk.read(model);
    let run = desk.refuses(
        &format!("{TRAIN} --out model"),
        2,
        &format!("--out: {model} already exists, expected a folder without a run"),
    );
    assert!(run.hint().contains("--exist-ok"), "{run:#?}");
    assert_eq!(run.stderr.lines().count(), 2, "{run:#?}");
    assert_eq!(desk.read(model), old);
    desk.run(&format!("{TRAIN} --out model --exist-ok")).done();
    assert_ne!(desk.read(model), old);
}

#[test]
fn no_file_with_the_name_of_a_run_file_is_replaced_or_removed_without_exist_ok() {
    let desk = Desk::with(&EasySet::default());
    fs::create_dir_all(desk.path("results/checkpoint")).expect("creating a folder");
    for name in [
        "config.toml",
        "environment.json",
        "metrics.csv",
        "metrics.jsonl",
        "checkpoint/epoch-0001-step-000000.safetensors",
    ] {
        let file = format!("results/{name}");
        desk.put(&file, b"of someone else");
        let message = format!("--out: {file} already exists, expected a folder without a run");
        for line in [TRAIN, DIVERGE] {
            let run = desk.refuses(&format!("{line} --out results"), 2, &message);
            assert!(run.hint().contains("--exist-ok"), "{run:#?}");
        }
        assert_eq!(desk.read(&file), b"of someone else");
        desk.remove(&file);
    }
    desk.put("results/notes.txt", b"of someone else");
    desk.run(&format!("{TRAIN} --out results")).done();
    assert_eq!(desk.read("results/notes.txt"), b"of someone else");
}

#[test]
fn a_run_that_diverges_leaves_no_files() {
    let desk = Desk::with_model(&EasySet::default());
    for out in ["", "--out elsewhere", "--out model --exist-ok"] {
        let old = desk.read("model/model.safetensors");
        let run = desk.run(&format!("{DIVERGE} {out}"));
        assert_eq!(run.code, Some(3), "{run:#?}");
        assert_eq!(run.stdout, "", "{run:#?}");
        assert!(!desk.has("runs/train-1"), "an empty run folder is left");
        assert!(!desk.has("elsewhere"), "an empty run folder is left");
        assert_eq!(desk.read("model/model.safetensors"), old);
    }
    // A folder that existed before the run is kept.
    fs::create_dir(desk.path("before")).expect("creating a folder");
    assert_eq!(desk.run(&format!("{DIVERGE} --out before")).code, Some(3));
    assert!(desk.has("before"));
}
