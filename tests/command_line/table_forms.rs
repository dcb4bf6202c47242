//! Tables in the forms that people have them: whatever is guessed, left out or refused is said.

use std::fmt::Write;

use crate::desk::Desk;

/// Returns the notes of a training run on `text`.
fn notes(desk: &Desk, text: &str, flags: &str) -> Vec<String> {
    desk.put("t.csv", text.as_bytes());
    let run = desk.run(&format!(
        "train --data t.csv --epochs 2 --out run --exist-ok {flags}"
    ));
    let notes = run
        .done()
        .stderr
        .lines()
        .filter_map(|line| line.strip_prefix("note: t.csv: "));
    notes.map(str::to_owned).collect()
}

/// Rows of two numbers and their sum.
fn sums(rows: u32) -> String {
    let mut text = String::new();
    for row in 0..rows {
        let (a, b) = (row % 17, f64::from(row % 23) / 2.0);
        writeln!(text, "{a},{b},{}", f64::from(a) + b).expect("memory");
    }
    text
}

#[test]
fn a_guess_about_the_first_row_is_said() {
    let desk = Desk::empty();
    let data = "the first row is data, not names of columns; to override that, use --header";
    let numbers = "the first row has numbers, which are taken as names of columns; to override that, use --header=false";
    let body = sums(200);
    assert!(notes(&desk, &body, "--target -1").contains(&data.to_owned()));
    let years = format!("1990,1991,1992\n{body}");
    assert!(notes(&desk, &years, "--target -1").contains(&data.to_owned()));
    // Pandas names columns without names by their numbers.
    let wide: String = body.lines().map(|line| format!("5,{line}\n")).collect();
    let counted = notes(&desk, &format!("0,1,2,3\n{wide}"), "--target -1");
    assert!(counted.contains(&numbers.to_owned()), "{counted:?}");
    for (text, flags) in [
        (format!("a,b,c\n{body}"), "--target c"),
        (years, "--target -1 --header=true"),
        (body, "--target -1 --header=false"),
    ] {
        let notes = notes(&desk, &text, flags);
        assert!(
            !notes.iter().any(|note| note.contains("first row")),
            "{notes:?}"
        );
    }
}

#[test]
fn a_target_that_never_changes_is_said() {
    let desk = Desk::empty();
    let mut text = "a,b,t\n".to_owned();
    for row in 0..100 {
        writeln!(text, "{row}.5,{},7.5", row * row).expect("memory");
    }
    let notes = notes(&desk, &text, "--target t");
    let expected = "column 3 (t) is 7.5 in each row, so there is nothing to learn";
    assert!(notes.contains(&expected.to_owned()), "{notes:?}");
}

#[test]
fn a_table_without_rows_is_refused_where_it_is_predicted() {
    let desk = Desk::empty();
    notes(&desk, &format!("a,b,c\n{}", sums(200)), "--target c");
    desk.put("new.csv", b"a,b\n");
    desk.refuses(
        "predict run/model.safetensors new.csv --format csv",
        1,
        "new.csv: no row below the header, expected rows",
    );
}

#[test]
fn a_table_of_its_target_alone_is_refused() {
    let desk = Desk::empty();
    desk.put("t.csv", b"t\n1.5\n2.5\n3.25\n");
    desk.refuses(
        "train --data t.csv --target t",
        1,
        "t.csv: no column except the target, expected inputs",
    );
}

#[test]
fn ten_thousand_columns_train() {
    let desk = Desk::empty();
    let names: Vec<String> = (0..10_000).map(|column| format!("c{column}")).collect();
    let mut text = format!("{},t\n", names.join(","));
    for row in 0..40u64 {
        let cells = (0..10_000u64).map(|column| ((row * 31 + column * 7) % 101).to_string());
        let cells: Vec<String> = cells.collect();
        writeln!(text, "{},{row}.5", cells.join(",")).expect("memory");
    }
    desk.put("t.csv", text.as_bytes());
    desk.run("train --data t.csv --target t --hidden 8 --epochs 2 --out run")
        .done();
    assert!(desk.has("run/model.safetensors"));
}

#[test]
fn one_cell_is_not_some_cells() {
    let desk = Desk::empty();
    let mut text = "a,b,t\n".to_owned();
    for row in 0..300 {
        let a = if row == 7 {
            "inf".to_owned()
        } else {
            format!("{row}.25")
        };
        writeln!(text, "{a},{},{}", row % 7, f64::from(row) * 0.5).expect("memory");
    }
    notes(&desk, &text, "--target t");
    let run = desk.run("predict run/model.safetensors t.csv --format csv");
    let expected = "note: t.csv: column 1 (a) has 1 cell that is not a number, taken as missing\n";
    assert!(run.done().stderr.contains(expected), "{run:#?}");
}

#[test]
fn a_table_that_is_refused_leaves_an_earlier_run_as_it_was() {
    let desk = Desk::empty();
    let table = format!("a,b,c\n{}", sums(200));
    notes(&desk, &table, "--target c --checkpoint-every never");
    desk.put("test.csv", b"a,c\n1,2\n");
    let message =
        "test.csv: no column \"b\", expected the columns of the training file, by their names";
    let line = "train --data t.csv --target c --test-data test.csv --quiet";
    for flags in ["--out run --exist-ok", "--out other", ""] {
        desk.refuses(&format!("{line} {flags}"), 1, message);
    }
}

#[test]
fn a_target_of_words_that_are_almost_all_different_is_refused() {
    let desk = Desk::empty();
    let (mut names, mut numbers) = ("a,t\n".to_owned(), "a,t\n".to_owned());
    for row in 0..100 {
        writeln!(names, "{row}.5,name {row}").expect("memory");
        writeln!(numbers, "{row}.5,\"{row},25\"").expect("memory");
    }
    let train = "train --data t.csv --target t --epochs 1";
    desk.put("t.csv", names.as_bytes());
    let found = "t.csv: column 2 (t): 100 different words, such as \"name 0\"";
    let class = "hint: to take each word as a class, use --task classification";
    let expected = "numbers, or fewer classes";
    desk.refuses(train, 1, &format!("{found}, expected {expected}\n{class}"));
    desk.run(&format!("{train} --task classification")).done();
    desk.put("t.csv", numbers.as_bytes());
    let found = "t.csv: column 2 (t): 100 different words, such as \"0,25\"";
    let mark = "hint: for this decimal mark, use --decimal ,";
    desk.refuses(train, 1, &format!("{found}, expected {expected}\n{mark}"));
}

#[test]
fn a_header_where_the_training_file_had_none_is_refused() {
    let desk = Desk::empty();
    notes(&desk, &sums(200), "--target -1");
    desk.put("new.csv", format!("a,b,c\n{}", sums(9)).as_bytes());
    desk.refuses(
        "eval run/model.safetensors --data new.csv",
        1,
        "new.csv: row 1, column 1: \"a\", expected a number\n\
         hint: the training file had no header, so every row of a later file is data",
    );
}

#[test]
fn weights_of_0_only_are_refused_with_their_column() {
    let desk = Desk::empty();
    let rows: String = sums(50).lines().map(|line| format!("{line},0\n")).collect();
    desk.put("t.csv", format!("a,b,c,w\n{rows}").as_bytes());
    desk.refuses(
        "train --data t.csv --target c --sample-weight w",
        1,
        "t.csv: column 4 (w): weights of 0 only, expected one above 0",
    );
}
