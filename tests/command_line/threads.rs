//! `--threads auto`: how many threads train is measured once and kept, changes no bit, and is reported.

use std::fs;
use std::num::NonZeroUsize;

use perceptor::compute::parallel::Workers;
use serde_json::{Value, json};

use crate::desk::Desk;
use crate::idx_set::EasySet;

const TRAIN: &str = "train --data set --epochs 1 --format json";

fn table(desk: &Desk) -> Value {
    let bytes = fs::read(desk.cache("engines.json")).expect("a table");
    serde_json::from_slice(&bytes).expect("JSON")
}

fn put_table(desk: &Desk, table: &Value) {
    fs::write(desk.cache("engines.json"), table.to_string()).expect("writing the table");
}

/// Whether there is a number of threads to choose.
fn has_choice() -> bool {
    Workers::available() > NonZeroUsize::MIN
}

#[test]
fn auto_gives_the_same_model_as_any_number_of_threads() {
    let desk = Desk::with(&EasySet::noisy());
    for flags in [
        "--hidden 20,12 --batch-size 1",
        "--hidden 33 --batch-size 33 --activation relu --optimizer adamw --dropout 0.2",
        "--hidden 17,40 --batch-size 200 --scale standard-global --batch-norm --init orthogonal",
        "--hidden none --batch-size 64 --lr auto",
        "--hidden 16 --class-weight balanced --input-noise 0.1 --clip-norm 1 --max-norm 2 --ema 0.9 --freeze layers.0",
    ] {
        let model = |threads: &str| {
            let threads = format!("--threads {threads}");
            desk.model_of(&format!("--data set --epochs 2 {flags} {threads}"))
        };
        let auto = model("auto");
        for threads in ["1", "2", "3", "auto"] {
            assert!(model(threads) == auto, "{flags}: {threads} threads");
        }
    }
}

#[test]
fn threads_are_measured_at_the_first_starts_of_each_kind_of_work() {
    let desk = Desk::with(&EasySet::default());
    if !has_choice() {
        return;
    }
    let by = |flags: &str| {
        let run = desk.run(&format!("{TRAIN} {flags}"));
        let report = run.done().json();
        let threads = report["threads"].as_u64().expect("a number") as usize;
        assert!(
            (1..=Workers::available().get()).contains(&threads),
            "{report}"
        );
        report["team"]["by"].as_str().expect("a word").to_owned()
    };
    for flags in [
        "",
        "--hidden 9",
        "--batch-size 7",
        "--activation relu",
        "--optimizer adam",
    ] {
        assert_eq!(by(flags), "measurement", "{flags}");
        // Rates that are close are measured at two more starts.
        for _ in 0..2 {
            by(flags);
        }
        assert_eq!(by(flags), "earlier-measurement", "{flags}");
    }
    // These do not change what a step does.
    for flags in ["--seed 2", "--lr 0.3", "--schedule cosine", "--init he"] {
        assert_eq!(by(flags), "earlier-measurement", "{flags}");
    }
    assert_eq!(by("--threads 2"), "setting");
    assert_eq!(table(&desk)["teams"].as_array().map(Vec::len), Some(5));
}

#[test]
fn auto_takes_the_fastest_number_of_threads_and_says_so() {
    let desk = Desk::with(&EasySet::default());
    if !has_choice() {
        return;
    }
    desk.run(TRAIN).done();
    for (threads, words) in [(1, "1 of "), (2, "2 of ")] {
        let mut kept = table(&desk);
        for rate in kept["teams"][0]["rates"].as_array_mut().expect("a list") {
            let is_fast = rate["threads"] == threads;
            rate["samples_per_second"] = if is_fast { 2e6 } else { 1e6 }.into();
        }
        kept["teams"][0]["measurements"] = 3.into();
        put_table(&desk, &kept);
        let run = desk.run(TRAIN);
        assert_eq!(run.done().json()["threads"], threads, "{run:#?}");
        let compute = run
            .stderr
            .lines()
            .find(|line| line.starts_with("  compute "));
        let compute = compute.expect("a line of the banner");
        assert!(
            compute.contains(words) && compute.contains(" (auto), engine "),
            "{run:#?}"
        );
        let run = desk.run(&format!("{TRAIN} --verbose"));
        let chosen = run
            .done()
            .stderr
            .lines()
            .find(|line| line.contains("2,000,000 samples/s"));
        assert!(
            chosen.is_some_and(|line| line.ends_with("← chosen")),
            "{run:#?}"
        );
        let run = desk.run(&format!("{TRAIN} --quiet"));
        assert_eq!(run.done().stderr, "");
    }
}

