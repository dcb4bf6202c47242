//! `predict` of files that are neither IDX nor a table for a model of a table, standard input, and files of predictions.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};

use png::{BitDepth, ColorType};
use rawzip::CompressionMethod;

use crate::bad_archives::compressed;
use crate::convert::pictures::{picture, put};
use crate::convert::{npy, zip};
use crate::desk::{Desk, Run};
use crate::idx_set::EasySet;

const IMAGES: &str = "set/t10k-images-idx3-ubyte";
const PREDICT: &str = "predict model/model.safetensors";

/// A model of 3×3 bytes in four classes.
fn desk() -> Desk {
    Desk::with_model(&EasySet::noisy())
}

/// Returns the bytes of the test samples, and what is predicted for them as an IDX file.
fn truth(desk: &Desk) -> (Vec<Vec<u8>>, String) {
    let file = desk.read(IMAGES);
    let samples = file[16..].chunks_exact(9).map(<[u8]>::to_vec).collect();
    (samples, predicted(desk, IMAGES))
}

fn predicted(desk: &Desk, line: &str) -> String {
    let run = desk.run(&format!("{PREDICT} {line} --format csv"));
    run.done().stdout.clone()
}

/// Returns the samples as rows of cells.
fn rows(samples: &[Vec<u8>], delimiter: &str) -> String {
    let row = |sample: &Vec<u8>| {
        let cells: Vec<String> = sample.iter().map(u8::to_string).collect();
        cells.join(delimiter) + "\n"
    };
    samples.iter().map(row).collect()
}

/// Runs the program with this standard input.
fn with_stdin(desk: &Desk, line: &str, input: &[u8]) -> Run {
    command_with_stdin(desk.command(line), line, input)
}

fn command_with_stdin(mut command: Command, line: &str, input: &[u8]) -> Run {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().expect("starting the program");
    let mut stdin = child.stdin.take().expect("a pipe");
    let input = input.to_vec();
    let writer = std::thread::spawn(move || {
        // A program that refuses its arguments does not read.
        drop(stdin.write_all(&input));
    });
    let output = child.wait_with_output().expect("waiting");
    writer.join().expect("writing");
    Run::from_output(line.to_owned(), output)
}

#[test]
fn rows_of_numbers_are_read_directly() {
    let desk = desk();
    let (samples, expected) = truth(&desk);
    let numbers = rows(&samples, ",");
    desk.put("plain.csv", numbers.as_bytes());
    desk.put("tabs.tsv", rows(&samples, "\t").as_bytes());
    desk.put("packed.csv.gz", &compressed(numbers.as_bytes()));
    let names = "a,b,c,d,e,f,g,h,i\n";
    desk.put("named.csv", format!("{names}{numbers}").as_bytes());
    for file in [
        "plain.csv --header=no",
        "tabs.tsv --header=no",
        "packed.csv.gz --header=no",
        "named.csv",
    ] {
        assert_eq!(predicted(&desk, file), expected, "{file}");
    }
    // A column of labels by a usual name is left out, another one by --drop.
    let labelled = |name: &str| {
        let mut text = format!("{name},{names}");
        for line in numbers.lines() {
            writeln!(text, "7,{line}").expect("writing to memory");
        }
        text
    };
    desk.put("labelled.csv", labelled("label").as_bytes());
    desk.put("dated.csv", labelled("day").as_bytes());
    // What is guessed about the first row is noted with the flag that overrides it.
    let run = desk.run(&format!("{PREDICT} plain.csv --format csv"));
    assert_eq!(run.done().stdout, expected);
    let note = "note: plain.csv: the first row is data, not names of columns; to override that, use --header\n";
    assert_eq!(run.stderr, note);
    assert_eq!(predicted(&desk, "plain.csv --header").lines().count(), 60);
    let run = desk.run(&format!("{PREDICT} labelled.csv --format csv"));
    assert_eq!(run.done().stdout, expected);
    assert!(
        run.stderr
            .contains("note: labelled.csv: column 1 (label) is left out\n"),
        "{run:#?}"
    );
    let run = desk.refuses_in_parts(
        &format!("{PREDICT} dated.csv"),
        1,
        &["dated.csv: 10 columns, expected 9 columns of numbers, the inputs of the model\n"],
    );
    assert!(run.hint().contains("--drop"), "{run:#?}");
    assert_eq!(predicted(&desk, "dated.csv --drop day"), expected);
    desk.put("short.csv", b"a,b,c,d,e,f,g,h,label\n1,2,3,4,5,6,7,8,0\n");
    let run = desk.run(&format!("{PREDICT} short.csv"));
    let note = "note: short.csv: column 9 (label) is read as an input of the model\n";
    assert!(run.done().stderr.contains(note), "{run:#?}");
    desk.put("words.csv", b"a,b,c,d,e,f,g,h,i\n1,2,3,4,5,6,7,8,x\n");
    desk.refuses_in_parts(
        &format!("{PREDICT} words.csv"),
        1,
        &["words.csv: row 2, column 9 (i): \"x\", expected a finite number\n"],
    );
}

