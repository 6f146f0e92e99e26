"""Products of matrices by BLAS, into a part of their result where that is wanted.

`np.dot` in compiled code takes whole contiguous matrices and would copy the transposed part of one.
This calls the same routine (Numba's door to SciPy's BLAS) with the distance between rows.
"""

from typing import Any

import numba
from llvmlite import ir
from numba import types
from numba.core import cgutils

from core.compilation import inner

_build: Any = cgutils  # without types of its own
_LETTERS = {"float32": "s", "float64": "d"}
_PLAIN, _TRANSPOSED = ord("n"), ord("t")


def _gemm(context: Any, first: Any, second: Any, out: Any, numbers: Any) -> Any:
    """Column by column as BLAS counts, out = op(first) op(second).

    numbers: op of first and of second, rows and columns of out, the length of the sums, then the
    start and the distance between columns of first, second and out.
    """

    def build(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        byte = ir.IntType(8)
        pointer = byte.as_pointer()
        number = [builder.extract_value(given[3], place) for place in range(11)]

        def start(place: int, at: Any) -> Any:
            kind = signature.args[place]
            data = context.make_array(kind)(context, builder, given[place]).data
            return builder.bitcast(builder.gep(data, [at]), pointer)

        def constant(value: float) -> Any:
            kind = context.get_value_type(signature.args[0].dtype)
            return builder.bitcast(
                _build.alloca_once_value(builder, ir.Constant(kind, value)), pointer
            )

        letter = ir.Constant(byte, ord(_LETTERS[str(signature.args[0].dtype)]))
        numbers = [
            letter,
            *(builder.trunc(op, byte) for op in number[:2]),
            *number[2:5],
            constant(1.0),
            *(start(0, number[5]), number[6]),
            *(start(1, number[7]), number[8]),
            constant(0.0),
            *(start(2, number[9]), number[10]),
        ]
        form = ir.FunctionType(ir.IntType(32), [value.type for value in numbers])
        routine = _build.get_or_insert_function(builder.module, form, "numba_xxgemm")
        builder.call(routine, numbers)
        return context.get_dummy_value()

    return types.none(first, second, out, numbers), build


gemm: Any = numba.extending.intrinsic(_gemm)


@inner
def times(a: Any, b: Any, out: Any) -> None:
    """Fill out = a b for C-ordered a (rows, n), b (n, m)."""
    rows, n = a.shape
    m = b.shape[1]
    gemm(b, a, out, (_PLAIN, _PLAIN, m, rows, n, 0, m, 0, n, 0, m))


@inner
def times_transposed(a: Any, b: Any, out: Any) -> None:
    """Fill out = a bᵀ for C-ordered a (rows, m), b (n, m)."""
    rows, m = a.shape
    n = b.shape[0]
    gemm(b, a, out, (_TRANSPOSED, _PLAIN, n, rows, m, 0, m, 0, m, 0, n))


@inner
def transposed_times(a: Any, b: Any, out: Any, first: int, stop: int) -> None:
    """Fill out[first:stop] = (aᵀ b)[first:stop] for C-ordered a (rows, n), b (rows, m)."""
    rows, n = a.shape
    m = b.shape[1]
    gemm(b, a, out, (_PLAIN, _TRANSPOSED, m, stop - first, rows, 0, m, first, n, first * m, m))
