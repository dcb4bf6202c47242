//! CSV in the dialects that people write, and malformed tables.

use super::{bytes, convert, floats, read_idx};
use crate::desk::{Desk, Run};

const IRIS: &str =
    "length,width,species\n5.1,3.5,setosa\n7,3.2,versicolor\n6.3,3.3,virginica\n4.9,3,setosa\n";

/// Returns a desk with this text in `t.csv`.
fn desk(text: &str) -> Desk {
    let desk = Desk::empty();
    desk.put("t.csv", text.as_bytes());
    desk
}

/// Asserts that converting this text in `t.csv` is refused with these parts in the message.
fn refuses(text: impl AsRef<[u8]>, parts: &[&str]) -> Run {
    let desk = Desk::empty();
    desk.put("t.csv", text.as_ref());
    desk.refuses_in_parts("data convert t.csv --out set", 1, parts)
}

#[test]
fn a_table_with_names_becomes_floats_and_classes() {
    let desk = desk(IRIS);
    let run = convert(&desk, "t.csv --labels species");
    assert_eq!(
        read_idx(&desk, "set/train-images-idx2-float"),
        floats(&[4, 2], &[5.1, 3.5, 7.0, 3.2, 6.3, 3.3, 4.9, 3.0])
    );
    assert_eq!(
        read_idx(&desk, "set/train-labels-idx1-ubyte"),
        bytes(&[4], &[0.0, 1.0, 2.0, 0.0])
    );
    assert_eq!(
        desk.read("set/classes.txt"),
        b"setosa\nversicolor\nvirginica\n"
    );
    assert_eq!(
        run.value("from"),
        "t.csv: CSV, a comma between cells, a header, labels in column 3 (species)"
    );
    assert_eq!(run.value("classes"), "0 setosa, 1 versicolor, 2 virginica");
    assert!(
        run.value("next").ends_with("perceptor train --data set"),
        "{run:#?}"
    );
    assert_eq!(run.stderr, "");
    assert_eq!(
        desk.entries(),
        [
            "set",
            "set/.source.json",
            "set/classes.txt",
            "set/train-images-idx2-float",
            "set/train-labels-idx1-ubyte",
            "t.csv"
        ]
    );
}

#[test]
fn integers_become_bytes_and_labels_from_zero_need_no_names() {
    let desk = desk("7,0,255\n0,1,2\n1,3,128\n");
    // Only numbers: no header.
    let run = desk.run("data convert t.csv --labels 1 --out set");
    assert_eq!(
        run.done().value("from"),
        "t.csv: CSV, a comma between cells, no header, labels in column 1"
    );
    assert_eq!(
        read_idx(&desk, "set/train-images-idx2-ubyte"),
        bytes(&[3, 2], &[0.0, 255.0, 1.0, 2.0, 3.0, 128.0])
    );
    // 0, 1 and 7 are not consecutive: they become classes 0, 1, 2 and are kept as names.
    assert_eq!(
        read_idx(&desk, "set/train-labels-idx1-ubyte"),
        bytes(&[3], &[2.0, 0.0, 1.0])
    );
    assert_eq!(desk.read("set/classes.txt"), b"0\n1\n7\n");
    desk.put("t.csv", b"1,0,255\n0,1,2\n2,3,128\n1.0,7,7\n");
    convert(&desk, "t.csv --labels 1 --force");
    assert_eq!(
        read_idx(&desk, "set/train-labels-idx1-ubyte"),
        bytes(&[4], &[1.0, 0.0, 2.0, 1.0])
    );
    assert!(
        !desk.has("set/classes.txt"),
        "classes.txt of the previous set is left"
    );
}

