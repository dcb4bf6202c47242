"""Prints the outputs of the network for each sample, by ONNX and then by NPZ: ONNX NPZ IMAGES."""
import sys
import numpy as np
import onnx, onnxruntime

model = onnx.load(sys.argv[1])
onnx.checker.check_model(model, full_check=True)
session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
names = [output.name for output in session.get_outputs()]
items = np.fromfile(sys.argv[3], np.uint8, offset=12)

npz = np.load(sys.argv[2])
task = str(npz["task"])
assert names == (["values"] if task == "regression" else ["probabilities", "logits"])
x = items.reshape(-1, npz["layers.0.weight"].shape[0]).astype(np.float32)
for row in session.run(None, {"elements": x})[0]:
    print(*(repr(float(q)) for q in row), sep=",")

z = (x - npz["scaling.offset"]).astype(np.float32) * npz["scaling.factor"]
z = np.tanh(z @ npz["layers.0.weight"] + npz["layers.0.bias"]) @ npz["layers.1.weight"] + npz["layers.1.bias"]
if "link" in npz:
    z = np.exp(z)
for row in z if task == "regression" else 1 / (1 + np.exp(-z)):
    print(*(repr(float(q)) for q in row), sep=",")
