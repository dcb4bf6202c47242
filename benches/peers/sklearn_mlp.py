"""scikit-learn's MLPClassifier, one epoch for each call of `fit`."""

import warnings

import numpy as np
import sklearn
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from work import MOMENTUM, main

warnings.filterwarnings("ignore", category=ConvergenceWarning)


def prepare(work, data, _threads):
    x, y, test_x, test_y = data
    model = MLPClassifier(
        hidden_layer_sizes=work.hidden,
        activation={"sigmoid": "logistic"}.get(work.activation, work.activation),
        solver="sgd",
        alpha=0,
        batch_size=work.batch_size,
        learning_rate_init=work.learning_rate,
        momentum=MOMENTUM,
        nesterovs_momentum=False,
        max_iter=1,
        warm_start=True,
        random_state=np.random.RandomState(0),
    )

    def epoch():
        model.fit(x, y)

    def accuracy():
        return model.score(test_x, test_y)

    return epoch, accuracy


main(sklearn.__version__, prepare)
