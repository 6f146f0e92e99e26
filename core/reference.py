"""Training as one reads it in a book: the NumPy twin of the compiled `core.training.Fit`.

Same initial weights, same shuffles, same arithmetic, no speed. Tests hold the two together, so
this file says what the kernels do.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.activations import ACTIVATIONS, SATURATED
from core.embeddings import expansion, gathered
from core.epochs import Epoch, spread
from core.initializers import initialize
from core.losses import LOSSES
from core.network import BATCH_NORM_EPSILON, BATCH_NORM_MOMENTUM, Block, Floats, Network
from core.optimizers import HYPER, MEMORY, OPTIMIZERS
from core.recipe import Recipe
from core.schedules import MEMORY as SCHEDULE_MEMORY
from core.schedules import SCHEDULES
from core.seeding import dropout_key, mask, permutation
from core.training import StopReason, batch_rows, samples

Pair = tuple[Floats, Floats]


@dataclass(frozen=True)
class Fitted:
    """A finished run: its epochs, the weights to use, where they are from, and why it ended."""

    epochs: list[Epoch]
    theta: Floats
    best_epoch: int
    stop_reason: StopReason


@dataclass
class Passed:
    """What a batch made of one layer: its inputs, sums, activations, dropout's factors, and, with
    batch norm, the normalised sums and 1/deviation.
    """

    source: Floats
    z: Floats
    a: Floats
    mask: Floats | None = None
    normal: Floats | None = None
    inverse: Floats | None = None


def fit(
    network: Network,
    recipe: Recipe,
    x: Floats,
    y: Floats,
    *,
    validation: Pair | None = None,
    weights: Floats | None = None,
    theta: Floats | None = None,
) -> Fitted:
    """Train as `core.training.fit` does. x: (rows, inputs), y: (rows, outputs or 1)."""
    with np.errstate(all="ignore"):  # a diverging run is noticed by its loss
        return _Run(network, recipe, x, y, validation, weights, theta).to_its_end()


class _Run:
    def __init__(
        self,
        network: Network,
        recipe: Recipe,
        x: Floats,
        y: Floats,
        held: Pair | None,
        weights: Floats | None,
        theta: Floats | None,
    ) -> None:
        self.network, self.recipe, self.x, self.y, self.held = network, recipe, x, y, held
        self.weights = np.ones(len(x)) if weights is None else weights / weights.mean()
        self.loss, self.optimizer = LOSSES[recipe.loss], OPTIMIZERS[recipe.optimizer]
        self.p = self.loss.parameters(dict(recipe.loss_options))
        start = initialize(network, recipe.seed, recipe.dtype, recipe.init)
        self.theta = start if theta is None else theta.copy()
        self.slots = np.zeros((self.optimizer.slots, network.learned_count), self.theta.dtype)
        self.memory, self.plateau = np.zeros(MEMORY), np.zeros(SCHEDULE_MEMORY)
        self.hyper = np.array([getattr(recipe, name) for name in HYPER])
        self.averaged, self.updates = self.theta.copy(), 0
        self.batch = batch_rows(recipe, len(x))
        self.steps = -(-len(x) // self.batch)
        self.held_layers = network.held(recipe.frozen)
        self.free = trained(network, self.held_layers)

    def to_its_end(self) -> Fitted:
        recipe = self.recipe
        epochs: list[Epoch] = []
        kept = best = self.theta.copy()
        best_epoch, best_value, stale = 0, np.inf, 0
        monitor = recipe.monitored(self.held is not None)
        sign = -1.0 if monitor.endswith("score") else 1.0

        def ended(reason: StopReason) -> Fitted:
            if recipe.patience is None or not recipe.restore_best:
                return Fitted(epochs, kept, len(epochs), reason)
            return Fitted(epochs, best, best_epoch, reason)

        for number in range(1, recipe.epochs + 1):
            epoch = self.epoch(number)
            if epoch is None:
                return ended("diverged")
            epochs.append(epoch)
            kept = (self.averaged if recipe.average else self.theta).copy()
            value = sign * getattr(epoch, monitor)
            observe = SCHEDULES[recipe.schedule].observe
            if observe is not None:
                observe(value, self.options, self.plateau)
            if best_epoch == 0 or value < best_value - recipe.min_delta:
                best, best_epoch, best_value, stale = kept, number, value, 0
            elif number > recipe.start_epoch:
                stale += 1
            if recipe.target is not None and value <= sign * recipe.target:
                return ended("target")
            if recipe.patience is not None and stale >= recipe.patience:
                return ended("early_stopping")
        return ended("epochs")

    @property
    def options(self) -> Any:
        schedule = SCHEDULES[self.recipe.schedule]
        return schedule.parameters(dict(self.recipe.schedule_options))

    def rate(self) -> float:
        """The learning rate of the next update."""
        recipe, t = self.recipe, self.updates
        total, warm = self.steps * recipe.epochs, recipe.warmup * self.steps
        factor = SCHEDULES[recipe.schedule].factor
        rate = recipe.learning_rate * factor(t, self.steps, total, self.options, self.plateau)
        return float(rate * (t + 1) / warm if t < warm else rate)

    def epoch(self, number: int) -> Epoch | None:
        """One pass over the rows; None when it ended in numbers that are none."""
        network, recipe, rows = self.network, self.recipe, len(self.x)
        loss_sum, score_sum, measured = 0.0, 0.0, []
        order = permutation(recipe.seed, number, rows)
        count = samples(self.steps)
        for step, chosen in enumerate(batches(order, self.batch)):
            passed = forward(
                network, self.theta, self.x[chosen], key=(recipe.seed, number, step),
                frozen=self.held_layers,
            )  # fmt: skip
            logits, targets, weights = passed[-1].a, self.y[chosen], self.weights[chosen]
            losses = self.loss.value(logits, targets, self.p).astype(np.float64)
            loss_sum += float(losses @ weights)
            score_sum += float(scored(self.loss.name, logits, targets, losses) @ weights)
            delta = self.loss.gradient(logits, targets, self.p)
            delta = delta * (weights / len(chosen)).astype(delta.dtype)[:, None]
            gradient = backward(network, self.theta, passed, delta, self.held_layers) * self.free
            before = self.theta.copy()
            self.step(gradient, float(losses @ weights) / len(chosen))
            if (step + 1) * count // self.steps > step * count // self.steps:
                moved = ratios(norms(network, self.theta - before), norms(network, before))
                measured.append((norms(network, gradient), moved, flatness(network, passed)))
            if not np.isfinite(loss_sum):
                return None
        held: tuple[float | None, float | None] = None, None
        if not np.isfinite(self.theta[: network.learned_count]).all():
            return None
        if self.held is not None:
            held = self.evaluate(self.averaged if recipe.average else self.theta, *self.held)
            if not np.isfinite(held[0] or 0.0):
                return None
        offset, factor = spread(recipe, self.p, self.y, self.weights)
        flat = [[layer.mean() for layer in batch] for *_, batch in measured]
        alive = [np.logical_or.reduce([~m[layer].all(axis=0) for *_, m in measured])
                 for layer in range(len(network.trained))]  # fmt: skip
        skipped = len(network.trained) - len(network.layers)
        lengths, moves = (np.mean([one[at] for one in measured], axis=0).tolist() for at in (0, 1))
        return Epoch(
            epoch=number,
            train_loss=loss_sum / rows,
            validation_loss=held[0],
            train_score=offset + factor * score_sum,
            validation_score=held[1],
            learning_rate=float(self.hyper[0]),
            gradient_norms=tuple(lengths[skipped:]),
            update_ratio=tuple(moves[skipped:]),
            saturation=tuple(np.mean(flat, axis=0).tolist()[skipped:]) if network.layers else (),
            dead_units=tuple(float(1.0 - units.mean()) for units in alive[skipped:]),
        )

    def step(self, gradient: Floats, loss: float) -> None:
        """Penalties, clips, decay, the optimiser, and what follows it, in this order."""
        network, recipe, learned = self.network, self.recipe, self.network.learned_count
        theta = self.theta[:learned]
        gradient = gradient + penalties(network, self.theta, recipe.l1, recipe.l2) * self.free
        gradient = clipped(network, gradient, recipe)
        self.hyper[0] = self.rate()
        before = theta.copy()
        theta -= (theta * (self.hyper[0] * recipe.decay * self.free * is_weight(network))).astype(
            theta.dtype
        )
        self.updates += 1
        self.optimizer.step(theta, gradient, self.slots, self.hyper, self.memory, self.updates)
        if self.optimizer.searches and np.isfinite(loss):
            self.search(before, gradient, loss)
        if recipe.max_norm is not None:
            shorten_units(network, self.theta, recipe.max_norm, self.held_layers)
        if recipe.average is not None:
            decay = min(recipe.average, (1.0 + self.updates) / (10.0 + self.updates))
            self.averaged += self.theta.dtype.type(1.0 - decay) * (self.theta - self.averaged)

    def search(self, before: Floats, gradient: Floats, loss: float) -> None:
        """Halve the step of `slots[1]` until the loss falls enough (Armijo)."""
        direction, theta = self.slots[1], self.theta[: self.network.learned_count]
        slope = float(direction.astype(np.float64) @ gradient.astype(np.float64))
        start = loss + self.penalty(before)
        for _ in range(20):
            found = self.mean_loss() + self.penalty(theta)
            if found <= start + 1e-4 * self.memory[2] * slope:
                return
            self.memory[2] /= 2
            theta[:] = before + theta.dtype.type(self.memory[2]) * direction

    def mean_loss(self) -> float:
        losses = self.loss.value(self.network.logits(self.theta, self.x), self.y, self.p)
        return float(losses.astype(np.float64) @ self.weights) / len(self.x)

    def penalty(self, theta: Floats) -> float:
        kept = theta * (self.free * is_weight(self.network))
        return float(self.recipe.l1 * np.abs(kept).sum() + self.recipe.l2 / 2 * (kept**2).sum())

    def evaluate(self, theta: Floats, x: Floats, y: Floats) -> tuple[float, float]:
        """Mean loss and score over rows that nothing is learned from."""
        logits = self.network.logits(theta, x)
        losses = self.loss.value(logits, y, self.p).astype(np.float64)
        offset, factor = spread(self.recipe, self.p, y, np.zeros(0))
        total = float(scored(self.loss.name, logits, y, losses).sum())
        return float(losses.sum()) / len(x), offset + factor * total


def trained(network: Network, frozen: Collection[int]) -> Floats:
    """1 for each learned parameter that training may change, else 0."""
    free = np.ones(network.learned_count)
    for layer, (start, stop) in enumerate(zip(network.offsets, network.offsets[1:], strict=False)):
        if layer in frozen:
            free[start:stop] = 0.0
        elif layer < len(network.trained) and not network.trained[layer].bias:
            first = start + network.weight_counts[layer]
            free[first : first + network.sizes[layer + 1]] = 0.0
    return free


def is_weight(network: Network) -> Floats:
    """1 for each weight, 0 for biases and scales."""
    theta = np.zeros(network.parameter_count)
    for weights, _ in network.views(theta):
        weights[:] = 1.0
    return theta[: network.learned_count]


def batches(order: np.ndarray, size: int) -> Iterator[np.ndarray]:
    """The rows of each mini-batch; the last may be short, none is left out."""
    for start in range(0, len(order), size):
        yield order[start : start + size]


def forward(
    network: Network,
    theta: Floats,
    x: Floats,
    *,
    key: tuple[int, int, int] | None = None,
    frozen: Collection[int] = (),
) -> list[Passed]:
    """What each layer makes of its inputs: z = normalised(x W) + b, a = f(z), dropped.

    key: seed, epoch and step of a training step, which drops and, batch norm by batch norm, moves
    the running statistics in `theta`; None to leave both.
    """
    found: list[Passed] = []
    if key is not None and network.input_dropout > 0:
        x = x * dropped(x, key, 0, network.input_dropout)
    for layer, block in enumerate(network.blocks(theta)):
        z: Floats = x @ matrix(network, layer, block)
        normal: Floats | None = None
        inverse: Floats | None = None
        if block.scale is not None:
            z, normal, inverse = normalize(z, block, learns=key is not None and layer not in frozen)
        z = z + block.biases
        name, alpha = network.activations[layer], network.alphas[layer]
        a = ACTIVATIONS[name].value(z, alpha)
        found.append(Passed(x, z, a, None, normal, inverse))
        x = a
        share = network.trained[layer].dropout if layer < len(network.trained) else 0.0
        if key is not None and share > 0:
            found[-1].mask = dropped(a, key, layer + 1, share)
            x = a * found[-1].mask
    return found


def matrix(network: Network, layer: int, block: Block) -> Floats:
    """What a layer's inputs are multiplied by; of embeddings rows of their tables, and ones."""
    if block.weights.ndim > 1:
        return block.weights
    return expansion(network.wires, block.weights, network.sizes[layer + 1])


