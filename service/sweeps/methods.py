"""How a sweep chooses what to try. One generator function in METHODS is a method.

Each yields rounds of proposals and receives the mean loss of each, infinite where training
failed. What it yields follows from its arguments and what it received: a sweep that goes on
after a crash hears the same again, and so tries the same.
"""

import json
from collections.abc import Callable, Generator
from math import ceil, inf, isfinite
from typing import Any, NamedTuple

from service.sweeps.space import Point, Space, every, is_whole, sample

REDUCTION = 3  # of candidates from rung to rung, and of epochs the other way (Jamieson 2016)
WIDTH = 4  # proposals a round of TPE, however many processors train them
STARTS = 10  # random ones, before TPE has an opinion


class Proposal(NamedTuple):
    """A point to try, with a share of the job's epochs."""

    point: Point
    share: float = 1.0


Rounds = Generator[list[Proposal], list[float], None]


def grid(space: Space, count: int, seed: int) -> Rounds:
    """Every point."""
    yield [Proposal(point) for point in every(space)]


def random(space: Space, count: int, seed: int) -> Rounds:
    """Points drawn at random."""
    yield [Proposal(point) for point in sample(space, count, seed)]


def halving(space: Space, count: int, seed: int) -> Rounds:
    """Many points with few epochs; the best third again with three times as many, and so on
    (Jamieson & Talwalkar 2016).
    """
    points = sample(space, count, seed)
    rungs = 0
    while len(points) >= REDUCTION ** (rungs + 1) and rungs < 4:
        rungs += 1
    for rung in range(rungs + 1):
        losses = yield [Proposal(point, REDUCTION ** (rung - rungs)) for point in points]
        order = sorted(range(len(points)), key=lambda at: (losses[at], at))
        points = [points[at] for at in order[: ceil(len(points) / REDUCTION)]]


def tpe(space: Space, count: int, seed: int) -> Rounds:
    """Points where good ones were found before (Tree-structured Parzen Estimator; Bergstra et al.
    2011), asked of Optuna, which keeps nothing but what it is told.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = optuna.samplers.TPESampler(
        seed=seed % 2**32, n_startup_trials=STARTS, constant_liar=True
    )
    study = optuna.create_study(sampler=sampler)
    distributions = {path: _distribution(dimension) for path, dimension in space.items()}
    left = count
    while left > 0:
        trials = [study.ask(distributions) for _ in range(min(WIDTH, left))]
        losses = yield [Proposal(_point(space, trial.params)) for trial in trials]
        for trial, loss in zip(trials, losses, strict=True):
            if isfinite(loss):
                study.tell(trial, loss)
            else:
                study.tell(trial, state=optuna.trial.TrialState.FAIL)
        left -= len(trials)


def _distribution(dimension: Any) -> Any:
    from optuna import distributions

    ((kind, values),) = dimension.items()
    if kind == "choice":  # Optuna's choices are plain values; ours may be objects
        return distributions.CategoricalDistribution([json.dumps(value) for value in values])
    low, high = values
    log = kind == "log_range"
    if is_whole(dimension):
        return distributions.IntDistribution(low, high, log=log)
    return distributions.FloatDistribution(low, high, log=log)


def _point(space: Space, asked: dict[str, Any]) -> Point:
    return {
        path: json.loads(asked[path]) if "choice" in space[path] else asked[path] for path in space
    }


METHODS: dict[str, Callable[[Space, int, int], Rounds]] = {
    method.__name__: method for method in (grid, random, halving, tpe)
}
WORST = inf
