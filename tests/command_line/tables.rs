//! Tables from training to predictions: what is trained, what is kept in the model, and how later tables are read by it.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::desk::{Desk, number};
use crate::idx_set::{EasySet, SPLITMIX64_STEP, splitmix64};
use crate::model_file::metadata;

const MODEL: &str = "run/model.safetensors";

/// Returns a pseudo-random number from -1 to 1.
fn noise(row: u64, column: u64) -> f64 {
    let state = (1000 * row + column).wrapping_mul(SPLITMIX64_STEP);
    2.0 * (splitmix64(state) as f64 / u64::MAX as f64) - 1.0
}

/// Three columns of noise, one of years, one of words and a number to predict that depends on all of them. Rows differ by
/// the first one.
fn houses(first: u64, rows: u64) -> String {
    let mut text = "a,b,c,year,town,price\n".to_owned();
    for row in first..first + rows {
        let [a, b, c] = [0, 1, 2].map(|column| noise(row, column));
        let year = 1990 + splitmix64(row) % 31;
        let town = ["Bonn", "Kiel", "Ulm"][(splitmix64(row + 7) % 3) as usize];
        let extra = if town == "Ulm" { 0.4 } else { 0.0 };
        let trend = 0.02 * (year as f64 - 2005.0);
        let price = 100_000.0 * (3.0 + 0.3 * a - 0.2 * b + 0.1 * c + trend + extra);
        writeln!(text, "{a:.4},{b:.4},{c:.4},{year},{town},{price:.0}").expect("memory");
    }
    text
}

/// Rows of two classes, `no` and `yes`, that follow from the first column.
fn answers(rows: u64) -> String {
    let mut text = "x,y,answer\n".to_owned();
    for row in 0..rows {
        let (x, y) = (noise(row, 0), noise(row, 1));
        let answer = if x > 0.0 { "yes" } else { "no" };
        writeln!(text, "{x:.3},{y:.3},{answer}").expect("memory");
    }
    text
}

/// Returns the columns of CSV in another order.
fn reordered(text: &str, order: &[usize]) -> String {
    let line = |line: &str| {
        let cells: Vec<&str> = line.split(',').collect();
        let cells: Vec<&str> = order.iter().map(|&at| cells[at]).collect();
        cells.join(",") + "\n"
    };
    text.lines().map(line).collect()
}

/// Returns a desk with a model of `houses` in `run`, and the tables `train.csv` and `test.csv`.
fn with_houses() -> Desk {
    let desk = Desk::empty();
    desk.put("train.csv", houses(0, 600).as_bytes());
    desk.put("test.csv", houses(10_000, 100).as_bytes());
    desk.run("train --data train.csv --target price --test-data test.csv --out run --quiet")
        .done();
    desk
}

/// Returns the lines that `predict` writes as CSV.
fn predictions(desk: &Desk, flags: &str) -> Vec<String> {
    let run = desk.run(&format!("predict {MODEL} {flags} --format csv"));
    run.done().stdout.lines().map(str::to_owned).collect()
}

#[test]
fn a_table_trains_with_no_other_flag_and_columns_of_any_range_count() {
    let desk = Desk::empty();
    desk.put("train.csv", houses(0, 600).as_bytes());
    desk.put("test.csv", houses(10_000, 100).as_bytes());
    let report = desk.report_of("--data train.csv --target price --test-data test.csv --out run");
    assert!(number(&report["test_r2"]) > 0.95, "{report}");
    let schema = &metadata(&desk.read(MODEL))["schema"];
    assert_eq!(schema["header"], true);
    assert_eq!(schema["columns"][3]["name"], "year");
    assert_eq!(schema["columns"][3]["type"], "number");
    assert_eq!(
        schema["columns"][4]["values"],
        json!(["Bonn", "Kiel", "Ulm"])
    );
    assert_eq!(
        schema["targets"],
        json!([{"name": "price", "position": 5, "type": "values"}])
    );
    let recorded = desk.read_text("run/config.toml");
    for line in [
        "target = [\"price\"]",
        "task = \"regression\"",
        "activation = \"relu\"",
    ] {
        assert!(recorded.lines().any(|it| it == line), "{line}: {recorded}");
    }
}