def dropped(values: Floats, key: tuple[int, int, int], layer: int, share: float) -> Floats:
    """Factors of dropout for these values (Srivastava et al. 2014, scaled while training)."""
    factors = mask(dropout_key(*key, layer), values.size, share)
    return factors.reshape(values.shape).astype(values.dtype)


def normalize(z: Floats, block: Block, *, learns: bool) -> tuple[Floats, Floats, Floats]:
    """γ (z - mean)/deviation, the normalised sums without γ, and 1/deviation (Ioffe & Szegedy
    2015, algorithm 1); the batch's own moments where it learns, else the running ones.
    """
    assert block.scale is not None
    assert block.mean is not None
    assert block.variance is not None
    kind, rows = z.dtype.type, len(z)
    mean, variance = block.mean, block.variance
    if learns:
        mean, variance = z.mean(axis=0), z.var(axis=0)
    if learns and rows > 1:
        momentum = kind(BATCH_NORM_MOMENTUM)
        block.mean[:] += momentum * (mean - block.mean)
        block.variance[:] += momentum * (variance * kind(rows / (rows - 1)) - block.variance)
    inverse = 1 / np.sqrt(variance + kind(BATCH_NORM_EPSILON))
    normal = (z - mean) * inverse
    return normal * block.scale, normal, inverse


