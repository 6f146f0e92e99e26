"""How the weights are found, as a caller asks for it."""

from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from core.losses import LOSSES
from core.validation import MOST_FOLDS
from service.kit.schemas import ColumnName, Request, Text

if TYPE_CHECKING:
    LossName = str
else:
    LossName = Literal[("auto", *LOSSES)]

Rate = Annotated[float, Field(gt=0, le=100)]
Beta = Annotated[float, Field(ge=0, lt=1)]
Small = Annotated[float, Field(gt=0, le=1)]
Bound = Annotated[float, Field(gt=0, le=1e9)]
Penalty = Annotated[float, Field(ge=0, le=1e6)]


class SgdRequest(Request):
    """Stochastic gradient descent; with momentum 0 the plain one."""

    name: Literal["sgd"]
    learning_rate: Rate = 0.05
    momentum: Beta = 0.9


class MomentumRequest(Request):
    """Classical momentum (Polyak, 1964)."""

    name: Literal["momentum"]
    learning_rate: Rate = 0.05
    momentum: Beta = 0.9


class NesterovRequest(Request):
    """Nesterov's momentum (1983), as Sutskever et al. (2013) write it."""

    name: Literal["nesterov"]
    learning_rate: Rate = 0.05
    momentum: Beta = 0.9


class RmspropRequest(Request):
    """RMSprop (Tieleman & Hinton, 2012)."""

    name: Literal["rmsprop"]
    learning_rate: Rate = 0.003
    rho: Beta = 0.99
    epsilon: Small = 1e-8


class AdagradRequest(Request):
    """Adagrad (Duchi et al., 2011)."""

    name: Literal["adagrad"]
    learning_rate: Rate = 0.05
    epsilon: Small = 1e-10


class AdamRequest(Request):
    """Adam (Kingma & Ba, 2015)."""

    name: Literal["adam"] = "adam"
    learning_rate: Rate = 0.003
    beta1: Beta = 0.9
    beta2: Beta = 0.999
    epsilon: Small = 1e-8


class AdamwRequest(Request):
    """Adam with decoupled weight decay, 0.01 unless weight_decay says otherwise (Loshchilov &
    Hutter, 2019).
    """

    name: Literal["adamw"]
    learning_rate: Rate = 0.003
    beta1: Beta = 0.9
    beta2: Beta = 0.999
    epsilon: Small = 1e-8


class NadamRequest(Request):
    """Adam with Nesterov's momentum (Dozat, 2016)."""

    name: Literal["nadam"]
    learning_rate: Rate = 0.003
    beta1: Beta = 0.9
    beta2: Beta = 0.999
    epsilon: Small = 1e-8
    momentum_decay: Annotated[float, Field(ge=0, le=1)] = 0.004


class LbfgsRequest(Request):
    """L-BFGS on all rows at once, for small data (Nocedal & Wright, 2006)."""

    name: Literal["lbfgs"]
    learning_rate: Rate = Field(1.0, description="Length of a step before it is shortened.")


Optimizer = Annotated[
    SgdRequest
    | MomentumRequest
    | NesterovRequest
    | RmspropRequest
    | AdagradRequest
    | AdamRequest
    | AdamwRequest
    | NadamRequest
    | LbfgsRequest,
    Field(discriminator="name"),
]


class _Warmed(Request):
    warmup: float = Field(
        0.0, ge=0, le=10_000, description="Epochs in which the rate grows from 0."
    )


class ConstantRequest(_Warmed):
    """The learning rate as it is."""

    name: Literal["constant"] = "constant"


class StepRequest(_Warmed):
    """Times gamma after every so many epochs."""

    name: Literal["step"]
    gamma: Small = 0.5
    every: int = Field(10, ge=1, le=1_000_000)


class ExponentialRequest(_Warmed):
    """Times gamma after every epoch."""

    name: Literal["exponential"]
    gamma: Small = 0.95


class CosineRequest(_Warmed):
    """Down along a cosine, and again (Loshchilov & Hutter, 2017)."""

    name: Literal["cosine"]
    period: float = Field(0.0, ge=0, le=1e6, description="Epochs of the first descent; 0: all.")
    growth: float = Field(1.0, ge=1, le=100, description="How much longer each next one is.")
    least: Beta = 0.0


class OneCycleRequest(_Warmed):
    """Up and down once (Smith & Topin, 2019); learning_rate is the peak."""

    name: Literal["one_cycle"]
    rise: float = Field(0.3, gt=0, lt=1, description="Share of the run that rises.")
    start: float = Field(25.0, ge=1, le=1e9, description="The peak is this many times the start.")
    end: float = Field(1e4, ge=1, le=1e9, description="The start is this many times the end.")


class InverseScalingRequest(_Warmed):
    """Over a power of the update's number."""

    name: Literal["inverse_scaling"]
    power: float = Field(0.5, gt=0, le=10)


class PlateauRequest(_Warmed):
    """Times factor after more than `patience` epochs without a better monitored value."""

    name: Literal["reduce_on_plateau"]
    factor: Small = 0.1
    patience: int = Field(10, ge=0, le=100_000)
    min_delta: float = Field(0.0, ge=0, le=1e6)
    least: Beta = Field(0.0, description="Share of the learning rate that always stays.")


