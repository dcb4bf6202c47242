"""The networks that every program trains, the data they read, and the line that a program prints."""

import gzip
import json
import sys
import time
from collections import namedtuple
from pathlib import Path

Work = namedtuple("Work", "hidden activation batch_size learning_rate epochs")

WORKS = {
    "seed32": Work([100], "sigmoid", 32, 0.1, 5),
    "seed128": Work([100], "sigmoid", 128, 0.4, 5),
    "mid128": Work([512, 256], "relu", 128, 0.05, 3),
    "big256": Work([2500, 2000, 1500, 1000, 500], "relu", 256, 0.02, 1),
}
CLASSES = 10
MOMENTUM = 0.9
FILES = ["train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"]


def widths(work):
    """The widths of all layers, from 784 inputs to 10 classes."""
    return [784, *work.hidden, CLASSES]


def read_idx(path):
    """Returns the array in an IDX file of bytes, raw or `.gz`."""
    import numpy

    opened = open(path, "rb") if path.exists() else gzip.open(f"{path}.gz", "rb")
    with opened as file:
        content = file.read()
    sizes = [int.from_bytes(content[4 + 4 * axis : 8 + 4 * axis], "big") for axis in range(content[3])]
    return numpy.frombuffer(content, numpy.uint8, offset=4 + 4 * len(sizes)).reshape(sizes)


def load(folder):
    """Returns x `[rows, features]` in 0 to 1 and y `[rows]` of the training set, then of the test set."""
    import numpy

    x, y, test_x, test_y = (read_idx(Path(folder) / name) for name in FILES)
    scaled = lambda images: images.reshape(len(images), -1).astype(numpy.float32) / numpy.float32(255)
    return scaled(x), y.astype(numpy.int64), scaled(test_x), test_y.astype(numpy.int64)


def main(version, prepare):
    """Runs one program: `WORK FOLDER EPOCHS THREADS` in, one line of JSON out.

    `prepare(work, data, threads)` returns `epoch()`, which trains for one epoch, and `accuracy()`, on the test set.
    """
    name, folder, epochs, threads = sys.argv[1:]
    data = load(folder)
    epoch, accuracy = prepare(WORKS[name], data, int(threads))
    rates = []
    for _ in range(int(epochs)):
        start = time.perf_counter()
        epoch()
        rates.append(len(data[0]) / (time.perf_counter() - start))
    print(json.dumps({"version": version, "samples_per_second": rates, "test_accuracy": float(accuracy())}))
