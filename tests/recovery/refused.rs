//! Runs that cannot be resumed: another network, later formats, damage, conflicting flags.

use std::fs;

use perceptor::run::Checkpoint;
use perceptor::{REVISION, VERSION};

use crate::desk::Desk;
use crate::interrupted::{MODEL, SHORT, checkpoints, short_desk, uninterrupted};

const NEWEST: &str = "out/checkpoint/epoch-0004-step-000000.safetensors";

fn trained() -> Desk {
    let desk = short_desk();
    desk.run(SHORT).done();
    assert_eq!(checkpoints(&desk).len(), 2);
    desk
}

/// Replaces the only `from` in a file with `to`.
fn replace(desk: &Desk, name: &str, from: &str, to: &str) {
    let bytes = desk.read(name);
    let at = bytes
        .windows(from.len())
        .position(|window| window == from.as_bytes());
    let at = at.unwrap_or_else(|| panic!("no {from} in {name}"));
    let bytes = [&bytes[..at], to.as_bytes(), &bytes[at + from.len()..]].concat();
    desk.put(name, &bytes);
}

#[test]
fn a_folder_that_is_not_a_run_is_refused() {
    let desk = short_desk();
    let hint = "runs are in runs/train-N unless --out named another one";
    for (path, found) in [
        ("nowhere", "no such folder"),
        ("set", "a folder without config.toml"),
        ("set/train-images-idx3-ubyte", "not a folder"),
    ] {
        let message = format!("{path}: {found}, expected the folder of a run");
        assert_eq!(
            desk.refuses(&format!("train --resume {path}"), 1, &message)
                .hint(),
            hint
        );
    }
}

#[test]
fn a_changed_network_or_setting_is_refused() {
    let desk = trained();
    for (from, to, message) in [
        (
            "hidden = [20, 12]",
            "hidden = [20, 13]",
            "hidden is [20,13], expected [20,12]",
        ),
        (
            "activation = \"tanh\"",
            "activation = \"relu\"",
            "activation is \"relu\", expected \"tanh\"",
        ),
        ("seed = 1", "seed = 2", "seed is 2, expected 1"),
        (
            "learning_rate = 0.1",
            "learning_rate = 0.2",
            "learning_rate is 0.2, expected 0.1",
        ),
    ] {
        replace(&desk, "out/config.toml", from, to);
        let message = format!("out/config.toml: {message}, as in {NEWEST}");
        desk.refuses("train --resume out", 1, &message);
        replace(&desk, "out/config.toml", to, from);
    }
    desk.run("train --resume out --quiet").done();
}

#[test]
fn a_removed_shuffle_window_is_refused() {
    let desk = short_desk();
    desk.run(&format!("{SHORT} --shuffle-window 5")).done();
    replace(&desk, "out/config.toml", "shuffle_window = 5\n", "");
    let message = format!("out/config.toml: shuffle_window is none, expected 5, as in {NEWEST}");
    desk.refuses("train --resume out", 1, &message);
}

#[test]
fn a_later_format_is_refused_without_falling_back() {
    let desk = trained();
    replace(&desk, NEWEST, "format\\\":1", "format\\\":3");
    let message =
        format!("{NEWEST}: checkpoint format 3, expected 2, the newest this version reads");
    desk.refuses("train --resume out", 1, &message);
}

#[test]
fn a_run_of_another_version_or_revision_resumes_with_a_warning() {
    let desk = trained();
    let path = desk.path(NEWEST);
    let original = Checkpoint::load(&path).expect("a checkpoint");
    let (version, revision) = (VERSION, REVISION);
    for (was, of) in [("0.0.0", revision), (version, "0123456789ab")] {
        let mut other = original.clone();
        (other.identity.version, other.identity.revision) = (was.to_owned(), of.to_owned());
        desk.put(NEWEST, &other.to_bytes());
        let run = desk.run("train --resume out --quiet");
        run.done();
        let warning = format!(
            "warning: the checkpoint was written by perceptor {was} ({of}); this is {version} ({revision}): \
             the bytes may differ from those of an uninterrupted run\n"
        );
        assert_eq!(run.stderr, warning);
    }
    desk.put(NEWEST, &original.to_bytes());
    assert_eq!(desk.run("train --resume out --quiet").done().stderr, "");
}

#[test]
fn another_engine_than_that_of_the_run_is_refused() {
    let desk = short_desk();
    desk.run(&format!("{SHORT} --engine portable")).done();
    let bytes = desk.read(NEWEST);
    let from = b"portable matrixmultiply ";
    let at = bytes.windows(from.len()).position(|window| window == from);
    assert!(at.is_some(), "the checkpoint does not record the engine");
    // With other settings, the run uses another engine.
    replace(
        &desk,
        "out/config.toml",
        "engine = \"portable\"",
        "engine = \"auto\"",
    );
    let run = desk.run("train --resume out");
    assert!([Some(0), Some(1)].contains(&run.code), "{run:#?}");
    if run.code == Some(1) {
        assert!(
            run.stderr.contains(": a run with portable matrixmultiply "),
            "{run:#?}"
        );
        assert!(
            run.hint().contains("another engine computes other bits"),
            "{run:#?}"
        );
    }
}