#[test]
fn pictures_are_read_directly() {
    let desk = desk();
    let (samples, expected) = truth(&desk);
    let grey = |sample: &[u8]| picture(ColorType::Grayscale, BitDepth::Eight, 3, 3, sample);
    for (at, sample) in samples.iter().enumerate() {
        put(&desk, &format!("p/{at:02}.png"), &grey(sample));
    }
    assert_eq!(predicted(&desk, "p"), expected);
    let lines: Vec<&str> = expected.lines().collect();
    let class = |line: &str| line.split(',').nth(1).expect("a class").to_owned();
    let two = predicted(&desk, "p/07.png p/03.png");
    let two: Vec<String> = two.lines().skip(1).map(class).collect();
    assert_eq!(two, [class(lines[8]), class(lines[4])]);
    // Colours become grey, and other sizes need a flag; both are noted.
    let colored: Vec<u8> = samples[5].iter().flat_map(|&level| [level; 3]).collect();
    put(
        &desk,
        "rgb.png",
        &picture(ColorType::Rgb, BitDepth::Eight, 3, 3, &colored),
    );
    let run = desk.run(&format!("{PREDICT} rgb.png --format csv"));
    assert_eq!(
        class(run.done().stdout.lines().nth(1).expect("a line")),
        class(lines[6])
    );
    assert_eq!(run.stderr, "note: rgb.png: converted the picture to grey\n");
    let large: Vec<u8> = (0..36)
        .map(|at| samples[5][at / 12 * 3 + at % 6 / 2])
        .collect();
    put(
        &desk,
        "large.png",
        &picture(ColorType::Grayscale, BitDepth::Eight, 6, 6, &large),
    );
    let run = desk.refuses_in_parts(
        &format!("{PREDICT} large.png"),
        1,
        &["large.png: 6×6 pixels, expected a picture of 9 elements, the inputs of the model\n"],
    );
    assert_eq!(run.hint(), "if the model takes squares, --resize 3x3");
    let run = desk.run(&format!("{PREDICT} large.png --resize 3x3 --format csv"));
    assert_eq!(
        class(run.done().stdout.lines().nth(1).expect("a line")),
        class(lines[6])
    );
    assert_eq!(run.stderr, "note: large.png: resized the picture to 3×3\n");
    let inverse: Vec<u8> = samples[5].iter().map(|level| 255 - level).collect();
    put(&desk, "dark.png", &grey(&inverse));
    let run = desk.run(&format!("{PREDICT} dark.png --invert --format csv"));
    assert_eq!(
        class(run.done().stdout.lines().nth(1).expect("a line")),
        class(lines[6])
    );
    assert_eq!(run.stderr, "note: dark.png: inverted the picture\n");
    put(&desk, "p/cut.png", &grey(&samples[0])[..40]);
    desk.refuses_in_parts(
        &format!("{PREDICT} p"),
        1,
        &["p/cut.png: ", ", expected an intact PNG file\n"],
    );
    desk.refuses_in_parts(
        &format!("{PREDICT} rgb.png {IMAGES}"),
        1,
        &[&format!(
            "{IMAGES}: an IDX file, expected a PNG, JPEG, BMP or WebP picture\n"
        )],
    );
}

