"""The compiled training loop: mini-batch steps, and what is measured at the end of each epoch.

`advance` runs any number of steps and may end in the middle of an epoch: all it needs to go on is
in the arrays it was given. There is no Python between steps. What depends on a choice of the
user's (activation, loss, optimiser, schedule) is called through its address.

position, sums, rules and settings are vectors whose entries are named below. A point is one
epoch's report, as `core.measures` lays it out.
"""

from typing import Any

import numpy as np

from core import crew
from core.compilation import call, entry, inner, keep_apart
from core.layout import DELTA, OUT
from core.measures import (
    LEARNING_RATE,
    TRAIN_LOSS,
    TRAIN_SCORE,
    VALIDATION_LOSS,
    VALIDATION_SCORE,
    broken_layer,
    is_sampled,
    measure_gradient,
    measure_update,
    report,
)
from core.passes import _mix as mixed
from core.passes import (
    backward_pass,
    copy,
    drop,
    dropout_key,
    fill,
    forward_pass,
    gather_gradient,
    judge_rows,
    slab,
    stream,
    summed,
)
from core.regularization import average, clip, decay, is_finite, penalize, penalty, shorten_units
from core.routines import FACTOR, OBSERVE
from core.seeding import GAMMA, S32

EPOCH, STEP, UPDATES, BEST_EPOCH, STALE, STOP, BROKEN, POSITIONS = range(8)
LOSS, SCORE, BEST, TALLY = range(4)  # the tally of core.measures follows
RUNNING, EPOCHS_DONE, STOPPED_EARLY, DIVERGED, TARGET_REACHED = range(5)
# rules (int64): addresses, counts, and the index in a point of what is monitored
LOSS_AT, OPTIMIZER_AT, SCHEDULE_AT, BATCH, EPOCHS, PATIENCE = range(6)
START_EPOCH, MONITOR, LOWEST, SAMPLES, SEARCHES, LEARNED, PARTS, ROW_PARTS, RULES = range(6, 15)
# settings (float64)
RATE, WARMUP, L1, L2, DECAY, CLIP_VALUE, CLIP_LAYER, CLIP = range(8)
MAX_NORM, AVERAGE, MIN_DELTA, SIGN, TARGET, INPUT_DROPOUT, SETTINGS = range(8, 15)
SUFFICIENT = 1e-4  # of the fall that the slope promises (Nocedal & Wright 2006, equation 3.4)
MOST_HALVINGS = 20
# what the parts of one call are of: rows of a batch, weights of each layer, rows to judge
LEARN, DERIVE, JUDGE_LEARNED, JUDGE_HELD, JUDGE_HELD_BY_AVERAGE = range(5)


@inner
def _shuffle(order: Any, seed: Any, epoch: int) -> None:
    """The same order as `core.seeding.permutation`."""
    for i in range(order.size):
        order[i] = i
    start = stream(seed, epoch)
    for i in range(order.size - 1, 0, -1):
        word = mixed(start + np.uint64(i + 1) * GAMMA) >> S32
        j = np.int64((word * np.uint64(i + 1)) >> S32)
        order[i], order[j] = order[j], order[i]


@inner
def _gather(rows: Any, order: Any, start: int, batch: Any) -> None:
    """Copy the rows at order[start:] into the batch."""
    for i in range(batch.shape[0]):
        row = order[start + i]
        for j in range(batch.shape[1]):
            batch[i, j] = rows[row, j]


