"""Fitting a network: a run that goes on by steps, reports epochs, and resumes anywhere."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np

from core import kernels
from core.activations import CODES as ACTIVATION_CODES
from core.initializers import initialize
from core.losses import CODES as LOSS_CODES
from core.losses import LOSSES
from core.network import Floats, Layer, Network
from core.optimizers import CODES as OPTIMIZER_CODES
from core.optimizers import OPTIMIZERS

StopReason = Literal["epochs", "early_stopping", "diverged"]
_STOP_REASONS: dict[int, StopReason] = {
    kernels.EPOCHS_DONE: "epochs",
    kernels.STOPPED_EARLY: "early_stopping",
    kernels.DIVERGED: "diverged",
}
_EVALUATION_ROWS = 256  # rows at once where nothing is learned from them
_POINTS = 256  # epochs a call of the kernel can report


@dataclass(frozen=True)
class Recipe:
    """How to train.

    l2: added to the loss as l2/2 ‖W‖² per step, biases left alone. clip: the largest global norm
    of a gradient (Pascanu et al. 2013). patience: epochs without a validation loss lower by
    min_delta (training loss where there is no validation) until training stops and the best
    epoch's weights come back; None trains to the end and keeps the last.
    """

    loss: str
    optimizer: str = "adam"
    learning_rate: float = 0.003
    momentum: float = 0.9
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    epochs: int = 200
    batch_size: int = 32
    l2: float = 0.0
    clip: float | None = None
    patience: int | None = None
    min_delta: float = 0.0
    seed: int = 0
    dtype: Literal["float32", "float64"] = "float32"


@dataclass(frozen=True)
class Epoch:
    """What one pass over the training rows measured.

    Training loss and score are means over the epoch's batches, while the weights moved. Gradient
    norms and update ratios (‖Δθ‖/‖θ‖) are per layer, of the epoch's last batch; saturation is per
    hidden layer, the share of activations whose slope is below 5% of the steepest possible.
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


