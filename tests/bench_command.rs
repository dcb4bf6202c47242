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
    assert_eq!(record["schema"], "perceptor.bench/1");
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
    let progress = "measuring register peak\nmeasuring products\nmeasuring training\n";
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
            "network 784-9-10 sigmoid, expected network 784-8-10 sigmoid",
        ),
        (
            "--hidden 9 --batch-size 16 --activation relu",
            "network 784-9-10 sigmoid, expected network 784-9-10 relu",
        ),
        (
            "--hidden 9 --batch-size 32",
            "batch size 16, expected batch size 32",
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
    desk.put("other.json", "{}");
    desk.put("text.json", "figures");
    let files = [
        (
            "train.json",
            "schema perceptor.train/1, expected perceptor.bench/1",
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
            "other.json",
            "JSON without a schema, expected perceptor.bench/1",
        ),
        (
            "text.json",
            "not JSON (expected ident at line 1 column 2), expected perceptor.bench/1",
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
    assert_eq!(record["schema"], "perceptor.bench/1");
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