@inner
def _learn(
    first: int,
    stop: int,
    control: Any,
    theta: Any,
    averaged: Any,
    gradient: Any,
    x: Any,
    y: Any,
    w: Any,
    xv: Any,
    yv: Any,
    order: Any,
    xb: Any,
    yb: Any,
    wb: Any,
    work: Any,
    per_row: Any,
    table: Any,
    knobs: Any,
    rules: Any,
    settings: Any,
    p: Any,
    seed: Any,
) -> None:
    """From some rows of the batch to what each loses and to their part of every layer's delta."""
    keep_apart()
    epoch, step, rows = control[crew.EPOCH], control[crew.STEP], control[crew.ROWS]
    start = control[crew.START] + first
    inputs, targets = xb[first:stop], yb[first:stop]
    _gather(x, order, start, inputs)
    _gather(y, order, start, targets)
    if w.size > 0:
        for i in range(first, stop):
            wb[i] = w[order[control[crew.START] + i]]
    if settings[INPUT_DROPOUT] > 0.0:
        values = inputs.reshape(inputs.size)
        mask = np.empty_like(values)
        key = dropout_key(seed, epoch, step, 0)
        drop(values, mask, values, first * inputs.shape[1], key, settings[INPUT_DROPOUT])
    forward_pass(inputs, theta, work, table, knobs, True, seed, epoch, step, first)
    judge_rows(targets, work, table, rules[LOSS_AT], p, per_row, first)
    last = table.shape[0] - 1
    d = slab(work, table[last, DELTA], first, stop - first, table[last, OUT])
    for i in range(stop - first):
        weight = wb[first + i] if w.size > 0 else 1.0
        share = theta.dtype.type(weight / rows)
        for j in range(d.shape[1]):
            d[i, j] *= share
    backward_pass(theta, gradient, work, table, knobs, rules[LOWEST], first, stop - first)


@inner
def _do(
    which: int,
    control: Any,
    theta: Any,
    averaged: Any,
    gradient: Any,
    x: Any,
    y: Any,
    w: Any,
    xv: Any,
    yv: Any,
    order: Any,
    xb: Any,
    yb: Any,
    wb: Any,
    work: Any,
    per_row: Any,
    table: Any,
    knobs: Any,
    rules: Any,
    settings: Any,
    p: Any,
    seed: Any,
) -> None:
    """One part of what control says."""
    keep_apart()
    kind, start = control[crew.KIND], control[crew.START]
    if kind == DERIVE:
        inputs = xb[: control[crew.ROWS]]
        gather_gradient(inputs, gradient, work, table, rules[LOWEST], rules[PARTS], which)
        return
    first, stop = crew.bounds(
        control[crew.ROWS], rules[ROW_PARTS] if kind == LEARN else rules[PARTS], which
    )
    if first >= stop:
        return
    if kind == LEARN:
        _learn(
            first,
            stop,
            control,
            theta,
            averaged,
            gradient,
            x,
            y,
            w,
            xv,
            yv,
            order,
            xb,
            yb,
            wb,
            work,
            per_row,
            table,
            knobs,
            rules,
            settings,
            p,
            seed,
        )
        return
    learned = kind == JUDGE_LEARNED
    rows, targets = (x, y) if learned else (xv, yv)
    judged = averaged if kind == JUDGE_HELD_BY_AVERAGE else theta
    rows = rows[start + first : start + stop]
    forward_pass(rows, judged, work, table, knobs, False, np.uint64(0), 0, 0, first)
    targets = targets[start + first : start + stop]
    judge_rows(targets, work, table, rules[LOSS_AT], p, per_row, first)


@inner
def _share(
    kind: int,
    parts: int,
    control: Any,
    theta: Any,
    averaged: Any,
    gradient: Any,
    x: Any,
    y: Any,
    w: Any,
    xv: Any,
    yv: Any,
    order: Any,
    xb: Any,
    yb: Any,
    wb: Any,
    work: Any,
    per_row: Any,
    table: Any,
    knobs: Any,
    rules: Any,
    settings: Any,
    p: Any,
    seed: Any,
) -> None:
    """Have all parts done, by this thread and those that help it."""
    keep_apart()
    control[crew.KIND] = kind
    if control[crew.HELPERS] == 0:
        for which in range(parts):
            _do(
                which,
                control,
                theta,
                averaged,
                gradient,
                x,
                y,
                w,
                xv,
                yv,
                order,
                xb,
                yb,
                wb,
                work,
                per_row,
                table,
                knobs,
                rules,
                settings,
                p,
                seed,
            )
        return
    crew.publish(control, parts)
    which = crew.claim(control)
    while which >= 0:
        _do(
            which,
            control,
            theta,
            averaged,
            gradient,
            x,
            y,
            w,
            xv,
            yv,
            order,
            xb,
            yb,
            wb,
            work,
            per_row,
            table,
            knobs,
            rules,
            settings,
            p,
            seed,
        )
        crew.finish(control)
        which = crew.claim(control)
    crew.await_all(control, parts)


