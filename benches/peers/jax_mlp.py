"""A multilayer perceptron in JAX, a whole epoch in one compiled function. Compilation is not timed."""

import jax
import jax.numpy as jnp

from work import MOMENTUM, main, widths


def prepare(work, data, _threads):
    x, y, test_x, test_y = (jnp.asarray(array) for array in data)
    activate = {"sigmoid": jax.nn.sigmoid, "relu": jax.nn.relu}[work.activation]
    sizes = list(zip(widths(work), widths(work)[1:]))
    keys = jax.random.split(jax.random.key(0), len(sizes))
    parameters = [
        (jax.random.normal(key, size) / size[0] ** 0.5, jnp.zeros(size[1])) for key, size in zip(keys, sizes)
    ]
    velocities = jax.tree.map(jnp.zeros_like, parameters)

    def logits(parameters, rows):
        for weight, bias in parameters[:-1]:
            rows = activate(rows @ weight + bias)
        return rows @ parameters[-1][0] + parameters[-1][1]

    def loss(parameters, rows, labels):
        logs = jax.nn.log_softmax(logits(parameters, rows))
        return -jnp.mean(logs[jnp.arange(len(rows)), labels])

    def step(state, batch):
        parameters, velocities = state
        gradient = jax.grad(loss)(parameters, x[batch], y[batch])
        velocities = jax.tree.map(lambda v, d: MOMENTUM * v + d, velocities, gradient)
        parameters = jax.tree.map(lambda p, v: p - work.learning_rate * v, parameters, velocities)
        return (parameters, velocities), None

    @jax.jit
    def train_epoch(state, key):
        order = jax.random.permutation(key, len(x))
        whole = len(x) // work.batch_size * work.batch_size
        state, _ = jax.lax.scan(step, state, order[:whole].reshape(-1, work.batch_size))
        return step(state, order[whole:])[0] if whole < len(x) else state

    state, done = (parameters, velocities), 0
    jax.block_until_ready(train_epoch(state, jax.random.key(0)))

    def epoch():
        nonlocal state, done
        done += 1
        state = jax.block_until_ready(train_epoch(state, jax.random.key(done)))

    def accuracy():
        return (logits(state[0], test_x).argmax(axis=1) == test_y).mean()

    return epoch, accuracy


main(jax.__version__, prepare)
