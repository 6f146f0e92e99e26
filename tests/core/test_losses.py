"""Losses against their definitions, differences, and scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import log_loss

from core.compilation import inner
from core.losses import LOSSES
from core.network import apply_link

every_loss = pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)


def example(loss, rows: int = 7, dtype: str = "float64") -> tuple[np.ndarray, np.ndarray]:
    """Logits and targets that suit a loss."""
    random = np.random.default_rng(3)
    if loss.link == "sigmoid":
        z, t = random.normal(size=(rows, 1)) * 3, random.integers(0, 2, (rows, 1))
    elif loss.link == "softmax":
        z, t = random.normal(size=(rows, 4)) * 3, random.integers(0, 4, (rows, 1))
    else:
        z, t = random.normal(size=(rows, 3)), random.normal(size=(rows, 3))
    return z.astype(dtype), t.astype(dtype)


@every_loss
def test_gradient_is_the_difference_quotient(loss) -> None:
    z, t = example(loss)
    quotient, step = np.zeros_like(z), 1e-6
    for index in np.ndindex(z.shape):
        up, down = z.copy(), z.copy()
        up[index] += step
        down[index] -= step
        quotient[index] = (loss.value(up, t).sum() - loss.value(down, t).sum()) / (2 * step)
    np.testing.assert_allclose(loss.gradient(z, t), quotient, atol=1e-8)


@every_loss
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-6), ("float64", 1e-12)])
def test_compiled_loop_is_the_numpy_loss(loss, dtype, tolerance) -> None:
    z, t = example(loss, dtype=dtype)
    delta = np.empty_like(z)
    total, _ = inner(loss.loop)(z, t, delta)
    assert total / len(z) == pytest.approx(loss.value(z, t).mean(), rel=tolerance)
    np.testing.assert_allclose(delta, loss.gradient(z, t), atol=tolerance)


@every_loss
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size", [1e4, -1e4])
def test_extreme_logits_give_finite_losses_and_gradients(loss, dtype, size) -> None:
    z, t = example(loss, dtype=dtype)
    z[:] = np.where(np.arange(z.shape[1]) % 2 == 0, size, -size)
    delta = np.empty_like(z)
    total, _ = inner(loss.loop)(z, t, delta)
    for found in (total, delta, loss.value(z, t), loss.gradient(z, t)):
        assert np.isfinite(found).all()


@pytest.mark.parametrize("name", ["binary_cross_entropy", "categorical_cross_entropy"])
def test_cross_entropies_are_those_of_scikit_learn(name) -> None:
    loss = LOSSES[name]
    z, t = example(loss, rows=50)
    probabilities = apply_link(loss.link, z)
    labels = range(max(2, z.shape[1]))
    expected = log_loss(t[:, 0], probabilities, labels=labels)
    assert loss.value(z, t).mean() == pytest.approx(expected, rel=1e-12)


def test_mse_is_the_mean_over_outputs() -> None:
    z, t = np.array([[1.0, 2.0]]), np.array([[0.0, 4.0]])
    assert LOSSES["mse"].value(z, t).tolist() == [2.5]


@every_loss
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("place", [0, -1])
def test_logits_that_are_no_numbers_give_a_loss_that_is_none(loss, dtype, bad, place) -> None:
    z, t = example(loss, dtype=dtype)
    z[3, place] = bad
    t[3] = 0  # the likeliest answer to +inf is then wrong, or there is none
    total, _ = inner(loss.loop)(z, t, np.empty_like(z))
    assert not np.isfinite(total)


def test_first_of_equal_logits_wins() -> None:
    loss = LOSSES["categorical_cross_entropy"]
    z = np.random.default_rng(5).integers(0, 3, (200, 4)).astype(np.float32)
    t = np.random.default_rng(6).integers(0, 4, (200, 1)).astype(np.float32)
    _, right = inner(loss.loop)(z, t, np.empty_like(z))
    assert right == (z.argmax(axis=1) == t[:, 0]).sum()
