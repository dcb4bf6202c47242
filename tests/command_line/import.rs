//! `import` of networks that other programs saved: which order, places and numbers it finds, with the outputs that
//! `networks/make.py` computed by NumPy, and what it refuses.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde_json::Value;

use crate::desk::{Desk, Run};

/// Numbers of 32 bits that were folded, against 64 bits.
const TOLERANCE: f64 = 1e-5;

const IMPORT: &str =
    "import net --scale-factor 1 --task regression --out model.safetensors --force";

fn networks() -> Vec<Value> {
    let text = include_str!("networks/networks.json");
    serde_json::from_str(text).expect("a list of networks")
}

/// Returns a desk with the network in the file `net` and the rows in the file `rows`.
fn desk_with(file: &str) -> Desk {
    let desk = Desk::empty();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/command_line/networks");
    let read = |name: &str| fs::read(folder.join(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
    desk.put("net", &read(&format!("{file}.safetensors")));
    desk.put("rows", &read("rows"));
    desk
}

/// Returns what the model of the desk computes for each row.
fn outputs(desk: &Desk) -> Vec<Vec<f64>> {
    let run = desk.run("predict model.safetensors rows --format csv");
    let lines = run.done().stdout.lines().skip(1);
    let numbers = |line: &str| -> Vec<f64> {
        let fields = line.split(',').skip(1);
        fields
            .map(|field| field.parse().expect("a number"))
            .collect()
    };
    lines.map(numbers).collect()
}

fn assert_close(found: &[Vec<f64>], network: &Value) {
    let expected: Vec<Vec<f64>> = serde_json::from_value(network["values"].clone()).expect("rows");
    assert_eq!(found.len(), expected.len(), "{network}");
    for (found, expected) in found.iter().zip(&expected) {
        assert_eq!(found.len(), expected.len(), "{network}");
        for (found, expected) in found.iter().zip(expected) {
            let distance = (found - expected).abs() / expected.abs().max(1.0);
            assert!(distance < TOLERANCE, "{found} and {expected}: {network}");
        }
    }
}

/// Imports `net` with `flags`.
fn import(desk: &Desk, flags: &str) -> Run {
    desk.run(&format!("{IMPORT} {flags}"))
}

#[test]
fn networks_of_other_programs_compute_what_they_computed_there() {
    for network in networks() {
        let desk = desk_with(network["file"].as_str().expect("a name"));
        import(&desk, network["flags"].as_str().expect("flags")).done();
        assert_close(&outputs(&desk), &network);
    }
}

#[test]
fn what_was_guessed_added_or_converted_is_noted() {
    for (file, flags, notes) in [
        (
            "sequential",
            "",
            &[
                "note: net: batch normalisation: 1 between 0 and its activation, kept; 5 between 4 and its activation, kept\n",
                "note: net: batch normalisation adds 1e-5 to variances, the default of PyTorch; --batch-norm-epsilon sets \
                 another number\n",
                "note: net: no biases, zeros are used: 0\n",
            ][..],
        ),
        (
            "after-activation",
            "",
            &[
                "net.2 behind the activation of net.0, folded into net.3\n",
                "note: net: 57 numbers of F64 converted to F32, 57 of them rounded\n",
            ],
        ),
        (
            "both-ends",
            "",
            &["0 on the inputs, folded; 4 on the outputs, folded\n"],
        ),
        (
            "named-before",
            "--batch-norm before",
            &[
                "note: net: order of the layers, by their widths: fc1, fc2, out\n",
                "numbers of F16 converted to F32, none of them rounded\n",
            ],
        ),
        (
            "one-of-two",
            "--batch-norm before",
            &["module.bn1 between module.fc1 and its activation, folded\n"],
        ),
        (
            "numpy",
            "",
            &["note: net: weights are [in, out]: as [out, in] the widths do not fit together\n"],
        ),
        (
            "words",
            "--layers stem,middle",
            &["note: net: left out: head\n"],
        ),
    ] {
        let desk = desk_with(file);
        let run = import(&desk, &format!("--activation relu {flags}"));
        run.done();
        for note in notes {
            assert!(run.stderr.contains(note), "{note}: {run:#?}");
        }
    }
}

#[test]
fn an_imported_batch_normalisation_that_is_kept_can_be_trained() {
    let desk = desk_with("sequential");
    import(&desk, "--activation relu").done();
    let metadata = crate::model_file::metadata(&desk.read("model.safetensors"));
    assert_eq!(metadata["batch_norm"], true);
    let desk = desk_with("one-of-two");
    import(&desk, "--activation relu --batch-norm before").done();
    let metadata = crate::model_file::metadata(&desk.read("model.safetensors"));
    assert_eq!(
        metadata.get("batch_norm"),
        None,
        "only one of two layers has it"
    );
}

#[test]
fn an_order_or_a_place_that_is_not_known_is_refused_with_the_flag_that_gives_it() {
    for (file, flags, message, hint) in [
        (
            "square",
            "",
            "net: layers that fit in the order first, second, last, and second, first, last, expected one order",
            "name the layers in their order with --layers first,last,second",
        ),
        (
            "named-before",
            "",
            "net: bn1: batch normalisation before or after the activation, expected which of the two",
            "give --batch-norm=before if",
        ),
        (
            "keras",
            "--batch-norm before",
            "net: batch_normalization: batch normalisation in an unknown place, expected",
            "name all layers in their order with --layers",
        ),
        (
            "sequential",
            "--layers 0,4,8",
            "net: --layers: layers without 1, a batch normalisation beside them, expected it in its place\n",
            "name it between the layers where it stands, as fc1,bn1,fc2; if it belongs to another network, remove its \
             tensors from the file",
        ),
        (
            "words",
            "--layers stem,nose",
            "net: --layers: nose, expected some of head, middle, stem\n",
            "",
        ),
        (
            "words",
            "--layers stem,head",
            "net: head.weight: 3 inputs, expected 5, the outputs of the layer before\n",
            "",
        ),
        (
            "words",
            "--layers stem,stem",
            "net: --layers: stem twice, expected each layer once\n",
            "",
        ),
    ] {
        let desk = desk_with(file);
        let line = format!("{IMPORT} --activation relu {flags}");
        let run = desk.refuses_in_parts(&line, 1, &[message]);
        assert!(run.stderr.contains(hint), "{run:#?}");
    }
}

/// Writes a file of these tensors.
fn put_tensors(desk: &Desk, tensors: &[(&str, Dtype, &[usize], &[u8])]) {
    let views = tensors.iter().map(|&(name, dtype, shape, bytes)| {
        let view = TensorView::new(dtype, shape.to_vec(), bytes);
        (name, view.expect("a tensor"))
    });
    let bytes = safetensors::serialize(views, None::<HashMap<_, _>>);
    desk.put("net", &bytes.expect("a file"));
}

/// Writes a file of these tensors, all of them ones in F32.
fn put_ones(desk: &Desk, tensors: &[(String, Vec<usize>)]) {
    let ones = 1f32.to_le_bytes().repeat(64);
    let with_bytes = tensors.iter().map(|(name, shape)| {
        let bytes = &ones[..4 * shape.iter().product::<usize>()];
        (&**name, Dtype::F32, &**shape, bytes)
    });
    put_tensors(desk, &with_bytes.collect::<Vec<_>>());
}

#[test]
fn the_list_of_layers_to_type_is_complete_and_has_batch_normalisation() {
    let desk = Desk::empty();
    let name = |layer: usize| {
        format!(
            "square_{}",
            "abcdefghijklmnop".chars().nth(layer).expect("a letter")
        )
    };
    let mut names: Vec<String> = (0..15).map(name).collect();
    let mut tensors: Vec<(String, Vec<usize>)> = Vec::new();
    for layer in &names {
        tensors.push((format!("{layer}.weight"), vec![4, 4]));
    }
    for part in ["weight", "bias", "running_mean", "running_var"] {
        tensors.push((format!("square_p.{part}"), vec![4]));
    }
    put_ones(&desk, &tensors);
    names.push("square_p".to_owned());
    let line = format!("{IMPORT} --activation relu");
    let run = desk.refuses_in_parts(&line, 1, &["net: "]);
    let list = names.join(",");
    let hint =
        format!("name the layers and batch normalisation in their order with --layers {list}");
    assert!(run.hint().contains(&hint), "{run:#?}");
    // Typed as it is, the normalisation counts.
    let run = import(&desk, &format!("--activation relu --layers {list}"));
    assert!(
        run.done().stderr.contains("square_p on the outputs"),
        "{run:#?}"
    );
    // One of another network does not.
    let other = |(name, shape): (String, Vec<usize>)| match name.starts_with("square_p") {
        true => (format!("critic.{name}"), shape),
        false => (format!("actor.{name}"), shape),
    };
    let tensors: Vec<_> = tensors.into_iter().map(other).collect();
    put_ones(&desk, &tensors);
    let run = import(
        &desk,
        "--activation relu --layers actor.square_a,actor.square_b",
    );
    assert!(
        run.done().stderr.contains("left out: actor.square_c, "),
        "{run:#?}"
    );
}

#[test]
fn statistics_that_are_not_a_vector_are_refused_by_their_own_name() {
    let desk = Desk::empty();
    let tensors = [
        ("fc1.weight", &[4, 3][..]),
        ("bn1.weight", &[4]),
        ("bn1.bias", &[4]),
        ("bn1.running_mean", &[2, 2]),
        ("bn1.running_var", &[4]),
    ];
    let tensors = tensors.map(|(name, shape)| (name.to_owned(), shape.to_vec()));
    put_ones(&desk, &tensors);
    let message = "net: bn1.running_mean: F32 [2, 2], expected [units], a number for each unit";
    desk.refuses(IMPORT, 1, message);
}

#[test]
fn numbers_that_32_bits_cannot_hold_are_refused() {
    let desk = Desk::empty();
    for (value, words) in [
        (
            1e302,
            "element 1 is 1e302, expected at most 3.4e38 in size, the largest number of 32 bits\n",
        ),
        (f64::NAN, "element 1 is NaN, expected finite numbers\n"),
        (f64::INFINITY, "element 1 is inf, expected finite numbers\n"),
    ] {
        let bytes = [0.5, value].map(f64::to_le_bytes).concat();
        put_tensors(&desk, &[("0.weight", Dtype::F64, &[1, 2], &bytes)]);
        desk.refuses(IMPORT, 1, format!("net: 0.weight: {words}").trim_end());
    }
    let bytes = [0.5, 1.0 / 3.0].map(f64::to_le_bytes).concat();
    put_tensors(&desk, &[("0.weight", Dtype::F64, &[1, 2], &bytes)]);
    let run = desk.run(IMPORT);
    let note = "note: net: 2 numbers of F64 converted to F32, 1 of them rounded\n";
    assert!(run.done().stderr.contains(note), "{run:#?}");
    put_tensors(&desk, &[("0.weight", Dtype::I32, &[1, 2], &bytes[..8])]);
    let message = "net: 0.weight: I32 [1, 2], expected F16, BF16, F32 or F64";
    desk.refuses(IMPORT, 1, message);
}

#[test]
fn tensors_that_belong_to_no_layer_are_refused_by_name() {
    let desk = Desk::empty();
    let bytes = 0.5f32.to_le_bytes().repeat(6);
    for (name, shape, found) in [
        ("norm.weight", &[2][..], "F32 [2]"),
        ("conv.weight", &[2, 3, 1], "F32 [2, 3, 1]"),
        (
            "norm.running_mean",
            &[2],
            "a running statistic without the other one",
        ),
        ("other.bias", &[2], "a bias without a weight"),
        (
            "lstm.weight_ih_l0",
            &[2, 3],
            "neither a weight, a bias nor a running statistic, by its name",
        ),
    ] {
        let data = &bytes[..4 * shape.iter().product::<usize>()];
        put_tensors(
            &desk,
            &[
                ("fc.weight", Dtype::F32, &[2, 3], &bytes),
                (name, Dtype::F32, shape, data),
            ],
        );
        let message =
            format!("net: {name}: {found}, expected the weight or bias of a linear layer");
        let run = desk.refuses_in_parts(IMPORT, 1, &[&message]);
        assert!(run.hint().contains("--layers"), "{run:#?}");
        // The layers that are named are imported, and the other is noted.
        let run = desk.run(&format!("{IMPORT} --layers fc"));
        assert!(
            run.done().stderr.contains("note: net: left out: "),
            "{run:#?}"
        );
    }
}

#[test]
fn axes_that_nothing_shows_are_refused_unless_they_are_given() {
    let desk = Desk::empty();
    let numbers: Vec<u8> = (1..=4u8)
        .flat_map(|number| f32::from(number).to_le_bytes())
        .collect();
    put_tensors(&desk, &[("W1", Dtype::F32, &[2, 2], &numbers)]);
    let run = desk.refuses_in_parts(
        IMPORT,
        1,
        &["net: weights that fit together as [out, in] and as [in, out], expected"],
    );
    assert_eq!(run.hint(), "give --weights out-in or --weights in-out");
    let of = |axes: &str| {
        import(&desk, &format!("--weights {axes}")).done();
        desk.read("model.safetensors")
    };
    let (torch, keras) = (of("out-in"), of("in-out"));
    assert_ne!(torch, keras);
    // PyTorch's name has PyTorch's axes, Keras' has those of Keras.
    for (name, expected) in [("0.weight", torch), ("dense/kernel:0", keras)] {
        put_tensors(&desk, &[(name, Dtype::F32, &[2, 2], &numbers)]);
        import(&desk, "").done();
        assert_eq!(desk.read("model.safetensors"), expected, "{name}");
    }
}

#[test]
fn one_output_is_not_a_classification() {
    let desk = Desk::empty();
    let bytes = 0.5f32.to_le_bytes().repeat(6);
    put_tensors(&desk, &[("0.weight", Dtype::F32, &[1, 2], &bytes[..8])]);
    let line = "import net --scale-factor 1 --out model.safetensors";
    for task in ["", " --task classification"] {
        let run = desk.refuses(
            &format!("{line}{task}"),
            1,
            "net: 1 output with classification, expected at least two, as a softmax over one is always 1\n\
             hint: if a sigmoid follows the output, give --task multilabel; if it is a number, --task regression",
        );
        assert_eq!(run.stdout, "");
    }
    for task in ["multilabel", "regression"] {
        desk.run(&format!("{line} --task {task} --force")).done();
    }
    // The same in a model file, whatever wrote it.
    let model = desk.read("model.safetensors");
    let text = String::from_utf8_lossy(&model).into_owned();
    let task = "\\\"task\\\":\\\"regression\\\",";
    assert!(text.contains(task), "{text}");
    let other = format!(
        "\\\"unknown\\\":{}1,",
        " ".repeat(task.len() - "\\\"unknown\\\":1,".len())
    );
    let at = text.find(task).expect("the task");
    let mut damaged = model.clone();
    damaged[at..at + task.len()].copy_from_slice(other.as_bytes());
    desk.put("damaged", &damaged);
    desk.put("rows", &crate::idx_set::labels(&[1, 2]));
    let message = "damaged: 1 output with classification, expected at least two, as a softmax over one is always 1";
    for line in [
        "model show damaged",
        "predict damaged rows",
        "export damaged --to npz",
    ] {
        desk.refuses(line, 1, message);
    }
}
