"""The space that a sweep searches: dimensions by JSON pointer, and points in it.

A dimension is `{"choice": [...]}`, `{"range": [low, high]}` or `{"log_range": [low, high]}`. A
pointer names a field of the job; `*` stands for every element of an array. Ranges between integers
give integers.
"""

import itertools
import json
from collections.abc import Mapping
from copy import deepcopy
from math import prod
from typing import Any

import numpy as np

Dimension = Mapping[str, list[Any]]
Space = Mapping[str, Dimension]
Point = dict[str, Any]
_TRIES = 50  # draws for one point that is new, where all points can be counted


def applied(document: dict[str, Any], point: Mapping[str, Any]) -> dict[str, Any]:
    """The document with each pointer's place set. Raises LookupError where there is none."""
    changed = deepcopy(document)
    for path, value in point.items():
        *way, last = path.split("/")[1:]
        for parent in _places(changed, way):
            if not isinstance(parent, dict) or last == "*":
                raise LookupError(path)
            parent[last] = deepcopy(value)
    return changed


def read(document: dict[str, Any], path: str) -> Any:
    """What is at a pointer; of several places the first. Raises LookupError."""
    *way, last = path.split("/")[1:]
    return _places(document, way)[0][last]


def _places(document: Any, way: list[str]) -> list[Any]:
    places = [document]
    for step in way:
        found: list[Any] = []
        for place in places:
            if step == "*" and isinstance(place, list):
                found += place
            elif isinstance(place, dict):
                found.append(place[step])
            else:
                raise LookupError(step)
        places = found
    if not places:
        raise LookupError("*")
    return places


def size(space: Space) -> int | None:
    """How many points there are; None for a space with ranges."""
    if any("choice" not in dimension for dimension in space.values()):
        return None
    return prod(len(dimension["choice"]) for dimension in space.values())


def every(space: Space) -> list[Point]:
    """All points of a space of choices, the last dimension fastest."""
    values = itertools.product(*(dimension["choice"] for dimension in space.values()))
    return [dict(zip(space, combination, strict=True)) for combination in values]


def sample(space: Space, count: int, seed: int) -> list[Point]:
    """Points drawn at random, none twice; fewer where there are no more."""
    whole = size(space)
    if whole is not None and whole <= count:
        return every(space)
    generator = np.random.Generator(np.random.Philox(seed))
    points: dict[str, Point] = {}
    for _ in range(count * _TRIES):
        point = {path: _drawn(dimension, generator) for path, dimension in space.items()}
        points.setdefault(json.dumps(point, sort_keys=True), point)
        if len(points) == count:
            break
    return list(points.values())


def _drawn(dimension: Dimension, generator: np.random.Generator) -> Any:
    ((kind, values),) = dimension.items()
    if kind == "choice":
        return values[int(generator.integers(len(values)))]
    low, high = values
    if is_whole(dimension):
        if kind == "range":
            return int(generator.integers(low, high, endpoint=True))
        return min(high, int(np.exp(generator.uniform(np.log(low), np.log(high + 1)))))
    if kind == "range":
        return float(generator.uniform(low, high))
    return float(np.exp(generator.uniform(np.log(low), np.log(high))))


def is_whole(dimension: Dimension) -> bool:
    """Whether a range gives integers: both its ends are."""
    return all(isinstance(end, int) for values in dimension.values() for end in values)
