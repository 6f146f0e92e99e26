"""From values to places on paper: linear and logarithmic axes with round ticks."""

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Scale:
    """An axis from `low` to `high`, drawn from `start` to `end`."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def at(self, value: float) -> float:
        """Where a value is drawn."""
        low, high = self._turned(self.low), self._turned(self.high)
        return self.start + (self._turned(value) - low) / (high - low) * (self.end - self.start)

    def _turned(self, value: float) -> float:
        return math.log10(value) if self.log else value

    def ticks(self) -> list[float]:
        """Round values inside the axis."""
        if self.log:
            powers = range(math.ceil(math.log10(self.low)), math.floor(math.log10(self.high)) + 1)
            return [10.0**power for power in powers[:: max(1, math.ceil(len(powers) / 6))]]
        step = _round_step((self.high - self.low) / 4)
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return [index * step for index in range(first, last + 1)]


def _round_step(rough: float) -> float:
    power = 10.0 ** math.floor(math.log10(rough))
    return next(power * nice for nice in (1, 2, 2.5, 5, 10) if power * nice >= rough * (1 - 1e-9))


def linear(values: Sequence[float], start: float, end: float, *, floor: float | None = None,
           ceiling: float | None = None) -> Scale:  # fmt: skip
    """An axis around values, with some room."""
    low, high = min(values), max(values)
    room = 0.05 * (high - low) or 0.05 * abs(high) or 1.0
    return Scale(
        low - room if floor is None else floor,
        high + room if ceiling is None else ceiling,
        start,
        end,
    )


def logarithmic(values: Sequence[float], start: float, end: float) -> Scale:
    """An axis of whole powers of ten around positive values."""
    low = math.floor(math.log10(min(values)))
    high = math.ceil(math.log10(max(values)))
    return Scale(10.0**low, 10.0 ** max(high, low + 1), start, end, log=True)