Schedule = Annotated[
    ConstantRequest
    | StepRequest
    | ExponentialRequest
    | CosineRequest
    | OneCycleRequest
    | InverseScalingRequest
    | PlateauRequest,
    Field(discriminator="name"),
]


class LossOptionsRequest(Request):
    """What the loss may be told; each belongs to some losses only."""

    delta: float | None = Field(None, gt=0, le=1e6, description="huber: where it bends (1.0).")
    quantile: float | None = Field(None, gt=0, lt=1, description="quantile: which one (0.5).")
    quantiles: list[Annotated[float, Field(gt=0, lt=1)]] | None = Field(
        None,
        min_length=1,
        max_length=99,
        description="quantile: several at once, predicted by level; instead of quantile.",
    )
    label_smoothing: Beta | None = Field(None, description="Cross-entropies: how much (0).")
    gamma: float | None = Field(
        None, ge=0, le=10, description="Focal losses: how much less easy rows count (2.0)."
    )

    @model_validator(mode="after")
    def _quantiles_once(self) -> Self:
        if self.quantiles is not None:
            if self.quantile is not None:
                raise ValueError("give either quantile or quantiles")
            if any(low >= high for low, high in pairwise(self.quantiles)):
                raise ValueError("quantiles increase, each named once")
        return self


class ValidationRequest(Request):
    """Which rows judge the network: one of the fields; stratified for classes."""

    fraction: float | None = Field(
        None, gt=0, lt=1, description="So many of the rows; 0.2 when nothing is said."
    )
    column: ColumnName | None = Field(
        None,
        description="Rows where this column is true, 1 or `validation`; false, 0 and `train` "
        "train, all others are left out.",
    )
    dataset: Annotated[Text, Field(max_length=64)] | None = Field(
        None, description="All rows of that data set judge, all of the job's own train."
    )
    folds: int | None = Field(
        None,
        ge=2,
        le=MOST_FOLDS,
        description="Each row judges once, in one of so many folds. The published network then "
        "learns from all rows, for the median of the folds' best epochs.",
    )

    @model_validator(mode="before")
    @classmethod
    def _fraction_by_default(cls, value: Any) -> Any:
        return {"fraction": 0.2} if value == {} else value

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        forms = (self.fraction, self.column, self.dataset, self.folds)
        if sum(form is not None for form in forms) != 1:
            raise ValueError("give one of fraction, column, dataset and folds")
        return self


class EarlyStoppingRequest(Request):
    """Stop when the monitored value has not become better for `patience` epochs."""

    monitor: Literal["validation_loss", "train_loss", "validation_score", "train_score"] = (
        "validation_loss"
    )
    patience: int = Field(20, ge=1, le=100_000)
    min_delta: float = Field(0.0, ge=0, le=1e6)
    start_epoch: int = Field(0, ge=0, le=10_000_000, description="Patience counts from there.")
    restore_best: bool = Field(True, description="Publish the best epoch, not the last.")
    target: float | None = Field(None, description="Reaching this value ends training at once.")


class TrainingRequest(Request):
    """How the weights are found."""

    loss: LossName = "auto"
    loss_options: LossOptionsRequest = LossOptionsRequest()
    optimizer: Optimizer = AdamRequest()
    schedule: Schedule = ConstantRequest()
    epochs: int = Field(200, ge=1, description="Passes over the training rows.")
    batch_size: Annotated[int, Field(ge=1, le=65_536)] | Literal["auto"] = "auto"
    l1: Penalty = 0.0
    l2: Penalty = 0.0
    weight_decay: Beta | None = Field(
        None, description="Share of the learning rate by which weights shrink a step."
    )
    max_norm: Bound | None = Field(None, description="Largest norm of the weights into a unit.")
    clip_value: Bound | None = Field(None, description="Largest size of one gradient.")
    clip_layer: Bound | None = Field(None, description="Largest norm of a layer's gradient.")
    clip: float | None = Field(None, gt=0, description="Largest global norm of a gradient.")
    average: Beta | None = Field(
        None, description="Decay of the moving average of weights that is judged and published."
    )
    validation: ValidationRequest | None = ValidationRequest(fraction=0.2)
    early_stopping: EarlyStoppingRequest | None = EarlyStoppingRequest()
    histograms: int | None = Field(
        None, ge=1, le=1_000_000, description="Every so many epochs; null: none."
    )
    precision: Literal["float32", "float64"] = "float32"
    max_seconds: float | None = Field(
        None, gt=0, description="Then training ends, as if the epochs were over."
    )

    @model_validator(mode="after")
    def _stopping_needs_validation(self) -> Self:
        asked = "early_stopping" in self.model_fields_set and self.early_stopping is not None
        if asked and self.validation is None and self.monitors_validation:
            raise ValueError("early_stopping needs validation rows: set validation or remove it")
        return self

    @property
    def monitors_validation(self) -> bool:
        """Whether early stopping looks at validation rows."""
        stopping = self.early_stopping
        return stopping is not None and stopping.monitor.startswith("validation")