#[test]
fn numeric_classes_are_sorted_by_value_and_others_as_text() {
    let desk = desk("x,y\n1,10\n2,-1\n3,9\n4,10\n");
    convert(&desk, "t.csv");
    assert_eq!(
        read_idx(&desk, "set/train-labels-idx1-ubyte").elements,
        [2.0, 0.0, 1.0, 2.0]
    );
    assert_eq!(desk.read("set/classes.txt"), b"-1\n9\n10\n");
    desk.put("t.csv", "x,y\n1,b10\n2,b9\n3,\u{e9}\n".as_bytes());
    convert(&desk, "t.csv --force");
    assert_eq!(desk.read("set/classes.txt"), "b10\nb9\n\u{e9}\n".as_bytes());
}

#[test]
fn classes_have_the_order_of_class_names() {
    let desk = desk(IRIS);
    desk.put(
        "order.txt",
        b"virginica\r\nsetosa\r\nversicolor\r\nunseen\r\n",
    );
    convert(&desk, "t.csv --labels -1 --class-names order.txt");
    assert_eq!(
        read_idx(&desk, "set/train-labels-idx1-ubyte").elements,
        [1.0, 2.0, 0.0, 1.0]
    );
    assert_eq!(
        desk.read("set/classes.txt"),
        b"virginica\nsetosa\nversicolor\nunseen\n"
    );
    desk.refuses(
        "data convert t.csv --labels 3 --class-names virginica,setosa --out other",
        1,
        "t.csv: row 3, column 3 (species): \"versicolor\", expected one of the classes virginica, setosa",
    );
    // Numbers among the names stand for their position.
    desk.put("t.csv", b"x,y\n5,1\n6,0\n");
    convert(&desk, "t.csv --class-names coat,boot --force");
    assert_eq!(
        read_idx(&desk, "set/train-labels-idx1-ubyte").elements,
        [1.0, 0.0]
    );
    // As names, numbers may exceed what floats distinguish; a number that only rounds to a name is not accepted.
    desk.put("t.csv", b"x,y\n5,9007199254740993\n6,9007199254740992\n");
    convert(
        &desk,
        "t.csv --class-names 9007199254740993,9007199254740992 --force",
    );
    assert_eq!(
        read_idx(&desk, "set/train-labels-idx1-ubyte").elements,
        [0.0, 1.0]
    );
    desk.refuses(
        "data convert t.csv --class-names 9007199254740992,1 --out other",
        1,
        "t.csv: row 2, column 2 (y): \"9007199254740993\", expected one of the classes 9007199254740992, 1",
    );
    desk.refuses(
        "data convert t.csv --class-names boot,boot --out other",
        2,
        "--class-names: line 2: \"boot\", as in line 1, expected another name for another class",
    );
}

#[test]
fn every_dialect_of_a_table_converts_to_the_same_files() {
    let plain = {
        let desk = desk(IRIS);
        convert(&desk, "t.csv --labels species");
        desk.read("set/train-images-idx2-float")
    };
    let quoted = "\"length\",\"width\",\"species\"\n\"5.1\",3.5,\"setosa\"\n7,3.2,versicolor\n6.3,\"3.3\",virginica\n4.9,3,setosa";
    let dialects: [(&str, Vec<u8>); 8] = [
        ("CRLF", IRIS.replace('\n', "\r\n").into()),
        ("CR", IRIS.replace('\n', "\r").into()),
        ("a byte order mark", ["\u{feff}", IRIS].concat().into()),
        ("no newline after the last row", IRIS.trim_end().into()),
        ("empty lines", IRIS.replace('\n', "\n\n").into()),
        ("semicolons", IRIS.replace(',', ";").into()),
        ("tabs and spaces", IRIS.replace(',', " \t ").into()),
        ("quotes", quoted.into()),
    ];
    for (dialect, text) in dialects {
        let desk = Desk::empty();
        desk.put("t.csv", &text);
        convert(&desk, "t.csv --labels species");
        assert_eq!(desk.read("set/train-images-idx2-float"), plain, "{dialect}");
        assert_eq!(
            desk.read("set/classes.txt"),
            b"setosa\nversicolor\nvirginica\n",
            "{dialect}"
        );
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut packed, &text).expect("writing to memory");
        desk.put("t.csv.gz", &packed.finish().expect("writing to memory"));
        convert(&desk, "t.csv.gz --labels species --force");
        assert_eq!(
            desk.read("set/train-images-idx2-float"),
            plain,
            "{dialect}, gzip"
        );
    }
}

