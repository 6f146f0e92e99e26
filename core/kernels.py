"""The compiled training loop: mini-batch steps, and what is measured at the end of each epoch.

`advance` runs any number of steps and may end in the middle of an epoch: all it needs to go on is
in the arrays it was given. There is no Python between steps. What depends on a choice of the
user's (activation, loss, optimiser, schedule) is called through its address.

position, sums, rules and settings are vectors whose entries `core.places` names. A point is one
epoch's report, as `core.measures` lays it out.
"""

from typing import Any

import numpy as np

from core import crew
from core.compilation import call, entry, expanded, inner, keep_apart
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
from core.parts import (
    DERIVE,
    JUDGE_HELD,
    JUDGE_HELD_BY_AVERAGE,
    JUDGE_LEARNED,
    LEARN,
    UPDATE,
    evaluate,
    help_with,
    share,
)
from core.passes import _mix as mixed
from core.passes import (
    copy,
    fill,
    stream,
    summed,
)
from core.places import (
    AVERAGE,
    BATCH,
    BEST,
    BEST_EPOCH,
    BROKEN,
    CLIP,
    CLIP_LAYER,
    CLIP_VALUE,
    DECAY,
    DIVERGED,
    EPOCH,
    EPOCHS,
    EPOCHS_DONE,
    L1,
    L2,
    LOSS,
    MAX_NORM,
    MIN_DELTA,
    MONITOR,
    PARTS,
    PATIENCE,
    RATE,
    ROW_PARTS,
    RUNNING,
    SAMPLES,
    SCHEDULE_AT,
    SCORE,
    SEARCHES,
    SIGN,
    STALE,
    START_EPOCH,
    STEP,
    STOP,
    STOPPED_EARLY,
    TALLY,
    TARGET,
    TARGET_REACHED,
    UPDATE_PARTS,
    UPDATES,
    WARMUP,
)
from core.regularization import average, clip, decay, is_finite, penalize, penalty, shorten_units
from core.routines import FACTOR, OBSERVE
from core.seeding import GAMMA, S32

SUFFICIENT = 1e-4  # of the fall that the slope promises (Nocedal & Wright 2006, equation 3.4)
MOST_HALVINGS = 20


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
def _rate(position: Any, rules: Any, settings: Any, options: Any, plateau: Any, steps: int) -> Any:
    """The learning rate of the next update."""
    rate, t = settings[RATE], position[UPDATES]
    if rules[SCHEDULE_AT] != 0:
        total = steps * rules[EPOCHS]
        rate *= call(rules[SCHEDULE_AT], (FACTOR, t, steps, total, 0.0, options, plateau))
    if t < settings[WARMUP]:
        rate *= (t + 1) / settings[WARMUP]
    return rate


@expanded
def _search(loss: float, before: Any, given: Any) -> None:
    """Halve the step until the loss of all rows falls enough (Armijo). slots[1]: the direction."""
    theta, table, settings, memory = given.theta, given.table, given.settings, given.memory
    gradient, direction, slope = given.gradient, given.slots[1], 0.0
    for i in range(direction.size):
        slope += direction[i] * gradient[i]
    start = loss + penalty(before, table, settings[L1], settings[L2])
    for _ in range(MOST_HALVINGS):
        found, _ = evaluate(JUDGE_LEARNED, given.w, given)
        found = found / given.x.shape[0] + penalty(theta, table, settings[L1], settings[L2])
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
    plateau: Any,
    kept: Any,
    best: Any,
    wv: Any,
    offsets: Any,
    options: Any,
    scores: Any,
    points: Any,
    given: Any,
) -> int:
    """Train for up to `steps` mini-batches or until the points are full; returns epochs finished.

    xb, yb, wb: one batch's rows. order[0] < 0 asks for the present epoch's order. scores: (2, 2),
    of training and validation rows; a score is scores[0] + scores[1] * sum. w and wv are empty
    where all rows weigh the same. Everything that changes is an array that was given.

    steps < 0: help another thread that is in this function with the same arrays, until it leaves.
    """
    if steps < 0:
        help_with(given)
        return 0
    control, rules, settings, order = given.control, given.rules, given.settings, given.order
    theta, averaged, gradient = given.theta, given.averaged, given.gradient
    table, knobs, work = given.table, given.knobs, given.work
    hyper = given.hyper
    batch, finished = rules[BATCH], 0
    epoch_steps = -(-order.size // batch)
    tally = sums[TALLY:]
    clips = settings[CLIP_VALUE] + settings[CLIP_LAYER] + settings[CLIP] > 0.0
    for _ in range(steps):
        if position[STOP] != RUNNING or finished == points.shape[0]:
            break
        step, epoch = position[STEP], position[EPOCH] + 1
        if step == 0 or order[0] < 0:
            _shuffle(order, given.seed, epoch)
        if step == 0:
            sums[LOSS], sums[SCORE] = 0.0, 0.0
            fill(tally, 0.0)
        start = step * batch
        rows = min(batch, order.size - start)
        control[crew.EPOCH], control[crew.STEP] = epoch, step
        control[crew.START], control[crew.ROWS] = start, rows
        share(LEARN, rules[ROW_PARTS], given)
        loss, score = summed(given.per_row, given.wb, 0, rows)
        sums[LOSS] += loss
        sums[SCORE] += score
        share(DERIVE, rules[PARTS], given)
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
        control[crew.START] = position[UPDATES]
        share(UPDATE, rules[UPDATE_PARTS], given)
        healthy = np.isfinite(sums[LOSS])
        if rules[SEARCHES] == 1 and healthy:
            _search(loss / rows, before, given)
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
            if given.xv.shape[0] > 0 and healthy:
                loss, score = evaluate(
                    JUDGE_HELD_BY_AVERAGE if settings[AVERAGE] > 0.0 else JUDGE_HELD, wv, given
                )
                point[VALIDATION_LOSS] = loss / given.xv.shape[0]
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