class Fit:
    """One training run.

    x: (rows, inputs) and y: (rows, outputs), C-order, in the recipe's dtype; for categorical
    cross-entropy y is (rows, 1), the class index. validation: such a pair, or None.
    theta: initial parameters; drawn from the seed when None. state: from `state()` of an equal
    run, to continue it to the very same bytes.
    """

    def __init__(
        self,
        network: Network,
        recipe: Recipe,
        x: Floats,
        y: Floats,
        *,
        validation: tuple[Floats, Floats] | None = None,
        theta: Floats | None = None,
        state: bytes | None = None,
    ) -> None:
        self.network, self.recipe = network, recipe
        kind = np.dtype(recipe.dtype)
        self._x, self._y = np.ascontiguousarray(x, kind), np.ascontiguousarray(y, kind)
        if validation is None:
            validation = self._x[:0], self._y[:0]
        self._xv = np.ascontiguousarray(validation[0], kind)
        self._yv = np.ascontiguousarray(validation[1], kind)
        rows, count = len(self._x), network.parameter_count
        if rows == 0:
            raise ValueError("training needs at least one row")
        self._batch = min(recipe.batch_size, rows)
        self.steps_per_epoch = -(-rows // self._batch)

        self._position = np.zeros(6, np.int64)
        self._sums = np.zeros(3, np.float64)
        first = initialize(network, recipe.seed, recipe.dtype) if theta is None else theta
        self._theta = np.array(first, kind)
        self._slots = np.zeros((OPTIMIZERS[recipe.optimizer].slots, count), kind)
        self._kept, self._best = self._theta.copy(), self._theta.copy()
        if state is not None:
            self._restore(state)

        self._gradient, self._before = np.zeros(count, kind), np.zeros(count, kind)
        self._order = np.full(rows, -1, np.int64)
        self._sizes = np.array(network.sizes, np.int64)
        units = self._sizes[1:]
        parameters = (self._sizes[:-1] + 1) * units
        self._offsets = np.concatenate([[0], np.cumsum(parameters)[:-1]]).astype(np.int64)
        at_once = max(self._batch, min(len(self._xv), _EVALUATION_ROWS))
        self._starts = at_once * np.concatenate([[0], np.cumsum(units)[:-1]]).astype(np.int64)
        self._codes = np.array([ACTIVATION_CODES[name] for name in network.activations], np.int64)
        self._z, self._a, self._delta = (np.zeros(at_once * units.sum(), kind) for _ in range(3))
        self._xb = np.zeros((self._batch, network.inputs), kind)
        self._yb = np.zeros((self._batch, self._y.shape[1]), kind)
        self._hyper = np.array(
            [recipe.learning_rate, recipe.momentum, recipe.beta1, recipe.beta2, recipe.epsilon],
            kind,
        )
        self._scores = np.array([_score(recipe.loss, t) for t in (self._y, self._yv)])
        layers = len(self._codes)
        self._points = np.zeros((_POINTS, 4 + 3 * layers), np.float64)

    def advance(self, steps: int) -> list[Epoch]:
        """Train for `steps` mini-batches, less at the end; returns the epochs finished by them."""
        found: list[Epoch] = []
        goal = self._steps_done() + steps
        while not self.done and (left := goal - self._steps_done()) > 0:
            first = int(self._position[kernels.EPOCH]) + 1
            count = self._run(left)
            found += [self._epoch(first + i, point) for i, point in enumerate(self._points[:count])]
        return found

    def _run(self, steps: int) -> int:
        recipe = self.recipe
        count: int = kernels.advance(
            steps,
            self._position,
            self._sums,
            self._theta,
            self._gradient,
            self._before,
            self._slots,
            self._kept,
            self._best,
            self._x,
            self._y,
            self._xv,
            self._yv,
            self._order,
            self._xb,
            self._yb,
            self._z,
            self._a,
            self._delta,
            self._sizes,
            self._offsets,
            self._starts,
            self._codes,
            LOSS_CODES[recipe.loss],
            OPTIMIZER_CODES[recipe.optimizer],
            self._hyper,
            recipe.l2,
            recipe.clip or 0.0,
            recipe.min_delta,
            recipe.patience or 0,
            recipe.epochs,
            np.uint64(recipe.seed),
            self._scores,
            self._points,
        )
        return count

    def _steps_done(self) -> int:
        epoch, step = self._position[kernels.EPOCH], self._position[kernels.STEP]
        return int(epoch) * self.steps_per_epoch + int(step)

    def _epoch(self, number: int, point: Floats) -> Epoch:
        values = [float(value) for value in point]
        layers = len(self._codes)
        validated = len(self._xv) > 0
        return Epoch(
            epoch=number,
            train_loss=values[0],
            validation_loss=values[1] if validated else None,
            train_score=values[2],
            validation_score=values[3] if validated else None,
            learning_rate=self.recipe.learning_rate,
            gradient_norms=tuple(values[4 : 4 + layers]),
            update_ratio=tuple(values[4 + layers : 4 + 2 * layers]),
            saturation=tuple(values[4 + 2 * layers : 4 + 3 * layers - 1]),
        )

    @property
    def position(self) -> float:
        """Epochs done, with the fraction of the present one."""
        return self._steps_done() / self.steps_per_epoch

    @property
    def stop_reason(self) -> StopReason | None:
        """Why it ended; None while it goes on."""
        return _STOP_REASONS.get(int(self._position[kernels.STOP]))

    @property
    def done(self) -> bool:
        """Whether there is nothing left to do."""
        return self.stop_reason is not None

    @property
    def best_epoch(self) -> int:
        """The epoch whose weights `theta` gives; 0 before the first has ended."""
        which = kernels.EPOCH if self._keeps_last else kernels.BEST_EPOCH
        return int(self._position[which])

    @property
    def _keeps_last(self) -> bool:
        return self.recipe.patience is None

    @property
    def theta(self) -> Floats:
        """A copy of the weights to use: of the best epoch with early stopping, else the last
        (the last finite ones when the run diverged).
        """
        return (self._theta if self._keeps_last else self._best).copy()

    def _carried(self) -> Sequence[Any]:
        return (self._position, self._sums, self._theta, self._slots, self._kept, self._best)

    def state(self) -> bytes:
        """All that a later `Fit` of the same arguments needs to continue."""
        return b"".join(array.tobytes() for array in self._carried())

    def _restore(self, state: bytes) -> None:
        if len(state) != sum(array.nbytes for array in self._carried()):
            raise ValueError("this state is of another run: its size does not fit the network")
        start = 0
        for array in self._carried():
            part = state[start : start + array.nbytes]
            array[...] = np.frombuffer(part, array.dtype).reshape(array.shape)
            start += array.nbytes


def _score(loss: str, y: Floats) -> tuple[float, float]:
    """Offset and factor that turn the kernel's sum into accuracy or R²."""
    if len(y) == 0:
        return 0.0, 0.0
    if LOSSES[loss].score == "accuracy":
        return 0.0, 1.0 / len(y)
    spread = float(((y - y.mean(axis=0)) ** 2).mean(axis=1).sum(dtype=np.float64))
    return (1.0, -1.0 / spread) if spread > 0 else (0.0, 0.0)


def fit(network: Network, recipe: Recipe, x: Floats, y: Floats, **options: Any) -> Fit:
    """A `Fit` run to its end."""
    run = Fit(network, recipe, x, y, **options)
    while not run.done:
        run.advance(1 << 20)
    return run


@lru_cache
def warm() -> None:
    """Compile the float32 kernel, or load it from the cache: 1.5 s the first time on a machine."""
    x = np.zeros((2, 1), np.float32)
    recipe = Recipe(loss="mse", epochs=1, batch_size=2)
    fit(Network(1, (Layer(1, "sigmoid"),), 1, "identity"), recipe, x, x)