#[test]
fn arrays_are_read_directly() {
    let desk = desk();
    let (samples, expected) = truth(&desk);
    let bytes = samples.concat();
    let array = npy("|u1", false, "(60, 3, 3)", &bytes);
    desk.put("x.npy", &array);
    let wide: Vec<u8> = bytes
        .iter()
        .flat_map(|&byte| f64::from(byte).to_le_bytes())
        .collect();
    desk.put("wide.npy", &npy("<f8", false, "(60, 9)", &wide));
    let labels = npy("|u1", false, "(60,)", &[0; 60]);
    let files = [("x_test.npy", &array[..]), ("y_test.npy", &labels)];
    desk.put("set.npz", &zip(CompressionMethod::DEFLATE, &files));
    desk.put(
        "one.npz",
        &zip(CompressionMethod::STORE, &[("arr_0.npy", &array)]),
    );
    for file in ["x.npy", "wide.npy", "set.npz", "one.npz"] {
        assert_eq!(predicted(&desk, file), expected, "{file}");
    }
    let run = desk.run(&format!("{PREDICT} set.npz"));
    assert_eq!(
        run.done().stderr,
        "note: set.npz: the samples are the array x_test\nnote: set.npz: the array y_test is not used\n"
    );
    desk.put("sole.npy", &npy("|u1", false, "(3, 3)", &bytes[..9]));
    let run = desk.run(&format!("{PREDICT} sole.npy --format csv"));
    assert_eq!(run.done().stdout.lines().count(), 2);
    assert_eq!(
        run.stderr,
        "note: sole.npy: the array is taken as one sample\n"
    );
    let files = [("a.npy", &array[..]), ("b.npy", &array)];
    desk.put("two.npz", &zip(CompressionMethod::STORE, &files));
    let run = desk.refuses_in_parts(
        &format!("{PREDICT} two.npz"),
        1,
        &["two.npz: several arrays of samples: a, b, expected one array of samples of 9 elements"],
    );
    assert!(run.hint().contains("--images"), "{run:#?}");
    assert_eq!(predicted(&desk, "two.npz --images b"), expected);
    desk.put("other.npy", &npy("|u1", false, "(2, 4)", &[0; 8]));
    desk.refuses(
        &format!("{PREDICT} other.npy"),
        1,
        "other.npy: samples of 4, expected 9 elements, the inputs of the model",
    );
    desk.put("cut.npy", &array[..array.len() - 1]);
    desk.refuses_in_parts(&format!("{PREDICT} cut.npy"), 1, &["cut.npy: "]);
}

#[test]
fn files_that_are_not_read_are_named() {
    let desk = desk();
    for (content, name) in [
        (&b"\x89HDF\r\n\x1a\n\0"[..], "an HDF5 file"),
        (b"PAR1\x15\x04\x15\0", "a Parquet file"),
        (b"\x80\x04\x95\x10\0\0\0", "a pickle file"),
        (b"GIF89a\x01\0", "a GIF picture"),
        (b"\xff\xfea\0", "UTF-16 text"),
        (b"\x01\x02\0\x03", "binary data"),
        (b"", "an empty file"),
    ] {
        desk.put("file", content);
        let message = format!("file: {name}, expected an IDX, CSV, NPY or NPZ file, or pictures");
        desk.refuses(&format!("{PREDICT} file"), 1, &message);
    }
    let model = desk.read("model/model.safetensors");
    desk.put("file", &model);
    desk.refuses_in_parts(
        &format!("{PREDICT} file"),
        1,
        &["file: a safetensors file, expected "],
    );
    for (flags, message) in [
        (
            "--resize 3x3",
            "--resize: given for an IDX file, expected CSV, arrays or pictures to go with it",
        ),
        (
            "--missing refuse",
            "--missing: given for a model of IDX files, expected a model that was trained on a table",
        ),
    ] {
        desk.refuses(&format!("{PREDICT} {IMAGES} {flags}"), 2, message);
    }
    desk.put("t.csv", b"1,2,3,4,5,6,7,8,9\n");
    desk.refuses(
        &format!("{PREDICT} t.csv --color grey"),
        2,
        "--color: given for a CSV file, expected pictures to go with it",
    );
    desk.refuses_in_parts(
        &format!("{PREDICT} t.csv t.csv"),
        1,
        &["t.csv: t.csv as well, expected one file, or several pictures\n"],
    );
}

#[test]
fn other_commands_name_the_conversion() {
    let desk = desk();
    put(
        &desk,
        "p/a/1.png",
        &picture(ColorType::Grayscale, BitDepth::Eight, 1, 1, &[1]),
    );
    desk.put(
        "x.npz",
        &zip(
            CompressionMethod::STORE,
            &[("a.npy", &npy("|u1", false, "(1,)", &[1]))],
        ),
    );
    for (line, hint) in [
        (
            "train --data p",
            "data convert p --out p-set` makes a data set of it",
        ),
        (
            "eval model/model.safetensors --data p",
            "data convert p --out p-set` makes a data set of it",
        ),
        (
            "eval model/model.safetensors --data x.npz",
            "data convert x.npz --out x-set` makes a data set of it",
        ),
        (
            "train --data x.npz --target a",
            "data convert makes IDX files of it",
        ),
    ] {
        let run = desk.run(line);
        assert_eq!(run.code, Some(1), "{run:#?}");
        assert!(run.hint().ends_with(hint), "{run:#?}");
        assert!(!run.stderr.contains("magic number"), "{run:#?}");
    }
}

