"""What the threads of a fit share: the parts of a step, and of judging rows."""

from typing import Any, NamedTuple

import numpy as np

from core import crew
from core.compilation import call, expanded, inner, keep_apart
from core.layout import DELTA, OUT
from core.passes import (
    backward_pass,
    drop,
    dropout_key,
    forward_pass,
    gather_gradient,
    judge_rows,
    slab,
    summed,
)
from core.places import INPUT_DROPOUT, LEARNED, LOSS_AT, LOWEST, OPTIMIZER_AT, PARTS

# what the parts of one call are of: rows of a batch, weights of each layer, all parameters, rows
LEARN, DERIVE, UPDATE, JUDGE_LEARNED, JUDGE_HELD, JUDGE_HELD_BY_AVERAGE = range(6)


class Given(NamedTuple):
    """What the parts of a step work on: all of it is whole, they take their own of it."""

    control: Any
    theta: Any
    averaged: Any
    gradient: Any
    x: Any
    y: Any
    w: Any
    xv: Any
    yv: Any
    order: Any
    xb: Any
    yb: Any
    wb: Any
    mask: Any
    work: Any
    per_row: Any
    table: Any
    knobs: Any
    rules: Any
    settings: Any
    p: Any
    seed: Any
    slots: Any
    hyper: Any
    memory: Any
    wires: Any


@inner
def _gather(rows: Any, order: Any, start: int, batch: Any) -> None:
    """Copy the rows at order[start:] into the batch."""
    for i in range(batch.shape[0]):
        row = order[start + i]
        for j in range(batch.shape[1]):
            batch[i, j] = rows[row, j]


@expanded
def _learn(first: int, stop: int, given: Any) -> None:
    """From some rows of the batch to what each loses and to their part of every layer's delta."""
    control, table, theta = given.control, given.table, given.theta
    epoch, step, rows = control[crew.EPOCH], control[crew.STEP], control[crew.ROWS]
    start, weights = control[crew.START], given.wb
    inputs, targets = given.xb[first:stop], given.yb[first:stop]
    _gather(given.x, given.order, start + first, inputs)
    _gather(given.y, given.order, start + first, targets)
    for i in range(first, min(stop, weights.size)):
        weights[i] = given.w[given.order[start + i]]
    if given.settings[INPUT_DROPOUT] > 0.0:
        values, number = inputs.reshape(inputs.size), first * inputs.shape[1]
        mask = given.mask[number : number + values.size]
        key = dropout_key(given.seed, epoch, step, 0)
        drop(values, mask, values, number, key, given.settings[INPUT_DROPOUT])
    work, p = given.work, given.p
    forward_pass(
        inputs, theta, work, table, given.knobs, True, given.seed, epoch, step, first, given.wires
    )
    judge_rows(targets, work, table, given.rules[LOSS_AT], p, given.per_row, first)
    last = table.shape[0] - 1
    d = slab(work, table[last, DELTA], first, stop - first, table[last, OUT])
    for i in range(stop - first):
        weight = weights[first + i] if weights.size > 0 else 1.0
        share = theta.dtype.type(weight / rows)
        for j in range(d.shape[1]):
            d[i, j] *= share
    lowest = given.rules[LOWEST]
    backward_pass(theta, given.gradient, work, table, given.knobs, lowest, first, stop - first)


@expanded
def _derive(which: int, parts: int, given: Any) -> None:
    """From all deltas to one part of the gradient."""
    work, table, lowest = given.work, given.table, given.rules[LOWEST]
    inputs = given.xb[: given.control[crew.ROWS]]
    gather_gradient(inputs, given.gradient, work, table, lowest, parts, which, given.wires)


@expanded
def _update(first: int, stop: int, given: Any) -> None:
    """Let the optimiser change some of the parameters."""
    apart = given.slots.shape[1]
    slots = given.slots.reshape(given.slots.size)[first:]
    theta, gradient = given.theta[first:stop], given.gradient[first:stop]
    t, address = given.control[crew.START], given.rules[OPTIMIZER_AT]
    call(address, (theta, gradient, slots, given.hyper, given.memory, stop - first, apart, t))


@expanded
def _judge_rows(kind: int, first: int, stop: int, given: Any) -> None:
    """Loss and score of some rows, nothing learned."""
    rows, targets = (given.x, given.y) if kind == JUDGE_LEARNED else (given.xv, given.yv)
    theta = given.averaged if kind == JUDGE_HELD_BY_AVERAGE else given.theta
    work, table, start = given.work, given.table, given.control[crew.START]
    rows, targets = rows[start + first : start + stop], targets[start + first : start + stop]
    forward_pass(
        rows, theta, work, table, given.knobs, False, np.uint64(0), 0, 0, first, given.wires
    )
    judge_rows(targets, work, table, given.rules[LOSS_AT], given.p, given.per_row, first)


@inner
def _do(which: int, parts: int, given: Any) -> None:
    """One part of what control says."""
    keep_apart()
    control, rules = given.control, given.rules
    kind = control[crew.KIND]
    if kind == DERIVE:
        _derive(which, parts, given)
        return
    count = rules[LEARNED] if kind == UPDATE else control[crew.ROWS]
    first, stop = crew.bounds(count, parts, which)
    if first >= stop:
        return
    if kind == LEARN:
        _learn(first, stop, given)
    elif kind == UPDATE:
        _update(first, stop, given)
    else:
        _judge_rows(kind, first, stop, given)


@expanded
def share(kind: int, parts: int, given: Any) -> None:
    """Have all parts done, by this thread and those that help it."""
    control = given.control
    control[crew.KIND], control[crew.PARTS] = kind, parts
    if control[crew.HELPERS] == 0 or parts == 1:
        for which in range(parts):
            _do(which, parts, given)
        return
    crew.publish(control, parts)
    which = crew.claim(control)
    while which >= 0:
        _do(which, parts, given)
        crew.finish(control)
        which = crew.claim(control)
    crew.await_all(control, parts)


@expanded
def help_with(given: Any) -> None:
    """Do parts for the thread that trains, until it has done its steps."""
    control, looks = given.control, 0
    while True:
        which = crew.claim(control)
        if which == crew.CLOSED:
            return
        if which == crew.NOTHING:
            looks = crew.stand_by(looks)
            continue
        _do(which, control[crew.PARTS], given)
        crew.finish(control)
        looks = 0


@expanded
def evaluate(kind: int, weights: Any, given: Any) -> Any:
    """Sums of loss and score over all rows to judge; nothing learned."""
    control, per_row = given.control, given.per_row
    count = given.x.shape[0] if kind == JUDGE_LEARNED else given.xv.shape[0]
    loss_sum, score_sum = 0.0, 0.0
    chunk = per_row.shape[1]
    for start in range(0, count, chunk):
        control[crew.START], control[crew.ROWS] = start, min(chunk, count - start)
        share(kind, given.rules[PARTS], given)
        loss, score = summed(per_row, weights, start, control[crew.ROWS])
        loss_sum += loss
        score_sum += score
    return loss_sum, score_sum
