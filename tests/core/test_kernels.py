"""The parts of the compiled loop that say nothing when they are wrong."""

import subprocess
import sys

import numpy as np
import pytest

from core import kernels
from core.compilation import dispatch, inner


def test_dispatch_calls_the_function_at_each_position() -> None:
    choose = dispatch([lambda x: x + 1, lambda x: x * 10, lambda x: x - 1])
    assert [choose(code, 5.0) for code in range(3)] == [6.0, 50.0, 4.0]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_norm_notices_infinity_and_nan(dtype) -> None:
    for bad in (np.inf, np.nan):
        assert not np.isfinite(kernels._norm(np.array([1.0, bad, 2.0], dtype)))


def test_norm_is_summed_in_float64() -> None:
    values = np.full(1_000_000, 0.1, np.float32)
    assert kernels._norm(values) == pytest.approx(100.0, rel=1e-7)


def test_conditions_on_nan_survive_the_compiler_flags() -> None:
    @inner
    def finite(value):
        return np.isfinite(value)

    assert [finite(v) for v in (1.0, np.nan, np.inf)] == [True, False, False]


def test_serving_needs_no_compiler() -> None:
    program = "import sys, core.model, core.files; print('numba' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert out.stdout == b"False\n"