#[test]
fn standard_input_is_read() {
    let desk = desk();
    let (samples, expected) = truth(&desk);
    let numbers = rows(&samples, ",");
    let line = format!("{PREDICT} - --format csv");
    let idx = desk.read(IMAGES);
    for (input, flags) in [
        (numbers.as_bytes(), " --header=no"),
        (rows(&samples, "\t").as_bytes(), " --header=no"),
        (&compressed(numbers.as_bytes())[..], " --header=no"),
        (&idx[..], ""),
        (&compressed(&idx), ""),
        (&npy("|u1", false, "(60, 9)", &samples.concat()), ""),
    ] {
        let run = with_stdin(&desk, &format!("{line}{flags}"), input);
        assert_eq!(run.done().stdout, expected);
    }
    for (input, message) in [
        (&b""[..], "error: stdin: an empty file, expected "),
        (
            b"1,2,3\n",
            "error: stdin: 3 columns, expected 9 columns of numbers",
        ),
        (
            &idx[..100],
            "error: stdin: 100 bytes, expected 556 for dimensions",
        ),
        (
            &compressed(&idx)[..50],
            "error: stdin: a stream that was cut short, expected a complete gzip",
        ),
        (
            &numbers.as_bytes()[..numbers.len() - 5],
            "error: stdin: row ",
        ),
        (b"\x89PNG\r\n\x1a\n", "error: stdin: "),
    ] {
        let run = with_stdin(&desk, &line, input);
        assert_eq!((run.code, &*run.stdout), (Some(1), ""), "{run:#?}");
        assert!(run.stderr.contains(message), "{run:#?}");
        assert!(!run.stderr.contains("/proc"), "{run:#?}");
    }
    for line in [
        "train --data -",
        "train --data - --target y",
        "data convert - --out new",
        "eval model/model.safetensors --data -",
        "data inspect -",
    ] {
        let run = with_stdin(&desk, line, b"1,2\n");
        assert_eq!(run.code, Some(2), "{run:#?}");
        assert!(
            run.stderr
                .contains(": standard input, expected a file or a folder\n"),
            "{run:#?}"
        );
    }
}

#[test]
fn rows_of_a_table_are_read_from_standard_input() {
    let desk = Desk::empty();
    let mut text = "id,kind,x,y\n".to_owned();
    for row in 0..80 {
        let kind = ["cat", "dog"][row % 2];
        writeln!(text, "{row},{kind},{},{}", row % 2 * 5 + row % 3, row % 5).expect("memory");
    }
    desk.put("t.csv", text.as_bytes());
    desk.run("train --data t.csv --target kind --drop id --epochs 5 --out run --quiet")
        .done();
    let model = "run/model.safetensors";
    for flags in [
        "--format csv",
        "--format csv --append",
        "--format json --proba",
        "--offset 3 --limit 2",
    ] {
        let expected = desk.run(&format!("predict {model} t.csv {flags}"));
        let found = with_stdin(
            &desk,
            &format!("predict {model} - {flags}"),
            text.as_bytes(),
        );
        assert_eq!(found.done().stdout, expected.done().stdout, "{flags}");
    }
    let expected = desk.run(&format!("eval {model} --data t.csv"));
    let found = with_stdin(&desk, &format!("eval {model} --data -"), text.as_bytes());
    let score = |run: &Run| {
        run.done()
            .stdout
            .lines()
            .find(|line| line.contains("accuracy"))
            .map(str::to_owned)
    };
    assert_eq!(score(&found), score(&expected));
    assert!(!found.stdout.contains("/proc"), "{found:#?}");
    let line = format!("eval {model} --data - --format json");
    let found = with_stdin(&desk, &line, text.as_bytes());
    assert_eq!(found.done().json()["data"], "stdin");
    // Without a cache folder, in which the copy is kept otherwise.
    let line = format!("predict {model} - --format csv");
    let expected = desk.run(&format!("predict {model} t.csv --format csv"));
    let mut command = desk.command(&line);
    command.env("XDG_CACHE_HOME", "/proc/none");
    let found = command_with_stdin(command, &line, text.as_bytes());
    assert_eq!(found.done().stdout, expected.done().stdout);
    let cut = with_stdin(
        &desk,
        &format!("predict {model} -"),
        b"id,kind,x,y\n1,cat,3\n",
    );
    assert!(
        cut.stderr
            .contains("error: stdin: row 2: 3 cells, expected 4"),
        "{cut:#?}"
    );
    let other = with_stdin(&desk, &format!("predict {model} -"), b"a,b\n1,2\n");
    assert!(
        other.stderr.contains("error: stdin: no column \"x\""),
        "{other:#?}"
    );
    let png = with_stdin(&desk, &format!("predict {model} -"), b"\x89PNG\r\n\x1a\n\0");
    assert!(
        png.stderr
            .contains("error: stdin: a PNG picture, expected a table as text"),
        "{png:#?}"
    );
}

