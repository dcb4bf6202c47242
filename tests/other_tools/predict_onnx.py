"""Prints class and probabilities of each sample: ONNX IMAGES."""
import json, sys
import numpy as np
import onnx, onnxruntime

model = onnx.load(sys.argv[1])
onnx.checker.check_model(model, full_check=True)
assert model.producer_name == "perceptor"
about = {entry.key: entry.value for entry in model.metadata_props}
layers = json.loads(about["perceptor"])["layers"]

session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
(elements,) = session.get_inputs()
assert (elements.name, elements.type, elements.shape) == ("elements", "tensor(float)", ["batch", layers[0]])
assert [output.name for output in session.get_outputs()] == ["probabilities", "logits"]
items = np.fromfile(sys.argv[2], np.uint8, offset=16).reshape(-1, layers[0]).astype(np.float32)
# One sample, a few, and the rest.
for batch in np.split(items, [1, 8]):
    probabilities, logits = session.run(None, {"elements": batch})
    assert (probabilities.argmax(axis=1) == logits.argmax(axis=1)).all()
    for row in probabilities:
        print(row.argmax(), *(repr(float(q)) for q in row), sep=",")
