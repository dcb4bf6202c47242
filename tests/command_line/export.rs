//! `export` and `import`: which files are written, what is printed, and what is refused. `other_tools` tests that other
//! tools read the files.

use std::collections::HashMap;

use safetensors::Dtype;
use safetensors::tensor::TensorView;

use crate::desk::Desk;
use crate::idx_set::EasySet;

const MODEL: &str = "model/model.safetensors";

const FILES: [(&str, &str); 4] = [
    ("onnx", "model/model.onnx"),
    ("npz", "model/model.npz"),
    ("c", "model/model.h"),
    ("safetensors-pytorch", "model/model.pytorch.safetensors"),
];

/// Writes what PyTorch would save of a network 9-2-4: only tensors.
fn put_pytorch_file(desk: &Desk, name: &str) {
    let halves: Vec<u8> = 0.5f32.to_le_bytes().repeat(18);
    let tensor = |shape: &[usize]| {
        let bytes = &halves[..4 * shape.iter().product::<usize>()];
        TensorView::new(Dtype::F32, shape.to_vec(), bytes).expect("a tensor")
    };
    let tensors = [
        ("0.weight", tensor(&[2, 9])),
        ("0.bias", tensor(&[2])),
        ("2.weight", tensor(&[4, 2])),
        ("2.bias", tensor(&[4])),
    ];
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    let bytes = safetensors::serialize(tensors, Some(metadata));
    desk.put(name, &bytes.expect("a file"));
}

#[test]
fn each_format_writes_the_same_bytes_to_a_file_next_to_the_model() {
    let desk = Desk::with_model(&EasySet::default());
    for (format, file) in FILES {
        let run = desk.run(&format!("export {MODEL} --to {format}"));
        let start = format!("{file}: {format}, 9-8-4, sigmoid, ");
        assert!(run.done().stdout.starts_with(&start), "{run:#?}");
        assert!(run.stdout.contains("\nnext  "), "{run:#?}");
        assert_eq!(run.stderr, "");
        desk.run(&format!("export {MODEL} --to {format} --out again"))
            .done();
        assert!(desk.read(file) == desk.read("again"), "{format}");
        desk.remove("again");
    }
}

#[test]
fn files_are_replaced_only_with_force_and_the_model_never() {
    let desk = Desk::with_model(&EasySet::default());
    desk.put("mine", b"not yours");
    let export = format!("export {MODEL} --to onnx --out");
    let message = "mine: exists already, expected no such file, or --force to replace it";
    desk.refuses(&format!("{export} mine"), 2, message);
    assert_eq!(desk.read("mine"), b"not yours");
    desk.run(&format!("{export} mine --force")).done();
    assert_ne!(desk.read("mine"), b"not yours");
    for force in ["", " --force"] {
        let message =
            format!("model/../{MODEL}: the file that is read, expected another file to write");
        let run = desk.refuses(
            &format!("{export} model/../{MODEL}{force}"),
            2,
            &format!("{message}\nhint: name one with --out"),
        );
        assert_eq!(run.hint(), "name one with --out");
        let message = "model: a folder, expected a file to write";
        desk.refuses(&format!("{export} model{force}"), 2, message);
    }
    desk.refuses_in_parts(&format!("{export} none/such"), 1, &["none: could not "]);
}

#[test]
fn names_require_the_c_format_and_must_be_c_identifiers() {
    let desk = Desk::with_model(&EasySet::default());
    desk.refuses(
        &format!("export {MODEL} --to npz --name digits"),
        2,
        "--name: digits with --to npz, expected --to c, the only format with names",
    );
    desk.refuses_in_parts(
        &format!("export {MODEL} --to c --name 2d"),
        2,
        &["--name: \"2d\", expected a letter, "],
    );
    desk.run(&format!("export {MODEL} --to c --name digits"))
        .done();
    let header = desk.read_text("model/model.h");
    assert!(header.contains("int digits_predict(const float *elements"));
    assert!(!header.contains("perceptor_"), "{header}");
}

#[test]
fn a_network_without_hidden_layers_can_be_exported() {
    let desk = Desk::with(&EasySet::default());
    desk.run("train --data set --hidden none --epochs 1 --out model --quiet")
        .done();
    for (format, file) in FILES {
        desk.run(&format!("export {MODEL} --to {format}")).done();
        assert!(desk.has(file));
    }
    desk.run("import model/model.pytorch.safetensors --out back")
        .done();
    assert!(desk.read("back") == desk.read(MODEL));
}

#[test]
fn an_export_for_pytorch_is_imported_byte_for_byte() {
    let desk = Desk::with_model(&EasySet::noisy());
    desk.run(&format!("export {MODEL} --to safetensors-pytorch"))
        .done();
    let run = desk.run("import model/model.pytorch.safetensors");
    let back = "model/model.perceptor.safetensors";
    let start = format!("{back}: a model, 9-8-4, sigmoid, ");
    assert!(run.done().stdout.starts_with(&start), "{run:#?}");
    let next = format!(" eval {back} --data DIR\n");
    assert!(run.stdout.ends_with(&next), "{run:#?}");
    assert!(desk.read(back) == desk.read(MODEL));
}

