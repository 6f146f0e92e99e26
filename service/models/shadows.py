"""Shadows: other versions that compute the rows of calls already answered, and are compared.

An answer costs its caller one append to a queue. A thread takes what has gathered a few times a
second and computes it many rows at a time, which is a fraction of what the answers themselves
cost, in short stretches, so that the event loop never waits long for the interpreter. What it
cannot keep up with is skipped and counted. Sums go to the database once a second.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import text

from core.errors import DataError
from core.model import Model, Prediction
from core.several import AnyTarget, Quantiles, Several
from core.targets import Classes, Regression
from service.jobs.log import now
from service.kit.database import Database
from service.kit.problems import Problem
from service.models.resolution import Resolved
from service.models.shelf import Shelf, Shelved

GATHER_SECONDS = 0.05
FLUSH_SECONDS = 1.0
MOST_WAITING = 20_000  # rows
TOGETHER = 256  # rows computed at a time: under a millisecond of the interpreter's lock
CLOSE = 0.1  # numbers agree within this part of the target's standard deviation
_log = logging.getLogger("sigmoid.shadows")
Pair = tuple[str, int, int]
Answer = dict[str, Any]
Floats = NDArray[np.float64]


@dataclass(slots=True)
class Sums:
    """What a pair of versions has shown since the last flush."""

    rows: int = 0
    agreed: int = 0
    difference: float = 0.0
    absolute_difference: float = 0.0
    largest_difference: float = 0.0
    skipped: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True)
class Answered:
    """Rows as they were sent, and what was said to each."""

    by: Shelved
    rows: Sequence[Any]
    answers: Sequence[Answer]


class Shadows:
    """Compares in the background. One a process."""

    def __init__(self, shelf: Shelf, database: Database) -> None:
        self._shelf = shelf
        self._database = database
        self._waiting: deque[Answered] = deque()
        self._rows_waiting = 0
        self._flush_at = 0.0
        self._sums: dict[Pair, Sums] = {}
        self._lock = threading.Lock()  # of the sums and the count of waiting rows
        self._arrived = threading.Event()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._work, name="shadows", daemon=True)

    def start(self) -> None:
        """Begin to compare."""
        self._thread.start()

    def stop(self) -> None:
        """Write what is known and end."""
        self._end.set()
        self._arrived.set()
        self._thread.join(5)

    def note(self, by: Shelved, rows: Sequence[Any], answers: Sequence[Answer]) -> None:
        """Remember answers for their version's shadows. Returns at once, whatever the load.

        rows: records, or arrays in signature order. answers: one a row, as `Model.listed` gives
        them; they are read later, so they must not change any more.
        """
        if not by.shadows:
            return
        if self._rows_waiting + len(rows) > MOST_WAITING:
            self.skip(by, len(rows))
            return
        with self._lock:
            self._rows_waiting += len(rows)
        self._waiting.append(Answered(by, rows, answers))
        self._arrived.set()

    def skip(self, by: Shelved, rows: int) -> None:
        """Count rows that are not going to be compared."""
        with self._lock:
            for shadow in by.shadows:
                self._of(by, shadow).skipped += rows

    def _of(self, by: Shelved, shadow: Resolved) -> Sums:
        return self._sums.setdefault((by.name, by.version, shadow.version), Sums())

    def _work(self) -> None:
        while not self._end.is_set():
            self._arrived.wait(FLUSH_SECONDS)
            self._end.wait(GATHER_SECONDS)  # so that rows come together
            self._arrived.clear()
            try:
                self._drain()
                if self._end.is_set() or time.monotonic() > self._flush_at:
                    self._flush()
                    self._flush_at = time.monotonic() + FLUSH_SECONDS
            except Problem as problem:
                _log.warning("shadow comparisons wait: %s", problem.detail)
                self._end.wait(FLUSH_SECONDS)
            except Exception:  # noqa: BLE001 - a fault here must not end all comparisons
                _log.exception("shadow comparisons of one moment are lost")

    def _drain(self) -> None:
        while self._waiting:
            together = self._next()
            for shadow in together[0].by.shadows:
                self._compare(together, shadow)
            with self._lock:
                self._rows_waiting -= sum(len(answered.rows) for answered in together)

    def _next(self) -> list[Answered]:
        """The oldest answer, and those after it that can be computed with it."""
        together = [self._waiting.popleft()]
        by, rows = together[0].by, len(together[0].rows)
        while self._waiting and rows < TOGETHER:
            other = self._waiting[0].by
            if (other.name, other.version, other.shadows) != (by.name, by.version, by.shadows):
                break
            together.append(self._waiting.popleft())
            rows += len(together[-1].rows)
        return together

    def _compare(self, together: Sequence[Answered], shadow: Resolved) -> None:
        """Compute the rows of several answers at once, or one by one when some do not fit."""
        by = together[0].by
        try:
            model = self._shelf.load(shadow.sha256)
            rows = [row for answered in together for row in answered.rows]
            answers = [answer for answered in together for answer in answered.answers]
            found = [compare(by.model, model, rows, answers)]
        except (DataError, Problem):
            found = [_compare_one(answered, self._shelf, shadow) for answered in together]
        with self._lock:
            sums = self._of(by, shadow)
            for part in found:
                add(sums, part)

    def _flush(self) -> None:
        with self._lock:
            taken, self._sums = self._sums, {}
        if not taken:
            return
        try:
            with self._database.write() as session:
                for pair, sums in taken.items():
                    session.execute(_ADD, _bound(pair, sums))
        except Problem:
            with self._lock:
                for pair, sums in taken.items():
                    add(self._sums.setdefault(pair, Sums()), sums)
            raise


def add(to: Sums, more: Sums) -> None:
    """Add up; of the largest difference the larger."""
    largest = max(to.largest_difference, more.largest_difference)
    for name in Sums.__slots__:
        setattr(to, name, getattr(to, name) + getattr(more, name))
    to.largest_difference = largest


def _compare_one(answered: Answered, shelf: Shelf, shadow: Resolved) -> Sums:
    try:
        model = shelf.load(shadow.sha256)
        return compare(answered.by.model, model, answered.rows, answered.answers)
    except (DataError, Problem):
        return Sums(failed=len(answered.rows))


def compare(given: Model, shadow: Model, rows: Sequence[Any], answers: Sequence[Answer]) -> Sums:
    """A shadow's answers to rows beside those that were given.

    Raises DataError for rows that the shadow cannot read.
    """
    sums = Sums()
    if not _alike(given.target, shadow.target):
        return Sums(failed=len(rows))
    for first in range(0, len(rows), TOGETHER):
        part = slice(first, first + TOGETHER)
        time.sleep(0)  # between two stretches the event loop may have the interpreter
        found = shadow.predict_records(rows[part])
        if isinstance(given.target, Several | Quantiles):
            agreed, difference = _several(given, shadow, found, answers[part])
        elif isinstance(given.target, Regression):
            difference = _values(found, answers[part])
            agreed = np.abs(difference) <= CLOSE * given.target.scale
        else:
            agreed, difference = _classes(given.target, shadow.target, found, answers[part])
        add(sums, _summed(agreed, difference))
    return sums


def _alike(given: AnyTarget, shadow: AnyTarget) -> bool:
    """Whether answers of both can be compared at all."""
    if isinstance(given, Classes):
        return isinstance(shadow, Classes)
    if isinstance(given, Several) and isinstance(shadow, Several):
        return given.columns == shadow.columns and given.task == shadow.task
    if isinstance(given, Quantiles) and isinstance(shadow, Quantiles):
        return given.levels == shadow.levels
    return isinstance(given, Regression) and isinstance(shadow, Regression)


def _several(
    given: Model, shadow: Model, found: Prediction, answers: Sequence[Answer]
) -> tuple[NDArray[np.bool_], Floats]:
    """Whether every answer of a row is the same, and the mean difference: of numbers in units of
    their scales, of labels in the probability of the second one.
    """
    target, theirs = given.target, shadow.listed(found)
    name = "probabilities" if target.task == "multilabel" else "values"
    name = "quantiles" if isinstance(target, Quantiles) else name
    both = [np.array([list(one[name].values()) for one in side]) for side in (theirs, answers)]
    if isinstance(target, Several) and target.task == "multilabel":
        agreed = np.array([one["labels"] == other["labels"]
                           for one, other in zip(theirs, answers, strict=True)])  # fmt: skip
        return agreed, (both[0] - both[1]).mean(axis=1)
    assert isinstance(target, Several | Quantiles)
    scales = target.scales if isinstance(target, Several) else np.array([target.of.scale])
    apart = (both[0] - both[1]) / scales
    return (np.abs(apart) <= CLOSE).all(axis=1), apart.mean(axis=1)


def _summed(agreed: NDArray[np.bool_], difference: Floats) -> Sums:
    return Sums(
        rows=len(agreed),
        agreed=int(np.count_nonzero(agreed)),
        difference=float(difference.sum()),
        absolute_difference=float(np.abs(difference).sum()),
        largest_difference=float(np.abs(difference).max()),
    )


def _values(found: Prediction, answers: Sequence[Answer]) -> Floats:
    assert found.values is not None
    given: Floats = np.array([one["value"] for one in answers])
    return found.values - given


def _classes(
    given: AnyTarget, shadow: AnyTarget, found: Prediction, answers: Sequence[Answer]
) -> tuple[NDArray[np.bool_], Floats]:
    """Whether labels are the same, and the difference in the probability of the label given."""
    assert isinstance(given, Classes)
    assert isinstance(shadow, Classes)
    assert found.labels is not None
    assert found.probabilities is not None
    names = dict(zip(given.labels, given.names, strict=True))
    at = {label: position for position, label in enumerate(shadow.labels)}
    labels = [one["label"] for one in answers]
    wanted = np.array([at.get(label, -1) for label in labels])
    theirs = found.probabilities[np.arange(len(labels)), wanted]
    ours = [one["probabilities"][names[label]] for one, label in zip(answers, labels, strict=True)]
    return found.labels == wanted, np.where(wanted >= 0, theirs, 0.0) - np.array(ours)


_SUMMED = ("rows", "agreed", "difference", "absolute_difference", "skipped", "failed")
_ADD = text(
    "INSERT INTO shadow_records (model, version, shadow, first_at, last_at, "  # noqa: S608
    "rows, agreed, difference, absolute_difference, largest_difference, skipped, failed) "
    "SELECT :model, :version, :shadow, :now, :now, :rows, :agreed, :difference, "
    ":absolute_difference, :largest_difference, :skipped, :failed "
    "WHERE (SELECT count(*) FROM model_versions "
    "       WHERE model = :model AND version IN (:version, :shadow)) = 2 "
    "ON CONFLICT (model, version, shadow) DO UPDATE SET last_at = excluded.last_at, "
    + ", ".join(f"{name} = shadow_records.{name} + excluded.{name}" for name in _SUMMED)
    + ", largest_difference = CASE "
    "WHEN excluded.largest_difference > shadow_records.largest_difference "
    "THEN excluded.largest_difference ELSE shadow_records.largest_difference END"
)


def _bound(pair: Pair, sums: Sums) -> dict[str, Any]:
    name, version, shadow = pair
    found = dict(zip(Sums.__slots__, astuple(sums), strict=True))
    return {**found, "model": name, "version": version, "shadow": shadow, "now": now().timestamp()}
