"""Threads that share a fit: the bytes are the same with any number of them."""

from dataclasses import replace

import numpy as np
import pytest

from core import crew, reference
from core.network import Layer, Network
from core.training import Fit, Recipe, parts_of

ROWS = 700
RECIPE = Recipe("categorical_cross_entropy", epochs=3, batch_size=300, seed=3)
LAYERS = {
    "plain": (Layer(96, "sigmoid"), Layer(64, "tanh")),
    "dropout": (Layer(96, "relu", dropout=0.3), Layer(63, "tanh", dropout=0.5)),
    "batch norm": (Layer(96, "sigmoid", batch_norm=True), Layer(64, "tanh")),
}


def rows() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    x = random.normal(size=(ROWS, 81))
    return x, (x[:, :1] + x[:, 1:2] > 0).astype(np.float64)


def fitted(layers: tuple[Layer, ...], recipe: Recipe, threads: int, stride: int = 10**6) -> Fit:
    x, y = rows()
    network = Network(81, layers, 2, "softmax", input_dropout=0.1 if layers[0].dropout else 0.0)
    weights = np.linspace(0.5, 2.0, ROWS)
    fit = Fit(network, recipe, x, y, validation=(x[:400], y[:400]), weights=weights)
    fit.threads = threads
    while not fit.done:
        fit.advance(stride)
    return fit


@pytest.mark.parametrize("kind", LAYERS)
def test_threads_change_no_byte(kind: str) -> None:
    alone = fitted(LAYERS[kind], RECIPE, 1)
    assert alone.parts > 1
    assert fitted(LAYERS[kind], RECIPE, 2).state() == alone.state()
    assert fitted(LAYERS[kind], RECIPE, 4, stride=2).state() == alone.state()


def test_parts_learn_what_the_readable_twin_learns() -> None:
    x, y = rows()
    network = Network(81, LAYERS["dropout"], 2, "softmax", input_dropout=0.1)
    recipe = replace(RECIPE, dtype="float64")
    weights = np.linspace(0.5, 2.0, ROWS)
    twin = reference.fit(network, recipe, x, y, validation=(x[:400], y[:400]), weights=weights)
    found = fitted(LAYERS["dropout"], recipe, 2)
    assert np.abs(found.theta - twin.theta).max() < 1e-12


def test_searches_share_their_judging_too() -> None:
    recipe = replace(RECIPE, optimizer="lbfgs", learning_rate=1.0, epochs=4)
    alone, shared = (fitted(LAYERS["plain"], recipe, threads) for threads in (1, 2))
    assert alone.state() == shared.state()


@pytest.mark.parametrize("count", [1, 15, 16, 17, 300, 1000])
@pytest.mark.parametrize("parts", [1, 2, 3, 8])
def test_bounds_cover_everything_once_and_start_even(count: int, parts: int) -> None:
    found = [crew.bounds(count, parts, which) for which in range(parts)]
    covered = [i for first, stop in found for i in range(first, stop)]
    assert covered == list(range(count))
    assert all(first % crew.ALIGNED == 0 for first, stop in found if first < stop)


def test_small_steps_stay_whole() -> None:
    network = Network(30, (Layer(64, "sigmoid"),), 3, "softmax")
    assert parts_of(network, 32) == 1
    assert parts_of(Network(784, (Layer(512, "sigmoid"),), 10, "softmax"), 512) == 2


def test_every_part_is_claimed_once() -> None:
    control = np.zeros(crew.CONTROL, np.int64)
    for _ in range(3):
        crew.publish(control, 3)
        assert [crew.claim(control) for _ in range(4)] == [0, 1, 2, crew.NOTHING]
    crew.dismiss(control)
    assert crew.claim(control) == crew.CLOSED
