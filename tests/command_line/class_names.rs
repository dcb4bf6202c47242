//! Class names: from `classes.txt` in the folder of the data into the model, and into the output of every command.

use crate::desk::Desk;
use crate::idx_set::EasySet;

const NAMES: &[u8] = b"cat\ndog\nhen, or \"hens\"\nowl\n";

/// Returns a desk with a set of four named classes and a model trained on it in `model/`.
fn desk() -> Desk {
    let desk = Desk::with(&EasySet::default());
    desk.put("set/classes.txt", NAMES);
    desk.run("train --data set --epochs 20 --hidden 8 --out model --quiet")
        .done();
    desk
}

const PREDICT: &str = "predict model/model.safetensors set/t10k-images-idx3-ubyte --limit 3";

#[test]
fn predict_prints_class_names_in_every_format() {
    let desk = desk();
    let run = desk.run(PREDICT);
    assert!(
        run.done().stdout.contains("class   2 (hen, or \"hens\")  "),
        "{run:#?}"
    );
    let run = desk.run(&format!("{PREDICT} --format csv --top 2"));
    let lines: Vec<&str> = run.done().stdout.lines().collect();
    assert_eq!(
        lines[0],
        "item,class,name,probability,class_2,name_2,probability_2"
    );
    assert!(lines[1].starts_with("0,0,cat,"), "{run:#?}");
    assert!(
        lines[3].starts_with("2,2,\"hen, or \"\"hens\"\"\","),
        "{run:#?}"
    );
    let run = desk.run(&format!("{PREDICT} --format json --top 1"));
    assert!(
        run.done()
            .stdout
            .starts_with("{\"item\":0,\"class\":0,\"name\":\"cat\",\"probability\":"),
        "{run:#?}"
    );
}

#[test]
fn eval_and_inspect_print_class_names() {
    let desk = desk();
    let run = desk.run("eval model/model.safetensors --data set");
    let rows = run
        .done()
        .stdout
        .lines()
        .filter(|line| line.ends_with("  owl"));
    assert_eq!(rows.count(), 1, "{run:#?}");
    let report = desk.run("eval model/model.safetensors --data set --format json");
    assert_eq!(report.done().json()["classes"][1]["name"], "dog");
    let run = desk.run("data inspect set");
    assert!(
        run.done().stdout.contains("  class   1 (dog)             "),
        "{run:#?}"
    );
    assert!(run.stdout.contains("item 3: class 3 (owl)"), "{run:#?}");
}

#[test]
fn without_class_names_no_output_mentions_them() {
    let desk = Desk::with_model(&EasySet::default());
    let model = desk.read("model/model.safetensors");
    assert!(!String::from_utf8_lossy(&model).contains("class_names"));
    for format in ["text", "csv", "json"] {
        let run = desk.run(&format!("{PREDICT} --format {format}"));
        assert!(!run.done().stdout.contains("name"), "{run:#?}");
    }
    let report = desk.run("eval model/model.safetensors --data set --format json");
    assert!(!report.done().stdout.contains("\"name\""), "{report:#?}");
    // Names change the metadata, but no parameter.
    desk.put("set/classes.txt", NAMES);
    let named = desk.model_of("--data set --epochs 3 --hidden 8");
    assert_ne!(named, model);
    let tensors = |model: &[u8]| {
        let header = u64::from_le_bytes(model[..8].try_into().expect("eight bytes")) as usize;
        model[8 + header..].to_vec()
    };
    assert_eq!(tensors(&named), tensors(&model));
}

#[test]
fn a_name_is_required_for_every_class() {
    let desk = Desk::with(&EasySet::default());
    desk.put("set/classes.txt", b"cat\ndog\nhen\n");
    let run = desk.refuses_in_parts(
        "train --data set --out model",
        1,
        &["set/classes.txt: 3 names, expected 4, one for each class\n"],
    );
    assert!(run.hint().contains("rename it"), "{run:#?}");
    // More names than labels: a class without samples so far.
    desk.put("set/classes.txt", b"cat\ndog\nhen\nowl\nrat\n");
    let report = desk.report_of("--data set --epochs 1 --hidden 8");
    assert_eq!(report["network"], "9-8-5");
    desk.refuses_in_parts(
        "train --data set --classes 4 --out model",
        1,
        &["set/classes.txt: 5 names, expected 4, one for each class\n"],
    );
    desk.put("set/classes.txt", b"cat\ndog\ncat\nowl\n");
    desk.refuses_in_parts(
        "train --data set --out model",
        1,
        &["set/classes.txt: line 3: \"cat\", as in line 1"],
    );
}

#[test]
fn class_names_in_another_order_than_in_the_model_are_matched_and_others_refused() {
    let desk = desk();
    desk.put("set/classes.txt", b"dog\ncat\nhen, or \"hens\"\nowl\n");
    let run = desk.run("eval model/model.safetensors --data set");
    let note = "note: set/classes.txt: classes are matched with the model by name: 0 is 1 (dog), 1 is 0 (cat)\n";
    assert!(run.done().stderr.contains(note), "{run:#?}");
    desk.put("set/classes.txt", b"cat\ndog\nhen\nowl\n");
    let run = desk.refuses_in_parts(
        "eval model/model.safetensors --data set",
        1,
        &["set/classes.txt: class 2 is \"hen\", expected a class of the model: cat, dog, hen, or"],
    );
    assert!(run.hint().contains("rename it"), "{run:#?}");
    desk.put("set/classes.txt", b"cat\ndog\n");
    let run = desk.refuses_in_parts(
        "eval model/model.safetensors --data set",
        1,
        &["set/classes.txt: 2 names, expected 4, as many classes as set/t10k-labels-idx1-ubyte has\n"],
    );
    assert!(run.hint().contains("add the missing names"), "{run:#?}");
    desk.remove("set/classes.txt");
    desk.run("eval model/model.safetensors --data set").done();
}

#[test]
fn a_run_resumes_only_with_the_class_names_it_started_with() {
    let desk = desk();
    desk.put("set/classes.txt", b"dog\ncat\nhen\nowl\n");
    desk.refuses_in_parts(
        "train --resume model --epochs 21",
        1,
        &[
            "",
            "training half: class names with hash ",
            ", expected class names with hash ",
        ],
    );
    desk.put("set/classes.txt", NAMES);
    desk.run("train --resume model --epochs 21 --quiet").done();
}

#[test]
fn class_names_survive_export_and_import() {
    let desk = desk();
    desk.run("export model/model.safetensors --to safetensors-pytorch --out net.safetensors")
        .done();
    desk.run("import net.safetensors --out back.safetensors")
        .done();
    assert_eq!(
        desk.read("back.safetensors"),
        desk.read("model/model.safetensors")
    );
}
