"""The loops of each activation, loss, optimiser and schedule, compiled at their first use.

Each function here gives the address of one routine for `core.compilation.call`. The templates
below are compiled once for each entry of a registry, with that entry's functions as globals.
"""

from functools import cache
from typing import Any, cast

import numba
from numba import types

from core.activations import ACTIVATIONS
from core.compilation import clone, inner, routine
from core.losses import LOSSES
from core.optimizers import MEMORY, OPTIMIZERS
from core.schedules import MEMORY as SCHEDULE_MEMORY
from core.schedules import SCHEDULES

FORWARD, BACKWARD, FLATNESS = range(3)
FACTOR, OBSERVE = range(2)
MOST_OPTIONS = 100
carray: Any = numba.carray  # type: ignore[attr-defined]
value = slope = loop = forward = backward = flatness = factor = observe = cast(Any, None)
SLOTS = 0  # an entry's own take the place of these


def _forward(z: Any, biases: Any, a: Any, alpha: Any) -> None:
    rows, units = z.shape
    for i in range(rows):
        for j in range(units):
            total = z[i, j] + biases[j]
            z[i, j] = total
            a[i, j] = value(total, alpha)


def _backward(z: Any, a: Any, delta: Any, alpha: Any) -> None:
    rows, units = z.shape
    for i in range(rows):
        for j in range(units):
            delta[i, j] *= slope(z[i, j], a[i, j], alpha)


def _flatness(z: Any, a: Any, lively: Any, alpha: Any, bound: Any) -> Any:
    """The share of flat activations; adds to `lively` how many of each unit are not."""
    rows, units = z.shape
    flat = 0
    for i in range(rows):
        for j in range(units):
            steep = abs(slope(z[i, j], a[i, j], alpha)) >= bound
            flat += 0 if steep else 1
            lively[j] += 1 if steep else 0
    return flat / (rows * units)


def _activation(
    what: Any, z: Any, first: Any, second: Any, rows: Any, units: Any, alpha: Any, bound: Any
) -> Any:
    sums, shape = carray(z, (rows, units)), (rows, units)
    if what == FORWARD:
        forward(sums, carray(first, (units,)), carray(second, shape), alpha)
        return 0.0
    if what == BACKWARD:
        backward(sums, carray(first, shape), carray(second, shape), alpha)
        return 0.0
    return flatness(sums, carray(first, shape), carray(second, (units,)), alpha, bound)


def _loss(
    z: Any,
    t: Any,
    delta: Any,
    losses: Any,
    scores: Any,
    p: Any,
    rows: Any,
    outputs: Any,
    columns: Any,
) -> Any:
    shape = (rows, outputs)
    loop(
        carray(z, shape),
        carray(t, (rows, columns)),
        carray(delta, shape),
        carray(losses, (rows,)),
        carray(scores, (rows,)),
        carray(p, (MOST_OPTIONS,)),
    )
    return 0.0


def _optimizer(
    theta: Any, gradient: Any, slots: Any, hyper: Any, memory: Any, count: Any, apart: Any, t: Any
) -> Any:
    loop(
        carray(theta, (count,)),
        carray(gradient, (count,)),
        carray(slots, (SLOTS, apart)),
        carray(hyper, (7,)),
        carray(memory, (MEMORY,)),
        t,
    )
    return 0.0


def _schedule(
    what: Any, t: Any, steps: Any, total: Any, monitored: Any, options: Any, memory: Any
) -> Any:
    p, kept = carray(options, (MOST_OPTIONS,)), carray(memory, (SCHEDULE_MEMORY,))
    if what == OBSERVE:
        observe(monitored, p, kept)
        return 0.0
    return factor(t, steps, total, p, kept)


def _nothing(monitored: Any, p: Any, memory: Any) -> None:
    pass


_POINTER: Any = types.CPointer
_POINTERS = {"float32": _POINTER(types.float32), "float64": _POINTER(types.float64)}
_INT, _FLOAT = types.int64, types.float64
_FLOATS = _POINTERS["float64"]


@cache
def activation(name: str, dtype: str) -> int:
    """(what, z, first, second, rows, units, alpha, bound).

    FORWARD (z, biases, a), BACKWARD (z, a, delta), FLATNESS (z, a, lively), which answers a share.
    """
    entry = ACTIVATIONS[name]
    compiled = {"value": inner(entry.value), "slope": inner(entry.slope)}
    given = {
        kind: inner(clone(template, f"{kind}_{name}", **compiled))
        for kind, template in (
            ("forward", _forward),
            ("backward", _backward),
            ("flatness", _flatness),
        )
    }
    array = _POINTERS[dtype]
    return routine(
        clone(_activation, "activation", **given),
        f"activation_{name}_{dtype}",
        *(_INT, array, array, array, _INT, _INT, _FLOAT, _FLOAT),
    )


@cache
def loss(name: str, dtype: str) -> int:
    """(z, t, delta, losses, scores, p, rows, outputs, columns of t)."""
    array = _POINTERS[dtype]
    return routine(
        clone(_loss, "loss", loop=inner(LOSSES[name].loop)),
        f"loss_{name}_{dtype}",
        *(array, array, array, _FLOATS, _FLOATS, _FLOATS, _INT, _INT, _INT),
    )


@cache
def optimizer(name: str, dtype: str) -> int:
    """(theta, gradient, slots, hyper, memory, parameters, numbers from slot to slot, t)."""
    entry, array = OPTIMIZERS[name], _POINTERS[dtype]
    return routine(
        clone(_optimizer, "optimizer", loop=inner(entry.loop), SLOTS=entry.slots),
        f"optimizer_{name}_{dtype}",
        *(array, array, array, _FLOATS, _FLOATS, _INT, _INT, _INT),
    )


@cache
def schedule(name: str) -> int:
    """(what, t, steps, total, monitored, p, memory): FACTOR answers, OBSERVE takes note."""
    entry = SCHEDULES[name]
    return routine(
        clone(
            _schedule,
            "schedule",
            factor=inner(entry.factor),
            observe=inner(entry.observe or _nothing),
        ),
        f"schedule_{name}",
        *(_INT, _INT, _INT, _INT, _FLOAT, _FLOATS, _FLOATS),
    )