#[test]
fn flags_override_the_detected_dialect() {
    let desk = desk("1,2\n3,4\n5,6\n");
    convert(&desk, "t.csv --labels none --header yes");
    assert_eq!(
        read_idx(&desk, "set/images-idx2-ubyte").elements,
        [3.0, 4.0, 5.0, 6.0]
    );
    desk.put("t.csv", b"a b\n1 2\n3 4\n");
    let run = convert(&desk, "t.csv --labels none --delimiter space --force");
    assert_eq!(
        read_idx(&desk, "set/images-idx2-ubyte").elements,
        [1.0, 2.0, 3.0, 4.0]
    );
    assert!(
        run.value("from")
            .contains("white space between cells, a header, no labels"),
        "{run:#?}"
    );
    assert!(
        run.value("next")
            .ends_with("predict MODEL set/images-idx2-ubyte"),
        "{run:#?}"
    );
    // A word above words is a header if a flag names the column.
    desk.put("t.csv", b"a,kind\n1,x\n2,z\n");
    desk.put("u.csv", b"kind\nx\n");
    convert(&desk, "t.csv --labels kind --force");
    desk.put("t.csv", b"kind,other\nx,z\nz,x\n");
    desk.refuses_in_parts(
        "data convert t.csv --labels kind --out new",
        1,
        &["t.csv: row 2, column 2 (other): \"z\", expected a finite number\n"],
    );
}

#[test]
fn columns_can_be_dropped_and_samples_get_a_shape() {
    let desk = desk("id,a,b,c,d,label\n900,1,2,3,4,0\n901,5,6,7,8,1\n");
    convert(&desk, "t.csv --drop id --shape 2x2");
    assert_eq!(
        read_idx(&desk, "set/train-images-idx3-ubyte"),
        bytes(&[2, 2, 2], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0])
    );
    desk.refuses(
        "data convert t.csv --drop id --shape 3x2 --out other",
        2,
        "--shape: 3x2, expected sizes that multiply to the 4 elements of a sample",
    );
    desk.refuses(
        "data convert t.csv --drop id,label --out other",
        2,
        "--drop: column 6 (label), which has labels, expected other columns",
    );
}

#[test]
fn several_columns_of_labels_are_targets_labels_or_classes() {
    let desk = desk("x,a,b\n1,0.5,-2\n2,1,3e2\n");
    let run = convert(&desk, "t.csv --targets b,a");
    assert_eq!(
        read_idx(&desk, "set/train-labels-idx2-float"),
        floats(&[2, 2], &[-2.0, 0.5, 300.0, 1.0])
    );
    assert!(run.stdout.contains(", 2 targets a sample, "), "{run:#?}");
    convert(&desk, "t.csv --targets a --force");
    assert_eq!(
        read_idx(&desk, "set/train-labels-idx2-float"),
        floats(&[2, 1], &[0.5, 1.0])
    );
    desk.refuses_in_parts(
        "data convert t.csv --labels a,b --out other",
        1,
        &[
            "t.csv: row 2, column 2 (a): 0.5, expected 0 or 1, as in multi-label columns\n",
            "--targets",
        ],
    );
    desk.put("t.csv", b"x,a,b\n1,1,1\n2,false,TRUE\n3,0,0\n");
    let run = convert(&desk, "t.csv --labels a,b --force");
    assert_eq!(
        read_idx(&desk, "set/train-labels-idx2-ubyte"),
        bytes(&[3, 2], &[1.0, 1.0, 0.0, 1.0, 0.0, 0.0])
    );
    assert_eq!(desk.read("set/classes.txt"), b"a\nb\n");
    assert!(
        run.stdout.contains(", any of 2 classes a sample, "),
        "{run:#?}"
    );
    // Exactly one 1 in each row: classes, except with --multilabel.
    desk.put("t.csv", b"x,a,b\n1,0,1\n2,1,0\n");
    convert(&desk, "t.csv --labels a,b --force");
    assert_eq!(
        read_idx(&desk, "set/train-labels-idx1-ubyte"),
        bytes(&[2], &[1.0, 0.0])
    );
    convert(&desk, "t.csv --labels a,b --multilabel --force");
    assert_eq!(
        read_idx(&desk, "set/train-labels-idx2-ubyte"),
        bytes(&[2, 2], &[0.0, 1.0, 1.0, 0.0])
    );
}

