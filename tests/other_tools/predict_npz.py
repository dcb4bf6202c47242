"""Prints class and probabilities of each sample: NPZ IMAGES."""
import math, sys
import numpy as np

model = np.load(sys.argv[1])  # allow_pickle is off by default and not needed
layers = sum(name.endswith(".weight") for name in model)
assert sorted(model) == sorted(
    [f"layers.{n}.{part}" for n in range(layers) for part in ("weight", "bias")]
    + ["scaling.offset", "scaling.factor", "activation"]
)
per_feature = model["scaling.offset"].ndim == 1
assert model["scaling.offset"].dtype == (np.float64 if per_feature else np.float32)
assert all(model[name].dtype == np.float32 for name in model if name not in ("activation", "scaling.offset"))
erf = np.vectorize(math.erf, otypes=[np.float32])
activate = {
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    "tanh": np.tanh,
    "relu": lambda z: np.maximum(z, 0),
    "leaky-relu": lambda z: np.where(z < 0, np.float32(0.01) * z, z),
    "scaled-tanh": lambda z: 1.7159 * np.tanh(2 / 3 * z),
    "softsign": lambda z: z / (1 + np.abs(z)),
    "elu": lambda z: np.where(z < 0, np.expm1(np.minimum(z, 0)), z),
    "gelu": lambda z: z * (1 + erf(z / 2**0.5)) / 2,
    "silu": lambda z: z / (1 + np.exp(-z)),
    "mish": lambda z: z * np.tanh(np.logaddexp(z, 0)),
    "softplus": lambda z: np.logaddexp(z, 0),
    "identity": lambda z: z,
}[str(model["activation"])]
items = np.fromfile(sys.argv[2], np.uint8, offset=16).reshape(-1, model["layers.0.weight"].shape[0])
x = (items.astype(np.float32) - model["scaling.offset"]).astype(np.float32) * model["scaling.factor"]
for n in range(layers):
    x = x @ model[f"layers.{n}.weight"] + model[f"layers.{n}.bias"]
    if n + 1 < layers:
        x = activate(x)
p = np.exp(x - x.max(axis=1, keepdims=True))
p /= p.sum(axis=1, keepdims=True)
for row in p:
    print(row.argmax(), *(repr(float(q)) for q in row), sep=",")