#[test]
fn the_banner_has_the_task_and_the_default_recipe() {
    let desk = Desk::empty();
    desk.put("t.csv", answers(200).as_bytes());
    let run = desk.run("train --data t.csv --target answer --epochs 2");
    for words in [
        "  table     2 columns in 2 inputs: 2 numbers\n",
        "  target    answer\n",
        "recipe table, the default for a table",
        "note: t.csv: the task is classification",
        " 2 classes",
    ] {
        assert!(run.done().stderr.contains(words), "{words}: {run:#?}");
    }
    let other =
        desk.run("train --data t.csv --target answer --recipe quick --scale standard --epochs 2");
    assert!(!other.done().stderr.contains("recipe table"), "{other:#?}");
    let quiet = desk.run("train --data t.csv --target answer --epochs 2 --quiet");
    assert_eq!(quiet.done().stderr, "");
}

#[test]
fn columns_are_found_by_name_in_any_order() {
    let desk = with_houses();
    let test = desk.read_text("test.csv");
    desk.put(
        "other.csv",
        reordered(&test, &[5, 3, 1, 4, 2, 0]).as_bytes(),
    );
    desk.put("without.csv", reordered(&test, &[4, 3, 2, 1, 0]).as_bytes());
    let expected = predictions(&desk, "test.csv");
    assert_eq!(expected.len(), 101);
    assert_eq!(expected[0], "prediction");
    assert_eq!(predictions(&desk, "other.csv"), expected);
    assert_eq!(predictions(&desk, "without.csv"), expected);
    let score = |data: &str| {
        let run = desk.run(&format!("eval {MODEL} --data {data} --format json"));
        run.done().json()["r2"].clone()
    };
    assert_eq!(score("test.csv"), score("other.csv"));
    assert!(number(&score("test.csv")) > 0.95);
}

#[test]
fn predictions_are_in_the_units_of_the_target() {
    let desk = with_houses();
    let truth = reordered(&desk.read_text("test.csv"), &[5]);
    let predicted = predictions(&desk, "test.csv");
    for (found, expected) in predicted.iter().zip(truth.lines()).skip(1) {
        let [found, expected] =
            [found, expected].map(|cell| cell.parse::<f64>().expect("a number"));
        assert!(
            (found - expected).abs() < 60_000.0,
            "{found} for {expected}"
        );
    }
}

#[test]
fn an_extra_column_is_noted_and_a_missing_one_is_named() {
    let desk = with_houses();
    let test = desk.read_text("test.csv");
    let extra: String = test.lines().map(|line| format!("{line},7\n")).collect();
    desk.put("extra.csv", extra.replacen(",7\n", ",new\n", 1).as_bytes());
    let run = desk.run(&format!("predict {MODEL} extra.csv --format csv"));
    assert!(run.done().stderr.contains("new"), "{run:#?}");
    let found: Vec<&str> = run.stdout.lines().collect();
    assert_eq!(found, predictions(&desk, "test.csv"));
    desk.put("short.csv", reordered(&test, &[0, 1, 3, 4, 5]).as_bytes());
    let predict = format!("predict {MODEL} short.csv");
    desk.refuses_in_parts(&predict, 1, &["short.csv: no column \"c\", expected "]);
    let headless: String = test
        .lines()
        .skip(1)
        .map(|line| format!("{line}\n"))
        .collect();
    desk.put("headless.csv", headless.as_bytes());
    let predict = format!("predict {MODEL} headless.csv");
    desk.refuses_in_parts(&predict, 1, &["headless.csv: no column ", "hint: "]);
}

