//! What `predict` writes: text, CSV and JSON lines, for which samples, and which columns.

use serde_json::Value;

use crate::desk::Desk;
use crate::idx_set::EasySet;

const PREDICT: &str = "predict model/model.safetensors set/t10k-images-idx3-ubyte";

fn desk() -> Desk {
    Desk::with_model(&EasySet::noisy())
}

/// Returns the fields of each CSV line, with the header first.
fn csv(desk: &Desk, flags: &str) -> Vec<Vec<String>> {
    let run = desk.run(&format!("{PREDICT} --format csv {flags}"));
    let split = |line: &str| line.split(',').map(str::to_owned).collect();
    run.done().stdout.lines().map(split).collect()
}

fn number(field: &str) -> f64 {
    field
        .parse()
        .unwrap_or_else(|_| panic!("{field}, expected a number"))
}

fn json_lines(desk: &Desk, flags: &str) -> Vec<Value> {
    let run = desk.run(&format!("{PREDICT} --format json {flags}"));
    let parse = |line: &str| serde_json::from_str(line).expect("an object per line");
    run.done().stdout.lines().map(parse).collect()
}

/// Asserts that two runs predict the same. Rows that share a matrix product with a sample may change the last digit of its
/// probabilities, and nothing else.
fn assert_same_items(found: &[Vec<String>], expected: &[Vec<String>]) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert_eq!(found[..2], expected[..2], "sample and class");
        for (found, expected) in found[2..].iter().zip(&expected[2..]) {
            let difference = number(found) - number(expected);
            assert!(difference.abs() <= 1e-6, "{found}, expected {expected}");
        }
    }
}

#[test]
fn each_sample_has_a_line_in_each_format() {
    let desk = desk();
    let csv = csv(&desk, "");
    let json = json_lines(&desk, "");
    let text = desk.run(PREDICT);
    let text: Vec<&str> = text.done().stdout.lines().collect();
    assert_eq!((csv.len(), json.len(), text.len()), (61, 60, 60));
    assert_eq!(csv[0], ["item", "class", "probability"]);
    for item in 0..60 {
        let [index, class, probability] = &csv[item + 1][..] else {
            panic!("{:?}", csv[item + 1]);
        };
        assert_eq!(*index, item.to_string());
        assert!((0.25..=1.0).contains(&number(probability)));
        assert_eq!(json[item]["item"], item);
        assert_eq!(json[item]["class"].to_string(), *class);
        assert_eq!(json[item]["probability"].to_string(), *probability);
        let words: Vec<&str> = text[item].split_whitespace().collect();
        assert_eq!(
            words,
            [
                index,
                "class",
                class,
                &format!("{:.4}", number(probability))
            ]
        );
    }
}

#[test]
fn proba_adds_a_probability_per_class_and_they_sum_to_one() {
    let desk = desk();
    let rows = csv(&desk, "--proba");
    assert_eq!(
        rows[0],
        ["item", "class", "probability", "p_0", "p_1", "p_2", "p_3"]
    );
    let json = json_lines(&desk, "--proba");
    let best = csv(&desk, "");
    for (index, row) in rows[1..].iter().enumerate() {
        assert_eq!(row[..3], best[index + 1], "--proba changed a prediction");
        let probabilities: Vec<f64> = row[3..].iter().map(|field| number(field)).collect();
        assert!(
            (probabilities.iter().sum::<f64>() - 1.0).abs() <= 1e-5,
            "{row:?}"
        );
        let class: usize = row[1].parse().expect("a class");
        assert!(
            probabilities.iter().all(|&p| p <= probabilities[class]),
            "{row:?}"
        );
        assert_eq!(row[3 + class], row[2]);
        let listed = json[index]["probabilities"].as_array().expect("a list");
        let listed: Vec<String> = listed.iter().map(Value::to_string).collect();
        assert_eq!(listed, row[3..]);
    }
}

#[test]
fn top_lists_the_most_likely_classes_in_order() {
    let desk = desk();
    let all = csv(&desk, "--proba");
    for (top, shown) in [(1, 1), (3, 3), (4, 4), (99, 4)] {
        let rows = csv(&desk, &format!("--top {top}"));
        let json = json_lines(&desk, &format!("--top {top}"));
        for (index, row) in rows[1..].iter().enumerate() {
            assert_eq!(row.len(), 1 + 2 * shown);
            assert_eq!(row.len(), rows[0].len());
            let ranked: Vec<(usize, &str)> = row[1..]
                .chunks_exact(2)
                .map(|pair| (pair[0].parse().expect("a class"), pair[1].as_str()))
                .collect();
            assert!(
                ranked.is_sorted_by(|a, b| number(a.1) >= number(b.1)),
                "{row:?}"
            );
            for (class, probability) in &ranked {
                assert_eq!(all[index + 1][3 + class], *probability);
            }
            let listed = json[index]["top"].as_array().expect("a list");
            let listed: Vec<String> = listed
                .iter()
                .map(|entry| entry["class"].to_string())
                .collect();
            let expected: Vec<String> = ranked.iter().map(|(class, _)| class.to_string()).collect();
            assert_eq!(listed, expected);
        }
    }
}

#[test]
fn offset_and_limit_select_a_range() {
    let desk = desk();
    let all = csv(&desk, "");
    for (flags, piece) in [
        ("--limit 5", 0..5),
        ("--offset 57", 57..60),
        ("--offset 59 --limit 1", 59..60),
        ("--offset 20 --limit 7", 20..27),
        ("--offset 50 --limit 1000", 50..60),
        ("--limit 18446744073709551615 --offset 58", 58..60),
        ("--limit 0", 0..0),
    ] {
        let rows = csv(&desk, flags);
        assert_eq!(rows[0], all[0]);
        assert_same_items(&rows[1..], &all[1..][piece]);
    }
}

#[test]
fn rejects_an_offset_beyond_the_end() {
    let desk = desk();
    let images = "set/t10k-images-idx3-ubyte";
    for offset in ["60", "61", "18446744073709551615"] {
        desk.refuses(
            &format!("{PREDICT} --offset {offset}"),
            2,
            &format!("--offset: {offset}, expected below the 60 samples of {images}"),
        );
    }
}

#[test]
fn threads_change_no_bit_and_positions_in_a_block_change_no_prediction() {
    // More samples than one block, and not a multiple of any block size.
    let set = EasySet {
        test: 9001,
        ..EasySet::noisy()
    };
    let desk = Desk::with_model(&set);
    let all = csv(&desk, "--proba --threads 1");
    assert_eq!(all.len(), 9002);
    assert!(csv(&desk, "--proba --threads 3") == all);
    let piece = csv(&desk, "--proba --offset 8191 --limit 3");
    assert_same_items(&piece[1..], &all[8192..8195]);
}

#[test]
fn samples_of_any_shape_with_the_right_width_are_accepted() {
    let desk = desk();
    let flat = EasySet {
        item: &[9],
        ..EasySet::noisy()
    };
    desk.put("flat", &flat.images("t10k"));
    let by_shape = desk.run("predict model/model.safetensors flat");
    assert_eq!(by_shape.done().stdout, desk.run(PREDICT).done().stdout);
}
