"""The parts of the compiled loop that say nothing when they are wrong."""

import subprocess
import sys

import numpy as np
import pytest

from core import regularization, routines
from core.compilation import call, inner
from core.losses import LOSSES


def test_a_routine_is_called_by_its_address() -> None:
    @inner
    def through(address, z, t, delta, losses, scores, p):
        return call(address, (z, t, delta, losses, scores, p, 3, 2, 2))

    z, t = np.random.default_rng(0).normal(size=(2, 3, 2))
    delta, losses, scores = np.empty_like(z), np.empty(3), np.empty(3)
    through(routines.loss("mae", "float64"), z, t, delta, losses, scores, np.zeros(1))
    assert losses.tolist() == pytest.approx(np.abs(z - t).mean(axis=1).tolist())
    assert delta.tolist() == LOSSES["mae"].gradient(z, t, np.zeros(1)).tolist()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_norm_notices_infinity_and_nan(dtype) -> None:
    for bad in (np.inf, np.nan):
        assert not np.isfinite(regularization.norm(np.array([1.0, bad, 2.0], dtype)))


def test_norm_is_summed_in_float64() -> None:
    values = np.full(1_000_000, 0.1, np.float32)
    assert regularization.norm(values) == pytest.approx(100.0, rel=1e-7)


def test_conditions_on_nan_survive_the_compiler_flags() -> None:
    @inner
    def finite(value):
        return np.isfinite(value)

    assert [finite(v) for v in (1.0, np.nan, np.inf)] == [True, False, False]


def test_serving_needs_no_compiler() -> None:
    program = "import sys, core.model, core.files; print('numba' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert out.stdout == b"False\n"