def backward(
    network: Network,
    theta: Floats,
    passed: list[Passed],
    delta: Floats,
    frozen: Collection[int] = (),
) -> Floats:
    """The gradient of the loss by the chain rule, from delta = ∂L/∂z of the last layer."""
    whole = np.zeros_like(theta)
    blocks, gradients = network.blocks(theta), network.blocks(whole)
    for layer in reversed(range(len(passed))):
        here, block, gradient = passed[layer], blocks[layer], gradients[layer]
        gradient.biases[:] = delta.sum(axis=0)
        if block.scale is not None:
            assert here.normal is not None
            assert here.inverse is not None
            assert gradient.scale is not None
            gradient.scale[:] = (delta * here.normal).sum(axis=0)
            if layer not in frozen:
                along = here.normal * (delta * here.normal).mean(axis=0)
                delta = delta - delta.mean(axis=0) - along
            delta = delta * block.scale * here.inverse
        if block.weights.ndim == 1:
            gathered(network.wires, here.source.T @ delta, gradient.weights)
            continue
        gradient.weights[:] = here.source.T @ delta
        if layer > 0:
            below = passed[layer - 1]
            delta = delta @ block.weights.T
            if below.mask is not None:
                delta = delta * below.mask
            activation = ACTIVATIONS[network.activations[layer - 1]]
            delta = delta * activation.slope(below.z, below.a, network.alphas[layer - 1])
    return whole[: network.learned_count]


