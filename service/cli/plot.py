"""Curves in braille: a character is 2 × 4 dots, so a small terminal shows a whole training run."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_BLANK = 0x2800
# Unicode's braille patterns number the dots 1-3 and 7 down the left, 4-6 and 8 down the right.
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
_LOG_ABOVE = 20.0  # beyond this ratio a linear scale shows the first epochs and nothing else


@dataclass(frozen=True)
class Cell:
    """One character of a plot and the index of the curve that colours it, or None."""

    character: str
    curve: int | None


@dataclass(frozen=True)
class Plot:
    """Rows of cells, top first, with the values at the upper and lower edge."""

    rows: tuple[tuple[Cell, ...], ...]
    top: float
    bottom: float
    logarithmic: bool


def plot(
    curves: Sequence[Mapping[int, float]], *, width: int, height: int, last: int
) -> Plot | None:
    """Draw curves (epoch -> value) over epochs 1..last in `width` × `height` characters.

    Where curves share a character, its dots are joined and the later curve colours it.
    Logarithmic when the values span more than a factor of 20. None without a finite value.
    """
    columns = [_columns(curve, 2 * width, last) for curve in curves]
    values = [value for column in columns for value in column.values()]
    if not values:
        return None
    bottom, top = min(values), max(values)
    logarithmic = bottom > 0 and top / bottom > _LOG_ABOVE
    scale = math.log if logarithmic else float
    low, span = scale(bottom), (scale(top) - scale(bottom)) or 1.0
    codes = [[_BLANK] * width for _ in range(height)]
    owners: list[list[int | None]] = [[None] * width for _ in range(height)]
    for index, column in enumerate(columns):
        heights = {x: round((scale(y) - low) / span * (4 * height - 1)) for x, y in column.items()}
        for x, dots in _strokes(heights):
            for dot in dots:
                row = height - 1 - dot // 4
                codes[row][x // 2] |= _DOTS[3 - dot % 4][x % 2]
                owners[row][x // 2] = index
    rows = tuple(
        tuple(Cell(chr(code), owner) for code, owner in zip(*row, strict=True))
        for row in zip(codes, owners, strict=True)
    )
    return Plot(rows, top, bottom, logarithmic)


def _columns(curve: Mapping[int, float], dots: int, last: int) -> dict[int, float]:
    """Mean value of each dot column that has an epoch, in order."""
    sums: dict[int, tuple[float, int]] = {}
    for epoch in sorted(curve):
        value = curve[epoch]
        if math.isfinite(value):
            x = min(dots - 1, (epoch - 1) * (dots - 1) // max(1, last - 1))
            total, count = sums.get(x, (0.0, 0))
            sums[x] = total + value, count + 1
    return {x: total / count for x, (total, count) in sums.items()}


def _strokes(heights: Mapping[int, int]) -> list[tuple[int, range]]:
    """For each dot column the dots to set: straight lines in between, so that there are no gaps."""
    strokes: list[tuple[int, range]] = []
    before: tuple[int, int] | None = None
    for x, y in heights.items():
        x0, y0 = before or (x, y)
        reached = y0
        for step in range(1, x - x0 + 1):
            there = round(y0 + (y - y0) * step / (x - x0))
            low, high = sorted((reached + (there > reached) - (there < reached), there))
            strokes.append((x0 + step, range(low, high + 1)))
            reached = there
        if before is None:
            strokes.append((x, range(y, y + 1)))
        before = x, y
    return strokes