#[test]
fn a_table_without_a_header_must_have_as_many_columns() {
    let desk = Desk::empty();
    let body = |text: &str| -> String { text.lines().skip(1).map(|l| format!("{l}\n")).collect() };
    desk.put("train.csv", body(&answers(200)).as_bytes());
    desk.run("train --data train.csv --target -1 --epochs 20 --out run --quiet")
        .done();
    assert_eq!(metadata(&desk.read(MODEL))["schema"]["header"], false);
    let lines = predictions(&desk, "train.csv");
    assert_eq!(lines.len(), 201);
    assert_eq!(lines[0], "prediction");
    desk.put(
        "inputs.csv",
        reordered(&body(&answers(200)), &[0, 1]).as_bytes(),
    );
    assert_eq!(predictions(&desk, "inputs.csv"), lines);
    desk.put("one.csv", b"1.5\n2.5\n");
    let predict = format!("predict {MODEL} one.csv");
    desk.refuses_in_parts(&predict, 1, &["one.csv: 1 columns, expected 3"]);
    // The answer of the training file holds for later ones: a row of numbers is no header.
    let answered = desk.run(&format!("predict {MODEL} inputs.csv --format csv --append"));
    assert_eq!(answered.done().stdout.lines().count(), 200);
}

#[test]
fn a_header_of_numbers_is_kept_as_the_training_file_had_it() {
    let desk = Desk::empty();
    let text = answers(200).replacen("x,y,answer", "1,2,3", 1);
    desk.put("train.csv", text.as_bytes());
    desk.run("train --data train.csv --target 3 --header=true --epochs 5 --out run --quiet")
        .done();
    assert_eq!(predictions(&desk, "train.csv").len(), 201);
    desk.put("new.csv", reordered(&text, &[1, 0]).as_bytes());
    assert_eq!(
        predictions(&desk, "new.csv"),
        predictions(&desk, "train.csv")
    );
}

#[test]
fn timestamps_keep_their_differences() {
    let desk = Desk::empty();
    let mut text = "time,late\n".to_owned();
    for row in 0..400u64 {
        let second = 1_700_000_000 + splitmix64(row) % 100;
        writeln!(
            text,
            "{second},{}",
            if second >= 1_700_000_050 { "yes" } else { "no" }
        )
        .expect("memory");
    }
    desk.put("t.csv", text.as_bytes());
    let report = desk.report_of("--data t.csv --target late --test-data t.csv --out run");
    assert!(number(&report["test_accuracy"]) > 0.97, "{report}");
}

#[test]
fn every_row_has_an_answer_whatever_its_cells() {
    let desk = with_houses();
    desk.put(
        "new.csv",
        b"town,year,a,b,c\nBonn,2000,0.1,0.2,0.3\nParis,2000,0.1,0.2,0.3\n,,,,\nUlm,NA,?,nan,null\n",
    );
    let run = desk.run(&format!("predict {MODEL} new.csv --format csv"));
    let lines: Vec<&str> = run.done().stdout.lines().collect();
    assert_eq!(lines.len(), 5);
    assert!(
        lines[1..]
            .iter()
            .all(|cell| cell.parse::<f32>().is_ok_and(f32::is_finite))
    );
    assert!(
        run.stderr
            .contains("1 cell with a value that the training file did not have"),
        "{run:#?}"
    );
    let refuse = format!("predict {MODEL} new.csv --missing refuse");
    desk.refuses_in_parts(&refuse, 1, &["new.csv: row 4, column ", "a missing cell"]);
}

#[test]
fn missing_cells_of_the_training_table_have_an_input_of_their_own() {
    let desk = Desk::empty();
    // Only whether a cell is missing decides.
    let mut text = "x,y,answer\n".to_owned();
    for row in 0..300u64 {
        let is_missing = splitmix64(row).is_multiple_of(2);
        let x = if is_missing {
            "NA".to_owned()
        } else {
            format!("{:.3}", noise(row, 0))
        };
        let answer = if is_missing { "yes" } else { "no" };
        writeln!(text, "{x},{:.3},{answer}", noise(row, 1)).expect("memory");
    }
    desk.put("t.csv", text.as_bytes());
    let report = desk.report_of("--data t.csv --target answer --test-data t.csv --out run");
    assert!(number(&report["test_accuracy"]) > 0.99, "{report}");
    let column = &metadata(&desk.read(MODEL))["schema"]["columns"][0];
    assert_eq!(column["missing"], true);
    assert!(
        report["notes"]
            .as_array()
            .is_some_and(|notes| !notes.is_empty()),
        "{report}"
    );
    let refuse = "train --data t.csv --target answer --missing refuse";
    desk.refuses_in_parts(
        refuse,
        1,
        &[
            "t.csv: row ",
            ", column 1 (x): a missing cell, expected a value",
        ],
    );
}