def penalties(network: Network, theta: Floats, l1: float, l2: float) -> Floats:
    """The gradient of l1 ‖W‖₁ + l2/2 ‖W‖²; biases and scales are left alone."""
    gradient = np.zeros_like(theta)
    for (weights, _), (out, _) in zip(network.views(theta), network.views(gradient), strict=True):
        out[:] = theta.dtype.type(l1) * np.sign(weights) + weights * theta.dtype.type(l2)
    return gradient[: network.learned_count]


def shortened(gradient: Floats, largest: float) -> Floats:
    """The gradient, shortened to the largest norm where it is longer (Pascanu et al. 2013)."""
    norm = float(np.sqrt((gradient.astype(np.float64) ** 2).sum()))
    return gradient if norm <= largest else gradient * gradient.dtype.type(largest / norm)


def clipped(network: Network, gradient: Floats, recipe: Recipe) -> Floats:
    """Bounded number by number, then layer by layer, then as a whole."""
    if recipe.clip_value is not None:
        gradient = np.asarray(np.clip(gradient, -recipe.clip_value, recipe.clip_value))
    if recipe.clip_layer is not None:
        parts = np.split(gradient, network.offsets[1:-1])
        gradient = np.concatenate([shortened(part, recipe.clip_layer) for part in parts])
    return gradient if recipe.clip is None else shortened(gradient, recipe.clip)


