//! Models of tables: other tools take the cells as they are in the table, and predict the same.

use std::fmt::Write;
use std::fs;
use std::num::NonZeroUsize;
use std::path::Path;
use std::process::Command;

use perceptor::table::{Encoding, NumberScale, Schema, TableOptions, TableRequest, TrainingTable};
use perceptor::{Model, Predictor, Splits, TrainConfig, Workers, train};

use crate::c::compiler;
use crate::models::{perceptor, stdout_of};
use crate::python::Python;

const ROWS: usize = 200;
const HEADER: &str = "id,size,cut,air,sold,same,price,debt";

/// A row of a table with every kind of column. Later tables have a category that training has not seen.
fn row(at: usize, is_later: bool) -> [String; 8] {
    let size = 1.7e9 + (at * 37 % 101) as f64 / 4.0;
    let cut = match at % 7 {
        0 | 1 | 4 => "good",
        2 => "fair \"*/",
        3 => "NA",
        5 => "rare",
        _ if is_later => "never seen",
        _ => "poor",
    };
    let air = ["yes", "no", "no", ""][at % 4];
    let day = at % 28 + 1;
    // A long tail on one side, and missing cells.
    let debt = match at % 17 {
        9 => String::new(),
        _ => (2.0 - (at * 29 % 97) as f64 / 6.0)
            .exp2()
            .mul_add(-1e3, 5.0)
            .to_string(),
    };
    let price = (size - 1.7e9) / 10.0 + air.len() as f64 + day as f64 / 10.0;
    [
        (1000 + at).to_string(),
        if at % 11 == 3 {
            "?".to_owned()
        } else {
            size.to_string()
        },
        cut.to_owned(),
        air.to_owned(),
        if at % 13 == 5 {
            String::new()
        } else {
            format!("2024-02-{day:02}")
        },
        "7".to_owned(),
        price.to_string(),
        debt,
    ]
}

fn write_table(path: &Path, is_later: bool) {
    let mut text = format!("{HEADER}\n");
    for at in 0..ROWS {
        let quoted = row(at, is_later).map(|cell| format!("\"{}\"", cell.replace('"', "\"\"")));
        writeln!(text, "{}", quoted.join(",")).expect("text");
    }
    fs::write(path, text).expect("writing");
}

/// Trains on one table, and predicts another: `model.safetensors` and `later.csv`. Returns the schema and the predictions.
fn trained(folder: &Path) -> (Schema, Vec<f64>) {
    let [table, later] = ["train.csv", "later.csv"].map(|name| folder.join(name));
    write_table(&table, false);
    write_table(&later, true);
    let options = TableOptions {
        dates: true,
        max_categories: 3,
        scale: NumberScale::Log,
        ..TableOptions::default()
    };
    let request = TableRequest {
        path: &table,
        targets: &["price".to_owned()],
        sample_weight: None,
        task: None,
        options: &options,
    };
    let workers = Workers::new(NonZeroUsize::new(2).expect("not zero")).expect("workers");
    let surveyed = TrainingTable::survey(&request, &workers).expect("a table");
    let (schema, task) = (surveyed.schema().clone(), surveyed.task());
    let mut config = TrainConfig {
        hidden: vec![8],
        epochs: 5,
        ..TrainConfig::default()
    };
    config.task.task = task;
    let data = surveyed.read(&workers).expect("rows").data;
    let data = Splits::new(data, None, None).expect("splits");
    let outcome = train(&config, &data, &workers, &mut |_| {}).expect("a finite loss");
    let model = Model {
        schema: Some(schema.clone()),
        ..outcome.model
    };
    model
        .save(&folder.join("model.safetensors"))
        .expect("saving");
    let rows = schema
        .read_rows(&later, &options, &workers)
        .expect("rows")
        .rows;
    let mut predictor = Predictor::new(&model, &workers).expect("memory");
    let values = predictor.predict_rows(&rows, 0..ROWS).expect("predictions");
    let values: Vec<f64> = values.iter().map(|&value| f64::from(value)).collect();
    assert!(values.iter().any(|value| (value - values[0]).abs() > 0.5));
    (schema, values)
}

