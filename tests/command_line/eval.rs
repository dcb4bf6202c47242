//! What `eval` reports, as text and as JSON, compared with figures computed here from the output of `predict`.

use serde_json::Value;

use crate::desk::Desk;
use crate::idx_set::EasySet;

const MODEL: &str = "runs/train-1/model.safetensors";

/// Trains for a few epochs on a set that no network classifies completely, and returns the report.
fn half_trained() -> (Desk, Value) {
    let desk = Desk::with(&EasySet::noisy());
    let report = desk.report_of("--data set --hidden 12 --epochs 4");
    let accuracy = report["test_accuracy"].as_f64().expect("an accuracy");
    assert!(
        (0.2..0.99).contains(&accuracy),
        "accuracy {accuracy}, expected neither chance nor near 1"
    );
    (desk, report)
}

/// Returns the confusion matrix: rows are true classes, columns those that `predict` prints.
fn confusion_by_predict(desk: &Desk) -> Vec<Vec<u64>> {
    let run = desk.run(&format!(
        "predict {MODEL} set/t10k-images-idx3-ubyte --format csv"
    ));
    let mut counts = vec![vec![0; 4]; 4];
    let lines = run.done().stdout.lines().skip(1);
    let classes = EasySet::noisy().classes_of("t10k");
    let mut items = 0;
    for (line, class) in lines.zip(classes) {
        let prediction: usize = line
            .split(',')
            .nth(1)
            .expect("a class")
            .parse()
            .expect("a number");
        counts[usize::from(class)][prediction] += 1;
        items += 1;
    }
    assert_eq!(items, 60);
    counts
}

#[test]
fn the_figures_agree_with_the_predictions() {
    let (desk, _) = half_trained();
    let report = desk
        .run(&format!("eval {MODEL} --data set --format json"))
        .done()
        .json();
    let confusion = confusion_by_predict(&desk);
    assert_eq!(report["schema"], "perceptor.eval/1");
    assert_eq!(
        (&report["items"], &report["network"]),
        (&60.into(), &"9-12-4".into())
    );
    assert_eq!(report["confusion"], serde_json::json!(confusion));
    let share = |part: u64, total: u64| {
        if total == 0 {
            0.0
        } else {
            part as f64 / total as f64
        }
    };
    let correct: u64 = (0..4).map(|class| confusion[class][class]).sum();
    assert_eq!(report["accuracy"], share(correct, 60));
    for class in 0..4 {
        let metrics = &report["classes"][class];
        let (items, correct): (u64, u64) = (confusion[class].iter().sum(), confusion[class][class]);
        let predicted: u64 = confusion.iter().map(|row| row[class]).sum();
        assert_eq!(metrics["class"], class);
        assert_eq!(
            (&metrics["items"], &metrics["predicted"]),
            (&items.into(), &predicted.into())
        );
        assert_eq!(metrics["precision"], share(correct, predicted));
        assert_eq!(metrics["recall"], share(correct, items));
        assert_eq!(metrics["f1"], share(2 * correct, predicted + items));
    }
}

#[test]
fn loss_and_accuracy_are_those_of_the_last_epoch() {
    let (desk, training) = half_trained();
    let last = &training["epochs"][3];
    for threads in [1, 3] {
        let line = format!("eval {MODEL} --data set --format json --threads {threads}");
        let report = desk.run(&line).done().json();
        assert_eq!(report["accuracy"], last["test_accuracy"]);
        assert_eq!(report["loss"], last["test_loss"]);
    }
}

#[test]
fn the_loss_is_the_mean_negative_logarithm_of_the_probability_of_the_class() {
    let (desk, training) = half_trained();
    let run = desk.run(&format!(
        "predict {MODEL} set/t10k-images-idx3-ubyte --proba --format csv"
    ));
    let classes = EasySet::noisy().classes_of("t10k");
    let lines = run.done().stdout.lines().skip(1);
    let losses = lines.zip(classes).map(|(line, class)| {
        let field = line
            .split(',')
            .nth(3 + usize::from(class))
            .expect("a probability");
        -field.parse::<f64>().expect("a number").ln()
    });
    let mean = losses.sum::<f64>() / 60.0;
    let loss = training["epochs"][3]["test_loss"].as_f64().expect("a loss");
    assert!((mean - loss).abs() <= 1e-5 * loss, "{mean} {loss}");
}

#[test]
fn text_and_json_agree() {
    let (desk, _) = half_trained();
    let line = format!("eval {MODEL} --data set");
    let report = desk.run(&format!("{line} --format json")).done().json();
    let run = desk.run(&line);
    let number = |value: &Value| value.as_f64().expect("a number");
    let percent = |value: &Value| format!("{:.2} %", 100.0 * number(value));
    assert_eq!(run.done().value("model "), format!("{MODEL} (9-12-4)"));
    assert_eq!(run.value("data "), "set/t10k-images-idx3-ubyte, 60 samples");
    assert_eq!(
        run.value("loss "),
        format!("{:.4}", number(&report["loss"]))
    );
    assert_eq!(run.value("accuracy "), percent(&report["accuracy"]));
    let rows = |title: &str| -> Vec<String> {
        let lines = run
            .stdout
            .lines()
            .skip_while(|line| !line.starts_with(title));
        let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        lines
            .skip(1)
            .take_while(|line| !line.is_empty())
            .map(words)
            .collect()
    };
    let classes = rows("class ");
    let confusion = rows("confusion");
    assert_eq!((classes.len(), confusion.len()), (4, 5), "{run:#?}");
    assert_eq!(confusion[0], "0 1 2 3");
    for class in 0..4 {
        let metrics = &report["classes"][class];
        let [precision, recall, f1] =
            ["precision", "recall", "f1"].map(|name| percent(&metrics[name]));
        assert_eq!(
            classes[class],
            format!(
                "{class} {} {} {precision} {recall} {f1}",
                metrics["items"], metrics["predicted"]
            )
        );
        let counts = report["confusion"][class].as_array().expect("a row");
        let counts: Vec<String> = counts
            .iter()
            .map(|count| count.to_string().replace("0", "·"))
            .collect();
        let found = confusion[class + 1].replace('0', "·");
        assert!(found.ends_with(&counts.join(" ")), "{run:#?}");
    }
}

#[test]
fn test_files_may_be_named_one_by_one() {
    let (desk, _) = half_trained();
    let by_folder = desk.run(&format!("eval {MODEL} --data set"));
    let by_name = desk.run(&format!(
        "eval {MODEL} --test-images set/t10k-images-idx3-ubyte --test-labels set/t10k-labels-idx1-ubyte"
    ));
    assert_eq!(by_folder.done().stdout, by_name.done().stdout);
}

#[test]
fn many_classes_have_no_table_in_text() {
    let set = EasySet {
        classes: 30,
        item: &[10, 6],
        ..EasySet::default()
    };
    let desk = Desk::with(&set);
    desk.run("train --data set --epochs 1 --hidden 8 -q").done();
    let run = desk.run(&format!("eval {MODEL} --data set"));
    assert!(
        run.done()
            .stdout
            .contains("30 classes: the JSON report has a confusion matrix"),
        "{run:#?}"
    );
    let report = desk
        .run(&format!("eval {MODEL} --data set --format json"))
        .done()
        .json();
    assert_eq!(report["confusion"].as_array().expect("rows").len(), 30);
}
