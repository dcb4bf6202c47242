"""A multilayer perceptron in NumPy, one matrix product for each layer and batch."""

import numpy as np

from work import MOMENTUM, main, widths


def prepare(work, data, _threads):
    x, y, test_x, test_y = data
    random = np.random.default_rng(0)
    sizes = list(zip(widths(work), widths(work)[1:]))
    weights = [(random.standard_normal(size) / size[0] ** 0.5).astype(np.float32) for size in sizes]
    biases = [np.zeros(outputs, np.float32) for _, outputs in sizes]
    parameters = weights + biases
    velocities = [np.zeros_like(parameter) for parameter in parameters]
    rate, momentum = np.float32(work.learning_rate), np.float32(MOMENTUM)

    def activate(z):
        return 1 / (1 + np.exp(-z)) if work.activation == "sigmoid" else np.maximum(z, 0)

    def slope(a):
        return a * (1 - a) if work.activation == "sigmoid" else (a > 0).astype(np.float32)

    def forward(rows):
        outputs = [rows]
        for weight, bias in zip(weights[:-1], biases[:-1]):
            outputs.append(activate(outputs[-1] @ weight + bias))
        return outputs, outputs[-1] @ weights[-1] + biases[-1]

    def gradient(rows, labels):
        outputs, logits = forward(rows)
        exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
        d = exponentials / exponentials.sum(axis=1, keepdims=True)
        d[np.arange(len(rows)), labels] -= 1
        d /= np.float32(len(rows))
        dweights, dbiases = [], []
        for layer in reversed(range(len(weights))):
            dweights.insert(0, outputs[layer].T @ d)
            dbiases.insert(0, d.sum(axis=0))
            if layer > 0:
                d = (d @ weights[layer].T) * slope(outputs[layer])
        return dweights + dbiases

    def epoch():
        order = random.permutation(len(x))
        for start in range(0, len(x), work.batch_size):
            batch = order[start : start + work.batch_size]
            for parameter, velocity, d in zip(parameters, velocities, gradient(x[batch], y[batch])):
                velocity *= momentum
                velocity += d
                parameter -= rate * velocity

    def accuracy():
        return (forward(test_x)[1].argmax(axis=1) == test_y).mean()

    return epoch, accuracy


main(np.__version__, prepare)
