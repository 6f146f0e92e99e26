"""Threads that share the parts of one step of one fit.

The parts are the same whoever does them, and nothing is added up across parts but in their order:
so any number of threads comes to the same bytes. The thread that trains publishes parts; it and
its helpers, which look at nothing else, claim them one by one. A helper that the machine keeps from
running is never waited for, except in the middle of a part.

control: int64 (CONTROL,), a word in each cache line. TICKET holds generation, parts and parts
claimed in one word that only changes atomically, so that nobody claims a part of a past call.
"""

from typing import Any

import numba
from llvmlite import ir
from numba import types

from core.compilation import inner

TICKET, DONE, KIND, PARTS, EPOCH, STEP, START, ROWS, GENERATION, HELPERS = range(0, 10 * 8, 8)
CONTROL = 10 * 8
CLOSED, NOTHING = -2, -1
ALIGNED = 16  # rows; parts start at an even number of draws, and where a cache line does
_BITS = 12
_MASK = (1 << _BITS) - 1
_SPINS = 500  # looks before the processor is offered to others


def _at(context: Any, builder: Any, signature: Any, given: Any) -> Any:
    data = context.make_array(signature.args[0])(context, builder, given[0]).data
    return builder.gep(data, [given[1]])


def _load(context: Any, control: Any, place: Any) -> Any:
    def build(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        return builder.load_atomic(_at(context, builder, signature, given), "seq_cst", 8)

    return types.int64(control, types.int64), build


def _store(context: Any, control: Any, place: Any, value: Any) -> Any:
    def build(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        builder.store_atomic(given[2], _at(context, builder, signature, given), "seq_cst", 8)
        return context.get_dummy_value()

    return types.none(control, types.int64, types.int64), build


def _increase(context: Any, control: Any, place: Any) -> Any:
    def build(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        one = ir.Constant(ir.IntType(64), 1)
        where = _at(context, builder, signature, given)
        return builder.atomic_rmw("add", where, one, "seq_cst")

    return types.int64(control, types.int64), build


def _exchange(context: Any, control: Any, place: Any, old: Any, new: Any) -> Any:
    """Whether `old` was there and `new` has taken its place."""

    def build(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        where = _at(context, builder, signature, given)
        found = builder.cmpxchg(where, given[2], given[3], "seq_cst", "seq_cst")
        return builder.extract_value(found, 1)

    return types.boolean(control, types.int64, types.int64, types.int64), build


load: Any = numba.extending.intrinsic(_load)
store: Any = numba.extending.intrinsic(_store)
_increased: Any = numba.extending.intrinsic(_increase)
_exchanged: Any = numba.extending.intrinsic(_exchange)
_yield: Any = types.ExternalFunction("sched_yield", types.int32())


@inner
def bounds(count: int, parts: int, which: int) -> Any:
    """Where one of the parts of `count` things starts and stops."""
    size = -(-count // (parts * ALIGNED)) * ALIGNED
    return min(count, which * size), min(count, (which + 1) * size)


@inner
def publish(control: Any, parts: int) -> None:
    """Offer `parts` parts of what the other words of control say."""
    control[GENERATION] += 1
    store(control, DONE, 0)
    store(control, TICKET, (control[GENERATION] << 2 * _BITS) | (parts << _BITS))


@inner
def claim(control: Any) -> Any:
    """A part that from now on is the caller's; NOTHING where none is open, CLOSED after the end."""
    ticket = load(control, TICKET)
    while ticket >= 0 and (ticket & _MASK) < ((ticket >> _BITS) & _MASK):
        if _exchanged(control, TICKET, ticket, ticket + 1):
            return ticket & _MASK
        ticket = load(control, TICKET)
    return CLOSED if ticket < 0 else NOTHING


@inner
def finish(control: Any) -> None:
    """A claimed part is done."""
    _increased(control, DONE)


@inner
def stand_by(looks: int) -> Any:
    """Between two looks at control; returns how many there have been."""
    if looks >= _SPINS:
        _yield()
    return looks + 1


@inner
def await_all(control: Any, parts: int) -> None:
    """Return when every part is done."""
    looks = 0
    while load(control, DONE) < parts:
        looks = stand_by(looks)


@inner
def dismiss(control: Any) -> None:
    """Send the helpers home."""
    store(control, TICKET, -1)
