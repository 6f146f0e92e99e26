"""The compiled fit against its readable twin, and what a run promises to those who stop it."""

from dataclasses import astuple, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, d2_pinball_score, mean_poisson_deviance, r2_score

from core import reference
from core.activations import ACTIVATIONS
from core.losses import LOSSES
from core.network import Layer, Network
from core.optimizers import OPTIMIZERS
from core.schedules import SCHEDULES
from core.training import Epoch, Fit, Recipe, fit, samples
from tests.core.test_reference import OPTIONS, example

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


def assert_is_the_reference_run(network, recipe, x, y, tolerance=1e-12, **options) -> Fit:
    run = Fit(network, recipe, x, y, **options)
    epochs = run.advance(10**6)
    twin = reference.fit(network, recipe, x, y, **options)
    np.testing.assert_allclose(run.theta, twin.theta, rtol=tolerance, atol=tolerance)
    assert_same_epochs(epochs, twin.epochs, 20 * tolerance)
    assert (run.stop_reason, run.best_epoch) == (twin.stop_reason, twin.best_epoch)
    return run


@pytest.mark.parametrize("optimizer", [name for name in OPTIMIZERS if name != "lbfgs"])
def test_compiled_optimizer_is_the_reference_run(optimizer) -> None:
    network, x, y = example(MSE, "tanh")
    recipe = replace(RECIPE, optimizer=optimizer, l2=0.01, clip=0.3)
    assert_is_the_reference_run(network, recipe, x, y, validation=(x[:5] * 0.9, y[:5]))


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_compiled_run_is_the_reference_run(loss, activation) -> None:
    network, x, y = example(loss, activation, batch_norm=activation > "m")
    recipe = replace(RECIPE, loss=loss.name, loss_options=OPTIONS.get(loss.name, {}))
    assert_is_the_reference_run(network, recipe, x, y, validation=(x[:5] * 0.9, y[:5]))


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("warmup", [0.0, 1.5])
def test_compiled_schedule_is_the_reference_run(schedule, warmup) -> None:
    network, x, y = example(MSE, "tanh")
    recipe = replace(RECIPE, schedule=schedule, warmup=warmup, epochs=14)
    if schedule == "reduce_on_plateau":
        recipe = replace(recipe, schedule_options={"patience": 1.0, "min_delta": 0.05})
    rates = [epoch.learning_rate for epoch in Fit(network, recipe, x, y).advance(10**6)]
    assert (schedule == "constant") == (len(set(rates[2:])) == 1)
    assert_is_the_reference_run(network, recipe, x, y)


EXTRAS = {
    "l1": {"l1": 0.01},
    "weight decay": {"weight_decay": 0.3},
    "max norm": {"max_norm": 0.8},
    "clip by value": {"clip_value": 0.01},
    "clip by layer": {"clip_layer": 0.05},
    "average": {"average": 0.9, "patience": 2},
    "frozen": {"frozen": (0,), "weight_decay": 0.1, "l2": 0.1, "max_norm": 0.5},
    "frozen behind": {"frozen": (1, 2), "momentum": 0.5, "optimizer": "nesterov"},
    "score": {"monitor": "validation_score", "patience": 1, "start_epoch": 2},
    "last": {"patience": 1, "restore_best": False},
    "he": {"init": "he_normal"},
}


@pytest.mark.parametrize("extra", EXTRAS.values(), ids=EXTRAS)
@pytest.mark.parametrize("plain", [True, False])
def test_compiled_extra_is_the_reference_run(extra, plain) -> None:
    layer = {} if plain else {"batch_norm": True, "dropout": 0.4, "bias": False}
    network, x, y = example(MSE, "tanh", rows=40, **layer)
    network = network if plain else replace(network, input_dropout=0.2)
    recipe = replace(RECIPE, epochs=8, learning_rate=0.03, **extra)
    run = assert_is_the_reference_run(network, recipe, x, y, validation=(x[:9], -y[:9]))
    start = network.blocks(Fit(network, recipe, x, y, validation=(x, y)).theta)
    for layer_number in recipe.frozen:
        found = network.blocks(run.theta)[layer_number].named()
        expected = start[layer_number].named()
        assert all(np.array_equal(found[name], expected[name]) for name in expected)


