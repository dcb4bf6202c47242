"""Writes small networks as safetensors, with what they compute by NumPy in float64. Needs numpy, ml_dtypes, safetensors.

    python3 tests/command_line/networks/make.py

writes `*.safetensors`, `rows` (IDX, five rows of four float32) and `networks.json` into its own folder. A line of the JSON
file is a network: its file, the flags of `import`, and the outputs for each row. Names and shapes are those of PyTorch's
`state_dict()`, of Keras, or of handwritten NumPy; batch normalisation has PyTorch's epsilon unless it says otherwise.
"""

import json
import pathlib
import struct

import ml_dtypes
import numpy as np
from safetensors.numpy import save_file

FOLDER = pathlib.Path(__file__).parent
RELU = "--activation relu"
rng = np.random.default_rng(1)
rows = rng.normal(size=(5, 4)).astype("f4")
networks = []


def relu(x):
    return np.maximum(x, 0)


def linear(tensors, name, inputs, outputs, bias=True, dtype="f4", weight="weight", shift="bias", turned=False):
    """A linear layer, whose tensors are stored in `dtype`. Returns what it computes with the stored numbers."""
    w = rng.normal(size=(inputs, outputs)).astype(dtype)
    b = rng.normal(size=outputs).astype(dtype)
    tensors[f"{name}{weight}"] = np.ascontiguousarray(w if turned else w.T)
    if bias:
        tensors[f"{name}{shift}"] = b
    return lambda x: x @ w.astype("f8") + (b.astype("f8") if bias else 0)


def norm(tensors, name, width, dtype="f4", affine=True, keras=False, epsilon=1e-5):
    mean, gamma, beta = (rng.normal(size=width).astype(dtype) for _ in range(3))
    var = rng.uniform(0.2, 3, width).astype(dtype)
    names = ["gamma", "beta", "moving_mean", "moving_variance"] if keras else ["weight", "bias", "running_mean", "running_var"]
    used = zip(names, [gamma, beta, mean, var]) if affine else zip(names[2:], [mean, var])
    tensors.update({f"{name}{part}": values for part, values in used})
    if not keras:
        tensors[f"{name}num_batches_tracked"] = np.array(7)
    m, v, g, b = (values.astype("f8") for values in (mean, var, gamma, beta))
    g, b = (g, b) if affine else (1, 0)
    return lambda x: (x - m) / np.sqrt(v + epsilon) * g + b


def network(file, flags, tensors, *modules):
    x = rows.astype("f8")
    for module in modules:
        x = module(x)
    # In the metadata of PyTorch.
    save_file(tensors, FOLDER / f"{file}.safetensors", metadata={"format": "pt"})
    networks.append({"file": file, "flags": flags, "values": x.tolist()})


t = {}
network("sequential", RELU, t,
        linear(t, "0.", 4, 5, bias=False), norm(t, "1.", 5), relu, linear(t, "4.", 5, 3), norm(t, "5.", 3), relu,
        linear(t, "8.", 3, 2))
t = {}
network("after-activation", RELU, t,
        linear(t, "net.0.", 4, 5, dtype="f8"), relu, norm(t, "net.2.", 5, dtype="f8"), linear(t, "net.3.", 5, 2, dtype="f8"))
t = {}
network("both-ends", RELU, t,
        norm(t, "0.", 4, affine=False), linear(t, "1.", 4, 5), relu, linear(t, "3.", 5, 2), norm(t, "4.", 2))
t = {}
network("named-before", f"{RELU} --batch-norm before", t,
        linear(t, "fc1.", 4, 5, dtype="f2"), norm(t, "bn1.", 5, dtype="f2"), relu, linear(t, "fc2.", 5, 3, dtype="f2"),
        norm(t, "bn2.", 3, dtype="f2"), relu, linear(t, "out.", 3, 2, dtype="f2"))
t = {}
bf16 = ml_dtypes.bfloat16
network("named-after", f"{RELU} --batch-norm after", t,
        linear(t, "fc1.", 4, 5, dtype=bf16), relu, norm(t, "bn1.", 5, dtype=bf16), linear(t, "fc2.", 5, 2, dtype=bf16))
t = {}
network("one-of-two", f"{RELU} --batch-norm before", t,
        linear(t, "module.fc1.", 4, 5), norm(t, "module.bn1.", 5), relu, linear(t, "module.fc2.", 5, 3), relu,
        linear(t, "module.fc3.", 3, 2))
t = {}
network("nested", RELU, t,
        linear(t, "model.layers.9.0.", 4, 3), norm(t, "model.layers.9.1.", 3), relu, linear(t, "model.layers.10.0.", 3, 3),
        norm(t, "model.layers.10.1.", 3), relu, linear(t, "model.head.", 3, 2))
t = {}
keras = dict(weight="kernel", turned=True)
network("keras", f"{RELU} --batch-norm before", t,
        linear(t, "dense/", 4, 4, **keras), norm(t, "batch_normalization/", 4, keras=True, epsilon=1e-3), relu,
        linear(t, "dense_1/", 4, 2, **keras))
networks[-1]["flags"] += " --layers dense,batch_normalization,dense_1"
t = {}
network("numpy", RELU, t,
        linear(t, "", 4, 5, weight="W1", shift="b1", turned=True), relu,
        linear(t, "", 5, 2, weight="W2", shift="b2", turned=True))
t = {}
network("words", f"{RELU}", t,
        linear(t, "stem.", 4, 5), relu, linear(t, "middle.", 5, 3, bias=False), relu, linear(t, "head.", 3, 2))
t = {}
network("square", f"{RELU} --layers second,first,last", t,
        linear(t, "second.", 4, 4), relu, linear(t, "first.", 4, 4), relu, linear(t, "last.", 4, 2))
t = {}
network("epsilon", f"{RELU} --batch-norm-epsilon 0.01", t,
        linear(t, "0.", 4, 5), norm(t, "1.", 5, epsilon=1e-2), relu, linear(t, "3.", 5, 2))

(FOLDER / "rows").write_bytes(struct.pack(">BBBBII", 0, 0, 0x0D, 2, *rows.shape) + rows.astype(">f4").tobytes())
lines = ",\n".join(json.dumps(network) for network in networks)
(FOLDER / "networks.json").write_text(f"[\n{lines}\n]\n")
