"""Learned embeddings: a column of many levels as few numbers, which training finds.

The inputs of such a column are one a level, as of any other. Before the first layer they are
replaced by the rows of a table E (levels, dimensions) that belong to them; so a level is looked
up, and E learns with the rest (Guo & Berkhahn 2016). Prediction folds E into the first layer's
weights, E W: there it is a network like any other.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
MOST_DIMENSIONS = 50
FIRST, WIDTH, PLACE = range(3)  # columns of the wires


@dataclass(frozen=True)
class Embedding:
    """A table for neighbouring inputs. start: the first of them; levels: how many there are.
    flagged: whether the last of them tells that the value is missing.
    """

    start: int
    levels: int
    dimensions: int
    flagged: bool = False


def dimensions_for(levels: int) -> int:
    """As many as a column of so many levels gets: 1.6 levels^0.56, at most 50 (the rule of
    thumb of fast.ai's tabular models).
    """
    wanted: float = 1.6 * float(levels) ** 0.56
    return max(1, min(MOST_DIMENSIONS, levels, round(wanted)))


def expanded_width(inputs: int, embeddings: Sequence[Embedding]) -> int:
    """How many numbers the first layer gets."""
    return inputs + sum(one.dimensions - one.levels for one in embeddings)


def table_size(embeddings: Sequence[Embedding]) -> int:
    """Length of all tables together, which lie one behind the other."""
    return sum(one.levels * one.dimensions for one in embeddings)


def wire(inputs: int, embeddings: Sequence[Embedding]) -> NDArray[np.int64]:
    """Where each input goes, (inputs, 3): the first number that it becomes, how many, and where
    its row begins in the tables; one that is passed on as it is becomes 0. No rows without
    embeddings.
    """
    if not embeddings:
        return np.zeros((0, 3), np.int64)
    starts = {one.start: one for one in embeddings}
    found = np.zeros((inputs, 3), np.int64)
    at = column = place = 0
    while at < inputs:
        one = starts.get(at)
        if one is None:
            found[at, FIRST] = column
            at, column = at + 1, column + 1
            continue
        block = found[at : at + one.levels]
        block[:, FIRST], block[:, WIDTH] = column, one.dimensions
        block[:, PLACE] = place + one.dimensions * np.arange(one.levels)
        at, column = at + one.levels, column + one.dimensions
        place += one.levels * one.dimensions
    return found


def expansion(wires: NDArray[np.int64], tables: Floats, width: int) -> Floats:
    """The matrix (inputs, width) that the inputs are multiplied by: rows of the tables, and 1
    where an input is passed on.
    """
    found = np.zeros((len(wires), width), tables.dtype)
    for at, (first, count, place) in enumerate(wires.tolist()):
        found[at, first : first + max(1, count)] = tables[place : place + count] if count else 1
    return found


def gathered(wires: NDArray[np.int64], whole: Floats, tables: Floats) -> None:
    """Write to `tables` what belongs to them of a matrix such as `expansion` gives."""
    for at, (first, count, place) in enumerate(wires.tolist()):
        tables[place : place + count] = whole[at, first : first + count]


def check(inputs: int, embeddings: Sequence[Embedding]) -> None:
    """Raise ValueError for embeddings that overlap or leave the inputs."""
    end = 0
    for one in embeddings:
        if one.start < end or one.levels < 1 or one.dimensions < 1:
            raise ValueError("embeddings are of inputs side by side, and do not overlap")
        end = one.start + one.levels
    if end > inputs:
        raise ValueError("an embedding has more inputs than there are")
