"""Losses against their definitions, differences, and scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import log_loss

from core.compilation import inner
from core.losses import LOSSES
from core.network import apply_link

every_loss = pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)


P = {
    "quantile": np.array([0.1, 0.5, 0.9]),
    "huber": np.array([0.7]),
    "binary_cross_entropy": np.array([0.1]),
    "categorical_cross_entropy": np.array([0.1]),
    "binary_focal": np.array([2.0]),
    "categorical_focal": np.array([2.0]),
}


def options(loss) -> np.ndarray:
    return P.get(loss.name, np.zeros(1))


def looped(loss, z, t, p) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Losses, scores and gradient of each row, compiled."""
    delta, losses, scores = np.empty_like(z), np.empty(len(z)), np.empty(len(z))
    inner(loss.loop)(z, t, delta, losses, scores, p)
    return losses, scores, delta


def example(loss, rows: int = 7, dtype: str = "float64") -> tuple[np.ndarray, np.ndarray]:
    """Logits and targets that suit a loss."""
    random = np.random.default_rng(3)
    if loss.name == "quantile":
        z, t = random.normal(size=(rows, 3)), random.normal(size=(rows, 1))
    elif loss.name == "poisson":
        z, t = random.normal(size=(rows, 2)), random.poisson(2.0, (rows, 2))
    elif loss.link == "sigmoid":
        z, t = random.normal(size=(rows, 2)) * 3, random.integers(0, 2, (rows, 2))
    elif loss.link == "softmax":
        z, t = random.normal(size=(rows, 4)) * 3, random.integers(0, 4, (rows, 1))
    else:
        z, t = random.normal(size=(rows, 3)), random.normal(size=(rows, 3))
    return z.astype(dtype), t.astype(dtype)


@every_loss
def test_gradient_is_the_difference_quotient(loss) -> None:
    z, t = example(loss)
    p, quotient, step = options(loss), np.zeros_like(z), 1e-6
    for index in np.ndindex(z.shape):
        up, down = z.copy(), z.copy()
        up[index] += step
        down[index] -= step
        quotient[index] = (loss.value(up, t, p).sum() - loss.value(down, t, p).sum()) / (2 * step)
    np.testing.assert_allclose(loss.gradient(z, t, p), quotient, atol=1e-8)


@every_loss
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-6), ("float64", 1e-12)])
def test_compiled_loop_is_the_numpy_loss(loss, dtype, tolerance) -> None:
    z, t = example(loss, dtype=dtype)
    p = options(loss)
    losses, _, delta = looped(loss, z, t, p)
    np.testing.assert_allclose(losses, loss.value(z, t, p), rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(delta, loss.gradient(z, t, p), atol=tolerance)
    assert loss.value(z, t, p).dtype == loss.gradient(z, t, p).dtype == dtype


@every_loss
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size", [1e4, -1e4])
def test_extreme_logits_give_finite_losses_and_gradients(loss, dtype, size) -> None:
    z, t = example(loss, dtype=dtype)
    z[:] = np.where(np.arange(z.shape[1]) % 2 == 0, size, -size)
    p = options(loss)
    losses, _, delta = looped(loss, z, t, p)
    for found in (losses, delta, loss.value(z, t, p), loss.gradient(z, t, p)):
        assert np.isfinite(found).all()


@pytest.mark.parametrize("name", ["binary_cross_entropy", "categorical_cross_entropy"])
def test_cross_entropies_are_those_of_scikit_learn(name) -> None:
    loss = LOSSES[name]
    z, t = example(loss, rows=50)
    z, t = (z[:, :1], t[:, :1]) if loss.link == "sigmoid" else (z, t)
    probabilities = apply_link(loss.link, z)
    labels = range(max(2, z.shape[1]))
    expected = log_loss(t[:, 0], probabilities, labels=labels)
    assert loss.value(z, t, np.zeros(1)).mean() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("name", "p", "z", "t", "expected"),
    [
        ("mse", [], [1.0, 2.0], [0.0, 4.0], 2.5),
        ("mae", [], [1.0, 2.0], [0.0, 4.0], 1.5),
        ("huber", [1.0], [0.5, 3.0], [0.0, 0.0], (0.125 + 2.5) / 2),
        ("quantile", [0.1, 0.9], [0.0, 0.0], [2.0], (0.2 + 1.8) / 2),
        ("poisson", [], [0.0], [3.0], 1.0),
        ("binary_focal", [2.0], [0.0], [1.0], 0.25 * np.log(2)),
        ("categorical_focal", [1.0], [0.0, 0.0], [1.0], 0.5 * np.log(2)),
        ("binary_cross_entropy", [0.2], [0.0], [1.0], np.log(2)),
    ],
)
def test_loss_worked_by_hand(name, p, z, t, expected) -> None:
    found = LOSSES[name].value(np.array([z]), np.array([t]), np.array(p))
    assert found.tolist() == pytest.approx([expected])


@every_loss
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("place", [0, -1])
def test_logits_that_are_no_numbers_give_a_loss_that_is_none(loss, dtype, bad, place) -> None:
    z, t = example(loss, dtype=dtype)
    z[3, place] = bad
    t[3] = 0  # the likeliest answer to +inf is then wrong, or there is none
    assert not np.isfinite(looped(loss, z, t, options(loss))[0].sum())


def test_first_of_equal_logits_wins() -> None:
    z = np.random.default_rng(5).integers(0, 3, (200, 4)).astype(np.float32)
    t = np.random.default_rng(6).integers(0, 4, (200, 1)).astype(np.float32)
    for name in ("categorical_cross_entropy", "categorical_focal"):
        _, right, _ = looped(LOSSES[name], z, t, np.zeros(1))
        assert right.tolist() == (z.argmax(axis=1) == t[:, 0]).astype(float).tolist()


def test_option_that_a_loss_has_not_is_refused() -> None:
    with pytest.raises(ValueError, match="no option gamma"):
        LOSSES["huber"].parameters({"gamma": 1.0})
