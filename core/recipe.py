"""How to train: every choice with its default, as one value."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from core.losses import LOSSES
from core.optimizers import OPTIMIZERS
from core.schedules import SCHEDULES

Monitor = Literal["train_loss", "validation_loss", "train_score", "validation_score"]


@dataclass(frozen=True)
class Recipe:
    """How to train.

    loss, loss_options: a name in LOSSES and its options. init: a name in INITIALIZERS, or auto.
    optimizer: a name in OPTIMIZERS; learning_rate … momentum_decay are what it may read.
    schedule, schedule_options: a name in SCHEDULES and its options. warmup: epochs, not
    necessarily whole, in which the rate grows from 0.

    l1, l2: the gradient of l1 ‖W‖₁ + l2/2 ‖W‖² is added, biases left alone. weight_decay: the
    weights shrink by this share of the learning rate a step (Loshchilov & Hutter 2019), None for
    the optimiser's default. max_norm: bound on the norm of the weights into each unit (Srivastava
    et al. 2014). clip_value, clip_layer, clip: bounds on each number of the gradient, on the norm
    of each layer's, and on that of all (Pascanu et al. 2013). average: decay of an exponential
    moving average of the weights (Polyak & Juditsky 1992), which is then what is judged and kept.

    monitor: what early stopping and the target look at; validation_loss where there is
    validation, else train_loss. patience: epochs without a monitored value better by min_delta
    until training stops; those up to start_epoch do not count. None trains to the end.
    restore_best: with patience, whether the best epoch's weights come back. target: training ends
    as soon as the monitored value reaches it.
    frozen: layers that keep their weights, 0 next to the inputs, len(layers) the output.
    histograms: every so many epochs there are histograms of activations and gradients.
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
    rho: float = 0.99
    momentum_decay: float = 0.004
    loss_options: Mapping[str, Any] = field(default_factory=dict)
    schedule: str = "constant"
    schedule_options: Mapping[str, float] = field(default_factory=dict)
    warmup: float = 0.0
    init: str = "auto"
    l1: float = 0.0
    weight_decay: float | None = None
    max_norm: float | None = None
    clip_value: float | None = None
    clip_layer: float | None = None
    average: float | None = None
    monitor: Monitor | None = None
    start_epoch: int = 0
    restore_best: bool = True
    target: float | None = None
    frozen: tuple[int, ...] = ()
    histograms: int | None = None

    def __post_init__(self) -> None:
        LOSSES[self.loss].parameters(dict(self.loss_options))
        SCHEDULES[self.schedule].parameters(dict(self.schedule_options))

    @property
    def decay(self) -> float:
        """The weight decay that is in force."""
        chosen = self.weight_decay
        return OPTIMIZERS[self.optimizer].weight_decay if chosen is None else chosen

    def monitored(self, validated: bool) -> Monitor:
        """What is monitored, in a run with or without validation rows."""
        if self.monitor is not None:
            return self.monitor
        return "validation_loss" if validated else "train_loss"
