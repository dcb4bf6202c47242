//! NumPy: reading a model file in ten lines of Python, and NPZ.

use crate::models::Models;
use crate::python::Python;

#[test]
fn ten_lines_of_python_predict_the_same_classes() {
    let Some(python) = Python::with("numpy, safetensors") else {
        return;
    };
    let models = Models::get();
    for trained in &models.models {
        let paths = [&*trained.model, &*models.images];
        trained.assert_classes(&python.run(include_str!("predict_model_file.py"), &paths));
    }
}

#[test]
fn numpy_predicts_the_same_from_an_npz() {
    let Some(python) = Python::with("numpy") else {
        return;
    };
    let models = Models::get();
    for trained in &models.models {
        let npz = trained.export("--to npz", "model.npz");
        let paths = [&*npz, &*models.images];
        trained.assert_predicts(&python.run(include_str!("predict_npz.py"), &paths));
    }
}
