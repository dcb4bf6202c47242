//! `perceptor tune`: what it reports, the files it writes, and that the same seed finds the same settings on any number of
//! threads.

use serde_json::Value;

use crate::desk::{Desk, Run};
use crate::idx_set::EasySet;
use crate::tasks::desk_of;

const TUNE: &str = "tune --data set --trials 9 --epochs 9 --width 8..32 --batch-size 8..64";

fn noisy_desk() -> Desk {
    Desk::with(&EasySet::noisy())
}

/// Returns the table of trials and the best settings: every line that does not depend on the clock.
fn table(run: &Run) -> Vec<&str> {
    let lines = run.stdout.lines();
    lines.take_while(|line| !line.starts_with("time")).collect()
}

#[test]
fn any_thread_count_finds_the_same_settings() {
    let desk = noisy_desk();
    let one = desk.run(&format!("{TUNE} --threads 1 --out one"));
    one.done();
    for threads in [2, 3, 7] {
        let folder = format!("on{threads}");
        let other = desk.run(&format!("{TUNE} --threads {threads} --out {folder}"));
        assert_eq!(table(&one), table(other.done()), "{threads} threads");
        assert_eq!(best(&desk, "one"), best(&desk, &folder));
    }
}

/// Returns the settings that a search found, except the number of threads.
fn best(desk: &Desk, folder: &str) -> String {
    let text = desk.read(&format!("{folder}/best.toml"));
    let text = String::from_utf8(text).expect("text");
    let lines = text.lines().filter(|line| !line.starts_with("threads"));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn each_rung_trains_fewer_trials_for_longer() {
    let desk = noisy_desk();
    let run = desk.run(&format!("{TUNE} --format json"));
    let report = run.done().json();
    assert_eq!(report["schema"], "perceptor.tune/1");
    assert_eq!(report["data"], "set");
    assert_eq!(
        (&report["train_items"], &report["validation_items"]),
        (&180.into(), &20.into())
    );
    let rungs = serde_json::json!([
        {"epochs": 1, "trials": 9}, {"epochs": 3, "trials": 3}, {"epochs": 9, "trials": 1},
    ]);
    assert_eq!(report["rungs"], rungs);
    let trials = report["trials"].as_array().expect("a list");
    let measured = |trial: &Value| trial["measured"].as_array().expect("a list").clone();
    for (number, rung) in (1..=3u64).zip([9, 3, 1]) {
        let of_rung = trials
            .iter()
            .flat_map(measured)
            .filter(|one| one["rung"] == number);
        assert_eq!(of_rung.count(), rung);
    }
    // The trials that continue are the best of their rung.
    let accuracy =
        |trial: &Value, rung: usize| measured(trial)[rung - 1]["score"]["accuracy"].as_f64();
    for rung in 1..=2 {
        let (continued, dropped): (Vec<&Value>, Vec<&Value>) = trials
            .iter()
            .filter(|trial| measured(trial).len() >= rung)
            .partition(|trial| measured(trial).len() > rung);
        let least = continued
            .iter()
            .map(|trial| accuracy(trial, rung).expect("an accuracy"))
            .fold(1.0, f64::min);
        assert!(
            dropped
                .iter()
                .all(|trial| accuracy(trial, rung).is_none_or(|found| found <= least))
        );
    }
    assert_eq!(report["best"]["rung"], 3);
    assert_eq!(report["ended"], "rungs");
    assert_eq!(report["best_config"], "runs/tune-1/best.toml");
    assert!(report["config"]["validation_split"] == 0.1);
    // Stderr has a line for each, in the order they ended.
    let lines = run
        .stderr
        .lines()
        .skip_while(|line| !line.starts_with("rung"));
    assert_eq!(lines.count(), 1 + 9 + 3 + 1);
}

/// A trial that is trained rung by rung equals a run of `train` with its settings.
#[test]
fn the_best_settings_train_to_exactly_the_reported_accuracy() {
    let desk = noisy_desk();
    for flags in [
        "",
        "--schedule one-cycle --optimizer adamw",
        "--validation-split 50",
    ] {
        let run = desk.run(&format!("{TUNE} {flags} --out out --format json"));
        let found = run.done().json()["best"]["score"].clone();
        let trained = desk.report_of("--config out/best.toml");
        assert_eq!(trained["validation_accuracy"], found["accuracy"], "{flags}");
        let last = trained["epochs"]
            .as_array()
            .and_then(|epochs| epochs.last());
        assert_eq!(
            last.expect("an epoch")["validation_loss"],
            found["loss"],
            "{flags}"
        );
        assert!(trained["test_accuracy"].is_f64());
        std::fs::remove_dir_all(desk.path("out")).expect("removing the search");
    }
}

#[test]
fn other_tasks_are_searched_by_their_own_metrics() {
    for (task, column, figure) in [
        ("regression", "val. R²", "r2"),
        ("multilabel", "val. F1", "f1"),
    ] {
        let desk = desk_of(task);
        let line = format!("{TUNE} --task {task}");
        let run = desk.run(&format!("{line} --out out"));
        assert!(
            run.done().stderr.contains(column) && run.stdout.contains(column),
            "{run:#?}"
        );
        // There are no labels to smooth.
        assert!(!run.stdout.contains("smoothing"), "{run:#?}");
        let report = desk.run("tune --resume out --format json").done().json();
        let best = report["best"]["score"].clone();
        assert!(best[figure].is_f64(), "{best}");
        let trained = desk.report_of("--config out/best.toml");
        let last = trained["epochs"]
            .as_array()
            .and_then(|epochs| epochs.last());
        assert_eq!(last.expect("an epoch")["validation_loss"], best["loss"]);
        let end =
            format!(" with --task {task}, expected --task classification, the only task with it\n");
        let line = format!("{line} --label-smoothing 0..0.1");
        desk.refuses_in_parts(&line, 2, &["--label-smoothing: 0.", &end]);
    }
}

#[test]
fn some_trials_use_batch_norm_unless_a_flag_decides() {
    let desk = noisy_desk();
    for (flag, expected) in [
        ("", None),
        ("--batch-norm on", Some(true)),
        ("--batch-norm off", Some(false)),
    ] {
        let report = desk
            .run(&format!("{TUNE} {flag} --format json"))
            .done()
            .json();
        let trials = report["trials"].as_array().expect("a list");
        let with = trials
            .iter()
            .filter(|trial| trial["batch_norm"] == true)
            .count();
        match expected {
            Some(all) => assert_eq!(with, if all { trials.len() } else { 0 }),
            None => assert!((1..trials.len()).contains(&with), "{with} trials"),
        }
    }
}

#[test]
fn the_test_set_is_not_opened() {
    let desk = noisy_desk();
    let intact = desk.run(&format!("{TUNE} --out intact"));
    desk.put("set/t10k-labels-idx1-ubyte", b"damage");
    let damaged = desk.run(&format!("{TUNE} --out damaged"));
    assert_eq!(table(intact.done()), table(damaged.done()));
    // The settings that it writes name the test set nevertheless.
    let run = desk.run("train --config damaged/best.toml");
    assert_eq!(run.code, Some(1), "{run:#?}");
    assert!(run.stderr.contains("t10k-labels-idx1-ubyte"), "{run:#?}");
}

#[test]
fn settings_fixed_by_a_file_or_a_single_number_are_not_searched() {
    let desk = noisy_desk();
    desk.put(
        "my.toml",
        b"hidden = [7, 5]\ndropout = 0.25\nactivation = \"tanh\"\nseed = 3\n",
    );
    let line =
        "tune --data set --trials 6 --epochs 3 --config my.toml --batch-size 10 --format json";
    let report = desk.run(line).done().json();
    assert_eq!(report["config"]["activation"], "tanh");
    assert_eq!(report["config"]["seed"], 3);
    for trial in report["trials"].as_array().expect("a list") {
        assert_eq!(trial["hidden"], serde_json::json!([7, 5]));
        assert_eq!(trial["dropout"], 0.25);
        assert_eq!(trial["batch_size"], 10);
    }
    assert_eq!(report["space"]["batch_size"], "10");
    let searched = report["space"].as_object().expect("a table");
    assert!(!searched.contains_key("width") && !searched.contains_key("dropout"));
    // A range overrides the file.
    let report = desk
        .run(&format!("{line} --depth 1..2 --width 8"))
        .done()
        .json();
    for trial in report["trials"].as_array().expect("a list") {
        let hidden = trial["hidden"].as_array().expect("widths");
        assert!(
            hidden.len() <= 2 && hidden.iter().all(|width| width == 8),
            "{trial}"
        );
    }
}

/// The recorded settings of a run include those of its optimiser and schedule.
#[test]
fn another_optimiser_or_schedule_drops_the_settings_of_that_in_the_file() {
    let desk = noisy_desk();
    let run = "train --data set --epochs 1 --schedule cosine --lr-min 0.01 --quiet --out run";
    desk.run(run).done();
    let line = "tune --data set --trials 3 --epochs 3 --config run/config.toml --width 8..16";
    let flags = "--optimizer adam --schedule constant --format json";
    let config = desk.run(&format!("{line} {flags}")).done().json()["config"].clone();
    assert_eq!(config["optimizer"], "adam");
    assert_eq!(config["schedule"], "constant");
    assert!(
        config.get("momentum").is_none() && config.get("lr_min").is_none(),
        "{config}"
    );
}

#[test]
fn the_recorded_settings_of_a_run_leave_nothing_to_search() {
    let desk = noisy_desk();
    desk.run("train --data set --epochs 1 --quiet --out run")
        .done();
    let message = "tune: every setting is fixed, expected something to search\n";
    let line = "tune --data set --trials 3 --config run/config.toml";
    desk.refuses_in_parts(line, 2, &[message]);
}

#[test]
fn diverged_trials_are_dropped_and_it_is_an_error_if_all_diverge() {
    let desk = noisy_desk();
    let line = "tune --data set --trials 9 --epochs 3 --width 8..16 --activation identity";
    let run = desk.run(&format!("{line} --lr 1e-3..1e9 --out some"));
    assert_eq!(run.code, Some(2), "{run:#?}");
    let run = desk.run(&format!("{line} --lr 1e-3..1e6 --out some"));
    let diverged = run.done().stdout.matches("diverged").count();
    assert!((1..9).contains(&diverged), "{run:#?}");
    assert!(!run.value("best").contains("diverged"));
    let run = desk.run(&format!("{line} --lr 1e6 --batch-size 1 --out none"));
    assert_eq!((run.code, run.stdout.as_str()), (Some(1), ""), "{run:#?}");
    assert!(
        run.stderr.contains(
            "error: tune: all 9 trials diverged, expected a finite loss in one of them\n"
        ),
        "{run:#?}"
    );
    assert!(run.hint().starts_with("search lower learning rates"));
}

#[test]
fn a_search_that_ran_out_of_time_reports_its_best_and_resumes_with_more() {
    let desk = Desk::with(&EasySet {
        train: 5000,
        ..EasySet::noisy()
    });
    let line = "tune --data set --trials 9 --epochs 27 --width 64..256 --batch-size 8 --out out";
    let uninterrupted = desk.run(&line.replace("--out out", "--out uninterrupted"));
    let run = desk.run(&format!("{line} --time 300ms"));
    let words = "the time limit; how far the search got depends on the speed of the machine";
    assert!(run.done().value("time").ends_with(words), "{run:#?}");
    let again = desk.run("tune --resume out");
    assert!(again.done().value("time").ends_with(words), "{again:#?}");
    assert_eq!(table(&run), table(&again));
    let more = desk.run("tune --resume out --time 1h --threads 1");
    assert_eq!(table(more.done()), table(uninterrupted.done()));
    assert_eq!(best(&desk, "out"), best(&desk, "uninterrupted"));
}

/// A set of which one epoch takes far longer than the searches below.
fn large_desk() -> Desk {
    Desk::with(&EasySet {
        train: 40_000,
        ..EasySet::noisy()
    })
}

#[test]
fn a_search_that_is_too_short_for_an_epoch_returns_the_best_of_what_it_trained() {
    let desk = large_desk();
    let line =
        "tune --data set --width 256..512 --depth 3 --batch-size 1..2 --trials 9 --epochs 27";
    for (time, out) in [("1ms", "least"), ("700ms", "short")] {
        let run = desk.run(&format!("{line} --time {time} --out {out}"));
        assert!(
            run.done().stderr.contains("\n   1  "),
            "a row for a trial: {run:#?}"
        );
        let words = "the time limit; how far the search got depends on the speed of the machine";
        assert!(run.value("time").ends_with(words), "{run:#?}");
        assert!(run.value("best").ends_with(" of 27 epochs"), "{run:#?}");
        assert_eq!(run.value("settings"), format!("{out}/best.toml"));
        assert_eq!(run.value("model"), format!("{out}/best.safetensors"));
        assert!(
            run.stdout
                .contains(&format!(" train --config {out}/best.toml\n")),
            "{run:#?}"
        );
        // A resumed search prints the same, and the model has the score that is reported.
        let again = desk.run(&format!("tune --resume {out} --format json"));
        let report = again.done().json();
        let best = &report["best"];
        assert!(
            best["unfinished"] == true && best["part"].is_f64(),
            "{best}"
        );
        desk.run(&format!(
            "predict {out}/best.safetensors set/t10k-images-idx3-ubyte"
        ))
        .done();
    }
}

#[test]
fn the_model_of_a_search_has_the_score_that_it_reports() {
    let desk = noisy_desk();
    let run = desk.run(&format!(
        "{TUNE} --validation-images set/t10k-images-idx3-ubyte --validation-labels \
        set/t10k-labels-idx1-ubyte --out out --format json"
    ));
    let best = run.done().json()["best"]["score"].clone();
    let eval = desk.run("eval out/best.safetensors --data set --format json");
    let measured = eval.done().json();
    assert_eq!(measured["accuracy"], best["accuracy"]);
    // Without a model file, a resumed search writes the same again.
    let model = desk.read("out/best.safetensors");
    desk.remove("out/best.safetensors");
    desk.run("tune --resume out --threads 1").done();
    assert!(desk.read("out/best.safetensors") == model);
    // No network is written beside the score of another one.
    let journal = desk.read_text("out/journal.jsonl");
    let accuracy = format!("\"accuracy\":{}", best["accuracy"]);
    assert!(journal.contains(&accuracy), "{journal}");
    desk.put(
        "out/journal.jsonl",
        journal.replace(&accuracy, "\"accuracy\":1.0").as_bytes(),
    );
    desk.remove("out/best.safetensors");
    let run = desk.run("tune --resume out --format json");
    assert!(run.done().json()["best_model"].is_null(), "{run:#?}");
    assert!(!desk.has("out/best.safetensors"));
}

#[test]
fn inputs_are_scaled_as_the_advice_of_a_search_proposes() {
    let desk = noisy_desk();
    desk.run("tune --data set --scale standard --trials 1 --epochs 1 --out out --quiet")
        .done();
    let settings = desk.read_text("out/best.toml");
    assert!(settings.contains("scale = \"standard\""), "{settings}");
}

#[test]
fn advice_about_learning_rates_fits_the_data() {
    let desk = Desk::empty();
    let rows: Vec<u8> = (0..40u32)
        .flat_map(|i| f64::from(i % 7).to_be_bytes())
        .collect();
    let targets: Vec<u8> = (0..40u32)
        .flat_map(|i| (3e5 + 1e3 * f64::from(i)).to_be_bytes())
        .collect();
    desk.put(
        "x",
        &crate::idx_set::idx(crate::idx_set::Element::F64, &[40, 1], &rows),
    );
    desk.put(
        "y",
        &crate::idx_set::idx(crate::idx_set::Element::F64, &[40], &targets),
    );
    let line = "--train-images x --train-labels y --task regression --target-scale none";
    let is_about_targets = |run: &Run| {
        let hint = run.hint();
        hint.starts_with("the numbers to predict are about 319")
            && hint.ends_with(" in size: standardise them with --target-scale standard")
    };
    let run = desk.run(&format!(
        "tune {line} --trials 3 --epochs 3 --lr 10..100 --activation identity --batch-norm off"
    ));
    assert_eq!(run.code, Some(1), "{run:#?}");
    assert!(
        run.stderr
            .contains("error: tune: all 3 trials diverged, expected a finite loss"),
        "{run:#?}"
    );
    assert!(is_about_targets(&run), "{run:#?}");
    let train = format!("train {line} --activation relu --hidden 8");
    let run = desk.run(&format!("{train} --lr 1e3"));
    assert!(run.code == Some(3) && is_about_targets(&run), "{run:#?}");
    // Where the learning rate is too high, a lower one is proposed, with few digits.
    let run = desk.run(&format!("{} --lr 1e9", train.replace("none", "standard")));
    assert_eq!(run.code, Some(3), "{run:#?}");
    let hint = "the learning rate of 1000000000.0 is probably too high; try --lr 100000000.0";
    assert_eq!(run.hint(), hint);
    // The range below the one that was searched.
    let run = desk.run("tune --train-images x --train-labels y --task regression --trials 3 --epochs 3 --lr 5e5..1e6 --batch-size 1 \
        --activation identity --batch-norm off");
    assert_eq!(run.code, Some(1), "{run:#?}");
    assert_eq!(
        run.hint(),
        "search lower learning rates, with --lr 5000..500000"
    );
}

#[test]
fn a_search_of_a_table_takes_a_limit_of_its_memory_and_writes_its_model() {
    let desk = Desk::empty();
    let lines = (0..60).map(|i| {
        format!(
            "{},{},{}\n",
            i % 7,
            i % 5,
            if i % 7 > 3 { "yes" } else { "no" }
        )
    });
    desk.put(
        "t.csv",
        ("a,b,label\n".to_owned() + &lines.collect::<String>()).as_bytes(),
    );
    let line =
        "tune --data t.csv --target label --trials 3 --epochs 3 --table-memory 1MB --out out";
    desk.run(line).done();
    let run = desk.run("eval out/best.safetensors --data t.csv");
    assert!(run.done().stdout.contains("accuracy"), "{run:#?}");
}

#[test]
fn rejects_what_cannot_be_searched() {
    let desk = noisy_desk();
    let whole = "1 to 4294967295, the lower end first";
    let share = "0 to 0.99, the lower end first";
    for (flags, message) in [
        ("--trials 0", "--trials: 0, expected 1 to 100000"),
        ("--trials 100001", "--trials: 100001, expected 1 to 100000"),
        ("--epochs 0", "--epochs: 0, expected 1 to 4294967295"),
        ("--time 0s", "--time: 0s, expected a time above 0"),
        (
            "--time soon",
            "invalid value 'soon' for '--time <TIME>': expected a time with its unit, as 90s, 10m or 1h 30m",
        ),
        (
            "--lr 0..1",
            "--lr: 0..1, expected above 0 and at most 1e6, the lower end first",
        ),
        (
            "--lr 0.5..0.1",
            "--lr: 0.5..0.1, expected above 0 and at most 1e6, the lower end first",
        ),
        (
            "--lr=-1..1",
            "--lr: -1..1, expected above 0 and at most 1e6, the lower end first",
        ),
        (
            "--lr nan..1",
            "--lr: NaN..1, expected above 0 and at most 1e6, the lower end first",
        ),
        (
            "--lr fast",
            "invalid value 'fast' for '--lr <RANGE>': expected a range, as 0.01..0.3, or one number",
        ),
        ("--width 0..8", &format!("--width: 0..8, expected {whole}")),
        (
            "--batch-size 0",
            &format!("--batch-size: 0, expected {whole}"),
        ),
        (
            "--depth 1..99",
            "--depth: 1..99, expected 0 to 64, the lower end first",
        ),
        (
            "--dropout 0..1",
            &format!("--dropout: 0..1, expected {share}"),
        ),
        (
            "--label-smoothing 2",
            &format!("--label-smoothing: 2, expected {share}"),
        ),
        (
            "--weight-decay 0..inf",
            "--weight-decay: 0..inf, expected 0 to 1e6, the lower end first",
        ),
        (
            "--validation-split 200",
            "--validation-split: 200 of 200 training samples, expected 1 to 196, which leaves one of every class",
        ),
        (
            "--lr 0.1 --width 8 --depth 1 --batch-size 8 --dropout 0 --weight-decay 0 --label-smoothing 0 \
             --batch-norm off",
            "tune: every setting is fixed, expected something to search",
        ),
    ] {
        desk.refuses(&format!("tune --data set {flags}"), 2, message);
    }
    let place = "none: a search decides by its rungs how long a trial runs, and draws its network";
    for (text, message) in [
        (
            "early_stop = 3",
            format!("my.toml: early_stop: given to a search, expected {place}\n"),
        ),
        (
            "max_time = \"10m\"",
            format!("my.toml: max_time: given to a search, expected {place}\n"),
        ),
        (
            "target_accuracy = 0.9",
            format!("my.toml: target_accuracy: given to a search, expected {place}\n"),
        ),
        (
            "freeze = [\"layers.0\"]",
            format!("my.toml: freeze: given to a search, expected {place}\n"),
        ),
        (
            "init_from = \"model\"",
            format!("my.toml: init_from: given to a search, expected {place}\n"),
        ),
        (
            "learning_rate = \"auto\"",
            "my.toml: learning_rate: auto, expected a number, or none: a search finds it by trials\n"
                .to_owned(),
        ),
        (
            "epoch = 3",
            "my.toml: no setting is called epoch, expected ".to_owned(),
        ),
    ] {
        desk.put("my.toml", text.as_bytes());
        desk.refuses_in_parts("tune --data set --config my.toml", 2, &[&message]);
    }
    assert!(!desk.has("runs"));
}

#[test]
fn a_folder_with_a_search_can_be_resumed_but_not_overwritten() {
    let desk = noisy_desk();
    let first = desk.run(&format!("{TUNE} --out out"));
    first.done();
    let message = "--out: out/tune.toml already exists, expected a folder without a search";
    let refused = desk.refuses(&format!("{TUNE} --out out"), 2, message);
    assert!(refused.hint().contains("--resume"));
    let again = desk.run("tune --resume out --threads 1");
    assert_eq!(table(&first), table(again.done()));
    for (line, code, message) in [
        (
            "tune --resume nowhere",
            1,
            "nowhere: no such folder, expected the folder of a search",
        ),
        (
            "tune --resume set",
            1,
            "set: a folder without tune.toml, expected the folder of a search",
        ),
        (
            "tune --resume out --trials 3",
            2,
            "--trials: given with --resume, expected the setting that the search started with",
        ),
        (
            "tune --resume out --lr 0.1",
            2,
            "--lr: given with --resume, expected the setting that the search started with",
        ),
    ] {
        desk.refuses(line, code, message);
    }
    // The search resumes only on the same data.
    let other = EasySet {
        noise: 0.7,
        ..EasySet::default()
    };
    other.write(&desk.path("other"));
    let parts = [
        "other: training half: images with hash ",
        "as in out/journal.jsonl\n",
    ];
    desk.refuses_in_parts("tune --resume out --data other", 1, &parts);
    desk.put("out/journal.jsonl", b"damage\n");
    desk.refuses_in_parts("tune --resume out", 1, &["out/journal.jsonl: line 1: "]);
    desk.put("out/tune.toml", b"trials = 3\n");
    desk.refuses_in_parts("tune --resume out", 1, &["out/tune.toml: missing field "]);
}