def shorten_units(
    network: Network, theta: Floats, largest: float, frozen: Collection[int] = ()
) -> None:
    """Bound the norm of the weights into each unit (Srivastava et al. 2014), embeddings apart."""
    for layer, (weights, _) in enumerate(network.views(theta)):
        if layer not in frozen and weights.ndim > 1:
            lengths = np.sqrt((weights**2).sum(axis=0))
            weights *= np.where(lengths > largest, largest / np.maximum(lengths, 1e-30), 1.0)


def scored(loss: str, logits: Floats, y: Floats, losses: Floats) -> Floats:
    """Of each row: right answers, or squared errors, as a share of outputs, or its loss."""
    entry = LOSSES[loss]
    if entry.score == "d2":
        return losses
    if entry.score == "r2":
        return np.asarray(((logits - y) ** 2).mean(axis=1), np.float64)
    if entry.link == "sigmoid":
        return np.asarray(((logits > 0) == (y > 0.5)).mean(axis=1), np.float64)
    return np.asarray(logits.argmax(axis=1) == y[:, 0], np.float64)


def norms(network: Network, theta: Floats) -> tuple[float, ...]:
    """Length of each layer's learned parameters, as one vector."""
    parts = np.split(theta[: network.learned_count].astype(np.float64), network.offsets[1:-1])
    return tuple(float(np.sqrt((part**2).sum())) for part in parts)


def ratios(moved: tuple[float, ...], sizes: tuple[float, ...]) -> tuple[float, ...]:
    """‖Δθ‖/‖θ‖ of each layer; 0 for a layer of zeros."""
    return tuple(m / size if size > 0 else 0.0 for m, size in zip(moved, sizes, strict=True))


def flatness(network: Network, passed: list[Passed]) -> list[Any]:
    """Of each hidden layer, which activations (rows, units) are too flat to pass a gradient."""
    found = []
    for layer, hidden in enumerate(network.trained):
        activation, here = ACTIVATIONS[hidden.activation], passed[layer]
        slopes = np.abs(activation.slope(here.z, here.a, hidden.slope))
        found.append(slopes < SATURATED * activation.steepest)
    return found
