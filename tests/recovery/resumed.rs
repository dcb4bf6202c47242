//! A run that resumes from any of its checkpoints ends with the bytes of an uninterrupted one, with every engine and order and
//! on any number of threads.

use std::fs;

use perceptor::compute::EngineChoice;

use crate::desk::Desk;
use crate::interrupted::{MODEL, SHORT, checkpoints, leftovers, short_desk, uninterrupted};

/// Removes files so that the run in `out` looks killed right after checkpoint number `at`, and returns its name.
fn cut_back(desk: &Desk, at: usize) -> String {
    let all = checkpoints(desk);
    for newer in &all[at + 1..] {
        fs::remove_file(newer).expect("removing a checkpoint");
    }
    desk.remove(MODEL);
    all[at]
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

/// Returns the columns of the metrics that do not depend on the clock.
fn timeless_metrics(desk: &Desk, folder: &str) -> Vec<String> {
    let text = desk.read_text(&format!("{folder}/metrics.csv"));
    let columns = |line: &str| line.split(',').take(5).collect::<Vec<_>>().join(",");
    text.lines().map(columns).collect()
}

#[test]
fn every_engine_and_order_resumes_from_every_checkpoint_on_any_number_of_threads() {
    let engines = EngineChoice::ALL
        .into_iter()
        .filter(|engine| engine.resolve().is_ok())
        .map(|engine| format!("--engine {}", engine.name()));
    let others = [
        "--shuffle-window 20",
        "--validation-split 0.2 --early-stop 1",
        "--validation-split 20 --freeze layers.1 --shuffle-window 30",
    ];
    for flag in engines.chain(others.map(str::to_owned)) {
        let desk = short_desk();
        let line = format!("{SHORT} {flag}");
        let expected = uninterrupted(&desk, &line);
        desk.run(&format!(
            "{line} --checkpoint-every 1step --keep 1000 --quiet"
        ))
        .done();
        assert!(
            desk.read(MODEL) == expected,
            "saving changed the model: {line}"
        );
        let names = checkpoints(&desk).len();
        let mut middle = 0;
        // Backwards, as each cut removes newer checkpoints.
        for (at, threads) in (0..names).rev().zip([1, 3, 2, 7].into_iter().cycle()) {
            let name = cut_back(&desk, at);
            middle += usize::from(!name.contains("step-000000"));
            desk.run(&format!(
                "train --resume out --threads {threads} --quiet --checkpoint-every never"
            ))
            .done();
            assert!(
                desk.read(MODEL) == expected,
                "{line}: {name}, {threads} threads"
            );
            assert_eq!(
                timeless_metrics(&desk, "out"),
                timeless_metrics(&desk, "uninterrupted"),
                "{name}"
            );
        }
        assert!(
            middle > 0,
            "no checkpoint in the middle of an epoch: {names}"
        );
    }
}

#[test]
fn a_run_without_a_checkpoint_starts_from_the_beginning() {
    let desk = short_desk();
    let expected = uninterrupted(&desk, SHORT);
    desk.run(SHORT).done();
    for checkpoint in checkpoints(&desk) {
        fs::remove_file(checkpoint).expect("removing");
    }
    desk.remove(MODEL);
    let run = desk.run("train --resume out");
    assert!(
        run.done()
            .stderr
            .contains("from its start: it has no checkpoint"),
        "{run:#?}"
    );
    assert!(desk.read(MODEL) == expected);
}

#[test]
fn resuming_a_finished_run_changes_nothing() {
    let desk = short_desk();
    desk.run(SHORT).done();
    let model = desk.read(MODEL);
    let run = desk.run("train --resume out");
    assert!(
        run.done().stderr.contains("out: all epochs are done"),
        "{run:#?}"
    );
    assert!(desk.read(MODEL) == model);
    assert!(
        run.value("time").contains(" since it was resumed, "),
        "{run:#?}"
    );
}

#[test]
fn a_run_resumed_with_more_epochs_equals_one_that_started_with_them() {
    let desk = short_desk();
    let expected = uninterrupted(&desk, &SHORT.replace("--epochs 4", "--epochs 6"));
    desk.run(SHORT).done();
    desk.run("train --resume out --epochs 6 --quiet").done();
    assert!(desk.read(MODEL) == expected);
    desk.refuses_in_parts(
        "train --resume out --epochs 5",
        2,
        &["--epochs: 5, expected at least 6: out/checkpoint/epoch-0006-step-000000.safetensors is at the end of epoch 6\n"],
    );
}

#[test]
fn data_may_move_and_half_written_files_are_removed() {
    let desk = short_desk();
    let expected = uninterrupted(&desk, SHORT);
    desk.run(SHORT).done();
    cut_back(&desk, 0);
    desk.put(
        "out/checkpoint/.epoch-0004-step-000000.safetensorsAbCdEf.part",
        b"half",
    );
    desk.put("out/.model.safetensorsAbCdEf.part", b"half");
    fs::rename(desk.path("set"), desk.path("elsewhere")).expect("renaming");
    let run = desk.run("train --resume out");
    assert_eq!(run.code, Some(1), "{run:#?}");
    desk.run("train --resume out --data elsewhere").done();
    assert!(desk.read(MODEL) == expected);
    assert_eq!(leftovers(&desk), Vec::<String>::new());
}

#[test]
fn as_many_checkpoints_are_kept_as_requested() {
    let desk = short_desk();
    for (flags, kept) in [
        ("", 2),
        ("--keep 1", 1),
        ("--keep 3", 3),
        ("--checkpoint-every never", 0),
    ] {
        desk.run(&format!("{SHORT} --exist-ok {flags}")).done();
        let found = checkpoints(&desk);
        assert!(found.len() <= kept, "{flags}: {found:?}");
        // A checkpoint may be skipped while another is still being written, but the last one is always saved.
        assert!(
            kept == 0
                || found
                    .iter()
                    .any(|path| path.ends_with("epoch-0004-step-000000.safetensors"))
        );
    }
}