fn export(folder: &Path, flags: &str, name: &str) {
    let (out, model) = (folder.join(name), folder.join("model.safetensors"));
    let printed = perceptor(&format!("export {flags} --out"), &[&out, &model]);
    assert!(printed.contains("next  "), "{printed}");
}

fn assert_same(ours: &[f64], lines: &str) {
    let theirs: Vec<f64> = lines
        .lines()
        .map(|line| line.parse().expect(line))
        .collect();
    assert_eq!(ours.len(), theirs.len());
    for (at, (ours, theirs)) in ours.iter().zip(&theirs).enumerate() {
        assert!(
            (ours - theirs).abs() < 1e-4,
            "row {at}: {theirs}, expected {ours}"
        );
    }
}

#[test]
fn onnxruntime_takes_the_cells_of_a_table() {
    let Some(python) = Python::with("numpy, onnx, onnxruntime") else {
        return;
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let folder = folder.path();
    let (_, ours) = trained(folder);
    export(folder, "--to onnx", "model.onnx");
    assert_same(
        &ours,
        &python.run(include_str!("predict_table.py"), &[folder]),
    );
    // A runtime that takes encoded rows finds the schema.
    export(folder, "--to npz", "model.npz");
    let script = "import json, sys, numpy\n\
        schema = json.loads(str(numpy.load(sys.argv[1])['schema']))\n\
        print(schema['targets'][0]['name'])";
    let name = python.run(script, &[&folder.join("model.npz")]);
    assert_eq!(name.trim(), "price");
}

/// The number that a header takes for a cell.
fn number(encoding: &Encoding, cell: &str) -> f64 {
    if ["", "NA", "?"].contains(&cell) {
        return f64::NAN;
    }
    match encoding {
        Encoding::Omitted { .. } => panic!("a column without inputs"),
        Encoding::Number { .. } => cell.parse().expect(cell),
        // Days from 1970-01-01 to 2024-02-01.
        Encoding::Date { .. } => 19_753.0 + cell[8..].parse::<f64>().expect(cell),
        Encoding::Flag { yes, .. } => f64::from(u8::from(cell == yes)),
        Encoding::Categories { values, .. } => {
            let code = values.iter().position(|value| value == cell);
            code.unwrap_or(values.len()) as f64
        }
    }
}

#[test]
fn a_header_takes_the_cells_of_a_table_as_numbers() {
    let Some(compiler) = compiler() else { return };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let folder = folder.path();
    let (schema, ours) = trained(folder);
    export(folder, "--to c --name table", "table.h");
    let header = fs::read_to_string(folder.join("table.h")).expect("text");
    let lines = [
        "elements[0]  size: a number",
        "elements[2]  air: 0 for \"no\", 1 for \"yes\"",
        "elements[3]  sold: a date, in days since 1970-01-01",
        "table_log(elements[4], ",
    ];
    for line in lines {
        assert!(header.contains(line), "{line}: {header}");
    }
    let mut cells = String::new();
    for at in 0..ROWS {
        let row = row(at, true);
        for column in schema
            .columns
            .iter()
            .filter(|column| column.encoding.inputs() > 0)
        {
            let number = number(&column.encoding, &row[column.place.position]);
            write!(cells, "{number} ").expect("text");
        }
    }
    fs::write(folder.join("cells"), cells).expect("writing");
    fs::write(folder.join("table.c"), include_str!("predict_table.c")).expect("writing");
    let mut build = Command::new(&compiler);
    build
        .args("-std=c99 -Wall -Wextra -Wconversion -Werror -pedantic -O2".split(' '))
        .args(["table.c", "-o", "table", "-lm"]);
    stdout_of(build.current_dir(folder));
    assert_same(
        &ours,
        &stdout_of(Command::new(folder.join("table")).arg(folder.join("cells"))),
    );
}
