"""What a model does not know, measured on rows it did not learn from.

A temperature makes probabilities mean what they say; split conformal prediction turns them into
sets, and values into intervals, that hold the truth as often as asked.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.metrics import SMALLEST
from core.quantities import QUANTITIES

Floats = NDArray[np.float64]
Weights = Floats | None
MOST_SCORES = 2_000  # quantiles of more rows are kept by every so many, rounded to the safe side
COLDEST, HOTTEST = 0.05, 20.0


@dataclass(frozen=True)
class Calibration:
    """What the judging rows taught.

    temperature: probabilities are softmax(log p / temperature) (Guo et al. 2017); 1 for values.
    scores: sorted nonconformity scores: 1 - p of what happened, or |y - ŷ| in the target's units;
    of quantiles how far y lies outside of the outermost two (negative: inside).
    rows: how many rows gave them; of weighted rows how many of equal weight say as much.
    """

    temperature: float
    scores: tuple[float, ...]
    rows: int

    @cached_property
    def _scores(self) -> Floats:
        return np.array(self.scores)

    def threshold(self, coverage: float) -> float:
        """The score that a share `coverage` of new rows stays within; infinite with too few rows.

        The ⌈(n + 1) coverage⌉-th smallest (Vovk et al. 2005; Angelopoulos & Bates 2023, §1).
        """
        rank = int(np.ceil(np.round((self.rows + 1) * coverage, 9)))
        if rank > self.rows:
            return float("inf")
        kept = len(self.scores)
        position = int(np.ceil(rank * kept / self.rows)) - 1
        return float(self._scores[max(0, position)])

    def sets(self, probabilities: Floats, coverage: float) -> NDArray[np.bool_]:
        """Which classes stay possible (rows, classes); the most likely always does.

        probabilities: after `temper`.
        """
        possible = 1.0 - probabilities <= self.threshold(coverage)
        possible[np.arange(len(possible)), probabilities.argmax(axis=1)] = True
        return np.asarray(possible)

    def radius(self, coverage: float) -> float:
        """Half the width of the interval around a value, in the target's units."""
        return self.threshold(coverage)

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {"temperature": self.temperature, "scores": list(self.scores), "rows": self.rows}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "Calibration":
        """From JSON. Raises KeyError, TypeError or ValueError for anything else."""
        temperature, scores = float(data["temperature"]), tuple(map(float, data["scores"]))
        rows = data["rows"]
        if not COLDEST <= temperature <= HOTTEST or type(rows) is not int:
            raise ValueError("a temperature lies within its bounds")
        if not np.isfinite(scores).all() or list(scores) != sorted(scores):
            raise ValueError("scores are finite and sorted")
        if len(scores) != min(rows, MOST_SCORES):
            raise ValueError("there are as many scores as rows")
        return cls(temperature, scores, rows)


Doubt = Calibration | tuple[Calibration, ...]


def doubt_from_json(data: Any) -> Doubt:
    """From JSON: one, or a list of one a column. Raises KeyError, TypeError or ValueError."""
    if isinstance(data, list):
        return tuple(Calibration.from_dict(one) for one in data)
    return Calibration.from_dict(data)


def doubt_as_json(doubt: Doubt) -> Any:
    """As JSON."""
    if isinstance(doubt, tuple):
        return [one.to_dict() for one in doubt]
    return doubt.to_dict()


