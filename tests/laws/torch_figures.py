"""Writes torch_figures.json: what PyTorch's optimisers, limits and schedules make of fixed numbers.

Run once, with the versions that the file names; the tests read the file and need no Python. Lion is not part of PyTorch:
its figures are those of the paper's program in NumPy.
"""

import json
import sys

import numpy
import torch

WEIGHTS = [0.5, -1.25, 2.0, -0.03, 0.0, 1e-3]
GRADIENTS = [
    [0.1, -0.2, 3.0, 0.0, -1.5, 2e-4],
    [0.3, 0.1, -2.5, 1e-3, -1.0, -3e-4],
    [-0.2, 0.4, 1.5, -2e-3, 0.7, 0.0],
    [0.05, -0.6, 0.5, 0.0, 0.2, 5e-4],
    [0.0, 0.3, -4.0, 1e-3, -0.1, 1e-4],
]


def run(optimizer, before=lambda parameter: None):
    """The weights after each step, in 64 bits."""
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
    """The learning rate of each step, from 0.4."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.4)
    scheduler = make(optimizer)
    rates = []
    for step in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step(*([metrics[step]] if metrics else []))
    return rates


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
}
json.dump(figures, sys.stdout, indent=1)
print()