#[test]
fn append_writes_the_columns_of_the_table_before_the_prediction() {
    let desk = Desk::empty();
    desk.put("t.csv", answers(200).as_bytes());
    desk.run("train --data t.csv --target answer --epochs 40 --out run --quiet")
        .done();
    let new = "id;x;y\n\"1;a\";0,9;0,1\n2;-0,9;0,1\n";
    desk.put("new.csv", new.as_bytes());
    let lines = predictions(&desk, "new.csv --append");
    assert_eq!(lines[0], "id;x;y;prediction");
    assert_eq!(lines[1], "\"1;a\";0,9;0,1;yes");
    assert_eq!(lines[2], "2;-0,9;0,1;no");
    let probabilities = predictions(&desk, "new.csv --append --proba");
    assert_eq!(probabilities[0], "id;x;y;prediction;p_no;p_yes");
    assert!(
        probabilities[1].starts_with("\"1;a\";0,9;0,1;yes;0,"),
        "{probabilities:?}"
    );
    let some = predictions(&desk, "new.csv --append --offset 1 --limit 1");
    assert_eq!(some, ["id;x;y;prediction", "2;-0,9;0,1;no"]);
    assert_eq!(predictions(&desk, "new.csv"), ["prediction", "yes", "no"]);
    desk.put("again.csv", b"x,y,prediction\n1,2,yes\n");
    let refused = format!("predict {MODEL} again.csv --format csv --append");
    desk.refuses_in_parts(
        &refused,
        1,
        &["again.csv: a column \"prediction\", expected none"],
    );
    let refused = format!("predict {MODEL} new.csv --append");
    desk.refuses_in_parts(
        &refused,
        2,
        &["--append: given with --format text, expected --format csv"],
    );
}

#[test]
fn several_targets_have_a_column_each() {
    let desk = Desk::empty();
    let mut text = "x,rent,price\n".to_owned();
    for row in 0..300 {
        let x = noise(row, 0);
        writeln!(text, "{x:.3},{:.3},{:.3}", 0.5 + x, 1.0 - 0.2 * x).expect("memory");
    }
    desk.put("t.csv", text.as_bytes());
    desk.run("train --data t.csv --target price --target rent --out run --quiet")
        .done();
    let lines = predictions(&desk, "t.csv --limit 3");
    assert_eq!(lines[0], "prediction_price,prediction_rent");
    for (line, truth) in lines[1..].iter().zip(text.lines().skip(1)) {
        let numbers = |line: &str| -> Vec<f64> {
            line.split(',')
                .map(|cell| cell.parse().expect("a number"))
                .collect()
        };
        let (found, truth) = (numbers(line), numbers(truth));
        assert!(
            (found[0] - truth[2]).abs() < 0.1 && (found[1] - truth[1]).abs() < 0.2,
            "{line} {truth:?}"
        );
    }
    let both = desk.report_of("--data t.csv --target price,rent --epochs 1 --out b");
    assert_eq!(both["config"]["task"], "regression");
}

#[test]
fn the_number_of_threads_changes_no_byte_of_the_model() {
    let desk = Desk::empty();
    desk.put("t.csv", houses(0, 300).as_bytes());
    let flags = "--data t.csv --target price --epochs 5 --engine native --threads";
    let model = desk.model_of(&format!("{flags} 1"));
    for threads in [2, 3] {
        assert!(
            desk.model_of(&format!("{flags} {threads}")) == model,
            "{threads} threads"
        );
    }
}