def temper(probabilities: NDArray[Any], temperature: float) -> Floats:
    """Probabilities (rows, classes) made softer above 1 and sharper below; the order stays."""
    given = np.asarray(probabilities, np.float64)
    if temperature == 1.0:
        return given
    logs = np.log(np.clip(given, SMALLEST, 1.0)) / temperature
    powers = np.exp(logs - logs.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def calibrate(
    task: str, y_true: NDArray[Any], output: NDArray[Any], weights: Weights = None
) -> Doubt | None:
    """Learn from the judging rows, as `core.metrics.evaluate` takes them: one calibration, and of
    several columns one each. None where no row has weight.
    """
    if weights is not None:
        there = weights > 0
        if not there.any():
            return None
        y_true, output, weights = y_true[there], output[there], weights[there]
    if task == "multilabel":
        pairs = zip(y_true.T, output.T, strict=True)
        return tuple(
            calibrate_classes(truth.astype(np.int64), two_ways(share), weights)
            for truth, share in pairs
        )
    if task == "quantiles":
        return calibrate_quantiles(y_true, output, weights)
    if task not in QUANTITIES:
        return calibrate_classes(y_true, output, weights)
    if output.ndim > 1:
        pairs = zip(y_true.T, output.T, strict=True)
        return tuple(calibrate_values(truth, values, weights) for truth, values in pairs)
    return calibrate_values(y_true, output, weights)


def two_ways(share: NDArray[Any]) -> Floats:
    """The probabilities (rows, 2) of both labels, from that of the second (rows,)."""
    return np.column_stack((1.0 - share, share)).astype(np.float64)


def calibrate_classes(
    y_true: NDArray[np.int64], probabilities: NDArray[Any], weights: Weights = None
) -> Calibration:
    """Learn from the classes (rows,) and the probabilities (rows, classes) of the judging rows."""
    temperature = _temperature(y_true, probabilities, weights)
    tempered = temper(probabilities, temperature)
    return _kept(temperature, 1.0 - tempered[np.arange(len(y_true)), y_true], weights)


def calibrate_values(y_true: Floats, values: Floats, weights: Weights = None) -> Calibration:
    """Learn from the truth and the predictions of the judging rows, (rows,) each."""
    return _kept(1.0, np.abs(y_true - values), weights)


def calibrate_quantiles(y_true: Floats, values: Floats, weights: Weights = None) -> Calibration:
    """Learn how much wider the outermost quantiles (rows, quantiles) must be, or how much narrower
    they may be (Romano, Patterson & Candès 2019).
    """
    return _kept(1.0, np.maximum(values[:, 0] - y_true, y_true - values[:, -1]), weights)


def _kept(temperature: float, scores: Floats, weights: Weights) -> Calibration:
    """The scores in order, every so many of them. Weighted rows count as Kish's effective number
    of equal ones, (Σw)²/Σw², whose scores are the quantiles of the weighted ones.
    """
    rows, order = len(scores), np.argsort(scores, kind="stable")
    ordered = scores[order]
    if weights is not None:
        share = weights[order] / weights.sum()
        rows = max(1, int(np.round(1.0 / np.square(share).sum(), 9)))
        ranks = np.arange(1, min(rows, MOST_SCORES) + 1) / min(rows, MOST_SCORES)
        at = np.searchsorted(np.cumsum(share), ranks * (1.0 - 1e-12))
        ordered = ordered[np.minimum(at, len(ordered) - 1)]
    elif rows > MOST_SCORES:
        at = np.ceil(np.arange(1, MOST_SCORES + 1) * rows / MOST_SCORES).astype(int) - 1
        ordered = ordered[at]
    return Calibration(temperature, tuple(ordered.tolist()), rows)


def _temperature(y_true: NDArray[np.int64], probabilities: NDArray[Any], weights: Weights) -> float:
    """What makes the log loss smallest: it is convex in 1/T, so its slope is halved upon."""
    logs = np.log(np.clip(probabilities.astype(np.float64), SMALLEST, 1.0))
    chosen = np.average(logs[np.arange(len(y_true)), y_true], weights=weights)

    def slope(inverse: float) -> float:
        powers = np.exp(inverse * logs - (inverse * logs).max(axis=1, keepdims=True))
        expected = (powers * logs).sum(axis=1) / powers.sum(axis=1)
        return float(np.average(expected, weights=weights) - chosen)

    low, high = 1.0 / HOTTEST, 1.0 / COLDEST
    if slope(low) >= 0:
        return HOTTEST
    if slope(high) <= 0:
        return COLDEST
    for _ in range(30):
        middle = np.sqrt(low * high)
        low, high = (low, middle) if slope(middle) > 0 else (middle, high)
    return float(1.0 / np.sqrt(low * high))
