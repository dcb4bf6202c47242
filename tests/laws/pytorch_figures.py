"""Writes pytorch_figures.json: the results of PyTorch's optimisers, limits, schedules, losses and layers for fixed inputs.

Run once, with the versions that the file names; the tests read the file and need no Python. Lion is not part of PyTorch:
its figures are those of the paper's program in NumPy.
"""

import json

import numpy
import torch
from torch import nn

WEIGHTS = [0.5, -1.25, 2.0, -0.03, 0.0, 1e-3]
GRADIENTS = [
    [0.1, -0.2, 3.0, 0.0, -1.5, 2e-4],
    [0.3, 0.1, -2.5, 1e-3, -1.0, -3e-4],
    [-0.2, 0.4, 1.5, -2e-3, 0.7, 0.0],
    [0.05, -0.6, 0.5, 0.0, 0.2, 5e-4],
    [0.0, 0.3, -4.0, 1e-3, -0.1, 1e-4],
]


def run(optimizer, before=lambda parameter: None):
    """Returns the weights after each step, in 64 bits."""
    parameter = torch.nn.Parameter(torch.tensor(WEIGHTS, dtype=torch.float64))
    optimizer = optimizer([parameter])
    after = []
    for gradient in GRADIENTS:
        parameter.grad = torch.tensor(gradient, dtype=torch.float64)
        before(parameter)
        optimizer.step()
        after.append(parameter.detach().tolist())
    return after


def lion(lr, beta1, beta2, weight_decay):
    """Program 1 of X. Chen and others, Symbolic Discovery of Optimization Algorithms, 2023."""
    weights, momentum, after = numpy.array(WEIGHTS), numpy.zeros(len(WEIGHTS)), []
    for gradient in map(numpy.array, GRADIENTS):
        update = numpy.sign(beta1 * momentum + (1 - beta1) * gradient)
        weights = weights - lr * (update + weight_decay * weights)
        momentum = beta2 * momentum + (1 - beta2) * gradient
        after.append(weights.tolist())
    return after


def with_l1(penalty):
    def add(parameter):
        parameter.grad += penalty * torch.sign(parameter.detach())

    return add


