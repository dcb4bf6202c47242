//! The engines that can compute the products: each keeps the law of the same bits on any number of threads, all
//! come to the same results but for rounding, and one that is not there is refused in words.

use perceptor::compute::Engine;
use serde_json::Value;

use crate::desk::Desk;
use crate::idx_set::EasySet;

const TRAIN: &str =
    "--data set --hidden 20,12 --activation tanh --epochs 3 --batch-size 48 --lr 0.02";

/// The names of the engines of this build on this processor, `auto` among them.
fn engines() -> Vec<&'static str> {
    let there = Engine::ALL
        .into_iter()
        .filter(|engine| engine.resolve().is_ok());
    there.map(Engine::name).collect()
}

fn number(value: &Value) -> f64 {
    value
        .as_f64()
        .unwrap_or_else(|| panic!("{value} is no number"))
}

#[test]
fn any_thread_count_gives_the_same_model_with_every_engine() {
    let desk = Desk::with(&EasySet::noisy());
    for engine in engines() {
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
fn engines_differ_by_rounding_alone() {
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
fn a_model_means_the_same_to_every_engine() {
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
            "{engine}: {loss} for {expected}"
        );
        assert_eq!(found["confusion"], evaluation["confusion"], "{engine}");
        assert_eq!(predicted(engine), prediction, "{engine}");
    }
}

#[test]
fn the_report_and_the_model_name_the_engine_at_work() {
    let desk = Desk::with(&EasySet::default());
    for engine in engines() {
        let report = desk.report_of(&format!("--data set --epochs 1 --engine {engine}"));
        let at_work = report["engine"].as_str().expect("a name");
        // What took effect, not that the choice was left open.
        let effective = report["config"]["engine"].as_str().expect("a name");
        assert!(at_work.to_lowercase().starts_with(effective), "{report}");
        assert!(engine == "auto" || engine == effective, "{report}");
        assert!(
            !at_work.is_empty() && !at_work.contains("auto"),
            "{at_work}"
        );
    }
}

#[test]
fn rejects_an_engine_that_is_not_there_before_anything_else() {
    let desk = Desk::with_model(&EasySet::default());
    let there = engines();
    for engine in Engine::ALL.map(Engine::name) {
        if there.contains(&engine) {
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
