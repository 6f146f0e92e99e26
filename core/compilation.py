"""Compiling with Numba: flags, the cache, and functions compiled apart and called by address.

Everything inlined into one function would take LLVM minutes. So the loops of each activation,
loss, optimiser and schedule are a `routine` of their own, compiled at their first use, kept on
disk, and called through their address.
"""

import hashlib
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import FunctionType
from typing import Any

import numba
from llvmlite import ir
from numba import types

from core import approximations

assert approximations  # importing it tells Numba what core.elementwise means

# Division follows IEEE 754 (`error_model="numpy"`): a check for zero would keep loops from
# vectorising. NaN and infinity keep their meaning, since a diverged run is recognised by them.
# Reordering is allowed to `summing` alone: elsewhere it would turn Adam's βv + (1-β)g² into
# β(v - g²) + g², which cancels.
FLAGS = {"contract", "arcp", "nsz"}


def _cache_folder() -> str | None:
    """Where compiled code is kept, apart for each state of the sources; None where nowhere.

    NUMBA_CACHE_DIR, else beside the sources, else SIGMOID_KERNELS_DIR: the first that can be
    written. Numba notices a change of the outermost function's file only; the digest covers all.
    """
    here = Path(__file__).parent
    digest = hashlib.sha256(numba.__version__.encode())
    for path in sorted(here.glob("*.py")):
        digest.update(path.read_bytes())
    first = os.environ.get("NUMBA_CACHE_DIR") or here / "__pycache__"
    for base in (first, os.environ.get("SIGMOID_KERNELS_DIR")):
        folder = Path(base or here) / digest.hexdigest()[:16]
        try:
            folder.mkdir(parents=True, exist_ok=True)
            probe = folder / f".{os.getpid()}"
            probe.touch()
            probe.unlink()
        except OSError:
            continue
        return str(folder)
    return None


_FOLDER = _cache_folder()
if _FOLDER is not None:
    numba.config.CACHE_DIR = _FOLDER  # type: ignore[attr-defined]


_COMPILE: Any = partial(
    numba.njit,
    nogil=True,
    fastmath=FLAGS,
    error_model="numpy",
    _nrt=False,  # nothing is allocated, so that nobody has to count who refers to an array
)


def entry(function: Callable[..., Any]) -> Any:
    """Compile a function that Python calls; the result is kept on disk where that is possible."""
    return _COMPILE(function, cache=_FOLDER is not None)


def inner(function: Callable[..., Any]) -> Any:
    """Compile a function that only compiled code calls."""
    return _COMPILE(function)


def summing(function: Callable[..., Any]) -> Any:
    """As `inner`, for sums whose order does not matter, so that they vectorise."""
    return _COMPILE(function, fastmath=FLAGS | {"reassoc"})


def expanded(function: Callable[..., Any]) -> Any:
    """Put the function's lines where it is called.

    For one that returns a view, which compiled functions without counting cannot; and against deep
    chains: LLVM optimises a function anew in everything that calls it.
    """
    return _COMPILE(function, inline="always")


def _keep_apart(context: Any) -> Any:
    """Called in a compiled function, keeps LLVM from inlining that function: it compiles sooner."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        builder.function.attributes.add("noinline")
        return context.get_dummy_value()

    return types.none(), build


keep_apart: Any = numba.extending.intrinsic(_keep_apart)


def clone(function: Callable[..., Any], name: str, **given: Any) -> Any:
    """The function under another name, with the given globals: a template filled in.

    Unlike a closure, what comes of it can be kept on disk.
    """
    assert isinstance(function, FunctionType)
    made = FunctionType(function.__code__, {**function.__globals__, **given}, name)
    made.__qualname__ = name
    return made


_LIVING: list[Any] = []  # code goes with its object, and addresses must stay good


def routine(function: Callable[..., Any], name: str, *arguments: Any) -> int:
    """Compile a function for C; returns its address. The answer of a routine is a float64.

    name: apart for each combination of what the function is made of. arguments: its types.
    """
    compiled = numba.cfunc(
        types.float64(*arguments),
        cache=_FOLDER is not None,
        fastmath=FLAGS,
        error_model="numpy",
    )(clone(function, name))
    _LIVING.append(compiled)
    address = compiled.address
    assert address is not None
    return int(address)


def _call(context: Any, address: Any, arguments: Any) -> Any:
    """Call a routine: arrays go as pointers to their first element, numbers as 64 bits."""

    def build(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        values = []
        for place, kind in enumerate(arguments):
            value = builder.extract_value(given[1], place)
            if isinstance(kind, types.Array):
                value = context.make_array(kind)(context, builder, value).data
            else:
                wide = types.float64 if isinstance(kind, types.Float) else types.int64
                value = context.cast(builder, value, kind, wide)
            values.append(value)
        form = ir.FunctionType(ir.DoubleType(), [value.type for value in values])
        return builder.call(builder.inttoptr(given[0], form.as_pointer()), values)

    return types.float64(address, arguments), build


call: Any = numba.extending.intrinsic(_call)
