"""What an epoch reports of itself."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from core.losses import LOSSES
from core.network import Floats, Network
from core.recipe import Recipe

BINS = 20
PICTURED_ROWS = 512
LEAST_EXPONENT = -12  # gradients below 10^-12 count in the lowest bin


@dataclass(frozen=True)
class Histogram:
    """How often values lie in equal steps from low to high: counts (BINS,)."""

    low: float
    high: float
    counts: tuple[int, ...]


@dataclass(frozen=True)
class Histograms:
    """Per layer: its activations over some training rows, and log10 of its gradient's sizes.

    zeros: how many of the gradient's numbers are exactly 0, which have no logarithm.
    """

    activations: tuple[Histogram, ...]
    gradients: tuple[Histogram, ...]
    zeros: tuple[int, ...]


@dataclass(frozen=True)
class Epoch:
    """What one pass over the training rows measured.

    Training loss and score are means over the epoch's batches, while the weights moved.
    learning_rate is that of the last step. The rest are means over up to 8 evenly spaced batches
    of the epoch, the last among them: per layer the gradient's norm (before penalties and clips)
    and the update's ‖Δθ‖/‖θ‖; per hidden layer the saturation, the share of activations whose
    slope is below 5% of the steepest possible, and the share of dead units, of which that is so
    for every row.
    """

    epoch: int
    train_loss: float
    validation_loss: float | None
    train_score: float
    validation_score: float | None
    learning_rate: float
    gradient_norms: tuple[float, ...]
    update_ratio: tuple[float, ...]
    saturation: tuple[float, ...]
    dead_units: tuple[float, ...] = ()
    histograms: Histograms | None = None

    @classmethod
    def of_point(
        cls, number: int, point: Floats, layers: int, validated: bool, skipped: int = 0
    ) -> "Epoch":
        """From the numbers that the kernel reports: `core.measures` has their order. skipped: of
        the first layers, which are embeddings and not told of.
        """
        values: list[float] = point.tolist()
        at = [5, 5 + layers, 5 + 2 * layers, 4 + 3 * layers, 3 + 4 * layers]
        return cls(
            epoch=number,
            train_loss=values[0],
            validation_loss=values[1] if validated else None,
            train_score=values[2],
            validation_score=values[3] if validated else None,
            learning_rate=values[4],
            gradient_norms=tuple(values[at[0] + skipped : at[1]]),
            update_ratio=tuple(values[at[1] + skipped : at[2]]),
            saturation=tuple(values[at[2] + skipped : at[2] + layers - 1]),
            dead_units=tuple(values[4 + 3 * layers + skipped : 3 + 4 * layers]),
        )


def histogram(values: Floats) -> Histogram:
    """Of finite values, at least one."""
    counts, edges = np.histogram(values.astype(np.float64), BINS)
    return Histogram(float(edges[0]), float(edges[-1]), tuple(int(count) for count in counts))


def histograms(network: Network, theta: Floats, gradient: Floats, x: Floats) -> Histograms:
    """Activations of the first training rows with the weights as they are, and the gradient as the
    optimiser took it last.
    """
    activations, gradients, zeros = [], [], []
    a, offsets = x[:PICTURED_ROWS], network.offsets[len(network.trained) - len(network.layers) :]
    for layer, dense in enumerate(network.dense(theta)):
        a = dense.forward(a)
        activations.append(histogram(a))
        sizes = np.abs(gradient[offsets[layer] : offsets[layer + 1]])
        present = sizes[sizes > 0].astype(np.float64)
        zeros.append(int(sizes.size - present.size))
        logs = np.log10(np.maximum(present, 10.0**LEAST_EXPONENT))
        gradients.append(histogram(logs if logs.size else np.zeros(1)))
    return Histograms(tuple(activations), tuple(gradients), tuple(zeros))


def spread(recipe: Recipe, p: Floats, y: Floats, weights: Floats) -> tuple[float, float]:
    """Offset and factor that turn a sum over rows into accuracy, R² or D².

    R² = 1 - squared errors over squares about the mean; D² = 1 - what is lost beyond a perfect
    answer, over the same of the best constant answer. 0 where that is nothing.
    """
    loss = LOSSES[recipe.loss]
    if len(y) == 0:
        return 0.0, 0.0
    if loss.score == "accuracy":
        return 0.0, 1.0 / len(y)
    y = y.astype(np.float64)
    w: Any = weights if len(weights) else None
    shares = np.ones(len(y)) if w is None else w
    if loss.score == "r2":
        squares = ((y - np.average(y, axis=0, weights=w)) ** 2).mean(axis=1)
        whole, least = float(squares @ shares), 0.0
    else:
        assert loss.best_constant is not None
        logits = np.broadcast_to(loss.best_constant(y, p), (len(y), _outputs(loss.name, y, p)))
        least = 0.0 if loss.least is None else float(loss.least(y) @ shares)
        whole = float(loss.value(logits, y, p) @ shares) - least
    return (1.0 + least / whole, -1.0 / whole) if whole > 0 else (0.0, 0.0)


def _outputs(loss: str, y: Floats, p: Floats) -> int:
    return len(p) if loss == "quantile" else y.shape[1]
