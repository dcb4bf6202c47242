//! PyTorch: an `nn.Sequential` loads an export, and what it saves comes back.

use std::fs;

use crate::models::{Models, perceptor};
use crate::python::Python;

#[test]
fn nn_sequential_predicts_the_same_and_its_own_file_is_taken_back() {
    // PyTorch is large, so that few machines have it for this.
    let Some(python) = Python::where_there_is("numpy, torch, safetensors") else {
        return;
    };
    let models = Models::get();
    for trained in &models.models {
        let activation = trained.activation;
        let export = trained.export("--to safetensors-pytorch", "net.safetensors");
        let saved = trained.model.with_file_name("saved.safetensors");
        let paths = [&*export, &*models.images, &*saved];
        trained.assert_predicts(&python.run(include_str!("predict_torch.py"), &paths));

        // PyTorch's own file does not tell activation and scaling; the export does.
        let back = trained.model.with_file_name("back.safetensors");
        perceptor("import --out", &[&back, &export]);
        let own = fs::read(&trained.model).expect("the model");
        if !trained.folds {
            assert_eq!(fs::read(&back).expect("the same"), own, "{activation}");
        }
        let csv = perceptor("predict --proba --format csv", &[&back, &models.images]);
        let scaling = python.run(include_str!("scaling.py"), &[&*trained.model]);
        let flags = format!("import --activation {activation} {scaling} --force --out");
        perceptor(&flags, &[&back, &saved]);
        let again = perceptor("predict --proba --format csv", &[&back, &models.images]);
        assert!(csv == again, "{activation}: other bits");
    }
}
