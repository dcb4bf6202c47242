//! PyTorch: an `nn.Sequential` loads an export, and the file that it saves is imported.

use std::fs;

use crate::models::{Models, perceptor};
use crate::python::Python;

#[test]
fn nn_sequential_predicts_the_same_and_its_saved_file_can_be_imported() {
    // PyTorch is large, so few machines have it installed for this test.
    let Some(python) = Python::if_available("numpy, torch, safetensors") else {
        return;
    };
    let models = Models::get();
    for trained in &models.models {
        let activation = trained.activation;
        let export = trained.export("--to safetensors-pytorch", "net.safetensors");
        let saved = trained.model.with_file_name("saved.safetensors");
        let paths = [&*export, &*models.images, &*saved];
        trained.assert_predicts(&python.run(include_str!("predict_torch.py"), &paths));

        // The file saved by PyTorch does not record activation and scaling; the export does.
        let back = trained.model.with_file_name("back.safetensors");
        perceptor("import --out", &[&back, &export]);
        let original = fs::read(&trained.model).expect("the model");
        if !trained.folds {
            assert_eq!(
                fs::read(&back).expect("the imported model"),
                original,
                "{activation}"
            );
        }
        if trained.scales_features {
            // Flags have one pair only.
            continue;
        }
        let csv = perceptor("predict --proba --format csv", &[&back, &models.images]);
        let scaling = python.run(include_str!("scaling.py"), &[&*trained.model]);
        let flags = format!("import --activation {activation} {scaling} --force --out");
        perceptor(&flags, &[&back, &saved]);
        let again = perceptor("predict --proba --format csv", &[&back, &models.images]);
        assert!(csv == again, "{activation}: the predictions differ");
    }
}
