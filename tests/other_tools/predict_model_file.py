"""Prints the class of each sample: MODEL IMAGES."""
import json, math, sys
import numpy as np
from safetensors import safe_open

with safe_open(sys.argv[1], "numpy") as file:
    model = json.loads(file.metadata()["perceptor"])
    tensors = [[file.get_tensor(f"layers.{n}.{part}") for part in ("weight", "bias")]
               for n in range(len(model["layers"]) - 1)]
    norms = [[file.get_tensor(f"layers.{n}.norm.{part}") for part in ("weight", "running_mean", "running_var")]
             for n in range(len(model["layers"]) - 2) if model.get("batch_norm")]
erf = np.vectorize(math.erf, otypes=[np.float32])
activate = {
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    "tanh": np.tanh,
    "relu": lambda z: np.maximum(z, 0),
    "leaky-relu": lambda z: np.where(z < 0, 0.01 * z, z),
    "scaled-tanh": lambda z: 1.7159 * np.tanh(2 / 3 * z),
    "softsign": lambda z: z / (1 + np.abs(z)),
    "elu": lambda z: np.where(z < 0, np.expm1(np.minimum(z, 0)), z),
    "gelu": lambda z: z * (1 + erf(z / 2**0.5)) / 2,
    "silu": lambda z: z / (1 + np.exp(-z)),
    "mish": lambda z: z * np.tanh(np.logaddexp(z, 0)),
    "softplus": lambda z: np.logaddexp(z, 0),
    "identity": lambda z: z,
}[model["activation"]]
pixels = np.fromfile(sys.argv[2], np.uint8, offset=16).reshape(-1, model["layers"][0])
offset, factor = (np.array(model["scaling"][name]) for name in ("offset", "factor"))
x = ((pixels - offset) * factor).astype(np.float32)
for n, (weight, bias) in enumerate(tensors[:-1]):
    x = x @ weight
    if norms:
        gamma, mean, variance = norms[n]
        x = gamma * (x - mean) / np.sqrt(variance + 1e-5)
    x = activate(x + bias)
weight, bias = tensors[-1]
print(*(x @ weight + bias).argmax(axis=1), sep="\n")
