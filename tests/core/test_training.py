"""The compiled fit against its readable twin, and what a run promises to those who stop it."""

from dataclasses import astuple, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, r2_score

from core import reference
from core.activations import ACTIVATIONS
from core.losses import LOSSES
from core.network import Layer, Network
from core.optimizers import OPTIMIZERS
from core.training import Epoch, Fit, Recipe, fit
from tests.core.test_reference import example

MSE = LOSSES["mse"]
RECIPE = Recipe("mse", learning_rate=0.01, epochs=4, batch_size=4, seed=3, dtype="float64")


def assert_same_epochs(found: list[Epoch], expected: list[Epoch], tolerance: float) -> None:
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        for left, right in zip(astuple(one), astuple(other), strict=True):
            if right is None:
                assert left is None
            else:
                np.testing.assert_allclose(left, right, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_compiled_run_is_the_reference_run(loss, activation, optimizer) -> None:
    network, x, y = example(loss, activation)
    recipe = replace(RECIPE, loss=loss.name, optimizer=optimizer, l2=0.01, clip=0.3)
    held = x[:5] * 0.9, y[:5]
    run = Fit(network, recipe, x, y, validation=held)
    epochs = run.advance(10**6)
    twin = reference.fit(network, recipe, x, y, validation=held)
    np.testing.assert_allclose(run.theta, twin.theta, rtol=1e-12, atol=1e-12)
    assert_same_epochs(epochs, twin.epochs, 1e-11)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_one_compiled_step_in_float32_is_the_exact_one(loss, activation) -> None:
    network, x, y = example(loss, activation)
    recipe = replace(RECIPE, loss=loss.name, optimizer="sgd", epochs=1, batch_size=11)
    start = Fit(network, recipe, x, y).theta
    run = fit(network, replace(recipe, dtype="float32"), x, y, theta=start)
    twin = reference.fit(network, recipe, x, y, theta=start)
    np.testing.assert_allclose(run.theta, twin.theta, atol=1e-6)


@pytest.mark.parametrize("batch_size", [1, 3, 7, 11, 64])
@pytest.mark.parametrize("clip", [None, 0.05])
def test_every_row_counts_for_any_batch_size(batch_size, clip) -> None:
    network, x, y = example(MSE, "sigmoid")
    recipe = replace(RECIPE, batch_size=batch_size, clip=clip)
    run = fit(network, recipe, x, y)
    np.testing.assert_allclose(
        run.theta, reference.fit(network, recipe, x, y).theta, rtol=1e-12, atol=1e-12
    )
    assert run.steps_per_epoch == -(-11 // batch_size)


def test_rows_of_the_last_short_batch_change_the_weights() -> None:
    network, x, y = example(MSE, "tanh", rows=9)
    last = int(reference.permutation(RECIPE.seed, 1, 9)[-1])
    changed = y.copy()
    changed[last] += 1.0
    recipe = replace(RECIPE, epochs=1)
    assert not np.array_equal(
        fit(network, recipe, x, y).theta, fit(network, recipe, x, changed).theta
    )


@settings(max_examples=15, deadline=None)
@given(
    cuts=st.lists(st.integers(1, 9), max_size=6),
    dtype=st.sampled_from(["float32", "float64"]),
    optimizer=st.sampled_from(list(OPTIMIZERS)),
)
def test_run_cut_and_resumed_anywhere_is_the_whole_run_bit_for_bit(cuts, dtype, optimizer) -> None:
    network, x, y = example(MSE, "sigmoid")
    recipe = replace(RECIPE, dtype=dtype, optimizer=optimizer, epochs=6, patience=4)
    whole = Fit(network, recipe, x, y, validation=(x, y))
    expected = whole.advance(10**6)
    part = Fit(network, recipe, x, y, validation=(x, y))
    epochs: list[Epoch] = []
    for steps in cuts:
        epochs += part.advance(steps)
        part = Fit(network, recipe, x, y, validation=(x, y), state=part.state())
    epochs += part.advance(10**6)
    assert epochs == expected
    assert part.state() == whole.state()


def test_calls_cut_differently_give_the_same_bytes() -> None:
    network, x, y = example(MSE, "relu")
    runs = [Fit(network, RECIPE, x, y) for _ in range(3)]
    for run, steps in zip(runs, (1, 5, 10**6), strict=True):
        while not run.done:
            run.advance(steps)
    assert len({run.state() for run in runs}) == 1


def test_state_of_another_network_is_refused() -> None:
    network, x, y = example(MSE, "relu")
    other = replace(network, layers=(Layer(2, "relu"),))
    state = Fit(other, RECIPE, x, y).state()
    with pytest.raises(ValueError, match="another run"):
        Fit(network, RECIPE, x, y, state=state)


def test_run_longer_than_one_report_reports_every_epoch_once() -> None:
    network, x, y = example(MSE, "sigmoid")
    run = Fit(network, replace(RECIPE, epochs=600), x, y)
    assert [epoch.epoch for epoch in run.advance(10**6)] == list(range(1, 601))
    assert run.position == 600
    assert run.stop_reason == "epochs"


def test_early_stopping_restores_the_best_epoch() -> None:
    network, x, y = example(MSE, "tanh")
    held = x[:4] + 0.5, -y[:4]  # learning the rows makes these worse before long
    recipe = replace(RECIPE, learning_rate=0.05, epochs=500, patience=5)
    run = Fit(network, recipe, x, y, validation=held)
    epochs = run.advance(10**6)
    twin = reference.fit(network, recipe, x, y, validation=held)
    losses = [epoch.validation_loss for epoch in epochs]
    assert run.stop_reason == twin.stop_reason == "early_stopping"
    assert run.best_epoch == twin.best_epoch == int(np.argmin(losses)) + 1 == len(epochs) - 5
    assert MSE.value(network.logits(run.theta, held[0]), held[1]).mean() == pytest.approx(
        min(losses), rel=1e-12
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("batch_size", [4, 64])
def test_divergence_stops_with_the_last_finite_weights(dtype, batch_size) -> None:
    network, x, y = example(MSE, "relu")
    recipe = replace(
        RECIPE, optimizer="sgd", learning_rate=1e6, epochs=500, dtype=dtype, batch_size=batch_size
    )
    run = Fit(network, recipe, x, y)
    epochs = run.advance(10**6)
    assert run.stop_reason == "diverged"
    assert len(epochs) < 500
    assert np.isfinite(run.theta).all()
    assert all(np.isfinite(epoch.train_loss) for epoch in epochs)


def gradient_shrinkage(activation: str) -> float:
    """First layer's gradient norm over the last's, in a network of four hidden layers."""
    random = np.random.default_rng(0)
    x = random.normal(size=(200, 10))
    y = np.tanh(x[:, :1] * x[:, 1:2])
    network = Network(10, (Layer(16, activation),) * 4, 1, "identity")
    epoch = Fit(network, replace(RECIPE, batch_size=200), x, y).advance(1)[0]
    return epoch.gradient_norms[0] / epoch.gradient_norms[-1]


def test_sigmoid_layers_make_the_gradient_vanish_and_relu_mends_it() -> None:
    assert gradient_shrinkage("sigmoid") < 0.01
    assert gradient_shrinkage("relu") > 0.1


def test_saturation_is_the_share_of_flat_activations() -> None:
    network = Network(1, (Layer(1, "sigmoid"),), 1, "identity")
    recipe = replace(RECIPE, epochs=1, batch_size=4)
    x = np.array([[-9.0], [0.0], [1.0], [9.0]])
    start = np.array([1.0, 0.0, 1.0, 0.0])
    (epoch,) = Fit(network, recipe, x, x, theta=start).advance(1)
    assert epoch.saturation == (0.5,)


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_scores_are_those_of_scikit_learn(loss) -> None:
    network, x, y = example(loss, "tanh")
    run = Fit(network, replace(RECIPE, loss=loss.name), x, y, validation=(x, y))
    last = run.advance(10**6)[-1]
    logits = network.logits(run.theta, x)
    if loss.score == "r2":
        expected = r2_score(y, logits, multioutput="variance_weighted")
    elif loss.link == "sigmoid":
        expected = accuracy_score(y, logits > 0)
    else:
        expected = accuracy_score(y, logits.argmax(axis=1))
    assert last.validation_score == pytest.approx(expected)