#[test]
fn an_invalid_cell_is_refused_with_its_row_and_column() {
    let rows = |cell: &str| format!("a,width,label\n1,2,0\n3,4,1\n\n5,{cell},1\n");
    for (cell, expected, hint) in [
        ("abc", "\"abc\", expected a finite number", "--drop width"),
        (
            "",
            "an empty cell, expected a finite number",
            "fill in missing values",
        ),
        (
            "NA",
            "\"NA\", expected a finite number",
            "fill in missing values",
        ),
        (
            "nan",
            "\"nan\", expected a finite number",
            "fill in missing values",
        ),
        ("inf", "\"inf\", expected a finite number", "--drop width"),
        (
            "1e999",
            "\"1e999\", expected a finite number",
            "--drop width",
        ),
        (
            "\"1,5\"",
            "\"1,5\", expected a finite number",
            "a decimal point",
        ),
        ("1 2", "\"1 2\", expected a finite number", "--drop width"),
        ("0x10", "\"0x10\", expected a finite number", "--drop width"),
        (
            "\x1b[31m",
            "\"\\u{1b}[31m\", expected a finite number",
            "--drop width",
        ),
    ] {
        for (line, text) in [
            ("\n", rows(cell)),
            ("\r\n", rows(cell).replace('\n', "\r\n")),
        ] {
            let start = format!("t.csv: row 5, column 2 (width): {expected}\n");
            let run = refuses(&text, &[&start]);
            assert!(run.hint().contains(hint), "{line:?}: {run:#?}");
        }
    }
    // Numbers that the element type cannot hold are refused in the same way.
    let desk = desk(&rows("1e39"));
    desk.refuses(
        "data convert t.csv --out set",
        1,
        "t.csv: row 5, column 2 (width): 1e39, expected a finite number up to 3.4e38 (f32)",
    );
    desk.put("t.csv", rows("300").as_bytes());
    desk.refuses(
        "data convert t.csv --type u8 --out set",
        1,
        "t.csv: row 5, column 2 (width): 300, expected a whole number from 0 to 255 (u8)",
    );
    for (kind, file) in [
        ("i16", "idx2-short"),
        ("i32", "idx2-int"),
        ("f64", "idx2-double"),
    ] {
        convert(&desk, &format!("t.csv --type {kind} --force"));
        assert_eq!(
            read_idx(&desk, &format!("set/train-images-{file}")).elements[5],
            300.0
        );
    }
}