#[test]
fn hostile_tables_are_measured_again_or_ignored() {
    let desk = Desk::with(&EasySet::default());
    if !has_choice() {
        return;
    }
    desk.run(TRAIN).done();
    let good = table(&desk);
    let with = |change: &dyn Fn(&mut Value)| {
        let mut table = good.clone();
        change(&mut table);
        table.to_string().into_bytes()
    };
    let rate =
        |threads: Value, rate: Value| json!([{"threads": threads, "samples_per_second": rate}]);
    let rates = |threads: Value, number: Value| {
        with(&|table| table["teams"][0]["rates"] = rate(threads.clone(), number.clone()))
    };
    let tables = [
        rates(4096.into(), 1e300.into()),
        rates(4_000_000_000_u64.into(), 1.into()),
        rates(0.into(), 1.into()),
        rates((-1).into(), 1.into()),
        rates(1.into(), 0.into()),
        rates(1.into(), (-1e300).into()),
        rates(1.into(), Value::Null),
        with(&|table| table["teams"][0]["rates"] = json!([])),
        with(&|table| table["teams"][0]["measured"] = u64::MAX.into()),
        with(&|table| table["teams"][0]["measured"] = 0.into()),
        with(&|table| table["teams"][0]["work"] = "another".into()),
        with(&|table| table["teams"] = 7.into()),
        with(&|table| table["schema"] = "perceptor.engines/1".into()),
        with(&|table| table["machine"] = "another".into()),
        good.to_string()
            .replace(
                "\"samples_per_second\":",
                "\"samples_per_second\":1e999,\"x\":",
            )
            .into_bytes(),
        b"\xff\xfe".to_vec(),
        b"[".repeat(100_000),
        b" ".repeat(3 << 20),
    ];
    for table in tables {
        fs::write(desk.cache("engines.json"), &table).expect("writing the table");
        let run = desk.run(TRAIN);
        let text = String::from_utf8_lossy(&table[..table.len().min(3000)]);
        assert_eq!(run.done().json()["team"]["by"], "measurement", "{text}");
        // At most two more starts measure.
        for _ in 0..2 {
            desk.run(TRAIN).done();
        }
        let again = desk.run(TRAIN).done().json();
        assert_eq!(again["team"]["by"], "earlier-measurement", "{text}");
    }
    // Engines that are measured again leave the rates of teams.
    let mut kept = table(&desk);
    kept["rates"] = json!([]);
    put_table(&desk, &kept);
    let run = desk.run(TRAIN);
    let announced = "measuring once which engine";
    assert!(run.done().stderr.contains(announced), "{run:#?}");
    // Another engine may be chosen now, which is another kind of work.
    let teams = table(&desk)["teams"].as_array().expect("a list").clone();
    assert!(teams.contains(&kept["teams"][0]), "{teams:#?}");
    // A table that cannot be written must not stop a run.
    fs::remove_file(desk.cache("engines.json")).expect("a table");
    fs::create_dir(desk.cache("engines.json")).expect("a folder");
    desk.run(TRAIN).done();
}

#[test]
fn the_number_of_kept_works_is_limited() {
    let desk = Desk::with(&EasySet::default());
    if !has_choice() {
        return;
    }
    desk.run(TRAIN).done();
    let mut kept = table(&desk);
    let first = kept["teams"][0].clone();
    let many = (0..1000).map(|number| {
        let mut entry = first.clone();
        entry["work"] = number.to_string().into();
        entry
    });
    kept["teams"] = many.collect();
    put_table(&desk, &kept);
    desk.run(TRAIN).done();
    let teams = table(&desk)["teams"].as_array().expect("a list").clone();
    assert_eq!(teams.len(), 64);
    assert_eq!(teams[63]["work"], first["work"]);
}

#[test]
fn a_file_and_a_resumed_run_may_have_another_number_of_threads() {
    let desk = Desk::with(&EasySet::default());
    let threads = |line: &str| {
        let run = desk.run(&format!("{line} --format json"));
        let report = run.done().json();
        (report["threads"].clone(), report["team"]["by"].clone())
    };
    let flags = "train --data set --epochs 2 --out";
    desk.put("two.toml", b"threads = 2\nepochs = 1\n");
    desk.put("auto.toml", b"threads = \"auto\"\nepochs = 1\n");
    let set = Value::from("setting");
    assert_eq!(
        threads("train --data set --config two.toml"),
        (2.into(), set.clone())
    );
    assert_ne!(
        threads("train --data set --config two.toml --threads auto").1,
        set
    );
    assert_ne!(threads("train --data set --config auto.toml").1, set);
    assert_eq!(
        threads("train --data set --config auto.toml --threads 3"),
        (3.into(), set.clone())
    );
    desk.run(&format!("{flags} auto --quiet")).done();
    assert!(
        desk.read_text("auto/config.toml")
            .contains("\nthreads = \"auto\"\n")
    );
    desk.run(&format!("{flags} one --threads 1 --quiet")).done();
    assert!(
        desk.read_text("one/config.toml")
            .contains("\nthreads = 1\n")
    );
    assert_ne!(
        threads("train --resume one --epochs 3 --threads auto").1,
        set
    );
    assert_eq!(
        threads("train --resume auto --epochs 3 --threads 2"),
        (2.into(), set)
    );
    assert!(desk.read("one/model.safetensors") == desk.read("auto/model.safetensors"));
}

#[test]
fn every_command_with_workers_accepts_auto() {
    let desk = Desk::with_model(&EasySet::default());
    let (model, images) = ("model/model.safetensors", "set/t10k-images-idx3-ubyte");
    for line in [
        format!("eval {model} --data set"),
        format!("predict {model} {images}"),
        "data digits --out digits --train 20 --test 10".to_owned(),
        "tune --data set --trials 3 --epochs 3 --quiet".to_owned(),
    ] {
        desk.run(&format!("{line} --threads auto")).done();
    }
    let report = desk.run("doctor --threads auto --format json").json();
    assert_eq!(report["workers"], Workers::available().get());
    for command in ["train", "tune", "eval", "predict", "doctor", "data digits"] {
        let help = desk.run(&format!("{command} --help")).stdout;
        let at = help.find("--threads <N>").expect("the flag");
        let about = help[at..].split("\n\n").next().unwrap_or_default();
        assert!(about.contains("auto"), "{command}: {about}");
    }
    let message =
        "invalid value '0' for '--threads <N>': expected a whole number of at least 1, or auto";
    desk.refuses_in_parts(
        &format!("eval {model} --data set --threads 0"),
        2,
        &[message],
    );
}
