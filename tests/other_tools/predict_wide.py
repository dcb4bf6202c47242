"""Prints the value of each sample by ONNX, by NPZ and by the model file: FOLDER."""
import json, pathlib, sys
import numpy as np
import onnx, onnxruntime
from safetensors import safe_open

folder = pathlib.Path(sys.argv[1])
x = np.fromfile(folder / "x", ">f8", offset=12).reshape(-1, 2).astype("f8")

onnx.checker.check_model(onnx.load(folder / "model.onnx"), full_check=True)
session = onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
assert session.get_inputs()[0].type == "tensor(double)"
by_onnx = session.run(None, {"elements": x})[0]


def network(x, offset, factor, tensor):
    x = (x - offset).astype("f4") * np.float32(factor)
    x = np.tanh(x @ tensor("layers.0.weight") + tensor("layers.0.bias"))
    return x @ tensor("layers.1.weight") + tensor("layers.1.bias")


npz = np.load(folder / "model.npz")
by_npz = network(x, npz["scaling.offset"], npz["scaling.factor"], npz.get)
with safe_open(folder / "run/model.safetensors", "np") as file:
    about = json.loads(file.metadata()["perceptor"])
    scaling, targets = about["scaling"], about["target_scaling"]
    by_file = network(x, scaling["offset"], scaling["factor"], file.get_tensor)
    by_file = by_file / targets["factor"] + targets["offset"]
for rows in by_onnx, by_npz, by_file:
    print(*(repr(float(row[0])) for row in rows), sep="\n")