#[test]
fn rows_without_a_label_are_left_out_unless_their_word_is_named_as_a_class() {
    let desk = Desk::empty();
    let rows = "x,label\n1,a\n2,NA\n3,b\n4,\n5,nan\n6,a\n7,?\n8,b\n";
    desk.put("t.csv", rows.as_bytes());
    desk.put("u.csv", b"x,label\n1,\n2,b\n");
    let run = convert(&desk, "t.csv --test u.csv");
    let notes = "note: t.csv: left out 4 samples without a label\nnote: u.csv: left out 1 sample without a label\n";
    assert_eq!(run.stderr, notes);
    assert!(
        run.stdout
            .starts_with("set: 4 training and 1 test samples of 1 u8, 2 classes, "),
        "{run:#?}"
    );
    assert_eq!(
        read_idx(&desk, "set/train-images-idx2-ubyte"),
        bytes(&[4, 1], &[1.0, 3.0, 6.0, 8.0])
    );
    assert_eq!(
        read_idx(&desk, "set/train-labels-idx1-ubyte"),
        bytes(&[4], &[0.0, 1.0, 0.0, 1.0])
    );
    assert_eq!(
        read_idx(&desk, "set/t10k-images-idx2-ubyte"),
        bytes(&[1, 1], &[2.0])
    );
    // A share is drawn from the samples that are left.
    let run = convert(&desk, "t.csv --test-split 2 --force");
    assert!(
        run.stdout.starts_with("set: 2 training and 2 test samples"),
        "{run:#?}"
    );
    // Numbers are classes, too, and the word for a missing one is not.
    desk.put("n.csv", b"x,label\n1,0\n2,1\n3,NaN\n4,1\n");
    let run = convert(&desk, "n.csv --force");
    assert!(
        run.stdout
            .starts_with("set: 3 training samples of 1 u8, 2 classes, "),
        "{run:#?}"
    );
    assert!(!desk.has("set/classes.txt"));
    // Namibia.
    desk.put("c.csv", b"x,label\n1,NA\n2,ZA\n3,NA\n4,\n");
    let run = convert(&desk, "c.csv --class-names NA,ZA --force");
    assert_eq!(
        run.stderr,
        "note: c.csv: left out 1 sample without a label\n"
    );
    assert_eq!(
        read_idx(&desk, "set/train-labels-idx1-ubyte"),
        bytes(&[3], &[0.0, 1.0, 0.0])
    );
    let run = desk.refuses_in_parts(
        "data convert c.csv --out other",
        1,
        &["c.csv: CSV, a comma between cells, a header, labels in column 2 (label): one class, expected at least two"],
    );
    assert!(!run.stderr.contains("note"), "{run:#?}");
    // Several columns and targets have no rows to leave out.
    desk.put("m.csv", b"x,a,b\n1,0,1\n2,NA,1\n");
    for flags in ["--labels a,b", "--targets a,b"] {
        desk.refuses_in_parts(
            &format!("data convert m.csv {flags} --out other"),
            1,
            &["m.csv: row 3, column 2 (a): \"NA\", expected a finite number\n"],
        );
    }
}

#[test]
fn classes_without_a_sample_are_named() {
    let desk = Desk::empty();
    desk.put("t.csv", b"x,label\n1,b\n2,d\n3,b\n");
    let run = convert(&desk, "t.csv --class-names a,b,c,d");
    assert_eq!(
        run.stderr,
        "note: t.csv: no sample of 2 of 4 classes: 0 (a), 2 (c)\n"
    );
    desk.put("h.csv", b"x,a,b,c\n1,1,0,0\n2,0,0,1\n");
    let run = convert(&desk, "h.csv --labels a,b,c --force");
    assert_eq!(run.stderr, "note: h.csv: no sample of class 1 (b)\n");
    desk.put("m.csv", b"x,a,b,c\n1,1,0,0\n2,1,0,1\n");
    let run = convert(&desk, "m.csv --labels a,b,c --force");
    assert_eq!(run.stderr, "note: m.csv: no sample of class 1 (b)\n");
}