#[test]
fn a_damaged_newest_checkpoint_falls_back_to_the_previous_one() {
    let desk = short_desk();
    let expected = uninterrupted(&desk, SHORT);
    type Harm = fn(Vec<u8>) -> Vec<u8>;
    let harms: [(Harm, &str); 5] = [
        (|_| Vec::new(), "a safetensors file"),
        (
            |bytes| bytes[..bytes.len() / 2].to_vec(),
            "a safetensors file",
        ),
        (|bytes| vec![0; bytes.len()], "expected"),
        (|_| b"a text".to_vec(), "a safetensors file"),
        (
            |mut bytes| {
                let last = bytes.len() - 3;
                bytes[last] ^= 1;
                bytes
            },
            "as when it was written",
        ),
    ];
    for (harm, words) in harms {
        desk.run(&format!("{SHORT} --exist-ok")).done();
        desk.put(NEWEST, &harm(desk.read(NEWEST)));
        desk.remove(MODEL);
        let run = desk.run("train --resume out");
        assert_eq!(run.code, Some(0), "{run:#?}");
        let warning = run
            .stderr
            .lines()
            .find(|line| line.starts_with("warning: "));
        let warning = warning.unwrap_or_else(|| panic!("no warning: {run:#?}"));
        assert!(
            warning.starts_with(&format!("warning: {NEWEST}: ")) && warning.contains(words),
            "{run:#?}"
        );
        assert!(
            run.hint()
                .starts_with("the one before is valid: resuming from out/checkpoint/epoch-000"),
            "{run:#?}"
        );
        assert!(desk.read(MODEL) == expected);
        assert!(desk.has(&format!("{NEWEST}.damaged")));
    }
}

#[cfg(unix)]
#[test]
fn an_unreadable_newest_checkpoint_is_skipped_and_kept() {
    let desk = short_desk();
    let expected = uninterrupted(&desk, &SHORT.replace("--epochs 4", "--epochs 6"));
    desk.run(SHORT).done();
    // A link to itself: not even the superuser can read it.
    let unreadable = "out/checkpoint/epoch-0099-step-000000.safetensors";
    std::os::unix::fs::symlink("epoch-0099-step-000000.safetensors", desk.path(unreadable))
        .expect("a link");
    desk.remove(MODEL);
    let run = desk.run("train --resume out --keep 1 --epochs 6");
    assert_eq!(run.code, Some(0), "{run:#?}");
    let warning = format!("warning: {unreadable}: could not open: ");
    assert!(run.stderr.contains(&warning), "{run:#?}");
    assert!(desk.read(MODEL) == expected);
    let link = fs::symlink_metadata(desk.path(unreadable));
    assert!(link.is_ok_and(|entry| entry.is_symlink()));
    // The newest checkpoint of the run itself is kept, too.
    assert!(desk.has("out/checkpoint/epoch-0006-step-000000.safetensors"));
    assert!(!desk.has(NEWEST));
}

#[test]
fn a_run_without_an_intact_checkpoint_is_refused() {
    let desk = trained();
    for path in checkpoints(&desk) {
        fs::write(path, b"damage").expect("writing");
    }
    let run = desk.refuses_in_parts(
        "train --resume out",
        1,
        &[NEWEST, ", expected a safetensors file\n"],
    );
    assert_eq!(
        run.hint(),
        "none of 2 checkpoints is valid; start over with perceptor train and --config out/config.toml"
    );
    desk.run("train --config out/config.toml --quiet").done();
}

#[test]
fn a_checkpoint_is_not_accepted_as_a_model() {
    let desk = trained();
    let run = desk.run(&format!("eval {NEWEST} --data set"));
    assert_eq!(run.code, Some(1), "{run:#?}");
    assert!(run.stderr.starts_with("error: "), "{run:#?}");
    fs::copy(desk.path(MODEL), desk.path(NEWEST)).expect("copying");
    let run = desk.run("train --resume out");
    assert!(run.stderr.contains("warning: "), "{run:#?}");
}

#[test]
fn flags_that_would_change_the_run_are_refused() {
    let desk = trained();
    for flag in [
        "hidden 5",
        "activation relu",
        "lr 0.2",
        "batch-size 3",
        "seed 4",
        "engine portable",
        "scale none",
        "out other",
    ] {
        let (name, _) = flag.split_once(' ').expect("a name and a value");
        let message = format!(
            "--{name}: given with --resume, expected the setting that the run started with"
        );
        desk.refuses(&format!("train --resume out --{flag}"), 2, &message);
    }
    let start = "the argument '--resume <RUN>' cannot be used with '--config <FILE>'";
    desk.refuses_in_parts("train --resume out --config out/config.toml", 2, &[start]);
    for (value, wording) in [("5 moons", true), ("0", true), ("-1", true)] {
        let mut command = desk.command("train --data set");
        command.arg(format!("--checkpoint-every={value}"));
        let run = crate::desk::Run::of(command);
        assert_eq!(run.code, Some(2), "{run:#?}");
        let is_worded = run
            .stderr
            .contains("expected a number of epochs or steps, as \"5 epochs\", a time with its unit, as 10m, or never");
        assert_eq!(is_worded, wording, "{run:#?}");
    }
    desk.refuses_in_parts(
        "train --data set --keep 0",
        2,
        &["invalid value '0' for '--keep <N>'"],
    );
}
