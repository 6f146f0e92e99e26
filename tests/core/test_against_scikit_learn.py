"""Scores on rows that were not learned, beside scikit-learn's network of the same shape."""

import warnings

import numpy as np
import pytest
from sklearn import datasets
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.preprocessing import StandardScaler

from core.network import Layer, Network
from core.training import Recipe, fit

SEEDS, EPOCHS, UNITS = 3, 30, 16
ROWS = 400


def bunch(load) -> tuple[np.ndarray, np.ndarray]:
    return load(return_X_y=True)


TABLES = {
    "breast cancer": lambda: bunch(datasets.load_breast_cancer),
    "wine": lambda: bunch(datasets.load_wine),
    "digits": lambda: bunch(datasets.load_digits),
    "diabetes": lambda: bunch(datasets.load_diabetes),
    "moons": lambda: datasets.make_moons(ROWS, noise=0.2, random_state=0),
    "friedman1": lambda: datasets.make_friedman1(ROWS, noise=0.5, random_state=0),
}


def scores(name: str, seed: int) -> tuple[float, float]:
    """Ours and theirs: accuracy or R² on a third of the rows."""
    x, y = TABLES[name]()
    x, y = x[:ROWS], y[:ROWS].astype(np.float64)
    parts = train_test_split(x, y, test_size=1 / 3, random_state=seed)
    scale = StandardScaler().fit(parts[0])
    x, xv, y, yv = scale.transform(parts[0]), scale.transform(parts[1]), *parts[2:]
    classes = len(np.unique(y)) if len(np.unique(y)) <= 10 else 1
    if classes == 1:
        y, yv = (y - parts[2].mean()) / parts[2].std(), (yv - parts[2].mean()) / parts[2].std()
    loss = "mse" if classes == 1 else "categorical_cross_entropy"
    link = "identity" if classes == 1 else "softmax"
    network = Network(x.shape[1], (Layer(UNITS, "tanh"),), classes, link)
    recipe = Recipe(loss, learning_rate=0.01, epochs=EPOCHS, batch_size=32, seed=seed)
    held = xv.astype(np.float32), yv[:, None].astype(np.float32)
    run = fit(network, recipe, x, y[:, None])
    answers = network.forward(run.theta, held[0])
    kind = MLPRegressor if classes == 1 else MLPClassifier
    theirs = kind(
        hidden_layer_sizes=(UNITS,), activation="tanh", alpha=0.0, batch_size=32,
        learning_rate_init=0.01, max_iter=EPOCHS, tol=0.0,
        n_iter_no_change=EPOCHS + 1, random_state=seed,
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it did not converge: it was not asked to
        theirs.fit(x, y)
    if classes == 1:
        ours = 1 - ((answers[:, 0] - yv) ** 2).sum() / ((yv - yv.mean()) ** 2).sum()
    else:
        ours = (answers.argmax(axis=1) == yv).mean()
    return float(ours), float(theirs.score(xv, yv))


@pytest.mark.parametrize("name", TABLES)
def test_rows_that_were_not_learned_are_answered_as_well(name) -> None:
    """Paired over seeds: the mean difference is not below 0 by more than two standard errors."""
    pairs = np.array([scores(name, seed) for seed in range(SEEDS)])
    difference = pairs[:, 0] - pairs[:, 1]
    interval = 2 * difference.std(ddof=1) / np.sqrt(SEEDS)
    assert difference.mean() >= -interval - 0.005, pairs
