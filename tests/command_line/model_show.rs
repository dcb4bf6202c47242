//! `model show`: what a model file contains.

use serde_json::json;

use crate::desk::Desk;
use crate::idx_set::EasySet;

#[test]
fn the_text_has_network_outputs_settings_and_scores() {
    let desk = Desk::with_model(&EasySet::default());
    let run = desk.run("model show model/model.safetensors");
    assert!(
        run.done()
            .value("network")
            .starts_with("9-8-4, sigmoid and softmax, ")
    );
    assert!(run.value("model ").starts_with("model/model.safetensors, "));
    assert_eq!(run.value("outputs"), "4 classes");
    assert_eq!(
        run.value("training"),
        "3 epochs of 200 samples, batch size 32, seed 1"
    );
    assert_eq!(run.value("task"), "classification by cross-entropy loss");
    assert!(run.value("scores").starts_with("training: loss "));
    assert!(
        run.value("          test:").contains(", accuracy "),
        "{run:#?}"
    );
}

#[test]
fn the_json_object_is_for_programs() {
    let desk = Desk::with_model(&EasySet::default());
    let run = desk.run("model show model/model.safetensors --format json");
    let report = run.done().json();
    assert_eq!(report["schema"], "perceptor.model/1");
    assert_eq!(report["network"], "9-8-4");
    assert_eq!(report["task"], "classification");
    assert_eq!(report["parameters"], 9 * 8 + 8 + 8 * 4 + 4);
    let provenance = &report["provenance"];
    assert_eq!(provenance["train_items"], 200);
    assert_eq!(provenance["config"]["hidden"], json!([8]));
    let length = desk.read("model/model.safetensors").len();
    assert_eq!(report["bytes"], length);
}

#[test]
fn a_file_that_is_not_a_model_is_refused() {
    let desk = Desk::empty();
    desk.put("t.csv", b"a,b\n1,2\n");
    desk.refuses_in_parts("model show t.csv", 1, &["t.csv: ", ", expected "]);
    desk.refuses_in_parts("model show nothing", 1, &["nothing: could not "]);
}
