"""Prints class and probabilities of each sample: EXPORT IMAGES SAVED. Writes the module's own state_dict to SAVED."""
import json, sys
import numpy as np
import torch
from safetensors import numpy, safe_open
from torch import nn

class ScaledTanh(nn.Module): forward = lambda self, z: 1.7159 * torch.tanh(2 / 3 * z)

with safe_open(sys.argv[1], "numpy") as file:
    about = json.loads(file.metadata()["perceptor"])
activation = {
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "relu": nn.ReLU,
    "leaky-relu": lambda: nn.LeakyReLU(0.01),
    "scaled-tanh": ScaledTanh,
    "softsign": nn.Softsign,
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "mish": nn.Mish,
    "softplus": nn.Softplus,
    "identity": nn.Identity,
}[about["activation"]]
modules = []
for fan_in, fan_out in zip(about["layers"], about["layers"][1:]):
    modules += [nn.Linear(fan_in, fan_out), activation()]
model = nn.Sequential(*modules[:-1])
# safetensors.torch is shorter, but this works with any version of PyTorch.
state = {name: torch.from_numpy(tensor) for name, tensor in numpy.load_file(sys.argv[1]).items()}
model.load_state_dict(state)
saved = {name: np.ascontiguousarray(tensor.detach().numpy()) for name, tensor in model.state_dict().items()}
numpy.save_file(saved, sys.argv[3])
items = np.fromfile(sys.argv[2], np.uint8, offset=16).reshape(-1, about["layers"][0])
scaling = about["scaling"]
offset, factor = (torch.tensor(scaling[key], dtype=torch.float64) for key in ("offset", "factor"))
x = (torch.from_numpy(items) - offset).float() * factor.float()
with torch.no_grad():
    probabilities = torch.softmax(model(x), 1).numpy()
for row in probabilities:
    print(row.argmax(), *(repr(float(q)) for q in row), sep=",")