#[test]
fn an_invalid_label_is_refused_with_its_row_and_column() {
    let long = "x".repeat(201);
    for (label, expected) in [
        (
            "\"a\nb\"",
            "\"a\\nb\", expected a name without control characters",
        ),
        (&long, "a name of 201 bytes, expected at most 200"),
    ] {
        let start = format!("t.csv: row 4, column 2 (label): {expected}");
        refuses(format!("x,label\n1,a\n2,b\n3,{label}\n"), &[&start]);
    }
    refuses(
        "x,label\n1,2\n2,3.5\n",
        &[
            "t.csv: row 3, column 2 (label): 3.5, expected a class: a whole number, or a name\n",
            "--targets",
        ],
    );
    // Integers around 2^53 are equal as floats.
    for large in ["9007199254740993", "-9007199254740993", "1e300"] {
        let run = refuses(
            format!("x,label\n1,2\n2,{large}\n3,{large}\n"),
            &[&format!(
                "t.csv: row 3, column 2 (label): {large}, expected a class: a whole number below 2^53, or a name\n"
            )],
        );
        assert!(run.hint().contains("--class-names"), "{run:#?}");
    }
    refuses(
        b"x,label\n1,a\n2,caf\xe9\n",
        &["t.csv: row 3, column 2 (label): \"caf\u{fffd}\", expected text in UTF-8\n"],
    );
    refuses(
        b"x,label\n1,a\n2,a\n",
        &["t.csv: CSV", ": one class, expected at least two\n"],
    );
}

#[test]
fn files_that_are_not_tables_are_refused() {
    let desk = Desk::empty();
    let parquet = b"PAR1\x15\x04\x15\x00";
    for (content, start) in [
        (
            &b""[..],
            "t.csv: an empty file, expected CSV, IDX, NPY, NPZ or pictures\n",
        ),
        (b"\n\n\r\n", "t.csv: no row, expected rows of cells\n"),
        (b"\xef\xbb\xbf", "t.csv: no row, expected rows of cells\n"),
        (b"\xff\xfea\x00,\x00b\x00", "t.csv: UTF-16 text, expected"),
        (b"a,b\x00\n1,2\n", "t.csv: binary data, expected"),
        (parquet, "t.csv: a Parquet file, expected"),
        (b"\x89HDF\r\n\x1a\n", "t.csv: an HDF5 file, expected"),
        (b"\x80\x04\x95\x00\x00", "t.csv: a pickle file, expected"),
        (b"\x1f\x8b\x08\x00", "t.csv: "),
    ] {
        desk.put("t.csv", content);
        desk.refuses_in_parts("data convert t.csv --labels 1 --out set", 1, &[start]);
    }
    // A table of only a header has no rows.
    desk.put("t.csv", b"x,label\n");
    desk.refuses_in_parts(
        "data convert t.csv --labels label --out set",
        1,
        &[
            "t.csv: CSV",
            "a header",
            ": 0 samples, expected 1 to 4294967295\n",
        ],
    );
    desk.put("t.csv", b"label\n1\n2\n");
    desk.refuses(
        "data convert t.csv --out set",
        1,
        "t.csv: 0 columns except labels and dropped columns, expected 1 to 16777216",
    );
    desk.refuses_in_parts(
        "data convert none.csv --out set",
        1,
        &["none.csv: could not open: "],
    );
}

#[test]
fn ragged_rows_are_refused_with_their_row() {
    refuses(
        "a,b,label\n1,2,0\n3,4,1\n5,6\n7,8,1\n",
        &[
            "t.csv: row 4: 2 cells, expected 3, as in the first row\n",
            "--delimiter",
        ],
    );
    refuses(
        b"a,b,label\n1,2,0\n3,\"4\n4\",1\n5,6,7,1\n",
        &["t.csv: row 3, column 2 (b): \"4\\n4\", expected a finite number\n"],
    );
    // An unclosed quote makes the rest of the file one cell.
    refuses(
        b"a,b,label\n1,2,0\n3,\"4,1\n5,6,1\n7,8,1\n",
        &["t.csv: row 3: 2 cells, expected 3"],
    );
}

