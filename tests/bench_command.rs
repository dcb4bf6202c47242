//! `perceptor bench` through the real binary, on generated digits: what it writes and what it refuses.
//!
//! No time is asserted, because machines are shared. Tests that need fixed figures read them from a recorded result
//! with `--from`.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

/// Settings for a network and runs so small that a measurement is quick.
const TINY: &str =
    "bench --data digits --hidden 9 --batch-size 16 --threads 2 --runs 3 --seconds 0.001 --quiet";

/// A folder with a few digits in `digits`.
struct Desk(TempDir);

struct Run {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Desk {
    fn new() -> Desk {
        let desk = Desk(tempfile::tempdir().expect("a temporary folder"));
        desk.run("data digits --out digits --train 300 --test 50")
            .done();
        desk
    }

    fn run(&self, line: &str) -> Run {
        let output = Command::new(assert_cmd::cargo::cargo_bin!("perceptor"))
            .args(line.split_whitespace())
            .current_dir(self.0.path())
            .env("XDG_CACHE_HOME", self.0.path().join("cache"))
            .output()
            .expect("starting the program");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
        Run {
            code: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }

    fn put(&self, name: &str, text: &str) {
        fs::write(self.0.path().join(name), text).expect("writing a file");
    }

    /// Measures with these flags, writes the record to the file `name`, and returns it.
    fn record(&self, name: &str, flags: &str) -> Value {
        let run = self.run(&format!("{TINY} --format json {flags}"));
        self.put(name, &run.done().stdout);
        serde_json::from_str(&run.stdout).expect("one JSON value")
    }

    /// Writes the record of one file, changed, to another.
    fn change(&self, from: &str, to: &str, change: impl Fn(&mut Value)) {
        let text = fs::read_to_string(self.0.path().join(from)).expect("a record");
        let mut record = serde_json::from_str(&text).expect("JSON");
        change(&mut record);
        self.put(to, &record.to_string());
    }

    fn refuses(&self, line: &str, code: i32, message: &str) {
        let run = self.run(line);
        let start = format!("error: {message}");
        assert_eq!(
            (run.code, run.stdout.as_str()),
            (Some(code), ""),
            "{line}: {}",
            run.stderr
        );
        assert!(
            run.stderr.lines().any(|line| line == start),
            "expected {start}: {}",
            run.stderr
        );
    }
}

impl Run {
    fn done(&self) -> &Run {
        assert_eq!(self.code, Some(0), "{}{}", self.stdout, self.stderr);
        self
    }

    /// Returns whether stdout has a line of these words.
    fn has_line(&self, words: &str) -> bool {
        let words: Vec<&str> = words.split_whitespace().collect();
        let mut lines = self.done().stdout.lines();
        lines.any(|line| line.split_whitespace().eq(words.iter().copied()))
    }
}

fn list<'a>(record: &'a Value, name: &str) -> &'a Vec<Value> {
    let list = record[name].as_array();
    list.unwrap_or_else(|| panic!("{name}: {record:#}"))
}

