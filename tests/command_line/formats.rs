//! The fields of files and reports that other programs read, name by name and in order: a change of one is a change of a
//! format.

use crate::desk::Desk;
use crate::tasks::desk_of;

/// The keys of the first JSON object in `text`, in the order in which they appear; nested objects are skipped.
fn keys(text: &str) -> Vec<String> {
    let start = text.find('{').expect("an object");
    let (mut keys, mut depth, mut word) = (Vec::new(), 0, None);
    let mut characters = text[start..].chars().peekable();
    while let Some(character) = characters.next() {
        match (character, &mut word) {
            ('\\', Some(_)) => drop(characters.next()),
            ('"', None) => word = Some(String::new()),
            ('"', Some(_)) => {
                let word = word.take().expect("an open string");
                if depth == 1 && characters.peek() == Some(&':') {
                    keys.push(word);
                }
            }
            (character, Some(word)) => word.push(character),
            ('{' | '[', None) => depth += 1,
            ('}' | ']', None) if depth == 1 => break,
            ('}' | ']', None) => depth -= 1,
            _ => {}
        }
    }
    keys
}

/// The JSON object in the header of a safetensors file.
fn metadata(desk: &Desk, file: &str) -> String {
    let text = String::from_utf8_lossy(&desk.read(file)).replace("\\\"", "\"");
    let start = text.find("{\"format\":").expect("metadata");
    text[start..].to_owned()
}

/// The part of `text` behind the first `"key":`.
fn value<'t>(text: &'t str, key: &str) -> &'t str {
    let key = format!("\"{key}\":");
    let at = text
        .find(&key)
        .unwrap_or_else(|| panic!("no {key} in {text}"));
    &text[at + key.len()..]
}

/// The first list in `text` behind `"key":`.
fn list<'t>(text: &'t str, key: &str) -> &'t str {
    let key = format!("\"{key}\":[");
    let at = text
        .find(&key)
        .unwrap_or_else(|| panic!("no list {key} in {text}"));
    &text[at + key.len()..]
}

fn assert_keys(text: &str, expected: &str) {
    assert_eq!(keys(text).join(" "), expected);
}

/// What a task's files have in addition to the loss.
struct Fields {
    task: &'static str,
    /// In a line of `metrics.jsonl`, in a checkpoint and in a report, for an epoch measured on the test set.
    epoch: &'static str,
    /// The same for an epoch measured on a validation set.
    validated_epoch: &'static str,
    /// In the score of a trial of a search.
    score: &'static str,
    /// In a report of training.
    test: &'static str,
    /// In a report of an evaluation.
    eval: &'static str,
}

const TASKS: [Fields; 3] = [
    Fields {
        task: "classification",
        epoch: "test_loss test_accuracy",
        validated_epoch: "validation_loss validation_accuracy test_loss test_accuracy",
        score: "loss accuracy",
        test: "test_accuracy",
        eval: "loss accuracy classes confusion",
    },
    Fields {
        task: "regression",
        epoch: "test_loss test_accuracy mae r2",
        validated_epoch: "validation_loss test_loss test_accuracy mae r2",
        score: "loss mae r2",
        test: "test_accuracy test_mae test_r2",
        eval: "loss mae r2 outputs",
    },
    Fields {
        task: "multilabel",
        epoch: "test_loss test_accuracy f1",
        validated_epoch: "validation_loss validation_accuracy test_loss test_accuracy f1",
        score: "loss accuracy f1",
        test: "test_accuracy test_f1",
        eval: "loss accuracy f1 macro_f1 classes",
    },
];

fn desk(task: &str) -> Desk {
    match task {
        "classification" => Desk::with(&crate::idx_set::EasySet::default()),
        task => desk_of(task),
    }
}

const TRAIN: &str = "train --data set --hidden 4 --epochs 2 --format json --quiet";

