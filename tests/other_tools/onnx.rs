//! ONNX: the checker of the `onnx` package, and onnxruntime.

use crate::models::Models;
use crate::python::Python;

#[test]
fn onnxruntime_predicts_the_same_for_batches_of_any_size() {
    let Some(python) = Python::with("numpy, onnx, onnxruntime") else {
        return;
    };
    let models = Models::get();
    for trained in &models.models {
        let onnx = trained.export("--to onnx", "model.onnx");
        let paths = [&*onnx, &*models.images];
        trained.assert_predicts(&python.run(include_str!("predict_onnx.py"), &paths));
    }
}