#[test]
fn training_from_a_model_reads_the_table_by_its_schema() {
    let desk = with_houses();
    desk.put("more.csv", houses(2_000, 200).as_bytes());
    let flags = format!("--data more.csv --init-from {MODEL} --epochs 2 --lr 0.001 --out more");
    desk.report_of(&flags);
    let schema = |file: &str| metadata(&desk.read(file))["schema"].clone();
    assert_eq!(schema("more/model.safetensors"), schema(MODEL));
    desk.put(
        "less.csv",
        reordered(&houses(0, 20), &[0, 1, 3, 4, 5]).as_bytes(),
    );
    let train = format!("train --init-from {MODEL} --data");
    desk.refuses_in_parts(
        &format!("{train} less.csv"),
        1,
        &["less.csv: no column \"c\""],
    );
    desk.refuses_in_parts(
        &format!("{train} more.csv --target year"),
        2,
        &["--target: year, expected column 6 (price), as in the model"],
    );
    desk.refuses_in_parts(
        &format!("{train} more.csv --drop a"),
        2,
        &["--drop: given with --init-from"],
    );
}

#[test]
fn a_search_on_a_table_finds_settings_for_it() {
    let desk = Desk::empty();
    desk.put("t.csv", answers(200).as_bytes());
    let tune =
        "tune --data t.csv --target answer --trials 3 --epochs 2 --threads 1 --out search --quiet";
    desk.run(tune).done();
    let best = desk.read_text("search/best.toml");
    assert!(best.contains("target = [\"answer\"]"), "{best}");
    desk.run("train --config search/best.toml --out run --quiet")
        .done();
    assert_eq!(predictions(&desk, "t.csv").len(), 201);
}

#[test]
fn rows_weigh_as_their_column_says() {
    let desk = Desk::empty();
    // Half of the rows are wrong, and weigh nothing.
    let mut text = "x,n,answer\n".to_owned();
    for row in 0..400u64 {
        let (x, weight) = (noise(row, 0), splitmix64(row) % 2);
        let answer = if (x > 0.0) == (weight == 1) {
            "yes"
        } else {
            "no"
        };
        writeln!(text, "{x:.3},{weight},{answer}").expect("memory");
    }
    desk.put("t.csv", text.as_bytes());
    desk.put("test.csv", reordered(&answers(200), &[0, 2]).as_bytes());
    desk.run("train --data t.csv --target answer --sample-weight n --validation-split none --early-stop none --out run --quiet")
        .done();
    let lines = predictions(&desk, "test.csv");
    let truth = answers(200);
    let truth = truth
        .lines()
        .skip(1)
        .map(|line| line.rsplit(',').next().expect("cells"));
    let right = lines[1..]
        .iter()
        .zip(truth)
        .filter(|(found, truth)| found == truth)
        .count();
    assert!(right > 180, "{right}");
}

#[test]
fn settings_of_tables_and_of_idx_files_do_not_mix() {
    let desk = Desk::with(&EasySet::default());
    desk.put("t.csv", answers(50).as_bytes());
    desk.refuses(
        "train --data t.csv",
        2,
        "--target: not given with the table t.csv, expected the column to predict\n\
         hint: the table has column 1 (x), column 2 (y), column 3 (answer)",
    );
    desk.refuses(
        "train --data set --target answer",
        2,
        "--target: given with the folder set, expected a table to train on, named with --data",
    );
    desk.refuses(
        "train --target answer",
        2,
        "--target: given without a table, expected a table to train on, named with --data",
    );
    desk.refuses(
        "train --data t.csv --target answer --classes 3",
        2,
        "--classes: 3 with the table t.csv, expected none, as the target decides about the classes",
    );
    desk.refuses_in_parts(
        "train --data t.csv --target answer --scale unit",
        2,
        &["--scale: unit with a table, expected standard, log or none"],
    );
    desk.refuses_in_parts(
        "train --data t.csv --target z",
        2,
        &["--target: z, expected a column: "],
    );
    desk.refuses_in_parts(
        "train --data t.csv --target answer --task regression",
        1,
        &["t.csv", "answer", ", expected "],
    );
    desk.refuses_in_parts(
        "train --data none.csv --target answer",
        1,
        &["none.csv: could not "],
    );
}