#[test]
fn a_file_of_pytorch_is_imported_with_flags_for_what_it_lacks() {
    let desk = Desk::with(&EasySet::default());
    put_pytorch_file(&desk, "net.safetensors");
    let import = "import net.safetensors";
    let run = desk.refuses_in_parts(
        import,
        2,
        &["--activation: not given, expected that of the hidden layers, which net.safetensors does not have\n"],
    );
    assert!(run.hint().contains("state_dict"), "{run:#?}");
    let import = format!("{import} --activation relu");
    let run = desk.refuses_in_parts(
        &import,
        2,
        &["--scale-factor: not given, expected what elements are multiplied by, "],
    );
    assert!(run.hint().contains("1/255"), "{run:#?}");
    desk.run(&format!(
        "{import} --scale-factor 1/255 --scale-offset -2 --out model.safetensors"
    ))
    .done();
    let model = desk.read("model.safetensors");
    let metadata = crate::model_file::metadata(&model);
    assert_eq!(metadata["activation"], "relu");
    assert_eq!(
        metadata.get("provenance"),
        None,
        "an imported model has no provenance"
    );
    let (offset, factor) = crate::model_file::scaling(&model);
    assert_eq!((offset, factor as f32), (-2.0, 1.0 / 255.0));
    desk.run("predict model.safetensors set/t10k-images-idx3-ubyte")
        .done();
    desk.run("export model.safetensors --to onnx").done();
}

#[test]
fn flags_cannot_contradict_the_file() {
    let desk = Desk::with_model(&EasySet::default());
    desk.run(&format!(
        "export {MODEL} --to safetensors-pytorch --out net"
    ))
    .done();
    desk.refuses(
        "import net --activation relu",
        2,
        "--activation: relu, expected sigmoid, as in the file, or nothing",
    );
    desk.refuses_in_parts(
        "import net --scale-factor 2",
        2,
        &["--scale-factor: offset 0, factor 2, expected offset 0, factor 0.00"],
    );
    desk.run("import net --activation sigmoid --out same")
        .done();
}

#[test]
fn invalid_scale_factors_are_refused() {
    let desk = Desk::empty();
    put_pytorch_file(&desk, "net");
    for number in ["x", "1/0", "inf", "nan", "1/2/3", "1e99", ""] {
        let run = desk.refuses_in_parts(
            &format!("import net --activation relu --scale-factor={number}"),
            2,
            &["invalid value", "finite number"],
        );
        assert!(run.stderr.contains("--scale-factor"), "{run:#?}");
    }
    let run = desk.run("import net --activation relu --scale-offset 1");
    assert_eq!(run.code, Some(2), "{run:#?}");
}

#[test]
fn a_model_and_a_pytorch_file_are_not_confused() {
    let desk = Desk::with_model(&EasySet::default());
    desk.refuses(
        &format!("import {MODEL}"),
        1,
        &format!("{MODEL}: a model of perceptor itself, expected what another program or export wrote\nhint: use it as it is"),
    );
    put_pytorch_file(&desk, "net");
    let run = desk.refuses_in_parts(
        "export net --to onnx",
        1,
        &["net: no metadata under the key perceptor, expected a model that perceptor wrote\n"],
    );
    assert!(run.hint().contains("perceptor import"), "{run:#?}");
    desk.run(&format!(
        "export {MODEL} --to safetensors-pytorch --out torch"
    ))
    .done();
    let run = desk.refuses_in_parts(
        "predict torch set/t10k-images-idx3-ubyte",
        1,
        &["torch: layers.0.weight: no such tensor, expected [9, 8]\n"],
    );
    assert!(run.hint().contains("perceptor import"), "{run:#?}");
}

#[test]
fn no_byte_of_an_imported_header_crashes_the_program() {
    let desk = Desk::empty();
    put_pytorch_file(&desk, "net");
    let valid = desk.read("net");
    let header = 8 + u64::from_le_bytes(*valid.first_chunk().expect("a length")) as usize;
    let import = "import net --activation relu --scale-factor 1 --out model --force";
    for at in (0..8).chain((8..header).step_by(3)) {
        let mut bytes = valid.clone();
        bytes[at] = bytes[at].wrapping_add(1);
        desk.put("net", &bytes);
        let run = desk.run(import);
        match run.code {
            Some(0) => assert_eq!(run.stderr, "", "byte {at}: {run:#?}"),
            _ => {
                let _ = desk.refuses_in_parts(import, 1, &["net: ", ", expected ", "\n"]);
            }
        }
    }
    for length in [0, 7, 8, header / 2, header, valid.len() - 1] {
        desk.put("net", &valid[..length]);
        desk.refuses_in_parts(import, 1, &["net: ", ", expected a safetensors file\n"]);
    }
}
