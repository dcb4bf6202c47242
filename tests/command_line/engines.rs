//! The engines that compute matrix products: each gives the same bits on any number of threads, their results differ only by
//! rounding, and an unavailable engine is refused.

use std::fs;

use perceptor::compute::EngineChoice;
use serde_json::Value;

use crate::desk::{Desk, number};
use crate::idx_set::EasySet;

const TRAIN: &str =
    "--data set --hidden 20,12 --activation tanh --epochs 3 --batch-size 48 --lr 0.02";

/// Returns the names of the engines available to this build on this processor, including `auto`.
fn engines() -> Vec<&'static str> {
    let available = EngineChoice::ALL
        .into_iter()
        .filter(|engine| engine.resolve().is_ok());
    available.map(EngineChoice::name).collect()
}

#[test]
fn any_thread_count_gives_the_same_model_with_every_engine() {
    let desk = Desk::with(&EasySet::noisy());
    // `auto` is one of the others.
    for engine in engines().into_iter().filter(|engine| *engine != "auto") {
        for flags in [
            "--hidden 20,12 --batch-size 1",
            "--hidden 33 --batch-size 33 --activation relu",
            "--hidden 17,40 --batch-size 200 --momentum 0",
            "--hidden none --batch-size 64",
        ] {
            let model = |threads: usize| {
                desk.model_of(&format!(
                    "--data set --epochs 2 {flags} --engine {engine} --threads {threads}"
                ))
            };
            let one = model(1);
            for threads in [2, 3, 7] {
                assert!(
                    model(threads) == one,
                    "{engine}, {flags}: {threads} threads"
                );
            }
        }
    }
}

#[test]
fn engines_differ_only_by_rounding() {
    let desk = Desk::with(&EasySet::noisy());
    let report_of = |engine: &str| desk.report_of(&format!("{TRAIN} --engine {engine}"));
    let portable = report_of("portable");
    for engine in engines() {
        let report = report_of(engine);
        let epochs = report["epochs"].as_array().expect("a list");
        for (epoch, expected) in epochs
            .iter()
            .zip(portable["epochs"].as_array().expect("a list"))
        {
            for loss in ["train_loss", "test_loss"] {
                let (found, expected) = (number(&epoch[loss]), number(&expected[loss]));
                assert!(
                    (found - expected).abs() <= 1e-4 * expected,
                    "{engine}: {epoch:#}"
                );
            }
        }
    }
}

#[test]
fn every_engine_evaluates_and_predicts_the_same() {
    let desk = Desk::with_model(&EasySet::noisy());
    let (model, images) = ("model/model.safetensors", "set/t10k-images-idx3-ubyte");
    let evaluated = |engine: &str| {
        let line = format!("eval {model} --data set --format json --engine {engine}");
        desk.run(&line).done().json()
    };
    let predicted = |engine: &str| {
        let run = desk.run(&format!(
            "predict {model} {images} --format csv --engine {engine}"
        ));
        let class = |line: &str| line.split(',').nth(1).map(str::to_owned);
        run.done()
            .stdout
            .lines()
            .filter_map(class)
            .collect::<Vec<_>>()
    };
    let (evaluation, prediction) = (evaluated("portable"), predicted("portable"));
    for engine in engines() {
        let found = evaluated(engine);
        let (loss, expected) = (number(&found["loss"]), number(&evaluation["loss"]));
        assert!(
            (loss - expected).abs() <= 1e-5 * expected,
            "{engine}: {loss}, expected {expected}"
        );
        assert_eq!(found["confusion"], evaluation["confusion"], "{engine}");
        assert_eq!(predicted(engine), prediction, "{engine}");
    }
}

#[test]
fn the_report_names_the_engine_in_use() {
    let desk = Desk::with(&EasySet::default());
    for engine in engines() {
        let report = desk.report_of(&format!("--data set --epochs 1 --engine {engine}"));
        let in_use = report["engine"].as_str().expect("a name");
        // The engine in use rather than `auto`.
        let effective = report["config"]["engine"].as_str().expect("a name");
        assert!(in_use.to_lowercase().starts_with(effective), "{report}");
        assert!(engine == "auto" || engine == effective, "{report}");
        assert!(!in_use.is_empty() && !in_use.contains("auto"), "{in_use}");
    }
}

/// Writes a table in which `fastest` is far faster than every other engine.
fn write_table_in_favour_of(fastest: &str, desk: &Desk) {
    let path = desk.cache("engines.json");
    let mut table: Value =
        serde_json::from_slice(&fs::read(&path).expect("a table")).expect("JSON");
    for rate in table["rates"].as_array_mut().expect("a list") {
        rate["gflops"] = if rate["engine"] == fastest {
            1000.0
        } else {
            1.0
        }
        .into();
    }
    fs::write(&path, table.to_string()).expect("writing the table");
}

#[test]
fn auto_uses_the_fastest_engine_and_verbose_shows_the_table() {
    let desk = Desk::with(&EasySet::default());
    for engine in engines().into_iter().filter(|engine| *engine != "auto") {
        write_table_in_favour_of(engine, &desk);
        let run = desk.run("train --data set --epochs 1 --format json --verbose");
        assert_eq!(run.done().json()["config"]["engine"], engine);
        let taken = run.stderr.lines().find(|line| line.ends_with("← chosen"));
        assert!(
            taken.is_some_and(|line| line.contains(&format!(", {engine}: "))),
            "{run:#?}"
        );
        assert!(run.stderr.starts_with("Engines: "), "{run:#?}");
    }
}

#[test]
fn engines_are_measured_once_and_the_result_is_reused() {
    let desk = Desk::of_a_newcomer();
    EasySet::default().write(&desk.path("set"));
    let line = "train --data set --epochs 1";
    let first = desk.run(line);
    let announced = format!("; kept in {}\n", desk.cache("engines.json").display());
    assert!(first.done().stderr.contains(&announced), "{first:#?}");
    let second = desk.run(line);
    assert!(!second.done().stderr.contains("measuring"), "{second:#?}");
    let model = |number| desk.read(&format!("runs/train-{number}/model.safetensors"));
    assert!(model(1) == model(2));
}

#[test]
fn engines_are_measured_again_if_their_table_is_damaged_or_of_another_machine() {
    let desk = Desk::with(&EasySet::default());
    let path = desk.cache("engines.json");
    for table in [
        "",
        "{",
        "{\"schema\":\"perceptor.engines/2\",\"machine\":\"another\",\"rates\":[]}",
    ] {
        fs::write(&path, table).expect("writing the table");
        let run = desk.run("train --data set --epochs 1");
        assert!(
            run.done().stderr.contains("measuring once which engine"),
            "{run:#?}"
        );
    }
}

#[test]
fn rejects_an_unavailable_engine_before_anything_else() {
    let desk = Desk::with_model(&EasySet::default());
    let available = engines();
    for engine in EngineChoice::ALL.map(EngineChoice::name) {
        if available.contains(&engine) {
            continue;
        }
        for command in [
            "train --data set",
            "eval model/model.safetensors --data set",
            "predict model/model.safetensors set/t10k-images-idx3-ubyte",
        ] {
            let start = format!("--engine: {engine} ");
            let line = format!("{command} --engine {engine}");
            let run = desk.refuses_in_parts(&line, 2, &[&start, ", expected ", "\n"]);
            assert!(run.hint().contains("--engine portable"), "{run:#?}");
        }
        assert!(!desk.has("runs"));
    }
}
