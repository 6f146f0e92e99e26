"""Schedules: what the learning rate is multiplied by, step by step.

`factor` is a function of t (updates done), the steps of an epoch and of the whole run, the
schedule's own parameters p and its memory; the same function runs in Python and compiled.
`observe` sees what an epoch achieved (lower is better). Warm-up multiplies any of them by
(t + 1)/w for the first w updates. One entry in SCHEDULES is all that a new one takes.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

MEMORY = 4


@dataclass(frozen=True)
class Schedule:
    """A schedule. options: names of p's entries and their defaults."""

    name: str
    factor: Callable[[Any, Any, Any, Any, Any], Any]
    options: dict[str, float] = field(default_factory=dict)
    observe: Callable[[Any, Any, Any], None] | None = None

    def parameters(self, chosen: dict[str, float]) -> NDArray[np.float64]:
        """p: the options as chosen, defaults elsewhere. Raises ValueError for one it has not."""
        unknown = set(chosen) - set(self.options)
        if unknown:
            raise ValueError(f"{self.name} has no option {sorted(unknown)[0]}")
        return np.array([*{**self.options, **chosen}.values()], np.float64)


def _constant(t: Any, steps: Any, total: Any, p: Any, memory: Any) -> Any:
    return 1.0


def _step(t: Any, steps: Any, total: Any, p: Any, memory: Any) -> Any:
    """γ for every `every` epochs done."""
    return p[0] ** (t // steps // int(p[1]))


def _exponential(t: Any, steps: Any, total: Any, p: Any, memory: Any) -> Any:
    """γ for every epoch done."""
    return p[0] ** (t // steps)


def _cosine(t: Any, steps: Any, total: Any, p: Any, memory: Any) -> Any:
    """Loshchilov & Hutter (2017), equation 5: down along a cosine, then all over again.

    p: epochs of the first descent (0: the whole run), how many times longer each next one is,
    and the least factor.
    """
    length = p[0] * steps if p[0] > 0.0 else float(total)
    at = float(t)
    if p[1] == 1.0:
        at = at % length
    else:
        while at >= length:
            at -= length
            length *= p[1]
    return p[2] + (1.0 - p[2]) * (1.0 + math.cos(math.pi * at / length)) / 2.0


def _one_cycle(t: Any, steps: Any, total: Any, p: Any, memory: Any) -> Any:
    """Smith & Topin (2019): up from 1/start to 1 along a cosine, then down to 1/start/end.

    p: share of the run that rises, start, end.
    """
    peak = p[0] * total - 1.0
    low, least = 1.0 / p[1], 1.0 / (p[1] * p[2])
    if t <= peak:
        return 1.0 + (low - 1.0) * (1.0 + math.cos(math.pi * t / peak)) / 2.0
    done = min(1.0, (t - peak) / max(1.0, total - 1.0 - peak))
    return least + (1.0 - least) * (1.0 + math.cos(math.pi * done)) / 2.0


def _inverse_scaling(t: Any, steps: Any, total: Any, p: Any, memory: Any) -> Any:
    """1/(t + 1)^power (Robbins & Monro 1951 with power 1)."""
    return 1.0 / (t + 1.0) ** p[0]


def _plateau(t: Any, steps: Any, total: Any, p: Any, memory: Any) -> Any:
    """What `_plateau_observe` has left of 1; memory: 1 - factor, the best, epochs without one."""
    return 1.0 - memory[0]


def _plateau_observe(monitored: Any, p: Any, memory: Any) -> None:
    """Multiply by p[0] after more than p[1] epochs not better by p[2], down to p[3]."""
    if memory[3] == 0.0 or monitored < memory[1] - p[2]:
        memory[1] = monitored
        memory[2] = 0.0
        memory[3] = 1.0
    else:
        memory[2] += 1.0
    if memory[2] > p[1]:
        memory[0] = 1.0 - max(p[3], (1.0 - memory[0]) * p[0])
        memory[2] = 0.0


SCHEDULES = {
    schedule.name: schedule
    for schedule in (
        Schedule("constant", _constant),
        Schedule("step", _step, {"gamma": 0.5, "every": 10.0}),
        Schedule("exponential", _exponential, {"gamma": 0.95}),
        Schedule("cosine", _cosine, {"period": 0.0, "growth": 1.0, "least": 0.0}),
        Schedule("one_cycle", _one_cycle, {"rise": 0.3, "start": 25.0, "end": 1e4}),
        Schedule("inverse_scaling", _inverse_scaling, {"power": 0.5}),
        Schedule(
            "reduce_on_plateau",
            _plateau,
            {"factor": 0.1, "patience": 10.0, "min_delta": 0.0, "least": 0.0},
            _plateau_observe,
        ),
    )
}