#[test]
fn a_model_reads_what_it_was_trained_on() {
    let desk = Desk::with_model(&EasySet::default());
    desk.put("t.csv", answers(200).as_bytes());
    desk.run("train --data t.csv --target answer --epochs 2 --out run --quiet")
        .done();
    let idx = "model/model.safetensors";
    let expected =
        "t.csv: no IDX file, expected IDX files, as the model was not trained on a table\n";
    let parts = [
        expected,
        "hint: ",
        "data convert t.csv --labels COLUMN --out t-set",
    ];
    desk.refuses_in_parts(&format!("eval {idx} --data t.csv"), 1, &parts);
    let expected = "columns of numbers, the inputs of the model\n";
    desk.refuses_in_parts(&format!("predict {idx} t.csv"), 1, &["t.csv: ", expected]);
    desk.refuses_in_parts(
        &format!("eval {MODEL}"),
        2,
        &["--data: not given, expected --data TABLE"],
    );
    desk.refuses_in_parts(
        &format!("eval {MODEL} --data set"),
        1,
        &["set: ", ", expected a table"],
    );
    let images = "set/t10k-images-idx3-ubyte";
    desk.refuses_in_parts(
        &format!("predict {MODEL} {images}"),
        1,
        &[&format!("{images}: ")],
    );
    desk.refuses_in_parts(
        &format!("predict {idx} {images} --delimiter ;"),
        2,
        &["--delimiter: given for a model of IDX files, expected a model that was trained on a table"],
    );
    desk.refuses_in_parts(
        &format!("train --data set --init-from {MODEL}"),
        2,
        &["--init-from: a model of a table, expected a table to train on"],
    );
    desk.refuses_in_parts(
        &format!("train --data t.csv --target answer --init-from {idx}"),
        2,
        &["--init-from: a model that was not trained on a table, expected "],
    );
}

#[test]
fn model_show_has_the_columns_and_the_target() {
    let desk = with_houses();
    let run = desk.run(&format!("model show {MODEL}"));
    for words in ["town", "Bonn, Kiel, Ulm", "price"] {
        assert!(run.done().stdout.contains(words), "{words}: {run:#?}");
    }
    let json = desk.run(&format!("model show {MODEL} --format json"));
    let report: Value = json.done().json();
    assert_eq!(report["table"]["columns"][4]["name"], "town");
}

#[test]
fn hostile_tables_are_clear_errors() {
    let desk = Desk::empty();
    let tables: [(&str, &[u8]); 9] = [
        ("empty", b""),
        ("header", b"x,answer\n"),
        ("zeros", &[0; 3000]),
        ("ragged", b"x,answer\n1,a\n2\n"),
        ("quote", b"x,answer\n\"1,a\n2,b\n"),
        ("twice", b"answer,answer\n1,2\n3,4\n"),
        ("one", b"answer\na\nb\n"),
        ("constant", b"x,answer\n1,a\n1,b\n"),
        ("gzip", b"\x1f\x8b\x08\0\0\0\0\0"),
    ];
    for (name, bytes) in tables {
        let name = format!("{name}.csv");
        desk.put(&name, bytes);
        let line = format!("train --data {name} --target answer");
        let run = desk.run(&line);
        let code = run.code.expect("an exit code");
        desk.refuses_in_parts(&line, code, &["", ", expected "]);
        assert!([1, 2].contains(&code), "{run:#?}");
    }
}

#[test]
fn no_byte_of_a_schema_crashes_the_program() {
    let desk = Desk::empty();
    desk.put("t.csv", answers(60).as_bytes());
    desk.run("train --data t.csv --target answer --epochs 1 --hidden 2 --out run --quiet")
        .done();
    let model = desk.read(MODEL);
    let schema = b"\\\"schema\\\"";
    let start = model
        .windows(schema.len())
        .position(|window| window == schema);
    let start = start.expect("a schema");
    for at in (start..start + 420).step_by(7) {
        let mut bytes = model.clone();
        bytes[at] = if bytes[at] == b'1' { b'9' } else { b'1' };
        desk.put("bad.safetensors", &bytes);
        let run = desk.run("predict bad.safetensors t.csv --limit 1");
        assert!(matches!(run.code, Some(0 | 1)), "byte {at}: {run:#?}");
        assert!(!run.stderr.contains("panicked"), "byte {at}: {run:#?}");
    }
}