#[test]
fn epochs_have_these_fields_in_reports_tables_and_checkpoints() {
    for fields in TASKS {
        let (desk, task) = (desk(fields.task), fields.task);
        let sets = [
            ("", fields.epoch),
            ("--validation-split 0.2", fields.validated_epoch),
        ];
        for (flags, scores) in sets {
            let line = format!("{TRAIN} --task {task} {flags} --out out --exist-ok");
            let run = desk.run(&line);
            let expected = format!(
                "epoch train_loss {scores} learning_rate train_seconds samples_per_second gflops"
            );
            let report = run.done().stdout.replace("\": ", "\":");
            assert_keys(list(&report, "epochs"), &expected);
            let lines = desk.read_text("out/metrics.jsonl");
            assert_eq!(lines.lines().count(), 2);
            lines.lines().for_each(|line| assert_keys(line, &expected));
            let checkpoint = "out/checkpoint/epoch-0001-step-000000.safetensors";
            let checkpoint = metadata(&desk, checkpoint);
            assert_keys(list(&checkpoint, "epochs"), &expected);
        }
    }
}

#[test]
fn models_record_these_fields_of_their_training() {
    for fields in TASKS {
        let (desk, task) = (desk(fields.task), fields.task);
        let line = format!("{TRAIN} --task {task} --out out --exist-ok");
        for (flags, scores) in [
            ("", "train_loss test_loss test_accuracy"),
            (
                "--validation-split 0.2 --early-stop 2",
                match task {
                    "regression" => "best_epoch train_loss validation_loss test_loss test_accuracy",
                    _ => {
                        "best_epoch train_loss validation_loss validation_accuracy test_loss test_accuracy"
                    }
                },
            ),
        ] {
            desk.run(&format!("{line} {flags}")).done();
            let model = metadata(&desk, "out/model.safetensors");
            let expected = format!("version revision engine config train_items elements {scores}");
            assert_keys(value(&model, "provenance"), &expected);
        }
    }
}

#[test]
fn reports_of_training_have_these_fields() {
    for fields in TASKS {
        let (desk, task) = (desk(fields.task), fields.task);
        let run = desk.run(&format!("{TRAIN} --task {task}"));
        let report = run.done().stdout.replace("\": ", "\":");
        let expected = format!(
            "schema version revision data train_items test_items network parameters config threads team engine blas build \
             epochs {} best_test_accuracy train_seconds wall_seconds samples_per_second gflops peak_gflops profile \
             warnings model",
            fields.test
        );
        assert_keys(&report, &expected);
    }
}

#[test]
fn reports_of_an_evaluation_have_these_fields() {
    for fields in TASKS {
        let (desk, task) = (desk(fields.task), fields.task);
        desk.run(&format!("{TRAIN} --task {task} --out out")).done();
        let run = desk.run("eval out/model.safetensors --data set --format json");
        let report = run.done().stdout.replace("\": ", "\":");
        let expected = format!("schema model data network items {}", fields.eval);
        assert_keys(&report, &expected);
    }
}

#[test]
fn reports_and_journals_of_a_search_have_these_fields() {
    for fields in TASKS {
        let (desk, task) = (desk(fields.task), fields.task);
        let line = "tune --data set --trials 2 --epochs 2 --format json --quiet --out out";
        let run = desk.run(&format!("{line} --task {task}"));
        let report = run.done().stdout.replace("\": ", "\":");
        let expected = "schema version revision data train_items validation_items space config rungs threads engine \
                        trials best ended seconds best_config best_model";
        assert_keys(&report, expected);
        let best = value(&report, "best");
        assert_keys(best, "trial rung epochs score train_seconds spent_seconds");
        assert_keys(value(best, "score"), fields.score);
        let journal = desk.read_text("out/journal.jsonl");
        let measured = journal
            .lines()
            .filter(|line| line.contains("\"line\":\"measured\""));
        assert!(measured.clone().count() > 0, "{journal}");
        measured.for_each(|line| assert_keys(value(line, "score"), fields.score));
    }
}
