"""Fitting a network: a run that goes on by steps, reports epochs, and resumes anywhere."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache, lru_cache
from typing import Any, Literal

import numpy as np

from core import crew, kernels, measures, places, routines, terms
from core.epochs import Epoch, histograms, spread
from core.initializers import initialize
from core.layout import TRAINED, lay_out
from core.losses import LOSSES
from core.network import Floats, Layer, Network
from core.optimizers import HYPER, OPTIMIZERS
from core.parts import Given
from core.recipe import Recipe
from core.schedules import SCHEDULES
from core.state import State

__all__ = ["Epoch", "Fit", "Recipe", "StopReason", "batch_rows", "fit", "samples", "warm"]

StopReason = Literal["epochs", "early_stopping", "target", "diverged"]
_STOP_REASONS: dict[int, StopReason] = {
    places.EPOCHS_DONE: "epochs",
    places.STOPPED_EARLY: "early_stopping",
    places.DIVERGED: "diverged",
    places.TARGET_REACHED: "target",
}
_EVALUATION_ROWS = 256  # rows at once where nothing is learned from them
_SHARED_PRODUCTS = 2_000_000  # multiplications of a forward pass, from which on two may share it
_ROWS_A_PART = 256  # below this BLAS gets slower
_MOST_PARTS = 8
_POINTS = 256  # epochs a call of the kernel can report


class Fit:
    """One training run.

    x: (rows, inputs) and y: (rows, outputs), C-order, in the recipe's dtype; for the categorical
    losses y is (rows, 1), the class index, and for quantiles (rows, 1). validation: such a pair,
    or None. weights, validation_weights: (rows,), what each row counts for, in any unit.
    theta: initial parameters; drawn from the seed when None. state: from `state()` of an equal
    run, to continue it to the very same bytes.

    threads: how many may work on a step, from the next `advance` on; up to `parts` of them find
    something to do. The bytes that come out do not depend on it.
    """

    threads = 1

    def __init__(
        self,
        network: Network,
        recipe: Recipe,
        x: Floats,
        y: Floats,
        *,
        validation: tuple[Floats, Floats] | None = None,
        weights: Floats | None = None,
        validation_weights: Floats | None = None,
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
        self._w = _relative(weights, len(self._x))
        self._wv = _relative(validation_weights, len(self._xv))
        self._validated = len(self._xv) > 0
        self._p = LOSSES[recipe.loss].parameters(dict(recipe.loss_options))
        if recipe.loss == "quantile" and len(self._p) != network.outputs:
            raise ValueError("a network for quantiles has one output for each")
        rows = len(self._x)
        self._batch = batch_rows(recipe, rows)
        _check(network, recipe, rows, self._validated)
        self.steps_per_epoch = -(-rows // self._batch)
        if theta is None:
            theta = initialize(network, recipe.seed, recipe.dtype, recipe.init)
        self._state = State.begin(network, recipe, theta)
        if state is not None:
            self._state.restore(state)
        self._prepare(rows, kind)

    def _prepare(self, rows: int, kind: np.dtype[Any]) -> None:
        """Make all that the kernel needs besides: places, buffers, and numbers for choices."""
        network, recipe = self.network, self.recipe
        self.parts = parts_of(network, self._batch)
        at_once = max(self._batch, min(len(self._xv), _EVALUATION_ROWS * self.parts))
        addresses = tuple(routines.activation(name, recipe.dtype) for name in network.activations)
        layout = lay_out(network, at_once, addresses, network.held(recipe.frozen))
        self._wires = network.wires
        self._table, self._knobs = layout.table, layout.knobs
        self._work = np.zeros(layout.size, kind)
        dropped = self._batch * network.inputs if network.input_dropout else 0
        self._mask = np.zeros(dropped, kind)
        self._control = np.zeros(crew.CONTROL, np.int64)
        self._per_row = np.zeros((2, at_once))
        self._gradient = np.zeros(network.learned_count, kind)
        self._before = np.zeros(network.parameter_count, kind)
        self._order = np.full(rows, -1, np.int64)
        self._xb = np.zeros((self._batch, network.inputs), kind)
        self._yb = np.zeros((self._batch, self._y.shape[1]), kind)
        self._wb = np.zeros(self._batch if len(self._w) else 0)
        self._offsets = np.array(network.offsets, np.int64)
        self._rules = terms.rules(
            network,
            recipe,
            validated=self._validated,
            batch=self._batch,
            lowest=int(np.flatnonzero(self._table[:, TRAINED])[0]),
            sampled=samples(self.steps_per_epoch),
            parts=self.parts,
        )
        self._settings = terms.settings(
            network, recipe, validated=self._validated, epoch_steps=self.steps_per_epoch
        )
        self._hyper = np.array([getattr(recipe, name) for name in HYPER])
        self._options = SCHEDULES[recipe.schedule].parameters(dict(recipe.schedule_options))
        self._scores = np.array(
            [
                spread(recipe, self._p, self._y, self._w),
                spread(recipe, self._p, self._yv, self._wv),
            ]
        )
        self._points = np.zeros((_POINTS, measures.LAYERS + 4 * len(self._table)))

    def advance(self, steps: int) -> list[Epoch]:
        """Train for `steps` mini-batches, less at the end; returns the epochs finished by them."""
        found: list[Epoch] = []
        goal = self._steps_done() + steps
        while not self.done and (left := goal - self._steps_done()) > 0:
            first = int(self._state.position[places.EPOCH]) + 1
            count = self._run(min(left, self._steps_to_histograms()))
            found += [self._epoch(first + i, point) for i, point in enumerate(self._points[:count])]
            every = self.recipe.histograms
            if count and every and found[-1].epoch % every == 0:
                pictures = histograms(self.network, self._state.theta, self._gradient, self._x)
                found[-1] = replace(found[-1], histograms=pictures)
        return found

    def _steps_to_histograms(self) -> int:
        """Steps to the end of the next epoch that is looked at closely, so that it is the last."""
        every = self.recipe.histograms
        if every is None:
            return 1 << 62
        epoch = int(self._state.position[places.EPOCH])
        return (epoch // every + 1) * every * self.steps_per_epoch - self._steps_done()

    def _run(self, steps: int) -> int:
        """One call of the kernel, and one more in each thread that helps it."""
        arguments = self._arguments()
        helpers = min(self.threads, self.parts) - 1
        self._control[crew.HELPERS], self._control[crew.TICKET] = helpers, 0
        helping = [_helpers().submit(kernels.advance, -1, *arguments) for _ in range(helpers)]
        try:
            with np.errstate(all="ignore"):
                count: int = kernels.advance(steps, *arguments)
        finally:
            self._control[crew.TICKET] = -1
        for helper in helping:
            helper.result()
        return count

    def _arguments(self) -> tuple[Any, ...]:
        given = Given(
            control=self._control,
            theta=self._state.theta,
            averaged=self._state.averaged,
            gradient=self._gradient,
            x=self._x,
            y=self._y,
            w=self._w,
            xv=self._xv,
            yv=self._yv,
            order=self._order,
            xb=self._xb,
            yb=self._yb,
            wb=self._wb,
            mask=self._mask,
            work=self._work,
            per_row=self._per_row,
            table=self._table,
            knobs=self._knobs,
            rules=self._rules,
            settings=self._settings,
            p=self._p,
            seed=np.uint64(self.recipe.seed),
            slots=self._state.slots,
            hyper=self._hyper,
            memory=self._state.memory,
            wires=self._wires,
        )
        return (
            self._state.position,
            self._state.sums,
            self._before,
            self._state.plateau,
            self._state.kept,
            self._state.best,
            self._wv,
            self._offsets,
            self._options,
            self._scores,
            self._points,
            given,
        )

    def _steps_done(self) -> int:
        epoch, step = self._state.position[places.EPOCH], self._state.position[places.STEP]
        return int(epoch) * self.steps_per_epoch + int(step)

    def _epoch(self, number: int, point: Floats) -> Epoch:
        skipped = len(self._table) - len(self.network.layers) - 1
        return Epoch.of_point(number, point, len(self._table), self._validated, skipped)

    @property
    def position(self) -> float:
        """Epochs done, with the fraction of the present one."""
        return self._steps_done() / self.steps_per_epoch

    @property
    def batch_loss(self) -> float:
        """The sum of losses over the rows of the present epoch so far."""
        return float(self._state.sums[places.LOSS])

    @property
    def stop_reason(self) -> StopReason | None:
        """Why it ended; None while it goes on."""
        return _STOP_REASONS.get(int(self._state.position[places.STOP]))

    @property
    def done(self) -> bool:
        """Whether there is nothing left to do."""
        return self.stop_reason is not None

    @property
    def diverged_layer(self) -> int | None:
        """Where a run that diverged lost its numbers first: 0 is the layer next to the inputs,
        len(network.layers) the output.
        """
        if self.stop_reason != "diverged":
            return None
        embedded = len(self.network.embeddings) > 0
        return max(0, int(self._state.position[places.BROKEN]) - embedded)

    @property
    def best_epoch(self) -> int:
        """The epoch whose weights `theta` gives; 0 before the first has ended."""
        which = places.EPOCH if self._keeps_last else places.BEST_EPOCH
        return int(self._state.position[which])

    @property
    def _keeps_last(self) -> bool:
        return self.recipe.patience is None or not self.recipe.restore_best

    @property
    def theta(self) -> Floats:
        """A copy of the weights to use: of the best epoch with early stopping, else the last
        (the last finite ones when the run diverged), averaged where the recipe says so.
        """
        if not self._keeps_last:
            return self._state.best.copy()
        return (
            self._state.averaged if self.recipe.average and not self.done else self._last()
        ).copy()

    def _last(self) -> Floats:
        return self._state.kept if self.done else self._state.theta

    def state(self) -> bytes:
        """All that a later `Fit` of the same arguments needs to continue."""
        return self._state.to_bytes()


def parts_of(network: Network, rows: int) -> int:
    """Into how many parts a batch of so many rows is cut; one where the work is not worth it."""
    if rows * network.learned_count < _SHARED_PRODUCTS:
        return 1
    return max(2, min(_MOST_PARTS, rows // _ROWS_A_PART))


@cache
def _helpers() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_MOST_PARTS - 1, "fit")


def samples(steps: int) -> int:
    """How many of an epoch's batches are measured: one in 16, at least 1 and at most 8."""
    return max(1, min(8, steps // 16))


def _relative(weights: Floats | None, rows: int) -> Floats:
    """Weights with mean 1, so that a sum over a batch divided by its rows is a weighted mean."""
    if weights is None or rows == 0:
        return np.zeros(0)
    found = np.ascontiguousarray(weights, np.float64)
    if found.shape != (rows,) or not np.isfinite(found).all() or (found < 0).any():
        raise ValueError("weights are one finite number a row, none of them negative")
    if found.sum() == 0:
        raise ValueError("some row has to weigh more than 0")
    return np.asarray(found / found.mean())


def batch_rows(recipe: Recipe, rows: int) -> int:
    """Rows of a full batch: all of them for an optimiser that searches along each step."""
    return rows if OPTIMIZERS[recipe.optimizer].searches else min(recipe.batch_size, rows)


def _check(network: Network, recipe: Recipe, rows: int, validated: bool) -> None:
    if rows == 0:
        raise ValueError("training needs at least one row")
    if not validated and (recipe.monitor or "").startswith("validation"):
        raise ValueError("there are no validation rows to monitor")
    if set(recipe.frozen) >= set(range(len(network.layers) + 1)):
        raise ValueError("a network with every layer frozen has nothing to learn")
    if not OPTIMIZERS[recipe.optimizer].searches:
        return
    random = network.input_dropout or any(
        layer.dropout or layer.batch_norm for layer in network.layers
    )
    if random:
        raise ValueError(f"{recipe.optimizer} needs a loss without dropout and batch norm")


def fit(network: Network, recipe: Recipe, x: Floats, y: Floats, **options: Any) -> Fit:
    """A `Fit` run to its end."""
    run = Fit(network, recipe, x, y, **options)
    while not run.done:
        run.advance(1 << 20)
    return run


@lru_cache
def warm() -> None:
    """Compile the float32 kernel, or load it from the cache: 1 s the first time on a machine."""
    x = np.zeros((2, 1), np.float32)
    recipe = Recipe(loss="mse", epochs=1, batch_size=2)
    fit(Network(1, (Layer(1, "sigmoid"),), 1, "identity"), recipe, x, x)