#[test]
fn rows_may_be_longer_than_the_text_that_detects_the_dialect() {
    const FEATURES: usize = 200_000;
    let row = |cell: &str, label: &str| format!("{}{label}\n", format!("{cell};").repeat(FEATURES));
    let rows = [row("1234567", "0"), row("7654321", "1")].concat();
    // Each row has 1.6 MB, so that not even the first one fits in the first MiB.
    let desk = desk(&rows);
    let run = convert(&desk, "t.csv --labels -1 --type f64");
    assert!(
        run.value("from")
            .contains("a semicolon between cells, no header"),
        "{run:#?}"
    );
    let images = read_idx(&desk, "set/train-images-idx2-double");
    assert_eq!(images.sizes, [2, FEATURES as u32]);
    assert_eq!(
        (images.elements[0], images.elements[2 * FEATURES - 1]),
        (1_234_567.0, 7_654_321.0)
    );
    // A header is distinguished from numbers by the row below it.
    desk.put("t.csv", [row("feature", "label"), rows].concat().as_bytes());
    let run = convert(&desk, "t.csv --force");
    assert!(
        run.value("from")
            .contains("a semicolon between cells, a header"),
        "{run:#?}"
    );
    assert_eq!(
        read_idx(&desk, "set/train-images-idx2-float").sizes,
        [2, FEATURES as u32]
    );
}

#[test]
fn a_first_row_that_never_ends_is_refused() {
    let mut text = b"7,\"".to_vec();
    text.resize(130 << 20, b'7');
    let desk = Desk::empty();
    desk.put("t.csv", &text);
    let run = desk.refuses_in_parts(
        "data convert t.csv --labels 1 --out set",
        1,
        &["t.csv: row 1: a row that does not end, expected at most 64 MiB\n"],
    );
    assert!(run.hint().contains("a quote"), "{run:#?}");
}

#[test]
fn a_row_that_never_ends_is_not_kept_in_memory() {
    let mut text = b"a,label\n1,0\n2,\"".to_vec();
    text.resize(text.len() + (80 << 20), b'7');
    let run = refuses(
        &text,
        &["t.csv: row 3: a row that does not end, expected at most 64 MiB\n"],
    );
    assert!(run.hint().contains("a quote"), "{run:#?}");
}

#[test]
fn a_truncated_gzip_stream_is_refused() {
    let desk = Desk::empty();
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let rows: String = (0..4000)
        .map(|row| format!("{},{}\n", row * 7919 % 1009, row % 3))
        .collect();
    std::io::Write::write_all(&mut packed, rows.as_bytes()).expect("writing to memory");
    let valid = packed.finish().expect("writing to memory");
    desk.put("t.csv.gz", &valid[..valid.len() - 20]);
    desk.refuses_in_parts(
        "data convert t.csv.gz --labels 2 --out set",
        1,
        &["t.csv.gz: ", ", expected a complete gzip stream\n"],
    );
    desk.put("t.csv.gz", &valid);
    convert(&desk, "t.csv.gz --labels 2");
    assert_eq!(
        read_idx(&desk, "set/train-images-idx2-float").sizes,
        [4000, 1]
    );
}

#[test]
fn the_column_of_labels_is_required_if_no_name_identifies_it() {
    let desk = desk("1,2,3\n4,5,6\n");
    let run = desk.refuses_in_parts(
        "data convert t.csv --out set",
        2,
        &["--labels: not given, expected the column of labels by its name or number, or none\n"],
    );
    assert_eq!(run.hint(), "t.csv has 1 to 3 (no header)");
    desk.put("t.csv", IRIS.as_bytes());
    let run = desk.refuses_in_parts(
        "data convert t.csv --out set",
        2,
        &["--labels: not given, "],
    );
    assert_eq!(run.hint(), "t.csv has 1 (length), 2 (width), 3 (species)");
    for word in ["size", "0", "4", "-4"] {
        desk.refuses(
            &format!("data convert t.csv --labels {word} --out set"),
            2,
            &format!("--labels: {word}, expected a column: 1 (length), 2 (width), 3 (species)"),
        );
    }
}