@inner
def _evaluate(
    kind: int,
    weights: Any,
    control: Any,
    theta: Any,
    averaged: Any,
    gradient: Any,
    x: Any,
    y: Any,
    w: Any,
    xv: Any,
    yv: Any,
    order: Any,
    xb: Any,
    yb: Any,
    wb: Any,
    work: Any,
    per_row: Any,
    table: Any,
    knobs: Any,
    rules: Any,
    settings: Any,
    p: Any,
    seed: Any,
) -> Any:
    """Sums of loss and score over all rows to judge; nothing learned."""
    keep_apart()
    count = x.shape[0] if kind == JUDGE_LEARNED else xv.shape[0]
    loss_sum, score_sum = 0.0, 0.0
    chunk = per_row.shape[1]
    for start in range(0, count, chunk):
        control[crew.START], control[crew.ROWS] = start, min(chunk, count - start)
        _share(
            kind,
            rules[PARTS],
            control,
            theta,
            averaged,
            gradient,
            x,
            y,
            w,
            xv,
            yv,
            order,
            xb,
            yb,
            wb,
            work,
            per_row,
            table,
            knobs,
            rules,
            settings,
            p,
            seed,
        )
        loss, score = summed(per_row, weights, start, control[crew.ROWS])
        loss_sum += loss
        score_sum += score
    return loss_sum, score_sum


@inner
def _rate(position: Any, rules: Any, settings: Any, options: Any, plateau: Any, steps: int) -> Any:
    """The learning rate of the next update."""
    rate, t = settings[RATE], position[UPDATES]
    if rules[SCHEDULE_AT] != 0:
        total = steps * rules[EPOCHS]
        rate *= call(rules[SCHEDULE_AT], (FACTOR, t, steps, total, 0.0, options, plateau))
    if t < settings[WARMUP]:
        rate *= (t + 1) / settings[WARMUP]
    return rate


@inner
def _search(
    loss: float,
    before: Any,
    slots: Any,
    memory: Any,
    control: Any,
    theta: Any,
    averaged: Any,
    gradient: Any,
    x: Any,
    y: Any,
    w: Any,
    xv: Any,
    yv: Any,
    order: Any,
    xb: Any,
    yb: Any,
    wb: Any,
    work: Any,
    per_row: Any,
    table: Any,
    knobs: Any,
    rules: Any,
    settings: Any,
    p: Any,
    seed: Any,
) -> None:
    """Halve the step until the loss of all rows falls enough (Armijo). slots[1]: the direction."""
    keep_apart()
    direction, slope = slots[1], 0.0
    for i in range(direction.size):
        slope += direction[i] * gradient[i]
    start = loss + penalty(before, table, settings[L1], settings[L2])
    for _ in range(MOST_HALVINGS):
        found, _ = _evaluate(
            JUDGE_LEARNED,
            w,
            control,
            theta,
            averaged,
            gradient,
            x,
            y,
            w,
            xv,
            yv,
            order,
            xb,
            yb,
            wb,
            work,
            per_row,
            table,
            knobs,
            rules,
            settings,
            p,
            seed,
        )
        found = found / x.shape[0] + penalty(theta, table, settings[L1], settings[L2])
        if found <= start + SUFFICIENT * memory[2] * slope:
            return
        memory[2] /= 2.0
        length = theta.dtype.type(memory[2])
        for i in range(direction.size):
            theta[i] = before[i] + length * direction[i]


