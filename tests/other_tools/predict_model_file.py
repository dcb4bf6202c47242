"""Prints the class of each item: MODEL IMAGES."""
import json, sys
import numpy as np
from safetensors import safe_open

with safe_open(sys.argv[1], "numpy") as file:
    model = json.loads(file.metadata()["perceptor"])
    tensors = [[file.get_tensor(f"layers.{n}.{part}") for part in ("weight", "bias")]
               for n in range(len(model["layers"]) - 1)]
activate = {
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    "tanh": np.tanh,
    "relu": lambda z: np.maximum(z, 0),
    "leaky-relu": lambda z: np.where(z < 0, 0.01 * z, z),
    "identity": lambda z: z,
}[model["activation"]]
pixels = np.fromfile(sys.argv[2], np.uint8, offset=16).reshape(-1, model["layers"][0])
x = (pixels.astype(np.float32) - model["scaling"]["offset"]) * model["scaling"]["factor"]
for weight, bias in tensors[:-1]:
    x = activate(x @ weight + bias)
weight, bias = tensors[-1]
print(*(x @ weight + bias).argmax(axis=1), sep="\n")