#[test]
fn predictions_are_written_to_a_file() {
    let desk = desk();
    let expected = predicted(&desk, IMAGES);
    let run = desk.run(&format!("{PREDICT} {IMAGES} --out p.csv"));
    assert_eq!(run.done().stdout, "p.csv: 60 predictions\n");
    assert_eq!(desk.read_text("p.csv"), expected);
    assert_eq!(predicted(&desk, &format!("{IMAGES} --out -")), expected);
    desk.refuses_in_parts(
        &format!("{PREDICT} {IMAGES} --out p.csv"),
        2,
        &["p.csv: exists already, expected no such file, or --force to replace it\n"],
    );
    desk.run(&format!(
        "{PREDICT} {IMAGES} --out p.csv --limit 1 --format text --force"
    ))
    .done();
    assert_eq!(desk.read_text("p.csv").lines().count(), 1);
    desk.run(&format!("{PREDICT} {IMAGES} --out p.json")).done();
    assert!(desk.read_text("p.json").starts_with("{\"item\":0,"));
    for out in [IMAGES, "model/model.safetensors"] {
        desk.refuses_in_parts(
            &format!("{PREDICT} {IMAGES} --out {out} --force"),
            2,
            &[&format!(
                "{out}: the file that is read, expected another file to write\n"
            )],
        );
    }
    fs::create_dir(desk.path("folder")).expect("creating a folder");
    desk.refuses_in_parts(
        &format!("{PREDICT} {IMAGES} --out folder"),
        2,
        &["folder: a folder, expected a file to write\n"],
    );
}

#[test]
fn only_text_is_written_to_standard_output() {
    let desk = desk();
    let model = "model/model.safetensors";
    desk.run(&format!("export {model} --to c --out h.h")).done();
    let run = desk.run(&format!("export {model} --to c --out -"));
    assert_eq!(run.done().stdout, desk.read_text("h.h"));
    desk.run(&format!(
        "export {model} --to safetensors-pytorch --out net.safetensors"
    ))
    .done();
    for line in [
        "export model/model.safetensors --to onnx --out -",
        "import net.safetensors --out -",
    ] {
        desk.refuses(line, 2, "--out: standard output, expected a file");
    }
}

#[test]
fn an_archive_whose_array_cannot_be_unpacked_names_the_cause() {
    let desk = desk();
    let (x, other) = (
        npy("|u1", true, "(60, 3, 3)", &[0; 540]),
        npy("|u1", true, "(2, 2)", &[0; 4]),
    );
    let files = [("x.npy", &x[..]), ("other.npy", &other)];
    desk.put("set.npz", &zip(CompressionMethod::DEFLATE, &files));
    let mut command = desk.command(&format!("{PREDICT} set.npz"));
    command.env("TMPDIR", desk.path("missing"));
    let run = Run::of(command);
    assert_ne!(run.code, Some(0), "{run:#?}");
    assert!(
        run.stderr.contains("missing: could not create a file"),
        "{run:#?}"
    );
}

#[test]
fn hints_name_no_flag_that_the_command_lacks() {
    let desk = desk();
    desk.put("x.csv", b"1,2,3,4,5,6,7,8,9\n");
    desk.put("deep.npy", &npy("|u1", false, "(2, 1, 1, 3, 3)", &[0; 18]));
    for line in ["x.csv --resize 3x3", "deep.npy", "deep.npy --drop 1"] {
        let run = desk.run(&format!("{PREDICT} {line}"));
        assert_ne!(run.code, Some(0), "{run:#?}");
        assert!(run.stderr.contains("hint: "), "{run:#?}");
        assert!(!run.stderr.contains("--shape"), "{run:#?}");
    }
}