def test_a_weight_of_two_is_a_row_twice_and_of_zero_none() -> None:
    network, x, y = example(MSE, "tanh", rows=6)
    recipe = replace(RECIPE, batch_size=64, epochs=20)
    weights = np.array([2.0, 1, 0, 1, 1, 1])
    rows = [0, 0, 1, 3, 4, 5]
    weighed = fit(network, recipe, x, y, weights=weights)
    repeated = fit(network, recipe, x[rows], y[rows])
    np.testing.assert_allclose(weighed.theta, repeated.theta, rtol=1e-9, atol=1e-9)
    assert_is_the_reference_run(network, recipe, x, y, weights=weights)


@pytest.mark.parametrize("bad", [[1.0, -1.0, 1.0], [np.nan, 1.0, 1.0], [0.0, 0.0, 0.0], [1.0]])
def test_weights_that_mean_nothing_are_refused(bad) -> None:
    network, x, y = example(MSE, "tanh", rows=3)
    with pytest.raises(ValueError, match="weigh"):
        Fit(network, RECIPE, x, y, weights=np.array(bad))


def test_lbfgs_is_the_reference_run_and_falls_every_epoch() -> None:
    network, x, y = example(MSE, "tanh")
    recipe = replace(RECIPE, optimizer="lbfgs", learning_rate=1.0, epochs=30)
    recipe = replace(recipe, l2=1e-3)
    run = assert_is_the_reference_run(network, recipe, x, y, 1e-6)
    losses = [epoch.train_loss for epoch in Fit(network, recipe, x, y).advance(10**6)]
    assert losses[-1] < 0.1 * losses[0]
    assert losses == sorted(losses, reverse=True)
    assert run.stop_reason == "epochs"
    dropping = replace(network, input_dropout=0.1)
    with pytest.raises(ValueError, match="without dropout"):
        Fit(dropping, recipe, x, y)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_one_compiled_step_in_float32_is_the_exact_one(loss, activation) -> None:
    network, x, y = example(loss, activation)
    recipe = replace(RECIPE, loss=loss.name, optimizer="sgd", epochs=1, batch_size=11)
    recipe = replace(recipe, loss_options=OPTIONS.get(loss.name, {}))
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
    optimizer=st.sampled_from(["adam", "nadam", "lbfgs"]),
    schedule=st.sampled_from(["constant", "reduce_on_plateau", "one_cycle"]),
    average=st.sampled_from([None, 0.9]),
    random=st.booleans(),
)
def test_run_cut_and_resumed_anywhere_is_the_whole_run_bit_for_bit(
    cuts, dtype, optimizer, schedule, average, random
) -> None:
    random = random and optimizer != "lbfgs"
    network, x, y = example(MSE, "sigmoid", batch_norm=random, dropout=0.3 * random)
    network = replace(network, input_dropout=0.2 * random)
    recipe = replace(RECIPE, dtype=dtype, optimizer=optimizer, epochs=6, patience=4)
    recipe = replace(recipe, schedule=schedule, average=average, histograms=2)
    recipe = replace(recipe, batch_size=64 if optimizer == "lbfgs" else 4)
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
    p = np.zeros(1)
    assert MSE.value(network.logits(run.theta, held[0]), held[1], p).mean() == pytest.approx(
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


def gradient_shrinkage(activation: str, **layer: object) -> float:
    """First hidden layer's gradient norm over the fourth's, after some epochs."""
    random = np.random.default_rng(0)
    x = random.normal(size=(200, 10))
    y = np.tanh(x[:, :1] * x[:, 1:2])
    network = Network(10, (Layer(16, activation, **layer),) * 4, 1, "identity")
    epoch = Fit(network, replace(RECIPE, epochs=20, batch_size=200), x, y).advance(20)[-1]
    return epoch.gradient_norms[0] / epoch.gradient_norms[3]


def test_sigmoid_layers_make_the_gradient_vanish() -> None:
    assert gradient_shrinkage("sigmoid") < 0.02


@pytest.mark.parametrize(
    ("activation", "layer"), [("tanh", {}), ("relu", {}), ("sigmoid", {"batch_norm": True})]
)
def test_what_mends_a_vanishing_gradient(activation, layer) -> None:
    assert gradient_shrinkage(activation, **layer) > 0.5


def test_saturation_is_the_share_of_flat_activations() -> None:
    network = Network(1, (Layer(1, "sigmoid"),), 1, "identity")
    recipe = replace(RECIPE, epochs=1, batch_size=4)
    x = np.array([[-9.0], [0.0], [1.0], [9.0]])
    start = np.array([1.0, 0.0, 1.0, 0.0])
    (epoch,) = Fit(network, recipe, x, x, theta=start).advance(1)
    assert epoch.saturation == (0.5,)


def poisson_deviance(y: np.ndarray, logits: np.ndarray) -> tuple[float, float]:
    """Of the answers, and of the mean."""
    null = np.full(len(y), y.mean())
    return mean_poisson_deviance(y, np.exp(logits)), mean_poisson_deviance(y, null)


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_scores_are_those_of_scikit_learn(loss) -> None:
    network, x, y = example(loss, "tanh")
    network = replace(network, outputs=1) if loss.name == "quantile" else network
    run = Fit(network, replace(RECIPE, loss=loss.name), x, y, validation=(x, y))
    last = run.advance(10**6)[-1]
    logits = network.logits(run.theta, x)
    if loss.score == "r2":
        expected = r2_score(y, logits, multioutput="variance_weighted")
    elif loss.name == "quantile":
        expected = d2_pinball_score(y[:, 0], logits[:, 0], alpha=0.5)
    elif loss.name == "poisson":
        parts = [poisson_deviance(y[:, k], logits[:, k]) for k in range(2)]
        expected = 1 - sum(top for top, _ in parts) / sum(bottom for _, bottom in parts)
    elif loss.link == "sigmoid":
        expected = ((logits > 0) == y).mean()
    else:
        expected = accuracy_score(y, logits.argmax(axis=1))
    assert last.validation_score == pytest.approx(expected)


def test_target_ends_the_run_when_it_is_reached() -> None:
    network, x, y = example(MSE, "tanh")
    recipe = replace(RECIPE, epochs=500, target=0.5)
    epochs = (run := Fit(network, recipe, x, y)).advance(10**6)
    assert run.stop_reason == reference.fit(network, recipe, x, y).stop_reason == "target"
    assert epochs[-1].train_loss <= 0.5 < epochs[-2].train_loss
    scored = replace(recipe, monitor="train_score", target=0.3)
    epochs = (run := Fit(network, scored, x, y)).advance(10**6)
    assert epochs[-1].train_score >= 0.3 > epochs[-2].train_score


def test_divergence_names_the_layer_where_numbers_end() -> None:
    network, x, y = example(MSE, "relu")
    theta = Fit(network, RECIPE, x, y).theta
    network.views(theta)[1][0][:] = 1e300
    network.views(theta)[2][0][:] = 1e300
    run = fit(network, RECIPE, x, y, theta=theta)
    assert run.stop_reason == "diverged"
    assert run.diverged_layer == 2
    assert Fit(network, RECIPE, x, y).diverged_layer is None


def test_dead_units_are_those_that_no_row_moves() -> None:
    network = Network(1, (Layer(4, "relu"),), 1, "identity")
    x = np.linspace(-1, 1, 40)[:, None]
    start = np.array([1.0, 1, 1, 1, 0, -5, -5, 5, 1, 1, 1, 1, 0])
    recipe = replace(RECIPE, epochs=1, batch_size=40, learning_rate=1e-9)
    (epoch,) = Fit(network, recipe, x, x, theta=start).advance(100)
    assert epoch.dead_units == (0.5,)


def test_histograms_come_every_so_many_epochs_and_count_everything() -> None:
    network, x, y = example(MSE, "relu")
    run = Fit(network, replace(RECIPE, histograms=2), x, y)
    epochs = run.advance(10**6)
    assert [epoch.histograms is not None for epoch in epochs] == [False, True, False, True]
    pictures = epochs[1].histograms
    assert [sum(found.counts) for found in pictures.activations] == [11 * 5, 11 * 4, 11 * 2]
    sizes = [20, 24, 10]
    known = [sum(found.counts) for found in pictures.gradients]
    assert [a + b for a, b in zip(known, pictures.zeros, strict=True)] == sizes


def test_records_are_means_over_the_epoch_and_not_of_its_last_batch() -> None:
    network, x, y = example(MSE, "tanh", rows=320)
    recipe = replace(RECIPE, epochs=2, batch_size=4)
    assert samples(80) == 5
    assert samples(5) == 1
    assert samples(10**6) == 8
    assert_is_the_reference_run(network, recipe, x, y)