#[test]
fn json_has_machine_work_and_every_run() {
    let record = Desk::new().record("a.json", "");
    assert_eq!(record["schema"], "perceptor.bench/3");
    assert!(record["machine"]["cores"].as_u64() >= Some(1));
    for fact in ["processor", "architecture", "system", "instructions"] {
        assert!(record["machine"][fact].is_string(), "{fact}");
    }
    assert_eq!(record["work"]["network"], "784-9-10");
    assert_eq!(record["work"]["train_items"], 300);
    assert_eq!(record["work"]["batch_size"], 16);
    // 4 · 784 · 9 + 6 · 9 · 10.
    assert_eq!(record["work"]["flops_per_sample"], 28_764.0);
    let threads = |name| {
        let figures = list(&record, name).iter();
        figures.map(|f| f["threads"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(threads("peak"), [1, 2]);
    assert_eq!(threads("training"), [1, 2]);
    for training in list(&record, "training") {
        for raw in ["seconds", "samples_per_second"] {
            assert_eq!(list(training, raw).len(), 3, "{raw}");
        }
        for fact in ["gflops", "of_peak"] {
            assert!(training[fact].as_f64() > Some(0.0), "{fact}");
        }
    }
    assert!(record["training"][0]["speed_up"].is_null());
    // The range of three runs: 1 − 2 · (1/2)³.
    assert_eq!(record["training"][1]["speed_up"]["confidence"], 0.75);
    assert!(record["time_to"].is_null() && record["comparison"].is_null());
}

#[test]
fn products_cover_every_engine_with_the_one_in_use_first() {
    let record = Desk::new().record("a.json", "--engine portable");
    assert_eq!(record["work"]["engine"], "portable");
    let products = list(&record, "products");
    assert_eq!(products[0]["engine"], "portable");
    let portable = products.iter().filter(|p| p["engine"] == "portable");
    let found: Vec<Value> = portable
        .map(|p| json!([p["layer"], p["stage"], p["fan_in"], p["fan_out"]]))
        .collect();
    let expected = [
        json!([1, "forward", 784, 9]),
        json!([1, "weight-update", 784, 9]),
        json!([2, "forward", 9, 10]),
        json!([2, "input-gradient", 9, 10]),
        json!([2, "weight-update", 9, 10]),
    ];
    assert_eq!(found, expected);
    assert_eq!(products.len() % expected.len(), 0);
}

#[test]
fn text_and_markdown_show_the_same_figures() {
    let desk = Desk::new();
    desk.record("a.json", "");
    let text = desk.run("bench --from a.json");
    let markdown = desk.run("bench --from a.json --format markdown");
    for title in [
        "Peak: ",
        "Products: batches of 16 ",
        "Training: 3 runs of about 0.001 s",
    ] {
        assert!(
            text.done().stdout.contains(&format!("\n{title}")),
            "{}",
            text.stdout
        );
        assert!(
            markdown.done().stdout.contains(&format!("\n**{title}")),
            "{}",
            markdown.stdout
        );
    }
    let cells = |line: &str| {
        let words = line.split_whitespace().filter(|word| *word != "|");
        words.map(str::to_owned).collect::<Vec<_>>()
    };
    let rows = |run: &Run| run.stdout.lines().map(cells).collect::<Vec<_>>();
    let header = cells("threads samples/s min max spread GFLOP/s of peak speed-up");
    let last = |run: &Run, skip: usize| {
        let rows = rows(run);
        let at = rows.iter().position(|row| *row == header);
        rows[at.expect("a table of training") + skip + 2].clone()
    };
    // Markdown has a separator line below the header.
    assert_eq!(last(&text, 0), last(&markdown, 1));
}

#[test]
fn results_go_to_stdout_and_progress_to_stderr() {
    let desk = Desk::new();
    let run = desk.run(&TINY.replace("--quiet", "--format json --engine portable"));
    let json: Result<Value, _> = serde_json::from_str(&run.done().stdout);
    assert!(json.is_ok(), "{}", run.stdout);
    let cores = std::thread::available_parallelism().expect("a number of cores");
    let lines = match cores.get() {
        1 => "",
        _ => "measuring travelling lines\n",
    };
    let rest = "measuring products\nmeasuring training\nmeasuring phases\n";
    let progress = format!("measuring register peak\n{lines}{rest}");
    assert_eq!(run.stderr, progress);
    assert_eq!(desk.run(TINY).done().stderr, "");
}

#[test]
fn a_record_compared_with_itself_is_the_same() {
    let desk = Desk::new();
    desk.record("a.json", "");
    let run = desk.run("bench --from a.json --compare a.json");
    let verdict = "Compared with a.json: nothing became slower, nothing became faster.\n";
    assert!(run.done().stdout.contains(verdict), "{}", run.stdout);
    let run = desk.run("bench --from a.json --compare a.json --format json");
    let found: Value = serde_json::from_str(&run.done().stdout).expect("JSON");
    let changes = list(&found["comparison"], "changes");
    assert!(changes.len() >= 9, "2 training, 5 products, 2 peaks");
    assert!(changes.iter().all(|change| change["verdict"] == "same"));
}

#[test]
fn half_the_speed_is_slower_and_twice_the_speed_is_faster() {
    let desk = Desk::new();
    desk.record("now.json", "");
    desk.change("now.json", "steady.json", |record| {
        record["training"][0]["samples_per_second"] = json!([1000.0, 1010.0, 990.0]);
    });
    desk.change("steady.json", "fast.json", |record| {
        record["training"][0]["samples_per_second"] = json!([2000.0, 2020.0, 1980.0]);
    });
    let run = desk.run("bench --from steady.json --compare fast.json");
    let figures = "training, 1 thread, samples/s 2,000 1,000 0.50 × -50.0 % slower";
    assert!(run.has_line(figures), "{}", run.stdout);
    assert!(
        run.stdout
            .contains(" became slower, nothing became faster.")
    );
    let run = desk.run("bench --from fast.json --compare steady.json");
    let figures = "training, 1 thread, samples/s 1,000 2,000 2.00 × +100.0 % faster";
    assert!(run.has_line(figures), "{}", run.stdout);
    assert!(run.stdout.contains(": nothing became slower, 1 of "));
}

#[test]
fn refuses_to_compare_with_other_work() {
    let desk = Desk::new();
    desk.record("a.json", "");
    let work = [
        (
            "--hidden 8 --batch-size 16",
            "--hidden 9, expected --hidden 8",
        ),
        (
            "--hidden 9 --batch-size 16 --activation relu",
            "--activation sigmoid, expected --activation relu",
        ),
        (
            "--hidden 9 --batch-size 32",
            "--batch-size 16, expected --batch-size 32",
        ),
        (
            "--hidden 9 --batch-size 16 --optimizer nesterov",
            "--optimizer sgd, expected --optimizer nesterov",
        ),
        (
            "--hidden 9 --batch-size 16 --clip-norm 1",
            "--clip-norm none, expected --clip-norm 1.0",
        ),
        (
            "--hidden 9 --batch-size 16 --classes 11",
            "network 784-9-10, expected network 784-9-11",
        ),
        (
            "--hidden 9 --batch-size 16 --time-to 0.9",
            "rates, expected time to accuracy 0.9",
        ),
    ];
    for (flags, message) in work {
        let line = format!("bench --data digits {flags} --compare a.json");
        desk.refuses(&line, 1, &format!("a.json: {message}, as measured now"));
    }
}

#[test]
fn refuses_files_that_are_not_records() {
    let desk = Desk::new();
    desk.record("a.json", "");
    desk.change("a.json", "train.json", |record| {
        record["schema"] = json!("perceptor.train/1");
    });
    desk.change("a.json", "empty.json", |record| {
        record["training"][0]["samples_per_second"] = json!([]);
    });
    desk.change("a.json", "negative.json", |record| {
        record["peak"][0]["samples"] = json!([1.0, -2.0]);
    });
    desk.change("a.json", "torn.json", |record| {
        record["training"] = json!(7);
    });
    desk.change("a.json", "width.json", |record| {
        record["work"]["settings"]["hidden"] = json!([0]);
    });
    desk.change("a.json", "kind.json", |record| {
        record["work"]["settings"]["optimizer"] = json!("magic");
    });
    desk.change("a.json", "steps.json", |record| {
        record["phases"][0]["steps"] = json!(0);
    });
    desk.change("a.json", "phase.json", |record| {
        record["phases"][0]["phases"][0]["phase"] = json!("lunch");
    });
    desk.put("other.json", "{}");
    desk.put("text.json", "figures");
    let files = [
        (
            "train.json",
            "schema perceptor.train/1, expected perceptor.bench/3",
        ),
        (
            "empty.json",
            "runs of [], expected 1 to 1000 numbers above 0",
        ),
        (
            "negative.json",
            "runs of [1.0, -2.0], expected 1 to 1000 numbers above 0",
        ),
        (
            "torn.json",
            "invalid type: integer `7`, expected a sequence, expected the fields of a record",
        ),
        (
            "width.json",
            "hidden: [0], expected widths of at least 1, expected settings of a bench",
        ),
        (
            "steps.json",
            "0 steps of 1 threads, expected at least one of each",
        ),
        (
            "other.json",
            "JSON without a schema, expected perceptor.bench/3",
        ),
        (
            "text.json",
            "not JSON (expected ident at line 1 column 2), expected perceptor.bench/3",
        ),
    ];
    for (file, message) in files {
        for flag in ["--compare", "--from"] {
            desk.refuses(
                &format!("bench {flag} {file}"),
                1,
                &format!("{file}: {message}"),
            );
        }
    }
    for (file, word) in [("kind.json", "magic"), ("phase.json", "lunch")] {
        let run = desk.run(&format!("bench --from {file}"));
        let start = format!("error: {file}: unknown variant `{word}`, expected one of ");
        assert_eq!(run.code, Some(1), "{}", run.stderr);
        assert!(run.stderr.starts_with(&start), "{}", run.stderr);
    }
    let run = desk.run("bench --compare nowhere.json");
    assert_eq!(run.code, Some(1));
    assert!(
        run.stderr
            .starts_with("error: nowhere.json: could not open the file: ")
    );
}

#[test]
fn measures_the_time_to_an_accuracy() {
    let desk = Desk::new();
    let line = "bench --data digits --hidden 9 --threads 2 --seed 7 --seeds 2 --epochs 3 --quiet";
    // Every network reaches 1 %, and none reaches 100 % after three epochs of so few digits.
    let run = desk.run(&format!("{line} --time-to 1% --format json"));
    let record: Value = serde_json::from_str(&run.done().stdout).expect("JSON");
    assert_eq!(record["schema"], "perceptor.bench/3");
    let found = &record["time_to"];
    assert_eq!(
        (&found["reached"], &found["goal"]["accuracy"]),
        (&json!(2), &json!(0.01))
    );
    let seeds = list(found, "seeds");
    assert_eq!(
        (&seeds[0]["seed"], &seeds[1]["seed"]),
        (&json!(7), &json!(8))
    );
    for seed in seeds {
        assert_eq!(seed["seconds"], seed["evaluations"][0]["seconds"]);
    }
    assert!(found["mean"].is_number() && found["deviation"].is_number());
    let run = desk.run(&format!("{line} --time-to 1"));
    let text = &run.done().stdout;
    let sentence = "0 of 2 seeds reached it; 2 never did within 3 epochs.\n";
    assert!(text.contains(sentence), "{text}");
    assert_eq!(text.matches("never").count(), 3, "{text}");
}

#[test]
fn refuses_settings_out_of_range() {
    let desk = Desk::new();
    let ours = [
        ("--runs 0", "--runs: 0, expected 1 to 1000"),
        (
            "--seconds 0",
            "--seconds: 0, expected above 0 and up to 3600",
        ),
        (
            "--seconds nan",
            "--seconds: NaN, expected above 0 and up to 3600",
        ),
        ("--time-to 0.9 --seeds 0", "--seeds: 0, expected 1 to 1000"),
        ("--threads 100000", "--threads: 100000, expected 1 to 4096"),
    ];
    for (flags, message) in ours {
        desk.refuses(&format!("bench --data digits {flags}"), 2, message);
    }
    for accuracy in ["0", "97.5", "101%", "-1%", "nan", "high"] {
        let message = format!(
            "invalid value '{accuracy}' for '--time-to <ACCURACY>': expected above 0 and up to 1, as 0.975 or 97.5%"
        );
        desk.refuses(&format!("bench --time-to={accuracy}"), 2, &message);
    }
    for line in [
        "bench --seeds 3",
        "bench --from a.json --hidden 9",
        "bench --from a.json --dropout 0.5",
        "bench --from a.json --recipe quick",
        "bench --recipe quick --config c.toml",
        // A bench neither validates nor saves.
        "bench --early-stop 3",
        "bench --validation-split 0.1",
        "bench --target-accuracy 0.9",
        "bench --checkpoint-every 5m",
        "bench --out runs/a",
        "bench --resume runs/a",
        "bench --time-to 0.9 --runs 3",
    ] {
        let run = desk.run(line);
        assert_eq!(run.code, Some(2), "{line}: {}", run.stderr);
    }
}

#[test]
fn an_accuracy_needs_a_test_set() {
    let desk = Desk::new();
    let files = "--train-images digits/train-images-idx3-ubyte --train-labels digits/train-labels-idx1-ubyte";
    let message =
        "digits/train-images-idx3-ubyte: no test files, expected t10k-… or test-…, for --time-to";
    desk.refuses(&format!("bench {files} --time-to 0.9"), 1, message);
}

#[test]
fn every_setting_of_a_step_is_measured_and_recorded() {
    let desk = Desk::new();
    let flags = "--activation relu --batch-norm --init he --bias-init 0.1 --freeze layers.0 --scale standard \
                 --shuffle-window 100 --seed 5 --engine portable --optimizer adamw --lr 0.01 --beta1 0.8 --beta2 0.9 \
                 --epsilon 0.001 --weight-decay 0.1 --l1 0.001 --max-norm 3 --clip-norm 2 --clip-value 1 --ema 0.9 \
                 --schedule cosine --warmup 1 --lr-min 0.001 --epochs 4 --dropout 0.25 --input-dropout 0.125 \
                 --input-noise 0.5 --label-smoothing 0.1 --class-weight balanced --data-mode copy --classes 12";
    let record = desk.record("a.json", flags);
    let settings = json!({
        "hidden": [9], "activation": "relu", "batch_norm": true, "init": "he", "bias_init": 0.1,
        "freeze": ["layers.0"], "scale": "standard", "epochs": 4, "shuffle_window": 100, "batch_size": 16, "seed": 5,
        "engine": "portable", "task": "classification", "loss": "cross-entropy", "optimizer": "adamw",
        "learning_rate": 0.01, "beta1": 0.8, "beta2": 0.9, "epsilon": 0.001, "weight_decay": 0.1, "l1": 0.001,
        "max_norm": 3.0, "clip_norm": 2.0, "clip_value": 1.0, "average": 0.9, "schedule": "cosine", "warmup": 1.0,
        "lr_min": 0.001, "dropout": 0.25, "input_dropout": 0.125, "input_noise": 0.5, "label_smoothing": 0.1,
        "class_weight": "balanced",
    });
    assert_eq!(record["work"]["settings"], settings);
    assert_eq!(record["work"]["network"], "784-9-12");
    let phases = list(&record["phases"][1], "phases").iter();
    let phases: Vec<&Value> = phases.map(|phase| &phase["phase"]).collect();
    for optional in ["noise", "normalization", "clipping", "max_norm"] {
        assert!(phases.contains(&&json!(optional)), "{optional}: {phases:?}");
    }
    let text = desk.run("bench --from a.json");
    let training = "adamw, learning rate 0.01, seed 5\n";
    assert!(text.done().stdout.contains(training), "{}", text.stdout);
    let settings = "; dropout = 0.25; epochs = 4; ";
    assert!(text.stdout.contains(settings), "{}", text.stdout);
}

#[test]
fn settings_come_from_a_recipe_or_a_file_and_flags_win() {
    let desk = Desk::new();
    let line = "bench --data digits --threads 1 --runs 1 --seconds 0.001 --format json";
    let settings = |flags: &str| {
        let run = desk.run(&format!("{line} {flags}"));
        let record: Value = serde_json::from_str(&run.done().stdout).expect("JSON");
        (record["work"]["settings"].clone(), run.stderr)
    };
    let (plain, _) = settings("--quiet");
    let defaults = ["hidden", "batch_size", "learning_rate"].map(|key| plain[key].clone());
    assert_eq!(defaults, [json!([100]), json!(32), json!(0.1)]);
    let (quick, _) = settings("--recipe quick --batch-size 16");
    let keys = [
        "hidden",
        "activation",
        "scale",
        "schedule",
        "epochs",
        "batch_size",
    ];
    let expected = json!([[192], "relu", "standard-global", "one-cycle", 3, 16]);
    assert_eq!(json!(keys.map(|key| quick[key].clone())), expected);
    let (other, _) = settings("--recipe quick --optimizer adam");
    assert!(other["momentum"].is_null(), "{other:#}");
    assert_eq!(other["learning_rate"], 0.001);
    let text =
        "hidden = [7]\nvalidation_split = 0.5\nearly_stop = \"3\"\nmax_time = \"1s\"\nkeep = 5\n";
    desk.put("c.toml", text);
    let (file, stderr) = settings("--config c.toml");
    assert_eq!(file["hidden"], json!([7]));
    assert!(file["early_stop"].is_null() && file["max_time"].is_null());
    let keys = "early_stop, keep, max_time, validation_split";
    let note = format!("c.toml: a bench neither validates nor saves, and ignores {keys}\n");
    assert!(stderr.starts_with(&note), "{stderr}");
    let recipes = desk.run("bench --recipe list");
    assert!(recipes.done().stdout.starts_with("tutorial "));
}

#[test]
fn a_run_can_be_measured_from_its_settings_and_weights() {
    let desk = Desk::new();
    desk.run("train --data digits --hidden 8 --activation tanh --epochs 1 --quiet --out run")
        .done();
    let record = |flags: &str| -> Value {
        let line = "bench --threads 1 --runs 1 --seconds 0.001 --quiet --format json";
        let run = desk.run(&format!("{line} {flags}"));
        serde_json::from_str(&run.done().stdout).expect("JSON")
    };
    let of_run = record("--config run/config.toml");
    let of_model = record("--data digits --init-from run/model.safetensors");
    for record in [&of_run, &of_model] {
        assert_eq!(record["work"]["network"], "784-8-10");
        assert_eq!(record["work"]["settings"]["activation"], "tanh");
    }
    assert!(of_run["work"]["init_from"].is_null());
    assert_eq!(of_model["work"]["init_from"], "run/model.safetensors");
    assert_eq!(of_model["work"]["settings"]["scale"], "model");
}

#[test]
fn refuses_settings_that_contradict_each_other_before_it_measures() {
    let desk = Desk::new();
    desk.put("c.toml", "optimizer = \"adam\"\nmomentum = 0.5\n");
    desk.put("d.toml", "hidden = [\"wide\"]\n");
    for (flags, message) in [
        (
            "--momentum 0.5 --optimizer adam",
            "--momentum: 0.5 with --optimizer adam, expected --optimizer sgd, nesterov or rmsprop",
        ),
        (
            "--hidden none --batch-norm",
            "--batch-norm: given with --hidden none, expected a hidden layer to normalise",
        ),
        (
            "--config c.toml",
            "c.toml: momentum: 0.5 with optimizer = adam, expected optimizer = sgd, nesterov or rmsprop",
        ),
        (
            "--recipe slow",
            "--recipe: slow, expected tutorial, quick, accurate, fashion, table or list",
        ),
        (
            "--time-to 0.9 --task regression",
            "--time-to: 0.9 with --task regression, expected a task that has an accuracy",
        ),
    ] {
        desk.refuses(&format!("bench --data digits {flags}"), 2, message);
    }
    for (flags, start) in [
        ("--dropout 1", "error: --dropout: 1, expected "),
        ("--config d.toml", "error: d.toml: hidden: "),
    ] {
        let run = desk.run(&format!("bench --data digits {flags}"));
        assert_eq!(run.code, Some(2), "{}", run.stderr);
        assert!(run.stderr.starts_with(start), "{}", run.stderr);
    }
}

#[test]
fn phases_add_up_to_the_time_of_a_step_and_products_have_rates() {
    let record = Desk::new().record("a.json", "");
    let all = list(&record, "phases");
    let threads: Vec<&Value> = all.iter().map(|one| &one["threads"]).collect();
    assert_eq!(threads, [1, 2]);
    for one in all {
        let phases = list(one, "phases");
        let shares = phases.iter().filter_map(|phase| phase["share"].as_f64());
        assert!((shares.sum::<f64>() - 1.0).abs() < 1e-9, "{one:#}");
        for phase in phases {
            assert!(phase["seconds_per_step"].as_f64() > Some(0.0), "{phase:#}");
            let [rate, of_peak] = ["gflops", "of_peak"].map(|key| &phase[key]);
            assert_eq!(rate.is_null(), of_peak.is_null(), "{phase:#}");
        }
        let name = |name: &str| phases.iter().find(|phase| phase["phase"] == name);
        for product in ["forward", "update"] {
            let phase = name(product).unwrap_or_else(|| panic!("{product}: {one:#}"));
            assert!(phase["gflops"].as_f64() > Some(0.0), "{phase:#}");
        }
        assert!(name("evaluation").is_none(), "{one:#}");
    }
}

#[test]
fn lines_that_travel_are_measured_between_two_cores_and_left_out_in_words_without() {
    let desk = Desk::new();
    let record = desk.record("two.json", "");
    if record["machine"]["cores"].as_u64() > Some(1) {
        let pairs = list(&record, "cores");
        assert_eq!(pairs[0]["workers"], json!([0, 1]));
        let costs = [
            "round_trip_ns",
            "read_ns",
            "write_after_read_ns",
            "write_own_ns",
        ];
        for cost in costs {
            assert!(pairs[0][cost].as_f64() > Some(0.0), "{cost}");
        }
        let text = desk.run("bench --from two.json");
        let title = "\nCores: cache lines that travel ";
        assert!(text.done().stdout.contains(title), "{}", text.stdout);
    }
    desk.change("two.json", "one.json", |record| {
        record["cores"] = json!([]);
        record["machine"]["cores"] = json!(1);
    });
    let text = desk.run("bench --from one.json");
    let sentence = "The cost of travelling cache lines is not measured: ";
    let reason = "this process may use one core only.\n";
    assert!(text.done().stdout.contains(&format!("{sentence}{reason}")));
    let run = desk.run(&TINY.replace("--threads 2", "--threads 1"));
    assert!(run.done().stdout.contains(sentence), "{}", run.stdout);
}

#[test]
fn records_of_the_earlier_layout_are_read_and_compared() {
    let desk = Desk::new();
    desk.record("now.json", "--lr 0.05");
    desk.change("now.json", "old.json", |record| {
        record["schema"] = json!("perceptor.bench/1");
        let fields = record.as_object_mut().expect("an object");
        fields.remove("cores");
        fields.remove("phases");
        let work = record["work"].as_object_mut().expect("an object");
        work.remove("settings");
        work.remove("init_from");
        for (key, value) in [
            ("activation", json!("sigmoid")),
            ("learning_rate", json!(0.05)),
            ("momentum", json!(0.9)),
            ("seed", json!(1)),
        ] {
            work.insert(key.to_owned(), value);
        }
    });
    let run = desk.run("bench --from now.json --compare old.json");
    let verdict = "Compared with old.json: nothing became slower, nothing became faster.\n";
    assert!(run.done().stdout.contains(verdict), "{}", run.stdout);
    let run = desk.run("bench --from old.json --format json");
    let found: Value = serde_json::from_str(&run.done().stdout).expect("JSON");
    assert_eq!(found["schema"], "perceptor.bench/3");
    assert_eq!(found["work"]["settings"]["learning_rate"], 0.05);
    let line = format!("{TINY} --lr 0.05 --activation relu --compare old.json");
    let message = "old.json: --activation sigmoid, expected --activation relu, as measured now";
    desk.refuses(&line, 1, message);
    desk.change("old.json", "broken.json", |record| {
        record["work"] = json!(3);
    });
    desk.change("old.json", "many.json", |record| {
        record["work"]["network"] = json!("784-many-10");
    });
    for file in ["broken.json", "many.json"] {
        let run = desk.run(&format!("bench --from {file}"));
        let end = "expected the fields of a record\n";
        assert_eq!(run.code, Some(1), "{}", run.stderr);
        assert!(run.stderr.contains(end), "{}", run.stderr);
    }
}

#[test]
fn the_time_to_an_accuracy_is_that_of_all_settings() {
    let desk = Desk::new();
    let line =
        "bench --data digits --threads 2 --seed 7 --seeds 2 --time-to 1% --quiet --format json";
    for flags in [
        "--recipe quick",
        "--hidden 9 --ema 0.9 --schedule plateau --lr-patience 1 --lr auto",
    ] {
        let run = desk.run(&format!("{line} {flags}"));
        let record: Value = serde_json::from_str(&run.done().stdout).expect("JSON");
        assert_eq!(record["time_to"]["reached"], 2, "{record:#}");
        assert_eq!(record["time_to"]["seeds"][1]["seed"], 8);
    }
}