@inner
def _judge(
    monitored: float,
    position: Any,
    sums: Any,
    judged: Any,
    best: Any,
    rules: Any,
    settings: Any,
) -> None:
    """Count a finished epoch, remember the best, and see whether it is the last."""
    keep_apart()
    position[EPOCH] += 1
    position[STEP] = 0
    if position[BEST_EPOCH] == 0 or monitored < sums[BEST] - settings[MIN_DELTA]:
        sums[BEST] = monitored
        position[BEST_EPOCH] = position[EPOCH]
        position[STALE] = 0
        copy(judged, best)
    elif position[EPOCH] > rules[START_EPOCH]:
        position[STALE] += 1
        if rules[PATIENCE] > 0 and position[STALE] >= rules[PATIENCE]:
            position[STOP] = STOPPED_EARLY
    if monitored <= settings[TARGET]:
        position[STOP] = TARGET_REACHED
    if position[EPOCH] >= rules[EPOCHS] and position[STOP] == RUNNING:
        position[STOP] = EPOCHS_DONE


@entry
def advance(  # noqa: C901, compiled code pays for calls with arrays in and out
    steps: int,
    position: Any,
    sums: Any,
    before: Any,
    slots: Any,
    memory: Any,
    plateau: Any,
    kept: Any,
    best: Any,
    wv: Any,
    offsets: Any,
    hyper: Any,
    options: Any,
    scores: Any,
    points: Any,
    control: Any,
    theta: Any,
    averaged: Any,
    gradient: Any,
    x: Any,
    y: Any,
    w: Any,
    xv: Any,
    yv: Any,
    order: Any,
    xb: Any,
    yb: Any,
    wb: Any,
    work: Any,
    per_row: Any,
    table: Any,
    knobs: Any,
    rules: Any,
    settings: Any,
    p: Any,
    seed: Any,
) -> int:
    """Train for up to `steps` mini-batches or until the points are full; returns epochs finished.

    xb, yb, wb: one batch's rows. order[0] < 0 asks for the present epoch's order. scores: (2, 2),
    of training and validation rows; a score is scores[0] + scores[1] * sum. w and wv are empty
    where all rows weigh the same. Everything that changes is an array that was given.

    steps < 0: help another thread that is in this function with the same arrays, until it leaves.
    """
    if steps < 0:
        looks = 0
        while True:
            which = crew.claim(control)
            if which == crew.CLOSED:
                return 0
            if which == crew.NOTHING:
                looks = crew.stand_by(looks)
                continue
            looks = 0
            _do(
                which,
                control,
                theta,
                averaged,
                gradient,
                x,
                y,
                w,
                xv,
                yv,
                order,
                xb,
                yb,
                wb,
                work,
                per_row,
                table,
                knobs,
                rules,
                settings,
                p,
                seed,
            )
            crew.finish(control)
    batch, finished, learned = rules[BATCH], 0, rules[LEARNED]
    epoch_steps = -(-order.size // batch)
    tally = sums[TALLY:]
    clips = settings[CLIP_VALUE] + settings[CLIP_LAYER] + settings[CLIP] > 0.0
    for _ in range(steps):
        if position[STOP] != RUNNING or finished == points.shape[0]:
            break
        step, epoch = position[STEP], position[EPOCH] + 1
        if step == 0 or order[0] < 0:
            _shuffle(order, seed, epoch)
        if step == 0:
            sums[LOSS], sums[SCORE] = 0.0, 0.0
            fill(tally, 0.0)
        start = step * batch
        rows = min(batch, order.size - start)
        control[crew.EPOCH], control[crew.STEP] = epoch, step
        control[crew.START], control[crew.ROWS] = start, rows
        _share(
            LEARN,
            rules[ROW_PARTS],
            control,
            theta,
            averaged,
            gradient,
            x,
            y,
            w,
            xv,
            yv,
            order,
            xb,
            yb,
            wb,
            work,
            per_row,
            table,
            knobs,
            rules,
            settings,
            p,
            seed,
        )
        loss, score = summed(per_row, wb, 0, rows)
        sums[LOSS] += loss
        sums[SCORE] += score
        _share(
            DERIVE,
            rules[PARTS],
            control,
            theta,
            averaged,
            gradient,
            x,
            y,
            w,
            xv,
            yv,
            order,
            xb,
            yb,
            wb,
            work,
            per_row,
            table,
            knobs,
            rules,
            settings,
            p,
            seed,
        )
        sampled = is_sampled(step, epoch_steps, rules[SAMPLES])
        if sampled:
            measure_gradient(tally, gradient, work, rows, table, knobs, offsets)
        if sampled or rules[SEARCHES] == 1:
            copy(theta, before)
        if settings[L1] + settings[L2] > 0.0:
            penalize(theta, gradient, table, settings[L1], settings[L2])
        if clips:
            clip(gradient, offsets, settings[CLIP_VALUE], settings[CLIP_LAYER], settings[CLIP])
        hyper[0] = _rate(position, rules, settings, options, plateau, epoch_steps)
        if settings[DECAY] > 0.0:
            decay(theta, table, hyper[0] * settings[DECAY])
        position[UPDATES] += 1
        call(
            rules[OPTIMIZER_AT],
            (theta, gradient, slots, hyper, memory, learned, position[UPDATES]),
        )
        healthy = np.isfinite(sums[LOSS])
        if rules[SEARCHES] == 1 and healthy:
            _search(
                loss / rows,
                before,
                slots,
                memory,
                control,
                theta,
                averaged,
                gradient,
                x,
                y,
                w,
                xv,
                yv,
                order,
                xb,
                yb,
                wb,
                work,
                per_row,
                table,
                knobs,
                rules,
                settings,
                p,
                seed,
            )
        if settings[MAX_NORM] > 0.0:
            shorten_units(theta, work, table, settings[MAX_NORM])
        judged = theta
        if settings[AVERAGE] > 0.0:
            judged = averaged
            average(theta, averaged, settings[AVERAGE], position[UPDATES])
        if sampled:
            measure_update(tally, theta, before, offsets)
        position[STEP] += 1
        if not healthy:
            position[BROKEN] = broken_layer(work, gradient, theta, rows, table, offsets)
        ends_epoch = start + rows == order.size
        if ends_epoch and healthy:
            point = points[finished]
            report(point, tally, table)
            point[TRAIN_LOSS] = sums[LOSS] / order.size
            point[TRAIN_SCORE] = scores[0, 0] + scores[0, 1] * sums[SCORE]
            point[LEARNING_RATE] = hyper[0]
            healthy = is_finite(theta)
            if xv.shape[0] > 0 and healthy:
                loss, score = _evaluate(
                    JUDGE_HELD_BY_AVERAGE if settings[AVERAGE] > 0.0 else JUDGE_HELD,
                    wv,
                    control,
                    theta,
                    averaged,
                    gradient,
                    x,
                    y,
                    w,
                    xv,
                    yv,
                    order,
                    xb,
                    yb,
                    wb,
                    work,
                    per_row,
                    table,
                    knobs,
                    rules,
                    settings,
                    p,
                    seed,
                )
                point[VALIDATION_LOSS] = loss / xv.shape[0]
                point[VALIDATION_SCORE] = scores[1, 0] + scores[1, 1] * score
                healthy = np.isfinite(loss)
            if not healthy:
                position[BROKEN] = broken_layer(work, gradient, theta, 1, table, offsets)
        if not healthy:
            position[STOP] = DIVERGED
            copy(kept, theta)
        elif ends_epoch:
            copy(judged, kept)
            monitored = settings[SIGN] * points[finished, rules[MONITOR]]
            finished += 1
            if rules[SCHEDULE_AT] != 0:
                call(
                    rules[SCHEDULE_AT],
                    (OBSERVE, 0, epoch_steps, 0, monitored, options, plateau),
                )
            _judge(monitored, position, sums, judged, best, rules, settings)
    crew.dismiss(control)
    return finished