def schedule(make, steps, metrics=None):
    """Returns the learning rate of each step, starting at 0.4."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.4)
    scheduler = make(optimizer)
    rates = []
    for step in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step(*([metrics[step]] if metrics else []))
    return rates


def loss(criterion, targets):
    """Returns the loss of OUTPUTS and its gradient with respect to them."""
    outputs = torch.tensor(OUTPUTS, dtype=torch.float64, requires_grad=True)
    value = criterion(outputs, targets)
    value.backward()
    return {"loss": value.item(), "gradient": outputs.grad.tolist()}


class ScaledTanh(nn.Module):
    """Y. LeCun and others, Efficient BackProp, 1998."""

    def forward(self, z):
        return 1.7159 * torch.tanh(2 / 3 * z)


ACTIVATIONS = {
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "scaled-tanh": ScaledTanh,
    "softsign": nn.Softsign,
    "relu": nn.ReLU,
    "leaky-relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "mish": nn.Mish,
    "softplus": nn.Softplus,
    "identity": nn.Identity,
}


def parameters(modules):
    """Returns the parameters of all layers, flat: weights [in, out], biases or shifts, then scales, running means and running variances."""
    flat = []
    for module in modules:
        if isinstance(module, nn.Linear):
            flat.append(module.weight.detach().T.flatten())
        if getattr(module, "bias", None) is not None:
            flat.append(module.bias.detach())
        if isinstance(module, nn.BatchNorm1d):
            flat += [module.weight.detach(), module.running_mean, module.running_var]
    return torch.cat(flat).tolist()


def network(activation, batch_norm):
    """Takes one step of stochastic gradient descent on ITEMS and returns the logits after it."""
    torch.manual_seed(1)
    modules = []
    for fan_in, fan_out in zip(SIZES, SIZES[1:-1]):
        modules.append(nn.Linear(fan_in, fan_out, bias=not batch_norm))
        modules += [nn.BatchNorm1d(fan_out)] if batch_norm else []
        modules.append(ACTIVATIONS[activation]())
    model = nn.Sequential(*modules, nn.Linear(*SIZES[-2:])).double()
    for module in filter(lambda module: isinstance(module, nn.BatchNorm1d), model):
        for tensor in (module.weight.data, module.bias.data, module.running_mean):
            tensor.copy_(torch.randn(len(tensor)))
        module.running_var.copy_(1 + torch.rand(module.num_features))
    # The tests start from 32-bit values.
    for tensor in [*model.parameters(), *model.buffers()]:
        tensor.data = tensor.data.float().double() if tensor.is_floating_point() else tensor.data
    before = parameters(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.2)
    items, labels = torch.tensor(ITEMS, dtype=torch.float64), torch.tensor(LABELS)
    value = nn.functional.cross_entropy(model(items), labels)
    value.backward()
    optimizer.step()
    after, logits = parameters(model), model.eval()(items).tolist()
    return {"before": before, "loss": value.item(), "after": after, "logits": logits}


OUTPUTS = [[0.5, -1.25, 2.0], [30.0, -40.0, 0.0], [-0.75, 0.25, 1e-3], [0.125, 3.0, -2.5]]
NUMBERS = [[0.25, 0.5, 2.0], [0.0, 1.0, -1.0], [-1.0, 0.125, 0.0], [4.0, 2.5, -2.0]]
FLAGS = [[1.0, 0.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0], [0.0, 1.0, 1.0]]
CLASSES = [2, 0, 1, 0]
CLASS_WEIGHTS = [0.5, 2.0, 1.25]
SIZES = [3, 5, 4, 3]
ITEMS = [
    [0.5, -1.0, 0.25],
    [2.0, 0.75, -0.5],
    [-1.5, 0.0, 1.0],
    [0.125, 0.5, -2.0],
    [-0.25, -0.75, 0.375],
    [1.0, 1.25, 0.0],
    [0.0, -0.5, 1.5],
]
LABELS = [0, 2, 1, 1, 0, 2, 0]
numbers, flags = torch.tensor(NUMBERS, dtype=torch.float64), torch.tensor(FLAGS, dtype=torch.float64)
classes, weights = torch.tensor(CLASSES), torch.tensor(CLASS_WEIGHTS, dtype=torch.float64)

optim, rates = torch.optim, torch.optim.lr_scheduler
LOSSES = [1.0, 0.9, 0.95, 0.9, 0.91, 0.89995, 0.7, 0.71, 0.72, 0.73, 0.74, 0.6]
figures = {
    "torch": torch.__version__,
    "numpy": numpy.__version__,
    "weights": WEIGHTS,
    "gradients": GRADIENTS,
    "losses": LOSSES,
    "after": {
        "sgd": run(lambda p: optim.SGD(p, lr=0.1, momentum=0.9)),
        "sgd without momentum": run(lambda p: optim.SGD(p, lr=0.1)),
        "sgd with weight decay": run(lambda p: optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.05)),
        "nesterov": run(lambda p: optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True)),
        "adam": run(lambda p: optim.Adam(p)),
        "adam with weight decay": run(lambda p: optim.Adam(p, lr=0.01, weight_decay=0.05)),
        "adamw": run(lambda p: optim.AdamW(p)),
        "adamw with other betas": run(lambda p: optim.AdamW(p, lr=0.01, betas=(0.8, 0.95), eps=1e-3, weight_decay=0.1)),
        "rmsprop": run(lambda p: optim.RMSprop(p)),
        "rmsprop with momentum": run(lambda p: optim.RMSprop(p, alpha=0.9, momentum=0.5, weight_decay=0.05)),
        "lion": lion(1e-4, 0.9, 0.99, 0.0),
        "lion with weight decay": lion(0.01, 0.9, 0.99, 0.1),
        "sgd with L1": run(lambda p: optim.SGD(p, lr=0.1, momentum=0.9), with_l1(0.02)),
        "sgd clipped by norm": run(
            lambda p: optim.SGD(p, lr=0.1, momentum=0.9), lambda p: torch.nn.utils.clip_grad_norm_([p], 2.0)
        ),
        "sgd clipped by value": run(
            lambda p: optim.SGD(p, lr=0.1, momentum=0.9), lambda p: torch.nn.utils.clip_grad_value_([p], 0.25)
        ),
    },
    "rates": {
        "step": schedule(lambda o: rates.StepLR(o, step_size=3), 12),
        "exponential": schedule(lambda o: rates.ExponentialLR(o, gamma=0.95), 12),
        "cosine": schedule(lambda o: rates.CosineAnnealingLR(o, T_max=12, eta_min=0.01), 12),
        "one-cycle": schedule(lambda o: rates.OneCycleLR(o, max_lr=0.4, total_steps=20, cycle_momentum=False), 19),
        "plateau": schedule(lambda o: rates.ReduceLROnPlateau(o, patience=2), len(LOSSES), LOSSES),
    },
    "outputs": OUTPUTS,
    "numbers": NUMBERS,
    "flags": FLAGS,
    "classes": CLASSES,
    "class weights": CLASS_WEIGHTS,
    "of losses": {
        "cross-entropy": loss(nn.CrossEntropyLoss(), classes),
        "cross-entropy with label smoothing": loss(nn.CrossEntropyLoss(label_smoothing=0.1), classes),
        "cross-entropy with class weights": loss(nn.CrossEntropyLoss(weight=weights), classes),
        "mse": loss(nn.MSELoss(), numbers),
        "huber": loss(nn.HuberLoss(), numbers),
        "huber with delta": loss(nn.HuberLoss(delta=0.3), numbers),
        "binary-cross-entropy": loss(nn.BCEWithLogitsLoss(), flags),
    },
    "sizes": SIZES,
    "items": ITEMS,
    "labels": LABELS,
    "networks": {name: network(name, False) for name in ACTIVATIONS},
    "networks with batch normalisation": {name: network(name, True) for name in ACTIVATIONS},
}


def lines(value, indent=""):
    """Returns JSON with a line for each value that is not an object."""
    if not isinstance(value, dict):
        return json.dumps(value)
    inner = indent + " "
    members = [f"{inner}{json.dumps(key)}: {lines(member, inner)}" for key, member in value.items()]
    return "{\n" + ",\n".join(members) + f"\n{indent}}}"


print(lines(figures))
