"""What the doctor looks at, and what it says."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from core.network import Network
from core.tracing import Probe

Severity = Literal["info", "warning", "error"]
Json = dict[str, Any]
_CURVE = 100  # points of a curve in evidence


@dataclass(frozen=True)
class Profile:
    """What rules need of the data.

    rows: of training. classes: rows of each class, empty for numbers. baseline: the training loss
    of the best constant answer. leaking, constant, identifying: names of columns, with what was
    measured of them. largest_input: root mean square of the widest input as the network gets it.
    target_range: lowest and highest of the targets as the network gets them.
    """

    rows: int
    baseline: float
    classes: tuple[int, ...] = ()
    leaking: Mapping[str, float] = field(default_factory=dict)
    constant: tuple[str, ...] = ()
    identifying: tuple[str, ...] = ()
    largest_input: float = 1.0
    target_range: tuple[float, float] = (0.0, 1.0)


@dataclass(frozen=True)
class Case:
    """One run so far.

    spec: the resolved job. first, now: the network before training and at present, on the same
    training rows. points: fields of `core.training.Epoch`, one mapping an epoch.
    """

    spec: Mapping[str, Any]
    network: Network
    profile: Profile
    first: Probe
    now: Probe
    points: Sequence[Mapping[str, Any]] = ()
    stop_reason: str | None = None

    @property
    def ended(self) -> bool:
        """Whether training is over."""
        return self.stop_reason is not None

    @property
    def diverged(self) -> bool:
        """Whether the loss left the finite numbers."""
        return self.stop_reason == "diverged"

    @cached_property
    def train(self) -> NDArray[np.float64]:
        """Training loss by epoch."""
        return np.array([point["train_loss"] for point in self.points], dtype=float)

    @cached_property
    def validation(self) -> NDArray[np.float64]:
        """Validation loss by epoch; empty where there are no such rows."""
        if not self.points or self.points[0]["validation_loss"] is None:
            return np.zeros(0)
        return np.array([point["validation_loss"] for point in self.points], dtype=float)

    @cached_property
    def updates(self) -> NDArray[np.float64]:
        """‖Δθ‖/‖θ‖ by epoch, of the layer that moved most."""
        return np.array([max(point["update_ratio"]) for point in self.points], dtype=float)

    @cached_property
    def gradient(self) -> NDArray[np.float64]:
        """Norm of the whole gradient by epoch."""
        if not self.points:
            return np.zeros(0)
        norms = np.array([point["gradient_norms"] for point in self.points], dtype=float)
        return np.asarray(np.linalg.norm(norms, axis=1))

    @property
    def learning_rate(self) -> float:
        """As the job asked for it."""
        return float(self.spec["training"]["optimizer"]["learning_rate"])

    @property
    def usual_rate(self) -> float:
        """A learning rate with which most networks of this kind learn."""
        return 0.05 if self.spec["training"]["optimizer"]["name"] == "sgd" else 0.01

    def with_rate(self, rate: float) -> Json:
        """The merge patch that changes the learning rate."""
        return {"training": {"optimizer": {**self.spec["training"]["optimizer"],
                                           "learning_rate": rate}}}  # fmt: skip

    def with_usual_init(self) -> Json:
        """The merge patch that gives initial weights by the activation, where they are not."""
        usual = self.spec["network"].get("init", "auto") == "auto"
        return {} if usual else {"network": {"init": "auto"}}

    def with_live_gradients(self) -> Json:
        """The merge patch for a deep network in which no gradient arrives: slopes of 1, and steps
        that such slopes do not turn into jumps.
        """
        rate = min(self.learning_rate, self.usual_rate / 5)
        return merged(
            self.with_layers(activation="leaky_relu"),
            self.with_usual_init(),
            self.with_rate(rate),
            {"training": {"clip": 1.0}},
        )

    def with_layers(self, **changes: Any) -> Json:
        """The merge patch that changes every hidden layer; an array is replaced as a whole."""
        layers = [{**layer, **changes} for layer in self.spec["network"]["layers"]]
        return {"network": {"layers": layers}}


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong: what, where, how one sees it, why, and what mends it.

    layer: counted from the input side, 0 the first; None where it is about no layer. epoch: when
    it was seen. fix: a JSON merge patch (RFC 7396) of the job; None where a job cannot mend it.
    """

    rule: str
    severity: Severity
    layer: int | None
    epoch: int
    evidence: Json
    explanation: str
    fix: Json | None
    expected_effect: str


Rule = Callable[[Case], Finding | None]
RULES: dict[str, Rule] = {}


def rule(function: Rule) -> Rule:
    """Add to the registry, under the function's own name."""
    RULES[function.__name__] = function
    return function


def finding(
    case: Case,
    name: str,
    severity: Severity,
    explanation: str,
    fix: Json | None,
    expected_effect: str,
    *,
    layer: int | None = None,
    curve: tuple[str, NDArray[np.float64]] | None = None,
    **numbers: Any,
) -> Finding:
    """A finding with its evidence: numbers by name, and a curve over epochs."""
    evidence: Json = {"numbers": numbers, "curve": None}
    if curve is not None and len(curve[1]):
        evidence["curve"] = drawn(*curve, first=int(case.points[0]["epoch"]))
    epoch = int(case.points[-1]["epoch"]) if case.points else 0
    return Finding(
        name, severity, layer, epoch, evidence, explanation, fix or None, expected_effect
    )


def drawn(name: str, values: NDArray[np.float64], first: int) -> Json:
    """A curve from epoch `first` on as JSON: at most 100 epochs, evenly, both ends among them."""
    at = np.unique(np.linspace(0, len(values) - 1, _CURVE).round().astype(int))
    return {"of": name, "epochs": (at + first).tolist(), "values": values[at].tolist()}


def merged(*patches: Json) -> Json:
    """Merge patches joined into one; later ones win."""
    out: Json = {}
    for patch in patches:
        for key, value in patch.items():
            both = isinstance(value, dict) and isinstance(out.get(key), dict)
            out[key] = merged(out[key], value) if both else value
    return out
