"""The doctor beside a run: looks now and then, within a share of the time, and says what is new."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from core.diagnosis import Case, Profile, diagnose, profile
from core.initializers import initialize
from core.losses import LOSSES
from core.network import Floats, Network
from core.splits import Split
from core.tracing import Probe, probe
from service.jobs.recipe import loss_options, recipe
from service.worker.preparing import Data, Prepared

ROWS = 256  # of training, that are looked at
COST = 30  # training takes at least this many times what looking takes
EARLIEST = 8  # epochs before a running job is looked at
PATIENCE = 0.25  # seconds before it: a shorter job is looked at when it is done
LATE = {"loss_plateau", "loss_not_decreasing", "overfitting"}  # rules that judge whole runs


class Doctor:
    """Watches one run. Each rule speaks once while it runs, and again at its end if it is worse.

    theta: the parameters before training.
    """

    def __init__(
        self,
        spec: Mapping[str, Any],
        network: Network,
        data: Profile,
        x: Floats,
        y: Floats,
        theta: Floats,
    ) -> None:
        self._spec, self._network, self._data = spec, network, data
        step = max(1, len(x) // ROWS)
        self._x, self._y = x[::step][:ROWS], y[::step][:ROWS]
        self._first = self._probe(theta)
        self._points: list[Mapping[str, Any]] = []
        self._said: dict[str, str] = {}
        self._rest_until = time.monotonic() + PATIENCE

    def _probe(self, theta: Floats) -> Probe:
        training = self._spec["training"]
        p = LOSSES[training["loss"]].parameters(loss_options(training.get("loss_options")))
        return probe(self._network.dense(theta), training["loss"], p, self._x, self._y)

    def note(self, points: Sequence[Mapping[str, Any]]) -> None:
        """Remember epochs."""
        self._points += points

    def case(self, theta: Floats, stop_reason: str | None = None) -> Case:
        """The run as it is now."""
        now = self._probe(theta)
        return Case(
            self._spec, self._network, self._data, self._first, now, self._points, stop_reason
        )

    def due(self) -> bool:
        """Whether to look at a running job now."""
        return len(self._points) >= EARLIEST and time.monotonic() >= self._rest_until

    def look(self, theta: Floats, stop_reason: str | None = None) -> list[dict[str, Any]]:
        """Findings that are new, as JSON; a run under way is not yet judged by its whole curve."""
        began = time.monotonic()
        found = []
        for finding in diagnose(self.case(theta, stop_reason)):
            early = stop_reason is None and finding.rule in LATE
            if not early and self._said.get(finding.rule) != finding.severity:
                self._said[finding.rule] = finding.severity
                found.append({"id": finding.rule, **_plain(vars(finding))})
        ended = time.monotonic()
        self._rest_until = ended + COST * (ended - began)
        return found


def attend(data: Data, prepared: Prepared, parts: Split) -> Doctor:
    """A doctor for a job that is about to train on these rows."""
    spec, target, network = data.spec, prepared.target, prepared.network
    x, y = prepared.x, prepared.y
    classes = None if target.labels is None else len(target.labels)
    guessing = guessing_loss(spec["training"], y, target.outputs)
    found = profile(data.table, spec["features"], parts.train, x, y, classes, guessing)
    how = recipe(spec)
    theta = initialize(network, how.seed, how.dtype, how.init)
    return Doctor(spec, network, found, x, y, theta)


def guessing_loss(training: Mapping[str, Any], y: Floats, outputs: int) -> float:
    """The mean loss over y of a constant answer: the mean, or the classes' frequencies."""
    loss = LOSSES[training["loss"]]
    p = loss.parameters(loss_options(training.get("loss_options")))
    if loss.best_constant is not None:
        logits = loss.best_constant(y, p)
    elif loss.link == "softmax":
        counts = np.bincount(y[:, 0].astype(np.int64), minlength=outputs) / len(y)
        logits = np.log(np.maximum(counts, 1e-12))
    else:
        logits = y.mean(axis=0, dtype=np.float64)
        if loss.link == "sigmoid":
            share = np.clip(logits, 1e-12, 1 - 1e-12)
            logits = np.log(share / (1 - share))
    rows = np.array(np.broadcast_to(logits, (len(y), outputs)))
    return float(loss.value(rows, y, p).mean(dtype=np.float64))


def _plain(value: Any) -> Any:
    """As JSON has it: no NumPy, and null where a number is not finite."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float | np.floating):
        return float(value) if np.isfinite(value) else None
    if isinstance(value, np.integer | np.bool_):
        return value.item()
    return value
