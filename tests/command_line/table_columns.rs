//! `data inspect` of a table: it takes the settings of `train` that decide what becomes of the columns.

use serde_json::{Value, json};

use crate::desk::Desk;
use crate::idx_set::EasySet;

/// A table with semicolons, decimal commas, comments, dates, words, and marks of missing cells.
const SALES: &str = "\
% shop of the north
id;day;town;price;sold
17;2024-01-05;Bonn;1,5;3
4;2024-02-11;Kiel;?;7
% a pause
9;2024-03-02;Ulm;2,25;5
12;2024-03-09;Ulm;4,5;2
";

fn columns(report: &Value, key: &str) -> Vec<Value> {
    let columns = report["columns"].as_array().expect("columns");
    columns.iter().map(|column| column[key].clone()).collect()
}

fn report(desk: &Desk, flags: &str) -> Value {
    let run = desk.run(&format!("data inspect t.csv --format json {flags}"));
    serde_json::from_str(&run.done().stdout).expect("JSON")
}

#[test]
fn inspecting_takes_the_options_of_a_table() {
    let desk = Desk::empty();
    desk.put("t.csv", SALES.as_bytes());
    let flags = "--target sold --task regression --drop id --dates --comment % --delimiter ; \
                 --decimal , --max-categories 2 --scale none --sample-weight 4";
    let report = report(&desk, flags);
    assert_eq!(report["rows"], 4);
    assert_eq!(report["task"], "regression");
    let roles = ["input", "input", "input", "weight", "target"];
    assert_eq!(columns(&report, "role"), roles);
    let encodings = columns(&report, "encoding");
    assert_eq!(encodings[0]["reason"], "dropped");
    assert_eq!(encodings[1]["type"], "date");
    assert_eq!(encodings[1]["offset"], json!(0.0));
    assert_eq!(encodings[2]["values"], json!(["Bonn", "Ulm"]));
}

#[test]
fn inspecting_refuses_what_training_refuses() {
    let desk = Desk::empty();
    desk.put("t.csv", SALES.as_bytes());
    for flags in [
        "--target sold --missing refuse --comment %",
        "--target sold --header=false --comment %",
        "--target sold --scale unit --comment %",
        "--target sold --max-categories 0",
        "--target sold --drop none-such --comment %",
    ] {
        let trained = desk.run(&format!("train --data t.csv {flags}"));
        let inspected = desk.run(&format!("data inspect t.csv {flags}"));
        assert!(trained.stderr.contains("error: "), "{trained:#?}");
        assert_eq!(inspected.code, trained.code, "{inspected:#?}");
        assert_eq!(inspected.stderr, trained.stderr);
    }
}

#[test]
fn notes_spell_settings_as_flags() {
    let desk = Desk::empty();
    let mut text = "day,number,answer\n".to_owned();
    for row in 0..300 {
        let (year, month, day) = (1990 + row / 28, 1 + row % 12, 1 + row % 28);
        text += &format!("{year}-{month:02}-{day:02},{row}.5,{}\n", row % 2);
    }
    desk.put("t.csv", text.as_bytes());
    let run = desk.run("data inspect t.csv --target answer");
    assert!(run.done().stdout.contains("use --task\n"), "{run:#?}");
    assert!(run.stdout.contains("use --dates\n"), "{run:#?}");
    let notes = report(&desk, "--target answer")["notes"].to_string();
    assert!(notes.contains("use --task\""), "{notes}");
}

#[test]
fn options_of_a_table_are_refused_for_idx_files() {
    let desk = Desk::with(&EasySet::default());
    for (path, flag, value) in [
        ("set", "--drop", " 1"),
        ("set", "--dates", ""),
        ("set/train-images-idx3-ubyte", "--header", "=true"),
        ("set/train-images-idx3-ubyte", "--scale", " none"),
    ] {
        desk.refuses(
            &format!("data inspect {path} {flag}{value}"),
            2,
            &format!("{flag}: given for {path}, expected a table to go with it"),
        );
    }
    desk.run("data inspect set --task regression").done();
}
